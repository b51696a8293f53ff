// A target against the table that is there.
#include "connect/sink_table.h"
#include "connect/sql_sink.h"

// Exactly that name, or else the only one that differs in case.
static ptrdiff_t find(const wh_sql_relation *r, wh_str name) {
  ptrdiff_t similar = -1;
  size_t count = 0;
  for (size_t i = 0; i < r->count; i++) {
    if (wh_str_eq(r->columns[i].name, name)) return (ptrdiff_t)i;
    if (!wh_str_eq_nocase(r->columns[i].name, name)) continue;
    similar = (ptrdiff_t)i;
    count++;
  }
  return count == 1 ? similar : -1;
}

// --- Names ---------------------------------------------------------------------------------------

static wh_status set_names(wh_sink *sink, wh_sql_target *t, wh_str schema, wh_str table,
                           wh_error *err) {
  wh_arena *arena = &sink->arena;
  const wh_sql_driver *d = t->driver;
  t->name = wh_arena_printf(arena, "%.*s%s%.*s", WH_STR_ARG(schema), schema.len ? "." : "",
                            WH_STR_ARG(table));
  t->schema_name = schema;
  t->table_name = table;
  t->side_name = wh_sql_own_name(d, arena, WH_SQL_SIDE, table);
  t->stage_name = wh_sql_own_name(d, arena, "_wherry_stage_", table);
  wh_str batch = wh_arena_printf(arena, "%s_wherry_batch_%zu", d->temporary_prefix, t->index);
  if (!t->name.data || !t->side_name.data || !t->stage_name.data || !batch.data)
    return wh_fail_memory(err);
  t->table = wh_sql_quoted(d, arena, schema, table);
  t->side = wh_sql_quoted(d, arena, schema, t->side_name);
  t->stage = wh_sql_quoted(d, arena, schema, t->stage_name);
  t->batch = wh_sql_quoted(d, arena, (wh_str){0}, batch);
  t->id = wh_sql_digest(arena, (wh_str[]){schema, table}, 2);
  bool whole = t->table.data && t->side.data && t->stage.data && t->batch.data && t->id.data;
  return whole ? WH_OK : wh_fail_memory(err);
}

// A new table: "schema.table", or a table of the home schema.
static wh_status name_new(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  wh_str schema = sink->home, table = t->spec.table;
  const char *dot = memchr(table.data, '.', table.len);
  if (dot && dot != table.data && dot + 1 < table.data + table.len) {
    schema = wh_str_n(table.data, (size_t)(dot - table.data));
    table = wh_str_n(dot + 1, table.len - schema.len - 1);
  }
  return set_names(sink, t, schema, table, err);
}

// What the stage has to look like: its columns, and the table's, for the rules it takes from there.
static wh_status set_shape(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, sink->connection->mem, WH_SQL_TEXT_MAX);
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_sql_add_column(&text, t, NULL, i);
    wh_buf_printf(&text, " %.*s%s,", WH_STR_ARG(t->columns[i].declared),
                  wh_sql_is_key(t, i) ? " key" : "");
  }
  WH_TRY(wh_buf_check(&text, err));
  wh_str shape = wh_buf_str(&text);
  t->shape = wh_sql_digest(&sink->arena, &shape, 1);
  return t->shape.data ? WH_OK : wh_fail_memory(err);
}

// --- Columns -------------------------------------------------------------------------------------

// As a table that is made here would declare it.
static wh_status bind_new_column(wh_sink *sink, wh_sql_target *t, size_t i, wh_error *err) {
  const wh_field *f = &t->schema.fields[i];
  wh_sql_column *c = &t->columns[i];
  WH_CLEAN_BUF wh_buf declared;
  wh_buf_init(&declared, sink->connection->mem, WH_SQL_TEXT_MAX);
  t->driver->declare(&f->type, wh_sql_is_key(t, i), &declared);
  WH_TRY(wh_buf_check(&declared, err));
  *c = (wh_sql_column){.nullable = f->nullable};
  t->driver->declared(&f->type, wh_sql_is_key(t, i), c);
  c->name = t->names[i] = f->name;
  c->declared = wh_arena_str(&sink->arena, wh_buf_str(&declared));
  if (!c->declared.data) return wh_fail_memory(err);
  t->checked[i] = t->driver->checks(&f->type, c);
  return WH_OK;
}

static wh_status bind_new(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_TRY(name_new(sink, t, err));
  t->has_order = !t->spec.side_table;
  t->has_side = t->spec.side_table && t->spec.mode == WH_WRITE_UPSERT;
  t->may_collide = t->has_unique = false;
  for (size_t i = 0; i < t->schema.count; i++)
    WH_TRY(bind_new_column(sink, t, i, err));
  return set_shape(sink, t, err);
}

static wh_status bind_column(wh_sink *sink, wh_sql_target *t, size_t i, const wh_sql_column *c,
                             wh_buf *difference, wh_buf *clashes, wh_error *err) {
  const wh_type *type = &t->schema.fields[i].type;
  t->columns[i] = *c;
  t->names[i] = c->name;
  if (c->is_generated)
    wh_difference_add(difference, "column '%.*s' is computed", WH_STR_ARG(c->name));
  const char *clash = t->driver->clash(type, c);
  if (clash) {
    wh_str friendly = wh_type_friendly(type, &sink->arena);
    if (!friendly.data) return wh_fail_memory(err);
    wh_difference_add(clashes, "column '%.*s' is declared %.*s and %s: %.*s would come",
                      WH_STR_ARG(c->name), WH_STR_ARG(c->declared), clash, WH_STR_ARG(friendly));
  }
  t->checked[i] = !clash && t->driver->checks(type, c);
  return WH_OK;
}

