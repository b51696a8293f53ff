// What type the values of a column have, found out from their text.
//
// Exact before convenient: a value counts as one of a type only when writing that type gives the
// value back, digit for digit where digits have a meaning. Everything else is text, which holds
// anything.
//  - true, false (also True, TRUE, False, FALSE): bool.
//  - Whole numbers: int64; beyond 64 bit decimal(38,0). Not 007, +44, 1. or -0 (that is a float).
//  - With a point or an exponent: float64, when every value survives it: its digits (at most 17)
//    are those that the nearest double is printed with, so all of 15 digits and those that a
//    double was printed as; and whole numbers among them are at most 2^53. Otherwise
//    decimal(38,s) with the s that the values need, if 38 digits are enough. An exponent needs a
//    sign or a point before it: 12E3 is more likely a code, and like NaN and Infinity only counts
//    as a number beside others that have a point.
//  - 2026-11-21: date. 2026-11-21 08:55[:00[.123456]] (or a T between): timestamp; with Z or an
//    offset behind it, timestamp with zone (the instant, in UTC); in microseconds, in nanoseconds
//    when the values need them and are of years 1678 to 2261. Dates among timestamps are midnight;
//    zoned and not zoned do not go together. 08:55:00[.123]: time.
//  - A quoted empty field counts as text when there is nothing else, and otherwise as no value.
#pragma once

#include "codec/csv/dialect.h"

enum {
  CSV_SEEN_BOOL = 1 << 0,
  CSV_SEEN_INT = 1 << 1,
  CSV_SEEN_FRACTION = 1 << 2, // with a point or a clear exponent
  CSV_SEEN_LOOSE = 1 << 3,    // 12E3, NaN
  CSV_SEEN_NOT_FINITE = 1 << 4,
  CSV_SEEN_BEYOND = 1 << 5,  // whole numbers beyond 64 bit
  CSV_SEEN_INEXACT = 1 << 6, // does not survive a float64
  CSV_SEEN_DATE = 1 << 7,
  CSV_SEEN_STAMP = 1 << 8,
  CSV_SEEN_ZONED = 1 << 9,
  CSV_SEEN_TIME = 1 << 10,
  CSV_SEEN_NANOS = 1 << 11, // finer than microseconds
  CSV_SEEN_FAR = 1 << 12,   // out of the range of nanoseconds
  CSV_SEEN_EMPTY = 1 << 13, // ""
  CSV_SEEN_TEXT = 1 << 14,
  CSV_SEEN_FIXED = 1 << 15, // the type was given and is none that inference makes: never changed

  CSV_MANY_DIGITS = 255,
};

typedef struct csv_shape {
  uint16_t seen; // 0: only NULL
  uint8_t whole; // digits before the point
  uint8_t scale; // and behind it
  wh_type fixed;
} csv_shape;

// The shape of one value that is not NULL. `dialect` says how numbers are written.
void csv_shape_of_text(const csv_dialect *dialect, wh_str text, csv_shape *ret);
static inline void csv_shape_join(csv_shape *into, const csv_shape *from) {
  into->seen |= from->seen;
  if (from->whole > into->whole) into->whole = from->whole;
  if (from->scale > into->scale) into->scale = from->scale;
}
// What values of a column of this type may have been.
void csv_shape_of_type(const wh_type *type, csv_shape *ret);
wh_type csv_shape_type(const csv_shape *shape);
