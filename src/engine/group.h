// Loads of one pipeline that are committed together, so that many small objects do not cost a
// commit each. Every object has its run, its receipt and its mark; what fails of one is taken back
// alone (connect/sink.h: join, leave), and ends the group: the others are committed at once.
//
// A crash before the commit leaves nothing of the group, and its objects go back into the queue;
// one behind it leaves marks that say what the ledger does not know yet. When the commit itself
// fails, each object counts as failed, and is tried again alone: an object that failed, or whose
// worker was killed, is in no group, so that one cannot hold back others again and again.
#pragma once

#include "engine/engine.h"
#include "engine/kept.h"

enum {
  WH_GROUP_OBJECTS_MAX = 256,    // of a group; its rows are a pipeline's chunk at most
  WH_GROUP_AGE_US = 5 * 1000000, // after which it is committed when an object more is in it
};

typedef struct wh_group_load {
  wh_run run;
  uint64_t work;
  uint32_t attempts;
} wh_group_load;

// Told of each run that ended.
typedef void (*wh_group_ended)(void *context, const wh_run *run);

typedef struct wh_group {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  const wh_lease *lease;
  wh_kept *kept; // has the sink between two loads
  wh_group_ended ended;
  void *context;
  wh_arena arena; // of the loads
  wh_group_load *loads;
  size_t count;
  uint64_t rows;
  int64_t since_us;
} wh_group;

// Zeroed before but for the members above `arena`; freed whatever it returns.
wh_status wh_group_init(wh_group *group, wh_error *err);
void wh_group_free(wh_group *group);

static inline bool wh_group_has_loads(const wh_group *group) {
  return group->count > 0;
}
// The run is complete but for the commit: its rows and its mark are written.
wh_status wh_group_add(wh_group *group, const wh_run *run, const wh_work *work, wh_error *err);
bool wh_group_is_full(const wh_group *group);
// Commits what is in it, and records the runs. Where the commit fails they have failed, which is
// told to each of them and is no failure of this. Failures are those of the ledger.
wh_status wh_group_commit(wh_group *group, wh_error *err);
// Keeps the objects hidden from others while it goes on.
wh_status wh_group_keep_alive(wh_group *group, wh_error *err);
