#include "engine/flow.h"

#include "base/queue.h"
#include "data/rowhash.h"

#include <pthread.h>

enum {
  STEPS_MAX = 64,
  ROOM_SHARE_OF_MEMORY = 16, // of `memory`, for rows on their way between the stages
};

// One batch in flight: what was read, and what each step made of it.
typedef struct slot {
  wh_flow_item item;
  wh_batch read;
  wh_batch *made; // one a step, then one for the window
  wh_reject_lines lines;
  size_t bytes;     // about what its rows take, while it is on its way
  wh_status status; // WH_ERR_END: the last; another failure: why
  wh_error error;
  bool reader_failed;
} slot;

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
  wh_mem *mem;
  wh_arena arena; // what the steps go on using: the zone
  wh_step *steps[STEPS_MAX];
  size_t step_count;
  size_t made_count; // batches of a slot: steps, and one more with a window
  const wh_schema *schema;
  slot slots[WH_FLOW_SLOTS];
  size_t slot_count; // made so far
  uint64_t skip_through;
  size_t row_limit; // bytes
  size_t finishing; // after the last row: the step whose held-back rows come out
  bool at_end, ended, reader_failed;
  bool threaded;
  pthread_t thread;
  wh_queue free, full; // of slot *
  room room;
  wh_batch early; // rows that a restart has behind it
};

// --- making ------------------------------------------------------------------------------------

static wh_status add_step(wh_flow *f, wh_step *step, wh_error *err) {
  if (f->step_count == STEPS_MAX) {
    wh_step_close(step);
    return wh_fail(err, WH_ERR_LIMIT, "a pipeline has at most %d steps", STEPS_MAX - 2);
  }
  f->steps[f->step_count++] = step;
  f->schema = step->schema;
  return WH_OK;
}

static wh_status bind_one(wh_flow *f, const wh_step_context *context, const wh_node *node,
                          wh_error *err) {
  if (node->kind != WH_NODE_MAP || node->count != 1) {
    return wh_node_fail(node, err, "a step is one name with its options, like `- trim: [name]`");
  }
  const wh_step_type *type = wh_step_by_name(node->entries[0].key->text);
  if (!type) {
    return wh_node_fail(node, err, "no step '%.*s'", WH_STR_ARG(node->entries[0].key->text));
  }
  wh_step *step;
  WH_TRY(type->bind(context, node->entries[0].value, f->schema, &step, err));
  return add_step(f, step, err);
}

static wh_status bind_steps(wh_flow *f, wh_error *err) {
  const wh_pipeline *p = f->options.pipeline;
  wh_engine *engine = f->options.engine;
  wh_step_context context = {.os = engine->os, .mem = f->mem};
  context.scratch =
      wh_arena_printf(&f->arena, "%.*s/scratch", WH_STR_ARG(engine->config->state_folder));
  if (!context.scratch.data) return wh_fail_memory(err);
  context.state_limit_bytes = (size_t)engine->config->memory_bytes / 16;
  if (p->read.timezone.len) {
    WH_TRY(wh_zone_open(engine->os, p->read.timezone, &f->arena, &context.zone, err));
  }
  if (f->options.window) {
    context.cursor = f->options.window->cursor;
    context.clock_us = f->options.window->clock_us;
  }
  size_t count = p->steps ? p->steps->count : 0;
  for (size_t i = 0; i < count; i++)
    WH_TRY(bind_one(f, &context, p->steps->items[i], err));
  wh_step *step;
  WH_TRY(wh_gate_bind(&context, f->options.gate, f->schema, &step, err));
  WH_TRY(add_step(f, step, err));
  if (!p->expect) return WH_OK;
  WH_TRY(wh_expect_bind(&context, p->expect, f->schema, &step, err));
  return add_step(f, step, err);
}

wh_status wh_flow_add_gate(wh_flow *f, const wh_gate *gate, wh_error *err) {
  wh_step_context context = {.os = f->options.engine->os, .mem = f->mem};
  wh_step *step;
  WH_TRY(wh_gate_bind(&context, gate, f->schema, &step, err));
  return add_step(f, step, err);
}

static wh_status slot_init(wh_flow *f, slot *s, wh_error *err) {
  wh_reject_lines_init(&s->lines, f->mem, f->row_limit);
  s->lines.skip_through = f->skip_through;
  WH_TRY(wh_batch_init(&s->read, f->mem, f->options.reader->schema, err));
  s->made = wh_mem_alloc_zero(f->mem, f->made_count * sizeof *s->made);
  if (!s->made) return wh_fail_memory(err);
  for (size_t i = 0; i < f->made_count; i++) {
    const wh_schema *schema = i < f->step_count ? f->steps[i]->schema : f->schema;
    WH_TRY(wh_batch_init(&s->made[i], f->mem, schema, err));
  }
  return WH_OK;
}

