// Numbers without an exponent, as digits and the place of the point.
#pragma once

#include "codec/csv/decode.h"

enum { CSV_PLAIN = 1 }; // csv_plain.state: it is one; else it is for others to look at

typedef struct csv_plain {
  uint64_t digits; // the value is +-digits / 10^scale
  uint8_t whole;   // digits before the point
  uint8_t scale;   // and behind it, at most 19
  bool negative;
  uint8_t state;
} csv_plain;

// Of rows [from, from + count). Taken are numbers written the usual way with up to 19 digits: no
// empty fields, no 007, 00.5, 5. or +5.
void csv_read_plains(const csv_fields *f, uint32_t from, uint32_t count, wh_cpu cpu,
                     csv_plain *ret);
