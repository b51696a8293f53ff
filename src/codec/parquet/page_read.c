#include "codec/parquet/page_read.h"

#include "codec/parquet/crc.h"

enum {
  HEADER_FIRST_BYTES = 512,
  LENGTH_BYTES = 4,
  PQ_PLAIN_KEEP = 128 << 10, // of room for a body that is kept when the body is not
};

void pq_pages_init(pq_pages *pages, wh_mem *mem, wh_input *in, pq_decompressor *decompressor,
                   pq_shared_raw *shared_raw, size_t window) {
  *pages = (pq_pages){.mem = mem,
                      .in = in,
                      .decompressor = decompressor,
                      .shared_raw = shared_raw,
                      .window = window};
  wh_arena_init(&pages->arena, mem);
}

void pq_pages_free(pq_pages *pages) {
  if (!pages->mem) return;
  wh_mem_free(pages->mem, pages->raw, pages->raw_cap);
  wh_mem_free(pages->mem, pages->plain, pages->plain_cap);
  wh_mem_free(pages->mem, pages->levels, pages->levels_cap);
  wh_arena_free(&pages->arena);
  *pages = (pq_pages){0};
}

void pq_pages_open(pq_pages *pages, uint64_t from, uint64_t to, uint64_t most,
                   int32_t compression) {
  pages->at = from;
  pages->end = to;
  pages->most = most;
  pages->compression = compression;
  pages->number = 0;
  pages->raw_len = 0;
  pages->peeking = false;
}

void pq_pages_seek(pq_pages *pages, uint64_t at) {
  pages->at = at;
}

void pq_pages_trim(pq_pages *pages) {
  if (pages->plain_cap <= PQ_PLAIN_KEEP) return;
  wh_mem_free(pages->mem, pages->plain, pages->plain_cap);
  pages->plain = NULL;
  pages->plain_cap = 0;
}

wh_status pq_pages_grow(wh_mem *mem, uint8_t **buffer, size_t *cap, size_t need, size_t keep,
                        wh_error *err) {
  if (need <= *cap) return WH_OK;
  uint8_t *larger = wh_mem_alloc(mem, need);
  if (!larger) return wh_fail_memory(err);
  if (keep) memcpy(larger, *buffer, keep);
  wh_mem_free(mem, *buffer, *cap);
  *buffer = larger;
  *cap = need;
  return WH_OK;
}

// Makes bytes [at, at + want) of the file, which lie inside the chunk, stand in the window.
wh_status pq_pages_fetch(pq_pages *p, uint64_t at, size_t want, const uint8_t **ret,
                         wh_error *err) {
  size_t keep = 0;
  if (at >= p->raw_from && at <= p->raw_from + p->raw_len) {
    size_t skip = (size_t)(at - p->raw_from);
    if (want <= p->raw_len - skip) {
      *ret = p->raw + skip;
      return WH_OK;
    }
    keep = p->raw_len - skip;
    if (keep) memmove(p->raw, p->raw + skip, keep);
  }
  p->raw_from = at;
  p->raw_len = keep;
  size_t need = p->peeking || want > p->window ? want : p->window;
  if (need > p->most - at) need = (size_t)(p->most - at);
  WH_TRY(pq_pages_grow(p->mem, &p->raw, &p->raw_cap, need + PQ_SLACK, keep, err));
  WH_TRY(p->in->read_at(p->in, at + keep, p->raw + keep, need - keep, err));
  p->bytes_read += need - keep;
  p->raw_len = need;
  // Readable is not enough for whoever checks for what was never written.
  memset(p->raw + need, 0, PQ_SLACK);
  *ret = p->raw;
  return WH_OK;
}

static wh_status check_sizes(pq_pages *p, wh_error *err) {
  const pq_page_header *h = &p->header;
  if (h->compressed_size < 0 || h->uncompressed_size < 0) {
    return wh_fail(err, WH_ERR_DATA, "its header says that it has %d bytes, %d decompressed",
                   h->compressed_size, h->uncompressed_size);
  }
  if ((uint64_t)h->compressed_size > p->most - p->body_at) {
    return wh_fail(err, WH_ERR_DATA,
                   "its header says that it has %d bytes; the column has %llu left",
                   h->compressed_size, (unsigned long long)(p->most - p->body_at));
  }
  if (h->uncompressed_size > PQ_PAGE_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "it has %d bytes decompressed; at most %d can be read",
                   h->uncompressed_size, PQ_PAGE_BYTES_MAX);
  }
  return WH_OK;
}

