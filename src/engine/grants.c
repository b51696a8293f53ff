// What pipelines and lookups need at a connection, and what has to be granted for that.
#include "engine/engine.h"

typedef struct needs {
  wh_config *config;
  wh_str connection;
  wh_arena *arena;
  wh_need *items;
  size_t count;
} needs;

static wh_status column_names(needs *n, const wh_pipeline *p, wh_need *need, wh_error *err) {
  wh_str *columns = WH_NEW_ARRAY(n->arena, p->gate.count + 1, wh_str);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < p->gate.count; i++)
    columns[need->column_count++] = p->gate.columns[i].from;
  if (p->read.cursor.len) columns[need->column_count++] = p->read.cursor;
  need->columns = columns;
  return WH_OK;
}

static wh_status add_reading(needs *n, const wh_pipeline *p, wh_error *err) {
  if (!wh_str_eq(p->from.connection, n->connection)) return WH_OK;
  wh_need need = {
      .who = p->name, .table = p->from.thing, .every_column = p->gate.all, .words = p->steps};
  WH_TRY(wh_config_query(n->config, p, n->arena, &need.query, err));
  WH_TRY(column_names(n, p, &need, err));
  n->items[n->count++] = need;
  return WH_OK;
}

static void add_loading(needs *n, const wh_pipeline *p) {
  if (!wh_str_eq(p->to.connection, n->connection)) return;
  n->items[n->count++] = (wh_need){.who = p->name,
                                   .loads = true,
                                   .table = p->to.thing,
                                   .mode = p->write.mode,
                                   .has_key = p->write.key.count > 0,
                                   .side_table = p->write.side_table};
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
  n->items[n->count++] =
      (wh_need){.who = l->name, .table = l->from.thing, .columns = columns, .column_count = count};
  return WH_OK;
}

static wh_status collect(needs *n, wh_error *err) {
  const wh_config *config = n->config;
  n->items =
      WH_NEW_ARRAY(n->arena, 2 * config->pipeline_count + config->serve.lookup_count + 1, wh_need);
  if (!n->items) return wh_fail_memory(err);
  for (size_t i = 0; i < config->pipeline_count; i++) {
    WH_TRY(add_reading(n, &config->pipelines[i], err));
    add_loading(n, &config->pipelines[i]);
  }
  for (size_t i = 0; i < config->serve.lookup_count; i++)
    WH_TRY(add_lookup(n, &config->serve.lookups[i], err));
  return WH_OK;
}

wh_status wh_engine_grants(wh_config *config, wh_str connection, wh_str user, wh_arena *arena,
                           wh_grant_visit visit, void *context, wh_error *err) {
  wh_connection *c;
  needs n = {.config = config, .connection = connection, .arena = arena};
  WH_TRY(wh_config_connect(config, connection, &c, err));
  if (!c->type->grants) return WH_OK;
  WH_TRY(collect(&n, err));
  wh_grants_request request = {.needs = n.items, .count = n.count, .user = user};
  return c->type->grants(c, &request, arena, visit, context, err);
}
