// The type that holds two others without loss.
#include "data/type.h"

static bool is_signed(wh_kind k) {
  return k >= WH_INT8 && k <= WH_INT64;
}

static bool is_float(wh_kind k) {
  return k == WH_FLOAT32 || k == WH_FLOAT64;
}

static int int_digits(wh_kind k) {
  switch (wh_kind_width(k)) {
  case 1:
    return 3;
  case 2:
    return 5;
  case 4:
    return 10;
  default:
    return is_signed(k) ? 19 : 20;
  }
}

static wh_type widen_ints(wh_kind a, wh_kind b) {
  if (is_signed(a) == is_signed(b)) return wh_type_of(a > b ? a : b);
  wh_kind s = is_signed(a) ? a : b, u = is_signed(a) ? b : a;
  if (u == WH_UINT64) {
    wh_type type = wh_type_of(WH_DECIMAL);
    type.precision = 20;
    return type;
  }
  wh_kind above = (wh_kind)(WH_INT8 + (u - WH_UINT8) + 1); // the signed type that holds u
  return wh_type_of(s > above ? s : above);
}

static bool widen_decimals(const wh_type *a, const wh_type *b, wh_type *ret) {
  int scale_a = a->kind == WH_DECIMAL ? a->scale : 0;
  int scale_b = b->kind == WH_DECIMAL ? b->scale : 0;
  int whole_a = a->kind == WH_DECIMAL ? a->precision - scale_a : int_digits(a->kind);
  int whole_b = b->kind == WH_DECIMAL ? b->precision - scale_b : int_digits(b->kind);
  int scale = scale_a > scale_b ? scale_a : scale_b;
  int whole = whole_a > whole_b ? whole_a : whole_b;
  if (whole + scale > WH_DECIMAL_DIGITS_MAX) return false;
  *ret = wh_type_of(WH_DECIMAL);
  ret->precision = (uint8_t)(whole + scale);
  ret->scale = (uint8_t)scale;
  return true;
}

// A double holds every int of 32 bits, a float every int of 16.
static bool widen_int_float(wh_kind i, wh_kind f, wh_type *ret) {
  size_t width = wh_kind_width(i);
  if (width > 4) return false;
  *ret = wh_type_of(width <= 2 ? f : WH_FLOAT64);
  return true;
}

static bool widen_numbers(const wh_type *a, const wh_type *b, wh_type *ret) {
  bool int_a = wh_kind_is_int(a->kind), int_b = wh_kind_is_int(b->kind);
  bool exact_a = int_a || a->kind == WH_DECIMAL, exact_b = int_b || b->kind == WH_DECIMAL;
  if (int_a && int_b) {
    *ret = widen_ints(a->kind, b->kind);
    return true;
  }
  if (exact_a && exact_b) return widen_decimals(a, b, ret);
  if (is_float(a->kind) && is_float(b->kind)) {
    *ret = wh_type_of(a->kind > b->kind ? a->kind : b->kind);
    return true;
  }
  if (int_a && is_float(b->kind)) return widen_int_float(a->kind, b->kind, ret);
  if (int_b && is_float(a->kind)) return widen_int_float(b->kind, a->kind, ret);
  return false;
}

// The finer unit, unless that is nanoseconds: those reach from 1677 to 2262 only.
static bool widen_timestamps(const wh_type *a, const wh_type *b, wh_type *ret) {
  if (a->zoned != b->zoned) return false;
  wh_unit finer = a->unit > b->unit ? a->unit : b->unit;
  if (finer == WH_UNIT_NS && a->unit != b->unit) return false;
  *ret = *a;
  ret->unit = finer;
  return true;
}

static bool widen_date(const wh_type *timestamp, wh_type *ret) {
  if (timestamp->zoned || timestamp->unit == WH_UNIT_NS) return false;
  *ret = *timestamp;
  return true;
}

static bool widen_fields(const wh_field *a, const wh_field *b, wh_arena *arena, wh_field *ret) {
  *ret = *a;
  ret->nullable = a->nullable || b->nullable || a->type.kind == WH_NULL || b->type.kind == WH_NULL;
  if (b->privacy > a->privacy) ret->privacy = b->privacy;
  return wh_type_widen(&a->type, &b->type, arena, &ret->type);
}

static bool widen_lists(const wh_type *a, const wh_type *b, wh_arena *arena, wh_type *ret) {
  wh_field *item = WH_NEW(arena, wh_field);
  if (!item || !widen_fields(&a->fields[0], &b->fields[0], arena, item)) return false;
  *ret = *a;
  ret->fields = item;
  return true;
}

// a's fields in their order, then those that only b has.
static bool widen_structs(const wh_type *a, const wh_type *b, wh_arena *arena, wh_type *ret) {
  const wh_schema in_a = {a->field_count, a->fields}, in_b = {b->field_count, b->fields};
  wh_field *fields = WH_NEW_ARRAY(arena, in_a.count + in_b.count, wh_field);
  if (!fields) return false;
  uint32_t count = 0;
  for (size_t i = 0; i < in_a.count; i++) {
    ptrdiff_t other = wh_schema_find(&in_b, in_a.fields[i].name);
    fields[count] = in_a.fields[i];
    if (other < 0)
      fields[count].nullable = true;
    else if (!widen_fields(&in_a.fields[i], &in_b.fields[other], arena, &fields[count]))
      return false;
    count++;
  }
  for (size_t i = 0; i < in_b.count; i++) {
    if (wh_schema_find(&in_a, in_b.fields[i].name) >= 0) continue;
    fields[count] = in_b.fields[i];
    fields[count++].nullable = true;
  }
  *ret = wh_type_of(WH_STRUCT);
  ret->field_count = count;
  ret->fields = fields;
  return count <= WH_COLUMNS_MAX;
}

bool wh_type_widen(const wh_type *a, const wh_type *b, wh_arena *arena, wh_type *ret) {
  wh_type wider;
  bool ok = true;
  if (b->kind == WH_NULL || wh_type_eq(a, b))
    wider = *a;
  else if (a->kind == WH_NULL)
    wider = *b;
  else if (a->kind == WH_DATE && b->kind == WH_TIMESTAMP)
    ok = widen_date(b, &wider);
  else if (b->kind == WH_DATE && a->kind == WH_TIMESTAMP)
    ok = widen_date(a, &wider);
  else if (a->kind == WH_TIMESTAMP && b->kind == WH_TIMESTAMP)
    ok = widen_timestamps(a, b, &wider);
  else if (a->kind == WH_TIME && b->kind == WH_TIME)
    wider = a->unit > b->unit ? *a : *b;
  else if (a->kind == WH_LIST && b->kind == WH_LIST)
    ok = widen_lists(a, b, arena, &wider);
  else if (a->kind == WH_STRUCT && b->kind == WH_STRUCT)
    ok = widen_structs(a, b, arena, &wider);
  else
    ok = widen_numbers(a, b, &wider);
  if (ok) *ret = wider;
  return ok;
}
