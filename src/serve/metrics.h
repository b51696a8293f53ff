// What /metrics says. Counters are since the start of this process; what waits, and how pipelines
// are, comes from the ledger by the same way as `wherry status` (engine/health.h). The names are in
// docs/guide/operating.md.
#pragma once

#include "engine/engine.h"
#include "serve/run_counts.h"
#include "serve/serve.h"

typedef struct wh_metrics_source {
  wh_engine *engine;
  const wh_server *server; // NULL: no pages
  wh_run_counts *runs;
  int64_t started_us;
} wh_metrics_source;

// Appends the whole exposition. Where the ledger cannot be read, wherry_ledger_readable is 0 and
// what would come from it is left out; `err` says why, and the status is WH_OK. Fails for want of
// memory.
wh_status wh_metrics_write(const wh_metrics_source *source, wh_arena *scratch, wh_buf *out,
                           wh_error *err);
