// What is particular to SQLite: declared types and samples, text of times, what is said of files.
#include "connect/sqlite/encode.h"
#include "place.h"
#include "row_text.h"

#include <unistd.h>

static wh_connection c;
static wh_arena arena;
static wh_buf out;

static void set_up(void) {
  const char *reason = NULL;
  test_places[0]->open(&c, &reason);
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &test_mem, 0);
}

static void tear_down(void) {
  wh_buf_free(&out);
  wh_arena_free(&arena);
  test_places[0]->close(&c);
}

static void sql(const char *text) {
  test_places[0]->sql(&c, text);
}

static wh_status describe(const char *table) {
  wh_source_info info;
  wh_buf_clear(&out);
  WH_TRY(c.type->source->describe(&c, &(wh_source_query){.table = wh_str_of(table)}, &arena, &info,
                                  &test_err));
  rows_write_schema(&info.schema, &out);
  return WH_OK;
}

static void check_types(const char *table, const char *want) {
  if (CHECK_OK(describe(table))) CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

static void check_rows(const char *table, const char *want, const char *want_rejects) {
  wh_source_info info;
  wh_source_query q = {.table = wh_str_of(table)};
  rows_rejects rejects;
  rows_rejects_init(&rejects);
  wh_buf_clear(&out);
  wh_reader *reader = NULL;
  if (CHECK_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err)) &&
      CHECK_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err)) &&
      CHECK_OK(rows_read(reader, &rejects, &out, &test_err))) {
    CHECK_STR(wh_buf_str(&out), wh_str_of(want));
    CHECK_STR(wh_buf_str(&rejects.text), wh_str_of(want_rejects));
  }
  wh_reader_close(reader);
  rows_rejects_free(&rejects);
}

TEST(sqlite_declarations_come_back) {
  const char *const types[] = {"bool",
                               "int8",
                               "int16",
                               "int32",
                               "int64",
                               "uint8",
                               "uint16",
                               "uint32",
                               "uint64",
                               "float32",
                               "float64",
                               "decimal(12,2)",
                               "decimal(15,0)",
                               "decimal(16,4)",
                               "decimal(38,38)",
                               "date",
                               "time[s]",
                               "time[ms]",
                               "time[us]",
                               "time[ns]",
                               "timestamp[s]",
                               "timestamp[ms]",
                               "timestamp[us]",
                               "timestamp[ns]",
                               "timestamp[s,UTC]",
                               "timestamp[us,UTC]",
                               "timestamp[ns,UTC]",
                               "string",
                               "binary"};
  WH_CLEAN_ARENA wh_arena a;
  wh_arena_init(&a, &test_mem);
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    wh_type type;
    REQUIRE_OK(wh_type_parse(wh_str_of(types[i]), &a, &type, &test_err));
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    wh_sqlite_decl_write(&type, &text);
    wh_sqlite_decl decl = wh_sqlite_decl_parse(wh_buf_str(&text));
    if (!CHECK(wh_type_eq(&decl.exact, &type))) test_note("%s as %s", types[i], text.data);
  }
}

