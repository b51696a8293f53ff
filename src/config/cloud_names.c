// What a pipeline refers to: in the words of its connections, masks and query, and of the ledger.
#include "config/private.h"

typedef struct naming {
  const wh_config *config;
  wh_reference_visit visit;
  void *context;
} naming;

static wh_status name_connection(const naming *n, wh_str name, wh_error *err) {
  const wh_connection_info *info = wh_config_find_connection(n->config, name);
  return wh_references_visit(info ? info->node : NULL, n->visit, n->context, err);
}

// Wherever columns, or those of a table, say `mask: NAME`.
static wh_status name_masks(const naming *n, const wh_node *node, wh_error *err) {
  if (!node || node->kind == WH_NODE_SCALAR) return WH_OK;
  const wh_node *mask = wh_node_get(node, "mask");
  if (mask && mask->kind == WH_NODE_SCALAR) {
    const wh_mask_entry *entry = wh_mask_entry_find(n->config, mask->text);
    WH_TRY(wh_references_visit(entry ? entry->node : NULL, n->visit, n->context, err));
  }
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(name_masks(n, node->kind == WH_NODE_MAP ? node->entries[i].value : node->items[i], err));
  return WH_OK;
}

// What is told of its runs, and the catalogue of what it publishes.
static wh_status name_told(const naming *n, const wh_pipeline *p, wh_error *err) {
  const wh_config *config = n->config;
  for (size_t i = 0; i < p->notify_count; i++)
    WH_TRY(name_connection(n, p->notify[i].connection, err));
  if (!config->catalog.node || !wh_config_find_connection(config, p->to.connection)->type->store)
    return WH_OK;
  return name_connection(n, config->catalog.connection, err);
}

static wh_status name_pipeline(const naming *n, const wh_pipeline *p, wh_error *err) {
  const wh_ingest_endpoint *inbox = wh_config_inbox(n->config, p);
  WH_TRY(name_connection(n, inbox ? inbox->queue : p->from.connection, err));
  WH_TRY(name_connection(n, p->to.connection, err));
  for (size_t i = 0; p->model && i < p->model->table_count; i++)
    WH_TRY(name_connection(n, p->model->tables[i].connection, err));
  for (size_t i = 0; i < p->step_table_count; i++)
    WH_TRY(name_connection(n, p->step_tables[i].connection, err));
  if (p->when.queue.len) WH_TRY(name_connection(n, p->when.queue, err));
  WH_TRY(name_told(n, p, err));
  WH_TRY(name_masks(n, wh_node_get(p->node, "columns"), err));
  const wh_node *query = wh_node_get(wh_node_get(p->node, "read"), "query");
  return wh_references_visit(query, n->visit, n->context, err);
}

static wh_status name_endpoint(const naming *n, const wh_ingest *ingest, wh_error *err) {
  if (ingest->to.len) WH_TRY(name_connection(n, ingest->to, err));
  return wh_references_visit(ingest->auth, n->visit, n->context, err);
}

static wh_status name_served(const naming *n, wh_error *err) {
  const wh_serve *serve = &n->config->serve;
  for (size_t i = 0; i < serve->lookup_count; i++) {
    const wh_lookup *l = &serve->lookups[i];
    WH_TRY(name_connection(n, l->from.connection, err));
    for (size_t j = 0; j < l->proof_count; j++) {
      const wh_mask_entry *entry = wh_mask_entry_find(n->config, l->proofs[j].mask_name);
      WH_TRY(wh_references_visit(entry ? entry->node : NULL, n->visit, n->context, err));
    }
  }
  for (size_t i = 0; i < serve->ingest_count; i++)
    if (serve->ingests[i].to.len) WH_TRY(name_connection(n, serve->ingests[i].to, err));
  return wh_references_visit(wh_node_get(n->config->root, "serve"), n->visit, n->context, err);
}

wh_status wh_config_visit_references(const wh_config *config, const wh_pipeline *p,
                                     wh_reference_visit visit, void *context, wh_error *err) {
  naming n = {.config = config, .visit = visit, .context = context};
  const wh_node *ledger = wh_node_get(config->root, "ledger");
  WH_TRY(p ? name_pipeline(&n, p, err) : name_served(&n, err));
  return wh_references_visit(ledger, visit, context, err);
}

wh_status wh_config_visit_ingest_references(const wh_config *config, const wh_ingest *ingest,
                                            wh_reference_visit visit, void *context,
                                            wh_error *err) {
  naming n = {.config = config, .visit = visit, .context = context};
  return name_endpoint(&n, ingest, err);
}

// --- secrets in AWS ------------------------------------------------------------------------------

typedef struct cloud_visit {
  wh_cloud_secret_visit visit;
  void *context;
} cloud_visit;

static wh_status visit_cloud(void *context, wh_reference_kind kind, wh_str name, wh_error *err) {
  const cloud_visit *v = context;
  if (kind == WH_REFERENCE_SSM) return v->visit(v->context, WH_KEEPER_SSM, name, err);
  if (kind == WH_REFERENCE_SECRETS_MANAGER)
    return v->visit(v->context, WH_KEEPER_SECRETS_MANAGER, name, err);
  return WH_OK;
}

wh_status wh_config_visit_cloud_secrets(const wh_config *config, const wh_pipeline *pipeline,
                                        wh_cloud_secret_visit visit, void *context, wh_error *err) {
  cloud_visit v = {visit, context};
  return wh_config_visit_references(config, pipeline, visit_cloud, &v, err);
}

wh_status wh_config_visit_ingest_secrets(const wh_config *config, const wh_ingest *ingest,
                                         wh_cloud_secret_visit visit, void *context,
                                         wh_error *err) {
  cloud_visit v = {visit, context};
  return wh_config_visit_ingest_references(config, ingest, visit_cloud, &v, err);
}
