#include "serve/auth_private.h"

static void refuse_later(wh_auth_check *check, const char *reason) {
  check->status = 503;
  check->reason = reason;
  check->retry_after_s = WH_AUTH_RETRY_SECONDS;
}

static void judge(const wh_auth *auth, wh_jwt_verdict verdict, const wh_jwt *jwt,
                  wh_auth_check *check) {
  switch (verdict) {
  case WH_JWT_VALID:
    check->let_in = true;
    snprintf(check->client, sizeof check->client, "%s", jwt->client);
    return;
  case WH_JWT_UNKNOWN_KEY:
    if (wh_key_source_ask(auth->source)) {
      refuse_later(check, "the token's key is not known yet");
      return;
    }
    [[fallthrough]];
  case WH_JWT_INVALID:
    wh_auth_refuse(check, "invalid_token", jwt->reason);
    return;
  case WH_JWT_NO_SCOPE:
    wh_auth_refuse(check, "insufficient_scope", jwt->reason);
    check->status = 403;
    return;
  case WH_JWT_NO_MEMORY:
    refuse_later(check, "no memory is left to check a token");
    return;
  }
}

void wh_auth_head_bearer(const wh_auth *auth, const wh_auth_request *request,
                         wh_auth_check *check) {
  wh_str token;
  if (!wh_auth_bearer_token(request, check, &token)) return;
  if (!token.len) {
    wh_auth_refuse(check, NULL, "no token was sent");
    return;
  }
  wh_jwt jwt = {0};
  const wh_jwks *keys = wh_key_source_hold(auth->source);
  wh_jwt_verdict verdict = WH_JWT_VALID;
  if (keys) verdict = wh_jwt_check(auth->mem, token, keys, &auth->rules, request->now_us, &jwt);
  wh_key_source_release(auth->source);
  if (keys)
    judge(auth, verdict, &jwt, check);
  else
    refuse_later(check, "the keys of tokens have not come yet");
}
