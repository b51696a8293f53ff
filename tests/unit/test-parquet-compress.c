// Every compression, both ways; and what damaged data does.
#include "codec/parquet/compress.h"
#include "codec/parquet/snappy.h"
#include "test.h"

#include <stdlib.h>

enum { SIZE_MAX_TESTED = 300000, ROUNDS = 60, DAMAGES = 2000 };

// Text-like, long runs, noise, or a mixture; in a block of exactly its size, for the sanitizers.
static uint8_t *random_bytes(size_t len) {
  uint8_t *data = malloc(len ? len : 1);
  uint64_t kind = test_random_below(4);
  for (size_t i = 0; i < len; i++) {
    uint64_t r = test_random();
    uint64_t how = kind == 3 ? (i >> 12) % 3 : kind;
    if (how == 0)
      data[i] = (uint8_t)("the quick brown fox "[i % 20] + (r % 31 == 0));
    else if (how == 1)
      data[i] = i && r % 1000 ? data[i - 1] : (uint8_t)r;
    else
      data[i] = (uint8_t)(r >> 20);
  }
  return data;
}

static size_t random_size(void) {
  return test_random_below(test_random_below(3) ? 200 : SIZE_MAX_TESTED);
}

static const pq_compression kinds[] = {PQ_UNCOMPRESSED, PQ_SNAPPY, PQ_ZSTD, PQ_LZ4_RAW};

TEST(what_was_compressed_comes_back) {
  pq_decompressor *back;
  REQUIRE_OK(pq_decompressor_open(&test_mem, &back, &test_err));
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    pq_compressor *c;
    REQUIRE_OK(pq_compressor_open(&test_mem, kinds[k], 1, &c, &test_err));
    for (int round = 0; round < ROUNDS; round++) {
      size_t len = round < 40 ? (size_t)round : random_size();
      uint8_t *data = random_bytes(len);
      size_t bound = pq_compress_bound(c, len), got = 0;
      uint8_t *packed = malloc(bound ? bound : 1), *again = malloc(len ? len : 1);
      CHECK_OK(pq_compress(c, data, len, len & 1, packed, &got, &test_err));
      CHECK(got <= bound);
      uint8_t *exact = malloc(got ? got : 1);
      memcpy(exact, packed, got);
      CHECK_OK(pq_decompress(back, kinds[k], exact, got, again, len, &test_err));
      CHECK(memcmp(again, data, len) == 0);
      free(data);
      free(packed);
      free(again);
      free(exact);
    }
    pq_compressor_close(c);
  }
  pq_decompressor_close(back);
}

TEST(snappy_makes_one_literal_of_noise) {
  static pq_snappy state;
  enum { LEN = 100000 };
  uint8_t *noise = malloc(LEN), *out = malloc(pq_snappy_bound(LEN));
  for (size_t i = 0; i < LEN; i++)
    noise[i] = (uint8_t)(test_random() >> 20);
  size_t got = pq_snappy_compress(&state, noise, LEN, false, out);
  CHECK_EQ(got, LEN + 3 + 4); // its length, and a tag with three bytes of length
  CHECK_EQ(out[3], 62 << 2);
  free(noise);
  free(out);
}

TEST(snappy_finds_what_repeats) {
  static pq_snappy state;
  uint8_t data[10000], out[12000];
  memset(data, 'x', sizeof data);
  size_t got = pq_snappy_compress(&state, data, sizeof data, true, out);
  CHECK(got < sizeof data / 20);
  size_t said = 0;
  CHECK(pq_snappy_length(out, got, &said));
  CHECK_EQ(said, sizeof data);
}

