// The rows of a statement as the driver gives them: in arrays bound to the columns where all their
// lengths are known and the driver can go back to a value that was longer; else row by row, each
// value got in pieces, from the first column to the last.
#pragma once

#include "connect/odbc/types.h"

typedef enum wh_odbc_form {
  WH_ODBC_NARROW, // ASCII: numbers, dates and times
  WH_ODBC_WIDE,   // UTF-16
  WH_ODBC_BYTES,
  WH_ODBC_DOUBLE,
  WH_ODBC_DATE, // a structure, which the cell shows as text
  WH_ODBC_TIMESTAMP,
} wh_odbc_form;

// Good until the next row.
typedef struct wh_odbc_cell {
  wh_odbc_form form; // DATE and TIMESTAMP show as NARROW
  bool is_null;
  wh_str bytes;        // UTF-16 where the form is WIDE; for DOUBLE see `number`
  double number;       //
  const char *refused; // why the driver does not give it; NULL: it does
} wh_odbc_cell;

typedef struct wh_odbc_slot wh_odbc_slot;

typedef struct wh_odbc_rows {
  wh_odbc_session *session;
  SQLHSTMT stmt;
  wh_str what; // "sales_order"
  const char *doing;
  wh_odbc_slot *slots; // for each column
  size_t count;
  size_t at_once;  // rows of an array; 0: nothing is bound
  uint64_t number; // of the row at hand, from 1
  // Own:
  SQLULEN fetched, row; // of the array
  SQLUSMALLINT *statuses;
  size_t got; // columns of the row at hand that came in pieces so far
} wh_odbc_rows;

// Before the statement is executed. `what` and `doing` are borrowed; at most `rows_max` are fetched
// at once.
wh_status wh_odbc_rows_open(wh_odbc_session *s, SQLHSTMT stmt, const wh_odbc_column *const *columns,
                            size_t count, size_t rows_max, wh_str what, const char *doing,
                            wh_arena *arena, wh_odbc_rows *ret, wh_error *err);
void wh_odbc_rows_close(wh_odbc_rows *rows); // not the statement; zeroed is fine
wh_status wh_odbc_rows_next(wh_odbc_rows *rows, bool *ret_row, wh_error *err);
// In any order, any number of times.
wh_status wh_odbc_rows_cell(wh_odbc_rows *rows, size_t column, wh_odbc_cell *ret, wh_error *err);
