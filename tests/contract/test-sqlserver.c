// The connector sqlserver against the TDS peer, or a server (see place_sqlserver.h): types both
// ways, errors, faults on demand, exact cursors.
#ifdef WHERRY_SQLSERVER
#include "connect/sqlserver/driver.h"
#include "connect/sqlserver/sqlserver.h"

#include "connect/sqlserver/session.h"
#include "place_sqlserver.h"
#include "row_text.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static wh_connection c;
static wh_mssql_options options;
static wh_arena arena;
static wh_buf out;
static wh_mem out_mem; // what tests collect is not what they measure
static rows_rejects rejects;
static wh_schema schema;

static bool set_up(void) {
  const char *reason = NULL;
  test_mssql_open(&c, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  options = *(const wh_mssql_options *)c.options;
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
  test_mssql_close(&c);
}

#define SERVED(ident)                                                                              \
  static void served_##ident(void);                                                                \
  TEST(ident) {                                                                                    \
    if (!set_up()) return;                                                                         \
    served_##ident();                                                                              \
    tear_down();                                                                                   \
  }                                                                                                \
  static void served_##ident(void)

// What only the peer does: breaking on demand, being other servers.
#define PEER(ident)                                                                                \
  static void served_##ident(void);                                                                \
  TEST(ident) {                                                                                    \
    if (!test_mssql_is_peer()) SKIP("WHERRY_TEST_SQLSERVER is no peer");                           \
    if (!set_up()) return;                                                                         \
    served_##ident();                                                                              \
    tear_down();                                                                                   \
  }                                                                                                \
  static void served_##ident(void)

#define TABLE(name) (&(wh_source_query){.table = WH_STR(name)})
#define QUERY(text) (&(wh_source_query){.query = WH_STR(text)})

static void sql(const char *text) {
  test_mssql_sql(&c, text);
}

static const char *described(const wh_source_query *q) {
  wh_source_info info;
  wh_buf_clear(&out);
  if (!CHECK_OK(c.type->source->describe(&c, q, &arena, &info, &test_err))) return "";
  rows_write_schema(&info.schema, &out);
  return wh_arena_cstr(&arena, wh_buf_str(&out));
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

static void check_rows(const wh_source_query *q, const char *want) {
  if (CHECK_OK(read_all(q))) CHECK_STR(wh_buf_str(&out), wh_str_of(want));
}

// --- A load --------------------------------------------------------------------------------------

static wh_status put(const wh_target *target, const char *rows, wh_counts *counts) {
  const wh_sink_type *type = c.type->sink;
  wh_sink *sink;
  wh_mark mark;
  wh_batch batch;
  wh_load load = {.pipeline = WH_STR("p"),
                  .object = WH_STR("o"),
                  .run = WH_STR("r"),
                  .order = 1,
                  .epoch = 1,
                  .now_us = 1795251600000000};
  WH_TRY(type->open(&c, target, 1, &sink, &test_err));
  wh_status status = type->prepare(sink, &test_err);
  if (status == WH_OK) status = type->begin(sink, &load, &arena, &mark, &test_err);
  if (status == WH_OK && mark.done) {
    type->close(sink);
    *counts = mark.counts;
    return WH_OK;
  }
  if (status == WH_OK) status = wh_batch_init(&batch, &test_mem, &schema, &test_err);
  if (status == WH_OK) {
    mark = (wh_mark){.done = true};
    rows_add(&batch, rows);
    mark.counts.read = mark.rows_done = batch.rows;
    status = type->write(sink, 0, &batch, &rejects.base, &mark.counts, &test_err);
    wh_batch_free(&batch);
  }
  if (status == WH_OK) status = type->mark(sink, &mark, &test_err);
  if (status == WH_OK) status = type->commit(sink, &test_err);
  if (status == WH_OK) *counts = mark.counts;
  type->close(sink);
  return status;
}

static wh_target append_to(const char *table, const char *fields) {
  rows_schema(fields, &arena, &schema);
  return (wh_target){.table = wh_str_of(table), .schema = &schema, .mode = WH_WRITE_APPEND};
}

// --- Types ---------------------------------------------------------------------------------------

#define KINDS                                                                                      \
  "CREATE TABLE kinds (i int NOT NULL PRIMARY KEY, b bit, t tinyint, s smallint, l bigint, d "     \
  "decimal(38,10), m money, sm smallmoney, r real, f float, ch char(3), vc varchar(10), nc "       \
  "nchar(3), nv nvarchar(50), nm nvarchar(max), bi binary(2), vb varbinary(max), da date, t7 "     \
  "time(7), t3 time(3), dt datetime, sd smalldatetime, d7 datetime2(7), d3 datetime2(3), o7 "      \
  "datetimeoffset(7), o0 datetimeoffset(0), u uniqueidentifier)"

SERVED(sqlserver_reads_every_type) {
  sql(KINDS);
  sql("INSERT INTO kinds VALUES (-2147483648, 1, 255, -32768, -9223372036854775808, "
      "'-1234567890123456789012345678.0123456789', '-922337203685477.5808', '214748.3647', 0.5, "
      "1.7976931348623157e308, 'ab', 'x', 'é', '😀', '', 0x00ff, 0x, '0001-01-01', "
      "'23:59:59.9999999', '23:59:59.999', '1753-01-01 00:00:00.003', '2079-06-06 23:59:00', "
      "'2262-04-11 23:47:16.8547758', '9999-12-31 23:59:59.999', "
      "'2026-11-21 08:00:00.1234567 +02:00', '0001-01-01 00:00:00 +00:00', "
      "'0e984725-c51c-4bf4-9960-e1c80e27aba0')");
  sql("INSERT INTO kinds (i) VALUES (1)");
  CHECK_STR(wh_str_of(described(TABLE("kinds"))),
            WH_STR("i int32!; b bool; t uint8; s int16; l int64; d decimal(38,10); m "
                   "decimal(19,4); sm decimal(10,4); r float32; f float64; ch string; vc string; "
                   "nc string; nv string; nm string; bi binary; vb binary; da date; t7 time[ns]; "
                   "t3 time[us]; dt timestamp[us]; sd timestamp[us]; d7 timestamp[ns]; d3 "
                   "timestamp[us]; o7 timestamp[ns,UTC]; o0 timestamp[us,UTC]; u string"));
  check_rows(TABLE("kinds"),
             "-2147483648|true|255|-32768|-9223372036854775808|"
             "-1234567890123456789012345678.0123456789|-922337203685477.5808|214748.3647|0.5|"
             "1.7976931348623157e+308|ab |x|é  |😀||AP8=||0001-01-01|23:59:59.9999999|23:59:59.999|"
             "1753-01-01T00:00:00.003|2079-06-06T23:59:00|2262-04-11T23:47:16.8547758|"
             "9999-12-31T23:59:59.999|2026-11-21T06:00:00.1234567Z|0001-01-01T00:00:00Z|"
             "0E984725-C51C-4BF4-9960-E1C80E27ABA0\n"
             "1|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~\n");
}

SERVED(sqlserver_writes_every_type) {
  static const char rows[] =
      "7|true|255|-32768|-9223372036854775808|-1234567890123456789012345678.0123456789|"
      "-922337203685477.5808|214748.3647|0.5|1.7976931348623157e+308|abc|xé|é😀|😀 'x'||AP8=||"
      "0001-01-01|23:59:59.9999999|23:59:59.999|1753-01-01T00:00:00.007|2079-06-06T23:59:00|"
      "2262-04-11T23:47:16.8547758|9999-12-31T23:59:59.999|2026-11-21T06:00:00.1234567Z|"
      "0001-01-01T00:00:00Z|0E984725-C51C-4BF4-9960-E1C80E27ABA0\n"
      "8|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~|~\n";
  wh_counts counts = {0};
  sql(KINDS);
  wh_target target = append_to(
      "kinds", "i int32!; b bool; t uint8; s int16; l int64; d decimal(38,10); m decimal(19,4); sm "
               "decimal(10,4); r float32; f float64; ch string; vc string; nc string; nv string; "
               "nm string; bi binary; vb binary; da date; t7 time[ns]; t3 time[us]; dt "
               "timestamp[us]; sd timestamp[us]; d7 timestamp[ns]; d3 timestamp[us]; o7 "
               "timestamp[ns,UTC]; o0 timestamp[us,UTC]; u string");
  CHECK_OK(put(&target, rows, &counts));
  CHECK_STR(wh_buf_str(&rejects.text), WH_STR(""));
  CHECK_EQ(counts.written, 2);
  check_rows(TABLE("kinds"), rows);
}

SERVED(sqlserver_refuses_what_would_change) {
  wh_counts counts = {0};
  sql("CREATE TABLE t (i smallint, m smallmoney, vc varchar(3), nv nvarchar(2), dt datetime, d3 "
      "datetime2(3), u uniqueidentifier, f real, bi binary(2))");
  wh_target target = append_to("t", "i int64; m decimal(19,5); vc string; nv string; dt "
                                    "timestamp[us]; d3 timestamp[us]; u string; f float64; bi "
                                    "binary");
  CHECK_OK(
      put(&target,
          "32768|~|~|~|~|~|~|~|~\n~|214748.36470|~|~|~|~|~|~|~\n~|214748.36480|~|~|~|~|~|~|~\n"
          "~|0.00001|~|~|~|~|~|~|~\n~|~|Ω|~|~|~|~|~|~\n~|~|abcd|~|~|~|~|~|~\n~|~|~|😀x|~|~|~|~|~\n"
          "~|~|~|~|2026-11-21T08:00:00.001|~|~|~|~\n~|~|~|~|1752-12-31T00:00:00|~|~|~|~\n"
          "~|~|~|~|~|2026-11-21T08:00:00.0001|~|~|~\n~|~|~|~|~|~|no|~|~\n~|~|~|~|~|~|~|0.1|~\n"
          "~|~|~|~|~|~|~|~|AA==\n",
          &counts));
  CHECK_EQ(counts.written, 1);
  CHECK_STR(
      wh_buf_str(&rejects.text),
      WH_STR("type|i|'32768' is out of range|1\n"
             "type|m|'214748.36480' is out of the range of smallmoney|3\n"
             "type|m|'0.00001' has more decimal places than the 4 that decimal(10,4) keeps|4\n"
             "type|vc|'Ω' has characters that the column's code page has not|5\n"
             "type|vc|has 4 bytes, the column keeps 3|6\n"
             "type|nv|has 3 characters, the column keeps 2|7\n"
             "type|dt|'2026-11-21T08:00:00.001' is finer than a datetime keeps|8\n"
             "type|dt|'1752-12-31T00:00:00' is not of the years 1753 to 9999 of a datetime|9\n"
             "type|d3|'2026-11-21T08:00:00.0001' has more digits of a second than the column "
             "keeps|10\n"
             "type|u|'no' is no UUID|11\n"
             "type|f|'0.1' is not exact as a 32-bit float|12\n"
             "type|bi|has 1 bytes, the column keeps exactly 2|13\n"));
}

SERVED(sqlserver_carries_long_text_and_odd_names) {
  enum { LONG = 1 << 20 };
  wh_counts counts = {0};
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, &out_mem, 0);
  wh_buf_add_c(&rows, "1|");
  for (size_t i = 0; i < LONG / 4; i++)
    wh_buf_add_c(&rows, "😀");
  wh_buf_add_c(&rows, "\n2|\n3|~\n");
  wh_target target = append_to("", "id int32!; t]x't\"😀 string");
  target.table = WH_STR("a]b 😀");
  CHECK_OK(put(&target, rows.data, &counts));
  CHECK_EQ(counts.written, 3);
  wh_source_query q = {.table = target.table};
  check_rows(&q, rows.data);
}

SERVED(sqlserver_refuses_columns_it_cannot_write) {
  wh_counts counts = {0};
  sql("CREATE TABLE t (id int IDENTITY(1,1) PRIMARY KEY, x xml, rv rowversion, old ntext, cy "
      "varchar(9) COLLATE Cyrillic_General_CI_AS, ok nvarchar(9))");
  wh_target target = append_to("t", "id int32; x string; rv uint64; old string; cy string; ok "
                                    "string");
  CHECK_FAILS(put(&target, "1|<a/>|1|o|c|y\n", &counts), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("column 'id' is declared int and is numbered by the server (identity)");
  CHECK_ERROR_HAS("column 'x' is declared xml and keeps documents in a form of the server's");
  CHECK_ERROR_HAS("column 'rv' is declared rowversion and is numbered by the server (rowversion)");
  CHECK_ERROR_HAS("column 'old' is declared ntext");
  CHECK_ERROR_HAS("has another code page than the database; make it nvarchar");
  target = append_to("t", "ok string");
  CHECK_OK(put(&target, "y\n", &counts));
  check_rows(QUERY("SELECT id, ok FROM t"), "1|y\n");
}

// The rows go by way of a table that is made behind a savepoint, and is gone with each refusal.
SERVED(sqlserver_appends_what_is_not_refused) {
  wh_counts counts = {0};
  sql("CREATE TABLE t (n int CHECK (n < 3))");
  wh_target target = append_to("t", "n int32");
  CHECK_OK(put(&target, "1\n3\n2\n4\n0\n", &counts));
  CHECK_EQ(counts.written, 3);
  CHECK_EQ(counts.quarantined, 2);
  check_rows(QUERY("SELECT n FROM t ORDER BY n"), "0\n1\n2\n");
}

// --- Errors --------------------------------------------------------------------------------------

static void check_login(wh_status want, bool retry, const char *text) {
  wh_mssql_session *s = NULL;
  CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), want);
  CHECK_EQ(test_err.retry, retry);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(text));
}

