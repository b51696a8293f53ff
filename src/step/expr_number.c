// Arithmetic. Integers as int64, decimals exactly, floats as the processor does; what has no result
// is an error of its row.
//
// Decimals of precision p and scale s (w = p - s digits before the point):
//   a + b, a - b   scale max(s), 1 + max(w) digits before the point
//   a * b          scale s1 + s2, precision p1 + p2
//   a / b          scale max(6, s1, s2), w1 + s2 digits before the point; the half away from zero
//   a % b          scale max(s), the sign of a
// A precision over 38 becomes 38, and a row whose result has more digits is an error; a scale over
// 38 is one of the expression. Integers are decimals without places where they meet one, and where
// they are divided.
#include "data/number.h"

#include "step/expr_private.h"

#include <math.h>

enum { QUOTIENT_PLACES_LEAST = 6 };

static const char overflows[] = "the result is out of the range of int64";
static const char too_long[] = "the result has more than 38 digits";
static const char too_large[] = "the result is out of the range of floats";
static const char by_zero[] = "division by zero";

static int max_of(int a, int b) {
  return a > b ? a : b;
}

// The type of results with so many digits before and behind the point; *ret_fits: none has more.
static wh_status decimal_type(wh_x_bind *bind, const wh_x_node *node, int whole, int scale,
                              wh_type *ret, bool *ret_fits, wh_error *err) {
  if (scale > WH_DECIMAL_DIGITS_MAX)
    return wh_x_fail_at(bind, node->at, err,
                        "the result would need %d decimal places, and there are %d at most; round "
                        "before",
                        scale, WH_DECIMAL_DIGITS_MAX);
  int precision = max_of(whole + scale, 1);
  *ret_fits = precision <= WH_DECIMAL_DIGITS_MAX;
  *ret = (wh_type){.kind = WH_DECIMAL,
                   .precision = (uint8_t)(*ret_fits ? precision : WH_DECIMAL_DIGITS_MAX),
                   .scale = (uint8_t)scale};
  return WH_OK;
}

static inline bool is_decimal(__int128 value) {
  static const __int128 most = (__int128)10000000000000000000ull * 10000000000000000000ull;
  return value < most && value > -most;
}

// --- + - * ---------------------------------------------------------------------------------------

