// The reader of Parquet: columns, parts, schemas that are given, rows that do not fit, limits.
#include "nodes.h"
#include "parquet_file.h"
#include "rows.h"
#include "test.h"

#include <stdio.h>

enum { ROWS = 10000 };

static const wh_field fields[] = {
    {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}},
    {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}, .nullable = true},
    {.name = WH_STR_INIT("price"), .type = {.kind = WH_DECIMAL, .precision = 9, .scale = 2}},
};
static const wh_schema schema = {3, fields};

static wh_status a_row(wh_batch *batch, size_t row, wh_error *err) {
  char name[32];
  int n = snprintf(name, sizeof name, "n%zu", row % 17);
  WH_TRY(wh_column_add_i64(&batch->columns[0], (int64_t)row, err));
  if (row % 5 == 0)
    WH_TRY(wh_column_add_null(&batch->columns[1], err));
  else
    WH_TRY(wh_column_add_text(&batch->columns[1], wh_str_n(name, (size_t)n), err));
  return wh_column_add_decimal(&batch->columns[2], (__int128)(row % 1000), err);
}

static wh_parquet_write_options small_groups(size_t rows) {
  return (wh_parquet_write_options){.compression = WH_PARQUET_NONE,
                                    .level = 1,
                                    .row_group_rows = (int64_t)rows,
                                    .page_bytes = 4096,
                                    .page_index = true,
                                    .crc = true};
}

static void write_file(size_t rows, size_t group_rows, wh_buf *out) {
  wh_parquet_write_options options = small_groups(group_rows);
  wh_buf_init(out, &test_mem, 0);
  CHECK_OK(parquet_file_write(&test_mem, &schema, rows, a_row, &options, out, &test_err));
}

TEST(only_columns_that_are_wanted_are_read) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading all, some;
  write_file(ROWS, ROWS, &file);
  parquet_reading_init(&all, &test_mem);
  parquet_reading_init(&some, &test_mem);
  some.context.wanted = (wh_str[]){WH_STR_INIT("price"), WH_STR_INIT("absent")};
  some.context.wanted_count = 2;
  CHECK_OK(parquet_reading_run(&all, wh_buf_str(&file), &test_err));
  CHECK_OK(parquet_reading_run(&some, wh_buf_str(&file), &test_err));
  CHECK_STR(wh_buf_str(&all.schema), WH_STR("id: int64, name: string?, price: decimal(9,2)"));
  CHECK_STR(wh_buf_str(&some.schema), WH_STR("price: decimal(9,2)"));
  CHECK_EQ(all.rows, ROWS);
  CHECK_EQ(some.rows, ROWS);
  CHECK(some.bytes < all.bytes / 2);
  parquet_reading_free(&all);
  parquet_reading_free(&some);
}

// (The writer's row groups may be an eighth larger than they were asked to be.)
static void check_parts(size_t group_rows, size_t part_rows, size_t least, size_t most) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading whole, cut;
  write_file(ROWS, group_rows, &file);
  parquet_reading_init(&whole, &test_mem);
  parquet_reading_init(&cut, &test_mem);
  cut.in_parts = true;
  cut.context.part_rows = part_rows;
  CHECK_OK(parquet_reading_run(&whole, wh_buf_str(&file), &test_err));
  CHECK_OK(parquet_reading_run(&cut, wh_buf_str(&file), &test_err));
  CHECK(cut.parts >= least && cut.parts <= most);
  CHECK(wh_str_eq(wh_buf_str(&whole.text), wh_buf_str(&cut.text)));
  parquet_reading_free(&whole);
  parquet_reading_free(&cut);
}

TEST(row_groups_are_cut_into_parts_and_joined) {
  check_parts(ROWS, 1000, 10, 12); // in two row groups
  check_parts(ROWS, 3000, 4, 5);
  check_parts(1000, 3500, 3, 4); // row groups go together
  check_parts(1000, 500, 18, 30);
  check_parts(ROWS, 0, 1, 1);
}

TEST(parts_count_their_rows_from_1) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading r;
  write_file(10, 1000, &file);
  parquet_reading_init(&r, &test_mem);
  r.in_parts = true;
  r.context.part_rows = 4;
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
  CHECK_STR(wh_buf_str(&r.places), WH_STR("1 2 3 4 1 2 3 4 1 2 "));
  r.in_parts = false;
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
  CHECK_STR(wh_buf_str(&r.places), WH_STR("1 2 3 4 5 6 7 8 9 10 "));
  parquet_reading_free(&r);
}

