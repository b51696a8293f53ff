// Which functions a text in SQL calls, as far as that can be told without understanding it: names
// with a parenthesis behind them, outside of comments, texts and quoted names.
//
//   wh_sql_scan scan = {.sql = text};
//   while (wh_sql_next_call(&scan, &call)) ...
#pragma once

#include "base/arena.h"

typedef struct wh_sql_scan {
  wh_str sql;
  size_t at;
  bool from; // the last word was FROM or JOIN
} wh_sql_scan;

// Views of the text.
typedef struct wh_sql_call {
  size_t at;      // where its name begins
  wh_str name;    // quoted ones with their quotes
  bool from;      // FROM or JOIN stands in front of it
  bool qualified; // it is `name.`, and no call
  bool has_text;  // its first argument is a plain 'text', ...
  wh_str text;    // ... with its quotes
} wh_sql_call;

// The next one; false: there is none. What is not SQL ends it sooner or later.
bool wh_sql_next_call(wh_sql_scan *scan, wh_sql_call *ret);
// What a quoted text or name says, its quotes taken off and doubled ones taken for one; one without
// quotes is as it is. Without data: no memory.
wh_str wh_sql_unquote(wh_str quoted, wh_arena *arena);
// Line and column of a position, both from 1.
void wh_sql_place(wh_str sql, size_t at, uint32_t *ret_line, uint32_t *ret_column);
