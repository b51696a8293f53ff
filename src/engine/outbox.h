// What is to be done with a run that has ended: telling others of it, putting its manifest into the
// catalogue, putting away the object that it read. It enters the ledger's outbox in the transaction
// that ends the run; whoever delivers takes it from there, and it goes when the other side has it.
// A crash in between sends it again, under the same id. Internal to engine/.
#pragma once

#include "engine/engine.h"

enum {
  WH_TELLS_MAX = WH_NOTIFY_MAX + 2,
  WH_OUTBOX_IN_A_ROW = 3,           // given up, after which a target is left alone for now
  WH_OUTBOX_ATTEMPTS = 5,           // of a pipeline that is gone from the configuration
  WH_OUTBOX_AGAIN_US = 2 * 1000000, // somebody else delivers now
};

typedef struct wh_tells {
  wh_tell items[WH_TELLS_MAX];
  size_t count;
} wh_tells;

// Who is to be told of a run that ends in run->state, by the configuration; for wh_finish. Borrowed
// from it.
void wh_outbox_tells(const wh_engine *engine, const wh_run *run, wh_tells *ret);

// The pipeline of a run, also of a member's; NULL: it is not in the configuration.
const wh_pipeline *wh_outbox_pipeline(const wh_config *config, wh_str name);
