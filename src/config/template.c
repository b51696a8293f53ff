#include "config/config.h"

#include "base/buf.h"
#include "connect/store.h"
#include "data/temporal.h"

#include <stdio.h>

typedef enum name_id {
  NAME_YEAR,
  NAME_MONTH,
  NAME_DAY,
  NAME_HOUR,
  NAME_MINUTE,
  NAME_SECOND,
  NAME_RUN,
  NAME_PIPELINE,
  NAME_SOURCE,
  NAME_NAME,
  NAME_EXT,
  NAME_PART,
  NAME_COUNT,
} name_id;

static const char *const names[NAME_COUNT] = {
    [NAME_YEAR] = "year", [NAME_MONTH] = "month",       [NAME_DAY] = "day",
    [NAME_HOUR] = "hour", [NAME_MINUTE] = "minute",     [NAME_SECOND] = "second",
    [NAME_RUN] = "run",   [NAME_PIPELINE] = "pipeline", [NAME_SOURCE] = "source",
    [NAME_NAME] = "name", [NAME_EXT] = "ext",           [NAME_PART] = "part",
};

// A piece of a template: literal text, or a name.
typedef struct piece {
  bool is_name;
  name_id name;
  wh_str text; // as written, with the braces of a name
} piece;

void wh_template_name(wh_template_values *values, wh_str key) {
  wh_str name = wh_path_name(key);
  size_t dot = name.len;
  while (dot > 0 && name.data[dot - 1] != '.')
    dot--;
  values->name = dot > 1 ? wh_str_sub(name, 0, dot - 1) : name;
  values->ext = dot > 1 ? wh_str_sub(name, dot, name.len) : (wh_str){0};
}

static wh_status unknown_name(wh_str name, wh_error *err) {
  wh_str words[NAME_COUNT];
  for (size_t i = 0; i < NAME_COUNT; i++)
    words[i] = wh_str_of(names[i]);
  wh_str near = wh_str_nearest(name, words, NAME_COUNT);
  if (near.len) {
    return wh_fail(err, WH_ERR_USAGE, "a template has no name {%.*s}. Did you mean {%.*s}?",
                   WH_STR_ARG(name), WH_STR_ARG(near));
  }
  return wh_fail(err, WH_ERR_USAGE,
                 "a template has no name {%.*s}. There are year, month, day, hour, minute, second, "
                 "run, pipeline, source, name, ext and part",
                 WH_STR_ARG(name));
}

// Takes the next piece off `rest`; WH_ERR_END when there is none.
static wh_status next_piece(wh_str *rest, piece *ret, wh_error *err) {
  if (rest->len == 0) return WH_ERR_END;
  size_t open = wh_str_find(*rest, 0, '{'), close = wh_str_find(*rest, 0, '}');
  if (close < open) return wh_fail(err, WH_ERR_USAGE, "a '}' that no '{' opened");
  if (open > 0) {
    *ret = (piece){.text = wh_str_sub(*rest, 0, open)};
    *rest = wh_str_sub(*rest, open, rest->len);
    return WH_OK;
  }
  if (close == rest->len) return wh_fail(err, WH_ERR_USAGE, "a '{' that no '}' closes");
  wh_str name = wh_str_sub(*rest, 1, close);
  for (name_id id = 0; id < NAME_COUNT; id++) {
    if (!wh_str_is(name, names[id])) continue;
    *ret = (piece){.is_name = true, .name = id, .text = wh_str_sub(*rest, 0, close + 1)};
    *rest = wh_str_sub(*rest, close + 1, rest->len);
    return WH_OK;
  }
  return unknown_name(name, err);
}

// --- checking ------------------------------------------------------------------------------------

static wh_status check_literal(wh_str text, wh_error *err) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] != '*' && text.data[i] != '?') continue;
    return wh_fail(err, WH_ERR_USAGE,
                   "a template cannot hold '%c'. Wildcards are for `from`; names such as {run} are "
                   "for `to`",
                   text.data[i]);
  }
  return WH_OK;
}

// The template as a key, every name replaced by one letter.
static wh_status check_key(wh_str text, wh_error *err) {
  char key[WH_KEY_MAX];
  size_t len = 0;
  piece p;
  while (next_piece(&text, &p, NULL) == WH_OK) {
    wh_str part = p.is_name ? WH_STR("x") : p.text;
    if (part.len > sizeof key - len) {
      return wh_fail(err, WH_ERR_USAGE, "longer than the %d bytes of a key", WH_KEY_MAX);
    }
    memcpy(key + len, part.data, part.len);
    len += part.len;
  }
  wh_status status = wh_key_check(wh_str_n(key, len), err);
  if (status == WH_ERR_LIMIT && err) err->status = WH_ERR_USAGE;
  return status == WH_ERR_LIMIT ? WH_ERR_USAGE : status;
}

