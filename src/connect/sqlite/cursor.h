// Reading from where the last run ended. SQLite narrows with a condition that never leaves out a
// row that could count, whatever way its cursor is spelled; then each row is looked at exactly.
#pragma once

#include "connect/sqlite/describe.h"
#include "connect/sqlite/instant.h"
#include "data/value.h"

typedef struct wh_sqlite_cursor {
  wh_str column;
  bool has_from, has_to;
  wh_value from, to; // borrowed text
  wh_mem *mem;
  wh_sqlite_day day;
  char low[WH_SQLITE_INSTANT_TEXT]; // the text that times are narrowed with
} wh_sqlite_cursor;

// Appends `select` (the part before WHERE) with the conditions that narrow it: one SELECT, or a
// UNION ALL of several where an index can serve each.
wh_status wh_sqlite_cursor_select(wh_sqlite_db *db, wh_sqlite_cursor *cursor,
                                  const wh_sqlite_relation *relation, wh_str select, wh_buf *sql,
                                  wh_error *err);
// Binds what the conditions need; the statement borrows from the cursor.
wh_status wh_sqlite_cursor_bind(wh_sqlite_db *db, wh_sqlite_cursor *cursor, sqlite3_stmt *stmt,
                                wh_error *err);
// Is the row within [from, to)? NULL is, and so is what cannot be compared: the reader rejects it
// where it crosses.
wh_status wh_sqlite_cursor_passes(wh_sqlite_cursor *cursor, sqlite3_value *value, bool *ret,
                                  wh_error *err);
