#include "connect/sqlserver/source.h"

#include "connect/sqlserver/driver.h"
#include "data/temporal.h"

// --- Discovering ---------------------------------------------------------------------------------

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  static const char sql[] =
      "SELECT s.name AS schema_name, o.name AS table_name, CASE WHEN s.name = SCHEMA_NAME() THEN 1 "
      "ELSE 0 END AS is_home FROM sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id = "
      "o.schema_id WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND o.name NOT LIKE "
      "'!_wherry!_%' ESCAPE '!' ORDER BY o.type, 1, 2";
  return wh_sql_tables(&wh_mssql_driver, c, wh_str_of(sql), arena, ret, ret_count, err);
}

static wh_status schema_of(const wh_sql_session *s, const wh_sql_relation *r, wh_arena *arena,
                           wh_schema *ret, wh_error *err) {
  (void)s;
  return wh_sql_schema(WH_SQL_COLUMNS(r), arena, ret, err);
}

static wh_status discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                          wh_error *err) {
  static const char sql[] =
      "SELECT CASE WHEN s.name = SCHEMA_NAME() THEN o.name ELSE CONCAT(s.name, N'.', o.name) END "
      "AS name, "
      "CASE WHEN o.type = 'V' THEN 1 ELSE 0 END AS is_view FROM sys.objects AS o INNER JOIN "
      "sys.schemas AS s ON s.schema_id = o.schema_id WHERE o.type IN ('U', 'V') AND "
      "o.is_ms_shipped = "
      "0 AND o.name NOT LIKE '!_wherry!_%' ESCAPE '!' ORDER BY 2, 1";
  WH_CLEAN_MSSQL wh_mssql_session *s = NULL;
  WH_TRY(wh_mssql_open(c, WH_SQL_READ, &s, err));
  return wh_sql_discover(&s->base, wh_str_of(sql), schema_of, arena, visit, context, err);
}

// --- Describing ----------------------------------------------------------------------------------

static bool is_asked(const wh_source_query *query, wh_str name) {
  for (size_t i = 0; i < query->column_count; i++)
    if (wh_str_eq(query->columns[i], name)) return true;
  return query->column_count == 0;
}

// Columns that cannot be read are in the way only when they are asked for by name.
static wh_status check_read(wh_mssql_session *s, const wh_sql_from *from,
                            const wh_source_query *query, wh_error *err) {
  for (size_t i = 0; query->column_count && i < from->relation.count; i++) {
    const wh_sql_column *c = &from->relation.columns[i];
    if (c->unread && is_asked(query, c->name))
      return wh_fail(err, WH_ERR_REFUSED, "%.*s: %.*s.%.*s %s: CAST it in a `query`",
                     WH_STR_ARG(s->base.connection->name), WH_STR_ARG(from->what),
                     WH_STR_ARG(c->name), c->unread);
  }
  return WH_OK;
}

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  WH_CLEAN_MSSQL wh_mssql_session *s = NULL;
  wh_sql_from from;
  wh_source_info info = {.cursor_kind = WH_CURSOR_WINDOWED};
  ptrdiff_t cursor = -1;
  WH_TRY(wh_mssql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mssql_from_of(s, query->table, query->query, arena, &from, err));
  if (query->cursor.len) cursor = wh_sql_find(WH_SQL_COLUMNS(&from.relation), query->cursor);
  if (query->cursor.len && cursor < 0) return wh_sql_no_column(&s->base, &from, query->cursor, err);
  if (cursor >= 0 && wh_mssql_native_of(&from.relation.columns[cursor]) == WH_MSSQL_ROWVERSION)
    info.cursor_kind = WH_CURSOR_EXACT;
  WH_TRY(check_read(s, &from, query, err));
  WH_TRY(wh_sql_schema(WH_SQL_COLUMNS(&from.relation), arena, &info.schema, err));
  WH_TRY(wh_sql_key(WH_SQL_COLUMNS(&from.relation), arena, &info.key, &info.key_count, err));
  wh_sql_estimate(&from, query, &info);
  *ret = info;
  return WH_OK;
}

// --- Ranges --------------------------------------------------------------------------------------

static wh_status extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                          wh_str *ret, wh_error *err) {
  WH_CLEAN_MSSQL wh_mssql_session *s = NULL;
  wh_sql_from from;
  WH_TRY(wh_mssql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mssql_from_of(s, table, (wh_str){0}, arena, &from, err));
  return wh_sql_extremes(&s->base, &from, column, arena, ret, err);
}

// --- Bounds --------------------------------------------------------------------------------------

typedef struct clocks {
  int64_t us;
  uint64_t rowversion;
} clocks;

static wh_status take_clocks(void *context, const wh_str *v, size_t count, wh_error *err) {
  clocks *c = context;
  wh_iso iso;
  int64_t version;
  (void)count;
  if (!v[0].data || !wh_iso_parse(v[0], &iso) || !wh_iso_to_timestamp(&iso, WH_UNIT_US, &c->us))
    return wh_fail(err, WH_ERR_DATA, "the server's clock says '%.*s'", WH_STR_ARG(v[0]));
  if (!v[1].data || !wh_str_to_i64(v[1], &version))
    return wh_fail(err, WH_ERR_DATA, "the server's lowest rowversion is '%.*s'", WH_STR_ARG(v[1]));
  c->rowversion = (uint64_t)version;
  return WH_OK;
}

static wh_status is_exact(wh_mssql_session *s, const wh_source_query *query, wh_arena *arena,
                          bool *ret, wh_error *err) {
  wh_sql_from from;
  *ret = false;
  if (!query->cursor.len) return WH_OK;
  WH_TRY(wh_mssql_from_of(s, query->table, query->query, arena, &from, err));
  ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&from.relation), query->cursor);
  if (at < 0) return wh_sql_no_column(&s->base, &from, query->cursor, err);
  *ret = wh_mssql_native_of(&from.relation.columns[at]) == WH_MSSQL_ROWVERSION;
  return WH_OK;
}

// Whatever commits from now on below the lowest rowversion of a transaction under way has committed
// already: a snapshot that begins later has all rows below it.
static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  static const char sql[] =
      "SELECT CONVERT(nvarchar(30), CAST(SYSUTCDATETIME() AS datetime2(6)), 126), "
      "CAST(MIN_ACTIVE_ROWVERSION() AS bigint)";
  WH_CLEAN_MSSQL wh_mssql_session *s = NULL;
  wh_bound b = {0};
  clocks now;
  WH_TRY(wh_mssql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(is_exact(s, query, arena, &b.has_to, err));
  WH_TRY(wh_mssql_ask(&s->base, wh_str_of(sql), NULL, 0, take_clocks, &now, err));
  b.clock_us = now.us;
  if (b.has_to) {
    b.to = (wh_value){.type = wh_type_of(WH_UINT64)};
    b.to.as.u = now.rowversion;
  }
  *ret = b;
  return WH_OK;
}

const wh_source_type wh_mssql_source = {
    .tables = list_tables,
    .discover = discover,
    .describe = describe,
    .bound = bound,
    .open = wh_mssql_open_reader,
    .extremes = extremes,
    .open_finder = wh_mssql_open_finder,
};
