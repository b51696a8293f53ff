#include "codec/parquet/copy.h"
#include "codec/parquet/values.h"

enum { BLOCK = 1024, RUN_LEAST = 16, SHORT_TEXT = 16 };

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

// First where each ends, so that room is made once; then the bytes, of which short texts are
// copied by whole words: behind both buffers are bytes to spare (PQ_SLACK).
static wh_status gather_texts(const wh_column *values, const uint32_t *indices, size_t n,
                              wh_column *column, size_t at, wh_error *err) {
  int32_t *offsets = column->offsets + column->length + at;
  const int32_t *from = values->offsets;
  uint64_t end = (uint64_t)offsets[0];
  for (size_t i = 0; i < n; i++) {
    end += (uint64_t)(from[indices[i] + 1] - from[indices[i]]);
    offsets[i + 1] = (int32_t)end;
  }
  size_t have = (size_t)column->offsets[column->length];
  if (end > WH_BATCH_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "more than %d bytes of text in one column of a batch",
                   WH_BATCH_BYTES_MAX);
  }
  WH_TRY(pq_values_room(column, 0, end - have, err));
  for (size_t i = 0; i < n; i++) {
    uint8_t *to = column->bytes + offsets[i];
    const uint8_t *text = values->bytes + from[indices[i]];
    size_t len = (size_t)(offsets[i + 1] - offsets[i]);
    memcpy(to, text, SHORT_TEXT);
    if (len > SHORT_TEXT) memcpy(to, text, len);
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
      WH_TRY(gather_texts(&d->values, indices, n, column, done, err));
    else
      gather_fixed(&d->values, indices, n, column, done);
    if (d->misfits.first) WH_TRY(note_misfits(d, indices, n, done, misfits, err));
    done += n;
  }
  return WH_OK;
}
