// What every sink of rows promises (connect/sink.h), against each place in support/place.c.
#include "sink_contract.h"

#include <pthread.h>

// Loads of one row each through one sink, which is opened and prepared once.
static wh_status load_each(const wh_target *target, const wh_load *loads, const char *const *rows,
                           size_t count, wh_counts *ret) {
  const wh_sink_type *type = here.c.type->sink;
  wh_sink *sink;
  WH_TRY(type->open(&here.c, target, 1, &sink, &test_err));
  wh_status status = type->prepare(sink, &test_err);
  for (size_t i = 0; i < count && status == WH_OK; i++) {
    wh_mark mark;
    status = type->begin(sink, &loads[i], &here.arena, &mark, &test_err);
    if (status == WH_OK) {
      CHECK(!mark.found);
      mark = (wh_mark){.done = true, .rows_done = 1, .time_us = SINK_NOW_US, .run = loads[i].run};
      status = sink_write_text(sink, rows[i], &mark.counts);
    }
    if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
    if (status == WH_OK) status = type->commit(sink, &test_err);
    ret[i] = mark.counts;
  }
  type->close(sink);
  return status;
}

CONTRACT(one_sink_takes_one_object_after_the_other) {
  const wh_load loads[] = {sink_load_of("a", 10), sink_load_of("b", 12), sink_load_of("c", 11)};
  const char *const rows[] = {ROW("1", "08:00:00") "1|x\n", ROW("1", "08:00:00") "2|x\n",
                              ROW("1", "08:00:00") "3|x\n"};
  wh_counts got[3];
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  REQUIRE_OK(load_each(&target, loads, rows, 3, got));
  CHECK_EQ(got[0].written, 1);
  CHECK_EQ(got[1].written, 1); // each with its own order
  CHECK_EQ(got[2].superseded, 1);
  if (here.place->lacks & TEST_APPEND_TO_NEW) return;
  target = sink_target_of(WH_WRITE_APPEND);
  target.table = WH_STR("list");
  const wh_load more[] = {sink_load_of("d", 10), sink_load_of("e", 12), sink_load_of("f", 11)};
  REQUIRE_OK(load_each(&target, more, rows, 3, got));
  CHECK_EQ(got[0].written + got[1].written + got[2].written, 3);
}

CONTRACT_OF(sink_creates_tables_whose_types_survive, TEST_APPEND_TO_NEW) {
  rows_schema("b bool; i8 int8; i16 int16; i32 int32; i64 int64; u8 uint8; u16 uint16; u32 uint32; "
              "u64 uint64; f32 float32; f64 float64; d decimal(12,2); d15 decimal(15,0); wide "
              "decimal(38,10); day date; t time[us]; ts time[s]; at timestamp[us]; fine "
              "timestamp[ns]; utc timestamp[us,UTC]; sec timestamp[s,UTC]; s string; x binary",
              &here.arena, &here.schema);
  wh_target target = sink_target_of(WH_WRITE_APPEND);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &here.out_mem, 0);
  // The last is as fine as the place keeps times.
  wh_buf_add_c(
      &text,
      test_place_text(
          here.place,
          "false|-128|-32768|-2147483648|-9223372036854775808|0|0|0|0|-0.5|-1e-300|-9999999999.99|"
          "-999999999999999|-1234567890123456789012345678.0123456789|0001-01-01|00:00:00|00:00:00|"
          "0001-01-01T00:00:00|1677-09-21T00:12:44|{earliest instant}|{earliest instant}||\n"
          "true|127|32767|2147483647|9223372036854775807|255|65535|4294967295|18446744073709551615|"
          "3.4028235e+38|1.7976931348623157e+308|0.10|999999999999999|0.0000000001|9999-12-31|"
          "23:59:59.999999|23:59:59|9999-12-31T23:59:59.999999|2262-04-11T23:47:16.{finest}|"
          "2026-11-21T08:55:00.5Z|2026-11-21T08:55:00Z|007 Größe 'x' \"y\"|AP8=\n"
          "~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~\n"));
  sink_check_load(&target, "one", 1, text.data, (wh_counts){.written = 3});
  CHECK_STR(wh_str_of(sink_table_text("orders")), wh_buf_str(&text));
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("orders")};
  REQUIRE_OK(here.c.type->source->describe(&here.c, &q, &here.arena, &info, &test_err));
  wh_buf_clear(&text);
  rows_write_schema(&info.schema, &text);
  CHECK_STR(wh_buf_str(&text), wh_str_of(test_place_text(here.place, "{types back}")));
}

