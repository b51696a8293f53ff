// What the files of serve/ share: the server itself. Private to this folder.
#pragma once

#include "serve/ask.h"
#include "serve/auth.h"
#include "serve/committer.h"
#include "serve/connections.h"
#include "serve/forwarder.h"
#include "serve/serve.h"
#include "serve/tls.h"

#include <microhttpd.h>

// A lookup as it is served.
typedef struct wh_desk {
  wh_ask ask;
  wh_str logo; // empty: none
  const char *logo_type;
  atomic_uint_fast64_t asked, found, missed, limited, failed;
} wh_desk;

// A request, from its headers to its last byte: what a request's struct begins with.
typedef struct wh_exchange wh_exchange;
struct wh_exchange {
  // More of the body, or, when there is no more, the answer.
  enum MHD_Result (*take)(wh_exchange *exchange, const char *upload, size_t *upload_len);
  void (*end)(wh_exchange *exchange); // frees it
};

// An endpoint as it is served.
typedef struct wh_inlet {
  const wh_ingest *ingest;
  wh_auth *auth;           // NULL: everybody may send
  wh_forwarder *forwarder; // NULL: no queue gets its events
  atomic_uint_fast64_t requests, refused, events;
  atomic_int_fast64_t active; // requests that are read or stored
} wh_inlet;

#define WH_INGEST_RATE_WINDOW_NS 1000000000LL // `rate` is so much a second

struct wh_server {
  wh_os *os;
  wh_mem *mem;
  wh_config *config;
  wh_arena arena;
  wh_str address;
  const char *page_policy; // Content-Security-Policy of pages
  wh_str openapi, docs;    // /openapi.json and /docs; empty: neither is there
  bool has_tls;

  wh_limiter by_address, by_key;
  wh_connections connections;
  wh_ip_block *trusted;
  size_t trusted_count;
  wh_desk *desks; // one a lookup, in the configuration's order
  size_t desk_count;
  atomic_uint_fast64_t asked, found, missed, limited, failed;

  wh_limiter by_sender;
  wh_inlet *inlets; // one an endpoint, in the configuration's order
  size_t inlet_count;
  atomic_size_t body_bytes; // of events that are read or stored
  wh_committer *committer;  // NULL: there are no endpoints

  int listen_fd; // -1: none. Daemons get copies
  struct MHD_Daemon *daemon;
  struct MHD_Daemon *retired; // had another certificate; finishes what it began
  int64_t retired_ns;
  uint8_t certificate[WH_SHA256_BYTES]; // digest of the files in use
  uint8_t refused[WH_SHA256_BYTES];     // of the last ones that were not taken

  pthread_t keeper;
  _Atomic int64_t kept_ns; // its last round
  bool has_keeper;
  pthread_mutex_t mutex; // over the two below
  pthread_cond_t wake;
  bool stopping, refresh;
  bool has_mutex;
};

// --- daemon.c: libmicrohttpd -------------------------------------------------------------------

// Starts a daemon on a copy of the listening socket. `tls` NULL: plain.
wh_status wh_daemon_start(wh_server *server, const wh_tls_files *tls, struct MHD_Daemon **ret,
                          wh_error *err);
// Takes no more connections; those it has go on.
void wh_daemon_quiesce(struct MHD_Daemon *daemon);
size_t wh_daemon_connections(struct MHD_Daemon *daemon);

// --- route.c: what is asked for ----------------------------------------------------------------

// For libmicrohttpd: MHD_AccessHandlerCallback and MHD_RequestCompletedCallback.
enum MHD_Result wh_route_request(void *server, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **context);
void wh_route_completed(void *server, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode code);

// --- keeper.c: the thread that keeps house ------------------------------------------------------

wh_status wh_keeper_start(wh_server *server, wh_error *err);
void wh_keeper_stop(wh_server *server); // not running is fine
