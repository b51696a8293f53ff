#include "codec/parquet/page.h"

#include "codec/parquet/crc.h"
#include "codec/parquet/pack.h"

enum { LENGTH_BYTES = 4 };

// --- Levels --------------------------------------------------------------------------------------

// The hybrid with its length in front, as data pages of version 1 have it.
static wh_status put_levels(pq_store *page, const uint16_t *levels, size_t count, unsigned most,
                            wh_error *err) {
  unsigned width = pq_bit_width(most);
  WH_TRY(pq_store_reserve(page, LENGTH_BYTES + pq_rle_bound(count, width), err));
  uint8_t *out = page->data + page->len;
  uint32_t size = (uint32_t)pq_rle_encode(levels, count, width, out + LENGTH_BYTES);
  memcpy(out, &size, LENGTH_BYTES);
  page->len += LENGTH_BYTES + size;
  return WH_OK;
}

static wh_status put_validity(const pq_chunk *c, pq_store *page, wh_error *err) {
  WH_TRY(pq_store_reserve(page, LENGTH_BYTES + pq_rle_bound(c->levels, 1), err));
  uint8_t *out = page->data + page->len;
  const uint64_t *bits = (const uint64_t *)(const void *)c->bits.data;
  uint32_t size = (uint32_t)(c->has_bits ? pq_rle_encode_bits(bits, c->levels, out + LENGTH_BYTES)
                                         : pq_rle_encode_run(1, c->levels, 1, out + LENGTH_BYTES));
  memcpy(out, &size, LENGTH_BYTES);
  page->len += LENGTH_BYTES + size;
  return WH_OK;
}

static wh_status put_all_levels(const pq_chunk *c, pq_store *page, wh_error *err) {
  const pq_leaf *leaf = c->leaf;
  if (leaf->max_repetition)
    WH_TRY(put_levels(page, (const uint16_t *)(const void *)c->repetitions.data, c->levels,
                      leaf->max_repetition, err));
  if (leaf->max_definition == 0) return WH_OK;
  if (pq_leaf_is_flat(leaf)) return put_validity(c, page, err);
  return put_levels(page, (const uint16_t *)(const void *)c->definitions.data, c->levels,
                    leaf->max_definition, err);
}

// --- Values --------------------------------------------------------------------------------------

static void put_bools(const uint8_t *values, size_t count, uint8_t *out) {
  memset(out, 0, (count + 7) / 8);
  for (size_t i = 0; i < count; i++)
    out[i >> 3] = (uint8_t)(out[i >> 3] | values[i] << (i & 7));
}

static wh_status put_plain_texts(const pq_values *v, const int32_t *lengths, pq_store *page,
                                 size_t bytes, wh_error *err) {
  WH_TRY(pq_store_reserve(page, bytes + v->count * LENGTH_BYTES, err));
  uint8_t *out = page->data + page->len;
  const uint8_t *in = v->bytes;
  for (size_t i = 0; i < v->count; i++) {
    memcpy(out, &lengths[i], LENGTH_BYTES);
    pq_copy(out + LENGTH_BYTES, in, (size_t)lengths[i]);
    out += LENGTH_BYTES + lengths[i];
    in += lengths[i];
  }
  page->len += bytes + v->count * LENGTH_BYTES;
  return WH_OK;
}

static wh_status put_delta(const pq_leaf *leaf, const pq_values *v, pq_store *page, wh_error *err) {
  size_t width = leaf->width;
  WH_TRY(pq_store_reserve(page, pq_delta_bound(v->count, width), err));
  uint8_t *out = page->data + page->len;
  page->len += width == 4
                   ? pq_delta_encode_i32((const int32_t *)(const void *)v->fixed, v->count, out)
                   : pq_delta_encode_i64((const int64_t *)(const void *)v->fixed, v->count, out);
  return WH_OK;
}

static wh_status put_lengths(const pq_values *v, const int32_t *lengths, size_t bytes,
                             pq_store *page, wh_error *err) {
  WH_TRY(pq_store_reserve(page, pq_delta_bound(v->count, sizeof *lengths) + bytes, err));
  page->len += pq_delta_encode_i32(lengths, v->count, page->data + page->len);
  return pq_store_add(page, v->bytes, bytes, err);
}

wh_status pq_page_encode(const pq_chunk *c, pq_mode mode, const pq_values *v,
                         const int32_t *lengths, pq_store *page, wh_error *err) {
  const pq_leaf *leaf = c->leaf;
  size_t bytes = v->count * leaf->width;
  for (size_t i = 0; lengths && i < v->count; i++)
    bytes += (size_t)lengths[i];
  if (mode == PQ_MODE_DELTA) return put_delta(leaf, v, page, err);
  if (mode == PQ_MODE_LENGTH) return put_lengths(v, lengths, bytes, page, err);
  if (leaf->physical == PQ_BYTE_ARRAY) return put_plain_texts(v, lengths, page, bytes, err);
  if (leaf->physical == PQ_BOOLEAN) bytes = (v->count + 7) / 8;
  WH_TRY(pq_store_reserve(page, bytes, err));
  uint8_t *out = page->data + page->len;
  if (leaf->physical == PQ_BOOLEAN)
    put_bools(v->fixed, v->count, out);
  else if (mode == PQ_MODE_SPLIT)
    pq_split(v->fixed, v->count, leaf->width, out);
  else
    pq_copy(out, v->fixed, bytes);
  page->len += bytes;
  return WH_OK;
}

