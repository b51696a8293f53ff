// The connector mysql against a MariaDB server: types both ways, errors, snapshots, lines that are
// cut.
#ifdef WHERRY_MYSQL
#include "connect/mysql/driver.h"
#include "connect/mysql/mysql.h"
#include "mariadb_server.h"
#include "row_text.h"

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static wh_os_real real_os;
static wh_mysql_options options;
static wh_connection c;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem; // what tests collect is not what they measure
static rows_rejects rejects;

static bool set_up(void) {
  const char *reason = mariadb_start();
  if (reason) {
    test_skip(reason);
    return false;
  }
  if (!CHECK_OK(wh_os_real_init(&real_os, &test_mem, &test_err))) return false;
  mariadb_open(&c, &options, &real_os.base, &test_mem);
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &out_mem, 0);
  rows_rejects_init(&rejects);
  return true;
}

static void tear_down(void) {
  rows_rejects_free(&rejects);
  wh_buf_free(&out);
  wh_arena_free(&arena);
  wh_os_real_free(&real_os);
}

#define SERVED(ident)                                                                              \
  static void served_##ident(void);                                                                \
  TEST(ident) {                                                                                    \
    if (!set_up()) return;                                                                         \
    served_##ident();                                                                              \
    tear_down();                                                                                   \
  }                                                                                                \
  static void served_##ident(void)

static const char *described(const wh_source_query *q) {
  wh_source_info info;
  wh_buf_clear(&out);
  if (!CHECK_OK(c.type->source->describe(&c, q, &arena, &info, &test_err))) return "";
  rows_write_schema(&info.schema, &out);
  return wh_arena_cstr(&arena, wh_buf_str(&out));
}

static wh_status read_all(const wh_source_query *q) {
  wh_source_info info;
  wh_buf_clear(&out);
  wh_buf_clear(&rejects.text);
  WH_TRY(c.type->source->describe(&c, q, &arena, &info, &test_err));
  wh_schema schema = info.schema;
  if (q->column_count) {
    wh_field *fields = WH_NEW_ARRAY(&arena, q->column_count, wh_field);
    for (size_t i = 0; i < q->column_count; i++)
      fields[i] = info.schema.fields[wh_schema_find(&info.schema, q->columns[i])];
    schema = (wh_schema){.count = q->column_count, .fields = fields};
  }
  wh_reader *reader;
  WH_TRY(c.type->source->open(&c, q, &schema, &reader, &test_err));
  wh_status status = rows_read(reader, &rejects, &out, &test_err);
  wh_reader_close(reader);
  return status;
}

