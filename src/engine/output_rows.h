// Rows on their way into a table: those that are there, apart from those that say that a row is
// gone (data/deleted.h), as the pipeline's `write` wants them.
#pragma once

#include "config/config.h"

typedef struct wh_output_rows {
  wh_schema in;     // of what comes, copied: it outlives the flow
  wh_schema schema; // of the rows: what the table gets
  bool erases;      // `gone` may have rows, for the sink's erase
  bool drops;       // they are ignored
  ptrdiff_t column; // of what comes: says that a row is gone; -1: none of them is
  bool adds;        // the table has such a column, what comes has not
  size_t *map;      // columns of what comes, for each of the schema
  wh_batch kept, dropped;
  bool has_batches;
} wh_output_rows;

// Zeroed before; freed whatever it returns. `arena` outlives it.
wh_status wh_output_rows_init(wh_output_rows *rows, const wh_write *write, const wh_schema *schema,
                              wh_mem *mem, wh_arena *arena, wh_error *err);
void wh_output_rows_free(wh_output_rows *rows);
// What comes, in two: *live and *gone, which are initialised with `schema`; they borrow from `in`
// and from here, until the next call.
wh_status wh_output_rows_split(wh_output_rows *rows, const wh_batch *in, wh_batch *live,
                               wh_batch *gone, wh_error *err);
