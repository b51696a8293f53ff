// Files appended to a file of their kind, by every codec: the same bytes as their blocks give.
#include "codec-run.h"
#include "codec/csv/csv.h"
#include "codec/json/json.h"
#include "codec/parquet/parquet.h"
#include "random_table.h"
#include "test.h"

enum { PARTS = 5, COLUMNS = 6, ROWS = 2500, TABLES = 40, TABLES_LONG = 1500 };

static const wh_codec_type *const codecs[] = {&wh_codec_csv, &wh_codec_json, &wh_codec_ndjson,
                                              &wh_codec_parquet};

typedef struct kind {
  const wh_codec_type *codec;
  const void *options;
  wh_codec_context context;
} kind;

static wh_status open_writer(const kind *k, const wh_schema *schema, wh_output *to, wh_writer **ret,
                             wh_error *err) {
  return k->codec->open_writer(&k->context, to, k->options, schema, ret, err);
}

// The blocks of one batch, to a writer.
static wh_status append_blocks(const kind *k, wh_writer *writer, const wh_batch *batch,
                               wh_error *err) {
  wh_encoder *encoder;
  wh_block *block = NULL;
  WH_TRY(k->codec->open_encoder(&k->context, k->options, batch->schema, &encoder, err));
  wh_status status = batch->rows ? encoder->add(encoder, batch, err) : WH_OK;
  if (status == WH_OK) status = encoder->take(encoder, &block, err);
  if (status == WH_OK && block) status = writer->append(writer, block, err);
  wh_block_free(block);
  wh_encoder_close(encoder);
  return status;
}

static wh_status write_blocks(const kind *k, const wh_batch *batches, size_t count, wh_buf *out,
                              wh_error *err) {
  buf_output to;
  wh_writer *writer;
  buf_output_init(&to, out);
  WH_TRY(open_writer(k, batches[0].schema, &to.base, &writer, err));
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < count; i++)
    status = append_blocks(k, writer, &batches[i], err);
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  return status;
}

// Appends files to a new one.
static wh_status append_files(const kind *k, const wh_schema *schema, const wh_str *files,
                              size_t count, size_t most, wh_buf *out, wh_error *err) {
  buf_output to;
  wh_writer *writer;
  buf_output_init(&to, out);
  WH_TRY(open_writer(k, schema, &to.base, &writer, err));
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < count; i++) {
    dribble_input in;
    dribble_input_init(&in, files[i], most);
    status = writer->append_file(writer, &in.bytes.base, err);
  }
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_writer_close(writer);
  return status;
}

static void random_batches(random_table *t, wh_batch batches[PARTS]) {
  size_t left = t->rows;
  for (size_t i = 0; i < PARTS; i++) {
    size_t n = i + 1 < PARTS ? random_table_below(t, left + 1) : left;
    if (random_table_below(t, 4) == 0) n = 0;
    CHECK_OK(wh_batch_init(&batches[i], &test_mem, &t->schema, &test_err));
    CHECK_OK(random_table_fill(t, &batches[i], n, &test_err));
    left -= n;
  }
}

static wh_parquet_write_options parquet_options(random_table *t) {
  static const int64_t rows[] = {1000000, 1000, 100}, pages[] = {0, 300, 5000};
  return (wh_parquet_write_options){.compression = (int)random_table_below(t, 4),
                                    .level = 1,
                                    .row_group_rows = rows[random_table_below(t, 3)],
                                    .page_bytes = pages[random_table_below(t, 3)],
                                    .dictionary = random_table_below(t, 4) == 0,
                                    .page_index = random_table_below(t, 3) > 0,
                                    .crc = random_table_below(t, 3) > 0};
}

