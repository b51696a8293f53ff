// What a table, a view or a query of the user's holds: columns, types, keys.
#pragma once

#include "connect/sqlite/db.h"
#include "connect/sqlite/types.h"

typedef struct wh_sqlite_column {
  wh_str name;
  wh_str declared; // empty: nothing, or an expression
  wh_type type;    // as it is read; set by wh_sqlite_sample
  bool nullable;
  bool seen; // the sample showed values
  bool has_default;
  bool is_generated;
  uint32_t key_position; // in the primary key, from 1; 0: not part of it
} wh_sqlite_column;

typedef struct wh_sqlite_relation {
  wh_str table; // as the database spells it; empty: a query
  wh_str query; // without a closing semicolon
  bool is_view;
  bool is_virtual;
  bool has_rowid;
  bool has_not_null;         // a column, not the rowid, that the database keeps from being NULL
  bool has_order;            // the column _wherry_order: made by Wherry, its declarations are exact
  wh_sqlite_column *columns; // without _wherry_order
  size_t count;
} wh_sqlite_relation;

// Names and declarations; `table` or `query` is empty. Strings live in the arena.
// WH_ERR_NOT_FOUND with the nearest name; WH_ERR_USAGE for a query that is not one SELECT.
wh_status wh_sqlite_relate(wh_sqlite_db *db, wh_str table, wh_str query, wh_arena *arena,
                           wh_sqlite_relation *ret, wh_error *err);
// Decides the types, by the rules in sqlite.h.
wh_status wh_sqlite_sample(wh_sqlite_db *db, wh_sqlite_relation *relation, wh_error *err);

// The column's index, or -1; exactly that name.
ptrdiff_t wh_sqlite_relation_find(const wh_sqlite_relation *relation, wh_str name);
// WH_ERR_NOT_FOUND: `what` ("sales_order has no column 'x'") with the nearest name.
wh_status wh_sqlite_no_column(const wh_sqlite_db *db, const wh_sqlite_relation *relation,
                              wh_str name, wh_error *err);
// ` FROM "table"` or ` FROM (query) AS q`
bool wh_sqlite_add_from(wh_buf *sql, const wh_sqlite_relation *relation);
wh_status wh_sqlite_relation_schema(const wh_sqlite_relation *relation, wh_arena *arena,
                                    wh_schema *ret, wh_error *err);
// Names of the primary key's columns in order.
wh_status wh_sqlite_relation_key(const wh_sqlite_relation *relation, wh_arena *arena,
                                 const wh_str **ret, size_t *ret_count, wh_error *err);
