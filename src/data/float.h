// Floats as decimal text and back, exactly and quickly: for loops that read or write many. What a
// text as a whole means (NaN, integers that a float cannot keep) is number.h's.
#pragma once

#include "base/str.h"

#include <stdint.h>

// What the text of a number says: +-digits * 10^exponent.
typedef struct wh_float_text {
  uint64_t digits;  // the first 19 that are significant, at most
  int32_t exponent; // clamped to +-WH_FLOAT_EXPONENT_MAX
  bool negative;
  bool more;  // others follow that are not all zero: the value lies above, and below digits + 1
  bool whole; // written without a point or exponent
} wh_float_text;

enum { WH_FLOAT_EXPONENT_MAX = 1 << 20 };

// The whole text, in the syntax of wh_number_parse.
bool wh_float_scan(const char *text, size_t len, wh_float_text *ret);
// The nearest float. `text` is what was scanned: looked at again only when the digits that were
// taken do not decide. False: too large.
bool wh_float_to_f64(const wh_float_text *scanned, wh_str text, double *ret);
bool wh_float_to_f32(const wh_float_text *scanned, wh_str text, float *ret);

// The float nearest to digits * 10^exponent, ties to even; false: too large.

bool wh_f64_nearest(uint64_t digits, int32_t exponent, bool negative, double *ret);
bool wh_f32_nearest(uint64_t digits, int32_t exponent, bool negative, float *ret);

extern const double wh_f64_powers[23]; // 10^0..10^22: those that a double holds exactly

// The same, for loops: usually one operation.
static inline bool wh_f64_of_digits(uint64_t digits, int32_t exponent, bool negative, double *ret) {
  // Both operands are exact, so the one operation rounds exactly (W. Clinger, "How to read floating
  // point numbers accurately", 1990).
  if (__builtin_expect(digits > (UINT64_C(1) << 53) || exponent < -22 || exponent > 22, 0))
    return wh_f64_nearest(digits, exponent, negative, ret);
  double value = (double)digits;
  if (exponent < 0)
    value /= wh_f64_powers[-exponent];
  else
    value *= wh_f64_powers[exponent];
  *ret = negative ? -value : value;
  return true;
}

// The shortest digits that read back as the value, and of these the nearest to it; without zeros at
// the end. `value` is finite and above zero.
typedef struct wh_float_digits {
  uint64_t digits; // at most 17, or 9
  int32_t exponent;
} wh_float_digits;
wh_float_digits wh_f64_shortest(double value);
wh_float_digits wh_f32_shortest(float value);
