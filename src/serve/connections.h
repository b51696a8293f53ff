// The connections that are open, so that none can hold its place for nothing. libmicrohttpd's own
// timeout starts anew with every byte; here a whole request and its answer have a deadline, and
// when places become scarce the one that has waited longest loses its place.
//
// A connection is ended by shutting its socket down, which its thread then notices. Sockets are
// only touched under the mutex and before their slot is given back, so that a number that the
// system has given to somebody else is never shut.
//
// Threads: any.
#pragma once

#include "base/os.h"
#include "serve/address.h"
#include "serve/serve.h"

#include <pthread.h>

typedef struct wh_connection_slot {
  int fd; // -1: free
  wh_ip network;
  int64_t since_ns; // opened, or answered last
  bool is_shut;
} wh_connection_slot;

typedef struct wh_connections {
  pthread_mutex_t mutex;
  wh_os *os;
  const wh_ip_block *trusted; // proxies may have as many as they like
  size_t trusted_count;
  wh_mem *mem;
  wh_connection_slot *slots;
  size_t most, most_per_address;
  size_t count; // taken
  size_t busy;  // requests whose answer is not finished
} wh_connections;

// At most `most` are open at once, and `most_per_address` of one address (an IPv6 /64 counts as
// one).
wh_status wh_connections_init(wh_connections *c, wh_os *os, wh_mem *mem, size_t most,
                              size_t most_per_address, wh_error *err);
void wh_connections_free(wh_connections *c); // zeroed is fine

// Whether one more may come from there.
bool wh_connections_admit(wh_connections *c, const struct sockaddr *address);
// NULL when there is no place left: the socket has been shut.
wh_connection_slot *wh_connections_open(wh_connections *c, int fd, const struct sockaddr *address);
void wh_connections_close(wh_connections *c, wh_connection_slot *slot); // NULL is fine

void wh_connections_request_begins(wh_connections *c);
void wh_connections_request_ends(wh_connections *c, wh_connection_slot *slot); // slot may be NULL
size_t wh_connections_busy(wh_connections *c);
void wh_connections_expire(wh_connections *c); // shuts those past their deadline
