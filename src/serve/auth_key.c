#include "serve/auth_private.h"

void wh_auth_head_key(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *check) {
  wh_str bearer, given;
  if (!wh_auth_bearer_token(request, check, &bearer)) return;
  if (!wh_auth_header(request, "X-Api-Key", check, &given)) return;
  if (bearer.len && given.len) {
    wh_auth_refuse(check, "invalid_request", "two keys were sent");
    return;
  }
  if (bearer.len) given = bearer;
  if (!given.len) {
    wh_auth_refuse(check, NULL, "no key was sent");
    return;
  }
  uint8_t digest[WH_SHA256_BYTES];
  wh_sha256_of(given, digest);
  // All of them, whichever it is.
  const wh_auth_digest *found = NULL;
  for (size_t i = 0; i < auth->words.key_count; i++) {
    const wh_auth_digest *key = &auth->keys[i];
    if (wh_equal_in_constant_time(wh_str_n((const char *)key->digest, sizeof key->digest),
                                  wh_str_n((const char *)digest, sizeof digest)))
      found = key;
  }
  if (!found) {
    wh_auth_refuse(check, "invalid_token", "the key is not known");
    return;
  }
  check->let_in = true;
  snprintf(check->client, sizeof check->client, "%.*s", WH_STR_ARG(found->name));
}
