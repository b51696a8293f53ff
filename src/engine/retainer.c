#include "engine/retainer.h"

#include "base/log.h"
#include "base/thread.h"

static const int64_t every_us = 6ll * 3600 * 1000000;

struct wh_retainer {
  wh_engine *engine;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool stopping;
};

static void retain(wh_engine *engine) {
  wh_error err = {0};
  wh_status status = wh_engine_retain(engine, false, NULL, NULL, &err);
  if (status != WH_OK && status != WH_ERR_BUSY && status != WH_ERR_CANCELLED)
    wh_log_error(WH_LOG_WARN, "retain", &err);
}

static void *loop(void *context) {
  wh_retainer *r = context;
  int64_t wait_us = 0;
  pthread_mutex_lock(&r->mutex);
  while (!r->stopping) {
    struct timespec until = wh_cond_until(wait_us);
    int woken = pthread_cond_timedwait(&r->changed, &r->mutex, &until);
    if (r->stopping || woken == 0) continue;
    pthread_mutex_unlock(&r->mutex);
    retain(r->engine);
    pthread_mutex_lock(&r->mutex);
    wait_us = every_us;
  }
  pthread_mutex_unlock(&r->mutex);
  return NULL;
}

static void free_retainer(wh_retainer *r) {
  pthread_cond_destroy(&r->changed);
  pthread_mutex_destroy(&r->mutex);
  wh_mem_free(r->engine->mem, r, sizeof *r);
}

wh_status wh_retainer_start(wh_engine *engine, wh_retainer **ret, wh_error *err) {
  *ret = NULL;
  if (engine->config->retain_count == 0) return WH_OK;
  wh_retainer *r = wh_mem_alloc_zero(engine->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->engine = engine;
  WH_IGNORE(wh_cond_init(&r->changed, NULL));
  pthread_mutex_init(&r->mutex, NULL);
  wh_status status = wh_thread_start(&r->thread, loop, r, err);
  if (status == WH_OK)
    *ret = r;
  else
    free_retainer(r);
  return status;
}

void wh_retainer_stop(wh_retainer *r) {
  if (!r) return;
  pthread_mutex_lock(&r->mutex);
  r->stopping = true;
  pthread_cond_signal(&r->changed);
  pthread_mutex_unlock(&r->mutex);
  pthread_join(r->thread, NULL);
  free_retainer(r);
}
