// Numbers of JSON (RFC 8259 section 6), exactly.
#pragma once

#include "base/str.h"

typedef struct json_number {
  uint64_t digits;  // all digits as written, without the point, unless `more`
  int32_t exponent; // of ten: the value is +-digits * 10^exponent; clamped to +-JSON_EXPONENT_MAX
  bool negative;
  bool integer; // neither point nor exponent
  bool more;    // more digits than fit into `digits`: look at the text
} json_number;

enum { JSON_EXPONENT_MAX = 1000000 };

// Integers up to here, of either sign, are exact in a double.
#define JSON_F64_WHOLE_MAX (INT64_C(1) << 53)

// The text [p, end) as a whole; false when it is not a number. Reads nothing beyond `end`.
bool json_number_parse(const char *p, const char *end, json_number *ret);

// Exactly rounded; false when it is beyond a double's range, or too long.
bool json_number_f64(wh_str text, const json_number *number, double *ret);

// The value as integer; false when it has a fraction (*ret_fraction) or does not fit.
bool json_number_i64(wh_str text, const json_number *number, int64_t *ret, bool *ret_fraction);
bool json_number_u64(wh_str text, const json_number *number, uint64_t *ret, bool *ret_fraction);

// The significant digits: without zeros at either end.
typedef struct json_digits {
  unsigned __int128 value; // if count <= 38
  int64_t count;           // 0: the value is zero
  int64_t exponent;        // the value is value * 10^exponent
} json_digits;
void json_number_digits(wh_str text, json_digits *ret);
// Digits before the point and behind it that the value needs; 0 and 0 for zero.
static inline int64_t json_digits_whole(const json_digits *d) {
  int64_t whole = d->count + d->exponent;
  return whole > 0 ? whole : 0;
}
static inline int64_t json_digits_scale(const json_digits *d) {
  return d->exponent < 0 ? -d->exponent : 0;
}

// value * 10^scale; false when digits would be lost (*ret_scale: of places it has more) or the
// result has more than `precision` digits.
bool json_number_decimal(wh_str text, const json_number *number, int precision, int scale,
                         __int128 *ret, bool *ret_fraction);

// Whether the nearest double is written back, by the shortest text that reads as it, as the same
// value: nothing is lost when a number goes through a float64 column.
bool json_number_survives_f64(wh_str text, const json_number *number, double value);
