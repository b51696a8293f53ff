#include "place.h"

#include "connect/sqlite/sqlite.h"
#ifdef WHERRY_DYNAMODB
#include "place_dynamodb.h"
#endif
#ifdef WHERRY_MYSQL
#include "place_mysql.h"
#endif
#ifdef WHERRY_ODBC
#include "place_odbc.h"
#endif
#ifdef WHERRY_POSTGRES
#include "place_postgres.h"
#endif
#ifdef WHERRY_SQLSERVER
#include "place_sqlserver.h"
#endif

#include <sqlite3.h>
#include <stdio.h>

static wh_os_real real_os;
static wh_sqlite_options sqlite_options;
static char sqlite_path[512];

static void sqlite_open(wh_connection *c, const char **reason) {
  (void)reason;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  snprintf(sqlite_path, sizeof sqlite_path, "%s/test.db", test_folder());
  sqlite_options = (wh_sqlite_options){.path = wh_str_of(sqlite_path), .busy_timeout_us = 200000};
  *c = (wh_connection){
      .name = WH_STR("place"),
      .type = &wh_connector_sqlite,
      .options = &sqlite_options,
      .os = &real_os.base,
      .mem = &test_mem,
      .row_limit_bytes = 8 << 20,
  };
}

static void sqlite_close(wh_connection *c) {
  (void)c;
  wh_os_real_free(&real_os);
}

static sqlite3 *raw_open(void) {
  sqlite3 *db = NULL;
  CHECK_EQ(sqlite3_open(sqlite_path, &db), SQLITE_OK);
  return db;
}

static void sqlite_sql(wh_connection *c, const char *text) {
  (void)c;
  sqlite3 *db = raw_open();
  char *message = NULL;
  if (!CHECK_EQ(sqlite3_exec(db, text, NULL, NULL, &message), SQLITE_OK))
    test_note("%s", message ? message : "?");
  sqlite3_free(message);
  sqlite3_close(db);
}

static const char *sqlite_ask(wh_connection *c, const char *text) {
  (void)c;
  static char answer[4096];
  answer[0] = 0;
  sqlite3 *db = raw_open();
  sqlite3_stmt *stmt = NULL;
  if (!CHECK_EQ(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK))
    test_note("%s", sqlite3_errmsg(db));
  if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *value = (const char *)sqlite3_column_text(stmt, 0);
    snprintf(answer, sizeof answer, "%s", value ? value : "~");
  }
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return answer;
}

// --- the words of each --------------------------------------------------------------------------

static const test_word sqlite_words[] = {
    {"int64", "INTEGER"},
    {"double", "REAL"},
    {"text", "TEXT"},
    {"key text", "TEXT"}, // that can be a key
    {"timestamp", "TIMESTAMP"},
    {"timestamptz", "TIMESTAMPTZ"},
    {"datetime", "DATETIME"}, // of others, with times that have a zone
    {"serial key", "INTEGER PRIMARY KEY"},
    {"compact", " WITHOUT ROWID"},
    {"readers do not wait", "PRAGMA journal_mode = WAL;"},
    {"param", "?"},
    {"join lines", "group_concat(line, ',')"},
    {"earliest instant", "0001-01-01T00:00:00Z"},
    {"quoted k", "\"k\""},
    {"view of text", "b string"}, // that must have a value in the table
    {"columns of orders", "pragma_table_info('orders')"},
    {"no column nmae", "no such column: nmae, at line 1, column 8"},
    // A timestamp that is none, and what is said of it.
    {"misfit type", "TIMESTAMP"},
    {"misfit", "'yesterday'"},
    {"misfit reason", "'yesterday' is not a date and time"},
    {"misfit raw", "yesterday"},
    // What the sink makes, and what comes back.
    {"finest", "854775807"},
    {"types back", "b bool; i8 int8; i16 int16; i32 int32; i64 int64; u8 uint8; u16 uint16; "
                   "u32 uint32; u64 uint64; f32 float32; f64 float64; d decimal(12,2); "
                   "d15 decimal(15,0); wide decimal(38,10); day date; t time[us]; ts time[s]; "
                   "at timestamp[us]; fine timestamp[ns]; utc timestamp[us,UTC]; "
                   "sec timestamp[s,UTC]; s string; x binary"},
    {"create", "CREATE TABLE \"orders\""},
    {"create orders", "CREATE TABLE \"orders\" (\n"
                      "  \"k\" TEXT NOT NULL,\n"
                      "  \"v\" TIMESTAMPTZ,\n"
                      "  \"n\" INTEGER,\n"
                      "  \"s\" TEXT,\n"
                      "  \"_wherry_order\" INTEGER NOT NULL,\n"
                      "  PRIMARY KEY (\"k\")\n"
                      ") WITHOUT ROWID"},
    {"new int64", "INTEGER"},
    {"new timestamptz", "TIMESTAMPTZ"},
    {"text into integer", "is declared INTEGER and turns text that looks like a number into one"},
    {"int64 into text", "is declared TEXT and keeps text"},
    {"text into real", "is declared REAL and turns text that looks like a number into one"},
    {"make nocase", ""},
    {"nocase", "COLLATE NOCASE"},
    {"check refuses", "CHECK constraint failed: n > 0"},
    {"unique refuses", "UNIQUE constraint failed: orders.s"},
    {0},
};

