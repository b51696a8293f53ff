// Values of another type than they have: how the arguments of an operation get the type that it
// computes in. None of it loses anything but for floats, which are the nearest.
#include "data/float.h"
#include "data/format.h"
#include "data/number.h"

#include "step/expr_private.h"

// --- coercion ------------------------------------------------------------------------------------

static int64_t int_at(const wh_x_value *v, size_t row) {
  return wh_column_i64(v->column, row * v->step);
}

static __int128 exact_at(const wh_x_value *v, size_t row) {
  switch (v->column->type.kind) {
  case WH_DECIMAL:
    return wh_x_i128(v, row);
  case WH_UINT64:
    return wh_column_u64(v->column, row * v->step);
  default:
    return int_at(v, row);
  }
}

// The nearest; one division of numbers that a double holds is exact up to its rounding.
static double float_of(__int128 unscaled, int scale) {
  static const __int128 exact = (__int128)1 << 53;
  if (scale == 0) return (double)unscaled;
  if (unscaled <= exact && unscaled >= -exact && scale <= 22)
    return (double)(int64_t)unscaled / wh_f64_powers[scale];
  char text[WH_FORMAT_DECIMAL_MAX];
  wh_str written = wh_str_n(text, wh_format_decimal(unscaled, scale, text));
  wh_float_text scanned;
  double value = 0;
  if (wh_float_scan(written.data, written.len, &scanned))
    wh_float_to_f64(&scanned, written, &value);
  return value;
}

