// Columns of a batch -> SQLite's values, stored so that they read back equal.
#pragma once

#include "connect/sqlite/decode.h"
#include "connect/sqlite/types.h"

enum { WH_SQLITE_ENCODED_TEXT = 48 }; // a decimal of 38 digits, its sign and point

// One for each column that is written. The first four are set, the rest is zeroed.
typedef struct wh_sqlite_encoder {
  wh_type type;                // of the batch's column
  wh_type stored;              // times are written with its unit; else as `type`
  wh_sqlite_affinity affinity; // of the table's column
  wh_mem *mem;
  wh_sqlite_day day;
  char text[WH_SQLITE_ENCODED_TEXT]; // what the statement borrows
  wh_buf more;                       // for what is longer: JSON, odd years
} wh_sqlite_encoder;

void wh_sqlite_encoder_free(wh_sqlite_encoder *e);

// Binds one value; the statement borrows it from the batch and the encoder until the next call or
// reset. WH_ERR_TYPE: SQLite cannot hold it exactly; *misfit says why and `err` is not filled.
wh_status wh_sqlite_encode(wh_sqlite_encoder *e, const wh_column *column, size_t row,
                           sqlite3_stmt *stmt, int index, wh_misfit *misfit, wh_error *err);
