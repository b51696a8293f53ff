// The connector odbc over two drivers: PostgreSQL's, and SQLite's. Types, lengths, errors, options.
#if defined WHERRY_ODBC && defined WHERRY_POSTGRES
#include "connect/odbc/odbc.h"

#include "connect/odbc/session.h"
#include "place_odbc.h"
#include "row_text.h"

#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

static wh_connection c;
static wh_odbc_options options;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem; // what tests collect is not what they measure
static rows_rejects rejects;
static wh_os_real sqlite_os;
static char sqlite_path[512];

static void set_up(void) {
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &out_mem, 0);
  rows_rejects_init(&rejects);
}

static void tear_down(void) {
  rows_rejects_free(&rejects);
  wh_buf_free(&out);
  wh_arena_free(&arena);
}

static bool open_served(void) {
  const char *reason = NULL;
  test_odbc_postgres_open(&c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  options = *(const wh_odbc_options *)c.options;
  c.options = &options;
  set_up();
  return true;
}

static bool open_file(void) {
  static wh_str steps[] = {WH_STR_INIT("StepAPI=1")};
  if (!test_odbc_driver("SQLite3")) {
    test_skip("SQLite's ODBC driver is not installed");
    return false;
  }
  if (!CHECK_OK(wh_os_real_init(&sqlite_os, &test_mem, &test_err))) return false;
  snprintf(sqlite_path, sizeof sqlite_path, "%s/test.db", test_folder());
  options = (wh_odbc_options){.driver = WH_STR("SQLite3"),
                              .database = wh_str_of(sqlite_path),
                              .options = {steps, 1},
                              .connect_timeout_us = 5000000};
  c = (wh_connection){.name = WH_STR("place"),
                      .type = &wh_connector_odbc,
                      .options = &options,
                      .os = &sqlite_os.base,
                      .mem = &test_mem,
                      .row_limit_bytes = 8 << 20};
  set_up();
  return true;
}

// Over PostgreSQL's driver, and over SQLite's.
#define SERVED(ident)                                                                              \
  static void served_##ident(void);                                                                \
  TEST(ident) {                                                                                    \
    if (!open_served()) return;                                                                    \
    served_##ident();                                                                              \
    tear_down();                                                                                   \
    test_odbc_postgres_close(&c);                                                                  \
  }                                                                                                \
  static void served_##ident(void)
#define FILED(ident)                                                                               \
  static void filed_##ident(void);                                                                 \
  TEST(ident) {                                                                                    \
    if (!open_file()) return;                                                                      \
    filed_##ident();                                                                               \
    tear_down();                                                                                   \
    wh_os_real_free(&sqlite_os);                                                                   \
  }                                                                                                \
  static void filed_##ident(void)

#define TABLE(name) (&(wh_source_query){.table = WH_STR(name)})
#define QUERY(text) (&(wh_source_query){.query = WH_STR(text)})

static void sql(const char *text) {
  test_odbc_postgres_sql(&c, text);
}

static void file_sql(const char *text) {
  sqlite3 *db = NULL;
  CHECK_EQ(sqlite3_open(sqlite_path, &db), SQLITE_OK);
  char *message = NULL;
  if (!CHECK_EQ(sqlite3_exec(db, text, NULL, NULL, &message), SQLITE_OK))
    test_note("%s", message ? message : "?");
  sqlite3_free(message);
  sqlite3_close(db);
}

static wh_status describe(const wh_source_query *q) {
  wh_source_info info;
  return c.type->source->describe(&c, q, &arena, &info, &test_err);
}

static void check_types(const wh_source_query *q, const char *want) {
  wh_source_info info;
  wh_buf_clear(&out);
  if (!CHECK_OK(c.type->source->describe(&c, q, &arena, &info, &test_err))) return;
  rows_write_schema(&info.schema, &out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

static wh_status read_all(const wh_source_query *q) {
  wh_source_info info;
  wh_reader *reader;
  wh_buf_clear(&out);
  wh_buf_clear(&rejects.text);
  WH_TRY(c.type->source->describe(&c, q, &arena, &info, &test_err));
  WH_TRY(c.type->source->open(&c, q, &info.schema, &reader, &test_err));
  wh_status status = rows_read(reader, &rejects, &out, &test_err);
  wh_reader_close(reader);
  return status;
}

static void check_rows(const wh_source_query *q, const char *want, const char *rejected) {
  if (!CHECK_OK(read_all(q))) return;
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  CHECK_STR(wh_buf_str(&rejects.text), wh_str_of(rejected));
}

// --- Types ---------------------------------------------------------------------------------------

SERVED(types_are_read_exactly) {
  sql("CREATE TABLE t (b boolean, i2 smallint, i4 int, i8 bigint, d numeric(38,0), d9 "
      "numeric(38,37), r real, f double precision, v varchar(20), ch char(3), x bytea, day date, "
      "tm time, at timestamp, at0 timestamp(0), u uuid, iv interval);"
      "INSERT INTO t VALUES (true, -32768, -2147483648, -9223372036854775808, "
      "-99999999999999999999999999999999999999, 0.1, 0.1, 0.1, '', 'ab', '\\x00ff0d', "
      "'9999-12-31', '23:59:59.999999', '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00', "
      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1 day 02:00:00');"
      "INSERT INTO t VALUES (false, 32767, 2147483647, 9223372036854775807, "
      "99999999999999999999999999999999999999, -9.9, 'NaN', '-infinity', 'Größe 😀', '', '', "
      "'0001-01-01', '00:00:00', '1969-12-31 23:59:59.000001', NULL, NULL, NULL)");
  check_types(TABLE("t"),
              "b bool; i2 int16; i4 int32; i8 int64; d decimal(38,0); d9 decimal(38,37); r "
              "float32; f float64; v string; ch string; x binary; day date; tm time[us]; at "
              "timestamp[us]; at0 timestamp[us]; u string; iv string");
  check_rows(TABLE("t"),
             "true|-32768|-2147483648|-9223372036854775808|-99999999999999999999999999999999999999|"
             "0.1000000000000000000000000000000000000|0.1|0.1||ab |AP8N|9999-12-31|23:59:59.999999|"
             "9999-12-31T23:59:59.999999|0001-01-01T00:00:00|A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11|"
             "1 day 02:00:00\n"
             "false|32767|2147483647|9223372036854775807|99999999999999999999999999999999999999|"
             "-9.9000000000000000000000000000000000000|NaN|-Infinity|Größe 😀|   ||0001-01-01|"
             "00:00:00|1969-12-31T23:59:59.000001|~|~|~\n",
             "");
}

// What the driver would turn into something else is rejected, not taken.
SERVED(what_the_driver_cannot_show_is_rejected) {
  sql("CREATE TABLE t (i int, n numeric, day date, at timestamp, bits bit(5));"
      "INSERT INTO t VALUES (1, 1e100, NULL, NULL, NULL), (2, 0.0000001, NULL, NULL, NULL),"
      "(3, 'NaN', NULL, NULL, NULL), (4, NULL, 'infinity', NULL, NULL), "
      "(5, NULL, NULL, '12026-11-21 08:55:00', NULL), (6, NULL, NULL, NULL, B'10101'),"
      "(7, 1.5, '2026-11-21', '2026-11-21 08:55:00', NULL)");
  check_rows(TABLE("t"), "7|1.500000|2026-11-21|2026-11-21T08:55:00|~\n",
             "type|n|'100000000000000000000000000000000000000000000000000000000000...' has more "
             "than the 22 digits "
             "before the point that decimal(28,6) keeps|1|{\"i\":1,\"n\":"
             "\"10000000000000000000000000000000000000000000000000000000000000000000000000000000000"
             "000000000000000000\",\"day\":null,\"at\":null,\"bits\":null}\n"
             "type|n|'0.0000001' has 7 decimal places, decimal(28,6) keeps "
             "6|2|{\"i\":2,\"n\":\"0.0000001\",\"day\":null,\"at\":null,\"bits\":null}\n"
             "type|n|'NaN' is not a number|3|{\"i\":3,\"n\":\"NaN\",\"day\":null,\"at\":null,"
             "\"bits\":null}\n"
             "type|day|'0000-00-00' is not a date "
             "(2026-11-21)|4|{\"i\":4,\"n\":null,\"day\":\"0000-00-00\",\"at\":null,\"bits\":null}"
             "\n"
             "type|at|'0000-00-00 00:00:00' is not a timestamp "
             "(2026-11-21T08:55:00)|5|{\"i\":5,\"n\":null,\"day\":null,\"at\":\"0000-00-00 "
             "00:00:00\",\"bits\":null}\n"
             "type|bits|'10101' is not true or "
             "false|6|{\"i\":6,\"n\":null,\"day\":null,\"at\":null,\"bits\":\"10101\"}\n");
}

SERVED(dates_may_come_as_structures) {
  options.dates = WH_ODBC_DATES_BINARY;
  sql("CREATE TABLE t (day date, at timestamp, tm time); INSERT INTO t VALUES ('9999-12-31', "
      "'0001-01-01 00:00:00.000001', '08:55:00.5'), (NULL, NULL, NULL), ('2026-11-21', "
      "'0044-03-15 00:00:00 BC', '00:00:00')");
  check_rows(TABLE("t"), "9999-12-31|0001-01-01T00:00:00.000001|08:55:00.5\n~|~|~\n",
             "type|at|'-044-03-15 00:00:00' is not a timestamp (2026-11-21T08:55:00)|3|{\"day\":"
             "\"2026-11-21\",\"at\":\"-044-03-15 00:00:00\",\"tm\":\"00:00:00\"}\n");
}

FILED(sqlite_driver_reads_a_file) {
  file_sql("CREATE TABLE t (i INTEGER PRIMARY KEY, n BIGINT NOT NULL, f DOUBLE, s VARCHAR(4), at "
           "TIMESTAMP, x BLOB, big TEXT);"
           "INSERT INTO t VALUES (1, 9223372036854775807, 0.1, 'longer than four 😀', "
           "'2026-11-21 08:55:00.000001', x'00ff', hex(zeroblob(100000))), (2, 0, -1e300, '', "
           "'yesterday', NULL, NULL), (3, 1, NULL, NULL, NULL, x'', '')");
  check_types(TABLE("t"), "i int32; n int64!; f float64; s string; at timestamp[us]; x binary; big "
                          "string");
  check_rows(QUERY("SELECT i, n, f, s, at, x, length(big) AS len FROM t"),
             "1|9223372036854775807|0.1|longer than four "
             "😀|2026-11-21T08:55:00.000001|AP8=|200000\n3|1|~|~|~||0\n",
             "type|at|'yesterday' is not a timestamp (2026-11-21T08:55:00)|2|{\"i\":2,\"n\":0,"
             "\"f\":-1e+300,\"s\":\"\",\"at\":\"yesterday\",\"x\":null,\"len\":null}\n");
  if (CHECK_OK(read_all(TABLE("t")))) CHECK(out.len > 200000);
  CHECK_FAILS(describe(TABLE("T2")), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("place: no table or view 'T2'");
}

// --- Lengths -------------------------------------------------------------------------------------

// Pieces end where they end: in the middle of a character, too.
SERVED(long_values_come_whole) {
  sql("CREATE TABLE t (a int, s text, x bytea, z int); INSERT INTO t VALUES (1, repeat('😀', "
      "262144), decode(repeat('00ff10', 349525), 'hex'), 7), (2, 'a' || repeat('😀', 300000), "
      "NULL, 8), (3, '', '', 9)");
  if (!CHECK_OK(read_all(QUERY("SELECT a, s, x, z FROM t ORDER BY a")))) return;
  wh_str text = wh_buf_str(&out);
  wh_str line;
  CHECK(wh_str_split(&text, '\n', &line));
  CHECK_EQ(line.len, 2 + 1048576 + 1 + 1398100 + 2);
  CHECK(memmem(line.data, 9, "1|😀", 5) && wh_utf8_valid(line));
  CHECK(wh_str_split(&text, '\n', &line));
  CHECK_EQ(line.len, 2 + 1200001 + 1 + 1 + 2);
  CHECK_STR(text, WH_STR("3|||9\n"));
}

// The driver says that json has at most 255 characters, which it has not.
SERVED(arrays_hold_what_is_longer_than_the_driver_says) {
  sql("CREATE TABLE t (a int, j jsonb, v varchar(5)); INSERT INTO t SELECT n, "
      "to_jsonb(repeat('é', CASE WHEN n % 7 = 0 THEN 3000 ELSE 1 END)), 'v' || n FROM "
      "generate_series(1, 3000) AS n");
  if (!CHECK_OK(read_all(QUERY("SELECT a, j, v FROM t ORDER BY a")))) return;
  CHECK_EQ(rejects.count, 0);
  wh_str text = wh_buf_str(&out), line;
  for (int i = 1; i <= 3000; i++) {
    size_t digits = i < 10 ? 1 : i < 100 ? 2 : i < 1000 ? 3 : 4;
    if (!CHECK(wh_str_split(&text, '\n', &line))) return;
    if (!CHECK_EQ(line.len, 5 + 2 * digits + 2 * (i % 7 == 0 ? 3000 : 1))) return;
  }
  CHECK_EQ(text.len, 0);
}

SERVED(a_row_may_not_be_too_large) {
  c.row_limit_bytes = 100000;
  sql("CREATE TABLE t (a int, s text); INSERT INTO t VALUES (1, 'x'), (2, repeat('y', 100001))");
  CHECK_FAILS(read_all(TABLE("t")), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: row 2 of t is larger than 100000 bytes");
}

SERVED(limits_and_rates_hold) {
  sql("CREATE TABLE t (a int); INSERT INTO t SELECT * FROM generate_series(1, 3000)");
  wh_source_query q = {.table = WH_STR("t"), .limit_rows = 1500};
  if (CHECK_OK(read_all(&q))) CHECK(wh_str_ends(wh_buf_str(&out), "\n1499\n1500\n"));
  options.rows_per_second = 4000;
  int64_t before = c.os->type->monotonic_ns(c.os);
  if (CHECK_OK(read_all(TABLE("t")))) CHECK(wh_str_ends(wh_buf_str(&out), "\n3000\n"));
  CHECK(c.os->type->monotonic_ns(c.os) - before > 500000000);
}

// --- Names ---------------------------------------------------------------------------------------

SERVED(tables_are_found_by_their_names) {
  sql("CREATE SCHEMA sales; CREATE TABLE sales.\"a_b\" (x int); CREATE TABLE \"axb\" (y int);"
      "CREATE TABLE \"50%\" (\"the \"\"x\"\"\" int); CREATE TABLE \"a.b\" (z int);"
      "CREATE TABLE \"Tür 😀\" (\"größe\" int); CREATE TABLE \"back\\slash\" (b int);"
      "CREATE TABLE twin (p int); CREATE TABLE sales.twin (q int)");
  check_types(TABLE("a_b"), "x int32");
  check_types(TABLE("sales.a_b"), "x int32");
  check_types(TABLE("50%"), "the \"x\" int32");
  check_types(TABLE("a.b"), "z int32");
  check_types(TABLE("Tür 😀"), "größe int32");
  check_types(TABLE("back\\slash"), "b int32");
  check_types(TABLE("sales.twin"), "q int32");
  check_types(TABLE("public.twin"), "p int32");
  CHECK_FAILS(describe(TABLE("twin")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: there is a 'twin' in public and in sales. Write it as public.twin");
  CHECK_FAILS(describe(TABLE("shop.twin")), WH_ERR_NOT_FOUND);
}

// --- Reading and nothing else --------------------------------------------------------------------

SERVED(a_query_changes_nothing) {
  sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1);"
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING a'");
  check_rows(QUERY("SELECT f() AS a"), "2\n", "");
  CHECK_FAILS(read_all(QUERY("WITH x AS (INSERT INTO t VALUES (3) RETURNING a) SELECT a FROM x")),
              WH_ERR_IO);
  CHECK_ERROR_HAS("must not contain data-modifying statements in WITH (0A000)");
  CHECK_STR(wh_str_of(test_odbc_postgres_ask(&c, "SELECT string_agg(a::text, ',') FROM t")),
            WH_STR("1"));
  CHECK_FAILS(read_all(QUERY("SELECT 1 AS a; COMMIT; DELETE FROM t")), WH_ERR_USAGE);
  CHECK_FAILS(read_all(QUERY("SELECT 1 AS a, 1/0 AS b")), WH_ERR_DATA);
  CHECK_ERROR_HAS("division by zero (22012)");
}

SERVED(isolation_is_what_was_asked_for) {
  const char *level = "SELECT current_setting('transaction_isolation') AS a";
  wh_source_query q = {.query = wh_str_of(level)};
  check_rows(&q, "repeatable read\n", "");
  options.isolation = WH_ODBC_READ_COMMITTED;
  check_rows(&q, "read committed\n", "");
  options.isolation = WH_ODBC_SERIALIZABLE;
  check_rows(&q, "serializable\n", "");
}

FILED(isolation_that_is_not_offered_is_refused) {
  options.isolation = WH_ODBC_READ_COMMITTED;
  CHECK_FAILS(read_all(QUERY("SELECT 1 AS a")), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("place: the driver does not offer isolation: read_committed");
}

// --- Cursors and keys ----------------------------------------------------------------------------

// A bound that is finer than the column is cut, not rounded up.
SERVED(cursors_are_cut_to_the_digits_of_the_column) {
  sql("CREATE TABLE t (n int, at timestamp(0)); INSERT INTO t VALUES (1, '2026-11-21 08:55:00'), "
      "(2, '2026-11-21 08:54:59'), (3, NULL), (4, '9999-12-31 23:59:59')");
  wh_source_query q = {.table = WH_STR("t"), .cursor = WH_STR("at"), .has_from = true};
  q.from = (wh_value){.type = wh_type_of(WH_TIMESTAMP)};
  q.from.as.i = 1795251300999999;
  check_rows(&q, "1|2026-11-21T08:55:00\n3|~\n4|9999-12-31T23:59:59\n", "");
  q.from.as.i = INT64_MAX; // the last instant that there is
  check_rows(&q, "3|~\n4|9999-12-31T23:59:59\n", "");
  q.from.as.i = INT64_MIN;
  if (CHECK_OK(read_all(&q))) CHECK_STR(wh_str_sub(wh_buf_str(&out), 0, 2), WH_STR("1|"));
}

SERVED(the_clock_is_the_databases) {
  wh_bound b;
  int64_t now = wh_now_us(c.os);
  REQUIRE_OK(c.type->source->bound(&c, TABLE("t"), &arena, &b, &test_err));
  CHECK(b.clock_us > now - 1000000 && b.clock_us < now + 10000000);
  CHECK(!b.has_to);
}

static void find(wh_finder *finder, const char *key, const char *want) {
  wh_batch batch;
  wh_value value = {.type = wh_type_of(WH_STRING), .as.s = wh_str_of(key)};
  CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
  wh_buf_clear(&out);
  CHECK_OK(finder->find(finder, &value, &batch, &test_err));
  rows_write(&batch, &out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  wh_batch_free(&batch);
}

SERVED(keys_are_compared_by_their_bytes) {
  sql("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
      "CREATE TABLE t (k varchar(10) COLLATE nocase, n int); INSERT INTO t VALUES ('a', 1), "
      "('A', 2), ('a', 3), ('', 4), ('Ä', 5)");
  wh_str key = WH_STR("k"), show = WH_STR("n");
  wh_finder *finder;
  REQUIRE_OK(c.type->source->open_finder(&c, WH_STR("t"), &key, 1, &show, 1, &finder, &test_err));
  find(finder, "a", "1\n3\n");
  find(finder, "A", "2\n");
  find(finder, "", "4\n");
  find(finder, "Ä", "5\n");
  find(finder, "longer than ten characters", "");
  sql("INSERT INTO t VALUES ('new', 6)"); // since the finder was opened
  find(finder, "new", "6\n");
  finder->rows_max = 1;
  find(finder, "a", "1\n");
  finder->close(finder);
}

// --- Logging in ----------------------------------------------------------------------------------

static void check_reach(wh_status status, const char *text) {
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &out_mem, 0);
  test_err = (wh_error){0};
  CHECK_FAILS(c.type->reach(&c, &note, &test_err), status);
  CHECK_ERROR_HAS(text);
}

SERVED(errors_say_what_is_wrong) {
  wh_odbc_options good = options;
  options.driver = WH_STR("PostgreSQL Unicod");
  check_reach(WH_ERR_NOT_FOUND, "place: no ODBC driver 'PostgreSQL Unicod' is known. Did you mean "
                                "'PostgreSQL Unicode'? Drivers stand in odbcinst.ini; `odbcinst "
                                "-j` says where that is");
  options.driver = WH_STR("/nowhere/libdriver.so");
  check_reach(WH_ERR_NOT_FOUND, "the ODBC driver cannot be used: Can't open lib "
                                "'/nowhere/libdriver.so' : file not found. Is its package");
  options.driver = (wh_str){0};
  options.dsn = WH_STR("erp");
  check_reach(WH_ERR_NOT_FOUND, "place: no ODBC data source 'erp' is known. ");
  options = good;
  options.port = 1;
  check_reach(WH_ERR_UNAVAILABLE, "place: cannot connect: connection to server at \"127.0.0.1\", "
                                  "port 1 failed: Connection refused (08001)");
  CHECK(test_err.retry);
  options = good;
  options.database = WH_STR("nowhere");
  check_reach(WH_ERR_UNAVAILABLE, "database \"nowhere\" does not exist");
  options = good;
  options.password = WH_STR("wrong");
  check_reach(WH_ERR_DENIED, "place: the database refuses the user '");
  CHECK_ERROR_HAS("'. Check `user` and `password`");
  CHECK(!test_err.retry);
}

SERVED(reach_says_what_is_there) {
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &out_mem, 0);
  sql("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t");
  CHECK_OK(c.type->reach(&c, &note, &test_err));
  CHECK_STR(wh_buf_str(&note), WH_STR("2 tables and views, PostgreSQL"));
}

SERVED(values_of_the_connection_string_are_safe) {
  sql("CREATE ROLE odd LOGIN PASSWORD ';UID=wherry;{}}x='; CREATE TABLE secret (a int)");
  options.user = WH_STR("odd");
  options.password = WH_STR(";UID=wherry;{}}x=");
  check_rows(QUERY("SELECT current_user AS a"), "odd\n", "");
  CHECK_FAILS(read_all(TABLE("secret")), WH_ERR_DENIED);
  CHECK_ERROR_HAS("permission denied for table secret (42501)");
  sql("DROP TABLE secret; DROP ROLE odd");
}

TEST(secrets_are_masked) {
  wh_str given[] = {WH_STR("WalletPassword=hunter2"), WH_STR("DBQ=//db/ERP")};
  wh_odbc_options o = {.password = WH_STR("s3cret"), .options = {given, 2}};
  char text[] = "login with s3cret/hunter2 at //db/ERP, s3cret";
  wh_odbc_mask(&o, text);
  CHECK_STR(wh_str_of(text), WH_STR("login with ***/*** at //db/ERP, ***"));
}

static char message[1200];

static SQLRETURN give_message(SQLSMALLINT kind, SQLHANDLE handle, SQLSMALLINT number,
                              SQLWCHAR *state, SQLINTEGER *code, SQLWCHAR *text, SQLSMALLINT room,
                              SQLSMALLINT *ret_units) {
  (void)kind, (void)handle;
  if (number > 1) return SQL_NO_DATA;
  size_t units = strlen(message);
  for (size_t i = 0; i < WH_ODBC_STATE_LEN; i++)
    state[i] = (SQLWCHAR) "HY000"[i];
  *code = 0;
  *ret_units = (SQLSMALLINT)units;
  for (SQLSMALLINT i = 0; i < room; i++)
    text[i] = i + 1 < room && (size_t)i < units ? (SQLWCHAR)message[i] : 0;
  return units < (size_t)room ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
}

TEST(secrets_are_masked_wherever_a_message_is_cut) {
  static const char secret[] = "correct.horse[battery].";
  wh_odbc_options o = {.password = wh_str_of(secret)};
  wh_connection place = {.name = WH_STR("place"), .options = &o, .mem = &test_mem};
  wh_odbc_session s = {.connection = &place};
  wh_odbc_api real = wh_odbc;
  wh_odbc.SQLGetDiagRecW = give_message;
  for (int before = 340; before < 420; before++) {
    wh_odbc_trouble t;
    snprintf(message, sizeof message, "[driver]%*s%s", before, "said ", secret);
    wh_odbc_trouble_of(&s, SQL_HANDLE_DBC, NULL, &t);
    CHECK_STR(wh_str_of(t.state), WH_STR("HY000"));
    CHECK(strstr(t.text, "cor") == NULL && strstr(t.text, "horse") == NULL);
  }
  snprintf(message, sizeof message, "it is not %s", secret);
  wh_odbc_trouble t;
  wh_odbc_trouble_of(&s, SQL_HANDLE_DBC, NULL, &t);
  CHECK_STR(wh_str_of(t.text), WH_STR("it is not ***"));
  wh_odbc = real;
}

static void check_options(wh_odbc_options o, const char *text) {
  test_err = (wh_error){0};
  CHECK_FAILS(wh_odbc_check(&o, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS(text);
}

TEST(options_are_checked) {
  wh_str driver = WH_STR("d");
  wh_str good[] = {WH_STR("DBQ=//db:1521/ERP"), WH_STR("Empty=")};
  CHECK_OK(wh_odbc_check(&(wh_odbc_options){.driver = driver, .options = {good, 2}}, &test_err));
  check_options((wh_odbc_options){0}, "one of dsn and driver has to be given");
  check_options((wh_odbc_options){.driver = driver, .dsn = driver}, "one of dsn and driver");
  check_options((wh_odbc_options){.driver = driver, .user = WH_STR("a\nb")},
                "user has a control character");
  const struct {
    wh_str option;
    const char *text;
  } bad[] = {{WH_STR("TLS"), "options are written as \"KEYWORD=value\""},
             {WH_STR("=x"), "options are written as \"KEYWORD=value\""},
             {WH_STR("pwd=x"), "options: pwd is said by `password`"},
             {WH_STR(" Driver =x"), "options: Driver is said by `driver`"},
             {WH_STR("a;b=x"), "options: 'a;b' is no keyword"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    wh_str one[] = {bad[i].option};
    check_options((wh_odbc_options){.driver = driver, .options = {one, 1}}, bad[i].text);
  }
}

TEST(connection_strings_are_braced) {
  wh_str given[] = {WH_STR("DBQ=//db:1521/ERP"), WH_STR("Key = a{b}c")};
  wh_odbc_options o = {.driver = WH_STR("My } Driver"),
                       .host = WH_STR("db"),
                       .port = 1521,
                       .user = WH_STR("me"),
                       .password = WH_STR("a;PWD=}"),
                       .options = {given, 2}};
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &out_mem, 0);
  CHECK(wh_odbc_add_connection_string(&o, &text));
  CHECK_STR(wh_buf_str(&text), WH_STR("DRIVER={My }} Driver};Server=db;Port=1521;UID=me;PWD={a;PWD="
                                      "}}};DBQ=//db:1521/ERP;Key={ a{b}}c};"));
}

// --- Being stopped -------------------------------------------------------------------------------

SERVED(a_statement_may_take_too_long) {
  options.statement_timeout_us = 300000;
  int64_t before = c.os->type->monotonic_ns(c.os);
  CHECK_FAILS(read_all(QUERY("SELECT pg_sleep(20)::text AS a")), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("the statement took longer than statement_timeout");
  CHECK(c.os->type->monotonic_ns(c.os) - before < 10000000000);
}

static void *ask_to_stop(void *context) {
  atomic_bool *cancel = context;
  usleep(300000);
  atomic_store(cancel, true);
  return NULL;
}

static void check_stop(const wh_source_query *q) {
  atomic_bool cancel = false;
  pthread_t thread;
  c.cancel = &cancel;
  int64_t before = c.os->type->monotonic_ns(c.os);
  CHECK_EQ(pthread_create(&thread, NULL, ask_to_stop, &cancel), 0);
  CHECK_FAILS(read_all(q), WH_ERR_CANCELLED);
  CHECK_ERROR_HAS("place: asked to stop");
  CHECK(c.os->type->monotonic_ns(c.os) - before < 10000000000);
  pthread_join(thread, NULL);
  c.cancel = NULL;
}

SERVED(a_statement_stops_when_asked) {
  check_stop(QUERY("SELECT pg_sleep(20)::text AS a"));
}

FILED(sqlite_driver_stops_when_asked) {
  check_stop(QUERY("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < "
                   "2000000000) SELECT count(*) AS a FROM s"));
}

FILED(sqlite_driver_survives_without_memory) {
  file_sql("CREATE TABLE t (a INT, s TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
  wh_arena kept = arena;
  for (size_t n = 1;; n++) {
    wh_arena_init(&arena, &test_mem);
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = read_all(TABLE("t"));
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    wh_arena_free(&arena);
    if (!CHECK_EQ(status, refused ? WH_ERR_MEMORY : WH_OK) || !refused) break;
  }
  arena = kept;
}

#else
#include "test.h"
TEST(odbc_is_left_out) {
  SKIP("the connector is not built");
}
#endif
