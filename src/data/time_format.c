#include "data/time_format.h"

static bool is_digit(wh_str text, size_t at) {
  return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

// Takes `least` to `most` digits; returns how many, 0 when there are too few.
static int take_digits(wh_str *text, int least, int most, int32_t *ret) {
  int n = 0;
  int32_t value = 0;
  while (n < most && is_digit(*text, (size_t)n))
    value = value * 10 + (text->data[n++] - '0');
  if (n < least) return 0;
  *text = wh_str_sub(*text, (size_t)n, text->len);
  *ret = value;
  return n;
}

static bool take_fraction(wh_str *text, wh_iso *iso) {
  iso->digits = take_digits(text, 1, 9, &iso->civil.nanos);
  for (int i = iso->digits; i < 9; i++)
    iso->civil.nanos *= 10;
  return iso->digits > 0;
}

static bool take_zone(wh_str *text, wh_iso *iso) {
  iso->has_zone = true;
  if (text->len == 0) return false;
  char sign = text->data[0];
  *text = wh_str_sub(*text, 1, text->len);
  if (sign == 'Z') return true;
  int32_t hours, minutes;
  if ((sign != '+' && sign != '-') || !take_digits(text, 2, 2, &hours)) return false;
  if (text->len && text->data[0] == ':') *text = wh_str_sub(*text, 1, text->len);
  if (!take_digits(text, 2, 2, &minutes) || hours > 23 || minutes > 59) return false;
  iso->offset_s = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
  return true;
}

static bool take_part(char letter, wh_str *text, wh_iso *iso) {
  wh_civil *c = &iso->civil;
  switch (letter) {
  case 'Y':
    iso->has_date = true;
    return take_digits(text, 4, 4, &c->year);
  case 'm':
    return take_digits(text, 1, 2, &c->month);
  case 'd':
    return take_digits(text, 1, 2, &c->day);
  case 'H':
    iso->has_time = true;
    return take_digits(text, 1, 2, &c->hour);
  case 'M':
    return take_digits(text, 1, 2, &c->minute);
  case 'S':
    return take_digits(text, 1, 2, &c->second);
  case 'f':
    return take_fraction(text, iso);
  case 'z':
    return take_zone(text, iso);
  default:
    return false;
  }
}

static bool exists(const wh_iso *iso) {
  const wh_civil *c = &iso->civil;
  if (iso->has_date) {
    wh_civil same;
    if (c->year < 1 || c->month < 1 || c->month > 12 || c->day < 1 || c->day > 31) return false;
    // 31 April would come back as 1 May
    wh_civil_from_days(wh_days_from_civil(c->year, c->month, c->day), &same);
    if (same.month != c->month) return false;
  }
  return c->hour <= 23 && c->minute <= 59 && c->second <= 59;
}

bool wh_time_format_parse(wh_str format, wh_str text, wh_iso *ret) {
  wh_iso iso = {0};
  for (size_t i = 0; i < format.len; i++) {
    char c = format.data[i];
    if (c == '%' && i + 1 < format.len && format.data[i + 1] != '%') {
      if (!take_part(format.data[++i], &text, &iso)) return false;
      continue;
    }
    if (c == '%') i++;
    if (text.len == 0 || text.data[0] != c) return false;
    text = wh_str_sub(text, 1, text.len);
  }
  if (text.len || !exists(&iso)) return false;
  *ret = iso;
  return true;
}

wh_status wh_time_format_check(wh_str format, wh_error *err) {
  static const char letters[] = "YmdHMSfz";
  bool seen[128] = {false};
  for (size_t i = 0; i < format.len; i++) {
    if (format.data[i] != '%') continue;
    char c = ++i < format.len ? format.data[i] : 0;
    if (c == '%') continue;
    if (!c || !strchr(letters, c)) {
      return wh_fail(err, WH_ERR_USAGE,
                     "'%.*s': %%%c is not known; there are %%Y %%m %%d %%H %%M %%S "
                     "%%f %%z",
                     WH_STR_ARG(format), c > ' ' ? c : '?');
    }
    if (seen[(int)c])
      return wh_fail(err, WH_ERR_USAGE, "'%.*s': %%%c stands there twice", WH_STR_ARG(format), c);
    seen[(int)c] = true;
  }
  bool date = seen['Y'] && seen['m'] && seen['d'], any_date = seen['Y'] || seen['m'] || seen['d'];
  bool time = seen['H'] && seen['M'], any_time = seen['H'] || seen['M'] || seen['S'] || seen['f'];
  if (any_date && !date)
    return wh_fail(err, WH_ERR_USAGE, "'%.*s': a date needs %%Y, %%m and %%d", WH_STR_ARG(format));
  if ((any_time && !time) || (seen['f'] && !seen['S']) || (seen['z'] && !time)) {
    return wh_fail(err, WH_ERR_USAGE,
                   "'%.*s': a time needs %%H and %%M, a fraction %%S, and a zone a time",
                   WH_STR_ARG(format));
  }
  if (!any_date && !any_time)
    return wh_fail(err, WH_ERR_USAGE, "'%.*s' has no part of a date or time", WH_STR_ARG(format));
  return WH_OK;
}
