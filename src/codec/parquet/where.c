#include "codec/parquet/where.h"

#include "codec/parquet/unpack.h"

static const pq_tree_node *find_column(const pq_tree *tree, wh_str name) {
  for (size_t i = 0; i < tree->count; i++)
    if (wh_str_eq(tree->columns[i].field.name, name)) return &tree->columns[i];
  return NULL;
}

static wh_status read_bound(const wh_node *node, const pq_tree_node *column, wh_arena *arena,
                            bool *ret_has, wh_value *ret, wh_error *err) {
  *ret_has = false;
  if (node->kind != WH_NODE_SCALAR) {
    return wh_node_fail(node, err, "where: a bound is a value, this is %s",
                        wh_node_kind_name(node));
  }
  if (wh_node_is_null(node)) return WH_OK;
  wh_error why;
  wh_status status = wh_value_parse(node->text, &column->field.type, arena, ret, &why);
  if (status == WH_ERR_TYPE) return wh_node_fail(node, err, "where: %s", why.text);
  if (status != WH_OK) {
    if (err) *err = why;
    return status;
  }
  *ret_has = true;
  return WH_OK;
}

static bool comparable(const pq_tree_node *column) {
  return column->shape == PQ_LEAF && column->field.type.kind != WH_NULL;
}

static wh_status read_condition(const wh_node_entry *entry, const pq_tree *tree, wh_arena *arena,
                                pq_condition *ret, wh_error *err) {
  const wh_node *range = entry->value;
  ret->column = entry->key->text;
  ret->node = find_column(tree, ret->column);
  if (!ret->node) {
    return wh_node_fail(entry->key, err, "where: the file has no column '%.*s'",
                        WH_STR_ARG(ret->column));
  }
  if (!comparable(ret->node)) {
    return wh_node_fail(entry->key, err, "where: column '%.*s' has no order to have ranges of",
                        WH_STR_ARG(ret->column));
  }
  if (range->kind != WH_NODE_LIST || range->count != 2) {
    return wh_node_fail(range, err, "where: a range is [from, to], with null for no end");
  }
  WH_TRY(read_bound(range->items[0], ret->node, arena, &ret->has_from, &ret->from, err));
  return read_bound(range->items[1], ret->node, arena, &ret->has_to, &ret->to, err);
}

wh_status pq_where_make(const wh_node *node, const pq_tree *tree, wh_arena *arena, pq_where *ret,
                        wh_error *err) {
  *ret = (pq_where){0};
  if (!node || wh_node_is_null(node)) return WH_OK;
  if (node->kind != WH_NODE_MAP) {
    return wh_node_fail(node, err, "where: expected { column: [from, to] }, found %s",
                        wh_node_kind_name(node));
  }
  ret->conditions = WH_NEW_ARRAY(arena, node->count, pq_condition);
  if (!ret->conditions) return wh_fail_memory(err);
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(read_condition(&node->entries[i], tree, arena, &ret->conditions[i], err));
  ret->count = node->count;
  return WH_OK;
}

static bool is_nan(const wh_value *value) {
  bool is_float = value->type.kind == WH_FLOAT32 || value->type.kind == WH_FLOAT64;
  return is_float && value->as.f != value->as.f;
}

static bool in_range(const pq_condition *c, const wh_value *value) {
  if (value->is_null || is_nan(value)) return false;
  return (!c->has_from || wh_value_compare(value, &c->from) >= 0) &&
         (!c->has_to || wh_value_compare(value, &c->to) <= 0);
}

// Integers of 64 bits by themselves: what ranges are mostly of.
static void keep_i64(const pq_condition *c, const wh_column *column, uint8_t *keep) {
  int64_t least = c->has_from ? c->from.as.i : INT64_MIN, most = c->has_to ? c->to.as.i : INT64_MAX;
  const int64_t *values = (const int64_t *)(const void *)column->values;
  for (size_t i = 0; i < column->length; i++)
    if (values[i] < least || values[i] > most || wh_column_is_null(column, i))
      wh_bit_clear(keep, i);
}

static void keep_any(const pq_condition *c, const wh_column *column, uint8_t *keep) {
  wh_value value;
  for (size_t i = 0; i < column->length; i++) {
    if (!wh_bit_get(keep, i)) continue;
    // Scalars always have a value.
    if (wh_value_get(column, i, &value, NULL) != WH_OK || !in_range(c, &value))
      wh_bit_clear(keep, i);
  }
}

void pq_where_rows(const pq_where *where, const wh_batch *batch, uint8_t *keep) {
  for (size_t i = 0; i < where->count; i++) {
    const pq_condition *c = &where->conditions[i];
    const wh_column *column = &batch->columns[c->index];
    wh_kind kind = column->type.kind;
    if (kind == WH_INT64 || kind == WH_TIME || kind == WH_TIMESTAMP)
      keep_i64(c, column, keep);
    else
      keep_any(c, column, keep);
  }
}
