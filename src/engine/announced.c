#include "engine/announced.h"

#include "base/log.h"
#include "engine/run.h"

#include <stdio.h>

enum { EVENTS_AT_ONCE = 64, NS_PER_US = 1000, FULL_WAIT_US = 100000 };

typedef enum item_state {
  ITEM_LOOK, // the store has not been asked yet
  ITEM_OPEN, // in the ledger's queue
  ITEM_DONE,
  ITEM_DEAD,
} item_state;

// An object that a message announces to a pipeline.
typedef struct item {
  struct item *next;
  const wh_pipeline *pipeline;
  bool served;
  item_state state;
  int64_t look_ns;     // not to be asked for before
  char *key, *version; // NUL-terminated; the version is NULL before the store was asked
} item;

typedef struct message {
  uint64_t receipt;
  uint32_t missing; // of its events are still to come
  int64_t hidden_us, extend_ns;
  item *items;
  bool unreadable;
} message;

struct wh_announced {
  wh_engine *engine;
  const wh_queue_type *type;
  wh_queue_handle *handle;
  wh_str queue;
  bool is_any; // the caller's queue, for every pipeline
  const wh_pipeline *const *served;
  size_t served_count;
  message *messages;
  size_t count, cap;
  bool told_stranger;
  wh_arena scratch; // reset for each object
  void (*found)(void *context, const wh_pipeline *pipeline);
  void *context;
};

static int64_t now_ns(const wh_announced *a) {
  return a->engine->os->type->monotonic_ns(a->engine->os);
}

static void log_warning(const wh_announced *a, const wh_error *why) {
  char name[WH_CONFIG_NAME_MAX + 1];
  snprintf(name, sizeof name, "%.*s", WH_STR_ARG(a->queue));
  wh_log_error(WH_LOG_WARN, name, why);
}

// --- messages in hand ----------------------------------------------------------------------------

static void free_text(wh_mem *mem, char *text) {
  if (text) wh_mem_free(mem, text, strlen(text) + 1);
}

static char *copy_text(wh_mem *mem, wh_str text) {
  char *copy = wh_mem_alloc(mem, text.len + 1);
  if (!copy) return NULL;
  memcpy(copy, text.data, text.len);
  copy[text.len] = 0;
  return copy;
}

static void free_items(wh_announced *a, message *m) {
  while (m->items) {
    item *next = m->items->next;
    free_text(a->engine->mem, m->items->key);
    free_text(a->engine->mem, m->items->version);
    wh_mem_free(a->engine->mem, m->items, sizeof *m->items);
    m->items = next;
  }
}

// The message of the event: events of one follow one another, so it is the last or a new one.
static message *message_of(wh_announced *a, const wh_event *event) {
  if (a->count && a->messages[a->count - 1].receipt == event->receipt)
    return &a->messages[a->count - 1];
  if (a->count == a->cap) {
    size_t cap = a->cap ? 2 * a->cap : 64;
    message *moved =
        wh_mem_realloc(a->engine->mem, a->messages, a->cap * sizeof *moved, cap * sizeof *moved);
    if (!moved) return NULL;
    a->messages = moved;
    a->cap = cap;
  }
  message *m = &a->messages[a->count++];
  *m = (message){.receipt = event->receipt,
                 .missing = event->of_receipt,
                 .hidden_us = event->hidden_us,
                 .extend_ns = now_ns(a) + event->hidden_us / 2 * NS_PER_US};
  return m;
}

static bool serves(const wh_announced *a, const wh_pipeline *p) {
  for (size_t i = 0; i < a->served_count; i++)
    if (a->served[i] == p) return true;
  return false;
}

static wh_status add_item(wh_announced *a, message *m, const wh_pipeline *p, wh_str key,
                          wh_error *err) {
  wh_mem *mem = a->engine->mem;
  item *i = wh_mem_alloc_zero(mem, sizeof *i);
  if (!i) return wh_fail_memory(err);
  *i = (item){.next = m->items, .pipeline = p, .served = serves(a, p), .key = copy_text(mem, key)};
  if (!i->key) {
    wh_mem_free(mem, i, sizeof *i);
    return wh_fail_memory(err);
  }
  m->items = i;
  return WH_OK;
}

// --- what an event means -------------------------------------------------------------------------

