#include "codec/parquet/writer.h"

wh_status pq_writer_put(pq_writer *w, const void *data, size_t len, wh_error *err) {
  if (len == 0) return WH_OK;
  WH_TRY(wh_output_write(w->out, data, len, err));
  w->at += len;
  return WH_OK;
}

wh_status pq_writer_start(pq_writer *w, wh_error *err) {
  return w->at ? WH_OK : pq_writer_put(w, PQ_MAGIC, PQ_MAGIC_BYTES, err);
}

// --- Metadata of a column chunk ------------------------------------------------------------------

static void set_statistics(pq_statistics *s, const pq_chunk_pages *chunk, const pq_bounds *bounds) {
  s->has = PQ_BIT(PQ_STAT_NULLS);
  s->nulls = chunk->nulls;
  if (bounds->has_min) {
    s->has |= PQ_BIT(PQ_STAT_MIN) | PQ_BIT(PQ_STAT_MIN_EXACT);
    s->min = wh_str_n((const char *)bounds->min, bounds->min_len);
    s->min_exact = bounds->min_exact;
  }
  if (bounds->has_max) {
    s->has |= PQ_BIT(PQ_STAT_MAX) | PQ_BIT(PQ_STAT_MAX_EXACT);
    s->max = wh_str_n((const char *)bounds->max, bounds->max_len);
    s->max_exact = bounds->max_exact;
  }
}

static size_t set_encodings(const pq_chunk_pages *chunk, int32_t *encodings,
                            pq_page_encoding *pages, size_t *ret_pages) {
  size_t n = 0, p = 0;
  uint32_t has = PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3);
  encodings[n++] = PQ_RLE; // of the levels
  if (chunk->dictionary) {
    encodings[n++] = PQ_PLAIN;
    pages[p++] = (pq_page_encoding){has, PQ_DICTIONARY_PAGE, PQ_PLAIN, 1};
  }
  if (chunk->dictionary_pages) {
    encodings[n++] = PQ_RLE_DICTIONARY;
    pages[p++] =
        (pq_page_encoding){has, PQ_DATA_PAGE, PQ_RLE_DICTIONARY, (int32_t)chunk->dictionary_pages};
  }
  if (chunk->other_pages) {
    if (chunk->other != PQ_PLAIN || !chunk->dictionary) encodings[n++] = (int32_t)chunk->other;
    pages[p++] =
        (pq_page_encoding){has, PQ_DATA_PAGE, (int32_t)chunk->other, (int32_t)chunk->other_pages};
  }
  *ret_pages = p;
  return n;
}

wh_status pq_writer_add_meta(pq_writer *w, const pq_column_chunk *chunk, pq_footer_chunk *ret,
                             wh_error *err) {
  size_t before = w->metas.len;
  pq_thrift_write(&w->metas, &pq_rule_column_chunk, chunk);
  WH_TRY(wh_buf_check(&w->metas, err));
  w->metas.len--; // the stop: fields are to come
  ret->size = (uint32_t)(w->metas.len - before);
  return WH_OK;
}

