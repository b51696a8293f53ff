#include "data/format.h"

#include "data/float.h"
#include "data/put.h"

size_t wh_format_u64(uint64_t value, char *out) {
  return (size_t)(wh_put_u64(out, value) - out);
}

size_t wh_format_i64(int64_t value, char *out) {
  return (size_t)(wh_put_i64(out, value) - out);
}

// A point before the last `scale` of `count` digits, with zeros where there are too few.
static size_t put_point(char *digits, size_t count, size_t scale) {
  if (count <= scale) {
    size_t zeros = scale - count + 1; // one before the point
    memmove(digits + zeros + 1, digits, count);
    memset(digits, '0', zeros + 1);
    digits[1] = '.';
    return scale + 2;
  }
  char *point = digits + count - scale;
  if (scale <= 8) { // one move of a fixed size
    uint64_t rest;
    memcpy(&rest, point, sizeof rest);
    memcpy(point + 1, &rest, sizeof rest);
  } else {
    memmove(point + 1, point, scale);
  }
  *point = '.';
  return count + 1;
}

// d.ddde+XX
static size_t put_exponent(char *digits, size_t count, int exponent) {
  size_t n = count;
  if (count > 1) n = put_point(digits, count, count - 1);
  digits[n++] = 'e';
  digits[n++] = exponent < 0 ? '-' : '+';
  uint32_t size = (uint32_t)(exponent < 0 ? -exponent : exponent);
  if (size >= 100) {
    digits[n++] = (char)('0' + size / 100);
    size %= 100;
  }
  digits[n++] = (char)('0' + size / 10);
  digits[n++] = (char)('0' + size % 10);
  return n;
}

// `plain`: as many digits are written without exponent at least.
static size_t put_float(wh_float_digits number, int plain, bool fraction, char *out) {
  int count = (int)wh_format_u64(number.digits, out);
  int point = count + number.exponent;
  if (point < -3 || point > (count > plain ? count : plain))
    return put_exponent(out, (size_t)count, point - 1);
  if (number.exponent < 0) return put_point(out, (size_t)count, (size_t)-number.exponent);
  memset(out + count, '0', (size_t)number.exponent);
  if (!fraction) return (size_t)point;
  memcpy(out + point, ".0", 2);
  return (size_t)point + 2;
}

// Of doubles that most often are short decimals.
#define SHORT_LEAST 1e-3
#define SHORT_MOST  1e9

// A double that is m / 10^places, or 0. Where m has at most 15 digits, no other decimal of so few
// digits is nearest to it: without zeros at its end it is the shortest.
static inline size_t put_short(double magnitude, double power, unsigned places, bool fraction,
                               char *out) {
  static const uint32_t shifts[] = {100000000, 10000000, 1000000, 100000, 10000, 1000, 100};
  uint64_t m = (uint64_t)(magnitude * power + 0.5), scale = (uint64_t)power;
  if ((double)m / power != magnitude) return 0;
  size_t n = wh_format_u64(m / scale, out);
  uint64_t digits = wh_digits8_((uint32_t)(m % scale) * shifts[places]);
  if (digits == 0 && !fraction) return n;
  out[n++] = '.';
  wh_put_word_(out + n, digits | WH_ZEROS8_);
  return n + (digits ? 8 - (size_t)__builtin_clzll(digits) / 8 : 1);
}

static inline size_t format_f64(double value, bool fraction, char *out) {
  size_t sign = __builtin_signbit(value) != 0;
  double magnitude = sign ? -value : value;
  *out = '-';
  if (value == 0) {
    memcpy(out + sign, "0.0", 3);
    return sign + (fraction ? 3 : 1);
  }
  if (magnitude >= SHORT_LEAST && magnitude < SHORT_MOST) {
    size_t n = put_short(magnitude, 1e3, 3, fraction, out + sign);
    if (n == 0) n = put_short(magnitude, 1e6, 6, fraction, out + sign);
    if (n) return sign + n;
  }
  return sign + put_float(wh_f64_shortest(magnitude), 15, fraction, out + sign);
}

static inline size_t format_f32(float value, bool fraction, char *out) {
  size_t sign = __builtin_signbit(value) != 0;
  *out = '-';
  if (value == 0) return format_f64((double)value, fraction, out);
  return sign + put_float(wh_f32_shortest(sign ? -value : value), 6, fraction, out + sign);
}

size_t wh_format_f64(double value, char *out) {
  return format_f64(value, true, out);
}

size_t wh_format_f32(float value, char *out) {
  return format_f32(value, true, out);
}

size_t wh_format_f64_bare(double value, char *out) {
  return format_f64(value, false, out);
}

size_t wh_format_f32_bare(float value, char *out) {
  return format_f32(value, false, out);
}

// Nineteen digits at a time, so that the slow 128 bit division happens at most twice.
static size_t put_wide(unsigned __int128 value, char *out) {
  const uint64_t unit = 10000000000000000000u;
  if (value <= UINT64_MAX) return wh_format_u64((uint64_t)value, out);
  size_t n = put_wide(value / unit, out);
  uint64_t low = (uint64_t)(value % unit);
  for (uint64_t rank = unit / 10; rank > low && rank > 1; rank /= 10)
    out[n++] = '0';
  return n + wh_format_u64(low, out + n);
}

size_t wh_format_decimal(__int128 unscaled, int scale, char *out) {
  size_t sign = unscaled < 0;
  *out = '-';
  unsigned __int128 size = sign ? 0 - (unsigned __int128)unscaled : (unsigned __int128)unscaled;
  size_t n = put_wide(size, out + sign);
  return sign + (scale ? put_point(out + sign, n, (size_t)scale) : n);
}
