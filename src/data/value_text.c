// Values as text, and back.
#include "data/base64.h"
#include "data/number.h"
#include "data/temporal.h"
#include "data/value.h"

#include <math.h>

bool wh_value_write(const wh_value *value, wh_buf *out) {
  if (value->is_null) return wh_buf_add_c(out, "null");
  const wh_type *type = &value->type;
  switch (type->kind) {
  case WH_BOOL:
    return wh_buf_add_c(out, value->as.b ? "true" : "false");
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return wh_buf_add_u64(out, value->as.u);
  case WH_FLOAT32:
    return wh_f32_write((float)value->as.f, out);
  case WH_FLOAT64:
    return wh_f64_write(value->as.f, out);
  case WH_DECIMAL:
    return wh_decimal_write(value->as.d, type->scale, out);
  case WH_DATE:
    return wh_iso_write_date(value->as.i, out);
  case WH_TIME:
    return wh_iso_write_time(value->as.i, type->unit, out);
  case WH_TIMESTAMP:
    return wh_iso_write_timestamp(value->as.i, type->unit, type->zoned, out);
  case WH_STRING:
    return wh_buf_add_str(out, value->as.s);
  case WH_BINARY:
    return wh_base64_write(value->as.s, out);
  default:
    return wh_buf_add_i64(out, value->as.i);
  }
}

bool wh_column_write(const wh_column *column, size_t row, wh_buf *out) {
  wh_value value;
  if (wh_value_get(column, row, &value, NULL) == WH_OK) return wh_value_write(&value, out);
  return wh_column_write_json(column, row, out);
}

static bool write_list(const wh_column *column, size_t row, wh_buf *out) {
  bool ok = wh_buf_add_char(out, '[');
  for (int32_t i = column->offsets[row]; ok && i < column->offsets[row + 1]; i++) {
    ok = (i == column->offsets[row] || wh_buf_add_char(out, ',')) &&
         wh_column_write_json(&column->children[0], (size_t)i, out);
  }
  return ok && wh_buf_add_char(out, ']');
}

static bool write_struct(const wh_column *column, size_t row, wh_buf *out) {
  bool ok = wh_buf_add_char(out, '{');
  for (size_t i = 0; ok && i < column->child_count; i++) {
    ok = (i == 0 || wh_buf_add_char(out, ',')) &&
         wh_buf_add_json(out, column->type.fields[i].name) && wh_buf_add_char(out, ':') &&
         wh_column_write_json(&column->children[i], row, out);
  }
  return ok && wh_buf_add_char(out, '}');
}

// Whether readers of JSON that only have doubles keep it.
static bool is_plain_json(const wh_value *value) {
  switch (value->type.kind) {
  case WH_FLOAT32:
  case WH_FLOAT64:
    return isfinite(value->as.f);
  case WH_DECIMAL:
    return value->type.scale == 0 && value->as.d <= (__int128)1 << 53 &&
           value->as.d >= -((__int128)1 << 53);
  default:
    return value->type.kind <= WH_UINT64;
  }
}

bool wh_column_write_json(const wh_column *column, size_t row, wh_buf *out) {
  if (wh_column_is_null(column, row)) return wh_buf_add_c(out, "null");
  if (column->type.kind == WH_LIST) return write_list(column, row, out);
  if (column->type.kind == WH_STRUCT) return write_struct(column, row, out);
  wh_value value;
  if (wh_value_get(column, row, &value, NULL) != WH_OK) return false;
  if (is_plain_json(&value)) return wh_value_write(&value, out);
  if (value.type.kind == WH_STRING) return wh_buf_add_json(out, value.as.s);
  return wh_buf_add_char(out, '"') && wh_value_write(&value, out) && wh_buf_add_char(out, '"');
}

// Text in messages: one line, not too long.
enum { SHOWN_MAX = 60 };
#define SHOWN(text)                                                                                \
  WH_STR_ARG(wh_str_sub((text), 0, wh_utf8_cut((text), SHOWN_MAX))),                               \
      (text).len > SHOWN_MAX ? "..." : ""

static wh_status parse_int(wh_str text, const wh_type *type, wh_value *ret, wh_error *err) {
  __int128 least, most, value;
  wh_int_range(type->kind, &least, &most);
  int64_t plain;
  wh_number number;
  wh_fit fit = WH_FIT_OK;
  if (wh_str_to_i64(text, &plain))
    value = plain;
  else if (!wh_number_parse(text, &number)) {
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a whole number", SHOWN(text));
  } else {
    fit = wh_number_to_decimal(&number, WH_DECIMAL_DIGITS_MAX, 0, &value);
  }
  if (fit == WH_FIT_PLACES)
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a whole number", SHOWN(text));
  if (fit == WH_FIT_RANGE || value < least || value > most) {
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is out of the range of %s%d (%lld to %llu)",
                   SHOWN(text), least ? "int" : "uint", 8 * (int)wh_kind_width(type->kind),
                   (long long)least, (unsigned long long)most);
  }
  if (least)
    ret->as.i = (int64_t)value;
  else
    ret->as.u = (uint64_t)value;
  return WH_OK;
}

static wh_status parse_float(wh_str text, const wh_type *type, wh_value *ret, wh_error *err) {
  float narrow;
  bool ok = type->kind == WH_FLOAT64 ? wh_f64_parse(text, &ret->as.f) : wh_f32_parse(text, &narrow);
  if (ok && type->kind == WH_FLOAT32) ret->as.f = (double)narrow;
  if (ok) return WH_OK;
  wh_number number;
  if (!wh_number_parse(text, &number))
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a number", SHOWN(text));
  return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is too large or has too many digits for %s",
                 SHOWN(text), type->kind == WH_FLOAT64 ? "float64" : "float32");
}

