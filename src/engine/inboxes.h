// The queues that a set of pipelines reads: by hand, for `run`, or with a thread each, for the
// service. Internal to engine/.
#pragma once

#include "engine/inbox.h"

typedef struct wh_inboxes wh_inboxes;

wh_status wh_inboxes_make(wh_engine *engine, wh_inboxes **ret, wh_error *err);
// The pipeline's queue belongs to the set; nothing when it reads none.
wh_status wh_inboxes_add(wh_inboxes *set, const wh_pipeline *pipeline, wh_error *err);

// By hand: takes what waits in the pipeline's queue, up to what may be held; *ret_count says how
// many messages that was. There may be more once these are settled, of a FIFO queue above all,
// which gives no message of a group before those in front of it are deleted. A queue that another
// process takes from is left to it.
wh_status wh_inboxes_take(wh_inboxes *set, const wh_pipeline *pipeline, uint64_t *ret_count,
                          wh_error *err);
// For `run --full`: a feed is read from its beginning. WH_ERR_BUSY: another process reads it.
wh_status wh_inboxes_again(wh_inboxes *set, const wh_pipeline *pipeline, wh_error *err);
// Deletes what all have taken.
wh_status wh_inboxes_settle(wh_inboxes *set, const wh_pipeline *pipeline, wh_error *err);

// With threads, until wh_inboxes_free.
wh_status wh_inboxes_start(wh_inboxes *set, wh_error *err);
void wh_inboxes_free(wh_inboxes *set); // NULL is fine
