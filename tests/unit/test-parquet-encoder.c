// What the Parquet writer makes, read back by our reader, and what its metadata says.
#include "base/cpu.h"
#include "codec-run.h"
#include "codec/parquet/file.h"
#include "codec/parquet/parquet.h"
#include "random_table.h"
#include "rows.h"
#include "test.h"

#include <stdlib.h>

enum { TABLES = 60, TABLES_LONG = 2000, COLUMNS = 8, ROWS = 3000, DEPTH = 3 };

static const wh_parquet_write_options usual = {
    .level = 1, .row_group_rows = WH_PARQUET_GROUP_ROWS, .page_index = true, .crc = true};

// --- Writing and reading -------------------------------------------------------------------------

// The batches one after the other; with `blocks`, by an encoder and `append`.
static wh_status write_batches(wh_mem *mem, const wh_batch *batches, size_t count, bool blocks,
                               const wh_parquet_write_options *options, wh_buf *out,
                               wh_error *err) {
  wh_codec_context context = {.mem = mem};
  const wh_schema *schema = batches[0].schema;
  wh_encoder *encoder = NULL;
  wh_writer *writer = NULL;
  wh_block *block = NULL;
  buf_output to;
  buf_output_init(&to, out);
  wh_status status =
      wh_codec_parquet.open_writer(&context, &to.base, options, schema, &writer, err);
  if (status == WH_OK && blocks)
    status = wh_codec_parquet.open_encoder(&context, options, schema, &encoder, err);
  for (size_t i = 0; i < count && status == WH_OK; i++) {
    if (!blocks) {
      status = writer->write(writer, &batches[i], err);
      continue;
    }
    status = encoder->add(encoder, &batches[i], err);
    if (status == WH_OK && (encoder->full || i + 1 == count)) {
      status = encoder->take(encoder, &block, err);
      if (status == WH_OK && block) status = writer->append(writer, block, err);
      wh_block_free(block);
      block = NULL;
    }
  }
  if (status == WH_OK) status = writer->finish(writer, err);
  wh_encoder_close(encoder);
  wh_writer_close(writer);
  return status;
}

// As lines (random_table_write_row).
static wh_status read_lines(wh_mem *mem, wh_str file, const wh_schema *given, wh_buf *out,
                            wh_error *err) {
  wh_codec_context context = {.mem = mem, .row_limit_bytes = 1 << 24};
  wh_bytes_input in;
  wh_bytes_input_init(&in, file.data, file.len);
  wh_reader *reader = NULL;
  wh_batch batch = {0};
  WH_TRY(wh_codec_parquet.open_reader(&context, &in.base, NULL, given, &reader, err));
  wh_status status = wh_batch_init(&batch, mem, reader->schema, err);
  while (status == WH_OK) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, NULL, err);
    if (batch.rows == 0 && !reader->paused) break;
    for (size_t i = 0; i < batch.rows; i++)
      random_table_write_row(&batch, i, out);
  }
  wh_batch_free(&batch);
  wh_reader_close(reader);
  return status;
}

static void free_batches(wh_batch *batches, size_t count) {
  for (size_t i = 0; i < count; i++)
    wh_batch_free(&batches[i]);
}

static wh_parquet_write_options random_options(random_table *t) {
  wh_parquet_write_options options = usual;
  static const int64_t rows[] = {1000000, 1000, 100}, pages[] = {0, 300, 5000};
  options.compression = (int)random_table_below(t, 4);
  options.row_group_rows = rows[random_table_below(t, 3)];
  options.page_bytes = pages[random_table_below(t, 3)];
  options.dictionary = random_table_below(t, 4) == 0;
  options.page_index = random_table_below(t, 3);
  options.crc = random_table_below(t, 3);
  return options;
}

static bool has_flat_columns(const wh_schema *schema) {
  for (size_t i = 0; i < schema->count; i++) {
    if (schema->fields[i].type.field_count) return false;
  }
  return true;
}

