// The chunk and the page in hand. What is read of them: leaf_rows.c.
#include "codec/parquet/leaf_read.h"

#include <stdatomic.h>

#include "codec/parquet/file.h"
#include "codec/parquet/leaf_page.h"

wh_status pq_leaf_init(pq_leaf_reader *leaf, const pq_tree_node *node, pq_shared *shared,
                       size_t window, wh_error *err) {
  *leaf = (pq_leaf_reader){.node = node, .shared = shared};
  const pq_tree_node *columns = shared->tree->columns;
  leaf->simple = node >= columns && node < columns + shared->tree->count;
  pq_pages_init(&leaf->pages, shared->mem, shared->in, shared->decompressor, &shared->raw, window);
  wh_arena_init(&leaf->arena, shared->mem);
  wh_buf_init(&leaf->last, shared->mem, 0);
  wh_column_init(&leaf->dictionary.values, shared->mem, &node->field.type);
  wh_column_init(&leaf->carry, shared->mem, &node->field.type);
  leaf->misfits.arena = &shared->arena;
  if (leaf->simple) return WH_OK;
  leaf->block = wh_mem_alloc(shared->mem, 2 * PQ_LEVELS_BLOCK);
  return leaf->block ? WH_OK : wh_fail_memory(err);
}

static void free_levels(wh_mem *mem, pq_levels *levels) {
  wh_mem_free(mem, levels->def, levels->cap);
  wh_mem_free(mem, levels->rep, levels->cap);
}

void pq_leaf_free(pq_leaf_reader *leaf) {
  if (!leaf->shared) return;
  wh_mem *mem = leaf->shared->mem;
  pq_pages_free(&leaf->pages);
  wh_arena_free(&leaf->arena);
  wh_buf_free(&leaf->last);
  wh_column_free(&leaf->dictionary.values);
  wh_column_free(&leaf->carry);
  free_levels(mem, &leaf->levels);
  free_levels(mem, &leaf->carry_levels);
  wh_mem_free(mem, leaf->block, 2 * PQ_LEVELS_BLOCK);
  wh_mem_free(mem, leaf->codes, leaf->codes_cap * sizeof *leaf->codes);
  *leaf = (pq_leaf_reader){0};
}

// Puts where it happened in front of what happened.
wh_status pq_leaf_blame(const pq_leaf_reader *leaf, bool page, wh_status status, wh_error *err) {
  bool data = status == WH_ERR_DATA || status == WH_ERR_LIMIT || status == WH_ERR_TYPE;
  if (!data || !err) return status;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, leaf->shared->mem);
  uint32_t number = 0;
  while (leaf->shared->tree->leaves[number] != leaf->node)
    number++;
  wh_str path = pq_leaf_path(leaf->shared->tree, number, &arena);
  const pq_pages *p = &leaf->pages;
  if (page && p->number) {
    err->place.byte = p->page_at;
    wh_error_prefix(
        err, "row group %u, column %.*s, page %llu (byte %llu): ", leaf->shared->group + 1,
        WH_STR_ARG(path), (unsigned long long)p->number, (unsigned long long)p->page_at);
  } else {
    wh_error_prefix(err, "row group %u, column %.*s: ", leaf->shared->group + 1, WH_STR_ARG(path));
  }
  return status;
}

// A dictionary is a page of plain values in front of the others.
static wh_status load_dictionary(pq_leaf_reader *leaf, wh_error *err) {
  const pq_page_header *h = &leaf->pages.header;
  pq_dictionary *d = &leaf->dictionary;
  if (leaf->has_dictionary || leaf->values_seen)
    return wh_fail(err, WH_ERR_DATA, "a dictionary can only be the first page");
  if (h->dictionary.encoding != PQ_PLAIN && h->dictionary.encoding != PQ_PLAIN_DICTIONARY) {
    return wh_fail(err, WH_ERR_DATA, "its dictionary has the encoding %d (%s)",
                   h->dictionary.encoding, pq_encoding_name(h->dictionary.encoding));
  }
  size_t count = (size_t)h->dictionary.values;
  pq_body body;
  pq_page_values values;
  WH_TRY(pq_pages_body(&leaf->pages, 0, 0, &body, err));
  // Also a text takes at least its length; so this bounds what is allocated by what is there.
  size_t least = leaf->node->element->type == PQ_BYTE_ARRAY ? 4 : leaf->node->value_bytes;
  if (least && count > body.value_bytes / least) {
    return wh_fail(err, WH_ERR_DATA, "its dictionary of %zu values has only %zu bytes", count,
                   body.value_bytes);
  }
  WH_TRY(pq_values_begin(&values, leaf->node, leaf->shared->cpu, PQ_PLAIN, body.values,
                         body.value_bytes, NULL, &leaf->last, err));
  // Once and exactly: dictionaries are most of what a scan of many columns holds.
  WH_TRY(pq_values_room(&d->values, count, body.value_bytes - count * least, err));
  for (size_t done = 0; done < count;) {
    size_t step = pq_step(leaf->node), n = count - done < step ? count - done : step;
    pq_misfits misfits = {.arena = &leaf->arena};
    WH_TRY(pq_values_read(&values, n, &d->values, &leaf->shared->scratch, &misfits, err));
    for (const pq_misfit *m = misfits.first; m; m = m->next)
      WH_TRY(pq_misfit_repeat(&d->misfits, m, done + m->at, err));
    WH_TRY(pq_values_place(&d->values, n, n, NULL, err));
    done += n;
  }
  d->max_text = 0;
  for (size_t i = 0; d->values.offsets && i < count; i++) {
    size_t len = (size_t)(d->values.offsets[i + 1] - d->values.offsets[i]);
    if (len > d->max_text) d->max_text = len;
  }
  static atomic_uint_fast64_t dictionaries;
  d->number = atomic_fetch_add(&dictionaries, 1) + 1;
  leaf->has_dictionary = true;
  pq_pages_trim(&leaf->pages);
  return WH_OK;
}