CONTRACT(sink_keeps_lists_and_structures_as_json) {
  rows_schema("k string!; l list<int64?>; o struct<a: int64?>", &here.arena, &here.schema);
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  target.newest_by = (wh_str){0};
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &here.schema, &test_err));
  CHECK_OK(wh_column_add_text(&batch.columns[0], WH_STR("a"), &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[1].children[0], 1, &test_err));
  CHECK_OK(wh_column_add_null(&batch.columns[1].children[0], &test_err));
  CHECK_OK(wh_column_add_list(&batch.columns[1], &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[2].children[0], 5, &test_err));
  CHECK_OK(wh_column_add_struct(&batch.columns[2], &test_err));
  wh_batch_row_end(&batch);
  const wh_sink_type *type = here.c.type->sink;
  wh_sink *sink;
  wh_mark mark;
  wh_load load = sink_load_of("one", 1);
  REQUIRE_OK(type->open(&here.c, &target, 1, &sink, &test_err));
  CHECK_OK(type->prepare(sink, &test_err));
  CHECK_OK(type->begin(sink, &load, &here.arena, &mark, &test_err));
  CHECK_OK(type->write(sink, 0, &batch, &here.rejects.base, &mark.counts, &test_err));
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  type->close(sink);
  wh_batch_free(&batch);
  sink_check_table("a|[1,null]|{\"a\":5}\n");
}

CONTRACT_OF(sink_appends, TEST_APPEND_TO_NEW) {
  wh_target target = sink_target_of(WH_WRITE_APPEND);
  sink_check_load(&target, "one", 1, ROW("a", "08:00:00") "1|x\n" ROW("a", "08:00:00") "1|x",
                  (wh_counts){.written = 2});
  sink_check_load(&target, "two", 2, ROW("b", "08:00:00") "2|~", (wh_counts){.written = 1});
  sink_check_table("a|2026-11-21T08:00:00Z|1|x\na|2026-11-21T08:00:00Z|1|x\n"
                   "b|2026-11-21T08:00:00Z|2|~\n");
}

CONTRACT(sink_upsert_lets_the_newest_win) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  sink_check_load(&target, "two", 2, ROW("a", "08:00:02") "2|two\n" ROW("b", "08:00:02") "2|two",
                  (wh_counts){.written = 2});
  // An older object that comes late: older versions change nothing, newer ones win nevertheless.
  sink_check_load(&target, "one", 1, ROW("a", "08:00:01") "1|one\n" ROW("b", "08:00:03") "1|one",
                  (wh_counts){.written = 1, .superseded = 1});
  // The same version in a newer object is newer; in an older one it is older.
  sink_check_load(&target, "four", 4, ROW("a", "08:00:02") "4|four", (wh_counts){.written = 1});
  sink_check_load(&target, "three", 3, ROW("a", "08:00:02") "3|three",
                  (wh_counts){.superseded = 1});
  // The same again, as when an event is delivered twice and its mark was lost.
  sink_check_load(&target, "four again", 4, ROW("a", "08:00:02") "4|four",
                  (wh_counts){.unchanged = 1});
  // Fractions of a second.
  sink_check_load(&target, "five", 5, ROW("a", "08:00:02.5") "5|five", (wh_counts){.written = 1});
  sink_check_load(&target, "six", 6, ROW("a", "08:00:02.49") "6|six", (wh_counts){.superseded = 1});
  sink_check_table("a|2026-11-21T08:00:02.5Z|5|five\nb|2026-11-21T08:00:03Z|1|one\n");
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
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
    sink_sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_order_orders");
    if (tables[i]) sink_sql(tables[i]);
    char first[8192] = "", second[8192] = "";
    for (int n = 0; n < 100; n++) {
      char *at = first + strlen(first);
      if (n % 9 == 0) snprintf(at, 128, "key-%d|2026-11-21T08:00:05Z|1|x\n", n);
      snprintf(second + strlen(second), 128, "key-%d|2026-11-21T08:00:0%dZ|%d|y\n", n,
               n % 2 ? 7 : 3, n);
    }
    sink_check_load(&target, "one", 1, first, (wh_counts){.written = 12});
    // Of the twelve keys that are there, six even ones come with an older version.
    bool has_check = i == 3;
    sink_check_load(
        &target, "two", 2, second,
        (wh_counts){.written = 94 - has_check, .superseded = 6, .quarantined = has_check});
    sink_check_load(
        &target, "two again", 2, second,
        (wh_counts){.unchanged = 94 - has_check, .superseded = 6, .quarantined = has_check});
  }
}

