#include "config/config.h"

#include "data/zone.h"

#include <stdio.h>

enum {
  YEARS_AHEAD = 8, // 29 February comes again within 8 years, also around 2100
  DAYS_AHEAD = YEARS_AHEAD * 366,
  SECONDS_PER_DAY = 86400,
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

typedef struct cron_field {
  const char *name;
  uint32_t low, high;
  const char *const *names; // of low, low + 1, ...; NULL: none
} cron_field;

static const cron_field fields[] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day", 1, 31, NULL},
    {"month", 1, 12, month_names},
    {"weekday", 0, 7, weekday_names},
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

typedef struct cron_word {
  const char *word, *text;
} cron_word;

// crontab(5), "@reboot" left out: there is no such moment here.
static const cron_word words[] = {
    {"@yearly", "0 0 1 1 *"},  {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},  {0},
};

// --- parsing -------------------------------------------------------------------------------------

static wh_status bad_value(const cron_field *field, wh_str text, wh_error *err) {
  const char *names = !field->names                 ? ""
                      : field->names == month_names ? " or jan to dec"
                                                    : " or sun to sat";
  return wh_fail(err, WH_ERR_USAGE, "the %s must be between %u and %u%s, found '%.*s'", field->name,
                 field->low, field->high, names, WH_STR_ARG(text));
}

static wh_status parse_value(const cron_field *field, wh_str text, uint32_t *ret, wh_error *err) {
  for (uint32_t i = 0; field->names && field->names[i]; i++) {
    if (!wh_str_eq_nocase(text, wh_str_of(field->names[i]))) continue;
    *ret = field->low + i;
    return WH_OK;
  }
  uint64_t value;
  if (!wh_str_to_u64(text, &value) || value < field->low || value > field->high) {
    return bad_value(field, text, err);
  }
  *ret = (uint32_t)value;
  return WH_OK;
}

// "*", "7", "1-5".
static wh_status parse_range(const cron_field *field, wh_str text, uint32_t *ret_low,
                             uint32_t *ret_high, wh_error *err) {
  if (wh_str_is(text, "*")) {
    *ret_low = field->low;
    *ret_high = field->names == weekday_names ? 6 : field->high;
    return WH_OK;
  }
  size_t dash = wh_str_find(text, 0, '-');
  WH_TRY(parse_value(field, wh_str_sub(text, 0, dash), ret_low, err));
  if (dash == text.len) {
    *ret_high = *ret_low;
    return WH_OK;
  }
  WH_TRY(parse_value(field, wh_str_sub(text, dash + 1, text.len), ret_high, err));
  // "sat-sun" is 6-0; as 6-7 it is a range.
  if (field->names == weekday_names && *ret_high == 0 && *ret_low > 0) *ret_high = 7;
  if (*ret_low <= *ret_high) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "the %s range '%.*s' goes backwards. Write two, with a comma",
                 field->name, WH_STR_ARG(text));
}

// One item of a list: a range and perhaps a step.
static wh_status parse_item(const cron_field *field, wh_str text, uint64_t *bits, wh_error *err) {
  size_t slash = wh_str_find(text, 0, '/');
  wh_str range = wh_str_sub(text, 0, slash);
  uint32_t low = 0, high = 0;
  uint64_t step = 1;
  WH_TRY(parse_range(field, range, &low, &high, err));
  if (slash < text.len) {
    wh_str digits = wh_str_sub(text, slash + 1, text.len);
    if (!wh_str_to_u64(digits, &step) || step == 0 || step > field->high) {
      return wh_fail(err, WH_ERR_USAGE, "the %s step must be between 1 and %u, found '%.*s'",
                     field->name, field->high, WH_STR_ARG(digits));
    }
    if (low == high && !wh_str_is(range, "*")) {
      return wh_fail(err, WH_ERR_USAGE, "a step needs a range: write '%.*s-%u/%.*s'",
                     WH_STR_ARG(range), field->high, WH_STR_ARG(digits));
    }
  }
  for (uint64_t value = low; value <= high; value += step) {
    bool sunday = field->names == weekday_names && value == 7;
    *bits |= 1ull << (sunday ? 0 : value);
  }
  return WH_OK;
}

static wh_status parse_field(const cron_field *field, wh_str text, uint64_t *ret, wh_error *err) {
  uint64_t bits = 0;
  wh_str item;
  while (wh_str_split(&text, ',', &item))
    WH_TRY(parse_item(field, item, &bits, err));
  *ret = bits;
  return WH_OK;
}

// The pieces between white space; returns how many there are, of which up to `max` are kept.
static size_t split_fields(wh_str text, wh_str *pieces, size_t max) {
  size_t count = 0, at = 0;
  while (at < text.len) {
    size_t end = at;
    while (end < text.len && text.data[end] != ' ' && text.data[end] != '\t')
      end++;
    if (end > at) {
      if (count < max) pieces[count] = wh_str_sub(text, at, end);
      count++;
    }
    at = end + 1;
  }
  return count;
}

// "30 2 31 2,4 *": no month of these has that day.
static bool ever_comes(const wh_cron *cron) {
  static const uint8_t longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (cron->any_day || !cron->any_weekday) return true;
  for (uint32_t month = 1; month <= 12; month++) {
    uint64_t days = (2ull << longest[month - 1]) - 1;
    if ((cron->months >> month & 1) && (cron->days & days)) return true;
  }
  return false;
}

