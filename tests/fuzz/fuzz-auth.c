// Headers of requests (serve/auth.h): keys and signatures. The input's lines are Authorization,
// X-Api-Key, X-Signature and X-Timestamp; what follows is the body. Nobody is let in without the
// key or the signature, and what is let in is let in again.
#include "serve/auth_private.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS = 4 };
static const char *const names[HEADERS] = {"Authorization", "X-Api-Key", "X-Signature",
                                           "X-Timestamp"};
static const char key[] = "key-of-partner-a";
static const int64_t now_us = 1700000000LL * 1000000;

typedef struct input {
  wh_str headers[HEADERS];
  wh_str body;
} input;

static size_t find(void *context, const char *name, wh_str *ret_first) {
  const input *in = context;
  for (size_t i = 0; i < HEADERS; i++) {
    if (strcmp(names[i], name) != 0 || !in->headers[i].len) continue;
    *ret_first = in->headers[i];
    return 1;
  }
  return 0;
}

static bool ask(const wh_auth *auth, const input *in, wh_auth_check *check) {
  wh_ip ip = {0};
  wh_auth_request request = {
      .address = &ip, .now_us = now_us, .header = find, .header_context = (void *)in};
  wh_auth_head(auth, &request, check);
  wh_auth_body(check, in->body.data, in->body.len);
  wh_auth_end(check);
  wh_auth_done(check);
  if (check->let_in == (check->status != 0) || check->let_in != !check->reason) abort();
  return check->let_in;
}

static bool has(wh_str text, const char *part) {
  return text.len && memmem(text.data, text.len, part, strlen(part));
}

static void check_key(wh_auth *auth, const input *in) {
  wh_auth_check check;
  auth->words = (wh_auth_words){.kind = WH_AUTH_KEY, .key_count = 1};
  if (ask(auth, in, &check) && !has(in->headers[0], key) && !wh_str_is(in->headers[1], key))
    abort();
}

static void check_signature(wh_auth *auth, const input *in, wh_auth_encoding encoding,
                            bool has_time) {
  wh_auth_check check;
  auth->words = (wh_auth_words){.kind = WH_AUTH_HMAC,
                                .hmac = {.header = WH_STR("X-Signature"),
                                         .timestamp = has_time ? WH_STR("X-Timestamp") : WH_STR(""),
                                         .tolerance_us = 300000000,
                                         .encoding = encoding,
                                         .prefix = WH_STR("sha256=")}};
  if (!ask(auth, in, &check)) return;
  uint8_t made[WH_SHA256_BYTES];
  char hex[WH_SHA256_HEX + 1];
  wh_buf text;
  wh_buf_init(&text, auth->mem, 0);
  if (has_time) wh_buf_printf(&text, "%.*s.", WH_STR_ARG(in->headers[3]));
  wh_buf_add_str(&text, in->body);
  wh_hmac_of(wh_str_of(key), wh_buf_str(&text), made);
  wh_hex_encode(made, sizeof made, hex);
  if (strcmp(hex, check.replay) != 0) abort();
  wh_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_mem mem;
  wh_mem_init(&mem, 64 << 20);
  wh_auth_digest digest = {0};
  wh_auth auth = {.mem = &mem, .keys = &digest, .secret_count = 1};
  wh_sha256_of(wh_str_of(key), digest.digest);
  wh_hmac_key_init(&auth.secrets[0], wh_str_of(key));
  input in = {.body = wh_str_n((const char *)data, size)};
  for (size_t i = 0; i < HEADERS; i++) {
    size_t end = wh_str_find(in.body, 0, '\n');
    in.headers[i] = wh_str_sub(in.body, 0, end);
    in.body = wh_str_sub(in.body, end + 1, in.body.len);
  }
  check_key(&auth, &in);
  check_signature(&auth, &in, WH_AUTH_HEX, true);
  check_signature(&auth, &in, WH_AUTH_HEX, false);
  check_signature(&auth, &in, WH_AUTH_BASE64, true);
  if (atomic_load(&mem.used) != 0) abort();
  return 0;
}
