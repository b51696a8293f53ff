// Queues of events: "this object is there". Events come at least once, in any order, from anyone.
// The local store's queue (inotify) and SQS implement it; the ledger keeps the work itself
// (ledger/ledger.h), with the same verbs.
#pragma once

#include "connect/connection.h"

typedef struct wh_event {
  wh_str store_key;    // of the object
  wh_str version;      // if the queue knows it; empty: look
  uint64_t receipt;    // handle for extend, done, fail
  uint32_t deliveries; // how often it was received, this one included; 0: unknown
} wh_event;

typedef struct wh_queue_handle wh_queue_handle;
typedef struct wh_queue_type {
  // `pattern`: keys that matter.
  wh_status (*open)(wh_connection *c, wh_str pattern, wh_queue_handle **ret, wh_error *err);
  // Waits at most wait_us for events; writes up to max. None is not an error. Event strings live
  // until the next receive. *ret_lost is set when events were dropped (an overflow): list the
  // store.
  wh_status (*receive)(wh_queue_handle *q, wh_event *events, size_t max, int64_t wait_us,
                       size_t *ret_count, bool *ret_lost, wh_error *err);
  wh_status (*extend)(wh_queue_handle *q, uint64_t receipt, int64_t hidden_us, wh_error *err);
  wh_status (*done)(wh_queue_handle *q, uint64_t receipt, wh_error *err);
  wh_status (*fail)(wh_queue_handle *q, uint64_t receipt, wh_error *err);
  int (*fd)(wh_queue_handle *q); // readable when receive has something; -1: must be polled
  void (*close)(wh_queue_handle *q);
} wh_queue_type;