// `from` is where the chunk begins, its filter is where the file ends now.
static wh_status add_meta(pq_writer *w, const pq_leaf *leaf, const pq_chunk_pages *chunk,
                          uint64_t from, uint64_t bloom, pq_footer_chunk *ret, wh_error *err) {
  int32_t encodings[4];
  pq_page_encoding pages[3];
  size_t page_encodings;
  size_t count = set_encodings(chunk, encodings, pages, &page_encodings);
  pq_bounds bounds;
  pq_range_bounds(&chunk->range, leaf, &bounds);
  pq_column_chunk c = {.has = PQ_BIT(PQ_CHUNK_OFFSET) | PQ_BIT(PQ_CHUNK_META)};
  c.meta = (pq_column_meta){.has = PQ_META_REQUIRED | PQ_BIT(PQ_META_STATISTICS) |
                                   PQ_BIT(PQ_META_PAGE_ENCODINGS),
                            .type = (int32_t)leaf->physical,
                            .encodings = {encodings, count},
                            .path = leaf->path,
                            .compression = (int32_t)w->settings.compression,
                            .values = chunk->levels,
                            .uncompressed_size = chunk->uncompressed,
                            .compressed_size = chunk->compressed,
                            .data_page = (int64_t)(from + chunk->dictionary_size),
                            .page_encodings = {pages, page_encodings}};
  set_statistics(&c.meta.statistics, chunk, &bounds);
  if (chunk->dictionary) {
    c.meta.has |= PQ_BIT(PQ_META_DICTIONARY_PAGE);
    c.meta.dictionary_page = (int64_t)from;
  }
  if (chunk->bloom) {
    c.meta.has |= PQ_BIT(PQ_META_BLOOM_OFFSET) | PQ_BIT(PQ_META_BLOOM_LENGTH);
    c.meta.bloom_offset = (int64_t)bloom;
    c.meta.bloom_length = (int32_t)(w->at - bloom);
  }
  return pq_writer_add_meta(w, &c, ret, err);
}

// --- Page indexes --------------------------------------------------------------------------------

static pq_boundary boundary_of(const pq_leaf *leaf, const pq_column_index *index) {
  bool up = true, down = true;
  size_t before = SIZE_MAX;
  for (size_t i = 0; i < index->mins.count; i++) {
    if (index->null_pages.items[i]) continue;
    if (before != SIZE_MAX) {
      int min = pq_bound_compare(leaf, index->mins.items[before], index->mins.items[i]);
      int max = pq_bound_compare(leaf, index->maxs.items[before], index->maxs.items[i]);
      up &= min <= 0 && max <= 0;
      down &= min >= 0 && max >= 0;
    }
    before = i;
  }
  return up ? PQ_ASCENDING : down ? PQ_DESCENDING : PQ_UNORDERED;
}

// False when some page has values but no bounds (all NaN): then there can be no index.
static bool set_page(pq_column_index *index, pq_bounds *all, size_t i, const pq_page *page,
                     const pq_leaf *leaf) {
  pq_bounds *bounds = &all[i];
  pq_range_bounds(&page->range, leaf, bounds);
  bool null_page = page->nulls == page->levels;
  if (!null_page && !(bounds->has_min && bounds->has_max)) return false;
  index->null_pages.items[i] = null_page;
  index->nulls.items[i] = page->nulls;
  index->mins.items[i] = wh_str_n((const char *)bounds->min, bounds->min_len);
  index->maxs.items[i] = wh_str_n((const char *)bounds->max, bounds->max_len);
  return true;
}

static wh_status add_column_index(pq_writer *w, const pq_leaf *leaf, const pq_chunk_pages *chunk,
                                  uint32_t *ret_size, wh_error *err) {
  size_t n = chunk->page_count;
  pq_bounds *bounds = WH_NEW_ARRAY(&w->scratch, n, pq_bounds);
  pq_column_index index = {
      .has = PQ_COLUMN_INDEX_REQUIRED | PQ_BIT(PQ_COLUMN_INDEX_NULLS),
      .null_pages = {WH_NEW_ARRAY(&w->scratch, n, bool), n},
      .mins = {WH_NEW_ARRAY(&w->scratch, n, wh_str), n},
      .maxs = {WH_NEW_ARRAY(&w->scratch, n, wh_str), n},
      .nulls = {WH_NEW_ARRAY(&w->scratch, n, int64_t), n},
  };
  if (!bounds || !index.null_pages.items || !index.mins.items || !index.maxs.items ||
      !index.nulls.items)
    return wh_fail_memory(err);
  *ret_size = 0;
  for (size_t i = 0; i < n; i++) {
    if (!set_page(&index, bounds, i, &pq_pages_of(chunk)[i], leaf)) return WH_OK;
  }
  index.boundary = boundary_of(leaf, &index);
  size_t before = w->column_indexes.len;
  pq_thrift_write(&w->column_indexes, &pq_rule_column_index, &index);
  *ret_size = (uint32_t)(w->column_indexes.len - before);
  return wh_buf_check(&w->column_indexes, err);
}

