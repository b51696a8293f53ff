// The sink's own structures; see connect/sink.h for the contract and dynamodb.h for what is
// written.
#pragma once

#include "connect/dynamodb/flight.h"
#include "connect/dynamodb/marks.h"
#include "connect/sink_table.h"

typedef struct wh_dynamodb_target {
  wh_target spec; // a deep copy
  wh_schema schema;
  wh_schema stored;      // the same as it can be read again
  wh_dynamodb_how *hows; // of each column
  size_t key[2];         // columns of the table's key: hash, range
  size_t key_count;      // 0: not known yet (append)
  ptrdiff_t version;     // newest_by, or -1
  ptrdiff_t compared;    // the same, where it is not a part of the key: else versions are equal
  bool exists, is_active;
} wh_dynamodb_target;

struct wh_sink {
  wh_connection *connection;
  wh_aws_client *client;
  wh_arena arena;
  wh_dynamodb_target *targets;
  size_t count;
  bool is_ready; // prepared
  wh_arena load_arena;
  wh_load load;
  wh_dynamodb_flight flight;
  bool has_flight;
};

// A row as attributes.
typedef struct wh_dynamodb_row {
  wh_buf text;   // of all columns, one behind the other
  size_t *ends;  // of each column in it; the writing's arena
  uint64_t hash; // of its key
} wh_dynamodb_row;

// What a write carries from row to row.
typedef struct wh_dynamodb_writing {
  wh_sink *sink;
  const wh_dynamodb_target *target;
  const wh_batch *batch;
  wh_rejects *rejects;
  wh_counts *counts;
  wh_sink_rows rows;
  wh_dynamodb_row row;   // that is about to be written
  wh_dynamodb_row again; // that is written once more
} wh_dynamodb_writing;

static inline bool wh_dynamodb_is_key(const wh_dynamodb_target *t, size_t column) {
  return (t->key_count > 0 && t->key[0] == column) || (t->key_count > 1 && t->key[1] == column);
}

// target.c: a target as it was asked for; then against the table that is there. What does not fit
// is appended to `difference`, a line each.
wh_status wh_dynamodb_target_make(wh_sink *sink, const wh_target *spec, wh_dynamodb_target *t,
                                  wh_error *err);
wh_status wh_dynamodb_target_bind(wh_sink *sink, wh_dynamodb_target *t, wh_buf *difference,
                                  wh_error *err);
wh_status wh_dynamodb_sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists,
                                   bool *ret_fits, wh_error *err);
wh_status wh_dynamodb_sink_prepare(wh_sink *sink, wh_error *err);

// row.c: encodes a row; *ret_fine false: it was rejected.
wh_status wh_dynamodb_row_encode(wh_dynamodb_writing *w, size_t row, wh_dynamodb_row *ret,
                                 bool *ret_fine, wh_error *err);
// The attribute of a column, as JSON; empty: there is none (a NULL that is left out).
wh_str wh_dynamodb_row_get(const wh_dynamodb_row *row, size_t column);
void wh_dynamodb_row_add_key(const wh_dynamodb_writing *w, const wh_dynamodb_row *row, wh_buf *out);
void wh_dynamodb_row_add_item(const wh_dynamodb_writing *w, const wh_dynamodb_row *row,
                              wh_buf *out);
void wh_dynamodb_row_free(wh_dynamodb_row *row);
// Whether the server says that the row cannot be; then it is rejected.
wh_status wh_dynamodb_row_refused(wh_dynamodb_writing *w, size_t row, const wh_aws_exchange *x,
                                  bool *ret_refused, wh_error *err);

// upsert.c, append.c
wh_status wh_dynamodb_upsert(wh_dynamodb_writing *w, wh_error *err);
wh_status wh_dynamodb_append(wh_dynamodb_writing *w, wh_error *err);
