// SQLite's values -> columns of a batch.
#pragma once

#include "connect/sqlite/db.h"
#include "connect/sqlite/instant.h"
#include "data/value.h"

// One for each column that is read; zeroed but for what the comments say is set.
typedef struct wh_sqlite_decoder {
  wh_str name;   // set
  wh_type type;  // set
  bool nullable; // set
  wh_mem *mem;   // set
  wh_sqlite_day day;
} wh_sqlite_decoder;

// Appends the value to the column (whose type is the decoder's). WH_ERR_TYPE: it does not fit,
// nothing was appended, and *misfit says why; `err` is then not filled.
wh_status wh_sqlite_decode(wh_sqlite_decoder *d, sqlite3_value *value, wh_column *column,
                           wh_misfit *misfit, wh_error *err);

// {"name":value,...} of the first `count` result columns, for quarantine: numbers and text as they
// are, blobs in hex as SQL writes them; what passes WH_SQLITE_RAW_MAX bytes is cut.
wh_status wh_sqlite_row_json(sqlite3_stmt *stmt, const wh_sqlite_decoder *decoders, size_t count,
                             wh_buf *out, wh_error *err);
