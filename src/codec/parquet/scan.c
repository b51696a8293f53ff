#include "codec/parquet/scan.h"

#include "codec/parquet/scan_finish.h"

enum { ROW_ESTIMATE_LEAST = 1, BUDGET_BYTES_LEAST = 64 << 10 };

// How many rows the next batch should have, from what rows took so far.
static size_t rows_for(const pq_scan *scan, uint64_t bytes, uint64_t rows) {
  size_t most = scan->plan->context.batch_rows;
  uint64_t each = rows ? bytes / rows : 0;
  if (each < ROW_ESTIMATE_LEAST) each = ROW_ESTIMATE_LEAST;
  uint64_t wanted = scan->plan->context.batch_bytes / each;
  return wanted < 1 ? 1 : wanted < most ? (size_t)wanted : most;
}

static wh_status load_index(pq_scan *scan, const pq_column_chunk *chunk, bool need,
                            pq_offset_index *ret, wh_error *err) {
  *ret = (pq_offset_index){0};
  if (!need) return WH_OK;
  return pq_offset_index_load(scan->plan->file, scan->group, chunk, &scan->arena, ret, err);
}

// Opens the chunks of the group, at the first row of its ranges.
static wh_status open_chunks(pq_scan *scan, wh_error *err) {
  const pq_file *file = scan->plan->file;
  uint64_t rows = file->groups[scan->group].rows, from = scan->ranges.items[0].from;
  bool seeks = from > 0 || scan->ranges.count > 1;
  pq_chunk_walk walk = {0};
  pq_column_chunk chunk;
  for (uint32_t i = 0; i < file->tree.leaf_count; i++) {
    pq_offset_index index;
    WH_TRY(pq_chunk_next(file, scan->group, &walk, &scan->arena, &chunk, err));
    if (!scan->by_leaf[i]) continue;
    WH_TRY(load_index(scan, &chunk, seeks, &index, err));
    WH_TRY(pq_leaf_open(scan->by_leaf[i], &chunk, rows, from, file->footer_at, &index, err));
  }
  return WH_OK;
}

// Opens the group that the next row is in. Its ranges may turn out to be none.
static wh_status open_group(pq_scan *scan, wh_error *err) {
  const pq_plan *plan = scan->plan;
  const pq_group *groups = plan->file->groups;
  while (groups[scan->group].first_row + groups[scan->group].rows <= scan->at)
    scan->group++;
  const pq_group *g = &groups[scan->group];
  scan->shared.group = (uint32_t)scan->group;
  wh_arena_reset(&scan->arena);
  uint64_t end = g->first_row + g->rows;
  scan->group_to = end < scan->to ? end : scan->to;
  bool may = true;
  if (plan->where.count) WH_TRY(pq_where_group(&plan->where, plan->file, scan->group, &may, err));
  scan->ranges = (pq_row_ranges){0};
  if (may) {
    WH_TRY(pq_where_pages(&plan->where, plan->file, scan->group, scan->at - g->first_row,
                          scan->group_to - g->first_row, &scan->arena, &scan->ranges, err));
  }
  scan->range = 0;
  if (scan->ranges.count) WH_TRY(open_chunks(scan, err));
  scan->rows_next = rows_for(scan, g->bytes, g->rows);
  scan->group_open = true;
  return WH_OK;
}

static wh_status skip_all(pq_scan *scan, uint64_t rows, wh_error *err) {
  for (size_t i = 0; i < scan->plan->leaf_count; i++)
    WH_TRY(pq_leaf_skip(&scan->leaves[i], rows, err));
  return WH_OK;
}

// Goes to the next row that is wanted; *ret_rows, 0 at the end of all, is how many follow it.
static wh_status next_rows(pq_scan *scan, uint64_t *ret_rows, wh_error *err) {
  *ret_rows = 0;
  while (scan->at < scan->to) {
    if (!scan->group_open) WH_TRY(open_group(scan, err));
    uint64_t first = scan->plan->file->groups[scan->group].first_row;
    if (scan->range == scan->ranges.count) {
      scan->at = scan->group_to;
      scan->group_open = false;
      scan->group++;
      continue;
    }
    const pq_row_range *range = &scan->ranges.items[scan->range];
    if (scan->at - first >= range->to) {
      if (++scan->range < scan->ranges.count)
        WH_TRY(skip_all(scan, range[1].from - range->to, err));
      continue;
    }
    if (scan->at - first < range->from) scan->at = first + range->from;
    *ret_rows = first + range->to - scan->at;
    return WH_OK;
  }
  return WH_OK;
}

typedef struct finding {
  pq_scan *scan;
  size_t at;
} finding;

static wh_status find_column(void *context, const pq_tree_node *leaf, wh_column *column,
                             wh_error *err) {
  (void)leaf;
  (void)err;
  finding *f = context;
  f->scan->columns[f->at++] = column;
  return WH_OK;
}

