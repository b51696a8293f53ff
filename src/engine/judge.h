// The rules of a run as a whole (step/run_rules.h), against what it has come to. Earlier runs'
// numbers are the ledger's.
#pragma once

#include "engine/flow.h"
#include "engine/run.h"

enum { WH_EARLIER_RUNS_MAX = 1000 }; // that are looked at for the last one that counts

typedef struct wh_judged {
  const wh_run_request *request;
  const wh_pipeline *pipeline; // the branch that is judged, by its rules
  const wh_flow *flow;
  size_t branch;
  const wh_counts *counts;
  const int64_t *newest; // WH_FRESH_MAX of them
  const char *first;     // why the first rejected row was
  bool in_parts;         // a model that was run over the partitions that changed
  const char *became;    // of what was written, where it breaks a rule
} wh_judged;

// Whether something can be said only when all was read, so that nothing may be committed before.
// What a `replace` has staged is seen by nobody: how many rows it has may wait.
bool wh_judge_waits(const wh_run_request *request, const wh_flow *flow);
// `at_most_rejected` as a number of rows, as soon as it is exceeded; a replay is not judged.
wh_status wh_judge_rejected(const wh_judged *judged, wh_error *err);
// All of it, at the end. WH_ERR_REFUSED.
//
// How many rows there are says nothing in a run that reads a part (--limit), nor does how new they
// are; but a part must not replace a table either.
wh_status wh_judge(wh_engine *engine, const wh_judged *judged, wh_error *err);
