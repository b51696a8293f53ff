// What is particular to PostgreSQL: its types, its errors, its snapshots.
#ifdef WHERRY_POSTGRES

#include "connect/postgres/types.h"
#include "data/number.h"
#include "place_postgres.h"
#include "row_text.h"

#include <libpq-fe.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static wh_connection c;
static wh_pg_options options; // a copy of the place's, for tests to change
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem;
static rows_rejects rejects;

static bool set_up(void) {
  const char *reason = NULL;
  test_postgres_open(&c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  options = *(const wh_pg_options *)c.options;
  c.options = &options;
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &out_mem, 0);
  rows_rejects_init(&rejects);
  return true;
}

static void tear_down(void) {
  rows_rejects_free(&rejects);
  wh_buf_free(&out);
  wh_arena_free(&arena);
  test_postgres_close(&c);
}

#define PG_TEST(ident)                                                                             \
  static void pg_##ident(void);                                                                    \
  TEST(postgres_##ident) {                                                                         \
    if (!set_up()) return;                                                                         \
    pg_##ident();                                                                                  \
    tear_down();                                                                                   \
  }                                                                                                \
  static void pg_##ident(void)

static void sql(const char *text) {
  test_postgres_sql(&c, text);
}

static const char *ask(const char *text) {
  return test_postgres_ask(&c, text);
}

