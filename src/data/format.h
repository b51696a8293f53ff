// Numbers as the shortest text that reads back as the same value, in the forms of JSON: what the
// codecs write. They write to `out`, which has room for the maximum of the kind, and return how
// many characters the text has. Dates and times: put.h.
#pragma once

#include "base/str.h"

enum { // what `out` has room for: the text, and what is stored behind it in passing
  WH_FORMAT_I64_MAX = 24,
  WH_FORMAT_F64_MAX = 40,
  WH_FORMAT_DECIMAL_MAX = 56,
};

size_t wh_format_u64(uint64_t value, char *out);
size_t wh_format_i64(int64_t value, char *out);
// Finite values only. Plain where that is at most 15 digits wide (6 for a float32) or no wider than
// the value's digits, and from 0.0001 on; else with an exponent of at least two digits. With a
// fraction, so that whoever infers types sees a float: 5.0, 0.25, -0.0, 1e-05, 1.5e+20.
size_t wh_format_f64(double value, char *out);
size_t wh_format_f32(float value, char *out);
// The same without ".0": 5, -0.
size_t wh_format_f64_bare(double value, char *out);
size_t wh_format_f32_bare(float value, char *out);
// unscaled * 10^-scale with `scale` digits behind the point.
size_t wh_format_decimal(__int128 unscaled, int scale, char *out);