static wh_status add_offset_index(pq_writer *w, const pq_chunk_pages *chunk, uint64_t from,
                                  uint32_t *ret_size, wh_error *err) {
  pq_page_location *places = WH_NEW_ARRAY(&w->scratch, chunk->page_count, pq_page_location);
  if (!places) return wh_fail_memory(err);
  uint64_t at = from + chunk->dictionary_size;
  for (size_t i = 0; i < chunk->page_count; i++) {
    const pq_page *page = &pq_pages_of(chunk)[i];
    places[i] = (pq_page_location){.has = PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3),
                                   .offset = (int64_t)at,
                                   .compressed_size = (int32_t)page->size,
                                   .first_row = (int64_t)page->first_row};
    at += page->size;
  }
  pq_offset_index index = {.has = PQ_BIT(1), .pages = {places, chunk->page_count}};
  size_t before = w->offset_indexes.len;
  pq_thrift_write(&w->offset_indexes, &pq_rule_offset_index, &index);
  *ret_size = (uint32_t)(w->offset_indexes.len - before);
  return wh_buf_check(&w->offset_indexes, err);
}

bool pq_writer_wants_indexes(const pq_writer *w) {
  bool room = w->column_indexes.len + w->offset_indexes.len < WH_PARQUET_INDEX_BYTES;
  return w->settings.options->page_index && room;
}

static wh_status add_indexes(pq_writer *w, const pq_leaf *leaf, const pq_chunk_pages *chunk,
                             uint64_t from, pq_footer_chunk *ret, wh_error *err) {
  if (!pq_writer_wants_indexes(w)) return WH_OK;
  WH_TRY(add_column_index(w, leaf, chunk, &ret->column_index, err));
  WH_TRY(add_offset_index(w, chunk, from, &ret->offset_index, err));
  wh_arena_reset(&w->scratch);
  return WH_OK;
}

// --- Row groups ----------------------------------------------------------------------------------

static wh_status put_pages(pq_writer *w, const pq_chunk_pages *chunk, wh_error *err) {
  WH_TRY(pq_writer_put(w, chunk->dictionary, chunk->dictionary_size, err));
  for (size_t i = 0; i < chunk->page_count; i++)
    WH_TRY(pq_writer_put(w, pq_pages_of(chunk)[i].data, pq_pages_of(chunk)[i].size, err));
  return WH_OK;
}

static wh_status put_bloom(pq_writer *w, const pq_chunk_pages *chunk, wh_error *err) {
  const pq_bloom_kind only = {.has = PQ_BIT(1)};
  pq_bloom_header header = {.has = PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3) | PQ_BIT(4),
                            .bytes = (int32_t)chunk->bloom_size,
                            .algorithm = only,
                            .hash = only,
                            .compression = only};
  WH_CLEAN_BUF wh_buf head = {.mem = w->mem};
  pq_thrift_write(&head, &pq_rule_bloom_header, &header);
  WH_TRY(wh_buf_check(&head, err));
  WH_TRY(pq_writer_put(w, head.data, head.len, err));
  return pq_writer_put(w, chunk->bloom, chunk->bloom_size, err);
}

