// A lookup that can be asked: who may ask how often, how a row is found and its proofs are checked.
//
// What an asker can learn is a row or nothing. Whether the key is not there, a proof is wrong or
// the row has none, the same is done: every proof is masked, the key is searched, and for each
// proof 64 digits are compared with 64 others in constant time, those of the row or made-up ones.
// Then there is one branch.
#pragma once

#include "serve/address.h"
#include "serve/finders.h"
#include "serve/limit.h"

enum {
  WH_ASK_ROWS_MAX = 8,         // looked at where a key is not unique
  WH_ASK_ANSWER_MAX = 1 << 20, // bytes of a row as HTML or JSON
  WH_ASK_ADDRESS_BITS = 64,    // of an IPv6 address: what one customer has
  WH_ASK_SITE_BITS = 48,       // and what one site has, which may have
  WH_ASK_SITE_FACTOR = 8,      // so many times the tries
};
#define WH_ASK_ADDRESS_WINDOW_NS (60LL * 1000000000)
#define WH_ASK_KEY_WINDOW_NS     (3600LL * 1000000000)

typedef struct wh_ask {
  const wh_lookup *lookup;
  uint32_t number; // of the lookup: tells its subjects apart in the limiters
  wh_os *os;
  wh_mem *mem;
  wh_limiter *by_address, *by_key; // shared by all lookups
  wh_finders finders;
  char decoy[WH_MASK_HMAC_DIGITS]; // what is compared where there is nothing to compare
  _Atomic int64_t told_us;         // when a failure was logged last
} wh_ask;

wh_status wh_ask_init(wh_ask *ask, wh_os *os, wh_mem *mem, wh_config *config,
                      const wh_lookup *lookup, wh_arena *arena, wh_error *err);
void wh_ask_free(wh_ask *ask); // zeroed is fine

typedef enum wh_verdict {
  WH_VERDICT_FOUND,
  WH_VERDICT_MISSED,
  WH_VERDICT_LIMITED, // nothing was looked up
  WH_VERDICT_FAILED,  // the database could not be asked, whatever the key
} wh_verdict;

typedef enum wh_ask_form { WH_ASK_HTML, WH_ASK_JSON } wh_ask_form;

typedef struct wh_question {
  const wh_ip *address;
  wh_str key;
  const wh_str *proofs; // lookup->proof_count
} wh_question;

// Found: the answer is in `out` (serve/show.h), else `out` is empty. Limited: *ret_wait_s is when
// to try again. Logs what keeps it from answering, at most once a minute.
wh_verdict wh_ask_question(wh_ask *ask, const wh_question *question, wh_ask_form form, wh_buf *out,
                           int64_t *ret_wait_s);
