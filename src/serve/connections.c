#include "serve/connections.h"

#include <sys/socket.h>

enum {
  V6_NETWORK_BITS = 64,
  SCARCE = WH_SERVE_CONNECTIONS_MAX / 4 * 3, // from here on the oldest has to go
};

void wh_connections_init(wh_connections *c, wh_os *os, const wh_ip_block *trusted, size_t count) {
  *c = (wh_connections){.os = os, .trusted = trusted, .trusted_count = count};
  pthread_mutex_init(&c->mutex, NULL);
  for (size_t i = 0; i < WH_SERVE_CONNECTIONS_MAX; i++)
    c->slots[i].fd = -1;
}

void wh_connections_free(wh_connections *c) {
  if (c->os) pthread_mutex_destroy(&c->mutex);
  c->os = NULL;
}

bool wh_connections_admit(wh_connections *c, const struct sockaddr *address) {
  wh_ip ip;
  if (!wh_ip_of_socket(address, &ip)) return false;
  if (wh_ip_in(&ip, c->trusted, c->trusted_count)) return true;
  wh_ip network = wh_ip_network(&ip, V6_NETWORK_BITS);
  size_t same = 0;
  pthread_mutex_lock(&c->mutex);
  for (size_t i = 0; i < WH_SERVE_CONNECTIONS_MAX; i++) {
    const wh_connection_slot *slot = &c->slots[i];
    same += slot->fd >= 0 && !slot->is_shut && wh_ip_eq(&slot->network, &network);
  }
  pthread_mutex_unlock(&c->mutex);
  return same < WH_SERVE_CONNECTIONS_PER_ADDRESS;
}

static void shut(wh_connection_slot *slot) {
  (void)shutdown(slot->fd, SHUT_RDWR);
  slot->is_shut = true;
}

static void shut_oldest(wh_connections *c) {
  wh_connection_slot *oldest = NULL;
  for (size_t i = 0; i < WH_SERVE_CONNECTIONS_MAX; i++) {
    wh_connection_slot *slot = &c->slots[i];
    if (slot->fd < 0 || slot->is_shut) continue;
    if (!oldest || slot->since_ns < oldest->since_ns) oldest = slot;
  }
  if (oldest) shut(oldest);
}

wh_connection_slot *wh_connections_open(wh_connections *c, int fd, const struct sockaddr *address) {
  wh_ip ip = {0};
  (void)wh_ip_of_socket(address, &ip);
  wh_connection_slot *free_slot = NULL;
  pthread_mutex_lock(&c->mutex);
  if (c->count >= SCARCE) shut_oldest(c);
  for (size_t i = 0; i < WH_SERVE_CONNECTIONS_MAX && !free_slot; i++)
    if (c->slots[i].fd < 0) free_slot = &c->slots[i];
  if (free_slot) {
    *free_slot = (wh_connection_slot){.fd = fd,
                                      .network = wh_ip_network(&ip, V6_NETWORK_BITS),
                                      .since_ns = c->os->type->monotonic_ns(c->os)};
    c->count++;
  } else {
    (void)shutdown(fd, SHUT_RDWR);
  }
  pthread_mutex_unlock(&c->mutex);
  return free_slot;
}

void wh_connections_close(wh_connections *c, wh_connection_slot *slot) {
  if (!slot) return;
  pthread_mutex_lock(&c->mutex);
  slot->fd = -1;
  c->count--;
  pthread_mutex_unlock(&c->mutex);
}

void wh_connections_request_begins(wh_connections *c) {
  pthread_mutex_lock(&c->mutex);
  c->busy++;
  pthread_mutex_unlock(&c->mutex);
}

void wh_connections_request_ends(wh_connections *c, wh_connection_slot *slot) {
  pthread_mutex_lock(&c->mutex);
  c->busy--;
  if (slot) slot->since_ns = c->os->type->monotonic_ns(c->os);
  pthread_mutex_unlock(&c->mutex);
}

size_t wh_connections_busy(wh_connections *c) {
  pthread_mutex_lock(&c->mutex);
  size_t busy = c->busy;
  pthread_mutex_unlock(&c->mutex);
  return busy;
}

void wh_connections_expire(wh_connections *c) {
  pthread_mutex_lock(&c->mutex);
  int64_t before = c->os->type->monotonic_ns(c->os) - WH_SERVE_REQUEST_SECONDS * 1000000000LL;
  for (size_t i = 0; i < WH_SERVE_CONNECTIONS_MAX; i++) {
    wh_connection_slot *slot = &c->slots[i];
    if (slot->fd >= 0 && !slot->is_shut && slot->since_ns < before) shut(slot);
  }
  pthread_mutex_unlock(&c->mutex);
}