static void check_rows(const wh_source_query *q, const char *want) {
  if (!CHECK_OK(read_all(q))) return;
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

static void check_rejects(const char *want) {
  CHECK_STR(wh_buf_str(&rejects.text), wh_str_of(want));
}

#define TABLE(name) (&(wh_source_query){.table = WH_STR(name)})
#define QUERY(text) (&(wh_source_query){.query = WH_STR(text)})

// --- The source's types --------------------------------------------------------------------------

SERVED(mysql_reads_numbers) {
  mariadb_sql(&c, "CREATE TABLE t (b BOOLEAN, t8 TINYINT, u8 TINYINT UNSIGNED, i16 SMALLINT, u16 "
                  "SMALLINT UNSIGNED, i24 MEDIUMINT, u24 MEDIUMINT UNSIGNED, i32 INT, u32 INT "
                  "UNSIGNED, i64 BIGINT, u64 BIGINT UNSIGNED, f FLOAT, d DOUBLE, x DECIMAL(12,2), "
                  "ux DECIMAL(5,5) UNSIGNED, w DECIMAL(38,10), one BIT(1), many BIT(64), y YEAR);"
                  "INSERT INTO t VALUES (1, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, "
                  "4294967295, 9223372036854775807, 18446744073709551615, 3.4028234e38, "
                  "1.7976931348623157e308, 9999999999.99, 0.99999, "
                  "9999999999999999999999999999.9999999999, 1, 18446744073709551615, 2155);"
                  "INSERT INTO t VALUES (0, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, "
                  "-9223372036854775808, 0, 1e-30, -0.1, -0.05, 0, -1, 0, 0, 1901);"
                  "INSERT INTO t (b) VALUES (NULL)");
  CHECK_STR(wh_str_of(described(TABLE("t"))),
            WH_STR("b bool; t8 int8; u8 uint8; i16 int16; u16 uint16; i24 int32; u24 uint32; i32 "
                   "int32; u32 uint32; i64 int64; u64 uint64; f float32; d float64; x "
                   "decimal(12,2); ux decimal(5,5); w decimal(38,10); one bool; many uint64; y "
                   "int16"));
  check_rows(TABLE("t"),
             "true|127|255|32767|65535|8388607|16777215|2147483647|4294967295|9223372036854775807|"
             "18446744073709551615|3.4028235e+38|1.7976931348623157e+308|9999999999.99|0.99999|"
             "9999999999999999999999999999.9999999999|true|18446744073709551615|2155\n"
             "false|-128|0|-32768|0|-8388608|0|-2147483648|0|-9223372036854775808|0|1e-30|-0.1|"
             "-0.05|0.00000|-1.0000000000|false|0|1901\n"
             "~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~\n");
  check_rejects("");
  options.booleans = false;
  CHECK(strstr(described(TABLE("t")), "b int8; ") != NULL);
}

SERVED(mysql_reads_text_of_any_set) {
  mariadb_sql(&c,
              "CREATE TABLE t (a CHAR(9) CHARACTER SET latin1, b VARCHAR(9) CHARACTER SET utf8mb3, "
              "c TEXT CHARACTER SET utf8mb4, d LONGTEXT CHARACTER SET ucs2, e ENUM('grün','rot') "
              "CHARACTER SET latin1, s SET('a','b','c'), j JSON, u UUID, n INET6);"
              "INSERT INTO t VALUES ('Größe', '北京', '😀\\0\\n', 'Ωß', 'grün', 'a,c', "
              "'{\"a\": [1]}', '123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42');"
              "INSERT INTO t VALUES ('', '', '', '', 'rot', '', '1', NULL, NULL)");
  CHECK_STR(
      wh_str_of(described(TABLE("t"))),
      WH_STR("a string; b string; c string; d string; e string; s string; j string; u string; "
             "n string"));
  if (!CHECK_OK(read_all(TABLE("t")))) return;
  wh_str want = WH_STR("Größe|北京|😀\0\n|Ωß|grün|a,c|{\"a\": [1]}|"
                       "123e4567-e89b-12d3-a456-426655440000|2001:db8::ff00:42\n"
                       "||||rot||1|~|~\n");
  CHECK_STR(wh_buf_str(&out), want);
}

SERVED(mysql_reads_bytes) {
  mariadb_sql(&c,
              "CREATE TABLE t (a BINARY(3), b VARBINARY(9), c BLOB, g GEOMETRY, p POINT NOT NULL);"
              "INSERT INTO t VALUES (x'0102', x'', x'00ff5c', ST_GeomFromText('POINT(1 2)', 4326), "
              "POINT(0, 0))");
  CHECK_STR(wh_str_of(described(TABLE("t"))),
            WH_STR("a binary; b binary; c binary; g binary; p binary!"));
  const char *want = "AQIA||AP9c|AQEAAAAAAAAAAADwPwAAAAAAAABA|AQEAAAAAAAAAAAAAAAAAAAAAAAAA\n";
  check_rows(TABLE("t"), want);
  check_rows(QUERY("SELECT a, b, c, g, p FROM t"), want);
}

SERVED(mysql_reads_times) {
  mariadb_sql(&c, "CREATE TABLE t (d DATE, t TIME, t6 TIME(6), dt DATETIME, dt6 DATETIME(6), ts "
                  "TIMESTAMP(3) NULL);"
                  "INSERT INTO t VALUES ('9999-12-31', '23:59:59', '23:59:59.999999', '9999-12-31 "
                  "23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999');"
                  "INSERT INTO t VALUES ('0001-01-01', '00:00:00', '00:00:00.000001', '0001-01-01 "
                  "00:00:00', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:01')");
  CHECK_STR(wh_str_of(described(TABLE("t"))),
            WH_STR("d date; t time[us]; t6 time[us]; dt timestamp[us]; dt6 timestamp[us]; ts "
                   "timestamp[us,UTC]"));
  check_rows(TABLE("t"), "9999-12-31|23:59:59|23:59:59.999999|9999-12-31T23:59:59|"
                         "9999-12-31T23:59:59.999999|2038-01-19T03:14:07.999Z\n"
                         "0001-01-01|00:00:00|00:00:00.000001|0001-01-01T00:00:00|"
                         "1969-12-31T23:59:59.999999|1970-01-01T00:00:01Z\n");
}

SERVED(mysql_rejects_what_is_no_value) {
  mariadb_sql(&c, "SET sql_mode = ''; CREATE TABLE t (n INT, b BOOLEAN, d DATE NOT NULL, dt "
                  "DATETIME(6), t TIME(3), x DECIMAL(65,2));"
                  "INSERT INTO t VALUES (1, 1, '2026-11-21', NULL, '12:00:00', 1.25),"
                  "(2, 7, '2026-11-21', NULL, NULL, NULL),"
                  "(3, 1, '0000-00-00', NULL, NULL, NULL),"
                  "(4, 1, '2026-00-21', NULL, NULL, NULL),"
                  "(5, 1, '2026-11-21', '0000-00-00 00:00:00', NULL, NULL),"
                  "(6, 1, '2026-11-21', NULL, '-00:00:00.5', NULL),"
                  "(7, 1, '2026-11-21', NULL, '24:00:00', NULL),"
                  "(8, 1, '2026-11-21', NULL, '838:59:59', NULL),"
                  "(9, 1, '2026-11-21', NULL, NULL, 1e38)");
  check_rows(TABLE("t"), "1|true|2026-11-21|~|12:00:00|1.25\n");
  wh_str want =
      WH_STR("type|b|'7' is not 0 or 1; with `booleans: off` the column is read as numbers|2|");
  CHECK(memmem(rejects.text.data, rejects.text.len, want.data, want.len) != NULL);
  CHECK_EQ(rejects.count, 8);
  CHECK(strstr(rejects.text.data,
               "type|d|'0000-00-00' is no date; with `zero_dates: \"null\"` it is "
               "read as missing|3|{\"n\":3,\"b\":1,\"d\":\"0000-00-00\",") != NULL);
  CHECK(strstr(rejects.text.data, "type|d|'2026-00-21' is no date|4|") != NULL);
  CHECK(strstr(rejects.text.data, "type|dt|'0000-00-00 00:00:00' is no date;") != NULL);
  CHECK(strstr(rejects.text.data, "type|t|'-00:00:00.500000' is no time of day|6|") != NULL);
  CHECK(strstr(rejects.text.data, "type|t|'24:00:00' is no time of day|7|") != NULL);
  CHECK(strstr(rejects.text.data, "type|t|'838:59:59' is no time of day|8|") != NULL);
  CHECK(strstr(rejects.text.data, "has more digits than the 38 that a decimal keeps|9|") != NULL);
  options.zero_dates = WH_MYSQL_ZERO_NULL;
  CHECK(strstr(described(TABLE("t")), "d date; ") != NULL);
  wh_str columns[] = {WH_STR("n"), WH_STR("d"), WH_STR("dt")};
  check_rows(&(wh_source_query){.table = WH_STR("t"), .columns = columns, .column_count = 3},
             "1|2026-11-21|~\n2|2026-11-21|~\n3|~|~\n5|2026-11-21|~\n6|2026-11-21|~\n"
             "7|2026-11-21|~\n8|2026-11-21|~\n9|2026-11-21|~\n");
  CHECK(strstr(rejects.text.data, "'2026-00-21' is no date") != NULL);
}

SERVED(mysql_reads_wide_rows) {
  mariadb_sql(&c,
              "CREATE TABLE t (n INT, a LONGTEXT, b LONGBLOB);"
              "INSERT INTO t VALUES (1, repeat('ä', 524288), repeat('x', 70000)), (2, 'y', NULL)");
  if (!CHECK_OK(read_all(TABLE("t")))) return;
  CHECK_EQ(out.len, 2 + 1048576 + 1 + 93336 + 1 + 6);
  c.row_limit_bytes = 1 << 20;
  CHECK_FAILS(read_all(TABLE("t")), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: row 1 of t is larger than 1048576 bytes, the most that a row may take; "
                  "raise `memory`");
  mariadb_sql(&c, "UPDATE t SET a = repeat('x', 3000000) WHERE n = 2");
  c.row_limit_bytes = 2 << 20;
  CHECK_FAILS(read_all(TABLE("t")), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: row 2 of t is larger than 2097152 bytes");
}

// --- Queries, cursors, snapshots -----------------------------------------------------------------

SERVED(mysql_refuses_what_is_no_select) {
  mariadb_sql(&c, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)");
  CHECK_FAILS(read_all(QUERY("SELECT a FROM t; DELETE FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: the query has more than one statement. Keep one SELECT");
  CHECK_FAILS(read_all(QUERY("DELETE FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: the query would write");
  CHECK_FAILS(read_all(QUERY("SELECT nmae FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("place: the query does not run: Unknown column 'nmae'");
  CHECK_FAILS(read_all(QUERY("SELECT a, a FROM t")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("two columns named 'a'");
  CHECK_FAILS(read_all(QUERY("SELECT a FROM t WHERE a = ?")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("parameter");
  CHECK_FAILS(read_all(QUERY("SHOW TABLES")), WH_ERR_USAGE);
  CHECK_ERROR_HAS("is not a SELECT");
  CHECK_FAILS(read_all(QUERY(" -- nothing")), WH_ERR_USAGE);
  CHECK_FAILS(read_all(QUERY("SELECT a FROM u")), WH_ERR_NOT_FOUND);
  check_rows(QUERY("SELECT a, ';' AS b FROM t; -- it's\n # all\n /* there; is */ ;\n"), "1|;\n");
  CHECK_STR(wh_str_of(mariadb_ask(&c, "SELECT count(*) FROM t")), WH_STR("1"));
}

static wh_value value_of(const char *text, const char *type) {
  wh_value v = {0};
  wh_type t;
  CHECK_OK(wh_type_parse(wh_str_of(type), &arena, &t, &test_err));
  CHECK_OK(wh_value_parse(wh_str_of(text), &t, &arena, &v, &test_err));
  return v;
}

SERVED(mysql_narrows_by_cursors) {
  mariadb_sql(
      &c, "CREATE TABLE t (n INT PRIMARY KEY, i BIGINT UNSIGNED, x DECIMAL(38,2), f DOUBLE, s "
          "VARCHAR(9) COLLATE latin1_swedish_ci, d DATE, dt DATETIME(6), ts TIMESTAMP(6) NULL, "
          "tm TIME(6), b VARBINARY(4));"
          "INSERT INTO t VALUES (1, 18446744073709551613, 999999999999999999999999999999999991.01,"
          " 1.5, 'B', '2026-11-20', '2026-11-21 08:55:00.000001', '2026-11-21 08:55:00.000001', "
          "'08:00', x'01'), (2, 18446744073709551614, 999999999999999999999999999999999991.02, "
          "2.5, 'a', '2026-11-21', '2026-11-21 08:55:00.000002', '2026-11-21 08:55:00.000002', "
          "'09:00', x'02'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, "
          "18446744073709551615, 999999999999999999999999999999999991.03, 10, 'b', "
          "'2026-11-22', '2026-11-21 08:55:00.000003', '2026-11-21 08:55:00.000003', '10:00', "
          "x'0201')");
  const struct {
    const char *cursor, *from, *type;
  } tries[] = {
      {"n", "2", "int32"},
      {"i", "18446744073709551614", "uint64"},
      {"x", "999999999999999999999999999999999991.02", "decimal(38,2)"},
      {"f", "2.5", "float64"},
      {"s", "a", "string"}, // 'B' is before it by its bytes
      {"d", "2026-11-21", "date"},
      {"dt", "2026-11-21T08:55:00.000002", "timestamp[us]"},
      {"ts", "2026-11-21T08:55:00.000002Z", "timestamp[us,UTC]"},
      {"tm", "09:00:00", "time[us]"},
      {"b", "Ag==", "binary"},
  };
  wh_str columns[] = {WH_STR("n")};
  for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
    wh_source_query q = {.table = WH_STR("t"),
                         .columns = columns,
                         .column_count = 1,
                         .cursor = wh_str_of(tries[i].cursor),
                         .has_from = true,
                         .from = value_of(tries[i].from, tries[i].type)};
    test_note("cursor %s", tries[i].cursor);
    check_rows(&q, "2\n3\n4\n");
    q.table = (wh_str){0};
    q.query = WH_STR("SELECT * FROM t -- all");
    check_rows(&q, "2\n3\n4\n");
    q.has_to = true;
    q.to = q.from;
    check_rows(&q, tries[i].cursor[0] == 'n' ? "" : "3\n"); // only those without a value
    q.has_to = false;
    q.limit_rows = 1;
    check_rows(&q, "2\n");
  }
}

SERVED(mysql_reads_one_snapshot) {
  mariadb_sql(&c,
              "CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_200000");
  c.batch_rows = 10;
  wh_source_info info;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(c.type->source->describe(&c, TABLE("t"), &arena, &info, &test_err));
  CHECK(info.rows_estimate > 100000);
  REQUIRE_OK(c.type->source->open(&c, TABLE("t"), &info.schema, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  mariadb_sql(&c,
              "DELETE FROM t WHERE n > 100; INSERT INTO t VALUES (500000); UPDATE t SET n = -n");
  size_t rows = 0;
  int64_t sum = 0;
  while (batch.rows) {
    rows += batch.rows;
    for (size_t i = 0; i < batch.rows; i++)
      sum += wh_column_i64(&batch.columns[0], i);
    wh_batch_reset(&batch);
    if (!CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err))) break;
  }
  CHECK_EQ(rows, 200000);
  CHECK_EQ(sum, 200000ll * 200001 / 2);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

// Closing a reader early does not fetch what the server would still send.
SERVED(mysql_closes_a_reader_at_once) {
  mariadb_sql(&c, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)");
  wh_source_query q = {.query = WH_STR("SELECT seq FROM seq_1_to_2000000000")};
  wh_source_info info;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  CHECK_EQ(batch.rows, WH_BATCH_ROWS_DEFAULT);
  wh_batch_free(&batch);
  wh_reader_close(reader);
}

SERVED(mysql_cursor_starts_from_the_servers_clock) {
  wh_bound bound;
  int64_t before = wh_now_us(&real_os.base);
  REQUIRE_OK(c.type->source->bound(&c, TABLE("t"), &arena, &bound, &test_err));
  CHECK(!bound.has_to);
  CHECK(bound.clock_us >= before - 1000000 && bound.clock_us <= before + 10000000);
}

static wh_status see_table(void *context, const wh_table_info *table, wh_error *err) {
  (void)err;
  wh_buf *text = context;
  wh_buf_printf(text, "%.*s [", WH_STR_ARG(table->name));
  for (size_t i = 0; i < table->key_count; i++)
    wh_buf_printf(text, "%s%.*s", i ? "," : "", WH_STR_ARG(table->key[i]));
  wh_buf_add_c(text, "] ");
  rows_write_schema(&table->schema, text);
  wh_buf_add_char(text, '\n');
  return WH_OK;
}

SERVED(mysql_discovers_tables_and_views) {
  mariadb_sql(&c, "CREATE TABLE t (a INT PRIMARY KEY, b TEXT NOT NULL, _wherry_order BIGINT);"
                  "CREATE TABLE u (x CHAR(1), y CHAR(1), PRIMARY KEY (y, x));"
                  "CREATE TABLE _wherry_marks (a INT); CREATE TABLE gone (a INT);"
                  "CREATE VIEW v AS SELECT b FROM t; CREATE VIEW w AS SELECT a FROM gone;"
                  "DROP TABLE gone");
  CHECK_OK(c.type->source->discover(&c, &arena, see_table, &out, &test_err));
  CHECK_STR(wh_buf_str(&out), WH_STR("t [a] a int32!; b string!\n"
                                     "u [y,x] x string!; y string!\n"
                                     "v [] b string!\n"
                                     "w [] \n"));
  wh_source_info info;
  CHECK_FAILS(c.type->source->describe(&c, TABLE("uu"), &arena, &info, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("place: no table or view 'uu'. Did you mean 'u'?");
  char name[64];
  snprintf(name, sizeof name, "%s.u", options.server.database.data);
  wh_source_query q = {.table = wh_str_of(name), .cursor = WH_STR("z")};
  CHECK_FAILS(c.type->source->describe(&c, &q, &arena, &info, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("place: u has no column 'z'");
}

static void find(wh_finder *finder, const wh_value *key, const char *want) {
  wh_batch batch;
  CHECK_OK(wh_batch_init(&batch, &test_mem, finder->schema, &test_err));
  wh_buf_clear(&out);
  CHECK_OK(finder->find(finder, key, &batch, &test_err));
  rows_write(&batch, &out);
  CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  wh_batch_free(&batch);
}

SERVED(mysql_finds_by_key) {
  mariadb_sql(&c, "CREATE TABLE t (a INT, b VARCHAR(9), c TEXT, _wherry_order BIGINT);"
                  "INSERT INTO t VALUES (1, 'x', 'one', 5), (1, 'ÿ', 'two', 6), (2, 'x', NULL, 7), "
                  "(2, 'x', 'more', 8)");
  wh_str key[] = {WH_STR("b"), WH_STR("a")}, show[] = {WH_STR("c"), WH_STR(WH_ORDER_COLUMN)};
  wh_finder *finder;
  REQUIRE_OK(c.type->source->open_finder(&c, WH_STR("t"), key, 2, show, 2, &finder, &test_err));
  find(finder, (wh_value[]){value_of("ÿ", "string"), value_of("1", "int64")}, "two|6\n");
  find(finder, (wh_value[]){value_of("x", "string"), value_of("2", "string")}, "~|7\nmore|8\n");
  find(finder, (wh_value[]){value_of("X", "string"), value_of("2", "int64")}, "");
  find(finder, (wh_value[]){value_of("x ", "string"), value_of("2", "int64")}, "");
  find(finder, (wh_value[]){value_of("x", "string"), value_of("two", "string")}, "");
  find(finder, (wh_value[]){value_of("😀", "string"), value_of("2", "int64")}, "");
  find(finder, (wh_value[]){{.is_null = true}, value_of("1", "int64")}, "");
  mariadb_sql(&c, "INSERT INTO t VALUES (9, 'new', 'seen', 9)");
  find(finder, (wh_value[]){value_of("new", "string"), value_of("9", "int64")}, "seen|9\n");
  finder->rows_max = 1;
  find(finder, (wh_value[]){value_of("x", "string"), value_of("2", "int64")}, "~|7\n");
  finder->close(finder);
  show[0] = WH_STR("gone");
  CHECK_FAILS(c.type->source->open_finder(&c, WH_STR("t"), key, 2, show, 2, &finder, &test_err),
              WH_ERR_NOT_FOUND);
}

// --- Limits, stopping ----------------------------------------------------------------------------

SERVED(mysql_reads_no_faster_than_it_may) {
  options.server.rows_per_second = 1000;
  int64_t start = real_os.base.type->monotonic_ns(&real_os.base);
  if (!CHECK_OK(read_all(QUERY("SELECT seq FROM seq_1_to_500")))) return;
  int64_t took = real_os.base.type->monotonic_ns(&real_os.base) - start;
  CHECK(took > 350000000);
  CHECK(took < 5000000000);
}

SERVED(mysql_ends_what_takes_too_long) {
  options.server.statement_timeout_us = 300000;
  CHECK_FAILS(read_all(QUERY("SELECT sleep(20) AS a")), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: reading the query: the statement took longer than statement_timeout");
}

static atomic_bool cancel;

static void *cancel_soon(void *unused) {
  (void)unused;
  usleep(300000);
  atomic_store(&cancel, true);
  return NULL;
}

SERVED(mysql_stops_waiting_when_asked) {
  pthread_t thread;
  atomic_store(&cancel, false);
  c.cancel = &cancel;
  int64_t start = real_os.base.type->monotonic_ns(&real_os.base);
  REQUIRE(pthread_create(&thread, NULL, cancel_soon, NULL) == 0);
  CHECK_FAILS(read_all(QUERY("SELECT sleep(20) AS a")), WH_ERR_CANCELLED);
  CHECK(real_os.base.type->monotonic_ns(&real_os.base) - start < 5000000000);
  pthread_join(thread, NULL);
  c.cancel = NULL;
}

// --- Errors --------------------------------------------------------------------------------------

static void check_refused(wh_status status, const char *text, bool retry) {
  wh_sql_session *s = NULL;
  test_err = (wh_error){0};
  CHECK_FAILS(wh_mariadb_driver.open(&c, WH_SQL_WRITE, &s, &test_err), status);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(text));
  CHECK_EQ(test_err.retry, retry);
  CHECK(strstr(test_err.text, "ship") == NULL);
  if (s) wh_mariadb_driver.close(s);
}

SERVED(mysql_says_why_it_cannot_log_in) {
  char text[256];
  wh_server good = options.server, *o = &options.server;
  o->password = WH_STR("shipwreck");
  check_refused(WH_ERR_DENIED,
                "place: the server refuses the user 'wherry'. Check `user` and `password`", false);
  o->password = (wh_str){0};
  check_refused(
      WH_ERR_DENIED,
      "place: the server refuses the user 'wherry'. Check `user` and `password` (none was "
      "given)",
      false);
  *o = good, o->user = WH_STR("nobody");
  check_refused(WH_ERR_DENIED,
                "place: the server refuses the user 'nobody'. Check `user` and `password`", false);
  *o = good, o->database = WH_STR("nowhere");
  check_refused(WH_ERR_NOT_FOUND, "place: the server has no database 'nowhere'", false);
  *o = good, o->host = WH_STR("no-such-host.invalid");
  check_refused(WH_ERR_UNAVAILABLE,
                "place: no machine is known as 'no-such-host.invalid'. Is `host` spelled right?",
                true);
  *o = good, o->port = 1;
  check_refused(WH_ERR_UNAVAILABLE,
                "place: no server answers at localhost, port 1. Is it running, and does a firewall "
                "let this machine through?",
                true);
  *o = good, o->host = WH_STR("/nowhere/socket");
  check_refused(WH_ERR_UNAVAILABLE, "place: no server listens at /nowhere/socket", true);
  *o = good, o->host = WH_STR("127.0.0.1");
  snprintf(
      text, sizeof text,
      "place: the server's certificate is for another name than 127.0.0.1. Use the name that it "
      "is for as `host`, or have one made for this name");
  check_refused(WH_ERR_DENIED, text, false);
  *o = good, o->tls_ca = wh_str_of(mariadb_file("other-ca.pem"));
  check_refused(
      WH_ERR_DENIED,
      "place: the certificate of the server at localhost is signed by nobody whom `tls_ca` "
      "trusts. Give `tls_ca` the certificate of the authority that signed it",
      false);
  *o = good, o->tls_ca = (wh_str){0};
  check_refused(WH_ERR_DENIED,
                "place: the certificate of the server at localhost is signed by nobody whom the "
                "system trusts. Give `tls_ca` the certificate of the authority that signed it",
                false);
  *o = good;
}

SERVED(mysql_encrypts_as_asked) {
  wh_buf note;
  wh_buf_init(&note, &out_mem, 0);
  REQUIRE_OK(c.type->reach(&c, &note, &test_err));
  CHECK(strstr(note.data, "0 tables, about 0.0 MB, MariaDB 1") == note.data);
  CHECK(wh_str_ends(wh_buf_str(&note), ", encrypted"));
  const struct {
    int tls;
    const char *host, *end;
  } tries[] = {{WH_TLS_REQUIRE, "127.0.0.1", ", encrypted"},
               {WH_TLS_OFF, "127.0.0.1", ", not encrypted"},
               {WH_TLS_VERIFY, NULL, ", not encrypted"}};
  for (size_t i = 0; i < 3; i++) {
    options.server.tls = tries[i].tls;
    options.server.host = wh_str_of(tries[i].host ? tries[i].host : mariadb_file("socket"));
    wh_buf_clear(&note);
    CHECK_OK(c.type->reach(&c, &note, &test_err));
    CHECK(wh_str_ends(wh_buf_str(&note), tries[i].end));
  }
  wh_buf_free(&note);
}

SERVED(mysql_says_what_may_not_be_done) {
  mariadb_sql(&c, "CREATE TABLE t (a INT); CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'r';"
                  "CREATE TABLE other (a INT); GRANT INSERT ON *.* TO reader@'%'");
  options.server.user = WH_STR("reader");
  options.server.password = WH_STR("r");
  wh_source_info info;
  CHECK_FAILS(c.type->source->describe(&c, TABLE("t"), &arena, &info, &test_err), WH_ERR_DENIED);
  CHECK_ERROR_HAS("place: reading t: SELECT command denied to user 'reader'@");
  CHECK(!test_err.retry);
  mariadb_sql(&c, "DROP USER reader@'%'");
}

SERVED(mysql_is_told_of_too_many_connections) {
  wh_sql_session *held[2];
  mariadb_sql(&c, "ALTER USER wherry@'%' WITH MAX_USER_CONNECTIONS 2");
  for (int i = 0; i < 2; i++)
    CHECK_OK(wh_mariadb_driver.open(&c, WH_SQL_READ, &held[i], &test_err));
  check_refused(WH_ERR_UNAVAILABLE, "place: the user has too many connections", true);
  for (int i = 0; i < 2; i++)
    wh_mariadb_driver.close(held[i]);
  mariadb_sql(&c, "ALTER USER wherry@'%' WITH MAX_USER_CONNECTIONS 0");
}

// A session over the driver, of the test's own.
static wh_sql_session *session;

static wh_status run_sql(const char *sql) {
  return session->driver->run(session, wh_str_of(sql), NULL, 0, NULL, &test_err);
}

static bool open_session(void) {
  return CHECK_OK(wh_mariadb_driver.open(&c, WH_SQL_WRITE, &session, &test_err)) &&
         CHECK(session->driver == &wh_mariadb_driver);
}

static void close_session(void) {
  wh_mariadb_driver.close(session);
  session = NULL;
}

SERVED(mysql_tells_locks_from_lost_lines) {
  mariadb_sql(&c, "CREATE TABLE t (a INT PRIMARY KEY, b INT); INSERT INTO t VALUES (1, 1), (2, 2)");
  REQUIRE(open_session());
  wh_sql_session *other;
  REQUIRE_OK(wh_mariadb_driver.open(&c, WH_SQL_WRITE, &other, &test_err));
  CHECK_OK(wh_mariadb_driver.run(other, WH_STR("START TRANSACTION"), NULL, 0, NULL, &test_err));
  CHECK_OK(wh_mariadb_driver.run(other, WH_STR("UPDATE t SET b = 5 WHERE a = 1"), NULL, 0, NULL,
                                 &test_err));
  test_err = (wh_error){0};
  CHECK_FAILS(run_sql("UPDATE t SET b = 6 WHERE a = 1"), WH_ERR_BUSY);
  CHECK_ERROR_HAS("place: loading: somebody else holds a lock for longer than lock_timeout");
  CHECK(test_err.retry);
  wh_mariadb_driver.close(other); // rolls back
  CHECK_STR(wh_str_of(mariadb_ask(&c, "SELECT b FROM t WHERE a = 1")), WH_STR("1"));
  uint64_t rows;
  CHECK_OK(session->driver->run(session, WH_STR("UPDATE t SET b = b WHERE a < 3"), NULL, 0, &rows,
                                &test_err));
  CHECK_EQ(rows, 2); // that matched
  char kill[64];
  snprintf(kill, sizeof kill, "KILL %s",
           mariadb_ask(&c, "SELECT id FROM information_schema.processlist WHERE user = 'wherry'"));
  mariadb_sql(&c, kill);
  test_err = (wh_error){0};
  CHECK_FAILS(run_sql("UPDATE t SET b = 6 WHERE a = 1"), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  close_session();
}

SERVED(mysql_tries_again_what_the_state_says_may_go_well) {
  mariadb_sql(&c, "CREATE TABLE t (a INT PRIMARY KEY)");
  mariadb_sql(&c, "CREATE TRIGGER signals BEFORE INSERT ON t FOR EACH ROW CASE NEW.a "
                  "WHEN 1 THEN SIGNAL SQLSTATE '40001' SET MESSAGE_TEXT = 'Certification failed'; "
                  "WHEN 2 THEN SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = 1047, MESSAGE_TEXT = "
                  "'WSREP has not yet prepared node'; "
                  "WHEN 3 THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 9999; END CASE");
  REQUIRE(open_session());
  test_err = (wh_error){0};
  CHECK_FAILS(run_sql("INSERT INTO t VALUES (1)"), WH_ERR_BUSY);
  CHECK_ERROR_HAS("place: loading: certification failed");
  CHECK(test_err.retry);
  CHECK_FAILS(run_sql("INSERT INTO t VALUES (2)"), WH_ERR_UNAVAILABLE);
  CHECK_ERROR_HAS("place: loading: WSREP has not yet prepared node");
  CHECK(test_err.retry);
  CHECK_FAILS(run_sql("INSERT INTO t VALUES (3)"), WH_ERR_IO);
  CHECK(!test_err.retry);
  close_session();
}

// A server that has nothing to say but one error. (Protocol: an ERR packet instead of a handshake.)
static void *refuse_login(void *context) {
  static const char text[] = "\xff\x17\x04#08S01WSREP has not yet prepared node"; // 1047
  const char head[] = {(char)(sizeof text - 1), 0, 0, 0};
  int line = accept(*(int *)context, NULL, NULL);
  if (line < 0) return NULL;
  if (send(line, head, sizeof head, 0) > 0) (void)!send(line, text, sizeof text - 1, 0);
  close(line);
  return NULL;
}

SERVED(mysql_tries_a_login_again_that_may_go_well) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  pthread_t thread;
  wh_server good = options.server;
  int line = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(line >= 0 && bind(line, (struct sockaddr *)&address, len) == 0 && listen(line, 1) == 0);
  REQUIRE(getsockname(line, (struct sockaddr *)&address, &len) == 0);
  REQUIRE(pthread_create(&thread, NULL, refuse_login, &line) == 0);
  options.server.host = WH_STR("127.0.0.1");
  options.server.port = ntohs(address.sin_port);
  options.server.tls = WH_TLS_OFF;
  check_refused(WH_ERR_UNAVAILABLE, "place: connecting: WSREP has not yet prepared node", true);
  pthread_join(thread, NULL);
  close(line);
  options.server = good;
}

TEST(mysql_hides_values) {
  const struct {
    const char *says, *hidden;
  } reasons[] = {
      {"duplicate entry 'me@home.org' for key 'mail'", "duplicate entry for key 'mail'"},
      {"duplicate entry 'x' for key 'y' for key 't.mail'", "duplicate entry for key 't.mail'"},
      {"duplicate entry 'a very long", "duplicate entry"},
      {"CONSTRAINT `n` failed for `d`.`t`", "CONSTRAINT `n` failed for `d`.`t`"},
  };
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    char text[128];
    snprintf(text, sizeof text, "%s", reasons[i].says);
    wh_mysql_driver.hide_values(text);
    CHECK_STR(wh_str_of(text), wh_str_of(reasons[i].hidden));
  }
}

SERVED(mysql_survives_a_server_that_dies) {
  mariadb_sql(&c, "CREATE TABLE t (a INT PRIMARY KEY, b LONGTEXT)");
  wh_source_query q = {.query =
                           WH_STR("SELECT seq, repeat('x', 1000) AS x FROM seq_1_to_2000000000")};
  wh_source_info info;
  wh_reader *reader;
  wh_batch batch;
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  REQUIRE_OK(c.type->source->open(&c, &q, &info.schema, &reader, &test_err));
  CHECK_OK(wh_batch_init(&batch, &test_mem, reader->schema, &test_err));
  CHECK_OK(reader->next(reader, &batch, &rejects.base, &test_err));
  REQUIRE(open_session());
  CHECK_OK(run_sql("START TRANSACTION"));
  CHECK_OK(run_sql("INSERT INTO t VALUES (1, 'x')"));
  mariadb_kill();
  test_err = (wh_error){0};
  CHECK_FAILS(run_sql("COMMIT"), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  CHECK_ERROR_HAS("place: loading: the connection to the server was lost");
  close_session();
  wh_status status = WH_OK;
  for (int i = 0; i < 10000 && status == WH_OK; i++) {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &rejects.base, &test_err);
  }
  CHECK_EQ(status, WH_ERR_UNAVAILABLE);
  CHECK_ERROR_HAS("place: reading the query: the connection to the server was lost");
  wh_batch_free(&batch);
  wh_reader_close(reader);
  CHECK(mariadb_start() == NULL);
  CHECK_STR(wh_str_of(mariadb_ask(&c, "SELECT count(*) FROM t")), WH_STR("0"));
}

// --- The driver: catalog -------------------------------------------------------------------------

static wh_sql_relation related(const char *table) {
  wh_sql_relation r = {0};
  CHECK_OK(session->driver->relate(session, wh_str_of(table), &arena, &r, &test_err));
  return r;
}

SERVED(mysql_relates_tables) {
  mariadb_sql(&c,
              "CREATE TABLE t (a INT AUTO_INCREMENT, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE "
              "utf8mb4_nopad_bin NOT NULL DEFAULT 'x', c VARCHAR(20), g INT AS (e + 1) STORED, "
              "d DATETIME(3) NOT NULL, e DECIMAL(10,2) UNSIGNED, _wherry_order BIGINT, "
              "PRIMARY KEY (b, a), UNIQUE KEY u (c), UNIQUE KEY part (c(3)), KEY (a));"
              "CREATE TABLE m (a INT) ENGINE=MyISAM; CREATE VIEW v AS SELECT 1 AS a");
  REQUIRE(open_session());
  wh_str home;
  CHECK_OK(session->driver->home(session, &arena, &home, &test_err));
  CHECK_STR(home, options.server.database);
  wh_sql_relation r = related("t");
  CHECK_STR(r.schema, home);
  CHECK_STR(r.table, WH_STR("t"));
  CHECK(r.has_order && !r.not_a_sink);
  REQUIRE(r.count == 6);
  CHECK_STR(r.columns[0].declared, WH_STR("int(11)"));
  CHECK(r.columns[0].has_default && !r.columns[0].nullable && r.columns[0].key_position == 2);
  CHECK_STR(r.columns[1].declared,
            WH_STR("varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"));
  CHECK(r.columns[1].has_default && !r.columns[1].folds && r.columns[1].key_position == 1);
  CHECK_EQ(r.columns[1].limit, 20);
  CHECK(!r.columns[2].has_default && r.columns[2].folds && r.columns[2].nullable);
  CHECK(r.columns[3].is_generated && !r.columns[0].is_generated);
  CHECK(!r.columns[4].nullable && !r.columns[4].has_default);
  CHECK_EQ(r.unique_count, 2);
  CHECK(r.uniques[0].count == 2 && r.uniques[0].columns[0] == 1 && r.uniques[0].columns[1] == 0);
  CHECK(r.uniques[1].count == 1 && r.uniques[1].columns[0] == 2);
  CHECK(strstr(related("m").not_a_sink, "its engine MyISAM has no transactions") != NULL);
  CHECK_STR(wh_str_of(related("v").not_a_sink), WH_STR("it is a view"));
  close_session();
}

// --- The driver: rows in bulk --------------------------------------------------------------------

#define WIDE                                                                                       \
  "b bool; i8 int8; i16 int16; i32 int32; i64 int64; u8 uint8; u16 uint16; u32 uint32; u64 "       \
  "uint64; "                                                                                       \
  "f32 float32; f64 float64; d decimal(12,2); wide decimal(38,10); day date; t time[us]; ts "      \
  "timestamp[us]; tz timestamp[us,UTC]; s string; x binary"

static const char *const wide_rows =
    "true|127|32767|2147483647|9223372036854775807|255|65535|4294967295|18446744073709551615|"
    "3.4028235e+38|1.7976931348623157e+308|9999999999.99|9999999999999999999999999999.9999999999|"
    "9999-12-31|23:59:59.999999|9999-12-31T23:59:59.999999|2038-01-19T03:14:07.999999Z|a\tb\\c "
    "😀|AP8A\n"
    "false|-128|-32768|-2147483648|-9223372036854775808|0|0|0|0|-1e-45|-5e-324|-0.01|-0.0000000001|"
    "0001-01-01|00:00:00|0001-01-01T00:00:00|1970-01-01T00:00:01Z|\\N|\n"
    "~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~\n"
    "true|1|1|1|1|1|1|1|1|0.1|0|0.10|0.1000000000|2026-11-21|08:55:00.5|2026-11-21T08:55:00|"
    "2026-11-21T08:55:00.000001Z|NULL|XFwn\n"
    "true|1|1|1|1|1|1|1|1|16777216|0.30000000000000004|1.00|1.0000000000|1900-02-28|12:00:00|"
    "1582-10-15T12:00:00|2000-02-29T00:00:00Z|  spaces  |AA==\n";

static wh_schema schema;
static wh_sql_column *columns;
static wh_str *names;

// A table as the driver declares it.
static bool make_table(const char *text) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, &out_mem, 0);
  rows_schema(text, &arena, &schema);
  columns = WH_NEW_ARRAY(&arena, schema.count, wh_sql_column);
  names = WH_NEW_ARRAY(&arena, schema.count, wh_str);
  wh_buf_add_c(&sql, "CREATE TABLE t (");
  for (size_t i = 0; i < schema.count; i++) {
    const wh_field *f = &schema.fields[i];
    names[i] = f->name;
    wh_buf_add_c(&sql, i ? ", " : "");
    session->driver->name(&sql, f->name);
    wh_buf_add_char(&sql, ' ');
    session->driver->declare(&f->type, false, &sql);
    wh_buf_add_c(&sql, f->nullable ? "" : " NOT NULL");
    session->driver->declared(&f->type, false, &columns[i]);
  }
  wh_buf_add_c(&sql, ")");
  return CHECK_OK(run_sql(wh_buf_str(&sql).data));
}

static wh_status bulk_rows(const char *rows) {
  wh_batch batch;
  uint32_t all[64];
  WH_TRY(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  rows_add(&batch, rows);
  for (uint32_t i = 0; i < batch.rows; i++)
    all[i] = i;
  wh_sql_bulk bulk = {.table = WH_STR("`t`"),
                      .names = names,
                      .columns = columns,
                      .batch = &batch,
                      .rows = all,
                      .row_count = batch.rows};
  wh_status status = session->driver->bulk(session, &bulk, &test_err);
  wh_batch_free(&batch);
  return status;
}

static void set_local_infile(bool on) {
  mariadb_sql(&c, on ? "SET GLOBAL local_infile = 1" : "SET GLOBAL local_infile = 0");
}

static void round_trip(bool by_load) {
  set_local_infile(by_load);
  REQUIRE(open_session());
  if (make_table(WIDE) && CHECK_OK(bulk_rows(wide_rows))) {
    wh_schema had = schema;
    wh_sql_relation r = related("t");
    for (size_t i = 0; i < r.count; i++) {
      CHECK(wh_type_eq(&r.columns[i].type, &had.fields[i].type));
      CHECK_EQ(r.columns[i].native, columns[i].native);
      CHECK(!r.columns[i].folds);
    }
    check_rows(TABLE("t"), wide_rows);
    check_rejects("");
  }
  close_session();
  set_local_infile(true);
}

SERVED(mysql_loads_what_it_reads) {
  round_trip(true);
}

SERVED(mysql_inserts_where_loading_is_forbidden) {
  round_trip(false);
}

static void check_texts(bool by_load) {
  set_local_infile(by_load);
  REQUIRE(open_session());
  rows_schema("s string; x binary", &arena, &schema);
  static wh_sql_column two[2];
  static wh_str two_names[] = {WH_STR_INIT("s"), WH_STR_INIT("x")};
  columns = two;
  names = two_names;
  for (size_t i = 0; i < 2; i++)
    session->driver->declared(&schema.fields[i].type, false, &two[i]);
  CHECK_OK(
      run_sql("CREATE TABLE t (n INT, o BIGINT, s LONGTEXT CHARACTER SET utf8mb4, x LONGBLOB)"));
  wh_batch batch;
  CHECK_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
  static char all[256 * 2], large[1 << 20];
  for (int i = 0; i < 512; i++)
    all[i] = (char)(i < 128 || i >= 256 ? i : i - 128);
  for (size_t i = 0; i < sizeof large; i++)
    large[i] = "abc\\\n\t"[i % 6];
  const wh_str texts[] = {wh_str_n(all, 256), wh_str_n(large, sizeof large),
                          WH_STR(""),         WH_STR("\\"),
                          WH_STR("\0"),       WH_STR("\r\n"),
                          WH_STR("'\"`")};
  const wh_str bytes[] = {wh_str_n(all, 512), wh_str_n(large, sizeof large),
                          WH_STR(""),         WH_STR("\\"),
                          WH_STR("\0"),       WH_STR("\xff\xfe"),
                          WH_STR("\\N")};
  uint32_t rows[7];
  for (uint32_t i = 0; i < 7; i++) {
    rows[i] = i;
    CHECK_OK(wh_column_add_text(&batch.columns[0], texts[i], &test_err));
    CHECK_OK(wh_column_add_text(&batch.columns[1], bytes[i], &test_err));
    wh_batch_row_end(&batch);
  }
  wh_sql_bulk bulk = {.table = WH_STR("`t`"),
                      .names = names,
                      .columns = columns,
                      .batch = &batch,
                      .rows = rows,
                      .row_count = 7,
                      .number = WH_STR("n"),
                      .constants = {{WH_STR("o"), -5}},
                      .constant_count = 1};
  CHECK_OK(session->driver->bulk(session, &bulk, &test_err));
  CHECK_STR(wh_str_of(mariadb_ask(&c, "SELECT count(*) FROM t WHERE o = -5 AND n BETWEEN 0 AND 6")),
            WH_STR("7"));
  wh_source_query q = {.query = WH_STR("SELECT s, x FROM t ORDER BY n")};
  wh_reader *reader;
  wh_batch back;
  CHECK_OK(wh_batch_init(&back, &test_mem, &schema, &test_err));
  if (CHECK_OK(c.type->source->open(&c, &q, &schema, &reader, &test_err))) {
    CHECK_OK(reader->next(reader, &back, &rejects.base, &test_err));
    size_t seen = 0;
    while (back.rows && seen < 7) {
      for (size_t i = 0; i < back.rows && seen < 7; i++, seen++) {
        CHECK(wh_str_eq(wh_column_text(&back.columns[0], i), texts[seen]));
        CHECK(wh_str_eq(wh_column_text(&back.columns[1], i), bytes[seen]));
      }
      wh_batch_reset(&back);
      CHECK_OK(reader->next(reader, &back, &rejects.base, &test_err));
    }
    CHECK_EQ(seen, 7);
    wh_reader_close(reader);
  }
  CHECK_STR(wh_buf_str(&rejects.text), WH_STR(""));
  wh_batch_free(&back);
  wh_batch_free(&batch);
  close_session();
  set_local_infile(true);
}

SERVED(mysql_loads_every_byte) {
  check_texts(true);
}

SERVED(mysql_inserts_every_byte) {
  check_texts(false);
}

// Whatever the server warns of is refused, with its reason.
static void check_warnings(bool by_load) {
  const struct {
    const char *type, *declared, *value, *reason, *of_load; // where that one differs
  } tries[] = {
      {"s string", "VARCHAR(3)", "abcd", "data too long for column 's'",
       "data truncated for column 's'"},
      {"s string", "VARCHAR(3)", "abc ", "for column 's'"},
      {"s string", "VARCHAR(9) CHARACTER SET latin1", "Ω", "ncorrect string value"},
      {"s string", "VARCHAR(9) CHARACTER SET utf8mb3", "😀", "ncorrect string value"},
      {"s int64", "INT", "2147483648", "out of range value for column 's'"},
      {"s int64", "INT UNSIGNED", "-1", "out of range value for column 's'"},
      {"s decimal(12,2)", "DECIMAL(5,1)", "1.25", "data truncated for column 's'"},
      {"s string", "ENUM('a')", "b", "data truncated for column 's'"},
      {"s int64", "BIGINT PRIMARY KEY", "7", "uplicate entry '7' for key 'PRIMARY'"},
      {"s int64", "INT CHECK (s < 5)", "5", "CONSTRAINT `t.s` failed"},
      {"s string", "JSON", "{", "CONSTRAINT `t.s` failed", "unexpected end of JSON text"},
      {"s int64", "INT REFERENCES p (a)", "5", "foreign key constraint fails"},
      {"s string", "UUID", "no", "ncorrect uuid value: 'no'"},
  };
  set_local_infile(by_load);
  mariadb_sql(&c, "CREATE TABLE p (a INT PRIMARY KEY)");
  REQUIRE(open_session());
  for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
    char sql[256];
    static wh_sql_column one;
    static wh_str one_name = WH_STR_INIT("s");
    rows_schema(tries[i].type, &arena, &schema);
    snprintf(sql, sizeof sql, "CREATE OR REPLACE TABLE t (s %s)", tries[i].declared);
    mariadb_sql(&c, sql);
    if (strstr(tries[i].declared, "PRIMARY")) mariadb_sql(&c, "INSERT INTO t VALUES (7)");
    session->driver->declared(&schema.fields[0].type, false, &one);
    columns = &one;
    names = &one_name;
    test_err = (wh_error){0};
    CHECK_OK(run_sql("START TRANSACTION"));
    CHECK_OK(run_sql(session->driver->savepoint));
    snprintf(sql, sizeof sql, "%s\n", tries[i].value);
    CHECK_FAILS(bulk_rows(sql), WH_ERR_TYPE);
    test_note("%s in %s", tries[i].value, tries[i].declared);
    CHECK_ERROR_HAS(by_load && tries[i].of_load ? tries[i].of_load : tries[i].reason);
    CHECK(strstr(test_err.text, " at row ") == NULL && strstr(test_err.text, "place") == NULL);
    CHECK_OK(run_sql(session->driver->to_savepoint));
    CHECK_OK(run_sql(session->driver->release));
    CHECK_OK(run_sql("COMMIT"));
    CHECK_STR(wh_str_of(mariadb_ask(&c, "SELECT count(*) FROM t")),
              wh_str_of(strstr(tries[i].declared, "PRIMARY") ? "1" : "0"));
  }
  close_session();
  set_local_infile(true);
}

SERVED(mysql_takes_a_warning_for_an_error) {
  check_warnings(true);
}

SERVED(mysql_takes_a_warning_of_an_insert_for_an_error) {
  check_warnings(false);
}

// A table of somebody else's, with types that need a word of their own.
static void check_odd_columns(bool by_load) {
  set_local_infile(by_load);
  mariadb_sql(&c, "CREATE TABLE t (y YEAR, b BIT(64), g GEOMETRY, j JSON, e ENUM('it''s','b'), s "
                  "SET('x','y'), u UUID, n INET6, c CHAR(5), z BIT(1))");
  REQUIRE(open_session());
  wh_sql_relation r = related("t");
  rows_schema("y int16; b uint64; g binary; j string; e string; s string; u string; n string; c "
              "string; z bool",
              &arena, &schema);
  columns = r.columns;
  names = WH_NEW_ARRAY(&arena, r.count, wh_str);
  for (size_t i = 0; i < r.count; i++) {
    names[i] = r.columns[i].name;
    CHECK(wh_type_eq(&r.columns[i].type, &schema.fields[i].type));
    CHECK(!session->driver->clash(&schema.fields[i].type, &columns[i]));
  }
  const char *rows =
      "0|18446744073709551615|AQEAAAAAAAAAAADwPwAAAAAAAABA|{\"a\":\"\\\\\"}|it's|x,y|"
      "123e4567-e89b-12d3-a456-426655440000|2001:db8::1|abc|true\n"
      "2026|0|~|1|b||~|::|é|false\n";
  CHECK_OK(bulk_rows(rows));
  check_rows(TABLE("t"), rows);
  close_session();
  set_local_infile(true);
}

SERVED(mysql_loads_odd_columns) {
  check_odd_columns(true);
}

SERVED(mysql_inserts_odd_columns) {
  check_odd_columns(false);
}

// --- The driver: what fits -----------------------------------------------------------------------

SERVED(mysql_knows_what_fits) {
  mariadb_sql(&c,
              "CREATE TABLE t (b BOOLEAN, i8 TINYINT, u8 TINYINT UNSIGNED, f FLOAT, d DOUBLE, x "
              "DECIMAL(5,2), ux DECIMAL(5,2) UNSIGNED, day DATE, tm TIME, dt DATETIME(3), ts "
              "TIMESTAMP NULL, s VARCHAR(3), c CHAR(3), e ENUM('a','b'), st SET('a','b'), u UUID, "
              "n INET6, y YEAR, bt BIT(4), bin BINARY(2), tt TINYTEXT)");
  const struct {
    const char *column, *type, *value, *reason; // NULL: it fits
  } tries[] = {
      {"b", "int64", "1", NULL},
      {"b", "int64", "2", "'2' is not 0 or 1"},
      {"i8", "int64", "-128", NULL},
      {"i8", "int64", "128", "'128' is out of range"},
      {"u8", "decimal(5,2)", "255.00", NULL},
      {"u8", "decimal(5,2)", "1.50", "'1.50' is no whole number"},
      {"u8", "int8", "-1", "'-1' is out of range"},
      {"f", "float64", "0.5", NULL},
      {"f", "float64", "0.1", "'0.1' is not exact as a 32-bit float"},
      {"f", "float32", "NaN", "NaN is no value that the server keeps"},
      {"d", "float64", "Infinity", "infinity is no value that the server keeps"},
      {"d", "int32", "2147483647", NULL},
      {"x", "decimal(9,4)", "999.9900", NULL},
      {"x", "decimal(9,4)", "0.0010",
       "'0.0010' has more decimal places than the 2 that decimal(5,2) keeps"},
      {"x", "int32", "1000", "'1000' has more digits than decimal(5,2) keeps"},
      {"ux", "int32", "-1", "'-1' is below 0, the column is unsigned"},
      {"day", "date", "0001-01-01", NULL},
      {"day", "date", "+010000-01-01", "is not of the years 1 to 9999"},
      {"tm", "time[us]", "12:00:00", NULL},
      {"tm", "time[us]", "12:00:00.5", "has more digits of a second than the column keeps"},
      {"dt", "timestamp[us]", "2026-11-21T08:55:00.123", NULL},
      {"dt", "timestamp[us]", "2026-11-21T08:55:00.1234",
       "has more digits of a second than the column keeps"},
      {"dt", "timestamp[ns]", "2026-11-21T08:55:00.000000001", "is finer than a microsecond"},
      {"ts", "timestamp[us,UTC]", "2038-01-19T03:14:07Z", NULL},
      {"ts", "timestamp[us,UTC]", "2038-01-19T03:14:08Z", "out of the range of a timestamp column"},
      {"ts", "timestamp[us,UTC]", "1970-01-01T00:00:00Z", "out of the range of a timestamp column"},
      {"s", "string", "äöü", NULL},
      {"s", "string", "äöüß", "has 4 characters, the column keeps 3"},
      {"c", "string", "a ", "ends in spaces, which a char column forgets"},
      {"e", "string", "b", NULL},
      {"e", "string", "B", "'B' is none of the column's words"},
      {"e", "string", "1", "'1' is none of the column's words"},
      {"st", "string", "a,b", NULL},
      {"st", "string", "", NULL},
      {"st", "string", "b,a", "'b,a' is no list of the column's words in their order"},
      {"u", "string", "123e4567-e89b-12d3-a456-426655440000", NULL},
      {"u", "string", "123E4567-e89b-12d3-a456-426655440000", "is no UUID in lower case"},
      {"n", "string", "::1", NULL},
      {"n", "string", "0::1", "'0::1' is no address as the server writes it"},
      {"y", "int32", "1901", NULL},
      {"y", "int32", "26", "'26' is not 0 or a year from 1901 to 2155"},
      {"bt", "uint64", "15", NULL},
      {"bt", "uint64", "16", "'16' has more bits than the column keeps"},
      {"bin", "binary", "AAA=", NULL},
      {"bin", "binary", "AA==", "has 1 bytes, the column keeps exactly 2"},
  };
  REQUIRE(open_session());
  wh_sql_relation r = related("t");
  for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
    const wh_sql_column *column = NULL;
    for (size_t k = 0; k < r.count; k++)
      if (wh_str_is(r.columns[k].name, tries[i].column)) column = &r.columns[k];
    wh_value v = value_of(tries[i].value, tries[i].type);
    wh_column values;
    char reason[WH_SQL_REASON_MAX] = "";
    wh_column_init(&values, &test_mem, &v.type);
    CHECK_OK(wh_value_add(&values, &v, &test_err));
    test_note("%s in %s", tries[i].value, tries[i].column);
    CHECK(!session->driver->clash(&v.type, column));
    CHECK(session->driver->checks(&v.type, column));
    CHECK_EQ(session->driver->fits(column, &values, 0, reason), tries[i].reason == NULL);
    if (tries[i].reason && !CHECK(strstr(reason, tries[i].reason))) test_note("%s", reason);
    wh_column_free(&values);
  }
  const struct {
    const char *column, *type, *clash;
  } pairs[] = {
      {"i8", "string", "keeps whole numbers"},
      {"i8", "float64", "keeps whole numbers"},
      {"f", "int64", "keeps floats, which round large numbers"},
      {"d", "decimal(5,2)", "keeps floats"},
      {"x", "float64", "keeps decimals"},
      {"s", "int64", "keeps text"},
      {"day", "timestamp[us]", "keeps dates without a time"},
      {"dt", "timestamp[us,UTC]", "keeps times without a zone"},
      {"ts", "timestamp[us]", "keeps instants, for which a zone is needed"},
      {"bin", "string", "keeps binary"},
      {"s", "binary", "keeps text"},
      {"e", "list<int64>", "keeps text of a certain form"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    wh_type type;
    CHECK_OK(wh_type_parse(wh_str_of(pairs[i].type), &arena, &type, &test_err));
    for (size_t k = 0; k < r.count; k++)
      if (wh_str_is(r.columns[k].name, pairs[i].column))
        CHECK_STR(wh_str_of(session->driver->clash(&type, &r.columns[k])),
                  wh_str_of(pairs[i].clash));
  }
  close_session();
}

// --- Memory --------------------------------------------------------------------------------------

static wh_status read_everything(void) {
  return read_all(TABLE("t"));
}

static wh_status load_everything(void) {
  WH_TRY(wh_mariadb_driver.open(&c, WH_SQL_WRITE, &session, &test_err));
  wh_status status =
      session->driver->run(session, WH_STR("START TRANSACTION"), NULL, 0, NULL, &test_err);
  wh_sql_relation r;
  if (status == WH_OK)
    status = session->driver->relate(session, WH_STR("t"), &arena, &r, &test_err);
  if (status == WH_OK) {
    columns = r.columns;
    wh_batch batch;
    uint32_t row = 0;
    atomic_size_t kept = atomic_load(&test_mem.fail_at);
    atomic_store(&test_mem.fail_at, 0);
    CHECK_OK(wh_batch_init(&batch, &test_mem, &schema, &test_err));
    rows_add(&batch, "1|x|2026-11-21T08:55:00\n");
    atomic_store(&test_mem.fail_at, kept);
    wh_sql_bulk bulk = {.table = WH_STR("`t`"),
                        .names = names,
                        .columns = columns,
                        .batch = &batch,
                        .rows = &row,
                        .row_count = 1};
    status = session->driver->bulk(session, &bulk, &test_err);
    wh_batch_free(&batch);
  }
  close_session();
  return status;
}

static void without_memory(wh_status (*work)(void)) {
  wh_arena kept = arena;
  for (size_t n = 1;; n++) {
    wh_arena_init(&arena, &test_mem);
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = work();
    bool refused = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    wh_arena_free(&arena);
    if (!refused) {
      CHECK_EQ(status, WH_OK);
      test_note("%zu allocations failed in turn", n - 1);
      break;
    }
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) {
      test_note("at %zu: %s", n, test_err.text);
      break;
    }
  }
  arena = kept;
}

SERVED(mysql_survives_without_memory) {
  mariadb_sql(&c, "CREATE TABLE t (a INT, b LONGTEXT, at DATETIME);"
                  "INSERT INTO t VALUES (1, 'x', '2026-11-21 08:55:00'), (2, 'y', NULL)");
  without_memory(read_everything);
  static wh_str three[] = {WH_STR_INIT("a"), WH_STR_INIT("b"), WH_STR_INIT("at")};
  names = three;
  rows_schema("a int32; b string; at timestamp[us]", &arena, &schema);
  without_memory(load_everything);
  set_local_infile(false);
  without_memory(load_everything);
  set_local_infile(true);
  CHECK_STR(wh_str_of(mariadb_ask(&c, "SELECT count(*) FROM t")), WH_STR("2"));
}
#else
#include "test.h"
TEST(mysql_is_left_out) {
  SKIP("the connector mysql is left out of this build");
}
#endif
