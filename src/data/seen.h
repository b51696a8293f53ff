// An exact set of byte strings, each with a number, inside bounded memory: who wants to know
// whether a key came before (unique, dedupe) asks here. Keys live in a table in memory; when that
// is full they move, sorted, in one transaction, to a temporary SQLite database in a scratch
// folder. A filter of bits in memory then answers most questions about new keys without it; what
// decides is always the key itself, never a hash of it.
//
// Memory: at most about limit_bytes: until the first spill all of it is the table; from then on
// half is the table, a quarter the filter, a quarter SQLite's cache (but no less than
// WH_SEEN_CACHE_MIN). A key that is larger than the table goes to the database by itself.
//
// Nothing here outlives the set: the database has neither journal nor syncs, is readable by its
// owner only, and is removed at close. Disk: about the size of the keys plus 20 bytes each.
//
// Threads: one at a time.
#pragma once

#include "base/os.h"
#include "base/str.h"

enum {
  WH_SEEN_CACHE_MIN = 64 * 1024,
  WH_SEEN_KEY_MAX = 256 * 1024 * 1024, // bytes of one key; WH_ERR_LIMIT
};

typedef struct wh_seen wh_seen;

// Opens an empty set; touches no file. `scratch` is made when it is needed; the text is copied.
wh_status wh_seen_open(wh_os *os, wh_mem *mem, wh_str scratch, size_t limit_bytes, wh_seen **ret,
                       wh_error *err);
void wh_seen_close(wh_seen *seen); // NULL is fine

// Adds the key unless it is there. *ret_first is the number it has: `number` when it is new. After
// a failure the set may only be closed.
wh_status wh_seen_add(wh_seen *seen, wh_str key, uint64_t number, bool *ret_new,
                      uint64_t *ret_first, wh_error *err);
// Adds the key, or gives it another number.
wh_status wh_seen_put(wh_seen *seen, wh_str key, uint64_t number, bool *ret_new, wh_error *err);
// Both outputs are set on success; *ret_number is 0 when it is not there.
wh_status wh_seen_find(wh_seen *seen, wh_str key, bool *ret_found, uint64_t *ret_number,
                       wh_error *err);

uint64_t wh_seen_count(const wh_seen *seen); // keys
bool wh_seen_spilled(const wh_seen *seen);   // whether the database is in use