static wh_status put_group(pq_writer *w, const pq_block_group *group, wh_error *err) {
  const pq_layout *layout = &w->settings.layout;
  pq_footer_group g = {.rows = group->rows, .offset = (int64_t)w->at};
  uint64_t from = w->at;
  for (size_t i = 0; i < layout->count; i++) {
    WH_TRY(put_pages(w, &group->chunks[i], err));
    g.compressed += group->chunks[i].compressed;
    g.uncompressed += group->chunks[i].uncompressed;
  }
  // The filters stand behind the pages of all columns, so that those can be read in one go.
  for (size_t i = 0; i < layout->count; i++) {
    const pq_chunk_pages *chunk = &group->chunks[i];
    pq_footer_chunk f = {0};
    uint64_t bloom = w->at;
    if (chunk->bloom) WH_TRY(put_bloom(w, chunk, err));
    WH_TRY(add_meta(w, &layout->leaves[i], chunk, from, bloom, &f, err));
    WH_TRY(add_indexes(w, &layout->leaves[i], chunk, from, &f, err));
    if (!wh_buf_add(&w->chunks, &f, sizeof f)) return wh_fail_memory(err);
    from += (uint64_t)chunk->compressed;
  }
  if (!wh_buf_add(&w->groups, &g, sizeof g)) return wh_fail_memory(err);
  w->rows += group->rows;
  return WH_OK;
}

static wh_status check_order(pq_writer *w, const pq_block *block, wh_error *err) {
  const pq_sorting *sorting = &w->settings.sorting;
  if (sorting->count == 0 || block->ends.rows == 0) return WH_OK;
  if (!pq_sorting_follows(sorting, &w->ends, &block->ends)) {
    return wh_fail(err, WH_ERR_DATA,
                   "the rows are not sorted by '%.*s', as `sort` says: row %llu comes before the "
                   "one in front of it. Sort them, or leave `sort` out.",
                   WH_STR_ARG(sorting->schema.fields[0].name), (unsigned long long)w->rows + 1);
  }
  wh_batch_reset(&w->ends);
  for (size_t i = 0; i < sorting->count; i++)
    WH_TRY(wh_column_add_from(&w->ends.columns[i], &block->ends.columns[i], block->ends.rows - 1,
                              err));
  wh_batch_row_end(&w->ends);
  return WH_OK;
}

static wh_status writer_append(wh_writer *base, wh_block *given, wh_error *err) {
  pq_writer *w = (pq_writer *)base;
  const pq_block *block = (const pq_block *)given;
  WH_TRY(pq_writer_start(w, err));
  WH_TRY(check_order(w, block, err));
  for (size_t i = 0; i < block->count; i++)
    WH_TRY(put_group(w, &block->groups[i], err));
  return WH_OK;
}

static wh_status append_taken(pq_writer *w, wh_error *err) {
  wh_block *block;
  WH_TRY(w->encoder->take(w->encoder, &block, err));
  if (!block) return WH_OK;
  wh_status status = writer_append(&w->base, block, err);
  wh_block_free(block);
  return status;
}

static wh_status writer_write(wh_writer *base, const wh_batch *batch, wh_error *err) {
  pq_writer *w = (pq_writer *)base;
  if (!w->encoder) {
    WH_TRY(pq_open_encoder(&w->context, w->settings.options, w->schema, &w->encoder, err));
  }
  WH_TRY(w->encoder->add(w->encoder, batch, err));
  return w->encoder->full ? append_taken(w, err) : WH_OK;
}

// --- Footer --------------------------------------------------------------------------------------

enum { WIRE_STOP = 0, WIRE_I32_NEXT = 0x15, WIRE_I64_NEXT = 0x16 };

static bool add_varint(wh_buf *out, int64_t value) {
  uint64_t x = (uint64_t)value << 1; // zigzag of what is not negative
  for (; x >= 0x80; x >>= 7)
    wh_buf_add_char(out, (char)(x | 0x80));
  return wh_buf_add_char(out, (char)x);
}

