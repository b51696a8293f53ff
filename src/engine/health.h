// How each pipeline is: what `wherry status` shows and what monitoring reads.
#pragma once

#include "connect/ingest/log.h"
#include "engine/engine.h"

// What is most worth knowing of a pipeline, in one word.
typedef enum wh_condition {
  WH_CONDITION_OK,
  WH_CONDITION_IDLE,    // it has not run yet
  WH_CONDITION_WAITING, // for objects to be loaded, for a person (quarantine), or for the next
                        // start
  WH_CONDITION_FAILED,  // the last run failed, or an object was given up
} wh_condition;
const char *wh_condition_name(wh_condition condition); // "ok" ...

typedef struct wh_health {
  const wh_pipeline *pipeline;
  wh_condition condition;
  bool has_run;
  wh_run last;
  wh_ledger_stats stats;
  int64_t due_us;    // by its schedule; INT64_MAX: it has none
  wh_str dead_error; // of one dead letter
  size_t tables;     // of one that reads many: those that have run
  wh_str queue;      // that announces its objects, or brings its rows; empty: none does
  bool has_depth;    // it answers
  wh_queue_depth depth;
  // Of one that reads a feed: what is stored and not delivered yet, up to when the feed is read (0:
  // it only begins), and why it cannot be read (empty: it can).
  bool is_fed;
  wh_ingest_state fed;
  int64_t read_to_us;
  wh_str problem;
} wh_health;

// The pipelines that are named, all when none is; one that reads many tables has those of its
// tables that have run behind it. In the arena. WH_ERR_USAGE: there is none of a name.
wh_status wh_engine_pipelines(wh_engine *engine, const wh_str *names, size_t name_count,
                              wh_arena *arena, const wh_pipeline ***ret, size_t *ret_count,
                              wh_error *err);
// How they are, in the same order. `asks_queues`: also those of others, which may take a while.
wh_status wh_engine_health(wh_engine *engine, const wh_pipeline *const *pipelines, size_t count,
                           bool asks_queues, wh_arena *arena, wh_health **ret, wh_error *err);
