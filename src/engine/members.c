#include "engine/members.h"

typedef struct finding {
  wh_engine *engine;
  const wh_pipeline *many;
  wh_arena *arena;
  wh_members *members;
} finding;

static wh_status add_member(finding *f, wh_str table, wh_error *err) {
  wh_members *m = f->members;
  WH_TRY(wh_pipeline_member(f->many, table, f->arena, &m->items[m->count], err));
  m->count++;
  return WH_OK;
}

// As `from` of a pipeline of its own would name it, in the manner of the pattern.
static wh_status name_of(finding *f, const wh_table_name *t, wh_str *ret, wh_error *err) {
  bool is_qualified = wh_str_find(f->many->from.thing, 0, '.') < f->many->from.thing.len;
  bool is_plain = t->schema.len == 0 || (t->is_home && !is_qualified);
  *ret = is_plain
             ? t->table
             : wh_arena_printf(f->arena, "%.*s.%.*s", WH_STR_ARG(t->schema), WH_STR_ARG(t->table));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status add_listed(finding *f, wh_error *err) {
  for (size_t i = 0; i < f->many->table_count; i++)
    WH_TRY(add_member(f, f->many->tables[i].table, err));
  return WH_OK;
}

static wh_status sort_table(finding *f, const wh_table_name *t, wh_error *err) {
  wh_members *m = f->members;
  wh_str name;
  if (!wh_table_matches(f->many->from.thing, t->schema, t->table, t->is_home)) return WH_OK;
  WH_TRY(name_of(f, t, &name, err));
  bool may_cross = wh_pipeline_lets_cross(f->many, name);
  if (!may_cross)
    m->unlisted[m->unlisted_count++] = name;
  else if (t->is_denied && f->many->table_count == 0)
    m->denied[m->denied_count++] = name;
  else if (f->many->table_count == 0)
    return add_member(f, name, err);
  return WH_OK;
}

static bool is_member(const wh_members *m, wh_str name) {
  for (size_t i = 0; i < m->count; i++)
    if (wh_str_eq(m->items[i].name, name)) return true;
  return false;
}

static bool is_denied(const wh_members *m, wh_str table) {
  for (size_t i = 0; i < m->denied_count; i++)
    if (wh_str_eq(m->denied[i], table)) return true;
  return false;
}

wh_status wh_members_known(wh_engine *engine, const wh_pipeline *many, wh_arena *arena,
                           wh_pipeline **ret, size_t *ret_count, wh_error *err) {
  wh_ledger *ledger = engine->ledger;
  wh_str *names, prefix = wh_arena_printf(arena, "%.*s:", WH_STR_ARG(many->name));
  size_t count;
  if (!prefix.data) return wh_fail_memory(err);
  WH_TRY(ledger->type->pipelines(ledger, prefix, arena, &names, &count, err));
  wh_pipeline *items = WH_NEW_ARRAY(arena, count, wh_pipeline);
  if (!items) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    wh_str escaped = wh_str_sub(names[i], prefix.len, names[i].len);
    wh_str table = wh_pipeline_member_table(escaped, arena);
    if (!table.data) return wh_fail_memory(err);
    WH_TRY(wh_pipeline_member(many, table, arena, &items[i], err));
  }
  *ret = items;
  *ret_count = count;
  return WH_OK;
}

static wh_status find_gone(finding *f, wh_error *err) {
  wh_members *m = f->members;
  wh_pipeline *known;
  size_t count;
  WH_TRY(wh_members_known(f->engine, f->many, f->arena, &known, &count, err));
  m->gone = WH_NEW_ARRAY(f->arena, count, wh_str);
  if (!m->gone) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    wh_str table = known[i].from.thing;
    bool is_meant = wh_pipeline_lets_cross(f->many, table) && !is_denied(m, table);
    if (is_meant && !is_member(m, known[i].name)) m->gone[m->gone_count++] = table;
  }
  return WH_OK;
}

wh_status wh_members_now(wh_engine *engine, const wh_pipeline *many, wh_arena *arena,
                         wh_members *ret, wh_error *err) {
  *ret = (wh_members){0};
  finding f = {.engine = engine, .many = many, .arena = arena, .members = ret};
  wh_connection *c;
  wh_table_name *tables;
  size_t count;
  WH_TRY(wh_config_connect(engine->config, many->from.connection, &c, err));
  WH_TRY(c->type->source->tables(c, arena, &tables, &count, err));
  ret->items = WH_NEW_ARRAY(arena, count + many->table_count, wh_pipeline);
  ret->unlisted = WH_NEW_ARRAY(arena, count, wh_str);
  ret->denied = WH_NEW_ARRAY(arena, count, wh_str);
  if (!ret->items || !ret->unlisted || !ret->denied) return wh_fail_memory(err);
  WH_TRY(add_listed(&f, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(sort_table(&f, &tables[i], err));
  return find_gone(&f, err);
}
