// The Runtime API of AWS Lambda, as a custom runtime speaks it [1]: ask for an invocation, answer
// it, and so on. HTTP on the machine itself, one request at a time, each over a connection of its
// own.
//
// It is spoken here, and not by net/http.h, because a function is to ask for work within
// milliseconds of its start, and loading libcurl takes longer than all else together
// (docs/decisions/025). What is needed of HTTP/1.1 [2] is little: a status, fields, and a body that
// has a length, comes in chunks, or ends with the connection.
//
// Threads: one.
//
// [1] https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// [2] RFC 9112, sections 4 to 7
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdatomic.h>

enum {
  WH_RUNTIME_EVENT_BYTES_MAX = 6 << 20,  // of an invocation's event, and of an answer
  WH_RUNTIME_ANSWER_BYTES_MAX = 8 << 20, // of what the API says, with its fields
};

typedef struct wh_runtime {
  wh_str api;
  const atomic_bool *cancel;
  int wake_fd;
  wh_buf answer; // to the last request
} wh_runtime;

typedef struct wh_invocation {
  wh_str id;
  int64_t deadline_us; // since 1970; 0: not told
  wh_str event;
} wh_invocation;

// What was said over a connection that has ended.
typedef struct wh_runtime_said {
  uint64_t code;
  wh_str head; // the status line and the fields
  wh_str body;
} wh_runtime_said;
// Views into the text, in which chunks are put together. False: it is cut, or no answer.
bool wh_runtime_parse(char *text, size_t len, wh_runtime_said *ret);

// `api`: what AWS_LAMBDA_RUNTIME_API says, "127.0.0.1:9001"; it stays the caller's, as `cancel`
// does, which ends a wait once `wake_fd` is readable.
void wh_runtime_init(wh_runtime *runtime, wh_mem *mem, wh_str api, const atomic_bool *cancel,
                     int wake_fd);
// Waits for the next invocation, which may take hours in which the process is frozen. Strings live
// until the next call. WH_ERR_CANCELLED.
wh_status wh_runtime_next(wh_runtime *runtime, wh_invocation *ret, wh_error *err);
wh_status wh_runtime_answer(wh_runtime *runtime, wh_str id, wh_str json, wh_error *err);
// The invocation failed; `id` empty: the function cannot even begin.
wh_status wh_runtime_fail(wh_runtime *runtime, wh_str id, const wh_error *why, wh_error *err);
void wh_runtime_free(wh_runtime *runtime); // zeroed is fine
