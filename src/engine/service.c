// `wherry up`: schedules and events, until somebody asks to stop. The main thread looks after time
// and notifications; a few workers run what is due, each pipeline once at a time.
#include "engine/announced.h"
#include "engine/inboxes.h"
#include "engine/pump.h"
#include "engine/retainer.h"
#include "engine/run.h"
#include "engine/shared.h"

#include "base/log.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
  WORKERS = 2,
  PIPELINES_MAX = 1024,
  QUEUES_MAX = 64,
  GATHERS_MAX = 256,
  EVENTS_AT_ONCE = 256,
  RESCAN_US = 60 * 1000000,    // listing as a fallback where notifications may be lost
  BUSY_AGAIN_US = 2 * 1000000, // somebody else runs the pipeline
  // The same where the ledger tells of what others leave: only of a worker that died it does not.
  BUSY_LISTENING_US = 5 * 1000000,
  ERROR_AGAIN_US = 30 * 1000000,
  QUEUE_AGAIN_US = 2 * 1000000, // shorter than any message stays hidden
  PAUSE_US = 100000,            // how soon a thread that waits sees that it is to end
};

typedef struct duty {
  const wh_pipeline *pipeline;
  bool objects;      // reads a store
  wh_gather *gather; // tells of rows that have gathered; NULL: nobody does
  int64_t due_us;    // to be taken up: a schedule, a retry, a scan
  int64_t look_us;   // to list the store, when it is taken up
  bool running, queued;
  bool retries; // its last run failed: due_us is when it is tried again
} duty;

typedef struct watch {
  wh_connection *connection;
  const wh_queue_type *type;
  wh_queue_handle *handle;
  size_t duty;
  int fd;
} watch;

// A queue connection, with a thread of its own that waits for its messages.
typedef struct receiver {
  struct service *service;
  wh_str queue;
  const wh_pipeline **served;
  size_t served_count;
  wh_announced *announced;
  pthread_t thread;
} receiver;

typedef struct service {
  wh_engine *engine;
  duty duties[PIPELINES_MAX];
  size_t duty_count;
  watch watches[QUEUES_MAX];
  size_t watch_count;
  duty *gathers[GATHERS_MAX]; // those with a gather
  size_t gather_count;
  receiver receivers[QUEUES_MAX];
  size_t receiver_count; // opened
  size_t listening;      // whose thread runs
  wh_arena arena;
  pthread_mutex_t mutex;
  pthread_cond_t work;
  bool stopping;
  wh_pump *pump;
  wh_inboxes *inboxes;
  wh_retainer *retainer;
  int64_t tick_ns; // monotonic; when the watcher was last told
  int changed_fd;  // a worker has finished: the main thread looks again
  int heard_fd;    // another process gave this one something to do; -1: none does
  pthread_t threads[WORKERS];
  size_t thread_count;
} service;

// --- workers -----------------------------------------------------------------------------------

static void wake_main(service *s) {
  uint64_t one = 1;
  ssize_t ignored = write(s->changed_fd, &one, sizeof one);
  (void)ignored;
}

static bool is_timed(const wh_pipeline *p) {
  return p->when.kind == WH_WHEN_EVERY || p->when.kind == WH_WHEN_CRON;
}

// Nobody tells of the objects that it reads, but for the pipelines that write them.
static bool is_waiting_model(const wh_pipeline *p) {
  return p->model && p->when.kind == WH_WHEN_NEW;
}

// When the pipeline has to be looked at again, after a run.
static int64_t look_again_us(service *s, const duty *d) {
  wh_engine *e = s->engine;
  int64_t next = INT64_MAX, visible;
  wh_due due;
  wh_error err = {0};
  if (wh_engine_next_due(e, d->pipeline, &due, &err) == WH_OK) next = due.start_us;
  if (d->gather) return d->gather->due_us(d->gather);
  if (is_waiting_model(d->pipeline)) return wh_now_us(e->os) + RESCAN_US;
  if (d->objects &&
      e->ledger->type->next_visible(e->ledger, d->pipeline->name, &visible, &err) == WH_OK &&
      visible < next) {
    next = visible;
  }
  return next;
}

