// What is compressed comes back; what is damaged, cut short or meant to fill memory does not.
#include "base/buf.h"
#include "codec-run.h"
#include "codec/codec.h"
#include "test.h"

static const wh_compression kinds[] = {WH_GZIP, WH_ZSTD};
enum { KINDS = sizeof kinds / sizeof *kinds };

// In pieces of any size.
static wh_status compress(wh_compression kind, wh_str text, wh_buf *to, wh_error *err) {
  buf_output out;
  buf_output_init(&out, to);
  wh_compressor *c;
  WH_TRY(wh_compress_open(&test_mem, &out.base, kind, &c, err));
  wh_status status = WH_OK;
  for (size_t at = 0; status == WH_OK && at < text.len;) {
    size_t n = 1 + test_random_below(100000);
    if (n > text.len - at) n = text.len - at;
    status = wh_output_write(&c->output, text.data + at, n, err);
    at += n;
  }
  if (status == WH_OK) status = c->finish(c, err);
  wh_compressor_close(c);
  return status;
}

static wh_status decompress(wh_compression kind, wh_str bytes, wh_buf *to, wh_error *err) {
  static char piece[70000];
  wh_bytes_input in;
  wh_bytes_input_init(&in, bytes.data, bytes.len);
  wh_input *d;
  WH_TRY(wh_decompress_open(&test_mem, &in.base, kind, &d, err));
  wh_status status = WH_OK;
  for (size_t n = 1; status == WH_OK && n;) {
    status = wh_input_read(d, piece, 1 + test_random_below(sizeof piece), &n, err);
    if (status == WH_OK) wh_buf_add_str(to, wh_str_n(piece, n));
  }
  wh_input_close(d);
  return status == WH_OK ? wh_buf_check(to, err) : status;
}

static void make_text(wh_buf *text, size_t len) {
  while (text->len < len)
    wh_buf_printf(text, "%llu,row %llu\n", (unsigned long long)test_random_below(1000),
                  (unsigned long long)test_random());
}

typedef struct buffers {
  wh_buf text, bytes, back;
} buffers;

static void buffers_init(buffers *b) {
  wh_buf_init(&b->text, &test_mem, 0);
  wh_buf_init(&b->bytes, &test_mem, 0);
  wh_buf_init(&b->back, &test_mem, 0);
}

static void buffers_free(buffers *b) {
  wh_buf_free(&b->text);
  wh_buf_free(&b->bytes);
  wh_buf_free(&b->back);
}

static bool comes_back(buffers *b, wh_compression kind) {
  wh_buf_clear(&b->back);
  return CHECK_OK(decompress(kind, wh_buf_str(&b->bytes), &b->back, &test_err)) &&
         CHECK(wh_str_eq(wh_buf_str(&b->back), wh_buf_str(&b->text)));
}

TEST(what_is_compressed_comes_back) {
  static const size_t sizes[] = {0, 1, 1000, 131072, 1000000};
  buffers b;
  buffers_init(&b);
  for (size_t i = 0; i < KINDS * (sizeof sizes / sizeof *sizes); i++) {
    wh_compression kind = kinds[i % KINDS];
    wh_buf_clear(&b.text);
    wh_buf_clear(&b.bytes);
    make_text(&b.text, sizes[i / KINDS]);
    if (!CHECK_OK(compress(kind, wh_buf_str(&b.text), &b.bytes, &test_err))) break;
    if (!comes_back(&b, kind)) break;
    // As `cat a.gz b.gz` makes it.
    WH_CLEAN_BUF wh_buf twice;
    wh_buf_init(&twice, &test_mem, 0);
    wh_buf_add_str(&twice, wh_buf_str(&b.text));
    wh_buf_add_str(&b.text, wh_buf_str(&twice));
    wh_buf_clear(&twice);
    wh_buf_add_str(&twice, wh_buf_str(&b.bytes));
    wh_buf_add_str(&b.bytes, wh_buf_str(&twice));
    if (!comes_back(&b, kind)) break;
  }
  buffers_free(&b);
}

TEST(zeros_behind_gzip_are_passed_over) {
  buffers b;
  buffers_init(&b);
  make_text(&b.text, 100);
  CHECK_OK(compress(WH_GZIP, wh_buf_str(&b.text), &b.bytes, &test_err));
  for (int i = 0; i < 512; i++)
    wh_buf_add_char(&b.bytes, 0);
  comes_back(&b, WH_GZIP);
  wh_buf_add_char(&b.bytes, 'x');
  CHECK_FAILS(decompress(WH_GZIP, wh_buf_str(&b.bytes), &b.back, &test_err), WH_ERR_DATA);
  buffers_free(&b);
}

TEST(what_is_cut_short_is_not_whole) {
  buffers b;
  buffers_init(&b);
  make_text(&b.text, 2000);
  for (size_t k = 0; k < KINDS; k++) {
    wh_buf_clear(&b.bytes);
    CHECK_OK(compress(kinds[k], wh_buf_str(&b.text), &b.bytes, &test_err));
    for (size_t len = 0; len < b.bytes.len && !test_failed(); len++) {
      wh_buf_clear(&b.back);
      CHECK_FAILS(decompress(kinds[k], wh_str_n(b.bytes.data, len), &b.back, &test_err),
                  WH_ERR_DATA);
      CHECK_ERROR_HAS("it ends in the middle of what is compressed");
    }
  }
  buffers_free(&b);
}

