#include "codec/parquet/values.h"

#include "codec/parquet/copy.h"

enum { STREAM_TEXT = 4096 };

wh_status pq_scratch_init(pq_scratch *scratch, wh_mem *mem, const pq_tree *tree, wh_error *err) {
  wh_type binary = wh_type_of(WH_BINARY);
  scratch->mem = mem;
  wh_column_init(&scratch->binary, mem, &binary);
  for (uint32_t i = 0; i < tree->leaf_count; i++) {
    size_t need = (size_t)tree->leaves[i]->value_bytes * pq_step(tree->leaves[i]) + PQ_SLACK;
    if (need > scratch->fixed_cap) scratch->fixed_cap = need;
  }
  scratch->fixed = wh_mem_alloc(mem, scratch->fixed_cap);
  return scratch->fixed ? WH_OK : wh_fail_memory(err);
}

void pq_scratch_free(pq_scratch *scratch) {
  if (scratch->fixed) wh_mem_free(scratch->mem, scratch->fixed, scratch->fixed_cap);
  wh_column_free(&scratch->binary);
  *scratch = (pq_scratch){0};
}

wh_status pq_values_short(const pq_page_values *values, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "its values end after %llu of them, or are damaged there",
                 (unsigned long long)values->given);
}

wh_status pq_values_room(wh_column *column, size_t count, size_t bytes, wh_error *err) {
  size_t extra = wh_kind_is_text(column->type.kind) ? bytes + PQ_SLACK : 0;
  return wh_column_grow(column, count, extra, err);
}

static wh_status wrong_encoding(const pq_page_values *v, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "%s values cannot have the encoding %d (%s)",
                 pq_type_name(v->leaf->element->type), (int)v->encoding,
                 pq_encoding_name((int32_t)v->encoding));
}

static wh_status begin_dictionary(pq_page_values *v, wh_error *err) {
  if (!v->dictionary) return wh_fail(err, WH_ERR_DATA, "it needs a dictionary, and there is none");
  if (v->leaf->element->type == PQ_BOOLEAN) return wrong_encoding(v, err);
  unsigned width = v->at < v->end ? *v->at : 0;
  if (width > PQ_INDEX_WIDTH_MAX) {
    return wh_fail(err, WH_ERR_DATA, "its dictionary indices have %u bits", width);
  }
  if (v->at < v->end) v->at++;
  pq_rle_init(&v->rle, v->cpu, v->at, (size_t)(v->end - v->at), width);
  v->max_text = v->dictionary->max_text;
  return WH_OK;
}

// Encodings.md: booleans carry their length in front in both kinds of pages.
static wh_status begin_rle(pq_page_values *v, wh_error *err) {
  if (v->leaf->element->type != PQ_BOOLEAN) return wrong_encoding(v, err);
  size_t there = (size_t)(v->end - v->at);
  if (there == 0) {
    pq_rle_init(&v->rle, v->cpu, v->at, 0, 1);
    return WH_OK;
  }
  if (there < 4 || pq_load32(v->at) > there - 4) {
    return wh_fail(err, WH_ERR_DATA, "the length of its booleans goes past its end");
  }
  pq_rle_init(&v->rle, v->cpu, v->at + 4, pq_load32(v->at), 1);
  return WH_OK;
}

static wh_status begin_delta(pq_page_values *v, wh_error *err) {
  int32_t type = v->leaf->element->type;
  if (type != PQ_INT32 && type != PQ_INT64) return wrong_encoding(v, err);
  if (v->at == v->end) return WH_OK;
  if (pq_delta_init(&v->delta, v->cpu, v->at, (size_t)(v->end - v->at))) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "the head of its delta encoding is damaged");
}

static wh_status begin_split(pq_page_values *v, wh_error *err) {
  size_t width = v->leaf->value_bytes, there = (size_t)(v->end - v->at);
  if (width == 0 || v->leaf->element->type == PQ_INT96) return wrong_encoding(v, err);
  if (there % width) {
    return wh_fail(err, WH_ERR_DATA, "its %zu bytes are no whole number of %zu byte values", there,
                   width);
  }
  v->stride = there / width;
  return WH_OK;
}

