#include "codec/parquet/encoder.h"

#include "codec/parquet/chunk.h"

enum {
  SLICE_ROWS = 4096,       // rows of a leaf that are taken at once
  SLICE_ROWS_NESTED = 512, // of a leaf in lists
  SAMPLE_MOST = 8192,      // values
  SAMPLE_LEAST = 1024,
  OVERRUN = 8, // a row group may have an eighth more rows, rather than leave a small one behind
};

typedef struct parquet_encoder {
  wh_encoder base;
  wh_mem *mem;
  wh_arena arena;
  pq_settings settings;
  pq_shredder shredder;
  pq_work work;
  pq_chunk *chunks;
  pq_block *block; // being filled; NULL: no rows yet
  size_t rows;     // of the row group being filled, the last of the block
  uint64_t rows_taken;
} parquet_encoder;

// --- Row groups ----------------------------------------------------------------------------------

static pq_block_group *group_of(const parquet_encoder *e) {
  return &e->block->groups[e->block->count - 1];
}

static wh_status start_group(parquet_encoder *e, wh_error *err) {
  const pq_layout *layout = &e->settings.layout;
  if (!e->block) {
    WH_TRY(pq_block_new(e->mem, layout->count, &e->block, err));
    if (e->settings.sorting.count)
      WH_TRY(wh_batch_init(&e->block->ends, e->mem, &e->settings.sorting.schema, err));
  }
  pq_block_group *group;
  WH_TRY(pq_block_add_group(e->block, &group, err));
  for (size_t i = 0; i < layout->count; i++)
    pq_chunk_start(&e->chunks[i], &group->chunks[i]);
  return WH_OK;
}

static wh_status finish_group(parquet_encoder *e, wh_error *err) {
  if (e->rows == 0) return WH_OK;
  pq_block_group *group = group_of(e);
  for (size_t i = 0; i < e->settings.layout.count; i++) {
    WH_TRY(pq_chunk_finish(&e->chunks[i], &e->work, err));
    e->block->base.bytes += (size_t)group->chunks[i].compressed + group->chunks[i].bloom_size;
  }
  group->rows = e->rows;
  e->block->base.rows += e->rows;
  e->rows = 0;
  return WH_OK;
}

static size_t held_bytes(const parquet_encoder *e) {
  const pq_block_group *group = group_of(e);
  size_t held = 0;
  for (size_t i = 0; i < e->settings.layout.count; i++)
    held += (size_t)group->chunks[i].compressed + pq_chunk_pending(&e->chunks[i]);
  return held;
}

// --- Rows ----------------------------------------------------------------------------------------

// So many rows from `from` on that a page of text does not become much too large.
static size_t slice_rows(const parquet_encoder *e, const pq_leaf *leaf, const wh_batch *batch,
                         size_t from, size_t count) {
  if (!pq_leaf_is_flat(leaf)) return count < SLICE_ROWS_NESTED ? count : SLICE_ROWS_NESTED;
  if (count > SLICE_ROWS) count = SLICE_ROWS;
  if (leaf->physical != PQ_BYTE_ARRAY) return count;
  const int32_t *offsets = batch->columns[leaf->column].offsets + from;
  size_t most = e->settings.page_bytes;
  if ((size_t)(offsets[count] - offsets[0]) <= most) return count;
  size_t low = 1; // the most rows that fit, or one
  while (low < count) {
    size_t middle = (low + count + 1) / 2;
    if ((size_t)(offsets[middle] - offsets[0]) <= most)
      low = middle;
    else
      count = middle - 1;
  }
  return low;
}

static wh_status add_leaf(parquet_encoder *e, size_t index, const wh_batch *batch, size_t from,
                          size_t count, wh_error *err) {
  const pq_leaf *leaf = &e->settings.layout.leaves[index];
  while (count) {
    size_t n = slice_rows(e, leaf, batch, from, count);
    pq_slice slice;
    WH_TRY(pq_shred(&e->shredder, leaf, batch, from, n, &slice, err));
    WH_TRY(pq_chunk_add(&e->chunks[index], &e->work, &slice, err));
    from += n;
    count -= n;
  }
  return WH_OK;
}

static wh_status add_rows(parquet_encoder *e, const wh_batch *batch, size_t from, size_t count,
                          wh_error *err) {
  if (e->rows == 0) WH_TRY(start_group(e, err));
  WH_TRY(pq_sorting_check(&e->settings.sorting, batch, from, count, e->rows_taken, &e->block->ends,
                          err));
  for (size_t i = 0; i < e->settings.layout.count; i++)
    WH_TRY(add_leaf(e, i, batch, from, count, err));
  e->rows += count;
  e->rows_taken += count;
  return WH_OK;
}