TEST(snappy_takes_the_examples_of_its_description) {
  static const struct {
    const char *in;
    size_t len;
    const char *out;
  } cases[] = {
      {"\x0B\x14hello \x0D\x06", 10, NULL}, // a copy longer than what is left
      {"\x0C\x14hello \x09\x06", 10, "hello hello "},
      {"\x0C\x14hello \x16\x06\x00", 11, "hello hello "},
      {"\x0C\x14hello \x17\x06\x00\x00\x00", 13, "hello hello "},
      {"\x07\x00x\x0B\x01", 5, NULL},
      {"\x08\x00x\x0D\x01", 5, "xxxxxxxx"},
      {"\x08\x00x\x0D\x02", 5, NULL}, // before the start
      {"\x08\x00x\x0D\x00", 5, NULL},
      {"\x04\x0C"
       "abcd",
       6, "abcd"},
      {"\x04\xF0\x03"
       "abcd",
       7, "abcd"}, // a length with more bytes than it needs
      {"\x04\xFC\x03\x00\x00\x00"
       "abcd",
       10, "abcd"},
      {"\x04\x0C"
       "abc",
       5, NULL},
      {"\x05\x0C"
       "abcd",
       6, NULL},
      {"\x03\x0C"
       "abcd",
       6, NULL},
      {"\x80\x80\x80\x80\x80\x80", 6, NULL},
      {"\x00", 1, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t out[32];
    size_t len = cases[i].out ? strlen(cases[i].out) : (uint8_t)cases[i].in[0];
    uint8_t *in = malloc(cases[i].len);
    memcpy(in, cases[i].in, cases[i].len);
    bool ok = pq_snappy_decompress(in, cases[i].len, out, len & 31);
    CHECK_EQ(ok, cases[i].out != NULL);
    if (ok) CHECK(memcmp(out, cases[i].out, len) == 0);
    free(in);
  }
}

TEST(damaged_data_is_an_error_and_no_more) {
  pq_decompressor *back;
  REQUIRE_OK(pq_decompressor_open(&test_mem, &back, &test_err));
  for (size_t k = 1; k < sizeof kinds / sizeof *kinds; k++) {
    pq_compressor *c;
    REQUIRE_OK(pq_compressor_open(&test_mem, kinds[k], 1, &c, &test_err));
    size_t len = 3000, got = 0;
    uint8_t *data = random_bytes(len), *packed = malloc(pq_compress_bound(c, len));
    CHECK_OK(pq_compress(c, data, len, len & 1, packed, &got, &test_err));
    for (int i = 0; i < DAMAGES; i++) {
      size_t cut = i % 4 ? got : test_random_below(got);
      uint8_t *bad = malloc(cut ? cut : 1), *again = malloc(len);
      memcpy(bad, packed, cut);
      if (cut) bad[test_random_below(cut)] ^= (uint8_t)(1 + test_random_below(255));
      wh_status status = pq_decompress(back, kinds[k], bad, cut, again, len, &test_err);
      CHECK(status == WH_OK || status == WH_ERR_DATA);
      free(bad);
      free(again);
    }
    free(data);
    free(packed);
    pq_compressor_close(c);
  }
  uint8_t none[1];
  CHECK_FAILS(pq_decompress(back, 3, "x", 1, none, 0, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("lzo");
  pq_decompressor_close(back);
}

TEST(other_compressions_are_read) {
  // "Wherry" twenty times over: as two members of gzip, as brotli, as LZ4 in Hadoop's frame.
  static const uint8_t gzip[] = {
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x0b, 0xcf, 0x48, 0x2d, 0x2a,
      0xaa, 0x0c, 0x27, 0x8b, 0x04, 0x00, 0xf0, 0x14, 0x48, 0xd5, 0x3c, 0x00, 0x00, 0x00, 0x1f,
      0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x0b, 0xcf, 0x48, 0x2d, 0x2a, 0xaa,
      0x0c, 0x27, 0x8b, 0x04, 0x00, 0xf0, 0x14, 0x48, 0xd5, 0x3c, 0x00, 0x00, 0x00};
  static const uint8_t brotli[] = {0x1b, 0x77, 0x00, 0x00, 0x04, 0x26, 0x72, 0x20, 0x18, 0x50,
                                   0xdb, 0x39, 0x7b, 0xc4, 0x16, 0x07, 0xc6, 0xac, 0x03};
  static const uint8_t lz4[] = {0x00, 0x00, 0x00, 0x78, 0x00, 0x00, 0x00, 0x10,
                                0x6f, 0x57, 0x68, 0x65, 0x72, 0x72, 0x79, 0x06,
                                0x00, 0x5a, 0x50, 0x68, 0x65, 0x72, 0x72, 0x79};
  static const struct {
    pq_compression kind;
    const uint8_t *in;
    size_t len;
  } cases[] = {{PQ_GZIP, gzip, sizeof gzip},
               {PQ_BROTLI, brotli, sizeof brotli},
               {PQ_LZ4_HADOOP, lz4, sizeof lz4},
               {PQ_LZ4_HADOOP, lz4 + 8, sizeof lz4 - 8}};
  pq_decompressor *back;
  REQUIRE_OK(pq_decompressor_open(&test_mem, &back, &test_err));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char out[120], want[121] = "";
    for (int n = 0; n < 20; n++)
      memcpy(want + n * 6, "Wherry", 6);
    for (int twice = 0; twice < 2; twice++) {
      memset(out, 0, sizeof out);
      CHECK_OK(pq_decompress(back, cases[i].kind, cases[i].in, cases[i].len, out, 120, &test_err));
      CHECK_STR(wh_str_n(out, 120), wh_str_n(want, 120));
    }
    for (size_t wrong = 118; wrong <= 122; wrong++) {
      char other[122];
      if (wrong == 120) continue;
      CHECK_FAILS(
          pq_decompress(back, cases[i].kind, cases[i].in, cases[i].len, other, wrong, &test_err),
          WH_ERR_DATA);
    }
    CHECK_FAILS(
        pq_decompress(back, cases[i].kind, cases[i].in, cases[i].len - 1, out, 120, &test_err),
        WH_ERR_DATA);
  }
  pq_decompressor_close(back);
}

TEST(memory_that_runs_out_is_an_error) {
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    bool done = false;
    for (size_t n = 1; !done && n < 50; n++) {
      atomic_store(&test_mem.count, 0);
      atomic_store(&test_mem.fail_at, n);
      pq_compressor *c = NULL;
      pq_decompressor *back = NULL;
      uint8_t in[1000] = {0}, out[2000], again[1000];
      size_t got = 0;
      wh_status status = pq_compressor_open(&test_mem, kinds[k], 1, &c, &test_err);
      if (status == WH_OK) status = pq_compress(c, in, sizeof in, false, out, &got, &test_err);
      if (status == WH_OK) status = pq_decompressor_open(&test_mem, &back, &test_err);
      if (status == WH_OK)
        status = pq_decompress(back, kinds[k], out, got, again, sizeof again, &test_err);
      CHECK(status == WH_OK || status == WH_ERR_MEMORY);
      done = status == WH_OK;
      pq_compressor_close(c);
      pq_decompressor_close(back);
      atomic_store(&test_mem.fail_at, 0);
    }
    CHECK(done);
  }
}
