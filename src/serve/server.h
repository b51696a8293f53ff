// What the files of serve/ share: the server itself. Private to this folder.
#pragma once

#include "serve/ask.h"
#include "serve/connections.h"
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

struct wh_server {
  wh_os *os;
  wh_mem *mem;
  wh_config *config;
  wh_arena arena;
  wh_str address;
  const char *page_policy; // Content-Security-Policy of pages
  bool has_tls;

  wh_limiter by_address, by_key;
  wh_connections connections;
  wh_ip_block *trusted;
  size_t trusted_count;
  wh_desk *desks; // one a lookup, in the configuration's order
  size_t desk_count;
  atomic_uint_fast64_t asked, found, missed, limited, failed;

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