// Writes a random table in both ways, and reads it.
static void check_table(uint64_t seed) {
  enum { BATCHES = 4 };
  random_table t;
  random_table_init(&t, &test_mem, seed, COLUMNS, ROWS, seed % 3 ? DEPTH : 0);
  wh_parquet_write_options options = random_options(&t);
  wh_batch batches[BATCHES];
  WH_CLEAN_BUF wh_buf want = {.mem = &test_mem};
  size_t left = t.rows;
  for (size_t i = 0; i < BATCHES; i++) {
    size_t n = i + 1 < BATCHES ? random_table_below(&t, left + 1) : left;
    CHECK_OK(wh_batch_init(&batches[i], &test_mem, &t.schema, &test_err));
    CHECK_OK(random_table_fill(&t, &batches[i], n, &test_err));
    for (size_t row = 0; row < n; row++)
      random_table_write_row(&batches[i], row, &want);
    left -= n;
  }
  for (int way = 0; way < 2; way++) {
    WH_CLEAN_BUF wh_buf got = {.mem = &test_mem};
    WH_CLEAN_BUF wh_buf file = {.mem = &test_mem};
    bool ok =
        CHECK_OK(write_batches(&test_mem, batches, BATCHES, way, &options, &file, &test_err)) &&
        CHECK_OK(
            read_lines(&test_mem, wh_buf_str(&file), way ? &t.schema : NULL, &got, &test_err)) &&
        CHECK_STR(wh_buf_str(&got), wh_buf_str(&want));
    if (!ok) test_note("seed %llu", (unsigned long long)seed);
  }
  free_batches(batches, BATCHES);
  random_table_free(&t);
}

TEST(random_tables_come_back) {
  uint64_t seed = test_random();
  int tables = test_is_long() ? TABLES_LONG : TABLES;
  for (int i = 0; i < tables && !test_failed(); i++)
    check_table(seed + (uint64_t)i);
}

TEST(the_plain_path_writes_the_same) {
  random_table t;
  wh_batch batch;
  WH_CLEAN_BUF wh_buf fast = {.mem = &test_mem};
  WH_CLEAN_BUF wh_buf plain = {.mem = &test_mem};
  random_table_init(&t, &test_mem, test_random(), COLUMNS, ROWS, DEPTH);
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &t.schema, &test_err));
  CHECK_OK(random_table_fill(&t, &batch, t.rows, &test_err));
  CHECK_OK(write_batches(&test_mem, &batch, 1, false, &usual, &fast, &test_err));
  wh_cpu_limit(WH_CPU_PLAIN);
  CHECK_OK(write_batches(&test_mem, &batch, 1, false, &usual, &plain, &test_err));
  wh_cpu_limit(WH_CPU_AVX512);
  CHECK(wh_str_eq(wh_buf_str(&fast), wh_buf_str(&plain)));
  wh_batch_free(&batch);
  random_table_free(&t);
}

TEST(every_allocation_may_fail) {
  random_table t;
  wh_batch batch;
  uint64_t seed = 1;
  random_table_init(&t, &test_mem, seed, COLUMNS, 500, 2);
  while (has_flat_columns(&t.schema) || t.schema.count < COLUMNS / 2) {
    random_table_free(&t);
    random_table_init(&t, &test_mem, ++seed, COLUMNS, 500, 2);
  }
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &t.schema, &test_err));
  CHECK_OK(random_table_fill(&t, &batch, 500, &test_err));
  wh_str sort = t.schema.fields[0].name;
  for (int compression = 0; compression < 4; compression++) {
    wh_parquet_write_options options = usual;
    options.compression = compression;
    options.row_group_rows = 300;
    for (size_t i = 0; i < t.schema.count; i++) {
      wh_kind kind = t.schema.fields[i].type.kind;
      if (kind != WH_BOOL && kind != WH_NULL) sort = t.schema.fields[i].name;
    }
    options.bloom = (wh_str_list){&sort, 1};
    bool done = false;
    for (size_t n = 1; !done && !test_failed(); n++) {
      WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
      atomic_store(&test_mem.count, 0);
      atomic_store(&test_mem.failed, 0);
      atomic_store(&test_mem.fail_at, n);
      wh_status status =
          write_batches(&test_mem, &batch, 1, compression & 1, &options, &out, &test_err);
      atomic_store(&test_mem.fail_at, 0);
      done = atomic_load(&test_mem.failed) == 0;
      CHECK_EQ(status, done ? WH_OK : WH_ERR_MEMORY);
    }
  }
  wh_batch_free(&batch);
  random_table_free(&t);
}

