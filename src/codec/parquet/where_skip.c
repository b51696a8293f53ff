// What the statistics and filters of a file say about ranges of rows, without reading them.
#include "codec/parquet/bloom_read.h"
#include "codec/parquet/values.h"
#include "codec/parquet/where.h"

// The value that statistics hold, in their plain form; *ret_is is false where it cannot be one.
// The column is scratch of the node's type.
static wh_status plain_value(const pq_tree_node *node, wh_str bytes, wh_column *column,
                             wh_arena *arena, bool *ret_is, wh_value *ret, wh_error *err) {
  *ret_is = false;
  pq_misfits misfits = {.arena = arena};
  size_t width = node->value_bytes;
  if (width ? bytes.len != width : node->convert == PQ_BIT && bytes.len != 1) return WH_OK;
  uint8_t *copy = wh_arena_alloc(arena, bytes.len + PQ_SLACK);
  if (!copy) return wh_fail_memory(err);
  if (bytes.len) memcpy(copy, bytes.data, bytes.len);
  wh_column_reset(column);
  if (node->convert == PQ_TEXT || node->convert == PQ_BYTES) {
    // A bound that was cut may end inside a character: its order is that of bytes all the same.
    *ret = (wh_value){.type = node->field.type, .as.s = wh_str_n((char *)copy, bytes.len)};
    *ret_is = true;
    return WH_OK;
  }
  if (node->convert == PQ_BIT) {
    *ret = (wh_value){.type = node->field.type, .as.b = copy[0] != 0};
    *ret_is = true;
    return WH_OK;
  }
  WH_TRY(pq_values_room(column, 1, 0, err));
  if (node->element->type == PQ_BYTE_ARRAY) {
    wh_column texts = {.length = 0, .offsets = (int32_t[]){0, (int32_t)bytes.len}, .bytes = copy};
    WH_TRY(pq_convert_texts(node, &texts, 1, column, &misfits, err));
  } else if (node->convert == PQ_AS_IS) {
    memcpy(column->values, copy, width);
  } else {
    WH_TRY(pq_convert_fixed(node, copy, 1, column, &misfits, err));
  }
  if (misfits.first) return WH_OK;
  column->length = 1;
  WH_TRY(wh_value_get(column, 0, ret, err));
  WH_TRY(wh_value_copy(ret, arena, ret, err));
  *ret_is =
      !((ret->type.kind == WH_FLOAT32 || ret->type.kind == WH_FLOAT64) && ret->as.f != ret->as.f);
  return WH_OK;
}

typedef struct judging {
  const pq_file *file;
  wh_arena arena;
  wh_error *err;
} judging;

// Whether the order that min and max were found by is that of values here. INT96 has none.
static bool has_order(const pq_file *file, const pq_tree_node *node) {
  if (node->convert == PQ_INT96_TIME || node->convert == PQ_NOTHING) return false;
  if (PQ_HAS(node->element, PQ_ELEMENT_CONVERTED) &&
      node->element->converted == PQ_CONVERTED_INTERVAL) {
    return false;
  }
  const pq_column_order *orders = file->meta.column_orders.items;
  if (node->first_leaf >= file->meta.column_orders.count) return false;
  return PQ_HAS(&orders[node->first_leaf], PQ_ORDER_TYPE) ||
         PQ_HAS(&orders[node->first_leaf], PQ_ORDER_IEEE754);
}

// Those that older writers compared as signed numbers or bytes.
static bool old_order_is_right(const pq_tree_node *node) {
  int32_t type = node->element->type;
  bool number = type == PQ_INT32 || type == PQ_INT64 || type == PQ_FLOAT || type == PQ_DOUBLE;
  wh_kind kind = node->field.type.kind;
  bool no_sign = kind == WH_UINT8 || kind == WH_UINT16 || kind == WH_UINT32 || kind == WH_UINT64;
  return number && !no_sign;
}

// Whether values between two bounds (absent where `has` is false) may lie in the range. Floats:
// a bound of zero may stand for either zero, which compare equal.
static wh_status may_overlap(judging *j, const pq_condition *c, bool has_min, wh_str min,
                             bool has_max, wh_str max, bool *ret_may) {
  wh_column column;
  wh_value value;
  bool is = false;
  wh_status status = WH_OK;
  *ret_may = true;
  wh_column_init(&column, j->arena.mem, &c->node->field.type);
  if (has_min && c->has_to)
    status = plain_value(c->node, min, &column, &j->arena, &is, &value, j->err);
  if (status == WH_OK && is && wh_value_compare(&value, &c->to) > 0) *ret_may = false;
  is = false;
  if (status == WH_OK && has_max && c->has_from)
    status = plain_value(c->node, max, &column, &j->arena, &is, &value, j->err);
  if (status == WH_OK && is && wh_value_compare(&value, &c->from) < 0) *ret_may = false;
  wh_column_free(&column);
  return status;
}

static wh_status chunk_may(judging *j, const pq_condition *c, const pq_column_chunk *chunk,
                           bool *ret_may) {
  const pq_statistics *s = &chunk->meta.statistics;
  *ret_may = true;
  if (!PQ_HAS(chunk, PQ_CHUNK_META)) return WH_OK;
  if (PQ_HAS(&chunk->meta, PQ_META_STATISTICS)) {
    if (PQ_HAS(s, PQ_STAT_NULLS) && s->nulls == chunk->meta.values) {
      *ret_may = false;
      return WH_OK;
    }
    if (has_order(j->file, c->node)) {
      WH_TRY(may_overlap(j, c, PQ_HAS(s, PQ_STAT_MIN), s->min, PQ_HAS(s, PQ_STAT_MAX), s->max,
                         ret_may));
    }
    if (*ret_may && old_order_is_right(c->node)) {
      WH_TRY(may_overlap(j, c, PQ_HAS(s, PQ_STAT_MIN_OLD), s->min_old, PQ_HAS(s, PQ_STAT_MAX_OLD),
                         s->max_old, ret_may));
    }
  }
  if (!*ret_may || !c->has_from || !c->has_to || wh_value_compare(&c->from, &c->to) != 0)
    return WH_OK;
  return pq_bloom_may(j->file, chunk, c->node, &c->from, &j->arena, ret_may, j->err);
}

