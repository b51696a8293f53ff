#include "data/zone_rule.h"

enum {
  HOUR_S = 3600,
  DAY_S = 86400,
  HOURS_MAX = 167, // of a time of change
  OFFSET_HOURS_MAX = 24,
};

static bool take_char(wh_str *text, char c) {
  if (text->len == 0 || text->data[0] != c) return false;
  *text = wh_str_sub(*text, 1, text->len);
  return true;
}

static bool take_int(wh_str *text, int32_t least, int32_t most, int32_t *ret) {
  size_t n = 0;
  int32_t value = 0;
  while (n < text->len && n < 4 && text->data[n] >= '0' && text->data[n] <= '9')
    value = value * 10 + (text->data[n++] - '0');
  if (n == 0 || value < least || value > most) return false;
  *text = wh_str_sub(*text, n, text->len);
  *ret = value;
  return true;
}

// "EST" or "<+0545>"; what it is called does not matter here.
static bool skip_name(wh_str *text) {
  size_t n = 0;
  if (take_char(text, '<')) {
    n = wh_str_find(*text, 0, '>');
    if (n == text->len) return false;
    *text = wh_str_sub(*text, n + 1, text->len);
    return n >= 3;
  }
  while (n < text->len && ((text->data[n] >= 'A' && text->data[n] <= 'Z') ||
                           (text->data[n] >= 'a' && text->data[n] <= 'z')))
    n++;
  *text = wh_str_sub(*text, n, text->len);
  return n >= 3;
}

// [+-]hh[:mm[:ss]]
static bool take_clock(wh_str *text, int32_t hours_max, int32_t *ret) {
  bool negative = take_char(text, '-');
  if (!negative) take_char(text, '+');
  int32_t hours, minutes = 0, seconds = 0;
  if (!take_int(text, 0, hours_max, &hours)) return false;
  if (take_char(text, ':')) {
    if (!take_int(text, 0, 59, &minutes)) return false;
    if (take_char(text, ':') && !take_int(text, 0, 59, &seconds)) return false;
  }
  *ret = (hours * HOUR_S + minutes * 60 + seconds) * (negative ? -1 : 1);
  return true;
}

static bool take_day(wh_str *text, wh_zone_day *day) {
  bool ok;
  if (take_char(text, 'J')) {
    day->kind = WH_ZONE_DAY_JULIAN;
    ok = take_int(text, 1, 365, &day->day);
  } else if (take_char(text, 'M')) {
    day->kind = WH_ZONE_DAY_MONTH;
    ok = take_int(text, 1, 12, &day->month) && take_char(text, '.') &&
         take_int(text, 1, 5, &day->week) && take_char(text, '.') &&
         take_int(text, 0, 6, &day->day);
  } else {
    day->kind = WH_ZONE_DAY_ORDINAL;
    ok = take_int(text, 0, 365, &day->day);
  }
  day->time_s = 2 * HOUR_S;
  return ok && (!take_char(text, '/') || take_clock(text, HOURS_MAX, &day->time_s));
}

bool wh_zone_rule_parse(wh_str text, wh_zone_rule *ret) {
  wh_zone_rule rule = {0};
  int32_t west;
  if (!skip_name(&text) || !take_clock(&text, OFFSET_HOURS_MAX, &west)) return false;
  rule.standard_s = -west;
  if (text.len) {
    rule.has_summer = true;
    rule.summer_s = rule.standard_s + HOUR_S;
    if (!skip_name(&text)) return false;
    if (text.len && text.data[0] != ',') {
      if (!take_clock(&text, OFFSET_HOURS_MAX, &west)) return false;
      rule.summer_s = -west;
    }
    if (!take_char(&text, ',') || !take_day(&text, &rule.start) || !take_char(&text, ',') ||
        !take_day(&text, &rule.end))
      return false;
  }
  if (text.len) return false;
  *ret = rule;
  return true;
}

// Days since 1970 of the rule's day in that year.
static int64_t day_in_year(const wh_zone_day *day, int32_t year) {
  if (day->kind == WH_ZONE_DAY_ORDINAL) return wh_days_from_civil(year, 1, 1) + day->day;
  if (day->kind == WH_ZONE_DAY_JULIAN) {
    // Day 60 is 1 March in every year: 29 February is not counted.
    if (day->day < 60) return wh_days_from_civil(year, 1, 1) + day->day - 1;
    return wh_days_from_civil(year, 3, 1) + day->day - 60;
  }
  int64_t first = wh_days_from_civil(year, day->month, 1);
  int64_t next = day->month == 12 ? wh_days_from_civil(year + 1, 1, 1)
                                  : wh_days_from_civil(year, day->month + 1, 1);
  int64_t at = first + (day->day - wh_weekday_from_days(first) + 7) % 7 + (day->week - 1) * 7;
  return at < next ? at : at - 7;
}

void wh_zone_rule_changes(const wh_zone_rule *rule, int64_t utc_s,
                          wh_zone_change ret[WH_ZONE_CHANGES_AROUND]) {
  wh_civil civil;
  int64_t local_s = utc_s + rule->standard_s;
  wh_civil_from_days(local_s / DAY_S - (local_s % DAY_S < 0), &civil);
  size_t count = 0;
  for (int32_t year = civil.year - 1; year <= civil.year + 1; year++) {
    wh_zone_change start = {day_in_year(&rule->start, year) * DAY_S + rule->start.time_s -
                                rule->standard_s,
                            rule->summer_s};
    wh_zone_change end = {day_in_year(&rule->end, year) * DAY_S + rule->end.time_s - rule->summer_s,
                          rule->standard_s};
    bool north = start.utc_s < end.utc_s;
    ret[count++] = north ? start : end;
    ret[count++] = north ? end : start;
  }
}
