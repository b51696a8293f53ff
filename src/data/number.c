#include "data/number.h"

#include "data/float.h"
#include "data/format.h"

#include <math.h>

enum {
  EXPONENT_LIMIT = 100000, // beyond is the same as far too large or small
  INT_TEXT_MAX = 40,       // a 128-bit integer in decimal
};

__int128 wh_pow10(int exponent) {
  static const uint64_t low[] = {1u,
                                 10u,
                                 100u,
                                 1000u,
                                 10000u,
                                 100000u,
                                 1000000u,
                                 10000000u,
                                 100000000u,
                                 1000000000u,
                                 10000000000u,
                                 100000000000u,
                                 1000000000000u,
                                 10000000000000u,
                                 100000000000000u,
                                 1000000000000000u,
                                 10000000000000000u,
                                 100000000000000000u,
                                 1000000000000000000u,
                                 10000000000000000000u};
  return exponent < 20 ? (__int128)low[exponent] : (__int128)low[19] * low[exponent - 19];
}

typedef struct scanner {
  wh_number number;
  int significant; // digits taken, without leading zeros
  int32_t zeros;   // taken but not yet multiplied in: they may be trailing
  size_t any;      // digits seen at all
} scanner;

static void scan_digit(scanner *s, char c) {
  s->any++;
  if (c == '0') {
    if (s->significant) s->zeros++;
    return;
  }
  s->significant += s->zeros + 1;
  if (s->significant > WH_DECIMAL_DIGITS_MAX) {
    s->number.overlong = true;
    return;
  }
  for (; s->zeros; s->zeros--)
    s->number.digits *= 10;
  s->number.digits = s->number.digits * 10 + (unsigned)(c - '0');
}

static bool is_digit(wh_str text, size_t at) {
  return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

static bool scan_exponent(wh_str text, size_t *at, int64_t *ret) {
  bool negative = *at < text.len && text.data[*at] == '-';
  if (negative || (*at < text.len && text.data[*at] == '+')) (*at)++;
  if (!is_digit(text, *at)) return false;
  int64_t value = 0;
  for (; is_digit(text, *at); (*at)++)
    if (value < EXPONENT_LIMIT) value = value * 10 + (text.data[*at] - '0');
  *ret = negative ? -value : value;
  return true;
}

bool wh_number_parse(wh_str text, wh_number *ret) {
  scanner s = {0};
  size_t at = 0;
  if (text.len >= INT32_MAX) return false;
  if (text.len && (text.data[0] == '-' || text.data[0] == '+'))
    s.number.negative = text.data[at++] == '-';
  for (; is_digit(text, at); at++)
    scan_digit(&s, text.data[at]);
  int64_t exponent = 0, places = 0;
  if (at < text.len && text.data[at] == '.') {
    size_t from = ++at;
    for (; is_digit(text, at); at++)
      scan_digit(&s, text.data[at]);
    places = (int64_t)(at - from);
  }
  if (s.any == 0) return false;
  if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
    at++;
    if (!scan_exponent(text, &at, &exponent)) return false;
  }
  if (at != text.len) return false;
  exponent += s.zeros - places;
  if (exponent > EXPONENT_LIMIT) exponent = EXPONENT_LIMIT;
  if (exponent < -EXPONENT_LIMIT) exponent = -EXPONENT_LIMIT;
  s.number.exponent = s.number.digits ? (int32_t)exponent : 0;
  *ret = s.number;
  return true;
}

wh_fit wh_number_to_decimal(const wh_number *number, int precision, int scale, __int128 *ret) {
  if (number->digits == 0) {
    *ret = 0;
    return WH_FIT_OK;
  }
  // Trailing zeros are gone, so a negative power of ten means lost digits.
  int64_t shift = (int64_t)number->exponent + scale;
  if (shift < 0) return WH_FIT_PLACES;
  if (number->overlong || shift > WH_DECIMAL_DIGITS_MAX) return WH_FIT_RANGE;
  // digits < 10^38 and the product must be < 10^precision
  if (shift > precision) return WH_FIT_RANGE;
  unsigned __int128 most = (unsigned __int128)wh_pow10(precision - (int)shift);
  if (number->digits >= most) return WH_FIT_RANGE;
  __int128 value = (__int128)(number->digits * (unsigned __int128)wh_pow10((int)shift));
  *ret = number->negative ? -value : value;
  return WH_FIT_OK;
}

