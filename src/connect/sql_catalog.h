// Reading a catalog, row by row, into a wh_sql_relation: for the drivers' `relate`.
#pragma once

#include "base/arena.h"
#include "connect/sql.h"

// Texts, of rows that have one.
typedef struct wh_sql_names {
  wh_arena *arena;
  wh_str *items; // copies; NULL is the empty text
  size_t count, cap;
} wh_sql_names;
wh_status wh_sql_names_take(void *names, const wh_str *values, size_t count, wh_error *err);

// A name with points may be a table's whole name in the schema `home`, or have its schema in front.
// `look_up` tells whether there is such a table.
typedef wh_status (*wh_sql_look_up)(wh_sql_session *s, wh_str schema, wh_str table, void *look,
                                    bool *ret_found, wh_error *err);
wh_status wh_sql_find_table(wh_sql_session *s, wh_str home, wh_str name, wh_sql_look_up look_up,
                            void *look, bool *ret_found, wh_error *err);

// Columns of a relation, in their order.
typedef struct wh_sql_column_list {
  wh_arena *arena;
  wh_sql_relation *relation;
  size_t cap;
} wh_sql_column_list;
// Room behind the columns; who fills it in counts it.
wh_status wh_sql_next_column(wh_sql_column_list *list, wh_sql_column **ret, wh_error *err);

// Unique indexes of a relation whose columns are there. Rows come index by index, the primary key's
// first, each index's in its order.
typedef struct wh_sql_unique_list {
  wh_arena *arena;
  wh_sql_relation *relation;
  // Own:
  wh_sql_unique *items;
  size_t count, cap;
  wh_str index;      // at hand
  uint32_t *columns; // its
  size_t column_count;
  bool is_partial, is_primary;
} wh_sql_unique_list;
// `column`: -1 where it is none that is shown, or not all of one; the index then lets a combination
// of those that are shown be there twice, and does not count.
wh_status wh_sql_unique_take(wh_sql_unique_list *list, wh_str index, bool is_primary,
                             ptrdiff_t column, wh_error *err);
// Hands them to the relation.
wh_status wh_sql_unique_end(wh_sql_unique_list *list, wh_error *err);
