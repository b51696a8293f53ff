#include "step/rowbytes.h"

#include <math.h>

static bool add_size(wh_buf *out, size_t size) {
  uint32_t small = (uint32_t)size;
  return wh_buf_add(out, &small, sizeof small);
}

static bool add_float(const wh_column *column, size_t row, wh_buf *out) {
  double value = wh_column_f64(column, row);
  if (value == 0) value = 0.0;
  if (isnan(value)) value = (double)NAN;
  return wh_buf_add(out, &value, sizeof value);
}

static bool add_list(const wh_column *column, size_t row, bool canonical, wh_buf *out) {
  int32_t from = column->offsets[row], to = column->offsets[row + 1];
  bool ok = add_size(out, (size_t)(to - from));
  for (int32_t i = from; ok && i < to; i++)
    ok = wh_row_bytes_add(&column->children[0], (size_t)i, canonical, out);
  return ok;
}

bool wh_row_bytes_add(const wh_column *column, size_t row, bool canonical, wh_buf *out) {
  if (wh_column_is_null(column, row)) return wh_buf_add_char(out, 0);
  if (!wh_buf_add_char(out, 1)) return false;
  bool ok = true;
  switch (column->type.kind) {
  case WH_BOOL:
    return wh_buf_add_char(out, (char)wh_column_bool(column, row));
  case WH_STRING:
  case WH_BINARY: {
    wh_str text = wh_column_text(column, row);
    return add_size(out, text.len) && wh_buf_add_str(out, text);
  }
  case WH_LIST:
    return add_list(column, row, canonical, out);
  case WH_STRUCT:
    for (size_t i = 0; ok && i < column->child_count; i++)
      ok = wh_row_bytes_add(&column->children[i], row, canonical, out);
    return ok;
  case WH_FLOAT32:
  case WH_FLOAT64:
    if (canonical) return add_float(column, row, out);
    [[fallthrough]];
  default:
    return wh_buf_add(out, column->values + row * column->width, column->width);
  }
}

static bool take(wh_str *rest, size_t size, const char **ret) {
  if (rest->len < size) return false;
  *ret = rest->data;
  *rest = wh_str_sub(*rest, size, rest->len);
  return true;
}

static bool take_size(wh_str *rest, size_t *ret) {
  uint32_t size;
  const char *at;
  if (!take(rest, sizeof size, &at)) return false;
  memcpy(&size, at, sizeof size);
  *ret = size;
  return true;
}

static wh_status torn(wh_error *err) {
  return wh_fail(err, WH_ERR_BUG, "a row that was held back cannot be read again");
}

static wh_status read_fixed(wh_column *column, wh_str *rest, wh_error *err) {
  const char *at;
  union {
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    __int128 i128;
  } v = {.i128 = 0};
  if (!take(rest, column->width, &at)) return torn(err);
  memcpy(&v, at, column->width);
  switch (column->type.kind) {
  case WH_INT8:
    return wh_column_add_i64(column, v.i8, err);
  case WH_INT16:
    return wh_column_add_i64(column, v.i16, err);
  case WH_INT32:
  case WH_DATE:
    return wh_column_add_i64(column, v.i32, err);
  case WH_FLOAT32:
    return wh_column_add_f64(column, (double)v.f32, err);
  case WH_FLOAT64:
    return wh_column_add_f64(column, v.f64, err);
  case WH_DECIMAL:
    return wh_column_add_decimal(column, v.i128, err);
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return wh_column_add_u64(column, v.u64, err); // the bytes above are zero
  default:
    return wh_column_add_i64(column, v.i64, err);
  }
}

static wh_status read_text(wh_column *column, wh_str *rest, wh_error *err) {
  size_t size;
  const char *at;
  if (!take_size(rest, &size) || !take(rest, size, &at)) return torn(err);
  return wh_column_add_text(column, wh_str_n(at, size), err);
}

static wh_status read_list(wh_column *column, wh_str *rest, wh_error *err) {
  size_t count;
  if (!take_size(rest, &count)) return torn(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(wh_row_bytes_read(&column->children[0], rest, err));
  return wh_column_add_list(column, err);
}

wh_status wh_row_bytes_read(wh_column *column, wh_str *rest, wh_error *err) {
  const char *head;
  if (!take(rest, 1, &head)) return torn(err);
  if (*head == 0) return wh_column_add_null(column, err);
  switch (column->type.kind) {
  case WH_NULL:
    return torn(err);
  case WH_BOOL:
    if (!take(rest, 1, &head)) return torn(err);
    return wh_column_add_bool(column, *head != 0, err);
  case WH_STRING:
  case WH_BINARY:
    return read_text(column, rest, err);
  case WH_LIST:
    return read_list(column, rest, err);
  case WH_STRUCT:
    for (size_t i = 0; i < column->child_count; i++)
      WH_TRY(wh_row_bytes_read(&column->children[i], rest, err));
    return wh_column_add_struct(column, err);
  default:
    return read_fixed(column, rest, err);
  }
}
