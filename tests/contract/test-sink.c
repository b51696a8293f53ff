// What every sink of rows promises (connect/sink.h), against each place in support/place.c.
#include "place.h"
#include "row_text.h"

#include <pthread.h>

enum { ROWS_MAX = 4096 };

#define NOW_US    1795251600000000 // 2026-11-21T09:00:00Z
#define SCHEMA    "k string!; v timestamp[us,UTC]; n int64; s string"
#define ROW(k, v) k "|2026-11-21T" v "Z|"

static wh_connection c;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem; // what tests collect is not what they measure
static rows_rejects rejects;
static const test_place *place;
static wh_schema schema;
static wh_str key[1];

static bool set_up(const test_place *p) {
  const char *reason = NULL;
  place = p;
  p->open(&c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &out_mem, 0);
  rows_rejects_init(&rejects);
  rows_schema(SCHEMA, &arena, &schema);
  key[0] = WH_STR("k");
  return true;
}

static void tear_down(void) {
  rows_rejects_free(&rejects);
  wh_buf_free(&out);
  wh_arena_free(&arena);
  place->close(&c);
}

// A test that runs against every place that has what it needs.
#define CONTRACT(ident) CONTRACT_OF(ident, 0)
#define CONTRACT_OF(ident, needs)                                                                  \
  static void contract_##ident(void);                                                              \
  TEST(ident) {                                                                                    \
    for (size_t i = 0; test_places[i]; i++) {                                                      \
      if (test_places[i]->only_reads || (test_places[i]->lacks & (needs))) continue;               \
      if (!set_up(test_places[i])) continue;                                                       \
      contract_##ident();                                                                          \
      tear_down();                                                                                 \
    }                                                                                              \
  }                                                                                                \
  static void contract_##ident(void)

static void sql(const char *text) {
  test_place_sql(place, &c, text);
}

static wh_target target_of(wh_write_mode mode) {
  return (wh_target){
      .table = WH_STR("orders"),
      .schema = &schema,
      .mode = mode,
      .key = key,
      .key_count = mode == WH_WRITE_APPEND ? 0 : 1,
      .newest_by = mode == WH_WRITE_UPSERT ? WH_STR("v") : (wh_str){0},
  };
}

static wh_load load_of(const char *object, int64_t order) {
  return (wh_load){
      .pipeline = WH_STR("import"),
      .object = wh_str_of(object),
      .run = WH_STR("run-1"),
      .order = order,
      .epoch = 1,
      .now_us = NOW_US,
  };
}

static wh_status write_text(wh_sink *sink, const char *rows, wh_counts *counts) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  rows_add(&batch, rows);
  counts->read += batch.rows;
  wh_status status = c.type->sink->write(sink, 0, &batch, &rejects.base, counts, &test_err);
  wh_batch_free(&batch);
  return status;
}

// One whole load in one transaction.
static wh_status load_text(const wh_target *target, const wh_load *load, const char *rows,
                           wh_counts *ret) {
  const wh_sink_type *type = c.type->sink;
  wh_sink *sink;
  wh_mark mark;
  WH_TRY(type->open(&c, target, 1, &sink, &test_err));
  wh_status status = type->prepare(sink, &test_err);
  if (status == WH_OK) status = type->begin(sink, load, &arena, &mark, &test_err);
  if (status == WH_OK) {
    mark.done = true;
    mark.counts = (wh_counts){0};
    status = write_text(sink, rows, &mark.counts);
    mark.rows_done = mark.counts.read;
  }
  if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
  if (status == WH_OK) status = type->commit(sink, &test_err);
  if (status == WH_OK) *ret = mark.counts;
  type->close(sink);
  return status;
}

// Loads of one row each through one sink, which is opened and prepared once.
static wh_status load_each(const wh_target *target, const wh_load *loads, const char *const *rows,
                           size_t count, wh_counts *ret) {
  const wh_sink_type *type = c.type->sink;
  wh_sink *sink;
  WH_TRY(type->open(&c, target, 1, &sink, &test_err));
  wh_status status = type->prepare(sink, &test_err);
  for (size_t i = 0; i < count && status == WH_OK; i++) {
    wh_mark mark;
    status = type->begin(sink, &loads[i], &arena, &mark, &test_err);
    if (status == WH_OK) {
      CHECK(!mark.found);
      mark = (wh_mark){.done = true, .rows_done = 1, .time_us = NOW_US, .run = loads[i].run};
      status = write_text(sink, rows[i], &mark.counts);
    }
    if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
    if (status == WH_OK) status = type->commit(sink, &test_err);
    ret[i] = mark.counts;
  }
  type->close(sink);
  return status;
}

static void check_load(const wh_target *target, const char *object, int64_t order, const char *rows,
                       wh_counts want) {
  wh_counts got;
  wh_load load = load_of(object, order);
  if (!CHECK_OK(load_text(target, &load, rows, &got))) return;
  CHECK_EQ(got.written, want.written);
  CHECK_EQ(got.unchanged, want.unchanged);
  CHECK_EQ(got.superseded, want.superseded);
  CHECK_EQ(got.quarantined, want.quarantined);
  CHECK_EQ(got.read, got.written + got.unchanged + got.superseded + got.quarantined);
}

// The target's table through the same connector's source, sorted.
static const char *table_text(const char *table) {
  wh_source_query q = {.table = wh_str_of(table)};
  wh_source_info info;
  wh_reader *reader;
  rows_rejects none;
  rows_rejects_init(&none);
  wh_buf_clear(&out);
  if (CHECK_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err)) &&
      CHECK_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err))) {
    CHECK_OK(rows_read(reader, &none, &out, &test_err));
    wh_reader_close(reader);
    CHECK_STR(wh_buf_str(&none.text), WH_STR(""));
  }
  rows_sort(&out);
  rows_rejects_free(&none);
  return out.data ? out.data : "";
}

static void check_table(const char *want) {
  CHECK_STR(wh_str_of(table_text("orders")), wh_str_of(want));
}

static void check_rejects(const char *want) {
  CHECK_STR(wh_buf_str(&rejects.text), wh_str_of(test_place_text(place, want)));
  wh_buf_clear(&rejects.text);
}