PEER(sqlserver_says_why_a_login_fails) {
  wh_server *server = &options.server;
  wh_str password = server->password;
  server->password = WH_STR("wrong");
  check_login(WH_ERR_DENIED, false,
              "place: the server refuses the user 'sa'. Check `user` and `password`");
  server->password = password;
  server->database = WH_STR("missing");
  check_login(WH_ERR_DENIED, false,
              "place: the server has no database 'missing', or the user 'sa' may not use it");
  server->database = WH_STR("error40615");
  check_login(
      WH_ERR_DENIED, false,
      "place: the firewall of 127.0.0.1 does not let the address 203.0.113.7 through. Allow "
      "it under Networking of the server in the Azure portal");
  static const char *const transient[] = {"error40197", "error40501", "error40613", "error49918",
                                          "error49919", "error49920", "error10928", "error10929",
                                          "error4221",  "error40143", "error40166", "error40540"};
  for (size_t i = 0; i < sizeof transient / sizeof transient[0]; i++) {
    wh_mssql_session *s = NULL;
    server->database = wh_str_of(transient[i]);
    CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), WH_ERR_UNAVAILABLE);
    CHECK(test_err.retry);
  }
  server->database = WH_STR("test");
  server->host = WH_STR("no.such.host.invalid");
  check_login(WH_ERR_UNAVAILABLE, true,
              "place: no machine is known as 'no.such.host.invalid'. Is `host` spelled right?");
  server->host = WH_STR("127.0.0.1");
  server->port = 9;
  check_login(
      WH_ERR_UNAVAILABLE, true,
      "place: no server answers at 127.0.0.1, port 9. Is it running, and does a firewall let "
      "this machine through?");
}

