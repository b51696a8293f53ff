#include "engine/flow.h"

#include "base/queue.h"
#include "engine/lanes.h"
#include "engine/shared.h"
#include "engine/step_tables.h"

#include <pthread.h>

enum {
  ROOM_SHARE_OF_MEMORY = 16, // of `memory`, for rows on their way between the stages
};

// How much is on its way. The reading stage waits while it is more than `most`, so that large rows
// go one at a time.
typedef struct room {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  size_t bytes, most;
  bool cancelled;
} room;

struct wh_flow {
  wh_flow_options options;
  wh_gate gate; // of the options
  wh_mem *mem;
  wh_step_tables tables;
  wh_stage stage;
  bool added;                  // a gate behind what the pipeline says
  const wh_encoding *encoding; // NULL: the rows are wanted as they are
  wh_lanes *lanes;
  wh_shared *shared; // NULL: this process reads
  wh_slot slots[WH_FLOW_SLOTS];
  size_t slot_count; // made so far
  bool ended, reader_failed;
  bool threaded;
  pthread_t thread;
  wh_queue free, full; // of wh_slot *
  room room;
};

// --- the reading stage -------------------------------------------------------------------------

static void room_wait(room *r) {
  pthread_mutex_lock(&r->mutex);
  while (r->bytes > r->most && !r->cancelled)
    pthread_cond_wait(&r->changed, &r->mutex);
  pthread_mutex_unlock(&r->mutex);
}

static void room_take(room *r, size_t bytes) {
  pthread_mutex_lock(&r->mutex);
  r->bytes += bytes;
  pthread_mutex_unlock(&r->mutex);
}

static void room_give(room *r, size_t bytes, bool cancel) {
  pthread_mutex_lock(&r->mutex);
  r->bytes -= bytes;
  r->cancelled = r->cancelled || cancel;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->mutex);
}

static void *read_ahead(void *context) {
  wh_flow *f = context;
  void *s;
  while (wh_queue_pop(&f->free, &s)) {
    wh_slot *next = s;
    room_wait(&f->room);
    wh_stage_fill(&f->stage, next);
    next->bytes = next->read.bytes + next->lines.lines.len;
    room_take(&f->room, next->bytes);
    bool last = next->status != WH_OK;
    if (!wh_queue_push(&f->full, next) || last) break;
  }
  return NULL;
}

// --- outside -----------------------------------------------------------------------------------

