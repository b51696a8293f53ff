// The durable log of an endpoint that takes events: a SQLite database (write-ahead log,
// synchronous=FULL). Whoever serves the endpoint appends, many requests in one transaction, so that
// they share one sync of the disk; pipelines read by number; what all of them have taken is pruned.
//
// Events are numbered from the clock's microseconds of the log's making on, so that numbers never
// come again, not even when the file was deleted and a pipeline's cursor was not.
//
// A log is used by one thread at a time; any number of logs may be open on one file, in any number
// of processes. One of them appends and prunes.
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/os.h"
#include "base/ulid.h"
#include "connect/feed.h"

enum {
  WH_INGEST_HASH_BYTES = 32,           // SHA-256
  WH_INGEST_CACHE_KIB = 1024,          // pages that an open log keeps in memory
  WH_INGEST_WAL_PAGES = 4096,          // so many make the write-ahead log flow into the database
  WH_INGEST_WAL_BYTES_KEPT = 32 << 20, // a larger one is cut back
  WH_INGEST_BUSY_US = 5 * 1000 * 1000, // how long another process may hold the database
  WH_INGEST_PRUNE_ROWS = 512,          // requests that one call of prune deletes at most
  WH_INGEST_WINDOW_EVENTS = 65536,     // of a feed that one run reads, about
};

typedef struct wh_ingest_log wh_ingest_log;

typedef struct wh_ingest_receipt {
  char id[WH_ULID_CHARS + 1];
  int64_t first; // number of its first event
  uint64_t events, rejected;
  int64_t received_us;
} wh_ingest_receipt;

typedef enum wh_ingest_outcome {
  WH_INGEST_STORED,
  WH_INGEST_REPEATED, // the same body came under this key before: its receipt, nothing stored
  WH_INGEST_CONFLICT, // another body came under this key before: nothing stored
} wh_ingest_outcome;

// A request to be appended.
typedef struct wh_ingest_entry {
  wh_str lines; // NDJSON, `events` of them
  uint64_t events, rejected;
  const uint8_t *idempotency, *body_hash; // WH_INGEST_HASH_BYTES; NULL: it came without a key
  const uint64_t *keys; // of a feed: of each event, what it is about (wh_ingest_key); else NULL
  wh_ingest_outcome outcome;
  wh_ingest_receipt receipt;
} wh_ingest_entry;

// For appending: makes the file and its folder. The names are durable when it returns.
wh_status wh_ingest_log_open(wh_os *os, wh_mem *mem, const char *path, wh_ingest_log **ret,
                             wh_error *err);
// For reading: *ret is NULL where there is no log, because nothing was ever received.
wh_status wh_ingest_log_open_reader(wh_os *os, wh_mem *mem, const char *path, wh_ingest_log **ret,
                                    wh_error *err);
void wh_ingest_log_close(wh_ingest_log *log); // NULL is fine

// Appends all of them in one transaction, in their order, and fills in their outcomes; keys older
// than `keys_since_us` count as never seen. When it returns WH_OK everything is on disk; else
// nothing was stored. WH_ERR_NO_SPACE: the same call may succeed later.
wh_status wh_ingest_log_append(wh_ingest_log *log, wh_ingest_entry *const *entries, size_t count,
                               int64_t keys_since_us, wh_error *err);

// Of an event of a feed.
static inline uint64_t wh_ingest_key(const wh_feed_event *event) {
  return (event->key & ~UINT64_C(1)) | event->removes;
}
// The same, of a feed: its positions change in the transaction.
wh_status wh_ingest_log_append_from(wh_ingest_log *log, wh_ingest_entry *const *entries,
                                    size_t count, const wh_feed_position *positions,
                                    size_t position_count, wh_error *err);
// All positions, in the arena.
wh_status wh_ingest_log_positions(wh_ingest_log *log, wh_arena *arena, wh_feed_position **ret,
                                  size_t *ret_count, wh_error *err);
// The feed begins again.
wh_status wh_ingest_log_forget(wh_ingest_log *log, wh_error *err);

wh_status wh_ingest_log_find(wh_ingest_log *log, wh_str id, bool *ret_found, wh_ingest_receipt *ret,
                             wh_error *err);

typedef struct wh_ingest_state {
  int64_t next;      // number of the next event
  int64_t oldest_us; // when the oldest of those that wait was received; INT64_MAX: none waits
  uint64_t events;   // that wait
  uint64_t bytes;    // of them
} wh_ingest_state;
// Of the events from number `from` on.
wh_status wh_ingest_log_state(wh_ingest_log *log, int64_t from, wh_ingest_state *ret,
                              wh_error *err);

// Where a run ends that begins at `from`: behind the last event, or, of a feed, in front of one
// that removes what another in the run is about, so that a row and its deletion never are in one
// run; nor are there many more than WH_INGEST_WINDOW_EVENTS.
wh_status wh_ingest_log_bound(wh_ingest_log *log, int64_t from, int64_t *ret_to, bool *ret_more,
                              wh_error *err);

// The next request in [from, to), by its first event; `lines` lives until the next call. False:
// there is none. Each call looks anew, so that a long run does not keep the write-ahead log from
// being used again.
wh_status wh_ingest_log_read(wh_ingest_log *log, int64_t from, int64_t to, bool *ret_found,
                             wh_ingest_receipt *ret, wh_str *ret_lines, wh_error *err);
// For whoever waits before the next call: `lines` is over, and so is what it holds of the log.
void wh_ingest_log_rest(wh_ingest_log *log);

typedef struct wh_ingest_pruned {
  uint64_t bytes; // of events
  bool more;      // WH_INGEST_PRUNE_ROWS were deleted: there may be more
} wh_ingest_pruned;
// Deletes the events below number `taken`, and of these the receipts from before `keep_since_us`.
wh_status wh_ingest_log_prune(wh_ingest_log *log, int64_t taken, int64_t keep_since_us,
                              wh_ingest_pruned *ret, wh_error *err);

// The number of the first event that the endpoint's queue has not been known to accept; 0: nobody
// has said.
wh_status wh_ingest_log_sent(wh_ingest_log *log, int64_t *ret, wh_error *err);
// With this one, unless somebody has said.
wh_status wh_ingest_log_begin_sending(wh_ingest_log *log, int64_t next, wh_error *err);
wh_status wh_ingest_log_keep_sent(wh_ingest_log *log, int64_t next, wh_error *err);
