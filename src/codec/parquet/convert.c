#include "codec/parquet/convert.h"

#include "data/temporal.h"

// Runs `body` for each picked row: `i` counts, `at` is the row.
#define FOR_PICKED(picked, body)                                                                   \
  do {                                                                                             \
    if ((picked).positions) {                                                                      \
      for (size_t i = 0; i < (picked).count; i++) {                                                \
        size_t at = (picked).positions[i];                                                         \
        body                                                                                       \
      }                                                                                            \
    } else {                                                                                       \
      for (size_t i = 0; i < (picked).count; i++) {                                                \
        size_t at = (picked).from + i;                                                             \
        body                                                                                       \
      }                                                                                            \
    }                                                                                              \
  } while (0)

#define TAKE(picked, from_type, to_type)                                                           \
  do {                                                                                             \
    const from_type *in_ = (const from_type *)(const void *)column->values;                        \
    to_type *out_ = (to_type *)(void *)out;                                                        \
    FOR_PICKED(picked, out_[i] = (to_type)in_[at];);                                               \
  } while (0)

static void take_decimals(const pq_leaf *leaf, const wh_column *column, pq_picked picked,
                          uint8_t *out) {
  const __int128 *in = (const __int128 *)(const void *)column->values;
  if (leaf->physical == PQ_INT32) {
    TAKE(picked, __int128, int32_t);
  } else if (leaf->physical == PQ_INT64) {
    TAKE(picked, __int128, int64_t);
  } else {
    size_t width = leaf->width;
    FOR_PICKED(picked, {
      unsigned __int128 x = (unsigned __int128)in[at]; // big-endian in the file
      for (size_t k = width; k-- > 0; x >>= 8)
        out[i * width + k] = (uint8_t)x;
    });
  }
}

static wh_status take_times(const pq_leaf *leaf, const wh_column *column, pq_picked picked,
                            uint8_t *out, wh_error *err) {
  const int64_t *in = (const int64_t *)(const void *)column->values;
  bool narrow = leaf->physical == PQ_INT32;
  FOR_PICKED(picked, {
    int64_t x;
    if (__builtin_mul_overflow(in[at], leaf->factor, &x) || (narrow && x != (int32_t)x)) {
      return wh_fail(err, WH_ERR_TYPE,
                     "column '%.*s': %lld %s is more than Parquet's milliseconds can hold",
                     WH_STR_ARG(leaf->nodes[0].field->name), (long long)in[at],
                     leaf->factor == 1 ? "ms" : "s");
    }
    if (narrow)
      ((int32_t *)(void *)out)[i] = (int32_t)x;
    else
      ((int64_t *)(void *)out)[i] = x;
  });
  return WH_OK;
}

// Whether the column's own values can be shown as they stand.
static bool same_layout(const pq_leaf *leaf, const wh_column *column) {
  return leaf->physical != PQ_BOOLEAN && leaf->physical != PQ_FIXED && leaf->factor == 1 &&
         leaf->width == column->width && leaf->type->kind != WH_DECIMAL;
}

static wh_status convert_fixed(const pq_leaf *leaf, const wh_column *column, pq_picked picked,
                               uint8_t *out, wh_error *err) {
  switch (column->type.kind) {
  case WH_BOOL:
    FOR_PICKED(picked, out[i] = wh_bit_get(column->values, at););
    break;
  case WH_INT8:
    TAKE(picked, int8_t, int32_t);
    break;
  case WH_INT16:
    TAKE(picked, int16_t, int32_t);
    break;
  case WH_UINT8:
    TAKE(picked, uint8_t, int32_t);
    break;
  case WH_UINT16:
    TAKE(picked, uint16_t, int32_t);
    break;
  case WH_DECIMAL:
    take_decimals(leaf, column, picked, out);
    break;
  case WH_TIME:
  case WH_TIMESTAMP:
    if (!same_layout(leaf, column)) return take_times(leaf, column, picked, out, err);
    TAKE(picked, uint64_t, uint64_t);
    break;
  default:
    if (leaf->width == 4)
      TAKE(picked, uint32_t, uint32_t);
    else
      TAKE(picked, uint64_t, uint64_t);
  }
  return WH_OK;
}

// The texts of the picked rows stand one behind the other, because NULL rows are empty.
static wh_status convert_text(const wh_column *column, pq_picked picked, pq_store *offsets,
                              pq_store *bytes, pq_values *ret, wh_error *err) {
  size_t n = picked.count;
  static const int32_t none[1] = {0};
  ret->bytes = column->bytes ? column->bytes : (const uint8_t *)""; // where all are empty
  ret->offsets = none;
  if (n == 0) return WH_OK;
  if (!picked.positions) {
    ret->offsets = column->offsets + picked.from;
    return WH_OK;
  }
  offsets->len = 0;
  WH_TRY(pq_store_reserve(offsets, (n + 1) * sizeof(int32_t), err));
  int32_t *out = (int32_t *)(void *)offsets->data;
  bool gaps = false;
  for (size_t i = 0; i < n; i++) {
    size_t at = picked.positions[i];
    if (i && column->offsets[at] != out[i]) gaps = true;
    out[i] = column->offsets[at];
    out[i + 1] = column->offsets[at + 1];
    if (gaps) break;
  }
  ret->offsets = out;
  if (!gaps) return WH_OK;
  bytes->len = 0;
  for (size_t i = 0; i < n; i++) {
    wh_str text = wh_column_text(column, picked.positions[i]);
    out[i] = (int32_t)bytes->len;
    WH_TRY(pq_store_add(bytes, text.data, text.len, err));
  }
  out[n] = (int32_t)bytes->len;
  ret->bytes = bytes->data;
  return WH_OK;
}

wh_status pq_convert(const pq_leaf *leaf, const wh_column *column, pq_picked picked,
                     pq_store *fixed, pq_store *offsets, pq_store *bytes, pq_values *ret,
                     wh_error *err) {
  *ret = (pq_values){.count = picked.count};
  if (leaf->physical == PQ_BYTE_ARRAY)
    return convert_text(column, picked, offsets, bytes, ret, err);
  if (picked.count == 0) return WH_OK;
  if (!picked.positions && same_layout(leaf, column)) {
    ret->fixed = column->values + picked.from * leaf->width;
    return WH_OK;
  }
  fixed->len = 0;
  WH_TRY(pq_store_reserve(fixed, picked.count * leaf->width, err));
  ret->fixed = fixed->data;
  return convert_fixed(leaf, column, picked, fixed->data, err);
}