static const test_place sqlite_place = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .sql = sqlite_sql,
    .ask = sqlite_ask,
    .words = sqlite_words,
    .one_writer = true,
};

#ifdef WHERRY_POSTGRES
static const test_word postgres_words[] = {
    {"int64", "BIGINT"},
    {"double", "DOUBLE PRECISION"},
    {"text", "TEXT"},
    {"key text", "TEXT"},
    {"timestamp", "TIMESTAMP"},
    {"timestamptz", "TIMESTAMPTZ"},
    {"datetime", "TIMESTAMPTZ"},
    {"serial key", "SERIAL PRIMARY KEY"},
    {"compact", ""},
    {"readers do not wait", ""},
    {"param", "$1"},
    {"join lines", "string_agg(line, ',')"},
    {"earliest instant", "0001-01-01T00:00:00Z"},
    {"quoted k", "\"k\""},
    {"view of text", "b string"},
    {"columns of orders", "information_schema.columns WHERE table_name = 'orders'"},
    {"no column nmae", "column \"nmae\" does not exist, at line 1, column 8"},
    {"misfit type", "TIMESTAMP"},
    {"misfit", "'infinity'"},
    {"misfit reason", "'infinity' is not a date and time"},
    {"misfit raw", "infinity"},
    {"finest", "854775"},
    {"types back", "b bool; i8 int16; i16 int16; i32 int32; i64 int64; u8 int16; u16 int32; "
                   "u32 int64; u64 decimal(20,0); f32 float32; f64 float64; d decimal(12,2); "
                   "d15 decimal(15,0); wide decimal(38,10); day date; t time[us]; ts time[s]; "
                   "at timestamp[us]; fine timestamp[us]; utc timestamp[us,UTC]; "
                   "sec timestamp[s,UTC]; s string; x binary"},
    {"create", "CREATE TABLE \"public\".\"orders\""},
    {"create orders", "CREATE TABLE \"public\".\"orders\" (\n"
                      "  \"k\" text NOT NULL,\n"
                      "  \"v\" timestamptz,\n"
                      "  \"n\" bigint,\n"
                      "  \"s\" text,\n"
                      "  \"_wherry_order\" bigint NOT NULL,\n"
                      "  PRIMARY KEY (\"k\")\n"
                      ")"},
    {"new int64", "bigint"},
    {"new timestamptz", "timestamptz"},
    {"text into integer", "is declared integer and keeps whole numbers"},
    {"int64 into text", "is declared text and keeps text"},
    {"text into real", "is declared real and keeps numbers"},
    {"make nocase", "CREATE COLLATION IF NOT EXISTS nocase "
                    "(provider = icu, locale = 'und-u-ks-level2', deterministic = false);"},
    {"nocase", "COLLATE nocase"},
    {"check refuses", "violates check constraint \"orders_n_check\""},
    {"unique refuses", "violates unique constraint \"orders_s_key\""},
    {0},
};

