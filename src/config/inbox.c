// Queues that bring rows: connections that say what their messages hold. And feeds.
#include "config/serve.h"

bool wh_connector_is_inbox(const wh_connector *type) {
  return type->feed || (type->queue && type->queue->open_messages);
}

static const wh_node *columns_of(const wh_connection_info *info) {
  bool brings = info->type && wh_connector_is_inbox(info->type);
  return brings && info->node->kind == WH_NODE_MAP ? wh_node_get(info->node, "columns") : NULL;
}

size_t wh_count_inboxes(const wh_loader *l) {
  size_t count = 0;
  for (size_t i = 0; i < l->own->connection_count; i++)
    count += columns_of(&l->own->connections[i].info) != NULL;
  return count;
}

// The rows of a feed have columns of its own between those of the log and those that are declared.
static void load_feed(wh_loader *l, const wh_connection_entry *entry, const wh_feed_type *feed,
                      wh_ingest_endpoint *ret) {
  wh_schema declared = wh_ingest_declared(ret), rows;
  for (size_t i = 0; i < declared.count; i++) {
    if (declared.fields[i].nullable) continue;
    wh_problems_error(&l->problems, entry->info.node,
                      "%s: columns: %.*s: required has no meaning here: of what is gone there is "
                      "the key alone. Say expect: { %.*s: [not_null] } in the pipeline",
                      entry->owner, WH_SHOWN(declared.fields[i].name),
                      WH_SHOWN(declared.fields[i].name));
  }
  if (feed->schema(&declared, l->arena, &rows, NULL) != WH_OK ||
      wh_ingest_schema(rows.fields, rows.count, l->arena, &ret->schema, NULL) != WH_OK) {
    l->problems.out_of_memory = true;
    return;
  }
  for (size_t i = 0; i < declared.count; i++) {
    wh_str name = declared.fields[i].name;
    ptrdiff_t at = wh_schema_find(&rows, name);
    if (at >= 0 && (size_t)at < rows.count - declared.count)
      wh_problems_error(&l->problems, entry->info.node, "%s: columns: %.*s is the feed's own",
                        entry->owner, WH_SHOWN(name));
  }
}

static void load_inbox(wh_loader *l, const wh_connection_entry *entry, wh_ingest_endpoint *ret) {
  wh_str name = entry->info.name;
  wh_str log = wh_arena_printf(l->arena, "%.*s/queues/%.*s.db", WH_STR_ARG(l->config->state_folder),
                               WH_STR_ARG(name));
  if (!log.data) l->problems.out_of_memory = true;
  *ret = (wh_ingest_endpoint){.name = name, .queue = name, .log = log.data};
  wh_load_event_columns(l, entry->owner, columns_of(&entry->info), &ret->schema);
  if (entry->info.type->feed && ret->schema.count) load_feed(l, entry, entry->info.type->feed, ret);
  const wh_serve *serve = &l->config->serve;
  for (size_t i = 0; i < serve->ingest_count; i++) {
    if (!wh_str_eq(serve->ingests[i].endpoint->name, name)) continue;
    wh_problems_error(&l->problems, entry->name_node,
                      "%s: serve.ingest has an endpoint of this name. Give one another",
                      entry->owner);
  }
}

void wh_load_inboxes(wh_loader *l, wh_ingest_endpoint *ret) {
  wh_config *config = l->config;
  config->inboxes = ret;
  for (size_t i = 0; i < l->own->connection_count; i++)
    if (columns_of(&l->own->connections[i].info))
      load_inbox(l, &l->own->connections[i], &ret[config->inbox_count++]);
}

const wh_ingest_endpoint *wh_config_inbox(const wh_config *config, const wh_pipeline *p) {
  if (!wh_str_is(p->from.connection, WH_INGEST_CONNECTION)) return NULL;
  for (size_t i = 0; i < config->inbox_count; i++)
    if (wh_str_eq(config->inboxes[i].name, p->from.thing)) return &config->inboxes[i];
  return NULL;
}
