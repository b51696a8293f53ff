// AWS Signature Version 4 (docs.aws.amazon.com, "Signature Version 4 signing process"): of a
// request's header fields, or as a query, for a URL that carries its own permission.
//
// Threads: a signer and a work area belong to one thread.
#pragma once

#include "base/buf.h"
#include "base/crypto.h"
#include "net/http.h"

enum { WH_SIGV4_TIME_CHARS = 16, WH_SIGV4_HEX_CHARS = 64 };
#define WH_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define WH_SIGV4_EMPTY    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct wh_sigv4_keys {
  wh_str access_key_id, secret_access_key, session_token; // the token may be empty
} wh_sigv4_keys;

typedef struct wh_sigv4_request {
  const char *method;
  wh_str path;  // as it is sent: percent-encoded
  wh_str query; // as it is sent, without '?'; any order
  // Those to be signed: host, x-amz-date and whatever else; also x-amz-security-token and
  // x-amz-content-sha256 where they are sent. A presigned query needs host alone.
  const wh_http_header *headers;
  size_t header_count;
  wh_str payload_hash; // hex of the body's SHA-256, or WH_SIGV4_UNSIGNED
} wh_sigv4_request;

// What is the same from request to request; keeps the day's key.
typedef struct wh_sigv4_signer {
  wh_str region, service; // the caller's
  bool plain_path;   // S3: paths are signed as they are sent. Elsewhere they are encoded once more
  bool no_normalize; // keep "." and ".." and "//" in paths; plain_path implies it
  char date[8];
  uint8_t secret_hash[WH_SHA256_BYTES]; // whose key it is
  wh_hmac_key key;
  bool has_key;
} wh_sigv4_signer;
void wh_sigv4_signer_clear(wh_sigv4_signer *signer); // wipes the key; NULL is fine

// Room that is used again for each request, and what signing finds.
typedef struct wh_sigv4_work {
  wh_buf canonical, to_sign, names, scratch;
  char signature[WH_SIGV4_HEX_CHARS + 1];
} wh_sigv4_work;
void wh_sigv4_work_init(wh_sigv4_work *work, wh_mem *mem);
void wh_sigv4_work_free(wh_sigv4_work *work); // zeroed is fine

// "20150830T123600Z"
void wh_sigv4_time(int64_t us, char out[WH_SIGV4_TIME_CHARS + 1]);

// The value of the Authorization header, into `out` (appended). `time` is what x-amz-date says.
wh_status wh_sigv4_sign(wh_sigv4_signer *signer, const wh_sigv4_keys *keys,
                        const wh_sigv4_request *request, const char *time, wh_sigv4_work *work,
                        wh_buf *out, wh_error *err);
// The query with everything signed in it, into `out` (appended), without '?'. `seconds`: how long
// it holds, at most a week.
wh_status wh_sigv4_presign(wh_sigv4_signer *signer, const wh_sigv4_keys *keys,
                           const wh_sigv4_request *request, const char *time, int64_t seconds,
                           wh_sigv4_work *work, wh_buf *out, wh_error *err);
