// Numbers and times in one pass: each returns behind the value, or NULL when it is not of the usual
// form. They may read 32 bytes beyond it.
#pragma once

#include "codec/json/decode.h"
#include "data/float.h"

static inline uint64_t json_load8(const char *p) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  return x;
}

static inline uint32_t json_load4(const char *p) {
  uint32_t x;
  memcpy(&x, p, sizeof x);
  return x;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first character is the lowest byte");

// Eight digits, each a byte 0..9, the first the lowest.
static inline uint64_t json_join8(uint64_t digits) {
  uint64_t pairs = digits * 10 + (digits >> 8);
  return ((pairs & 0x000000FF000000FFu) * 0x000F424000000064u +
          ((pairs >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u) >>
         32;
}

// The digits at p, up to eight: how many, and their value.
static inline unsigned json_digits8(const char *p, uint64_t *ret) {
  uint64_t x = json_load8(p) ^ 0x3030303030303030u;
  // The top bit of bytes above 9; a carry disturbs only bytes behind such a one.
  uint64_t others = ((x + 0x7676767676767676u) | x) & 0x8080808080808080u;
  unsigned n = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
  *ret = json_join8(x << ((64 - 8 * n) & 63)); // zeros in front instead of what follows
  return n;
}

extern const uint64_t json_powers[17]; // 10^0..10^16

// The digits at p, up to 16: how many.
static inline unsigned json_digits16(const char *p, uint64_t *ret) {
  uint64_t more;
  unsigned n = json_digits8(p, ret);
  if (__builtin_expect(n < 8, 1)) return n;
  unsigned rest = json_digits8(p + 8, &more);
  if (rest) *ret = *ret * json_powers[rest] + more;
  return 8 + rest;
}

// A number of up to 16 digits before and behind the point, 19 together, without exponent.
static inline const char *json_fast_number(const char *p, json_number *ret) {
  bool negative = *p == '-';
  p += negative;
  uint64_t digits, fraction;
  unsigned whole = json_digits16(p, &digits), places = 0;
  if (whole == 0 || whole == 16 || (*p == '0' && whole > 1)) return NULL;
  p += whole;
  if (*p == '.') {
    places = json_digits16(p + 1, &fraction);
    if (places == 0 || places == 16 || whole + places > 19) return NULL;
    digits = digits * json_powers[places] + fraction;
    p += 1 + places;
  }
  if ((*p | 0x20) == 'e') return NULL;
  *ret = (json_number){.digits = digits,
                       .exponent = -(int32_t)places,
                       .count = (uint8_t)(whole + places),
                       .negative = negative,
                       .integer = places == 0};
  return p;
}

static inline const char *json_fast_int(const char *p, int64_t *ret) {
  bool negative = *p == '-';
  p += negative;
  uint64_t digits;
  unsigned n = json_digits16(p, &digits);
  if (n == 0 || n == 16 || (*p == '0' && n > 1)) return NULL;
  *ret = negative ? -(int64_t)digits : (int64_t)digits;
  return p + n;
}

// The ten characters of a day; their number of days is remembered.
static inline bool json_fast_day(json_known_day *known, const char *p, int64_t *ret) {
  bool same = json_load8(known->text) == json_load8(p) && memcmp(known->text + 8, p + 8, 2) == 0;
  if (__builtin_expect(!same || !known->known, 0) && !json_read_day(known, p)) return false;
  *ret = known->day;
  return true;
}

// hh:mm:ss as seconds.
static inline bool json_fast_clock(const char *p, int64_t *ret) {
  uint64_t x = json_load8(p) ^ 0x30303A30303A3030u; // "00:00:00"
  if ((((x + 0x7676767676767676u) | x) & 0x8080808080808080u) | (x & 0x0000FF0000FF0000u))
    return false;
  uint64_t pairs = x * 10 + (x >> 8);
  uint32_t hour = pairs & 0xFF, minute = pairs >> 24 & 0xFF, second = pairs >> 48 & 0xFF;
  *ret = hour * 3600 + minute * 60 + second;
  return hour < 24 && minute < 60 && second < 60;
}

// A string that is a date, or a timestamp of a unit down to microseconds, as our writer has them.
static inline const char *json_fast_time(json_known_day *known, const char *p, const wh_type *type,
                                         int64_t *ret) {
  int64_t day, seconds;
  if (*p != '"' || !json_fast_day(known, p + 1, &day)) return NULL;
  p += 11;
  if (type->kind == WH_DATE) {
    *ret = day;
    return *p == '"' ? p + 1 : NULL;
  }
  if (*p != 'T' || !json_fast_clock(p + 1, &seconds)) return NULL;
  unsigned keeps = 3 * (unsigned)type->unit; // digits of a fraction
  uint64_t fraction = 0;
  p += 9;
  if (*p == '.') {
    unsigned n = json_digits8(p + 1, &fraction);
    if (n == 0 || n > keeps) return NULL;
    fraction *= json_powers[keeps - n];
    p += 1 + n;
  }
  if (type->zoned && *p++ != 'Z') return NULL;
  *ret = (day * 86400 + seconds) * (int64_t)json_powers[keeps] + (int64_t)fraction;
  return *p == '"' ? p + 1 : NULL;
}