// What a header says must be there for the kind of page that it says it is.
static wh_status check_kind(const pq_page_header *h, wh_error *err) {
  static const uint32_t needed[] = {[PQ_DATA_PAGE] = PQ_BIT(PQ_PAGE_DATA),
                                    [PQ_DICTIONARY_PAGE] = PQ_BIT(PQ_PAGE_DICTIONARY),
                                    [PQ_DATA_PAGE_V2] = PQ_BIT(PQ_PAGE_DATA2)};
  if (h->type < 0 || h->type > PQ_DATA_PAGE_V2 || (h->has & needed[h->type]) == needed[h->type])
    return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "its header does not describe a page of its type");
}

int64_t pq_pages_values(const pq_pages *pages) {
  const pq_page_header *h = &pages->header;
  switch (h->type) {
  case PQ_DATA_PAGE:
    return h->data.values;
  case PQ_DICTIONARY_PAGE:
    return h->dictionary.values;
  case PQ_DATA_PAGE_V2:
    return h->data2.values;
  default:
    return 0;
  }
}

wh_status pq_pages_next(pq_pages *p, wh_error *err) {
  if (p->at >= p->end) return WH_ERR_END;
  p->number++;
  p->page_at = p->at;
  bool is_short = true;
  for (size_t want = HEADER_FIRST_BYTES; is_short; want *= 4) {
    if (want > PQ_PAGE_HEADER_BYTES_MAX) want = PQ_PAGE_HEADER_BYTES_MAX;
    bool all = want >= p->most - p->at;
    if (all) want = (size_t)(p->most - p->at);
    const uint8_t *data;
    WH_TRY(pq_pages_fetch(p, p->at, want, &data, err));
    pq_cursor cursor = pq_cursor_over(wh_str_n((const char *)data, want), p->at, "its header");
    wh_arena_reset(&p->arena);
    if (all || want == PQ_PAGE_HEADER_BYTES_MAX) {
      WH_TRY(pq_thrift_read(&cursor, &pq_rule_page_header, &p->arena, &p->header, err));
      is_short = false;
    } else {
      WH_TRY(pq_thrift_read_part(&cursor, &pq_rule_page_header, &p->arena, &p->header, &is_short,
                                 err));
    }
    p->body_at = p->at + (uint64_t)(cursor.at - cursor.start);
  }
  WH_TRY(check_sizes(p, err));
  WH_TRY(check_kind(&p->header, err));
  if (pq_pages_values(p) < 0) {
    return wh_fail(err, WH_ERR_DATA, "its header says that it has %lld values",
                   (long long)pq_pages_values(p));
  }
  p->at = p->body_at + (uint64_t)p->header.compressed_size;
  return WH_OK;
}

static wh_status check_crc(const pq_pages *p, const uint8_t *data, size_t len, wh_error *err) {
  if (!PQ_HAS(&p->header, PQ_PAGE_CRC)) return WH_OK;
  uint32_t crc = pq_crc32(data, len);
  if (crc == (uint32_t)p->header.crc) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "its checksum is %08x, its header says %08x: it was changed",
                 crc, (uint32_t)p->header.crc);
}

// Decompresses what stands at `data` into the page's own buffer, or shows it where it stands.
static wh_status decompress(pq_pages *p, const uint8_t *data, size_t len, size_t out_len,
                            bool compressed, const uint8_t **ret, wh_error *err) {
  if (!compressed || p->compression == PQ_UNCOMPRESSED) {
    if (len != out_len) {
      return wh_fail(err, WH_ERR_DATA, "it has %zu bytes, its header says %zu", len, out_len);
    }
    *ret = data;
    return WH_OK;
  }
  WH_TRY(pq_pages_grow(p->mem, &p->plain, &p->plain_cap, out_len + PQ_SLACK, 0, err));
  if (out_len)
    WH_TRY(pq_decompress(p->decompressor, p->compression, data, len, p->plain, out_len, err));
  memset(p->plain + out_len, 0, PQ_SLACK);
  *ret = p->plain;
  return WH_OK;
}