#define INT_LOOP(name, overflow)                                                                   \
  static wh_status name(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {           \
    wh_x_value v[2];                                                                               \
    WH_TRY(wh_x_get_args(run, node, v, err));                                                      \
    WH_TRY(wh_x_begin(run, out, err));                                                             \
    for (size_t i = 0; i < run->rows; i++) {                                                       \
      int64_t result;                                                                              \
      if (__builtin_expect(overflow(wh_x_i64(&v[0], i), wh_x_i64(&v[1], i), &result), 0)) {        \
        result = 0;                                                                                \
        WH_TRY(wh_x_bad_row(run, node, v, 2, i, overflows, err));                                  \
      }                                                                                            \
      wh_x_put_i64(out, i, result);                                                                \
    }                                                                                              \
    return wh_x_end(run, out, v, 2, err);                                                          \
  }

INT_LOOP(add_ints, __builtin_add_overflow)
INT_LOOP(subtract_ints, __builtin_sub_overflow)
INT_LOOP(multiply_ints, __builtin_mul_overflow)

// Both have the result's scale already, or, for *, it is the sum of theirs. `mode`: every result
// has room, so that nothing need be looked at.
#define DECIMAL_LOOP(name, sign, overflow)                                                         \
  static wh_status name(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {           \
    wh_x_value v[2];                                                                               \
    WH_TRY(wh_x_get_args(run, node, v, err));                                                      \
    WH_TRY(wh_x_begin(run, out, err));                                                             \
    for (size_t i = 0; node->mode && i < run->rows; i++)                                           \
      wh_x_put_i128(out, i, wh_x_i128(&v[0], i) sign wh_x_i128(&v[1], i));                         \
    for (size_t i = 0; !node->mode && i < run->rows; i++) {                                        \
      __int128 result;                                                                             \
      if (overflow(wh_x_i128(&v[0], i), wh_x_i128(&v[1], i), &result) || !is_decimal(result)) {    \
        result = 0;                                                                                \
        WH_TRY(wh_x_bad_row(run, node, v, 2, i, too_long, err));                                   \
      }                                                                                            \
      wh_x_put_i128(out, i, result);                                                               \
    }                                                                                              \
    return wh_x_end(run, out, v, 2, err);                                                          \
  }

DECIMAL_LOOP(add_decimals, +, __builtin_add_overflow)
DECIMAL_LOOP(subtract_decimals, -, __builtin_sub_overflow)
DECIMAL_LOOP(multiply_decimals, *, __builtin_mul_overflow)

#define FLOAT_LOOP(name, sign)                                                                     \
  static wh_status name(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {           \
    wh_x_value v[2];                                                                               \
    WH_TRY(wh_x_get_args(run, node, v, err));                                                      \
    WH_TRY(wh_x_begin(run, out, err));                                                             \
    for (size_t i = 0; i < run->rows; i++) {                                                       \
      double a = wh_x_f64(&v[0], i), b = wh_x_f64(&v[1], i), result = a sign b;                    \
      if (__builtin_expect(isinf(result) && !isinf(a) && !isinf(b), 0))                            \
        WH_TRY(wh_x_bad_row(run, node, v, 2, i, too_large, err));                                  \
      wh_x_put_f64(out, i, result);                                                                \
    }                                                                                              \
    return wh_x_end(run, out, v, 2, err);                                                          \
  }

FLOAT_LOOP(add_floats, +)
FLOAT_LOOP(subtract_floats, -)
FLOAT_LOOP(multiply_floats, *)

// --- / % -----------------------------------------------------------------------------------------

// Multiplies the remainder by ten, below b, and returns the digit that comes out. Where ten times b
// has no room, it is added up.
static int next_digit(unsigned __int128 *rest, unsigned __int128 b) {
  unsigned __int128 sum = 0, r = *rest;
  int digit = 0;
  for (int i = 0; i < 10; i++) {
    bool over = sum >= b - r;
    sum = over ? sum - (b - r) : sum + r;
    digit += over;
  }
  *rest = sum;
  return digit;
}

bool wh_x_quotient(__int128 a, __int128 b, int places, __int128 *ret) {
  unsigned __int128 x = (unsigned __int128)(a < 0 ? -a : a),
                    y = (unsigned __int128)(b < 0 ? -b : b);
  unsigned __int128 quotient, rest, scaled, factor = (unsigned __int128)wh_pow10(places);
  if (!__builtin_mul_overflow(x, factor, &scaled)) {
    bool is_short = scaled <= UINT64_MAX && y <= UINT64_MAX;
    quotient = is_short ? (uint64_t)scaled / (uint64_t)y : scaled / y;
    rest = scaled - quotient * y;
  } else {
    quotient = x / y;
    rest = x % y;
    for (int i = 0; i < places; i++) {
      if (quotient >= (unsigned __int128)wh_pow10(WH_DECIMAL_DIGITS_MAX - 1)) return false;
      quotient = quotient * 10 + (unsigned)next_digit(&rest, y);
    }
  }
  quotient += rest >= y - rest;
  if (quotient >= (unsigned __int128)wh_pow10(WH_DECIMAL_DIGITS_MAX)) return false;
  *ret = (a < 0) != (b < 0) ? -(__int128)quotient : (__int128)quotient;
  return true;
}

// `mode` is how many digits are added to the dividend's.
static wh_status divide_decimals(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    __int128 result = 0, b = wh_x_i128(&v[1], i);
    if (b == 0)
      WH_TRY(wh_x_bad_row(run, node, v, 2, i, by_zero, err));
    else if (!wh_x_quotient(wh_x_i128(&v[0], i), b, node->mode, &result))
      WH_TRY(wh_x_bad_row(run, node, v, 2, i, too_long, err));
    wh_x_put_i128(out, i, result);
  }
  return wh_x_end(run, out, v, 2, err);
}

static wh_status divide_floats(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    double a = wh_x_f64(&v[0], i), b = wh_x_f64(&v[1], i), result = b == 0 ? 0 : a / b;
    if (b == 0)
      WH_TRY(wh_x_bad_row(run, node, v, 2, i, by_zero, err));
    else if (isinf(result) && !isinf(a))
      WH_TRY(wh_x_bad_row(run, node, v, 2, i, too_large, err));
    wh_x_put_f64(out, i, result);
  }
  return wh_x_end(run, out, v, 2, err);
}

static wh_status modulo_ints(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    int64_t b = wh_x_i64(&v[1], i);
    if (b == 0) WH_TRY(wh_x_bad_row(run, node, v, 2, i, by_zero, err));
    wh_x_put_i64(out, i, b == 0 || b == -1 ? 0 : wh_x_i64(&v[0], i) % b);
  }
  return wh_x_end(run, out, v, 2, err);
}

