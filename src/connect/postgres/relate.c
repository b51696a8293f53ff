#include "connect/postgres/relate.h"
#include "connect/sql_catalog.h"

// --- the table -----------------------------------------------------------------------------------

typedef struct lookup {
  wh_arena *arena;
  wh_pg_relation *relation;
  bool found;
} lookup;

static wh_status copy(wh_arena *arena, wh_str from, wh_str *ret, wh_error *err) {
  *ret = wh_arena_str(arena, from);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static uint32_t to_u32(wh_str text) {
  uint64_t value = 0;
  return wh_str_to_u64(text, &value) ? (uint32_t)value : 0;
}

static int32_t to_i32(wh_str text) {
  int64_t value = -1;
  return wh_str_to_i64(text, &value) ? (int32_t)value : -1;
}

static bool is_true(wh_str text) {
  return wh_str_is(text, "t");
}

static wh_status see_table(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  lookup *l = context;
  l->found = true;
  l->relation->oid = to_u32(v[0]);
  l->relation->kind = v[3].len ? v[3].data[0] : 'r';
  WH_TRY(copy(l->arena, v[1], &l->relation->schema, err));
  return copy(l->arena, v[2], &l->relation->table, err);
}

// The whole name first, then as schema.table: a table may have a point in its name.
static wh_status look_up_table(wh_pg_session *s, wh_str table, lookup *l, wh_error *err) {
  static const char sql[] =
      "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class AS c "
      "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND "
      "((c.relname = $1::pg_catalog.text AND CASE WHEN $2::pg_catalog.text = '' THEN "
      "pg_catalog.pg_table_is_visible(c.oid) "
      "ELSE n.nspname = $2::pg_catalog.text END) OR "
      "n.nspname || '.' || c.relname = $1::pg_catalog.text) "
      "ORDER BY c.relname = $1::pg_catalog.text DESC LIMIT 1";
  wh_str schema = wh_pg_options_of(s->base.connection)->schema;
  wh_str params[] = {table.data ? table : WH_STR(""), schema.data ? schema : WH_STR("")};
  return wh_pg_ask(s, wh_str_of(sql), params, 2, see_table, l, err);
}

// A table in a schema that the user may not use looks as if it were not there.
static wh_status check_usage(wh_pg_session *s, wh_str table, wh_error *err) {
  static const char sql[] =
      "SELECT n.nspname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
      "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND "
      "c.relname = $1::pg_catalog.text AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
      "n.nspname IN (SELECT pg_catalog.btrim(pg_catalog.replace(p, '$user', session_user), '\" ') "
      "FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.current_setting("
      "'search_path'), ',')) AS p) LIMIT 1";
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->base.connection->mem);
  wh_str params[] = {table.data ? table : WH_STR("")};
  wh_sql_names n = {.arena = &arena};
  WH_TRY(wh_pg_ask(s, wh_str_of(sql), params, 1, wh_sql_names_take, &n, err));
  if (n.count == 0) return WH_OK;
  return wh_fail(err, WH_ERR_DENIED,
                 "%.*s: permission denied for schema %.*s, which has a table '%.*s' (42501). "
                 "GRANT USAGE ON SCHEMA gives the user what is missing",
                 WH_STR_ARG(s->base.connection->name), WH_STR_ARG(n.items[0]), WH_STR_ARG(table));
}

static wh_status no_table(wh_pg_session *s, wh_str table, wh_error *err) {
  static const char sql[] =
      "SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) AND n.nspname = "
      "coalesce(nullif($1::pg_catalog.text, "
      "''), n.nspname) THEN c.relname ELSE n.nspname || '.' || c.relname END "
      "FROM pg_catalog.pg_class AS c "
      "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND "
      "n.nspname <> 'information_schema' AND c.relname NOT LIKE '\\_wherry\\_%' LIMIT $2";
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->base.connection->mem);
  char most[16];
  snprintf(most, sizeof most, "%d", WH_PG_TABLES_MAX);
  wh_str schema = wh_pg_options_of(s->base.connection)->schema;
  wh_str params[] = {schema.data ? schema : WH_STR(""), wh_str_of(most)};
  wh_sql_names n = {.arena = &arena};
  WH_TRY(wh_pg_ask(s, wh_str_of(sql), params, 2, wh_sql_names_take, &n, err));
  return wh_source_no_table(s->base.connection, table, n.items, n.count, err);
}

// --- its columns ---------------------------------------------------------------------------------

