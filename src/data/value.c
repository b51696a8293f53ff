#include "data/value.h"

#include "data/number.h"
#include "data/temporal.h"

#include <math.h>

static bool is_signed_like(wh_kind k) {
  return (k >= WH_INT8 && k <= WH_INT64) || k == WH_DATE || k == WH_TIME || k == WH_TIMESTAMP;
}

wh_status wh_value_get(const wh_column *column, size_t row, wh_value *ret, wh_error *err) {
  wh_kind kind = column->type.kind;
  if (kind == WH_LIST || kind == WH_STRUCT)
    return wh_fail(err, WH_ERR_TYPE, "a list or struct is not a single value");
  wh_value value = {.type = column->type, .is_null = wh_column_is_null(column, row)};
  if (value.is_null)
    value.as.d = 0;
  else if (kind == WH_BOOL)
    value.as.b = wh_column_bool(column, row);
  else if (wh_kind_is_text(kind))
    value.as.s = wh_column_text(column, row);
  else if (kind == WH_DECIMAL)
    value.as.d = wh_column_decimal(column, row);
  else if (kind == WH_FLOAT32 || kind == WH_FLOAT64)
    value.as.f = wh_column_f64(column, row);
  else if (is_signed_like(kind))
    value.as.i = wh_column_i64(column, row);
  else
    value.as.u = wh_column_u64(column, row);
  *ret = value;
  return WH_OK;
}

wh_status wh_value_add(wh_column *column, const wh_value *value, wh_error *err) {
  if (value->is_null) return wh_column_add_null(column, err);
  assert(wh_type_eq(&column->type, &value->type));
  switch (value->type.kind) {
  case WH_BOOL:
    return wh_column_add_bool(column, value->as.b, err);
  case WH_STRING:
  case WH_BINARY:
    return wh_column_add_text(column, value->as.s, err);
  case WH_DECIMAL:
    return wh_column_add_decimal(column, value->as.d, err);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return wh_column_add_f64(column, value->as.f, err);
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return wh_column_add_u64(column, value->as.u, err);
  default:
    return wh_column_add_i64(column, value->as.i, err);
  }
}

wh_status wh_value_copy(const wh_value *value, wh_arena *arena, wh_value *ret, wh_error *err) {
  wh_value copy = *value;
  if (!value->is_null && wh_kind_is_text(value->type.kind)) {
    copy.as.s = wh_arena_str(arena, value->as.s);
    if (!copy.as.s.data) return wh_fail_memory(err);
  }
  *ret = copy;
  return WH_OK;
}

static bool is_number(wh_kind k) {
  return k >= WH_INT8 && k <= WH_DECIMAL;
}

static bool is_float(wh_kind k) {
  return k == WH_FLOAT32 || k == WH_FLOAT64;
}

static int order_i64(int64_t a, int64_t b) {
  return a < b ? -1 : a > b;
}

static int order_f64(double a, double b) {
  if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
  return a < b ? -1 : a > b;
}

// Integers and decimals as unscaled number and scale.
static __int128 exact_number(const wh_value *v, int *ret_scale) {
  *ret_scale = v->type.kind == WH_DECIMAL ? v->type.scale : 0;
  if (v->type.kind == WH_DECIMAL) return v->as.d;
  return is_signed_like(v->type.kind) ? (__int128)v->as.i : (__int128)v->as.u;
}

static int compare_exact_float(const wh_value *a, double b) {
  int scale;
  __int128 unscaled = exact_number(a, &scale);
  return isnan(b) ? -1 : wh_decimal_compare_f64(unscaled, scale, b);
}

static int compare_numbers(const wh_value *a, const wh_value *b) {
  bool float_a = is_float(a->type.kind), float_b = is_float(b->type.kind);
  if (float_a && float_b) return order_f64(a->as.f, b->as.f);
  if (float_a) return -compare_exact_float(b, a->as.f);
  if (float_b) return compare_exact_float(a, b->as.f);
  int scale_a, scale_b;
  __int128 unscaled_a = exact_number(a, &scale_a), unscaled_b = exact_number(b, &scale_b);
  return wh_decimal_compare(unscaled_a, scale_a, unscaled_b, scale_b);
}

// Times and timestamps of any units: 2^63 seconds in nanoseconds are below 2^93.
static int compare_units(const wh_value *a, const wh_value *b) {
  __int128 ns_a = (__int128)a->as.i * (1000000000 / wh_unit_per_second(a->type.unit));
  __int128 ns_b = (__int128)b->as.i * (1000000000 / wh_unit_per_second(b->type.unit));
  return ns_a < ns_b ? -1 : ns_a > ns_b;
}

int wh_value_compare(const wh_value *a, const wh_value *b) {
  if (a->is_null || b->is_null) return (int)b->is_null - (int)a->is_null;
  wh_kind kind = a->type.kind;
  if (is_number(kind) && is_number(b->type.kind)) return compare_numbers(a, b);
  if (kind != b->type.kind) return kind < b->type.kind ? -1 : 1;
  switch (kind) {
  case WH_BOOL:
    return (int)a->as.b - (int)b->as.b;
  case WH_DATE:
    return order_i64(a->as.i, b->as.i);
  case WH_TIMESTAMP:
    if (a->type.zoned != b->type.zoned) return (int)a->type.zoned - (int)b->type.zoned;
    return compare_units(a, b);
  case WH_TIME:
    return compare_units(a, b);
  default:
    return wh_str_cmp(a->as.s, b->as.s);
  }
}