static wh_status modulo_decimals(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    __int128 b = wh_x_i128(&v[1], i);
    if (b == 0) WH_TRY(wh_x_bad_row(run, node, v, 2, i, by_zero, err));
    wh_x_put_i128(out, i, b == 0 ? 0 : wh_x_i128(&v[0], i) % b);
  }
  return wh_x_end(run, out, v, 2, err);
}

static wh_status modulo_floats(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    double b = wh_x_f64(&v[1], i);
    if (b == 0) WH_TRY(wh_x_bad_row(run, node, v, 2, i, by_zero, err));
    wh_x_put_f64(out, i, b == 0 ? 0 : fmod(wh_x_f64(&v[0], i), b));
  }
  return wh_x_end(run, out, v, 2, err);
}

// --- their types ---------------------------------------------------------------------------------

typedef struct arithmetic {
  wh_x_eval ints, decimals, floats;
} arithmetic;

// Brings the arguments to int64, decimals or floats. *ret_done: there is nothing more to do, for
// what is not a decimal.
static wh_status bind_numbers(wh_x_bind *bind, wh_x_node *node, const arithmetic *a, bool *ret_done,
                              wh_error *err) {
  WH_TRY(wh_x_want_numbers(bind, node, err));
  wh_type unknown = wh_type_of(WH_NULL);
  *ret_done = true;
  for (size_t i = 0; i < node->count; i++) {
    if (!wh_x_unknown(node->args[i])) continue;
    wh_x_be_null(node, unknown);
    return WH_OK;
  }
  wh_kind kind = node->args[0]->type.kind;
  if (kind == WH_DECIMAL || !(kind == WH_INT64 ? a->ints : a->floats)) {
    *ret_done = false;
    return WH_OK;
  }
  return wh_x_strict(node, wh_type_of(kind), kind == WH_INT64 ? a->ints : a->floats);
}

// Brings both to the larger scale; whole digits that this leaves no room for fail row by row.
static wh_status same_scale(wh_x_bind *bind, wh_x_node *node, int *ret_whole, int *ret_scale,
                            wh_error *err) {
  const wh_type *a = &node->args[0]->type, *b = &node->args[1]->type;
  int scale = max_of(a->scale, b->scale);
  *ret_whole = max_of(a->precision - a->scale, b->precision - b->scale);
  *ret_scale = scale;
  for (size_t i = 0; i < 2; i++) {
    const wh_type *type = &node->args[i]->type;
    if (type->scale == scale) continue;
    int precision = type->precision - type->scale + scale;
    if (precision > WH_DECIMAL_DIGITS_MAX) precision = WH_DECIMAL_DIGITS_MAX;
    wh_type to = {.kind = WH_DECIMAL, .precision = (uint8_t)precision, .scale = (uint8_t)scale};
    WH_TRY(wh_x_coerce(bind, node, i, &to, err));
  }
  return WH_OK;
}

static wh_status bind_sum(wh_x_bind *bind, wh_x_node *node, const arithmetic *a, wh_error *err) {
  bool done, fits;
  int whole, scale;
  wh_type type;
  WH_TRY(bind_numbers(bind, node, a, &done, err));
  if (done) return WH_OK;
  WH_TRY(same_scale(bind, node, &whole, &scale, err));
  WH_TRY(decimal_type(bind, node, whole + 1, scale, &type, &fits, err));
  node->mode = fits;
  return wh_x_strict(node, type, a->decimals);
}