static wh_status group_may(judging *j, const pq_where *where, size_t group, bool *ret_may) {
  pq_chunk_walk walk = {0};
  *ret_may = true;
  for (uint32_t leaf = 0; *ret_may && leaf < j->file->tree.leaf_count; leaf++) {
    pq_column_chunk chunk;
    WH_TRY(pq_chunk_next(j->file, group, &walk, &j->arena, &chunk, j->err));
    for (size_t i = 0; *ret_may && i < where->count; i++) {
      const pq_condition *c = &where->conditions[i];
      if (c->node->first_leaf == leaf) WH_TRY(chunk_may(j, c, &chunk, ret_may));
    }
  }
  return WH_OK;
}

wh_status pq_where_group(const pq_where *where, const pq_file *file, size_t group, bool *ret_may,
                         wh_error *err) {
  judging j = {.file = file, .err = err};
  wh_arena_init(&j.arena, file->mem);
  wh_status status = group_may(&j, where, group, ret_may);
  wh_arena_free(&j.arena);
  return status;
}

static wh_status add_range(pq_row_ranges *ranges, uint64_t from, uint64_t to, wh_arena *arena,
                           wh_error *err) {
  if (from >= to) return WH_OK;
  if (ranges->count && ranges->items[ranges->count - 1].to == from) {
    ranges->items[ranges->count - 1].to = to;
    return WH_OK;
  }
  if (ranges->count == ranges->cap) {
    size_t cap = ranges->cap ? ranges->cap * 2 : 8;
    pq_row_range *items = WH_NEW_ARRAY(arena, cap, pq_row_range);
    if (!items) return wh_fail_memory(err);
    if (ranges->count) memcpy(items, ranges->items, ranges->count * sizeof *items);
    ranges->items = items;
    ranges->cap = cap;
  }
  ranges->items[ranges->count++] = (pq_row_range){from, to};
  return WH_OK;
}

// The rows of `in` that are in pages which may have some in the condition's range.
static wh_status cut_by_pages(judging *j, const pq_condition *c, size_t group,
                              const pq_column_chunk *chunk, const pq_row_ranges *in,
                              wh_arena *arena, pq_row_ranges *out) {
  pq_offset_index offsets;
  pq_column_index index;
  bool found = false;
  *out = *in;
  if (!has_order(j->file, c->node)) return WH_OK;
  WH_TRY(pq_offset_index_load(j->file, group, chunk, &j->arena, &offsets, j->err));
  if (offsets.pages.count == 0) return WH_OK;
  WH_TRY(
      pq_column_index_load(j->file, chunk, offsets.pages.count, &j->arena, &found, &index, j->err));
  if (!found) return WH_OK;
  *out = (pq_row_ranges){0};
  const pq_page_location *pages = offsets.pages.items;
  size_t at = 0;
  for (size_t p = 0; p < offsets.pages.count && at < in->count; p++) {
    uint64_t from = (uint64_t)pages[p].first_row;
    uint64_t to = p + 1 < offsets.pages.count ? (uint64_t)pages[p + 1].first_row
                                              : j->file->groups[group].rows;
    bool may = !index.null_pages.items[p];
    if (may) WH_TRY(may_overlap(j, c, true, index.mins.items[p], true, index.maxs.items[p], &may));
    for (; may && at < in->count && in->items[at].from < to; at++) {
      uint64_t low = in->items[at].from > from ? in->items[at].from : from;
      uint64_t high = in->items[at].to < to ? in->items[at].to : to;
      WH_TRY(add_range(out, low, high, arena, j->err));
      if (in->items[at].to > to) break;
    }
    while (at < in->count && in->items[at].to <= to)
      at++;
  }
  return WH_OK;
}

static wh_status cut_all(judging *j, const pq_where *where, size_t group, wh_arena *arena,
                         pq_row_ranges *ranges) {
  pq_chunk_walk walk = {0};
  for (uint32_t leaf = 0; ranges->count && leaf < j->file->tree.leaf_count; leaf++) {
    pq_column_chunk chunk;
    WH_TRY(pq_chunk_next(j->file, group, &walk, &j->arena, &chunk, j->err));
    for (size_t i = 0; i < where->count; i++) {
      pq_row_ranges left;
      if (where->conditions[i].node->first_leaf != leaf) continue;
      WH_TRY(cut_by_pages(j, &where->conditions[i], group, &chunk, ranges, arena, &left));
      *ranges = left;
    }
  }
  return WH_OK;
}

wh_status pq_where_pages(const pq_where *where, const pq_file *file, size_t group, uint64_t from,
                         uint64_t to, wh_arena *arena, pq_row_ranges *ret, wh_error *err) {
  pq_row_ranges ranges = {0};
  WH_TRY(add_range(&ranges, from, to, arena, err));
  wh_status status = WH_OK;
  if (where->count) {
    judging j = {.file = file, .err = err};
    wh_arena_init(&j.arena, file->mem);
    status = cut_all(&j, where, group, arena, &ranges);
    wh_arena_free(&j.arena);
  }
  if (status == WH_OK) *ret = ranges;
  return status;
}