typedef struct columns {
  wh_arena *arena;
  wh_pg_relation *relation;
  int32_t *numbers; // attnum of each column
} columns;

static wh_status see_column(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  columns *c = context;
  wh_pg_relation *r = c->relation;
  if (!r->columns) {
    size_t most = to_u32(v[9]);
    r->columns = WH_NEW_ARRAY(c->arena, most, wh_pg_column);
    c->numbers = WH_NEW_ARRAY(c->arena, most, int32_t);
    if (!r->columns || !c->numbers) return wh_fail_memory(err);
  }
  if (wh_str_is(v[1], WH_ORDER_COLUMN)) {
    r->has_order = true;
    return WH_OK;
  }
  wh_pg_column *column = &r->columns[r->count];
  c->numbers[r->count++] = to_i32(v[0]);
  *column = (wh_pg_column){
      .sql = {.nullable = !is_true(v[5]),
              .has_default = is_true(v[6]),
              .is_generated = is_true(v[7]),
              .folds = is_true(v[8])},
      .declared = {.oid = to_u32(v[2]), .modifier = to_i32(v[3])},
      .may_read = is_true(v[10]),
      .seen = true,
  };
  WH_TRY(copy(c->arena, v[1], &column->sql.name, err));
  return copy(c->arena, v[4], &column->sql.declared, err);
}

static wh_status read_columns(wh_pg_session *s, columns *c, wh_error *err) {
  static const char sql[] =
      "SELECT a.attnum, a.attname, a.atttypid, a.atttypmod, "
      "pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, "
      "(a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '', a.attgenerated <> '', "
      "coalesce(NOT l.collisdeterministic, false), count(*) OVER (), "
      "pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') "
      "FROM pg_catalog.pg_attribute AS a "
      "LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation "
      "WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped "
      "ORDER BY a.attnum";
  char oid[16];
  snprintf(oid, sizeof oid, "%u", c->relation->oid);
  wh_str params[] = {wh_str_of(oid)};
  return wh_pg_ask(s, wh_str_of(sql), params, 1, see_column, c, err);
}

// --- unique indexes ------------------------------------------------------------------------------

static ptrdiff_t column_of_number(const columns *c, int32_t number) {
  for (size_t i = 0; i < c->relation->count; i++)
    if (c->numbers[i] == number) return (ptrdiff_t)i;
  return -1;
}

static wh_status see_index(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  columns *c = context;
  wh_pg_relation *r = c->relation;
  if (!r->uniques) r->uniques = WH_NEW_ARRAY(c->arena, to_u32(v[2]), wh_sql_unique);
  size_t keys = to_u32(v[3]), found = 0;
  uint32_t *indexes = WH_NEW_ARRAY(c->arena, keys, uint32_t);
  if (!r->uniques || !indexes) return wh_fail_memory(err);
  wh_str rest = v[1], piece;
  while (found < keys && wh_str_split(&rest, ' ', &piece)) {
    ptrdiff_t at = column_of_number(c, to_i32(piece));
    if (at < 0) return WH_OK; // on the order column: not one to rely on
    indexes[found++] = (uint32_t)at;
  }
  for (size_t i = 0; i < found && is_true(v[0]); i++)
    r->columns[indexes[i]].sql.key_position = (uint32_t)i + 1;
  r->uniques[r->unique_count++] = (wh_sql_unique){.columns = indexes, .count = found};
  return WH_OK;
}

static wh_status read_uniques(wh_pg_session *s, columns *c, wh_error *err) {
  static const char sql[] =
      "SELECT i.indisprimary, i.indkey, count(*) OVER (), i.indnkeyatts "
      "FROM pg_catalog.pg_index AS i "
      "WHERE i.indrelid = $1::pg_catalog.oid AND i.indisunique AND i.indisvalid AND i.indimmediate "
      "AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY 1 DESC, i.indexrelid";
  char oid[16];
  snprintf(oid, sizeof oid, "%u", c->relation->oid);
  wh_str params[] = {wh_str_of(oid)};
  return wh_pg_ask(s, wh_str_of(sql), params, 1, see_index, c, err);
}

wh_status wh_pg_relate(wh_pg_session *s, wh_str table, wh_str query, wh_arena *arena,
                       wh_pg_relation *ret, wh_error *err) {
  if (query.len) return wh_pg_query_relate(s, query, arena, ret, err);
  wh_pg_relation relation = {0};
  lookup l = {.arena = arena, .relation = &relation};
  WH_TRY(look_up_table(s, table, &l, err));
  if (!l.found) {
    WH_TRY(check_usage(s, table, err));
    return no_table(s, table, err);
  }
  columns c = {.arena = arena, .relation = &relation};
  WH_TRY(read_columns(s, &c, err));
  WH_TRY(wh_pg_resolve_types(s, relation.columns, relation.count, arena, err));
  WH_TRY(read_uniques(s, &c, err));
  *ret = relation;
  return WH_OK;
}

