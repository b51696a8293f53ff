// The rule for times after a zone's last listed transition: POSIX's TZ string as RFC 8536 section
// 3.3.1 extends it. Private to zone.c.
#pragma once

#include "data/temporal.h"

typedef struct wh_zone_day {
  enum { WH_ZONE_DAY_JULIAN, WH_ZONE_DAY_ORDINAL, WH_ZONE_DAY_MONTH } kind;
  int32_t day;    // J1..365, 0..365, weekday 0..6
  int32_t month;  // 1..12
  int32_t week;   // 1..5; 5: the last
  int32_t time_s; // from midnight, -167 h to 167 h
} wh_zone_day;

typedef struct wh_zone_rule {
  int32_t standard_s, summer_s; // offsets east of UTC
  bool has_summer;
  wh_zone_day start, end; // of summer time, in the local time that ends
} wh_zone_rule;

bool wh_zone_rule_parse(wh_str text, wh_zone_rule *ret);

typedef struct wh_zone_change {
  int64_t utc_s;
  int32_t offset_s; // from then on
} wh_zone_change;

// The changes of the years around utc_s, in order.
enum { WH_ZONE_CHANGES_AROUND = 6 };
void wh_zone_rule_changes(const wh_zone_rule *rule, int64_t utc_s,
                          wh_zone_change ret[WH_ZONE_CHANGES_AROUND]);