wh_fit wh_decimal_rescale(__int128 unscaled, int from_scale, int precision, int scale,
                          __int128 *ret) {
  __int128 value = unscaled;
  if (scale < from_scale) {
    __int128 divisor = wh_pow10(from_scale - scale);
    if (value % divisor != 0) return WH_FIT_PLACES;
    value /= divisor;
  } else if (scale > from_scale &&
             __builtin_mul_overflow(value, wh_pow10(scale - from_scale), &value)) {
    return WH_FIT_RANGE;
  }
  __int128 most = wh_pow10(precision);
  if (value >= most || value <= -most) return WH_FIT_RANGE;
  *ret = value;
  return WH_FIT_OK;
}

void wh_int_range(wh_kind kind, __int128 *ret_least, __int128 *ret_most) {
  int bits = 8 * (int)wh_kind_width(kind);
  bool has_sign = kind <= WH_INT64;
  *ret_least = has_sign ? -((__int128)1 << (bits - 1)) : 0;
  *ret_most = ((__int128)1 << (has_sign ? bits - 1 : bits)) - 1;
}

bool wh_int_fits(wh_kind kind, __int128 value) {
  __int128 least, most;
  wh_int_range(kind, &least, &most);
  return value >= least && value <= most;
}

static int order(__int128 a, __int128 b) {
  return a < b ? -1 : a > b;
}

int wh_decimal_compare(__int128 a, int scale_a, __int128 b, int scale_b) {
  __int128 unit_a = wh_pow10(scale_a), unit_b = wh_pow10(scale_b);
  int whole = order(a / unit_a, b / unit_b);
  if (whole) return whole;
  // Fractions at the finer scale: below 10^38.
  __int128 rest_a = a % unit_a, rest_b = b % unit_b;
  if (scale_a < scale_b) rest_a *= wh_pow10(scale_b - scale_a);
  if (scale_b < scale_a) rest_b *= wh_pow10(scale_a - scale_b);
  return order(rest_a, rest_b);
}

// Compares rest / unit with `fraction`, both in [0, 1), one binary digit after the other.
static int compare_fractions(unsigned __int128 rest, unsigned __int128 unit, double fraction) {
  while (fraction != 0) {
    if (rest == 0) return -1;
    rest *= 2; // unit <= 10^38 < 2^127
    fraction *= 2;
    bool one = rest >= unit, other = fraction >= 1;
    if (one != other) return one ? 1 : -1;
    if (one) rest -= unit;
    if (other) fraction -= 1;
  }
  return rest != 0;
}

int wh_decimal_compare_f64(__int128 a, int scale_a, double b) {
  if (b >= 0x1p127) return -1;
  if (b < -0x1p127) return 1;
  __int128 unit = wh_pow10(scale_a);
  double whole_b = trunc(b);
  int whole = order(a / unit, (__int128)whole_b);
  if (whole) return whole;
  __int128 rest = a % unit;
  double fraction = b - whole_b;
  if (rest >= 0 && fraction >= 0)
    return compare_fractions((unsigned __int128)rest, (unsigned __int128)unit, fraction);
  if (rest <= 0 && fraction <= 0)
    return -compare_fractions((unsigned __int128)-rest, (unsigned __int128)unit, -fraction);
  return rest < 0 ? -1 : 1;
}

// Writes the digits so that they end at `end`; returns where they begin.
static char *put_digits(char *end, unsigned __int128 value) {
  while (value > UINT64_MAX) {
    *--end = (char)('0' + (int)(value % 10));
    value /= 10;
  }
  uint64_t low = (uint64_t)value;
  do {
    *--end = (char)('0' + low % 10);
    low /= 10;
  } while (low);
  return end;
}

