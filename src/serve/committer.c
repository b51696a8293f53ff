#include "serve/committer.h"

#include "base/log.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HOUSE_US = 60 * 1000000 }; // receipts grow old without anybody saying so

typedef struct vault {
  const wh_ingest *ingest;
  wh_ingest_log *log;
  atomic_uint_fast64_t waiting; // bytes
  atomic_int_fast64_t taken;    // events below this number were taken by pipelines
  atomic_int_fast64_t sent;     // and accepted by its queue; INT64_MAX: it has none
  int64_t kept_sent;            // is on disk
  int64_t pruned;               // went
  int64_t kept_ns;              // when its receipts were looked at
  bool has_more;                // to be pruned
} vault;

struct wh_committer {
  wh_os *os;
  wh_mem *mem;
  wh_connection *connection;
  vault *vaults;
  size_t count;
  wh_ingest_entry *group[WH_COMMITTER_GROUP_MAX];
  int64_t told_ns; // of a failure

  pthread_t thread;
  bool has_thread;
  pthread_mutex_t mutex; // over the rest
  pthread_cond_t more;
  wh_deposit *first, **last; // in their order
  bool stopping, woken;
};

static int64_t now_ns(const wh_committer *c) {
  return c->os->type->monotonic_ns(c->os);
}

static void tell(wh_committer *c, const vault *v, const wh_error *err) {
  int64_t now = now_ns(c);
  if (c->told_ns && now - c->told_ns < WH_COMMITTER_TELL_SECONDS * 1000000000LL) return;
  c->told_ns = now;
  char topic[WH_CONFIG_NAME_MAX + 16];
  snprintf(topic, sizeof topic, "ingest %.*s", WH_STR_ARG(v->ingest->endpoint->name));
  wh_log_error(WH_LOG_ERROR, topic, err);
}

// Events below this number may go.
static int64_t gone_of(const vault *v) {
  int64_t taken = atomic_load(&v->taken), sent = atomic_load(&v->sent);
  return taken < sent ? taken : sent;
}

// --- storing -------------------------------------------------------------------------------------

static void count_stored(wh_committer *c, size_t ingest, size_t count) {
  uint64_t events = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    const wh_ingest_entry *e = c->group[i];
    if (e->outcome != WH_INGEST_STORED) continue;
    events += e->events;
    bytes += e->lines.len;
  }
  if (!events) return;
  atomic_fetch_add(&c->vaults[ingest].waiting, bytes);
  wh_ingest_tell(c->connection, c->vaults[ingest].ingest->endpoint, events, bytes);
}

// All deposits of the list that are for the endpoint, in as few transactions as they fit in.
static void store(wh_committer *c, size_t ingest, wh_deposit *list) {
  vault *v = &c->vaults[ingest];
  for (wh_deposit *from = list, *next; from; from = next) {
    size_t count = 0;
    for (next = from; next && count < WH_COMMITTER_GROUP_MAX; next = next->next)
      if (!next->id.data && next->ingest == ingest) c->group[count++] = &next->entry;
    if (!count) continue;
    wh_error err = {0};
    int64_t since_us = wh_now_us(c->os) - v->ingest->keep_us;
    wh_status status = wh_ingest_log_append(v->log, c->group, count, since_us, &err);
    if (status == WH_OK)
      count_stored(c, ingest, count);
    else
      tell(c, v, &err);
    for (wh_deposit *d = from; d != next; d = d->next)
      if (!d->id.data && d->ingest == ingest) d->status = status;
  }
}

static void find(wh_committer *c, wh_deposit *d) {
  d->found = false;
  d->status = WH_OK;
  for (size_t i = 0; i < c->count && !d->found && d->status == WH_OK; i++) {
    wh_error err = {0};
    const wh_ingest_receipt *r = &d->entry.receipt;
    d->status = wh_ingest_log_find(c->vaults[i].log, d->id, &d->found, &d->entry.receipt, &err);
    if (d->status != WH_OK) tell(c, &c->vaults[i], &err);
    if (d->status != WH_OK || !d->found) continue;
    int64_t old_us = wh_now_us(c->os) - c->vaults[i].ingest->keep_us;
    d->taken = r->first + (int64_t)r->events <= gone_of(&c->vaults[i]);
    d->ingest = i;
    if (r->received_us < old_us && d->taken) { // it waits to be pruned
      d->found = false;
      return;
    }
  }
}

static void serve(wh_committer *c, wh_deposit *list) {
  for (size_t i = 0; i < c->count; i++)
    store(c, i, list);
  for (wh_deposit *d = list, *next; d; d = next) {
    next = d->next; // the caller has it back then
    if (d->id.data) find(c, d);
    d->done(d);
  }
}

// --- keeping house -------------------------------------------------------------------------------

// One step; true when there is more to do at once.
static bool prune(wh_committer *c, vault *v) {
  int64_t taken = gone_of(v), now = now_ns(c);
  bool is_old = now - v->kept_ns >= HOUSE_US * 1000ll;
  if (taken == v->pruned && !v->has_more && !is_old) return false;
  v->kept_ns = now;
  wh_error err = {0};
  wh_ingest_pruned gone;
  int64_t since_us = wh_now_us(c->os) - v->ingest->keep_us;
  wh_status status = wh_ingest_log_prune(v->log, taken, since_us, &gone, &err);
  v->pruned = taken;
  v->has_more = status == WH_OK && gone.more;
  if (status == WH_OK)
    atomic_fetch_sub(&v->waiting, gone.bytes);
  else
    tell(c, v, &err);
  return v->has_more;
}