// Lists the store; *ret_us is when to do so next.
static wh_status look(service *s, const duty *d, int64_t *ret_us, wh_error *err) {
  uint64_t fresh;
  int64_t settle_us;
  WH_TRY(wh_engine_scan(s->engine, d->pipeline, &fresh, &settle_us, err));
  int64_t rescan = wh_now_us(s->engine->os) + RESCAN_US;
  if (d->pipeline->when.kind == WH_WHEN_NEW && rescan < settle_us) settle_us = rescan;
  *ret_us = settle_us;
  return WH_OK;
}

// Somebody else runs the pipeline: takes a share in it, if there is one to take.
static int64_t help(service *s, const wh_pipeline *p) {
  wh_error err = {0};
  wh_status status = wh_shared_help(s->engine, p, &err);
  int64_t now = wh_now_us(s->engine->os);
  if (status == WH_OK) return now + (s->heard_fd < 0 ? BUSY_AGAIN_US : BUSY_LISTENING_US);
  char name[WH_CONFIG_NAME_MAX + 1];
  snprintf(name, sizeof name, "%.*s", WH_STR_ARG(p->name));
  wh_log_error(WH_LOG_WARN, name, &err);
  return now + ERROR_AGAIN_US;
}

// Gives when to take the pipeline up again; *ret_retries: because it failed. `looks`: its store is
// listed first, and *ret_look_us is when to do so again; *ret_ran: something was done.
static int64_t run_duty(service *s, const duty *d, bool looks, int64_t *ret_look_us, bool *ret_ran,
                        bool *ret_retries) {
  wh_engine *e = s->engine;
  const wh_pipeline *p = d->pipeline;
  wh_error err = {0};
  wh_status status = looks ? look(s, d, ret_look_us, &err) : WH_OK;
  wh_run_options options = {.scheduled = is_timed(p)};
  wh_run_totals totals = {0};
  if (d->gather) d->gather->begin(d->gather);
  if (status == WH_OK) status = wh_engine_run_pipeline(e, p, &options, &totals, &err);
  int64_t now = wh_now_us(e->os);
  *ret_ran = totals.runs > 0;
  *ret_retries = status != WH_OK || totals.failed;
  bool retries = d->gather || is_waiting_model(p);
  if (status == WH_OK && (totals.passes || (retries && totals.failed))) return now + ERROR_AGAIN_US;
  if (status == WH_OK) return look_again_us(s, d);
  if (status == WH_ERR_BUSY) return help(s, p);
  char name[WH_CONFIG_NAME_MAX + 1];
  snprintf(name, sizeof name, "%.*s", WH_STR_ARG(p->name));
  wh_log_error(WH_LOG_ERROR, name, &err);
  return now + ERROR_AGAIN_US;
}

static bool reads_of(const wh_pipeline *p, wh_str connection) {
  const wh_model *model = p->model;
  for (size_t i = 0; model && i < model->table_count; i++)
    if (wh_str_eq(model->tables[i].connection, connection)) return true;
  return wh_str_eq(p->from.connection, connection);
}

// Objects may have come for the pipelines that read where this one writes.
static void look_downstream(service *s, const wh_pipeline *p) {
  for (size_t i = 0; i < s->duty_count; i++) {
    duty *d = &s->duties[i];
    if (d->pipeline->when.kind != WH_WHEN_NEW) continue;
    if (reads_of(d->pipeline, p->to.connection)) d->due_us = d->look_us = 0;
  }
}