// Whether it is an object that the pipeline waits for; *ret_known: at least it is of its store.
static wh_status is_for(const wh_announced *a, const wh_pipeline *p, const wh_event *event,
                        wh_str *ret_key, bool *ret_known, bool *ret, wh_error *err) {
  wh_connection *c;
  bool is_rows;
  *ret = false;
  WH_TRY(wh_input_connect(a->engine, &p->from, &c, &is_rows, err));
  const wh_store_type *store = c->type->store;
  if (!store->announced(c, event->bucket, event->store_key, ret_key)) return WH_OK;
  // What Wherry puts there for itself is announced, too.
  *ret_known = *ret_known || wh_str_starts(*ret_key, WH_OWN_PREFIX);
  *ret = !wh_str_starts(*ret_key, WH_OWN_PREFIX) && wh_key_check(*ret_key, NULL) == WH_OK &&
         wh_pipeline_takes(p, *ret_key);
  return WH_OK;
}

static void tell_stranger(wh_announced *a, const wh_event *event) {
  if (a->told_stranger) return;
  a->told_stranger = true;
  char text[WH_ERROR_TEXT_MAX];
  snprintf(text, sizeof text,
           "%.*s announces %.*s of bucket %.*s, which no pipeline reads. Such messages are deleted",
           WH_STR_ARG(a->queue), (int)wh_utf8_cut(event->store_key, 200), event->store_key.data,
           (int)wh_utf8_cut(event->bucket, 64), event->bucket.data);
  wh_engine_notice(a->engine, a->served[0]->name, text);
}

bool wh_announced_reach(const wh_config *config, const wh_pipeline *p) {
  if (p->when.kind != WH_WHEN_EVENT && p->when.kind != WH_WHEN_NEW) return false;
  if (wh_complete_has_marker(&p->complete)) return false; // an event tells of one of the two
  const wh_store_type *store = wh_config_find_connection(config, p->from.connection)->type->store;
  return store && store->announced;
}

static bool listens(const wh_announced *a, const wh_pipeline *p) {
  if (a->is_any) return wh_announced_reach(a->engine->config, p);
  return p->when.kind == WH_WHEN_EVENT && wh_str_eq(p->when.queue, a->queue);
}

static wh_status add_event(wh_announced *a, message *m, const wh_event *event, wh_error *err) {
  if (event->problem.len) {
    wh_error why = {0};
    WH_IGNORE(wh_fail(&why, WH_ERR_DATA, "a message cannot be read: %.*s. It is given back",
                      WH_STR_ARG(event->problem)));
    log_warning(a, &why);
    m->unreadable = true;
    return WH_OK;
  }
  bool any = false, known = false;
  const wh_config *config = a->engine->config;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!listens(a, p)) continue;
    wh_str key;
    bool is_its;
    WH_TRY(is_for(a, p, event, &key, &known, &is_its, err));
    if (!is_its) continue;
    any = true;
    WH_TRY(add_item(a, m, p, key, err));
  }
  if (!any && !known) tell_stranger(a, event);
  return WH_OK;
}

// A message of which something could not be taken down is given back when the rest has an outcome.
static wh_status take_event(wh_announced *a, const wh_event *event, wh_error *err) {
  message *m = message_of(a, event);
  if (!m) return wh_fail_memory(err);
  if (m->missing) m->missing--;
  wh_status status = add_event(a, m, event, err);
  if (status != WH_OK) m->unreadable = true;
  return status;
}

// --- what becomes of an object -------------------------------------------------------------------

static wh_status read_outcome(wh_announced *a, item *i, wh_error *err) {
  const wh_ledger_type *ledger = a->engine->ledger->type;
  wh_outcome outcome;
  WH_TRY(ledger->outcome(a->engine->ledger, i->pipeline->name, wh_str_of(i->key),
                         wh_str_of(i->version), &outcome, err));
  i->state = outcome == WH_OUTCOME_DONE   ? ITEM_DONE
             : outcome == WH_OUTCOME_DEAD ? ITEM_DEAD
                                          : ITEM_OPEN;
  return WH_OK;
}

// What the store has under the key goes into the ledger's queue. Nothing goes there too: the run
// that looks for it finds it gone, and says so, unless it is back by then.
static wh_status put(wh_announced *a, item *i, const wh_object *object, wh_error *err) {
  wh_mem *mem = a->engine->mem;
  wh_ledger *ledger = a->engine->ledger;
  wh_str name = i->pipeline->name, key = wh_str_of(i->key);
  wh_str version = object ? object->version : WH_STR(WH_ANNOUNCED_GONE);
  int64_t order = object ? object->modified_us : wh_now_us(a->engine->os);
  bool fresh;
  WH_TRY(ledger->type->put(ledger, name, key, version, order, &fresh, err));
  if (!i->version) i->version = copy_text(mem, version);
  if (!i->version) return wh_fail_memory(err);
  WH_TRY(read_outcome(a, i, err));
  if (i->state == ITEM_DEAD) {
    WH_TRY(ledger->type->retry(ledger, name, key, version, err));
    i->state = ITEM_OPEN;
  }
  if (i->state == ITEM_OPEN && i->served)
    a->found(a->context, i->pipeline);
  else
    i->state = ITEM_DONE;
  return WH_OK;
}