// Every part a file of its own, then one file of them.
static bool check_kind(const kind *k, const wh_batch *batches, size_t most) {
  WH_CLEAN_BUF wh_buf want = {.mem = &test_mem};
  WH_CLEAN_BUF wh_buf got = {.mem = &test_mem};
  wh_buf parts[PARTS] = {0};
  wh_str files[PARTS];
  bool ok = CHECK_OK(write_blocks(k, batches, PARTS, &want, &test_err));
  for (size_t i = 0; i < PARTS; i++) {
    parts[i].mem = &test_mem;
    ok = CHECK_OK(write_blocks(k, &batches[i], 1, &parts[i], &test_err)) && ok;
    files[i] = wh_buf_str(&parts[i]);
  }
  ok = ok && CHECK_OK(append_files(k, batches[0].schema, files, PARTS, most, &got, &test_err)) &&
       CHECK(wh_str_eq(wh_buf_str(&got), wh_buf_str(&want)));
  for (size_t i = 0; i < PARTS; i++)
    wh_buf_free(&parts[i]);
  return ok;
}

static void check_table(uint64_t seed) {
  random_table t;
  wh_batch batches[PARTS];
  const wh_codec_type *codec = codecs[seed % 4];
  bool flat = codec == &wh_codec_csv;
  random_table_init(&t, &test_mem, seed, COLUMNS, ROWS, flat ? 0 : 2);
  random_batches(&t, batches);
  wh_parquet_write_options parquet = parquet_options(&t);
  kind k = {.codec = codec,
            .options = codec == &wh_codec_parquet ? &parquet : NULL,
            .context = {.mem = &test_mem}};
  if (!check_kind(&k, batches, random_table_below(&t, 2) ? 0 : 1000))
    test_note("seed %llu", (unsigned long long)seed);
  for (size_t i = 0; i < PARTS; i++)
    wh_batch_free(&batches[i]);
  random_table_free(&t);
}

TEST(files_give_what_their_blocks_give) {
  uint64_t seed = test_random();
  int tables = test_is_long() ? TABLES_LONG : TABLES;
  for (int i = 0; i < tables && !test_failed(); i++)
    check_table(seed + (uint64_t)i);
}

// --- One table: what a filter holds, what is refused ---------------------------------------------

static const wh_field fields[] = {{.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}},
                                  {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}}};
static const wh_schema schema = {.fields = (wh_field *)fields, .count = 2};
static const wh_field other_fields[] = {{.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}},
                                        {.name = WH_STR_INIT("Name"), .type = {.kind = WH_STRING}}};
static const wh_schema other = {.fields = (wh_field *)other_fields, .count = 2};

static void fill(wh_batch *batch, const wh_schema *of, int64_t from, int64_t rows) {
  CHECK_OK(wh_batch_init(batch, &test_mem, of, &test_err));
  for (int64_t i = from; i < from + rows; i++) {
    char name[32];
    int len = snprintf(name, sizeof name, "name %lld", (long long)i);
    CHECK_OK(wh_column_add_i64(&batch->columns[0], i, &test_err));
    CHECK_OK(wh_column_add_text(&batch->columns[1], wh_str_n(name, (size_t)len), &test_err));
    wh_batch_row_end(batch);
  }
}

TEST(filters_move_along) {
  wh_str bloom[] = {WH_STR("id"), WH_STR("name")};
  wh_parquet_write_options options = {.level = 1,
                                      .row_group_rows = 300,
                                      .page_index = true,
                                      .crc = true,
                                      .bloom = {.items = bloom, .count = 2}};
  kind k = {.codec = &wh_codec_parquet, .options = &options, .context = {.mem = &test_mem}};
  wh_batch batches[PARTS];
  for (size_t i = 0; i < PARTS; i++)
    fill(&batches[i], &schema, (int64_t)i * 1000, 1000);
  check_kind(&k, batches, 0);
  for (size_t i = 0; i < PARTS; i++)
    wh_batch_free(&batches[i]);
}

