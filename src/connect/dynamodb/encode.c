#include "connect/dynamodb/encode.h"

#include "data/base64.h"
#include "data/number.h"
#include "data/temporal.h"

#include <math.h>
#include <stdio.h>

typedef struct encoding {
  wh_buf *out;
  wh_misfit *misfit;
  wh_error *err;
} encoding;

char wh_dynamodb_key_kind(const wh_type *type) {
  if (wh_kind_is_int(type->kind) || type->kind == WH_DECIMAL) return 'N';
  switch (type->kind) {
  case WH_FLOAT32:
  case WH_FLOAT64:
    return 'N';
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
  case WH_STRING:
    return 'S';
  case WH_BINARY:
    return 'B';
  default:
    return 0;
  }
}

bool wh_dynamodb_can_be_set(const wh_type *type) {
  return type->kind == WH_LIST && wh_dynamodb_key_kind(&type->fields[0].type) != 0;
}

__attribute__((format(printf, 2, 3))) static wh_status misfit(const encoding *e, const char *fmt,
                                                              ...) {
  va_list args;
  va_start(args, fmt);
  e->misfit->rule = "type";
  vsnprintf(e->misfit->reason, sizeof e->misfit->reason, fmt, args);
  va_end(args);
  return WH_ERR_TYPE;
}

// --- Scalars -------------------------------------------------------------------------------------

// A float's first digit stands for a power of ten that numbers here may not have.
static wh_status check_range(const encoding *e, wh_str text) {
  wh_number number;
  if (!wh_number_parse(text, &number))
    return misfit(e, "'%.*s' is not a number that DynamoDB has", WH_STR_ARG(text));
  int exponent = number.exponent - 1;
  for (unsigned __int128 digits = number.digits; digits; digits /= 10)
    exponent++;
  if (number.digits == 0 ||
      (exponent >= WH_DYNAMODB_EXPONENT_MIN && exponent <= WH_DYNAMODB_EXPONENT_MAX))
    return WH_OK;
  return misfit(e, "%.*s is out of the range of DynamoDB's numbers (1E-130 to 9.9E+125)",
                WH_STR_ARG(text));
}

static wh_status add_float(const encoding *e, double value, bool narrow) {
  size_t before = e->out->len;
  if (!isfinite(value))
    return misfit(e, "'%s' is not a number that DynamoDB has",
                  isnan(value) ? "NaN"
                  : value < 0  ? "-Infinity"
                               : "Infinity");
  bool added = narrow ? wh_f32_write((float)value, e->out) : wh_f64_write(value, e->out);
  return added ? check_range(e, wh_str_sub(wh_buf_str(e->out), before, e->out->len)) : WH_OK;
}

// Makes the fraction as long as the unit has digits, so that text sorts as the times do.
static void pad_fraction(wh_buf *out, size_t from, wh_unit unit, bool zoned) {
  static const size_t digits_of[] = {
      [WH_UNIT_S] = 0, [WH_UNIT_MS] = 3, [WH_UNIT_US] = 6, [WH_UNIT_NS] = 9};
  size_t digits = digits_of[unit];
  if (out->failed || digits == 0) return;
  if (zoned) out->len--; // 'Z' goes behind
  size_t point = wh_str_find(wh_buf_str(out), from, '.');
  if (point == out->len) wh_buf_add_char(out, '.');
  while (!out->failed && out->len - point - 1 < digits)
    wh_buf_add_char(out, '0');
  if (zoned) wh_buf_add_char(out, 'Z');
}

static void add_time_text(wh_buf *out, const wh_type *type, int64_t value) {
  size_t from = out->len;
  if (type->kind == WH_DATE) {
    wh_iso_write_date(value, out);
  } else if (type->kind == WH_TIME) {
    wh_iso_write_time(value, type->unit, out);
    pad_fraction(out, from, type->unit, false);
  } else {
    wh_iso_write_timestamp(value, type->unit, type->zoned, out);
    pad_fraction(out, from, type->unit, type->zoned);
  }
}

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

static int64_t seconds_of(const wh_type *type, int64_t value) {
  if (type->kind == WH_DATE) return value * 86400;
  if (type->kind == WH_TIMESTAMP) return floor_div(value, wh_unit_per_second(type->unit));
  return value;
}