// Takes a section of levels from the front of a page of the first version. A page whose levels are
// all 0 by the schema has none.
static wh_status take_levels(const uint8_t **at, size_t *left, int32_t encoding, int64_t values,
                             unsigned max, const char *what, const uint8_t **ret, size_t *ret_len,
                             bool *ret_legacy, wh_error *err) {
  size_t len;
  *ret = *at;
  *ret_len = 0;
  if (max == 0) return WH_OK;
  *ret_legacy = encoding == PQ_BIT_PACKED;
  if (encoding == PQ_BIT_PACKED) {
    len = ((size_t)values * pq_level_width(max) + 7) / 8;
  } else if (encoding != PQ_RLE) {
    return wh_fail(err, WH_ERR_DATA, "its %s levels have the encoding %d (%s)", what, encoding,
                   pq_encoding_name(encoding));
  } else if (*left < LENGTH_BYTES) {
    return wh_fail(err, WH_ERR_DATA, "its %s levels go past its end", what);
  } else {
    len = pq_load32(*at);
    *at += LENGTH_BYTES;
    *left -= LENGTH_BYTES;
  }
  if (len > *left) return wh_fail(err, WH_ERR_DATA, "its %s levels go past its end", what);
  *ret = *at;
  *ret_len = len;
  *at += len;
  *left -= len;
  return WH_OK;
}

static wh_status body_first(pq_pages *p, const uint8_t *data, unsigned max_rep, unsigned max_def,
                            pq_body *ret, wh_error *err) {
  const pq_page_header *h = &p->header;
  size_t left = (size_t)h->uncompressed_size;
  const uint8_t *at;
  WH_TRY(decompress(p, data, (size_t)h->compressed_size, left, true, &at, err));
  if (h->type == PQ_DATA_PAGE) {
    WH_TRY(take_levels(&at, &left, h->data.repetition_encoding, h->data.values, max_rep,
                       "repetition", &ret->repetitions, &ret->repetition_bytes,
                       &ret->repetitions_legacy, err));
    WH_TRY(take_levels(&at, &left, h->data.definition_encoding, h->data.values, max_def,
                       "definition", &ret->definitions, &ret->definition_bytes,
                       &ret->definitions_legacy, err));
  }
  ret->values = at;
  ret->value_bytes = left;
  return WH_OK;
}

// Levels stand uncompressed in front of the values.
static wh_status body_second(pq_pages *p, const uint8_t *data, pq_body *ret, wh_error *err) {
  const pq_page_header *h = &p->header;
  int64_t reps = h->data2.repetition_bytes, defs = h->data2.definition_bytes;
  int64_t levels = reps + defs;
  if (reps < 0 || defs < 0 || levels > h->compressed_size || levels > h->uncompressed_size) {
    return wh_fail(err, WH_ERR_DATA, "its levels go past its end");
  }
  ret->repetitions = data;
  ret->repetition_bytes = (size_t)reps;
  ret->definitions = data + reps;
  ret->definition_bytes = (size_t)defs;
  bool compressed = !PQ_HAS(&h->data2, PQ_DATA2_COMPRESSED) || h->data2.compressed;
  ret->value_bytes = (size_t)(h->uncompressed_size - levels);
  return decompress(p, data + levels, (size_t)(h->compressed_size - levels), ret->value_bytes,
                    compressed, &ret->values, err);
}

// The body as it stands in the file. What is only decompressed from there does not stay, so that
// all columns can share the room for it; levels of the second version do.
static wh_status body_bytes(pq_pages *p, const uint8_t **ret, wh_error *err) {
  const pq_page_header *h = &p->header;
  size_t len = (size_t)h->compressed_size;
  bool in_window = p->body_at >= p->raw_from && p->body_at + len <= p->raw_from + p->raw_len;
  if (in_window || len <= p->window || p->compression == PQ_UNCOMPRESSED ||
      h->type == PQ_DATA_PAGE_V2) {
    return pq_pages_fetch(p, p->body_at, len, ret, err);
  }
  pq_shared_raw *raw = p->shared_raw;
  WH_TRY(pq_pages_grow(p->mem, &raw->data, &raw->cap, len + PQ_SLACK, 0, err));
  WH_TRY(p->in->read_at(p->in, p->body_at, raw->data, len, err));
  p->bytes_read += len;
  *ret = raw->data;
  return WH_OK;
}

wh_status pq_pages_body(pq_pages *pages, unsigned max_rep, unsigned max_def, pq_body *ret,
                        wh_error *err) {
  const pq_page_header *h = &pages->header;
  const uint8_t *data;
  *ret = (pq_body){0};
  WH_TRY(body_bytes(pages, &data, err));
  WH_TRY(check_crc(pages, data, (size_t)h->compressed_size, err));
  if (h->type == PQ_DATA_PAGE_V2) return body_second(pages, data, ret, err);
  return body_first(pages, data, max_rep, max_def, ret, err);
}