static wh_status look(wh_announced *a, item *i, wh_error *err) {
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(a->engine, &i->pipeline->from, &c, &is_rows, err));
  wh_arena_reset(&a->scratch);
  wh_object object;
  wh_status status = c->type->store->stat(c, wh_str_of(i->key), &a->scratch, &object, err);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  return put(a, i, status == WH_OK ? &object : NULL, err);
}

static bool passes(wh_status status) {
  return wh_will_pass(status) || status == WH_ERR_CANCELLED || status == WH_ERR_MEMORY;
}

// Brings the item on as far as it goes now. A store or ledger that does not answer is asked again
// later; the message stays hidden meanwhile. Where asking is vain, the message is given back.
static void bring_on(wh_announced *a, item *i) {
  wh_error why = {0};
  wh_status status = WH_OK;
  if (i->state == ITEM_LOOK && now_ns(a) >= i->look_ns)
    status = look(a, i, &why);
  else if (i->state == ITEM_OPEN)
    status = read_outcome(a, i, &why);
  if (status == WH_OK) return;
  log_warning(a, &why);
  if (i->state == ITEM_LOOK && !passes(status)) i->state = ITEM_DEAD;
  i->look_ns = now_ns(a) + (int64_t)WH_ANNOUNCED_AGAIN_US * NS_PER_US;
}

static bool is_open(const message *m) {
  if (m->missing) return true;
  for (const item *i = m->items; i; i = i->next)
    if (i->state == ITEM_LOOK || i->state == ITEM_OPEN) return true;
  return false;
}

static bool has_failed(const message *m) {
  for (const item *i = m->items; i; i = i->next)
    if (i->state == ITEM_DEAD) return true;
  return m->unreadable;
}

static wh_status extend(wh_announced *a, message *m, wh_error *err) {
  if (now_ns(a) < m->extend_ns) return WH_OK;
  m->extend_ns = now_ns(a) + m->hidden_us / 2 * NS_PER_US;
  return a->type->extend(a->handle, m->receipt, m->hidden_us, err);
}

// Ends the message, extends it, or leaves it be; *ret_ended: it is the queue's again.
static wh_status settle(wh_announced *a, message *m, bool *ret_ended, wh_error *err) {
  for (item *i = m->items; i; i = i->next)
    bring_on(a, i);
  *ret_ended = !is_open(m);
  if (*ret_ended)
    return (has_failed(m) ? a->type->fail : a->type->done)(a->handle, m->receipt, err);
  return extend(a, m, err);
}

// What the queue does not take comes again by itself: that is told and not more.
static void settle_all(wh_announced *a) {
  size_t kept = 0;
  for (size_t at = 0; at < a->count; at++) {
    bool ended;
    wh_error why = {0};
    if (settle(a, &a->messages[at], &ended, &why) != WH_OK) log_warning(a, &why);
    if (ended)
      free_items(a, &a->messages[at]);
    else
      a->messages[kept++] = a->messages[at];
  }
  a->count = kept;
}

// --- taking --------------------------------------------------------------------------------------

// Until when to wait: some message has to be extended by then, or some store asked again.
static int64_t until_us(const wh_announced *a, int64_t wait_us) {
  int64_t first = INT64_MAX;
  for (size_t at = 0; at < a->count; at++) {
    const message *m = &a->messages[at];
    if (m->extend_ns < first) first = m->extend_ns;
    for (const item *i = m->items; i; i = i->next)
      if (i->state == ITEM_LOOK && i->look_ns < first) first = i->look_ns;
  }
  if (first == INT64_MAX) return wait_us;
  int64_t left_us = (first - now_ns(a)) / NS_PER_US;
  if (left_us < 1) left_us = 1;
  return left_us < wait_us ? left_us : wait_us;
}

