#include "connect/source.h"

#include "base/arena.h"

wh_status wh_source_check_row(const wh_connection *c, wh_str what, uint64_t row, size_t bytes,
                              wh_error *err) {
  if (!c->row_limit_bytes || bytes <= c->row_limit_bytes) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "%.*s: row %llu of %.*s is larger than %zu bytes, the most that a row may take; "
                 "raise `memory`, of which a row may take an eighth",
                 WH_STR_ARG(c->name), (unsigned long long)row, WH_STR_ARG(what),
                 c->row_limit_bytes);
}

wh_status wh_source_key_value(const wh_value *given, const wh_type *type, wh_arena *arena,
                              wh_value *ret, wh_error *err) {
  if (given->is_null) return WH_ERR_TYPE;
  *ret = *given;
  if (wh_type_eq(&given->type, type)) return WH_OK;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, arena->mem, 0);
  wh_value_write(given, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_error reason = {0};
  wh_status status = wh_value_parse(wh_buf_str(&text), type, arena, ret, &reason);
  if (status == WH_OK || status == WH_ERR_TYPE) return status;
  return wh_fail(err, status, "%s", reason.text);
}

wh_status wh_source_no_column(const wh_connection *c, wh_str what, wh_str column,
                              const void *columns, size_t count, size_t size, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str *names = WH_NEW_ARRAY(&arena, count, wh_str);
  if (!names) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    memcpy(&names[i], (const char *)columns + i * size, sizeof names[i]);
  wh_str near = wh_str_nearest(column, names, count);
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: %.*s has no column '%.*s'%s%.*s%s",
                 WH_STR_ARG(c->name), WH_STR_ARG(what), WH_STR_ARG(column),
                 near.len ? ". Did you mean '" : "", WH_STR_ARG(near), near.len ? "'?" : "");
}

wh_status wh_source_no_table(const wh_connection *c, wh_str table, const wh_str *names,
                             size_t count, wh_error *err) {
  wh_str near = count ? wh_str_nearest(table, names, count) : (wh_str){0};
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: no table or view '%.*s'%s%.*s%s",
                 WH_STR_ARG(c->name), WH_STR_ARG(table), near.len ? ". Did you mean '" : "",
                 WH_STR_ARG(near), near.len ? "'?" : "");
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t wh_source_skip(wh_str q, size_t at) {
  for (;;) {
    while (at < q.len && is_space(q.data[at]))
      at++;
    if (at + 1 < q.len && q.data[at] == '-' && q.data[at + 1] == '-') {
      at = wh_str_find(q, at, '\n');
    } else if (at + 1 < q.len && q.data[at] == '/' && q.data[at + 1] == '*') {
      const char *end = memmem(q.data + at + 2, q.len - at - 2, "*/", 2);
      at = end ? (size_t)(end - q.data) + 2 : q.len;
    } else {
      return at;
    }
  }
}

wh_status wh_source_refuse(const wh_connection *c, wh_error *err, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return wh_fail(err, WH_ERR_USAGE, "%.*s: the query %s", WH_STR_ARG(c->name), text);
}
