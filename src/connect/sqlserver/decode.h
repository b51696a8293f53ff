// Rows as db-lib holds them, in the server's binary forms -> columns of a batch.
#pragma once

#include "connect/sqlserver/types.h"
#include "data/value.h"

// One for each column that is read.
typedef struct wh_mssql_decoder {
  wh_str name;
  wh_type type;  // of the column it fills
  wh_type found; // that what comes is read as
  int wire;      // db-lib's type
  int column;    // of the result, from 1
  bool nullable;
  bool is_same; // both types are one
  wh_mem *mem;
} wh_mssql_decoder;

// For the result that is under way. `into` is the column's field; strings are borrowed.
wh_mssql_decoder wh_mssql_decoder_of(wh_mssql_session *s, size_t column, const wh_field *into);

// Appends the value of the row at hand to the column. WH_ERR_TYPE: it does not fit, nothing was
// appended, and *misfit says why; `err` is then not filled.
wh_status wh_mssql_decode(wh_mssql_session *s, const wh_mssql_decoder *d, wh_column *column,
                          wh_misfit *misfit, wh_error *err);

// {"name":value,...} of the row at hand, for quarantine: numbers and text as they are, bytes in
// hex as SQL writes them; what passes WH_MSSQL_RAW_MAX bytes is cut.
wh_status wh_mssql_row_json(wh_mssql_session *s, const wh_mssql_decoder *decoders, size_t count,
                            wh_buf *out, wh_error *err);
