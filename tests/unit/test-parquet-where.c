// Conditions on the rows of Parquet files: exactly the rows in range come, and what cannot have
// any is not read.
#include "codec/parquet/bloom_read.h"
#include "nodes.h"
#include "parquet_file.h"
#include "test.h"

#include <math.h>
#include <stdio.h>

enum { ROWS = 20000 };

static const wh_field fields[] = {
    {.name = WH_STR_INIT("id"), .type = {.kind = WH_INT64}},
    {.name = WH_STR_INIT("day"), .type = {.kind = WH_DATE}, .nullable = true},
    {.name = WH_STR_INIT("name"), .type = {.kind = WH_STRING}},
    {.name = WH_STR_INIT("price"), .type = {.kind = WH_DECIMAL, .precision = 20, .scale = 2}},
    {.name = WH_STR_INIT("ratio"), .type = {.kind = WH_FLOAT64}},
    {.name = WH_STR_INIT("small"), .type = {.kind = WH_UINT8}},
    {.name = WH_STR_INIT("yes"), .type = {.kind = WH_BOOL}},
    {.name = WH_STR_INIT("at"), .type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_S, .zoned = true}},
};
static const wh_schema schema = {8, fields};

static wh_status a_row(wh_batch *batch, size_t row, wh_error *err) {
  char name[32];
  int n = snprintf(name, sizeof name, "name %05zu", row * 7919 % ROWS);
  wh_column *c = batch->columns;
  WH_TRY(wh_column_add_i64(&c[0], (int64_t)row, err));
  WH_TRY(row % 3 ? wh_column_add_i64(&c[1], (int64_t)(row / 10), err)
                 : wh_column_add_null(&c[1], err));
  WH_TRY(wh_column_add_text(&c[2], wh_str_n(name, (size_t)n), err));
  WH_TRY(wh_column_add_decimal(&c[3], (__int128)row * 100 - 500000, err));
  WH_TRY(wh_column_add_f64(&c[4], row % 50 == 7 ? NAN : (double)row / ROWS, err));
  WH_TRY(wh_column_add_u64(&c[5], row * 256 / ROWS, err));
  WH_TRY(wh_column_add_bool(&c[6], row >= ROWS / 2, err));
  return wh_column_add_i64(&c[7], (int64_t)row * 60, err);
}

static void write_file(wh_buf *file, wh_str_list bloom) {
  wh_parquet_write_options options = {.compression = WH_PARQUET_NONE,
                                      .level = 1,
                                      .row_group_rows = 5000,
                                      .page_bytes = 4096,
                                      .bloom = bloom,
                                      .page_index = true};
  wh_buf_init(file, &test_mem, 0);
  CHECK_OK(parquet_file_write(&test_mem, &schema, ROWS, a_row, &options, file, &test_err));
}

static wh_status run(parquet_reading *r, const wh_buf *file, const char *where) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  parquet_reading_init(r, &test_mem);
  r->options.where = test_nodes(&arena, where);
  r->context.wanted = &fields[0].name;
  r->context.wanted_count = 1;
  return parquet_reading_run(r, wh_buf_str(file), &test_err);
}

// Whether exactly the ids came for which the function says so.
static void check_where(const wh_buf *file, const char *where, bool (*is)(size_t row),
                        uint64_t bytes_most) {
  WH_CLEAN_BUF wh_buf want;
  parquet_reading r;
  wh_buf_init(&want, &test_mem, 0);
  CHECK_OK(run(&r, file, where));
  for (size_t row = 0; row < ROWS; row++)
    if (is(row)) wh_buf_printf(&want, "[%zu]\n", row);
  CHECK(wh_str_eq(wh_buf_str(&r.text), wh_buf_str(&want)));
  if (r.bytes > bytes_most) test_note("%s: read %llu bytes", where, (unsigned long long)r.bytes);
  CHECK(r.bytes <= bytes_most);
  parquet_reading_free(&r);
}

static bool few_ids(size_t row) {
  return row >= 12345 && row <= 12350;
}
static bool last_ids(size_t row) {
  return row >= 19990;
}
static bool first_days(size_t row) {
  return row % 3 && row / 10 <= 2;
}
static bool one_name(size_t row) {
  return row == 1;
}
static bool prices(size_t row) {
  return row * 100 >= 500000 + 123400 && row * 100 <= 500000 + 123800;
}
static bool ratios(size_t row) {
  return row >= ROWS / 2 && row % 50 != 7;
}
static bool smalls(size_t row) {
  return row * 256 / ROWS == 200;
}
static bool yes(size_t row) {
  return row >= ROWS / 2;
}
static bool minutes(size_t row) {
  return row >= 60 && row <= 62;
}
static bool several(size_t row) {
  return row >= 3000 && row <= 16000 && row % 3 && row / 10 >= 1500;
}
static bool none(size_t row) {
  (void)row;
  return false;
}