static wh_status put_indices(const pq_chunk *c, pq_store *page, wh_error *err) {
  unsigned width = pq_bit_width(c->dict.count ? c->dict.count - 1 : 0);
  WH_TRY(pq_store_reserve(page, 1 + pq_rle_bound(c->values, width), err));
  page->data[page->len++] = (uint8_t)width;
  page->len += pq_rle_encode((const uint16_t *)(const void *)c->indices.data, c->values, width,
                             page->data + page->len);
  return WH_OK;
}

static wh_status put_values(const pq_chunk *c, pq_store *page, wh_error *err) {
  if (c->mode == PQ_MODE_DICT) return put_indices(c, page, err);
  pq_values v = {.count = c->values, .fixed = pq_chunk_raw(c), .bytes = pq_chunk_raw(c)};
  const int32_t *lengths =
      c->leaf->physical == PQ_BYTE_ARRAY ? (const int32_t *)(const void *)c->lengths.data : NULL;
  return pq_page_encode(c, c->mode, &v, lengths, page, err);
}

// --- The range of a page -------------------------------------------------------------------------

static void range_of_used_texts(const pq_dict *dict, const uint8_t *used, pq_range *range) {
  uint64_t least = UINT64_MAX, most = 0; // nothing lies between
  for (size_t i = 0; i < dict->count; i++) {
    uint64_t head = pq_dict_head(dict, i);
    if (!used[i] || (head > least && head < most)) continue;
    pq_range_add_text(range, pq_dict_text(dict, i));
    pq_range_heads(range, &least, &most);
  }
}

// Of the dictionary's values, those that the page has.
static wh_status range_of_indices(const pq_chunk *c, pq_work *work, pq_range *range,
                                  wh_error *err) {
  const pq_leaf *leaf = c->leaf;
  work->packed.len = 0;
  WH_TRY(pq_store_reserve(&work->packed, c->dict.count, err));
  uint8_t *used = work->packed.data;
  memset(used, 0, c->dict.count);
  const uint16_t *indices = (const uint16_t *)(const void *)c->indices.data;
  for (size_t i = 0; i < c->values; i++)
    used[indices[i]] = 1;
  if (leaf->physical == PQ_BYTE_ARRAY) {
    range_of_used_texts(&c->dict, used, range);
    return WH_OK;
  }
  for (size_t i = 0; i < c->dict.count; i++) {
    if (!used[i]) continue;
    pq_values one = {.count = 1, .fixed = c->dict.values.data + i * leaf->width};
    pq_range_add(range, leaf, &one);
  }
  return WH_OK;
}

static wh_status range_of_texts(const pq_chunk *c, pq_work *work, pq_range *range, wh_error *err) {
  work->packed.len = 0;
  WH_TRY(pq_store_reserve(&work->packed, (c->values + 1) * sizeof(int32_t), err));
  int32_t *offsets = (int32_t *)(void *)work->packed.data;
  const int32_t *lengths = (const int32_t *)(const void *)c->lengths.data;
  offsets[0] = 0;
  for (size_t i = 0; i < c->values; i++)
    offsets[i + 1] = offsets[i] + lengths[i];
  pq_values v = {.count = c->values, .offsets = offsets, .bytes = pq_chunk_raw(c)};
  pq_range_add(range, c->leaf, &v);
  return WH_OK;
}

static wh_status range_of_page(const pq_chunk *c, pq_work *work, pq_range *range, wh_error *err) {
  if (c->values == 0) return WH_OK;
  if (c->mode == PQ_MODE_DICT) return range_of_indices(c, work, range, err);
  if (c->leaf->physical == PQ_BYTE_ARRAY) return range_of_texts(c, work, range, err);
  pq_range_add(range, c->leaf, &(pq_values){.count = c->values, .fixed = c->raw.data});
  return WH_OK;
}

// --- Pages ---------------------------------------------------------------------------------------

