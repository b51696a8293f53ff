#include "codec/parquet/shred.h"

#include "codec/parquet/convert.h"

void pq_shredder_init(pq_shredder *s, wh_mem *mem) {
  pq_store empty = {.mem = mem};
  *s = (pq_shredder){empty, empty, empty, empty, empty, empty, empty, empty, empty};
}

void pq_shredder_free(pq_shredder *s) {
  pq_store *stores[] = {&s->positions,   &s->positions_next,   &s->definitions,
                        &s->repetitions, &s->definitions_next, &s->repetitions_next,
                        &s->fixed,       &s->offsets,          &s->bytes};
  for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
    pq_store_free(stores[i]);
}

static wh_status null_refused(const pq_leaf *leaf, const pq_node *node, wh_error *err) {
  wh_str column = leaf->nodes[0].field->name;
  if (node == leaf->nodes) {
    return wh_fail(err, WH_ERR_TYPE, "column '%.*s' has a NULL, but its type has none",
                   WH_STR_ARG(column));
  }
  return wh_fail(err, WH_ERR_TYPE, "column '%.*s' has a NULL inside, where its type has none",
                 WH_STR_ARG(column));
}

// Positions of the rows that have a value, relative to the column.
static wh_status pick_valid(pq_store *store, const uint8_t *validity, size_t from, size_t count,
                            size_t *ret, wh_error *err) {
  store->len = 0;
  WH_TRY(pq_store_reserve(store, (count + 1) * sizeof(uint32_t), err));
  uint32_t *out = (uint32_t *)(void *)store->data;
  size_t n = 0;
  for (size_t i = from; i < from + count; i++) {
    out[n] = (uint32_t)i;
    n += wh_bit_get(validity, i);
  }
  *ret = n;
  return WH_OK;
}

static wh_status shred_flat(pq_shredder *s, const pq_leaf *leaf, const wh_column *column,
                            size_t from, size_t count, pq_slice *ret, wh_error *err) {
  static const uint8_t no_bits[WH_BATCH_ROWS_MAX / 8];
  pq_picked picked = {.from = from, .count = count};
  if (column->type.kind == WH_NULL) {
    ret->validity = no_bits;
    ret->validity_from = 0;
    picked.count = 0;
  } else if (column->null_count) {
    if (leaf->max_definition == 0) return null_refused(leaf, leaf->nodes, err);
    WH_TRY(pick_valid(&s->positions, column->validity, from, count, &picked.count, err));
    picked.positions = (const uint32_t *)(const void *)s->positions.data;
    ret->validity = column->validity;
    ret->validity_from = from;
  } else {
    ret->codes = column->codes;
    ret->codes_from = from;
  }
  return pq_convert(leaf, column, picked, &s->fixed, &s->offsets, &s->bytes, &ret->values, err);
}

// --- Nested --------------------------------------------------------------------------------------

// While walking down: slots, each with its levels; and for those that still have something below
// (`alive`, in order), the row of the column reached that they stand for.
typedef struct walk {
  size_t slots, alive;
  uint16_t *definitions, *repetitions;
  uint32_t *positions;
  uint16_t reached; // the definition level of those alive
} walk;

static wh_status walk_room(pq_store *store, size_t count, size_t width, wh_error *err) {
  store->len = 0;
  return pq_store_reserve(store, (count + 1) * width, err);
}

static void swap_stores(pq_store *a, pq_store *b) {
  pq_store c = *a;
  *a = *b;
  *b = c;
}

static void walk_point(pq_shredder *s, walk *w) {
  w->definitions = (uint16_t *)(void *)s->definitions.data;
  w->repetitions = (uint16_t *)(void *)s->repetitions.data;
  w->positions = (uint32_t *)(void *)s->positions.data;
}

static wh_status walk_start(pq_shredder *s, size_t from, size_t count, walk *w, wh_error *err) {
  WH_TRY(walk_room(&s->definitions, count, sizeof(uint16_t), err));
  WH_TRY(walk_room(&s->repetitions, count, sizeof(uint16_t), err));
  WH_TRY(walk_room(&s->positions, count, sizeof(uint32_t), err));
  *w = (walk){.slots = count, .alive = count};
  walk_point(s, w);
  memset(w->definitions, 0, count * sizeof *w->definitions);
  memset(w->repetitions, 0, count * sizeof *w->repetitions);
  for (size_t i = 0; i < count; i++)
    w->positions[i] = (uint32_t)(from + i);
  return WH_OK;
}

