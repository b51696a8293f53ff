#include "codec/parquet/nest.h"

wh_status pq_nest_each(const pq_tree_node *node, wh_column *column, pq_nest_visit visit,
                       void *context, wh_error *err) {
  if (node->shape == PQ_LEAF) return visit(context, node, column, err);
  for (size_t i = 0; i < node->child_count; i++)
    WH_TRY(pq_nest_each(&node->children[i], &column->children[i], visit, context, err));
  return WH_OK;
}

static wh_status need_validity(wh_column *c, wh_error *err) {
  if (c->validity) return WH_OK;
  c->validity = wh_mem_alloc(c->mem, c->rows_cap / 8);
  if (!c->validity) return wh_fail_memory(err);
  memset(c->validity, 0xFF, c->rows_cap / 8);
  return WH_OK;
}

static inline bool begins_slot(const pq_tree_node *node, const pq_levels *l, size_t i) {
  return l->rep[i] <= node->slot_rep && l->def[i] >= node->slot_def;
}

static size_t count_slots(const pq_tree_node *node, const pq_levels *l) {
  size_t slots = 0;
  for (size_t i = 0; i < l->count; i++)
    slots += begins_slot(node, l, i);
  return slots;
}

static wh_status add_validity(const pq_tree_node *node, const pq_levels *l, wh_column *c,
                              wh_error *err) {
  size_t slot = 0;
  for (size_t i = 0; i < l->count; i++) {
    if (!begins_slot(node, l, i)) continue;
    if (l->def[i] < node->def) {
      WH_TRY(need_validity(c, err));
      wh_bit_clear(c->validity, slot);
      c->null_count++;
    }
    slot++;
  }
  return WH_OK;
}

static wh_status does_not_fit(const pq_tree_node *node, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the values inside '%.*s' do not agree on how many there are",
                 WH_STR_ARG(node->field.name));
}

static wh_status build_struct(const pq_tree_node *node, pq_leaf_reader *const *leaves, size_t slots,
                              wh_column *column, wh_error *err) {
  for (size_t i = 0; i < node->child_count; i++) {
    WH_TRY(pq_nest_build(&node->children[i], leaves, &column->children[i], err));
    if (column->children[i].length != slots) return does_not_fit(node, err);
  }
  return WH_OK;
}

static wh_status build_list(const pq_tree_node *node, pq_leaf_reader *const *leaves,
                            const pq_levels *l, wh_column *column, wh_error *err) {
  const pq_tree_node *item = node->children;
  size_t slots = 0, items = 0;
  if (l->count > WH_COLUMN_VALUES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "a list has too many items");
  for (size_t i = 0; i < l->count; i++) {
    if (begins_slot(node, l, i)) column->offsets[slots++] = (int32_t)items;
    items += begins_slot(item, l, i);
  }
  column->offsets[slots] = (int32_t)items;
  WH_TRY(pq_nest_build(item, leaves, &column->children[0], err));
  return column->children[0].length == items ? WH_OK : does_not_fit(node, err);
}

wh_status pq_nest_build(const pq_tree_node *node, pq_leaf_reader *const *leaves, wh_column *column,
                        wh_error *err) {
  if (node->shape == PQ_LEAF) return WH_OK;
  const pq_levels *l = &leaves[node->first_leaf]->levels;
  size_t slots = count_slots(node, l);
  WH_TRY(wh_column_grow(column, slots ? slots : 1, 0, err)); // offsets begin with a row
  if (node->shape == PQ_LIST)
    WH_TRY(build_list(node, leaves, l, column, err));
  else
    WH_TRY(build_struct(node, leaves, slots, column, err));
  WH_TRY(add_validity(node, l, column, err));
  column->length = slots;
  return WH_OK;
}
