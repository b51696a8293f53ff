// Numbers and times as people read them. Each writes into a small struct that is returned, so that
// several fit into one printf.
#pragma once

#include "base/str.h"

#include <stdint.h>

typedef struct wh_text {
  char s[48];
} wh_text;

wh_text wh_format_count(uint64_t n);     // 100,000
wh_text wh_format_bytes(uint64_t bytes); // 14.2 MB
wh_text wh_format_seconds(int64_t us);   // 0.31 s, 12 s, 3 min 20 s, 2 h 5 min
wh_text wh_format_period(int64_t us);    // 5 minutes, 1 hour, 36 hours, 1 day, 1.5 seconds
wh_text wh_format_clock(int64_t us,
                        int64_t now_us); // 09:55:02, or with the date when not today; UTC
// Roughly how long: "40 s", "12 min", "3 h", "5 days".
wh_text wh_format_span(int64_t us);
wh_text wh_format_ago(int64_t us, int64_t now_us); // 3 min ago
const char *wh_plural(uint64_t n, const char *one, const char *many);
