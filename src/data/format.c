#include "data/format.h"

#include "data/temporal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

size_t wh_format_u64(uint64_t value, char *out) {
  char digits[20];
  size_t at = sizeof digits;
  while (value >= 100) {
    at -= 2;
    memcpy(digits + at, pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (value >= 10) {
    at -= 2;
    memcpy(digits + at, pairs + value * 2, 2);
  } else {
    digits[--at] = (char)('0' + value);
  }
  memcpy(out, digits + at, sizeof digits - at);
  return sizeof digits - at;
}

size_t wh_format_i64(int64_t value, char *out) {
  if (value >= 0) return wh_format_u64((uint64_t)value, out);
  *out = '-';
  return 1 + wh_format_u64(0 - (uint64_t)value, out + 1);
}

// Digits with a point before the last `scale` of them.
static size_t put_point(const char *digits, size_t count, size_t scale, char *out) {
  size_t n = 0;
  if (count <= scale) {
    out[n++] = '0';
    out[n++] = '.';
    for (size_t i = count; i < scale; i++)
      out[n++] = '0';
    memcpy(out + n, digits, count);
    return n + count;
  }
  memcpy(out, digits, count - scale);
  n = count - scale;
  out[n++] = '.';
  memcpy(out + n, digits + count - scale, scale);
  return n + scale;
}

// Most doubles in business data are short decimals: m / 10^k with m below 10^15. Dividing exact
// integers by an exact power of ten rounds exactly, so the test proves that the text reads back as
// the value; 15 digits identify a double, so with the least k it is the shortest.
static size_t format_short(double value, char *out) {
  static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
  for (unsigned k = 0; k < sizeof powers / sizeof *powers; k++) {
    double scaled = value * powers[k];
    if (scaled >= 1e15) return 0;
    uint64_t m = (uint64_t)(scaled + 0.5);
    if ((double)m / powers[k] != value) continue;
    char digits[20];
    size_t count = wh_format_u64(m, digits);
    if (k) return put_point(digits, count, k, out);
    memcpy(out, digits, count);
    memcpy(out + count, ".0", 2); // stays a number with a fraction for whoever infers types
    return count + 2;
  }
  return 0;
}

// "%e" text as JSON takes it already; but integers that printf writes without point get one.
static size_t with_fraction(const char *text, size_t len, char *out) {
  memcpy(out, text, len);
  if (memchr(text, '.', len) || memchr(text, 'e', len)) return len;
  memcpy(out + len, ".0", 2);
  return len + 2;
}

size_t wh_format_f64(double value, char *out) {
  if (value == 0) {
    memcpy(out, "-0.0", 4);
    if (signbit(value)) return 4;
    memcpy(out, "0.0", 3);
    return 3;
  }
  size_t sign = value < 0;
  if (sign) *out = '-';
  double magnitude = fabs(value);
  size_t n = format_short(magnitude, out + sign);
  if (n) return sign + n;
  char text[WH_FORMAT_F64_MAX];
  // In the normal range 15 digits at most are needed for a text of 15 digits to come back.
  for (int digits = magnitude < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
    int len = snprintf(text, sizeof text, "%.*g", digits, magnitude);
    double back;
    if (digits < 17 && (!wh_str_to_f64(wh_str_n(text, (size_t)len), &back) || back != magnitude)) {
      continue;
    }
    return sign + with_fraction(text, (size_t)len, out + sign);
  }
  return 0; // not reached: 17 digits always do
}

size_t wh_format_f32(float value, char *out) {
  char text[WH_FORMAT_F64_MAX];
  if (value == 0) return wh_format_f64((double)value, out);
  for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
    int len = snprintf(text, sizeof text, "%.*g", digits, (double)value);
    double back;
    if (digits < 9 &&
        (!wh_str_to_f64(wh_str_n(text, (size_t)len), &back) || (float)back != value)) {
      continue;
    }
    return with_fraction(text, (size_t)len, out);
  }
  return 0;
}

size_t wh_format_decimal(__int128 unscaled, int scale, char *out) {
  size_t sign = unscaled < 0;
  if (sign) *out = '-';
  unsigned __int128 rest = sign ? 0 - (unsigned __int128)unscaled : (unsigned __int128)unscaled;
  char digits[40];
  size_t at = sizeof digits;
  // Nineteen digits at a time, so that the slow 128 bit division happens at most twice.
  while (rest > UINT64_MAX) {
    char low[20];
    size_t n = wh_format_u64((uint64_t)(rest % 10000000000000000000ull), low);
    rest /= 10000000000000000000ull;
    memset(digits + at - 19, '0', 19);
    memcpy(digits + at - n, low, n);
    at -= 19;
  }
  char high[20];
  size_t n = wh_format_u64((uint64_t)rest, high);
  memcpy(digits + at - n, high, n);
  at -= n;
  if (scale) return sign + put_point(digits + at, sizeof digits - at, (size_t)scale, out + sign);
  memcpy(out + sign, digits + at, sizeof digits - at);
  return sign + sizeof digits - at;
}

static void put_pair(char *out, int32_t value) {
  memcpy(out, pairs + value * 2, 2);
}

size_t wh_format_date(wh_format_day *cache, int64_t days, char *out) {
  enum { FIRST_DAY = -719162, LAST_DAY = 2932896 }; // 0001-01-01, 9999-12-31
  if (!cache->known || cache->day != days) {
    if (days < FIRST_DAY || days > LAST_DAY) return 0;
    wh_civil c;
    wh_civil_from_days(days, &c);
    put_pair(cache->text, c.year / 100);
    put_pair(cache->text + 2, c.year % 100);
    put_pair(cache->text + 5, c.month);
    put_pair(cache->text + 8, c.day);
    cache->text[4] = cache->text[7] = '-';
    cache->day = days;
    cache->known = true;
  }
  memcpy(out, cache->text, 10);
  return 10;
}

size_t wh_format_time(int64_t value, int64_t per_second, char *out) {
  int64_t seconds = value / per_second, fraction = value % per_second;
  if (value < 0 || seconds >= 86400) return 0;
  int32_t s = (int32_t)seconds;
  put_pair(out, s / 3600);
  out[2] = ':';
  put_pair(out + 3, s / 60 % 60);
  out[5] = ':';
  put_pair(out + 6, s % 60);
  if (fraction == 0) return 8;
  out[8] = '.';
  size_t n = 9;
  while (fraction) {
    fraction *= 10;
    out[n++] = (char)('0' + fraction / per_second);
    fraction %= per_second;
  }
  return n;
}

size_t wh_format_timestamp(wh_format_day *cache, int64_t value, int64_t per_second, bool zoned,
                           char *out) {
  const int64_t day = 86400 * per_second;
  int64_t days = value / day, rest = value % day;
  if (rest < 0) {
    days--;
    rest += day;
  }
  size_t n = wh_format_date(cache, days, out);
  if (n == 0) return 0;
  out[n++] = 'T';
  n += wh_format_time(rest, per_second, out + n);
  if (zoned) out[n++] = 'Z';
  return n;
}
