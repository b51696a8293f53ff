// When to try again: the AWS tools' "standard" mode. Three attempts in all; between them a random
// wait below 1 s, 2 s, ... 20 s (exponential backoff with full jitter), at least as long as the
// server asked for. Attempts are paid for from a quota that the requests to one service share: when
// a service fails for everybody, they soon stop repeating instead of adding to its load.
//
// Threads: a quota may be shared by threads; a wh_retry belongs to one.
#pragma once

#include "base/os.h"

#include <stdatomic.h>

enum {
  WH_RETRY_ATTEMPTS = 3,
  WH_RETRY_QUOTA = 500,
  WH_RETRY_COST = 5,
  WH_RETRY_COST_TIMEOUT = 10,
  WH_RETRY_REFILL = 1, // for a success at the first attempt; a repeated one returns what it cost
  WH_RETRY_FIRST_US = 1000000,
  WH_RETRY_WAIT_US_MAX = 20 * 1000000,
  WH_RETRY_AFTER_US_MAX = 60 * 1000000, // a server that wants more is not asked again
};

typedef enum wh_retry_reason {
  WH_RETRY_NEVER,     // the answer would be the same
  WH_RETRY_TRANSIENT, // no connection, a cut, 500, 502, 503, 504
  WH_RETRY_TIMEOUT,
  WH_RETRY_THROTTLED, // 429, and the codes that mean the same
} wh_retry_reason;

typedef struct wh_retry_quota {
  _Atomic int spent; // zero: full
} wh_retry_quota;

typedef struct wh_retry {
  wh_os *os;
  wh_retry_quota *quota; // NULL: not limited
  int attempts_max;      // 0: WH_RETRY_ATTEMPTS
  int attempts;          // that were made and failed
  int paid;              // for the last repetition
} wh_retry;

// After an attempt that failed: true, and how long to wait before the next; false when there is
// to be none. after_us: what the server asked for; 0: nothing.
bool wh_retry_again(wh_retry *retry, wh_retry_reason reason, int64_t after_us,
                    int64_t *ret_wait_us);
void wh_retry_succeeded(wh_retry *retry);

// What Retry-After says (RFC 9110, 10.2.3: seconds or a date), in microseconds; 0: nothing.
int64_t wh_retry_after_us(wh_str header, int64_t now_us);
