// Connecting, and what a connection is told before it is used.
#include "connect/odbc/session.h"

// MS' drivers have it besides ODBC's own.
#define TXN_SNAPSHOT 0x20

static SQLUINTEGER whole_seconds(int64_t us) {
  int64_t seconds = us / 1000000 + (us % 1000000 > 0);
  return seconds > 0x7FFFFFFF ? 0x7FFFFFFF : (SQLUINTEGER)seconds;
}

static SQLPOINTER number(SQLULEN value) {
  return (SQLPOINTER)(uintptr_t)value;
}

// --- Logging in ----------------------------------------------------------------------------------

static wh_status make_handles(wh_odbc_session *s, wh_error *err) {
  if (!SQL_SUCCEEDED(wh_odbc.SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &s->env)))
    return wh_fail_memory(err);
  (void)wh_odbc.SQLSetEnvAttr(s->env, SQL_ATTR_ODBC_VERSION, number(SQL_OV_ODBC3), 0);
  if (!SQL_SUCCEEDED(wh_odbc.SQLAllocHandle(SQL_HANDLE_DBC, s->env, &s->dbc)))
    return wh_fail_memory(err);
  return WH_OK;
}

// Not every driver takes all of it before it is connected, or at all; what has to hold is looked
// after otherwise (the transaction is rolled back, the watch knows the time).
static wh_status log_in(wh_odbc_session *s, wh_error *err) {
  const wh_odbc_options *o = wh_odbc_options_of(s);
  WH_CLEAN_BUF wh_buf text, wide;
  wh_buf_init(&text, s->connection->mem, 0);
  wh_buf_init(&wide, s->connection->mem, 0);
  bool whole = wh_odbc_add_connection_string(o, &text) && wh_odbc_to_wide(wh_buf_str(&text), &wide);
  if (!whole) return wh_fail_memory(err);
  SQLUINTEGER seconds = whole_seconds(o->connect_timeout_us);
  (void)wh_odbc.SQLSetConnectAttrW(s->dbc, SQL_ATTR_LOGIN_TIMEOUT, number(seconds), 0);
  (void)wh_odbc.SQLSetConnectAttrW(s->dbc, SQL_ATTR_ACCESS_MODE, number(SQL_MODE_READ_ONLY), 0);
  SQLSMALLINT unused;
  SQLRETURN rc = wh_odbc.SQLDriverConnectW(s->dbc, NULL, (SQLWCHAR *)wide.data, SQL_NTS, NULL, 0,
                                           &unused, SQL_DRIVER_NOPROMPT);
  memset(wide.data, 0, wide.len);
  memset(text.data, 0, text.len);
  if (SQL_SUCCEEDED(rc)) return WH_OK;
  wh_status status = wh_odbc_fail_login(s, err);
  wh_odbc.SQLFreeHandle(SQL_HANDLE_DBC, s->dbc);
  s->dbc = SQL_NULL_HDBC;
  return status;
}

// --- What the database is ------------------------------------------------------------------------

