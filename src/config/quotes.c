#include "config/quotes.h"

#include <stdio.h>

enum { SHOWN_MAX = 100 }; // bytes of a value that a message repeats

// Length of the line break at `at`, or 0. YAML 1.1 section 5.4; libyaml counts the same ones.
static size_t break_len(wh_str text, size_t at) {
  const unsigned char *p = (const unsigned char *)text.data + at;
  size_t left = text.len - at;
  if (p[0] == '\r') return left > 1 && p[1] == '\n' ? 2 : 1;
  if (p[0] == '\n') return 1;
  if (p[0] == 0xC2 && left > 1 && p[1] == 0x85) return 2;
  if (p[0] == 0xE2 && left > 2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) return 3;
  return 0;
}

static size_t line_offset(wh_str text, size_t line) {
  size_t at = 0;
  while (line > 0 && at < text.len) {
    size_t n = break_len(text, at);
    at += n ? n : 1;
    line -= n > 0;
  }
  return at;
}

size_t wh_yaml_offset(wh_str text, wh_yaml_place place) {
  size_t at = line_offset(text, place.line);
  for (size_t column = place.column; column > 0 && at < text.len; column--) {
    at++;
    while (at < text.len && ((unsigned char)text.data[at] & 0xC0) == 0x80)
      at++;
  }
  return at;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static size_t line_end(wh_str text, size_t at) {
  while (at < text.len && !break_len(text, at))
    at++;
  return at;
}

static size_t column_of(wh_str text, size_t line_start, size_t at) {
  size_t column = 0;
  for (size_t i = line_start; i < at; i++)
    column += ((unsigned char)text.data[i] & 0xC0) != 0x80;
  return column;
}

// The value that begins at `at`, as whoever wrote it sees it: up to the end of the line, a comment,
// or, inside { } and [ ], the next of their signs. A bracket that opens within the value closes
// within it.
static wh_str value_at(wh_str text, size_t at, bool in_flow) {
  size_t end = line_end(text, at), depth = 0, i = at;
  for (; i < end; i++) {
    char c = text.data[i];
    if (c == '#' && i > at && is_blank(text.data[i - 1])) break;
    if (c == '{' || c == '[') depth++;
    if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    } else if (in_flow && depth == 0 && (c == ',' || c == '}' || c == ']')) {
      break;
    }
  }
  return wh_str_trim(wh_str_n(text.data + at, i - at));
}

// Where the value of a block line begins: behind "- " and behind "key: ".
static size_t value_start(wh_str text, size_t at) {
  size_t end = line_end(text, at);
  while (at < end && is_blank(text.data[at]))
    at++;
  while (at + 1 < end && text.data[at] == '-' && is_blank(text.data[at + 1])) {
    at++;
    while (at < end && is_blank(text.data[at]))
      at++;
  }
  char quote = at < end && (text.data[at] == '"' || text.data[at] == '\'') ? text.data[at] : 0;
  size_t i = at + (quote != 0);
  while (quote && i < end && text.data[i] != quote)
    i++;
  for (; i < end; i++) {
    if (text.data[i] == '{' || text.data[i] == '[') return at;
    if (text.data[i] != ':' || (i + 1 < end && !is_blank(text.data[i + 1]))) continue;
    i++;
    while (i < end && is_blank(text.data[i]))
      i++;
    return i;
  }
  return at;
}

__attribute__((format(printf, 4, 5))) static wh_status
fail_at(const wh_yaml_trouble *t, wh_yaml_place place, wh_error *err, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  wh_status status =
      wh_fail(err, WH_ERR_USAGE, "%s:%zu:%zu: %s", t->file, place.line + 1, place.column + 1, text);
  if (err) err->place = (wh_place){.line = place.line + 1, .column = place.column + 1};
  return status;
}

// `value` in quotes that keep it as it is.
static void quoted(char *buf, size_t size, wh_str value) {
  size_t len = 0;
  bool single = memchr(value.data, '"', value.len) || memchr(value.data, '\\', value.len);
  if (single) {
    buf[len++] = '\'';
    for (size_t i = 0; i < value.len && len + 3 < size; i++) {
      if (value.data[i] == '\'') buf[len++] = '\'';
      buf[len++] = value.data[i];
    }
    buf[len++] = '\'';
    buf[len] = 0;
    return;
  }
  snprintf(buf, size, "\"%.*s\"", WH_STR_ARG(value));
}

// Behind the bracket that closes the one `value` begins with, or 0.
static size_t bracket_end(wh_str value) {
  size_t depth = 0;
  for (size_t i = 0; i < value.len; i++) {
    if (value.data[i] == '{' || value.data[i] == '[') depth++;
    if ((value.data[i] == '}' || value.data[i] == ']') && --depth == 0) return i + 1;
  }
  return 0;
}

// What YAML takes the beginning of `value` for, and how much of it.
static const char *reading(wh_str value, bool in_flow, size_t *ret_len) {
  size_t word = 1;
  while (word < value.len && !is_blank(value.data[word]) &&
         !(in_flow && strchr(",}]", value.data[word])))
    word++;
  *ret_len = word;
  switch (value.len ? value.data[0] : 0) {
  case '{':
  case '[':
    *ret_len = bracket_end(value);
    return *ret_len == 0 ? NULL : value.data[0] == '{' ? "a map" : "a list";
  case '*':
    return "an alias";
  case '&':
    return "an anchor";
  case '!':
    return "a tag";
  case '%':
    *ret_len = 1;
    return "a directive";
  case '@':
  case '`':
    *ret_len = 1;
    return "a sign it keeps for itself";
  default:
    return NULL;
  }
}

