// Values -> the text in which the server takes them, exactly.
#pragma once

#include "connect/mysql/types.h"

typedef enum wh_mysql_form {
  WH_MYSQL_FORM_LOAD,  // a field of LOAD DATA: escaped by backslashes, bytes in hexadecimal
  WH_MYSQL_FORM_PARAM, // a parameter: as it is
} wh_mysql_form;

// A value that is no text, list or struct and not NULL, without anything around it; returns its
// length. `out` has room for WH_MYSQL_FIXED_ROOM bytes.
enum { WH_MYSQL_FIXED_ROOM = 64 };
size_t wh_mysql_put_fixed(const wh_column *values, size_t row, wh_mysql_native native, char *out);

// Appends the value of a row, which is not NULL, for that column.
wh_status wh_mysql_encode(const wh_column *values, size_t row, const wh_sql_column *column,
                          wh_mysql_form form, wh_buf *out, wh_error *err);

// Whether the value goes as bytes, and so needs the column's expression (below).
static inline bool wh_mysql_is_bytes(const wh_type *type) {
  return type->kind == WH_BINARY;
}

// What the column becomes of `value`, which is a variable of LOAD DATA or a parameter: "CAST(@v3 AS
// UNSIGNED)". False in *ret_needed: the value itself.
bool wh_mysql_add_converted(const wh_type *type, const wh_sql_column *column, wh_mysql_form form,
                            wh_str value, wh_buf *out, bool *ret_needed);
