// A request over HTTP as Amazon API Gateway hands it to a function, and what it is answered:
// payload format 1.0 of REST APIs, and 2.0 of HTTP APIs and of a function's own URL [1] [2].
// Pure functions over bytes from outside.
//
// [1]
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// [2] https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/json_doc.h"

typedef struct wh_gateway_header {
  wh_str name, value;
} wh_gateway_header;

typedef struct wh_gateway_request {
  wh_str method, path;
  wh_str source_ip; // who asked the gateway, as it says
  wh_gateway_header *headers;
  size_t header_count;
  wh_str body; // as it was sent: decoded, where the gateway has encoded it
} wh_gateway_request;

// Told by what the gateway alone writes: nothing that a client sends stands there.
bool wh_gateway_is(const json_t *event);
// In the arena. WH_ERR_DATA: it is not as the gateway writes it.
wh_status wh_gateway_read(const json_t *event, wh_arena *arena, wh_gateway_request *ret,
                          wh_error *err);
// How often a header is there, in any case of letters; *ret_first is its first value.
size_t wh_gateway_header_of(const wh_gateway_request *request, const char *name, wh_str *ret_first);

typedef struct wh_gateway_answer {
  unsigned status;
  const char *type;
  wh_str body;
  int64_t retry_after_s;            // 0: nothing is said
  const char *allow, *authenticate; // NULL: nothing is said
} wh_gateway_answer;
void wh_gateway_write(const wh_gateway_answer *answer, wh_buf *out); // out->failed
