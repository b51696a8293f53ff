// The thread that puts events on disk. It takes all requests that wait, stores those of an endpoint
// in one transaction, and tells each of them when it is durable: while the disk syncs, the next
// group gathers. Nobody waits inside: whoever deposits is called back.
//
// It also looks receipts up, and takes out of the logs what all pipelines have taken, a little at a
// time between two groups.
#pragma once

#include "config/config.h"
#include "connect/ingest/log.h"

enum {
  WH_COMMITTER_GROUP_MAX = 512,   // requests in one transaction
  WH_COMMITTER_TELL_SECONDS = 60, // between two log lines on a disk that takes nothing
};

typedef struct wh_committer wh_committer;

// What is asked of it. Belongs to the caller, who leaves it alone until `done` is called, from the
// committer's thread.
typedef struct wh_deposit wh_deposit;
struct wh_deposit {
  size_t ingest;         // to be stored: the endpoint, by its place in the configuration
  wh_ingest_entry entry; // and what
  wh_str id;             // or, when it has data, a receipt to be found
  void (*done)(wh_deposit *deposit);

  wh_status status; // then: anything but WH_OK: nothing was stored, or could be looked up
  bool found;       // the receipt: entry.receipt, and `ingest` is whose it is
  bool taken;       // all its events have gone on
  wh_deposit *next; // the committer's own
};

// Opens the logs of the endpoints, whose connection is `c`.
wh_status wh_committer_start(wh_os *os, wh_mem *mem, wh_connection *c, const wh_ingest *ingests,
                             size_t count, wh_committer **ret, wh_error *err);
// Finishes what was deposited; what comes afterwards ends at once as WH_ERR_CANCELLED. NULL and
// again are fine.
void wh_committer_stop(wh_committer *committer);
void wh_committer_free(wh_committer *committer); // stopped. NULL is fine

void wh_committer_deposit(wh_committer *committer, wh_deposit *deposit);     // any thread
uint64_t wh_committer_waiting(const wh_committer *committer, size_t ingest); // bytes in its log
// Events leave an endpoint's log when the pipelines have taken them, and its queue, where it has
// one, has accepted them: those below this number.
void wh_committer_taken(wh_committer *committer, size_t ingest, int64_t number);
void wh_committer_sent(wh_committer *committer, size_t ingest, int64_t number);