CONTRACT(one_sink_takes_one_object_after_the_other) {
  const wh_load loads[] = {load_of("a", 10), load_of("b", 12), load_of("c", 11)};
  const char *const rows[] = {ROW("1", "08:00:00") "1|x\n", ROW("1", "08:00:00") "2|x\n",
                              ROW("1", "08:00:00") "3|x\n"};
  wh_counts got[3];
  wh_target target = target_of(WH_WRITE_UPSERT);
  REQUIRE_OK(load_each(&target, loads, rows, 3, got));
  CHECK_EQ(got[0].written, 1);
  CHECK_EQ(got[1].written, 1); // each with its own order
  CHECK_EQ(got[2].superseded, 1);
  if (place->lacks & TEST_APPEND_TO_NEW) return;
  target = target_of(WH_WRITE_APPEND);
  target.table = WH_STR("list");
  const wh_load more[] = {load_of("d", 10), load_of("e", 12), load_of("f", 11)};
  REQUIRE_OK(load_each(&target, more, rows, 3, got));
  CHECK_EQ(got[0].written + got[1].written + got[2].written, 3);
}

CONTRACT_OF(sink_creates_tables_whose_types_survive, TEST_APPEND_TO_NEW) {
  rows_schema("b bool; i8 int8; i16 int16; i32 int32; i64 int64; u8 uint8; u16 uint16; u32 uint32; "
              "u64 uint64; f32 float32; f64 float64; d decimal(12,2); d15 decimal(15,0); wide "
              "decimal(38,10); day date; t time[us]; ts time[s]; at timestamp[us]; fine "
              "timestamp[ns]; utc timestamp[us,UTC]; sec timestamp[s,UTC]; s string; x binary",
              &arena, &schema);
  wh_target target = target_of(WH_WRITE_APPEND);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &out_mem, 0);
  // The last is as fine as the place keeps times.
  wh_buf_add_c(
      &text,
      test_place_text(
          place,
          "false|-128|-32768|-2147483648|-9223372036854775808|0|0|0|0|-0.5|-1e-300|-9999999999.99|"
          "-999999999999999|-1234567890123456789012345678.0123456789|0001-01-01|00:00:00|00:00:00|"
          "0001-01-01T00:00:00|1677-09-21T00:12:44|{earliest instant}|{earliest instant}||\n"
          "true|127|32767|2147483647|9223372036854775807|255|65535|4294967295|18446744073709551615|"
          "3.4028235e+38|1.7976931348623157e+308|0.10|999999999999999|0.0000000001|9999-12-31|"
          "23:59:59.999999|23:59:59|9999-12-31T23:59:59.999999|2262-04-11T23:47:16.{finest}|"
          "2026-11-21T08:55:00.5Z|2026-11-21T08:55:00Z|007 Größe 'x' \"y\"|AP8=\n"
          "~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~\n"));
  check_load(&target, "one", 1, text.data, (wh_counts){.written = 3});
  CHECK_STR(wh_str_of(table_text("orders")), wh_buf_str(&text));
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("orders")};
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  wh_buf_clear(&text);
  rows_write_schema(&info.schema, &text);
  CHECK_STR(wh_buf_str(&text), wh_str_of(test_place_text(place, "{types back}")));
}

CONTRACT(sink_keeps_lists_and_structures_as_json) {
  rows_schema("k string!; l list<int64?>; o struct<a: int64?>", &arena, &schema);
  wh_target target = target_of(WH_WRITE_UPSERT);
  target.newest_by = (wh_str){0};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  CHECK_OK(wh_column_add_text(&batch.columns[0], WH_STR("a"), &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[1].children[0], 1, &test_err));
  CHECK_OK(wh_column_add_null(&batch.columns[1].children[0], &test_err));
  CHECK_OK(wh_column_add_list(&batch.columns[1], &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[2].children[0], 5, &test_err));
  CHECK_OK(wh_column_add_struct(&batch.columns[2], &test_err));
  wh_batch_row_end(&batch);
  const wh_sink_type *type = c.type->sink;
  wh_sink *sink;
  wh_mark mark;
  wh_load load = load_of("one", 1);
  REQUIRE_OK(type->open(&c, &target, 1, &sink, &test_err));
  CHECK_OK(type->prepare(sink, &test_err));
  CHECK_OK(type->begin(sink, &load, &arena, &mark, &test_err));
  CHECK_OK(type->write(sink, 0, &batch, &rejects.base, &mark.counts, &test_err));
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  wh_batch_free(&batch);
  check_table("a|[1,null]|{\"a\":5}\n");
}

CONTRACT_OF(sink_appends, TEST_APPEND_TO_NEW) {
  wh_target target = target_of(WH_WRITE_APPEND);
  check_load(&target, "one", 1, ROW("a", "08:00:00") "1|x\n" ROW("a", "08:00:00") "1|x",
             (wh_counts){.written = 2});
  check_load(&target, "two", 2, ROW("b", "08:00:00") "2|~", (wh_counts){.written = 1});
  check_table("a|2026-11-21T08:00:00Z|1|x\na|2026-11-21T08:00:00Z|1|x\n"
              "b|2026-11-21T08:00:00Z|2|~\n");
}

CONTRACT(sink_upsert_lets_the_newest_win) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  check_load(&target, "two", 2, ROW("a", "08:00:02") "2|two\n" ROW("b", "08:00:02") "2|two",
             (wh_counts){.written = 2});
  // An older object that comes late: older versions change nothing, newer ones win nevertheless.
  check_load(&target, "one", 1, ROW("a", "08:00:01") "1|one\n" ROW("b", "08:00:03") "1|one",
             (wh_counts){.written = 1, .superseded = 1});
  // The same version in a newer object is newer; in an older one it is older.
  check_load(&target, "four", 4, ROW("a", "08:00:02") "4|four", (wh_counts){.written = 1});
  check_load(&target, "three", 3, ROW("a", "08:00:02") "3|three", (wh_counts){.superseded = 1});
  // The same again, as when an event is delivered twice and its mark was lost.
  check_load(&target, "four again", 4, ROW("a", "08:00:02") "4|four", (wh_counts){.unchanged = 1});
  // Fractions of a second.
  check_load(&target, "five", 5, ROW("a", "08:00:02.5") "5|five", (wh_counts){.written = 1});
  check_load(&target, "six", 6, ROW("a", "08:00:02.49") "6|six", (wh_counts){.superseded = 1});
  check_table("a|2026-11-21T08:00:02.5Z|5|five\nb|2026-11-21T08:00:03Z|1|one\n");
}

