// What the files of the HTTP client share.
#pragma once

#include "base/arena.h"
#include "net/curl.h"
#include "net/http.h"

#define WH_CURL_SET(easy, option, value)                                                           \
  (wh_curl.curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

enum {
  WH_HTTP_HOST_MAX = 256,
  WH_HTTP_TICK_US = 100000, // how often limits of time and the wish to stop are looked at
};

typedef enum exchange_state {
  EXCHANGE_IDLE,
  EXCHANGE_UNDER_WAY,
  EXCHANGE_DONE,
  EXCHANGE_RETURNED, // done, and its caller knows
  EXCHANGE_STATES,
} exchange_state;

typedef struct exchange exchange;
struct exchange {
  wh_http_exchange base;
  wh_http *http;
  exchange *next, *previous; // in the pool's list of its state
  exchange_state state;
  CURL *easy;
  wh_arena arena; // of the request: URL, header fields
  char host[WH_HTTP_HOST_MAX];

  const wh_str *pieces; // of the body
  size_t piece_count, piece, piece_at;
  uint64_t body_size;

  wh_http_take take;
  void *take_context;
  uint64_t taken;
  bool is_taking; // this answer's body goes to `take`
  wh_buf headers; // lines as they came
  bool headers_ended;
  wh_buf body;
  wh_status failed; // in a callback, base.error says how

  int64_t connect_us, idle_us, total_us;
  int64_t started_ns, active_ns;
};

typedef struct exchange_list {
  exchange *first, *last;
} exchange_list;

struct wh_http {
  wh_http_options options;
  char *tls_ca, *proxy; // NUL-terminated
  wh_arena arena;
  bool holds_curl;
  CURLM *multi; // NULL until something starts
  exchange_list lists[EXCHANGE_STATES];
  int64_t looked_ns; // at the limits of time
};

static inline int64_t wh_http_now(const wh_http *http) {
  return http->options.os->type->monotonic_ns(http->options.os);
}

// http_request.c
// Makes the handle of a new exchange; what is the same for all requests.
wh_status wh_http_handle(exchange *x, wh_error *err);
// Sets it up for a request. WH_ERR_USAGE for one that cannot be.
wh_status wh_http_prepare(exchange *x, const wh_http_request *request, wh_error *err);

// http_fail.c: the sentence of an exchange that came to nothing, into x->base.
void wh_http_failed(exchange *x, CURLcode code);
void wh_http_timed_out(exchange *x, bool idle);