TEST(an_empty_file_has_no_parts) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading r;
  write_file(0, 1000, &file);
  parquet_reading_init(&r, &test_mem);
  r.in_parts = true;
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
  CHECK_EQ(r.parts, 0);
  r.in_parts = false;
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
  CHECK_EQ(r.rows, 0);
  parquet_reading_free(&r);
}

static const char *file_schema_is(const wh_field *given, size_t count, bool may_widen, size_t rows,
                                  parquet_reading *r, wh_status want) {
  WH_CLEAN_BUF wh_buf file;
  wh_schema s = {count, given};
  write_file(rows, 1000, &file);
  parquet_reading_init(r, &test_mem);
  r->given = &s;
  r->context.schema_may_widen = may_widen;
  CHECK_EQ(parquet_reading_run(r, wh_buf_str(&file), &test_err), want);
  return test_err.text;
}

TEST(a_given_schema_is_what_comes) {
  static const wh_field given[] = {
      {.name = WH_STR_INIT("price"), .type = {.kind = WH_DECIMAL, .precision = 12, .scale = 4}},
      {.name = WH_STR_INIT("absent"), .type = {.kind = WH_DATE}, .nullable = true},
      {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT32}},
      {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}, .nullable = true},
  };
  parquet_reading r;
  file_schema_is(given, 4, false, 3, &r, WH_OK);
  CHECK_STR(wh_buf_str(&r.schema),
            WH_STR("price: decimal(12,4), absent: date?, id: int32, name: string?"));
  CHECK_STR(wh_buf_str(&r.text),
            WH_STR("[0,null,0,null]\n[100,null,1,\"n1\"]\n[200,null,2,\"n2\"]\n"));
  parquet_reading_free(&r);
}

// Collects "column: reason" of what is rejected.
typedef struct told {
  wh_rejects base;
  wh_buf text;
} told;

static wh_status tell_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                          size_t row, wh_error *err) {
  told *t = (told *)self;
  CHECK(row < batch->rows);
  wh_buf_printf(&t->text, "%llu %.*s %.*s: %.*s\n", (unsigned long long)reject->place.row,
                WH_STR_ARG(reject->rule), WH_STR_ARG(reject->column), WH_STR_ARG(reject->reason));
  return wh_buf_check(&t->text, err);
}

static void told_init(told *t) {
  *t = (told){.base = {.row = tell_row}};
  wh_buf_init(&t->text, &test_mem, 0);
}

TEST(rows_that_do_not_fit_what_is_given_are_rejected) {
  static const wh_field given[] = {
      {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT8}},
      {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}},
      {.name = WH_STR_INIT("price"), .type = {.kind = WH_DECIMAL, .precision = 9, .scale = 2}},
  };
  WH_CLEAN_BUF wh_buf file;
  wh_schema s = {3, given};
  parquet_reading r;
  told t;
  write_file(130, 1000, &file);
  told_init(&t);
  parquet_reading_init(&r, &test_mem);
  r.given = &s;
  r.rejects = &t.base;
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
  CHECK_EQ(r.rows, 130 - 26 - 2); // a fifth has no name; 128 and 129 are too large
  CHECK(strstr(t.text.data, "1 missing name: NULL, where a value is required\n") != NULL);
  CHECK(strstr(t.text.data, "129 type id: '128' ") != NULL);
  r.rejects = NULL;
  CHECK_FAILS(parquet_reading_run(&r, wh_buf_str(&file), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("row ");
  wh_buf_free(&t.text);
  parquet_reading_free(&r);
}

TEST(what_cannot_become_the_given_is_said_at_once) {
  static const wh_field extra[] = {{.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}}};
  static const wh_field missing[] = {
      {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}},
      {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}, .nullable = true},
      {.name = WH_STR_INIT("price"), .type = {.kind = WH_FLOAT64}},
      {.name = WH_STR_INIT("must"), .type = {.kind = WH_FLOAT64}},
  };
  static const wh_field other[] = {
      {.name = WH_STR_INIT("id"), .type = {.kind = WH_DATE}},
      {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}, .nullable = true},
      {.name = WH_STR_INIT("price"), .type = {.kind = WH_FLOAT64}},
  };
  parquet_reading r;
  file_schema_is(extra, 1, false, 3, &r, WH_ERR_DATA);
  CHECK_ERROR_HAS("the file has a column name, which the schema given does not have");
  parquet_reading_free(&r);
  file_schema_is(missing, 4, false, 3, &r, WH_ERR_DATA);
  CHECK_ERROR_HAS("the file has no column must, which must have values");
  parquet_reading_free(&r);
  file_schema_is(other, 3, false, 3, &r, WH_ERR_DATA);
  CHECK_ERROR_HAS("column id is int64 in the file, and cannot become date");
  parquet_reading_free(&r);
}