static wh_status bind_columns(wh_sink *sink, wh_sql_target *t, const wh_sql_relation *r,
                              wh_buf *difference, wh_buf *clashes, wh_error *err) {
  for (size_t i = 0; i < t->schema.count; i++) {
    const wh_field *f = &t->schema.fields[i];
    ptrdiff_t at = find(r, f->name);
    if (at >= 0) {
      WH_TRY(bind_column(sink, t, i, &r->columns[at], difference, clashes, err));
      continue;
    }
    WH_TRY(bind_new_column(sink, t, i, err));
    t->adds[i] = t->spec.adds_columns && !wh_sql_is_key(t, i);
    t->add_count += t->adds[i];
    if (!t->adds[i])
      wh_difference_add(difference, "column '%.*s' (%.*s) is missing", WH_STR_ARG(f->name),
                        WH_STR_ARG(t->columns[i].declared));
  }
  return WH_OK;
}

// Columns that would stay empty but may not.
static void find_unfilled(const wh_sql_target *t, const wh_sql_relation *r, wh_buf *difference) {
  for (size_t i = 0; i < r->count; i++) {
    const wh_sql_column *c = &r->columns[i];
    bool is_filled = c->nullable || c->has_default || c->is_generated;
    for (size_t k = 0; k < t->schema.count; k++)
      is_filled |= find(r, t->schema.fields[k].name) == (ptrdiff_t)i;
    if (!is_filled)
      wh_difference_add(difference,
                        "column '%.*s' must have a value and has no default, but nothing fills it",
                        WH_STR_ARG(c->name));
  }
}

// --- Keys ----------------------------------------------------------------------------------------

// An index on exactly the key's columns, in any order.
static bool is_on_key(const wh_sql_target *t, const wh_sql_relation *r, const wh_sql_unique *u) {
  size_t matched = 0;
  for (size_t k = 0; k < t->key_count; k++)
    for (size_t i = 0; i < u->count; i++)
      matched += wh_str_eq(r->columns[u->columns[i]].name, t->names[t->key[k]]);
  return matched == u->count && matched == t->key_count;
}

static wh_status bind_key(wh_sink *sink, wh_sql_target *t, const wh_sql_relation *r,
                          wh_buf *difference, wh_error *err) {
  bool found = false;
  t->may_collide = t->has_unique = false;
  for (size_t i = 0; i < r->unique_count; i++) {
    bool on_key = is_on_key(t, r, &r->uniques[i]);
    found |= on_key;
    t->has_unique |= !on_key;
  }
  for (size_t k = 0; k < t->key_count; k++)
    t->may_collide |= t->columns[t->key[k]].folds;
  if (found || t->key_count == 0) return WH_OK;
  WH_CLEAN_BUF wh_buf names;
  wh_buf_init(&names, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_sql_add_key(&names, t, NULL);
  WH_TRY(wh_buf_check(&names, err));
  wh_difference_add(difference,
                    "no unique index is on exactly the key (%.*s): CREATE UNIQUE INDEX makes one",
                    WH_STR_ARG(wh_buf_str(&names)));
  return WH_OK;
}

// --- All of it -----------------------------------------------------------------------------------

static wh_status bind_existing(wh_sink *sink, wh_sql_target *t, const wh_sql_relation *r,
                               wh_buf *difference, wh_error *err) {
  size_t before = difference->len;
  WH_TRY(set_names(sink, t, r->schema, r->table, err));
  if (r->not_a_sink) {
    wh_difference_add(difference, "%s", r->not_a_sink);
    return wh_buf_check(difference, err);
  }
  t->has_order = r->has_order;
  t->has_side = !r->has_order && t->spec.mode == WH_WRITE_UPSERT;
  WH_CLEAN_BUF wh_buf clashes;
  wh_buf_init(&clashes, sink->connection->mem, WH_SQL_TEXT_MAX);
  WH_TRY(bind_columns(sink, t, r, difference, &clashes, err));
  WH_TRY(wh_buf_check(&clashes, err));
  t->clashes = wh_arena_str(&sink->arena, wh_buf_str(&clashes));
  if (!t->clashes.data) return wh_fail_memory(err);
  find_unfilled(t, r, difference);
  // Only with all columns there does it make sense to look for an index on them.
  if (difference->len == before) WH_TRY(bind_key(sink, t, r, difference, err));
  if (difference->len == before) WH_TRY(set_shape(sink, t, err));
  return wh_buf_check(difference, err);
}

wh_status wh_sql_bind(wh_sink *sink, wh_sql_target *t, wh_buf *difference, wh_error *err) {
  wh_sql_relation r;
  t->clashes = (wh_str){0};
  t->add_count = 0;
  for (size_t i = 0; i < t->schema.count; i++)
    t->adds[i] = false;
  wh_status status = t->driver->relate(sink->session, t->spec.table, &sink->arena, &r, err);
  t->exists = status == WH_OK;
  if (status == WH_ERR_NOT_FOUND) return bind_new(sink, t, err);
  return status == WH_OK ? bind_existing(sink, t, &r, difference, err) : status;
}

wh_status wh_sql_refuse(const wh_sink *sink, const wh_sql_target *t, wh_str difference,
                        wh_error *err) {
  return wh_target_refuse(sink->connection, t->spec.table, difference, t->clashes, err);
}
