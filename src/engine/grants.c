// What pipelines and lookups need at a connection, and what has to be granted for that.
#include "engine/engine.h"
#include "step/step.h"

typedef struct needs {
  wh_config *config;
  wh_str connection;
  wh_connection *place; // of that name
  wh_arena *arena;
  wh_need *items;
  size_t count, cap;
} needs;

static wh_status add_need(needs *n, const wh_need *need, wh_error *err) {
  if (n->count == n->cap) {
    size_t cap = n->cap ? 2 * n->cap : 16;
    wh_need *items = WH_NEW_ARRAY(n->arena, cap, wh_need);
    if (!items) return wh_fail_memory(err);
    if (n->count) memcpy(items, n->items, n->count * sizeof *items);
    n->items = items;
    n->cap = cap;
  }
  n->items[n->count++] = *need;
  return WH_OK;
}

static wh_status column_names(needs *n, const wh_pipeline *p, wh_need *need, wh_error *err) {
  wh_str *columns = WH_NEW_ARRAY(n->arena, p->gate.count + 1, wh_str);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < p->gate.count; i++)
    columns[need->column_count++] = p->gate.columns[i].from;
  if (p->read.cursor.len) columns[need->column_count++] = p->read.cursor;
  need->columns = columns;
  return WH_OK;
}

static wh_status add_table(needs *n, const wh_pipeline *p, wh_error *err) {
  wh_need need = {.who = p->name,
                  .table = p->from.thing,
                  .every_column = p->gate.all,
                  .by_key = p->read.ranges > 1,
                  .words = p->steps};
  WH_TRY(wh_config_query(n->config, p, n->arena, &need.query, err));
  WH_TRY(column_names(n, p, &need, err));
  return add_need(n, &need, err);
}

// Those that are listed, or else all that match, as far as the user sees them.
static wh_status add_many(needs *n, const wh_pipeline *many, wh_error *err) {
  wh_table_name *tables = NULL;
  size_t count = many->table_count;
  if (count == 0) {
    const wh_source_type *source = n->place->type->source;
    WH_TRY(source->tables(n->place, n->arena, &tables, &count, err));
  }
  for (size_t i = 0; i < count; i++) {
    wh_pipeline member;
    const wh_table_name *t = tables ? &tables[i] : NULL;
    if (t && !wh_table_matches(many->from.thing, t->schema, t->table, t->is_home)) continue;
    wh_str name = !t              ? many->tables[i].table
                  : t->schema.len ? wh_arena_printf(n->arena, "%.*s.%.*s", WH_STR_ARG(t->schema),
                                                    WH_STR_ARG(t->table))
                                  : t->table;
    if (!name.data) return wh_fail_memory(err);
    WH_TRY(wh_pipeline_member(many, name, n->arena, &member, err));
    WH_TRY(add_table(n, &member, err));
  }
  return WH_OK;
}

static wh_status add_reading(needs *n, const wh_pipeline *p, wh_error *err) {
  if (!wh_str_eq(p->from.connection, n->connection)) return WH_OK;
  return p->many ? add_many(n, p, err) : add_table(n, p, err);
}

// What its steps look rows up in.
static wh_status add_step_tables(needs *n, const wh_pipeline *p, wh_error *err) {
  for (size_t i = 0; p->step_table_count && i < p->steps->count; i++) {
    const wh_node *step = p->steps->items[i], *from = wh_step_reads(step);
    for (size_t k = 0; from && k < p->step_table_count; k++) {
      const wh_address *table = &p->step_tables[k];
      if (table->node != from || !wh_str_eq(table->connection, n->connection)) continue;
      wh_need need = {.who = p->name, .table = table->thing, .words = step};
      WH_TRY(add_need(n, &need, err));
    }
  }
  return WH_OK;
}

// Objects that no pipeline of this project makes.
static bool are_from_elsewhere(const wh_config *config, const wh_pipeline *p) {
  if (!wh_config_find_connection(config, p->from.connection)->type->store) return false;
  for (size_t i = 0; i < config->pipeline_count; i++)
    if (wh_str_eq(config->pipelines[i].to.connection, p->from.connection)) return false;
  return true;
}

// Objects say what is gone at their source where some pipeline compares, which may be another
// project's.
static bool may_erase(const wh_config *config, const wh_pipeline *p) {
  if (p->write.mode != WH_WRITE_UPSERT || p->write.deletes == WH_DELETES_IGNORE) return false;
  for (size_t i = 0; i < config->pipeline_count; i++)
    if (config->pipelines[i].read.deletes) return true;
  return are_from_elsewhere(config, p);
}

static wh_status add_loading(needs *n, const wh_pipeline *p, wh_error *err) {
  if (!wh_str_eq(p->to.connection, n->connection)) return WH_OK;
  wh_need need = {.who = p->name,
                  .loads = true,
                  .table = p->to.thing,
                  .mode = p->write.mode,
                  .has_key = p->write.key.count > 0,
                  .side_table = p->write.side_table,
                  .erases = may_erase(n->config, p),
                  .adds_columns = p->on_new_column == WH_NEW_COLUMN_ADD};
  return add_need(n, &need, err);
}

static wh_status add_catalogue(needs *n, wh_error *err) {
  const wh_address *catalog = &n->config->catalog;
  if (!catalog->node || !wh_str_eq(catalog->connection, n->connection)) return WH_OK;
  wh_need need = {.who = WH_STR("catalog"),
                  .loads = true,
                  .table = catalog->thing,
                  .mode = WH_WRITE_UPSERT,
                  .has_key = true};
  return add_need(n, &need, err);
}

static wh_status add_lookup(needs *n, const wh_lookup *l, wh_error *err) {
  if (!wh_str_eq(l->from.connection, n->connection)) return WH_OK;
  wh_str *columns = WH_NEW_ARRAY(n->arena, 1 + l->proof_count + l->show.count, wh_str);
  if (!columns) return wh_fail_memory(err);
  size_t count = 0;
  columns[count++] = l->by;
  for (size_t i = 0; i < l->proof_count; i++)
    columns[count++] = l->proofs[i].column;
  for (size_t i = 0; i < l->show.count; i++)
    columns[count++] = l->show.items[i];
  wh_need need = {
      .who = l->name, .table = l->from.thing, .columns = columns, .column_count = count};
  return add_need(n, &need, err);
}

static wh_status collect(needs *n, wh_error *err) {
  const wh_config *config = n->config;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    WH_TRY(add_reading(n, &config->pipelines[i], err));
    size_t count;
    const wh_pipeline *branches = wh_pipeline_branches(&config->pipelines[i], &count);
    for (size_t k = 0; k < count; k++) {
      WH_TRY(add_step_tables(n, &branches[k], err));
      WH_TRY(add_loading(n, &branches[k], err));
    }
  }
  for (size_t i = 0; i < config->serve.lookup_count; i++)
    WH_TRY(add_lookup(n, &config->serve.lookups[i], err));
  return add_catalogue(n, err);
}

wh_status wh_engine_grants(wh_config *config, wh_str connection, wh_str user, wh_arena *arena,
                           wh_grant_visit visit, void *context, wh_error *err) {
  needs n = {.config = config, .connection = connection, .arena = arena};
  WH_TRY(wh_config_connect(config, connection, &n.place, err));
  const wh_connection *c = n.place;
  if (!c->type->grants) return WH_OK;
  WH_TRY(collect(&n, err));
  wh_grants_request request = {.needs = n.items, .count = n.count, .user = user};
  return c->type->grants(n.place, &request, arena, visit, context, err);
}
