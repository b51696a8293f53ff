// Dates, times and instants as numbers and as ISO 8601 text. Proleptic Gregorian calendar. Years
// 0001 to 9999 have four digits in text; others, which only odd data has, are written as ISO 8601's
// expanded years, with a sign and at least six digits (+010000-01-01, -000043-03-15), so that they
// survive too. No leap seconds: ":60" is refused.
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "data/type.h"

typedef struct wh_civil {
  int32_t year, month, day;            // month 1..12
  int32_t hour, minute, second, nanos; // nanos 0..999'999'999
} wh_civil;

int64_t wh_days_from_civil(int32_t year, int32_t month, int32_t day);
void wh_civil_from_days(int64_t days, wh_civil *ret); // time fields zero
void wh_civil_from_us(int64_t us, wh_civil *ret);     // since 1970, as UTC
int64_t wh_us_from_civil(const wh_civil *civil);      // drops what is below a microsecond
int wh_weekday_from_days(int64_t days);               // 0 Sunday .. 6

// What ISO 8601 text says. The date part is 2026-11-21; time behind 'T' or one space,
// hh:mm[:ss[.f]] with 1 to 9 fraction digits; zone Z or +hh:mm or +hhmm or +hh (ISO 8601,
// as PostgreSQL writes it) or nothing.
typedef struct wh_iso {
  wh_civil civil;
  bool has_date, has_time, has_zone;
  int32_t offset_s; // east of UTC
  int digits;       // fraction digits written
} wh_iso;
bool wh_iso_parse(wh_str text, wh_iso *ret);
// An instant, as people name one: 2026-11-21 or 2026-11-21T08:00:00Z; UTC where it has no zone.
bool wh_instant_parse(wh_str text, int64_t *ret_us);
// What was parsed as a value: units since midnight; units since 1970, the offset taken off (none:
// as if UTC; no time: midnight). False when the unit would lose a fraction, or on overflow.
bool wh_iso_to_time(const wh_iso *iso, wh_unit unit, int64_t *ret);
bool wh_iso_to_timestamp(const wh_iso *iso, wh_unit unit, int64_t *ret);

bool wh_iso_write_date(int64_t days, wh_buf *out);
// units since midnight / since 1970; fraction without trailing zeros
bool wh_iso_write_time(int64_t value, wh_unit unit, wh_buf *out);
bool wh_iso_write_timestamp(int64_t value, wh_unit unit, bool zoned, wh_buf *out); // 'T', 'Z'

int64_t wh_unit_per_second(wh_unit unit);
// Converts between units; false when it would lose a fraction or overflow.
bool wh_unit_convert(int64_t value, wh_unit from, wh_unit to, int64_t *ret);
// Microseconds since 1970 in the unit of a date or timestamp column, rounded down. False for other
// kinds, and on overflow.
bool wh_instant_in(const wh_type *type, int64_t us, int64_t *ret);
