// Objects that a queue connection announces: from its messages into the ledger's queue, and back. A
// message stays hidden until all that it speaks of has an outcome; then it is deleted, or given
// back where something of it is dead, so that the queue's own redrive policy takes it in the end.
// One that is delivered again gives what is dead one more try.
//
// An event only says where to look: the store is asked what is there. Its object has to be of a
// store, and match the pattern, of a pipeline that waits for the queue; several pipelines may.
//
// Threads: one, but for wake.
#pragma once

#include "connect/queue.h"
#include "engine/engine.h"

enum {
  WH_ANNOUNCED_MESSAGES_MAX = 1000,      // taken and not ended
  WH_ANNOUNCED_AGAIN_US = 30 * 1000000,  // a store that could not be asked is asked again
  WH_ANNOUNCED_WAIT_US = 20 * 1000000ll, // for messages, at a time
  WH_ANNOUNCED_DRAIN_US = 2 * 1000000ll, // the same when only what is there is wanted
};

// The version that an object has in the ledger which was gone when its event came.
#define WH_ANNOUNCED_GONE "gone"

typedef struct wh_announced wh_announced;

// `served`: the pipelines that this process runs. What is for others is put into their queues and
// counts as ended.
wh_status wh_announced_open(wh_engine *engine, wh_str queue, const wh_pipeline *const *served,
                            size_t count, wh_announced **ret, wh_error *err);
// The same over a queue that the caller has opened, and closes after: what Lambda hands to a
// function. It speaks to every pipeline that reads objects when they come, whatever queue it names
// for that. `name`: in messages.
wh_status wh_announced_over(wh_engine *engine, const wh_queue_type *type, wh_queue_handle *handle,
                            wh_str name, const wh_pipeline *const *served, size_t count,
                            wh_announced **ret, wh_error *err);
// Whether announcements are for the pipeline: it waits for objects of a store that queues speak of.
bool wh_announced_reach(const wh_config *config, const wh_pipeline *pipeline);
// Waits at most wait_us for messages and puts what they announce into the ledger's queue; before
// that, says of earlier messages what became of them. *ret_count: messages that came. `found` is
// called for a served pipeline that has something to do now.
wh_status wh_announced_take(wh_announced *a, int64_t wait_us,
                            void (*found)(void *context, const wh_pipeline *pipeline),
                            void *context, size_t *ret_count, wh_error *err);
// Keeps hidden what was taken and not ended, where it is time to. For whoever runs pipelines on the
// thread that takes.
void wh_announced_keep(wh_announced *a);
void wh_announced_wake(wh_announced *a); // take returns soon, or looks for outcomes again
// Says the last, and gives back what has no outcome yet. NULL is fine.
void wh_announced_close(wh_announced *a);
