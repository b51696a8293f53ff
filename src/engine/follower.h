// A feed (connect/feed.h) as rows: what comes is stored in the log of an inbox, with the positions
// it was read to, in one transaction. So each event is stored once, whatever becomes of us.
// Pipelines read the log; the number of an event there grows with the feed. Internal to engine/.
#pragma once

#include "connect/ingest/log.h"
#include "engine/engine.h"

// The position that tells why nothing can be read; none: it can be.
#define WH_FOLLOWER_PROBLEM "problem"
// And the feed's own: everything that was made before is read, in microseconds.
#define WH_FOLLOWER_READ_TO "read-to"

typedef struct wh_follower wh_follower;

// The log is the caller's, and outlives it. The feed is opened when it is first read.
wh_status wh_follower_make(wh_engine *engine, const wh_ingest_endpoint *endpoint,
                           wh_connection *connection, wh_ingest_log *log, wh_follower **ret,
                           wh_error *err);
// Waits at most wait_us for what comes next, and stores it; *ret_count and *ret_bytes of events.
// After a failure it is opened again where it was.
wh_status wh_follower_take(wh_follower *follower, int64_t wait_us, size_t *ret_count,
                           uint64_t *ret_bytes, wh_error *err);
// Whether all is stored that was there when it was opened.
bool wh_follower_caught_up(const wh_follower *follower);
// From its beginning; once in its life.
wh_status wh_follower_again(wh_follower *follower, wh_error *err);
void wh_follower_wake(wh_follower *follower);  // from any thread
void wh_follower_close(wh_follower *follower); // NULL is fine
