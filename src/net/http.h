// An HTTP/1.1 client (RFC 9110, 9112) over libcurl's multi interface: many exchanges side by side
// on one thread, over connections that are kept.
//
//   wh_http *http;                       // a pool of connections and handles
//   WH_TRY(wh_http_new(&options, &http, err));
//   WH_TRY(wh_http_start(http, &request, &x, err));  // returns at once; several may be under way
//   WH_TRY(wh_http_wait(http, x, -1, &done, err));   // goes on with all of them meanwhile
//   if (x->status == WH_OK) ... x->code, x->body ...
//   wh_http_end(x);
//
// Threads: a pool and its exchanges belong to one thread at a time. Nothing of libcurl or OpenSSL
// is initialised before the first exchange of the process starts.
// Redirects are answers like any other. Only http: and https:; no .netrc, no cookies, and no proxy
// but the one given. The whole program must ignore SIGPIPE.
// A request may be sent a second time by itself when a kept connection turns out to be closed
// before anything of an answer came.
// libcurl is loaded with the first exchange: WH_ERR_NOT_FOUND from wh_http_start where it is not
// there. Memory: libcurl's is accounted for, as are exchanges; TLS takes about WH_HTTP_TLS_BYTES a
// connection past the accountant.
#pragma once

#include "base/buf.h"
#include "base/os.h"
#include "net/tls.h"

#include <stdatomic.h>

enum {
  WH_HTTP_HEADER_BYTES_MAX = 64 * 1024, // of an answer's headers, all together
  WH_HTTP_HEADERS_MAX = 64,             // of a request
  WH_HTTP_TLS_BYTES = 100 * 1024,
  WH_HTTP_CONNECT_US = 10 * 1000000, // what the limits are where they say 0
  WH_HTTP_IDLE_US = 60 * 1000000,
  WH_HTTP_BODY_BYTES = 1 << 20,
};

typedef struct wh_http wh_http;

typedef struct wh_http_options {
  wh_os *os; // the clock
  wh_mem *mem;
  const atomic_bool *cancel; // may be NULL; looked at at least ten times a second
  wh_tls tls;                // WH_TLS_OFF: https: is refused
  wh_str tls_ca;             // path of a file of certificates; empty: the system's
  wh_str proxy;              // URL; empty: none
} wh_http_options;

typedef struct wh_http_header {
  wh_str name, value;
} wh_http_header;

// Takes the body of an answer with a code of 200 to 299, in place of wh_http_exchange.body. `at`
// counts the bytes of this body before these: 0 when it begins, which it may do again for a caller
// that repeats requests. Anything but WH_OK ends the exchange with that status and error.
typedef wh_status (*wh_http_take)(void *context, uint64_t at, const void *data, size_t len,
                                  wh_error *err);

typedef struct wh_http_request {
  const char *method; // "GET"; a static string
  wh_str url;         // complete and percent-encoded; sent as it is, dots in paths too
  const wh_http_header *headers;
  size_t header_count;
  // The body: pieces that stay where they are until the exchange is done. Nothing else has to
  // live longer than the call of wh_http_start.
  const wh_str *body;
  size_t body_count;
  wh_http_take take; // NULL: into body
  void *take_context;
  size_t body_bytes_max; // of an answer kept in memory; longer: WH_ERR_LIMIT; 0: WH_HTTP_BODY_BYTES
  int64_t connect_us;    // until a connection stands, TLS included
  int64_t idle_us;       // without a byte in either direction
  int64_t total_us;      // all together; 0: no limit
  void *tag;             // the caller's, found again in the exchange
} wh_http_request;

// Read it once it is done; valid until wh_http_end.
typedef struct wh_http_exchange {
  // Whether there was a whole answer, whatever its code says; else the error has the sentence, with
  // the host in it. What may pass by itself (no connection, a cut, a timeout) is WH_ERR_UNAVAILABLE
  // with err.retry; a certificate that does not hold is WH_ERR_DENIED.
  wh_status status;
  wh_error error;
  bool timed_out; // the status is that of a limit of time
  bool was_sent;  // not OK: something of the request may have reached the server
  int code;       // 200, 404, ...
  wh_str body;    // NUL-terminated
  void *tag;
} wh_http_exchange;

wh_status wh_http_new(const wh_http_options *options, wh_http **ret, wh_error *err);
// Ends what is under way. NULL is fine.
void wh_http_free(wh_http *http);

// Whose wish to stop counts from now on; NULL: nobody's.
void wh_http_cancel_by(wh_http *http, const atomic_bool *cancel);

// Fails only for a request that cannot be (its URL, its header fields) or for want of memory.
wh_status wh_http_start(wh_http *http, const wh_http_request *request, wh_http_exchange **ret,
                        wh_error *err);
// Works on everything under way until `x` is done, or any when `x` is NULL. *ret is NULL when
// timeout_us (-1: none) passed first; each exchange is returned as "any" once. WH_ERR_END: nothing
// was started that is not done. WH_ERR_CANCELLED: asked to stop; exchanges stay as they are.
wh_status wh_http_wait(wh_http *http, wh_http_exchange *x, int64_t timeout_us,
                       wh_http_exchange **ret, wh_error *err);
// Gives it back; one under way is given up, with its connection. NULL is fine.
void wh_http_end(wh_http_exchange *x);

// The value of an answer's header field, in any case of letters; without data when there is none.
// Of several, the first.
wh_str wh_http_header_get(const wh_http_exchange *x, const char *name);

// "host:port" of a URL as messages name it: the port only where it is not the scheme's own.
wh_str wh_http_host(wh_str url);
// An IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", as microseconds since 1970.
bool wh_http_date(wh_str text, int64_t *ret_us);
