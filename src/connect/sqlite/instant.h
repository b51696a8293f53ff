// Dates and times as text, fast: the layout that nearly every value has is read and written
// directly, the rest goes through data/temporal.h.
#pragma once

#include "base/str.h"
#include "data/temporal.h"

// What some ISO 8601 text says. Time only: seconds of the day. With a zone: UTC.
typedef struct wh_sqlite_instant {
  int64_t seconds; // since 1970-01-01T00:00:00
  int32_t nanos;
  bool has_date, has_time, has_zone;
} wh_sqlite_instant;

// Neighbouring rows tend to be of the same day. Zeroed is fine.
typedef struct wh_sqlite_day {
  int64_t days;
  char text[10]; // 2026-11-21; a NUL first: none yet
} wh_sqlite_day;

bool wh_sqlite_instant_parse(wh_str text, wh_sqlite_day *day, wh_sqlite_instant *ret);
// In units since 1970 (or midnight); false when the unit is too coarse, or int64 too small.
bool wh_sqlite_instant_to(const wh_sqlite_instant *instant, wh_unit unit, int64_t *ret);

enum { WH_SQLITE_INSTANT_TEXT = 32 }; // bytes of the longest text

// A date, time or timestamp in the fixed form of types.h. Returns its length; 0 when the year is
// outside 0001..9999 or a time outside the day.
size_t wh_sqlite_instant_write(const wh_type *type, int64_t value, wh_sqlite_day *day,
                               char out[WH_SQLITE_INSTANT_TEXT]);
