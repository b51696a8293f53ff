#include "codec/parquet/page_stream.h"

#include "codec/parquet/snappy.h"

#include <zlib.h>

enum { WIDTH_MOST = 16, LENGTH_BYTES = 4, VARINT_BYTES = 5 };

static int32_t encoding_of(const pq_page_header *h) {
  return h->type == PQ_DATA_PAGE ? h->data.encoding : h->data2.encoding;
}

bool pq_stream_can(const pq_pages *pages, const pq_tree_node *node) {
  const pq_page_header *h = &pages->header;
  if (node->slot_rep || h->uncompressed_size <= PQ_STREAM_BLOCK + PQ_STREAM_PIECE) return false;
  if (pages->compression != PQ_SNAPPY && pages->compression != PQ_UNCOMPRESSED) return false;
  switch (encoding_of(h)) {
  case PQ_PLAIN:
    return node->element->type == PQ_BYTE_ARRAY ||
           (node->value_bytes > 0 && node->value_bytes <= WIDTH_MOST);
  case PQ_PLAIN_DICTIONARY:
  case PQ_RLE_DICTIONARY:
    return node->element->type != PQ_BOOLEAN;
  default:
    return false;
  }
}

static wh_status damaged(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "not all of it is snappy, or not of the length it says");
}

// Takes compressed bytes into the window, from where they were not used yet, and into the checksum.
static wh_status take_in(pq_pages *p, size_t want, const uint8_t **ret, size_t *ret_len,
                         wh_error *err) {
  pq_stream *s = &p->stream;
  uint64_t left = s->values_end - s->at;
  if (want > left) want = (size_t)left;
  WH_TRY(pq_pages_fetch(p, s->at, want, ret, err));
  size_t there = p->raw_len - (size_t)(*ret - p->raw);
  *ret_len = there < left ? there : (size_t)left;
  uint64_t end = s->at + *ret_len;
  if (PQ_HAS(&p->header, PQ_PAGE_CRC) && end > s->crc_at) {
    s->crc = (uint32_t)crc32_z(s->crc, *ret + (s->crc_at - s->at), (size_t)(end - s->crc_at));
    s->crc_at = end;
    if (end == s->crc_end && s->crc != (uint32_t)p->header.crc) {
      return wh_fail(err, WH_ERR_DATA, "its checksum is %08x, its header says %08x: it was changed",
                     s->crc, (uint32_t)p->header.crc);
    }
  }
  return WH_OK;
}

// All of it after all, from the start.
static wh_status unpack_whole(pq_pages *p, wh_error *err) {
  pq_stream *s = &p->stream;
  size_t len = (size_t)(s->values_end - s->values_at);
  const uint8_t *data;
  WH_TRY(pq_pages_fetch(p, s->values_at, len, &data, err));
  WH_TRY(pq_pages_grow(p->mem, &p->plain, &p->plain_cap, (size_t)s->total + PQ_SLACK, 0, err));
  WH_TRY(pq_decompress(p->decompressor, PQ_SNAPPY, data, len, p->plain, (size_t)s->total, err));
  memset(p->plain + s->total, 0, PQ_SLACK);
  s->at = s->values_end;
  s->made = s->total;
  s->len = (size_t)s->total;
  return WH_OK;
}

// Decompresses on, so that plain has up to `limit` bytes.
static wh_status unpack(pq_pages *p, size_t limit, wh_error *err) {
  pq_stream *s = &p->stream;
  if (limit - s->len > s->total - s->made) limit = s->len + (size_t)(s->total - s->made);
  for (size_t want = 1; s->len < limit;) {
    const uint8_t *data, *in;
    size_t there, before = s->len;
    WH_TRY(take_in(p, want, &data, &there, err));
    in = data;
    pq_unsnapped result = pq_unsnap_run(&s->unsnap, &in, data + there, p->plain, &s->len, limit);
    s->at += (uint64_t)(in - data);
    s->made += s->len - before;
    if (result == PQ_UNSNAP_FAR) return unpack_whole(p, err);
    if (result == PQ_UNSNAP_HUNGRY && s->at + (there - (size_t)(in - data)) == s->values_end)
      return damaged(err);
    want = (size_t)(data + there - in) + 1;
  }
  memset(p->plain + s->len, 0, PQ_SLACK);
  return s->made == s->total && s->at != s->values_end ? damaged(err) : WH_OK;
}

