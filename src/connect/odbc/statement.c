#include "connect/odbc/session.h"

wh_status wh_odbc_statement(wh_odbc_session *s, SQLHSTMT *ret, wh_error *err) {
  SQLHSTMT stmt;
  if (!SQL_SUCCEEDED(wh_odbc.SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &stmt))) {
    wh_odbc_trouble t;
    wh_odbc_trouble_of(s, SQL_HANDLE_DBC, s->dbc, &t);
    return wh_fail(err, WH_ERR_IO, "%.*s: %s", WH_STR_ARG(s->connection->name), t.text);
  }
  int64_t us = wh_odbc_options_of(s)->statement_timeout_us;
  SQLULEN seconds = (SQLULEN)(us / 1000000 + (us % 1000000 > 0));
  // So that the database knows it, too; the watch ends what it does not end.
  if (seconds) (void)wh_odbc.SQLSetStmtAttrW(stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)seconds, 0);
  *ret = stmt;
  return WH_OK;
}

void wh_odbc_statement_free(SQLHSTMT *stmt) {
  if (!*stmt) return;
  // PostgreSQL's driver keeps what it found out about a statement that was never run, otherwise.
  wh_odbc.SQLFreeStmt(*stmt, SQL_CLOSE);
  wh_odbc.SQLFreeHandle(SQL_HANDLE_STMT, *stmt);
  *stmt = SQL_NULL_HSTMT;
}

wh_status wh_odbc_prepare(wh_odbc_session *s, SQLHSTMT stmt, wh_str sql, const char *doing,
                          wh_error *err) {
  WH_CLEAN_BUF wh_buf wide;
  wh_buf_init(&wide, s->connection->mem, 0);
  if (!wh_odbc_to_wide(sql, &wide)) return wh_fail_memory(err);
  wh_odbc_begin_call(s, stmt, wh_odbc_options_of(s)->statement_timeout_us);
  SQLRETURN rc = wh_odbc.SQLPrepareW(stmt, (SQLWCHAR *)wide.data, SQL_NTS);
  wh_odbc_end_call(s);
  return SQL_SUCCEEDED(rc) ? WH_OK : wh_odbc_fail(s, stmt, doing, err);
}

wh_status wh_odbc_execute(wh_odbc_session *s, SQLHSTMT stmt, const char *doing, wh_error *err) {
  wh_odbc_begin_call(s, stmt, wh_odbc_options_of(s)->statement_timeout_us);
  SQLRETURN rc = wh_odbc.SQLExecute(stmt);
  wh_odbc_end_call(s);
  return SQL_SUCCEEDED(rc) || rc == SQL_NO_DATA ? WH_OK : wh_odbc_fail(s, stmt, doing, err);
}

wh_status wh_odbc_fetch_one(wh_odbc_session *s, SQLHSTMT stmt, const char *doing, bool *ret_row,
                            wh_error *err) {
  wh_odbc_begin_call(s, stmt, wh_odbc_options_of(s)->statement_timeout_us);
  SQLRETURN rc = wh_odbc.SQLFetch(stmt);
  wh_odbc_end_call(s);
  *ret_row = rc != SQL_NO_DATA;
  return SQL_SUCCEEDED(rc) || rc == SQL_NO_DATA ? WH_OK : wh_odbc_fail(s, stmt, doing, err);
}

// Names and the like: what is longer than the buffer is cut.
wh_status wh_odbc_get_text(wh_odbc_session *s, SQLHSTMT stmt, SQLUSMALLINT column, wh_buf *out,
                           const char *doing, wh_error *err) {
  SQLWCHAR text[WH_ODBC_NAME_MAX] = {0};
  SQLLEN bytes = SQL_NULL_DATA;
  wh_buf_clear(out);
  SQLRETURN rc = wh_odbc.SQLGetData(stmt, column, SQL_C_WCHAR, text, sizeof text, &bytes);
  if (!SQL_SUCCEEDED(rc)) return wh_odbc_fail(s, stmt, doing, err);
  if (bytes == SQL_NULL_DATA) return WH_OK;
  size_t units = 0;
  while (units < WH_ODBC_NAME_MAX - 1 && text[units])
    units++;
  (void)wh_odbc_from_wide(text, units, out);
  return out->failed ? wh_fail_memory(err) : WH_OK;
}

static bool is_plain(wh_str name) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!is_letter && !(i && c >= '0' && c <= '9')) return false;
  }
  return name.len > 0;
}

wh_status wh_odbc_add_name(const wh_odbc_session *s, wh_buf *sql, wh_str name, wh_error *err) {
  if (!s->quote && !is_plain(name))
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: the database has no quotes for names, and '%.*s' would need them",
                   WH_STR_ARG(s->connection->name), WH_STR_ARG(name));
  char end = s->quote == '[' ? ']' : s->quote;
  if (s->quote) wh_buf_add_char(sql, s->quote);
  for (size_t i = 0; i < name.len; i++) {
    if (s->quote && name.data[i] == end) wh_buf_add_char(sql, end);
    wh_buf_add_char(sql, name.data[i]);
  }
  if (s->quote) wh_buf_add_char(sql, end);
  return wh_buf_check(sql, err);
}
