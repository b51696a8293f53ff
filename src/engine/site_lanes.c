#include "base/thread.h"
#include "engine/site_private.h"

typedef struct lanes {
  wh_engine *engine;
  size_t count;
  wh_site_work work;
  void *context;
  pthread_mutex_t mutex; // of what follows
  size_t next;
  wh_status status; // the first failure
  wh_error error;
} lanes;

static bool take(lanes *l, size_t *ret) {
  pthread_mutex_lock(&l->mutex);
  bool stops = l->engine->stop && atomic_load(l->engine->stop);
  if (stops && l->status == WH_OK && l->next < l->count)
    l->status = wh_fail(&l->error, WH_ERR_CANCELLED, "stopped");
  bool goes_on = l->status == WH_OK && l->next < l->count;
  if (goes_on) *ret = l->next++;
  pthread_mutex_unlock(&l->mutex);
  return goes_on;
}

static void *run_lane(void *context) {
  lanes *l = context;
  size_t i;
  while (take(l, &i)) {
    wh_error err = {0};
    wh_status status = l->work(l->context, i, &err);
    if (status == WH_OK) continue;
    pthread_mutex_lock(&l->mutex);
    if (l->status == WH_OK) {
      l->status = status;
      l->error = err;
    }
    pthread_mutex_unlock(&l->mutex);
  }
  return NULL;
}

wh_status wh_site_each(wh_engine *engine, size_t count, wh_site_work work, void *context,
                       wh_error *err) {
  lanes l = {.engine = engine,
             .count = count,
             .work = work,
             .context = context,
             .mutex = PTHREAD_MUTEX_INITIALIZER};
  pthread_t threads[WH_SITE_LANES];
  size_t started = 0, wanted = count < WH_SITE_LANES ? count : WH_SITE_LANES;
  while (started < wanted && wh_thread_start(&threads[started], run_lane, &l, NULL) == WH_OK)
    started++;
  if (count && !started) return wh_fail(err, WH_ERR_IO, "cannot start a thread");
  for (size_t i = 0; i < started; i++)
    pthread_join(threads[i], NULL);
  if (l.status != WH_OK && err) *err = l.error;
  return l.status;
}
