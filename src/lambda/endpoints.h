// The endpoints of serve.ingest in a function: a request that API Gateway hands over (gateway.h) is
// checked as on a machine (serve/submission.h), and its events are sent to the endpoint's queue
// before it is answered: there is no disk that they could wait on.
//
// What cannot be here, for a function knows no other and remembers nothing: receipts that can be
// asked for, `rate` by network, `concurrency` and `backlog` (the API's throttling takes their
// place), and the refusal of another body under the same Idempotency-Key. A key makes the ids of
// its messages, together with the body: sent again they are the same, and a queue that keeps order
// leaves out what it has had in the last five minutes.
//
// Threads: one.
#pragma once

#include "config/config.h"
#include "lambda/gateway.h"

enum {
  WH_LAMBDA_EVENTS_MAX = 10000, // of a request: they have to be sent before it is answered
  // That keys of tokens are waited for, and sending is tried again: no attempt begins later. API
  // Gateway waits for 29 seconds at least.
  WH_LAMBDA_PATIENCE_US = 15 * 1000000,
};

typedef struct wh_lambda_endpoints wh_lambda_endpoints;

// Opens nothing yet. NULL: no memory.
wh_lambda_endpoints *wh_lambda_endpoints_new(wh_os *os, wh_mem *mem, wh_config *config);
void wh_lambda_endpoints_free(wh_lambda_endpoints *endpoints); // NULL is fine

// Whatever is wrong is an answer, too; what is not the sender's fault is also logged. `stop`: the
// time is over. Fails for want of memory.
wh_status wh_lambda_answer(wh_lambda_endpoints *endpoints, const wh_gateway_request *request,
                           const atomic_bool *stop, wh_buf *ret_json, wh_error *err);
