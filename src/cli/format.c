#include "cli/format.h"

#include "data/temporal.h"

#include <stdio.h>

wh_text wh_format_count(uint64_t n) {
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
  wh_text text = {0};
  size_t at = 0;
  for (int i = 0; i < len; i++) {
    if (i && (len - i) % 3 == 0) text.s[at++] = ',';
    text.s[at++] = digits[i];
  }
  return text;
}

wh_text wh_format_bytes(uint64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  wh_text text;
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 999.5 && unit < 5) {
    value /= 1000;
    unit++;
  }
  if (unit == 0)
    snprintf(text.s, sizeof text.s, "%llu B", (unsigned long long)bytes);
  else
    snprintf(text.s, sizeof text.s,
             value < 10    ? "%.1f %s"
             : value < 100 ? "%.1f %s"
                           : "%.0f %s",
             value, units[unit]);
  return text;
}

wh_text wh_format_seconds(int64_t us) {
  wh_text text;
  double s = (double)us / 1e6;
  int64_t whole = us / 1000000;
  if (s < 10)
    snprintf(text.s, sizeof text.s, "%.2f s", s);
  else if (s < 100)
    snprintf(text.s, sizeof text.s, "%.0f s", s);
  else if (whole < 7200)
    snprintf(text.s, sizeof text.s, "%lld min %lld s", (long long)whole / 60,
             (long long)whole % 60);
  else
    snprintf(text.s, sizeof text.s, "%lld h %lld min", (long long)whole / 3600,
             (long long)whole / 60 % 60);
  return text;
}

wh_text wh_format_period(int64_t us) {
  static const struct {
    int64_t us;
    const char *name;
  } units[] = {{86400ll * 1000000, "day"}, {3600ll * 1000000, "hour"}, {60 * 1000000, "minute"}};
  wh_text text;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (us < units[i].us || us % units[i].us != 0) continue;
    int64_t n = us / units[i].us;
    snprintf(text.s, sizeof text.s, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
    return text;
  }
  snprintf(text.s, sizeof text.s, "%g second%s", (double)us / 1e6, us == 1000000 ? "" : "s");
  return text;
}

wh_text wh_format_clock(int64_t us, int64_t now_us) {
  wh_civil t, now;
  wh_civil_from_us(us, &t);
  wh_civil_from_us(now_us, &now);
  wh_text text;
  if (t.year == now.year && t.month == now.month && t.day == now.day) {
    snprintf(text.s, sizeof text.s, "%02d:%02d:%02d", t.hour, t.minute, t.second);
  } else {
    snprintf(text.s, sizeof text.s, "%04d-%02d-%02d %02d:%02d", t.year, t.month, t.day, t.hour,
             t.minute);
  }
  return text;
}

wh_text wh_format_span(int64_t us) {
  wh_text text;
  long long s = us / 1000000;
  if (s < 120)
    snprintf(text.s, sizeof text.s, "%lld s", s);
  else if (s < 7200)
    snprintf(text.s, sizeof text.s, "%lld min", s / 60);
  else if (s < 172800)
    snprintf(text.s, sizeof text.s, "%lld h", s / 3600);
  else
    snprintf(text.s, sizeof text.s, "%lld days", s / 86400);
  return text;
}

wh_text wh_format_ago(int64_t us, int64_t now_us) {
  wh_text text;
  int64_t s = (now_us - us) / 1000000;
  if (s < 2)
    snprintf(text.s, sizeof text.s, "just now");
  else if (s < 120)
    snprintf(text.s, sizeof text.s, "%lld s ago", (long long)s);
  else if (s < 7200)
    snprintf(text.s, sizeof text.s, "%lld min ago", (long long)s / 60);
  else if (s < 172800)
    snprintf(text.s, sizeof text.s, "%lld h ago", (long long)s / 3600);
  else
    snprintf(text.s, sizeof text.s, "%lld days ago", (long long)s / 86400);
  return text;
}

const char *wh_plural(uint64_t n, const char *one, const char *many) {
  return n == 1 ? one : many;
}
