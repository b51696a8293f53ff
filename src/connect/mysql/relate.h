// What a table, a view or a query of the user's holds; and the SELECTs over it.
#pragma once

#include "connect/mysql/types.h"
#include "connect/sql_source.h"
#include "data/value.h"

// WH_ERR_NOT_FOUND with the nearest name. `table` may be "schema.table". Strings live in the arena.
wh_status wh_mysql_relate(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_relation *ret,
                          wh_error *err);
wh_status wh_mysql_home(wh_sql_session *s, wh_arena *arena, wh_str *ret, wh_error *err);

// --- Sources (select.c) --------------------------------------------------------------------------

// WH_ERR_USAGE for a query that is not one SELECT.
wh_status wh_mysql_from_of(wh_mysql_session *s, wh_str table, wh_str query, wh_arena *arena,
                           wh_sql_from *ret, wh_error *err);
// The column as it is fetched.
bool wh_mysql_add_shown(wh_buf *sql, const wh_sql_column *column);
// A wh_sql_schema_of.
wh_status wh_mysql_schema(const wh_sql_session *s, const wh_sql_relation *relation, wh_arena *arena,
                          wh_schema *ret, wh_error *err);

// A value as a parameter of its own type. `time` is room for the parameter and lives as long; so
// does `number`, for decimals.
enum { WH_MYSQL_NUMBER_TEXT = 64 };
typedef struct wh_mysql_param {
  MYSQL_TIME time;
  int64_t whole;
  double real;
  char number[WH_MYSQL_NUMBER_TEXT];
} wh_mysql_param;
void wh_mysql_bind_value(MYSQL_BIND *bind, wh_mysql_param *room, const wh_value *value);