// After a crash the queue gets at most what was accepted since once more.
static void keep_sent(wh_committer *c, vault *v) {
  int64_t sent = atomic_load(&v->sent);
  if (sent == v->kept_sent) return;
  wh_error err = {0};
  if (wh_ingest_log_keep_sent(v->log, sent, &err) == WH_OK)
    v->kept_sent = sent;
  else
    tell(c, v, &err);
}

static bool keep_house(wh_committer *c) {
  bool more = false;
  for (size_t i = 0; i < c->count; i++) {
    keep_sent(c, &c->vaults[i]);
    more = prune(c, &c->vaults[i]) || more;
  }
  return more;
}

// --- the thread ----------------------------------------------------------------------------------

static void wait(wh_committer *c) {
  struct timespec until = wh_cond_until(HOUSE_US);
  if (!c->first && !c->stopping && !c->woken) pthread_cond_timedwait(&c->more, &c->mutex, &until);
}

static void *loop(void *context) {
  wh_committer *c = context;
  bool more = false;
  pthread_mutex_lock(&c->mutex);
  while (!c->stopping || c->first) {
    if (!more) wait(c);
    wh_deposit *list = c->first;
    c->first = NULL;
    c->last = &c->first;
    c->woken = false;
    pthread_mutex_unlock(&c->mutex);
    if (list) serve(c, list);
    more = keep_house(c);
    pthread_mutex_lock(&c->mutex);
  }
  pthread_mutex_unlock(&c->mutex);
  return NULL;
}

void wh_committer_deposit(wh_committer *c, wh_deposit *d) {
  d->next = NULL;
  pthread_mutex_lock(&c->mutex);
  bool is_taken = !c->stopping;
  if (is_taken) {
    bool was_empty = !c->first;
    *c->last = d;
    c->last = &d->next;
    if (was_empty) pthread_cond_signal(&c->more);
  }
  pthread_mutex_unlock(&c->mutex);
  if (is_taken) return;
  d->status = WH_ERR_CANCELLED;
  d->done(d);
}

uint64_t wh_committer_waiting(const wh_committer *c, size_t ingest) {
  return atomic_load(&c->vaults[ingest].waiting);
}

static void note(wh_committer *c, atomic_int_fast64_t *where, int64_t number) {
  if (atomic_exchange(where, number) == number) return;
  pthread_mutex_lock(&c->mutex);
  c->woken = true;
  pthread_cond_signal(&c->more);
  pthread_mutex_unlock(&c->mutex);
}

void wh_committer_taken(wh_committer *c, size_t ingest, int64_t number) {
  note(c, &c->vaults[ingest].taken, number);
}

void wh_committer_sent(wh_committer *c, size_t ingest, int64_t number) {
  note(c, &c->vaults[ingest].sent, number);
}

// --- opening -------------------------------------------------------------------------------------

// What was taken before the endpoint had a queue was checked for no queue: it is the pipelines'
// alone.
static wh_status find_sent(vault *v, const wh_ingest_state *state, wh_error *err) {
  WH_TRY(wh_ingest_log_begin_sending(v->log, state->next, err));
  return wh_ingest_log_sent(v->log, &v->kept_sent, err);
}

static wh_status open_vault(wh_committer *c, const wh_ingest *ingest, vault *v, wh_error *err) {
  wh_ingest_state state;
  v->ingest = ingest;
  v->kept_ns = now_ns(c);
  WH_TRY(wh_ingest_log_open(c->os, c->mem, ingest->endpoint->log, &v->log, err));
  WH_TRY(wh_ingest_log_state(v->log, 0, &state, err));
  atomic_store(&v->waiting, state.bytes);
  v->kept_sent = INT64_MAX;
  if (ingest->to.len) WH_TRY(find_sent(v, &state, err));
  atomic_store(&v->sent, v->kept_sent);
  return WH_OK;
}

static wh_status start(wh_committer *c, const wh_ingest *ingests, size_t count, wh_error *err) {
  c->vaults = wh_mem_alloc_zero(c->mem, count * sizeof *c->vaults);
  if (!c->vaults) return wh_fail_memory(err);
  c->count = count;
  for (size_t i = 0; i < count; i++)
    WH_TRY(open_vault(c, &ingests[i], &c->vaults[i], err));
  WH_TRY(wh_thread_start(&c->thread, loop, c, err));
  c->has_thread = true;
  return WH_OK;
}

wh_status wh_committer_start(wh_os *os, wh_mem *mem, wh_connection *connection,
                             const wh_ingest *ingests, size_t count, wh_committer **ret,
                             wh_error *err) {
  wh_committer *c = wh_mem_alloc_zero(mem, sizeof *c);
  if (!c) return wh_fail_memory(err);
  c->os = os;
  c->mem = mem;
  c->connection = connection;
  c->last = &c->first;
  pthread_mutex_init(&c->mutex, NULL);
  WH_IGNORE(wh_cond_init(&c->more, NULL));
  wh_status status = start(c, ingests, count, err);
  if (status == WH_OK)
    *ret = c;
  else
    wh_committer_free(c);
  return status;
}

void wh_committer_stop(wh_committer *c) {
  if (!c || !c->has_thread) return;
  pthread_mutex_lock(&c->mutex);
  c->stopping = true;
  pthread_cond_signal(&c->more);
  pthread_mutex_unlock(&c->mutex);
  pthread_join(c->thread, NULL);
  c->has_thread = false;
  for (size_t i = 0; i < c->count; i++)
    keep_sent(c, &c->vaults[i]);
}

void wh_committer_free(wh_committer *c) {
  if (!c) return;
  for (size_t i = 0; i < c->count; i++)
    wh_ingest_log_close(c->vaults[i].log);
  wh_mem_free(c->mem, c->vaults, c->count * sizeof *c->vaults);
  pthread_cond_destroy(&c->more);
  pthread_mutex_destroy(&c->mutex);
  wh_mem_free(c->mem, c, sizeof *c);
}
