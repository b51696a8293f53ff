// The thread that sends the events of an endpoint to its queue (serve.ingest.NAME.to): from the log
// on disk, in the order in which they were stored, until the queue has accepted them. The committer
// is told how far it is, and remembers that: what was accepted and not remembered when somebody
// pulls the plug is sent again, under the same ids.
#pragma once

#include "serve/committer.h"

enum {
  WH_FORWARDER_EVENTS = 320,      // at most so many are in memory
  WH_FORWARDER_BYTES = 2 << 20,   // and so much of them, or one
  WH_FORWARDER_TELL_US = 1000000, // between two times that the committer is told
  WH_FORWARDER_AGAIN_US = 500000, // after a failure; then twice as long each time
  WH_FORWARDER_AGAIN_US_MAX = 30 * 1000000,
  WH_FORWARDER_LOG_SECONDS = 60, // between two log lines about a queue that accepts nothing
};

typedef struct wh_forwarder wh_forwarder;

// `number`: the endpoint's place in the configuration; `events`: the connection that reads them.
wh_status wh_forwarder_start(wh_os *os, wh_mem *mem, wh_config *config, wh_connection *events,
                             size_t number, wh_committer *committer, wh_forwarder **ret,
                             wh_error *err);
void wh_forwarder_ask_to_stop(wh_forwarder *forwarder); // and goes on; NULL is fine
// Before the committer stops. What is on its way is waited for, some seconds at most. NULL is fine.
void wh_forwarder_stop(wh_forwarder *forwarder);
