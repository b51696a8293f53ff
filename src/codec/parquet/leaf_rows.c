// Rows of the page in hand.
#include "codec/parquet/leaf_page.h"

static wh_status short_levels(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "it has fewer levels than its header says, or they are damaged");
}

static wh_status need_page(pq_leaf_reader *leaf, wh_error *err) {
  if (leaf->page_left) return WH_OK;
  WH_TRY(pq_leaf_next_header(leaf, err));
  return pq_leaf_load_page(leaf, err);
}

static wh_status rows_missing(pq_leaf_reader *leaf, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the column ends after %llu of %llu rows",
                 (unsigned long long)leaf->rows_at, (unsigned long long)leaf->rows_total);
}

// Their dense numbers become those of their slots in the column.
static wh_status keep_misfits(pq_leaf_reader *leaf, const pq_misfits *found, size_t base,
                              size_t slots, const uint8_t *bits, wh_error *err) {
  const pq_misfit *m = found->first;
  for (size_t slot = 0, dense = 0; m && slot < slots; slot++) {
    if (bits && !wh_bit_get(bits, slot)) continue;
    for (; m && m->at == dense; m = m->next)
      WH_TRY(pq_misfit_repeat(&leaf->misfits, m, base + slot, err));
    dense++;
  }
  return WH_OK;
}

// Has the next values' indices kept, if so far each row has one. What comes twice in a row's column
// through two dictionaries is not worth telling apart: a chunk has one.
static wh_status want_codes(pq_leaf_reader *leaf, size_t base, size_t slots, const uint8_t *bits,
                            wh_error *err) {
  leaf->has_codes &= !bits && pq_through_dictionary(&leaf->values);
  leaf->values.codes = NULL;
  if (!leaf->has_codes) return WH_OK;
  if (base + slots > leaf->codes_cap) {
    size_t cap = leaf->codes_cap ? 2 * leaf->codes_cap : PQ_LEVELS_BLOCK;
    while (cap < base + slots)
      cap *= 2;
    uint32_t *codes = wh_mem_realloc(leaf->shared->mem, leaf->codes,
                                     leaf->codes_cap * sizeof *codes, cap * sizeof *codes);
    if (!codes) return wh_fail_memory(err);
    leaf->codes = codes;
    leaf->codes_cap = cap;
  }
  leaf->values.codes = leaf->codes + base;
  return WH_OK;
}

// The next values of the page into the slots whose bits are set; NULL: all of them.
static wh_status read_slots(pq_leaf_reader *leaf, size_t slots, size_t dense, const uint8_t *bits,
                            wh_column *column, wh_error *err) {
  pq_misfits found = {.arena = &leaf->shared->arena};
  size_t base = column->length;
  WH_TRY(want_codes(leaf, base, slots, bits, err));
  WH_TRY(pq_values_read(&leaf->values, dense, column, &leaf->shared->scratch, &found, err));
  WH_TRY(pq_values_place(column, slots, dense, bits, err));
  if (!found.first) return WH_OK;
  leaf->has_codes = false;
  return keep_misfits(leaf, &found, base, slots, bits, err);
}

// How many values may be taken at once: so few that their texts stay about inside the budget.
static size_t step_of(const pq_leaf_reader *leaf, size_t budget) {
  size_t step = pq_step(leaf->node), longest = leaf->values.max_text;
  if (longest && budget / longest < step) step = budget / longest;
  return step ? step : 1;
}

static bool over_budget(const wh_column *column, size_t budget) {
  if (!wh_kind_is_text(column->type.kind) || column->length == 0) return false;
  return (size_t)column->offsets[column->length] >= budget;
}

