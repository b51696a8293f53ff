// Integers, dates and times as text, in line: for codecs that write millions of them. Everything
// here writes whole words: `out` needs the room that is named, and gets behind the text whatever
// comes. The same text as data/format.h and data/temporal.h give.
#pragma once

#include "base/str.h"
#include "data/type.h"

enum {
  WH_PUT_I64_ROOM = 32,
  WH_PUT_DATE_ROOM = 16,
  WH_PUT_TIME_ROOM = 32,
  WH_PUT_TIMESTAMP_ROOM = 48,
};

static inline void wh_put_word_(char *out, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  memcpy(out, &word, sizeof word);
}

// Eight decimal digits of a value below 10^8, one a byte, the first in the lowest. The value is cut
// into halves, pairs and single digits, all lanes of the word at once; a division by 100 or 10 is
// a multiplication by its reciprocal, exact for the few values a lane can have.
static inline uint64_t wh_digits8_(uint32_t value) {
  uint64_t halves = value / 10000 | (uint64_t)(value % 10000) << 32;
  uint64_t hundreds = halves * 10486 >> 20 & 0x0000007F0000007Full;
  uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
  uint64_t tens = pairs * 103 >> 10 & 0x000F000F000F000Full;
  return tens | (pairs - tens * 10) << 8;
}

#define WH_ZEROS8_ 0x3030303030303030ull // "00000000"

// Without leading zeros.
static inline char *wh_put_below_1e8_(char *out, uint32_t value) {
  uint64_t digits = wh_digits8_(value);
  // The last digit is written even when it is zero.
  unsigned skip = (unsigned)__builtin_ctzll(digits | 1ull << 56) & ~7u;
  wh_put_word_(out, (digits | WH_ZEROS8_) >> skip);
  return out + 8 - skip / 8;
}

// Returns where it ends, as all of these.
static inline char *wh_put_u64(char *out, uint64_t value) {
  const uint64_t e8 = 100000000;
  if (__builtin_expect(value < e8, 1)) return wh_put_below_1e8_(out, (uint32_t)value);
  uint64_t high = value / e8;
  if (high < e8) {
    out = wh_put_below_1e8_(out, (uint32_t)high);
  } else {
    out = wh_put_below_1e8_(out, (uint32_t)(high / e8));
    wh_put_word_(out, wh_digits8_((uint32_t)(high % e8)) | WH_ZEROS8_);
    out += 8;
  }
  wh_put_word_(out, wh_digits8_((uint32_t)(value % e8)) | WH_ZEROS8_);
  return out + 8;
}

