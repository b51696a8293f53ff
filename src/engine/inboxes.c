#include "engine/inboxes.h"

#include "base/log.h"
#include "base/thread.h"
#include "engine/run.h"

#include <pthread.h>

enum {
  QUEUES_MAX = 32,
  HAND_WAIT_US = 2 * 1000000,  // `run`: a question of a second, and its answer
  IDLE_WAIT_US = 20 * 1000000, // the service, while nothing is held
  HELD_WAIT_US = 1000000,      // and while something is: what was taken is soon deleted
  AGAIN_US = 5 * 1000000,      // after a failure, and where another process takes from it
  PAUSE_US = 100000,
};

typedef struct slot {
  wh_inboxes *set;
  const wh_ingest_endpoint *endpoint;
  bool endpoint_is_feed;
  wh_inbox *inbox; // NULL: not open
  pthread_t thread;
} slot;

struct wh_inboxes {
  wh_engine *engine;
  slot slots[QUEUES_MAX];
  size_t count, started;
  pthread_mutex_t mutex; // over `inbox` of slots whose thread runs, for waking it
  atomic_bool stopping;
};

wh_status wh_inboxes_make(wh_engine *engine, wh_inboxes **ret, wh_error *err) {
  wh_inboxes *set = wh_mem_alloc_zero(engine->mem, sizeof *set);
  if (!set) return wh_fail_memory(err);
  set->engine = engine;
  pthread_mutex_init(&set->mutex, NULL);
  *ret = set;
  return WH_OK;
}

static slot *slot_of(wh_inboxes *set, const wh_pipeline *p) {
  const wh_ingest_endpoint *endpoint = wh_config_inbox(set->engine->config, p);
  for (size_t i = 0; endpoint && i < set->count; i++)
    if (set->slots[i].endpoint == endpoint) return &set->slots[i];
  return NULL;
}

wh_status wh_inboxes_add(wh_inboxes *set, const wh_pipeline *p, wh_error *err) {
  const wh_ingest_endpoint *endpoint = wh_config_inbox(set->engine->config, p);
  if (!endpoint || slot_of(set, p)) return WH_OK;
  if (set->count == QUEUES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "pipelines read at most %d queues", QUEUES_MAX);
  const wh_connection_info *c = wh_config_find_connection(set->engine->config, endpoint->queue);
  set->slots[set->count++] =
      (slot){.set = set, .endpoint = endpoint, .endpoint_is_feed = c->type->feed};
  return WH_OK;
}

// --- by hand -------------------------------------------------------------------------------------

wh_status wh_inboxes_take(wh_inboxes *set, const wh_pipeline *p, uint64_t *ret_count,
                          wh_error *err) {
  slot *s = slot_of(set, p);
  *ret_count = 0;
  if (!s) return WH_OK;
  if (!s->inbox) {
    wh_status status = wh_inbox_open(set->engine, s->endpoint, &s->inbox, err);
    if (status == WH_ERR_BUSY) return WH_OK;
    WH_TRY(status);
  }
  size_t count = 1;
  bool is_feed = s->endpoint_is_feed; // whose end is not that nothing came for a while
  while ((count || is_feed) && !wh_inbox_caught_up(s->inbox) &&
         wh_inbox_held(s->inbox) < WH_INBOX_HELD_MAX && !wh_engine_stopping(set->engine)) {
    WH_TRY(wh_inbox_take(s->inbox, HAND_WAIT_US, &count, err));
    *ret_count += count;
    WH_TRY(wh_inbox_settle(s->inbox, err)); // it may take longer than they are hidden
  }
  return WH_OK;
}

wh_status wh_inboxes_again(wh_inboxes *set, const wh_pipeline *p, wh_error *err) {
  slot *s = slot_of(set, p);
  if (!s || !s->endpoint_is_feed) return WH_OK;
  wh_status status = s->inbox ? WH_OK : wh_inbox_open(set->engine, s->endpoint, &s->inbox, err);
  if (status == WH_ERR_BUSY)
    return wh_fail(err, status,
                   "%.*s: another process reads it (wherry up?). Stop that one, so that it can be "
                   "read from its beginning",
                   WH_STR_ARG(s->endpoint->queue));
  return status == WH_OK ? wh_inbox_again(s->inbox, err) : status;
}

wh_status wh_inboxes_settle(wh_inboxes *set, const wh_pipeline *p, wh_error *err) {
  slot *s = slot_of(set, p);
  return s && s->inbox ? wh_inbox_settle(s->inbox, err) : WH_OK;
}

// --- with threads --------------------------------------------------------------------------------

static void pause_for(wh_inboxes *set, int64_t us) {
  for (; us > 0 && !atomic_load(&set->stopping); us -= PAUSE_US)
    set->engine->os->type->sleep_ns(set->engine->os, PAUSE_US * 1000ll);
}

static wh_status open_slot(slot *s, wh_error *err) {
  wh_inbox *inbox;
  WH_TRY(wh_inbox_open(s->set->engine, s->endpoint, &inbox, err));
  pthread_mutex_lock(&s->set->mutex);
  s->inbox = inbox;
  pthread_mutex_unlock(&s->set->mutex);
  return WH_OK;
}

static wh_status turn(slot *s, wh_error *err) {
  size_t count;
  if (!s->inbox) WH_TRY(open_slot(s, err));
  bool holds = wh_inbox_held(s->inbox) > 0;
  WH_TRY(wh_inbox_take(s->inbox, holds ? HELD_WAIT_US : IDLE_WAIT_US, &count, err));
  return wh_inbox_settle(s->inbox, err);
}

static void *loop(void *context) {
  slot *s = context;
  while (!atomic_load(&s->set->stopping)) {
    wh_error err = {0};
    wh_status status = turn(s, &err);
    if (status == WH_OK) continue;
    wh_log_level level = status == WH_ERR_CHANGED ? WH_LOG_ERROR : WH_LOG_WARN;
    if (status != WH_ERR_BUSY && status != WH_ERR_CANCELLED)
      wh_log_error(level, s->endpoint_is_feed ? "feed" : "queue", &err);
    pause_for(s->set, AGAIN_US);
  }
  return NULL;
}

wh_status wh_inboxes_start(wh_inboxes *set, wh_error *err) {
  for (; set->started < set->count; set->started++) {
    slot *s = &set->slots[set->started];
    WH_TRY(wh_thread_start(&s->thread, loop, s, err));
  }
  return WH_OK;
}

void wh_inboxes_free(wh_inboxes *set) {
  if (!set) return;
  atomic_store(&set->stopping, true);
  pthread_mutex_lock(&set->mutex);
  for (size_t i = 0; i < set->started; i++)
    if (set->slots[i].inbox) wh_inbox_wake(set->slots[i].inbox);
  pthread_mutex_unlock(&set->mutex);
  for (size_t i = 0; i < set->started; i++)
    pthread_join(set->slots[i].thread, NULL);
  for (size_t i = 0; i < set->count; i++) {
    wh_error ignored = {0};
    if (set->slots[i].inbox) WH_IGNORE(wh_inbox_settle(set->slots[i].inbox, &ignored));
    wh_inbox_close(set->slots[i].inbox);
  }
  pthread_mutex_destroy(&set->mutex);
  wh_mem_free(set->engine->mem, set, sizeof *set);
}