// Compresses work->page and puts the header in front, in a block of memory of its own.
static wh_status finish_page(pq_work *work, bool text, pq_page_header *header, uint8_t **ret,
                             uint32_t *ret_size, uint32_t *ret_header, wh_error *err) {
  pq_store *page = &work->page, *packed = &work->packed;
  if (page->len > PQ_COMPRESS_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a Parquet page would have %zu bytes; %d are the most",
                   page->len, PQ_COMPRESS_BYTES_MAX);
  }
  const uint8_t *body = page->data;
  size_t size = page->len;
  if (work->compression != PQ_UNCOMPRESSED) {
    packed->len = 0;
    WH_TRY(pq_store_reserve(packed, pq_compress_bound(work->compressor, page->len), err));
    WH_TRY(pq_compress(work->compressor, page->data, page->len, text, packed->data, &size, err));
    body = packed->data;
  }
  header->has |= PQ_PAGE_REQUIRED;
  header->uncompressed_size = (int32_t)page->len;
  header->compressed_size = (int32_t)size;
  if (work->crc) {
    header->has |= PQ_BIT(PQ_PAGE_CRC);
    header->crc = (int32_t)pq_crc32(body, size);
  }
  wh_buf_clear(&work->header);
  pq_thrift_write(&work->header, &pq_rule_page_header, header);
  WH_TRY(wh_buf_check(&work->header, err));
  uint8_t *data = wh_mem_alloc(work->mem, work->header.len + size);
  if (!data) return wh_fail_memory(err);
  memcpy(data, work->header.data, work->header.len);
  pq_copy(data + work->header.len, body, size);
  *ret = data;
  *ret_size = (uint32_t)(work->header.len + size);
  *ret_header = (uint32_t)work->header.len;
  return WH_OK;
}

static pq_encoding encoding_of(pq_mode mode) {
  static const pq_encoding encodings[] = {[PQ_MODE_DICT] = PQ_RLE_DICTIONARY,
                                          [PQ_MODE_PLAIN] = PQ_PLAIN,
                                          [PQ_MODE_DELTA] = PQ_DELTA_BINARY_PACKED,
                                          [PQ_MODE_SPLIT] = PQ_BYTE_STREAM_SPLIT,
                                          [PQ_MODE_LENGTH] = PQ_DELTA_LENGTH_BYTE_ARRAY};
  return encodings[mode];
}

static void count_page(pq_chunk_pages *out, const pq_leaf *leaf, const pq_page *page,
                       pq_encoding encoding) {
  out->page_count++;
  out->levels += page->levels;
  out->nulls += page->nulls;
  out->compressed += page->size;
  out->uncompressed += (int64_t)page->header + page->body;
  if (encoding == PQ_RLE_DICTIONARY) {
    out->dictionary_pages++;
  } else {
    out->other_pages++;
    out->other = encoding;
  }
  pq_range_merge(&out->range, leaf, &page->range);
}

wh_status pq_page_write(pq_chunk *c, pq_work *work, wh_error *err) {
  pq_chunk_pages *out = c->out;
  pq_encoding encoding = encoding_of(c->mode);
  WH_TRY(pq_store_reserve(&out->pages, sizeof(pq_page), err));
  pq_page page = {.levels = (uint32_t)c->levels,
                  .nulls = (uint32_t)(c->levels - c->values),
                  .first_row = c->first_row};
  WH_TRY(range_of_page(c, work, &page.range, err));
  work->page.len = 0;
  WH_TRY(put_all_levels(c, &work->page, err));
  WH_TRY(put_values(c, &work->page, err));
  pq_page_header header = {.has = PQ_BIT(PQ_PAGE_DATA),
                           .type = PQ_DATA_PAGE,
                           .data = {.has = PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3) | PQ_BIT(4),
                                    .values = (int32_t)c->levels,
                                    .encoding = (int32_t)encoding,
                                    .definition_encoding = PQ_RLE,
                                    .repetition_encoding = PQ_RLE}};
  page.body = (uint32_t)work->page.len;
  WH_TRY(finish_page(work, c->mode == PQ_MODE_LENGTH, &header, &page.data, &page.size, &page.header,
                     err));
  memcpy(out->pages.data + out->pages.len, &page, sizeof page);
  out->pages.len += sizeof page;
  count_page(out, c->leaf, &page, encoding);
  return WH_OK;
}

wh_status pq_page_write_dictionary(pq_chunk *c, pq_work *work, wh_error *err) {
  pq_page_header header = {.has = PQ_BIT(PQ_PAGE_DICTIONARY),
                           .type = PQ_DICTIONARY_PAGE,
                           .dictionary = {.has = PQ_BIT(1) | PQ_BIT(2),
                                          .values = (int32_t)c->dict.count,
                                          .encoding = PQ_PLAIN}};
  work->page.len = 0;
  WH_TRY(pq_store_add(&work->page, c->dict.values.data, c->dict.values.len, err));
  uint32_t head;
  WH_TRY(finish_page(work, c->leaf->physical == PQ_BYTE_ARRAY, &header, &c->out->dictionary,
                     &c->out->dictionary_size, &head, err));
  c->out->compressed += c->out->dictionary_size;
  c->out->uncompressed += (int64_t)head + (int64_t)work->page.len;
  return WH_OK;
}