static wh_status read_query(const wh_source_query *q) {
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

static void check_read(const char *query, const char *want) {
  wh_source_query q = {.query = wh_str_of(query)};
  if (CHECK_OK(read_query(&q))) CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

static const char *types_of(const wh_source_query *q) {
  wh_source_info info;
  wh_buf_clear(&out);
  if (CHECK_OK(c.type->source->describe(&c, q, &arena, &info, &test_err)))
    rows_write_schema(&info.schema, &out);
  return out.data ? out.data : "";
}

static void check_types(const char *table, const char *want) {
  wh_source_query q = {.table = wh_str_of(table)};
  CHECK_STR(wh_str_of(types_of(&q)), wh_str_of(want));
}

// One value: what it is read as, and its text.
static void check_value(const char *expression, const char *type, const char *text) {
  char query[2048], want[2048];
  snprintf(query, sizeof query, "SELECT %s AS v", expression);
  wh_source_query q = {.query = wh_str_of(query)};
  snprintf(want, sizeof want, "v %s", type);
  if (!CHECK_STR(wh_str_of(types_of(&q)), wh_str_of(want))) test_note("%s", expression);
  snprintf(want, sizeof want, "%s\n", text);
  if (!CHECK_OK(read_query(&q)) || !CHECK_STR(wh_buf_str(&out), wh_str_of(want)))
    test_note("%s", expression);
}

static void check_rejected(const char *expression, const char *reason, const char *raw) {
  char query[2048], want[2048];
  snprintf(query, sizeof query, "SELECT %s AS v", expression);
  wh_source_query q = {.query = wh_str_of(query)};
  snprintf(want, sizeof want, "type|v|%s|1|{\"v\":%s}\n", reason, raw);
  if (!CHECK_OK(read_query(&q)) || !CHECK_STR(wh_buf_str(&rejects.text), wh_str_of(want)) ||
      !CHECK_EQ(out.len, 0))
    test_note("%s", expression);
}

// --- types as a source
// -----------------------------------------------------------------------------

PG_TEST(reads_numbers) {
  check_value("true", "bool", "true");
  check_value("(-32768)::int2", "int16", "-32768");
  check_value("(-2147483648)::int4", "int32", "-2147483648");
  check_value("(-9223372036854775808)::int8", "int64", "-9223372036854775808");
  check_value("4294967295::oid", "uint32", "4294967295");
  check_value("'18446744073709551615'::xid8", "uint64", "18446744073709551615");
  check_value("'-0'::float4", "float32", "-0");
  check_value("'3.4028235e38'::float4", "float32", "3.4028235e+38");
  check_value("'NaN'::float8", "float64", "NaN");
  check_value("'-Infinity'::float8", "float64", "-Infinity");
  check_value("0.1::float8", "float64", "0.1");
  check_value("5e-324::float8", "float64", "5e-324");
  check_value("0.1::numeric(2,1)", "decimal(2,1)", "0.1");
  check_value("(-99999999999999999999999999999999999999)::numeric(38,0)", "decimal(38,0)",
              "-99999999999999999999999999999999999999");
  check_value("0.12345678901234567890123456789012345678::numeric(38,38)", "decimal(38,38)",
              "0.12345678901234567890123456789012345678");
  check_value("9.9999999999999999999999999999999999999::numeric(38,37)", "decimal(38,37)",
              "9.9999999999999999999999999999999999999");
  check_value("1234567890123456789012345678.0123456789::numeric(38,10)", "decimal(38,10)",
              "1234567890123456789012345678.0123456789");
  check_value("100000000::numeric(12,2)", "decimal(12,2)", "100000000.00");
  check_value("0.0001::numeric(12,4)", "decimal(12,4)", "0.0001");
  check_value("0::numeric(12,4)", "decimal(12,4)", "0.0000");
  check_value("(-12345.6700)::numeric(9,4)", "decimal(9,4)", "-12345.6700");
  check_value("1500::numeric(4,-2)", "decimal(6,0)", "1500");
  check_value("0.00012::numeric(3,5)", "decimal(5,5)", "0.00012");
  check_value("1::numeric(50,3)", "decimal(38,3)", "1.000");
  check_value("'12.30'::money", "decimal(19,2)", "12.30");
  check_value("(-92233720368547758.08)::numeric::money", "decimal(19,2)", "-92233720368547758.08");
}

PG_TEST(chooses_scales_of_numerics_without_one) {
  check_value("1234::numeric", "decimal(38,0)", "1234");
  check_value("1.5::numeric", "decimal(38,6)", "1.500000");
  check_value("1.1234567::numeric", "decimal(38,12)", "1.123456700000");
  check_value("0.1234567890123456789::numeric", "decimal(38,19)", "0.1234567890123456789");
  check_value("12345678901234567890123456789012345.5::numeric", "decimal(38,3)",
              "12345678901234567890123456789012345.500");
  check_value("ARRAY[1.5, NULL, 2]::numeric[]", "list<decimal(38,6)?>",
              "[\"1.500000\",null,\"2.000000\"]");
  sql("CREATE TABLE t (n numeric, m numeric, k money); INSERT INTO t VALUES (NULL, 'NaN', 1), "
      "(NULL, 2.25, 2)");
  check_types("t", "n decimal(38,0); m decimal(38,6); k decimal(19,2)");
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("t")};
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  CHECK(info.guessed[0] && !info.guessed[1] && !info.guessed[2]);
}

PG_TEST(reads_text) {
  sql("CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok', 'Größe');"
      "CREATE DOMAIN short AS varchar(3); CREATE DOMAIN shorter AS short CHECK (value <> 'x');"
      "CREATE TYPE pair AS (a int, b text)");
  check_value("'007 北京 😀'::text", "string", "007 北京 😀");
  check_value("''::varchar(5)", "string", "");
  check_value("'ab'::char(5)", "string", "ab");
  check_value("'a'::\"char\"", "string", "a");
  check_value("'Ab'::citext", "string", "Ab");
  check_value("'pg_class'::name", "string", "pg_class");
  check_value("'Größe'::mood", "string", "Größe");
  check_value("'abc'::shorter", "string", "abc");
  check_value("'{\"a\": 1.0}'::json", "string", "{\"a\": 1.0}");
  check_value("'{\"a\":1.0}'::jsonb", "string", "{\"a\": 1.0}");
  check_value("'<a>1</a>'::xml", "string", "<a>1</a>");
  check_value("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "string",
              "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  check_value("B'0101'::bit(4)", "string", "0101");
  check_value("B'1'::varbit", "string", "1");
  check_value("'\\x00ff'::bytea", "binary", "AP8=");
  check_value("'10.0.0.0/8'::inet", "string", "10.0.0.0/8");
  check_value("'08:00:2b:01:02:03'::macaddr", "string", "08:00:2b:01:02:03");
  check_value("'[1,5)'::int4range", "string", "[1,5)");
  check_value("point(1,2)", "string", "(1,2)");
  check_value("'a b'::tsvector", "string", "'a' 'b'");
  check_value("ROW(1,'x')::pair", "string", "(1,x)");
  check_value("ROW(1,'x')", "string", "(1,x)");
  check_value("repeat('x', 70000)::text IS NOT NULL", "bool", "true");
}

PG_TEST(reads_times) {
  check_value("'0001-01-01'::date", "date", "0001-01-01");
  check_value("'9999-12-31'::date", "date", "9999-12-31");
  check_value("'5874897-12-31'::date", "date", "+5874897-12-31");
  check_value("'23:59:59.999999'::time", "time[us]", "23:59:59.999999");
  check_value("'23:59:59'::time(0)", "time[s]", "23:59:59");
  check_value("'23:59:59.999'::time(3)", "time[ms]", "23:59:59.999");
  check_value("'08:55:00+02'::timetz", "string", "08:55:00+02");
  check_value("'9999-12-31 23:59:59.999999'::timestamp", "timestamp[us]",
              "9999-12-31T23:59:59.999999");
  check_value("'0001-01-01 00:00:00'::timestamp(0)", "timestamp[s]", "0001-01-01T00:00:00");
  check_value("'1969-12-31 23:59:59.5+00'::timestamptz(3)", "timestamp[ms,UTC]",
              "1969-12-31T23:59:59.5Z");
  check_value("'2026-11-21 10:55:00+02'::timestamptz", "timestamp[us,UTC]", "2026-11-21T08:55:00Z");
  check_value("'2016-12-31 23:59:60+00'::timestamptz", "timestamp[us,UTC]", "2017-01-01T00:00:00Z");
  check_value("'1 year -2 mons 3 days 04:05:06.5'::interval", "string", "P10M3DT4H5M6.5S");
  check_value("'0'::interval", "string", "PT0S");
}

PG_TEST(reads_arrays) {
  sql("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN list AS int4[]");
  check_value("ARRAY[1,NULL,3]::int4[]", "list<int32?>", "[1,null,3]");
  check_value("'{}'::text[]", "list<string?>", "[]");
  check_value("ARRAY['a,b','\"','']", "list<string?>", "[\"a,b\",\"\\\"\",\"\"]");
  check_value("'[5:6]={7,8}'::int8[]", "list<int64?>", "[7,8]");
  check_value("ARRAY['ok']::mood[]", "list<string?>", "[\"ok\"]");
  check_value("ARRAY[1,2]::list", "list<int32?>", "[1,2]");
  check_value("ARRAY['2026-11-21']::date[]", "list<date?>", "[\"2026-11-21\"]");
  check_value("ARRAY['1 day']::interval[]", "list<string?>", "[\"P1D\"]");
  check_value("ARRAY[1.25]::numeric(5,2)[]", "list<decimal(5,2)?>", "[\"1.25\"]");
  check_rejected(
      "ARRAY[[1,2],[3,4]]", "is an array of 2 dimensions; a list has one",
      "\"x'0000000200000000000000170000000200000001000000020000000100000004000000010000000400"
      "0000020000000400000003"
      "0000000400000004'\"");
}

PG_TEST(rejects_what_cannot_be_represented) {
  check_rejected("'infinity'::date", "'infinity' is not a date", "\"infinity\"");
  check_rejected("'0044-03-15 BC'::date", "'0044-03-15 BC' is before the year 1",
                 "\"x'fff49d7b'\"");
  check_rejected("'-infinity'::timestamptz", "'-infinity' is not a date and time", "\"-infinity\"");
  check_rejected("'24:00'::time", "'24:00:00' is not a time of day", "\"x'000000141dd76000'\"");
  check_rejected("'NaN'::numeric", "'NaN' is not a decimal number", "\"NaN\"");
  check_rejected("'-Infinity'::numeric", "'-Infinity' is not a decimal number", "\"-Infinity\"");
  check_rejected("(10::numeric ^ 40)::numeric(50,0)",
                 "'10000000000000000000000000000000000000000' has more than 38 digits before the "
                 "point, the most for decimal(38,0)",
                 "\"10000000000000000000000000000000000000000\"");
  sql("CREATE TABLE t (n numeric); INSERT INTO t SELECT 1 FROM generate_series(1, 10000); INSERT "
      "INTO t VALUES (1.125)");
  wh_source_query q = {.table = WH_STR("t")};
  REQUIRE_OK(read_query(&q));
  CHECK_STR(wh_buf_str(&rejects.text),
            WH_STR("type|n|'1.125' has 3 decimal places, decimal(38,0) keeps 0|10001|"
                   "{\"n\":\"1.125\"}\n"));
}

// PostGIS is not needed to see what is asked of it.
PG_TEST(reads_geometries_as_wkb) {
  sql("CREATE SCHEMA gis; CREATE DOMAIN gis.bytes AS bytea;"
      "CREATE TYPE gis.geometry; CREATE FUNCTION gis.g_in(cstring) RETURNS gis.geometry "
      "LANGUAGE internal IMMUTABLE STRICT AS 'byteain'; CREATE FUNCTION gis.g_out(gis.geometry) "
      "RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';"
      "CREATE TYPE gis.geometry (INPUT = gis.g_in, OUTPUT = gis.g_out);"
      "CREATE CAST (gis.geometry AS bytea) WITHOUT FUNCTION;"
      "CREATE FUNCTION gis.st_asbinary(gis.geometry) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT "
      "AS 'SELECT $1::bytea'; CREATE TABLE t (g gis.geometry); INSERT INTO t VALUES "
      "('\\x0101'), (NULL)");
  check_types("t", "g binary");
  wh_source_query q = {.table = WH_STR("t")};
  REQUIRE_OK(read_query(&q));
  CHECK_STR(wh_buf_str(&out), WH_STR("AQE=\n~\n"));
}

PG_TEST(finds_tables_by_their_schema) {
  sql("CREATE SCHEMA sales; CREATE TABLE sales.order_line (id bigint PRIMARY KEY);"
      "CREATE TABLE \"a.b\" (x int); CREATE TABLE sales.\"a.b\" (y text);"
      "CREATE TABLE part (id int) PARTITION BY RANGE (id);"
      "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10);"
      "INSERT INTO part VALUES (1), (2); CREATE MATERIALIZED VIEW m AS SELECT 1 AS one");
  check_types("sales.order_line", "id int64!");
  check_types("a.b", "x int32");
  check_types("sales.a.b", "y string");
  check_types("part", "id int32");
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("order_line")};
  CHECK_FAILS(c.type->source->describe(&c, &q, &arena, &info, &test_err), WH_ERR_NOT_FOUND);
  options.schema = WH_STR("sales");
  check_types("order_line", "id int64!");
  check_types("a.b", "y string");
}

static wh_status see_table(void *context, const wh_table_info *table, wh_error *err) {
  (void)err, (void)context;
  wh_buf_printf(&out, "%.*s %lld; ", WH_STR_ARG(table->name),
                table->rows == WH_SIZE_UNKNOWN ? -1 : (long long)table->rows);
  return WH_OK;
}

PG_TEST(discovers_what_may_be_read) {
  sql("CREATE SCHEMA sales; CREATE TABLE sales.lines (id bigint PRIMARY KEY);"
      "CREATE TABLE part (id int) PARTITION BY RANGE (id);"
      "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10);"
      "INSERT INTO part VALUES (1), (2); CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;"
      "CREATE TABLE _wherry_marks (id int); CREATE EXTENSION pg_stat_statements;"
      "CREATE FUNCTION f() RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / 0; END $$;"
      "CREATE VIEW broken AS SELECT f() AS n");
  CHECK_OK(c.type->source->discover(&c, &arena, see_table, NULL, &test_err));
  CHECK_STR(wh_buf_str(&out), WH_STR("part 2; sales.lines 0; broken -1; m 1; "));
  wh_buf_clear(&out);
  sql("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'g'; GRANT SELECT ON part TO "
      "guest");
  options.server.user = WH_STR("guest");
  options.server.password = WH_STR("g");
  CHECK_OK(c.type->source->discover(&c, &arena, see_table, NULL, &test_err));
  CHECK_STR(wh_buf_str(&out), WH_STR("part 2; "));
  wh_source_query q = {.query = WH_STR("SELECT * FROM m")};
  CHECK_FAILS(read_query(&q), WH_ERR_DENIED);
  CHECK_ERROR_HAS("place: reading the query: permission denied for materialized view m (42501). "
                  "GRANT gives the user what is missing");
  sql("REVOKE ALL ON part FROM guest; DROP ROLE guest");
}

PG_TEST(estimates_rows_of_large_tables) {
  sql("CREATE TABLE t (s text); INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, "
      "12345); ANALYZE t");
  wh_source_info info;
  wh_source_query q = {.table = WH_STR("t")};
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  CHECK_EQ(info.rows_estimate, 12000);
}

PG_TEST(takes_queries_apart) {
  sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
  check_read("SELECT ';' AS a; -- ; /*", ";\n");
  check_read("/* ; /* nested */ ; */ (SELECT 1 AS a)", "1\n");
  check_read("SELECT $$a;'b$$ AS a, $x$;$$;$x$ AS b", "a;'b|;$$;\n");
  check_read("SELECT E'\\';' AS a, 'it''s;' AS b, 1 AS \"c;\"", "';|it's;|1\n");
  check_read("VALUES (1, 'x')", "1|x\n");
  check_read("TABLE t", "1\n2\n");
  check_read("SELECT 1 AS \"ü\"\n;\n", "1\n");
  static const struct {
    const char *query, *says;
  } bad[] = {
      {" ", "is empty"},
      {"-- nothing", "is empty"},
      {"SELECT 1; SELECT 2", "has more than one statement"},
      {"insert into t values (3)", "would write"},
      {"(WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x)", "does not run"},
      {"WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x", "does not run"},
      {"SHOW server_version", "is not a SELECT that gives rows"},
      {"SELECT", "gives no rows"},
      {"SELECT a,\n  b FROM t", "does not run: column \"b\" does not exist, at line 2, column 3"},
      {"SELECT 'ä', b FROM t", "at line 1, column 13"},
      {"SELECT a FROM t WHERE", "does not run: syntax error at end of input, at line 1, column 22"},
      {"SELECT 'x", "does not run: unterminated quoted string"},
      {"SELECT nextval('s')", "does not run: relation \"s\" does not exist"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wh_source_query q = {.query = wh_str_of(bad[i].query)};
    wh_status status = read_query(&q);
    if (!CHECK_EQ(status, WH_ERR_USAGE) || !CHECK_ERROR_HAS(bad[i].says))
      test_note("%s: %s", bad[i].query, test_err.text);
  }
  sql("CREATE SEQUENCE s; CREATE FUNCTION w() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES "
      "(3) RETURNING a'");
  wh_source_query q = {.query = WH_STR("SELECT w() AS a")};
  CHECK_FAILS(read_query(&q), WH_ERR_USAGE);
  CHECK_ERROR_HAS("cannot execute INSERT in a read-only transaction (25006). A source only reads");
  q.query = WH_STR("SELECT 1 / (a - 1) AS a FROM t");
  CHECK_FAILS(read_query(&q), WH_ERR_DATA);
  CHECK_ERROR_HAS("place: reading the query: division by zero (22012)");
  CHECK_STR(wh_str_of(ask("SELECT count(*) FROM t")), WH_STR("2"));
}

PG_TEST(reads_wide_and_long_rows) {
  wh_buf_add_c(&out, "CREATE TABLE wide (");
  for (int i = 0; i < 1000; i++)
    wh_buf_printf(&out, "%sc%d int DEFAULT %d", i ? ", " : "", i, i);
  wh_buf_add_c(&out, "); INSERT INTO wide DEFAULT VALUES");
  sql(out.data);
  wh_source_query q = {.table = WH_STR("wide")};
  REQUIRE_OK(read_query(&q));
  CHECK(wh_str_starts(wh_buf_str(&out), "0|1|2|3|") && wh_str_ends(wh_buf_str(&out), "|998|999\n"));
  q = (wh_source_query){.query =
                            WH_STR("SELECT repeat('y', 1048576) AS s, NULL::text AS n, '' AS e")};
  REQUIRE_OK(read_query(&q));
  CHECK_EQ(out.len, 1048576 + 4);
  c.row_limit_bytes = 1 << 20;
  CHECK_FAILS(read_query(&q), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: row 1 of the query is larger than 1048576 bytes");
}

PG_TEST(reads_no_columns) {
  sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3)");
  wh_schema none = {0};
  wh_source_query q = {.table = WH_STR("t")};
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(c.type->source->open(&c, &q, &none, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  CHECK_EQ(batch.rows, 3);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// --- cursors
// ---------------------------------------------------------------------------------------

static PGconn *other(void) {
  char port[16];
  snprintf(port, sizeof port, "%d", test_postgres_port());
  const char *keys[] = {"host", "port", "dbname", "user", "password", NULL};
  const char *values[] = {
      "127.0.0.1", port, options.server.database.data, "wherry", options.server.password.data,
      NULL};
  PGconn *conn = PQconnectdbParams(keys, values, 0);
  CHECK(PQstatus(conn) == CONNECTION_OK);
  return conn;
}

static void say(PGconn *conn, const char *text) {
  PGresult *result = PQexec(conn, text);
  ExecStatusType status = PQresultStatus(result);
  if (!CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK))
    test_note("%s: %s", text, PQresultErrorMessage(result));
  PQclear(result);
}

#define TRIGGER                                                                                    \
  "CREATE TABLE t (n int PRIMARY KEY, changed xid8);"                                              \
  "CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS "                             \
  "$$ BEGIN NEW.changed := pg_current_xact_id(); RETURN NEW; END $$;"                              \
  "CREATE TRIGGER note_change BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION "         \
  "note_change();"

// What a run with an exact cursor reads, from where the last one ended.
static void run_exact(wh_value *last, const char *want) {
  wh_str columns[] = {WH_STR("n")};
  wh_source_query q = {.table = WH_STR("t"),
                       .columns = columns,
                       .column_count = 1,
                       .cursor = WH_STR("changed"),
                       .has_from = !last->is_null,
                       .from = *last};
  wh_source_info info;
  wh_bound bound;
  wh_reader *reader;
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  CHECK_EQ(info.cursor_kind, WH_CURSOR_EXACT);
  REQUIRE_OK(c.type->source->bound(&c, &q, &arena, &bound, &test_err));
  CHECK(bound.has_to);
  q.has_to = true;
  q.to = bound.to;
  wh_schema schema = {.count = 1, .fields = info.schema.fields};
  REQUIRE_OK(c.type->source->open(&c, &q, &schema, &reader, &test_err));
  wh_buf_clear(&out);
  CHECK_OK(rows_read(reader, &rejects, &out, &test_err));
  wh_reader_close(reader);
  rows_sort(&out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  *last = bound.to;
}

PG_TEST(exact_cursor_loses_no_row_of_a_long_transaction) {
  sql(TRIGGER "INSERT INTO t VALUES (1), (2)");
  wh_value last = {.is_null = true};
  run_exact(&last, "1\n2\n");
  PGconn *slow = other();
  say(slow, "BEGIN; INSERT INTO t VALUES (3); UPDATE t SET n = 20 WHERE n = 2");
  sql("INSERT INTO t VALUES (4)"); // of a later transaction, which ends first
  run_exact(&last, "");
  sql("INSERT INTO t VALUES (5)");
  run_exact(&last, "");
  say(slow, "SAVEPOINT s; INSERT INTO t VALUES (6); COMMIT");
  run_exact(&last, "20\n3\n4\n5\n6\n");
  run_exact(&last, "");
  sql("UPDATE t SET n = n WHERE n = 1");
  run_exact(&last, "1\n");
  PQfinish(slow);
}

PG_TEST(exact_cursor_of_many_writers) {
  sql(TRIGGER);
  PGconn *writers[4];
  bool busy[4] = {false};
  int written = 0, seen = 0;
  for (int i = 0; i < 4; i++)
    writers[i] = other();
  wh_value last = {.is_null = true};
  wh_str columns[] = {WH_STR("n")};
  for (int step = 0; step < 120; step++) {
    int w = (int)test_random_below(4);
    char text[80];
    snprintf(text, sizeof text, "%sINSERT INTO t VALUES (%d)", busy[w] ? "" : "BEGIN; ", written);
    switch (step >= 110 ? 1 : test_random_below(4)) {
    case 0:
      say(writers[w], text);
      written++;
      busy[w] = true;
      break;
    case 1:
      w = step >= 110 ? step % 4 : w;
      if (busy[w]) say(writers[w], "COMMIT");
      busy[w] = false;
      break;
    default:
      break;
    }
    if (step % 6 && step != 119) continue;
    wh_source_query q = {.table = WH_STR("t"),
                         .columns = columns,
                         .column_count = 1,
                         .cursor = WH_STR("changed"),
                         .has_from = !last.is_null,
                         .from = last,
                         .has_to = true};
    wh_bound bound;
    REQUIRE_OK(c.type->source->bound(&c, &q, &arena, &bound, &test_err));
    q.to = bound.to;
    REQUIRE_OK(read_query(&q));
    for (size_t i = 0; i < out.len; i++)
      seen += out.data[i] == '\n';
    last = bound.to;
  }
  CHECK_EQ(seen, written);
  for (int i = 0; i < 4; i++)
    PQfinish(writers[i]);
}

PG_TEST(windowed_cursor_goes_by_the_servers_clock) {
  sql("CREATE TABLE t (n int, at timestamptz)");
  wh_bound bound;
  wh_source_query q = {.table = WH_STR("t"), .cursor = WH_STR("at")};
  REQUIRE_OK(c.type->source->bound(&c, &q, &arena, &bound, &test_err));
  int64_t apart = bound.clock_us - wh_now_us(c.os);
  CHECK(!bound.has_to && apart < 60000000 && apart > -60000000);
  q.cursor = WH_STR("aat");
  CHECK_FAILS(c.type->source->bound(&c, &q, &arena, &bound, &test_err), WH_ERR_NOT_FOUND);
}

PG_TEST(keeps_pace) {
  sql("CREATE TABLE t AS SELECT generate_series(1, 60) AS n");
  options.server.rows_per_second = 100;
  int64_t before = c.os->type->monotonic_ns(c.os);
  wh_source_query q = {.table = WH_STR("t")};
  CHECK_OK(read_query(&q));
  int64_t ms = (c.os->type->monotonic_ns(c.os) - before) / 1000000;
  CHECK(ms >= 450);
  if (ms > 5000) test_note("60 rows took %lld ms", (long long)ms);
}

// --- errors
// ----------------------------------------------------------------------------------------

static void check_reach(wh_status status, const char *says) {
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &test_mem, 0);
  test_err = (wh_error){0};
  if (!CHECK_EQ(c.type->reach(&c, &note, &test_err), status)) test_note("%s", test_err.text);
  const char *text = status == WH_OK ? (note.data ? note.data : "") : test_err.text;
  if (!CHECK(strstr(text, says) != NULL)) test_note("%s", text);
  CHECK(!strstr(text, "secret"));
}

PG_TEST(says_why_it_cannot_connect) {
  char text[200];
  sql("CREATE TABLE t (a int)");
  check_reach(WH_OK, "1 table, ");
  check_reach(WH_OK, "MB, PostgreSQL 1");
  wh_server *s = &options.server, good = *s;
  s->password = WH_STR("not the secret");
  snprintf(text, sizeof text,
           "place: 127.0.0.1:%d does not let wherry in: password refused (28P01). Check user and "
           "password",
           test_postgres_port());
  check_reach(WH_ERR_DENIED, text);
  CHECK(!test_err.retry);
  s->password = (wh_str){0};
  check_reach(WH_ERR_DENIED, "wants a password, and none is given. Set `password`");
  *s = good;
  s->database = WH_STR("nowhere");
  check_reach(WH_ERR_NOT_FOUND, "has no database 'nowhere' (3D000). Check `database`");
  *s = good;
  s->host = WH_STR("no-such-host.invalid");
  wh_buf_clear(&out); // where there is no resolver, nobody knows that there is no such name
  CHECK_EQ(c.type->reach(&c, &out, &test_err),
           test_err.retry ? WH_ERR_UNAVAILABLE : WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("'no-such-host.invalid'");
  *s = good;
  s->port = 1;
  check_reach(WH_ERR_UNAVAILABLE, "127.0.0.1:1 does not answer: nobody listens there");
  CHECK(test_err.retry);
  *s = good;
  s->tls = WH_TLS_REQUIRE;
  check_reach(WH_ERR_DENIED, "has no TLS. Switch it on there, or say tls: off");
  *s = good;
  s->tls = WH_TLS_VERIFY;
  s->tls_ca = WH_STR("/nowhere/ca.pem");
  check_reach(WH_ERR_NOT_FOUND, "no file /nowhere/ca.pem, which tls_ca names");
  *s = good;
  sql("CREATE ROLE locked LOGIN PASSWORD 'x'; REVOKE CONNECT ON DATABASE template1 FROM PUBLIC");
  s->user = WH_STR("locked");
  s->password = WH_STR("x");
  s->database = WH_STR("template1");
  check_reach(WH_ERR_DENIED, "does not let locked into database 'template1' (42501)");
  sql("GRANT CONNECT ON DATABASE template1 TO PUBLIC; DROP ROLE locked");
}

// A listener that never says a word.
PG_TEST(gives_up_on_a_silent_server) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  REQUIRE(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 4) == 0);
  REQUIRE(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
  options.server.port = ntohs(address.sin_port);
  options.server.connect_timeout_us = 300000;
  check_reach(WH_ERR_UNAVAILABLE, "within 0.3 s. Check host, port and firewall");
  CHECK(test_err.retry);
  atomic_bool cancel = true;
  c.cancel = &cancel;
  check_reach(WH_ERR_CANCELLED, "asked to stop");
  c.cancel = NULL;
  close(fd);
}

static void make_certificate(const char *name, const char *host) {
  char command[1024];
  snprintf(command, sizeof command,
           "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout %s.key -out %s.crt "
           "-subj /CN=%s -addext subjectAltName=%s >/dev/null 2>&1",
           test_postgres_folder(), name, name, host, host[0] == '1' ? "IP:127.0.0.1" : "DNS:other");
  CHECK_EQ(system(command), 0);
}

static void serve_certificate(const char *name) {
  char path[200], text[600];
  const char *const ends[] = {"crt", "key"};
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s.%s", test_postgres_folder(), name, ends[i]);
    test_postgres_own(path);
  }
  snprintf(text, sizeof text, "ALTER SYSTEM SET ssl_cert_file = '%s/%s.crt'",
           test_postgres_folder(), name);
  sql(text);
  snprintf(text, sizeof text, "ALTER SYSTEM SET ssl_key_file = '%s/%s.key'", test_postgres_folder(),
           name);
  sql(text);
  sql("ALTER SYSTEM SET ssl = on");
  sql("SELECT pg_reload_conf()");
  usleep(300000);
}

PG_TEST(verifies_certificates) {
  static char ca[200];
  make_certificate("good", "127.0.0.1");
  make_certificate("other", "other");
  serve_certificate("good");
  options.server.tls = WH_TLS_REQUIRE;
  check_reach(WH_OK, "TLS, certificate not verified");
  options.server.tls = WH_TLS_VERIFY;
  check_reach(WH_ERR_DENIED, "shows a certificate that nobody trusted has signed");
  snprintf(ca, sizeof ca, "%s/good.crt", test_postgres_folder());
  options.server.tls_ca = wh_str_of(ca);
  check_reach(WH_OK, "TLS, certificate verified");
  check_read("SELECT n, repeat('x', 3000) IS NULL AS s FROM generate_series(1, 3) AS n",
             "1|false\n2|false\n3|false\n");
  wh_source_query q = {.query =
                           WH_STR("SELECT repeat('z', 20000) AS s FROM generate_series(1, 300)")};
  CHECK_OK(read_query(&q)); // records of TLS that do not end where messages do
  CHECK_EQ(out.len, 300 * 20001);
  serve_certificate("other");
  snprintf(ca, sizeof ca, "%s/other.crt", test_postgres_folder());
  check_reach(WH_ERR_DENIED, "shows a certificate of 'other', not of '127.0.0.1'");
  sql("ALTER SYSTEM RESET ALL");
  sql("SELECT pg_reload_conf()");
  usleep(300000);
}

static wh_status open_long(wh_reader **ret, wh_batch *batch) {
  wh_source_info info;
  wh_source_query q = {
      .query = WH_STR("SELECT n, repeat('x', 1000) AS s FROM generate_series(1, 200000) AS n")};
  WH_TRY(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  static wh_schema schema;
  schema = info.schema;
  WH_TRY(c.type->source->open(&c, &q, &schema, ret, &test_err));
  WH_TRY(wh_batch_init(batch, &test_mem, (*ret)->schema, &test_err));
  return (*ret)->next(*ret, batch, &rejects.base, &test_err);
}

static wh_status read_on(wh_reader *reader, wh_batch *batch) {
  wh_status status = WH_OK;
  while (status == WH_OK && batch->rows) {
    wh_batch_reset(batch);
    status = reader->next(reader, batch, &rejects.base, &test_err);
  }
  return status;
}

PG_TEST(tells_of_a_server_that_stops_in_the_middle) {
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(open_long(&reader, &batch));
  test_postgres_stop();
  CHECK_FAILS(read_on(reader, &batch), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  CHECK_ERROR_HAS("place: reading the query: ");
  wh_batch_free(&batch);
  wh_reader_close(reader);
  CHECK(!test_postgres_start());
  REQUIRE_OK(open_long(&reader, &batch));
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> "
      "pg_backend_pid()");
  CHECK_FAILS(read_on(reader, &batch), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

typedef struct later {
  atomic_bool flag;
} later;

static void *stop_later(void *context) {
  usleep(300000);
  atomic_store(&((later *)context)->flag, true);
  return NULL;
}

PG_TEST(stops_a_long_statement) {
  later l = {.flag = false};
  c.cancel = &l.flag;
  pthread_t thread;
  pthread_create(&thread, NULL, stop_later, &l);
  int64_t before = c.os->type->monotonic_ns(c.os);
  wh_source_query q = {.query = WH_STR("SELECT pg_sleep(30)::text AS s")};
  CHECK_FAILS(read_query(&q), WH_ERR_CANCELLED);
  CHECK_ERROR_HAS("place: asked to stop");
  CHECK((c.os->type->monotonic_ns(c.os) - before) / 1000000000 < 10);
  pthread_join(thread, NULL);
  c.cancel = NULL;
  options.server.statement_timeout_us = 200000;
  CHECK_FAILS(read_query(&q), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("See `statement_timeout`");
  options.server.statement_timeout_us = 0;
  sql("CREATE TABLE t (a int)");
  PGconn *holder = other();
  say(holder, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  q = (wh_source_query){.query = WH_STR("SELECT * FROM t")};
  CHECK_FAILS(read_query(&q), WH_ERR_BUSY);
  CHECK(test_err.retry);
  CHECK_ERROR_HAS("Somebody else holds the lock");
  PQfinish(holder);
}

// --- the sink
// --------------------------------------------------------------------------------------

typedef struct loading {
  wh_schema schema;
  wh_target target;
  wh_sink *sink;
  wh_mark mark;
  wh_load load;
} loading;

static wh_status begin_load(loading *l, const char *schema, wh_write_mode mode) {
  static wh_str key[1];
  key[0] = WH_STR("k");
  rows_schema(schema, &arena, &l->schema);
  l->target = (wh_target){.table = WH_STR("orders"),
                          .schema = &l->schema,
                          .mode = mode,
                          .key = key,
                          .key_count = mode == WH_WRITE_APPEND ? 0 : 1};
  l->load = (wh_load){.pipeline = WH_STR("import"),
                      .object = WH_STR("one"),
                      .run = WH_STR("run-1"),
                      .order = 1,
                      .epoch = 1,
                      .now_us = 1795251600000000};
  WH_TRY(c.type->sink->open(&c, &l->target, 1, &l->sink, &test_err));
  WH_TRY(c.type->sink->prepare(l->sink, &test_err));
  return c.type->sink->begin(l->sink, &l->load, &arena, &l->mark, &test_err);
}

static wh_status write_rows(loading *l, const char *rows) {
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, &test_mem, &l->schema, &test_err));
  rows_add(&batch, rows);
  l->mark.counts.read += batch.rows;
  wh_status status =
      c.type->sink->write(l->sink, 0, &batch, &rejects.base, &l->mark.counts, &test_err);
  wh_batch_free(&batch);
  return status;
}

static wh_status end_load(loading *l) {
  l->mark.done = true;
  WH_TRY(c.type->sink->mark(l->sink, &l->mark, &test_err));
  return c.type->sink->commit(l->sink, &test_err);
}

// Loads the rows into the table, which is there, and reads them back.
static void check_load(const char *schema, wh_write_mode mode, const char *rows, const char *want) {
  loading l = {0};
  wh_buf_clear(&rejects.text);
  wh_status status = begin_load(&l, schema, mode);
  if (status == WH_OK) status = write_rows(&l, rows);
  if (status == WH_OK) status = end_load(&l);
  wh_error why = test_err;
  c.type->sink->close(l.sink);
  if (!test_check_ok(status, &why, __FILE__, __LINE__, rows)) return;
  WH_CLEAN_BUF wh_buf kept;
  wh_buf_init(&kept, &out_mem, 0);
  wh_buf_add_str(&kept, wh_buf_str(&rejects.text));
  wh_source_query q = {.table = WH_STR("orders")};
  REQUIRE_OK(read_query(&q));
  rows_sort(&out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  wh_buf_clear(&rejects.text);
  wh_buf_add_str(&rejects.text, wh_buf_str(&kept));
}

PG_TEST(fills_columns_of_other_types) {
  sql("CREATE TYPE mood AS ENUM ('sad', 'ok');"
      "CREATE TABLE orders (k uuid PRIMARY KEY, a int2, b numeric(5,2), c numeric, d float8, "
      "e varchar(3), f char(4), g json, h jsonb, i mood, j timestamp(0), l int4[], m text[], "
      "n text)");
  const char *schema = "k string!; a int64; b decimal(10,3); c int64; d int32; e string; f string; "
                       "g string; h string; i string; j timestamp[us]; l list<int32?>; "
                       "m list<string?>; n struct<x: int64?>";
  loading l = {0};
  REQUIRE_OK(begin_load(&l, schema, WH_WRITE_UPSERT));
  wh_batch batch;
  REQUIRE_OK(wh_batch_init(&batch, &test_mem, &l.schema, &test_err));
  static const char *const texts[] = {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                                      "-7",
                                      "123.450",
                                      "9223372036854775807",
                                      "5",
                                      "äöü",
                                      "ab",
                                      "{\"a\": [1]}",
                                      "{\"b\": 2}",
                                      "ok",
                                      "2026-11-21T08:55:00"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    wh_value v;
    REQUIRE_OK(
        wh_value_parse(wh_str_of(texts[i]), &batch.columns[i].type, &batch.arena, &v, &test_err));
    REQUIRE_OK(wh_value_add(&batch.columns[i], &v, &test_err));
  }
  CHECK_OK(wh_column_add_list(&batch.columns[11], &test_err));
  CHECK_OK(wh_column_add_text(&batch.columns[12].children[0], WH_STR("a\"b\\"), &test_err));
  CHECK_OK(wh_column_add_null(&batch.columns[12].children[0], &test_err));
  CHECK_OK(wh_column_add_list(&batch.columns[12], &test_err));
  CHECK_OK(wh_column_add_i64(&batch.columns[13].children[0], 5, &test_err));
  CHECK_OK(wh_column_add_struct(&batch.columns[13], &test_err));
  wh_batch_row_end(&batch);
  CHECK_OK(c.type->sink->write(l.sink, 0, &batch, &rejects.base, &l.mark.counts, &test_err));
  CHECK_OK(end_load(&l));
  c.type->sink->close(l.sink);
  wh_batch_free(&batch);
  wh_source_query q = {.table = WH_STR("orders")};
  REQUIRE_OK(read_query(&q));
  CHECK_STR(wh_buf_str(&out),
            WH_STR("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|-7|123.45|9223372036854775807|5|äöü|ab|"
                   "{\"a\": [1]}|{\"b\": 2}|ok|2026-11-21T08:55:00|[]|[\"a\\\"b\\\\\",null]|"
                   "{\"x\":5}\n"));
  CHECK_STR(wh_buf_str(&rejects.text), WH_STR(""));
}

PG_TEST(rejects_values_that_a_column_cannot_hold) {
  sql("CREATE TYPE mood AS ENUM ('sad', 'ok');"
      "CREATE TABLE orders (k text PRIMARY KEY, a int2, b numeric(5,2), e varchar(3), f char(4), "
      "g uuid, i mood, j timestamp(0), l json)");
  const char *schema = "k string!; a int64; b decimal(10,3); e string; f string; g string; "
                       "i string; j timestamp[us]; l string";
  check_load(schema, WH_WRITE_UPSERT,
             "a|40000|~|~|~|~|~|~|~\nb|~|1.005|~|~|~|~|~|~\nc|~|1000.000|~|~|~|~|~|~\n"
             "d|~|~|äöüx|~|~|~|~|~\ne|~|~|~|ab |~|~|~|~\nf|~|~|~|~|nope|~|~|~\n"
             "g|~|~|~|~|~|glad|~|~\nh|~|~|~|~|~|~|2026-11-21T08:55:00.5|~\n"
             "i|~|~|~|~|~|~|~|{\nj|1|1.250|abc|abcd|~|sad|~|[]",
             "j|1|1.25|abc|abcd|~|sad|~|[]\n");
  CHECK_STR(wh_buf_str(&rejects.text),
            WH_STR("type|a|40000 is out of range of smallint|1\n"
                   "type|b|1.005 has 3 decimal places, numeric(5,2) keeps 2|2\n"
                   "type|b|1000.000 is out of range of numeric(5,2)|3\n"
                   "type|e|has 4 characters, character varying(3) keeps 3|4\n"
                   "type|f|ends in blanks, which character(4) does not keep|5\n"
                   "type|g|is no UUID|6\n"
                   "type|j|is finer than timestamp(0) without time zone keeps|8\n"
                   "constraint||invalid input value for enum mood: \"glad\"|7\n"
                   "constraint||invalid input syntax for type json|9\n"));
}

// One column whose binary form only the server knows makes the whole copy one of text.
PG_TEST(writes_as_text_what_it_must) {
  sql("CREATE TABLE orders (k text PRIMARY KEY, ip inet, v interval, b bool, n bigint, d "
      "numeric(12,2), f float8, day date, t time, at timestamptz, x bytea, s text, r int4range)");
  const char *schema = "k string!; ip string; v string; b bool; n int64; d decimal(12,2); f "
                       "float64; day date; t time[us]; at timestamp[us,UTC]; x binary; s string; "
                       "r string";
  check_load(schema, WH_WRITE_UPSERT,
             "a|10.0.0.1|P1DT2H|true|-5|-0.05|1e-300|0001-01-01|23:59:59.999999|"
             "9999-12-31T23:59:59.999999Z|AP8=|tab\there \\N \\\\ x|[1,5)\n"
             "b|~|~|~|~|~|~|~|~|~|~|~|~\nc|300.0.0.1|~|~|~|~|~|~|~|~|~|~|~",
             "a|10.0.0.1/32|P1DT2H|true|-5|-0.05|1e-300|0001-01-01|23:59:59.999999|"
             "9999-12-31T23:59:59.999999Z|AP8=|tab\there \\N \\\\ x|[1,5)\n"
             "b|~|~|~|~|~|~|~|~|~|~|~|~\n");
  CHECK_STR(wh_buf_str(&rejects.text),
            WH_STR("constraint||invalid input syntax for type inet: \"300.0.0.1\"|3\n"));
}

PG_TEST(writes_into_partitions) {
  sql("CREATE TABLE orders (k text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, "
      "PRIMARY KEY (k)) PARTITION BY LIST (k);"
      "CREATE TABLE orders_a PARTITION OF orders FOR VALUES IN ('a');"
      "CREATE TABLE orders_b PARTITION OF orders FOR VALUES IN ('b')");
  check_load("k string!; n int64", WH_WRITE_UPSERT, "a|1\nb|2\nc|3", "a|1|2\nb|2|4\n");
  CHECK_STR(wh_buf_str(&rejects.text),
            WH_STR("constraint||no partition of relation \"orders\" found for row|3\n"));
}

PG_TEST(writes_keys_that_count_by_themselves) {
  sql("CREATE TABLE orders (k bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int)");
  check_load("k int64!; n int64", WH_WRITE_UPSERT, "10|1\n20|2", "10|1\n20|2\n");
  sql("DELETE FROM _wherry_marks");
  check_load("k int64!; n int64", WH_WRITE_REPLACE, "10|3", "10|3\n");
}

PG_TEST(keeps_a_load_whole_when_the_server_stops) {
  loading l = {0};
  REQUIRE_OK(begin_load(&l, "k string!; n int64", WH_WRITE_UPSERT));
  CHECK_OK(write_rows(&l, "a|1"));
  test_postgres_stop();
  CHECK_FAILS(write_rows(&l, "b|2"), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  c.type->sink->close(l.sink);
  CHECK(!test_postgres_start());
  CHECK_STR(wh_str_of(ask("SELECT count(*) FROM orders")), WH_STR("0"));
  REQUIRE_OK(begin_load(&l, "k string!; n int64", WH_WRITE_UPSERT));
  CHECK(!l.mark.found);
  CHECK_OK(write_rows(&l, "a|1"));
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wherry' "
      "AND pid <> pg_backend_pid()");
  CHECK_FAILS(end_load(&l), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  c.type->sink->close(l.sink);
  CHECK_STR(wh_str_of(ask("SELECT count(*) FROM orders")), WH_STR("0"));
}

PG_TEST(makes_numerics_of_every_size) {
  sql("CREATE TABLE orders (k text PRIMARY KEY, a numeric(38,0), b numeric(38,38), d "
      "numeric(38,19), "
      "u numeric(20,0))");
  for (int i = 0; i < 40; i++) {
    sql("TRUNCATE orders; DROP TABLE IF EXISTS _wherry_marks, _wherry_order_orders");
    unsigned __int128 unscaled = 0;
    size_t len = 1 + (size_t)test_random_below(38);
    for (size_t k = 0; k < len; k++)
      unscaled = unscaled * 10 + (test_random_below(3) ? test_random_below(10) : 0);
    __int128 value = i % 2 ? -(__int128)unscaled : (__int128)unscaled;
    WH_CLEAN_BUF wh_buf row;
    wh_buf_init(&row, &out_mem, 0);
    wh_buf_add_c(&row, "x|");
    wh_decimal_write(value, 0, &row);
    wh_buf_add_char(&row, '|');
    wh_decimal_write(value, 38, &row);
    wh_buf_add_char(&row, '|');
    wh_decimal_write(value, 19, &row);
    wh_buf_printf(&row, "|%llu\n", (unsigned long long)test_random());
    check_load("k string!; a decimal(38,0); b decimal(38,38); d decimal(38,19); u uint64",
               WH_WRITE_UPSERT, row.data, row.data);
    if (test_failed()) break;
  }
}

PG_TEST(finds_rows_by_odd_keys) {
  sql("CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok');"
      "CREATE TABLE t (n int, u uuid, c citext, f char(5), m mood, d numeric(9,2), i interval);"
      "INSERT INTO t VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'Ab', 'xy', 'ok', 1.50, "
      "'1 day')");
  static const struct {
    const char *column, *value;
    bool found;
  } cases[] = {
      {"u", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", true},
      {"u", "nothing", false},
      {"c", "Ab", true},
      {"c", "ab", false},
      {"f", "xy", true},
      {"m", "ok", true},
      {"m", "glad", false},
      {"d", "1.5", true},
      {"d", "1.505", false},
      {"i", "P1D", true},
      {"n", "1; DROP TABLE t", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    wh_str key = wh_str_of(cases[i].column), show = WH_STR("n");
    wh_finder *finder;
    wh_batch batch;
    wh_value v = {.type = wh_type_of(WH_STRING), .as.s = wh_str_of(cases[i].value)};
    REQUIRE_OK(c.type->source->open_finder(&c, WH_STR("t"), &key, 1, &show, 1, &finder, &test_err));
    CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
    for (int again = 0; again < 2; again++)
      CHECK_OK(finder->find(finder, &v, &batch, &test_err));
    if (!CHECK_EQ(batch.rows, cases[i].found ? 2 : 0))
      test_note("%s %s", cases[i].column, cases[i].value);
    wh_batch_free(&batch);
    finder->close(finder);
  }
}

PG_TEST(finder_survives_without_memory) {
  sql("CREATE TABLE t (n int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'x')");
  wh_str key = WH_STR("n"), show = WH_STR("s");
  for (size_t n = 1;; n++) {
    wh_finder *finder = NULL;
    wh_batch batch = {0};
    wh_value v = {.type = wh_type_of(WH_INT64), .as.i = 1};
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status =
        c.type->source->open_finder(&c, WH_STR("t"), &key, 1, &show, 1, &finder, &test_err);
    if (status == WH_OK) status = wh_batch_init(&batch, &test_mem, finder->schema, &test_err);
    if (status == WH_OK) status = finder->find(finder, &v, &batch, &test_err);
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    wh_batch_free(&batch);
    if (finder) finder->close(finder);
    if (!refused) {
      CHECK_EQ(status, WH_OK);
      test_note("%zu allocations failed in turn", n - 1);
      break;
    }
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
  }
}

// --- grants ------------------------------------------------------------------------------------

static wh_status add_grant(void *context, const wh_grant *grant, wh_error *err) {
  wh_buf *text = context;
  wh_buf_printf(text, "%.*s; ", WH_STR_ARG(grant->sql.len ? grant->sql : grant->why));
  return wh_buf_check(text, err);
}

static wh_status ask_grants(const wh_need *needs, size_t count) {
  wh_grants_request request = {.needs = needs, .count = count, .user = WH_STR("us\"er")};
  wh_arena_reset(&arena);
  wh_buf_clear(&out);
  return c.type->grants(&c, &request, &arena, add_grant, &out, &test_err);
}

PG_TEST(grants_of_views_and_of_queries_over_them) {
  sql("CREATE TABLE base (a int, \"b c\" text, secret text)");
  sql("CREATE VIEW shown AS SELECT a, \"b c\" FROM base");
  sql("CREATE TABLE other (a int)");
  wh_str a = WH_STR("a");
  wh_need needs[] = {
      {.who = WH_STR("one"), .table = WH_STR("shown"), .columns = &a, .column_count = 1},
      {.who = WH_STR("two"),
       .query = WH_STR("SELECT \"b c\" AS x, o.a FROM shown, other o -- all"),
       .every_column = true},
      {.who = WH_STR("three"), .query = WH_STR("SELECT count(*) AS n FROM base")},
      {.who = WH_STR("four"), .query = WH_STR("SELECT 1 FROM nowhere")},
      {.who = WH_STR("five"), .table = WH_STR("nowhere"), .every_column = true},
  };
  if (CHECK_OK(ask_grants(needs, 5))) {
    const char *text = wh_buf_str(&out).data;
    CHECK(strstr(text, "GRANT SELECT (\"a\", \"b c\") ON \"public\".\"shown\" TO \"us\"\"er\""));
    CHECK(strstr(text, "GRANT SELECT (\"a\") ON \"public\".\"other\" TO"));
    CHECK(strstr(text, "GRANT SELECT ON \"public\".\"base\" TO"));
    CHECK(strstr(text, "four wants SELECT on the tables of its query: SELECT 1 FROM nowhere"));
    CHECK(strstr(text, "five reads 'nowhere', which is not there, or not to be seen"));
  }
  for (size_t n = 1;; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = ask_grants(needs, 3);
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    if (!CHECK_EQ(status, refused ? WH_ERR_MEMORY : WH_OK) || !refused) break;
  }
}

#else

#include "test.h"

TEST(postgres_is_not_built) {
  SKIP("this build has no PostgreSQL");
}

#endif
