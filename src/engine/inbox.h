// A queue's messages as rows. They are received, stored in a log that pipelines read like that of
// an endpoint (connect/ingest), kept hidden while the pipelines work, and deleted only when every
// pipeline that reads them has published or committed what came of them.
//
// A message is known by its id for WH_INBOX_KEEP_DAYS, which is longer than any queue keeps one: it
// is stored once, however often it comes. So what was stored and not deleted, because we were
// killed between the two, comes again and changes nothing; what was not stored comes again, too.
//
// A feed is an inbox, too (engine/follower.h): nothing is held or deleted there.
//
// Of a queue one process takes at a time (a lease of the ledger). Internal to engine/.
#pragma once

#include "engine/engine.h"

enum {
  WH_INBOX_BATCH = 10,       // messages that are stored in one transaction
  WH_INBOX_HELD_MAX = 10000, // that wait for the pipelines; no more are received then
  WH_INBOX_KEEP_DAYS = 15,   // SQS keeps a message for 14 days at most
};
// Of a feed: bytes of events that wait for the pipelines; no more are read then.
#define WH_INBOX_BYTES_MAX (UINT64_C(1) << 30)

typedef struct wh_inbox wh_inbox;

// WH_ERR_BUSY: another process takes from it.
wh_status wh_inbox_open(wh_engine *engine, const wh_ingest_endpoint *endpoint, wh_inbox **ret,
                        wh_error *err);
// Receives at most WH_INBOX_BATCH messages and stores them; *ret_count says how many were there.
// 0 also when as many are held as may be. Of a feed: events that were stored.
wh_status wh_inbox_take(wh_inbox *inbox, int64_t wait_us, size_t *ret_count, wh_error *err);
// Deletes what all pipelines have taken, and keeps the others hidden. When something failed the
// rest was done all the same.
wh_status wh_inbox_settle(wh_inbox *inbox, wh_error *err);
size_t wh_inbox_held(const wh_inbox *inbox); // of a feed: 1, or WH_INBOX_HELD_MAX when it is full
// Of a feed: whether all has been taken that was there when it was opened. Of a queue: no.
bool wh_inbox_caught_up(const wh_inbox *inbox);
wh_status wh_inbox_again(wh_inbox *inbox, wh_error *err); // a feed, from its beginning
void wh_inbox_wake(wh_inbox *inbox);  // from any thread: a take that waits returns soon
void wh_inbox_close(wh_inbox *inbox); // NULL is fine