// --- Metadata ------------------------------------------------------------------------------------

typedef struct written {
  test_table table;
  wh_buf file;
  wh_bytes_input in;
  pq_file read;
  wh_arena arena;
} written;

static bool write_table(written *w, const wh_parquet_write_options *options) {
  w->file = (wh_buf){.mem = &test_mem};
  wh_arena_init(&w->arena, &test_mem);
  w->read = (pq_file){0};
  if (!CHECK_OK(write_batches(&test_mem, &w->table.batch, 1, false, options, &w->file, &test_err)))
    return false;
  wh_bytes_input_init(&w->in, w->file.data, w->file.len);
  return CHECK_OK(pq_file_open(&w->read, &test_mem, &w->in.base, NULL, &test_err));
}

static pq_column_chunk chunk_of(written *w, size_t group, uint32_t leaf) {
  pq_chunk_walk walk = {0};
  pq_column_chunk chunk = {0};
  while (walk.leaf <= leaf)
    CHECK_OK(pq_chunk_next(&w->read, group, &walk, &w->arena, &chunk, &test_err));
  return chunk;
}

static void close_table(written *w) {
  pq_file_close(&w->read);
  wh_arena_free(&w->arena);
  wh_buf_free(&w->file);
  test_table_free(&w->table);
}

static bool has_encoding(const pq_column_chunk *chunk, pq_encoding encoding) {
  for (size_t i = 0; i < chunk->meta.encodings.count; i++) {
    if (chunk->meta.encodings.items[i] == (int32_t)encoding) return true;
  }
  return false;
}

TEST(encodings_follow_the_values) {
  written w;
  test_table_init(&w.table, "counter: int64, few: string, many: string, price: float64, "
                            "noise: int64, date: date, flag: bool, wide: decimal(30,2)");
  wh_column *c = w.table.batch.columns;
  for (int i = 0; i < 20000; i++) {
    char text[40];
    snprintf(text, sizeof text, "text number %d", i);
    CHECK_OK(wh_column_add_i64(&c[0], 1000000 + i, &test_err));
    CHECK_OK(wh_column_add_text(&c[1], i % 3 ? WH_STR("Open") : WH_STR("Shipped"), &test_err));
    CHECK_OK(wh_column_add_text(&c[2], wh_str_of(text), &test_err));
    CHECK_OK(wh_column_add_f64(&c[3], (double)test_random_below(1u << 30) / 1024, &test_err));
    CHECK_OK(wh_column_add_i64(&c[4], (int64_t)(test_random() ^ test_random() << 32), &test_err));
    CHECK_OK(wh_column_add_i64(&c[5], i / 100, &test_err));
    CHECK_OK(wh_column_add_bool(&c[6], i & 1, &test_err));
    CHECK_OK(wh_column_add_decimal(&c[7], i, &test_err));
    wh_batch_row_end(&w.table.batch);
  }
  REQUIRE(write_table(&w, &usual));
  static const pq_encoding want[] = {PQ_DELTA_BINARY_PACKED,
                                     PQ_RLE_DICTIONARY,
                                     PQ_DELTA_LENGTH_BYTE_ARRAY,
                                     PQ_BYTE_STREAM_SPLIT,
                                     PQ_PLAIN,
                                     PQ_DELTA_BINARY_PACKED,
                                     PQ_PLAIN,
                                     PQ_PLAIN};
  for (uint32_t i = 0; i < sizeof want / sizeof *want; i++) {
    pq_column_chunk chunk = chunk_of(&w, 0, i);
    if (!CHECK(has_encoding(&chunk, want[i]))) test_note("column %u", i);
    CHECK_EQ(PQ_HAS(&chunk.meta, PQ_META_DICTIONARY_PAGE), want[i] == PQ_RLE_DICTIONARY);
    CHECK_EQ(chunk.meta.compression, PQ_SNAPPY);
  }
  close_table(&w);
}

