// The keys that a pipeline has sent, kept in the ledger in ranges, and what became of them: those
// that the source does not have any more are deleted there.
//
// A key is in the set when a row with it was sent, until its deletion is. With the source's keys S
// and those of the rows that this run sends E, the set O becomes (O and S) or E, and what is in O
// and in neither is gone. A key that is sent in the same run is never gone in it, so that it does
// not matter which of the two was read first; nor whether they are of one snapshot: what is sent
// and gone when S is read is found by the next run.
//
// Ranges have a few thousand keys each, and one that has not changed is not even read: the ledger
// tells its count and checksum. Changes are staged under the run, and hold when it is done.
//
// Memory: two ranges and what the sorters take, whatever the number of keys.
#pragma once

#include "data/sorter.h"
#include "ledger/ledger.h"

enum {
  WH_SENT_RANGE_KEYS = 4096, // a range has at most twice as many
  WH_SENT_RANGE_BYTES = 64 * 1024,

};

typedef struct wh_sent_keys wh_sent_keys;

typedef struct wh_sent_options {
  wh_ledger *ledger;
  wh_mem *mem;
  const wh_run *run;
  wh_str shape;      // of the keys: a set that was kept with another is of no use
  wh_sorter *sent;   // E
  wh_sorter *source; // S; NULL: it was not read, nothing is gone
  bool assume;       // where there is no set: what the source has was sent by earlier runs
} wh_sent_options;

// The shape of the pipeline's set; empty: it has none.
wh_status wh_sent_keys_shape(wh_ledger *ledger, wh_str pipeline, wh_arena *arena, wh_str *ret,
                             wh_error *err);
wh_status wh_sent_keys_count(wh_ledger *ledger, wh_str pipeline, wh_mem *mem, uint64_t *ret,
                             wh_error *err);
// Borrows all of the options; the sorters are full.
wh_status wh_sent_keys_open(const wh_sent_options *options, wh_sent_keys **ret, wh_error *err);
// Whether there was a set to compare with. Where there is none and no source either, none is begun.
bool wh_sent_keys_known(const wh_sent_keys *keys);
// The next key that is gone, valid until the next call. WH_ERR_END: no more, and the set as it will
// be is staged.
wh_status wh_sent_keys_next(wh_sent_keys *keys, wh_str *ret, wh_error *err);
void wh_sent_keys_close(wh_sent_keys *keys); // NULL is fine
