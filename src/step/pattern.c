#include "step/pattern.h"

// Back-references are no part of extended expressions, and cost exponential time where they work.
static bool has_back_reference(wh_str pattern) {
  for (size_t i = 0; i + 1 < pattern.len; i++) {
    if (pattern.data[i] != '\\') continue;
    if (pattern.data[i + 1] >= '1' && pattern.data[i + 1] <= '9') return true;
    i++;
  }
  return false;
}

static wh_status check_pattern(wh_str pattern, wh_error *err) {
  if (pattern.len > WH_PATTERN_MAX)
    return wh_fail(err, WH_ERR_USAGE, "the pattern has %zu bytes; at most %d are taken",
                   pattern.len, WH_PATTERN_MAX);
  if ((pattern.len && memchr(pattern.data, 0, pattern.len)) || !wh_utf8_valid(pattern))
    return wh_fail(err, WH_ERR_USAGE, "the pattern is not text");
  if (has_back_reference(pattern))
    return wh_fail(err, WH_ERR_USAGE,
                   "the pattern refers back (\\1), which POSIX extended patterns cannot");
  return WH_OK;
}

wh_status wh_pattern_compile(wh_pattern *pattern, wh_mem *mem, wh_str text, wh_error *err) {
  wh_buf_init(&pattern->text, mem, 0);
  WH_TRY(check_pattern(text, err));
  pattern->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
  if (!pattern->utf8)
    return wh_fail(err, WH_ERR_USAGE, "matches needs the locale C.UTF-8, which this system lacks");
  if (!wh_buf_add_str(&pattern->text, text)) return wh_fail_memory(err); // with a zero behind it
  locale_t before = uselocale(pattern->utf8);
  int code = regcomp(&pattern->regex, pattern->text.data, REG_EXTENDED | REG_NOSUB);
  uselocale(before);
  pattern->compiled = code == 0;
  if (code == 0) return WH_OK;
  if (code == REG_ESPACE) return wh_fail_memory(err);
  char why[128];
  regerror(code, &pattern->regex, why, sizeof why);
  return wh_fail(err, WH_ERR_USAGE, "the pattern '%.*s' cannot be read: %s", WH_STR_ARG(text), why);
}

void wh_pattern_free(wh_pattern *pattern) {
  if (pattern->compiled) regfree(&pattern->regex);
  if (pattern->utf8) freelocale(pattern->utf8);
  wh_buf_free(&pattern->text);
  *pattern = (wh_pattern){0};
}

locale_t wh_pattern_begin(const wh_pattern *pattern) {
  return uselocale(pattern->utf8);
}

void wh_pattern_end(locale_t before) {
  uselocale(before);
}

// REG_STARTEND lets the C library look behind a zero byte in the value. There is a zero behind the
// value too, for libraries (and sanitizers) that go there all the same; hence the copy.
wh_status wh_pattern_match(wh_pattern *pattern, bool *ret, wh_error *err) {
  wh_buf *text = &pattern->text;
  WH_TRY(wh_buf_check(text, err));
  regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)text->len};
  int code = regexec(&pattern->regex, text->data, 1, &whole, REG_STARTEND);
  if (code != 0 && code != REG_NOMATCH) return wh_fail_memory(err);
  *ret = code == 0;
  return WH_OK;
}