TEST(a_dictionary_that_overflows_gives_way) {
  written w;
  test_table_init(&w.table, "late: string");
  for (int i = 0; i < 60000; i++) {
    char text[40];
    snprintf(text, sizeof text, "word %d", i < 9000 ? (int)test_random_below(10) : i);
    CHECK_OK(wh_column_add_text(&w.table.batch.columns[0], wh_str_of(text), &test_err));
    wh_batch_row_end(&w.table.batch);
  }
  REQUIRE(write_table(&w, &usual));
  pq_column_chunk chunk = chunk_of(&w, 0, 0);
  CHECK(has_encoding(&chunk, PQ_RLE_DICTIONARY));
  CHECK(has_encoding(&chunk, PQ_DELTA_LENGTH_BYTE_ARRAY));
  WH_CLEAN_BUF wh_buf got = {.mem = &test_mem};
  WH_CLEAN_BUF wh_buf want = {.mem = &test_mem};
  for (size_t i = 0; i < w.table.batch.rows; i++)
    random_table_write_row(&w.table.batch, i, &want);
  CHECK_OK(read_lines(&test_mem, wh_buf_str(&w.file), NULL, &got, &test_err));
  CHECK(wh_str_eq(wh_buf_str(&got), wh_buf_str(&want)));
  close_table(&w);
}

// Rows of one text column; its statistics.
static pq_statistics text_statistics(written *w, const char *type, const wh_str *texts,
                                     size_t count) {
  test_table_init(&w->table, type);
  for (size_t i = 0; i < count; i++) {
    CHECK_OK(wh_column_add_text(&w->table.batch.columns[0], texts[i], &test_err));
    wh_batch_row_end(&w->table.batch);
  }
  CHECK(write_table(w, &usual));
  return chunk_of(w, 0, 0).meta.statistics;
}

TEST(statistics_of_long_texts_are_cut_and_stay_bounds) {
  char a[200], z[200], end[400];
  memset(a, 'a', sizeof a);
  memset(z, 'z', sizeof z);
  for (size_t i = 0; i < sizeof end; i += 4)
    memcpy(end + i, "\xF4\x8F\xBF\xBF", 4); // U+10FFFF, behind which there is none
  wh_str texts[] = {wh_str_n(z, 100), wh_str_n(a, 100), wh_str_n(a, 150)};
  written w;
  pq_statistics s = text_statistics(&w, "c: string", texts, 3);
  CHECK_STR(s.min, wh_str_n(a, 64));
  CHECK(!s.min_exact);
  CHECK_EQ(s.max.len, 64);
  CHECK_STR(wh_str_sub(s.max, 0, 63), wh_str_n(z, 63));
  CHECK_EQ(s.max.data[63], '{'); // behind z
  CHECK(!s.max_exact);
  close_table(&w);

  wh_str short_ones[] = {WH_STR("b"), WH_STR(""), WH_STR("é")};
  s = text_statistics(&w, "c: string", short_ones, 3);
  CHECK_STR(s.min, WH_STR(""));
  CHECK_STR(s.max, WH_STR("é"));
  CHECK(s.min_exact && s.max_exact);
  close_table(&w);

  wh_str last[] = {wh_str_n(end, 400)};
  s = text_statistics(&w, "c: string", last, 1);
  CHECK_STR(s.min, wh_str_n(end, 64));
  CHECK(!PQ_HAS(&s, PQ_STAT_MAX));
  close_table(&w);

  // Cut in the middle of a character: it goes as a whole, and the one before is rounded up.
  char mixed[100];
  memset(mixed, 'x', sizeof mixed);
  memcpy(mixed + 60, "\xED\x9F\xBF\xC3\xA9",
         5); // U+D7FF, behind which U+E000 comes; é over byte 64
  wh_str cut[] = {wh_str_n(mixed, 100)};
  s = text_statistics(&w, "c: string", cut, 1);
  CHECK_STR(s.min, wh_str_n(mixed, 63));
  CHECK_EQ(s.max.len, 63);
  CHECK_STR(wh_str_sub(s.max, 60, 63), WH_STR("\xEE\x80\x80"));
  close_table(&w);

  char bytes[80];
  memset(bytes, 0xFF, sizeof bytes);
  bytes[10] = 5;
  wh_str binary[] = {wh_str_n(bytes, 80)};
  s = text_statistics(&w, "c: binary", binary, 1);
  CHECK_EQ(s.max.len, 11);
  CHECK_EQ(s.max.data[10], 6);
  close_table(&w);
}

