// A call of ODBC returns when the driver likes. SQLCancel may come from another thread (ODBC,
// "Canceling Functions Executing on Another Thread"): this one.
#include "base/thread.h"
#include "connect/odbc/session.h"

enum { LOOK_US = 20000 };

struct wh_odbc_watch {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  const atomic_bool *cancel;
  SQLHSTMT busy;    // SQL_NULL_HSTMT: no call is under way
  bool sleeps;      // until there is one
  int64_t until_ns; // 0: it may take as long as it needs
  bool timed_out;
  bool ended;
};

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void look(wh_odbc_watch *w) {
  bool late = w->until_ns && now_ns() >= w->until_ns;
  w->timed_out |= late;
  if (late || (w->cancel && atomic_load(w->cancel))) (void)wh_odbc.SQLCancel(w->busy);
}

// Calls are mostly shorter than the time between two looks: then nobody is woken for them.
static void *watch(void *context) {
  wh_odbc_watch *w = context;
  pthread_mutex_lock(&w->mutex);
  for (int idle = 0; !w->ended;) {
    enum { IDLE_MAX = 50 };
    idle = w->busy ? 0 : idle + 1;
    if (w->busy) look(w);
    if (idle > IDLE_MAX) {
      w->sleeps = true;
      pthread_cond_wait(&w->changed, &w->mutex);
      w->sleeps = false;
      idle = 0;
      continue;
    }
    struct timespec until = wh_cond_until(LOOK_US);
    pthread_cond_timedwait(&w->changed, &w->mutex, &until);
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

wh_status wh_odbc_watch_start(wh_odbc_session *s, wh_error *err) {
  wh_odbc_watch *w = wh_mem_alloc_zero(s->connection->mem, sizeof *w);
  if (!w) return wh_fail_memory(err);
  pthread_mutex_init(&w->mutex, NULL);
  WH_IGNORE(wh_cond_init(&w->changed, NULL));
  w->cancel = s->connection->cancel;
  if (pthread_create(&w->thread, NULL, watch, w) == 0) {
    s->watch = w;
    return WH_OK;
  }
  pthread_mutex_destroy(&w->mutex);
  pthread_cond_destroy(&w->changed);
  wh_mem_free(s->connection->mem, w, sizeof *w);
  return wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: no thread to be had",
                 WH_STR_ARG(s->connection->name));
}

void wh_odbc_watch_stop(wh_odbc_session *s) {
  wh_odbc_watch *w = s->watch;
  if (!w) return;
  pthread_mutex_lock(&w->mutex);
  w->ended = true;
  pthread_cond_signal(&w->changed);
  pthread_mutex_unlock(&w->mutex);
  pthread_join(w->thread, NULL);
  pthread_mutex_destroy(&w->mutex);
  pthread_cond_destroy(&w->changed);
  wh_mem_free(s->connection->mem, w, sizeof *w);
  s->watch = NULL;
}

void wh_odbc_begin_call(wh_odbc_session *s, SQLHSTMT stmt, int64_t limit_us) {
  wh_odbc_watch *w = s->watch;
  pthread_mutex_lock(&w->mutex);
  w->busy = stmt;
  w->until_ns = limit_us > 0 ? now_ns() + limit_us * 1000 : 0;
  w->timed_out = false;
  if (w->sleeps) pthread_cond_signal(&w->changed);
  pthread_mutex_unlock(&w->mutex);
}

// Behind this the watch does not touch the statement.
void wh_odbc_end_call(wh_odbc_session *s) {
  wh_odbc_watch *w = s->watch;
  pthread_mutex_lock(&w->mutex);
  w->busy = SQL_NULL_HSTMT;
  s->timed_out = w->timed_out;
  pthread_mutex_unlock(&w->mutex);
}
