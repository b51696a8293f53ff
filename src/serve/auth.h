// Who may use an HTTP endpoint: keys, signatures, tokens, addresses. Pure: it sees a request's
// method, headers and body through what the caller passes, and touches no connection.
//
//   wh_auth_check check;
//   wh_auth_head(auth, &request, &check);     // the headers are there
//   wh_auth_body(&check, data, len);          // each piece of the body, as it comes
//   wh_auth_end(&check);                      // the body is complete
//   if (check.let_in) ... else ... refuse with check.status ...
//   wh_auth_done(&check);
//
// let_in or status may be set after wh_auth_head already; then the rest changes nothing. Refusing
// early spares the body.
//
//  api_key, api_keys  `Authorization: Bearer KEY` (RFC 6750 section 2.1) or `X-Api-Key: KEY`. In
//                     memory there are SHA-256 digests, which are all compared in constant time.
//  hmac               HMAC-SHA-256 (RFC 2104) over TIMESTAMP "." BODY, with the timestamp as the
//                     header has it, in seconds since 1970; or over BODY alone where there is none.
//                     The signature stands in a header behind a prefix, in hex (of either case) or
//                     base64. Older or newer than `tolerance`: refused.
//  bearer             a JWT (serve/jwt.h) in `Authorization: Bearer TOKEN`, checked with keys of a
//                     file or URL (serve/key_source.h).
//  allow              blocks of addresses; beside one of the others, both must hold.
//
// Threads: any number may check at once with one wh_auth; a wh_auth_check belongs to one. Opened
// and freed by one thread. Where keys come from a URL or file, it has a thread that fetches them.
#pragma once

#include "base/crypto.h"
#include "config/auth.h"
#include "serve/address.h"

typedef struct wh_auth wh_auth;

enum {
  WH_AUTH_CLIENT_MAX = 128,     // bytes of a client's name
  WH_AUTH_RETRY_SECONDS = 2,    // while keys are being fetched
  WH_AUTH_CHALLENGE_MAX = 160,  // bytes of WWW-Authenticate
  WH_AUTH_HEADER_MAX = 8 << 10, // bytes of a header that is looked at
};

typedef struct wh_auth_request {
  const wh_ip *address; // who asks, behind trusted proxies
  int64_t now_us;       // wall clock
  // How often a header is there, in any case of letters; *ret_first is its first value.
  size_t (*header)(void *context, const char *name, wh_str *ret_first);
  void *header_context;
} wh_auth_request;

typedef struct wh_auth_check {
  bool let_in;           // nothing else lets a client in
  unsigned status;       // refused: 401, 403, or 503: it cannot be known yet; else 0
  const char *reason;    // not let in: a fixed text, for the log, and nothing else of the request
  int64_t retry_after_s; // 503
  char challenge[WH_AUTH_CHALLENGE_MAX]; // 401, 403: value of WWW-Authenticate (RFC 9110 11.6.1)
  // Who was let in: the key's name of `api_keys`; of a token client_id, azp or sub; else empty.
  // Printable ASCII; what is not became '?'.
  char client[WH_AUTH_CLIENT_MAX + 1];
  // hmac: the signature in hex; a request that is sent again as it was has the same. Else empty.
  char replay[WH_SHA256_HEX + 1];
  // private
  const wh_auth *auth;
  wh_hmac_stream streams[WH_AUTH_SECRETS_MAX];
  uint8_t given[WH_SHA256_BYTES];
  bool wants_body;
} wh_auth_check;

// Binds `auth: node`, whose references it resolves. `owner` is for messages: "ingest orders: auth".
// WH_ERR_USAGE: what is behind a reference or in the file of keys cannot be used.
wh_status wh_auth_open(wh_os *os, wh_mem *mem, wh_config *config, const wh_node *node,
                       const char *owner, wh_auth **ret, wh_error *err);
void wh_auth_free(wh_auth *auth); // NULL is fine

void wh_auth_head(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *ret);
void wh_auth_body(wh_auth_check *check, const void *data, size_t len);
void wh_auth_end(wh_auth_check *check);
void wh_auth_done(wh_auth_check *check); // forgets what it knew of secrets; at any time
