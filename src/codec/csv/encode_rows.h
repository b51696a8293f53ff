// The loops over rows. Compiled by encode_plain.c and encode_avx2.c, which include encode.h and
// define before:
//
//   ROWS        the name of the function
//   TARGET      its instruction set
//   BLOCK       bytes looked at in one step
//   block       so many bytes; load(p), store(p, b)
//   needles     what is looked for, of make_needles(e)
//   hits        where it was found: special(n, b) all of it; doubled(n, b) quotes and NULs
//   first(h)    the index of the first; within(h, len) those before len, at most BLOCK
//
// Text is copied while it is looked at. Most of it needs no quotes; where it does, it is written
// again.
#include "data/format.h"
#include "data/put.h"

#include <math.h>

#define INLINE static inline __attribute__((always_inline)) TARGET

// The last bytes of a text, fewer than a block; not what stands behind them, if that is not ours.
INLINE block load_last(const char *p, size_t len, const char *readable) {
  if (__builtin_expect((size_t)(readable - p) >= BLOCK, 1)) return load(p);
  char copy[BLOCK] = {0};
  if (len) memcpy(copy, p, len);
  return load(copy);
}

TARGET static char *put_quoted(csv_encode *e, const csv_cell *cell, const needles *n, wh_str text,
                               const char *readable, size_t row, char *out) {
  const char *p = text.data, *end = p + text.len;
  *out++ = e->quote;
  while (p < end) {
    size_t len = (size_t)(end - p) < BLOCK ? (size_t)(end - p) : BLOCK;
    block b = load_last(p, len, readable);
    store(out, b);
    hits h = within(doubled(n, b), len);
    if (h == 0) {
      out += len;
      p += len;
      continue;
    }
    unsigned at = first(h);
    if (p[at] == 0) return csv_refuse(e, cell, row);
    out += at;
    *out++ = e->quote;
    *out++ = e->quote;
    p += at + 1;
  }
  *out++ = e->quote;
  return out;
}

// Whether a text without special bytes has to be quoted all the same.
INLINE bool is_ambiguous(const csv_encode *e, const csv_cell *cell, wh_str text) {
  if (text.len == 0) return true;
  if (text.len == e->null_len && memcmp(text.data, e->null, text.len) == 0) return true;
  return cell->guard && (*text.data == '#' || *text.data == '\xEF');
}

INLINE char *put_text(csv_encode *e, const csv_cell *cell, const needles *n, wh_str text,
                      const char *readable, size_t row, char *out) {
  if (cell->quoted) return put_quoted(e, cell, n, text, readable, row, out);
  const char *p = text.data;
  hits h;
  if (text.len <= BLOCK) {
    block b = load_last(p, text.len, readable);
    store(out, b);
    h = within(special(n, b), text.len);
  } else {
    size_t at = 0;
    do {
      block b = load(p + at);
      store(out + at, b);
      h = special(n, b);
      at += BLOCK;
    } while (h == 0 && at + BLOCK <= text.len);
    if (h == 0) { // the last block overlaps the one before
      block b = load(p + text.len - BLOCK);
      store(out + text.len - BLOCK, b);
      h = special(n, b);
    }
  }
  if (__builtin_expect(h == 0, 1) && !is_ambiguous(e, cell, text)) return out + text.len;
  if (e->quoting == WH_CSV_QUOTE_NONE) return csv_put_bare(e, cell, text, row, out);
  return put_quoted(e, cell, n, text, readable, row, out);
}

INLINE char *put_float(const csv_encode *e, double value, bool narrow, char *out) {
  if (__builtin_expect(!isfinite(value), 0)) {
    size_t len = isnan(value) ? 3 : value < 0 ? 9 : 8;
    memcpy(out, isnan(value) ? "NaN      " : value < 0 ? "-Infinity" : "Infinity ", 9);
    return out + len;
  }
  size_t len = narrow ? wh_format_f32((float)value, out) : wh_format_f64(value, out);
  if (e->decimal != '.') {
    char *point = memchr(out, '.', len);
    if (point) *point = e->decimal;
  }
  return out + len;
}

INLINE char *put_decimal(const csv_encode *e, __int128 value, unsigned scale, char *out) {
  enum { WORD = 8 };
  uint64_t digits = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  bool fits = value == (__int128)(int64_t)value;
  if (__builtin_expect(!fits || scale > WORD, 0)) {
    size_t len = wh_format_decimal(value, (int)scale, out);
    if (scale) out[len - scale - 1] = e->decimal;
    return out + len;
  }
  *out = '-';
  out += value < 0;
  char *end = wh_put_u64(out, digits);
  if (scale == 0) return end;
  if ((size_t)(end - out) > scale) { // the places move behind the point
    memmove(end - scale + 1, end - scale, WORD);
    end[-(int)scale] = e->decimal;
    return end + 1;
  }
  uint64_t places = wh_digits8_((uint32_t)digits) | WH_ZEROS8_;
  out[0] = '0';
  out[1] = e->decimal;
  wh_put_word_(out + 2, places >> (WORD - scale) * 8);
  return out + 2 + scale;
}

