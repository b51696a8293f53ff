// Rows as events: which columns are what, and the text of each. splunk.h says what there is.
#pragma once

#include "codec/codec.h"
#include "connect/splunk/splunk.h"

// Columns that say what an event is, and are no part of it.
typedef enum wh_splunk_meta {
  WH_SPLUNK_HOST,
  WH_SPLUNK_SOURCE,
  WH_SPLUNK_SOURCETYPE,
  WH_SPLUNK_INDEX,
  WH_SPLUNK_METAS,
} wh_splunk_meta;

enum { WH_SPLUNK_ID_CHARS = 32 };

// Some of the columns as JSON, a line a row.
typedef struct wh_splunk_lines {
  wh_schema schema;
  size_t *map; // columns of what comes
  wh_batch view;
  bool has_view;
  wh_encoder *encoder;
  wh_block *block; // of the batch in hand
  wh_str rest;     // of its text
} wh_splunk_lines;

typedef struct wh_splunk_rows {
  const wh_connection *connection;
  wh_schema schema; // of what comes
  bool is_raw;
  ptrdiff_t time, meta[WH_SPLUNK_METAS], line; // columns, or -1
  wh_splunk_lines event, fields;
  // What ids are made of.
  uint64_t seed;
  bool from_object;
  uint64_t last_row, same_row; // events of one row of the object so far
} wh_splunk_rows;

// For the columns of the target, whose thing says which endpoint. Its memory is the arena's, which
// outlives it. Zeroed before; freed whatever it returns.
wh_status wh_splunk_rows_init(wh_splunk_rows *r, const wh_connection *c, const wh_target *target,
                              wh_arena *arena, wh_error *err);
void wh_splunk_rows_free(wh_splunk_rows *r);
void wh_splunk_rows_begin(wh_splunk_rows *r, const wh_load *load);
// Takes a batch up, whose rows are then asked for one by one, from the first.
wh_status wh_splunk_rows_take(wh_splunk_rows *r, const wh_batch *batch, wh_error *err);
// Appends the event of the next row, `row`. False: it cannot be one, and *ret says why.
bool wh_splunk_rows_write(wh_splunk_rows *r, const wh_batch *batch, size_t row, wh_buf *out,
                          wh_reject *ret);
