#include "codec/parquet/restore.h"

#include "codec/parquet/layout.h"

#include <jansson.h>

// The parent's type has its children's fields as they were.
static void renew_fields(pq_tree_node *node) {
  wh_field *fields = (wh_field *)(uintptr_t)node->field.type.fields; // made with the tree
  for (size_t i = 0; i < node->child_count; i++)
    fields[i].type = node->children[i].field.type;
}

static void restore(pq_tree_node *node, const wh_type *type) {
  wh_type *own = &node->field.type;
  if (type->kind != own->kind) return;
  if (node->shape != PQ_LEAF) {
    if (type->field_count != node->child_count) return;
    for (size_t i = 0; i < node->child_count; i++)
      restore(&node->children[i], &type->fields[i].type);
    renew_fields(node);
    return;
  }
  bool has_unit = own->kind == WH_TIME || own->kind == WH_TIMESTAMP;
  if (!has_unit || type->unit != WH_UNIT_S || own->unit != WH_UNIT_MS) return;
  own->unit = WH_UNIT_S;
  node->convert = PQ_UNIT_SECONDS;
}

static wh_status restore_column(pq_tree *tree, const json_t *column, wh_arena *arena,
                                wh_error *err) {
  const char *name = json_string_value(json_object_get(column, "name"));
  const char *text = json_string_value(json_object_get(column, "type"));
  wh_type type;
  if (!name || !text) return WH_OK;
  wh_status status = wh_type_parse(wh_str_of(text), arena, &type, err);
  if (status != WH_OK) return status == WH_ERR_TYPE ? WH_OK : status;
  for (size_t i = 0; i < tree->count; i++) {
    if (wh_str_is(tree->columns[i].field.name, name)) restore(&tree->columns[i], &type);
  }
  return WH_OK;
}

static wh_str own_schema(const pq_structs *key_values) {
  const pq_key_value *items = key_values->items;
  for (size_t i = 0; i < key_values->count; i++)
    if (wh_str_is(items[i].key, PQ_SCHEMA_KEY) && PQ_HAS(&items[i], 2)) return items[i].value;
  return (wh_str){0};
}

wh_status pq_restore_types(const pq_structs *key_values, pq_tree *tree, wh_arena *arena,
                           wh_error *err) {
  wh_str text = own_schema(key_values);
  if (!text.len || text.len > PQ_SCHEMA_JSON_BYTES_MAX) return WH_OK;
  json_t *root = json_loadb(text.data, text.len, 0, NULL);
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < json_array_size(root); i++)
    status = restore_column(tree, json_array_get(root, i), arena, err);
  json_decref(root);
  return status;
}
