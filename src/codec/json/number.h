// Numbers of JSON (RFC 8259 section 6): the grammar, and the fast and exact ways to a double. What
// is slow or rare (many digits, exponents) is left to data/number.h.
#pragma once

#include "data/number.h"

typedef struct json_number {
  uint64_t digits;  // all digits as written, without the point, unless `more`
  int32_t exponent; // of ten: the value is +-digits * 10^exponent; clamped to +-JSON_EXPONENT_MAX
  uint8_t count;    // digits as written, at most 255
  bool negative;
  bool integer; // neither point nor exponent
  bool more;    // more digits than fit into `digits`: look at the text
} json_number;

enum { JSON_EXPONENT_MAX = 1000000 };

// Integers up to here, of either sign, are exact in a double.
#define JSON_F64_WHOLE_MAX (INT64_C(1) << 53)

// The text [p, end) as a whole; false when it is not a number. Reads nothing beyond `end`.
bool json_number_parse(const char *p, const char *end, json_number *ret);

// Powers of ten that a double holds exactly: 10^0 to 10^22.
extern const double json_exact_powers[23];

// The nearest double, where that takes one operation; false: take the slow way.
static inline bool json_number_fast_f64(const json_number *number, double *ret) {
  // Both operands are exact, so the one operation rounds exactly (W. Clinger, "How to read floating
  // point numbers accurately", 1990).
  if (number->more || number->digits > (uint64_t)JSON_F64_WHOLE_MAX || number->exponent < -22 ||
      number->exponent > 22) {
    return false;
  }
  double value = (double)number->digits;
  if (number->exponent < 0)
    value /= json_exact_powers[-number->exponent];
  else
    value *= json_exact_powers[number->exponent];
  *ret = number->negative ? -value : value;
  return true;
}

// Where the number is written as an integer of 64 bit.
static inline bool json_number_fast_i64(const json_number *number, int64_t *ret) {
  if (!number->integer || number->more || number->digits > (uint64_t)INT64_MAX) return false;
  *ret = number->negative ? -(int64_t)number->digits : (int64_t)number->digits;
  return true;
}

// Whether the nearest double is written back, by the shortest text that reads as it, as the same
// value: nothing is lost when a number goes through a float64 column.
bool json_number_survives_f64(wh_str text, const json_number *number, double value);

// Significant digits before the point and behind it; 0 and 0 for zero. More than decimals keep
// is JSON_MANY_DIGITS.
enum { JSON_MANY_DIGITS = 255 };
void json_number_extent(wh_str text, uint8_t *ret_whole, uint8_t *ret_scale);
