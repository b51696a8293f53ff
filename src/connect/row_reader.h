// What the readers of databases share: a statement's rows come one by one and leave as batches. A
// connector says how a row is fetched and how its values are taken; what is the same everywhere is
// done here: batches are closed in time, rows that do not fit are rejected, `rows_per_second` is
// kept, a wish to stop is heard.
//
// A connector's reader is a struct that begins with a wh_row_reader.
#pragma once

#include "base/arena.h"
#include "connect/source.h"

typedef struct wh_row_reader wh_row_reader;

typedef struct wh_row_reader_type {
  size_t size; // of the connector's struct, which is zeroed where it is its own
  // Sends the statement. What was made before an error is closed, too.
  wh_status (*start)(wh_row_reader *r, const wh_source_query *query, wh_error *err);
  // On to the next row; *ret_row is false behind the last one, and the snapshot given up.
  wh_status (*fetch)(wh_row_reader *r, bool *ret_row, wh_error *err);
  // Appends the row at hand to the columns of the schema. WH_ERR_TYPE: the value of *ret_column
  // does not fit, and *ret_misfit says why; columns before it may have been appended to.
  wh_status (*append)(wh_row_reader *r, wh_column *columns, size_t *ret_column,
                      wh_misfit *ret_misfit, wh_error *err);
  // Puts {"name":value,...} of the row at hand into `out`, for quarantine.
  wh_status (*write_json)(wh_row_reader *r, wh_buf *out, wh_error *err);
  // Frees what is the connector's own, which may be half-built.
  void (*close)(wh_row_reader *r);
} wh_row_reader_type;

struct wh_row_reader {
  wh_reader base;
  const wh_row_reader_type *type;
  wh_connection *connection;
  wh_arena arena;
  wh_schema schema; // what rows are read as
  wh_str what;      // "sales_order", "the query": for messages; the connector sets it
  uint64_t rows;    // so far, rejected ones too
  uint64_t limit;   // 0: none
  int64_t rate;     // rows a second at most; 0: no limit
  bool ended;
  // Own:
  size_t batch_rows, batch_bytes;
  size_t rejected_bytes; // by this call of `next`, about
  int64_t due_ns;        // when the next batch may be read
  wh_buf raw;
};

// Opens a reader whose rows are as `schema` says.
wh_status wh_row_reader_open(const wh_row_reader_type *type, wh_connection *c,
                             const wh_source_query *query, const wh_schema *schema,
                             int64_t rows_per_second, wh_reader **ret, wh_error *err);