static void slot_free(wh_flow *f, slot *s) {
  wh_reject_lines_free(&s->lines);
  // Later batches may show earlier ones' columns: free from the end.
  for (size_t i = s->made ? f->made_count : 0; i-- > 0;)
    wh_batch_free(&s->made[i]);
  if (s->made) wh_mem_free(f->mem, s->made, f->made_count * sizeof *s->made);
  wh_batch_free(&s->read);
}

// --- one batch ---------------------------------------------------------------------------------

static uint64_t filtered_so_far(const wh_flow *f) {
  uint64_t total = 0;
  for (size_t i = 0; i < f->step_count; i++)
    total += f->steps[i]->rows_filtered;
  return total;
}

// Pushes `in` through the steps from `first` on; *ret_out is the last batch.
static wh_status push_through(wh_flow *f, slot *s, size_t first, wh_batch *in, wh_batch **ret_out,
                              wh_error *err) {
  for (size_t i = first; i < f->step_count; i++) {
    wh_batch_reset(&s->made[i]);
    WH_TRY(f->steps[i]->push(f->steps[i], in, &s->made[i], &s->lines.rejects, err));
    in = &s->made[i];
  }
  *ret_out = in;
  return WH_OK;
}

static wh_status apply_window(wh_flow *f, slot *s, const wh_batch *read, wh_batch **out,
                              wh_error *err) {
  if (!f->options.window || (*out)->rows == 0) {
    if (f->options.window && read && read->rows) {
      uint64_t none;
      return wh_window_pass(f->options.window, read, *out, NULL, &none, err);
    }
    return WH_OK;
  }
  size_t bytes = ((*out)->rows + 7) / 8;
  uint8_t *keep = wh_arena_alloc(&s->read.arena, bytes);
  if (!keep) return wh_fail_memory(err);
  memset(keep, 0xFF, bytes);
  uint64_t unchanged = 0;
  WH_TRY(wh_window_pass(f->options.window, read, *out, keep, &unchanged, err));
  if (unchanged == 0) return WH_OK;
  wh_batch *kept = &s->made[f->made_count - 1];
  wh_batch_reset(kept);
  WH_TRY(wh_batch_filter(*out, keep, kept, err));
  s->item.counts.unchanged += unchanged;
  *out = kept;
  return WH_OK;
}

// After a restart: rows that committed chunks have consumed go through the steps, whose state needs
// them, and no further. Leaves the others in s->read.
static wh_status drop_early_rows(wh_flow *f, slot *s, wh_error *err) {
  uint64_t through = f->skip_through;
  wh_batch *read = &s->read;
  if (read->rows == 0 || wh_batch_place(read, 0).row > through) return WH_OK;
  size_t early = read->rows;
  while (early > 0 && wh_batch_place(read, early - 1).row > through)
    early--;
  size_t bytes = (read->rows + 7) / 8;
  uint8_t *keep = wh_arena_alloc(&s->read.arena, bytes);
  uint8_t *rest = wh_arena_alloc(&s->read.arena, bytes);
  if (!keep || !rest) return wh_fail_memory(err);
  for (size_t i = 0; i < read->rows; i++)
    wh_bit_set(i < early ? keep : rest, i);
  if (!f->early.schema) WH_TRY(wh_batch_init(&f->early, f->mem, read->schema, err));
  wh_batch_reset(&f->early);
  WH_TRY(wh_batch_filter(read, keep, &f->early, err));
  wh_batch *ignored;
  WH_TRY(push_through(f, s, 0, &f->early, &ignored, err));
  // What remains, as if it had been read alone.
  wh_batch later = {0};
  WH_TRY(wh_batch_init(&later, f->mem, read->schema, err));
  wh_status status = wh_batch_filter(read, rest, &later, err);
  if (status == WH_OK) {
    wh_batch before = *read;
    *read = later;
    later = before;
  }
  wh_batch_free(&later);
  return status;
}

static wh_status finish_steps(wh_flow *f, slot *s, wh_error *err) {
  uint64_t filtered = filtered_so_far(f);
  wh_reject_lines_clear(&s->lines, NULL);
  while (f->finishing < f->step_count) {
    wh_step *step = f->steps[f->finishing];
    wh_batch *held = &s->made[f->finishing];
    wh_batch_reset(held);
    if (step->finish) WH_TRY(step->finish(step, held, &s->lines.rejects, err));
    s->lines.rows = held; // as near to what was read as there is
    if (held->rows == 0 && s->lines.count == 0) {
      f->finishing++;
      continue;
    }
    wh_batch *out;
    WH_TRY(push_through(f, s, f->finishing + 1, held, &out, err));
    s->item.batch = out;
    if (f->options.hash_out) s->item.hash_out = wh_batch_hash_sum(out);
    s->item.counts.filtered = filtered_so_far(f) - filtered;
    s->item.counts.quarantined = s->lines.count;
    return WH_OK;
  }
  return WH_ERR_END;
}

