// The row groups of another file, as they stand: a page says nothing of where it is, so that only
// the footer's offsets change. The data of a file that our writer wrote is one stretch, the groups
// one behind the other: it is copied whole, and everything in it moves by the same distance.
#include "codec/parquet/file.h"
#include "codec/parquet/writer.h"

#include <stdarg.h>

enum { COPY_BYTES = 256 * 1024 };

typedef struct append {
  pq_writer *w;
  pq_file file;
  wh_arena arena; // of one chunk
  uint64_t at;    // in the file: how far its footer was followed
  uint64_t shift; // from there to where it will stand
} append;

__attribute__((format(printf, 2, 3))) static wh_status no_part(wh_error *err, const char *fmt,
                                                               ...) {
  char what[128];
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  return wh_fail(err, WH_ERR_DATA, "the file cannot be appended: %s", what);
}

// --- What it is ----------------------------------------------------------------------------------

static bool write_schema(const pq_structs *elements, wh_buf *out) {
  pq_file_meta only = {.has = PQ_BIT(2), .schema = *elements};
  pq_thrift_write(out, &pq_rule_file, &only);
  return !out->failed;
}

static wh_status check_schema(append *a, wh_error *err) {
  WH_CLEAN_BUF wh_buf own = {.mem = a->w->mem};
  WH_CLEAN_BUF wh_buf other = {.mem = a->w->mem};
  if (!write_schema(&a->w->settings.layout.elements, &own) ||
      !write_schema(&a->file.meta.schema, &other))
    return wh_fail_memory(err);
  if (wh_str_eq(wh_buf_str(&own), wh_buf_str(&other))) return WH_OK;
  return no_part(err, "its columns are not those of the rows before");
}

// Every chunk begins where the one before it ended, its dictionary first.
static wh_status check_chunk(append *a, const pq_leaf *leaf, const pq_column_chunk *chunk,
                             wh_error *err) {
  const pq_column_meta *m = &chunk->meta;
  const uint32_t known = PQ_BIT(PQ_CHUNK_OFFSET) | PQ_BIT(PQ_CHUNK_META) |
                         PQ_BIT(PQ_CHUNK_OFFSET_INDEX) | PQ_BIT(PQ_CHUNK_OFFSET_INDEX_LENGTH) |
                         PQ_BIT(PQ_CHUNK_COLUMN_INDEX) | PQ_BIT(PQ_CHUNK_COLUMN_INDEX_LENGTH);
  if ((chunk->has & ~known) || !PQ_HAS(chunk, PQ_CHUNK_META) || chunk->offset != 0)
    return no_part(err, "a column is not as it is written here");
  if (m->type != (int32_t)leaf->physical || m->compression != (int32_t)a->w->settings.compression)
    return no_part(err, "a column is of another type or compression");
  uint64_t left = a->file.footer_at - a->at;
  bool has_dictionary = PQ_HAS(m, PQ_META_DICTIONARY_PAGE);
  if (m->compressed_size < 0 || (uint64_t)m->compressed_size > left || m->uncompressed_size < 0 ||
      m->values < 0 || (has_dictionary && m->dictionary_page != (int64_t)a->at) ||
      m->data_page < (int64_t)a->at || (!has_dictionary && m->data_page != (int64_t)a->at) ||
      (uint64_t)m->data_page - a->at > (uint64_t)m->compressed_size)
    return no_part(err, "a column does not stand behind the one before, at byte %llu",
                   (unsigned long long)a->at);
  return WH_OK;
}

static wh_status check_pages(const pq_column_meta *m, const pq_offset_index *index, wh_error *err) {
  const pq_page_location *pages = index->pages.items;
  int64_t from = PQ_HAS(m, PQ_META_DICTIONARY_PAGE) ? m->dictionary_page : m->data_page;
  int64_t end = from + m->compressed_size;
  for (size_t i = 0; i < index->pages.count; i++) {
    if (pages[i].offset < m->data_page || pages[i].offset > end || pages[i].compressed_size < 0 ||
        pages[i].compressed_size > end - pages[i].offset)
      return no_part(err, "page %zu of a column is outside of it", i + 1);
  }
  return WH_OK;
}

// --- What the footer will say --------------------------------------------------------------------

static wh_status move_indexes(append *a, size_t group, const pq_column_chunk *chunk,
                              pq_footer_chunk *ret, wh_error *err) {
  pq_writer *w = a->w;
  if (!pq_writer_wants_indexes(w)) return WH_OK;
  pq_offset_index pages;
  pq_column_index statistics;
  bool found;
  WH_TRY(pq_offset_index_load(&a->file, group, chunk, &a->arena, &pages, err));
  if (!pages.pages.items) return WH_OK; // it had no room
  WH_TRY(check_pages(&chunk->meta, &pages, err));
  WH_TRY(pq_column_index_load(&a->file, chunk, pages.pages.count, &a->arena, &found, &statistics,
                              err));
  pq_page_location *places = pages.pages.items;
  for (size_t i = 0; i < pages.pages.count; i++)
    places[i].offset += (int64_t)a->shift;
  size_t before = w->column_indexes.len;
  if (found) pq_thrift_write(&w->column_indexes, &pq_rule_column_index, &statistics);
  ret->column_index = (uint32_t)(w->column_indexes.len - before);
  before = w->offset_indexes.len;
  pq_thrift_write(&w->offset_indexes, &pq_rule_offset_index, &pages);
  ret->offset_index = (uint32_t)(w->offset_indexes.len - before);
  WH_TRY(wh_buf_check(&w->column_indexes, err));
  return wh_buf_check(&w->offset_indexes, err);
}