// Fields 4 to 7 of a ColumnChunk: where its indexes are. The head of a field is how far it is from
// the one before, and its type.
static bool end_chunk(wh_buf *out, const pq_footer_chunk *f, uint64_t offset_index,
                      uint64_t column_index) {
  if (f->offset_index) {
    wh_buf_add_char(out, WIRE_I64_NEXT);
    add_varint(out, (int64_t)offset_index);
    wh_buf_add_char(out, WIRE_I32_NEXT);
    add_varint(out, f->offset_index);
  }
  if (f->column_index) { // never without the other
    wh_buf_add_char(out, WIRE_I64_NEXT);
    add_varint(out, (int64_t)column_index);
    wh_buf_add_char(out, WIRE_I32_NEXT);
    add_varint(out, f->column_index);
  }
  return wh_buf_add_char(out, WIRE_STOP);
}

static wh_status make_sorting(pq_writer *w, pq_structs *ret, wh_error *err) {
  const pq_sorting *sorting = &w->settings.sorting;
  pq_sorting_column *columns = WH_NEW_ARRAY(&w->arena, sorting->count, pq_sorting_column);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < sorting->count; i++) {
    columns[i] = (pq_sorting_column){.has = PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3),
                                     .column = (int32_t)sorting->columns[i].leaf,
                                     .descending = sorting->columns[i].descending,
                                     .nulls_first = true};
  }
  *ret = (pq_structs){columns, sorting->count};
  return WH_OK;
}

// All row groups, as the footer has them.
static wh_status make_groups(pq_writer *w, uint64_t column_indexes, uint64_t offset_indexes,
                             wh_buf *out, wh_error *err) {
  const pq_footer_group *groups = (const pq_footer_group *)(const void *)w->groups.data;
  const pq_footer_chunk *f = (const pq_footer_chunk *)(const void *)w->chunks.data;
  size_t count = w->groups.len / sizeof *groups, leaves = w->settings.layout.count;
  const char *meta = w->metas.data;
  pq_structs sorting;
  WH_TRY(make_sorting(w, &sorting, err));
  WH_CLEAN_BUF wh_buf chunks = {.mem = w->mem};
  for (size_t g = 0; g < count; g++) {
    wh_buf_clear(&chunks);
    for (size_t i = 0; i < leaves; i++, f++) {
      wh_buf_add(&chunks, meta, f->size);
      end_chunk(&chunks, f, offset_indexes, column_indexes);
      meta += f->size;
      offset_indexes += f->offset_index;
      column_indexes += f->column_index;
    }
    WH_TRY(wh_buf_check(&chunks, err));
    pq_row_group group = {.has = PQ_GROUP_REQUIRED | PQ_BIT(PQ_GROUP_OFFSET) |
                                 PQ_BIT(PQ_GROUP_COMPRESSED),
                          .columns = {wh_buf_str(&chunks), leaves},
                          .bytes = groups[g].uncompressed,
                          .rows = (int64_t)groups[g].rows,
                          .sorting = sorting,
                          .offset = groups[g].offset,
                          .compressed_size = groups[g].compressed};
    if (sorting.count) group.has |= PQ_BIT(PQ_GROUP_SORTING);
    if (g <= INT16_MAX) {
      group.has |= PQ_BIT(PQ_GROUP_ORDINAL);
      group.ordinal = (int16_t)g;
    }
    pq_thrift_write(out, &pq_rule_row_group, &group);
  }
  return wh_buf_check(out, err);
}

