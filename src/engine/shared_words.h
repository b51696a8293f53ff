// What the workers that share an extract tell each other, by way of the ledger: what a range is,
// and what became of it. JSON of one version of the program.
#pragma once

#include "engine/flow.h"

// A range of a table, and the window of its cursor (engine/window.h).
typedef struct wh_range_task {
  wh_str table;
  wh_str key;         // the column that is cut
  wh_value low, high; // see wh_range; of the key's type
  bool has_low, has_high;
  wh_schema schema; // of the rows, as they are read
  wh_str cursor;    // empty: none
  bool has_to;      // see wh_source_query
  wh_value to;      // of the cursor's type
  int64_t step, overlap, clock, clock_us;
  wh_str snapshot;  // to read in; empty: one of its own
  wh_str codec;     // by name: of the object
  uint64_t count;   // ranges of the run
  int64_t start_us; // of the run
} wh_range_task;

// What a worker made of it.
typedef struct wh_range_result {
  wh_str worker;    // who; no two have the same
  wh_counts counts; // read, written, filtered, quarantined, deleted
  uint64_t bytes_read;
  uint64_t row_hash;     // of what was written
  wh_str sha256;         // hex, of the part; empty: there is none, for it has no rows
  wh_str rejects_sha256; // of its rejected rows; empty: there are none
  wh_str first;          // why the first was
  bool has_highest, cut; // what the cursor's window saw
  wh_value highest;      // of the cursor's type
  wh_str window_sha256;  // of what it remembers; empty: nothing
  int64_t newest[WH_FRESH_MAX];
} wh_range_result;

bool wh_range_task_write(const wh_range_task *task, wh_buf *out);
bool wh_range_result_write(const wh_range_result *result, wh_buf *out);
// Believe nothing: WH_ERR_DATA. Strings in the arena.
wh_status wh_range_task_parse(wh_str json, wh_arena *arena, wh_range_task *ret, wh_error *err);
// `cursor`: the type of the cursor; NULL: there is none.
wh_status wh_range_result_parse(wh_str json, const wh_type *cursor, wh_arena *arena,
                                wh_range_result *ret, wh_error *err);
// The type of the cursor in the rows of a task; NULL: it has none.
const wh_type *wh_range_task_cursor(const wh_range_task *task);
