// Tokens and key sets (serve/jwt.h, serve/jwks.h). The input is a key set and, on its last
// line, a token. No token may be valid with the keys that stand here: nobody has the private
// halves. Those of the input are only read and tried.
#include "serve/jwt.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// RFC 7515 appendix A.3.
static const char known[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
                            "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

// Made once.
static const wh_jwks *known_keys(void) {
  static wh_mem mem;
  static wh_jwks keys;
  if (keys.count) return &keys;
  wh_mem_init(&mem, 0);
  if (wh_jwks_read(&mem, wh_str_of(known), "", &keys, NULL) != WH_OK) abort();
  return &keys;
}

static wh_jwt_verdict check(wh_mem *mem, wh_str token, const wh_jwks *keys, wh_jwt *ret) {
  wh_jwt_rules rules = {.rs256 = true,
                        .es256 = true,
                        .issuer = WH_STR("joe"),
                        .audience = WH_STR("a"),
                        .leeway_us = 60000000};
  wh_jwt_verdict verdict = wh_jwt_check(mem, token, keys, &rules, 1300819000LL * 1000000, ret);
  bool has_reason = verdict != WH_JWT_VALID && verdict != WH_JWT_NO_MEMORY;
  if (has_reason != (ret->reason != NULL)) abort();
  if (verdict != WH_JWT_VALID && ret->client[0]) abort();
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_mem mem;
  wh_mem_init(&mem, 64 << 20);
  wh_str input = wh_str_n((const char *)data, size);
  size_t end = size;
  while (end > 0 && input.data[end - 1] != '\n')
    end--;
  wh_str token = wh_str_sub(input, end, size);
  wh_jwks keys = {0};
  wh_jwt jwt;
  if (check(&mem, token, known_keys(), &jwt) == WH_JWT_VALID) abort();
  if (wh_jwks_read(&mem, wh_str_sub(input, 0, end), "the set", &keys, NULL) == WH_OK) {
    if (keys.count == 0 || keys.count > WH_JWKS_KEYS_MAX) abort();
    (void)check(&mem, token, &keys, &jwt);
    wh_jwks_free(&keys);
  }
  if (atomic_load(&mem.used) != 0) abort();
  return 0;
}
