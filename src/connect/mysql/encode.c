#include "connect/mysql/encode.h"

#include "data/format.h"
#include "data/put.h"
#include "data/temporal.h"

#include <math.h>

static_assert(WH_MYSQL_FIXED_ROOM >= (int)WH_FORMAT_DECIMAL_MAX &&
                  WH_MYSQL_FIXED_ROOM >= (int)WH_PUT_TIMESTAMP_ROOM,
              "room for every number and time");

// --- Text ----------------------------------------------------------------------------------------

// What stands behind a backslash instead of the byte; 0: the byte stands for itself.
static char escape_of(char c) {
  switch (c) {
  case '\\':
    return '\\';
  case '\t':
    return 't';
  case '\n':
    return 'n';
  case 0:
    return '0';
  default:
    return 0;
  }
}

static bool is_special(char c) {
  return c == '\\' || c == '\t' || c == '\n' || c == 0;
}

static void add_escaped(wh_buf *out, wh_str text) {
  size_t from = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!is_special(text.data[i])) continue;
    wh_buf_add(out, text.data + from, i - from);
    wh_buf_add_char(out, '\\');
    wh_buf_add_char(out, escape_of(text.data[i]));
    from = i + 1;
  }
  wh_buf_add(out, text.data + from, text.len - from);
}

static void add_text(wh_buf *out, wh_str text, wh_mysql_form form) {
  if (form == WH_MYSQL_FORM_LOAD)
    add_escaped(out, text);
  else
    wh_buf_add_str(out, text);
}

static wh_status add_json(const wh_column *values, size_t row, wh_mysql_form form, wh_buf *out,
                          wh_error *err) {
  if (form == WH_MYSQL_FORM_PARAM) {
    wh_column_write_json(values, row, out);
    return wh_buf_check(out, err);
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, out->mem, 0);
  wh_column_write_json(values, row, &text);
  WH_TRY(wh_buf_check(&text, err));
  add_escaped(out, wh_buf_str(&text));
  return wh_buf_check(out, err);
}

// --- Numbers and times ---------------------------------------------------------------------------

static char *put_whole(char *at, const wh_column *values, size_t row, wh_mysql_native native) {
  if (values->type.kind == WH_UINT64) return wh_put_u64(at, wh_column_u64(values, row));
  int64_t value = wh_column_i64(values, row);
  // A year of one or two digits would be one of this century or the last.
  if (native == WH_MYSQL_YEAR)
    return at + snprintf(at, WH_MYSQL_FIXED_ROOM, "%04lld", (long long)value);
  return wh_put_i64(at, value);
}

// Out of the years that the servers know, the text is one that they refuse.
static char *put_days(char *at, int64_t days) {
  if (days >= WH_PUT_FIRST_DAY && days <= WH_PUT_LAST_DAY) return wh_put_date(at, (int32_t)days);
  memcpy(at, "out of range", 12);
  return at + 12;
}

static char *put_timestamp(char *at, int64_t value, wh_unit unit) {
  char *end = wh_put_timestamp(at, value, unit, false);
  if (end) return end;
  memcpy(at, "out of range", 12);
  return at + 12;
}

// What is no number is refused before; the server would refuse the word.
static char *put_float(char *at, double value) {
  if (isfinite(value)) return at + wh_format_f64_bare(value, at);
  memcpy(at, "no number", 9);
  return at + 9;
}

// A float is written as the double that it is: the server reads a double and rounds.
static char *put_value(char *at, const wh_column *values, size_t row, wh_mysql_native native) {
  switch (values->type.kind) {
  case WH_BOOL:
    *at = (char)('0' + wh_column_bool(values, row));
    return at + 1;
  case WH_FLOAT32:
  case WH_FLOAT64:
    return put_float(at, wh_column_f64(values, row));
  case WH_DECIMAL:
    return at + wh_format_decimal(wh_column_decimal(values, row), values->type.scale, at);
  case WH_DATE:
    return put_days(at, wh_column_i64(values, row));
  case WH_TIME:
    return wh_put_time(at, wh_column_i64(values, row), values->type.unit);
  case WH_TIMESTAMP:
    return put_timestamp(at, wh_column_i64(values, row), values->type.unit);
  default:
    return put_whole(at, values, row, native);
  }
}

size_t wh_mysql_put_fixed(const wh_column *values, size_t row, wh_mysql_native native, char *out) {
  return (size_t)(put_value(out, values, row, native) - out);
}

wh_status wh_mysql_encode(const wh_column *values, size_t row, const wh_sql_column *column,
                          wh_mysql_form form, wh_buf *out, wh_error *err) {
  switch (values->type.kind) {
  case WH_STRING:
    add_text(out, wh_column_text(values, row), form);
    return wh_buf_check(out, err);
  case WH_BINARY: {
    wh_str bytes = wh_column_text(values, row);
    if (form == WH_MYSQL_FORM_LOAD)
      wh_buf_add_hex(out, bytes.data, bytes.len);
    else
      wh_buf_add_str(out, bytes);
    return wh_buf_check(out, err);
  }
  case WH_LIST:
  case WH_STRUCT:
    return add_json(values, row, form, out, err);
  default:
    break;
  }
  if (!wh_buf_reserve(out, WH_MYSQL_FIXED_ROOM)) return wh_buf_check(out, err);
  out->len += wh_mysql_put_fixed(values, row, wh_mysql_native_of(column), out->data + out->len);
  out->data[out->len] = 0;
  return WH_OK;
}

bool wh_mysql_add_converted(const wh_type *type, const wh_sql_column *column, wh_mysql_form form,
                            wh_str value, wh_buf *out, bool *ret_needed) {
  bool is_hex = form == WH_MYSQL_FORM_LOAD && wh_mysql_is_bytes(type);
  wh_mysql_native native = wh_mysql_native_of(column);
  *ret_needed = is_hex || native == WH_MYSQL_GEOMETRY || native == WH_MYSQL_BIT;
  if (native == WH_MYSQL_BIT)
    return wh_buf_printf(out, "CAST(%.*s AS UNSIGNED)", WH_STR_ARG(value));
  if (native == WH_MYSQL_GEOMETRY) wh_buf_add_c(out, "ST_GeomFromWKB(");
  wh_buf_printf(out, is_hex ? "UNHEX(%.*s)" : "%.*s", WH_STR_ARG(value));
  return native == WH_MYSQL_GEOMETRY ? wh_buf_add_char(out, ')') : !out->failed;
}
