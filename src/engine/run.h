// One run of a pipeline: one reading of a database, or one object. Internal to engine/.
#pragma once

#include "engine/input.h"
#include "engine/output.h"

typedef struct wh_run_request {
  const wh_pipeline *pipeline;
  const wh_lease *lease;
  const wh_run_options *options;
  const wh_work *work; // the object to load; NULL: read the database, or replay
  bool *ret_final;     // NULL, or whether it failed for what the object is, so that a retry is vain
  bool *ret_more;      // NULL, or whether the source has more already, for a run of its own
  wh_kept *kept;       // of the pipeline's tables, from object to object; NULL: nothing
  wh_group *group;     // of loads that are committed together; NULL: it commits by itself
  bool is_replay;      // rows of the quarantine: the rules of a run do not count
} wh_run_request;

// Runs it. WH_OK: the run is finished in the ledger and *ret_run tells how; or, with a group, it is
// running still, and the group's to finish. Failures: the run (if
// it got as far) is in the ledger as failed, or, where its state is "sealed", may have published:
// that is for wh_run_recover to find out, before anything of the pipeline is tried again. *ret_run
// holds what is known of it. WH_ERR_CANCELLED: `stop` was set; what is committed counts, the rest
// is for the next start. WH_ERR_CHANGED: the object was replaced before it was read. Strings of
// *ret_run live in `arena`.
wh_status wh_run_one(wh_engine *engine, const wh_run_request *request, wh_arena *arena,
                     wh_run *ret_run, wh_error *err);

// The loop of a run by itself, for replay: reads `in`, writes through `load`. Used by wh_run_one.
wh_status wh_run_transfer(wh_engine *engine, const wh_run_request *request, wh_run_input *in,
                          wh_arena *arena, wh_run *run, wh_error *err);

// What a crash left of a pipeline: sealed attempts are published and finished, others thrown away.
// With the lease of the pipeline.
wh_status wh_run_recover(wh_engine *engine, const wh_pipeline *pipeline, const wh_lease *lease,
                         wh_error *err);

// Ends the run in the ledger as done, with all that `finish` says. A failure leaves run->state.
wh_status wh_run_record_done(wh_engine *engine, wh_run *run, wh_finish *finish, wh_error *err);

// Marks the run as failed in the ledger, with why, or as stopped where that is why; whatever fails
// then is left to recovery.
void wh_run_record_failure(wh_engine *engine, wh_run *run, const wh_error *why);

// Puts an object into the queue, if it is still; else the next scan finds it. `arena` is for
// scratch.
wh_status wh_engine_offer(wh_engine *engine, const wh_pipeline *pipeline, wh_connection *c,
                          const wh_object *object, wh_arena *arena, wh_error *err);

// The work was tried and failed: it comes again later, or is dead. `attempts`: of the work, with
// this try.
wh_status wh_work_fail(wh_engine *engine, const wh_pipeline *pipeline, const wh_lease *lease,
                       uint64_t work, uint32_t attempts, wh_status status, bool is_final,
                       const wh_error *why, wh_error *err);

// Somebody else is in the way for now: no fault of what was tried.
bool wh_will_pass(wh_status status);
// After so many failures in a row.
int64_t wh_retry_delay_us(uint32_t attempts);

static inline void wh_engine_notice(const wh_engine *engine, wh_str pipeline, const char *text) {
  if (engine->watcher.notice) engine->watcher.notice(engine->watcher.context, pipeline, text);
}
static inline bool wh_engine_stopping(const wh_engine *engine) {
  return engine->stop && atomic_load(engine->stop);
}
