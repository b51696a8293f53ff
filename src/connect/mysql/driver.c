#include "connect/mysql/driver.h"

#include "connect/mysql/bulk.h"
#include "connect/mysql/relate.h"
#include "connect/mysql/upsert.h"

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
  char *text = context; // of WH_SQL_REASON_MAX bytes
  (void)err;
  if (text[0] == 0 && count >= 3 && v[2].data)
    snprintf(text, WH_SQL_REASON_MAX, "%.*s", (int)wh_utf8_cut(v[2], WH_SQL_REASON_MAX - 1),
             v[2].data);
  return WH_OK;
}

wh_status wh_mysql_fail_warning(wh_mysql_session *s, wh_error *err) {
  enum { DATA_TRUNCATED = 1265 };
  char text[WH_SQL_REASON_MAX] = "";
  WH_TRY(wh_mysql_ask(&s->base, WH_STR("SHOW WARNINGS LIMIT 1"), NULL, 0, take_warning, text, err));
  wh_mysql_trouble t = {.code = DATA_TRUNCATED,
                        .state = "22000",
                        .text = text[0] ? text : "the server took a value for another"};
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

static bool add_hold(wh_buf *sql, wh_str name) {
  return wh_buf_printf(sql, "SELECT GET_LOCK('%.*s', @@innodb_lock_wait_timeout)",
                       WH_STR_ARG(name));
}

static bool add_let_go(wh_buf *sql, wh_str name) {
  return wh_buf_printf(sql, "DO RELEASE_LOCK('%.*s')", WH_STR_ARG(name));
}

static bool add_bytes(wh_buf *sql, wh_str a) {
  return wh_buf_printf(sql, "CAST(%.*s AS BINARY)", WH_STR_ARG(a));
}

// --- The two drivers -----------------------------------------------------------------------------

#define DIGEST        "CHAR(64) CHARACTER SET ascii COLLATE ascii_bin"
#define TABLE_OPTIONS " ENGINE=InnoDB"

// Names have 64 characters, which may be bytes.
#define DRIVER(product_, declare_, text_)                                                          \
  {                                                                                                \
    .product = product_, .open = open_session, .close = close_session, .run = wh_mysql_run_sql,    \
    .ask = wh_mysql_ask, .relate = wh_mysql_relate, .home = wh_mysql_home, .bulk = wh_mysql_bulk,  \
    .declare = declare_, .declared = wh_mysql_declared, .clash = wh_mysql_clash,                   \
    .checks = wh_mysql_checks, .fits = wh_mysql_fits, .name_max = 64, .names_are_short = true,     \
    .name = wh_mysql_add_name, .param = add_param, .same = add_same, .same_bytes = add_same_bytes, \
    .bytes = add_bytes, .yes = "1", .delete_joined = "DELETE t FROM %t AS t JOIN %s AS s ON %c",   \
    .update_joined = "UPDATE %t AS t JOIN %s AS s ON %c SET %v", .begin = "START TRANSACTION",     \
    .savepoint = "SAVEPOINT wherry", .to_savepoint = "ROLLBACK TO SAVEPOINT wherry",               \
    .release = "RELEASE SAVEPOINT wherry", .load_savepoint = "SAVEPOINT wherry_load",              \
    .to_load_savepoint = "ROLLBACK TO SAVEPOINT wherry_load",                                      \
    .load_release = "RELEASE SAVEPOINT wherry_load", .text = "LONGTEXT " text_, .digest = DIGEST,  \
    .table_options = TABLE_OPTIONS, .temporary_prefix = "", .add_hold = add_hold,                  \
    .add_let_go = add_let_go, .add_batch_table = wh_mysql_add_batch_table,                         \
    .add_clear = wh_mysql_add_clear, .add_stage_table = wh_mysql_add_stage_table,                  \
    .add_upsert = wh_mysql_add_upsert, .add_replace = wh_mysql_add_replace,                        \
    .hide_values = wh_mysql_hide_values,                                                           \
  }

const wh_sql_driver wh_mysql_driver = DRIVER("MySQL", wh_mysql_declare, WH_MYSQL_TEXT_SET);
const wh_sql_driver wh_mariadb_driver = DRIVER("MariaDB", wh_mariadb_declare, WH_MARIADB_TEXT_SET);

// --- The sink ------------------------------------------------------------------------------------

static wh_status open_sink(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                           wh_error *err) {
  return wh_sql_sink_open(&wh_mariadb_driver, c, targets, count, ret, err);
}

static wh_status marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                       void *context, wh_error *err) {
  return wh_sql_sink_marks(&wh_mariadb_driver, c, pipeline, arena, visit, context, err);
}

const wh_sink_type wh_mysql_sink = {
    .exact = true,
    .open = open_sink,
    .inspect = wh_sql_sink_inspect,
    .prepare = wh_sql_sink_prepare,
    .begin = wh_sql_sink_begin,
    .write = wh_sql_sink_write,
    .erase = wh_sql_sink_erase,
    .mark = wh_sql_sink_mark,
    .join = wh_sql_sink_join,
    .leave = wh_sql_sink_leave,
    .commit = wh_sql_sink_commit,
    .abort = wh_sql_sink_abort,
    .marks = marks,
    .close = wh_sql_sink_close,
};
