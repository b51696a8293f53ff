// What a run writes: an object through a store and a codec, the files of a dataset, or rows of a
// table through a sink. All have the same shape, so that run.c does not know which it has.
//
// The order of calls: open -> write... -> (checkpoint -> write...)... -> complete -> close.
// `complete` may fail and be followed by close only: then nothing is visible, or (tables) the
// chunks that were committed, whose mark says so.
#pragma once

#include "engine/flow.h"
#include "engine/group.h"
#include "engine/input.h"
#include "engine/kept.h"
#include "engine/output_rows.h"

typedef struct wh_run_output wh_run_output;

typedef struct wh_output_verbs {
  // Before the flow starts. Sets out->mark: what an earlier attempt has done.
  wh_status (*open)(wh_run_output *out, const wh_flow *flow, wh_error *err);
  // How its objects are encoded; for a flow that can do it. NULL: they are rows of a table.
  wh_status (*encoding)(wh_run_output *out, const wh_encoding **ret, wh_error *err);
  wh_status (*write)(wh_run_output *out, wh_flow_item *item, wh_counts *counts, wh_error *err);
  // Commits what was written so far, to go on from there after a crash. NULL: has none.
  wh_status (*checkpoint)(wh_run_output *out, const wh_mark *mark, wh_error *err);
  // Everything was written. Makes it durable and visible; fills output, sha256 ... of finish->run.
  // With a group, that is the group's.
  wh_status (*complete)(wh_run_output *out, wh_mark *mark, wh_finish *finish, wh_run *run,
                        wh_error *err);
  void (*close)(wh_run_output *out);
} wh_output_verbs;

// How a pipeline's objects are encoded, of a key (or template) that tells it. Borrows the schema.
wh_status wh_output_encoding(wh_engine *engine, const wh_pipeline *pipeline, wh_str key,
                             const wh_schema *schema, wh_encoding *ret, wh_error *err);

// What the pipeline's table is to a sink, for rows of `rows`; for `plan` too. Borrows both.
wh_target wh_output_target(const wh_pipeline *pipeline, const wh_output_rows *rows);

// Of a run that loads tables, one a branch.
typedef struct wh_output_branch {
  wh_output_rows rows;
  wh_batch live, gone;
  bool has_batches;
} wh_output_branch;

struct wh_run_output {
  const wh_output_verbs *verbs;
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_connection *connection;
  wh_arena *arena;
  const wh_run *run;
  const wh_run_input *input;
  wh_kept *kept;   // or NULL
  wh_group *group; // of loads that are committed together; or NULL
  const wh_lease *lease;
  const wh_work *work; // the object; NULL: a database is read, or rows are replayed
  wh_load load;        // tables: what is loaded, under which order and epoch
  wh_mark mark;        // as found by open
  union {
    struct {
      wh_sink *sink;
      bool in_transaction, has_joined, is_complete;
      wh_output_branch *branches;
      size_t count;
    } table;
    struct wh_object_output *object;
    struct wh_dataset_output *dataset;
  };
};

extern const wh_output_verbs wh_output_object;
extern const wh_output_verbs wh_output_dataset;
extern const wh_output_verbs wh_output_table;
