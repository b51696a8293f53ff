// Numbers in fields.
#pragma once

#include "codec/csv/dialect.h"

// The text of a number as others write it, without thousands separators and with a point, in
// `room`; false when it is not written as the dialect says. Groups have three digits, but for the
// first. Numbers longer than the room are none.
enum { CSV_NUMBER_ROOM = 128 };
bool csv_number_plain(const csv_dialect *dialect, wh_str text, char room[CSV_NUMBER_ROOM],
                      wh_str *ret);
static inline bool csv_number_is_plain(const csv_dialect *dialect) {
  return !dialect->thousands && dialect->decimal == '.';
}

// Whether a double, printed with as many digits as the text has (`count` significant ones, which
// are `digits` * 10^exponent without zeros at the end), shows just these.
bool csv_f64_keeps(uint64_t digits, int count, int exponent, double value);