static wh_status read_simple(pq_leaf_reader *leaf, size_t rows, size_t budget, wh_column *column,
                             wh_error *err) {
  uint8_t *bits = leaf->shared->bits;
  while (leaf->rows < rows && !(leaf->rows && over_budget(column, budget))) {
    wh_status status = need_page(leaf, err);
    if (status == WH_ERR_END) return rows_missing(leaf, err);
    if (status != WH_OK) return status;
    size_t n = rows - leaf->rows, step = step_of(leaf, budget);
    if (n > leaf->page_left) n = (size_t)leaf->page_left;
    if (n > step) n = step;
    size_t dense = n;
    if (leaf->node->def) {
      if (pq_rle_bits(&leaf->definitions, bits, 0, n) < n) return short_levels(err);
      dense = pq_count_bits(bits, 0, n);
    }
    WH_TRY(read_slots(leaf, n, dense, dense == n ? NULL : bits, column, err));
    leaf->page_left -= n;
    leaf->rows += n;
    leaf->rows_at += n;
  }
  return WH_OK;
}

// Levels into the block, so that the page's next values are known.
static wh_status need_block(pq_leaf_reader *leaf, wh_error *err) {
  if (leaf->block_at < leaf->block_len) return WH_OK;
  WH_TRY(need_page(leaf, err));
  size_t n = leaf->page_left < PQ_LEVELS_BLOCK ? (size_t)leaf->page_left : PQ_LEVELS_BLOCK;
  uint8_t *def = leaf->block, *rep = leaf->block + PQ_LEVELS_BLOCK;
  memset(def, 0, n);
  memset(rep, 0, n);
  if (leaf->node->def && pq_rle_u8(&leaf->definitions, def, n) < n) return short_levels(err);
  if (leaf->node->slot_rep && pq_rle_u8(&leaf->repetitions, rep, n) < n) return short_levels(err);
  for (size_t i = 0; i < n; i++) {
    if (def[i] > leaf->node->def || rep[i] > leaf->node->slot_rep)
      return wh_fail(err, WH_ERR_DATA, "it has levels that its schema does not have");
  }
  leaf->page_left -= n;
  leaf->block_at = 0;
  leaf->block_len = n;
  return WH_OK;
}

// How many of the block's levels, at most `most`, belong to the row in hand and those after it, up
// to `rows` in all. *rows_begun grows by the rows that begin there.
static size_t levels_of_rows(const pq_leaf_reader *leaf, size_t most, uint64_t rows,
                             uint64_t *rows_begun) {
  const uint8_t *rep = leaf->block + PQ_LEVELS_BLOCK;
  size_t i = leaf->block_at, end = leaf->block_len;
  if (end - i > most) end = i + most;
  for (; i < end; i++) {
    if (rep[i]) continue;
    if (*rows_begun == rows) break;
    ++*rows_begun;
  }
  return i - leaf->block_at;
}

// The slots that some levels of the block make, as bits: set where there is a value.
static void slots_of_levels(pq_leaf_reader *leaf, size_t count, size_t *ret_slots,
                            size_t *ret_dense) {
  const uint8_t *def = leaf->block + leaf->block_at;
  uint8_t slot_def = leaf->node->slot_def, full = leaf->node->def;
  uint8_t *bits = leaf->shared->bits;
  size_t slots = 0, dense = 0;
  memset(bits, 0, (count + 7) / 8);
  for (size_t i = 0; i < count; i++) {
    if (def[i] < slot_def) continue;
    bool is = def[i] == full;
    bits[slots >> 3] = (uint8_t)(bits[slots >> 3] | is << (slots & 7));
    slots++;
    dense += is;
  }
  *ret_slots = slots;
  *ret_dense = dense;
}

wh_status pq_levels_reserve(pq_levels *levels, wh_mem *mem, size_t extra, wh_error *err) {
  if (levels->count + extra <= levels->cap) return WH_OK;
  size_t cap = levels->cap ? levels->cap * 2 : PQ_LEVELS_BLOCK;
  while (cap < levels->count + extra)
    cap *= 2;
  uint8_t *def = wh_mem_alloc(mem, cap), *rep = wh_mem_alloc(mem, cap);
  if (!def || !rep) {
    wh_mem_free(mem, def, cap);
    wh_mem_free(mem, rep, cap);
    return wh_fail_memory(err);
  }
  if (levels->count) {
    memcpy(def, levels->def, levels->count);
    memcpy(rep, levels->rep, levels->count);
  }
  wh_mem_free(mem, levels->def, levels->cap);
  wh_mem_free(mem, levels->rep, levels->cap);
  levels->def = def;
  levels->rep = rep;
  levels->cap = cap;
  return WH_OK;
}