static void begin_levels(pq_rle *rle, wh_cpu cpu, const uint8_t *data, size_t len, unsigned max,
                         bool legacy) {
  if (legacy)
    pq_rle_init_legacy(rle, data, len, pq_level_width(max));
  else
    pq_rle_init(rle, cpu, data, len, pq_level_width(max));
}

wh_status pq_leaf_load_page(pq_leaf_reader *leaf, wh_error *err) {
  const pq_page_header *h = &leaf->pages.header;
  const pq_tree_node *node = leaf->node;
  const pq_dictionary *dictionary = leaf->has_dictionary ? &leaf->dictionary : NULL;
  wh_cpu cpu = leaf->shared->cpu;
  int32_t encoding = h->type == PQ_DATA_PAGE ? h->data.encoding : h->data2.encoding;
  uint64_t values = (uint64_t)pq_pages_values(&leaf->pages);
  pq_body body;
  bool streams = leaf->simple && pq_stream_can(&leaf->pages, node);
  if (streams)
    WH_TRY(pq_stream_begin(&leaf->pages, node->def, &body, err));
  else
    WH_TRY(pq_pages_body(&leaf->pages, node->slot_rep, node->def, &body, err));
  begin_levels(&leaf->definitions, cpu, body.definitions, body.definition_bytes, node->def,
               body.definitions_legacy);
  begin_levels(&leaf->repetitions, cpu, body.repetitions, body.repetition_bytes, node->slot_rep,
               body.repetitions_legacy);
  if (streams)
    WH_TRY(pq_values_begin_stream(&leaf->values, node, cpu, encoding, &body, &leaf->pages,
                                  dictionary, err));
  else
    WH_TRY(pq_values_begin(&leaf->values, node, cpu, encoding, body.values, body.value_bytes,
                           dictionary, &leaf->last, err));
  leaf->page_left = values;
  leaf->values_seen += values;
  return WH_OK;
}

wh_status pq_leaf_next_header(pq_leaf_reader *leaf, wh_error *err) {
  for (;;) {
    if (leaf->seen_all_pages && leaf->values_seen >= leaf->values_total) return WH_ERR_END;
    WH_TRY(pq_pages_next(&leaf->pages, err));
    const pq_page_header *h = &leaf->pages.header;
    if (h->type == PQ_DICTIONARY_PAGE) WH_TRY(load_dictionary(leaf, err));
    if (h->type != PQ_DATA_PAGE && h->type != PQ_DATA_PAGE_V2) continue;
    uint64_t values = (uint64_t)pq_pages_values(&leaf->pages);
    if (leaf->seen_all_pages && values > leaf->values_total - leaf->values_seen) {
      return wh_fail(
          err, WH_ERR_DATA, "its header says that it has %llu values; the column has %llu left",
          (unsigned long long)values, (unsigned long long)(leaf->values_total - leaf->values_seen));
    }
    if (values) return WH_OK;
  }
}

// Goes to the page that holds the row, by the index of the pages.
wh_status pq_leaf_seek(pq_leaf_reader *leaf, uint64_t row, wh_error *err) {
  const pq_page_location *pages = leaf->index.pages.items;
  size_t low = 0, high = leaf->index.pages.count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if ((uint64_t)pages[middle].first_row <= row)
      low = middle;
    else
      high = middle;
  }
  // The page in hand, or the next one anyway.
  if ((uint64_t)pages[low].first_row <= leaf->rows_at) return WH_OK;
  if (leaf->pages.number == 0) { // a page in front may be the dictionary
    WH_TRY(pq_pages_next(&leaf->pages, err));
    if (leaf->pages.header.type == PQ_DICTIONARY_PAGE) WH_TRY(load_dictionary(leaf, err));
  }
  pq_pages_seek(&leaf->pages, (uint64_t)pages[low].offset);
  leaf->pages.number = low + leaf->has_dictionary;
  leaf->page_left = 0;
  leaf->block_at = leaf->block_len = 0;
  leaf->rows_at = (uint64_t)pages[low].first_row;
  leaf->seen_all_pages = false;
  return WH_OK;
}