CONTRACT(sink_upsert_within_an_object) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  // The highest version wins wherever it stands; of equal ones the later row.
  const char *rows = ROW("a", "08:00:02") "1|high\n" ROW("a", "08:00:01") "2|low\n" ROW(
      "b", "08:00:01") "3|first\n" ROW("b", "08:00:01") "4|second\n" ROW("b",
                                                                         "08:00:01") "4|second";
  sink_check_load(&target, "one", 1, rows,
                  (wh_counts){.written = 3, .superseded = 1, .unchanged = 1});
  sink_check_table("a|2026-11-21T08:00:02Z|1|high\nb|2026-11-21T08:00:01Z|4|second\n");
  sink_check_load(&target, "one again", 1, rows,
                  (wh_counts){.written = 2, .superseded = 1, .unchanged = 2});
  sink_check_table("a|2026-11-21T08:00:02Z|1|high\nb|2026-11-21T08:00:01Z|4|second\n");
}

CONTRACT(sink_upsert_without_versions_goes_by_order) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  target.newest_by = (wh_str){0};
  sink_check_load(&target, "two", 2, "a|~|2|two", (wh_counts){.written = 1});
  sink_check_load(&target, "one", 1, "a|~|1|one\nb|~|1|one",
                  (wh_counts){.written = 1, .superseded = 1});
  sink_check_load(&target, "two again", 2, "a|~|2|two", (wh_counts){.unchanged = 1});
  sink_check_table("a|~|2|two\nb|~|1|one\n");
}

CONTRACT(sink_quarantines_what_cannot_take_part) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  rows_schema("k string; v timestamp[us,UTC]; n int64; s string", &here.arena, &here.schema);
  sink_check_load(&target, "one", 1,
                  "~|2026-11-21T08:00:00Z|1|a\nb|~|2|b\nc|2026-11-22T09:00:00.000001Z|3|c\n"
                  "d|2026-11-22T09:00:00Z|4|d",
                  (wh_counts){.written = 1, .quarantined = 3});
  sink_check_rejects("key|k|missing|1\nversion|v|missing|2\n"
                     "version_future|v|more than a day in the future|3\n");
  sink_check_table("d|2026-11-22T09:00:00Z|4|d\n");
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
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_load load = sink_load_of("big", 7);
  wh_sink *sink = sink_opened(&target);
  REQUIRE(sink);
  wh_mark mark = sink_begun(sink, &load);
  CHECK(!mark.found);
  CHECK_OK(
      sink_write_text(sink, ROW("a", "08:00:00") "1|a\n" ROW("b", "08:00:00") "2|b", &mark.counts));
  mark.rows_done = 2;
  mark.row_hash = UINT64_MAX - 1;
  mark.rejects = WH_STR("_wherry/quarantine/x.json");
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  // The second chunk never commits.
  mark = sink_begun(sink, &load);
  CHECK(mark.found && !mark.done);
  CHECK_EQ(mark.rows_done, 2);
  CHECK_OK(sink_write_text(sink, ROW("c", "08:00:00") "3|c", &mark.counts));
  mark.rows_done = 3;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  type->abort(sink);
  type->abort(sink);
  sink_check_table("a|2026-11-21T08:00:00Z|1|a\nb|2026-11-21T08:00:00Z|2|b\n");
  type->close(sink);
  // A new worker goes on where the mark says.
  sink = sink_opened(&target);
  load.epoch = 2;
  mark = sink_begun(sink, &load);
  CHECK_EQ(mark.rows_done, 2);
  CHECK_EQ(mark.counts.written, 2);
  CHECK(mark.row_hash == UINT64_MAX - 1);
  CHECK_STR(mark.rejects, WH_STR("_wherry/quarantine/x.json"));
  CHECK_OK(sink_write_text(sink, ROW("c", "08:00:00") "3|c", &mark.counts));
  mark.rows_done = 3;
  mark.done = true;
  CHECK_OK(type->mark(sink, &mark, &test_err));
  CHECK_OK(type->commit(sink, &test_err));
  mark = sink_begun(sink, &load);
  CHECK(mark.done);
  CHECK_EQ(mark.counts.written, 3);
  type->close(sink);
  WH_CLEAN_BUF wh_buf marks;
  wh_buf_init(&marks, &test_mem, 0);
  CHECK_OK(type->marks(&here.c, WH_STR("import"), &here.arena, see_mark, &marks, &test_err));
  CHECK_STR(wh_buf_str(&marks),
            WH_STR("big done 3 order 7 run run-1 rejects _wherry/quarantine/x.json hash "
                   "18446744073709551614\n"));
  CHECK_OK(type->marks(&here.c, WH_STR("other"), &here.arena, see_mark, NULL, &test_err));
}

