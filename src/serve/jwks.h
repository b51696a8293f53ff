// Public keys that tokens are checked with: a JWK Set (RFC 7517 section 5), or keys and
// certificates in PEM. A set is not changed once it is made; many threads may read it.
#pragma once

#include "base/arena.h"
#include "base/signature.h"

enum {
  WH_JWKS_BYTES_MAX = 256 << 10,
  WH_JWKS_KEYS_MAX = 64,
  WH_JWKS_ID_MAX = 256, // bytes of a `kid`; keys with a longer one are left out
};

typedef struct wh_jwk {
  wh_public_key key;
  wh_str id; // `kid`; empty: it has none
} wh_jwk;

typedef struct wh_jwks {
  wh_arena arena;
  wh_jwk *keys;
  size_t count;
} wh_jwks;

// Reads a set, or PEM where the text begins with "-----BEGIN". Keys of a set that are of other
// kinds, for other uses (`use`, `key_ops`), for other algorithms or malformed are left out (RFC
// 7517 section 5). WH_ERR_DATA: it is neither, or no key is left. `what` is for messages.
wh_status wh_jwks_read(wh_mem *mem, wh_str text, const char *what, wh_jwks *ret, wh_error *err);
void wh_jwks_free(wh_jwks *keys); // zeroed is fine