TEST(a_schema_that_may_widen_is_widened) {
  static const wh_field given[] = {
      {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT32}},
      {.name = WH_STR_INIT("gone"), .type = {.kind = WH_DATE}},
      {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}},
  };
  parquet_reading r;
  file_schema_is(given, 3, true, 3, &r, WH_ERR_WIDEN);
  CHECK_STR(wh_buf_str(&r.schema),
            WH_STR("id: int64, gone: date?, name: string?, price: decimal(9,2)?"));
  parquet_reading_free(&r);
}

// --- what does not fit Parquet's own types ------------------------------------------------------

static const wh_field text_fields[] = {
    {.name = WH_STR_INIT("n"), .type = {.kind = WH_INT32}},
    {.name = WH_STR_INIT("t"), .type = {.kind = WH_BINARY}, .nullable = true},
};
static const wh_schema text_schema = {2, text_fields};

static wh_status text_row(wh_batch *batch, size_t row, wh_error *err) {
  static const wh_str texts[] = {WH_STR_INIT("fine"), WH_STR_INIT("caf\xC3\xA9"),
                                 WH_STR_INIT("caf\xE9"), WH_STR_INIT("\xC3")};
  WH_TRY(wh_column_add_i64(&batch->columns[0], (int64_t)(row * 50), err));
  if (row % 5 == 4) return wh_column_add_null(&batch->columns[1], err);
  return wh_column_add_text(&batch->columns[1], texts[row % 5], err);
}

static void call_it_text(pq_file_meta *meta) {
  pq_schema_element *e = meta->schema.items;
  e[2].has |= PQ_BIT(PQ_ELEMENT_CONVERTED);
  e[2].converted = PQ_CONVERTED_UTF8;
  e[1].has &= ~PQ_BIT(PQ_ELEMENT_LOGICAL);
  e[1].has |= PQ_BIT(PQ_ELEMENT_CONVERTED);
  e[1].converted = PQ_CONVERTED_INT8;
}

static void check_misfits(bool dictionary) {
  WH_CLEAN_BUF wh_buf file, edited;
  parquet_reading r;
  told t;
  wh_parquet_write_options options = small_groups(1000);
  options.dictionary = !dictionary;
  wh_buf_init(&file, &test_mem, 0);
  wh_buf_init(&edited, &test_mem, 0);
  told_init(&t);
  parquet_reading_init(&r, &test_mem);
  r.rejects = &t.base;
  r.context.batch_rows = 3; // rows of one page in several batches
  CHECK_OK(parquet_file_write(&test_mem, &text_schema, 1000, text_row, &options, &file, &test_err));
  CHECK_OK(parquet_file_edit(&test_mem, wh_buf_str(&file), call_it_text, &edited, &test_err));
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&edited), &test_err));
  CHECK_STR(wh_buf_str(&r.schema), WH_STR("n: int8, t: string?"));
  CHECK_STR(wh_buf_str(&r.text), WH_STR("[0,\"fine\"]\n[50,\"caf\xC3\xA9\"]\n"));
  CHECK(strstr(t.text.data,
               "3 type t: byte 3 of the text is not UTF-8 (in hexadecimal: 636166e9)\n"));
  CHECK(strstr(t.text.data, "\n5 type n: 200 does not fit int8\n"));
  CHECK(strstr(t.text.data, "\n1000 type n: 49950 does not fit int8\n"));
  wh_buf_free(&t.text);
  parquet_reading_free(&r);
}

TEST(values_that_are_not_of_their_type_are_rejected) {
  check_misfits(false);
  check_misfits(true);
}