CONTRACT_OF(sink_has_no_marks_where_there_is_no_table, TEST_SQL) {
  CHECK_OK(
      here.c.type->sink->marks(&here.c, WH_STR("import"), &here.arena, see_mark, NULL, &test_err));
  sink_sql("CREATE TABLE t (a INTEGER)");
  CHECK_OK(
      here.c.type->sink->marks(&here.c, WH_STR("import"), &here.arena, see_mark, NULL, &test_err));
}

CONTRACT(sink_stops_a_worker_that_lost_its_lease) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_load load = sink_load_of("one", 1);
  wh_counts counts;
  load.epoch = 5;
  CHECK_OK(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts));
  load.epoch = 4;
  load.object = WH_STR("two");
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:01") "2|a", &counts), WH_ERR_STALE);
  CHECK_ERROR_HAS("another worker has taken over pipeline import");
  load.epoch = 5;
  CHECK_OK(sink_load_text(&target, &load, ROW("b", "08:00:00") "3|b", &counts));
  load.epoch = 4;
  load.pipeline = WH_STR("another");
  CHECK_OK(sink_load_text(&target, &load, ROW("c", "08:00:00") "4|c", &counts));
  sink_check_table("a|2026-11-21T08:00:00Z|1|a\nb|2026-11-21T08:00:00Z|3|b\n"
                   "c|2026-11-21T08:00:00Z|4|c\n");
}

CONTRACT(sink_loads_without_an_epoch_beside_those_with_one) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_load load = sink_load_of("one", 1);
  wh_counts counts;
  load.epoch = WH_EPOCH_NONE;
  CHECK_OK(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts));
  load = sink_load_of("two", 2);
  load.epoch = 5;
  CHECK_OK(sink_load_text(&target, &load, ROW("b", "08:00:00") "2|b", &counts));
  load = sink_load_of("three", 3);
  load.epoch = WH_EPOCH_NONE;
  CHECK_OK(sink_load_text(&target, &load, ROW("c", "08:00:00") "3|c", &counts));
  load = sink_load_of("four", 4);
  load.epoch = 4; // what has no epoch has not lowered it
  CHECK_FAILS(sink_load_text(&target, &load, ROW("d", "08:00:00") "4|d", &counts), WH_ERR_STALE);
  sink_check_table("a|2026-11-21T08:00:00Z|1|a\nb|2026-11-21T08:00:00Z|2|b\n"
                   "c|2026-11-21T08:00:00Z|3|c\n");
  wh_sink *sink = sink_opened(&target);
  load = sink_load_of("one", 1);
  load.epoch = WH_EPOCH_NONE;
  CHECK(sink_begun(sink, &load).done);
  here.c.type->sink->close(sink);
}