static wh_status encoder_add(wh_encoder *base, const wh_batch *batch, wh_error *err) {
  parquet_encoder *e = (parquet_encoder *)base;
  size_t rows = e->settings.group_rows;
  for (size_t from = 0; from < batch->rows;) {
    size_t n = batch->rows - from;
    if (e->rows + n > rows + rows / OVERRUN) n = rows - e->rows;
    WH_TRY(add_rows(e, batch, from, n, err));
    from += n;
    if (e->rows < rows && held_bytes(e) < e->settings.group_bytes) continue;
    base->full = true;
    WH_TRY(finish_group(e, err));
  }
  return WH_OK;
}

static wh_status encoder_take(wh_encoder *base, wh_block **ret, wh_error *err) {
  parquet_encoder *e = (parquet_encoder *)base;
  if (e->block) WH_TRY(finish_group(e, err));
  *ret = e->block ? &e->block->base : NULL;
  e->block = NULL;
  base->full = false;
  return WH_OK;
}

// --- Opening and closing -------------------------------------------------------------------------

static void encoder_close(wh_encoder *base) {
  parquet_encoder *e = (parquet_encoder *)base;
  if (e->block) wh_block_free(&e->block->base);
  for (size_t i = 0; e->chunks && i < e->settings.layout.count; i++)
    pq_chunk_free(&e->chunks[i]);
  pq_shredder_free(&e->shredder);
  pq_compressor_close(e->work.compressor);
  pq_store_free(&e->work.page);
  pq_store_free(&e->work.packed);
  wh_buf_free(&e->work.header);
  pq_dict_free(&e->work.trial);
  wh_arena_free(&e->arena);
  wh_mem_free(e->mem, e, sizeof *e);
}

static wh_status make_work(parquet_encoder *e, wh_error *err) {
  const pq_settings *s = &e->settings;
  pq_work *w = &e->work;
  size_t sample = s->page_bytes / sizeof(uint64_t);
  w->compression = s->compression;
  w->page_bytes = s->page_bytes;
  w->page_rows = WH_PARQUET_PAGE_ROWS;
  w->sample_values = sample < SAMPLE_LEAST  ? SAMPLE_LEAST
                     : sample > SAMPLE_MOST ? SAMPLE_MOST
                                            : sample;
  w->group_rows = s->group_rows;
  w->dictionary_bytes = 8 * s->page_bytes;
  if (w->dictionary_bytes > WH_PARQUET_DICTIONARY_BYTES)
    w->dictionary_bytes = WH_PARQUET_DICTIONARY_BYTES;
  w->dictionaries = s->options->dictionary == 0;
  w->crc = s->options->crc;
  pq_dict_init(&w->trial, e->mem, w->dictionary_bytes);
  return pq_compressor_open(e->mem, s->compression, (int)s->options->level, &w->compressor, err);
}

static wh_status make_chunks(parquet_encoder *e, wh_error *err) {
  const pq_layout *layout = &e->settings.layout;
  e->chunks = WH_NEW_ARRAY(&e->arena, layout->count, pq_chunk);
  if (!e->chunks) return wh_fail_memory(err);
  for (size_t i = 0; i < layout->count; i++) {
    pq_chunk_init(&e->chunks[i], &e->work, &layout->leaves[i]);
    const wh_str_list *bloom = &e->settings.options->bloom;
    wh_str column = layout->schema->fields[layout->leaves[i].column].name;
    for (size_t k = 0; k < bloom->count; k++)
      e->chunks[i].wants_bloom |=
          wh_str_eq(bloom->items[k], column) && layout->leaves[i].physical != PQ_BOOLEAN;
  }
  return WH_OK;
}

wh_status pq_open_encoder(const wh_codec_context *context, const void *options,
                          const wh_schema *schema, wh_encoder **ret, wh_error *err) {
  parquet_encoder *e = wh_mem_alloc_zero(context->mem, sizeof *e);
  if (!e) return wh_fail_memory(err);
  e->base = (wh_encoder){.add = encoder_add, .take = encoder_take, .close = encoder_close};
  e->mem = context->mem;
  wh_arena_init(&e->arena, e->mem);
  pq_shredder_init(&e->shredder, e->mem);
  e->work = (pq_work){.mem = e->mem, .page = {.mem = e->mem}, .packed = {.mem = e->mem}};
  wh_buf_init(&e->work.header, e->mem, 0);
  wh_status status = pq_settings_make(context, options, schema, &e->arena, &e->settings, err);
  if (status == WH_OK) status = make_work(e, err);
  if (status == WH_OK) status = make_chunks(e, err);
  if (status != WH_OK) {
    encoder_close(&e->base);
    return status;
  }
  *ret = &e->base;
  return WH_OK;
}
