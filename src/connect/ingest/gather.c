// Who waits for events of an endpoint, and how many have come since a run took what there was.
#include "connect/ingest/ingest.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct hub hub;

typedef struct gatherer {
  wh_gather base;
  hub *hub;
  struct gatherer *next;
  const wh_ingest_endpoint *endpoint;
  wh_gather_limits limits;
  uint64_t events, bytes; // since the last run began
  int64_t first_us;       // when the first of them came
  bool is_unknown;        // what was there at the start was not counted
} gatherer;

struct hub {
  wh_os *os;
  wh_mem *mem;
  pthread_mutex_t mutex; // over all below
  gatherer *first;
};

wh_status wh_ingest_hub_open(wh_connection *c, wh_error *err) {
  hub *h = wh_mem_alloc_zero(c->mem, sizeof *h);
  if (!h) return wh_fail_memory(err);
  h->os = c->os;
  h->mem = c->mem;
  pthread_mutex_init(&h->mutex, NULL);
  c->own = h;
  return WH_OK;
}

void wh_ingest_hub_close(wh_connection *c) {
  hub *h = c->own;
  pthread_mutex_destroy(&h->mutex);
  wh_mem_free(h->mem, h, sizeof *h);
  c->own = NULL;
}

static bool is_full(const gatherer *g) {
  return g->is_unknown || g->events >= g->limits.rows || g->bytes >= g->limits.bytes;
}

static void wake(const gatherer *g) {
  uint64_t one = 1;
  ssize_t ignored = write(g->base.fd, &one, sizeof one);
  (void)ignored;
}

// Whoever waits has to hear of the first event, whose age counts, and of the one that is enough.
static void add(gatherer *g, uint64_t events, uint64_t bytes, int64_t now_us) {
  bool was_empty = !g->events, was_full = is_full(g);
  if (was_empty) g->first_us = now_us;
  g->events += events;
  g->bytes += bytes;
  if (was_empty || (!was_full && is_full(g))) wake(g);
}

void wh_ingest_tell(wh_connection *c, const wh_ingest_endpoint *endpoint, uint64_t events,
                    uint64_t bytes) {
  hub *h = c->own;
  int64_t now_us = wh_now_us(h->os);
  pthread_mutex_lock(&h->mutex);
  for (gatherer *g = h->first; g; g = g->next)
    if (g->endpoint == endpoint) add(g, events, bytes, now_us);
  pthread_mutex_unlock(&h->mutex);
}

static int64_t due_us(wh_gather *base) {
  gatherer *g = (gatherer *)base;
  pthread_mutex_lock(&g->hub->mutex);
  int64_t due = is_full(g) ? 0 : g->events ? g->first_us + g->limits.age_us : INT64_MAX;
  pthread_mutex_unlock(&g->hub->mutex);
  return due;
}

static void begin(wh_gather *base) {
  gatherer *g = (gatherer *)base;
  pthread_mutex_lock(&g->hub->mutex);
  g->events = g->bytes = 0;
  g->is_unknown = false;
  pthread_mutex_unlock(&g->hub->mutex);
}

static void close_gather(wh_gather *base) {
  gatherer *g = (gatherer *)base;
  hub *h = g->hub;
  pthread_mutex_lock(&h->mutex);
  gatherer **at = &h->first;
  while (*at != g)
    at = &(*at)->next;
  *at = g->next;
  pthread_mutex_unlock(&h->mutex);
  close(g->base.fd);
  wh_mem_free(h->mem, g, sizeof *g);
}

wh_status wh_ingest_gather(wh_connection *c, wh_str table, const wh_gather_limits *limits,
                           wh_gather **ret, wh_error *err) {
  const wh_ingest_endpoint *endpoint;
  WH_TRY(wh_ingest_find(c, table, &endpoint, err));
  hub *h = c->own;
  gatherer *g = wh_mem_alloc_zero(h->mem, sizeof *g);
  if (!g) return wh_fail_memory(err);
  *g = (gatherer){.hub = h, .endpoint = endpoint, .limits = *limits, .is_unknown = true};
  g->base = (wh_gather){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                        .due_us = due_us,
                        .begin = begin,
                        .close = close_gather};
  if (g->base.fd < 0) {
    int errnum = errno;
    wh_mem_free(h->mem, g, sizeof *g);
    return wh_fail(err, wh_status_from_errno(errnum), "eventfd failed: %s", strerror(errnum));
  }
  pthread_mutex_lock(&h->mutex);
  g->next = h->first;
  h->first = g;
  pthread_mutex_unlock(&h->mutex);
  *ret = &g->base;
  return WH_OK;
}