// What stands between the quotes of S, N and B.
static wh_status add_scalar(const encoding *e, const wh_column *column, size_t row, bool is_ttl) {
  const wh_type *type = &column->type;
  wh_value value;
  WH_TRY(wh_value_get(column, row, &value, e->err));
  if (is_ttl) {
    wh_buf_add_i64(e->out, seconds_of(type, value.as.i));
    return WH_OK;
  }
  switch (type->kind) {
  case WH_FLOAT32:
  case WH_FLOAT64:
    return add_float(e, value.as.f, type->kind == WH_FLOAT32);
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    add_time_text(e->out, type, value.as.i);
    return WH_OK;
  default:
    wh_value_write(&value, e->out);
    return WH_OK;
  }
}

static wh_status add_letter(const encoding *e, const wh_column *column, size_t row, bool is_ttl) {
  char letter = is_ttl ? 'N' : wh_dynamodb_key_kind(&column->type);
  wh_buf_printf(e->out, "{\"%c\":", letter);
  if (column->type.kind == WH_STRING) {
    wh_buf_add_json(e->out, wh_column_text(column, row));
  } else {
    wh_buf_add_char(e->out, '"');
    WH_TRY(add_scalar(e, column, row, is_ttl));
    wh_buf_add_char(e->out, '"');
  }
  wh_buf_add_char(e->out, '}');
  return WH_OK;
}

// --- Lists, structures, sets ---------------------------------------------------------------------

static wh_status add_set(const encoding *e, const wh_column *column, size_t row) {
  const wh_column *items = &column->children[0];
  size_t from = (size_t)column->offsets[row], to = (size_t)column->offsets[row + 1];
  if (from == to) return misfit(e, "DynamoDB has no empty set");
  wh_buf_printf(e->out, "{\"%cS\":[", wh_dynamodb_key_kind(&items->type));
  for (size_t i = from; i < to; i++) {
    if (wh_column_is_null(items, i)) return misfit(e, "a set cannot have a NULL");
    for (size_t k = from; k < i; k++) {
      wh_value a, b;
      WH_TRY(wh_value_get(items, i, &a, e->err));
      WH_TRY(wh_value_get(items, k, &b, e->err));
      if (wh_value_compare(&a, &b) == 0) return misfit(e, "a set cannot have a value twice");
    }
    if (i > from) wh_buf_add_char(e->out, ',');
    if (items->type.kind == WH_STRING) {
      wh_buf_add_json(e->out, wh_column_text(items, i));
      continue;
    }
    wh_buf_add_char(e->out, '"');
    WH_TRY(add_scalar(e, items, i, false));
    wh_buf_add_char(e->out, '"');
  }
  wh_buf_add_c(e->out, "]}");
  return WH_OK;
}

static wh_status add_value(const encoding *e, const wh_column *column, size_t row, int depth);

static wh_status add_list(const encoding *e, const wh_column *column, size_t row, int depth) {
  wh_buf_add_c(e->out, "{\"L\":[");
  for (int32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
    if (i > column->offsets[row]) wh_buf_add_char(e->out, ',');
    WH_TRY(add_value(e, &column->children[0], (size_t)i, depth));
  }
  wh_buf_add_c(e->out, "]}");
  return WH_OK;
}

static wh_status add_struct(const encoding *e, const wh_column *column, size_t row, int depth) {
  wh_buf_add_c(e->out, "{\"M\":{");
  for (size_t i = 0; i < column->child_count; i++) {
    if (i) wh_buf_add_char(e->out, ',');
    wh_buf_add_json(e->out, column->type.fields[i].name);
    wh_buf_add_char(e->out, ':');
    WH_TRY(add_value(e, &column->children[i], row, depth));
  }
  wh_buf_add_c(e->out, "}}");
  return WH_OK;
}

// `depth`: lists and structures around it.
static wh_status add_value(const encoding *e, const wh_column *column, size_t row, int depth) {
  if (wh_column_is_null(column, row)) {
    wh_buf_add_c(e->out, "{\"NULL\":true}");
    return WH_OK;
  }
  switch (column->type.kind) {
  case WH_BOOL:
    wh_buf_add_c(e->out, wh_column_bool(column, row) ? "{\"BOOL\":true}" : "{\"BOOL\":false}");
    return WH_OK;
  case WH_LIST:
  case WH_STRUCT:
    if (depth == WH_DYNAMODB_DEPTH_MAX)
      return misfit(e, "lists and structures are more than %d levels deep", depth);
    return column->type.kind == WH_LIST ? add_list(e, column, row, depth + 1)
                                        : add_struct(e, column, row, depth + 1);
  default:
    return add_letter(e, column, row, false);
  }
}