// With the mutex held, but not while it runs.
static void take_up(service *s, duty *d) {
  // A schedule says itself when to look.
  bool looks = d->objects && (is_timed(d->pipeline) || d->look_us <= wh_now_us(s->engine->os));
  int64_t look_us = INT64_MAX;
  d->queued = false;
  d->running = true;
  d->due_us = INT64_MAX;
  if (looks) d->look_us = INT64_MAX;
  pthread_mutex_unlock(&s->mutex);
  bool ran = false, retries = false;
  int64_t again = run_duty(s, d, looks, &look_us, &ran, &retries);
  pthread_mutex_lock(&s->mutex);
  d->running = false;
  d->retries = retries;
  // An event may have come meanwhile and made it due earlier. Where listing failed, it is tried
  // again with the rest.
  if (looks && look_us == INT64_MAX && d->pipeline->when.kind == WH_WHEN_NEW) look_us = again;
  if (looks && look_us < d->look_us) d->look_us = look_us;
  if (again < d->due_us || (retries && d->gather)) d->due_us = again;
  if (d->objects && d->look_us < d->due_us) d->due_us = d->look_us;
  if (ran) look_downstream(s, d->pipeline);
  wh_pump_wake(s->pump);
}

// Something of the pipeline has an outcome now, perhaps: its messages can be ended.
static void wake_receivers(service *s, const wh_pipeline *p) {
  for (size_t i = 0; i < s->receiver_count; i++)
    if (wh_str_eq(s->receivers[i].queue, p->when.queue))
      wh_announced_wake(s->receivers[i].announced);
}

static void *work_loop(void *context) {
  service *s = context;
  pthread_mutex_lock(&s->mutex);
  while (!s->stopping) {
    duty *next = NULL;
    for (size_t i = 0; i < s->duty_count && !next; i++) {
      if (s->duties[i].queued && !s->duties[i].running) next = &s->duties[i];
    }
    if (!next) {
      pthread_cond_wait(&s->work, &s->mutex);
      continue;
    }
    take_up(s, next);
    if (next->pipeline->when.kind == WH_WHEN_EVENT) wake_receivers(s, next->pipeline);
    wake_main(s);
  }
  pthread_mutex_unlock(&s->mutex);
  return NULL;
}

// --- the main thread ---------------------------------------------------------------------------

static wh_status open_watch(service *s, size_t index, wh_connection *c, wh_error *err) {
  if (!c->type->queue || s->watch_count == QUEUES_MAX) return WH_OK;
  watch *w = &s->watches[s->watch_count];
  *w = (watch){.connection = c, .type = c->type->queue, .duty = index};
  WH_TRY(w->type->open(c, wh_pipeline_watches(s->duties[index].pipeline), &w->handle, err));
  w->fd = w->type->fd(w->handle);
  s->watch_count++;
  return WH_OK;
}

static wh_status open_gather(service *s, duty *d, wh_connection *c, wh_error *err) {
  const wh_pipeline *p = d->pipeline; // its source gathers: config/ has seen to that
  if (s->gather_count == GATHERS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "one service waits for events for at most %d pipelines",
                   GATHERS_MAX);
  WH_TRY(c->type->source->gather(c, p->from.thing, &p->when.gathered, &d->gather, err));
  s->gathers[s->gather_count++] = d;
  return WH_OK;
}

// `begin: now` means the start of the service, not when the schedule is first due.
static void look_first(service *s, const wh_pipeline *p) {
  uint64_t fresh;
  int64_t settle_us;
  wh_error err = {0};
  wh_status status = wh_engine_scan(s->engine, p, &fresh, &settle_us, &err);
  if (status != WH_OK) wh_log_error(WH_LOG_WARN, "begin", &err); // the first run looks again
}

