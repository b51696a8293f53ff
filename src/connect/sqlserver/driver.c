#include "connect/sqlserver/driver.h"

#include "connect/sqlserver/encode.h"
#include "connect/sqlserver/relate.h"
#include "connect/sqlserver/upsert.h"

// --- Sessions ------------------------------------------------------------------------------------

static wh_status open_session(wh_connection *c, wh_sql_access access, wh_sql_session **ret,
                              wh_error *err) {
  wh_mssql_session *s;
  WH_TRY(wh_mssql_open(c, access, &s, err));
  *ret = &s->base;
  return WH_OK;
}

static void close_session(wh_sql_session *s) {
  wh_mssql_close((wh_mssql_session *)s);
}

// --- Spelling ------------------------------------------------------------------------------------

static bool add_param(wh_buf *sql, unsigned number) {
  return wh_buf_printf(sql, "@P%u", number);
}

// INTERSECT takes NULL for equal to NULL, and its EXISTS is never unknown.
static bool add_same(wh_buf *sql, wh_str a, wh_str b) {
  return wh_buf_printf(sql,
                       "EXISTS (SELECT CAST(%.*s AS varbinary(max)) INTERSECT SELECT CAST(%.*s AS "
                       "varbinary(max)))",
                       WH_STR_ARG(a), WH_STR_ARG(b));
}

// The first comparison is for indexes.
static bool add_same_bytes(wh_buf *sql, wh_str a, wh_str b) {
  return wh_buf_printf(sql,
                       "(%.*s = %.*s AND CAST(%.*s AS varbinary(max)) = CAST(%.*s AS "
                       "varbinary(max)))",
                       WH_STR_ARG(a), WH_STR_ARG(b), WH_STR_ARG(a), WH_STR_ARG(b));
}

static bool add_bytes(wh_buf *sql, wh_str a) {
  return wh_buf_printf(sql, "(%.*s COLLATE " WH_MSSQL_BY_CODE ")", WH_STR_ARG(a));
}

const wh_sql_driver wh_mssql_driver = {
    .product = "SQL Server",
    .open = open_session,
    .close = close_session,
    .run = wh_mssql_run_sql,
    .ask = wh_mssql_ask,
    .relate = wh_mssql_relate,
    .home = wh_mssql_home,
    .bulk = wh_mssql_bulk,
    .declare = wh_mssql_declare,
    .declared = wh_mssql_declared,
    .clash = wh_mssql_clash,
    .checks = wh_mssql_checks,
    .fits = wh_mssql_fits,
    .name_max = 116, // characters of a #temporary table's name; 128 of others
    .name = wh_mssql_add_name,
    .param = add_param,
    .same = add_same,
    .same_bytes = add_same_bytes,
    .bytes = add_bytes,
    .yes = "1",
    .delete_joined = "DELETE t FROM %t AS t INNER JOIN %s AS s ON %c",
    .update_joined = "UPDATE t SET %v FROM %t AS t INNER JOIN %s AS s ON %c",
    .begin = "BEGIN TRANSACTION",
    .savepoint = "SAVE TRANSACTION wherry",
    .to_savepoint = "ROLLBACK TRANSACTION wherry",
    .release = "", // it ends with the transaction; the next of its name hides it
    .load_savepoint = "SAVE TRANSACTION wherry_load",
    .to_load_savepoint = "ROLLBACK TRANSACTION wherry_load",
    .load_release = "",
    .text = "nvarchar(max) COLLATE " WH_MSSQL_BY_CODE,
    .digest = "nvarchar(64) COLLATE " WH_MSSQL_BY_CODE,
    .table_options = "",
    .temporary_prefix = "#",
    .add_batch_table = wh_mssql_add_batch_table,
    .add_clear = wh_mssql_add_clear,
    .add_stage_table = wh_mssql_add_stage_table,
    .add_upsert = wh_mssql_add_upsert,
    .add_replace = wh_mssql_add_replace,
    .hide_values = wh_mssql_hide_values,
};

// --- The sink ------------------------------------------------------------------------------------

static wh_status open_sink(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                           wh_error *err) {
  return wh_sql_sink_open(&wh_mssql_driver, c, targets, count, ret, err);
}

static wh_status marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                       void *context, wh_error *err) {
  return wh_sql_sink_marks(&wh_mssql_driver, c, pipeline, arena, visit, context, err);
}

const wh_sink_type wh_mssql_sink = {
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
