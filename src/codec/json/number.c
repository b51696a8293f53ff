#include "codec/json/number.h"

#include "codec/json/format.h"

enum { DIGITS_IN_WORD = 19 };

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

bool json_number_parse(const char *p, const char *end, json_number *ret) {
  bool negative = p < end && *p == '-';
  p += negative;
  if (p == end || !is_digit(*p)) return false;
  const char *first = p;
  uint64_t digits = 0;
  do {
    digits = digits * 10 + (uint64_t)(*p - '0');
    p++;
  } while (p < end && is_digit(*p));
  size_t count = (size_t)(p - first);
  if (*first == '0' && count > 1) return false;
  int64_t exponent = 0;
  bool integer = true;
  if (p < end && *p == '.') {
    const char *fraction = ++p;
    for (; p < end && is_digit(*p); p++)
      digits = digits * 10 + (uint64_t)(*p - '0');
    if (p == fraction) return false;
    count += (size_t)(p - fraction);
    exponent = -(int64_t)(p - fraction);
    integer = false;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    int64_t shift;
    if (!parse_exponent(&p, end, &shift)) return false;
    exponent += shift;
    integer = false;
  }
  if (p != end) return false;
  if (exponent > JSON_EXPONENT_MAX) exponent = JSON_EXPONENT_MAX;
  if (exponent < -JSON_EXPONENT_MAX) exponent = -JSON_EXPONENT_MAX;
  *ret = (json_number){.digits = digits,
                       .exponent = (int32_t)exponent,
                       .negative = negative,
                       .integer = integer,
                       .more = count > DIGITS_IN_WORD};
  return true;
}

// Powers of ten that a double holds exactly.
static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool json_number_f64(wh_str text, const json_number *number, double *ret) {
  // Both factors are exact, so the one operation rounds exactly (W. Clinger, "How to read floating
  // point numbers accurately", 1990).
  if (!number->more && number->digits <= 1ull << 53 && number->exponent >= -22 &&
      number->exponent <= 22) {
    double value = (double)number->digits;
    if (number->exponent < 0) value /= exact_powers[-number->exponent];
    else value *= exact_powers[number->exponent];
    *ret = number->negative ? -value : value;
    return true;
  }
  return wh_str_to_f64(text, ret);
}

void json_number_digits(wh_str text, json_digits *ret) {
  *ret = (json_digits){0};
  int64_t point = 0; // digits behind it
  int64_t zeros = 0; // at the end, so far
  bool behind_point = false;
  const char *p = text.data, *end = text.data + text.len;
  if (p < end && *p == '-') p++;
  for (; p < end; p++) {
    if (*p == '.') {
      behind_point = true;
      continue;
    }
    if (!is_digit(*p)) break;
    point += behind_point;
    if (*p == '0') {
      zeros += ret->count > 0;
      continue;
    }
    for (; zeros; zeros--) {
      if (++ret->count <= 38) ret->value *= 10;
    }
    if (++ret->count <= 38) ret->value = ret->value * 10 + (unsigned)(*p - '0');
  }
  int64_t exponent = 0;
  if (p < end && !parse_exponent(&p, end, &exponent)) return;
  if (ret->count) ret->exponent = exponent - point + zeros;
}

// 10^power, at most 38.
static unsigned __int128 power_of_ten(int64_t power) {
  unsigned __int128 value = 1;
  while (power-- > 0)
    value *= 10;
  return value;
}

bool json_number_decimal(wh_str text, const json_number *number, int precision, int scale,
                         __int128 *ret, bool *ret_fraction) {
  *ret_fraction = false;
  unsigned __int128 value = number->digits;
  int64_t exponent = number->exponent;
  if (number->more || exponent + scale < 0 || exponent + scale > 18) {
    json_digits d;
    json_number_digits(text, &d);
    if (d.count == 0) {
      *ret = 0;
      return true;
    }
    *ret_fraction = d.exponent + scale < 0;
    if (*ret_fraction || d.count + d.exponent + scale > precision) return false;
    value = d.value;
    exponent = d.exponent;
  }
  value *= power_of_ten(exponent + scale);
  if (value >= power_of_ten(precision)) return false;
  *ret = number->negative ? -(__int128)value : (__int128)value;
  return true;
}

// 20 digits hold every 64 bit integer.
static bool whole_number(wh_str text, const json_number *number, __int128 *ret,
                         bool *ret_fraction) {
  return json_number_decimal(text, number, 20, 0, ret, ret_fraction);
}

bool json_number_i64(wh_str text, const json_number *number, int64_t *ret, bool *ret_fraction) {
  if (number->integer && !number->more && number->digits <= INT64_MAX) {
    *ret = number->negative ? -(int64_t)number->digits : (int64_t)number->digits;
    return true;
  }
  __int128 value;
  if (!whole_number(text, number, &value, ret_fraction)) return false;
  if (value < INT64_MIN || value > INT64_MAX) return false;
  *ret = (int64_t)value;
  return true;
}

bool json_number_u64(wh_str text, const json_number *number, uint64_t *ret, bool *ret_fraction) {
  __int128 value;
  if (!whole_number(text, number, &value, ret_fraction)) return false;
  if (value < 0 || value > UINT64_MAX) return false;
  *ret = (uint64_t)value;
  return true;
}

bool json_number_survives_f64(wh_str text, const json_number *number, double value) {
  // Every decimal of 15 digits survives in the normal range (DBL_DIG).
  if (!number->more && number->digits < 1000000000000000ull && number->exponent >= -300 &&
      number->exponent <= 290) {
    return true;
  }
  json_digits d, back;
  json_number_digits(text, &d);
  if (d.count > 17) return false;
  char shortest[JSON_F64_MAX];
  size_t len = json_format_f64(value, shortest);
  json_number_digits(wh_str_n(shortest, len), &back);
  return d.value == back.value && d.exponent == back.exponent;
}