// Every event that came is taken, also behind one that could not be: its message counts on it.
static wh_status receive(wh_announced *a, int64_t wait_us, size_t *ret_count, wh_error *err) {
  wh_event events[EVENTS_AT_ONCE];
  size_t count = 0, before = a->count;
  bool lost, mid_message;
  wh_status first = WH_OK;
  do {
    WH_TRY(a->type->receive(a->handle, events, EVENTS_AT_ONCE, wait_us, &count, &lost, err));
    for (size_t i = 0; i < count; i++) {
      wh_error why = {0};
      wh_status status = take_event(a, &events[i], &why);
      if (status == WH_OK || first != WH_OK) continue;
      first = status;
      if (err) *err = why;
    }
    mid_message = count && a->count && a->messages[a->count - 1].missing;
  } while (mid_message && first == WH_OK);
  *ret_count = a->count - before;
  return first;
}

static void flush(wh_announced *a) {
  wh_error why = {0};
  if (a->type->flush && a->type->flush(a->handle, &why) != WH_OK) log_warning(a, &why);
}

wh_status wh_announced_take(wh_announced *a, int64_t wait_us,
                            void (*found)(void *context, const wh_pipeline *pipeline),
                            void *context, size_t *ret_count, wh_error *err) {
  a->found = found;
  a->context = context;
  *ret_count = 0;
  settle_all(a);
  if (a->count >= WH_ANNOUNCED_MESSAGES_MAX) {
    flush(a);
    a->engine->os->type->sleep_ns(a->engine->os, (int64_t)FULL_WAIT_US * NS_PER_US);
    return WH_OK;
  }
  WH_TRY(receive(a, until_us(a, wait_us), ret_count, err));
  if (*ret_count) settle_all(a);
  return WH_OK;
}

void wh_announced_keep(wh_announced *a) {
  bool any = false;
  for (size_t i = 0; i < a->count; i++) {
    wh_error why = {0};
    any = any || now_ns(a) >= a->messages[i].extend_ns;
    if (extend(a, &a->messages[i], &why) != WH_OK) log_warning(a, &why);
  }
  if (any) flush(a);
}

void wh_announced_wake(wh_announced *a) {
  a->type->wake(a->handle);
}

// --- beginning and end ---------------------------------------------------------------------------

static wh_announced *make(wh_engine *engine, wh_str queue, const wh_pipeline *const *served,
                          size_t count) {
  wh_announced *a = wh_mem_alloc_zero(engine->mem, sizeof *a);
  if (!a) return NULL;
  *a = (wh_announced){.engine = engine, .queue = queue, .served = served, .served_count = count};
  wh_arena_init(&a->scratch, engine->mem);
  return a;
}

wh_status wh_announced_over(wh_engine *engine, const wh_queue_type *type, wh_queue_handle *handle,
                            wh_str name, const wh_pipeline *const *served, size_t count,
                            wh_announced **ret, wh_error *err) {
  wh_announced *a = make(engine, name, served, count);
  if (!a) return wh_fail_memory(err);
  a->type = type;
  a->handle = handle;
  a->is_any = true;
  *ret = a;
  return WH_OK;
}

wh_status wh_announced_open(wh_engine *engine, wh_str queue, const wh_pipeline *const *served,
                            size_t count, wh_announced **ret, wh_error *err) {
  wh_announced *a = make(engine, queue, served, count);
  if (!a) return wh_fail_memory(err);
  wh_connection *c;
  wh_status status = wh_config_connect(engine->config, queue, &c, err);
  if (status == WH_OK) {
    a->type = c->type->queue;
    status = a->type->open(c, (wh_str){0}, &a->handle, err);
  }
  if (status == WH_OK)
    *ret = a;
  else
    wh_announced_close(a);
  return status;
}

static void found_nothing(void *context, const wh_pipeline *pipeline) {
  (void)context, (void)pipeline;
}

void wh_announced_close(wh_announced *a) {
  if (!a) return;
  a->found = found_nothing; // whoever was told before may be gone
  if (a->handle) settle_all(a);
  for (size_t i = 0; i < a->count; i++) {
    wh_error ignored = {0}; // then it comes again when its time is over
    WH_IGNORE(a->type->extend(a->handle, a->messages[i].receipt, 0, &ignored));
    free_items(a, &a->messages[i]);
  }
  if (a->handle && !a->is_any) a->type->close(a->handle);
  wh_mem_free(a->engine->mem, a->messages, a->cap * sizeof *a->messages);
  wh_arena_free(&a->scratch);
  wh_mem_free(a->engine->mem, a, sizeof *a);
}