static const test_place postgres_place = {
    .name = "postgres",
    .open = test_postgres_open,
    .close = test_postgres_close,
    .sql = test_postgres_sql,
    .ask = test_postgres_ask,
    .words = postgres_words,
    .is_slow = true,
};
#endif

#ifdef WHERRY_MYSQL
#define NOPAD "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
static const test_word mysql_words[] = {
    {"int64", "BIGINT"},
    {"double", "DOUBLE"},
    {"text", "TEXT"},
    {"key text", "VARCHAR(100)"},
    {"timestamp", "DATETIME(6)"},
    {"timestamptz", "TIMESTAMP(6) NULL"},
    {"datetime", "TIMESTAMP(6) NULL"},
    {"serial key", "INT AUTO_INCREMENT PRIMARY KEY"},
    {"compact", ""},
    {"readers do not wait", ""},
    {"param", "?"},
    {"join lines", "group_concat(line)"},
    {"earliest instant", "1970-01-01T00:00:01Z"},
    {"quoted k", "`k`"},
    {"view of text", "b string!"},
    {"columns of orders",
     "information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'orders'"},
    {"no column nmae", "Unknown column 'nmae' in "},
    {"misfit type", "DATETIME(6)"},
    {"misfit", "'0000-00-00 00:00:00'"},
    {"misfit reason",
     "'0000-00-00 00:00:00' is no date; with `zero_dates: \"null\"` it is read as missing"},
    {"misfit raw", "0000-00-00 00:00:00"},
    {"finest", "854775"},
    {"types back", "b bool; i8 int8; i16 int16; i32 int32; i64 int64; u8 uint8; u16 uint16; "
                   "u32 uint32; u64 uint64; f32 float32; f64 float64; d decimal(12,2); "
                   "d15 decimal(15,0); wide decimal(38,10); day date; t time[us]; ts time[us]; "
                   "at timestamp[us]; fine timestamp[us]; utc timestamp[us,UTC]; "
                   "sec timestamp[us,UTC]; s string; x binary"},
    {"create", "CREATE TABLE `place`.`orders`"},
    {"create orders", "CREATE TABLE `place`.`orders` (\n"
                      "  `k` VARCHAR(255) " NOPAD " NOT NULL,\n"
                      "  `v` TIMESTAMP(6) NULL,\n"
                      "  `n` BIGINT,\n"
                      "  `s` LONGTEXT " NOPAD ",\n"
                      "  `_wherry_order` bigint NOT NULL,\n"
                      "  PRIMARY KEY (`k`)\n"
                      ") ENGINE=InnoDB"},
    {"new int64", "BIGINT"},
    {"new timestamptz", "TIMESTAMP(6) NULL"},
    {"text into integer", "is declared int(11) and keeps whole numbers"},
    {"int64 into text", "is declared text " NOPAD " and keeps text"},
    {"text into real", "is declared double and keeps floats"},
    {"make nocase", ""},
    {"nocase", "COLLATE utf8mb4_general_ci"},
    {"check refuses", "CONSTRAINT `orders.n` failed for `place`.`orders`"},
    {"unique refuses", "duplicate entry 'x' for key 's'"},
    {0},
};

static const test_place mysql_place = {
    .name = "mysql",
    .open = test_mysql_open,
    .close = test_mysql_close,
    .sql = test_mysql_sql,
    .ask = test_mysql_ask,
    .words = mysql_words,
};
#endif