static wh_status get_info(wh_odbc_session *s, SQLUSMALLINT what, wh_str *ret, wh_error *err) {
  enum { UNITS = 256 };
  SQLWCHAR text[UNITS] = {0};
  SQLSMALLINT bytes = 0;
  *ret = (wh_str){0};
  if (!SQL_SUCCEEDED(wh_odbc.SQLGetInfoW(s->dbc, what, text, sizeof text, &bytes))) return WH_OK;
  size_t units = 0;
  while (units < UNITS - 1 && text[units])
    units++;
  WH_CLEAN_BUF wh_buf utf8;
  wh_buf_init(&utf8, s->connection->mem, 0);
  if (!wh_odbc_from_wide(text, units, &utf8)) return WH_OK;
  *ret = wh_arena_str(&s->arena, wh_buf_str(&utf8));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status learn(wh_odbc_session *s, wh_error *err) {
  wh_str quote, escape, catalog, schema;
  SQLUINTEGER extensions = 0;
  WH_TRY(get_info(s, SQL_DBMS_NAME, &s->product, err));
  WH_TRY(get_info(s, SQL_IDENTIFIER_QUOTE_CHAR, &quote, err));
  WH_TRY(get_info(s, SQL_SEARCH_PATTERN_ESCAPE, &escape, err));
  WH_TRY(get_info(s, SQL_CATALOG_NAME, &catalog, err));
  WH_TRY(get_info(s, SQL_SCHEMA_TERM, &schema, err));
  if (wh_str_is(catalog, "Y")) WH_TRY(get_info(s, SQL_DATABASE_NAME, &s->catalog, err));
  s->has_schemas = schema.len > 0;
  s->quote = quote.len == 1 && quote.data[0] != ' ' ? quote.data[0] : 0;
  s->escape = escape.len == 1 ? escape.data[0] : 0;
  (void)wh_odbc.SQLGetInfoW(s->dbc, SQL_GETDATA_EXTENSIONS, &extensions, sizeof extensions, NULL);
  SQLUINTEGER needed = SQL_GD_BLOCK | SQL_GD_BOUND | SQL_GD_ANY_COLUMN | SQL_GD_ANY_ORDER;
  s->goes_back = (extensions & needed) == needed;
  return WH_OK;
}

// --- The transaction -----------------------------------------------------------------------------

static bool set_isolation(wh_odbc_session *s, SQLUINTEGER level) {
  return SQL_SUCCEEDED(
      wh_odbc.SQLSetConnectAttrW(s->dbc, SQL_ATTR_TXN_ISOLATION, number(level), 0));
}

static wh_status choose_isolation(wh_odbc_session *s, wh_error *err) {
  static const SQLUINTEGER best[] = {TXN_SNAPSHOT, SQL_TXN_REPEATABLE_READ, SQL_TXN_SERIALIZABLE};
  static const struct {
    SQLUINTEGER level;
    const char *name;
  } asked[] = {
      [WH_ODBC_READ_COMMITTED] = {SQL_TXN_READ_COMMITTED, "read_committed"},
      [WH_ODBC_REPEATABLE_READ] = {SQL_TXN_REPEATABLE_READ, "repeatable_read"},
      [WH_ODBC_SERIALIZABLE] = {SQL_TXN_SERIALIZABLE, "serializable"},
  };
  int isolation = wh_odbc_options_of(s)->isolation;
  SQLUINTEGER offered = 0;
  (void)wh_odbc.SQLGetInfoW(s->dbc, SQL_TXN_ISOLATION_OPTION, &offered, sizeof offered, NULL);
  if (isolation != WH_ODBC_ISOLATION_AUTO) {
    if ((offered & asked[isolation].level) && set_isolation(s, asked[isolation].level))
      return WH_OK;
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: the driver does not offer isolation: %s",
                   WH_STR_ARG(s->connection->name), asked[isolation].name);
  }
  for (size_t i = 0; i < sizeof best / sizeof best[0]; i++)
    if ((offered & best[i]) && set_isolation(s, best[i])) break;
  return WH_OK;
}

// A statement that a query hides would otherwise be committed by itself.
static wh_status begin(wh_odbc_session *s, wh_error *err) {
  WH_TRY(choose_isolation(s, err));
  SQLRETURN rc = wh_odbc.SQLSetConnectAttrW(s->dbc, SQL_ATTR_AUTOCOMMIT, number(SQL_AUTOCOMMIT_OFF),
                                            SQL_IS_UINTEGER);
  if (SQL_SUCCEEDED(rc)) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: the driver has no transactions, so that nobody could say what a query "
                 "leaves behind",
                 WH_STR_ARG(s->connection->name));
}

void wh_odbc_rollback(wh_odbc_session *s) {
  (void)wh_odbc.SQLEndTran(SQL_HANDLE_DBC, s->dbc, SQL_ROLLBACK);
}

// --- The session ---------------------------------------------------------------------------------

wh_status wh_odbc_open(wh_connection *c, bool each, wh_odbc_session **ret, wh_error *err) {
  wh_odbc_session *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->connection = c;
  wh_arena_init(&s->arena, c->mem);
  wh_status status = wh_odbc_load(c, err);
  if (status == WH_OK) status = make_handles(s, err);
  if (status == WH_OK) status = wh_odbc_watch_start(s, err);
  if (status == WH_OK) status = log_in(s, err);
  if (status == WH_OK) status = learn(s, err);
  if (status == WH_OK && !each) status = begin(s, err);
  if (status != WH_OK) {
    wh_odbc_close(s);
    return status;
  }
  *ret = s;
  return WH_OK;
}

void wh_odbc_close(wh_odbc_session *s) {
  if (!s) return;
  wh_odbc_watch_stop(s);
  if (s->dbc) {
    wh_odbc_rollback(s);
    wh_odbc.SQLDisconnect(s->dbc);
    wh_odbc.SQLFreeHandle(SQL_HANDLE_DBC, s->dbc);
  }
  if (s->env) wh_odbc.SQLFreeHandle(SQL_HANDLE_ENV, s->env);
  wh_arena_free(&s->arena);
  wh_mem_free(s->connection->mem, s, sizeof *s);
}