TEST(statistics_of_numbers_heed_their_order) {
  written w;
  test_table_init(&w.table, "u: uint32, f: float64, n: float64, d: decimal(30,0), s: int64?");
  wh_column *c = w.table.batch.columns;
  static const double floats[] = {0.0, __builtin_nan(""), -0.0};
  for (int i = 0; i < 3; i++) {
    CHECK_OK(wh_column_add_u64(&c[0], i == 1 ? UINT32_MAX : 7, &test_err));
    CHECK_OK(wh_column_add_f64(&c[1], floats[i], &test_err));
    CHECK_OK(wh_column_add_f64(&c[2], __builtin_nan(""), &test_err));
    CHECK_OK(wh_column_add_decimal(&c[3], i - 1, &test_err));
    CHECK_OK(wh_column_add_null(&c[4], &test_err));
    wh_batch_row_end(&w.table.batch);
  }
  REQUIRE(write_table(&w, &usual));
  pq_statistics s = chunk_of(&w, 0, 0).meta.statistics;
  CHECK_STR(s.max, WH_STR("\xFF\xFF\xFF\xFF"));
  s = chunk_of(&w, 0, 1).meta.statistics;
  CHECK_STR(s.min, wh_str_n("\0\0\0\0\0\0\0\x80", 8));
  CHECK_STR(s.max, wh_str_n("\0\0\0\0\0\0\0\0", 8));
  pq_column_chunk nan = chunk_of(&w, 0, 2);
  CHECK(!PQ_HAS(&nan.meta.statistics, PQ_STAT_MIN));
  CHECK(!PQ_HAS(&nan, PQ_CHUNK_COLUMN_INDEX)); // which needs bounds for each page
  CHECK(PQ_HAS(&nan, PQ_CHUNK_OFFSET_INDEX));
  s = chunk_of(&w, 0, 3).meta.statistics;
  CHECK_EQ(s.min.len, 13);
  CHECK_EQ((signed char)s.min.data[0], -1);
  s = chunk_of(&w, 0, 4).meta.statistics;
  CHECK_EQ(s.nulls, 3);
  CHECK(!PQ_HAS(&s, PQ_STAT_MIN));
  close_table(&w);
}

TEST(row_groups_have_the_rows_asked_for) {
  written w;
  test_table_init(&w.table, "n: int64");
  for (int i = 0; i < 10500; i++) {
    CHECK_OK(wh_column_add_i64(&w.table.batch.columns[0], i, &test_err));
    wh_batch_row_end(&w.table.batch);
  }
  wh_parquet_write_options options = usual;
  options.row_group_rows = 1000;
  REQUIRE(write_table(&w, &options));
  CHECK_EQ(w.read.rows, 10500);
  CHECK_EQ(w.read.group_count, 11); // the last has what is left
  CHECK_EQ(w.read.groups[0].rows, 1000);
  CHECK_EQ(w.read.groups[10].rows, 500);
  close_table(&w);
  test_table_init(&w.table, "n: int64");
  for (int i = 0; i < 1100; i++) {
    CHECK_OK(wh_column_add_i64(&w.table.batch.columns[0], i, &test_err));
    wh_batch_row_end(&w.table.batch);
  }
  REQUIRE(write_table(&w, &options));
  CHECK_EQ(w.read.group_count, 1); // rather a little more than a tiny one
  close_table(&w);
}

TEST(a_file_without_rows_is_a_file) {
  written w;
  test_table_init(&w.table, "n: int64, t: timestamp[s]");
  REQUIRE(write_table(&w, &usual));
  CHECK_EQ(w.read.rows, 0);
  CHECK_EQ(w.read.group_count, 0);
  CHECK(PQ_HAS(&w.read.meta, PQ_FILE_KEY_VALUES)); // for the seconds
  close_table(&w);
}

// --- Errors --------------------------------------------------------------------------------------

static wh_status write_rows(const char *fields, const char *rows,
                            wh_parquet_write_options options) {
  test_table table;
  WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
  test_table_init(&table, fields);
  test_table_add(&table, rows);
  wh_status status = write_batches(&test_mem, &table.batch, 1, false, &options, &out, &test_err);
  test_table_free(&table);
  return status;
}

