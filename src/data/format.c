#include "data/format.h"

#include "data/digits.h"
#include "data/float.h"
#include "data/temporal.h"

size_t wh_format_u64(uint64_t value, char *out) {
  return wh_digits_put(value, out);
}

size_t wh_format_i64(int64_t value, char *out) {
  size_t sign = value < 0;
  *out = '-';
  return sign + wh_digits_put(sign ? 0 - (uint64_t)value : (uint64_t)value, out + sign);
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
  wh_digits_put_two(size, digits + n);
  return n + 2;
}

// `plain`: as many digits are written without exponent at least.
static size_t put_float(wh_float_digits number, int plain, bool fraction, char *out) {
  int count = (int)wh_digits_put(number.digits, out);
  int point = count + number.exponent;
  if (point < -3 || point > (count > plain ? count : plain))
    return put_exponent(out, (size_t)count, point - 1);
  if (number.exponent < 0) return put_point(out, (size_t)count, (size_t)-number.exponent);
  memset(out + count, '0', (size_t)number.exponent);
  if (!fraction) return (size_t)point;
  memcpy(out + point, ".0", 2);
  return (size_t)point + 2;
}

static inline size_t format_f64(double value, bool fraction, char *out) {
  size_t sign = __builtin_signbit(value) != 0;
  *out = '-';
  if (value == 0) {
    memcpy(out + sign, "0.0", 3);
    return sign + (fraction ? 3 : 1);
  }
  return sign + put_float(wh_f64_shortest(sign ? -value : value), 15, fraction, out + sign);
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
  if (value <= UINT64_MAX) return wh_digits_put((uint64_t)value, out);
  size_t n = put_wide(value / unit, out);
  uint64_t low = (uint64_t)(value % unit);
  for (uint64_t rank = unit / 10; rank > low && rank > 1; rank /= 10)
    out[n++] = '0';
  return n + wh_digits_put(low, out + n);
}

size_t wh_format_decimal(__int128 unscaled, int scale, char *out) {
  size_t sign = unscaled < 0;
  *out = '-';
  unsigned __int128 size = sign ? 0 - (unsigned __int128)unscaled : (unsigned __int128)unscaled;
  size_t n = put_wide(size, out + sign);
  return sign + (scale ? put_point(out + sign, n, (size_t)scale) : n);
}

size_t wh_format_date(wh_format_day *cache, int64_t days, char *out) {
  enum { FIRST_DAY = -719162, LAST_DAY = 2932896 }; // 0001-01-01, 9999-12-31
  if (!cache->known || cache->day != days) {
    if (days < FIRST_DAY || days > LAST_DAY) return 0;
    wh_civil c;
    wh_civil_from_days(days, &c);
    wh_digits_put_two((uint32_t)c.year / 100, cache->text);
    wh_digits_put_two((uint32_t)c.year % 100, cache->text + 2);
    wh_digits_put_two((uint32_t)c.month, cache->text + 5);
    wh_digits_put_two((uint32_t)c.day, cache->text + 8);
    cache->text[4] = cache->text[7] = '-';
    cache->day = days;
    cache->known = true;
  }
  memcpy(out, cache->text, 10);
  return 10;
}

// Nanoseconds as .f without zeros at the end.
static inline size_t put_nanos(uint32_t nanos, char *out) {
  uint64_t digits = wh_digits_eight(nanos / 10); // the ninth by itself
  *out = '.';
  uint64_t text = digits | WH_DIGITS_ZEROS;
  memcpy(out + 1, &text, sizeof text);
  if (nanos % 10 == 0) return 9 - (size_t)__builtin_clzll(digits) / 8;
  out[9] = (char)('0' + nanos % 10);
  return 10;
}

// `per_second` is a constant where this is inlined, and the divisions are multiplications.
static inline __attribute__((always_inline)) size_t put_time(uint64_t value, uint64_t per_second,
                                                             char *out) {
  uint32_t seconds = (uint32_t)(value / per_second), minutes = seconds / 60;
  uint32_t fraction = (uint32_t)(value % per_second);
  wh_digits_put_two(minutes / 60, out);
  out[2] = ':';
  wh_digits_put_two(minutes % 60, out + 3);
  out[5] = ':';
  wh_digits_put_two(seconds % 60, out + 6);
  if (fraction == 0) return 8;
  return 8 + put_nanos(fraction * (uint32_t)(1000000000 / per_second), out + 8);
}

size_t wh_format_time(int64_t value, int64_t per_second, char *out) {
  if (value < 0 || value >= 86400 * per_second) return 0;
  switch (per_second) {
  case 1:
    return put_time((uint64_t)value, 1, out);
  case 1000:
    return put_time((uint64_t)value, 1000, out);
  case 1000000:
    return put_time((uint64_t)value, 1000000, out);
  default:
    return put_time((uint64_t)value, 1000000000, out);
  }
}

static inline __attribute__((always_inline)) size_t
put_timestamp(wh_format_day *cache, int64_t value, int64_t per_second, char *out) {
  const int64_t day = 86400 * per_second;
  int64_t days = value / day, rest = value % day;
  if (rest < 0) {
    days--;
    rest += day;
  }
  if (wh_format_date(cache, days, out) == 0) return 0;
  out[10] = 'T';
  return 11 + put_time((uint64_t)rest, (uint64_t)per_second, out + 11);
}

size_t wh_format_timestamp(wh_format_day *cache, int64_t value, int64_t per_second, bool zoned,
                           char *out) {
  size_t n;
  switch (per_second) {
  case 1:
    n = put_timestamp(cache, value, 1, out);
    break;
  case 1000:
    n = put_timestamp(cache, value, 1000, out);
    break;
  case 1000000:
    n = put_timestamp(cache, value, 1000000, out);
    break;
  default:
    n = put_timestamp(cache, value, 1000000000, out);
  }
  if (n == 0 || !zoned) return n;
  out[n] = 'Z';
  return n + 1;
}