TEST(sqlserver_hides_values) {
  char text[] =
      "violation of UNIQUE KEY constraint 'UQ_mail'. Cannot insert duplicate key in object "
      "'dbo.people'. The duplicate key value is (me@home.org)";
  wh_mssql_driver.hide_values(text);
  CHECK_STR(wh_str_of(text), WH_STR("violation of UNIQUE KEY constraint 'UQ_mail'. Cannot insert "
                                    "duplicate key in object 'dbo.people'"));
}

static void openssl(const char *command) {
  char text[1024];
  snprintf(text, sizeof text, "cd %s && openssl %s >/dev/null 2>&1", test_folder(), command);
  CHECK_EQ(system(text), 0);
}

PEER(sqlserver_verifies_certificates) {
  char ca[256], other[256], certificate[256], key[256];
  openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=CA");
  openssl("req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=O");
  openssl("req -newkey rsa:2048 -nodes -keyout s.key -out s.csr -subj /CN=localhost");
  openssl("x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out s.pem -days 2");
  snprintf(ca, sizeof ca, "%s/ca.pem", test_folder());
  snprintf(other, sizeof other, "%s/other.pem", test_folder());
  snprintf(certificate, sizeof certificate, "%s/s.pem", test_folder());
  snprintf(key, sizeof key, "%s/s.key", test_folder());
  wh_server *server = &options.server;
  server->port = test_mssql_start_tls(certificate, key);
  REQUIRE(server->port);
  server->tls = WH_TLS_VERIFY;
  server->host = WH_STR("localhost");
  server->tls_ca = wh_str_of(ca);
  wh_mssql_session *s = NULL;
  CHECK_OK(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err));
  wh_mssql_close(s);
  // Of another name, of another authority.
  server->host = WH_STR("127.0.0.1");
  CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), WH_ERR_DENIED);
  CHECK_STR(
      wh_str_of(test_err.text),
      WH_STR("place: the server's certificate is for another name than 127.0.0.1. Use the name "
             "that it is for as `host`, or have one made for this name"));
  server->host = WH_STR("localhost");
  server->tls_ca = wh_str_of(other);
  CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), WH_ERR_DENIED);
  CHECK_STR(
      wh_str_of(test_err.text),
      WH_STR("place: the certificate of the server at localhost is signed by nobody whom "
             "`tls_ca` trusts. Give `tls_ca` the certificate of the authority that signed it"));
  server->tls_ca = (wh_str){0};
  CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), WH_ERR_DENIED);
  CHECK_ERROR_HAS("signed by nobody whom the system trusts");
  server->tls_ca = wh_str_of(key);
  CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("holds no certificates");
  // One that does not encrypt.
  server->tls_ca = wh_str_of(ca);
  int64_t encrypted = server->port;
  server->port = test_mssql_port();
  CHECK_FAILS(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err), WH_ERR_DENIED);
  CHECK_ERROR_HAS("place: the server at localhost does not encrypt");
  server->port = encrypted;
  server->tls = WH_TLS_REQUIRE;
  CHECK_OK(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err));
  wh_mssql_close(s);
}

