// Rows that are given back and come again.
#include "codec/parquet/leaf_page.h"

// Where row `rows` begins among the levels.
static size_t level_of_row(const pq_levels *levels, size_t rows) {
  size_t i = 0, begun = 0;
  for (; i < levels->count; i++) {
    if (levels->rep[i] == 0 && begun++ == rows) break;
  }
  return i;
}

static size_t slots_before(const pq_leaf_reader *leaf, const pq_levels *levels, size_t count) {
  size_t slots = 0;
  for (size_t i = 0; i < count; i++)
    slots += levels->def[i] >= leaf->node->slot_def;
  return slots;
}

size_t pq_leaf_row_of(const pq_leaf_reader *leaf, size_t slot) {
  if (leaf->simple) return slot;
  const pq_levels *l = &leaf->levels;
  size_t row = 0;
  for (size_t i = 0, slots = 0; i < l->count; i++) {
    row += l->rep[i] == 0;
    if (l->def[i] >= leaf->node->slot_def && slots++ == slot) break;
  }
  return row ? row - 1 : 0;
}

static wh_status add_levels(wh_mem *mem, pq_levels *to, const pq_levels *from, size_t at,
                            size_t count, wh_error *err) {
  WH_TRY(pq_levels_reserve(to, mem, count, err));
  if (count == 0) return WH_OK;
  memcpy(to->def + to->count, from->def + at, count);
  memcpy(to->rep + to->count, from->rep + at, count);
  to->count += count;
  return WH_OK;
}

static void free_levels(wh_mem *mem, pq_levels *levels) {
  wh_mem_free(mem, levels->def, levels->cap);
  wh_mem_free(mem, levels->rep, levels->cap);
  *levels = (pq_levels){0};
}

// Those from slot `from` up to `to`, as they will be counted from `base`.
static wh_status move_misfits(const pq_misfits *in, pq_misfits *out, size_t from, size_t to,
                              size_t base, wh_error *err) {
  for (const pq_misfit *m = in->first; m; m = m->next)
    if (m->at >= from && m->at < to) WH_TRY(pq_misfit_repeat(out, m, base + m->at - from, err));
  return WH_OK;
}

typedef struct kept {
  wh_column column;
  pq_levels levels;
  pq_misfits misfits;
} kept;

// Rows behind the first `rows` of some rows go to `out`.
static wh_status add_rest(pq_leaf_reader *leaf, const wh_column *column, const pq_levels *levels,
                          const pq_misfits *misfits, size_t rows, kept *out, wh_error *err) {
  size_t level = leaf->simple ? 0 : level_of_row(levels, rows);
  size_t slot = leaf->simple ? rows : slots_before(leaf, levels, level);
  size_t base = out->column.length;
  WH_TRY(wh_column_add_range(&out->column, column, slot, column->length - slot, err));
  WH_TRY(move_misfits(misfits, &out->misfits, slot, column->length, base, err));
  if (leaf->simple) return WH_OK;
  return add_levels(leaf->shared->mem, &out->levels, levels, level, levels->count - level, err);
}

// What is carried becomes `new_carry`, which is taken over, or freed.
static wh_status replace_carry(pq_leaf_reader *leaf, wh_status status, kept *new_carry,
                               size_t rows) {
  if (status != WH_OK) {
    wh_column_free(&new_carry->column);
    free_levels(leaf->shared->mem, &new_carry->levels);
    return status;
  }
  wh_column_free(&leaf->carry);
  free_levels(leaf->shared->mem, &leaf->carry_levels);
  leaf->carry = new_carry->column;
  leaf->carry_levels = new_carry->levels;
  leaf->carry_misfits = new_carry->misfits;
  leaf->carry_rows = rows;
  return WH_OK;
}

static kept new_kept(pq_leaf_reader *leaf) {
  kept k = {.misfits = {.arena = &leaf->arena}};
  wh_column_init(&k.column, leaf->shared->mem, &leaf->node->field.type);
  return k;
}

wh_status pq_leaf_give_back(pq_leaf_reader *leaf, size_t rows, wh_column *column, wh_error *err) {
  if (rows >= leaf->rows) return WH_OK;
  kept k = new_kept(leaf);
  size_t back = leaf->rows - rows, level = 0, slot = rows;
  if (!leaf->simple) {
    level = level_of_row(&leaf->levels, rows);
    slot = slots_before(leaf, &leaf->levels, level);
  }
  wh_status status = add_rest(leaf, column, &leaf->levels, &leaf->misfits, rows, &k, err);
  if (status == WH_OK && leaf->carry_rows) {
    status = add_rest(leaf, &leaf->carry, &leaf->carry_levels, &leaf->carry_misfits, 0, &k, err);
  }
  WH_TRY(replace_carry(leaf, status, &k, leaf->carry_rows + back));
  wh_column_truncate(column, slot);
  leaf->levels.count = level;
  leaf->rows = rows;
  pq_misfits all = leaf->misfits;
  leaf->misfits.first = leaf->misfits.last = NULL;
  return move_misfits(&all, &leaf->misfits, 0, slot, 0, err);
}

wh_status pq_leaf_drop_carry(pq_leaf_reader *leaf, size_t rows, wh_error *err) {
  if (rows == 0) return WH_OK;
  kept k = new_kept(leaf);
  wh_status status = WH_OK;
  if (rows < leaf->carry_rows) {
    status = add_rest(leaf, &leaf->carry, &leaf->carry_levels, &leaf->carry_misfits, rows, &k, err);
  }
  return replace_carry(leaf, status, &k, leaf->carry_rows - rows);
}

wh_status pq_leaf_take_carry(pq_leaf_reader *leaf, size_t rows, wh_column *column, wh_error *err) {
  size_t n = rows < leaf->carry_rows ? rows : leaf->carry_rows;
  if (n == 0) return WH_OK;
  size_t level = 0, slots = n;
  if (!leaf->simple) {
    level = level_of_row(&leaf->carry_levels, n);
    slots = slots_before(leaf, &leaf->carry_levels, level);
    WH_TRY(add_levels(leaf->shared->mem, &leaf->levels, &leaf->carry_levels, 0, level, err));
  }
  WH_TRY(wh_column_add_range(column, &leaf->carry, 0, slots, err));
  WH_TRY(move_misfits(&leaf->carry_misfits, &leaf->misfits, 0, slots, 0, err));
  leaf->rows = n;
  return pq_leaf_drop_carry(leaf, n, err);
}