static inline char *wh_put_i64(char *out, int64_t value) {
  *out = '-';
  return wh_put_u64(out + (value < 0), value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

enum {
  WH_PUT_FIRST_DAY = -719162, // 0001-01-01
  WH_PUT_LAST_DAY = 2932896,  // 9999-12-31
};

// A day of the years 1 to 9999. Years are counted from March; years, months and days within them
// then follow from linear functions, whose divisions become one multiplication each (Neri and
// Schneider, "Euclidean affine functions and their application to calendar algorithms", 2022).
static inline char *wh_put_date(char *out, int32_t days) {
  uint32_t quarters = 4 * (uint32_t)(days + 719468) + 3;
  uint32_t century = quarters / 146097;
  uint32_t in_century = quarters % 146097 | 3;
  uint64_t product = 2939745ull * in_century;
  uint32_t day_of_year = (uint32_t)product / 2939745 / 4;
  uint32_t year = 100 * century + (uint32_t)(product >> 32);
  uint32_t month_day = 2141 * day_of_year + 197913;
  uint32_t month = month_day >> 16, day = (month_day & 0xFFFF) / 2141 + 1;
  if (day_of_year >= 306) {
    year++;
    month -= 12;
  }
  uint64_t digits = wh_digits8_(year * 10000 + month * 100 + day) | WH_ZEROS8_;
  wh_put_word_(out, (digits & 0xFFFFFFFFull) | (uint64_t)'-' << 32 | (digits >> 32 & 0xFFFF) << 40 |
                        (uint64_t)'-' << 56);
  out[8] = (char)(digits >> 48);
  out[9] = (char)(digits >> 56);
  return out + 10;
}

// Of a day: 0 to 86399 seconds. "08:55:00"
static inline char *wh_put_clock(char *out, uint32_t seconds) {
  uint32_t minutes = seconds / 60;
  uint64_t digits =
      wh_digits8_(minutes / 60 * 10000 + minutes % 60 * 100 + seconds % 60) | WH_ZEROS8_;
  // The first two digits are zeros; a colon stands between the pairs.
  wh_put_word_(out, (digits >> 16 & 0xFFFF) | (uint64_t)':' << 16 | (digits >> 32 & 0xFFFF) << 24 |
                        (uint64_t)':' << 40 | digits >> 48 << 48);
  return out + 8;
}

// A point and the fraction's digits without zeros at the end; nothing for 0.
static inline char *wh_put_fraction_(char *out, uint32_t value, wh_unit unit) {
  static const uint32_t to_8_digits[] = {100000000, 100000, 100, 1};
  if (value == 0) return out;
  *out = '.';
  uint32_t ninth = 0;
  if (unit == WH_UNIT_NS) {
    ninth = value % 10;
    value /= 10;
  }
  uint64_t digits = wh_digits8_(value * to_8_digits[unit]);
  wh_put_word_(out + 1, digits | WH_ZEROS8_);
  out[9] = (char)('0' + ninth);
  if (ninth) return out + 10;
  return out + 9 - __builtin_clzll(digits) / 8;
}

// Below a day, in units since midnight.
static inline char *wh_put_time(char *out, int64_t value, wh_unit unit) {
  uint64_t v = (uint64_t)value;
  switch (unit) {
  case WH_UNIT_S:
    return wh_put_clock(out, (uint32_t)v);
  case WH_UNIT_MS:
    return wh_put_fraction_(wh_put_clock(out, (uint32_t)(v / 1000)), (uint32_t)(v % 1000), unit);
  case WH_UNIT_US:
    return wh_put_fraction_(wh_put_clock(out, (uint32_t)(v / 1000000)), (uint32_t)(v % 1000000),
                            unit);
  default:
    return wh_put_fraction_(wh_put_clock(out, (uint32_t)(v / 1000000000)),
                            (uint32_t)(v % 1000000000), unit);
  }
}

// Units of a day; constants, so that dividing by them is a multiplication.
static inline int64_t wh_put_days_(int64_t value, wh_unit unit, int64_t *ret_rest) {
#define WH_PUT_DAYS_(per_day)                                                                      \
  do {                                                                                             \
    int64_t days = value / (per_day), rest = value % (per_day);                                    \
    *ret_rest = rest < 0 ? rest + (per_day) : rest;                                                \
    return days - (rest < 0);                                                                      \
  } while (0)
  switch (unit) {
  case WH_UNIT_S:
    WH_PUT_DAYS_(86400ll);
  case WH_UNIT_MS:
    WH_PUT_DAYS_(86400ll * 1000);
  case WH_UNIT_US:
    WH_PUT_DAYS_(86400ll * 1000000);
  default:
    WH_PUT_DAYS_(86400ll * 1000000000);
  }
#undef WH_PUT_DAYS_
}

// "2026-11-21T08:55:00.000123Z"; NULL out of the years 1 to 9999.
static inline char *wh_put_timestamp(char *out, int64_t value, wh_unit unit, bool zoned) {
  int64_t rest, days = wh_put_days_(value, unit, &rest);
  if (days < WH_PUT_FIRST_DAY || days > WH_PUT_LAST_DAY) return NULL;
  out = wh_put_date(out, (int32_t)days);
  *out = 'T';
  out = wh_put_time(out + 1, rest, unit);
  *out = 'Z';
  return out + zoned;
}