// Some writers forgot the dictionary's header when they counted a chunk's bytes.
enum { CHUNK_BYTES_FORGOTTEN = 100 };

// Where the chunk's pages begin and end. Some writers say that a dictionary stands at 0: they have
// none.
static wh_status chunk_range(pq_leaf_reader *leaf, const pq_column_meta *m, uint64_t data_end,
                             uint64_t *ret_from, uint64_t *ret_to, uint64_t *ret_most,
                             wh_error *err) {
  int64_t from = m->data_page;
  if (PQ_HAS(m, PQ_META_DICTIONARY_PAGE) && m->dictionary_page > 0 && m->dictionary_page < from)
    from = m->dictionary_page;
  uint64_t most =
      from >= PQ_MAGIC_BYTES && (uint64_t)from <= data_end ? data_end - (uint64_t)from : 0;
  if (m->compressed_size <= 0 || (uint64_t)m->compressed_size > most) {
    wh_status status =
        wh_fail(err, WH_ERR_DATA,
                "the footer says that it has %lld bytes from byte %lld on; the "
                "file's data ends at byte %llu",
                (long long)m->compressed_size, (long long)from, (unsigned long long)data_end);
    return pq_leaf_blame(leaf, false, status, err);
  }
  *ret_from = (uint64_t)from;
  *ret_to = (uint64_t)from + (uint64_t)m->compressed_size;
  *ret_most =
      *ret_to + CHUNK_BYTES_FORGOTTEN < data_end ? *ret_to + CHUNK_BYTES_FORGOTTEN : data_end;
  return WH_OK;
}

static wh_status check_chunk(pq_leaf_reader *leaf, const pq_column_chunk *chunk, uint64_t rows,
                             wh_error *err) {
  const pq_column_meta *m = &chunk->meta;
  wh_status status = WH_OK;
  if (PQ_HAS(chunk, PQ_CHUNK_CRYPTO) || PQ_HAS(chunk, PQ_CHUNK_ENCRYPTED_META))
    status = wh_fail(err, WH_ERR_DATA, "it is encrypted, which Wherry cannot read");
  else if (!PQ_HAS(chunk, PQ_CHUNK_META))
    status = wh_fail(err, WH_ERR_DATA, "the footer has nothing about it");
  else if (PQ_HAS(chunk, PQ_CHUNK_FILE) && chunk->file.len)
    status =
        wh_fail(err, WH_ERR_DATA, "its pages are in another file, '%.*s'", WH_STR_ARG(chunk->file));
  else if (m->type != leaf->node->element->type)
    status = wh_fail(err, WH_ERR_DATA, "its values are %s, the schema says %s",
                     pq_type_name(m->type), pq_type_name(leaf->node->element->type));
  else if (m->compression < 0 || m->compression >= PQ_COMPRESSION_COUNT)
    status = wh_fail(err, WH_ERR_DATA, "its compression %d does not exist", m->compression);
  else if (m->values < 0 || (uint64_t)m->values < rows ||
           (leaf->node->slot_rep == 0 && (uint64_t)m->values != rows))
    status = wh_fail(err, WH_ERR_DATA, "it has %lld values, its row group has %llu rows",
                     (long long)m->values, (unsigned long long)rows);
  else if (rows >
           (uint64_t)(m->compressed_size < 0 ? 0 : m->compressed_size) * PQ_ROWS_PER_BYTE_MAX)
    status = wh_fail(err, WH_ERR_DATA, "its row group has %llu rows, more than its %lld bytes hold",
                     (unsigned long long)rows, (long long)m->compressed_size);
  return pq_leaf_blame(leaf, false, status, err);
}

wh_status pq_leaf_open(pq_leaf_reader *leaf, const pq_column_chunk *chunk, uint64_t rows,
                       uint64_t from, uint64_t data_end, const pq_offset_index *index,
                       wh_error *err) {
  uint64_t begin, end, most;
  WH_TRY(check_chunk(leaf, chunk, rows, err));
  WH_TRY(chunk_range(leaf, &chunk->meta, data_end, &begin, &end, &most, err));
  pq_pages_open(&leaf->pages, begin, end, most, chunk->meta.compression);
  leaf->values_total = (uint64_t)chunk->meta.values;
  leaf->values_seen = 0;
  leaf->seen_all_pages = true;
  leaf->rows_total = rows;
  leaf->rows_at = 0;
  leaf->index = index ? *index : (pq_offset_index){0};
  leaf->has_dictionary = false;
  wh_column_reset(&leaf->dictionary.values);
  leaf->page_left = 0;
  leaf->block_at = leaf->block_len = 0;
  leaf->carry_rows = 0;
  wh_arena_reset(&leaf->arena);
  leaf->dictionary.misfits = (pq_misfits){.arena = &leaf->arena};
  leaf->carry_misfits = (pq_misfits){.arena = &leaf->arena};
  return from ? pq_leaf_skip(leaf, from, err) : WH_OK;
}
