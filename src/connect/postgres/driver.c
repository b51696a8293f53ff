// What PostgreSQL adds to the sinks of database servers (connect/sql.h).
#include "connect/postgres/encode.h"
#include "connect/postgres/later.h"
#include "connect/postgres/relate.h"
#include "connect/postgres/upsert.h"

enum { NAME_MAX_BYTES = 63 }; // NAMEDATALEN - 1

static wh_status driver_open(wh_connection *c, wh_sql_access access, wh_sql_session **ret,
                             wh_error *err);

static void driver_close(wh_sql_session *s) {
  wh_pg_close((wh_pg_session *)s);
}

static wh_status driver_run(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                            uint64_t *ret_rows, wh_error *err) {
  return wh_pg_run((wh_pg_session *)s, sql, params, count, ret_rows, err);
}

static wh_status driver_run_later(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                                  uint64_t *ret_rows, wh_error *err) {
  return wh_pg_run_later((wh_pg_session *)s, sql, params, count, ret_rows, err);
}

static wh_status driver_ask(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                            wh_sql_row_visit visit, void *context, wh_error *err) {
  return wh_pg_ask((wh_pg_session *)s, sql, params, count, visit, context, err);
}

static bool driver_param(wh_buf *sql, unsigned number) {
  return wh_buf_printf(sql, "$%u", number);
}

static bool add_around(wh_buf *sql, const char *before, wh_str a, const char *between, wh_str b,
                       const char *behind) {
  wh_buf_add_c(sql, before);
  wh_buf_add_str(sql, a);
  wh_buf_add_c(sql, between);
  wh_buf_add_str(sql, b);
  return wh_buf_add_c(sql, behind);
}

// Whether the stored images are the same: for every type, also those without an equality (json),
// and whatever the collation says; two NULLs are.
static bool driver_same(wh_buf *sql, wh_str a, wh_str b) {
  return add_around(sql, "ROW(", a, ")::record OPERATOR(pg_catalog.*=) ROW(", b, ")::record");
}

static bool driver_same_bytes(wh_buf *sql, wh_str a, wh_str b) {
  add_around(sql, "(", a, " = ", b, " AND ");
  return add_around(sql, "", a, "::text COLLATE \"C\" = ", b, "::text COLLATE \"C\")");
}

// bytea as text is hexadecimal, which sorts as the bytes do.
static bool driver_bytes(wh_buf *sql, wh_str a) {
  return add_around(sql, "(", a, "::text COLLATE \"C\")", (wh_str){"", 0}, "");
}

const wh_sql_driver wh_pg_driver = {
    .product = "PostgreSQL",
    .open = driver_open,
    .close = driver_close,
    .run = driver_run,
    .run_later = driver_run_later,
    .ask = driver_ask,
    .relate = wh_pg_driver_relate,
    .home = wh_pg_driver_home,
    .bulk = wh_pg_bulk,
    .declare = wh_pg_declare,
    .declared = wh_pg_declared,
    .clash = wh_pg_clash,
    .checks = wh_pg_checks,
    .fits_all = wh_pg_fits_all,
    .fits = wh_pg_fits,
    .name_max = NAME_MAX_BYTES,
    .name = wh_pg_add_name,
    .param = driver_param,
    .same = driver_same,
    .same_bytes = driver_same_bytes,
    .bytes = driver_bytes,
    .yes = "TRUE",
    .delete_joined = "DELETE FROM %t AS t USING %s AS s WHERE %c",
    .update_joined = "UPDATE %t AS t SET %v FROM %s AS s WHERE %c",
    .begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    .savepoint = "SAVEPOINT wherry",
    .to_savepoint = "ROLLBACK TO SAVEPOINT wherry",
    .release = "RELEASE SAVEPOINT wherry",
    .load_savepoint = "SAVEPOINT wherry_load",
    .to_load_savepoint = "ROLLBACK TO SAVEPOINT wherry_load",
    .load_release = "RELEASE SAVEPOINT wherry_load",
    .text = "text",
    .digest = "text COLLATE \"C\"",
    .table_options = "",
    .temporary_prefix = "",
    .add_batch_table = pg_add_batch_table,
    .add_clear = pg_add_clear,
    .add_stage_table = pg_add_stage_table,
    .add_upsert = pg_add_upsert,
    .add_replace = pg_add_replace,
};

static wh_status driver_open(wh_connection *c, wh_sql_access access, wh_sql_session **ret,
                             wh_error *err) {
  wh_pg_session *s;
  WH_TRY(wh_pg_open(c, access, &s, err));
  s->base.driver = &wh_pg_driver;
  *ret = &s->base;
  return WH_OK;
}

static wh_status sink_open(wh_connection *c, const wh_target *targets, size_t count, wh_sink **ret,
                           wh_error *err) {
  return wh_sql_sink_open(&wh_pg_driver, c, targets, count, ret, err);
}

static wh_status sink_marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                            void *context, wh_error *err) {
  return wh_sql_sink_marks(&wh_pg_driver, c, pipeline, arena, visit, context, err);
}

const wh_sink_type wh_pg_sink = {
    .exact = true,
    .open = sink_open,
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
    .marks = sink_marks,
    .close = wh_sql_sink_close,
};
