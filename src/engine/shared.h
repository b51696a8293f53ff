// An extract that several workers share: `read: { ranges: N, shared: true }`. The worker that has
// the pipeline's lease, the run's owner, cuts the table and puts the ranges into the ledger as
// pieces of work. Whoever is free takes one, the owner too: it reads the range through steps and
// gate, and puts what comes out into the target's store as a part (engine/shared_part.h). The owner
// appends the parts to the object in the order of the ranges, without decoding them, and goes on
// as any run does. See docs/decisions/022.
//
// A helper changes nothing but its part and its piece: it needs no lease of the pipeline. Its
// report is refused where somebody took the range after it, or the run does not go on.
#pragma once

#include "engine/input.h"
#include "engine/shared_words.h"

typedef struct wh_shared wh_shared;

// Cuts the table of a pipeline that is described, and shares a snapshot where the source can.
// in->reader is then one that gives no rows, only their schema; it closes what was opened.
wh_status wh_shared_open(wh_run_input *in, wh_error *err);

// Said while the owner waits or works: whether it is still the owner.
typedef struct wh_shared_watch {
  wh_status (*still)(void *context, wh_error *err);
  void *context;
} wh_shared_watch;
// Puts the ranges; before the first wh_shared_next.
wh_status wh_shared_begin(wh_shared *shared, const wh_run *run, wh_str codec,
                          const wh_shared_watch *watch, wh_error *err);
// Like wh_flow_next: what was rejected of a range, then its rows as a file. An item holds until the
// next call.
wh_status wh_shared_next(wh_shared *shared, wh_flow_item **ret, wh_error *err);
size_t wh_shared_workers(const wh_shared *shared); // that had a part in it, so far
// When the run has ended: removes the parts.
void wh_shared_end(wh_engine *engine, const wh_pipeline *pipeline, const wh_run *run);

// Takes ranges of the pipeline's run, which another worker owns, until none is left. WH_OK: also
// where there were none.
wh_status wh_shared_help(wh_engine *engine, const wh_pipeline *pipeline, wh_error *err);