static void check_refused(const kind *k, wh_str file, const char *what) {
  WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
  wh_error err = {0};
  wh_status status = append_files(k, &schema, &file, 1, 0, &out, &err);
  if (!CHECK(status == WH_ERR_DATA)) test_note("%s, %s: %s", k->codec->name, what, err.text);
  CHECK(err.text[0]);
}

// What only some codecs can see: text is appended as it stands.
TEST(what_is_no_such_file_is_refused) {
  wh_batch good, wrong;
  fill(&good, &schema, 0, 10);
  fill(&wrong, &other, 0, 10);
  for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
    kind k = {.codec = codecs[i], .context = {.mem = &test_mem}};
    if (k.codec == &wh_codec_ndjson) continue;
    WH_CLEAN_BUF wh_buf file = {.mem = &test_mem};
    WH_CLEAN_BUF wh_buf file2 = {.mem = &test_mem};
    CHECK_OK(write_blocks(&k, &good, 1, &file, &test_err));
    CHECK_OK(write_blocks(&k, &wrong, 1, &file2, &test_err));
    wh_str whole = wh_buf_str(&file);
    check_refused(&k, WH_STR(""), "nothing");
    check_refused(&k, wh_str_sub(whole, 1, whole.len), "without its first byte");
    if (k.codec != &wh_codec_csv)
      check_refused(&k, wh_str_sub(whole, 0, whole.len - 1), "without its last byte");
    if (k.codec != &wh_codec_json) check_refused(&k, wh_buf_str(&file2), "other columns");
  }
  wh_batch_free(&good);
  wh_batch_free(&wrong);
}

TEST(another_compression_is_refused) {
  wh_parquet_write_options plain = {
      .compression = WH_PARQUET_NONE, .level = 1, .row_group_rows = 9};
  kind k = {.codec = &wh_codec_parquet, .options = &plain, .context = {.mem = &test_mem}};
  WH_CLEAN_BUF wh_buf file = {.mem = &test_mem};
  wh_batch batch;
  fill(&batch, &schema, 0, 10);
  CHECK_OK(write_blocks(&k, &batch, 1, &file, &test_err));
  wh_batch_free(&batch);
  k.options = NULL;
  check_refused(&k, wh_buf_str(&file), "not compressed");
}

// Their rows would have to be compared with those before.
TEST(sorted_files_are_not_appended) {
  wh_str sort[] = {WH_STR("id")};
  wh_parquet_write_options options = {
      .level = 1, .row_group_rows = 100, .sort = {.items = sort, .count = 1}};
  kind k = {.codec = &wh_codec_parquet, .options = &options, .context = {.mem = &test_mem}};
  WH_CLEAN_BUF wh_buf file = {.mem = &test_mem};
  WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
  wh_batch batch;
  fill(&batch, &schema, 0, 10);
  CHECK_OK(write_blocks(&k, &batch, 1, &file, &test_err));
  wh_batch_free(&batch);
  wh_str one = wh_buf_str(&file);
  wh_error err = {0};
  CHECK(append_files(&k, &schema, &one, 1, 0, &out, &err) == WH_ERR_USAGE);
}

// Whatever allocation fails, everything is given back.
TEST(memory_runs_out) {
  kind k = {.codec = &wh_codec_parquet, .context = {.mem = &test_mem}};
  WH_CLEAN_BUF wh_buf file = {.mem = &test_mem};
  wh_batch batch;
  fill(&batch, &schema, 0, 1000);
  CHECK_OK(write_blocks(&k, &batch, 1, &file, &test_err));
  wh_batch_free(&batch);
  wh_str one = wh_buf_str(&file);
  for (uint64_t n = 1;; n++) {
    WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
    wh_error err = {0};
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_status status = append_files(&k, &schema, &one, 1, 0, &out, &err);
    atomic_store(&test_mem.fail_at, 0);
    if (status == WH_OK) break;
    if (!CHECK(status == WH_ERR_MEMORY) || !CHECK(n < 1000)) break;
  }
}
