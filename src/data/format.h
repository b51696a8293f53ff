// Numbers, dates and times as the shortest text that reads back as the same value, in the forms of
// JSON and ISO 8601: what the codecs write. They write to `out`, which has room for the maximum of
// the kind, and return how many characters the text has.
#pragma once

#include "base/str.h"

enum { // what `out` has room for: the text, and what is stored behind it in passing
  WH_FORMAT_I64_MAX = 24,
  WH_FORMAT_F64_MAX = 40,
  WH_FORMAT_DECIMAL_MAX = 56,
  WH_FORMAT_TIME_MAX = 40,
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

// Dates of the years 1 to 9999 as ISO 8601. The last day is remembered: rows near each other are
// often of the same.
typedef struct wh_format_day {
  bool known;
  int64_t day;
  char text[10];
} wh_format_day;
// 0: out of these years.
size_t wh_format_date(wh_format_day *cache, int64_t days, char *out);
// 08:55:00.000123: units since midnight, without zeros at the end of the fraction.
size_t wh_format_time(int64_t value, int64_t per_second, char *out);
size_t wh_format_timestamp(wh_format_day *cache, int64_t value, int64_t per_second, bool zoned,
                           char *out);