static wh_status keep_levels(pq_leaf_reader *leaf, size_t count, wh_error *err) {
  pq_levels *l = &leaf->levels;
  WH_TRY(pq_levels_reserve(l, leaf->shared->mem, count, err));
  memcpy(l->def + l->count, leaf->block + leaf->block_at, count);
  memcpy(l->rep + l->count, leaf->block + PQ_LEVELS_BLOCK + leaf->block_at, count);
  l->count += count;
  return WH_OK;
}

static wh_status first_in_list(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "its first value says that it goes on with a row before it");
}

// A row may be only so large; one that is never ends otherwise.
static wh_status check_row(pq_leaf_reader *leaf, const wh_column *column, wh_error *err) {
  size_t limit = leaf->shared->row_limit_bytes;
  if (!limit || leaf->rows > 1 || leaf->levels.count + wh_column_size(column) <= limit)
    return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "row %llu of the row group is larger than a row may be, %zu bytes",
                 (unsigned long long)leaf->rows_at, limit);
}

// Rows of leaves with levels. A row ends where the next one begins, which may be on the next page;
// without lists above, it is one level.
static wh_status read_levels(pq_leaf_reader *leaf, size_t rows, size_t budget, wh_column *column,
                             wh_error *err) {
  bool flat = leaf->node->slot_rep == 0;
  for (;;) {
    if (leaf->rows && over_budget(column, budget)) rows = leaf->rows;
    if (flat && leaf->rows == rows) return WH_OK;
    wh_status status = need_block(leaf, err);
    if (status == WH_ERR_END) return leaf->rows == rows ? WH_OK : rows_missing(leaf, err);
    if (status != WH_OK) return status;
    uint64_t begun = leaf->rows;
    size_t count = levels_of_rows(leaf, step_of(leaf, budget), rows, &begun), slots, dense;
    if (count == 0) return WH_OK;
    if (leaf->rows == 0 && leaf->block[PQ_LEVELS_BLOCK + leaf->block_at]) return first_in_list(err);
    slots_of_levels(leaf, count, &slots, &dense);
    WH_TRY(read_slots(leaf, slots, dense, dense == slots ? NULL : leaf->shared->bits, column, err));
    WH_TRY(keep_levels(leaf, count, err));
    leaf->block_at += count;
    leaf->rows_at += begun - leaf->rows;
    leaf->rows = (size_t)begun;
    WH_TRY(check_row(leaf, column, err));
  }
}

wh_status pq_leaf_read(pq_leaf_reader *leaf, size_t rows, size_t budget_bytes, wh_column *column,
                       wh_error *err) {
  leaf->rows = 0;
  leaf->levels.count = 0;
  leaf->misfits.first = leaf->misfits.last = NULL;
  leaf->pages.peeking = false;
  WH_TRY(pq_leaf_take_carry(leaf, rows, column, err));
  leaf->has_codes = leaf->simple && leaf->rows == 0;
  if (leaf->rows == rows) return WH_OK;
  wh_status status = leaf->simple ? read_simple(leaf, rows, budget_bytes, column, err)
                                  : read_levels(leaf, rows, budget_bytes, column, err);
  return pq_leaf_blame(leaf, true, status, err);
}

// Passes over rows of the page in hand, simple leaves.
static wh_status skip_simple(pq_leaf_reader *leaf, uint64_t rows, wh_error *err) {
  uint8_t *bits = leaf->shared->bits;
  while (rows) {
    size_t n = rows < PQ_VALUES_MAX ? (size_t)rows : PQ_VALUES_MAX, step = pq_step(leaf->node);
    if (n > step) n = step;
    if (n > leaf->page_left) n = (size_t)leaf->page_left;
    size_t dense = n;
    if (leaf->node->def) {
      if (pq_rle_bits(&leaf->definitions, bits, 0, n) < n) return short_levels(err);
      dense = pq_count_bits(bits, 0, n);
    }
    WH_TRY(pq_values_skip(&leaf->values, dense, &leaf->shared->scratch, err));
    leaf->page_left -= n;
    leaf->rows_at += n;
    rows -= n;
  }
  return WH_OK;
}