// --- what the others need of it ------------------------------------------------------------------

wh_status wh_pg_no_column(const wh_pg_session *s, const wh_pg_relation *relation, wh_str name,
                          wh_error *err) {
  wh_str what = relation->table.len ? relation->table : WH_STR("the query");
  return wh_source_no_column(s->base.connection, what, name, relation->columns, relation->count,
                             sizeof *relation->columns, err);
}

bool wh_pg_add_from(wh_buf *sql, const wh_pg_relation *relation) {
  wh_buf_add_c(sql, " FROM ");
  if (relation->table.len) {
    wh_pg_add_name(sql, relation->schema);
    wh_buf_add_char(sql, '.');
    return wh_pg_add_name(sql, relation->table);
  }
  // The line break ends a comment that the query may end with.
  wh_buf_add_char(sql, '(');
  wh_buf_add_str(sql, relation->query);
  return wh_buf_add_c(sql, "\n) AS q");
}

bool wh_pg_add_read(wh_buf *sql, const wh_pg_column *column) {
  const wh_pg_reading *r = &column->reading;
  if (r->cast == WH_PG_AS_WKB) { // the function stands where the type does
    wh_pg_add_name(sql, column->declared.schema);
    wh_buf_add_c(sql, ".st_asbinary(");
    wh_pg_add_name(sql, column->sql.name);
    return wh_buf_add_char(sql, ')');
  }
  wh_pg_add_name(sql, column->sql.name);
  if (r->cast == WH_PG_AS_IS) return !sql->failed;
  wh_buf_add_c(sql, r->cast == WH_PG_AS_NUMERIC ? "::pg_catalog.numeric" : "::pg_catalog.text");
  return r->form == WH_PG_ARRAY ? wh_buf_add_c(sql, "[]") : !sql->failed;
}

static const char *why_not_a_sink(char kind) {
  switch (kind) {
  case 'v':
    return "it is a view";
  case 'm':
    return "it is a materialized view";
  case 'f':
    return "it is a foreign table";
  default:
    return NULL;
  }
}

wh_status wh_pg_driver_relate(wh_sql_session *base, wh_str table, wh_arena *arena,
                              wh_sql_relation *ret, wh_error *err) {
  wh_pg_session *s = (wh_pg_session *)base;
  wh_pg_relation r;
  WH_TRY(wh_pg_relate(s, table, (wh_str){0}, arena, &r, err));
  wh_sql_column *list = WH_NEW_ARRAY(arena, r.count, wh_sql_column);
  if (!list) return wh_fail_memory(err);
  for (size_t i = 0; i < r.count; i++)
    list[i] = r.columns[i].sql;
  *ret = (wh_sql_relation){.schema = r.schema,
                           .table = r.table,
                           .not_a_sink = why_not_a_sink(r.kind),
                           .has_order = r.has_order,
                           .columns = list,
                           .count = r.count,
                           .uniques = r.uniques,
                           .unique_count = r.unique_count,
                           .rows_estimate = WH_SIZE_UNKNOWN};
  return WH_OK;
}

static wh_status see_home(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  lookup *l = context;
  l->found = v[0].data != NULL;
  return l->found ? copy(l->arena, v[0], &l->relation->schema, err) : WH_OK;
}

wh_status wh_pg_driver_home(wh_sql_session *base, wh_arena *arena, wh_str *ret, wh_error *err) {
  wh_pg_session *s = (wh_pg_session *)base;
  wh_str schema = wh_pg_options_of(base->connection)->schema;
  if (schema.len) return copy(arena, schema, ret, err);
  wh_pg_relation home = {0};
  lookup l = {.arena = arena, .relation = &home};
  WH_TRY(wh_pg_ask(s, WH_STR("SELECT pg_catalog.current_schema()"), NULL, 0, see_home, &l, err));
  if (!l.found)
    return wh_fail(err, WH_ERR_NOT_FOUND,
                   "%.*s: no schema of the user's search_path exists, or none that the user may "
                   "use. Name one with `schema`, or GRANT USAGE ON SCHEMA",
                   WH_STR_ARG(base->connection->name));
  *ret = home.schema;
  return WH_OK;
}