// Rows may travel to the database in groups; what became of each is told all the same.
CONTRACT_OF(sink_counts_rows_one_by_one, TEST_SQL) {
  static const char *const tables[] = {
      NULL, "CREATE TABLE orders (k {key text} UNIQUE, v {timestamptz}, n INTEGER, s TEXT)",
      "CREATE TABLE orders (k {key text} UNIQUE, v {timestamptz}, n INTEGER, s TEXT, _wherry_order "
      "INT)",
      "CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz} NOT NULL, n INTEGER CHECK (n "
      "<> 77), "
      "s TEXT, _wherry_order INT){compact}"};
  wh_target target = target_of(WH_WRITE_UPSERT);
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
    sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_order_orders");
    if (tables[i]) sql(tables[i]);
    char first[8192] = "", second[8192] = "";
    for (int n = 0; n < 100; n++) {
      char *at = first + strlen(first);
      if (n % 9 == 0) snprintf(at, 128, "key-%d|2026-11-21T08:00:05Z|1|x\n", n);
      snprintf(second + strlen(second), 128, "key-%d|2026-11-21T08:00:0%dZ|%d|y\n", n,
               n % 2 ? 7 : 3, n);
    }
    check_load(&target, "one", 1, first, (wh_counts){.written = 12});
    // Of the twelve keys that are there, six even ones come with an older version.
    bool has_check = i == 3;
    check_load(&target, "two", 2, second,
               (wh_counts){.written = 94 - has_check, .superseded = 6, .quarantined = has_check});
    check_load(&target, "two again", 2, second,
               (wh_counts){.unchanged = 94 - has_check, .superseded = 6, .quarantined = has_check});
  }
}

CONTRACT(sink_upsert_within_an_object) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  // The highest version wins wherever it stands; of equal ones the later row.
  const char *rows = ROW("a", "08:00:02") "1|high\n" ROW("a", "08:00:01") "2|low\n" ROW(
      "b", "08:00:01") "3|first\n" ROW("b", "08:00:01") "4|second\n" ROW("b",
                                                                         "08:00:01") "4|second";
  check_load(&target, "one", 1, rows, (wh_counts){.written = 3, .superseded = 1, .unchanged = 1});
  check_table("a|2026-11-21T08:00:02Z|1|high\nb|2026-11-21T08:00:01Z|4|second\n");
  check_load(&target, "one again", 1, rows,
             (wh_counts){.written = 2, .superseded = 1, .unchanged = 2});
  check_table("a|2026-11-21T08:00:02Z|1|high\nb|2026-11-21T08:00:01Z|4|second\n");
}

CONTRACT(sink_upsert_without_versions_goes_by_order) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  target.newest_by = (wh_str){0};
  check_load(&target, "two", 2, "a|~|2|two", (wh_counts){.written = 1});
  check_load(&target, "one", 1, "a|~|1|one\nb|~|1|one", (wh_counts){.written = 1, .superseded = 1});
  check_load(&target, "two again", 2, "a|~|2|two", (wh_counts){.unchanged = 1});
  check_table("a|~|2|two\nb|~|1|one\n");
}

CONTRACT(sink_quarantines_what_cannot_take_part) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  rows_schema("k string; v timestamp[us,UTC]; n int64; s string", &arena, &schema);
  check_load(&target, "one", 1,
             "~|2026-11-21T08:00:00Z|1|a\nb|~|2|b\nc|2026-11-22T09:00:00.000001Z|3|c\n"
             "d|2026-11-22T09:00:00Z|4|d",
             (wh_counts){.written = 1, .quarantined = 3});
  check_rejects("key|k|missing|1\nversion|v|missing|2\n"
                "version_future|v|more than a day in the future|3\n");
  check_table("d|2026-11-22T09:00:00Z|4|d\n");
}

CONTRACT_OF(sink_replaces_exactly, TEST_REPLACE) {
  wh_target target = target_of(WH_WRITE_REPLACE);
  check_load(&target, "one", 1, "a|~|1|x\nb|~|2|y\nc|~|3|z", (wh_counts){.written = 3});
  check_load(&target, "two", 2, "a|~|1|x\nb|~|5|y\nd|~|4|~",
             (wh_counts){.written = 2, .unchanged = 1});
  check_table("a|~|1|x\nb|~|5|y\nd|~|4|~\n");
  // An older one never replaces a newer one; the same again changes nothing.
  check_load(&target, "one", 1, "a|~|1|x", (wh_counts){.superseded = 1});
  check_load(&target, "two again", 2, "a|~|1|x\nb|~|5|y\nd|~|4|~", (wh_counts){.unchanged = 3});
  // Of two rows with one key the later counts.
  check_load(&target, "three", 3, "a|~|1|x\nb|~|6|y\nb|~|7|y",
             (wh_counts){.written = 1, .unchanged = 1, .superseded = 1});
  check_table("a|~|1|x\nb|~|7|y\n");
  check_load(&target, "four", 4, "", (wh_counts){0});
  check_table("");
}

CONTRACT_OF(sink_replaces_without_a_key, TEST_REPLACE) {
  wh_target target = target_of(WH_WRITE_REPLACE);
  target.key_count = 0;
  check_load(&target, "one", 1, "a|~|1|x\na|~|1|x\nb|~|~|~", (wh_counts){.written = 3});
  check_table("a|~|1|x\na|~|1|x\nb|~|~|~\n");
  check_load(&target, "two", 2, "a|~|1|x", (wh_counts){.written = 1});
  check_table("a|~|1|x\n");
}

CONTRACT_OF(sink_replace_picks_the_highest_version_of_a_key, TEST_REPLACE) {
  wh_target target = target_of(WH_WRITE_REPLACE);
  target.newest_by = WH_STR("v");
  check_load(&target, "one", 1,
             "a|2026-11-21T08:00:02Z|1|high\na|2026-11-21T08:00:01Z|2|low\n"
             "b|2026-11-21T08:00:01Z|3|x\nb|2026-11-21T08:00:01Z|4|later",
             (wh_counts){.written = 2, .superseded = 2});
  check_table("a|2026-11-21T08:00:02Z|1|high\nb|2026-11-21T08:00:01Z|4|later\n");
}

// Begins, and says what the mark said.
static wh_mark begun(wh_sink *sink, const wh_load *load) {
  wh_mark mark = {0};
  CHECK_OK(c.type->sink->begin(sink, load, &arena, &mark, &test_err));
  return mark;
}

static wh_sink *opened(const wh_target *target) {
  wh_sink *sink = NULL;
  if (CHECK_OK(c.type->sink->open(&c, target, 1, &sink, &test_err)))
    CHECK_OK(c.type->sink->prepare(sink, &test_err));
  return sink;
}

static wh_status see_mark(void *context, wh_str object, const wh_mark *mark, wh_error *err) {
  (void)err;
  wh_buf_printf(context, "%.*s %s %llu order %lld run %.*s rejects %.*s hash %llu\n",
                WH_STR_ARG(object), mark->done ? "done" : "open",
                (unsigned long long)mark->rows_done, (long long)mark->order, WH_STR_ARG(mark->run),
                WH_STR_ARG(mark->rejects), (unsigned long long)mark->row_hash);
  return WH_OK;
}

