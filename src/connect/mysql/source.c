#include "connect/mysql/source.h"

#include "connect/table_list.h"

// Names of the primary key's columns in order.
static wh_status key_of(const wh_sql_relation *r, wh_arena *arena, const wh_str **ret,
                        size_t *ret_count, wh_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < r->count; i++)
    count += r->columns[i].key_position != 0;
  wh_str *key = WH_NEW_ARRAY(arena, count, wh_str);
  if (!key) return wh_fail_memory(err);
  for (size_t i = 0; i < r->count; i++) {
    uint32_t at = r->columns[i].key_position;
    if (at && at <= count) key[at - 1] = r->columns[i].name;
  }
  *ret = key;
  *ret_count = count;
  return WH_OK;
}

// --- Discovering ---------------------------------------------------------------------------------

typedef struct table_names {
  wh_arena *arena;
  wh_str *names;
  bool *is_view;
  size_t count, cap;
} table_names;

static wh_status take_name(void *context, const wh_str *v, size_t count, wh_error *err) {
  table_names *t = context;
  (void)count;
  if (t->count == t->cap) {
    size_t cap = t->cap ? t->cap * 2 : 64;
    wh_str *names = WH_NEW_ARRAY(t->arena, cap, wh_str);
    bool *is_view = WH_NEW_ARRAY(t->arena, cap, bool);
    if (!names || !is_view) return wh_fail_memory(err);
    if (t->count) memcpy(names, t->names, t->count * sizeof *names);
    if (t->count) memcpy(is_view, t->is_view, t->count * sizeof *is_view);
    t->names = names;
    t->is_view = is_view;
    t->cap = cap;
  }
  t->names[t->count] = wh_arena_str(t->arena, v[0]);
  t->is_view[t->count] = wh_str_is(v[1], "1");
  return t->names[t->count++].data ? WH_OK : wh_fail_memory(err);
}

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  static const char sql[] =
      "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_SCHEMA = DATABASE() FROM information_schema.TABLES "
      "WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') AND "
      "TABLE_NAME NOT LIKE '!_wherry!_%' ESCAPE '!' AND TABLE_TYPE <> 'SEQUENCE' "
      "ORDER BY TABLE_TYPE LIKE '%VIEW', 1, 2";
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  wh_table_list list = {.arena = arena};
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_ask(&s->base, wh_str_of(sql), NULL, 0, wh_table_list_take, &list, err));
  *ret = list.items;
  *ret_count = list.count;
  return WH_OK;
}

static wh_status describe_table(wh_mysql_session *s, wh_arena *arena, wh_table_info *info,
                                wh_error *err) {
  wh_sql_relation r;
  WH_TRY(wh_mysql_relate(&s->base, info->name, arena, &r, err));
  info->rows = r.rows_estimate;
  WH_TRY(wh_mysql_schema(s, &r, arena, &info->schema, err));
  return key_of(&r, arena, &info->key, &info->key_count, err);
}

static wh_status discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                          wh_error *err) {
  static const char sql[] =
      "SELECT TABLE_NAME, TABLE_TYPE LIKE '%VIEW' FROM information_schema.TABLES WHERE "
      "TABLE_SCHEMA "
      "= DATABASE() AND TABLE_NAME NOT LIKE '!_wherry!_%' ESCAPE '!' AND TABLE_TYPE <> 'SEQUENCE' "
      "ORDER BY 2, 1";
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  table_names t = {.arena = arena};
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_ask(&s->base, wh_str_of(sql), NULL, 0, take_name, &t, err));
  for (size_t i = 0; i < t.count; i++) {
    wh_table_info info = {.name = t.names[i], .rows = WH_SIZE_UNKNOWN};
    wh_status status = describe_table(s, arena, &info, err);
    // A view over tables that are gone is shown without columns; it must not hide the others.
    bool is_broken_view = t.is_view[i] && (status == WH_ERR_IO || status == WH_ERR_NOT_FOUND ||
                                           status == WH_ERR_DENIED);
    if (status != WH_OK && !is_broken_view) return status;
    WH_TRY(visit(context, &info, err));
  }
  return WH_OK;
}

// --- Describing ----------------------------------------------------------------------------------

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  wh_mysql_from from;
  wh_source_info info = {.cursor_kind = WH_CURSOR_WINDOWED};
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_from_of(s, query->table, query->query, arena, &from, err));
  if (query->cursor.len && wh_mysql_find(&from.relation, query->cursor) < 0)
    return wh_mysql_no_column(s, &from, query->cursor, err);
  WH_TRY(wh_mysql_schema(s, &from.relation, arena, &info.schema, err));
  WH_TRY(key_of(&from.relation, arena, &info.key, &info.key_count, err));
  uint64_t rows = from.relation.rows_estimate;
  if (!query->has_from && !query->has_to && rows != WH_SIZE_UNKNOWN) info.rows_estimate = rows;
  if (query->limit_rows && info.rows_estimate > query->limit_rows)
    info.rows_estimate = query->limit_rows;
  *ret = info;
  return WH_OK;
}

// --- Ranges --------------------------------------------------------------------------------------

static wh_status extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                          wh_str *ret, wh_error *err) {
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  wh_mysql_from from;
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_from_of(s, table, (wh_str){0}, arena, &from, err));
  if (wh_mysql_find(&from.relation, column) < 0) return wh_mysql_no_column(s, &from, column, err);
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, c->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT min(");
  wh_mysql_add_name(&sql, column);
  wh_buf_add_c(&sql, ") AS low, max(");
  wh_mysql_add_name(&sql, column);
  wh_buf_add_c(&sql, ") AS high");
  wh_mysql_add_from(&sql, &from);
  WH_TRY(wh_buf_check(&sql, err));
  *ret = wh_arena_str(arena, wh_buf_str(&sql));
  return ret->data ? WH_OK : wh_fail_memory(err);
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