static wh_status read_leaf(pq_scan *scan, size_t i, size_t used, size_t *rows, wh_error *err) {
  pq_leaf_reader *leaf = &scan->leaves[i];
  size_t budget = used < WH_BATCH_BYTES_DEFAULT - BUDGET_BYTES_LEAST ? WH_BATCH_BYTES_DEFAULT - used
                                                                     : BUDGET_BYTES_LEAST;
  WH_TRY(wh_column_grow(scan->columns[i], *rows, 0, err));
  WH_TRY(pq_leaf_read(leaf, *rows, budget, scan->columns[i], err));
  *rows = leaf->rows;
  return WH_OK;
}

// The codes live as long as the batch's rows.
static wh_status give_codes(const pq_leaf_reader *leaf, wh_column *column, wh_batch *batch,
                            wh_error *err) {
  size_t rows = column->length;
  if (!leaf->has_codes || rows == 0) return WH_OK;
  wh_codes *given = WH_NEW(&batch->arena, wh_codes);
  uint32_t *codes = WH_NEW_ARRAY(&batch->arena, rows, uint32_t);
  if (!given || !codes) return wh_fail_memory(err);
  memcpy(codes, leaf->codes, rows * sizeof *codes);
  *given = (wh_codes){.dictionary = leaf->dictionary.number,
                      .entries = leaf->dictionary.values.length,
                      .codes = codes};
  column->codes = given;
  return WH_OK;
}

// Reads up to *rows rows into the batch, which has the types of plan->read.
static wh_status read_rows(pq_scan *scan, size_t *rows, wh_batch *batch, wh_error *err) {
  const pq_plan *plan = scan->plan;
  finding f = {.scan = scan};
  size_t bytes = 0;
  for (size_t i = 0; i < plan->count; i++)
    WH_TRY(pq_nest_each(plan->nodes[i], &batch->columns[i], find_column, &f, err));
  for (size_t i = 0; i < plan->leaf_count; i++) {
    WH_TRY(read_leaf(scan, i, bytes, rows, err));
    bytes += wh_column_size(scan->columns[i]);
  }
  for (size_t i = 0; i < plan->leaf_count; i++)
    WH_TRY(pq_leaf_give_back(&scan->leaves[i], *rows, scan->columns[i], err));
  for (size_t i = 0; i < plan->leaf_count; i++)
    WH_TRY(give_codes(&scan->leaves[i], scan->columns[i], batch, err));
  batch->bytes = 0;
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->nodes[i]->shape != PQ_LEAF) {
      wh_status status = pq_nest_build(plan->nodes[i], scan->by_leaf, &batch->columns[i], err);
      if (status == WH_ERR_DATA) wh_error_prefix(err, "row group %zu: ", scan->group + 1);
      if (status != WH_OK) return status;
    }
    batch->bytes += wh_column_size(&batch->columns[i]);
  }
  batch->rows = *rows;
  return WH_OK;
}

static uint64_t bytes_read(const pq_scan *scan) {
  uint64_t sum = 0;
  for (size_t i = 0; i < scan->plan->leaf_count; i++)
    sum += scan->leaves[i].pages.bytes_read;
  return sum;
}

static size_t range_bytes(const wh_column *c, size_t from, size_t to) {
  size_t bytes = (to - from) * c->width;
  if (c->offsets) bytes += (to - from) * sizeof *c->offsets;
  if (wh_kind_is_text(c->type.kind) && to > from)
    bytes += (size_t)(c->offsets[to] - c->offsets[from]);
  if (c->type.kind == WH_LIST && to > from)
    bytes += range_bytes(&c->children[0], (size_t)c->offsets[from], (size_t)c->offsets[to]);
  for (size_t i = 0; c->type.kind == WH_STRUCT && i < c->child_count; i++)
    bytes += range_bytes(&c->children[i], from, to);
  return bytes;
}

static wh_status check_row_size(const pq_scan *scan, const wh_batch *batch, wh_error *err) {
  size_t limit = scan->plan->context.row_limit_bytes;
  if (!limit || batch->bytes <= limit) return WH_OK;
  for (size_t row = 0; row < batch->rows; row++) {
    size_t bytes = 0;
    for (size_t i = 0; i < batch->schema->count; i++)
      bytes += range_bytes(&batch->columns[i], row, row + 1);
    if (bytes <= limit) continue;
    return wh_fail(err, WH_ERR_LIMIT, "row %llu has %zu bytes; a row may have %zu",
                   (unsigned long long)(scan->at + row + 1), bytes, limit);
  }
  return WH_OK;
}