bool wh_decimal_write(__int128 unscaled, int scale, wh_buf *out) {
  char text[INT_TEXT_MAX + 3], *end = text + sizeof text;
  unsigned __int128 magnitude =
      unscaled < 0 ? -(unsigned __int128)unscaled : (unsigned __int128)unscaled;
  char *at = put_digits(end, magnitude);
  if (scale) {
    while (end - at < scale + 1)
      *--at = '0';
    at--;
    memmove(at, at + 1, (size_t)(end - at - 1 - scale));
    end[-scale - 1] = '.';
  }
  if (unscaled < 0) *--at = '-';
  return wh_buf_add(out, at, (size_t)(end - at));
}

static bool write_special(double value, wh_buf *out, bool *ret_ok) {
  if (isnan(value))
    *ret_ok = wh_buf_add_c(out, "NaN");
  else if (isinf(value))
    *ret_ok = wh_buf_add_c(out, value < 0 ? "-Infinity" : "Infinity");
  else
    return false;
  return true;
}

bool wh_f64_write(double value, wh_buf *out) {
  bool ok;
  if (write_special(value, out, &ok)) return ok;
  char text[WH_FORMAT_F64_MAX];
  return wh_buf_add(out, text, wh_format_f64_bare(value, text));
}

bool wh_f32_write(float value, wh_buf *out) {
  bool ok;
  if (write_special((double)value, out, &ok)) return ok;
  char text[WH_FORMAT_F64_MAX];
  return wh_buf_add(out, text, wh_format_f32_bare(value, text));
}

static bool parse_special(wh_str text, double *ret) {
  if (wh_str_is(text, "NaN"))
    *ret = NAN;
  else if (wh_str_is(text, "Infinity"))
    *ret = INFINITY;
  else if (wh_str_is(text, "-Infinity"))
    *ret = -INFINITY;
  else
    return false;
  return true;
}

// Whether a float near an integer written with all its digits says the same: it is equal, or its
// shortest digits are the text's (others write 2^70 as 1180591620717411300000).
static bool keeps_digits(wh_str text, double value, int least, int most) {
  wh_number want, got;
  if (!wh_number_parse(text, &want)) return true;
  if (want.overlong) return true; // only something that expands floats writes 39 digits
  __int128 whole;
  if (fabs(value) < 1e38 &&
      wh_number_to_decimal(&want, WH_DECIMAL_DIGITS_MAX, 0, &whole) == WH_FIT_OK &&
      whole == (__int128)value)
    return true;
  for (int digits = least; digits <= most; digits++) {
    char rounded[WH_FORMAT_F64_MAX];
    snprintf(rounded, sizeof rounded, "%.*g", digits, value);
    if (wh_number_parse(wh_str_of(rounded), &got) && got.digits == want.digits &&
        got.exponent == want.exponent)
      return true;
  }
  return false;
}

bool wh_f64_parse(wh_str text, double *ret) {
  double value;
  wh_float_text scanned;
  if (!wh_float_scan(text.data, text.len, &scanned)) return parse_special(text, ret);
  if (!wh_float_to_f64(&scanned, text, &value)) return false;
  if (scanned.whole && fabs(value) > 0x1p53 - 1 && !keeps_digits(text, value, 15, 17)) return false;
  *ret = value;
  return true;
}

bool wh_f32_parse(wh_str text, float *ret) {
  float value;
  double special;
  wh_float_text scanned;
  if (!wh_float_scan(text.data, text.len, &scanned)) {
    if (!parse_special(text, &special)) return false;
    *ret = (float)special;
    return true;
  }
  if (!wh_float_to_f32(&scanned, text, &value)) return false;
  if (scanned.whole && fabsf(value) > 0x1p24f - 1 && !keeps_digits(text, (double)value, 6, 9))
    return false;
  *ret = value;
  return true;
}