// --- Faults --------------------------------------------------------------------------------------

static wh_target upsert(void) {
  static const wh_str key = WH_STR_INIT("k");
  wh_target target = append_to("orders", "k int32!; v int64; s string");
  target.mode = WH_WRITE_UPSERT;
  target.key = &key;
  target.key_count = 1;
  target.newest_by = WH_STR("v");
  return target;
}

PEER(sqlserver_loads_again_after_what_passes) {
  static const char *const faults[] = {"PEER ERROR 1205 'UPDATE t SET'",
                                       "PEER ERROR 1222 'INSERT INTO dbo . orders'",
                                       "PEER ERROR 40197 'insert bulk'",
                                       "PEER CUT 'UPDATE t SET'",
                                       "PEER CUT 'COMMIT'",
                                       "PEER CUT 'insert bulk'",
                                       "PEER CUT AFTER 'COMMIT'"};
  wh_target target = upsert();
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    wh_counts counts = {0};
    sql("DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS _wherry_marks; DROP TABLE IF EXISTS "
        "_wherry_lease");
    sql(faults[i]);
    wh_status status = put(&target, "1|1|a\n2|1|b\n", &counts);
    CHECK(status == WH_ERR_BUSY || status == WH_ERR_UNAVAILABLE);
    if (!CHECK(test_err.retry)) test_note("%s: %s", faults[i], test_err.text);
    CHECK_OK(put(&target, "1|1|a\n2|1|b\n", &counts));
    CHECK_EQ(counts.written, 2);
    check_rows(TABLE("orders"), "1|1|a\n2|1|b\n");
  }
}