static wh_status needs_quotes(const wh_yaml_trouble *t, wh_yaml_place at, wh_str value, wh_str seen,
                              const char *as, wh_error *err) {
  if (value.len > SHOWN_MAX) {
    return fail_at(t, at, err, "this needs quotes: YAML reads %.*s as %s. Put quotes around it.",
                   (int)wh_utf8_cut(seen, SHOWN_MAX), seen.data, as);
  }
  char text[2 * SHOWN_MAX + 4];
  quoted(text, sizeof text, value);
  return fail_at(t, at, err, "this needs quotes: YAML reads %.*s as %s. Write %s.",
                 WH_STR_ARG(seen), as, text);
}

wh_status wh_yaml_needs_quotes(wh_str text, const char *file, wh_yaml_place at, bool in_flow,
                               const char *as, wh_error *err) {
  wh_yaml_trouble t = {.text = text, .file = file};
  wh_str value = value_at(text, wh_yaml_offset(text, at), in_flow);
  size_t len = value.len;
  (void)reading(value, in_flow, &len);
  return needs_quotes(&t, at, value, wh_str_sub(value, 0, len), as, err);
}

// A value at a place that begins with one of YAML's signs. False when it does not.
static bool explain_value(const wh_yaml_trouble *t, wh_yaml_place at, wh_error *err) {
  wh_str value = value_at(t->text, wh_yaml_offset(t->text, at), t->in_flow);
  size_t len;
  const char *as = reading(value, t->in_flow, &len);
  if (!as) return false;
  // A map or list that is whole is not what YAML stumbled over.
  if ((value.data[0] == '{' || value.data[0] == '[') && len == value.len) return false;
  WH_IGNORE(needs_quotes(t, at, value, wh_str_sub(value, 0, len), as, err));
  return true;
}

// "title: Orders: all of them": YAML takes the second colon for a word of a map.
static bool explain_colon(const wh_yaml_trouble *t, wh_error *err) {
  if (!strstr(t->problem, "mapping values are not allowed")) return false;
  size_t line = line_offset(t->text, t->at.line), start = value_start(t->text, line);
  size_t colon = wh_yaml_offset(t->text, t->at);
  if (start >= colon || start == line) return false;
  wh_str value = value_at(t->text, start, false);
  wh_str seen = wh_str_sub(value, 0, colon - start + 1);
  wh_yaml_place at = {t->at.line, column_of(t->text, line, start)};
  WH_IGNORE(needs_quotes(t, at, value, seen, "a word of a map", err));
  return true;
}

// "path:erp.db": YAML wants a space behind the colon.
static bool explain_missing_space(const wh_yaml_trouble *t, wh_error *err) {
  if (!strstr(t->problem, "could not find expected ':'")) return false;
  size_t start = wh_yaml_offset(t->text, t->began);
  wh_str value = value_at(t->text, start, t->in_flow);
  size_t colon = wh_str_find(value, 0, ':');
  if (colon == value.len || value.len > SHOWN_MAX) return false;
  wh_str key = wh_str_sub(value, 0, colon), rest = wh_str_sub(value, colon + 1, value.len);
  WH_IGNORE(fail_at(t, t->began, err, "a space is missing behind the colon. Write %.*s: %.*s",
                    WH_STR_ARG(key), WH_STR_ARG(rest)));
  return true;
}

// "{ port: ${PORT} }": within { } and [ ] a brace ends the text in front of it.
static bool explain_brace(const wh_yaml_trouble *t, wh_error *err) {
  size_t line = line_offset(t->text, t->at.line), brace = wh_yaml_offset(t->text, t->at);
  if (!t->in_flow || brace >= t->text.len || !strchr("{[", t->text.data[brace])) return false;
  size_t start = brace;
  while (start > line && !is_blank(t->text.data[start - 1]) &&
         !strchr(",[{", t->text.data[start - 1]))
    start--;
  if (start == brace) return false;
  wh_str value = value_at(t->text, start, true);
  wh_str seen = wh_str_sub(value, brace - start, value.len);
  size_t len = bracket_end(seen);
  if (len == 0) return false;
  wh_yaml_place at = {t->at.line, column_of(t->text, line, start)};
  const char *as = t->text.data[brace] == '{' ? "a map" : "a list";
  WH_IGNORE(needs_quotes(t, at, value, wh_str_sub(seen, 0, len), as, err));
  return true;
}

static bool explain_tab(const wh_yaml_trouble *t, wh_error *err) {
  size_t at = wh_yaml_offset(t->text, t->at);
  if (at >= t->text.len || t->text.data[at] != '\t') return false;
  WH_IGNORE(fail_at(t, t->at, err, "YAML takes no tabs for indentation. Use spaces."));
  return true;
}

wh_status wh_yaml_explain(const wh_yaml_trouble *t, wh_error *err) {
  bool token = strstr(t->problem, "cannot start any token") != NULL;
  bool name = t->context && (strstr(t->context, "an alias") || strstr(t->context, "an anchor"));
  size_t line = line_offset(t->text, t->at.line), start = value_start(t->text, line);
  wh_yaml_place value = {t->at.line, column_of(t->text, line, start)};
  bool bracket = start < t->text.len && strchr("{[", t->text.data[start]);
  if (explain_tab(t, err) || explain_colon(t, err) || explain_missing_space(t, err) ||
      explain_brace(t, err) || (bracket && explain_value(t, value, err)) ||
      (token && explain_value(t, t->at, err)) || (name && explain_value(t, t->began, err)) ||
      explain_value(t, value, err)) {
    return WH_ERR_USAGE;
  }
  if (!t->context) return fail_at(t, t->at, err, "this is not YAML: %s", t->problem);
  return fail_at(t, t->at, err,
                 "this is not YAML: %s, %s that begins in line %zu. Look at the indentation and "
                 "the quotes of this line and the one above it.",
                 t->problem, t->context, t->began.line + 1);
}