static wh_status eval_to_int(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++)
    wh_x_put_i64(out, i, int_at(&v, i));
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status eval_to_decimal(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  const wh_type *from = &node->args[0]->type;
  __int128 factor = wh_pow10(node->type.scale - (from->kind == WH_DECIMAL ? from->scale : 0));
  __int128 most = wh_pow10(node->type.precision) - 1;
  for (size_t i = 0; i < run->rows; i++) {
    __int128 value = exact_at(&v, i);
    // `mode`: whether every value has room.
    if (!node->mode && (value > most / factor || value < -(most / factor))) {
      value = 0;
      WH_TRY(wh_x_bad_row(run, node, &v, 1, i, "the number has more than 38 digits", err));
    }
    wh_x_put_i128(out, i, value * factor);
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status eval_to_float(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  const wh_type *from = &node->args[0]->type;
  bool is_float = from->kind == WH_FLOAT32;
  int scale = from->kind == WH_DECIMAL ? from->scale : 0;
  for (size_t i = 0; i < run->rows; i++)
    wh_x_put_f64(out, i,
                 is_float ? wh_column_f64(v.column, i * v.step) : float_of(exact_at(&v, i), scale));
  return wh_x_end(run, out, &v, 1, err);
}

// Dates, times and timestamps to a finer unit.
static wh_status eval_to_unit(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  const wh_type *from = &node->args[0]->type;
  int64_t factor = wh_unit_per_second(node->type.unit);
  factor = from->kind == WH_DATE ? factor * 86400 : factor / wh_unit_per_second(from->unit);
  for (size_t i = 0; i < run->rows; i++) {
    int64_t value = int_at(&v, i);
    if (__builtin_mul_overflow(value, factor, &value)) {
      value = 0;
      WH_TRY(wh_x_bad_row(run, node, &v, 1, i, "the time is out of range", err));
    }
    wh_x_put_i64(out, i, value);
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status bind_nothing(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  (void)bind, (void)node, (void)err;
  return WH_OK;
}

static const wh_x_function as_type = {
    .help.name = "as", .least = 1, .most = 1, .bind = bind_nothing};

// Digits before the point that any value of the type may need.
static int whole_digits(const wh_x_node *node) {
  const wh_type *type = &node->type;
  if (type->kind == WH_DECIMAL) return type->precision - type->scale;
  if (node->constant && node->result.null_count == 0 && type->kind == WH_INT64) {
    int64_t value = wh_column_i64(&node->result, 0);
    int digits = 1;
    while (digits < 19 && (value >= wh_pow10(digits) || value <= -wh_pow10(digits)))
      digits++;
    return digits;
  }
  static const uint8_t digits[] = {
      [WH_INT8] = 3,   [WH_INT16] = 5,   [WH_INT32] = 10,  [WH_INT64] = 19,  [WH_UINT8] = 3,
      [WH_UINT16] = 5, [WH_UINT32] = 10, [WH_UINT64] = 20, [WH_FLOAT32] = 0, [WH_FLOAT64] = 0};
  return digits[type->kind];
}

static wh_x_eval coercion(const wh_type *to) {
  switch (to->kind) {
  case WH_INT64:
    return eval_to_int;
  case WH_DECIMAL:
    return eval_to_decimal;
  case WH_FLOAT64:
    return eval_to_float;
  default:
    return eval_to_unit;
  }
}

wh_status wh_x_coerce(wh_x_bind *bind, wh_x_node *node, size_t arg, const wh_type *type,
                      wh_error *err) {
  wh_x_node *from = node->args[arg], *made;
  if (wh_type_eq(&from->type, type)) return WH_OK;
  bool unknown = wh_x_unknown(from);
  if (unknown && bind->context->dry) return WH_OK;
  if (unknown) {
    wh_value null = {.type = *type, .is_null = true};
    WH_TRY(wh_x_constant(bind, from->at, from->end, &null, &made, err));
    made->privacy = from->privacy;
    node->args[arg] = made;
    return WH_OK;
  }
  // A text literal beside a date or time is one; whatever else is text does not come here.
  bool is_text = from->is_text;
  WH_TRY(wh_x_new(bind, is_text ? &wh_x_cast : &as_type, from->at, from->end, 1, &made, err));
  made->args[0] = from;
  wh_type *to = WH_NEW(bind->expr->arena, wh_type);
  if (!to) return wh_fail_memory(err);
  *to = *type;
  made->data = to;
  if (type->kind == WH_DECIMAL) made->mode = whole_digits(from) + type->scale <= type->precision;
  if (!is_text) WH_TRY(wh_x_strict(made, *type, coercion(type)));
  WH_TRY(wh_x_bind_node(bind, made, err));
  node->args[arg] = made;
  return WH_OK;
}

wh_status wh_x_want(wh_x_bind *bind, wh_x_node *node, size_t arg, wh_kind kind,
                    const char *expected, wh_error *err) {
  const wh_x_node *from = node->args[arg];
  wh_type type = wh_type_of(kind);
  bool fits = from->type.kind == kind || wh_x_unknown(from);
  if (kind == WH_INT64) fits |= wh_kind_is_int(from->type.kind) && from->type.kind != WH_UINT64;
  if (!fits) return wh_x_fail_type(bind, node, from, expected, err);
  return wh_x_coerce(bind, node, arg, &type, err);
}

wh_status wh_x_as_decimal(wh_x_bind *bind, wh_x_node *node, size_t arg, wh_error *err) {
  const wh_x_node *from = node->args[arg];
  wh_type type = {.kind = WH_DECIMAL, .precision = (uint8_t)whole_digits(from)};
  return from->type.kind == WH_DECIMAL ? WH_OK : wh_x_coerce(bind, node, arg, &type, err);
}

// --- one type for several ------------------------------------------------------------------------

static bool is_float(wh_kind kind) {
  return kind == WH_FLOAT32 || kind == WH_FLOAT64;
}

static bool is_number(wh_kind kind) {
  return kind >= WH_INT8 && kind <= WH_DECIMAL;
}

static bool is_time(wh_kind kind) {
  return kind == WH_DATE || kind == WH_TIME || kind == WH_TIMESTAMP;
}

// The type of numbers that holds both.
static bool unify_numbers(const wh_x_node *a, wh_type *type, int *whole) {
  wh_kind kind = a->type.kind, so_far = type->kind;
  int digits = whole_digits(a);
  if (digits > *whole) *whole = digits;
  if (wh_type_eq(&a->type, type)) return true;
  if (is_float(kind) || is_float(so_far)) {
    *type = wh_type_of(WH_FLOAT64);
    return true;
  }
  int scale = so_far == WH_DECIMAL ? type->scale : 0;
  if (kind == WH_DECIMAL && a->type.scale > scale) scale = a->type.scale;
  bool decimal =
      kind == WH_DECIMAL || kind == WH_UINT64 || so_far == WH_DECIMAL || so_far == WH_UINT64;
  *type = wh_type_of(decimal ? WH_DECIMAL : WH_INT64);
  if (!decimal) return true;
  int precision = *whole + scale < WH_DECIMAL_DIGITS_MAX ? *whole + scale : WH_DECIMAL_DIGITS_MAX;
  type->precision = (uint8_t)(precision ? precision : 1);
  type->scale = (uint8_t)scale;
  return true;
}

static bool unify_times(const wh_type *a, wh_type *type) {
  if (a->kind == WH_TIME || type->kind == WH_TIME) {
    if (a->kind != type->kind) return false;
  } else {
    const wh_type *other = a->kind == WH_TIMESTAMP ? a : type;
    bool mixed = a->kind != type->kind;
    if (mixed ? other->zoned : a->zoned != type->zoned) return false;
    type->zoned = other->zoned;
    if (mixed) type->unit = other->unit;
    type->kind = WH_TIMESTAMP;
    if (mixed) return true;
  }
  if (a->unit > type->unit) type->unit = a->unit;
  return true;
}

static bool unify_one(const wh_x_node *arg, wh_type *type, int *whole) {
  const wh_type *a = &arg->type;
  if (type->kind == WH_NULL) {
    *type = *a;
    *whole = is_number(a->kind) ? whole_digits(arg) : 0;
    return true;
  }
  if (a->kind == WH_NULL) return true;
  if (is_number(a->kind) && is_number(type->kind)) return unify_numbers(arg, type, whole);
  if (wh_type_eq(a, type)) return true;
  if (is_time(a->kind) && is_time(type->kind)) return unify_times(a, type);
  return false;
}

// "expected int64 as before, found text"
static wh_status fail_unlike(wh_x_bind *bind, const wh_x_node *node, const wh_x_node *arg,
                             const wh_type *type, wh_error *err) {
  wh_arena *arena = bind->expr->arena;
  wh_str before = wh_type_friendly(type, arena), found = wh_type_friendly(&arg->type, arena);
  return wh_x_fail_at(bind, arg->at, err, "%s: %.*s and %.*s do not go together; cast one of them",
                      node->fn->help.name, WH_STR_ARG(before), WH_STR_ARG(found));
}

wh_status wh_x_unify(wh_x_bind *bind, wh_x_node *node, size_t from, size_t by, wh_type *ret,
                     wh_error *err) {
  wh_type type = wh_type_of(WH_NULL);
  int whole = 0;
  bool unknown = false, text = false;
  for (size_t i = from; i < node->count; i += by) {
    unknown |= wh_x_unknown(node->args[i]);
    text |= node->args[i]->is_text;
    if (node->args[i]->is_text) continue; // it may be a date
    if (!unify_one(node->args[i], &type, &whole))
      return fail_unlike(bind, node, node->args[i], &type, err);
  }
  if (text && type.kind == WH_NULL && !(unknown && bind->context->dry))
    type = wh_type_of(WH_STRING);
  for (size_t i = from; i < node->count && type.kind != WH_NULL; i += by) {
    bool fits = !node->args[i]->is_text || type.kind == WH_STRING || is_time(type.kind);
    if (!fits) return fail_unlike(bind, node, node->args[i], &type, err);
    WH_TRY(wh_x_coerce(bind, node, i, &type, err));
  }
  *ret = unknown && bind->context->dry ? wh_type_of(WH_NULL) : type;
  return WH_OK;
}

wh_status wh_x_want_numbers(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  wh_type type = wh_type_of(WH_NULL);
  int whole = 0;
  for (size_t i = 0; i < node->count; i++) {
    const wh_x_node *arg = node->args[i];
    if (!wh_x_is_number(arg) && !wh_x_unknown(arg))
      return wh_x_fail_type(bind, node, arg, "a number", err);
    (void)unify_one(arg, &type, &whole);
  }
  bool decimal = type.kind == WH_DECIMAL || type.kind == WH_UINT64;
  wh_type to = wh_type_of(is_float(type.kind) ? WH_FLOAT64 : WH_INT64);
  for (size_t i = 0; i < node->count && type.kind != WH_NULL; i++) {
    if (decimal && !wh_x_unknown(node->args[i]))
      WH_TRY(wh_x_as_decimal(bind, node, i, err));
    else if (decimal)
      WH_TRY(wh_x_coerce(bind, node, i, &(wh_type){.kind = WH_DECIMAL, .precision = 1}, err));
    else
      WH_TRY(wh_x_coerce(bind, node, i, &to, err));
  }
  return WH_OK;
}