TEST(sqlite_declarations_of_others) {
  const struct {
    const char *declared;
    wh_sqlite_class is;
    wh_sqlite_affinity affinity;
  } cases[] = {
      {"", WH_SQLITE_UNKNOWN, WH_SQLITE_AFF_NONE},
      {"int", WH_SQLITE_INT, WH_SQLITE_AFF_INTEGER},
      {"UNSIGNED  BIG INT", WH_SQLITE_INT, WH_SQLITE_AFF_INTEGER},
      {"Bigint(20)", WH_SQLITE_INT, WH_SQLITE_AFF_INTEGER},
      {"POINT", WH_SQLITE_UNKNOWN, WH_SQLITE_AFF_INTEGER},
      {"varchar(255)", WH_SQLITE_TEXT, WH_SQLITE_AFF_TEXT},
      {"NATIVE CHARACTER(70)", WH_SQLITE_TEXT, WH_SQLITE_AFF_TEXT},
      {"numeric ( 10 , 5 )", WH_SQLITE_DECIMAL, WH_SQLITE_AFF_NUMERIC},
      {"DECIMAL(10)", WH_SQLITE_DECIMAL, WH_SQLITE_AFF_NUMERIC},
      {"DECIMAL(5,10)", WH_SQLITE_NUMBER, WH_SQLITE_AFF_NUMERIC},
      {"DECIMAL(99,1)", WH_SQLITE_NUMBER, WH_SQLITE_AFF_NUMERIC},
      {"NUMERIC", WH_SQLITE_NUMBER, WH_SQLITE_AFF_NUMERIC},
      {"DOUBLE PRECISION", WH_SQLITE_FLOAT, WH_SQLITE_AFF_REAL},
      {"datetime", WH_SQLITE_TIMESTAMP, WH_SQLITE_AFF_NUMERIC},
      {"TIMESTAMP WITH TIME ZONE", WH_SQLITE_TIMESTAMP, WH_SQLITE_AFF_NUMERIC},
      {"GEOMETRY", WH_SQLITE_UNKNOWN, WH_SQLITE_AFF_NUMERIC},
      {"DECIMAL(", WH_SQLITE_UNKNOWN, WH_SQLITE_AFF_NUMERIC},
      {"x'); DROP TABLE t; --", WH_SQLITE_UNKNOWN, WH_SQLITE_AFF_NUMERIC},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    wh_str declared = wh_str_n(cases[i].declared, strlen(cases[i].declared));
    wh_sqlite_decl decl = wh_sqlite_decl_parse(declared);
    if (!CHECK_EQ(decl.is, cases[i].is)) test_note("'%s'", cases[i].declared);
    if (!CHECK_EQ(wh_sqlite_affinity_of(declared), cases[i].affinity))
      test_note("'%s'", cases[i].declared);
  }
}

TEST(sqlite_instants_agree_with_the_general_parser) {
  const char *const texts[] = {"2026-11-21 08:55:00",
                               "2026-11-21T08:55:00Z",
                               "2026-11-21T08:55:00.5",
                               "2026-11-21T08:55:00.123456789Z",
                               "2026-11-21T08:55:00.1234567890Z",
                               "2026-02-29 00:00:00",
                               "2024-02-29 23:59:59",
                               "2026-13-01 00:00:00",
                               "2026-11-21 24:00:00",
                               "2026-11-21 08:60:00",
                               "2026-11-21 08:55:60",
                               "2026-11-21 08:55:00.",
                               "2026-11-21  08:55:00",
                               "2026-11-21T08:55:00z",
                               "2026-11-21T08:55:00+00:00",
                               "2026-11-21",
                               "2026-1-21",
                               "08:55:00",
                               "0000-01-01 00:00:00",
                               "1969-12-31T23:59:59.999999Z",
                               "2026-11-21 08:55:00 ",
                               "\xFF",
                               "",
                               "2026-11-21Z"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    for (int warm = 0; warm < 2; warm++) { // with and without a day remembered
      wh_sqlite_day day = {0};
      wh_sqlite_instant at, ignored;
      if (warm) CHECK(wh_sqlite_instant_parse(WH_STR("2026-11-21 08:55:00"), &day, &ignored));
      wh_iso iso;
      wh_str text = wh_str_of(texts[i]);
      bool want = wh_iso_parse(text, &iso), got = wh_sqlite_instant_parse(text, &day, &at);
      if (!CHECK_EQ(got, want)) test_note("'%s'", texts[i]);
      int64_t got_ns, want_ns;
      if (!got || !want || !iso.has_date) continue;
      CHECK(wh_iso_to_timestamp(&iso, WH_UNIT_NS, &want_ns));
      CHECK(wh_sqlite_instant_to(&at, WH_UNIT_NS, &got_ns));
      if (!CHECK_EQ(got_ns, want_ns)) test_note("'%s'", texts[i]);
      CHECK_EQ(at.has_zone, iso.has_zone);
      CHECK_EQ(at.has_time, iso.has_time);
    }
  }
}

TEST(sqlite_instants_random_round_trip) {
  wh_sqlite_day day = {0}, day2 = {0};
  for (int i = 0; i < 20000; i++) {
    wh_unit unit = (wh_unit)test_random_below(4);
    wh_type type = {.kind = WH_TIMESTAMP, .unit = unit, .zoned = test_random_below(2)};
    int64_t range = unit == WH_UNIT_NS ? INT64_MAX : 62135596800 * wh_unit_per_second(unit);
    int64_t value = (int64_t)(test_random() % (uint64_t)range);
    if (test_random_below(2)) value = -value;
    char text[WH_SQLITE_INSTANT_TEXT];
    size_t len = wh_sqlite_instant_write(&type, value, &day, text);
    REQUIRE(len > 0);
    wh_sqlite_instant at;
    int64_t back;
    REQUIRE(wh_sqlite_instant_parse(wh_str_n(text, len), &day2, &at));
    REQUIRE(wh_sqlite_instant_to(&at, unit, &back));
    if (!CHECK_EQ(back, value)) return;
    CHECK_EQ(at.has_zone, type.zoned);
  }
}

