// A client for one AWS service in one region, or for a server that speaks like one: signing at
// each attempt, repeating what can succeed later while other requests go on, and the clock set
// right by the server's.
//
// A wh_aws is shared by threads: it knows the place and holds the credentials, the retry quota and
// the clients that nobody uses. A client, with its connections, belongs to the thread that took it
// until that gives it back.
//
//   WH_TRY(wh_aws_new(&options, &aws, err));       // asks nobody, and knows no curl yet
//   WH_TRY(wh_aws_take(aws, &cancel, &client, err));
//   wh_aws_request request = {.method = "GET", .path = WH_STR("/bucket/key")};
//   wh_status status = wh_aws_call(client, &request, &x, err);
//   ... x->body, wh_aws_header(x, "etag"), or x->code when it failed ...
//   wh_aws_end(x);
//   wh_aws_give(client);
#pragma once

#include "base/environment.h"
#include "net/http.h"
#include "net/retry.h"
#include "net/sigv4.h"

typedef struct wh_aws wh_aws;
typedef struct wh_aws_client wh_aws_client;

enum {
  WH_AWS_CODE_MAX = 128, // bytes kept of an answer's error code, and so on
  WH_AWS_MESSAGE_MAX = 512,
  WH_AWS_ID_MAX = 128,
};

typedef struct wh_aws_options {
  wh_os *os;
  wh_mem *mem;
  wh_environment environment; // AWS_*, HOME
  const char *service;        // as endpoints name it: "s3", "dynamodb", "sqs", "logs"; static
  const char *signing_name;   // NULL: the same
  // Copied. Empty: as the environment and the shared files say (net/aws_profile.h).
  wh_str region, endpoint, profile;
  wh_sigv4_keys keys; // given literally; without an access_key_id: net/aws_credentials.h
  wh_tls tls;
  wh_str tls_ca, proxy;
  bool plain_path; // S3: see net/sigv4.h; it also sends x-amz-content-sha256
} wh_aws_options;

wh_status wh_aws_new(const wh_aws_options *options, wh_aws **ret, wh_error *err);
void wh_aws_free(wh_aws *aws); // every client must have been given back; NULL is fine
wh_str wh_aws_region_of(const wh_aws *aws);
wh_str wh_aws_endpoint_of(const wh_aws *aws); // "https://s3.eu-west-1.amazonaws.com"
// What the service's clock is ahead of ours, as far as a refusal has shown it; else 0.
int64_t wh_aws_skew_us(const wh_aws *aws);

wh_status wh_aws_take(wh_aws *aws, const atomic_bool *cancel, wh_aws_client **ret, wh_error *err);
void wh_aws_give(wh_aws_client *client); // ends what is under way; NULL is fine

typedef struct wh_aws_request {
  const char *method; // static
  wh_str bucket;      // S3 in virtual-host style: goes before the endpoint's host with a '.'
  wh_str path;        // percent-encoded, beginning with '/'; empty: "/"
  wh_str query;       // percent-encoded, without '?'
  const wh_http_header *headers; // besides those of signing
  size_t header_count;
  const wh_str *body; // pieces that stay until the exchange is done
  size_t body_count;
  wh_str payload_hash; // hex of the body's SHA-256, where it is known, or WH_SIGV4_UNSIGNED
  wh_http_take take;   // as in wh_http_request; `at` 0 says that an attempt begins anew
  void *take_context;
  size_t body_bytes_max;
  int64_t idle_us, total_us; // of each attempt; 0: as in wh_http_request
  bool anonymous;            // not signed, and no credentials are looked for
  int attempts;              // 0: WH_RETRY_ATTEMPTS; 1: never repeat
  void *tag;
} wh_aws_request;

typedef struct wh_aws_exchange {
  // WH_OK for 200 to 299. Else:
  //  WH_ERR_NOT_FOUND    404, and codes of other services that say so
  //  WH_ERR_DENIED       401, 403: not permitted, or not believed to be who we are; also where
  //  there
  //                      are no credentials
  //  WH_ERR_CHANGED      412, 304, and ConditionalCheckFailedException
  //  WH_ERR_EXISTS       409 and codes that say so
  //  WH_ERR_BUSY         throttled, still after the last attempt
  //  WH_ERR_UNAVAILABLE  no answer, or 5xx, still after the last attempt
  //  WH_ERR_LIMIT        the answer is too long, or codes that say that the request is
  //  WH_ERR_REFUSED      anything else the service does not take
  wh_status status;
  wh_error error; // a sentence with host, operation, code, message and request id; err.retry
  int http;       // the code of HTTP; 0: there was no answer
  int attempts;
  // As the service says, from XML, JSON or header fields; empty where it does not. NUL-terminated.
  char code[WH_AWS_CODE_MAX];
  char message[WH_AWS_MESSAGE_MAX];
  char request_id[WH_AWS_ID_MAX];
  wh_str body;
  void *tag;
} wh_aws_exchange;

// Only the body's pieces have to live longer than this call. Fails for want of memory, or where the
// request cannot be; everything else is known when the exchange is done.
wh_status wh_aws_start(wh_aws_client *client, const wh_aws_request *request, wh_aws_exchange **ret,
                       wh_error *err);
// As wh_http_wait: until `x` is done, or any; WH_ERR_END when nothing is under way.
wh_status wh_aws_wait(wh_aws_client *client, wh_aws_exchange *x, int64_t timeout_us,
                      wh_aws_exchange **ret, wh_error *err);
void wh_aws_end(wh_aws_exchange *x); // NULL is fine
wh_str wh_aws_header(const wh_aws_exchange *x, const char *name);
bool wh_aws_header_next(const wh_aws_exchange *x, wh_http_cursor *cursor, wh_http_header *ret);
bool wh_aws_is(const wh_aws_exchange *x, const char *code); // x->code, without what is before '#'

// One request, start to end: returns its status and error. *ret, which may be NULL, is the exchange
// of a failure too, NULL where none could start; end it in any case.
wh_status wh_aws_call(wh_aws_client *client, const wh_aws_request *request, wh_aws_exchange **ret,
                      wh_error *err);

// POST / in the JSON protocol: `target` is "DynamoDB_20120810.PutItem", `version` "1.0" or "1.1".
// `headers` and `body` are the caller's and have to live until the request is started, the body's
// bytes until it is done.
enum { WH_AWS_JSON_HEADERS = 2 };
wh_aws_request wh_aws_json(wh_str target, const char *version,
                           wh_http_header headers[WH_AWS_JSON_HEADERS], const wh_str *body);
// POST / in the query protocol; the body is a form (net/uri.h), "Action=...&Version=...".
enum { WH_AWS_FORM_HEADERS = 1 };
wh_aws_request wh_aws_form(wh_http_header headers[WH_AWS_FORM_HEADERS], const wh_str *body);