#define VALUE(type)                                                                                \
  ({                                                                                               \
    type value_;                                                                                   \
    memcpy(&value_, c->values + row * sizeof value_, sizeof value_);                               \
    value_;                                                                                        \
  })

// NULL: it has no quick way.
INLINE char *put_scalar(const csv_encode *e, const csv_cell *c, size_t row, char *out) {
  switch (c->op) {
  case CSV_OP_BOOL:
    memcpy(out, wh_bit_get(c->values, row) ? "true\0\0\0" : "false\0\0", 8);
    return out + 5 - wh_bit_get(c->values, row);
  case CSV_OP_INT8:
    return wh_put_i64(out, VALUE(int8_t));
  case CSV_OP_INT16:
    return wh_put_i64(out, VALUE(int16_t));
  case CSV_OP_INT32:
    return wh_put_i64(out, VALUE(int32_t));
  case CSV_OP_INT64:
    return wh_put_i64(out, VALUE(int64_t));
  case CSV_OP_UINT8:
    return wh_put_u64(out, VALUE(uint8_t));
  case CSV_OP_UINT16:
    return wh_put_u64(out, VALUE(uint16_t));
  case CSV_OP_UINT32:
    return wh_put_u64(out, VALUE(uint32_t));
  case CSV_OP_UINT64:
    return wh_put_u64(out, VALUE(uint64_t));
  case CSV_OP_FLOAT32:
    return put_float(e, (double)VALUE(float), true, out);
  case CSV_OP_FLOAT64:
    return put_float(e, VALUE(double), false, out);
  case CSV_OP_DECIMAL:
    return put_decimal(e, VALUE(__int128), c->scale, out);
  case CSV_OP_DATE: {
    int32_t days = VALUE(int32_t);
    if (days < WH_PUT_FIRST_DAY || days > WH_PUT_LAST_DAY) return NULL;
    return wh_put_date(out, days);
  }
  case CSV_OP_TIME: {
    int64_t rest, value = VALUE(int64_t);
    return wh_put_days_(value, c->unit, &rest) ? NULL : wh_put_time(out, value, c->unit);
  }
  case CSV_OP_TIMESTAMP:
    return wh_put_timestamp(out, VALUE(int64_t), c->unit, c->zoned);
  default:
    return NULL;
  }
}

// A value that is not NULL.
INLINE char *put_value(csv_encode *e, const csv_cell *c, const needles *n, size_t row, char *out) {
  if (c->op == CSV_OP_TEXT) {
    int32_t at = c->offsets[row];
    // There are no bytes where all texts are empty.
    wh_str text = {(const char *)((uintptr_t)c->bytes + (uintptr_t)at),
                   (size_t)(c->offsets[row + 1] - at)};
    return put_text(e, c, n, text, c->bytes_end, row, out);
  }
  if (c->op == CSV_OP_ODD) return csv_put_odd(e, c, row, out);
  char *start = out;
  if (c->quoted) *out++ = e->quote;
  out = put_scalar(e, c, row, out);
  if (__builtin_expect(!out, 0)) return csv_put_odd(e, c, row, start);
  if (c->quoted) *out++ = e->quote;
  return out;
}

INLINE char *put_null(const csv_encode *e, char *out) {
  if (e->null_len) memcpy(out, e->null, sizeof e->null);
  return out + e->null_len;
}

TARGET bool ROWS(csv_encode *e, size_t from, size_t to) {
  const needles n = make_needles(e);
  const csv_cell *end = e->cells + e->count;
  char *out = e->out->data + e->out->len;
  for (size_t row = from; row < to; row++) {
    for (const csv_cell *c = e->cells; c < end; c++) {
      bool null = c->op == CSV_OP_NULL || (c->validity && !wh_bit_get(c->validity, row));
      out = null ? put_null(e, out) : put_value(e, c, &n, row, out);
      if (__builtin_expect(!out, 0)) return false;
      memcpy(out, &c->tail, sizeof c->tail);
      out += c->tail_len;
    }
  }
  e->out->len = (size_t)(out - e->out->data);
  *out = 0;
  return true;
}