static wh_status add_duty(service *s, const wh_pipeline *p, wh_error *err) {
  if (p->when.kind == WH_WHEN_HAND) return WH_OK;
  if (s->duty_count == PIPELINES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "one service runs at most %d pipelines", PIPELINES_MAX);
  }
  size_t index = s->duty_count++;
  duty *d = &s->duties[index];
  *d = (duty){.pipeline = p};
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(s->engine, &p->from, &c, &is_rows, err));
  d->objects = !is_rows;
  if (d->objects && p->begin_now) look_first(s, p);
  if (p->when.kind == WH_WHEN_GATHERED) return open_gather(s, d, c, err); // what is there is due
  if (p->when.kind == WH_WHEN_EVENT) { // due at once: what an earlier service left
    d->look_us = INT64_MAX;
    return WH_OK;
  }
  if (p->when.kind != WH_WHEN_NEW) {
    wh_due due;
    WH_TRY(wh_engine_next_due(s->engine, p, &due, err));
    d->due_us = due.start_us;
    return WH_OK;
  }
  return open_watch(s, index, c, err); // due at once: list what came while nobody watched
}

// --- queues ------------------------------------------------------------------------------------

static receiver *receiver_of(service *s, wh_str queue) {
  for (size_t i = 0; i < s->receiver_count; i++)
    if (wh_str_eq(s->receivers[i].queue, queue)) return &s->receivers[i];
  return NULL;
}

static wh_status open_receiver(service *s, wh_str queue, wh_error *err) {
  if (s->receiver_count == QUEUES_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "one service listens to at most %d queues", QUEUES_MAX);
  receiver *r = &s->receivers[s->receiver_count];
  *r = (receiver){.service = s, .queue = queue};
  r->served = WH_NEW_ARRAY(&s->arena, s->duty_count, const wh_pipeline *);
  if (!r->served) return wh_fail_memory(err);
  for (size_t i = 0; i < s->duty_count; i++) {
    const wh_pipeline *p = s->duties[i].pipeline;
    if (p->when.kind == WH_WHEN_EVENT && wh_str_eq(p->when.queue, queue))
      r->served[r->served_count++] = p;
  }
  WH_TRY(wh_announced_open(s->engine, queue, r->served, r->served_count, &r->announced, err));
  s->receiver_count++;
  return WH_OK;
}

static wh_status open_receivers(service *s, wh_error *err) {
  for (size_t i = 0; i < s->duty_count; i++) {
    const wh_when *when = &s->duties[i].pipeline->when;
    if (when->kind != WH_WHEN_EVENT || receiver_of(s, when->queue)) continue;
    WH_TRY(open_receiver(s, when->queue, err));
  }
  return WH_OK;
}

static void found(void *context, const wh_pipeline *p) {
  service *s = context;
  pthread_mutex_lock(&s->mutex);
  for (size_t i = 0; i < s->duty_count; i++)
    if (s->duties[i].pipeline == p) s->duties[i].due_us = 0;
  pthread_mutex_unlock(&s->mutex);
  wake_main(s);
}

static bool is_stopping(service *s) {
  pthread_mutex_lock(&s->mutex);
  bool stopping = s->stopping;
  pthread_mutex_unlock(&s->mutex);
  return stopping;
}

static void pause_after_error(service *s) {
  for (int64_t waited = 0; waited < QUEUE_AGAIN_US && !is_stopping(s); waited += PAUSE_US)
    s->engine->os->type->sleep_ns(s->engine->os, PAUSE_US * 1000ll);
}

static void *listen_loop(void *context) {
  receiver *r = context;
  while (!is_stopping(r->service)) {
    wh_error err = {0};
    size_t count;
    wh_status status =
        wh_announced_take(r->announced, WH_ANNOUNCED_WAIT_US, found, r->service, &count, &err);
    if (status == WH_OK) continue;
    wh_log_error(WH_LOG_WARN, "queue", &err);
    pause_after_error(r->service);
  }
  return NULL;
}