CONTRACT_OF(sink_commits_rows_and_mark_together, TEST_TRANSACTIONS) {
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_UPSERT);
  wh_load load = load_of("big", 7);
  wh_sink *sink = opened(&target);
  REQUIRE(sink);
  wh_mark mark = begun(sink, &load);
  CHECK(!mark.found);
  CHECK_OK(write_text(sink, ROW("a", "08:00:00") "1|a\n" ROW("b", "08:00:00") "2|b", &mark.counts));
  mark.rows_done = 2;
  mark.row_hash = UINT64_MAX - 1;
  mark.rejects = WH_STR("_wherry/quarantine/x.json");
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  // The second chunk never commits.
  mark = begun(sink, &load);
  CHECK(mark.found && !mark.done);
  CHECK_EQ(mark.rows_done, 2);
  CHECK_OK(write_text(sink, ROW("c", "08:00:00") "3|c", &mark.counts));
  mark.rows_done = 3;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  type->abort(sink);
  type->abort(sink);
  check_table("a|2026-11-21T08:00:00Z|1|a\nb|2026-11-21T08:00:00Z|2|b\n");
  type->close(sink);
  // A new worker goes on where the mark says.
  sink = opened(&target);
  load.epoch = 2;
  mark = begun(sink, &load);
  CHECK_EQ(mark.rows_done, 2);
  CHECK_EQ(mark.counts.written, 2);
  CHECK(mark.row_hash == UINT64_MAX - 1);
  CHECK_STR(mark.rejects, WH_STR("_wherry/quarantine/x.json"));
  CHECK_OK(write_text(sink, ROW("c", "08:00:00") "3|c", &mark.counts));
  mark.rows_done = 3;
  mark.done = true;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  mark = begun(sink, &load);
  CHECK(mark.done);
  CHECK_EQ(mark.counts.written, 3);
  type->close(sink);
  WH_CLEAN_BUF wh_buf marks;
  wh_buf_init(&marks, &test_mem, 0);
  CHECK_OK(type->marks(&c, WH_STR("import"), &arena, see_mark, &marks, &test_err));
  CHECK_STR(wh_buf_str(&marks),
            WH_STR("big done 3 order 7 run run-1 rejects _wherry/quarantine/x.json hash "
                   "18446744073709551614\n"));
  CHECK_OK(type->marks(&c, WH_STR("other"), &arena, see_mark, NULL, &test_err));
}

CONTRACT_OF(sink_has_no_marks_where_there_is_no_table, TEST_SQL) {
  CHECK_OK(c.type->sink->marks(&c, WH_STR("import"), &arena, see_mark, NULL, &test_err));
  sql("CREATE TABLE t (a INTEGER)");
  CHECK_OK(c.type->sink->marks(&c, WH_STR("import"), &arena, see_mark, NULL, &test_err));
}

CONTRACT(sink_stops_a_worker_that_lost_its_lease) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  wh_load load = load_of("one", 1);
  wh_counts counts;
  load.epoch = 5;
  CHECK_OK(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts));
  load.epoch = 4;
  load.object = WH_STR("two");
  CHECK_FAILS(load_text(&target, &load, ROW("a", "08:00:01") "2|a", &counts), WH_ERR_STALE);
  CHECK_ERROR_HAS("another worker has taken over pipeline import");
  load.epoch = 5;
  CHECK_OK(load_text(&target, &load, ROW("b", "08:00:00") "3|b", &counts));
  load.epoch = 4;
  load.pipeline = WH_STR("another");
  CHECK_OK(load_text(&target, &load, ROW("c", "08:00:00") "4|c", &counts));
  check_table("a|2026-11-21T08:00:00Z|1|a\nb|2026-11-21T08:00:00Z|3|b\n"
              "c|2026-11-21T08:00:00Z|4|c\n");
}

CONTRACT(sink_loads_without_an_epoch_beside_those_with_one) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  wh_load load = load_of("one", 1);
  wh_counts counts;
  load.epoch = WH_EPOCH_NONE;
  CHECK_OK(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts));
  load = load_of("two", 2);
  load.epoch = 5;
  CHECK_OK(load_text(&target, &load, ROW("b", "08:00:00") "2|b", &counts));
  load = load_of("three", 3);
  load.epoch = WH_EPOCH_NONE;
  CHECK_OK(load_text(&target, &load, ROW("c", "08:00:00") "3|c", &counts));
  load = load_of("four", 4);
  load.epoch = 4; // what has no epoch has not lowered it
  CHECK_FAILS(load_text(&target, &load, ROW("d", "08:00:00") "4|d", &counts), WH_ERR_STALE);
  check_table("a|2026-11-21T08:00:00Z|1|a\nb|2026-11-21T08:00:00Z|2|b\n"
              "c|2026-11-21T08:00:00Z|3|c\n");
  wh_sink *sink = opened(&target);
  load = load_of("one", 1);
  load.epoch = WH_EPOCH_NONE;
  CHECK(begun(sink, &load).done);
  c.type->sink->close(sink);
}

CONTRACT_OF(sink_replace_goes_on_after_a_chunk, TEST_REPLACE) {
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_REPLACE);
  check_load(&target, "one", 1, "x|~|0|old", (wh_counts){.written = 1});
  wh_load load = load_of("two", 2);
  wh_sink *sink = opened(&target);
  wh_mark mark = begun(sink, &load);
  CHECK_OK(write_text(sink, "a|~|1|a\nb|~|2|b\nb|~|3|b", &mark.counts));
  mark.rows_done = 3;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  check_table("x|~|0|old\n"); // nothing is seen before all of it is
  sink = opened(&target);
  mark = begun(sink, &load);
  CHECK_EQ(mark.rows_done, 3);
  CHECK_OK(write_text(sink, "c|~|4|c", &mark.counts));
  mark.done = true;
  mark.rows_done = 4;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  CHECK_EQ(mark.counts.written, 3);
  CHECK_EQ(mark.counts.superseded, 1);
  check_table("a|~|1|a\nb|~|3|b\nc|~|4|c\n");
}

CONTRACT_OF(sink_replaces_under_way_do_not_disturb_each_other, TEST_REPLACE) {
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_REPLACE);
  wh_load load = load_of("long", 5);
  wh_sink *sink = opened(&target);
  wh_mark mark = begun(sink, &load);
  CHECK_OK(write_text(sink, "a|~|1|a", &mark.counts));
  mark.rows_done = 1;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  sink = opened(&target); // a new worker, before anything has replaced the table
  wh_load other = load_of("short", 4);
  other.pipeline = WH_STR("other");
  wh_counts counts;
  CHECK_OK(load_text(&target, &other, "b|~|2|b", &counts));
  check_table("b|~|2|b\n");
  mark = begun(sink, &load);
  CHECK_EQ(mark.rows_done, 1);
  CHECK_OK(write_text(sink, "c|~|3|c", &mark.counts));
  mark.done = true;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  check_table("a|~|1|a\nc|~|3|c\n");
}

