// The usual forms of dates and timestamps, read quickly: 2026-11-21 and 2026-11-21T08:55:00[.f][Z].
// Everything else, and everything wrong, is left to data/temporal.h.
#pragma once

#include "data/type.h"

// The day that was read last: rows near each other are often of the same.
typedef struct json_known_day {
  bool known;
  char text[10];
  int64_t day;
} json_known_day;

// The ten characters of a date: makes known->day theirs.
bool json_read_day(json_known_day *known, const char *text);
// `type` is a date or timestamp. False: take the slow way.
bool json_fast_temporal(json_known_day *known, wh_str text, const wh_type *type, int64_t *ret);