CONTRACT_OF(sink_fills_an_existing_table, TEST_SQL) {
  sink_sql("CREATE TABLE orders (id {serial key}, k VARCHAR(20) UNIQUE NOT NULL, v "
           "{datetime}, n INTEGER, s TEXT, note TEXT DEFAULT 'none');"
           "INSERT INTO orders (k, v, n, s, note) VALUES "
           "('a', '2026-11-21 08:00:01Z', 1, 'theirs', 'keep'), ('b', NULL, 1, 'theirs', "
           "NULL), ('c', '2026-11-21T10:00:01+02:00', 1, 'theirs', NULL)");
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  sink_check_load(&target, "one", 1,
                  ROW("a", "08:00:00.5") "2|old\n" ROW("b", "08:00:00") "2|new\n" ROW(
                      "c", "08:00:01.5") "2|new\n" ROW("d", "08:00:00") "2|new",
                  (wh_counts){.written = 3, .superseded = 1});
  // The same version as theirs, with an order they did not have, is newer.
  sink_check_load(&target, "two", 2, ROW("a", "08:00:01") "3|same\n" ROW("b", "07:00:00") "3|old",
                  (wh_counts){.written = 1, .superseded = 1});
  sink_check_load(&target, "one late", 1, ROW("a", "08:00:01") "9|late",
                  (wh_counts){.superseded = 1});
  sink_check_load(&target, "two again", 2, ROW("a", "08:00:01") "3|same",
                  (wh_counts){.unchanged = 1});
  CHECK_STR(wh_str_of(test_place_ask(
                here.place, &here.c,
                "SELECT {join lines} FROM (SELECT k || ' ' || n || ' ' || s || ' ' || "
                "coalesce(note, '~') AS line FROM orders ORDER BY k) AS q")),
            WH_STR("a 3 same keep,b 2 new ~,c 2 new ~,d 2 new none"));
  CHECK_STR(
      wh_str_of(test_place_ask(here.place, &here.c, "SELECT count(*) FROM {columns of orders}")),
      WH_STR("6"));
}