static wh_status bind_add(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  return bind_sum(bind, node, &(arithmetic){add_ints, add_decimals, add_floats}, err);
}

static wh_status bind_subtract(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  return bind_sum(bind, node, &(arithmetic){subtract_ints, subtract_decimals, subtract_floats},
                  err);
}

static wh_status bind_multiply(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  bool done, fits;
  wh_type type;
  WH_TRY(bind_numbers(bind, node, &(arithmetic){multiply_ints, multiply_decimals, multiply_floats},
                      &done, err));
  if (done) return WH_OK;
  const wh_type *a = &node->args[0]->type, *b = &node->args[1]->type;
  int scale = a->scale + b->scale;
  WH_TRY(decimal_type(bind, node, a->precision + b->precision - scale, scale, &type, &fits, err));
  node->mode = fits;
  return wh_x_strict(node, type, multiply_decimals);
}

static wh_status bind_divide(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  bool done, fits;
  wh_type type;
  WH_TRY(bind_numbers(bind, node, &(arithmetic){NULL, NULL, divide_floats}, &done, err));
  if (done) return WH_OK;
  for (size_t i = 0; i < 2; i++)
    WH_TRY(wh_x_as_decimal(bind, node, i, err));
  const wh_type *a = &node->args[0]->type, *b = &node->args[1]->type;
  int scale = max_of(QUOTIENT_PLACES_LEAST, max_of(a->scale, b->scale));
  int whole = a->precision - a->scale + b->scale;
  WH_TRY(decimal_type(bind, node, whole, scale, &type, &fits, err));
  node->mode = scale + b->scale - a->scale;
  if (node->mode > WH_DECIMAL_DIGITS_MAX)
    return wh_x_fail_at(bind, node->at, err,
                        "the divisor has too many decimal places; round before");
  return wh_x_strict(node, type, divide_decimals);
}

static wh_status bind_modulo(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  bool done, fits;
  int whole, scale;
  wh_type type;
  WH_TRY(bind_numbers(bind, node, &(arithmetic){modulo_ints, NULL, modulo_floats}, &done, err));
  if (done) return WH_OK;
  WH_TRY(same_scale(bind, node, &whole, &scale, err));
  WH_TRY(decimal_type(bind, node, whole, scale, &type, &fits, err));
  return wh_x_strict(node, type, modulo_decimals);
}

const wh_x_function wh_x_add = {.help.name = "+", .bind = bind_add};
const wh_x_function wh_x_subtract = {.help.name = "-", .bind = bind_subtract};
const wh_x_function wh_x_multiply = {.help.name = "*", .bind = bind_multiply};
const wh_x_function wh_x_divide = {.help.name = "/", .bind = bind_divide};
const wh_x_function wh_x_modulo = {.help.name = "%", .bind = bind_modulo};

// --- one number ----------------------------------------------------------------------------------