// The rows of the page whose header was read last, where that says it.
static bool header_rows(const pq_leaf_reader *leaf, uint64_t *ret) {
  const pq_page_header *h = &leaf->pages.header;
  if (leaf->node->slot_rep == 0)
    *ret = (uint64_t)pq_pages_values(&leaf->pages);
  else if (h->type == PQ_DATA_PAGE_V2 && h->data2.rows >= 0)
    *ret = (uint64_t)h->data2.rows;
  else
    return false;
  return true;
}

// Passes over whole pages by their headers, then takes up the one with the row. Stands at a page's
// end.
static wh_status skip_pages(pq_leaf_reader *leaf, uint64_t *rows, wh_error *err) {
  while (*rows && leaf->page_left == 0) {
    uint64_t page_rows;
    leaf->pages.peeking = true;
    wh_status status = pq_leaf_next_header(leaf, err);
    leaf->pages.peeking = false;
    if (status == WH_ERR_END) return rows_missing(leaf, err);
    if (status != WH_OK) return status;
    if (header_rows(leaf, &page_rows) && page_rows <= *rows) {
      leaf->values_seen += (uint64_t)pq_pages_values(&leaf->pages);
      leaf->rows_at += page_rows;
      *rows -= page_rows;
    } else {
      WH_TRY(pq_leaf_load_page(leaf, err));
    }
  }
  return WH_OK;
}

// Passes over the rest of the row in hand, and over `rows` more.
static wh_status skip_levels(pq_leaf_reader *leaf, uint64_t rows, wh_error *err) {
  uint64_t begun = 0;
  bool flat = leaf->node->slot_rep == 0;
  for (;;) {
    if (flat && begun == rows) return WH_OK;
    if (leaf->block_at == leaf->block_len && leaf->page_left == 0) {
      uint64_t left = rows - begun, before = left;
      // A row that is not over may go on there: only a page that says its rows begins with one.
      WH_TRY(skip_pages(leaf, &left, err));
      begun += before - left;
      if (left == 0 && flat) return WH_OK;
    }
    wh_status status = need_block(leaf, err);
    if (status == WH_ERR_END) return begun == rows ? WH_OK : rows_missing(leaf, err);
    if (status != WH_OK) return status;
    uint64_t was = begun;
    size_t count = levels_of_rows(leaf, pq_step(leaf->node), rows, &begun), slots, dense;
    if (count == 0) return WH_OK;
    if (was == 0 && leaf->block[PQ_LEVELS_BLOCK + leaf->block_at]) return first_in_list(err);
    slots_of_levels(leaf, count, &slots, &dense);
    WH_TRY(pq_values_skip(&leaf->values, dense, &leaf->shared->scratch, err));
    leaf->block_at += count;
    leaf->rows_at += begun - was;
  }
}

static wh_status skip_rows(pq_leaf_reader *leaf, uint64_t rows, wh_error *err) {
  if (leaf->index.pages.items) {
    uint64_t target = leaf->rows_at + rows;
    // Behind the last row there is no page.
    if (target >= leaf->rows_total) {
      leaf->rows_at = leaf->rows_total;
      leaf->page_left = 0;
      leaf->block_at = leaf->block_len = 0;
      return WH_OK;
    }
    WH_TRY(pq_leaf_seek(leaf, target, err));
    rows = target - leaf->rows_at;
  }
  if (!leaf->simple) return skip_levels(leaf, rows, err);
  while (rows) {
    WH_TRY(skip_pages(leaf, &rows, err));
    uint64_t n = rows < leaf->page_left ? rows : leaf->page_left;
    WH_TRY(skip_simple(leaf, n, err));
    rows -= n;
  }
  return WH_OK;
}

wh_status pq_leaf_skip(pq_leaf_reader *leaf, uint64_t rows, wh_error *err) {
  size_t carried = rows < leaf->carry_rows ? (size_t)rows : leaf->carry_rows;
  WH_TRY(pq_leaf_drop_carry(leaf, carried, err));
  rows -= carried;
  return rows ? pq_leaf_blame(leaf, true, skip_rows(leaf, rows, err), err) : WH_OK;
}
