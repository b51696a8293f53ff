// Dictionaries that stay dictionaries from reader to writer.
#include "base/cpu.h"
#include "codec-run.h"
#include "data/value.h"
#include "parquet_file.h"
#include "test.h"

enum { ROWS = 40000, GROUP = 15000, WORDS = 300 };

static const wh_field fields[] = {
    {.name = WH_STR_INIT("word"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("price"), .type = {.kind = WH_FLOAT64}, .nullable = true},
    {.name = WH_STR_INIT("few"), .type = {.kind = WH_STRING}, .nullable = true},
    {.name = WH_STR_INIT("all"), .type = {.kind = WH_STRING}},
};
static const wh_schema schema = {4, fields};

// Words of a dictionary, prices of one, words with NULLs, words that become too many for one.
static wh_status a_row(wh_batch *batch, size_t row, wh_error *err) {
  char text[64];
  size_t random = (size_t)((row + 1) * 0x9E3779B97F4A7C15ull >> 33), n = random % WORDS;
  WH_TRY(wh_column_add_text(
      &batch->columns[0],
      wh_str_n(text, (size_t)snprintf(text, sizeof text, "the word number %zu", n)), err));
  WH_TRY(wh_column_add_f64(&batch->columns[1], (double)(random % 97) / 4, err));
  if (row % 50 == 7)
    WH_TRY(wh_column_add_null(&batch->columns[2], err));
  else
    WH_TRY(wh_column_add_text(&batch->columns[2], n % 2 ? WH_STR("odd") : WH_STR("even"), err));
  size_t which = row < 12000 ? n : row;
  return wh_column_add_text(
      &batch->columns[3], wh_str_n(text, (size_t)snprintf(text, sizeof text, "w%zu", which)), err);
}

static void make_file(wh_buf *out) {
  wh_parquet_write_options options = {
      .level = 1, .row_group_rows = GROUP, .page_index = true, .crc = true};
  wh_buf_init(out, &test_mem, 0);
  REQUIRE_OK(parquet_file_write(&test_mem, &schema, ROWS, a_row, &options, out, &test_err));
}

// Rows of one dictionary and code have one value.
static void check_codes(const wh_column *c) {
  static uint32_t first[65536]; // row of the batch that has the code, plus one
  const wh_codes *codes = c->codes;
  REQUIRE(codes->entries < 65536 && codes->dictionary != 0);
  memset(first, 0, sizeof first);
  for (size_t i = 0; i < c->length; i++) {
    uint32_t code = codes->codes[i];
    wh_value a, b;
    REQUIRE(code < codes->entries);
    if (!first[code]) first[code] = (uint32_t)i + 1;
    REQUIRE_OK(wh_value_get(c, i, &a, &test_err));
    REQUIRE_OK(wh_value_get(c, first[code] - 1, &b, &test_err));
    if (!CHECK_EQ(wh_value_compare(&a, &b), 0)) return;
  }
}

typedef struct copied {
  wh_buf file;
  size_t batches, with_codes[4];
} copied;

// The file once more, batch by batch; without the codes where `keep` is false.
static void copy_file(const wh_buf *from, bool keep, copied *ret) {
  wh_parquet_write_options options = {.level = 1, .row_group_rows = GROUP / 2, .crc = true};
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20};
  wh_bytes_input in;
  buf_output out;
  wh_reader *reader;
  wh_writer *writer;
  wh_batch batch;
  *ret = (copied){0};
  wh_buf_init(&ret->file, &test_mem, 0);
  wh_bytes_input_init(&in, from->data, from->len);
  buf_output_init(&out, &ret->file);
  REQUIRE_OK(wh_codec_parquet.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  REQUIRE_OK(wh_codec_parquet.open_writer(&context, &out.base, &options, reader->schema, &writer,
                                          &test_err));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  for (;;) {
    wh_batch_reset(&batch);
    REQUIRE_OK(reader->next(reader, &batch, NULL, &test_err));
    if (batch.rows == 0) break;
    ret->batches++;
    for (size_t i = 0; i < 4; i++) {
      ret->with_codes[i] += batch.columns[i].codes != NULL;
      if (batch.columns[i].codes && keep) check_codes(&batch.columns[i]);
      if (!keep) batch.columns[i].codes = NULL;
    }
    REQUIRE_OK(writer->write(writer, &batch, &test_err));
  }
  REQUIRE_OK(writer->finish(writer, &test_err));
  wh_batch_free(&batch);
  wh_writer_close(writer);
  wh_reader_close(reader);
}

TEST(codes_say_what_the_values_say_and_change_nothing) {
  WH_CLEAN_BUF wh_buf file;
  copied with, without;
  make_file(&file);
  copy_file(&file, true, &with);
  copy_file(&file, false, &without);
  // Batches that begin in one row group and end in another do not exist; those with rows that came
  // earlier, or with NULLs, have none.
  CHECK(with.with_codes[0] > with.batches / 2);
  CHECK(with.with_codes[1] > with.batches / 2);
  CHECK(with.with_codes[2] == 0);
  CHECK(with.with_codes[3] < with.batches);
  test_note("%zu batches; codes in %zu, %zu, %zu, %zu", with.batches, with.with_codes[0],
            with.with_codes[1], with.with_codes[2], with.with_codes[3]);
  CHECK(wh_str_eq(wh_buf_str(&with.file), wh_buf_str(&without.file)));
  wh_buf_free(&with.file);
  wh_buf_free(&without.file);
}

TEST(codes_are_gone_with_the_round) {
  WH_CLEAN_BUF wh_buf file;
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20};
  wh_bytes_input in;
  wh_reader *reader;
  wh_batch batch, shown;
  const size_t map[] = {0, 1, 2, 3};
  make_file(&file);
  wh_bytes_input_init(&in, file.data, file.len);
  REQUIRE_OK(wh_codec_parquet.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err));
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  REQUIRE_OK(wh_batch_init(&shown, &test_mem, reader->schema, &test_err));
  REQUIRE_OK(reader->next(reader, &batch, NULL, &test_err));
  REQUIRE(batch.columns[0].codes);
  wh_batch_borrow(&shown, &batch, map);
  CHECK(shown.columns[0].codes == batch.columns[0].codes);
  wh_batch_reset(&shown);
  CHECK(!shown.columns[0].codes);
  CHECK(batch.columns[0].codes);
  wh_batch_reset(&batch);
  CHECK(!batch.columns[0].codes);
  wh_batch_free(&shown);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}
