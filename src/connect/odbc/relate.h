// What a table, a view or a query of the user's holds.
#pragma once

#include "connect/odbc/types.h"

typedef struct wh_odbc_table {
  wh_str schema, name;
  bool is_view;
  bool is_alone; // no other schema has a table of that name
} wh_odbc_table;

typedef struct wh_odbc_tables {
  wh_odbc_table *items;
  size_t count;
} wh_odbc_tables;

// Tables, then views, by name; `name` not empty: those named so.
wh_status wh_odbc_list(wh_odbc_session *s, wh_str name, wh_arena *arena, wh_odbc_tables *ret,
                       wh_error *err);

typedef struct wh_odbc_relation {
  wh_str schema, table; // as the database spells them; empty for a query
  wh_str query;         // without a closing semicolon; empty: a table
  wh_str what;          // "sales_order", "the query", for messages
  wh_odbc_column *columns;
  size_t count;
} wh_odbc_relation;

// WH_ERR_NOT_FOUND with the nearest name, WH_ERR_USAGE for a query that is not one SELECT. `table`
// may be "schema.table". Strings live in the arena.
wh_status wh_odbc_relate(wh_odbc_session *s, wh_str table, wh_str query, wh_arena *arena,
                         wh_odbc_relation *ret, wh_error *err);
// What the database's statistics say, else what counting brings within `limit_us`, which is
// lowered by the time it took; 0: nothing is counted. WH_SIZE_UNKNOWN: not known.
wh_status wh_odbc_count(wh_odbc_session *s, const wh_odbc_relation *r, int64_t *limit_us,
                        uint64_t *ret, wh_error *err);

// Pieces of connect/odbc/relate.c and query.c.
wh_status wh_odbc_describe_columns(wh_odbc_session *s, SQLHSTMT stmt, wh_arena *arena,
                                   wh_odbc_relation *r, wh_error *err);
wh_status wh_odbc_relate_query(wh_odbc_session *s, wh_str query, wh_arena *arena,
                               wh_odbc_relation *ret, wh_error *err);

// WH_ERR_NOT_FOUND: "sales_order has no column 'x'" with the nearest name.
wh_status wh_odbc_no_column(const wh_odbc_session *s, const wh_odbc_relation *r, wh_str name,
                            wh_error *err);
// ` FROM ...`
wh_status wh_odbc_add_from(const wh_odbc_session *s, wh_buf *sql, const wh_odbc_relation *r,
                           wh_error *err);