wh_status wh_dynamodb_encode(const wh_column *column, size_t row, wh_dynamodb_how how, wh_buf *out,
                             wh_misfit *ret_misfit, wh_error *err) {
  encoding e = {.out = out, .misfit = ret_misfit, .err = err};
  bool is_null = wh_column_is_null(column, row);
  wh_status status = how.is_set && !is_null   ? add_set(&e, column, row)
                     : how.is_ttl && !is_null ? add_letter(&e, column, row, true)
                                              : add_value(&e, column, row, 0);
  return status == WH_OK ? wh_buf_check(out, err) : status;
}

// --- Attributes as they are there ----------------------------------------------------------------

static size_t number_size(wh_str text) {
  wh_number number;
  size_t digits = 0;
  if (!wh_number_parse(text, &number)) return text.len;
  for (unsigned __int128 rest = number.digits; rest; rest /= 10)
    digits++;
  return (digits + 1) / 2 + 1 + number.negative;
}

static size_t scalar_size(char kind, const json_t *value) {
  wh_str text = wh_dynamodb_text(value);
  if (kind == 'N') return number_size(text);
  if (kind == 'S') return text.len;
  size_t padding = wh_str_ends(text, "==") ? 2 : wh_str_ends(text, "=") ? 1 : 0;
  return text.len / 4 * 3 - padding;
}

size_t wh_dynamodb_size(const json_t *attribute) {
  const json_t *value;
  const char *kind = wh_dynamodb_kind(attribute, &value);
  size_t size = 0, i;
  json_t *item;
  if (!kind || strcmp(kind, "NULL") == 0 || strcmp(kind, "BOOL") == 0) return 1;
  if (strcmp(kind, "L") == 0) {
    json_array_foreach(value, i, item) size += wh_dynamodb_size(item) + 1;
    return size + 3;
  }
  if (strcmp(kind, "M") == 0) {
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at))
      size += json_object_iter_key_len(at) + wh_dynamodb_size(json_object_iter_value(at)) + 1;
    return size + 3;
  }
  if (kind[1] == 0) return scalar_size(kind[0], value);
  json_array_foreach(value, i, item) size += scalar_size(kind[0], item);
  return size;
}

static bool same_scalar(char kind, const json_t *a, const json_t *b) {
  wh_str left = wh_dynamodb_text(a), right = wh_dynamodb_text(b);
  wh_number x, y;
  if (kind != 'N' || !wh_number_parse(left, &x) || !wh_number_parse(right, &y))
    return wh_str_eq(left, right);
  if (x.digits == 0 || y.digits == 0) return x.digits == y.digits;
  return x.negative == y.negative && x.digits == y.digits && x.exponent == y.exponent;
}

static bool same_set(char kind, const json_t *a, const json_t *b) {
  size_t i, k;
  json_t *left, *right;
  if (json_array_size(a) != json_array_size(b)) return false;
  json_array_foreach(a, i, left) {
    bool found = false;
    json_array_foreach(b, k, right) found = found || same_scalar(kind, left, right);
    if (!found) return false;
  }
  return true;
}

static bool same_members(const json_t *a, const json_t *b) {
  if (json_object_size(a) != json_object_size(b)) return false;
  for (void *at = json_object_iter((json_t *)(uintptr_t)a); at;
       at = json_object_iter_next((json_t *)(uintptr_t)a, at)) {
    json_t *other = json_object_getn(b, json_object_iter_key(at), json_object_iter_key_len(at));
    if (!other || !wh_dynamodb_equal(json_object_iter_value(at), other)) return false;
  }
  return true;
}

bool wh_dynamodb_equal(const json_t *a, const json_t *b) {
  const json_t *left, *right;
  const char *kind = wh_dynamodb_kind(a, &left), *other = wh_dynamodb_kind(b, &right);
  if (!kind || !other || strcmp(kind, other) != 0) return false;
  if (strcmp(kind, "NULL") == 0) return true;
  if (strcmp(kind, "BOOL") == 0) return json_is_true(left) == json_is_true(right);
  if (strcmp(kind, "M") == 0) return same_members(left, right);
  if (strcmp(kind, "L") != 0)
    return kind[1] ? same_set(kind[0], left, right) : same_scalar(kind[0], left, right);
  bool same = json_array_size(left) == json_array_size(right);
  for (size_t i = 0; same && i < json_array_size(left); i++)
    same = wh_dynamodb_equal(json_array_get(left, i), json_array_get(right, i));
  return same;
}