static void check_found(const char *key_name, const char *type, const char *value,
                        const char *want) {
  wh_str keys[] = {wh_str_of(key_name)}, show[] = {WH_STR("n"), WH_STR(WH_ORDER_COLUMN)};
  wh_finder *finder;
  wh_value v;
  wh_type t;
  wh_batch batch;
  CHECK_OK(wh_type_parse(wh_str_of(type), &here.arena, &t, &test_err));
  CHECK_OK(wh_value_parse(wh_str_of(value), &t, &here.arena, &v, &test_err));
  REQUIRE_OK(here.c.type->source->open_finder(&here.c, WH_STR("orders"), keys, 1, show, 2, &finder,
                                              &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
  CHECK_OK(finder->find(finder, &v, &batch, &test_err));
  wh_buf_clear(&here.out);
  rows_write(&batch, &here.out);
  CHECK_STR(wh_buf_str(&here.out), wh_str_of(want));
  wh_batch_free(&batch);
  finder->close(finder);
}

CONTRACT_OF(sink_lets_rows_be_found, TEST_SQL) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  for (int side = 0; side < 2; side++) {
    target.side_table = side;
    sink_sql("DROP TABLE IF EXISTS orders");
    sink_check_load(&target, side ? "side" : "own", 7 + side,
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
  sink_sql("CREATE TABLE orders (k INTEGER, n TEXT, must TEXT NOT NULL, s TEXT)");
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_load load = sink_load_of("one", 1);
  wh_counts counts;
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("place: table orders does not fit:\n");
  CHECK_ERROR_HAS(test_place_text(here.place, "column 'k' {text into integer}: text would come\n"));
  CHECK_ERROR_HAS(test_place_text(here.place, "column 'v' ({new timestamptz}) is missing\n"));
  CHECK_ERROR_HAS(test_place_text(here.place, "column 'n' {int64 into text}: int64 would come"));
  CHECK_ERROR_HAS("column 'must' must have a value and has no default, but nothing fills it");
  sink_sql("DROP TABLE orders; CREATE TABLE orders (k {key text}, v {timestamptz}, n INT, s TEXT)");
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(
      test_place_text(here.place, "no unique index is on exactly the key ({quoted k})"));
  // A source without rows may not know its types: it is let through.
  sink_sql(
      "DROP TABLE orders; CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz}, n INT, "
      "s REAL)");
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(test_place_text(
      here.place, "table orders does not fit:\ncolumn 's' {text into real}: text would come"));
  CHECK_OK(sink_load_text(&target, &load, "", &counts));
  CHECK_STR(wh_str_of(here.place->ask(&here.c, "SELECT count(*) FROM orders")), WH_STR("0"));
}

CONTRACT_OF(sink_inspects_without_changing, TEST_SQL) {
  const wh_sink_type *type = here.c.type->sink;
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_sink *sink;
  bool exists, fits;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  REQUIRE_OK(type->open(&here.c, &target, 1, &sink, &test_err));
  CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
  CHECK(!exists && fits);
  CHECK_STR(wh_buf_str(&text), wh_str_of(test_place_text(here.place, "{create orders}")));
  CHECK_FAILS(here.c.type->source->describe(&here.c, &(wh_source_query){.table = WH_STR("orders")},
                                            &here.arena, &(wh_source_info){0}, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_OK(type->prepare(sink, &test_err));
  wh_buf_clear(&text);
  CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
  CHECK(exists && fits);
  CHECK(wh_str_starts(wh_buf_str(&text), test_place_text(here.place, "{create} (")));
  type->close(sink);
  rows_schema("k string!; v timestamp[us,UTC]; n int64; s string; extra int64", &here.arena,
              &here.schema);
  REQUIRE_OK(type->open(&here.c, &target, 1, &sink, &test_err));
  wh_buf_clear(&text);
  CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
  CHECK(exists && !fits);
  CHECK_STR(wh_buf_str(&text),
            wh_str_of(test_place_text(
                here.place, "orders does not fit:\n  column 'extra' ({new int64}) is missing")));
  type->close(sink);
}

#define WIDE_SCHEMA SINK_SCHEMA "; extra int64; day date; note string"

// A table that is there gets the columns that it lacks, which are NULL in the rows it has.
CONTRACT_OF(sink_adds_columns_where_it_was_told, TEST_SQL | TEST_SIDE_TABLE | TEST_REPLACE) {
  const wh_sink_type *type = here.c.type->sink;
  for (int mode = WH_WRITE_APPEND; mode <= WH_WRITE_REPLACE; mode++) {
    sink_sql("DROP TABLE IF EXISTS orders");
    rows_schema(SINK_SCHEMA, &here.arena, &here.schema);
    wh_target target = sink_target_of((wh_write_mode)mode);
    target.side_table = mode == WH_WRITE_UPSERT;
    target.adds_columns = true;
    char object[16];
    snprintf(object, sizeof object, "narrow %d", mode);
    sink_check_load(&target, object, 1, ROW("a", "08:00:00") "1|x\n" ROW("b", "08:00:00") "2|y",
                    (wh_counts){.written = 2});
    rows_schema(WIDE_SCHEMA, &here.arena, &here.schema);
    wh_sink *sink;
    bool exists, fits;
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    REQUIRE_OK(type->open(&here.c, &target, 1, &sink, &test_err));
    CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
    CHECK(exists && fits);
    CHECK(wh_str_starts(wh_buf_str(&text), WH_ALTERS));
    CHECK_EQ(wh_str_find(wh_buf_str(&text), 0, '\n') < text.len, true); // one a column
    type->close(sink);
    snprintf(object, sizeof object, "wide %d", mode);
    sink_check_load(
        &target, object, 2,
        ROW("b", "08:00:01") "3|y|7|2026-11-20|hello\n" ROW("c", "08:00:00") "4|z|~|~|~",
        (wh_counts){.written = 2});
    CHECK_STR(wh_str_of(test_place_ask(
                  here.place, &here.c,
                  "SELECT {join lines} FROM (SELECT k || ' ' || n || ' ' || coalesce(extra, 0) || "
                  "' ' || coalesce(note, '~') AS line FROM orders ORDER BY k, n) AS q")),
              mode == WH_WRITE_APPEND   ? WH_STR("a 1 0 ~,b 2 0 ~,b 3 7 hello,c 4 0 ~")
              : mode == WH_WRITE_UPSERT ? WH_STR("a 1 0 ~,b 3 7 hello,c 4 0 ~")
                                        : WH_STR("b 3 7 hello,c 4 0 ~"));
    // Now it fits, and a load of fewer columns leaves what it does not know.
    REQUIRE_OK(type->open(&here.c, &target, 1, &sink, &test_err));
    wh_buf_clear(&text);
    CHECK_OK(type->inspect(sink, &text, &exists, &fits, &test_err));
    CHECK(exists && fits && !wh_str_starts(wh_buf_str(&text), WH_ALTERS));
    type->close(sink);
  }
}

CONTRACT_OF(sink_adds_no_key_and_nothing_where_something_else_is_wrong, TEST_SQL) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_load load = sink_load_of("one", 1);
  wh_counts counts;
  target.adds_columns = true;
  sink_sql("CREATE TABLE orders (n INTEGER, s TEXT)");
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(test_place_text(here.place, "column 'k' ("));
  CHECK_ERROR_HAS("is missing");
  sink_sql("DROP TABLE orders; CREATE TABLE orders (k {key text} PRIMARY KEY, n INTEGER, s TEXT, "
           "must TEXT NOT NULL)");
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("column 'must' must have a value and has no default, but nothing fills it");
  CHECK(!strstr(test_err.text, "'v'")); // that one would have been added
  CHECK_STR(
      wh_str_of(test_place_ask(here.place, &here.c, "SELECT count(*) FROM {columns of orders}")),
      WH_STR("4"));
}

CONTRACT_OF(sink_keeps_keys_apart_that_the_table_cannot, TEST_SQL) {
  sink_sql(
      "{make nocase} CREATE TABLE orders (k {key text} {nocase} PRIMARY KEY, v {timestamptz}, n "
      "INT, s "
      "TEXT)");
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  sink_check_load(&target, "one", 1, ROW("AB", "08:00:00") "1|x\n" ROW("ab", "08:00:01") "2|y",
                  (wh_counts){.written = 1, .quarantined = 1});
  sink_check_load(&target, "two", 2, ROW("aB", "08:00:05") "3|z\n" ROW("AB", "08:00:05") "4|w",
                  (wh_counts){.written = 1, .quarantined = 1});
  sink_check_rejects(
      "key_collision|k|another key is there that the table cannot tell from this one|2\n"
      "key_collision|k|another key is there that the table cannot tell from this one|1\n");
  sink_check_table("AB|2026-11-21T08:00:05Z|4|w\n");
  target = sink_target_of(WH_WRITE_REPLACE);
  sink_check_load(&target, "three", 3, ROW("ab", "08:00:00") "1|x\n" ROW("Ab", "08:00:00") "2|y",
                  (wh_counts){.written = 1, .quarantined = 1});
  sink_check_table("ab|2026-11-21T08:00:00Z|1|x\n");
}

CONTRACT_OF(sink_rejects_rows_that_a_constraint_refuses, TEST_SQL) {
  sink_sql("CREATE TABLE orders (k {key text} PRIMARY KEY, v {timestamptz}, n INT CHECK (n > 0), s "
           "{key text} UNIQUE)");
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  sink_check_load(&target, "one", 1,
                  ROW("a", "08:00:00") "1|x\n" ROW("b", "08:00:00") "-1|y\n" ROW(
                      "c", "08:00:00") "1|x\n" ROW("d", "08:00:00") "2|z",
                  (wh_counts){.written = 2, .quarantined = 2});
  sink_check_rejects("constraint||{check refuses}|2\n"
                     "constraint||{unique refuses}|3\n");
  sink_check_table("a|2026-11-21T08:00:00Z|1|x\nd|2026-11-21T08:00:00Z|2|z\n");
}

CONTRACT_OF(sink_refuses_what_cannot_be_asked, TEST_SQL) {
  const wh_sink_type *type = here.c.type->sink;
  wh_sink *sink;
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  here.key[0] = WH_STR("nokey");
  CHECK_FAILS(type->open(&here.c, &target, 1, &sink, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: the key 'nokey' of table orders is not among the columns");
  here.key[0] = WH_STR("k");
  target.newest_by = WH_STR("w");
  CHECK_FAILS(type->open(&here.c, &target, 1, &sink, &test_err), WH_ERR_USAGE);
  target = sink_target_of(WH_WRITE_UPSERT);
  target.key_count = 0;
  CHECK_FAILS(type->open(&here.c, &target, 1, &sink, &test_err), WH_ERR_USAGE);
  target = sink_target_of(WH_WRITE_APPEND);
  rows_schema("a int64; _wherry_order int64", &here.arena, &here.schema);
  CHECK_FAILS(type->open(&here.c, &target, 1, &sink, &test_err), WH_ERR_REFUSED);
  rows_schema("a int64; A int64", &here.arena, &here.schema);
  CHECK_FAILS(type->open(&here.c, &target, 1, &sink, &test_err), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("cannot tell the columns 'a' and 'A' apart");
}

CONTRACT_OF(sink_waits_for_others_but_not_forever, TEST_TRANSACTIONS) {
  wh_target target = sink_target_of(WH_WRITE_UPSERT);
  wh_load load = sink_load_of("one", 1);
  wh_counts counts;
  wh_sink *sink = sink_opened(&target);
  wh_mark mark = sink_begun(sink, &load);
  (void)mark;
  // Elsewhere only the pipeline itself is held.
  if (here.place->one_writer) load.pipeline = WH_STR("other");
  CHECK_FAILS(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts), WH_ERR_BUSY);
  CHECK(test_err.retry);
  here.c.type->sink->close(sink);
  CHECK_OK(sink_load_text(&target, &load, ROW("a", "08:00:00") "1|a", &counts));
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
  m->status = here.c.type->sink->open(&here.c, &m->target, 1, &sink, &m->err);
  if (m->status == WH_OK) m->status = here.c.type->sink->prepare(sink, &m->err);
  here.c.type->sink->close(sink);
  return NULL;
}

// Tables for rows, orders and deletions, and for the stage.
CONTRACT_OF(sinks_may_make_the_same_tables_at_once, TEST_SIDE_TABLE | TEST_REPLACE) {
  if (here.place->one_writer) return;
  for (int i = 0; i < 2 * TIMES; i++) {
    maker makers[AT_ONCE] = {0};
    sink_sql(
        "DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_order_orders; DROP TABLE IF "
        "EXISTS _wherry_deleted_orders; DROP TABLE IF EXISTS _wherry_stage_orders; DROP TABLE IF "
        "EXISTS _wherry_marks; DROP TABLE IF EXISTS _wherry_tables");
    for (size_t k = 0; k < AT_ONCE; k++) {
      makers[k].target = sink_target_of(i % 2 ? WH_WRITE_REPLACE : WH_WRITE_UPSERT);
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

// Each finds the column missing; one adds it.
CONTRACT_OF(sinks_may_add_the_same_columns_at_once, TEST_SIDE_TABLE | TEST_REPLACE) {
  if (here.place->one_writer) return;
  for (int i = 0; i < TIMES; i++) {
    maker makers[AT_ONCE] = {0};
    sink_sql("DROP TABLE IF EXISTS orders");
    rows_schema(SINK_SCHEMA, &here.arena, &here.schema);
    wh_target narrow = sink_target_of(WH_WRITE_UPSERT);
    here.c.type->sink->close(sink_opened(&narrow));
    rows_schema(WIDE_SCHEMA, &here.arena, &here.schema);
    for (size_t k = 0; k < AT_ONCE; k++) {
      makers[k].target = narrow;
      makers[k].target.adds_columns = true;
      REQUIRE(pthread_create(&makers[k].thread, NULL, make_tables, &makers[k]) == 0);
    }
    for (size_t k = 0; k < AT_ONCE; k++) {
      maker *m = &makers[k];
      pthread_join(m->thread, NULL);
      bool waits = m->status == WH_ERR_BUSY && m->err.retry; // it is tried again
      if (!waits && !CHECK_EQ(m->status, WH_OK)) test_note("%s", m->err.text);
    }
    CHECK_STR(
        wh_str_of(test_place_ask(here.place, &here.c, "SELECT count(*) FROM {columns of orders}")),
        WH_STR("8"));
  }
}