static wh_status parse_decimal(wh_str text, const wh_type *type, wh_value *ret, wh_error *err) {
  wh_number number;
  if (!wh_number_parse(text, &number))
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a number", SHOWN(text));
  switch (wh_number_to_decimal(&number, type->precision, type->scale, &ret->as.d)) {
  case WH_FIT_OK:
    return WH_OK;
  case WH_FIT_PLACES:
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' has %d decimal places, decimal(%d,%d) keeps %d",
                   SHOWN(text), -number.exponent, type->precision, type->scale, type->scale);
  case WH_FIT_RANGE:
    break;
  }
  return wh_fail(err, WH_ERR_TYPE,
                 "'%.*s%s' has more than the %d digits before the point that decimal(%d,%d) keeps",
                 SHOWN(text), type->precision - type->scale, type->precision, type->scale);
}

static const char *unit_name(wh_unit unit) {
  static const char *const names[] = {"seconds", "milliseconds", "microseconds", "nanoseconds"};
  return names[unit];
}

static wh_status parse_date(wh_str text, wh_value *ret, wh_error *err) {
  wh_iso iso;
  if (!wh_iso_parse(text, &iso) || !iso.has_date || iso.has_time)
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a date (2026-11-21)", SHOWN(text));
  int64_t days = wh_days_from_civil(iso.civil.year, iso.civil.month, iso.civil.day);
  if (days != (int32_t)days)
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is out of the range of date", SHOWN(text));
  ret->as.i = days;
  return WH_OK;
}

static wh_status parse_time(wh_str text, const wh_type *type, wh_value *ret, wh_error *err) {
  wh_iso iso;
  if (!wh_iso_parse(text, &iso) || iso.has_date || iso.has_zone)
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a time (08:55:00)", SHOWN(text));
  if (!wh_iso_to_time(&iso, type->unit, &ret->as.i))
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is finer than %s", SHOWN(text),
                   unit_name(type->unit));
  return WH_OK;
}

static wh_status parse_timestamp(wh_str text, const wh_type *type, wh_value *ret, wh_error *err) {
  wh_iso iso;
  if (!wh_iso_parse(text, &iso) || !iso.has_date) {
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not a timestamp (2026-11-21T08:55:00%s)",
                   SHOWN(text), type->zoned ? "Z" : "");
  }
  if (type->zoned && !iso.has_zone)
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' does not say its zone", SHOWN(text));
  if (!type->zoned && iso.has_zone)
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' has a zone, %s keeps none", SHOWN(text),
                   "timestamp without zone");
  if (wh_iso_to_timestamp(&iso, type->unit, &ret->as.i)) return WH_OK;
  bool fine = iso.civil.nanos % (1000000000 / wh_unit_per_second(type->unit)) != 0;
  return wh_fail(err, WH_ERR_TYPE,
                 fine ? "'%.*s%s' is finer than %s" : "'%.*s%s' is out of range in %s", SHOWN(text),
                 unit_name(type->unit));
}

static wh_status parse_text(wh_str text, wh_arena *arena, wh_value *ret, wh_error *err) {
  size_t valid = wh_utf8_valid_prefix(text);
  if (valid < text.len)
    return wh_fail(err, WH_ERR_TYPE, "not valid UTF-8 at byte %zu of the value", valid);
  ret->as.s = wh_arena_str(arena, text);
  return ret->as.s.data ? WH_OK : wh_fail_memory(err);
}

static wh_status parse_binary(wh_str text, wh_arena *arena, wh_value *ret, wh_error *err) {
  uint8_t *bytes = wh_arena_alloc(arena, text.len / 4 * 3);
  if (!bytes) return wh_fail_memory(err);
  size_t len;
  if (!wh_base64_read(text, bytes, &len))
    return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not base64", SHOWN(text));
  ret->as.s = wh_str_n((char *)bytes, len);
  return WH_OK;
}

static wh_status parse_bool(wh_str text, wh_value *ret, wh_error *err) {
  ret->as.b = wh_str_is(text, "true");
  if (ret->as.b || wh_str_is(text, "false")) return WH_OK;
  return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not true or false", SHOWN(text));
}

static wh_status parse_null(wh_str text, wh_value *ret, wh_error *err) {
  ret->is_null = true;
  if (wh_str_is(text, "null")) return WH_OK;
  return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not null", SHOWN(text));
}

static wh_status parse_any(wh_str text, const wh_type *type, wh_arena *arena, wh_value *ret,
                           wh_error *err) {
  switch (type->kind) {
  case WH_NULL:
    return parse_null(text, ret, err);
  case WH_BOOL:
    return parse_bool(text, ret, err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return parse_float(text, type, ret, err);
  case WH_DECIMAL:
    return parse_decimal(text, type, ret, err);
  case WH_DATE:
    return parse_date(text, ret, err);
  case WH_TIME:
    return parse_time(text, type, ret, err);
  case WH_TIMESTAMP:
    return parse_timestamp(text, type, ret, err);
  case WH_STRING:
    return parse_text(text, arena, ret, err);
  case WH_BINARY:
    return parse_binary(text, arena, ret, err);
  case WH_LIST:
  case WH_STRUCT:
    return wh_fail(err, WH_ERR_TYPE, "a list or struct is not read from the text of one value");
  default:
    return parse_int(text, type, ret, err);
  }
}

wh_status wh_value_parse(wh_str text, const wh_type *type, wh_arena *arena, wh_value *ret,
                         wh_error *err) {
  wh_value value = {.type = *type};
  WH_TRY(parse_any(text, type, arena, &value, err));
  *ret = value;
  return WH_OK;
}