CONTRACT_OF(sink_replace_leaves_alone_what_others_stage, TEST_REPLACE) {
  if (place->one_writer) return;
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_REPLACE);
  wh_load load = load_of("long", 5);
  wh_sink *sink = opened(&target);
  wh_mark mark = begun(sink, &load);
  CHECK_OK(write_text(sink, "a|~|1|a\nb|~|2|b", &mark.counts));
  wh_sink *other = opened(&target); // nothing of it is committed yet
  mark.rows_done = 2;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  mark = begun(sink, &load);
  CHECK_EQ(mark.rows_done, 2);
  CHECK_OK(write_text(sink, "c|~|3|c", &mark.counts));
  mark.done = true;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  CHECK_EQ(mark.counts.written, 3);
  type->close(other);
  type->close(sink);
  check_table("a|~|1|a\nb|~|2|b\nc|~|3|c\n");
}

CONTRACT_OF(sink_replace_that_cannot_be_tells_no_values, TEST_REPLACE) {
  sql("CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz}, n INT, s {key text} "
      "UNIQUE)");
  wh_target target = target_of(WH_WRITE_REPLACE);
  wh_load load = load_of("one", 1);
  wh_counts counts;
  wh_status status = load_text(&target, &load, "a|~|1|me@home.org\nb|~|2|me@home.org", &counts);
  if (status == WH_OK) return; // the stage refused the row
  CHECK_EQ(status, WH_ERR_REFUSED);
  CHECK_ERROR_HAS("place: table orders cannot become what came: ");
  CHECK(strstr(test_err.text, "home") == NULL);
  CHECK(!test_err.retry);
}

CONTRACT_OF(sink_replace_that_is_overtaken_changes_nothing, TEST_REPLACE) {
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_REPLACE);
  wh_load load = load_of("slow", 1);
  wh_sink *sink = opened(&target);
  wh_mark mark = begun(sink, &load);
  CHECK_OK(write_text(sink, "a|~|1|slow\nb|~|1|slow", &mark.counts));
  mark.rows_done = 2;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  check_load(&target, "fast", 2, "c|~|2|fast", (wh_counts){.written = 1});
  mark = begun(sink, &load);
  CHECK_OK(write_text(sink, "d|~|1|slow", &mark.counts));
  mark.done = true;
  mark.rows_done = 3;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  CHECK_EQ(mark.counts.written, 0);
  CHECK_EQ(mark.counts.superseded, 3);
  check_table("c|~|2|fast\n");
}

CONTRACT_OF(sink_replace_begins_anew_when_its_stage_is_gone, TEST_REPLACE) {
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_REPLACE);
  wh_load load = load_of("one", 1);
  wh_sink *sink = opened(&target);
  wh_mark mark = begun(sink, &load);
  CHECK_OK(write_text(sink, "a|~|1|a", &mark.counts));
  mark.rows_done = 1;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  // The columns change in between: what was staged is of no use.
  rows_schema("k string!; n int64", &arena, &schema);
  sql("DROP TABLE orders");
  sink = opened(&target);
  mark = begun(sink, &load);
  CHECK(mark.found);
  CHECK_EQ(mark.rows_done, 0);
  CHECK_EQ(mark.counts.written, 0);
  type->close(sink);
}

CONTRACT_OF(sink_fills_an_existing_table, TEST_SQL) {
  sql("CREATE TABLE orders (id {serial key}, k VARCHAR(20) UNIQUE NOT NULL, v "
      "{datetime}, n INTEGER, s TEXT, note TEXT DEFAULT 'none');"
      "INSERT INTO orders (k, v, n, s, note) VALUES "
      "('a', '2026-11-21 08:00:01Z', 1, 'theirs', 'keep'), ('b', NULL, 1, 'theirs', "
      "NULL), ('c', '2026-11-21T10:00:01+02:00', 1, 'theirs', NULL)");
  wh_target target = target_of(WH_WRITE_UPSERT);
  check_load(&target, "one", 1,
             ROW("a", "08:00:00.5") "2|old\n" ROW("b", "08:00:00") "2|new\n" ROW(
                 "c", "08:00:01.5") "2|new\n" ROW("d", "08:00:00") "2|new",
             (wh_counts){.written = 3, .superseded = 1});
  // The same version as theirs, with an order they did not have, is newer.
  check_load(&target, "two", 2, ROW("a", "08:00:01") "3|same\n" ROW("b", "07:00:00") "3|old",
             (wh_counts){.written = 1, .superseded = 1});
  check_load(&target, "one late", 1, ROW("a", "08:00:01") "9|late", (wh_counts){.superseded = 1});
  check_load(&target, "two again", 2, ROW("a", "08:00:01") "3|same", (wh_counts){.unchanged = 1});
  CHECK_STR(wh_str_of(test_place_ask(
                place, &c,
                "SELECT {join lines} FROM (SELECT k || ' ' || n || ' ' || s || ' ' || "
                "coalesce(note, '~') AS line FROM orders ORDER BY k) AS q")),
            WH_STR("a 3 same keep,b 2 new ~,c 2 new ~,d 2 new none"));
  CHECK_STR(wh_str_of(test_place_ask(place, &c, "SELECT count(*) FROM {columns of orders}")),
            WH_STR("6"));
}