TEST(sqlite_samples_decide) {
  set_up();
  sql("CREATE TABLE t (unix DATETIME, day_time DATE, zoned DATETIME, fine DATETIME, n NUMERIC, "
      "whole NUMERIC, blank, mixed, guid INTEGER, raw TEXT, at TIME, ok BOOLEAN, yes BOOLEAN, "
      "empty NUMERIC, blobs);"
      "INSERT INTO t VALUES (1795251300, '1996-07-04 00:00:00.000', '2026-11-21T08:55:00Z', "
      "'2026-11-21 08:55:00.1234567', 9.8, 14, 'x', 'x', 'ab-cd', x'00', '08:55', 1, 'yes', NULL, "
      "x'ff');"
      "INSERT INTO t VALUES (1795251301.5, '1996-07-04', '2026-11-21T08:55:00Z', NULL, 14, 9, 'y', "
      "5, 'ef-01', x'01', '23:59:59.5', 0, 'no', NULL, x'00')");
  check_types("t", "unix float64; day_time timestamp[us]; zoned timestamp[us,UTC]; fine "
                   "timestamp[ns]; n float64; whole int64; blank string; mixed string; guid "
                   "string; raw binary; at time[us]; ok bool; yes string; empty float64; blobs "
                   "binary");
  check_rows("t",
             "1795251300|1996-07-04T00:00:00|2026-11-21T08:55:00Z|2026-11-21T08:55:00.1234567|9.8|"
             "14|x|x|ab-cd|AA==|08:55:00|true|yes|~|/w==\n"
             "1795251301.5|1996-07-04T00:00:00|2026-11-21T08:55:00Z|~|14|9|y|5|ef-01|AQ==|"
             "23:59:59.5|false|no|~|AA==\n",
             "");
  tear_down();
}

TEST(sqlite_values_fit_or_are_rejected) {
  set_up();
  sql("CREATE TABLE t (i INTEGER, f REAL, d DECIMAL(6,2), b BOOLEAN, at TIMESTAMP NOT NULL);"
      "INSERT INTO t VALUES (5.0, 5, 0.1, 1, '2026-11-21 08:55:00'), (5.5, 0, 0, 0, "
      "'2026-11-21 08:55:00'), (1, 9007199254740993, 0, 0, '2026-11-21 08:55:00'), (1, 0, 0.125, "
      "0, "
      "'2026-11-21 08:55:00'), (1, 0, 12345.67, 0, '2026-11-21 08:55:00'), (1, 0, 0, 2, "
      "'2026-11-21 08:55:00'), (1, 0, 0, 1, '2026-11-21T08:55:00Z'), (1, 0, 9999.99, 1, "
      "'2026-11-21'), (1, 0, x'00', 1, '2026-11-21')");
  // REAL affinity makes 9007199254740993 a rounded float before we see it.
  wh_source_info info;
  REQUIRE_OK(describe("t"));
  CHECK_STR(wh_buf_str(&out),
            WH_STR("i int64; f float64; d decimal(6,2); b bool; at timestamp[us]!"));
  (void)info;
  check_rows(
      "t",
      "5|5|0.10|true|2026-11-21T08:55:00\n"
      "1|9007199254740992|0.00|false|2026-11-21T08:55:00\n"
      "1|0|9999.99|true|2026-11-21T00:00:00\n",
      "type|i|'5.5' is not a whole number|2|{\"i\":5.5,\"f\":0,\"d\":0,\"b\":0,\"at\":\"2026-11-21 "
      "08:55:00\"}\n"
      "type|d|'0.125' has 3 decimal places, decimal(6,2) keeps "
      "2|4|{\"i\":1,\"f\":0,\"d\":0.125,\"b\":0,\"at\":\"2026-11-21 08:55:00\"}\n"
      "type|d|'12345.67' has more than the 4 digits before the point that decimal(6,2) "
      "keeps|5|{\"i\":1,\"f\":0,\"d\":12345.67,\"b\":0,\"at\":\"2026-11-21 08:55:00\"}\n"
      "type|b|'2' is not 0 or 1|6|{\"i\":1,\"f\":0,\"d\":0,\"b\":2,\"at\":\"2026-11-21 "
      "08:55:00\"}\n"
      "type|at|'2026-11-21T08:55:00Z' has a zone, the column's other values have "
      "none|7|{\"i\":1,\"f\":0,\"d\":0,\"b\":1,\"at\":\"2026-11-21T08:55:00Z\"}\n"
      "type|d|a blob is not a decimal "
      "number|9|{\"i\":1,\"f\":0,\"d\":\"x'00'\",\"b\":1,\"at\":\"2026-11-21\"}\n");
  tear_down();
}