#ifdef WHERRY_SQLSERVER
static const test_word sqlserver_words[] = {
    {"int64", "bigint"},
    {"double", "float"},
    {"text", "nvarchar(max)"},
    {"key text", "nvarchar(100) COLLATE Latin1_General_100_BIN2"},
    {"timestamp", "datetime2(6)"},
    {"timestamptz", "datetimeoffset(6)"},
    {"datetime", "datetimeoffset(6)"},
    {"serial key", "int IDENTITY(1,1) PRIMARY KEY"},
    {"compact", ""},
    {"readers do not wait", ""},
    {"param", "@P1"},
    {"join lines", "string_agg(line, ',')"},
    {"earliest instant", "0001-01-01T00:00:00Z"},
    {"quoted k", "[k]"},
    {"view of text", "b string!"},
    {"columns of orders", "sys.columns AS c INNER JOIN sys.tables AS t ON t.object_id = "
                          "c.object_id WHERE t.name = 'orders'"},
    {"no column nmae", "Invalid column name 'nmae'"},
    {"misfit type", "datetime2(7)"},
    {"misfit", "'2300-01-01 00:00:00'"},
    {"misfit reason", "is too far from 1970 for nanoseconds; CAST it to datetime2(6) in a `query`"},
    {"misfit raw", "2300-01-01T00:00:00"},
    {"finest", "8547758"},
    {"types back", "b bool; i8 int16; i16 int16; i32 int32; i64 int64; u8 uint8; u16 int32; "
                   "u32 int64; u64 decimal(20,0); f32 float32; f64 float64; d decimal(12,2); "
                   "d15 decimal(15,0); wide decimal(38,10); day date; t time[us]; ts time[us]; "
                   "at timestamp[us]; fine timestamp[ns]; utc timestamp[us,UTC]; "
                   "sec timestamp[us,UTC]; s string; x binary"},
    {"create", "CREATE TABLE [dbo].[orders]"},
    {"create orders", "CREATE TABLE [dbo].[orders] (\n"
                      "  [k] nvarchar(255) COLLATE Latin1_General_100_BIN2 NOT NULL,\n"
                      "  [v] datetimeoffset(6),\n"
                      "  [n] bigint,\n"
                      "  [s] nvarchar(max),\n"
                      "  [_wherry_order] bigint NOT NULL,\n"
                      "  PRIMARY KEY ([k])\n"
                      ")"},
    {"new int64", "bigint"},
    {"new timestamptz", "datetimeoffset(6)"},
    {"text into integer", "is declared int and keeps whole numbers"},
    {"int64 into text",
     "is declared nvarchar(max) COLLATE SQL_Latin1_General_CP1_CI_AS and keeps text"},
    {"text into real", "is declared real and keeps floats"},
    {"make nocase", ""},
    {"nocase", "COLLATE Latin1_General_CI_AS"},
    {"check refuses", "the statement conflicted with the CHECK constraint \"n > 0\""},
    {"unique refuses",
     "violation of UNIQUE KEY constraint. Cannot insert duplicate key in object 'orders.s'"},
    {0},
};

static void sqlserver_open(wh_connection *c, const char **reason);

static test_place sqlserver_place = {
    .name = "sqlserver",
    .open = sqlserver_open,
    .close = test_mssql_close,
    .sql = test_mssql_sql,
    .ask = test_mssql_ask,
    .words = sqlserver_words,
    .is_slow = true,
};

static void sqlserver_open(wh_connection *c, const char **reason) {
  sqlserver_place.one_writer = test_mssql_is_peer(); // which keeps rows in SQLite
  sqlserver_place.lacks = test_mssql_is_peer() ? TEST_FOREIGN_KEYS : 0;
  test_mssql_open(c, reason);
}
#endif

#if defined WHERRY_ODBC && defined WHERRY_POSTGRES
// As PostgreSQL is, but for what its driver makes of it. What a sink makes is not asked for.
static const test_word odbc_words[] = {
    {"int64", "BIGINT"},
    {"double", "DOUBLE PRECISION"},
    {"text", "TEXT"},
    {"key text", "VARCHAR(100)"},
    {"timestamp", "TIMESTAMP"},
    {"timestamptz", "TIMESTAMPTZ"},
    {"readers do not wait", ""},
    {"param", "?"},
    {"view of text", "b string"},
    {"no column nmae", "ERROR: column \"nmae\" does not exist"},
    {"misfit type", "TIMESTAMP"},
    {"misfit", "'0044-03-15 00:00:00 BC'"},
    {"misfit reason", "'0044-03-15 00:00:00 BC' is not a timestamp (2026-11-21T08:55:00)"},
    {"misfit raw", "0044-03-15 00:00:00 BC"},
    {0},
};

