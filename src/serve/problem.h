// What a request for an endpoint is refused with: a problem (RFC 9457) of the type about:blank,
// whose title is the status' phrase.
#pragma once

#include "base/buf.h"

#define WH_TYPE_PROBLEM "application/problem+json"

typedef struct wh_http_problem {
  unsigned status;    // of HTTP; 0: there is none
  const char *detail; // a sentence for the sender
  wh_str errors;      // items of a JSON array; empty: none
  int64_t retry_after_s;
  const char *allow, *authenticate; // values of Allow and WWW-Authenticate
  bool closes;                      // the body is not read
} wh_http_problem;

void wh_http_problem_write(const wh_http_problem *problem, wh_buf *out); // out->failed