TEST(rows_in_range_come_and_pages_out_of_it_are_not_read) {
  WH_CLEAN_BUF wh_buf file;
  write_file(&file, (wh_str_list){0});
  uint64_t all = file.len;
  check_where(&file, "id: [12345, 12350]", few_ids, all / 10);
  check_where(&file, "id: [19990, null]", last_ids, all / 10);
  check_where(&file, "day: [null, 1970-01-03]", first_days, all / 10);
  check_where(&file, "name: [name 07919, name 07919]", one_name, all);
  check_where(&file, "price: [1234.00, 1238]", prices, all / 10);
  check_where(&file, "ratio: [0.5, null]", ratios, all / 2);
  check_where(&file, "small: [200, 200]", smalls, all / 10);
  check_where(&file, "yes: [true, true]", yes, all / 2);
  check_where(&file, "at: [1970-01-01T01:00:00Z, 1970-01-01T01:02:00Z]", minutes, all / 10);
  check_where(&file, "{id: [3000, 16000], day: [1974-02-09, null]}", several, all / 5);
  check_where(&file, "{id: [3000, 16000], day: [2100-01-01, null]}", none, all / 10);
  check_where(&file, "id: [null, -1]", none, all / 10);
}

TEST(bloom_filters_tell_what_is_not_there) {
  WH_CLEAN_BUF wh_buf file;
  wh_str name = WH_STR("name");
  write_file(&file, (wh_str_list){&name, 1});
  check_where(&file, "name: [name 07919, name 07919]", one_name, file.len / 2);
  check_where(&file, "name: [name 07919x, name 07919x]", none, file.len / 8);
}

TEST(parts_leave_out_row_groups_that_have_none) {
  WH_CLEAN_BUF wh_buf file;
  WH_CLEAN_ARENA wh_arena arena;
  parquet_reading r;
  wh_arena_init(&arena, &test_mem);
  write_file(&file, (wh_str_list){0});
  parquet_reading_init(&r, &test_mem);
  r.options.where = test_nodes(&arena, "id: [12345, 12347]");
  r.in_parts = true;
  r.context.part_rows = 3000;
  CHECK_OK(parquet_reading_run(&r, wh_buf_str(&file), &test_err));
  CHECK_EQ(r.rows, 3);
  CHECK(r.parts <= 3);
  parquet_reading_free(&r);
}

TEST(places_are_those_of_the_file) {
  WH_CLEAN_BUF wh_buf file;
  parquet_reading r;
  write_file(&file, (wh_str_list){0});
  CHECK_OK(run(&r, &file, "id: [12345, 12347]"));
  CHECK_STR(wh_buf_str(&r.places), WH_STR("12346 12347 12348 "));
  parquet_reading_free(&r);
}

TEST(conditions_that_make_no_sense_are_refused) {
  static const struct {
    const char *where, *text;
  } cases[] = {
      {"idd: [1, 2]", "test.yaml:1:1: where: the file has no column 'idd'"},
      {"id: [a, 2]", "test.yaml:1:6: where: 'a' is not"},
      {"id: 5", "where: a range is [from, to], with null for no end"},
      {"id: [5]", "where: a range is [from, to], with null for no end"},
      {"id: [[5], 6]", "where: a bound is a value, this is a list"},
      {"[id]", "where: expected { column: [from, to] }, found a list"},
  };
  WH_CLEAN_BUF wh_buf file;
  write_file(&file, (wh_str_list){0});
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    parquet_reading r;
    CHECK_FAILS(run(&r, &file, cases[i].where), WH_ERR_USAGE);
    CHECK_ERROR_HAS(cases[i].text);
    parquet_reading_free(&r);
  }
}

// BloomFilter.md does not print one; this is what the specification's algorithm sets for a key.
TEST(a_bloom_block_has_eight_bits_of_a_hash) {
  static const uint32_t salts[8] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                    0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
  for (int round = 0; round < 100; round++) {
    uint64_t hash = test_random();
    uint32_t words[8] = {0};
    CHECK(!pq_bloom_block_has((uint8_t *)words, hash));
    for (int i = 0; i < 8; i++)
      words[i] = UINT32_C(1) << ((uint32_t)hash * salts[i] >> 27);
    CHECK(pq_bloom_block_has((uint8_t *)words, hash));
    words[round % 8] = ~words[round % 8];
    CHECK(!pq_bloom_block_has((uint8_t *)words, hash));
  }
}
