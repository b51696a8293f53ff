// Names of tables as they come from a catalog.
#pragma once

#include "base/arena.h"
#include "connect/source.h"

typedef struct wh_table_list {
  wh_arena *arena;
  wh_table_name *items;
  size_t count, cap;
} wh_table_list;

// Copies the name.
wh_status wh_table_list_add(wh_table_list *list, const wh_table_name *name, wh_error *err);
// A wh_sql_row_visit for rows of schema, table, is_home and is_denied (1 or t); the context is a
// wh_table_list.
wh_status wh_table_list_take(void *context, const wh_str *values, size_t count, wh_error *err);
