// The Runtime API of AWS Lambda, as a custom runtime speaks it [1]: ask for an invocation, answer
// it, and so on. HTTP on the machine itself, one request at a time.
//
// Threads: one.
//
// [1] https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
#pragma once

#include "base/arena.h"
#include "net/http.h"

enum { WH_RUNTIME_EVENT_BYTES_MAX = 6 << 20 }; // of an invocation's event, and of an answer

typedef struct wh_runtime {
  wh_mem *mem;
  wh_http *http;
  wh_str api;
  wh_http_exchange *next; // whose body is the event in hand
} wh_runtime;

typedef struct wh_invocation {
  wh_str id;
  int64_t deadline_us; // since 1970; 0: not told
  wh_str event;
} wh_invocation;

// `api`: what AWS_LAMBDA_RUNTIME_API says, "127.0.0.1:9001"; it stays the caller's, as `cancel`
// does, which ends a wait.
wh_status wh_runtime_open(wh_os *os, wh_mem *mem, wh_str api, const atomic_bool *cancel,
                          wh_runtime *ret, wh_error *err);
// Waits for the next invocation, which may take hours in which the process is frozen. Strings live
// until the next call. WH_ERR_CANCELLED.
wh_status wh_runtime_next(wh_runtime *runtime, wh_invocation *ret, wh_error *err);
wh_status wh_runtime_answer(wh_runtime *runtime, wh_str id, wh_str json, wh_error *err);
// The invocation failed; `id` empty: the function cannot even begin.
wh_status wh_runtime_fail(wh_runtime *runtime, wh_str id, const wh_error *why, wh_error *err);
void wh_runtime_close(wh_runtime *runtime); // zeroed is fine