TEST(what_parquet_cannot_hold_is_an_error) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_field field = {.name = WH_STR("empty"), .type = wh_type_of(WH_STRUCT)};
  wh_schema schema = {1, &field};
  wh_codec_context context = {.mem = &test_mem};
  wh_encoder *encoder;
  CHECK_FAILS(wh_codec_parquet.open_encoder(&context, NULL, &schema, &encoder, &test_err),
              WH_ERR_TYPE);
  CHECK_ERROR_HAS("'empty' is a struct without fields");
  schema.count = 0;
  CHECK_FAILS(wh_codec_parquet.open_encoder(&context, NULL, &schema, &encoder, &test_err),
              WH_ERR_TYPE);
  CHECK_ERROR_HAS("no columns");
}

TEST(seconds_beyond_milliseconds_are_an_error) {
  test_table table;
  WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
  test_table_init(&table, "at: timestamp[s]");
  CHECK_OK(wh_column_add_i64(&table.batch.columns[0], INT64_MAX / 1000 + 1, &test_err));
  wh_batch_row_end(&table.batch);
  CHECK_FAILS(write_batches(&test_mem, &table.batch, 1, false, &usual, &out, &test_err),
              WH_ERR_TYPE);
  CHECK_ERROR_HAS("column 'at': 9223372036854776 s is more than");
  test_table_free(&table);
}

TEST(a_null_where_the_type_has_none_is_an_error) {
  CHECK_FAILS(write_rows("a: int64, b: int64", "1|2\n3|~\n", usual), WH_ERR_TYPE);
  CHECK_ERROR_HAS("column 'b' has a NULL, but its type has none");
}

TEST(rows_are_checked_against_the_order_promised) {
  wh_parquet_write_options options = usual;
  wh_str words[] = {WH_STR("a"), WH_STR("b desc")};
  options.sort = (wh_str_list){words, 2};
  CHECK_OK(write_rows("a: int64?, b: string?", "~|x\n1|z\n1|y\n1|y\n2|~\n2|x\n", options));
  CHECK_FAILS(write_rows("a: int64?, b: string?", "1|z\n1|y\n1|yy\n2|x\n", options), WH_ERR_DATA);
  CHECK_ERROR_HAS("not sorted by 'a', as `sort` says: row 3 comes before");
  CHECK_FAILS(write_rows("a: int64?, b: string?", "1|z\n~|y\n", options), WH_ERR_DATA);
  options.row_group_rows = 2; // over the edge of a block too
  CHECK_OK(write_rows("a: int64?, b: string?", "1|z\n1|y\n2|x\n3|x\n4|x\n", options));
  CHECK_FAILS(write_rows("a: int64?, b: string?", "1|z\n2|y\n1|x\n3|x\n", options), WH_ERR_DATA);
  words[1] = WH_STR("c");
  CHECK_FAILS(write_rows("a: int64?, b: string?", "", options), WH_ERR_USAGE);
  CHECK_ERROR_HAS("sort: there is no column 'c'");
  options.sort = (wh_str_list){0};
  options.bloom = (wh_str_list){words + 1, 1};
  CHECK_FAILS(write_rows("a: int64?, b: string?", "", options), WH_ERR_USAGE);
  CHECK_ERROR_HAS("bloom: there is no column 'c'");
}

TEST(blocks_are_checked_against_each_other) {
  test_table tables[2];
  wh_parquet_write_options options = usual;
  wh_str word = WH_STR("a");
  options.sort = (wh_str_list){&word, 1};
  options.row_group_rows = 1; // full after each batch
  for (int i = 0; i < 2; i++) {
    test_table_init(&tables[i], "a: int64");
    test_table_add(&tables[i], i ? "4\n9\n" : "1\n5\n");
  }
  wh_batch batches[2] = {tables[0].batch, tables[1].batch};
  WH_CLEAN_BUF wh_buf out = {.mem = &test_mem};
  CHECK_FAILS(write_batches(&test_mem, batches, 2, true, &options, &out, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("row 3 comes before");
  for (int i = 0; i < 2; i++)
    test_table_free(&tables[i]);
}
