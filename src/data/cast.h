// Casts that fail rather than guess. Every lossless conversion is made; a value that would lose
// something (digits, range, sub-unit time, a zone that nobody gave) fails by itself and is reported;
// the others go on.
#pragma once

#include "data/batch.h"
#include "data/zone.h"

typedef struct wh_cast_options {
  const wh_zone *zone;  // local <-> zoned timestamps, date text without zone; NULL: refuse
  const wh_str *formats; // date and time patterns to try before ISO 8601 (%Y %m %d %H %M %S %f %z)
  size_t format_count;
} wh_cast_options;

// Whether a cast between the types exists at all.
bool wh_cast_possible(const wh_type *from, const wh_type *to);

// Called for each row that does not fit; that row of `out` becomes NULL. `reason` is a phrase:
// "'12x' is not a whole number".
typedef wh_status (*wh_cast_failed)(void *context, size_t row, const char *reason, wh_error *err);

// Appends the converted rows of `in` to `out` (whose type is the target).
wh_status wh_cast_column(const wh_column *in, wh_column *out, const wh_cast_options *options,
                         wh_cast_failed failed, void *context, wh_error *err);
