#include "data/keybytes.h"

#define SIGN ((uint64_t)1 << 63)

bool wh_key_bytes_can(const wh_type *type) {
  return type->kind != WH_NULL && type->kind != WH_LIST && type->kind != WH_STRUCT;
}

int wh_key_bytes_compare(wh_str a, wh_str b) {
  size_t len = a.len < b.len ? a.len : b.len;
  int order = len ? memcmp(a.data, b.data, len) : 0;
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

// --- writing -------------------------------------------------------------------------------------

static bool add_word(wh_buf *out, uint64_t word) {
  uint64_t bytes = __builtin_bswap64(word);
  return wh_buf_add(out, &bytes, sizeof bytes);
}

static uint64_t float_word(double value) {
  uint64_t bits;
  if (value != value) return UINT64_MAX;
  if (value == 0) value = 0; // -0.0
  memcpy(&bits, &value, sizeof bits);
  return bits & SIGN ? ~bits : bits | SIGN;
}

static bool add_text(wh_buf *out, wh_str text) {
  while (text.len) {
    size_t len = wh_str_find(text, 0, '\0');
    if (len) wh_buf_add(out, text.data, len);
    if (len == text.len) break;
    wh_buf_add(out, "\0\xFF", 2);
    text = wh_str_sub(text, len + 1, text.len);
  }
  return wh_buf_add(out, "\0\0", 2);
}

bool wh_key_bytes_add(const wh_column *column, size_t row, wh_buf *out) {
  switch (column->type.kind) {
  case WH_BOOL:
    return wh_buf_add_char(out, wh_column_bool(column, row) ? 1 : 0);
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return add_word(out, wh_column_u64(column, row));
  case WH_FLOAT32:
  case WH_FLOAT64:
    return add_word(out, float_word(wh_column_f64(column, row)));
  case WH_DECIMAL: {
    unsigned __int128 value = (unsigned __int128)wh_column_decimal(column, row);
    add_word(out, (uint64_t)(value >> 64) ^ SIGN);
    return add_word(out, (uint64_t)value);
  }
  case WH_STRING:
  case WH_BINARY:
    return add_text(out, wh_column_text(column, row));
  default:
    return add_word(out, (uint64_t)wh_column_i64(column, row) ^ SIGN);
  }
}

// --- reading -------------------------------------------------------------------------------------

static wh_status fail(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "a key that was kept is damaged");
}

static wh_status take_word(wh_str *rest, uint64_t *ret, wh_error *err) {
  if (rest->len < sizeof *ret) return fail(err);
  memcpy(ret, rest->data, sizeof *ret);
  *ret = __builtin_bswap64(*ret);
  *rest = wh_str_sub(*rest, sizeof *ret, rest->len);
  return WH_OK;
}

static wh_status read_text(wh_column *column, wh_str *rest, wh_buf *scratch, wh_error *err) {
  wh_buf_clear(scratch);
  for (;;) {
    size_t len = wh_str_find(*rest, 0, '\0');
    if (len + 2 > rest->len) return fail(err);
    if (len) wh_buf_add(scratch, rest->data, len);
    char next = rest->data[len + 1];
    *rest = wh_str_sub(*rest, len + 2, rest->len);
    if (next == 0) break;
    if (next != '\xFF') return fail(err);
    wh_buf_add_char(scratch, 0);
  }
  WH_TRY(wh_buf_check(scratch, err));
  return wh_column_add_text(column, wh_buf_str(scratch), err);
}

static wh_status read_signed(wh_column *column, uint64_t word, wh_error *err) {
  int64_t value = (int64_t)(word ^ SIGN);
  size_t width = wh_kind_width(column->type.kind);
  if (width < sizeof value) {
    int64_t most = ((int64_t)1 << (8 * width - 1)) - 1;
    if (value > most || value < -most - 1) return fail(err);
  }
  return wh_column_add_i64(column, value, err);
}

static wh_status read_unsigned(wh_column *column, uint64_t word, wh_error *err) {
  size_t width = wh_kind_width(column->type.kind);
  if (width < sizeof word && word >> (8 * width)) return fail(err);
  return wh_column_add_u64(column, word, err);
}

static wh_status read_float(wh_column *column, uint64_t word, wh_error *err) {
  uint64_t bits = word == UINT64_MAX ? 0x7FF8000000000000u : word & SIGN ? word & ~SIGN : ~word;
  double value;
  memcpy(&value, &bits, sizeof value);
  return wh_column_add_f64(column, value, err);
}

static wh_status read_bool(wh_column *column, wh_str *rest, wh_error *err) {
  if (rest->len == 0 || (unsigned char)rest->data[0] > 1) return fail(err);
  bool value = rest->data[0] == 1;
  *rest = wh_str_sub(*rest, 1, rest->len);
  return wh_column_add_bool(column, value, err);
}

wh_status wh_key_bytes_read(wh_column *column, wh_str *rest, wh_buf *scratch, wh_error *err) {
  wh_kind kind = column->type.kind;
  if (wh_kind_is_text(kind)) return read_text(column, rest, scratch, err);
  if (kind == WH_BOOL) return read_bool(column, rest, err);
  uint64_t word = 0;
  WH_TRY(take_word(rest, &word, err));
  if (kind == WH_FLOAT32 || kind == WH_FLOAT64) return read_float(column, word, err);
  if (kind >= WH_UINT8 && kind <= WH_UINT64) return read_unsigned(column, word, err);
  if (kind != WH_DECIMAL) return read_signed(column, word, err);
  uint64_t low = 0;
  WH_TRY(take_word(rest, &low, err));
  unsigned __int128 value = (unsigned __int128)(word ^ SIGN) << 64 | low;
  return wh_column_add_decimal(column, (__int128)value, err);
}
