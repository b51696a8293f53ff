// Rows of the binary protocol -> columns of a batch.
#pragma once

#include "connect/mysql/types.h"
#include "data/value.h"

// One for each column that is read.
typedef struct wh_mysql_decoder {
  wh_str name;
  wh_type type;         // of the column it fills
  wh_mysql_field field; // what comes
  bool nullable;
  bool zero_is_null; // 0000-00-00 is read as NULL
  bool is_same;      // the type is the one that comes is read as
  wh_mem *mem;
} wh_mysql_decoder;

// `into` is the column's field; strings are borrowed.
wh_mysql_decoder wh_mysql_decoder_of(const MYSQL_FIELD *field, const wh_field *into,
                                     const wh_mysql_options *options, wh_mem *mem);

// Appends the value (see wh_mysql_cell) to the column. WH_ERR_TYPE: it does not fit, nothing was
// appended, and *misfit says why; `err` is then not filled.
wh_status wh_mysql_decode(const wh_mysql_decoder *d, const uint8_t *cell, wh_column *column,
                          wh_misfit *misfit, wh_error *err);

// {"name":value,...} of the row at hand, for quarantine: numbers and text as they are, bytes in
// hex as SQL writes them; what passes WH_MYSQL_RAW_MAX bytes is cut.
wh_status wh_mysql_row_json(const MYSQL_STMT *stmt, const wh_mysql_decoder *decoders, size_t count,
                            wh_buf *out, wh_error *err);