// Those whose row is NULL stay behind.
static wh_status walk_nulls(walk *w, const pq_leaf *leaf, const pq_node *node,
                            const wh_column *column, wh_error *err) {
  bool optional = node->field->nullable || node->field->type.kind == WH_NULL;
  uint16_t above = w->reached;
  w->reached = node->defined;
  size_t kept = 0, next = 0;
  for (size_t i = 0; i < w->slots; i++) {
    if (w->definitions[i] != above) continue; // it stayed behind before
    uint32_t at = w->positions[next++];
    if (wh_column_is_null(column, at)) {
      if (!optional) return null_refused(leaf, node, err);
      continue;
    }
    w->definitions[i] = node->defined;
    w->positions[kept++] = at;
  }
  w->alive = kept;
  return WH_OK;
}

// Each slot alive becomes one for each item; one whose list is empty stays behind.
static wh_status walk_list(pq_shredder *s, walk *w, const wh_column *column, uint16_t repeated,
                           wh_error *err) {
  size_t items = 0;
  for (size_t i = 0; i < w->alive; i++)
    items += (size_t)(column->offsets[w->positions[i] + 1] - column->offsets[w->positions[i]]);
  size_t most = w->slots + items;
  WH_TRY(walk_room(&s->definitions_next, most, sizeof(uint16_t), err));
  WH_TRY(walk_room(&s->repetitions_next, most, sizeof(uint16_t), err));
  WH_TRY(walk_room(&s->positions_next, items, sizeof(uint32_t), err));
  uint16_t *definitions = (uint16_t *)(void *)s->definitions_next.data;
  uint16_t *repetitions = (uint16_t *)(void *)s->repetitions_next.data;
  uint32_t *positions = (uint32_t *)(void *)s->positions_next.data;
  size_t slots = 0, alive = 0, next = 0;
  for (size_t i = 0; i < w->slots; i++) {
    definitions[slots] = w->definitions[i];
    repetitions[slots] = w->repetitions[i];
    if (w->definitions[i] != w->reached) {
      slots++;
      continue;
    }
    uint32_t row = w->positions[next++];
    int32_t first = column->offsets[row], end = column->offsets[row + 1];
    if (first == end) slots++;
    for (int32_t k = first; k < end; k++, slots++) {
      definitions[slots] = (uint16_t)(w->reached + 1);
      repetitions[slots] = k == first ? w->repetitions[i] : repeated;
      positions[alive++] = (uint32_t)k;
    }
  }
  swap_stores(&s->definitions, &s->definitions_next);
  swap_stores(&s->repetitions, &s->repetitions_next);
  swap_stores(&s->positions, &s->positions_next);
  w->slots = slots;
  w->alive = alive;
  w->reached++;
  walk_point(s, w);
  return WH_OK;
}

static wh_status shred_nested(pq_shredder *s, const pq_leaf *leaf, const wh_column *column,
                              size_t from, size_t count, pq_slice *ret, wh_error *err) {
  walk w;
  uint16_t repeated = 0;
  WH_TRY(walk_start(s, from, count, &w, err));
  for (size_t depth = 0; depth < leaf->node_count; depth++) {
    const pq_node *node = &leaf->nodes[depth];
    if (depth && column->child_count == 0) break; // no row has anything in it
    if (depth) column = &column->children[node->child];
    WH_TRY(walk_nulls(&w, leaf, node, column, err));
    if (node->field->type.kind == WH_LIST) WH_TRY(walk_list(s, &w, column, ++repeated, err));
  }
  ret->levels = w.slots;
  ret->definitions = leaf->max_definition ? w.definitions : NULL;
  ret->repetitions = leaf->max_repetition ? w.repetitions : NULL;
  pq_picked picked = {.positions = w.positions, .count = w.alive};
  return pq_convert(leaf, column, picked, &s->fixed, &s->offsets, &s->bytes, &ret->values, err);
}

wh_status pq_shred(pq_shredder *s, const pq_leaf *leaf, const wh_batch *batch, size_t from,
                   size_t count, pq_slice *ret, wh_error *err) {
  *ret = (pq_slice){.rows = count, .levels = count};
  const wh_column *column = &batch->columns[leaf->column];
  return pq_leaf_is_flat(leaf) ? shred_flat(s, leaf, column, from, count, ret, err)
                               : shred_nested(s, leaf, column, from, count, ret, err);
}