static wh_value instant(const char *text, const char *type) {
  wh_value v = {0};
  wh_type t;
  CHECK_OK(wh_type_parse(wh_str_of(type), &arena, &t, &test_err));
  CHECK_OK(wh_value_parse(wh_str_of(text), &t, &arena, &v, &test_err));
  return v;
}

// The first column of what the query gives, sorted.
static void check_numbers(const wh_source_query *q, const char *want) {
  wh_source_info info;
  wh_reader *reader;
  wh_buf_clear(&out);
  REQUIRE_OK(c.type->source->describe(&c, q, &arena, &info, &test_err));
  wh_schema schema = {.count = 1, .fields = info.schema.fields};
  REQUIRE_OK(c.type->source->open(&c, q, &schema, &reader, &test_err));
  CHECK_OK(rows_read(reader, NULL, &out, &test_err));
  wh_reader_close(reader);
  rows_sort(&out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

// Every spelling of an instant that ISO 8601 allows, and what is no instant at all.
TEST(sqlite_cursor_loses_no_spelling) {
  set_up();
  sql("CREATE TABLE t (n INTEGER, at TIMESTAMP);"
      "INSERT INTO t VALUES"
      " (1, '2026-11-21 08:55:00Z'), (2, '2026-11-21T08:55:00Z'),"
      " (3, '2026-11-21T08:55:00.000Z'), (4, '2026-11-21T08:54:59.999999Z'),"
      " (5, '2026-11-21T10:55:00+02:00'), (6, '2026-11-21T10:54:00+02:00'),"
      " (7, '2026-11-20T23:55:00-09:00'), (8, '2026-11-20T23:54:59-09:00'),"
      " (9, '2026-11-21T08:55Z'), (10, '2026-11-21T08:54Z'), (11, NULL),"
      " (12, '2026-11-21T08:55:00.5Z'), (13, '2031-01-01T00:00:00Z'),"
      " (14, '2026-11-21T22:54:59+14:00'), (15, '2026-11-21T22:55:00+14:00'),"
      " (16, '1999-12-31 00:00:00Z'), (17, '2026-11-21T08:55:00.000000001Z'),"
      " (18, 'soon'), (19, '11/21/2026'), (20, 1795251300), (21, '')");
  wh_str columns[] = {WH_STR("n")};
  for (int indexed = 0; indexed < 2; indexed++) {
    wh_source_query q = {.table = WH_STR("t"),
                         .columns = columns,
                         .column_count = 1,
                         .cursor = WH_STR("at"),
                         .has_from = true,
                         .from = instant("2026-11-21T08:55:00Z", "timestamp[us,UTC]")};
    check_numbers(&q, "1\n11\n12\n13\n15\n17\n18\n19\n2\n20\n21\n3\n5\n7\n9\n");
    q.has_to = true;
    q.to = instant("2026-11-21T08:55:00.5Z", "timestamp[us,UTC]");
    check_numbers(&q, "1\n11\n15\n17\n18\n19\n2\n20\n21\n3\n5\n7\n9\n");
    sql("CREATE INDEX t_at ON t (at)");
    if (!indexed) sql("ANALYZE");
    if (indexed) continue;
    // The same through a query.
    q.table = (wh_str){0};
    q.query = WH_STR("SELECT * FROM t");
    q.has_to = false;
    check_numbers(&q, "1\n11\n12\n13\n15\n17\n18\n19\n2\n20\n21\n3\n5\n7\n9\n");
    sql("DROP INDEX t_at");
  }
  tear_down();
}

TEST(sqlite_rejects_what_does_not_fit) {
  set_up();
  sql("CREATE TABLE t (n INTEGER, s TEXT, at TIMESTAMP);"
      "INSERT INTO t VALUES (1, 'a', '2026-11-21 08:55:00'), ('abc', 'b', NULL),"
      " (3, CAST(x'61ff' AS TEXT), NULL), (4, 'd', 'yesterday'), (5, 'e', NULL)");
  check_rows("t", "1|a|2026-11-21T08:55:00\n5|e|~\n",
             "type|n|'abc' is not a whole number|2|{\"n\":\"abc\",\"s\":\"b\",\"at\":null}\n"
             "utf8|s|is not UTF-8 at byte 1|3|{\"n\":3,\"s\":\"a\xEF\xBF\xBD\",\"at\":null}\n"
             "type|at|'yesterday' is not a date and time|4|"
             "{\"n\":4,\"s\":\"d\",\"at\":\"yesterday\"}\n");
  tear_down();
}

TEST(sqlite_text_keeps_every_byte) {
  set_up();
  sql("CREATE TABLE t (s TEXT, mixed);"
      "INSERT INTO t VALUES (CAST(x'610062' AS TEXT), 1), ('', 0.1), (NULL, 'x'), ('a', x'00')");
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("t")};
  wh_reader *reader;
  wh_batch batch;
  rows_rejects rejects;
  rows_rejects_init(&rejects);
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  CHECK_EQ(batch.rows, 3);
  CHECK_STR(wh_column_text(&batch.columns[0], 0), wh_str_n("a\0b", 3));
  CHECK_STR(wh_column_text(&batch.columns[1], 0), WH_STR("1"));
  CHECK_STR(wh_column_text(&batch.columns[1], 1), WH_STR("0.1"));
  CHECK(wh_column_is_null(&batch.columns[0], 2));
  CHECK_STR(wh_buf_str(&rejects.text),
            WH_STR("type|mixed|a blob is not text|4|{\"s\":\"a\",\"mixed\":\"x'00'\"}\n"));
  wh_batch_free(&batch);
  wh_reader_close(reader);
  rows_rejects_free(&rejects);
  tear_down();
}

TEST(sqlite_views_and_strange_names) {
  set_up();
  sql("CREATE TABLE \"order details\" (\"Order ID\" INTEGER, rowid TEXT, _rowid_ TEXT, oid TEXT);"
      "INSERT INTO \"order details\" VALUES (1, 'a', 'b', 'c');"
      "CREATE VIEW \"a \"\"view\"\"\" AS SELECT \"Order ID\" AS id, 'x' || rowid AS x FROM "
      "\"order details\";"
      "CREATE TABLE gone (a); CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone;"
      "CREATE VIEW quoted AS SELECT \"just text\" AS t");
  check_rows("order details", "1|a|b|c\n", "");
  check_rows("a \"view\"", "1|xa\n", "");
  check_rows("quoted", "just text\n", "");
  CHECK_FAILS(describe("broken"), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: ");
  CHECK_ERROR_HAS("gone");
  // In a query of one's own a misspelled column is an error.
  wh_source_info info;
  wh_source_query q = {.query = WH_STR("SELECT \"nmae\" FROM \"order details\"")};
  CHECK_FAILS(c.type->source->describe(&c, &q, &arena, &info, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("no such column: nmae");
  tear_down();
}

TEST(sqlite_says_what_is_wrong_with_a_file) {
  set_up();
  CHECK_FAILS(describe("t"), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("place: no database at /");
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &test_mem, 0);
  CHECK_OK(c.type->reach(&c, &note, &test_err));
  CHECK(strstr(note.data, "no database at"));
  const wh_sqlite_options *options = c.options;
  FILE *f = fopen(options->path.data, "w");
  fputs("this is no database, but it is long enough to be looked at as if it were one. "
        "............................................................................",
        f);
  fclose(f);
  CHECK_FAILS(describe("t"), WH_ERR_DATA);
  CHECK_ERROR_HAS("file is not a database");
  unlink(options->path.data);
  sql("CREATE TABLE t (a); BEGIN EXCLUSIVE; COMMIT");
  sqlite3 *other;
  CHECK_EQ(sqlite3_open(options->path.data, &other), SQLITE_OK);
  CHECK_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
  CHECK_FAILS(describe("t"), WH_ERR_BUSY);
  CHECK(test_err.retry);
  CHECK_ERROR_HAS("database is locked (waited 0.2 s). Somebody else holds the database");
  sqlite3_close(other);
  CHECK_OK(describe("t"));
  wh_buf_clear(&note);
  CHECK_OK(c.type->reach(&c, &note, &test_err));
  CHECK(strstr(note.data, "1 table, "));
  tear_down();
}

TEST(sqlite_bounds_the_size_of_a_row) {
  set_up();
  sql("CREATE TABLE t (a TEXT); INSERT INTO t VALUES (hex(zeroblob(1500000)))");
  c.row_limit_bytes = 1 << 20;
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("t")};
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_FAILS(reader->next(reader, &batch, NULL, &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: reading t, row 1: string or blob too big. A row may have 1048576 bytes");
  wh_batch_free(&batch);
  wh_reader_close(reader);
  tear_down();
}

TEST(sqlite_finds_times_however_they_are_spelled) {
  set_up();
  sql("CREATE TABLE t (at TIMESTAMP, n INTEGER); INSERT INTO t VALUES ('2026-11-21 08:55:00', 1),"
      " ('2026-11-21T08:55:00.000', 2), ('2026-11-21 08:55:01', 3), ('2026-11-21', 4), ('x', 5)");
  wh_str key = WH_STR("at"), show = WH_STR("n");
  wh_finder *finder;
  REQUIRE_OK(c.type->source->open_finder(&c, WH_STR("t"), &key, 1, &show, 1, &finder, &test_err));
  wh_value at;
  CHECK_OK(wh_value_parse(WH_STR("2026-11-21T08:55:00"),
                          &(wh_type){.kind = WH_TIMESTAMP, .unit = WH_UNIT_S}, &arena, &at,
                          &test_err));
  wh_batch batch;
  CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
  CHECK_OK(finder->find(finder, &at, &batch, &test_err));
  rows_write(&batch, &out);
  CHECK_STR(wh_buf_str(&out), WH_STR("1\n2\n"));
  wh_batch_free(&batch);
  finder->close(finder);
  tear_down();
}

// The sample ERP that many people know: dates as text, blobs, spaces in names.
static const char *northwind(void) {
  static char path[1024];
  const char *given = getenv("WHERRY_SHARED");
  const char *tries[] = {given, "/../shared", "/../../shared"};
  for (int i = 0; i < 3; i++) {
    if (!tries[i]) continue;
    snprintf(path, sizeof path, "%s%s/data/northwind.db", i ? test_root() : "", tries[i]);
    if (access(path, R_OK) == 0) return path;
  }
  return NULL;
}

static wh_status count_tables(void *context, const wh_table_info *table, wh_error *err) {
  (void)err;
  ++*(size_t *)context;
  CHECK(table->schema.count > 0);
  return WH_OK;
}

TEST(sqlite_reads_northwind) {
  const char *path = northwind();
  if (!path) SKIP("northwind.db is not here (set WHERRY_SHARED)");
  set_up();
  wh_sqlite_options options = {.path = wh_str_of(path)};
  c.options = &options;
  size_t tables = 0;
  CHECK_OK(c.type->source->discover(&c, &arena, count_tables, &tables, &test_err));
  CHECK_EQ(tables, 29);
  check_types("Orders",
              "OrderID int64!; CustomerID string; EmployeeID int64; OrderDate timestamp[us]; "
              "RequiredDate timestamp[us]; ShippedDate timestamp[us]; ShipVia int64; Freight "
              "float64; ShipName string; ShipAddress string; ShipCity string; ShipRegion string; "
              "ShipPostalCode string; ShipCountry string");
  check_types("Order Details", "OrderID int64!; ProductID int64!; UnitPrice float64!; Quantity "
                               "int64!; Discount float64!");
  REQUIRE_OK(describe("Employees"));
  CHECK(strstr(out.data, "BirthDate date; HireDate date;"));
  CHECK(strstr(out.data, "Photo binary;"));
  rows_rejects rejects;
  rows_rejects_init(&rejects);
  wh_source_query q = {.query = WH_STR("SELECT o.*, c.CompanyName FROM Orders o JOIN Customers c "
                                       "USING (CustomerID) ORDER BY OrderID;")};
  wh_source_info info;
  wh_reader *reader;
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err));
  wh_buf_clear(&out);
  CHECK_OK(rows_read(reader, &rejects, &out, &test_err));
  wh_reader_close(reader);
  size_t lines = 0;
  for (size_t i = 0; i < out.len; i++)
    lines += out.data[i] == '\n';
  CHECK_EQ(lines, 830);
  CHECK_EQ(rejects.count, 0);
  CHECK(wh_str_starts(wh_buf_str(&out), "10248|VINET|5|1996-07-04T00:00:00|"));
  rows_rejects_free(&rejects);
  tear_down();
}
