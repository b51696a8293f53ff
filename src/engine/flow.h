// The data path of a run: reader -> steps -> gate -> expectations -> (window), one batch at a time,
// with at most WH_FLOW_SLOTS batches in flight. The reading side runs in a thread of its own, so
// that reading and writing overlap; with engine->single_thread everything happens in `next`.
//
// Where an object is read in parts and written in blocks (wh_flow_encode), several such paths run
// side by side, each with its own reader, steps and encoder: see engine/lanes.h.
//
// Where an object holds several tables, each has such a path of its own behind the one reader: a
// branch. Without them there is one branch, the first.
#pragma once

#include "codec/tables.h"
#include "engine/rejects.h"
#include "engine/window.h"

typedef struct wh_flow wh_flow;
struct wh_shared;

// One batch on its way, with what became of the rows it was read from.
typedef struct wh_flow_item {
  size_t branch;
  wh_batch *batch;           // rows that go on to the sink; may be empty. NULL: see block
  wh_block *block;           // with wh_flow_encode: the rows, encoded; NULL: none
  wh_input *file;            // with wh_flow_share: the rows, as a file of the encoding
  uint64_t file_rows;        // in it; 0: there is none
  wh_reject_lines *rejected; // rows that stay; the sink's rejects are added here
  wh_counts counts;          // read, filtered, unchanged (window) of this batch
  uint64_t rows_through;     // number of the last row that was read for it
  uint64_t bytes_read;       // of the input, with what was read for it
  uint64_t hash_read;        // sum of the row hashes of what was read; only with options.hash_read
  uint64_t hash_out;         // of what goes on; only with options.hash_out
  int64_t newest[WH_FRESH_MAX]; // of the columns of wh_flow_fresh, in what passed the expectations
} wh_flow_item;

// How the rows are written into objects. Borrowed as long as the flow.
typedef struct wh_encoding {
  const wh_codec_type *codec;
  const void *options; // of its writer; NULL: the defaults
  const wh_schema *schema;
  wh_codec_context context;
} wh_encoding;

typedef struct wh_flow_options {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  const wh_gate *gate;               // with tables: one a branch of the pipeline
  wh_reader *reader;                 // borrowed
  wh_tables_reader *tables_reader;   // instead, borrowed: its tables are the pipeline's branches
  wh_window *window;                 // NULL: none
  struct wh_deletes_reader *deletes; // NULL: none; told what goes on
  bool hash_read, hash_out;
  int64_t start_us;               // of the run; 0: now
  struct wh_keyed_tables *tables; // of the steps; the flow's own
  size_t branch;                  // of a stage; the flow's own
} wh_flow_options;

// Binds the steps to the reader's schema; nothing is read yet.
wh_status wh_flow_open(const wh_flow_options *options, wh_flow **ret, wh_error *err);
// Adds a gate behind what is bound, before the start. The gate is copied where it has to last.
wh_status wh_flow_add_gate(wh_flow *flow, size_t branch, const wh_gate *gate, wh_error *err);
// Before the start: the rows are wanted as blocks of this encoding, if that can be done. True when
// it will be.
bool wh_flow_encode(wh_flow *flow, const wh_encoding *encoding);
// Before the start: the rows are read by whoever takes a range of them (engine/shared.h).
// WH_ERR_USAGE where steps have to see them all. NULL: only asks.
wh_status wh_flow_share(wh_flow *flow, struct wh_shared *shared, wh_error *err);
// Begins to read. Rows up to number `skip_through`, which an earlier attempt has behind it, pass
// through the steps (whose state needs them) and are neither counted nor rejected nor given out.
wh_status wh_flow_start(wh_flow *flow, uint64_t skip_through, wh_error *err);
const wh_schema *wh_flow_schema_of(const wh_flow *flow, size_t branch); // of its batches
static inline const wh_schema *wh_flow_schema(const wh_flow *flow) {
  return wh_flow_schema_of(flow, 0);
}
// The columns with fresher_than; they live as long as the flow.
const wh_fresh *wh_flow_fresh(const wh_flow *flow, size_t branch, size_t *ret_count);
// Before the first look, and of two looks both.
void wh_newest_init(int64_t newest[WH_FRESH_MAX]);
void wh_newest_add(int64_t to[WH_FRESH_MAX], const int64_t from[WH_FRESH_MAX]);
// True when a step keeps rows until the end: then a load cannot commit in chunks, since rows that
// were read may not have come out yet.
bool wh_flow_holds_back(const wh_flow *flow);
// The next item, to be given back with wh_flow_release before the next call but WH_FLOW_SLOTS - 1.
// WH_ERR_END: no more. Other failures are those of the reader or a step.
wh_status wh_flow_next(wh_flow *flow, wh_flow_item **ret, wh_error *err);
void wh_flow_release(wh_flow *flow, wh_flow_item *item);
// After a failure of wh_flow_next: whether it was the reader's, and not a step's.
bool wh_flow_reader_failed(const wh_flow *flow);
// Stops the reading thread. NULL is fine.
void wh_flow_close(wh_flow *flow);
