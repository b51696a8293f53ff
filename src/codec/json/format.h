// Numbers as the shortest JSON text that reads back as the same value.
#pragma once

#include "base/str.h"

enum {
  JSON_I64_MAX = 20,      // characters that the functions write at most
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