static wh_status make_footer(pq_writer *w, const wh_buf *groups, wh_buf *out, wh_error *err) {
  const pq_layout *layout = &w->settings.layout;
  pq_column_order *orders = WH_NEW_ARRAY(&w->arena, layout->count, pq_column_order);
  if (!orders) return wh_fail_memory(err);
  for (size_t i = 0; i < layout->count; i++)
    orders[i].has = PQ_BIT(PQ_ORDER_TYPE);
  WH_CLEAN_BUF wh_buf schema = {.mem = w->mem};
  pq_key_value own = {.has = PQ_BIT(1) | PQ_BIT(2), .key = WH_STR(PQ_SCHEMA_KEY)};
  pq_file_meta file = {.has = PQ_FILE_REQUIRED | PQ_BIT(PQ_FILE_CREATED_BY) |
                              PQ_BIT(PQ_FILE_COLUMN_ORDERS),
                       .version = 2,
                       .schema = layout->elements,
                       .rows = (int64_t)w->rows,
                       .row_groups = {wh_buf_str(groups), w->groups.len / sizeof(pq_footer_group)},
                       .created_by = WH_STR("wherry version " WHERRY_VERSION),
                       .column_orders = {orders, layout->count}};
  if (layout->has_seconds) {
    if (!wh_schema_write_json(w->schema, &schema)) return wh_fail_memory(err);
    own.value = wh_buf_str(&schema);
    file.has |= PQ_BIT(PQ_FILE_KEY_VALUES);
    file.key_values = (pq_structs){&own, 1};
  }
  pq_thrift_write(out, &pq_rule_file, &file);
  return wh_buf_check(out, err);
}

static wh_status writer_finish(wh_writer *base, wh_error *err) {
  pq_writer *w = (pq_writer *)base;
  if (w->encoder) WH_TRY(append_taken(w, err));
  WH_TRY(pq_writer_start(w, err));
  uint64_t column_indexes = w->at, offset_indexes = w->at + w->column_indexes.len;
  WH_TRY(pq_writer_put(w, w->column_indexes.data, w->column_indexes.len, err));
  WH_TRY(pq_writer_put(w, w->offset_indexes.data, w->offset_indexes.len, err));
  WH_CLEAN_BUF wh_buf groups = {.mem = w->mem};
  WH_CLEAN_BUF wh_buf footer = {.mem = w->mem};
  WH_TRY(make_groups(w, column_indexes, offset_indexes, &groups, err));
  WH_TRY(make_footer(w, &groups, &footer, err));
  uint32_t size = (uint32_t)footer.len;
  if (!wh_buf_add(&footer, &size, sizeof size) || !wh_buf_add(&footer, PQ_MAGIC, PQ_MAGIC_BYTES))
    return wh_fail_memory(err);
  return pq_writer_put(w, footer.data, footer.len, err);
}

// --- Opening and closing -------------------------------------------------------------------------

static void writer_close(wh_writer *base) {
  pq_writer *w = (pq_writer *)base;
  wh_encoder_close(w->encoder);
  wh_buf *bufs[] = {&w->metas, &w->column_indexes, &w->offset_indexes, &w->chunks, &w->groups};
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
    wh_buf_free(bufs[i]);
  wh_batch_free(&w->ends);
  wh_arena_free(&w->arena);
  wh_arena_free(&w->scratch);
  wh_mem_free(w->mem, w, sizeof *w);
}

wh_status pq_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                         const wh_schema *schema, wh_writer **ret, wh_error *err) {
  pq_writer *w = wh_mem_alloc_zero(context->mem, sizeof *w);
  if (!w) return wh_fail_memory(err);
  w->base = (wh_writer){.write = writer_write,
                        .append = writer_append,
                        .append_file = pq_append_file,
                        .finish = writer_finish,
                        .close = writer_close};
  w->mem = context->mem;
  w->context = *context;
  w->out = out;
  w->schema = schema;
  wh_arena_init(&w->arena, w->mem);
  wh_arena_init(&w->scratch, w->mem);
  wh_buf *bufs[] = {&w->metas, &w->column_indexes, &w->offset_indexes, &w->chunks, &w->groups};
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
    wh_buf_init(bufs[i], w->mem, 0);
  wh_status status = pq_settings_make(context, options, schema, &w->arena, &w->settings, err);
  if (status == WH_OK && w->settings.sorting.count)
    status = wh_batch_init(&w->ends, w->mem, &w->settings.sorting.schema, err);
  if (status != WH_OK) {
    writer_close(&w->base);
    return status;
  }
  *ret = &w->base;
  return WH_OK;
}
