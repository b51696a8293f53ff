// A rate limiter over any number of subjects (addresses, keys) in memory that never grows.
//
// Each subject has a bucket of `tries` that refills evenly over the window (the generic cell rate
// algorithm: a bucket is one instant, the one at which it will be full again). The buckets live in
// a count-min sketch: a subject has WH_LIMIT_ROWS cells, chosen by a keyed hash under a key of this
// process, and its bucket is the least loaded of them. So nothing is ever evicted: asking for
// others' sake can only make a bucket look emptier than it is, never fuller, and no flood of new
// subjects gives an old one its tries back. When everything is flooded, everybody is limited.
//
// Threads: any.
#pragma once

#include "base/crypto.h"

#include <pthread.h>

enum {
  WH_LIMIT_ROWS = 4,
  WH_LIMIT_CELLS = 1 << 14, // of each row: 512 KiB in all
};

typedef struct wh_limiter {
  pthread_mutex_t mutex;
  wh_mem *mem;
  wh_hmac_key hash;
  int64_t window_ns;
  int64_t *cells; // WH_LIMIT_ROWS * WH_LIMIT_CELLS instants; NULL: not ready
} wh_limiter;

// What a take changed, so that it can be given back.
typedef struct wh_limit_ticket {
  size_t cells[WH_LIMIT_ROWS];
  int64_t before[WH_LIMIT_ROWS];
  int64_t after;
} wh_limit_ticket;

wh_status wh_limiter_init(wh_limiter *limiter, wh_os *os, wh_mem *mem, int64_t window_ns,
                          wh_error *err);
void wh_limiter_free(wh_limiter *limiter); // zeroed is fine

// Takes one try of `subject`, which has `tries` a window. False when there is none left:
// *ret_wait_ns is when there will be one, and nothing was taken. now_ns is monotonic. `ticket` may
// be NULL.
bool wh_limiter_take(wh_limiter *limiter, wh_str subject, int64_t tries, int64_t now_ns,
                     wh_limit_ticket *ticket, int64_t *ret_wait_ns);
// Undoes a take, where nobody else has counted on the same cells since; else the try stays spent.
// (Simply subtracting would let somebody with a right answer lower the cells of others.)
void wh_limiter_give_back(wh_limiter *limiter, const wh_limit_ticket *ticket);
