// Numbers, dates and times as the shortest text that reads back as the same value, in the forms of
// JSON and ISO 8601: what the codecs write. They write to `out`, which has room for the maximum of
// the kind, and return how many characters.
#pragma once

#include "base/str.h"

enum {
  WH_FORMAT_I64_MAX = 20, // characters that the functions write at most
  WH_FORMAT_F64_MAX = 40,
  WH_FORMAT_DECIMAL_MAX = 42,
};

size_t wh_format_u64(uint64_t value, char *out);
size_t wh_format_i64(int64_t value, char *out);
// Finite values only.
size_t wh_format_f64(double value, char *out);
size_t wh_format_f32(float value, char *out);
// unscaled * 10^-scale with `scale` digits behind the point.
size_t wh_format_decimal(__int128 unscaled, int scale, char *out);

// Dates of the years 1 to 9999 as ISO 8601. The last day is remembered: rows near each other are
// often of the same.
typedef struct wh_format_day {
  bool known;
  int64_t day;
  char text[10];
} wh_format_day;
enum { WH_FORMAT_TIME_MAX = 32 };
// 0: out of these years.
size_t wh_format_date(wh_format_day *cache, int64_t days, char *out);
// 08:55:00.000123: units since midnight, without zeros at the end of the fraction.
size_t wh_format_time(int64_t value, int64_t per_second, char *out);
size_t wh_format_timestamp(wh_format_day *cache, int64_t value, int64_t per_second, bool zoned,
                           char *out);