wh_status wh_flow_open(const wh_flow_options *options, wh_flow **ret, wh_error *err) {
  wh_mem *mem = options->engine->mem;
  wh_flow *f = wh_mem_alloc_zero(mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->options = *options;
  f->gate = *options->gate;
  f->options.gate = &f->gate;
  wh_step_tables_init(&f->tables, options->engine, options->pipeline);
  f->options.tables = &f->tables.base;
  f->mem = mem;
  f->room.most = (size_t)options->engine->config->memory_bytes / ROOM_SHARE_OF_MEMORY;
  pthread_mutex_init(&f->room.mutex, NULL);
  pthread_cond_init(&f->room.changed, NULL);
  wh_status status = wh_stage_open(&f->stage, &f->options, err);
  if (status != WH_OK) {
    wh_flow_close(f);
    return status;
  }
  *ret = f;
  return WH_OK;
}

wh_status wh_flow_add_gate(wh_flow *f, const wh_gate *gate, wh_error *err) {
  f->added = true;
  return wh_stage_add_gate(&f->stage, gate, err);
}

// Lanes are for an object that is cut, whose rows do not depend on each other.
bool wh_flow_encode(wh_flow *f, const wh_encoding *encoding) {
  if (f->options.engine->single_thread || f->options.window || f->added) return false;
  if (!f->options.reader->next_part || !encoding->codec->open_encoder) return false;
  if (wh_stage_holds_back(&f->stage) || wh_stage_remembers(&f->stage)) return false;
  f->encoding = encoding;
  return true;
}

wh_status wh_flow_share(wh_flow *f, wh_shared *shared, wh_error *err) {
  const wh_pipeline *p = f->options.pipeline;
  if (wh_stage_holds_back(&f->stage) || wh_stage_remembers(&f->stage))
    return wh_node_fail(p->node, err,
                        "pipeline %.*s: read: shared: a step or expectation has to see all rows, "
                        "and no worker does",
                        WH_STR_ARG(p->name));
  f->shared = shared;
  return WH_OK;
}

wh_status wh_flow_start(wh_flow *f, uint64_t skip_through, wh_error *err) {
  if (f->shared) return WH_OK;
  if (f->encoding) return wh_lanes_open(&f->options, f->encoding, &f->lanes, err);
  f->stage.skip_through = skip_through;
  size_t slots = f->options.engine->single_thread ? 1 : WH_FLOW_SLOTS;
  for (size_t i = 0; i < slots; i++) {
    f->slot_count++;
    WH_TRY(wh_slot_init(&f->slots[i], &f->stage, err));
  }
  if (slots == 1) return WH_OK;
  WH_TRY(wh_queue_init(&f->free, f->mem, WH_FLOW_SLOTS, err));
  WH_TRY(wh_queue_init(&f->full, f->mem, WH_FLOW_SLOTS, err));
  for (size_t i = 0; i < slots; i++)
    wh_queue_push(&f->free, &f->slots[i]);
  int error = pthread_create(&f->thread, NULL, read_ahead, f);
  if (error) return wh_fail(err, wh_status_from_errno(error), "cannot start a thread");
  f->threaded = true;
  return WH_OK;
}

const wh_schema *wh_flow_schema(const wh_flow *f) {
  return f->stage.schema;
}

const wh_fresh *wh_flow_fresh(const wh_flow *f, size_t *ret_count) {
  *ret_count = f->stage.fresh_count;
  return f->stage.fresh;
}

void wh_newest_init(int64_t newest[WH_FRESH_MAX]) {
  for (size_t i = 0; i < WH_FRESH_MAX; i++)
    newest[i] = WH_NEWEST_NONE;
}

void wh_newest_add(int64_t to[WH_FRESH_MAX], const int64_t from[WH_FRESH_MAX]) {
  for (size_t i = 0; i < WH_FRESH_MAX; i++)
    if (from[i] > to[i]) to[i] = from[i];
}

bool wh_flow_holds_back(const wh_flow *f) {
  return wh_stage_holds_back(&f->stage);
}

wh_status wh_flow_next(wh_flow *f, wh_flow_item **ret, wh_error *err) {
  if (f->ended) return WH_ERR_END;
  if (f->shared) {
    wh_status status = wh_shared_next(f->shared, ret, err);
    f->ended = status != WH_OK;
    return status;
  }
  if (f->lanes) {
    wh_status status = wh_lanes_next(f->lanes, ret, err);
    f->ended = status != WH_OK;
    f->reader_failed = wh_lanes_reader_failed(f->lanes);
    return status;
  }
  wh_slot *s = &f->slots[0];
  if (f->threaded) {
    void *next;
    if (!wh_queue_pop(&f->full, &next))
      return wh_fail(err, WH_ERR_BUG, "the reading stage is gone");
    s = next;
  } else {
    wh_stage_fill(&f->stage, s);
  }
  if (s->status != WH_OK) {
    f->ended = true;
    f->reader_failed = s->reader_failed;
    if (err) *err = s->error;
    return s->status;
  }
  *ret = &s->item;
  return WH_OK;
}

bool wh_flow_reader_failed(const wh_flow *f) {
  return f->reader_failed;
}

void wh_flow_release(wh_flow *f, wh_flow_item *item) {
  if (f->lanes) {
    wh_lanes_release(f->lanes, item);
    return;
  }
  if (!f->threaded) return;
  wh_slot *s = (wh_slot *)item;
  wh_slot_empty(s);
  room_give(&f->room, s->bytes, false);
  wh_queue_push(&f->free, s);
}

void wh_flow_close(wh_flow *f) {
  if (!f) return;
  if (f->threaded) {
    wh_queue_cancel(&f->free);
    wh_queue_cancel(&f->full);
    room_give(&f->room, 0, true);
    pthread_join(f->thread, NULL);
  }
  wh_lanes_close(f->lanes);
  wh_queue_free(&f->free);
  wh_queue_free(&f->full);
  pthread_cond_destroy(&f->room.changed);
  pthread_mutex_destroy(&f->room.mutex);
  for (size_t i = 0; i < f->slot_count; i++)
    wh_slot_free(&f->slots[i], &f->stage);
  wh_stage_close(&f->stage);
  wh_keyed_tables_free(&f->tables.base);
  wh_mem_free(f->mem, f, sizeof *f);
}