// Takes the events off the queue; the pipeline is due, and lists the store itself.
static void drain_watch(service *s, watch *w) {
  wh_event events[EVENTS_AT_ONCE];
  bool any = false, lost = false;
  size_t count = 0;
  wh_error err = {0};
  do {
    wh_status status = w->type->receive(w->handle, events, EVENTS_AT_ONCE, 0, &count, &lost, &err);
    if (status != WH_OK) {
      wh_log_error(WH_LOG_WARN, "watch", &err);
      break;
    }
    any = any || count || lost;
    for (size_t i = 0; i < count; i++)
      WH_IGNORE(w->type->done(w->handle, events[i].receipt, &err));
  } while (count == EVENTS_AT_ONCE);
  if (!any) return;
  pthread_mutex_lock(&s->mutex);
  s->duties[w->duty].due_us = s->duties[w->duty].look_us = 0;
  pthread_mutex_unlock(&s->mutex);
}

// Not later than it is due already: a run that failed is tried again when its time has come.
static void look_at_gathered(service *s, duty *d) {
  uint64_t ignored;
  if (read(d->gather->fd, &ignored, sizeof ignored) < 0) return;
  pthread_mutex_lock(&s->mutex);
  int64_t due_us = d->gather->due_us(d->gather);
  if (due_us < d->due_us && !d->retries) d->due_us = due_us;
  pthread_mutex_unlock(&s->mutex);
}

// Another process put something into a queue, or left its work: no listing is needed to see it.
static void hear(void *context, wh_str pipeline) {
  service *s = context;
  pthread_mutex_lock(&s->mutex);
  for (size_t i = 0; i < s->duty_count; i++) {
    duty *d = &s->duties[i];
    if (!pipeline.len || wh_str_eq(d->pipeline->name, pipeline)) d->due_us = 0;
  }
  pthread_mutex_unlock(&s->mutex);
}

// Hands what is due to the workers; returns when the next is.
static int64_t dispatch(service *s) {
  int64_t now = wh_now_us(s->engine->os), next = INT64_MAX;
  pthread_mutex_lock(&s->mutex);
  for (size_t i = 0; i < s->duty_count; i++) {
    duty *d = &s->duties[i];
    if (d->queued || d->running) continue;
    if (d->due_us <= now) {
      d->queued = true;
      pthread_cond_signal(&s->work);
    } else if (d->due_us < next) {
      next = d->due_us;
    }
  }
  pthread_mutex_unlock(&s->mutex);
  return next;
}

static void wait_for_something(service *s, int64_t until_us) {
  enum { OWN = 3 };
  struct pollfd fds[QUEUES_MAX + GATHERS_MAX + OWN] = {{.fd = s->engine->wake_fd, .events = POLLIN},
                                                       {.fd = s->changed_fd, .events = POLLIN},
                                                       {.fd = s->heard_fd, .events = POLLIN}};
  for (size_t i = 0; i < s->watch_count; i++)
    fds[i + OWN] = (struct pollfd){.fd = s->watches[i].fd, .events = POLLIN};
  size_t count = s->watch_count + OWN;
  for (size_t i = 0; i < s->gather_count; i++)
    fds[count++] = (struct pollfd){.fd = s->gathers[i]->gather->fd, .events = POLLIN};
  int64_t wait_ms = -1;
  if (until_us != INT64_MAX) {
    wait_ms = (until_us - wh_now_us(s->engine->os) + 999) / 1000;
    if (wait_ms < 0) wait_ms = 0;
    if (wait_ms > RESCAN_US / 1000) wait_ms = RESCAN_US / 1000; // the wall clock may be set
  }
  bool ticks = s->engine->watcher.tick;
  if (ticks && (wait_ms < 0 || wait_ms > WH_TICK_US / 1000)) wait_ms = WH_TICK_US / 1000;
  int ready = poll(fds, count, (int)wait_ms);
  if (ready <= 0) return;
  uint64_t ignored;
  if (fds[1].revents && read(s->changed_fd, &ignored, sizeof ignored) < 0) return;
  wh_ledger *ledger = s->engine->ledger;
  if (fds[2].revents) ledger->type->heard(ledger, hear, s);
  for (size_t i = 0; i < s->watch_count; i++) {
    if (fds[i + OWN].revents) drain_watch(s, &s->watches[i]);
  }
  for (size_t i = 0; i < s->gather_count; i++)
    if (fds[i + OWN + s->watch_count].revents) look_at_gathered(s, s->gathers[i]);
}

