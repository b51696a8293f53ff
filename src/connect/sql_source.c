#include "connect/sql_source.h"

#include "connect/sql_sink.h"
#include "connect/table_list.h"

// --- Columns -------------------------------------------------------------------------------------

static const wh_sql_column *column_at(wh_sql_columns columns, size_t i) {
  return (const wh_sql_column *)((const char *)columns.items + i * columns.size);
}

ptrdiff_t wh_sql_find(wh_sql_columns columns, wh_str name) {
  for (size_t i = 0; i < columns.count; i++)
    if (wh_str_eq(column_at(columns, i)->name, name)) return (ptrdiff_t)i;
  return -1;
}

wh_status wh_sql_schema(wh_sql_columns columns, wh_arena *arena, wh_schema *ret, wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, columns.count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < columns.count; i++) {
    const wh_sql_column *c = column_at(columns, i);
    fields[i] = (wh_field){
        .name = c->name, .type = c->type, .nullable = c->nullable, .privacy = WH_INTERNAL};
  }
  *ret = (wh_schema){.count = columns.count, .fields = fields};
  return WH_OK;
}

wh_status wh_sql_key(wh_sql_columns columns, wh_arena *arena, const wh_str **ret, size_t *ret_count,
                     wh_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < columns.count; i++)
    count += column_at(columns, i)->key_position != 0;
  wh_str *key = WH_NEW_ARRAY(arena, count, wh_str);
  if (!key) return wh_fail_memory(err);
  for (size_t i = 0; i < columns.count; i++) {
    const wh_sql_column *c = column_at(columns, i);
    if (c->key_position && c->key_position <= count) key[c->key_position - 1] = c->name;
  }
  *ret = key;
  *ret_count = count;
  return WH_OK;
}

// --- What is read --------------------------------------------------------------------------------

wh_status wh_sql_from_table(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_from *ret,
                            wh_error *err) {
  wh_sql_from from = {0};
  WH_TRY(s->driver->relate(s, table, arena, &from.relation, err));
  from.what = from.relation.table;
  *ret = from;
  return WH_OK;
}

wh_status wh_sql_no_column(const wh_sql_session *s, const wh_sql_from *from, wh_str name,
                           wh_error *err) {
  const wh_sql_relation *r = &from->relation;
  return wh_source_no_column(s->connection, from->what, name, r->columns, r->count,
                             sizeof *r->columns, err);
}

bool wh_sql_add_from(wh_buf *sql, const wh_sql_session *s, const wh_sql_from *from) {
  wh_buf_add_c(sql, " FROM ");
  if (!from->query.len) {
    s->driver->name(sql, from->relation.schema);
    wh_buf_add_char(sql, '.');
    return s->driver->name(sql, from->relation.table);
  }
  // The line break ends a comment that the query may end with.
  wh_buf_add_char(sql, '(');
  wh_buf_add_str(sql, from->query);
  return wh_buf_add_c(sql, "\n) AS q");
}

void wh_sql_estimate(const wh_sql_from *from, const wh_source_query *query, wh_source_info *info) {
  uint64_t rows = from->relation.rows_estimate;
  if (!query->has_from && !query->has_to && rows != WH_SIZE_UNKNOWN) info->rows_estimate = rows;
  if (query->limit_rows && info->rows_estimate > query->limit_rows)
    info->rows_estimate = query->limit_rows;
}