wh_status pq_values_begin(pq_page_values *values, const pq_tree_node *leaf, wh_cpu cpu,
                          int32_t encoding, const uint8_t *data, size_t len,
                          const pq_dictionary *dictionary, wh_buf *last, wh_error *err) {
  *values = (pq_page_values){.leaf = leaf,
                             .encoding = (pq_encoding)encoding,
                             .cpu = cpu,
                             .at = data,
                             .end = data + len,
                             .dictionary = dictionary,
                             .last = last};
  int32_t type = leaf->element->type;
  switch (values->encoding) {
  case PQ_PLAIN:
    // Bits, one a value, as one bit-packed run.
    if (type == PQ_BOOLEAN) {
      pq_rle_init(&values->rle, cpu, data, len, 1);
      values->rle.at = values->rle.end;
      values->rle.packed = data;
      values->rle.packed_bytes = len;
      values->rle.left = (uint64_t)len * 8;
    }
    return WH_OK;
  case PQ_PLAIN_DICTIONARY:
  case PQ_RLE_DICTIONARY:
    return begin_dictionary(values, err);
  case PQ_RLE:
    return begin_rle(values, err);
  case PQ_DELTA_BINARY_PACKED:
    return begin_delta(values, err);
  case PQ_DELTA_LENGTH_BYTE_ARRAY:
    return type == PQ_BYTE_ARRAY ? pq_texts_begin(values, err) : wrong_encoding(values, err);
  case PQ_DELTA_BYTE_ARRAY:
    return type == PQ_BYTE_ARRAY || type == PQ_FIXED ? pq_texts_begin(values, err)
                                                     : wrong_encoding(values, err);
  case PQ_BYTE_STREAM_SPLIT:
    return begin_split(values, err);
  default:
    return wrong_encoding(values, err);
  }
}

wh_status pq_values_begin_stream(pq_page_values *values, const pq_tree_node *leaf, wh_cpu cpu,
                                 int32_t encoding, const pq_body *body, pq_pages *pages,
                                 const pq_dictionary *dictionary, wh_error *err) {
  WH_TRY(pq_values_begin(values, leaf, cpu, encoding, body->values, body->value_bytes, dictionary,
                         NULL, err));
  values->pages = pages;
  values->behind = body->value_bytes_behind;
  values->rle.behind = values->behind;
  // A large page may have large texts anywhere: fewer at a time.
  if (encoding == PQ_PLAIN && leaf->element->type == PQ_BYTE_ARRAY) values->max_text = STREAM_TEXT;
  return WH_OK;
}

wh_status pq_values_more(pq_page_values *values, size_t bytes, wh_error *err) {
  return pq_stream_more(values->pages, values->at, bytes, &values->at, &values->end,
                        &values->behind, err);
}

wh_status pq_values_need_indices(pq_page_values *values, size_t count, wh_error *err) {
  pq_rle *rle = &values->rle;
  const uint8_t *keep = pq_rle_keep(rle);
  if (rle->behind == 0 || (size_t)(rle->end - keep) >= PQ_RLE_NEED(count)) return WH_OK;
  values->at = keep;
  WH_TRY(pq_values_more(values, PQ_RLE_NEED(count), err));
  pq_rle_moved(rle, values->at, values->end, values->behind);
  return WH_OK;
}

static void join_split(pq_page_values *v, size_t count, uint8_t *out) {
  size_t width = v->leaf->value_bytes;
  const uint8_t *from = v->at + v->given;
  if (width == 4) {
    for (size_t i = 0; i < count; i++)
      for (size_t b = 0; b < 4; b++)
        out[i * 4 + b] = from[b * v->stride + i];
  } else if (width == 8) {
    for (size_t i = 0; i < count; i++)
      for (size_t b = 0; b < 8; b++)
        out[i * 8 + b] = from[b * v->stride + i];
  } else {
    for (size_t b = 0; b < width; b++)
      for (size_t i = 0; i < count; i++)
        out[i * width + b] = from[b * v->stride + i];
  }
}

// Fixed-length values that were written as texts.
static wh_status fixed_from_texts(pq_page_values *v, size_t count, pq_scratch *s, wh_error *err) {
  wh_column *texts = &s->binary;
  size_t width = v->leaf->value_bytes;
  wh_column_reset(texts);
  WH_TRY(pq_texts_read(v, count, texts, err));
  for (size_t i = 0; i < count; i++) {
    if ((size_t)(texts->offsets[i + 1] - texts->offsets[i]) != width) {
      return wh_fail(err, WH_ERR_DATA, "a value has %d bytes where %zu are right",
                     texts->offsets[i + 1] - texts->offsets[i], width);
    }
  }
  if (count) pq_copy(s->fixed, texts->bytes, count * width);
  return WH_OK;
}