// --- limits -------------------------------------------------------------------------------------

static const wh_field long_fields[] = {
    {.name = WH_STR_INIT("a"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("n"), .type = {.kind = WH_INT64}},
    {.name = WH_STR_INIT("b"), .type = {.kind = WH_STRING}, .nullable = true},
};
static const wh_schema long_schema = {3, long_fields};
static char long_text[300000];

// Short texts, then long ones: a batch has to end early, in another row for each column.
static wh_status long_row(wh_batch *batch, size_t row, wh_error *err) {
  memset(long_text, 'x', sizeof long_text);
  size_t a = row % 100 == 99 ? 200000 : 5, b = row > 500 ? 3000 : 1;
  WH_TRY(wh_column_add_text(&batch->columns[0], wh_str_n(long_text, a), err));
  WH_TRY(wh_column_add_i64(&batch->columns[1], (int64_t)row, err));
  if (row % 3 == 0) return wh_column_add_null(&batch->columns[2], err);
  return wh_column_add_text(&batch->columns[2], wh_str_n(long_text, b), err);
}

TEST(batches_end_early_where_texts_are_long) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading r, again;
  for (int dictionary = 0; dictionary < 2; dictionary++) {
    wh_parquet_write_options options = small_groups(1000);
    options.dictionary = dictionary;
    wh_buf_init(&file, &test_mem, 0);
    parquet_reading_init(&r, &test_mem);
    parquet_reading_init(&again, &test_mem);
    again.context.batch_rows = 1;
    CHECK_OK(
        parquet_file_write(&test_mem, &long_schema, 1500, long_row, &options, &file, &test_err));
    CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
    CHECK_OK(parquet_reading_run(&again, wh_buf_str(&file), &test_err));
    CHECK_EQ(r.rows, 1500);
    CHECK(wh_str_eq(wh_buf_str(&r.text), wh_buf_str(&again.text)));
    CHECK(r.batch_bytes_most < 4 * WH_BATCH_BYTES_DEFAULT);
    CHECK(r.batches < 60);
    parquet_reading_free(&r);
    parquet_reading_free(&again);
    wh_buf_free(&file);
  }
}

TEST(a_row_may_only_be_so_large) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading r;
  wh_buf_init(&file, &test_mem, 0);
  wh_parquet_write_options options = small_groups(1000);
  CHECK_OK(parquet_file_write(&test_mem, &long_schema, 100, long_row, &options, &file, &test_err));
  parquet_reading_init(&r, &test_mem);
  r.context.row_limit_bytes = 100000;
  CHECK_FAILS(parquet_reading_run(&r, wh_buf_str(&file), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("row 100 ");
  CHECK_ERROR_HAS("a row may have 100000");
  parquet_reading_free(&r);
}

TEST(an_input_without_an_end_is_refused) {
  wh_bytes_input in;
  wh_reader *reader;
  wh_codec_context context = {.mem = &test_mem};
  wh_bytes_input_init(&in, "PAR1", 4);
  in.base.read_at = NULL;
  CHECK_FAILS(wh_codec_parquet.open_reader(&context, &in.base, NULL, NULL, &reader, &test_err),
              WH_ERR_USAGE);
  CHECK_ERROR_HAS("a Parquet file is read from its end");
}

TEST(memory_may_run_out_anywhere) {
  WH_CLEAN_BUF wh_buf file;
  wh_buf_init(&file, &test_mem, 0);
  wh_parquet_write_options options = small_groups(500);
  options.compression = WH_PARQUET_ZSTD;
  CHECK_OK(parquet_file_write(&test_mem, &long_schema, 700, long_row, &options, &file, &test_err));
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const wh_node *where = test_nodes(&arena, "n: [100, 650]");
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 5000; n++) {
    parquet_reading r;
    parquet_reading_init(&r, &test_mem);
    r.options.where = where;
    r.in_parts = n % 2;
    r.context.part_rows = 300;
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    status = parquet_reading_run(&r, wh_buf_str(&file), &test_err);
    CHECK(status == WH_ERR_MEMORY || status == WH_OK);
    if (status == WH_OK && atomic_load(&test_mem.failed)) status = WH_ERR_MEMORY; // of this harness
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, 0);
    parquet_reading_free(&r);
  }
  CHECK_EQ(status, WH_OK);
}
