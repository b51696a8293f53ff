// Numbers as text and as 128-bit decimals, exactly.
#pragma once

#include "base/buf.h"
#include "data/type.h"

// What the text of a number says: +-digits * 10^exponent, digits without trailing zeros.
typedef struct wh_number {
  bool negative;
  bool overlong; // more than 38 significant digits; `digits` holds the first 38
  unsigned __int128 digits;
  int32_t exponent;
} wh_number;

// The whole text: [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point.
bool wh_number_parse(wh_str text, wh_number *ret);

typedef enum wh_fit {
  WH_FIT_OK,
  WH_FIT_PLACES, // it has more decimal places
  WH_FIT_RANGE,  // it is too large
} wh_fit;

__int128 wh_pow10(int exponent); // 0..38
// As a decimal of that precision and scale, unscaled.
wh_fit wh_number_to_decimal(const wh_number *number, int precision, int scale, __int128 *ret);
// To another precision and scale.
wh_fit wh_decimal_rescale(__int128 unscaled, int from_scale, int precision, int scale,
                          __int128 *ret);
// Whether an integer is in range of an int kind, and the range itself.
bool wh_int_fits(wh_kind kind, __int128 value);
void wh_int_range(wh_kind kind, __int128 *ret_least, __int128 *ret_most);

// -1, 0 or 1; a * 10^-scale_a with b * 10^-scale_b (scales 0..38), or with a double that is a
// number or an infinity. No rounding.
int wh_decimal_compare(__int128 a, int scale_a, __int128 b, int scale_b);
int wh_decimal_compare_f64(__int128 a, int scale_a, double b);

// "-0.05": as many decimal places as `scale`.
bool wh_decimal_write(__int128 unscaled, int scale, wh_buf *out);
// The shortest form that reads back as the same number, in JSON's syntax; else NaN, Infinity,
// -Infinity. A float64 without fraction is written without one ("5"), -0.0 as "-0".
bool wh_f64_write(double value, wh_buf *out);
bool wh_f32_write(float value, wh_buf *out);
// Nearest float; takes what wh_f64_write writes and what wh_number_parse takes. False when it is
// not a number, when it is out of range, or when it is written as an integer whose digits the type
// cannot keep (9007199254740993).
bool wh_f64_parse(wh_str text, double *ret);
bool wh_f32_parse(wh_str text, float *ret);
