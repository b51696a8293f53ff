// Who may use an HTTP endpoint: the words of its `auth`. What they mean at a request: serve/auth.h.
//
//   auth: { api_key: ${secret:partner} }
//   auth: { api_keys: { partner-a: ${secret:a}, partner-b: ${secret:b} } }
//   auth: { hmac: { secret: ${secret:x}, header: X-Signature, timestamp: X-Timestamp } }
//   auth: { bearer: { jwks: https://..., issuer: https://..., audience: orders } }
//   auth: { allow: [10.0.0.0/8] }        # beside one of these, or alone
#pragma once

#include "config/config.h"

enum {
  WH_AUTH_KEYS_MAX = 100,    // of `api_keys`
  WH_AUTH_SECRETS_MAX = 2,   // of `hmac`: while one takes the other's place
  WH_AUTH_SECRET_BYTES = 16, // at least, of a key or a secret
};

typedef enum wh_auth_kind {
  WH_AUTH_ADDRESS, // `allow` alone
  WH_AUTH_KEY,
  WH_AUTH_HMAC,
  WH_AUTH_BEARER
} wh_auth_kind;

typedef struct wh_auth_key {
  wh_str name; // of `api_keys`; empty: the one of `api_key`
  wh_str secret;
} wh_auth_key;

typedef enum wh_auth_encoding { WH_AUTH_HEX, WH_AUTH_BASE64 } wh_auth_encoding;

typedef struct wh_auth_hmac {
  wh_str_list secrets;
  wh_str header;
  wh_str timestamp; // header; empty: the body alone is signed
  int64_t tolerance_us;
  int encoding;  // wh_auth_encoding
  wh_str prefix; // in front of the signature
} wh_auth_hmac;

typedef struct wh_auth_bearer {
  wh_str jwks; // URL or path
  wh_str issuer, audience;
  wh_str_list algorithms; // of wh_auth_algorithms
  wh_str_list scope;      // all of them
  int64_t leeway_us;
  wh_str tls_ca;
} wh_auth_bearer;

typedef struct wh_auth_words {
  wh_auth_kind kind;
  wh_str_list allow;
  wh_auth_key *keys;
  size_t key_count;
  wh_auth_hmac hmac;
  wh_auth_bearer bearer;
} wh_auth_words;

// Whether keys come from a URL; else from a file.
bool wh_auth_is_url(wh_str jwks);

// The words of `auth: node` with their references resolved. `owner` is for messages: "ingest
// orders: auth". What was resolved lies in `arena` alone.
wh_status wh_config_auth(wh_config *config, const wh_node *node, const char *owner, wh_arena *arena,
                         wh_auth_words *ret, wh_error *err);
// The same for those who only tell of it: a text that names a secret is empty.
wh_status wh_config_auth_shown(wh_config *config, const wh_node *node, const char *owner,
                               wh_arena *arena, wh_auth_words *ret, wh_error *err);
