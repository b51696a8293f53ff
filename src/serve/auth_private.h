// Shared by the files auth*.c: one kind of authentication each.
#pragma once

#include "serve/auth.h"
#include "serve/jwt.h"
#include "serve/key_source.h"

typedef struct wh_auth_digest {
  wh_str name;
  uint8_t digest[WH_SHA256_BYTES];
} wh_auth_digest;

struct wh_auth {
  wh_os *os;
  wh_mem *mem;
  wh_arena arena;
  wh_auth_words words; // without its secrets

  wh_ip_block *allowed;
  size_t allowed_count;
  wh_auth_digest *keys; // words.key_count of them
  wh_hmac_key secrets[WH_AUTH_SECRETS_MAX];
  size_t secret_count;
  wh_jwt_rules rules;
  wh_key_source *source;
};

// Refuses with 401 and a challenge. `error`: as RFC 6750 section 3.1 has them; NULL: nothing that
// could be wrong was sent.
void wh_auth_refuse(wh_auth_check *check, const char *error, const char *reason);
// The one value of a header. False, and the check has failed, where it is there twice or too long;
// an empty text where it is not there.
bool wh_auth_header(const wh_auth_request *request, const char *name, wh_auth_check *check,
                    wh_str *ret);
// What stands behind "Bearer " in Authorization; empty: nothing does.
bool wh_auth_bearer_token(const wh_auth_request *request, wh_auth_check *check, wh_str *ret);

void wh_auth_head_key(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *check);
void wh_auth_head_hmac(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *check);
void wh_auth_head_bearer(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *check);
void wh_auth_end_hmac(wh_auth_check *check);
