#include "connect/mysql/source.h"

#include "connect/mysql/driver.h"

// --- Discovering ---------------------------------------------------------------------------------

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  static const char sql[] =
      "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_SCHEMA = DATABASE() FROM information_schema.TABLES "
      "WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') AND "
      "TABLE_NAME NOT LIKE '!_wherry!_%' ESCAPE '!' AND TABLE_TYPE <> 'SEQUENCE' "
      "ORDER BY TABLE_TYPE LIKE '%VIEW', 1, 2";
  return wh_sql_tables(&wh_mysql_driver, c, wh_str_of(sql), arena, ret, ret_count, err);
}

static wh_status discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                          wh_error *err) {
  static const char sql[] =
      "SELECT TABLE_NAME, TABLE_TYPE LIKE '%VIEW' FROM information_schema.TABLES WHERE "
      "TABLE_SCHEMA "
      "= DATABASE() AND TABLE_NAME NOT LIKE '!_wherry!_%' ESCAPE '!' AND TABLE_TYPE <> 'SEQUENCE' "
      "ORDER BY 2, 1";
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  return wh_sql_discover(&s->base, wh_str_of(sql), wh_mysql_schema, arena, visit, context, err);
}

// --- Describing ----------------------------------------------------------------------------------

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  wh_sql_from from;
  wh_source_info info = {.cursor_kind = WH_CURSOR_WINDOWED};
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_from_of(s, query->table, query->query, arena, &from, err));
  if (query->cursor.len && wh_sql_find(WH_SQL_COLUMNS(&from.relation), query->cursor) < 0)
    return wh_sql_no_column(&s->base, &from, query->cursor, err);
  WH_TRY(wh_mysql_schema(&s->base, &from.relation, arena, &info.schema, err));
  WH_TRY(wh_sql_key(WH_SQL_COLUMNS(&from.relation), arena, &info.key, &info.key_count, err));
  wh_sql_estimate(&from, query, &info);
  *ret = info;
  return WH_OK;
}

// --- Ranges --------------------------------------------------------------------------------------

static wh_status extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                          wh_str *ret, wh_error *err) {
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  wh_sql_from from;
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_from_of(s, table, (wh_str){0}, arena, &from, err));
  return wh_sql_extremes(&s->base, &from, column, arena, ret, err);
}

// --- The server's clock --------------------------------------------------------------------------

static wh_status take_clock(void *context, const wh_str *v, size_t count, wh_error *err) {
  int64_t *clock_us = context;
  (void)count;
  if (v[0].data && wh_str_to_i64(v[0], clock_us)) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "the server's clock says '%.*s'", WH_STR_ARG(v[0]));
}

static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  (void)query, (void)arena;
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  wh_bound b = {0};
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_ask(&s->base,
                      WH_STR("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)"), NULL,
                      0, take_clock, &b.clock_us, err));
  *ret = b;
  return WH_OK;
}

const wh_source_type wh_mysql_source = {
    .tables = list_tables,
    .discover = discover,
    .describe = describe,
    .bound = bound,
    .open = wh_mysql_open_reader,
    .extremes = extremes,
    .open_finder = wh_mysql_open_finder,
};
