// Rows as the driver gives them -> columns of a batch.
#pragma once

#include "connect/odbc/rows.h"

// Appends the cell to `column`, a column of `field`. WH_ERR_TYPE: it does not fit, nothing was
// appended, and *misfit says why; `err` is then not filled.
wh_status wh_odbc_decode(const wh_odbc_cell *cell, const wh_field *field, wh_column *column,
                         wh_buf *scratch, wh_misfit *misfit, wh_error *err);

// {"name":value,...} of the row at hand, for quarantine: bytes in hex as SQL writes them; what
// passes WH_ODBC_RAW_MAX bytes is cut.
wh_status wh_odbc_row_json(wh_odbc_rows *rows, const wh_schema *schema, wh_buf *scratch,
                           wh_buf *out, wh_error *err);
