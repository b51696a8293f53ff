#include "codec/parquet/copy.h"
#include "codec/parquet/values.h"

enum { BLOCK = 1024, SHORT_TEXT = 16 };

// Indices below 2^31 that are all less than `count`. As a sum of sign bits, so that it can be
// done many at a time.
static bool all_below(const uint32_t *indices, size_t n, uint32_t count) {
  uint32_t over = 0;
  for (size_t i = 0; i < n; i++)
    over |= indices[i] | (count - 1 - indices[i]);
  return over >> 31 == 0;
}

#define GATHER(type)                                                                               \
  do {                                                                                             \
    const type *from = (const type *)(const void *)values->values;                                 \
    type *to = (type *)(void *)column->values + column->length + at;                               \
    for (size_t i = 0; i < n; i++)                                                                 \
      to[i] = from[indices[i]];                                                                    \
  } while (0)

static void gather_fixed(const wh_column *values, const uint32_t *indices, size_t n,
                         wh_column *column, size_t at) {
  switch (column->width) {
  case 1:
    GATHER(uint8_t);
    break;
  case 2:
    GATHER(uint16_t);
    break;
  case 4:
    GATHER(uint32_t);
    break;
  case 8:
    GATHER(uint64_t);
    break;
  default:
    GATHER(unsigned __int128);
    break;
  }
}

// Where the text of an index begins and ends.
static inline void bounds(const int32_t *offsets, uint32_t index, int32_t *from, size_t *len) {
  int32_t pair[2];
  memcpy(pair, offsets + index, sizeof pair);
  *from = pair[0];
  *len = (size_t)(pair[1] - pair[0]);
}

// Texts so short that room for the longest can be made for each: one pass, and each is copied as
// whole words, for behind both buffers are bytes to spare (PQ_SLACK).
static void gather_short(const wh_column *values, const uint32_t *indices, size_t n,
                         wh_column *column, size_t at) {
  int32_t *offsets = column->offsets + column->length + at;
  const int32_t *from_offsets = values->offsets;
  const uint8_t *from_bytes = values->bytes;
  uint8_t *bytes = column->bytes;
  size_t end = (size_t)offsets[0];
  for (size_t i = 0; i < n; i++) {
    int32_t from;
    size_t len;
    bounds(from_offsets, indices[i], &from, &len);
    memcpy(bytes + end, from_bytes + from, SHORT_TEXT);
    end += len;
    offsets[i + 1] = (int32_t)end;
  }
}

// First where each ends, so that room is made once; then the bytes.
static wh_status gather_texts(const pq_dictionary *d, const uint32_t *indices, size_t n,
                              wh_column *column, size_t at, wh_error *err) {
  const wh_column *values = &d->values;
  int32_t *offsets = column->offsets + column->length + at;
  size_t have = (size_t)column->offsets[column->length];
  uint64_t end = (uint64_t)offsets[0];
  if (d->max_text <= SHORT_TEXT) {
    WH_TRY(pq_values_room(column, 0, (size_t)end - have + n * SHORT_TEXT, err));
    gather_short(values, indices, n, column, at);
    return WH_OK;
  }
  for (size_t i = 0; i < n; i++) {
    int32_t from;
    size_t len;
    bounds(values->offsets, indices[i], &from, &len);
    end += len;
    offsets[i + 1] = (int32_t)end;
  }
  if (end > WH_BATCH_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "more than %d bytes of text in one column of a batch",
                   WH_BATCH_BYTES_MAX);
  }
  WH_TRY(pq_values_room(column, 0, (size_t)end - have, err));
  for (size_t i = 0; i < n; i++) {
    uint8_t *to = column->bytes + offsets[i];
    const uint8_t *text = values->bytes + values->offsets[indices[i]];
    size_t len = (size_t)(offsets[i + 1] - offsets[i]);
    memcpy(to, text, SHORT_TEXT);
    if (len > SHORT_TEXT) memcpy(to + SHORT_TEXT, text + SHORT_TEXT, len - SHORT_TEXT);
  }
  return WH_OK;
}

static wh_status note_misfits(const pq_dictionary *d, const uint32_t *indices, size_t n, size_t at,
                              pq_misfits *misfits, wh_error *err) {
  for (const pq_misfit *m = d->misfits.first; m; m = m->next) {
    for (size_t i = 0; i < n; i++)
      if (indices[i] == m->at) WH_TRY(pq_misfit_repeat(misfits, m, at + i, err));
  }
  return WH_OK;
}

static wh_status bad_index(const pq_page_values *v, const uint32_t *indices, size_t n,
                           wh_error *err) {
  size_t count = v->dictionary->values.length, i = 0;
  while (i + 1 < n && indices[i] < count)
    i++;
  return wh_fail(err, WH_ERR_DATA, "its dictionary index %u is beyond the dictionary of %zu",
                 indices[i], count);
}

wh_status pq_gather(pq_page_values *values, size_t count, wh_column *column, pq_misfits *misfits,
                    wh_error *err) {
  const pq_dictionary *d = values->dictionary;
  uint32_t indices[BLOCK];
  for (size_t done = 0; done < count;) {
    size_t n = count - done < BLOCK ? count - done : BLOCK;
    WH_TRY(pq_values_need_indices(values, n, err));
    size_t got = pq_rle_u32(&values->rle, indices, n);
    if (got < n) {
      values->given += done + got;
      return pq_values_short(values, err);
    }
    if (d->values.length == 0 || !all_below(indices, n, (uint32_t)d->values.length))
      return bad_index(values, indices, n, err);
    if (wh_kind_is_text(column->type.kind))
      WH_TRY(gather_texts(d, indices, n, column, done, err));
    else
      gather_fixed(&d->values, indices, n, column, done);
    if (values->codes) memcpy(values->codes + done, indices, n * sizeof *indices);
    if (d->misfits.first) WH_TRY(note_misfits(d, indices, n, done, misfits, err));
    done += n;
  }
  return WH_OK;
}