// 0 - a, and where `mode` says so only of what is below zero.
static wh_status negate_ints(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    int64_t value = wh_x_i64(&v, i);
    if (node->mode && value >= 0) {
      wh_x_put_i64(out, i, value);
      continue;
    }
    if (value == INT64_MIN) WH_TRY(wh_x_bad_row(run, node, &v, 1, i, overflows, err));
    wh_x_put_i64(out, i, value == INT64_MIN ? 0 : -value);
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status negate_decimals(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    __int128 value = wh_x_i128(&v, i);
    wh_x_put_i128(out, i, node->mode && value >= 0 ? value : -value);
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status negate_floats(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t i = 0; i < run->rows; i++) {
    double value = wh_x_f64(&v, i);
    wh_x_put_f64(out, i, node->mode ? fabs(value) : -value);
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status bind_negate(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  bool done;
  WH_TRY(bind_numbers(bind, node, &(arithmetic){negate_ints, NULL, negate_floats}, &done, err));
  return done ? WH_OK : wh_x_strict(node, node->args[0]->type, negate_decimals);
}

static wh_status bind_abs(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  node->mode = 1;
  return bind_negate(bind, node, err);
}

const wh_x_function wh_x_negate = {.help.name = "-", .bind = bind_negate};
const wh_x_function wh_x_abs = {
    .help = {"abs", "abs(number)", "without its sign", "abs(-2.50)", "2.50"},
    .least = 1,
    .most = 1,
    .bind = bind_abs,
};

// --- rounding ------------------------------------------------------------------------------------

enum { TO_NEAREST, TO_FLOOR, TO_CEIL }; // mode

__int128 wh_x_round_digits(__int128 value, int digits) {
  __int128 unit = wh_pow10(digits), rest = value % unit;
  value /= unit;
  if (rest >= unit - rest) return value + 1;
  if (-rest >= unit + rest) return value - 1;
  return value;
}

static __int128 cut(__int128 value, int digits, int mode) {
  if (mode == TO_NEAREST) return wh_x_round_digits(value, digits);
  __int128 unit = wh_pow10(digits), rest = value % unit;
  value /= unit;
  if (mode == TO_FLOOR) return value - (rest < 0);
  return value + (rest > 0);
}

static wh_status round_decimals(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  int digits = node->args[0]->type.scale - node->type.scale;
  for (size_t i = 0; i < run->rows; i++) {
    __int128 result = cut(wh_x_i128(&v, i), digits, node->mode);
    if (!is_decimal(result)) WH_TRY(wh_x_bad_row(run, node, &v, 1, i, too_long, err));
    wh_x_put_i128(out, i, is_decimal(result) ? result : 0);
  }
  return wh_x_end(run, out, &v, 1, err);
}

// As far as a float goes: where the scaled value has no room, it has no such places either.
static double round_float(double value, double scale) {
  double scaled = value * scale, rounded = round(scaled) / scale;
  return isfinite(scaled) && isfinite(rounded) ? rounded : value;
}

static wh_status round_floats(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  double scale = node->data ? *(double *)node->data : 1;
  for (size_t i = 0; i < run->rows; i++) {
    double value = wh_x_f64(&v, i);
    wh_x_put_f64(out, i,
                 node->mode == TO_FLOOR  ? floor(value)
                 : node->mode == TO_CEIL ? ceil(value)
                                         : round_float(value, scale));
  }
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status same_ints(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  return wh_column_add_range(out, v.column, 0, run->rows, err);
}

static wh_status bind_rounding(wh_x_bind *bind, wh_x_node *node, int mode, int64_t places,
                               wh_error *err) {
  bool done, fits;
  node->mode = mode;
  WH_TRY(bind_numbers(bind, node, &(arithmetic){same_ints, NULL, round_floats}, &done, err));
  if (done) return WH_OK;
  wh_type type = node->args[0]->type;
  if (places < type.scale) { // one digit more: 9.9 becomes 10
    WH_TRY(
        decimal_type(bind, node, type.precision - type.scale + 1, (int)places, &type, &fits, err));
  }
  return wh_x_strict(node, type, round_decimals);
}

static wh_status bind_round(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  int64_t places = 0;
  if (node->count == 2)
    WH_TRY(wh_x_constant_int(bind, node, 1, "the places", 0, WH_DECIMAL_DIGITS_MAX, &places, err));
  double *scale = WH_NEW(bind->expr->arena, double);
  if (!scale) return wh_fail_memory(err);
  *scale = pow(10, (double)places);
  node->data = scale;
  node->count = 1; // the places are known
  return bind_rounding(bind, node, TO_NEAREST, places, err);
}

static wh_status bind_floor(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  return bind_rounding(bind, node, TO_FLOOR, 0, err);
}

static wh_status bind_ceil(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  return bind_rounding(bind, node, TO_CEIL, 0, err);
}

const wh_x_function wh_x_round = {
    .help = {"round", "round(number [, places])",
             "to so many decimal places, the half away from zero", "round(2.345, 2)", "2.35"},
    .least = 1,
    .most = 2,
    .bind = bind_round,
};
const wh_x_function wh_x_floor = {
    .help = {"floor", "floor(number)", "the next whole number below", "floor(-2.5)", "-3"},
    .least = 1,
    .most = 1,
    .bind = bind_floor,
};
const wh_x_function wh_x_ceil = {
    .help = {"ceil", "ceil(number)", "the next whole number above", "ceil(2.1)", "3"},
    .least = 1,
    .most = 1,
    .bind = bind_ceil,
};