static wh_status fill(wh_flow *f, slot *s, wh_error *err) {
  s->item = (wh_flow_item){.rejected = &s->lines, .batch = &s->read};
  if (f->at_end) return finish_steps(f, s, err);
  wh_reader *reader = f->options.reader;
  wh_batch_reset(&s->read);
  wh_reject_lines_clear(&s->lines, &s->read);
  wh_status status = reader->next(reader, &s->read, &s->lines.rejects, err);
  s->reader_failed = status != WH_OK;
  WH_TRY(status);
  s->item.rows_through = s->lines.last_row;
  if (s->read.rows) {
    uint64_t last = wh_batch_place(&s->read, s->read.rows - 1).row;
    if (last > s->item.rows_through) s->item.rows_through = last;
  }
  if (s->read.rows == 0 && !reader->paused) {
    f->at_end = true;
    if (s->lines.count == 0) return finish_steps(f, s, err);
  }
  if (f->skip_through) WH_TRY(drop_early_rows(f, s, err));
  s->item.counts.read = s->read.rows + s->lines.count;
  s->lines.window = f->options.window;
  uint64_t filtered = filtered_so_far(f);
  wh_batch *out;
  WH_TRY(push_through(f, s, 0, &s->read, &out, err));
  WH_TRY(apply_window(f, s, &s->read, &out, err));
  s->item.counts.unchanged += s->lines.known;
  s->lines.window = NULL; // what the sink rejects was remembered as sent
  s->item.batch = out;
  if (f->options.hash_read) s->item.hash_read = wh_batch_hash_sum(&s->read);
  if (f->options.hash_out) s->item.hash_out = wh_batch_hash_sum(out);
  s->item.counts.filtered = filtered_so_far(f) - filtered;
  s->item.counts.quarantined = s->lines.count;
  return WH_OK;
}

static void fill_slot(wh_flow *f, slot *s) {
  s->error = (wh_error){0};
  s->status = fill(f, s, &s->error);
}

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
    slot *next = s;
    room_wait(&f->room);
    fill_slot(f, next);
    next->bytes = next->read.bytes + next->lines.lines.len;
    room_take(&f->room, next->bytes);
    bool last = next->status != WH_OK;
    if (!wh_queue_push(&f->full, next) || last) break;
  }
  return NULL;
}

// Before it waits for its next turn: large rows give their memory back at once.
static void empty_slot(wh_flow *f, slot *s) {
  for (size_t i = f->made_count; i-- > 0;)
    wh_batch_reset(&s->made[i]);
  wh_batch_reset(&s->read);
  wh_reject_lines_clear(&s->lines, NULL);
}

// --- outside -----------------------------------------------------------------------------------

wh_status wh_flow_start(wh_flow *f, uint64_t skip_through, wh_error *err) {
  f->skip_through = skip_through;
  f->made_count = f->step_count + (f->options.window ? 1 : 0);
  size_t slots = f->options.engine->single_thread ? 1 : WH_FLOW_SLOTS;
  for (size_t i = 0; i < slots; i++) {
    f->slot_count++;
    WH_TRY(slot_init(f, &f->slots[i], err));
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

wh_status wh_flow_open(const wh_flow_options *options, wh_flow **ret, wh_error *err) {
  wh_mem *mem = options->engine->mem;
  wh_flow *f = wh_mem_alloc_zero(mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->options = *options;
  f->mem = mem;
  wh_arena_init(&f->arena, mem);
  f->schema = options->reader->schema;
  size_t memory = (size_t)options->engine->config->memory_bytes;
  f->row_limit = memory / WH_ROW_SHARE_OF_MEMORY;
  f->room.most = memory / ROOM_SHARE_OF_MEMORY;
  pthread_mutex_init(&f->room.mutex, NULL);
  pthread_cond_init(&f->room.changed, NULL);
  wh_status status = bind_steps(f, err);
  if (status != WH_OK) {
    wh_flow_close(f);
    return status;
  }
  *ret = f;
  return WH_OK;
}

const wh_schema *wh_flow_schema(const wh_flow *f) {
  return f->schema;
}

bool wh_flow_holds_back(const wh_flow *f) {
  for (size_t i = 0; i < f->step_count; i++) {
    if (f->steps[i]->finish) return true;
  }
  return false;
}

wh_status wh_flow_next(wh_flow *f, wh_flow_item **ret, wh_error *err) {
  if (f->ended) return WH_ERR_END;
  slot *s = &f->slots[0];
  if (f->threaded) {
    void *next;
    if (!wh_queue_pop(&f->full, &next))
      return wh_fail(err, WH_ERR_BUG, "the reading stage is gone");
    s = next;
  } else {
    fill_slot(f, s);
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
  if (!f->threaded) return;
  slot *s = (slot *)item; // its first member
  empty_slot(f, s);
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
  wh_queue_free(&f->free);
  wh_queue_free(&f->full);
  pthread_cond_destroy(&f->room.changed);
  pthread_mutex_destroy(&f->room.mutex);
  for (size_t i = 0; i < f->slot_count; i++)
    slot_free(f, &f->slots[i]);
  wh_batch_free(&f->early);
  for (size_t i = f->step_count; i-- > 0;)
    wh_step_close(f->steps[i]);
  wh_arena_free(&f->arena);
  wh_mem_free(f->mem, f, sizeof *f);
}
