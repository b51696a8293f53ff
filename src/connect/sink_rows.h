// What every sink asks of a row before it goes to the target: a key, and a version that can be one.
#pragma once

#include "connect/sink.h"

typedef struct wh_sink_rows {
  const wh_schema *schema;
  const size_t *key; // indexes of columns that must have a value
  size_t key_count;
  ptrdiff_t version;    // index of newest_by, or -1
  bool limits_version;  // versions are times: later ones than this are mistakes
  int64_t last_version; // in the version column's unit
} wh_sink_rows;

// For one load: versions more than a day after `now_us` are mistakes. Borrows schema and key.
wh_sink_rows wh_sink_rows_of(const wh_schema *schema, const size_t *key, size_t key_count,
                             ptrdiff_t version, int64_t now_us);
// Whether the row cannot take part; then *ret says why (its place is the row's).
bool wh_sink_row_is_bad(const wh_sink_rows *r, const wh_batch *batch, size_t row, wh_reject *ret);
