// Numbers, dates and times as the shortest JSON text that reads back as the same value.
#pragma once

#include "base/str.h"

enum {
  JSON_I64_MAX = 20, // characters that the functions write at most
  JSON_F64_MAX = 40,
  JSON_DECIMAL_MAX = 42,
};

size_t json_format_u64(uint64_t value, char *out);
size_t json_format_i64(int64_t value, char *out);
// Finite values only.
size_t json_format_f64(double value, char *out);
size_t json_format_f32(float value, char *out);
// unscaled * 10^-scale with `scale` digits behind the point.
size_t json_format_decimal(__int128 unscaled, int scale, char *out);

// Dates of the years 1 to 9999 as ISO 8601. The last day is remembered: rows near each other are
// often of the same.
typedef struct json_day {
  bool known;
  int64_t day;
  char text[10];
} json_day;
enum { JSON_TIME_MAX = 32 };
// 0: out of these years.
size_t json_format_date(json_day *cache, int64_t days, char *out);
// 08:55:00.000123: units since midnight, without zeros at the end of the fraction.
size_t json_format_time(int64_t value, int64_t per_second, char *out);
size_t json_format_timestamp(json_day *cache, int64_t value, int64_t per_second, bool zoned,
                             char *out);