static wh_status expand_word(wh_str *text, wh_error *err) {
  wh_str list[sizeof words / sizeof words[0]];
  size_t count = 0;
  for (; words[count].word; count++) {
    list[count] = wh_str_of(words[count].word);
    if (!wh_str_eq_nocase(*text, list[count])) continue;
    *text = wh_str_of(words[count].text);
    return WH_OK;
  }
  wh_str near = wh_str_nearest(*text, list, count);
  return wh_fail(err, WH_ERR_USAGE, "there is no '%.*s'.%s%.*s%s", WH_STR_ARG(*text),
                 near.len ? " Did you mean '"
                          : " There are @yearly @monthly @weekly @daily @hourly",
                 WH_STR_ARG(near), near.len ? "'?" : "");
}

wh_status wh_cron_parse(wh_str text, wh_cron *ret, wh_error *err) {
  text = wh_str_trim(text);
  if (wh_str_starts(text, "@")) WH_TRY(expand_word(&text, err));
  wh_str pieces[FIELD_COUNT];
  size_t count = split_fields(text, pieces, FIELD_COUNT);
  if (count != FIELD_COUNT) {
    return wh_fail(err, WH_ERR_USAGE,
                   "expected five fields (minute hour day month weekday), found %zu", count);
  }
  uint64_t bits[FIELD_COUNT] = {0};
  for (size_t i = 0; i < FIELD_COUNT; i++)
    WH_TRY(parse_field(&fields[i], pieces[i], &bits[i], err));
  wh_cron cron = {
      .minutes = bits[0],
      .hours = (uint32_t)bits[1],
      .days = (uint32_t)bits[2],
      .months = (uint32_t)bits[3],
      .weekdays = (uint32_t)bits[4],
      .any_day = wh_str_is(pieces[2], "*"),
      .any_weekday = wh_str_is(pieces[4], "*"),
  };
  if (!ever_comes(&cron)) {
    return wh_fail(err, WH_ERR_USAGE, "no month that is listed has such a day: it never comes");
  }
  *ret = cron;
  return WH_OK;
}

// --- the next one --------------------------------------------------------------------------------

static bool day_matches(const wh_cron *cron, int64_t day) {
  wh_civil civil;
  wh_civil_from_days(day, &civil);
  if (!(cron->months >> civil.month & 1)) return false;
  bool by_day = cron->days >> civil.day & 1;
  bool by_weekday = cron->weekdays >> wh_weekday_from_days(day) & 1;
  if (cron->any_day || cron->any_weekday) {
    return (cron->any_day || by_day) && (cron->any_weekday || by_weekday);
  }
  return by_day || by_weekday;
}

// A schedule of every hour follows elapsed time: it neither repeats at the spring jump nor pauses
// in the hour that autumn adds.
static bool every_hour(const wh_cron *cron) {
  return cron->hours == (1u << 24) - 1;
}

// The first instant after `after_s` at which the local minute is due, or INT64_MAX.
static int64_t due_at(const wh_cron *cron, const wh_zone *zone, int64_t local_s, int64_t after_s) {
  if (!zone) return local_s > after_s ? local_s : INT64_MAX;
  int64_t first, second;
  switch (wh_zone_to_utc(zone, local_s, &first, &second)) {
  case WH_LOCAL_NEVER:
    if (every_hour(cron)) return INT64_MAX;
    return first > after_s ? first : INT64_MAX;
  case WH_LOCAL_TWICE:
    if (first > after_s) return first;
    return every_hour(cron) && second > after_s ? second : INT64_MAX;
  case WH_LOCAL_ONCE:
    break;
  }
  return first > after_s ? first : INT64_MAX;
}

static int64_t first_of_day(const wh_cron *cron, const wh_zone *zone, int64_t day,
                            int64_t after_s) {
  if (!day_matches(cron, day)) return INT64_MAX;
  int64_t best = INT64_MAX;
  for (int64_t hour = 0; hour < 24; hour++) {
    if (!(cron->hours >> hour & 1)) continue;
    for (int64_t minute = 0; minute < 60; minute++) {
      if (!(cron->minutes >> minute & 1)) continue;
      int64_t due = due_at(cron, zone, day * SECONDS_PER_DAY + hour * 3600 + minute * 60, after_s);
      if (due < best) best = due;
    }
  }
  return best;
}

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

int64_t wh_cron_next(const wh_cron *cron, const wh_zone *zone, int64_t after_us) {
  int64_t after_s = floor_div(after_us, 1000000);
  int64_t local_s = after_s + (zone ? wh_zone_offset_at(zone, after_s) : 0);
  // From the day before: where clocks go back over midnight, its last hour comes again. For the
  // same reason the day behind a hit may hold an earlier instant.
  int64_t day = floor_div(local_s, SECONDS_PER_DAY) - 1;
  for (int64_t last = day + DAYS_AHEAD; day <= last; day++) {
    int64_t due = first_of_day(cron, zone, day, after_s);
    if (due == INT64_MAX) continue;
    int64_t next_day = first_of_day(cron, zone, day + 1, after_s);
    return (next_day < due ? next_day : due) * 1000000;
  }
  return INT64_MAX;
}
