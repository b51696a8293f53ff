// A JSON Web Token (RFC 7519) in JWS compact form (RFC 7515 section 7.1), checked as RFC 8725 asks:
//
//  - RS256 and ES256 only, as far as they are listed; `none`, HS* and everything else never. A key
//    checks signatures of its own kind only.
//  - `kid` finds the key. A key without an id may be any; a token without one, of any.
//  - `crit` is refused whatever it lists (RFC 7515 section 4.1.11), `typ` other than JWT and at+jwt
//    (RFC 9068), a member that is there twice, padding or anything that is not base64url. `jwk`,
//    `jku`, `x5c` and the like are not looked at.
//  - `iss` is the issuer, `aud` is the audience or a list with it; `exp` is there and not over;
//    `nbf` and `iat`, where they are there, are not ahead. Two clocks may differ by the leeway.
//  - `scope` (words, RFC 8693 section 4.2) or `scp` (words or a list) has all that are asked for.
//
// Pure functions.
#pragma once

#include "base/option.h"
#include "serve/jwks.h"

enum {
  WH_JWT_BYTES_MAX = 8 << 10,
  WH_JWT_NAME_MAX = 128, // bytes of the client's name, cut there
};

typedef enum wh_jwt_verdict {
  WH_JWT_VALID,
  WH_JWT_INVALID,
  WH_JWT_UNKNOWN_KEY, // no key has the token's `kid`: there may be newer ones
  WH_JWT_NO_SCOPE,    // valid, but it may not do this
  WH_JWT_NO_MEMORY,
} wh_jwt_verdict;

typedef struct wh_jwt_rules {
  bool rs256, es256;
  wh_str issuer, audience;
  wh_str_list scope;
  int64_t leeway_us;
} wh_jwt_rules;

typedef struct wh_jwt {
  const char *reason;               // not valid: a fixed text
  char client[WH_JWT_NAME_MAX + 1]; // valid: client_id (RFC 8693 section 4.3), azp or sub
} wh_jwt;

wh_jwt_verdict wh_jwt_check(wh_mem *mem, wh_str token, const wh_jwks *keys,
                            const wh_jwt_rules *rules, int64_t now_us, wh_jwt *ret);