// Some bytes of the headers say nothing of what is inside.
TEST(what_is_damaged_is_told) {
  buffers b;
  buffers_init(&b);
  make_text(&b.text, 2000);
  for (size_t k = 0; k < KINDS; k++) {
    wh_buf_clear(&b.bytes);
    CHECK_OK(compress(kinds[k], wh_buf_str(&b.text), &b.bytes, &test_err));
    for (size_t at = 0; at < b.bytes.len && !test_failed(); at++) {
      b.bytes.data[at] ^= (char)(1 << test_random_below(8));
      wh_buf_clear(&b.back);
      wh_error err = {0};
      wh_status status = decompress(kinds[k], wh_buf_str(&b.bytes), &b.back, &err);
      if (status == WH_OK)
        CHECK(wh_str_eq(wh_buf_str(&b.back), wh_buf_str(&b.text)));
      else
        CHECK(status == WH_ERR_DATA || status == WH_ERR_LIMIT || status == WH_ERR_MEMORY);
      wh_buf_clear(&b.bytes);
      CHECK_OK(compress(kinds[k], wh_buf_str(&b.text), &b.bytes, &test_err));
    }
  }
  CHECK_FAILS(decompress(WH_GZIP, WH_STR("id,name\n"), &b.back, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("its compressed bytes are damaged: incorrect header check");
  buffers_free(&b);
}

// A gigabyte of zeros, of which nothing is kept.
TEST(a_bomb_is_refused) {
  static char zeros[1 << 20];
  static const size_t megabytes = 1024;
  WH_CLEAN_BUF wh_buf bytes;
  wh_buf_init(&bytes, &test_mem, 0);
  buf_output out;
  buf_output_init(&out, &bytes);
  wh_compressor *c;
  REQUIRE_OK(wh_compress_open(&test_mem, &out.base, WH_ZSTD, &c, &test_err));
  for (size_t i = 0; i < megabytes; i++)
    CHECK_OK(wh_output_write(&c->output, zeros, sizeof zeros, &test_err));
  CHECK_OK(c->finish(c, &test_err));
  wh_compressor_close(c);
  wh_bytes_input in;
  wh_input *d;
  wh_bytes_input_init(&in, bytes.data, bytes.len);
  REQUIRE_OK(wh_decompress_open(&test_mem, &in.base, WH_ZSTD, &d, &test_err));
  wh_status status = WH_OK;
  uint64_t given = 0;
  for (size_t n = 1; status == WH_OK && n; given += n)
    status = wh_input_read(d, zeros, sizeof zeros, &n, &test_err);
  wh_input_close(d);
  CHECK_EQ(status, WH_ERR_LIMIT);
  CHECK_ERROR_HAS("more than 500 times as large");
  CHECK(given >= WH_EXPANSION_FREE_BYTES &&
        given < (uint64_t)WH_EXPANSION_FREE_BYTES + 2 * sizeof zeros);
}

TEST(every_allocation_may_fail) {
  buffers b;
  buffers_init(&b);
  make_text(&b.text, 300000);
  for (size_t k = 0; k < KINDS; k++) {
    for (size_t n = 1; n < 100 && !test_failed(); n++) {
      wh_error err = {0};
      wh_buf_clear(&b.bytes);
      wh_buf_clear(&b.back);
      test_mem.fail_at = test_mem.count + n;
      wh_status status = compress(kinds[k], wh_buf_str(&b.text), &b.bytes, &err);
      if (status == WH_OK) status = decompress(kinds[k], wh_buf_str(&b.bytes), &b.back, &err);
      test_mem.fail_at = 0;
      b.bytes.failed = b.back.failed = false;
      if (status == WH_OK) break;
      CHECK_EQ(status, WH_ERR_MEMORY);
    }
  }
  buffers_free(&b);
}

TEST(endings_say_what_is_what) {
  wh_str inner;
  CHECK_EQ(wh_compression_of(WH_STR("a/b.csv.gz"), &inner), WH_GZIP);
  CHECK_STR(inner, WH_STR("a/b.csv"));
  CHECK_EQ(wh_compression_of(WH_STR("b.CSV.ZST"), &inner), WH_ZSTD);
  CHECK_EQ(wh_compression_of(WH_STR("a.gz/b.csv"), &inner), WH_UNCOMPRESSED);
  CHECK_EQ(wh_compression_of(WH_STR("a/.gz"), &inner), WH_UNCOMPRESSED);
  CHECK(wh_codec_by_key(WH_STR("b.csv.gz")) == wh_codec_by_name(WH_STR("csv")));
  CHECK(wh_codec_by_key(WH_STR("b.ndjson.zst")) == wh_codec_by_name(WH_STR("ndjson")));
  CHECK(!wh_codec_by_key(WH_STR("b.parquet.gz")));
  CHECK(!wh_codec_by_key(WH_STR("b.gz")));
  CHECK_EQ(wh_codec_compression(wh_codec_by_name(WH_STR("parquet")), WH_STR("b.gz")),
           WH_UNCOMPRESSED);
}
