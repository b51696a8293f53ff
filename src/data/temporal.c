#include "data/temporal.h"

enum {
  DAYS_PER_ERA = 146097, // 400 years
  DAYS_TO_1970 = 719468, // from 0000-03-01
  DAY_S = 86400,
  YEAR_DIGITS_MAX = 9, // of an expanded year, so that it fits
};

// Division that rounds down, also below zero.
static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t floor_mod(int64_t a, int64_t b) {
  int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Years are counted from March, so that the leap day is the last one of its year; the months'
// lengths then follow (153 m + 2) / 5.
int64_t wh_days_from_civil(int32_t year, int32_t month, int32_t day) {
  int64_t y = (int64_t)year - (month <= 2);
  int64_t era = floor_div(y, 400);
  int64_t year_of_era = y - era * 400;
  int64_t from_march = month > 2 ? month - 3 : month + 9;
  int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

// The year is wider here than in wh_civil: a timestamp in seconds reaches that far.
static int64_t civil_from_days(int64_t days, wh_civil *ret) {
  int64_t era = floor_div(days + DAYS_TO_1970, DAYS_PER_ERA);
  int64_t day_of_era = days + DAYS_TO_1970 - era * DAYS_PER_ERA;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t from_march = (5 * day_of_year + 2) / 153;
  int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
  int64_t year = era * 400 + year_of_era + (month <= 2);
  *ret = (wh_civil){.year = (int32_t)year,
                    .month = (int32_t)month,
                    .day = (int32_t)(day_of_year - (153 * from_march + 2) / 5 + 1)};
  return year;
}

void wh_civil_from_days(int64_t days, wh_civil *ret) {
  civil_from_days(days, ret);
}

// The time of day from units since midnight.
static void set_time(int64_t value, wh_unit unit, wh_civil *civil) {
  int64_t per_second = wh_unit_per_second(unit);
  int64_t second = value / per_second;
  civil->nanos = (int32_t)(value % per_second * (1000000000 / per_second));
  civil->hour = (int32_t)(second / 3600);
  civil->minute = (int32_t)(second / 60 % 60);
  civil->second = (int32_t)(second % 60);
}

void wh_civil_from_us(int64_t us, wh_civil *ret) {
  const int64_t day_us = (int64_t)DAY_S * 1000000;
  civil_from_days(floor_div(us, day_us), ret);
  set_time(floor_mod(us, day_us), WH_UNIT_US, ret);
}

static int64_t seconds_of(const wh_civil *c) {
  return wh_days_from_civil(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 +
         c->second;
}

int64_t wh_us_from_civil(const wh_civil *civil) {
  return seconds_of(civil) * 1000000 + civil->nanos / 1000;
}

int wh_weekday_from_days(int64_t days) {
  return (int)floor_mod(days + 4, 7); // 1970-01-01 was a Thursday
}

int64_t wh_unit_per_second(wh_unit unit) {
  static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
  return per_second[unit];
}

bool wh_unit_convert(int64_t value, wh_unit from, wh_unit to, int64_t *ret) {
  int64_t per_from = wh_unit_per_second(from), per_to = wh_unit_per_second(to);
  if (per_to >= per_from) return !__builtin_mul_overflow(value, per_to / per_from, ret);
  int64_t divisor = per_from / per_to;
  if (value % divisor != 0) return false;
  *ret = value / divisor;
  return true;
}

// Takes exactly `digits` digits.
static bool take_digits(wh_str *text, int digits, int32_t *ret) {
  if (text->len < (size_t)digits) return false;
  int32_t value = 0;
  for (int i = 0; i < digits; i++) {
    char c = text->data[i];
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  *text = wh_str_sub(*text, (size_t)digits, text->len);
  *ret = value;
  return true;
}

static bool take_char(wh_str *text, char c) {
  if (text->len == 0 || text->data[0] != c) return false;
  *text = wh_str_sub(*text, 1, text->len);
  return true;
}

static int32_t days_in_month(int32_t year, int32_t month) {
  static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap);
}

// Four digits, or a sign and six or more.
static bool take_year(wh_str *text, int32_t *ret) {
  bool negative = take_char(text, '-');
  if (!negative && !take_char(text, '+')) return take_digits(text, 4, ret) && *ret >= 1;
  int digits = 0;
  while ((size_t)digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9')
    digits++;
  if (digits < 6 || digits > YEAR_DIGITS_MAX || !take_digits(text, digits, ret)) return false;
  if (negative) *ret = -*ret;
  // One form for one year: no +002026, no -000000.
  return (*ret < 1 || *ret > 9999) && !(negative && *ret == 0);
}

static bool take_date(wh_str *text, wh_civil *c) {
  return take_year(text, &c->year) && take_char(text, '-') && take_digits(text, 2, &c->month) &&
         take_char(text, '-') && take_digits(text, 2, &c->day) && c->month >= 1 && c->month <= 12 &&
         c->day >= 1 && c->day <= days_in_month(c->year, c->month);
}

static bool take_fraction(wh_str *text, wh_iso *iso) {
  int32_t nanos = 0;
  int digits = 0;
  while ((size_t)digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9') {
    if (digits == 9) return false;
    nanos = nanos * 10 + (text->data[digits++] - '0');
  }
  *text = wh_str_sub(*text, (size_t)digits, text->len);
  iso->digits = digits;
  for (; digits < 9; digits++)
    nanos *= 10;
  iso->civil.nanos = nanos;
  return iso->digits > 0;
}

static bool take_time(wh_str *text, wh_iso *iso) {
  wh_civil *c = &iso->civil;
  if (!take_digits(text, 2, &c->hour) || !take_char(text, ':') || !take_digits(text, 2, &c->minute))
    return false;
  if (take_char(text, ':') && !take_digits(text, 2, &c->second))
    return false;
  else if (take_char(text, '.') && !take_fraction(text, iso))
    return false;
  return c->hour <= 23 && c->minute <= 59 && c->second <= 59;
}

static bool take_zone(wh_str *text, wh_iso *iso) {
  iso->has_zone = true;
  if (take_char(text, 'Z')) return true;
  bool west = take_char(text, '-');
  if (!west && !take_char(text, '+')) return false;
  int32_t hours, minutes = 0;
  if (!take_digits(text, 2, &hours) || hours > 23) return false;
  if (text->len && (take_char(text, ':'), !take_digits(text, 2, &minutes) || minutes > 59))
    return false;
  iso->offset_s = (hours * 60 + minutes) * (west ? -60 : 60);
  return true;
}

bool wh_instant_parse(wh_str text, int64_t *ret_us) {
  wh_iso iso;
  if (!wh_iso_parse(text, &iso) || !iso.has_date) return false;
  *ret_us = wh_us_from_civil(&iso.civil) - (int64_t)iso.offset_s * 1000000;
  return true;
}

bool wh_iso_parse(wh_str text, wh_iso *ret) {
  wh_iso iso = {0};
  if (text.len < 5) return false;
  if (text.data[2] != ':') {
    iso.has_date = true;
    if (!take_date(&text, &iso.civil)) return false;
    if (text.len == 0) {
      *ret = iso;
      return true;
    }
    if (!take_char(&text, 'T') && !take_char(&text, ' ')) return false;
  }
  iso.has_time = true;
  if (!take_time(&text, &iso)) return false;
  if (text.len && !take_zone(&text, &iso)) return false;
  if (text.len) return false;
  *ret = iso;
  return true;
}

// seconds and nanoseconds (0..999'999'999) as units
static bool to_units(int64_t seconds, int32_t nanos, wh_unit unit, int64_t *ret) {
  int64_t per_second = wh_unit_per_second(unit);
  int64_t nanos_per_unit = 1000000000 / per_second;
  if (nanos % nanos_per_unit != 0) return false;
  __int128 value = (__int128)seconds * per_second + nanos / nanos_per_unit;
  if (value < INT64_MIN || value > INT64_MAX) return false;
  *ret = (int64_t)value;
  return true;
}

bool wh_iso_to_time(const wh_iso *iso, wh_unit unit, int64_t *ret) {
  const wh_civil *c = &iso->civil;
  return to_units(c->hour * 3600 + c->minute * 60 + c->second, c->nanos, unit, ret);
}

bool wh_iso_to_timestamp(const wh_iso *iso, wh_unit unit, int64_t *ret) {
  return to_units(seconds_of(&iso->civil) - iso->offset_s, iso->civil.nanos, unit, ret);
}

// Room for any date and time: a year of twelve digits, nine digits of fraction.
enum { ISO_TEXT_MAX = 48 };

static char *put_digits(char *at, int64_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--) {
    at[i] = (char)('0' + value % 10);
    value /= 10;
  }
  return at + digits;
}

static char *put_date(char *at, int64_t year, const wh_civil *c) {
  int digits = 4;
  if (year < 1 || year > 9999) {
    *at++ = year < 0 ? '-' : '+';
    if (year < 0) year = -year;
    digits = 6;
    for (int64_t rest = year / 1000000; rest; rest /= 10)
      digits++;
  }
  at = put_digits(at, year, digits);
  *at++ = '-';
  at = put_digits(at, c->month, 2);
  *at++ = '-';
  return put_digits(at, c->day, 2);
}

static char *put_time(char *at, const wh_civil *c) {
  at = put_digits(at, c->hour, c->hour > 99 ? 10 : 2);
  *at++ = ':';
  at = put_digits(at, c->minute, 2);
  *at++ = ':';
  at = put_digits(at, c->second, 2);
  if (c->nanos == 0) return at;
  *at++ = '.';
  at = put_digits(at, c->nanos, 9);
  while (at[-1] == '0')
    at--;
  return at;
}

bool wh_iso_write_date(int64_t days, wh_buf *out) {
  char text[ISO_TEXT_MAX];
  wh_civil civil;
  int64_t year = civil_from_days(days, &civil);
  return wh_buf_add(out, text, (size_t)(put_date(text, year, &civil) - text));
}

bool wh_iso_write_time(int64_t value, wh_unit unit, wh_buf *out) {
  char text[ISO_TEXT_MAX];
  wh_civil civil = {0};
  set_time(value, unit, &civil);
  return wh_buf_add(out, text, (size_t)(put_time(text, &civil) - text));
}

bool wh_iso_write_timestamp(int64_t value, wh_unit unit, bool zoned, wh_buf *out) {
  char text[ISO_TEXT_MAX];
  const int64_t day = DAY_S * wh_unit_per_second(unit);
  wh_civil civil;
  int64_t year = civil_from_days(floor_div(value, day), &civil);
  set_time(floor_mod(value, day), unit, &civil);
  char *at = put_date(text, year, &civil);
  *at++ = 'T';
  at = put_time(at, &civil);
  if (zoned) *at++ = 'Z';
  return wh_buf_add(out, text, (size_t)(at - text));
}

bool wh_instant_in(const wh_type *type, int64_t us, int64_t *ret) {
  enum { SECOND = 1000000 };
  if (type->kind != WH_DATE && type->kind != WH_TIMESTAMP) return false;
  if (type->kind == WH_TIMESTAMP && type->unit == WH_UNIT_NS)
    return !__builtin_mul_overflow(us, 1000, ret);
  int64_t unit =
      type->kind == WH_DATE ? (int64_t)86400 * SECOND : SECOND / wh_unit_per_second(type->unit);
  *ret = us / unit - (us % unit < 0);
  return true;
}
