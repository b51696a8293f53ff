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

typedef struct flow_branch {
  wh_flow_options options;
  wh_gate gate;     // of the options
  wh_reader reader; // stands in for the one of all tables, and is not read
  wh_step_tables tables;
  wh_stage stage;
} flow_branch;

// One batch on its way; of which branch shows only when it is read.
typedef struct seat {
  wh_slot *slots;        // one a branch
  wh_slot *slot;         // whose it is
  wh_batch *reads;       // of several tables, one a branch: where they are read
  wh_reject_lines lines; // rejected while they were
} seat;

struct wh_flow {
  wh_flow_options options;
  wh_mem *mem;
  flow_branch *branches;
  size_t branch_count, branch_cap;
  size_t finishing;            // of several tables, at their end: the branch whose steps are
  bool added;                  // a gate behind what the pipeline says
  const wh_encoding *encoding; // NULL: the rows are wanted as they are
  wh_lanes *lanes;
  wh_shared *shared; // NULL: this process reads
  seat seats[WH_FLOW_SLOTS];
  size_t seat_count; // made so far
  bool ended, reader_failed;
  bool threaded;
  pthread_t thread;
  wh_queue free, full; // of seat *
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

// Of all branches, one after the other, what their steps have held back.
static void finish_tables(wh_flow *f, seat *at) {
  for (;; f->finishing++) {
    at->slot = &at->slots[f->finishing];
    wh_stage_fill(&f->branches[f->finishing].stage, at->slot);
    if (at->slot->status != WH_ERR_END || f->finishing + 1 == f->branch_count) return;
  }
}

static void fill_table(wh_flow *f, seat *at) {
  wh_tables_reader *reader = f->options.tables_reader;
  if (f->branches[0].stage.at_end) {
    finish_tables(f, at);
    return;
  }
  for (size_t i = 0; i < f->branch_count; i++)
    wh_batch_reset(&at->reads[i]);
  wh_reject_lines_clear(&at->lines, NULL);
  size_t table = 0;
  wh_error why = {0};
  wh_status status = reader->next(reader, &table, at->reads, &at->lines.rejects, &why);
  if (status == WH_ERR_END) {
    for (size_t i = 0; i < f->branch_count; i++)
      f->branches[i].stage.at_end = true;
    finish_tables(f, at);
    return;
  }
  at->slot = &at->slots[table];
  if (status == WH_OK) {
    wh_stage_take(&f->branches[table].stage, at->slot, &at->reads[table], &at->lines,
                  reader->bytes_read);
    return;
  }
  at->slot->status = status;
  at->slot->error = why;
  at->slot->reader_failed = true;
}

static void fill(wh_flow *f, seat *at) {
  at->slot = at->slots;
  if (f->options.tables_reader)
    fill_table(f, at);
  else
    wh_stage_fill(&f->branches[0].stage, at->slot);
}

static void *read_ahead(void *context) {
  wh_flow *f = context;
  void *s;
  while (wh_queue_pop(&f->free, &s)) {
    seat *next = s;
    room_wait(&f->room);
    fill(f, next);
    wh_slot *slot = next->slot;
    slot->bytes = slot->read.bytes + slot->lines.lines.len;
    room_take(&f->room, slot->bytes);
    bool last = slot->status != WH_OK;
    if (!wh_queue_push(&f->full, next) || last) break;
  }
  return NULL;
}

// --- outside -----------------------------------------------------------------------------------

static wh_status open_branch(wh_flow *f, size_t i, wh_error *err) {
  flow_branch *b = &f->branches[i];
  size_t count;
  b->options = f->options;
  b->options.pipeline = &wh_pipeline_branches(f->options.pipeline, &count)[i];
  b->options.branch = i;
  b->gate = f->options.gate[i];
  b->options.gate = &b->gate;
  if (f->options.tables_reader) {
    b->reader.schema = f->options.tables_reader->schemas[i];
    b->options.reader = &b->reader;
  }
  wh_step_tables_init(&b->tables, f->options.engine, b->options.pipeline);
  b->options.tables = &b->tables.base;
  return wh_stage_open(&b->stage, &b->options, err);
}

wh_status wh_flow_open(const wh_flow_options *options, wh_flow **ret, wh_error *err) {
  wh_mem *mem = options->engine->mem;
  wh_flow *f = wh_mem_alloc_zero(mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->options = *options;
  f->mem = mem;
  f->room.most = (size_t)options->engine->config->memory_bytes / ROOM_SHARE_OF_MEMORY;
  pthread_mutex_init(&f->room.mutex, NULL);
  pthread_cond_init(&f->room.changed, NULL);
  size_t count = options->tables_reader ? options->tables_reader->count : 1;
  f->branches = wh_mem_alloc_zero(mem, count * sizeof *f->branches);
  f->branch_cap = count;
  wh_status status = f->branches ? WH_OK : wh_fail_memory(err);
  while (status == WH_OK && f->branch_count < count)
    status = open_branch(f, f->branch_count++, err);
  if (status != WH_OK) {
    wh_flow_close(f);
    return status;
  }
  *ret = f;
  return WH_OK;
}

wh_status wh_flow_add_gate(wh_flow *f, size_t branch, const wh_gate *gate, wh_error *err) {
  f->added = true;
  return wh_stage_add_gate(&f->branches[branch].stage, gate, err);
}

static bool remembers(const wh_flow *f) {
  for (size_t i = 0; i < f->branch_count; i++)
    if (wh_stage_remembers(&f->branches[i].stage)) return true;
  return false;
}

// Lanes are for an object that is cut, whose rows do not depend on each other.
bool wh_flow_encode(wh_flow *f, const wh_encoding *encoding) {
  if (f->options.engine->single_thread || f->options.window || f->added) return false;
  if (!f->options.reader || !f->options.reader->next_part || !encoding->codec->open_encoder)
    return false;
  if (wh_flow_holds_back(f) || remembers(f)) return false;
  f->encoding = encoding;
  return true;
}

wh_status wh_flow_share(wh_flow *f, wh_shared *shared, wh_error *err) {
  const wh_pipeline *p = f->options.pipeline;
  if (wh_flow_holds_back(f) || remembers(f))
    return wh_node_fail(p->node, err,
                        "pipeline %.*s: read: shared: a step or expectation has to see all rows, "
                        "and no worker does",
                        WH_STR_ARG(p->name));
  f->shared = shared;
  return WH_OK;
}

static wh_status make_seat(wh_flow *f, seat *at, wh_error *err) {
  size_t count = f->branch_count;
  at->slots = wh_mem_alloc_zero(f->mem, count * sizeof *at->slots);
  at->reads = wh_mem_alloc_zero(f->mem, count * sizeof *at->reads);
  if (!at->slots || !at->reads) return wh_fail_memory(err);
  wh_reject_lines_init(&at->lines, f->mem, f->branches[0].stage.row_limit);
  for (size_t i = 0; i < count; i++) {
    WH_TRY(wh_slot_init(&at->slots[i], &f->branches[i].stage, err));
    if (f->options.tables_reader)
      WH_TRY(wh_batch_init(&at->reads[i], f->mem, f->options.tables_reader->schemas[i], err));
  }
  return WH_OK;
}

static void free_seat(wh_flow *f, seat *at) {
  size_t count = f->branch_count;
  for (size_t i = 0; i < count; i++) {
    if (at->slots) wh_slot_free(&at->slots[i], &f->branches[i].stage);
    if (at->reads) wh_batch_free(&at->reads[i]);
  }
  if (at->slots) wh_mem_free(f->mem, at->slots, count * sizeof *at->slots);
  if (at->reads) wh_mem_free(f->mem, at->reads, count * sizeof *at->reads);
  wh_reject_lines_free(&at->lines);
}

wh_status wh_flow_start(wh_flow *f, uint64_t skip_through, wh_error *err) {
  if (f->shared) return WH_OK;
  if (f->encoding) return wh_lanes_open(&f->branches[0].options, f->encoding, &f->lanes, err);
  for (size_t i = 0; i < f->branch_count; i++)
    f->branches[i].stage.skip_through = skip_through;
  size_t slots = f->options.engine->single_thread ? 1 : WH_FLOW_SLOTS;
  for (size_t i = 0; i < slots; i++) {
    f->seat_count++;
    WH_TRY(make_seat(f, &f->seats[i], err));
  }
  if (slots == 1) return WH_OK;
  WH_TRY(wh_queue_init(&f->free, f->mem, WH_FLOW_SLOTS, err));
  WH_TRY(wh_queue_init(&f->full, f->mem, WH_FLOW_SLOTS, err));
  for (size_t i = 0; i < slots; i++)
    wh_queue_push(&f->free, &f->seats[i]);
  int error = pthread_create(&f->thread, NULL, read_ahead, f);
  if (error) return wh_fail(err, wh_status_from_errno(error), "cannot start a thread");
  f->threaded = true;
  return WH_OK;
}

const wh_schema *wh_flow_schema_of(const wh_flow *f, size_t branch) {
  return f->branches[branch].stage.schema;
}

const wh_fresh *wh_flow_fresh(const wh_flow *f, size_t branch, size_t *ret_count) {
  const wh_stage *stage = &f->branches[branch].stage;
  *ret_count = stage->fresh_count;
  return stage->fresh;
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
  for (size_t i = 0; i < f->branch_count; i++)
    if (wh_stage_holds_back(&f->branches[i].stage)) return true;
  return false;
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
  seat *at = &f->seats[0];
  if (f->threaded) {
    void *next;
    if (!wh_queue_pop(&f->full, &next))
      return wh_fail(err, WH_ERR_BUG, "the reading stage is gone");
    at = next;
  } else {
    fill(f, at);
  }
  wh_slot *s = at->slot;
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
  seat *at = f->seats;
  while (s < at->slots || s >= at->slots + f->branch_count)
    at++;
  wh_slot_empty(s);
  room_give(&f->room, s->bytes, false);
  wh_queue_push(&f->free, at);
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
  for (size_t i = 0; i < f->seat_count; i++)
    free_seat(f, &f->seats[i]);
  for (size_t i = 0; i < f->branch_count; i++) {
    wh_stage_close(&f->branches[i].stage);
    wh_keyed_tables_free(&f->branches[i].tables.base);
  }
  if (f->branches) wh_mem_free(f->mem, f->branches, f->branch_cap * sizeof *f->branches);
  wh_mem_free(f->mem, f, sizeof *f);
}
