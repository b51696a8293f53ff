#include "connect/mysql/driver.h"

#include "connect/mysql/bulk.h"
#include "connect/mysql/relate.h"

// --- Sessions ------------------------------------------------------------------------------------

static wh_status open_session(wh_connection *c, wh_sql_access access, wh_sql_session **ret,
                              wh_error *err) {
  wh_mysql_session *s;
  WH_TRY(wh_mysql_open(c, access, &s, err));
  *ret = &s->base;
  return WH_OK;
}

static void close_session(wh_sql_session *s) {
  wh_mysql_close((wh_mysql_session *)s);
}

// --- Bulk ----------------------------------------------------------------------------------------

static wh_status take_warning(void *context, const wh_str *v, size_t count, wh_error *err) {
  wh_str *text = context;
  if (text->len || count < 3) return WH_OK;
  wh_mysql_trouble t = {.state = "HY000", .text = v[2].data ? v[2].data : ""};
  (void)t;
  *text = v[2];
  return wh_fail(err, WH_ERR_TYPE, "%.*s", WH_STR_ARG(v[2]));
}

wh_status wh_mysql_fail_warning(wh_mysql_session *s, wh_error *err) {
  wh_str first = {0};
  wh_error inner = {0};
  wh_status status =
      wh_mysql_ask(&s->base, WH_STR("SHOW WARNINGS LIMIT 1"), NULL, 0, take_warning, &first, &inner);
  if (status == WH_OK)
    return wh_fail(err, WH_ERR_TYPE, "the server took a value for another");
  if (status != WH_ERR_TYPE) {
    if (err) *err = inner;
    return status;
  }
  wh_mysql_trouble t = {.code = 1265, .state = "22000", .text = inner.text};
  return wh_mysql_fail(s, &t, "loading rows", err);
}

wh_status wh_mysql_bulk(wh_sql_session *base, const wh_sql_bulk *bulk, wh_error *err) {
  wh_mysql_session *s = (wh_mysql_session *)base;
  if (bulk->row_count == 0) return WH_OK;
  return s->may_load ? wh_mysql_load(s, bulk, err) : wh_mysql_insert(s, bulk, err);
}

// --- Spelling ------------------------------------------------------------------------------------

static bool add_param(wh_buf *sql, unsigned number) {
  (void)number;
  return wh_buf_add_char(sql, '?');
}

// The first comparison is for indexes and for what has no bytes of its own, as -0.0 and 0.0.
static bool add_same(wh_buf *sql, wh_str a, wh_str b) {
  return wh_buf_printf(sql, "(%.*s <=> %.*s AND CAST(%.*s AS BINARY) <=> CAST(%.*s AS BINARY))",
                       WH_STR_ARG(a), WH_STR_ARG(b), WH_STR_ARG(a), WH_STR_ARG(b));
}

static bool add_same_bytes(wh_buf *sql, wh_str a, wh_str b) {
  return wh_buf_printf(sql, "(%.*s = %.*s AND CAST(%.*s AS BINARY) = CAST(%.*s AS BINARY))",
                       WH_STR_ARG(a), WH_STR_ARG(b), WH_STR_ARG(a), WH_STR_ARG(b));
}

static bool add_bytes(wh_buf *sql, wh_str a) {
  return wh_buf_printf(sql, "CAST(%.*s AS BINARY)", WH_STR_ARG(a));
}

// Not TRUNCATE, which would commit.
static bool add_clear(wh_buf *sql, wh_str table) {
  wh_buf_add_c(sql, "DELETE FROM ");
  return wh_buf_add_str(sql, table);
}