static wh_status more_compressed(pq_pages *p, const uint8_t *keep, size_t want,
                                 const uint8_t **ret_at, wh_error *err) {
  pq_stream *s = &p->stream;
  size_t from = (size_t)(keep - p->plain);
  if (s->len - from < want && s->made < s->total) {
    size_t block = (size_t)(s->made % PQ_STREAM_BLOCK); // that is not over
    size_t gone = s->len > block ? s->len - block : 0;
    if (from < gone) gone = from;
    uint64_t absolute = s->made - (s->len - from); // of `keep`
    size_t need = from - gone + want + PQ_STREAM_PIECE;
    if (need < p->plain_cap - PQ_SLACK) need = p->plain_cap - PQ_SLACK;
    memmove(p->plain, p->plain + gone, s->len - gone);
    s->len -= gone;
    WH_TRY(pq_pages_grow(p->mem, &p->plain, &p->plain_cap, need + PQ_SLACK, s->len, err));
    WH_TRY(unpack(p, p->plain_cap - PQ_SLACK, err));
    from = (size_t)(absolute - (s->made - s->len));
  }
  *ret_at = p->plain + from;
  return WH_OK;
}

wh_status pq_stream_more(pq_pages *pages, const uint8_t *keep, size_t want, const uint8_t **ret_at,
                         const uint8_t **ret_end, uint64_t *ret_left, wh_error *err) {
  pq_stream *s = &pages->stream;
  if (s->compressed) {
    WH_TRY(more_compressed(pages, keep, want, ret_at, err));
    *ret_end = pages->plain + s->len;
    *ret_left = s->total - s->made;
    return WH_OK;
  }
  size_t there;
  s->at = pages->raw_from + (uint64_t)(keep - pages->raw);
  WH_TRY(take_in(pages, want, ret_at, &there, err));
  *ret_end = *ret_at + there;
  *ret_left = s->values_end - s->at - there;
  return WH_OK;
}

// So many bytes from the front of the values' section, of which levels are part in the first
// version. They stay in a buffer of their own; *at moves behind them.
static wh_status take_levels(pq_pages *p, size_t len, const uint8_t **at, wh_error *err) {
  const uint8_t *end;
  uint64_t left;
  WH_TRY(pq_stream_more(p, *at, len, at, &end, &left, err));
  if (len > (size_t)(end - *at))
    return wh_fail(err, WH_ERR_DATA, "its definition levels go past its end");
  WH_TRY(pq_pages_grow(p->mem, &p->levels, &p->levels_cap, len + PQ_SLACK, 0, err));
  memcpy(p->levels, *at, len);
  memset(p->levels + len, 0, PQ_SLACK);
  *at += len;
  return WH_OK;
}

static wh_status levels_first(pq_pages *p, unsigned max_def, pq_body *ret, const uint8_t **at,
                              wh_error *err) {
  const pq_data_header *h = &p->header.data;
  size_t len = ((size_t)h->values * pq_level_width(max_def) + 7) / 8, head = 0;
  if (h->definition_encoding == PQ_RLE) {
    const uint8_t *end;
    uint64_t left;
    WH_TRY(pq_stream_more(p, *at, LENGTH_BYTES, at, &end, &left, err));
    if (end - *at < LENGTH_BYTES || pq_load32(*at) > (uint64_t)(end - *at) - LENGTH_BYTES + left)
      return wh_fail(err, WH_ERR_DATA, "its definition levels go past its end");
    len = pq_load32(*at);
    head = LENGTH_BYTES;
  } else if (h->definition_encoding != PQ_BIT_PACKED) {
    return wh_fail(err, WH_ERR_DATA, "its definition levels have the encoding %d (%s)",
                   h->definition_encoding, pq_encoding_name(h->definition_encoding));
  }
  WH_TRY(take_levels(p, head + len, at, err));
  ret->definitions = p->levels + head;
  ret->definition_bytes = len;
  ret->definitions_legacy = head == 0;
  return WH_OK;
}