wh_status wh_template_check(wh_str text, bool raw, wh_error *err) {
  bool unique = false;
  piece p;
  wh_status status;
  wh_str rest = text;
  while ((status = next_piece(&rest, &p, err)) == WH_OK) {
    if (p.is_name)
      unique = unique || p.name == NAME_RUN || (raw && p.name == NAME_NAME);
    else
      WH_TRY(check_literal(p.text, err));
  }
  if (status != WH_ERR_END) return status;
  WH_TRY(check_key(text, err));
  if (wh_str_starts(text, WH_OWN_PREFIX)) {
    return wh_fail(err, WH_ERR_USAGE, "'%s' is Wherry's own folder. Choose another", WH_OWN_PREFIX);
  }
  if (unique) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 raw ? "needs {name} or {run}: every object must get a name of its own"
                     : "needs {run}: every run must get a name of its own");
}

// --- expanding -----------------------------------------------------------------------------------

static void add_number(wh_buf *out, const char *fmt, int32_t value) {
  char digits[16];
  snprintf(digits, sizeof digits, fmt, value);
  wh_buf_add_c(out, digits);
}

// Values that are no parts of keys by nature, such as the name of a table.
static void add_safe(wh_buf *out, wh_str value) {
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    wh_buf_add_char(out, c == '/' || c < 0x20 || c == 0x7F ? '_' : (char)c);
  }
}

static void add_value(wh_buf *out, name_id name, const wh_template_values *values) {
  wh_civil civil;
  wh_civil_from_us(values->start_us, &civil);
  switch (name) {
  case NAME_YEAR:
    return add_number(out, "%04d", civil.year);
  case NAME_MONTH:
    return add_number(out, "%02d", civil.month);
  case NAME_DAY:
    return add_number(out, "%02d", civil.day);
  case NAME_HOUR:
    return add_number(out, "%02d", civil.hour);
  case NAME_MINUTE:
    return add_number(out, "%02d", civil.minute);
  case NAME_SECOND:
    return add_number(out, "%02d", civil.second);
  case NAME_RUN:
    return add_safe(out, values->run);
  case NAME_PIPELINE:
    return add_safe(out, values->pipeline);
  case NAME_SOURCE:
    return add_safe(out, values->source);
  case NAME_NAME:
    return add_safe(out, values->name);
  case NAME_EXT:
    return add_safe(out, values->ext);
  case NAME_PART:
    wh_buf_add_u64(out, values->part);
    return;
  case NAME_COUNT:
    return;
  }
}

wh_status wh_template_expand(wh_str text, const wh_template_values *values, wh_arena *arena,
                             wh_str *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, arena->mem, 4 * WH_KEY_MAX);
  piece p;
  wh_status status;
  wh_str rest = text;
  while ((status = next_piece(&rest, &p, err)) == WH_OK) {
    if (p.is_name)
      add_value(&out, p.name, values);
    else
      wh_buf_add_str(&out, p.text);
  }
  if (status != WH_ERR_END) return status;
  WH_TRY(wh_buf_check(&out, err));
  status = wh_key_check(wh_buf_str(&out), err);
  if (status != WH_OK) {
    wh_error_prefix(err, "the template %.*s: ", WH_STR_ARG(text));
    return status;
  }
  wh_str key = wh_arena_str(arena, wh_buf_str(&out));
  if (!key.data) return wh_fail_memory(err);
  *ret = key;
  return WH_OK;
}

// --- as a pattern --------------------------------------------------------------------------------

static const char *name_glob(name_id name) {
  switch (name) {
  case NAME_YEAR:
    return "[0-9][0-9][0-9][0-9]";
  case NAME_MONTH:
  case NAME_DAY:
  case NAME_HOUR:
  case NAME_MINUTE:
  case NAME_SECOND:
    return "[0-9][0-9]";
  default:
    return "*";
  }
}

// '[' has a meaning in patterns and none in keys.
static void add_literal(wh_buf *out, wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '[')
      wh_buf_add_c(out, "[[]");
    else
      wh_buf_add_char(out, text.data[i]);
  }
}

wh_status wh_template_glob_for(wh_str text, wh_str pipeline, wh_arena *arena, wh_str *ret,
                               wh_error *err) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, arena->mem, 0);
  piece p;
  wh_status status;
  while ((status = next_piece(&text, &p, err)) == WH_OK) {
    if (!p.is_name)
      add_literal(&out, p.text);
    else if (p.name == NAME_PIPELINE && pipeline.len)
      add_literal(&out, pipeline);
    // Two stars side by side would cross folders.
    else if (out.len == 0 || out.data[out.len - 1] != '*' || name_glob(p.name)[0] != '*') {
      wh_buf_add_c(&out, name_glob(p.name));
    }
  }
  if (status != WH_ERR_END) return status;
  WH_TRY(wh_buf_check(&out, err));
  wh_str glob = wh_arena_str(arena, wh_buf_str(&out));
  if (!glob.data) return wh_fail_memory(err);
  *ret = glob;
  return WH_OK;
}

wh_status wh_template_glob(wh_str text, wh_arena *arena, wh_str *ret, wh_error *err) {
  return wh_template_glob_for(text, (wh_str){0}, arena, ret, err);
}
