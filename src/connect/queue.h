// Queues of events: "this object is there". Events come at least once, in any order, from anyone.
// The local store's queue (inotify) and SQS implement it; the ledger keeps the work itself
// (ledger/ledger.h), with the same verbs.
#pragma once

#include "connect/connection.h"

// A message of a queue may speak of many objects: its events share a receipt and follow one
// another. One that cannot be understood is one event, with the problem alone.
typedef struct wh_event {
  wh_str bucket;       // that holds the object; empty: the store that is watched
  wh_str store_key;    // of the object; not checked (wh_key_check)
  wh_str version;      // as the queue tells it: S3's version id; empty: look
  wh_str id, body;     // of a queue that was opened for messages: the message itself, and no object
  wh_str problem;      // why the message cannot be understood; else empty
  uint64_t receipt;    // handle for extend, done, fail
  uint32_t of_receipt; // events that share it; 0: each event stands for itself, and nobody waits
                       // for its done
  uint32_t deliveries; // how often it was received, this one included; 0: unknown
  int64_t hidden_us;   // how long it is hidden from others, unless extended
} wh_event;

// What waits in a queue, about.
typedef struct wh_queue_depth {
  uint64_t waiting, hidden;
  bool has_dead; // where it puts what failed too often is known
  uint64_t dead; // messages there
} wh_queue_depth;

typedef struct wh_queue_handle wh_queue_handle;
typedef struct wh_queue_type {
  // `pattern`: keys that matter.
  wh_status (*open)(wh_connection *c, wh_str pattern, wh_queue_handle **ret, wh_error *err);
  // The same for what its messages say rather than for objects: each is one event with `id` and
  // `body`. NULL: its messages are about objects alone.
  wh_status (*open_messages)(wh_connection *c, wh_queue_handle **ret, wh_error *err);
  // Waits at most wait_us for events; writes up to max. None is not an error. Event strings live
  // until the next receive. *ret_lost is set when events were dropped (an overflow): list the
  // store. A question to a server that is not answered by then stays under way for the next
  // receive. What done, fail and extend gathered is sent first.
  wh_status (*receive)(wh_queue_handle *q, wh_event *events, size_t max, int64_t wait_us,
                       size_t *ret_count, bool *ret_lost, wh_error *err);
  // Each may be sent only with the next receive or at the close. A failure may be of what was
  // gathered before: then those messages come again. A receipt that is not there is fine.
  wh_status (*extend)(wh_queue_handle *q, uint64_t receipt, int64_t hidden_us, wh_error *err);
  wh_status (*done)(wh_queue_handle *q, uint64_t receipt, wh_error *err);
  // Gives it back: at once the first time, then after a delay that grows with its deliveries.
  // After how many it becomes a dead letter is the queue's affair.
  wh_status (*fail)(wh_queue_handle *q, uint64_t receipt, wh_error *err);
  // Sends what done, fail and extend gathered, for whoever will not receive soon. NULL: they gather
  // nothing.
  wh_status (*flush)(wh_queue_handle *q, wh_error *err);
  int (*fd)(wh_queue_handle *q); // readable when receive has something; -1: must be polled
  // From any thread: a receive that waits, or the next, returns soon. NULL where there is an fd.
  void (*wake)(wh_queue_handle *q);
  void (*close)(wh_queue_handle *q);
  // NULL: not known.
  wh_status (*depth)(wh_connection *c, wh_queue_depth *ret, wh_error *err);
} wh_queue_type;
