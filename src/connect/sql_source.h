// What the sources in database servers share: the tables that they tell of, the columns of what
// they read, and what narrows a SELECT.
#pragma once

#include "connect/sql.h"

// --- Columns -------------------------------------------------------------------------------------

// Of a relation of any kind: structs of `size` bytes that begin with a wh_sql_column.
typedef struct wh_sql_columns {
  const void *items;
  size_t count, size;
} wh_sql_columns;
#define WH_SQL_COLUMNS(relation)                                                                   \
  ((wh_sql_columns){(relation)->columns, (relation)->count, sizeof *(relation)->columns})

// The index of the one that has exactly that name, or -1.
ptrdiff_t wh_sql_find(wh_sql_columns columns, wh_str name);
// All of them, as they are read. Names stay the relation's.
wh_status wh_sql_schema(wh_sql_columns columns, wh_arena *arena, wh_schema *ret, wh_error *err);
// Names of the primary key's columns in order.
wh_status wh_sql_key(wh_sql_columns columns, wh_arena *arena, const wh_str **ret, size_t *ret_count,
                     wh_error *err);

// --- What is read --------------------------------------------------------------------------------

// A table or view by its name, or a query of the user's.
typedef struct wh_sql_from {
  wh_sql_relation relation; // types of its columns as they are read
  wh_str query;             // without a closing semicolon; empty: a table
  wh_str what;              // "sales_order", "the query", for messages
} wh_sql_from;

wh_status wh_sql_from_table(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_from *ret,
                            wh_error *err);
// WH_ERR_NOT_FOUND: "sales_order has no column 'x'" with the nearest name.
wh_status wh_sql_no_column(const wh_sql_session *s, const wh_sql_from *from, wh_str name,
                           wh_error *err);
// ` FROM ...`
bool wh_sql_add_from(wh_buf *sql, const wh_sql_session *s, const wh_sql_from *from);
// How many rows the query gives at most, as far as it is known.
void wh_sql_estimate(const wh_sql_from *from, const wh_source_query *query, wh_source_info *info);
// The query of wh_source_type.extremes, in the arena.
wh_status wh_sql_extremes(const wh_sql_session *s, const wh_sql_from *from, wh_str column,
                          wh_arena *arena, wh_str *ret, wh_error *err);

// The table of the rows' orders, where they are not the table's own; none: its columns are none.
// (Where the sink may not alter the table, they are in one of their own, beside it.)
wh_status wh_sql_find_side(wh_sql_session *s, const wh_sql_from *from, wh_arena *arena,
                           wh_sql_from *ret_side, wh_error *err);
// Whether `column` is the order, of either.
bool wh_sql_is_order(const wh_sql_from *from, const wh_sql_from *side, wh_str column);
// The order of a row `t`.
bool wh_sql_add_order(wh_buf *sql, const wh_sql_session *s, const wh_sql_from *side);

// `low <= column < high`, either of which may be NULL, which is: no bound.
typedef struct wh_sql_condition {
  const wh_sql_column *column;
  const wh_value *low, *high; // the query's
  bool takes_null;            // rows whose column is NULL are read, too
} wh_sql_condition;
enum { WH_SQL_CONDITIONS = 2 }; // of the cursor, and of the range
typedef struct wh_sql_conditions {
  wh_sql_condition items[WH_SQL_CONDITIONS];
  size_t count;
} wh_sql_conditions;
wh_status wh_sql_conditions_of(const wh_sql_session *s, const wh_sql_from *from,
                               const wh_source_query *query, wh_sql_conditions *ret, wh_error *err);

// --- Telling of tables ---------------------------------------------------------------------------

// wh_source_type.tables, by a query whose rows are those of wh_table_list_take.
wh_status wh_sql_tables(const wh_sql_driver *driver, wh_connection *c, wh_str sql, wh_arena *arena,
                        wh_table_name **ret, size_t *ret_count, wh_error *err);

typedef wh_status (*wh_sql_schema_of)(const wh_sql_session *s, const wh_sql_relation *relation,
                                      wh_arena *arena, wh_schema *ret, wh_error *err);
// wh_source_type.discover, by a query whose rows are a table's name and whether it is a view ("1").
wh_status wh_sql_discover(wh_sql_session *s, wh_str sql, wh_sql_schema_of schema_of,
                          wh_arena *arena, wh_table_visit visit, void *context, wh_error *err);
