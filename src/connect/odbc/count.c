// How many rows there are, about, and what time it is there.
#include "connect/odbc/source.h"

#include "data/temporal.h"

static const char counting[] = "counting the rows";

// --- Rows ----------------------------------------------------------------------------------------

// SQLStatistics has a line about the table itself where the database keeps statistics.
static wh_status ask_statistics(wh_odbc_session *s, const wh_odbc_relation *r, uint64_t *ret,
                                wh_error *err) {
  enum { SCHEMA = 2, TYPE = 7, CARDINALITY = 11 };
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  WH_CLEAN_BUF wh_buf schema, table, text;
  wh_buf_init(&schema, s->connection->mem, 0);
  wh_buf_init(&table, s->connection->mem, 0);
  wh_buf_init(&text, s->connection->mem, 0);
  if (!wh_odbc_to_wide(r->schema, &schema) || !wh_odbc_to_wide(r->table, &table))
    return wh_fail_memory(err);
  WH_TRY(wh_odbc_statement(s, &stmt, err));
  SQLWCHAR *in = r->schema.len ? (SQLWCHAR *)schema.data : NULL;
  wh_odbc_begin_call(s, stmt, wh_odbc_options_of(s)->statement_timeout_us);
  SQLRETURN rc = wh_odbc.SQLStatisticsW(stmt, NULL, 0, in, in ? SQL_NTS : 0, (SQLWCHAR *)table.data,
                                        SQL_NTS, SQL_INDEX_ALL, SQL_QUICK);
  wh_odbc_end_call(s);
  if (!SQL_SUCCEEDED(rc)) return WH_OK; // not every driver can say
  for (;;) {
    bool row;
    int64_t type, rows;
    WH_TRY(wh_odbc_fetch_one(s, stmt, counting, &row, err));
    if (!row) return WH_OK;
    WH_TRY(wh_odbc_get_text(s, stmt, TYPE, &text, counting, err));
    if (!wh_str_to_i64(wh_buf_str(&text), &type)) type = -1;
    WH_TRY(wh_odbc_get_text(s, stmt, CARDINALITY, &text, counting, err));
    if (type != SQL_TABLE_STAT || !wh_str_to_i64(wh_buf_str(&text), &rows) || rows < 0) continue;
    *ret = (uint64_t)rows;
    return WH_OK;
  }
}

// Within the time; a count that takes longer is not worth its while.
static wh_status count_rows(wh_odbc_session *s, const wh_odbc_relation *r, int64_t limit_us,
                            uint64_t *ret, wh_error *err) {
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  WH_CLEAN_BUF wh_buf sql, wide;
  wh_buf_init(&sql, s->connection->mem, WH_ODBC_TEXT_MAX);
  wh_buf_init(&wide, s->connection->mem, 0);
  wh_buf_add_c(&sql, "SELECT COUNT(*)");
  WH_TRY(wh_odbc_add_from(s, &sql, r, err));
  if (!wh_odbc_to_wide(wh_buf_str(&sql), &wide)) return wh_fail_memory(err);
  WH_TRY(wh_odbc_statement(s, &stmt, err));
  wh_odbc_begin_call(s, stmt, limit_us);
  SQLRETURN rc = wh_odbc.SQLExecDirectW(stmt, (SQLWCHAR *)wide.data, SQL_NTS);
  if (SQL_SUCCEEDED(rc)) rc = wh_odbc.SQLFetch(stmt);
  wh_odbc_end_call(s);
  if (s->timed_out) return WH_OK;
  if (!SQL_SUCCEEDED(rc)) return wh_odbc_fail(s, stmt, counting, err);
  int64_t rows;
  WH_TRY(wh_odbc_get_text(s, stmt, 1, &wide, counting, err));
  if (wh_str_to_i64(wh_buf_str(&wide), &rows) && rows >= 0) *ret = (uint64_t)rows;
  return WH_OK;
}

wh_status wh_odbc_count(wh_odbc_session *s, const wh_odbc_relation *r, int64_t *limit_us,
                        uint64_t *ret, wh_error *err) {
  wh_os *os = s->connection->os;
  *ret = WH_SIZE_UNKNOWN;
  if (r->query.len) return WH_OK;
  WH_TRY(ask_statistics(s, r, ret, err));
  if (*ret != WH_SIZE_UNKNOWN || *limit_us <= 0) return WH_OK;
  int64_t most = *limit_us < WH_ODBC_COUNT_US ? *limit_us : WH_ODBC_COUNT_US;
  int64_t before = os->type->monotonic_ns(os);
  wh_status status = count_rows(s, r, most, ret, err);
  *limit_us -= (os->type->monotonic_ns(os) - before) / 1000;
  wh_odbc_rollback(s); // what was cancelled spoils the transaction
  return status;
}

// --- The clock -----------------------------------------------------------------------------------

// In UTC, as ISO 8601 or as near to it as the database has it.
static const char *clock_sql(wh_str product) {
  static const struct {
    const char *product, *sql;
  } clocks[] = {
      {"Oracle", "SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), 'YYYY-MM-DD HH24:MI:SS.FF6') FROM "
                 "dual"},
      {"PostgreSQL", "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD "
                     "HH24:MI:SS.US')"},
      {"MySQL", "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%d %H:%i:%s.%f')"},
      {"MariaDB", "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%d %H:%i:%s.%f')"},
      {"Microsoft SQL Server", "SELECT CONVERT(varchar(30), CAST(SYSUTCDATETIME() AS "
                               "datetime2(6)), 121)"},
      {"DB2", "SELECT VARCHAR_FORMAT(CURRENT TIMESTAMP - CURRENT TIMEZONE, 'YYYY-MM-DD "
              "HH24:MI:SS.FF6') FROM sysibm.sysdummy1"},
  };
  for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++)
    if (wh_str_starts(product, clocks[i].product)) return clocks[i].sql;
  return NULL;
}

wh_status wh_odbc_clock(wh_odbc_session *s, int64_t *ret_us, wh_error *err) {
  static const char doing[] = "reading the clock";
  const char *sql = clock_sql(s->product);
  if (!sql) {
    *ret_us = wh_now_us(s->connection->os);
    return WH_OK;
  }
  WH_CLEAN_ODBC_STMT SQLHSTMT stmt = SQL_NULL_HSTMT;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, s->connection->mem, 0);
  bool row;
  wh_iso iso;
  WH_TRY(wh_odbc_statement(s, &stmt, err));
  WH_TRY(wh_odbc_prepare(s, stmt, wh_str_of(sql), doing, err));
  WH_TRY(wh_odbc_execute(s, stmt, doing, err));
  WH_TRY(wh_odbc_fetch_one(s, stmt, doing, &row, err));
  if (row) WH_TRY(wh_odbc_get_text(s, stmt, 1, &text, doing, err));
  if (wh_iso_parse(wh_buf_str(&text), &iso) && wh_iso_to_timestamp(&iso, WH_UNIT_US, ret_us))
    return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the database's clock says '%.*s'",
                 WH_STR_ARG(s->connection->name), WH_STR_ARG(wh_buf_str(&text)));
}