wh_status wh_sql_extremes(const wh_sql_session *s, const wh_sql_from *from, wh_str column,
                          wh_arena *arena, wh_str *ret, wh_error *err) {
  if (wh_sql_find(WH_SQL_COLUMNS(&from->relation), column) < 0)
    return wh_sql_no_column(s, from, column, err);
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, arena->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT MIN(");
  s->driver->name(&sql, column);
  wh_buf_add_c(&sql, ") AS low, MAX(");
  s->driver->name(&sql, column);
  wh_buf_add_c(&sql, ") AS high");
  wh_sql_add_from(&sql, s, from);
  WH_TRY(wh_buf_check(&sql, err));
  *ret = wh_arena_str(arena, wh_buf_str(&sql));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_sql_find_side(wh_sql_session *s, const wh_sql_from *from, wh_arena *arena,
                           wh_sql_from *ret_side, wh_error *err) {
  const wh_sql_relation *r = &from->relation;
  *ret_side = (wh_sql_from){0};
  if (r->has_order) return WH_OK;
  wh_str own = wh_sql_own_name(s->driver, arena, WH_SQL_SIDE, r->table);
  wh_str name = wh_arena_printf(arena, "%.*s.%.*s", WH_STR_ARG(r->schema), WH_STR_ARG(own));
  if (!own.data || !name.data) return wh_fail_memory(err);
  wh_error inner = {0};
  wh_sql_from side;
  wh_status status = wh_sql_from_table(s, name, arena, &side, &inner);
  if (status == WH_OK && side.relation.has_order) *ret_side = side;
  if (status == WH_OK || status == WH_ERR_NOT_FOUND || status == WH_ERR_DENIED) return WH_OK;
  if (err) *err = inner;
  return status;
}

bool wh_sql_is_order(const wh_sql_from *from, const wh_sql_from *side, wh_str column) {
  return (from->relation.has_order || side->relation.count) && wh_str_is(column, WH_ORDER_COLUMN);
}

bool wh_sql_add_order(wh_buf *sql, const wh_sql_session *s, const wh_sql_from *side) {
  const wh_sql_relation *r = &side->relation;
  wh_str order = WH_STR(WH_ORDER_COLUMN);
  if (!r->count) return s->driver->name(sql, order);
  wh_buf_add_c(sql, "(SELECT o.");
  s->driver->name(sql, order);
  wh_sql_add_from(sql, s, side);
  wh_buf_add_c(sql, " AS o");
  for (size_t i = 0; i < r->count; i++) {
    wh_buf_add_c(sql, i ? " AND o." : " WHERE o.");
    s->driver->name(sql, r->columns[i].name);
    wh_buf_add_c(sql, " = t.");
    s->driver->name(sql, r->columns[i].name);
  }
  return wh_buf_add_char(sql, ')');
}

static wh_status add_condition(const wh_sql_session *s, const wh_sql_from *from, wh_str column,
                               wh_sql_condition on, wh_sql_conditions *ret, wh_error *err) {
  ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&from->relation), column);
  if (at < 0) return wh_sql_no_column(s, from, column, err);
  on.column = &from->relation.columns[at];
  ret->items[ret->count++] = on;
  return WH_OK;
}

wh_status wh_sql_conditions_of(const wh_sql_session *s, const wh_sql_from *from,
                               const wh_source_query *query, wh_sql_conditions *ret,
                               wh_error *err) {
  const wh_range *range = query->range;
  wh_sql_condition cursor = {.low = query->has_from ? &query->from : NULL,
                             .high = query->has_to ? &query->to : NULL,
                             .takes_null = true};
  ret->count = 0;
  if (query->cursor.len && (cursor.low || cursor.high))
    WH_TRY(add_condition(s, from, query->cursor, cursor, ret, err));
  if (!range) return WH_OK;
  wh_sql_condition part = {.low = range->low, .high = range->high, .takes_null = !range->low};
  return add_condition(s, from, range->column, part, ret, err);
}

// --- Telling of tables ---------------------------------------------------------------------------

wh_status wh_sql_tables(const wh_sql_driver *driver, wh_connection *c, wh_str sql, wh_arena *arena,
                        wh_table_name **ret, size_t *ret_count, wh_error *err) {
  wh_sql_session *s = NULL;
  wh_table_list list = {.arena = arena};
  WH_TRY(driver->open(c, WH_SQL_READ, &s, err));
  wh_status status = driver->ask(s, sql, NULL, 0, wh_table_list_take, &list, err);
  driver->close(s);
  if (status != WH_OK) return status;
  *ret = list.items;
  *ret_count = list.count;
  return WH_OK;
}

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

static wh_status describe_table(wh_sql_session *s, wh_sql_schema_of schema_of, wh_arena *arena,
                                wh_table_info *info, wh_error *err) {
  wh_sql_relation r;
  WH_TRY(s->driver->relate(s, info->name, arena, &r, err));
  info->rows = r.rows_estimate;
  WH_TRY(schema_of(s, &r, arena, &info->schema, err));
  return wh_sql_key(WH_SQL_COLUMNS(&r), arena, &info->key, &info->key_count, err);
}

wh_status wh_sql_discover(wh_sql_session *s, wh_str sql, wh_sql_schema_of schema_of,
                          wh_arena *arena, wh_table_visit visit, void *context, wh_error *err) {
  table_names t = {.arena = arena};
  WH_TRY(s->driver->ask(s, sql, NULL, 0, take_name, &t, err));
  for (size_t i = 0; i < t.count; i++) {
    wh_table_info info = {.name = t.names[i], .rows = WH_SIZE_UNKNOWN};
    wh_status status = describe_table(s, schema_of, arena, &info, err);
    // A view over tables that are gone is shown without columns; it must not hide the others.
    bool is_broken_view = t.is_view[i] && (status == WH_ERR_IO || status == WH_ERR_NOT_FOUND ||
                                           status == WH_ERR_DENIED);
    if (status != WH_OK && !is_broken_view) return status;
    WH_TRY(visit(context, &info, err));
  }
  return WH_OK;
}
