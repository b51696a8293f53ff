// ODBC's types and ours; the table is in odbc.h.
#pragma once

#include "connect/odbc/session.h"
#include "connect/sql_source.h"
#include "data/value.h"

typedef struct wh_odbc_column {
  wh_sql_column sql; // its name, type, nullable and key_position
  // As the driver describes it:
  SQLSMALLINT sql_type;
  SQLULEN size;       // characters, bytes or digits; 0: not known
  SQLSMALLINT digits; // behind the point
} wh_odbc_column;

// Fills in `sql.type` from the driver's description.
void wh_odbc_set_type(wh_odbc_column *column, bool is_unsigned);

// A value as a parameter that is compared with the column, from 1; it lives in the arena until the
// statement has run. Timestamps are cut to the digits that the column has.
wh_status wh_odbc_bind(wh_odbc_session *s, SQLHSTMT stmt, SQLUSMALLINT number,
                       const wh_odbc_column *column, const wh_value *value, wh_arena *arena,
                       wh_error *err);
