// Casts that fail rather than guess. Every lossless conversion is made; a value that would lose
// something (digits, range, sub-unit time, a zone that nobody gave) fails by itself and is
// reported; the others go on.
#pragma once

#include "data/batch.h"
#include "data/zone.h"

typedef struct wh_cast_options {
  const wh_zone *zone;   // local <-> zoned timestamps, date text without zone; NULL: refuse
  const wh_str *formats; // date and time patterns to try before ISO 8601 (data/time_format.h)
  size_t format_count;
  // For the times of changes, where only their order counts: a local time that exists twice is the
  // later instant that is not after `clock_us` (the clock of whoever wrote it, when it was read),
  // one that exists never is the instant of the jump. Then a row that changes gets a time that is
  // not before any that it had: whatever it had was not after the clock of that reading.
  bool settle_local;
  int64_t clock_us;
} wh_cast_options;

// Whether a cast between the types exists at all:
//  - the same type, and from null to anything;
//  - anything to text, by its canonical form (wh_value_write; lists and structs as JSON);
//  - text to any scalar, by the same form; also what `formats` say, dates as midnight timestamps
//  and
//    midnight timestamps as dates;
//  - between integers, decimals and floats. A whole float becomes an integer or decimal by
//    its value, another a decimal by its shortest text (0.1); a number becomes a float when that
//    leads back to it;
//  - bool and the integers 0 and 1;
//  - times and timestamps of different units; date and timestamp at midnight;
//  - timestamps without a zone and instants, through `zone`: a local time that exists twice or
//    never fails, in both directions (but see settle_local);
//  - lists and structs item by item; struct fields go by name, one that the source has not must be
//    nullable, and none is dropped.
bool wh_cast_possible(const wh_type *from, const wh_type *to);

// Called for each row that does not fit; that row of `out` becomes NULL. `reason` is a phrase:
// "'12x' is not a whole number". Anything but WH_OK ends the cast with that status.
typedef wh_status (*wh_cast_failed)(void *context, size_t row, const char *reason, wh_error *err);

// Appends the converted rows of `in` to `out` (whose type is the target). `options` NULL: none.
// `failed` NULL: the first row that does not fit fails with WH_ERR_TYPE. WH_ERR_TYPE also when the
// cast is not possible.
wh_status wh_cast_column(const wh_column *in, wh_column *out, const wh_cast_options *options,
                         wh_cast_failed failed, void *context, wh_error *err);