static const test_place odbc_place = {
    .name = "odbc",
    .open = test_odbc_postgres_open,
    .close = test_odbc_postgres_close,
    .sql = test_odbc_postgres_sql,
    .ask = test_odbc_postgres_ask,
    .words = odbc_words,
    .is_slow = true,
    .only_reads = true,
};
#endif

#ifdef WHERRY_DYNAMODB
static const test_word dynamodb_words[] = {{0}};

#define DYNAMODB_LACKS                                                                             \
  (TEST_SQL | TEST_TRANSACTIONS | TEST_REPLACE | TEST_APPEND_TO_NEW | TEST_SIDE_TABLE)
static const test_place dynamodb_place = {
    .name = "dynamodb",
    .open = test_dynamodb_open,
    .close = test_dynamodb_close,
    .sql = test_dynamodb_sql,
    .words = dynamodb_words,
    .lacks = DYNAMODB_LACKS,
    .is_slow = true,
};

static const test_place dynamodb_moto_place = {
    .name = "dynamodb at moto",
    .open = test_dynamodb_open_moto,
    .close = test_dynamodb_close,
    .sql = test_dynamodb_sql,
    .words = dynamodb_words,
    .lacks = DYNAMODB_LACKS | TEST_MANY_TURNS,
    .is_slow = true,
};

static const test_place dynamodb_local_place = {
    .name = "dynamodb at DynamoDB Local",
    .open = test_dynamodb_open_local,
    .close = test_dynamodb_close,
    .sql = test_dynamodb_sql,
    .words = dynamodb_words,
    .lacks = DYNAMODB_LACKS | TEST_MANY_TURNS,
    .is_slow = true,
};
#endif

const test_place *const test_places[] = {
    &sqlite_place,
#ifdef WHERRY_DYNAMODB
    &dynamodb_place,
    &dynamodb_moto_place,
    &dynamodb_local_place,
#endif
#ifdef WHERRY_MYSQL
    &mysql_place,
#endif
#ifdef WHERRY_POSTGRES
    &postgres_place,
#endif
#if defined WHERRY_ODBC && defined WHERRY_POSTGRES
    &odbc_place,
#endif
#ifdef WHERRY_SQLSERVER
    &sqlserver_place,
#endif
    NULL,
};

static const char *find_word(const test_place *place, const char *word, size_t len) {
  for (const test_word *w = place->words; w->word; w++)
    if (strlen(w->word) == len && memcmp(w->word, word, len) == 0) return w->text;
  return NULL;
}

const char *test_place_text(const test_place *place, const char *text) {
  static char rooms[3][16384];
  static int turn;
  char *out = rooms[turn = (turn + 1) % 3];
  size_t len = 0;
  while (*text && len < sizeof rooms[0] - 1) {
    const char *end = *text == '{' ? strchr(text, '}') : NULL;
    const char *word = end ? find_word(place, text + 1, (size_t)(end - text - 1)) : NULL;
    if (!word) {
      out[len++] = *text++;
      continue;
    }
    len += (size_t)snprintf(out + len, sizeof rooms[0] - len, "%s", word);
    text = end + 1;
  }
  CHECK(len < sizeof rooms[0]);
  out[len < sizeof rooms[0] ? len : sizeof rooms[0] - 1] = 0;
  return out;
}

void test_place_sql(const test_place *place, wh_connection *c, const char *text) {
  place->sql(c, test_place_text(place, text));
}

const char *test_place_ask(const test_place *place, wh_connection *c, const char *text) {
  return place->ask(c, test_place_text(place, text));
}
