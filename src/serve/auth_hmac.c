#include "serve/auth_private.h"

static const int64_t SECOND_US = 1000000;

static bool is_digits(wh_str text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] < '0' || text.data[i] > '9') return false;
  return text.len > 0;
}

static bool is_near(wh_str text, int64_t now_us, int64_t tolerance_us) {
  enum { DIGITS_MAX = 12 };
  uint64_t seconds;
  if (!is_digits(text) || text.len > DIGITS_MAX || !wh_str_to_u64(text, &seconds)) return false;
  int64_t ahead_us = (int64_t)seconds * SECOND_US - now_us;
  return ahead_us <= tolerance_us && -ahead_us <= tolerance_us;
}

// The bytes of the signature that was sent.
static bool decode(const wh_auth *auth, wh_str text, uint8_t out[WH_SHA256_BYTES]) {
  const wh_auth_hmac *words = &auth->words.hmac;
  if (!wh_str_starts(text, words->prefix.data ? words->prefix.data : "")) return false;
  text = wh_str_sub(text, words->prefix.len, text.len);
  if (words->encoding == WH_AUTH_HEX) return wh_hex_decode(text, out, WH_SHA256_BYTES);
  WH_CLEAN_BUF wh_buf bytes;
  wh_buf_init(&bytes, auth->mem, WH_AUTH_HEADER_MAX);
  if (!wh_base64_decode(WH_BASE64_STANDARD, text, &bytes) || bytes.len != WH_SHA256_BYTES)
    return false;
  memcpy(out, bytes.data, WH_SHA256_BYTES);
  return true;
}

void wh_auth_head_hmac(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *check) {
  const wh_auth_hmac *words = &auth->words.hmac;
  wh_str signature, timestamp = {0};
  if (!wh_auth_header(request, words->header.data, check, &signature)) return;
  if (words->timestamp.len && !wh_auth_header(request, words->timestamp.data, check, &timestamp))
    return;
  if (!signature.len) {
    wh_auth_refuse(check, NULL, "no signature was sent");
  } else if (!decode(auth, signature, check->given)) {
    wh_auth_refuse(check, "invalid_request", "the signature has another form");
  } else if (words->timestamp.len && !is_near(timestamp, request->now_us, words->tolerance_us)) {
    wh_auth_refuse(check, "invalid_request",
                   "the timestamp is missing, unreadable or too far from now");
  }
  if (check->status) return;
  check->wants_body = true;
  for (size_t i = 0; i < auth->secret_count; i++) {
    wh_hmac_begin(&auth->secrets[i], &check->streams[i]);
    if (!words->timestamp.len) continue;
    wh_hmac_add(&check->streams[i], timestamp.data, timestamp.len);
    wh_hmac_add(&check->streams[i], ".", 1);
  }
}

void wh_auth_end_hmac(wh_auth_check *check) {
  const wh_auth *auth = check->auth;
  bool holds = false;
  for (size_t i = 0; i < auth->secret_count; i++) {
    uint8_t made[WH_SHA256_BYTES];
    wh_hmac_end(&auth->secrets[i], &check->streams[i], made);
    if (wh_equal_in_constant_time(wh_str_n((const char *)made, sizeof made),
                                  wh_str_n((const char *)check->given, sizeof check->given)))
      holds = true;
    wh_wipe(made, sizeof made);
  }
  check->let_in = holds;
  if (holds)
    wh_hex_encode(check->given, sizeof check->given, check->replay);
  else
    wh_auth_refuse(check, "invalid_token", "the signature does not hold");
}
