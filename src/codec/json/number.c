#include "codec/json/number.h"

#include "data/format.h"

enum { DIGITS_IN_WORD = 19 };

const double json_exact_powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline bool is_digit(char c) {
  return (unsigned char)(c - '0') <= 9;
}

// "e+12": false when no digit follows.
static bool parse_exponent(const char **at, const char *end, int64_t *ret) {
  const char *p = *at + 1;
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end || !is_digit(*p)) return false;
  int64_t value = 0;
  for (; p < end && is_digit(*p); p++) {
    if (value < JSON_EXPONENT_MAX) value = value * 10 + (*p - '0');
  }
  *ret = negative ? -value : value;
  *at = p;
  return true;
}

// What follows the integer part of `ret`, which has `count` digits.
static bool parse_rest(const char *p, const char *end, size_t count, json_number *ret) {
  int64_t exponent = 0;
  if (*p == '.') {
    const char *fraction = ++p;
    for (; p < end && is_digit(*p); p++)
      ret->digits = ret->digits * 10 + (uint64_t)(*p - '0');
    if (p == fraction) return false;
    count += (size_t)(p - fraction);
    exponent = -(int64_t)(p - fraction);
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    int64_t shift;
    if (!parse_exponent(&p, end, &shift)) return false;
    exponent += shift;
  }
  if (p != end) return false;
  if (exponent > JSON_EXPONENT_MAX) exponent = JSON_EXPONENT_MAX;
  if (exponent < -JSON_EXPONENT_MAX) exponent = -JSON_EXPONENT_MAX;
  ret->exponent = (int32_t)exponent;
  ret->integer = false;
  ret->more = count > DIGITS_IN_WORD;
  ret->count = (uint8_t)(count < 255 ? count : 255);
  return true;
}

bool json_number_parse(const char *p, const char *end, json_number *ret) {
  bool negative = p < end && *p == '-';
  p += negative;
  const char *first = p;
  uint64_t digits = 0;
  for (; p < end && is_digit(*p); p++)
    digits = digits * 10 + (uint64_t)(*p - '0');
  size_t count = (size_t)(p - first);
  if (count == 0 || (*first == '0' && count > 1)) return false;
  *ret = (json_number){.digits = digits,
                       .negative = negative,
                       .integer = true,
                       .more = count > DIGITS_IN_WORD,
                       .count = (uint8_t)(count < 255 ? count : 255)};
  return p == end || parse_rest(p, end, count, ret);
}

bool json_number_survives_f64(wh_str text, const json_number *number, double value) {
  // Every decimal of 15 digits survives in the normal range (DBL_DIG).
  if (!number->more && number->digits < 1000000000000000ull && number->exponent >= -300 &&
      number->exponent <= 290) {
    return true;
  }
  wh_number want, back;
  if (!wh_number_parse(text, &want) || want.overlong) return false;
  if (want.digits > 99999999999999999) return false; // no double is written with 18 digits
  char shortest[WH_FORMAT_F64_MAX];
  size_t len = wh_format_f64(value, shortest);
  return wh_number_parse(wh_str_n(shortest, len), &back) && want.digits == back.digits &&
         want.exponent == back.exponent;
}

static uint8_t few(int64_t count) {
  if (count < 0) return 0;
  return count > WH_DECIMAL_DIGITS_MAX ? JSON_MANY_DIGITS : (uint8_t)count;
}

void json_number_extent(wh_str text, uint8_t *ret_whole, uint8_t *ret_scale) {
  wh_number n;
  *ret_whole = *ret_scale = JSON_MANY_DIGITS;
  if (!wh_number_parse(text, &n) || n.overlong) return;
  int count = 0;
  for (unsigned __int128 rest = n.digits; rest; rest /= 10)
    count++;
  *ret_whole = count ? few((int64_t)count + n.exponent) : 0;
  *ret_scale = few(-(int64_t)n.exponent);
}
