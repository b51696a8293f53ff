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

wh_status wh_source_refuse(const wh_connection *c, wh_error *err, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return wh_fail(err, WH_ERR_USAGE, "%.*s: the query %s", WH_STR_ARG(c->name), text);
}