static void check_found(const char *key_name, const char *type, const char *value,
                        const char *want) {
  wh_str keys[] = {wh_str_of(key_name)}, show[] = {WH_STR("n"), WH_STR(WH_ORDER_COLUMN)};
  wh_finder *finder;
  wh_value v;
  wh_type t;
  wh_batch batch;
  CHECK_OK(wh_type_parse(wh_str_of(type), &arena, &t, &test_err));
  CHECK_OK(wh_value_parse(wh_str_of(value), &t, &arena, &v, &test_err));
  REQUIRE_OK(
      c.type->source->open_finder(&c, WH_STR("orders"), keys, 1, show, 2, &finder, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
  CHECK_OK(finder->find(finder, &v, &batch, &test_err));
  wh_buf_clear(&out);
  rows_write(&batch, &out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  wh_batch_free(&batch);
  finder->close(finder);
}

CONTRACT_OF(sink_lets_rows_be_found, TEST_SQL) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  for (int side = 0; side < 2; side++) {
    target.side_table = side;
    sql("DROP TABLE IF EXISTS orders");
    check_load(&target, side ? "side" : "own", 7 + side,
               ROW("a", "08:00:00.25") "1|x\n" ROW("b", "08:00:00") "2|y",
               (wh_counts){.written = 2});
    check_found("k", "string", "a", side ? "1|8\n" : "1|7\n");
    check_found("k", "string", "A", "");
    check_found("v", "timestamp[us,UTC]", "2026-11-21T08:00:00.25Z", side ? "1|8\n" : "1|7\n");
    check_found("v", "timestamp[ns,UTC]", "2026-11-21T08:00:00Z", side ? "2|8\n" : "2|7\n");
    check_found("v", "timestamp[us,UTC]", "2026-11-21T08:00:00.3Z", "");
    check_found("n", "decimal(4,0)", "2", side ? "2|8\n" : "2|7\n");
  }
}

CONTRACT_OF(sink_says_why_a_table_does_not_fit, TEST_SQL) {
  sql("CREATE TABLE orders (k INTEGER, n TEXT, must TEXT NOT NULL, s TEXT)");
  wh_target target = target_of(WH_WRITE_UPSERT);
  wh_load load = load_of("one", 1);
  wh_counts counts;
  CHECK_FAILS(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("place: table orders does not fit:\n");
  CHECK_ERROR_HAS(test_place_text(place, "column 'k' {text into integer}: text would come\n"));
  CHECK_ERROR_HAS(test_place_text(place, "column 'v' ({new timestamptz}) is missing\n"));
  CHECK_ERROR_HAS(test_place_text(place, "column 'n' {int64 into text}: int64 would come"));
  CHECK_ERROR_HAS("column 'must' must have a value and has no default, but nothing fills it");
  sql("DROP TABLE orders; CREATE TABLE orders (k {key text}, v {timestamptz}, n INT, s TEXT)");
  CHECK_FAILS(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(test_place_text(place, "no unique index is on exactly the key ({quoted k})"));
  // A source without rows may not know its types: it is let through.
  sql("DROP TABLE orders; CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz}, n INT, "
      "s REAL)");
  CHECK_FAILS(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(test_place_text(
      place, "table orders does not fit:\ncolumn 's' {text into real}: text would come"));
  CHECK_OK(load_text(&target, &load, "", &counts));
  CHECK_STR(wh_str_of(place->ask(&c, "SELECT count(*) FROM orders")), WH_STR("0"));
}

CONTRACT_OF(sink_inspects_without_changing, TEST_SQL) {
  const wh_sink_type *type = c.type->sink;
  wh_target target = target_of(WH_WRITE_UPSERT);
  wh_sink *sink;
  bool exists, fits;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  REQUIRE_OK(type->open(&c, &target, 1, &sink, &test_err));
  CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
  CHECK(!exists && fits);
  CHECK_STR(wh_buf_str(&text), wh_str_of(test_place_text(place, "{create orders}")));
  CHECK_FAILS(c.type->source->describe(&c, &(wh_source_query){.table = WH_STR("orders")}, &arena,
                                       &(wh_source_info){0}, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_OK(type->prepare(sink, &test_err));
  wh_buf_clear(&text);
  CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
  CHECK(exists && fits);
  CHECK(wh_str_starts(wh_buf_str(&text), test_place_text(place, "{create} (")));
  type->close(sink);
  rows_schema("k string!; v timestamp[us,UTC]; n int64; s string; extra int64", &arena, &schema);
  REQUIRE_OK(type->open(&c, &target, 1, &sink, &test_err));
  wh_buf_clear(&text);
  CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
  CHECK(exists && !fits);
  CHECK_STR(wh_buf_str(&text),
            wh_str_of(test_place_text(
                place, "orders does not fit:\n  column 'extra' ({new int64}) is missing")));
  type->close(sink);
}

CONTRACT_OF(sink_keeps_keys_apart_that_the_table_cannot, TEST_SQL) {
  sql("{make nocase} CREATE TABLE orders (k {key text} {nocase} PRIMARY KEY, v {timestamptz}, n "
      "INT, s "
      "TEXT)");
  wh_target target = target_of(WH_WRITE_UPSERT);
  check_load(&target, "one", 1, ROW("AB", "08:00:00") "1|x\n" ROW("ab", "08:00:01") "2|y",
             (wh_counts){.written = 1, .quarantined = 1});
  check_load(&target, "two", 2, ROW("aB", "08:00:05") "3|z\n" ROW("AB", "08:00:05") "4|w",
             (wh_counts){.written = 1, .quarantined = 1});
  check_rejects(
      "key_collision|k|another key is there that the table cannot tell from this one|2\n"
      "key_collision|k|another key is there that the table cannot tell from this one|1\n");
  check_table("AB|2026-11-21T08:00:05Z|4|w\n");
  target = target_of(WH_WRITE_REPLACE);
  check_load(&target, "three", 3, ROW("ab", "08:00:00") "1|x\n" ROW("Ab", "08:00:00") "2|y",
             (wh_counts){.written = 1, .quarantined = 1});
  check_table("ab|2026-11-21T08:00:00Z|1|x\n");
}

CONTRACT_OF(sink_rejects_rows_that_a_constraint_refuses, TEST_SQL) {
  sql("CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz}, n INT CHECK (n > 0), s "
      "{key text} UNIQUE)");
  wh_target target = target_of(WH_WRITE_UPSERT);
  check_load(&target, "one", 1,
             ROW("a", "08:00:00") "1|x\n" ROW("b", "08:00:00") "-1|y\n" ROW(
                 "c", "08:00:00") "1|x\n" ROW("d", "08:00:00") "2|z",
             (wh_counts){.written = 2, .quarantined = 2});
  check_rejects("constraint||{check refuses}|2\n"
                "constraint||{unique refuses}|3\n");
  check_table("a|2026-11-21T08:00:00Z|1|x\nd|2026-11-21T08:00:00Z|2|z\n");
}

CONTRACT_OF(sink_refuses_what_cannot_be_asked, TEST_SQL) {
  const wh_sink_type *type = c.type->sink;
  wh_sink *sink;
  wh_target target = target_of(WH_WRITE_UPSERT);
  key[0] = WH_STR("nokey");
  CHECK_FAILS(type->open(&c, &target, 1, &sink, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: the key 'nokey' of table orders is not among the columns");
  key[0] = WH_STR("k");
  target.newest_by = WH_STR("w");
  CHECK_FAILS(type->open(&c, &target, 1, &sink, &test_err), WH_ERR_USAGE);
  target = target_of(WH_WRITE_UPSERT);
  target.key_count = 0;
  CHECK_FAILS(type->open(&c, &target, 1, &sink, &test_err), WH_ERR_USAGE);
  target = target_of(WH_WRITE_APPEND);
  rows_schema("a int64; _wherry_order int64", &arena, &schema);
  CHECK_FAILS(type->open(&c, &target, 1, &sink, &test_err), WH_ERR_REFUSED);
  rows_schema("a int64; A int64", &arena, &schema);
  CHECK_FAILS(type->open(&c, &target, 1, &sink, &test_err), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("cannot tell the columns 'a' and 'A' apart");
}

CONTRACT_OF(sink_waits_for_others_but_not_forever, TEST_TRANSACTIONS) {
  wh_target target = target_of(WH_WRITE_UPSERT);
  wh_load load = load_of("one", 1);
  wh_counts counts;
  wh_sink *sink = opened(&target);
  wh_mark mark = begun(sink, &load);
  (void)mark;
  // Elsewhere only the pipeline itself is held.
  if (place->one_writer) load.pipeline = WH_STR("other");
  CHECK_FAILS(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_BUSY);
  CHECK(test_err.retry);
  c.type->sink->close(sink);
  CHECK_OK(load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts));
}

enum { AT_ONCE = 4, TIMES = 4 };

typedef struct maker {
  pthread_t thread;
  wh_target target;
  wh_status status;
  wh_error err;
} maker;

static void *make_tables(void *context) {
  maker *m = context;
  wh_sink *sink = NULL;
  m->status = c.type->sink->open(&c, &m->target, 1, &sink, &m->err);
  if (m->status == WH_OK) m->status = c.type->sink->prepare(sink, &m->err);
  c.type->sink->close(sink);
  return NULL;
}

// Tables for rows, orders and deletions, and for the stage.
CONTRACT_OF(sinks_may_make_the_same_tables_at_once, TEST_SIDE_TABLE | TEST_REPLACE) {
  if (place->one_writer) return;
  for (int i = 0; i < 2 * TIMES; i++) {
    maker makers[AT_ONCE] = {0};
    sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_order_orders; DROP TABLE IF "
        "EXISTS _wherry_deleted_orders; DROP TABLE IF EXISTS _wherry_stage_orders; DROP TABLE IF "
        "EXISTS _wherry_marks; DROP TABLE IF EXISTS _wherry_tables");
    for (size_t k = 0; k < AT_ONCE; k++) {
      makers[k].target = target_of(i % 2 ? WH_WRITE_REPLACE : WH_WRITE_UPSERT);
      makers[k].target.side_table = i % 2 == 0;
      makers[k].target.erases = i % 2 == 0;
      REQUIRE(pthread_create(&makers[k].thread, NULL, make_tables, &makers[k]) == 0);
    }
    for (size_t k = 0; k < AT_ONCE; k++) {
      maker *m = &makers[k];
      pthread_join(m->thread, NULL);
      bool waits = m->status == WH_ERR_BUSY && m->err.retry; // it is tried again
      if (!waits && !CHECK_EQ(m->status, WH_OK)) test_note("%s", m->err.text);
    }
  }
}

CONTRACT_OF(sink_survives_without_memory, TEST_MANY_TURNS) {
  for (int mode = WH_WRITE_APPEND; mode <= WH_WRITE_REPLACE; mode++) {
    if (mode == WH_WRITE_REPLACE && (place->lacks & TEST_REPLACE)) continue;
    if (mode == WH_WRITE_APPEND && (place->lacks & TEST_APPEND_TO_NEW)) continue;
    wh_target target = target_of((wh_write_mode)mode);
    wh_load load = load_of("one", 1);
    wh_counts counts;
    wh_arena kept = arena;
    // Where each turn takes long, a part of them does, another one each time.
    size_t step = place->is_slow && !test_is_long() ? 5 : 1;
    for (size_t n = 1;; n += 1 + test_random_below(step)) {
      sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_marks");
      // The rows of the test itself come first.
      wh_batch batch;
      REQUIRE_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
      rows_add(&batch, ROW("a", "08:00:00") "1|a\n" ROW("a", "08:00:00") "1|a");
      const wh_sink_type *type = c.type->sink;
      wh_sink *sink = NULL;
      wh_mark mark;
      wh_arena_init(&arena, &test_mem);
      atomic_store(&test_mem.count, 0);
      atomic_store(&test_mem.failed, 0);
      atomic_store(&test_mem.fail_at, n);
      counts = (wh_counts){0};
      wh_status status = type->open(&c, &target, 1, &sink, &test_err);
      if (status == WH_OK) status = type->prepare(sink, &test_err);
      if (status == WH_OK) status = type->begin(sink, &load, &arena, &mark, &test_err);
      if (status == WH_OK) status = type->write(sink, 0, &batch, &rejects.base, &counts, &test_err);
      if (status == WH_OK) mark.done = true;
      if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
      if (status == WH_OK) status = type->commit(sink, &test_err);
      if (sink) type->close(sink);
      bool refused = atomic_load(&test_mem.failed) > 0;
      atomic_store(&test_mem.fail_at, 0);
      wh_arena_free(&arena);
      wh_batch_free(&batch);
      if (!refused) {
        CHECK_EQ(status, WH_OK);
        test_note("%zu allocations failed in turn", n - 1);
        break;
      }
      if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
    }
    arena = kept;
  }
}

// Random histories. Objects of a producer arrive in any order, several times, in chunks, with
// workers that die in between; whatever happens, the table is what the objects say together.

enum { OBJECTS = 6, OBJECT_ROWS = 24, KEYS = 8, VERSIONS = 5 };

typedef struct object_row {
  int key;     // -1: NULL
  int version; // seconds; -1: NULL, -2: far in the future
  int64_t n;
} object_row;

typedef struct object {
  int64_t order;
  size_t count;
  object_row rows[OBJECT_ROWS];
} object;

static object objects[OBJECTS];
static bool by_version;

static void make_objects(void) {
  for (int i = 0; i < OBJECTS; i++) {
    objects[i] = (object){.order = 100 + i, .count = test_random_below(OBJECT_ROWS + 1)};
    for (size_t k = 0; k < objects[i].count; k++) {
      objects[i].rows[k] = (object_row){
          .key = (int)test_random_below(KEYS + 1) - (test_random_below(20) == 0),
          .version = (int)test_random_below(VERSIONS),
          .n = (int64_t)test_random_below(3),
      };
      if (test_random_below(15) == 0) objects[i].rows[k].version = -1 - (int)test_random_below(2);
    }
  }
}

static void add_rows(wh_batch *batch, const object *o, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    const object_row *r = &o->rows[i];
    char k[32] = "~", v[64] = "~", line[160];
    if (r->key >= 0) snprintf(k, sizeof k, "key-%d", r->key);
    // Fractions of different lengths.
    if (r->version >= 0)
      snprintf(v, sizeof v, "2026-11-21T08:00:0%d%s", r->version / 2, r->version % 2 ? ".5Z" : "Z");
    if (r->version == -2) snprintf(v, sizeof v, "2030-01-01T00:00:00Z");
    snprintf(line, sizeof line, "%s|%s|%lld|from %lld", k, v, (long long)r->n, (long long)o->order);
    rows_add(batch, line);
  }
}

static bool takes_part(const object_row *r) {
  return r->key >= 0 && (!by_version || r->version >= 0);
}

// What the table must be, from all objects at once.
static void model_upsert(wh_buf *want) {
  wh_buf_clear(want);
  for (int k = 0; k <= KEYS; k++) {
    const object *best_object = NULL;
    const object_row *best = NULL;
    for (int i = 0; i < OBJECTS; i++) {
      for (size_t j = 0; j < objects[i].count; j++) {
        const object_row *r = &objects[i].rows[j];
        if (!takes_part(r) || r->key != k) continue;
        bool wins = !best || !by_version || r->version >= best->version;
        if (wins) best = r, best_object = &objects[i];
      }
    }
    if (!best) continue;
    wh_batch batch;
    if (!CHECK_OK(wh_batch_init(&batch, &out_mem, &schema, &test_err))) return;
    object one = {.order = best_object->order, .count = 1, .rows = {*best}};
    add_rows(&batch, &one, 0, 1);
    rows_write(&batch, want);
    wh_batch_free(&batch);
  }
  rows_sort(want);
}

static void model_replace(wh_buf *want) {
  object kept[OBJECTS];
  memcpy(kept, objects, sizeof kept);
  for (int i = 0; i + 1 < OBJECTS; i++)
    objects[i].count = 0;
  model_upsert(want);
  memcpy(objects, kept, sizeof kept);
}

// A worker: loads from where the mark says, in batches and chunks, and dies now and then.
static bool work(const wh_target *target, const object *o, const char *name) {
  const wh_sink_type *type = c.type->sink;
  wh_load load = load_of(name, o->order);
  wh_sink *sink = opened(target);
  bool finished = false;
  wh_mark mark = begun(sink, &load);
  while (!mark.done) {
    size_t at = mark.rows_done, left = o->count - at, n = left ? 1 + test_random_below(left) : 0;
    wh_batch batch;
    CHECK_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
    add_rows(&batch, o, at, at + n);
    mark.counts.read += n;
    CHECK_OK(type->write(sink, 0, &batch, &rejects.base, &mark.counts, &test_err));
    wh_batch_free(&batch);
    mark.rows_done += n;
    if (test_random_below(4) == 0) break; // dies
    if (mark.rows_done < o->count && test_random_below(2)) continue;
    mark.done = mark.rows_done == o->count;
    CHECK_OK(type->mark(sink, &mark, &test_err));
    const wh_counts *k = &mark.counts;
    CHECK_EQ(k->read, k->written + k->unchanged + k->superseded + k->quarantined);
    CHECK_EQ(k->read, mark.rows_done);
    CHECK_OK(type->commit(sink, &test_err));
    finished = mark.done;
    if (!finished && test_random_below(3) == 0) break;
    if (!finished) mark = begun(sink, &load);
  }
  finished |= mark.done;
  type->close(sink);
  return finished;
}

static void run_history(wh_write_mode mode, const char *table_sql, bool side) {
  wh_target target = target_of(mode);
  target.newest_by = by_version ? WH_STR("v") : (wh_str){0};
  target.side_table = side;
  sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_order_orders;"
      "DROP TABLE IF EXISTS _wherry_marks; DROP TABLE IF EXISTS _wherry_tables;"
      "DROP TABLE IF EXISTS _wherry_stages; DROP TABLE IF EXISTS _wherry_stage_orders");
  if (table_sql) sql(table_sql);
  make_objects();
  bool done[OBJECTS] = {false};
  char name[64];
  for (int left = OBJECTS, copies = 0; left > 0;) {
    int i = (int)test_random_below(OBJECTS);
    // A copy under another name: the mark does not tell that it is known.
    bool copy = done[i] && test_random_below(3) == 0;
    snprintf(name, sizeof name, "object-%d%s", i, copy ? "-copy" : "");
    if (copy) snprintf(name + strlen(name), 16, "-%d", copies++);
    if (copy) {
      while (!work(&target, &objects[i], name)) {
      }
    } else if (work(&target, &objects[i], name) && !done[i]) {
      done[i] = true;
      left--;
    }
  }
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &out_mem, 0);
  if (mode == WH_WRITE_UPSERT)
    model_upsert(&want);
  else
    model_replace(&want);
  CHECK_STR(wh_str_of(table_text("orders")), wh_buf_str(&want));
}

static void run_histories(wh_write_mode mode, const char *table_sql, bool side) {
  rows_schema("k string; v timestamp[us,UTC]; n int64; s string", &arena, &schema);
  int count = test_is_long() ? 200 : place->is_slow ? 3 : 8;
  for (int i = 0; i < count; i++) {
    by_version = mode == WH_WRITE_UPSERT && i % 4 != 3;
    run_history(mode, table_sql, side);
    wh_buf_clear(&rejects.text);
  }
}

CONTRACT(sink_history_of_upserts) {
  run_histories(WH_WRITE_UPSERT, NULL, false);
}

CONTRACT_OF(sink_history_of_upserts_with_a_side_table, TEST_SIDE_TABLE) {
  run_histories(WH_WRITE_UPSERT, NULL, true);
}

CONTRACT_OF(sink_history_of_upserts_into_an_existing_table, TEST_SQL) {
  run_histories(WH_WRITE_UPSERT,
                "CREATE TABLE orders (k {key text} UNIQUE, v {datetime}, n INTEGER, s TEXT)",
                false);
}

// An order column of their own making, and nothing that may not be NULL.
CONTRACT_OF(sink_history_of_upserts_into_a_table_without_constraints, TEST_SQL) {
  run_histories(WH_WRITE_UPSERT,
                "CREATE TABLE orders (k {key text} UNIQUE, v {timestamptz}, n INTEGER, s TEXT, "
                "_wherry_order INTEGER)",
                false);
}

CONTRACT_OF(sink_history_of_replaces, TEST_REPLACE) {
  run_histories(WH_WRITE_REPLACE, NULL, false);
}