// A trigger that rolls back takes the savepoint with it: what it was is not lost.
PEER(sqlserver_says_what_ended_the_transaction) {
  wh_target target = upsert();
  wh_counts counts = {0};
  sql("PEER ERROR 3609 'INSERT INTO dbo . orders'");
  CHECK_FAILS(put(&target, "1|1|a\n", &counts), WH_ERR_IO);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("place: loading: the server, or a trigger of the table, ended the transaction, "
                   "with: error 3609 on demand"));
}

PEER(sqlserver_ends_a_reading_that_is_cut) {
  sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
  sql("PEER CUT 'SELECT n FROM dbo . t'");
  CHECK_FAILS(read_all(TABLE("t")), WH_ERR_UNAVAILABLE);
  CHECK(test_err.retry);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("place: reading t: the connection to the server was lost"));
  check_rows(TABLE("t"), "1\n");
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

PEER(sqlserver_waits_no_longer_than_it_may) {
  wh_mssql_session *s;
  options.server.statement_timeout_us = 1000000;
  REQUIRE_OK(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err));
  int64_t before = now_ms();
  CHECK_FAILS(wh_mssql_run_c(s, "PEER WAIT 6000", &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("the statement took longer than statement_timeout");
  wh_mssql_close(s);
  CHECK(now_ms() - before < 5000);
}

static void *set_soon(void *flag) {
  usleep(300000);
  atomic_store((atomic_bool *)flag, true);
  return NULL;
}

PEER(sqlserver_stops_waiting_when_asked) {
  wh_mssql_session *s;
  atomic_bool cancel = false;
  pthread_t thread;
  c.cancel = &cancel;
  REQUIRE_OK(wh_mssql_open(&c, WH_SQL_READ, &s, &test_err));
  REQUIRE(pthread_create(&thread, NULL, set_soon, &cancel) == 0);
  int64_t before = now_ms();
  CHECK_FAILS(wh_mssql_run_c(s, "PEER WAIT 20000", &test_err), WH_ERR_CANCELLED);
  wh_mssql_close(s);
  CHECK(now_ms() - before < 10000);
  pthread_join(thread, NULL);
}

SERVED(sqlserver_refuses_rows_that_are_too_large) {
  sql("CREATE TABLE t (n int, s nvarchar(max)); INSERT INTO t VALUES (1, 'x'), (2, 'xxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
      ")");
  c.row_limit_bytes = 60;
  CHECK_FAILS(read_all(TABLE("t")), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("place: row 2 of t is larger than 60 bytes");
}

// --- Cursors -------------------------------------------------------------------------------------

SERVED(sqlserver_rowversions_are_exact_cursors) {
  wh_source_query q = {.table = WH_STR("t"), .cursor = WH_STR("rv")};
  wh_source_info info;
  wh_bound first, second;
  sql("CREATE TABLE t (n int, rv rowversion); INSERT INTO t (n) VALUES (1), (2)");
  REQUIRE_OK(c.type->source->describe(&c, &q, &arena, &info, &test_err));
  CHECK_EQ(info.cursor_kind, WH_CURSOR_EXACT);
  REQUIRE_OK(c.type->source->bound(&c, &q, &arena, &first, &test_err));
  CHECK(first.has_to && first.to.type.kind == WH_UINT64);
  // Somebody is writing while the bound is taken: his row comes next time.
  wh_mssql_session *s;
  REQUIRE_OK(wh_mssql_open(&c, WH_SQL_WRITE, &s, &test_err));
  CHECK_OK(wh_mssql_run_c(s, "BEGIN TRANSACTION", &test_err));
  CHECK_OK(wh_mssql_run_c(s, "INSERT INTO t (n) VALUES (3)", &test_err));
  REQUIRE_OK(c.type->source->bound(&c, &q, &arena, &second, &test_err));
  CHECK_OK(wh_mssql_run_c(s, "COMMIT", &test_err));
  wh_mssql_close(s);
  sql("UPDATE t SET n = 10 WHERE n = 1");
  q.columns = (wh_str[]){WH_STR("n")};
  q.column_count = 1;
  wh_schema only = {.count = 1, .fields = info.schema.fields};
  wh_reader *reader;
  q.has_to = true;
  q.to = second.to;
  wh_buf_clear(&out);
  REQUIRE_OK(c.type->source->open(&c, &q, &only, &reader, &test_err));
  CHECK_OK(rows_read(reader, &rejects, &out, &test_err));
  wh_reader_close(reader);
  CHECK_STR(wh_buf_str(&out), WH_STR("2\n"));
  q.has_from = true;
  q.from = second.to;
  REQUIRE_OK(c.type->source->bound(&c, &q, &arena, &second, &test_err));
  q.to = second.to;
  wh_buf_clear(&out);
  REQUIRE_OK(c.type->source->open(&c, &q, &only, &reader, &test_err));
  CHECK_OK(rows_read(reader, &rejects, &out, &test_err));
  wh_reader_close(reader);
  rows_sort(&out);
  CHECK_STR(wh_buf_str(&out), WH_STR("10\n3\n"));
}

#else
#include "test.h"
TEST(sqlserver_is_left_out) {
  SKIP("the connector is not built");
}
#endif
