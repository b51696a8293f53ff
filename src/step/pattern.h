// POSIX extended regular expressions (IEEE Std 1003.1, section 9.4) from the C library. Its
// characters depend on the thread's locale; so that they are always Unicode's, patterns are
// compiled and run under C.UTF-8, and nothing else is.
#pragma once

#include "base/buf.h"

#include <locale.h>
#include <regex.h>

enum { WH_PATTERN_MAX = 1024 }; // bytes

typedef struct wh_pattern {
  regex_t regex;
  bool compiled;
  locale_t utf8;
  wh_buf text; // of the value in hand
} wh_pattern;

// Fails with WH_ERR_USAGE and a phrase: "the pattern refers back (\1), ...". Zeroed before; freed
// whatever it returns.
wh_status wh_pattern_compile(wh_pattern *pattern, wh_mem *mem, wh_str text, wh_error *err);
void wh_pattern_free(wh_pattern *pattern); // zeroed is fine

// Around a series of matches: the locale that they need.
locale_t wh_pattern_begin(const wh_pattern *pattern);
void wh_pattern_end(locale_t before);
// Whether pattern->text, which the caller filled in, matches somewhere.
wh_status wh_pattern_match(wh_pattern *pattern, bool *ret, wh_error *err);