static void tick(service *s) {
  const wh_watcher *w = &s->engine->watcher;
  int64_t now_ns = s->engine->os->type->monotonic_ns(s->engine->os);
  if (!w->tick || (s->tick_ns && now_ns - s->tick_ns < WH_TICK_US * 1000ll)) return;
  s->tick_ns = now_ns;
  w->tick(w->context);
}

static wh_status start_workers(service *s, wh_error *err) {
  for (; s->thread_count < WORKERS; s->thread_count++)
    WH_TRY(wh_thread_start(&s->threads[s->thread_count], work_loop, s, err));
  for (; s->listening < s->receiver_count; s->listening++) {
    receiver *r = &s->receivers[s->listening];
    WH_TRY(wh_thread_start(&r->thread, listen_loop, r, err));
  }
  return WH_OK;
}

static void stop_workers(service *s) {
  pthread_mutex_lock(&s->mutex);
  s->stopping = true;
  pthread_cond_broadcast(&s->work);
  pthread_mutex_unlock(&s->mutex);
  for (size_t i = 0; i < s->thread_count; i++)
    pthread_join(s->threads[i], NULL);
  for (size_t i = 0; i < s->listening; i++) {
    wh_announced_wake(s->receivers[i].announced);
    pthread_join(s->receivers[i].thread, NULL);
  }
  for (size_t i = 0; i < s->receiver_count; i++)
    wh_announced_close(s->receivers[i].announced);
  wh_pump_stop(s->pump);
  wh_inboxes_free(s->inboxes);
  wh_retainer_stop(s->retainer);
}

static wh_status serve(service *s, const wh_str *names, size_t count, wh_error *err) {
  wh_config *config = s->engine->config;
  size_t total = count ? count : config->pipeline_count;
  WH_TRY(wh_inboxes_make(s->engine, &s->inboxes, err));
  for (size_t i = 0; i < total; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (count) WH_TRY(wh_config_find_pipeline(config, names[i], &p, err));
    WH_TRY(add_duty(s, p, err));
    if (p->when.kind != WH_WHEN_HAND) WH_TRY(wh_inboxes_add(s->inboxes, p, err));
  }
  wh_ledger *ledger = s->engine->ledger;
  WH_TRY(open_receivers(s, err));
  WH_TRY(ledger->type->listen(ledger, &s->heard_fd, err));
  WH_TRY(wh_pump_start(s->engine, &s->pump, err));
  WH_TRY(wh_retainer_start(s->engine, &s->retainer, err));
  WH_TRY(start_workers(s, err));
  WH_TRY(wh_inboxes_start(s->inboxes, err));
  while (!wh_engine_stopping(s->engine)) {
    tick(s);
    wait_for_something(s, dispatch(s));
  }
  return WH_OK;
}

wh_status wh_engine_serve(wh_engine *engine, const wh_str *names, size_t count, wh_error *err) {
  service *s = wh_mem_alloc_zero(engine->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->engine = engine;
  s->heard_fd = -1;
  wh_arena_init(&s->arena, engine->mem);
  s->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&s->mutex, NULL);
  pthread_cond_init(&s->work, NULL);
  wh_status status = s->changed_fd < 0 ? wh_fail(err, wh_status_from_errno(errno), "eventfd failed")
                                       : serve(s, names, count, err);
  stop_workers(s);
  for (size_t i = 0; i < s->watch_count; i++)
    s->watches[i].type->close(s->watches[i].handle);
  for (size_t i = 0; i < s->gather_count; i++)
    s->gathers[i]->gather->close(s->gathers[i]->gather);
  pthread_cond_destroy(&s->work);
  pthread_mutex_destroy(&s->mutex);
  if (s->changed_fd >= 0) close(s->changed_fd);
  wh_arena_free(&s->arena);
  wh_mem_free(engine->mem, s, sizeof *s);
  return status;
}
