// Signs tokens for tests, over OpenSSL.
#pragma once

#include "base/arena.h"

typedef struct jwt_signer {
  void *key;
  bool is_rsa;
} jwt_signer;

bool jwt_signer_rsa(jwt_signer *ret, int bits);
bool jwt_signer_p256(jwt_signer *ret);
void jwt_signer_free(jwt_signer *signer);

// NUL-terminated, in the arena. A failure ends the program.
const char *jwt_signer_jwk(const jwt_signer *signer, const char *id, wh_arena *arena);
const char *jwt_signer_pem(const jwt_signer *signer, wh_arena *arena);
// HEADER.CLAIMS.SIGNATURE, whatever the header says.
wh_str jwt_signer_token(const jwt_signer *signer, const char *header, const char *claims,
                        wh_arena *arena);
wh_str jwt_hs256_token(wh_str secret, const char *header, const char *claims, wh_arena *arena);
