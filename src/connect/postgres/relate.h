// What a table, a view or a query of the user's holds: columns, types, keys.
#pragma once

#include "connect/postgres/session.h"
#include "connect/postgres/types.h"
#include "connect/sql_source.h"

typedef struct wh_pg_column {
  wh_sql_column sql; // its type is wh_sql_schema's, too
  wh_pg_type declared;
  wh_pg_reading reading;
  bool may_read; // the user has the right
  bool seen;     // a sample showed values; true where none was needed
} wh_pg_column;

typedef struct wh_pg_relation {
  wh_str schema, table; // as the server spells them; empty: a query
  wh_str query;         // without its semicolon
  char kind;            // pg_class.relkind: 'r' table, 'p' partitioned, 'v' view ...
  uint32_t oid;
  bool has_order;
  wh_pg_column *columns; // without _wherry_order
  size_t count;
  wh_sql_unique *uniques;
  size_t unique_count;
} wh_pg_relation;

// `table` or `query` is empty. Strings live in the arena. WH_ERR_NOT_FOUND with the nearest name;
// WH_ERR_USAGE for a query that is not one SELECT.
wh_status wh_pg_relate(wh_pg_session *s, wh_str table, wh_str query, wh_arena *arena,
                       wh_pg_relation *ret, wh_error *err);
// Decides the scales of numerics that have none.
wh_status wh_pg_sample(wh_pg_session *s, wh_pg_relation *relation, wh_error *err);
// Rows: exact where counting is cheap, an estimate rounded to two digits where there is one, else
// WH_SIZE_UNKNOWN.
wh_status wh_pg_count(wh_pg_session *s, const wh_pg_relation *relation, uint64_t *ret,
                      wh_error *err);

// Queries (query.c): checks one, names its columns and their types.
wh_status wh_pg_query_relate(wh_pg_session *s, wh_str query, wh_arena *arena, wh_pg_relation *ret,
                             wh_error *err);
// Looks up what the columns' `declared.oid` and `modifier` mean.
wh_status wh_pg_resolve_types(wh_pg_session *s, wh_pg_column *columns, size_t count,
                              wh_arena *arena, wh_error *err);

wh_status wh_pg_no_column(const wh_pg_session *s, const wh_pg_relation *relation, wh_str name,
                          wh_error *err);
// ` FROM "schema"."table"` or ` FROM (query) AS q`
bool wh_pg_add_from(wh_buf *sql, const wh_pg_relation *relation);
// The column as its reading wants it: `"n"`, `"n"::text`.
bool wh_pg_add_read(wh_buf *sql, const wh_pg_column *column);

extern const wh_sql_driver wh_pg_driver;
// Of it (connect/sql.h).
wh_status wh_pg_driver_relate(wh_sql_session *s, wh_str table, wh_arena *arena,
                              wh_sql_relation *ret, wh_error *err);
wh_status wh_pg_driver_home(wh_sql_session *s, wh_arena *arena, wh_str *ret, wh_error *err);