static wh_status move_bloom(append *a, pq_column_meta *m, wh_error *err) {
  if (!PQ_HAS(m, PQ_META_BLOOM_OFFSET)) return WH_OK;
  if (!PQ_HAS(m, PQ_META_BLOOM_LENGTH) || m->bloom_length < 0 ||
      m->bloom_offset != (int64_t)a->at || (uint64_t)m->bloom_length > a->file.footer_at - a->at)
    return no_part(err, "a filter does not stand behind what is before it, at byte %llu",
                   (unsigned long long)a->at);
  a->at += (uint64_t)m->bloom_length;
  m->bloom_offset += (int64_t)a->shift;
  return WH_OK;
}

static wh_status move_chunk(append *a, size_t group, pq_column_chunk *chunk, wh_error *err) {
  pq_footer_chunk f = {0};
  WH_TRY(move_indexes(a, group, chunk, &f, err));
  pq_column_meta *m = &chunk->meta;
  WH_TRY(move_bloom(a, m, err));
  m->data_page += (int64_t)a->shift;
  if (PQ_HAS(m, PQ_META_DICTIONARY_PAGE)) m->dictionary_page += (int64_t)a->shift;
  chunk->has = PQ_BIT(PQ_CHUNK_OFFSET) | PQ_BIT(PQ_CHUNK_META);
  WH_TRY(pq_writer_add_meta(a->w, chunk, &f, err));
  if (!wh_buf_add(&a->w->chunks, &f, sizeof f)) return wh_fail_memory(err);
  return WH_OK;
}

// The pages of all columns first, then the filters, as put_group() has them.
static wh_status move_group(append *a, size_t group, wh_error *err) {
  const pq_layout *layout = &a->w->settings.layout;
  pq_footer_group g = {.rows = a->file.groups[group].rows, .offset = (int64_t)(a->at + a->shift)};
  pq_column_chunk chunk;
  pq_chunk_walk walk = {0};
  for (size_t i = 0; i < layout->count; i++) {
    WH_TRY(pq_chunk_next(&a->file, group, &walk, &a->arena, &chunk, err));
    WH_TRY(check_chunk(a, &layout->leaves[i], &chunk, err));
    wh_arena_reset(&a->arena);
    a->at += (uint64_t)chunk.meta.compressed_size;
    g.compressed += chunk.meta.compressed_size;
    if (__builtin_add_overflow(g.uncompressed, chunk.meta.uncompressed_size, &g.uncompressed))
      return no_part(err, "its columns say that they have too many bytes");
  }
  walk = (pq_chunk_walk){0};
  for (size_t i = 0; i < layout->count; i++) {
    WH_TRY(pq_chunk_next(&a->file, group, &walk, &a->arena, &chunk, err));
    WH_TRY(move_chunk(a, group, &chunk, err));
    wh_arena_reset(&a->arena);
  }
  if (!wh_buf_add(&a->w->groups, &g, sizeof g)) return wh_fail_memory(err);
  a->w->rows += g.rows;
  return WH_OK;
}

static wh_status move_footer(append *a, wh_error *err) {
  WH_TRY(check_schema(a, err));
  a->at = PQ_MAGIC_BYTES;
  a->shift = a->w->at - a->at; // may not wrap: something stands there
  for (size_t i = 0; i < a->file.group_count; i++)
    WH_TRY(move_group(a, i, err));
  return WH_OK;
}

// --- Its bytes -----------------------------------------------------------------------------------

static wh_status copy_data(append *a, wh_input *in, wh_error *err) {
  char *data = wh_mem_alloc_aligned(a->w->mem, COPY_BYTES);
  if (!data) return wh_fail_memory(err);
  wh_status status = WH_OK;
  size_t n = 1;
  uint64_t at = 0, end = a->at;
  for (; status == WH_OK && n; at += n) {
    status = wh_input_read(in, data, COPY_BYTES, &n, err);
    if (status != WH_OK) break;
    uint64_t from = at < PQ_MAGIC_BYTES ? PQ_MAGIC_BYTES - at : 0, to = end > at ? end - at : 0;
    if (to > n) to = n;
    if (from < to) status = pq_writer_put(a->w, data + from, (size_t)(to - from), err);
  }
  wh_mem_free(a->w->mem, data, COPY_BYTES);
  WH_TRY(status);
  return at == in->size ? WH_OK : no_part(err, "it ends early");
}

wh_status pq_append_file(wh_writer *base, wh_input *in, wh_error *err) {
  append a = {.w = (pq_writer *)base};
  if (a.w->settings.sorting.count)
    return wh_fail(err, WH_ERR_USAGE, "files cannot be appended where `sort` is to be checked");
  WH_TRY(pq_writer_start(a.w, err));
  WH_TRY(pq_file_open(&a.file, a.w->mem, in, &(pq_schema_options){0}, err));
  wh_arena_init(&a.arena, a.w->mem);
  wh_status status = move_footer(&a, err);
  if (status == WH_OK) status = copy_data(&a, in, err);
  wh_arena_free(&a.arena);
  pq_file_close(&a.file);
  return status;
}
