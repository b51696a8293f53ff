// What the files of the AWS client share.
#pragma once

#include "base/arena.h"
#include "net/aws.h"
#include "net/aws_credentials.h"

#include <pthread.h>

enum { WH_AWS_LABEL_MAX = 256, WH_AWS_SKEW_US_MIN = 240 * 1000000 };

typedef enum call_state {
  CALL_SENT,
  CALL_WAITING, // for the time of its next attempt
  CALL_DONE,
  CALL_RETURNED, // done, and its caller knows
} call_state;

// A request and its attempts.
typedef struct call {
  wh_aws_exchange base;
  wh_aws_client *client;
  struct call *next; // of the client's, or of those that are free
  call_state state;
  wh_arena arena;
  wh_aws_request request; // a copy
  char payload_hash[WH_SIGV4_HEX_CHARS + 1];
  char label[WH_AWS_LABEL_MAX]; // "PUT /bucket/key", "PutItem"
  wh_retry retry;
  int64_t due_ns;
  bool tried_clock, tried_keys; // answered to once
  uint64_t generation;          // of the keys it was signed with
  wh_http_exchange *http;       // the last attempt's, NULL before there is an answer
} call;

struct wh_aws_client {
  wh_aws *aws;
  wh_aws_client *next; // of those that nobody uses
  const atomic_bool *cancel;
  wh_http *http;
  wh_sigv4_signer signer;
  wh_sigv4_work work;
  wh_aws_keys keys;
  wh_buf url, host, authorization;
  call *calls, *free;
};

struct wh_aws {
  wh_aws_options options;
  wh_arena arena;
  wh_str region, endpoint;
  wh_str scheme, host, base_path; // of the endpoint: "https://", "host:port", "/path" or nothing
  wh_aws_credentials *credentials;
  wh_retry_quota quota;
  _Atomic int64_t skew_us; // what the server's clock is ahead of ours
  pthread_mutex_t mutex;   // of what follows
  wh_aws_client *idle;
};

// aws_answer.c

// What an attempt came to: fills in status, error, code, message and request id.
// Returns whether, and why, it may be repeated.
wh_retry_reason wh_aws_judge(call *c);
bool wh_aws_is_expired(const call *c); // the credentials are no longer taken
bool wh_aws_is_clock(const call *c);   // may be because the clocks differ
