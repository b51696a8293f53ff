// What stays open of a table while a worker loads one object after the other into it: the sink, for
// as long as what comes has the same columns, and what the table is like. For small objects the
// session with the server costs more than the rows. Dropped when a load did not end well, so that
// whatever is wrong then is found out as for a first object.
#pragma once

#include "connect/connect.h"

typedef struct wh_kept {
  wh_arena arena;
  const wh_sink_type *type;
  wh_sink *sink;    // prepared, in no transaction; NULL: none
  wh_schema schema; // of what comes, that it was opened for
  bool has_table;
  wh_schema table;
} wh_kept;

void wh_kept_init(wh_kept *kept, wh_mem *mem);
void wh_kept_drop(wh_kept *kept); // and what it holds; can be used again

// The sink, if there is one for rows of that schema: the caller's from now on. `kept` may be NULL.
wh_sink *wh_kept_take(wh_kept *kept, const wh_schema *schema);
// Keeps it, or closes it where there is nothing to keep it in, or no memory.
void wh_kept_give(wh_kept *kept, const wh_sink_type *type, wh_sink *sink, const wh_schema *schema);

// Keeps what a table is like, if that does not hang on a value still to come: `guessed` as
// wh_source_info has it.
wh_status wh_kept_learn(wh_kept *kept, const wh_source_info *table, wh_error *err);