static wh_status scan_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  pq_scan *scan = (pq_scan *)reader;
  uint64_t left;
  WH_TRY(next_rows(scan, &left, err));
  reader->paused = left > 0;
  reader->part.to = scan->to;
  if (left == 0) {
    reader->part.rows = scan->to - scan->from;
    return WH_OK;
  }
  size_t rows = left < scan->rows_next ? (size_t)left : scan->rows_next;
  wh_batch *target = scan->has_read ? &scan->read : batch;
  if (target != batch) wh_batch_reset(target);
  wh_arena_reset(&scan->shared.arena);
  WH_TRY(read_rows(scan, &rows, target, err));
  WH_TRY(check_row_size(scan, target, err));
  target->first_row = scan->at - scan->from + 1;
  scan->rows_next = rows_for(scan, target->bytes, rows);
  scan->at += rows;
  reader->part.rows = scan->at - scan->from;
  reader->bytes_read = bytes_read(scan);
  return pq_scan_finish(scan, target, batch, rejects, err);
}

static void scan_close(wh_reader *reader) {
  pq_scan *scan = (pq_scan *)reader;
  wh_mem *mem = scan->plan->mem;
  size_t count = scan->plan->leaf_count;
  for (size_t i = 0; scan->leaves && i < count; i++)
    pq_leaf_free(&scan->leaves[i]);
  wh_mem_free(mem, scan->leaves, count * sizeof *scan->leaves);
  wh_mem_free(mem, scan->by_leaf, scan->plan->file->tree.leaf_count * sizeof(pq_leaf_reader *));
  wh_mem_free(mem, scan->columns, count * sizeof *scan->columns);
  if (scan->has_read) wh_batch_free(&scan->read);
  if (scan->has_kept) wh_batch_free(&scan->kept);
  wh_arena_free(&scan->arena);
  wh_arena_free(&scan->shared.arena);
  pq_scratch_free(&scan->shared.scratch);
  wh_mem_free(mem, scan->shared.raw.data, scan->shared.raw.cap);
  pq_decompressor_close(scan->shared.decompressor);
  wh_mem_free(mem, scan, sizeof *scan);
}

// The windows share what there is, so that wide tables do not take more than narrow ones.
static size_t window_for(size_t leaves) {
  size_t window = PQ_WINDOWS_BYTES / (leaves ? leaves : 1);
  if (window < PQ_WINDOW_BYTES_MIN) return PQ_WINDOW_BYTES_MIN;
  return window < PQ_WINDOW_BYTES_MAX ? window : PQ_WINDOW_BYTES_MAX;
}

static wh_status init_leaves(pq_scan *scan, wh_error *err) {
  const pq_plan *plan = scan->plan;
  size_t all = plan->file->tree.leaf_count, at = 0;
  scan->leaves = wh_mem_alloc_zero(plan->mem, plan->leaf_count * sizeof *scan->leaves);
  scan->by_leaf = wh_mem_alloc_zero(plan->mem, all * sizeof *scan->by_leaf);
  scan->columns = wh_mem_alloc_zero(plan->mem, plan->leaf_count * sizeof *scan->columns);
  if (!scan->leaves || !scan->by_leaf || !scan->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < plan->count; i++) {
    const pq_tree_node *column = plan->nodes[i];
    for (uint32_t l = column->first_leaf; l < column->first_leaf + column->leaf_count; l++) {
      pq_leaf_reader *leaf = &scan->leaves[at++];
      WH_TRY(pq_leaf_init(leaf, plan->file->tree.leaves[l], &scan->shared,
                          window_for(plan->leaf_count), err));
      scan->by_leaf[l] = leaf;
    }
  }
  return WH_OK;
}

static wh_status init(pq_scan *scan, wh_error *err) {
  const pq_plan *plan = scan->plan;
  WH_TRY(pq_decompressor_open(plan->mem, &scan->shared.decompressor, err));
  WH_TRY(pq_scratch_init(&scan->shared.scratch, plan->mem, &plan->file->tree, err));
  WH_TRY(init_leaves(scan, err));
  if (plan->casts || plan->count > plan->shown || plan->where.count) {
    WH_TRY(wh_batch_init(&scan->read, plan->mem, &plan->read, err));
    scan->has_read = true;
  }
  return WH_OK;
}

wh_status pq_scan_open(const pq_plan *plan, uint64_t from, uint64_t to, pq_scan **ret,
                       wh_error *err) {
  pq_scan *scan = wh_mem_alloc_zero(plan->mem, sizeof *scan);
  if (!scan) return wh_fail_memory(err);
  scan->plan = plan;
  scan->from = scan->at = from;
  scan->to = to;
  scan->base = (wh_reader){.schema = &plan->schema, .next = scan_next, .close = scan_close};
  scan->base.part = (wh_part){.from = from};
  scan->shared = (pq_shared){.mem = plan->mem,
                             .in = plan->file->in,
                             .cpu = wh_cpu_level(),
                             .tree = &plan->file->tree,
                             .row_limit_bytes = plan->context.row_limit_bytes};
  wh_arena_init(&scan->shared.arena, plan->mem);
  wh_arena_init(&scan->arena, plan->mem);
  wh_status status = init(scan, err);
  if (status != WH_OK) {
    scan_close(&scan->base);
    return status;
  }
  *ret = scan;
  return WH_OK;
}