// Where the next `count` values of fixed width stand. They may be put at `out` meanwhile.
static wh_status fixed_values(pq_page_values *v, size_t count, uint8_t *out, pq_scratch *s,
                              const uint8_t **ret, wh_error *err) {
  size_t width = v->leaf->value_bytes, got = count;
  *ret = out;
  switch (v->encoding) {
  case PQ_PLAIN:
    WH_TRY(pq_values_need(v, count * width, err));
    if (count > (size_t)(v->end - v->at) / width) return pq_values_short(v, err);
    *ret = v->at;
    v->at += count * width;
    break;
  case PQ_DELTA_BINARY_PACKED:
    got = width == 4 ? pq_delta_u32(&v->delta, (uint32_t *)(void *)out, count)
                     : pq_delta_u64(&v->delta, (uint64_t *)(void *)out, count);
    break;
  case PQ_BYTE_STREAM_SPLIT:
    if (count > v->stride - v->given) return pq_values_short(v, err);
    join_split(v, count, out);
    break;
  default:
    *ret = s->fixed;
    return fixed_from_texts(v, count, s, err);
  }
  if (got < count) {
    v->given += got;
    return pq_values_short(v, err);
  }
  return WH_OK;
}

static wh_status read_fixed(pq_page_values *v, size_t count, wh_column *column, pq_scratch *s,
                            pq_misfits *misfits, wh_error *err) {
  const uint8_t *from;
  size_t width = v->leaf->value_bytes;
  if (v->leaf->convert != PQ_AS_IS) {
    WH_TRY(fixed_values(v, count, s->fixed, s, &from, err));
    return pq_convert_fixed(v->leaf, from, count, column, misfits, err);
  }
  uint8_t *to = column->values + column->length * width;
  WH_TRY(fixed_values(v, count, to, s, &from, err));
  if (from != to) pq_copy(to, from, count * width);
  return WH_OK;
}

static wh_status read_bits(pq_page_values *v, size_t count, wh_column *column, wh_error *err) {
  size_t got = pq_rle_bits(&v->rle, column->values, column->length, count);
  if (got == count) return WH_OK;
  v->given += got;
  return pq_values_short(v, err);
}

static wh_status read_texts(pq_page_values *v, size_t count, wh_column *column, pq_scratch *s,
                            pq_misfits *misfits, wh_error *err) {
  if (v->leaf->convert == PQ_DECIMAL) {
    wh_column_reset(&s->binary);
    WH_TRY(pq_texts_read(v, count, &s->binary, err));
    return pq_convert_texts(v->leaf, &s->binary, count, column, misfits, err);
  }
  WH_TRY(pq_texts_read(v, count, column, err));
  return v->leaf->convert == PQ_TEXT ? pq_check_utf8(column, count, misfits, err) : WH_OK;
}

bool pq_through_dictionary(const pq_page_values *v) {
  return v->encoding == PQ_RLE_DICTIONARY || v->encoding == PQ_PLAIN_DICTIONARY;
}

wh_status pq_values_read(pq_page_values *values, size_t count, wh_column *column,
                         pq_scratch *scratch, pq_misfits *misfits, wh_error *err) {
  if (count == 0) return WH_OK;
  if (values->leaf->convert == PQ_NOTHING) {
    return wh_fail(err, WH_ERR_DATA, "its type says that all is NULL, and it has values");
  }
  WH_TRY(pq_values_room(column, count, 0, err));
  wh_status status;
  if (pq_through_dictionary(values))
    status = pq_gather(values, count, column, misfits, err);
  else if (values->leaf->convert == PQ_BIT)
    status = read_bits(values, count, column, err);
  else if (values->leaf->element->type == PQ_BYTE_ARRAY)
    status = read_texts(values, count, column, scratch, misfits, err);
  else
    status = read_fixed(values, count, column, scratch, misfits, err);
  if (status == WH_OK) values->given += count;
  return status;
}

static wh_status skip_fixed(pq_page_values *v, size_t count, pq_scratch *s, wh_error *err) {
  const uint8_t *from;
  size_t width = v->leaf->value_bytes;
  if (v->encoding == PQ_BYTE_STREAM_SPLIT) {
    return count > v->stride - v->given ? pq_values_short(v, err) : WH_OK;
  }
  if (v->encoding != PQ_DELTA_BINARY_PACKED) return fixed_values(v, count, s->fixed, s, &from, err);
  size_t got =
      width == 4 ? pq_delta_u32(&v->delta, NULL, count) : pq_delta_u64(&v->delta, NULL, count);
  return got == count ? WH_OK : pq_values_short(v, err);
}

wh_status pq_values_skip(pq_page_values *values, size_t count, pq_scratch *scratch, wh_error *err) {
  if (count == 0) return WH_OK;
  wh_status status = WH_OK;
  if (pq_through_dictionary(values)) WH_TRY(pq_values_need_indices(values, count, err));
  if (pq_through_dictionary(values) || values->leaf->convert == PQ_BIT) {
    if (pq_rle_skip(&values->rle, count) < count) status = pq_values_short(values, err);
  } else if (values->leaf->element->type == PQ_BYTE_ARRAY) {
    status = pq_texts_skip(values, count, err);
  } else {
    status = skip_fixed(values, count, scratch, err);
  }
  if (status == WH_OK) values->given += count;
  return status;
}
