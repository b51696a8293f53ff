#include "serve/connections.h"

#include <sys/socket.h>

enum { V6_NETWORK_BITS = 64 };

wh_status wh_connections_init(wh_connections *c, wh_os *os, wh_mem *mem, size_t most,
                              size_t most_per_address, wh_error *err) {
  wh_connection_slot *slots = wh_mem_alloc(mem, most * sizeof *slots);
  if (!slots) return wh_fail_memory(err);
  *c = (wh_connections){
      .os = os, .mem = mem, .slots = slots, .most = most, .most_per_address = most_per_address};
  pthread_mutex_init(&c->mutex, NULL);
  for (size_t i = 0; i < most; i++)
    slots[i] = (wh_connection_slot){.fd = -1};
  return WH_OK;
}

void wh_connections_free(wh_connections *c) {
  if (!c->slots) return;
  pthread_mutex_destroy(&c->mutex);
  wh_mem_free(c->mem, c->slots, c->most * sizeof *c->slots);
  c->slots = NULL;
}

// From here on the oldest has to go.
static bool are_scarce(const wh_connections *c) {
  return c->count >= c->most / 4 * 3;
}

bool wh_connections_admit(wh_connections *c, const struct sockaddr *address) {
  wh_ip ip;
  if (!wh_ip_of_socket(address, &ip)) return false;
  if (wh_ip_in(&ip, c->trusted, c->trusted_count)) return true;
  wh_ip network = wh_ip_network(&ip, V6_NETWORK_BITS);
  size_t same = 0;
  pthread_mutex_lock(&c->mutex);
  for (size_t i = 0; i < c->most; i++) {
    const wh_connection_slot *slot = &c->slots[i];
    same += slot->fd >= 0 && !slot->is_shut && wh_ip_eq(&slot->network, &network);
  }
  pthread_mutex_unlock(&c->mutex);
  return same < c->most_per_address;
}

static void shut(wh_connection_slot *slot) {
  (void)shutdown(slot->fd, SHUT_RDWR);
  slot->is_shut = true;
}

static void shut_oldest(wh_connections *c) {
  wh_connection_slot *oldest = NULL;
  for (size_t i = 0; i < c->most; i++) {
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
  if (are_scarce(c)) shut_oldest(c);
  for (size_t i = 0; i < c->most && !free_slot; i++)
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
  for (size_t i = 0; i < c->most; i++) {
    wh_connection_slot *slot = &c->slots[i];
    if (slot->fd >= 0 && !slot->is_shut && slot->since_ns < before) shut(slot);
  }
  pthread_mutex_unlock(&c->mutex);
}
