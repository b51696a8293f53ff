// Tables of DynamoDB: those that pipelines load, with their marks, the catalogue and the ledger.
// What a key is made of has to be known: the type of its columns stands under `columns`.
#include "deploy/private.h"

#include "engine/catalogue.h"

enum { KEYS_MAX = 2 }; // a partition key, and a sort key

typedef struct attribute {
  wh_str name;
  char kind; // 'S', 'N', 'B'
} attribute;

// Who reads what changes in the table; NULL: nobody.
static const wh_deploy_place *stream_of(const wh_deploy *d, wh_str table) {
  for (size_t i = 0; i < d->place_count; i++) {
    const wh_deploy_place *place = &d->places[i];
    if (place->cloud.kind == WH_CLOUD_STREAM && wh_str_eq(place->cloud.name, table)) return place;
  }
  return NULL;
}

static wh_status add_table(wh_deploy *d, const wh_cloud_place *c, wh_str name,
                           const attribute *keys, size_t count, wh_str ttl, wh_error *err) {
  if (wh_stack_find(d->stack, "AWS::DynamoDB::Table", "TableName", name)) return WH_OK;
  json_t *attributes = json_array(), *schema = json_array();
  bool ok = attributes && schema;
  for (size_t i = 0; ok && i < count; i++) {
    wh_str key = keys[i].name;
    ok = json_array_append_new(attributes, json_pack("{s:s%,s:s#}", "AttributeName", key.data,
                                                     key.len, "AttributeType", &keys[i].kind, 1)) ==
             0 &&
         json_array_append_new(schema, json_pack("{s:s%,s:s}", "AttributeName", key.data, key.len,
                                                 "KeyType", i ? "RANGE" : "HASH")) == 0;
  }
  json_t *table = json_pack("{s:s%,s:o,s:o,s:s,s:{s:b},s:{s:b}}", "TableName", name.data, name.len,
                            "AttributeDefinitions", attributes, "KeySchema", schema, "BillingMode",
                            c->read_capacity ? "PROVISIONED" : "PAY_PER_REQUEST",
                            "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled", true,
                            "SSESpecification", "SSEEnabled", true);
  if (table && c->read_capacity)
    json_object_set_new(table, "ProvisionedThroughput",
                        json_pack("{s:I,s:I}", "ReadCapacityUnits", (json_int_t)c->read_capacity,
                                  "WriteCapacityUnits", (json_int_t)c->write_capacity));
  if (table && ttl.len)
    json_object_set_new(
        table, "TimeToLiveSpecification",
        json_pack("{s:s%,s:b}", "AttributeName", ttl.data, ttl.len, "Enabled", true));
  if (table && stream_of(d, name))
    json_object_set_new(table, "StreamSpecification",
                        json_pack("{s:s}", "StreamViewType", "NEW_AND_OLD_IMAGES"));
  wh_stack_resource *made;
  WH_TRY(wh_stack_add(d->stack, "AWS::DynamoDB::Table", name, "Table", table, &made, err));
  made->keeps = true;
  return WH_OK;
}

static wh_status add_marks(wh_deploy *d, const wh_cloud_place *c, wh_error *err) {
  static const attribute keys[] = {{WH_STR_INIT("pipeline"), 'S'}, {WH_STR_INIT("id"), 'S'}};
  return add_table(d, c, c->marks, keys, KEYS_MAX, (wh_str){0}, err);
}

// --- what pipelines load -------------------------------------------------------------------------

static const wh_gate_column *column_of(const wh_pipeline *p, wh_str name) {
  for (size_t i = 0; i < p->gate.count; i++)
    if (wh_str_eq(p->gate.columns[i].name, name)) return &p->gate.columns[i];
  return NULL;
}

// What is masked is text. 0: nobody knows before the first row has come.
static char key_kind(const wh_cloud_place *c, const wh_pipeline *p, wh_str key) {
  const wh_gate_column *column = column_of(p, key);
  const wh_node *long_form = column ? column->node : NULL;
  if (wh_node_get(long_form, "mask")) return 'S';
  return column && column->has_type ? c->key_kind(&column->type) : 0;
}

