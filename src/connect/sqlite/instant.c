#include "connect/sqlite/instant.h"

enum { DAY_S = 86400 };

// Two digits at s, or -1.
static inline int two(const char *s) {
  unsigned a = (unsigned)(s[0] - '0'), b = (unsigned)(s[1] - '0');
  return a <= 9 && b <= 9 ? (int)(a * 10 + b) : -1;
}

static int days_of_month(int year, int month) {
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && is_leap ? 29 : days[month - 1];
}

// 2026-11-21
static bool read_date(const char *s, wh_sqlite_day *day) {
  if (day->text[0] && memcmp(s, day->text, sizeof day->text) == 0) return true;
  int century = two(s), year = two(s + 2), month = two(s + 5), number = two(s + 8);
  if (century < 0 || year < 0 || s[4] != '-' || s[7] != '-') return false;
  year += century * 100;
  if (year < 1 || month < 1 || month > 12 || number < 1 || number > days_of_month(year, month))
    return false;
  day->days = wh_days_from_civil(year, month, number);
  memcpy(day->text, s, sizeof day->text);
  return true;
}

// The whole of 2026-11-21[T ]08:55:00[.123456789][Z]; anything else is left to the general parser.
static bool read_fixed(wh_str text, wh_sqlite_day *day, wh_sqlite_instant *ret) {
  const char *s = text.data;
  if (text.len < 19 || (s[10] != 'T' && s[10] != ' ') || s[13] != ':' || s[16] != ':') return false;
  int hour = two(s + 11), minute = two(s + 14), second = two(s + 17);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  if (!read_date(s, day)) return false;
  size_t at = 19;
  int32_t nanos = 0;
  if (at < text.len && s[at] == '.') {
    int32_t unit = 100000000;
    for (at++; at < text.len && s[at] >= '0' && s[at] <= '9'; at++, unit /= 10) {
      if (unit == 0) return false;
      nanos += (s[at] - '0') * unit;
    }
    if (at == 20) return false;
  }
  bool zoned = at < text.len && s[at] == 'Z';
  if (at + zoned != text.len) return false;
  *ret = (wh_sqlite_instant){
      .seconds = day->days * DAY_S + hour * 3600 + minute * 60 + second,
      .nanos = nanos,
      .has_date = true,
      .has_time = true,
      .has_zone = zoned,
  };
  return true;
}

bool wh_sqlite_instant_parse(wh_str text, wh_sqlite_day *day, wh_sqlite_instant *ret) {
  if (read_fixed(text, day, ret)) return true;
  if (text.len == 10 && read_date(text.data, day)) {
    *ret = (wh_sqlite_instant){.seconds = day->days * DAY_S, .has_date = true};
    return true;
  }
  wh_iso iso;
  if (!wh_iso_parse(text, &iso)) return false;
  const wh_civil *c = &iso.civil;
  int64_t seconds = iso.has_date ? wh_days_from_civil(c->year, c->month, c->day) * DAY_S : 0;
  if (iso.has_time) seconds += c->hour * 3600 + c->minute * 60 + c->second;
  if (iso.has_zone) seconds -= iso.offset_s;
  *ret = (wh_sqlite_instant){
      .seconds = seconds,
      .nanos = iso.has_time ? c->nanos : 0,
      .has_date = iso.has_date,
      .has_time = iso.has_time,
      .has_zone = iso.has_zone,
  };
  return true;
}

bool wh_sqlite_instant_to(const wh_sqlite_instant *instant, wh_unit unit, int64_t *ret) {
  int64_t per_second = wh_unit_per_second(unit);
  int64_t per_unit = 1000000000 / per_second; // nanoseconds
  int64_t whole;
  if (instant->nanos % per_unit != 0) return false;
  if (__builtin_mul_overflow(instant->seconds, per_second, &whole)) return false;
  return !__builtin_add_overflow(whole, instant->nanos / per_unit, ret);
}

static inline char *put_digits(char *out, uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value /= 10)
    out[i] = (char)('0' + value % 10);
  return out + digits;
}

static char *put_date(char *out, int64_t days, wh_sqlite_day *day) {
  if (day->text[0] == 0 || day->days != days) {
    wh_civil civil;
    wh_civil_from_days(days, &civil);
    char *at = put_digits(day->text, (uint32_t)civil.year, 4);
    *at++ = '-';
    at = put_digits(at, (uint32_t)civil.month, 2);
    *at++ = '-';
    put_digits(at, (uint32_t)civil.day, 2);
    day->days = days;
  }
  memcpy(out, day->text, sizeof day->text);
  return out + sizeof day->text;
}

static char *put_time(char *out, uint32_t second_of_day, uint32_t fraction, wh_unit unit) {
  static const int digits[] = {
      [WH_UNIT_S] = 0, [WH_UNIT_MS] = 3, [WH_UNIT_US] = 6, [WH_UNIT_NS] = 9};
  out = put_digits(out, second_of_day / 3600, 2);
  *out++ = ':';
  out = put_digits(out, second_of_day / 60 % 60, 2);
  *out++ = ':';
  out = put_digits(out, second_of_day % 60, 2);
  if (digits[unit] == 0) return out;
  *out++ = '.';
  return put_digits(out, fraction, digits[unit]);
}

static bool is_written_year(int64_t days) {
  static const int64_t first = -719162, last = 2932896; // 0001-01-01, 9999-12-31
  return days >= first && days <= last;
}

size_t wh_sqlite_instant_write(const wh_type *type, int64_t value, wh_sqlite_day *day,
                               char out[WH_SQLITE_INSTANT_TEXT]) {
  if (type->kind == WH_DATE) {
    if (!is_written_year(value)) return 0;
    return (size_t)(put_date(out, value, day) - out);
  }
  int64_t per_second = wh_unit_per_second(type->unit);
  int64_t seconds = value / per_second, fraction = value % per_second;
  if (fraction < 0) {
    fraction += per_second;
    seconds--;
  }
  if (type->kind == WH_TIME) {
    if (seconds < 0 || seconds >= DAY_S) return 0;
    return (size_t)(put_time(out, (uint32_t)seconds, (uint32_t)fraction, type->unit) - out);
  }
  int64_t days = seconds / DAY_S, rest = seconds % DAY_S;
  if (rest < 0) {
    rest += DAY_S;
    days--;
  }
  if (!is_written_year(days)) return 0;
  char *at = put_date(out, days, day);
  *at++ = 'T';
  at = put_time(at, (uint32_t)rest, (uint32_t)fraction, type->unit);
  if (type->zoned) *at++ = 'Z';
  return (size_t)(at - out);
}
