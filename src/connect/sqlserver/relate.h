// What a table, a view or a query of the user's holds; and the SELECTs over it.
#pragma once

#include "connect/sql_source.h"
#include "connect/sqlserver/types.h"
#include "data/value.h"

// WH_ERR_NOT_FOUND with the nearest name. `table` may be "schema.table". Strings live in the arena.
wh_status wh_mssql_relate(wh_sql_session *s, wh_str table, wh_arena *arena, wh_sql_relation *ret,
                          wh_error *err);
wh_status wh_mssql_home(wh_sql_session *s, wh_arena *arena, wh_str *ret, wh_error *err);

// --- Sources (select.c) --------------------------------------------------------------------------

// WH_ERR_USAGE for a query that is not one SELECT.
wh_status wh_mssql_from_of(wh_mssql_session *s, wh_str table, wh_str query, wh_arena *arena,
                           wh_sql_from *ret, wh_error *err);
// The column as it is fetched.
bool wh_mssql_add_shown(wh_buf *sql, const wh_sql_column *column);
// Whether that is more than its name.
bool wh_mssql_is_wrapped(const wh_sql_column *column);

// The column as values are compared with it, and a parameter as a value of the column's type.
bool wh_mssql_add_compared(wh_buf *sql, const wh_sql_column *column);
bool wh_mssql_add_operand(wh_buf *sql, const wh_sql_column *column, unsigned number);
// The text of the parameter, in the arena.
wh_status wh_mssql_operand(const wh_sql_column *column, const wh_value *value, wh_arena *arena,
                           wh_str *ret, wh_error *err);
