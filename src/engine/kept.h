// What stays open of a pipeline's tables while a worker loads one object after the other into them:
// the sink, for as long as what comes has the same columns, and what the tables are like. For small
// objects the session with the server costs more than the rows. Dropped when a load did not end
// well, so that whatever is wrong then is found out as for a first object.
#pragma once

#include "config/config.h"

typedef struct wh_kept_table {
  wh_schema in; // of what comes, that the sink was opened for
  bool has_table;
  bool is_guessed; // known for as long as a transaction lasts
  wh_schema table;
} wh_kept_table;

typedef struct wh_kept {
  wh_arena arena;
  const wh_sink_type *type;
  wh_sink *sink;  // prepared, in no transaction but a group's (engine/group.h); NULL: none
  bool is_shared; // several loads may share a transaction
  bool is_open;   // which is under way: a table is not looked at from outside meanwhile
  wh_kept_table tables[WH_BRANCHES_MAX];
} wh_kept;

void wh_kept_init(wh_kept *kept, wh_mem *mem);
void wh_kept_drop(wh_kept *kept); // and what it holds; can be used again

// The sink, if there is one for rows of these schemas: the caller's from now on. `kept` may be
// NULL.
bool wh_kept_fits(const wh_kept *kept, size_t table, const wh_schema *in);
wh_sink *wh_kept_take(wh_kept *kept);
// Keeps it, or closes it where there is nothing to keep it in, or no memory. `ins`: a schema for
// each of its targets.
void wh_kept_give(wh_kept *kept, const wh_sink_type *type, wh_sink *sink,
                  const wh_schema *const *ins, size_t count);

// Keeps what a table is like. Where that hangs on a value still to come (`guessed` as
// wh_source_info has it), only for a transaction that is shared, until wh_kept_forget_guesses.
wh_status wh_kept_learn(wh_kept *kept, size_t table, const wh_source_info *info, wh_error *err);
void wh_kept_forget_guesses(wh_kept *kept);