// In the second version they stand in front of what is compressed.
static wh_status levels_second(pq_pages *p, pq_body *ret, uint64_t *at, wh_error *err) {
  const pq_data2_header *h = &p->header.data2;
  int64_t reps = h->repetition_bytes, defs = h->definition_bytes;
  if (reps < 0 || defs < 0 || reps + defs > p->header.compressed_size ||
      reps + defs > p->header.uncompressed_size) {
    return wh_fail(err, WH_ERR_DATA, "its levels go past its end");
  }
  size_t len = (size_t)(reps + defs), there;
  const uint8_t *data;
  p->stream.at = *at;
  WH_TRY(take_in(p, len, &data, &there, err));
  WH_TRY(pq_pages_grow(p->mem, &p->levels, &p->levels_cap, len + PQ_SLACK, 0, err));
  memcpy(p->levels, data, len);
  memset(p->levels + len, 0, PQ_SLACK);
  ret->definitions = p->levels + reps;
  ret->definition_bytes = (size_t)defs;
  *at += len;
  return WH_OK;
}

// Snappy says its length in front.
static wh_status begin_compressed(pq_pages *p, uint64_t total, wh_error *err) {
  pq_stream *s = &p->stream;
  const uint8_t *data;
  size_t there, said, head = 1;
  WH_TRY(take_in(p, VARINT_BYTES, &data, &there, err));
  if (!pq_snappy_length(data, there, &said) || said != total) return damaged(err);
  while (data[head - 1] & 0x80)
    head++;
  s->at += head;
  s->total = total;
  size_t cap = PQ_STREAM_BLOCK + PQ_STREAM_PIECE + PQ_SLACK;
  return pq_pages_grow(p->mem, &p->plain, &p->plain_cap, cap, 0, err);
}

static bool is_compressed(const pq_pages *p) {
  const pq_page_header *h = &p->header;
  if (p->compression == PQ_UNCOMPRESSED) return false;
  return h->type == PQ_DATA_PAGE || !PQ_HAS(&h->data2, PQ_DATA2_COMPRESSED) || h->data2.compressed;
}

wh_status pq_stream_begin(pq_pages *pages, unsigned max_def, pq_body *ret, wh_error *err) {
  const pq_page_header *h = &pages->header;
  uint64_t at = pages->body_at, end = at + (uint64_t)h->compressed_size, levels = 0;
  *ret = (pq_body){0};
  pages->stream = (pq_stream){.values_end = end, .at = at, .crc_at = at, .crc_end = end};
  if (h->type == PQ_DATA_PAGE_V2) {
    WH_TRY(levels_second(pages, ret, &at, err));
    levels = at - pages->body_at;
  }
  pages->stream.values_at = pages->stream.at = at;
  uint64_t total = (uint64_t)h->uncompressed_size - levels;
  pages->stream.compressed = is_compressed(pages);
  if (pages->stream.compressed)
    WH_TRY(begin_compressed(pages, total, err));
  else if (total != end - at)
    return wh_fail(err, WH_ERR_DATA, "it has %llu bytes, its header says %llu",
                   (unsigned long long)(end - at), (unsigned long long)total);
  const uint8_t *values = pages->plain, *stop;
  uint64_t left;
  if (!pages->stream.compressed) {
    size_t there;
    WH_TRY(take_in(pages, 1, &values, &there, err));
  }
  if (h->type == PQ_DATA_PAGE && max_def) WH_TRY(levels_first(pages, max_def, ret, &values, err));
  WH_TRY(pq_stream_more(pages, values, 1, &ret->values, &stop, &left, err));
  ret->value_bytes = (size_t)(stop - ret->values);
  ret->value_bytes_behind = left;
  return WH_OK;
}