static wh_status add_target(wh_deploy *d, const wh_cloud_place *c, const wh_pipeline *p,
                            wh_error *err) {
  attribute keys[KEYS_MAX];
  size_t count = p->write.key.count;
  if (count == 0 || count > KEYS_MAX)
    return wh_stack_before(d->stack, err,
                           "The table %.*s is there: pipeline %.*s does not say what its key is.",
                           WH_STR_ARG(p->to.thing), WH_STR_ARG(p->name));
  for (size_t i = 0; i < count; i++) {
    keys[i] = (attribute){p->write.key.items[i], key_kind(c, p, p->write.key.items[i])};
    if (keys[i].kind) continue;
    return wh_stack_note(d->stack, err,
                         "the table %.*s is made by the first run: the type of its key is not "
                         "known before. To have it in the stack say, under columns of %.*s, what "
                         "%.*s is: { from: ..., type: text }",
                         WH_STR_ARG(p->to.thing), WH_STR_ARG(p->name), WH_STR_ARG(keys[i].name));
  }
  bool expires = c->ttl.len && column_of(p, c->ttl);
  return add_table(d, c, p->to.thing, keys, count, expires ? c->ttl : (wh_str){0}, err);
}

static wh_status add_loaded(wh_deploy *d, const wh_pipeline *p, wh_error *err) {
  const wh_deploy_place *place = wh_deploy_place_of(d, p->to.connection);
  if (!place || !place->is_ours || place->cloud.kind != WH_CLOUD_TABLES) return WH_OK;
  WH_TRY(add_target(d, &place->cloud, p, err));
  return add_marks(d, &place->cloud, err);
}

static wh_status add_catalog(wh_deploy *d, wh_error *err) {
  const wh_address *catalog = &d->config->catalog;
  const wh_deploy_place *place = catalog->node ? wh_deploy_place_of(d, catalog->connection) : NULL;
  if (!place || !place->is_ours || place->cloud.kind != WH_CLOUD_TABLES) return WH_OK;
  const attribute key = {wh_catalogue_key.name, place->cloud.key_kind(&wh_catalogue_key.type)};
  WH_TRY(add_table(d, &place->cloud, catalog->thing, &key, 1, (wh_str){0}, err));
  return add_marks(d, &place->cloud, err);
}

static wh_status add_ledger(wh_deploy *d, wh_error *err) {
  static const attribute keys[] = {{WH_STR_INIT("ledger"), 'S'}, {WH_STR_INIT("part"), 'N'}};
  for (size_t i = 0; i < d->place_count; i++) {
    const wh_deploy_place *place = &d->places[i];
    if (place->connection || !place->is_ours) continue;
    WH_TRY(add_table(d, &place->cloud, place->cloud.name, keys, KEYS_MAX, (wh_str){0}, err));
  }
  return WH_OK;
}

// What is read and never loaded is somebody else's.
static wh_status name_read(wh_deploy *d, const wh_address *table, wh_error *err) {
  const wh_deploy_place *place = wh_deploy_place_of(d, table->connection);
  bool is_table = place && place->is_ours && place->cloud.kind == WH_CLOUD_TABLES;
  bool is_one = table->thing.len && wh_str_find(table->thing, 0, '*') == table->thing.len;
  if (!is_table || !is_one) return WH_OK;
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_address *to = &d->config->pipelines[i].to;
    if (wh_str_eq(to->connection, table->connection) && wh_str_eq(to->thing, table->thing))
      return WH_OK;
  }
  return wh_stack_before(d->stack, err, "The table %.*s is there: it is only read.",
                         WH_STR_ARG(table->thing));
}

static wh_status name_all_read(wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_pipeline *p = &d->config->pipelines[i];
    WH_TRY(name_read(d, &p->from, err));
    for (size_t j = 0; j < p->step_table_count; j++)
      WH_TRY(name_read(d, &p->step_tables[j], err));
  }
  for (size_t i = 0; i < d->config->serve.lookup_count; i++)
    WH_TRY(name_read(d, &d->config->serve.lookups[i].from, err));
  return WH_OK;
}

// A stream of a table that is not in the stack.
static wh_status name_streams(wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->place_count; i++) {
    const wh_deploy_place *place = &d->places[i];
    wh_str table = place->cloud.name;
    if (!place->is_ours || place->cloud.kind != WH_CLOUD_STREAM ||
        wh_stack_find(d->stack, "AWS::DynamoDB::Table", "TableName", table))
      continue;
    WH_TRY(wh_stack_before(d->stack, err,
                           "The table %.*s is there, with a stream whose view is NEW_IMAGE or "
                           "NEW_AND_OLD_IMAGES.",
                           WH_STR_ARG(table)));
  }
  return WH_OK;
}

wh_status wh_deploy_add_tables(wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->config->pipeline_count; i++)
    WH_TRY(add_loaded(d, &d->config->pipelines[i], err));
  WH_TRY(add_catalog(d, err));
  WH_TRY(add_ledger(d, err));
  WH_TRY(name_streams(d, err));
  return name_all_read(d, err);
}
