// Where the public keys of tokens come from: a file, or a URL of a JWK Set. A thread of its own
// fetches them, so that no request waits: at the start, from time to time, and when a token names a
// key that is not there, though not more often than every WH_KEYS_GAP_SECONDS. When they cannot be
// fetched, those that were there before stay.
//
// Threads: hold, release and ask from any.
#pragma once

#include "base/os.h"
#include "config/auth.h"
#include "serve/jwks.h"

enum {
  WH_KEYS_FRESH_SECONDS = 900, // between two fetches from a URL
  WH_KEYS_FILE_SECONDS = 10,   // between two looks at a file
  WH_KEYS_GAP_SECONDS = 60,    // between two because of unknown keys, or after a failure
  WH_KEYS_FIRST_SECONDS = 5,   // after a failure while there are none
  WH_KEYS_FETCH_SECONDS = 10,  // that a fetch may take
};

typedef struct wh_key_source wh_key_source;

// A file is read before it returns: WH_ERR_NOT_FOUND, WH_ERR_DATA. What `words` points to outlives
// the source.
wh_status wh_key_source_open(wh_os *os, wh_mem *mem, const wh_auth_bearer *words,
                             wh_key_source **ret, wh_error *err);
void wh_key_source_free(wh_key_source *source); // NULL is fine

// The keys, which stay as they are until release; NULL: none have come yet. Release in any case.
const wh_jwks *wh_key_source_hold(wh_key_source *source);
void wh_key_source_release(wh_key_source *source);
// A token names a key that is not among them. True: they are being fetched anew, so that the answer
// may be another in a moment.
bool wh_key_source_ask(wh_key_source *source);
