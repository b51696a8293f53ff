#include "connect/odbc/source.h"
#include "connect/table_list.h"

// --- Names ---------------------------------------------------------------------------------------

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  WH_CLEAN_ODBC wh_odbc_session *s = NULL;
  wh_odbc_tables tables;
  wh_table_list list = {.arena = arena};
  WH_TRY(wh_odbc_open(c, false, &s, err));
  WH_TRY(wh_odbc_list(s, (wh_str){0}, arena, &tables, err));
  for (size_t i = 0; i < tables.count; i++) {
    const wh_odbc_table *t = &tables.items[i];
    wh_table_name name = {.schema = t->schema, .table = t->name, .is_home = t->is_alone};
    WH_TRY(wh_table_list_add(&list, &name, err));
  }
  *ret = list.items;
  *ret_count = list.count;
  return WH_OK;
}

// --- Discovering ---------------------------------------------------------------------------------

static wh_str shown_name(const wh_odbc_table *t, wh_arena *arena) {
  if (t->is_alone || !t->schema.len) return t->name;
  return wh_arena_printf(arena, "%.*s.%.*s", WH_STR_ARG(t->schema), WH_STR_ARG(t->name));
}

static wh_status describe_table(wh_odbc_session *s, const wh_odbc_table *t, int64_t *count_us,
                                wh_arena *arena, wh_table_info *info, wh_error *err) {
  wh_odbc_relation r;
  WH_TRY(wh_odbc_relate(s, info->name, (wh_str){0}, arena, &r, err));
  WH_TRY(wh_sql_schema(WH_SQL_COLUMNS(&r), arena, &info->schema, err));
  if (!t->is_view) WH_TRY(wh_odbc_count(s, &r, count_us, &info->rows, err));
  return wh_sql_key(WH_SQL_COLUMNS(&r), arena, &info->key, &info->key_count, err);
}

static wh_status discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                          wh_error *err) {
  WH_CLEAN_ODBC wh_odbc_session *s = NULL;
  wh_odbc_tables tables;
  int64_t count_us = WH_ODBC_COUNT_ALL_US;
  WH_TRY(wh_odbc_open(c, false, &s, err));
  WH_TRY(wh_odbc_list(s, (wh_str){0}, arena, &tables, err));
  for (size_t i = 0; i < tables.count; i++) {
    const wh_odbc_table *t = &tables.items[i];
    wh_table_info info = {.name = shown_name(t, arena), .rows = WH_SIZE_UNKNOWN};
    if (!info.name.data) return wh_fail_memory(err);
    wh_status status = describe_table(s, t, &count_us, arena, &info, err);
    // A view over tables that are gone is shown without columns; it must not hide the others. Nor
    // must a table that the user sees, but may not read.
    bool is_broken = status == WH_ERR_DENIED || status == WH_ERR_NOT_FOUND ||
                     (t->is_view && status == WH_ERR_IO);
    if (status != WH_OK && !is_broken) return status;
    if (is_broken) wh_odbc_rollback(s);
    WH_TRY(visit(context, &info, err));
  }
  return WH_OK;
}

// --- Describing ----------------------------------------------------------------------------------

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  WH_CLEAN_ODBC wh_odbc_session *s = NULL;
  wh_odbc_relation r;
  wh_source_info info = {.cursor_kind = WH_CURSOR_WINDOWED};
  uint64_t rows = WH_SIZE_UNKNOWN;
  int64_t count_us = WH_ODBC_COUNT_US;
  WH_TRY(wh_odbc_open(c, false, &s, err));
  WH_TRY(wh_odbc_relate(s, query->table, query->query, arena, &r, err));
  if (query->cursor.len && wh_sql_find(WH_SQL_COLUMNS(&r), query->cursor) < 0)
    return wh_odbc_no_column(s, &r, query->cursor, err);
  WH_TRY(wh_sql_schema(WH_SQL_COLUMNS(&r), arena, &info.schema, err));
  WH_TRY(wh_sql_key(WH_SQL_COLUMNS(&r), arena, &info.key, &info.key_count, err));
  if (!query->has_from && !query->has_to) WH_TRY(wh_odbc_count(s, &r, &count_us, &rows, err));
  if (rows != WH_SIZE_UNKNOWN) info.rows_estimate = rows;
  if (query->limit_rows && info.rows_estimate > query->limit_rows)
    info.rows_estimate = query->limit_rows;
  *ret = info;
  return WH_OK;
}

static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  (void)query, (void)arena;
  WH_CLEAN_ODBC wh_odbc_session *s = NULL;
  wh_bound b = {0};
  WH_TRY(wh_odbc_open(c, false, &s, err));
  WH_TRY(wh_odbc_clock(s, &b.clock_us, err));
  *ret = b;
  return WH_OK;
}

const wh_source_type wh_odbc_source = {
    .tables = list_tables,
    .discover = discover,
    .describe = describe,
    .bound = bound,
    .open = wh_odbc_open_reader,
    .open_finder = wh_odbc_open_finder,
};
