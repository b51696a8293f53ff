#include "engine/pump.h"

#include "base/log.h"
#include "base/thread.h"

enum {
  PASS_US = 60 * 1000000, // after so long the lease is given back once
  LOOK_US = 60 * 1000000, // other workers' runs, and those that were adopted, wait so long
  AFTER_FAILURE_US = 5 * 1000000,
};

struct wh_pump {
  wh_engine *engine;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool woken, stopping;
};

// Gives when to look again.
static int64_t deliver(wh_pump *p) {
  wh_error err = {0};
  wh_delivered d;
  wh_status status = wh_engine_deliver(p->engine, false, PASS_US, &d, &err);
  int64_t now_us = wh_now_us(p->engine->os);
  if (status != WH_OK) wh_log_error(WH_LOG_WARN, "notify", &err);
  int64_t next_us = status == WH_OK ? d.next_us : now_us;
  if ((status != WH_OK || d.paused) && next_us < now_us + AFTER_FAILURE_US)
    next_us = now_us + AFTER_FAILURE_US;
  return next_us < now_us + LOOK_US ? next_us : now_us + LOOK_US;
}

static void wait(wh_pump *p, int64_t until_us) {
  int64_t left_us = until_us - wh_now_us(p->engine->os);
  if (left_us <= 0) return;
  struct timespec until = wh_cond_until(left_us);
  pthread_cond_timedwait(&p->changed, &p->mutex, &until);
}

static void *loop(void *context) {
  wh_pump *p = context;
  pthread_mutex_lock(&p->mutex);
  while (!p->stopping) {
    p->woken = false;
    pthread_mutex_unlock(&p->mutex);
    int64_t again_us = deliver(p);
    pthread_mutex_lock(&p->mutex);
    if (!p->woken && !p->stopping) wait(p, again_us);
  }
  pthread_mutex_unlock(&p->mutex);
  return NULL;
}

static void free_pump(wh_pump *p) {
  pthread_cond_destroy(&p->changed);
  pthread_mutex_destroy(&p->mutex);
  wh_mem_free(p->engine->mem, p, sizeof *p);
}

wh_status wh_pump_start(wh_engine *engine, wh_pump **ret, wh_error *err) {
  *ret = NULL;
  if (!wh_engine_tells(engine)) return WH_OK;
  wh_pump *p = wh_mem_alloc_zero(engine->mem, sizeof *p);
  if (!p) return wh_fail_memory(err);
  p->engine = engine;
  WH_IGNORE(wh_cond_init(&p->changed, NULL));
  pthread_mutex_init(&p->mutex, NULL);
  wh_status status = wh_thread_start(&p->thread, loop, p, err);
  if (status == WH_OK)
    *ret = p;
  else
    free_pump(p);
  return status;
}

static void signal_pump(wh_pump *p, bool stop) {
  pthread_mutex_lock(&p->mutex);
  p->woken = true;
  p->stopping = p->stopping || stop;
  pthread_cond_signal(&p->changed);
  pthread_mutex_unlock(&p->mutex);
}

void wh_pump_wake(wh_pump *p) {
  if (p) signal_pump(p, false);
}

void wh_pump_stop(wh_pump *p) {
  if (!p) return;
  signal_pump(p, true);
  pthread_join(p->thread, NULL);
  free_pump(p);
}
