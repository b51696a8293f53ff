// A story that uses every durable verb once, told step by step, so that whoever breaks off in the
// middle (a power failure, a full disk, no memory) can be asked which steps must have lasted.
//
// Each step is one call that acknowledges something, and can be done again. After a break, what
// steps 1..acknowledged did must be there; the step that failed may have happened or not, whole.
#pragma once

#include "ledgers.h"

enum {
  STORY_NOTHING,
  STORY_ACQUIRED,
  STORY_PUT,
  STORY_RECEIVED,
  STORY_STARTED,
  STORY_SEALED,
  STORY_FINISHED,
  STORY_FIRED,
  STORY_ORDER_RAISED,
  STORY_FAILED_WORK,
  STORY_CURSOR_MOVED,
  STORY_TOLD,
  STORY_END,
};

typedef struct story {
  wh_os *os;
  wh_mem *mem;
  wh_arena *arena;
  const ledger_factory *factory;
  wh_ledger *l;
  wh_error *err;
  int done; // the last acknowledged step
  wh_lease lease;
  uint64_t epoch; // acknowledged
  int64_t order;  // acknowledged: later ones are greater
  uint64_t work;
  bool has_run;
  wh_run run;
} story;

enum { STORY_HASHES = 3000 }; // of the cursor: more than a page
static const int64_t STORY_HOUR_US = 3600ll * 1000000;
static const int64_t STORY_FIRED_AT = 1795251600000000;

static const wh_field STORY_FIELDS[] = {{WH_STR_INIT("a"), {.kind = WH_INT64}, true, WH_INTERNAL}};
static const wh_schema STORY_SCHEMA = {1, STORY_FIELDS};
static const wh_tell STORY_TELLS[] = {{WH_OUTBOX_MESSAGE, WH_STR_INIT("topic")},
                                      {WH_OUTBOX_CATALOGUE, WH_STR_INIT("data:Objects")}};

static inline wh_cursor story_cursor(wh_arena *arena, int64_t value) {
  uint64_t *hashes = WH_NEW_ARRAY(arena, STORY_HASHES, uint64_t);
  for (uint64_t i = 0; hashes && i < STORY_HASHES; i++)
    hashes[i] = i * 0x9E3779B97F4A7C15 + (uint64_t)value;
  return (wh_cursor){.found = true,
                     .last = {.type = wh_type_of(WH_INT64), .as.i = value},
                     .window = hashes,
                     .window_count = hashes ? STORY_HASHES : 0};
}

static inline bool story_has_cursor(const wh_cursor *got, int64_t value) {
  if (!got->found || got->last.as.i != value || got->window_count != STORY_HASHES) return false;
  for (uint64_t i = 0; i < STORY_HASHES; i++) {
    if (got->window[i] != i * 0x9E3779B97F4A7C15 + (uint64_t)value) return false;
  }
  return true;
}

static inline wh_status story_open(story *s) {
  s->l = NULL;
  return s->factory->open(s->os, s->mem, "state", &s->l, s->err);
}

static inline void story_close(story *s) {
  s->lease = (wh_lease){0};
  wh_ledger_close(s->l);
  s->l = NULL;
}

static inline wh_status story_start(story *s) {
  wh_run run;
  WH_TRY(s->l->type->run_start(s->l, &s->lease, S("lake:k1@1"), s->arena, &run, s->err));
  s->has_run = true;
  s->run = run;
  s->order = run.order;
  return WH_OK;
}

static inline wh_finish story_finish(story *s, wh_run *run, wh_cursor *cursor,
                                     wh_quarantine_entry *quarantine) {
  *run = s->run;
  run->state = WH_RUN_DONE;
  run->counts = (wh_counts){10, 7, 0, 0, 0, 3};
  run->finished_us = run->started_us + 1;
  *cursor = story_cursor(s->arena, 100);
  *quarantine = (wh_quarantine_entry){run->id, S("p"), S("k1"), S("file"), 3, 1};
  return (wh_finish){.run = run,
                     .cursor = cursor,
                     .work = s->work,
                     .quarantine = quarantine,
                     .pin = &STORY_SCHEMA};
}

static inline wh_status story_seal(story *s) {
  wh_run run;
  wh_cursor cursor;
  wh_quarantine_entry quarantine;
  s->run.epoch = s->lease.epoch;
  wh_finish finish = story_finish(s, &run, &cursor, &quarantine);
  if (!cursor.window) return wh_fail_memory(s->err);
  s->run.sealed = (wh_sealed){.attempt = s->run.id, .store = S("lake"), .key = S("k")};
  return s->l->type->run_seal(s->l, &s->run, &finish, s->err);
}

static inline wh_status story_adopt(story *s) {
  wh_run run;
  WH_TRY(s->l->type->run_get(s->l, s->run.id, s->arena, &run, s->err));
  if (run.state == WH_RUN_DONE) return WH_OK; // the call that failed had done it
  wh_finish finish;
  WH_TRY(s->l->type->run_sealed_finish(s->l, s->run.id, s->arena, &finish, s->err));
  finish.tells = STORY_TELLS;
  finish.tell_count = sizeof STORY_TELLS / sizeof *STORY_TELLS;
  return s->l->type->run_finish(s->l, &finish, s->err);
}

static inline wh_status story_put(story *s) {
  const wh_put puts[] = {{S("k1"), S("1"), 1}, {S("k2"), S("1"), 2}};
  uint64_t new_count;
  return s->l->type->put_many(s->l, S("p"), puts, 2, false, &new_count, s->err);
}

static inline wh_status story_receive(story *s) {
  // One who died took it before: it is ours again.
  WH_TRY(s->l->type->reclaim(s->l, &s->lease, true, s->err));
  wh_work work;
  WH_TRY(s->l->type->receive(s->l, &s->lease, STORY_HOUR_US, s->arena, &work, s->err));
  s->work = work.id;
  return WH_OK;
}

static inline wh_status story_fail_work(story *s) {
  wh_work work = {0};
  wh_status status = s->l->type->receive(s->l, &s->lease, STORY_HOUR_US, s->arena, &work, s->err);
  if (status == WH_ERR_END) {
    wh_ledger_stats stats;
    WH_TRY(s->l->type->stats(s->l, S("p"), &stats, s->err));
    if (stats.dead == 1) return WH_OK; // the call that failed had done it
    WH_TRY(s->l->type->reclaim(s->l, &s->lease, true, s->err));
    status = s->l->type->receive(s->l, &s->lease, STORY_HOUR_US, s->arena, &work, s->err);
  }
  WH_TRY(status);
  bool dead;
  return s->l->type->fail(s->l, &s->lease, work.id, 1, true, 0, S("broken"), &dead, s->err);
}

static inline wh_status story_tell(story *s) {
  wh_outbox_item item = {.run = s->run.id, .target = S("topic")}; // again is fine
  return s->l->type->outbox_done(s->l, &item, s->err);
}

static inline wh_status story_step(story *s, int step) {
  const wh_ledger_type *t = s->l->type;
  wh_cursor cursor;
  // The lease is held by all steps, also after a restart.
  if (!s->lease.own) {
    wh_lease lease;
    WH_TRY(t->acquire(s->l, S("p"), &lease, s->err));
    CHECK(lease.epoch > s->epoch);
    s->lease = lease;
    s->epoch = lease.epoch;
  }
  switch (step) {
  case STORY_PUT:
    return story_put(s);
  case STORY_RECEIVED:
    return story_receive(s);
  case STORY_STARTED:
    return story_start(s);
  case STORY_SEALED:
    return story_seal(s);
  case STORY_FINISHED:
    return story_adopt(s);
  case STORY_FIRED:
    return t->set_fired(s->l, &s->lease, STORY_FIRED_AT, s->err);
  case STORY_ORDER_RAISED:
    WH_TRY(t->raise_order(s->l, s->order + 1000000, s->err));
    s->order += 1000000;
    return WH_OK;
  case STORY_FAILED_WORK:
    return story_fail_work(s);
  case STORY_CURSOR_MOVED:
    cursor = story_cursor(s->arena, 200);
    if (!cursor.window) return wh_fail_memory(s->err);
    return t->set_cursor(s->l, S("p"), &cursor, s->err);
  case STORY_TOLD:
    return story_tell(s);
  default:
    return WH_OK;
  }
}

// Goes on from where it stands until a step fails or the end.
static inline wh_status story_go_on(story *s) {
  while (s->done + 1 < STORY_END) {
    WH_TRY(story_step(s, s->done + 1));
    s->done++;
  }
  return WH_OK;
}

static inline wh_status story_count(void *context, const wh_quarantine_entry *entry,
                                    wh_error *err) {
  (void)err;
  *(uint64_t *)context += entry->rows;
  return WH_OK;
}

// What a finish changes, all of it or nothing.
static inline void story_check_finish(story *s, bool finished) {
  const wh_ledger_type *t = s->l->type;
  wh_cursor cursor = {0};
  CHECK_OK(t->cursor(s->l, S("p"), s->arena, &cursor, s->err));
  if (!finished)
    CHECK(!cursor.found);
  else if (s->done < STORY_CURSOR_MOVED - 1)
    CHECK(story_has_cursor(&cursor, 100));
  else if (s->done == STORY_CURSOR_MOVED - 1)
    CHECK(story_has_cursor(&cursor, 100) || story_has_cursor(&cursor, 200));
  else
    CHECK(story_has_cursor(&cursor, 200));
  bool pinned = false;
  wh_schema schema;
  CHECK_OK(t->pinned(s->l, S("p"), s->arena, &pinned, &schema, s->err));
  CHECK_EQ(pinned, finished);
  uint64_t quarantined = 0;
  CHECK_OK(t->quarantined(s->l, S(""), s->arena, story_count, &quarantined, s->err));
  CHECK_EQ(quarantined, finished ? 3 : 0);
  wh_outbox_box *boxes = NULL;
  size_t box_count = 0;
  CHECK_OK(t->outbox(s->l, s->arena, &boxes, &box_count, s->err));
  if (s->done == STORY_TOLD - 1)
    CHECK(box_count == 1 || box_count == 2);
  else
    CHECK_EQ(box_count, s->done >= STORY_TOLD ? 1 : finished ? 2 : 0);
  wh_ledger_stats stats = {0};
  CHECK_OK(t->stats(s->l, S("p"), &stats, s->err));
  uint64_t entries = stats.waiting + stats.dead;
  if (s->done >= STORY_PUT)
    CHECK_EQ(entries, finished ? 1 : 2);
  else
    CHECK(entries == 0 || entries == 2);
  if (s->done >= STORY_FAILED_WORK) CHECK_EQ(stats.dead, 1);
}

// On an open ledger: everything that was acknowledged is there.
static inline void story_check(story *s) {
  const wh_ledger_type *t = s->l->type;
  bool finished = false;
  if (s->has_run) {
    wh_run run = {0};
    CHECK_OK(t->run_get(s->l, s->run.id, s->arena, &run, s->err));
    CHECK_EQ(run.order, s->run.order);
    finished = run.state == WH_RUN_DONE;
    if (s->done < STORY_SEALED - 1) CHECK_EQ(run.state, WH_RUN_RUNNING);
    if (s->done == STORY_SEALED) CHECK(run.state == WH_RUN_SEALED || finished);
    if (s->done >= STORY_FINISHED) CHECK(finished);
    if (finished) CHECK_EQ(run.counts.quarantined, 3);
    if (run.state == WH_RUN_SEALED) {
      wh_finish finish;
      CHECK_OK(t->run_sealed_finish(s->l, s->run.id, s->arena, &finish, s->err));
      CHECK(finish.cursor && story_has_cursor(finish.cursor, 100));
      CHECK(finish.pin && finish.quarantine);
      CHECK_EQ(finish.work, s->work);
    }
  }
  story_check_finish(s, finished);
  int64_t fired = 0;
  CHECK_OK(t->fired(s->l, S("p"), &fired, s->err));
  if (s->done >= STORY_FIRED) CHECK_EQ(fired, STORY_FIRED_AT);
}

// Ends the story and looks at how it ended.
static inline void story_end(story *s) {
  CHECK_OK(story_go_on(s));
  story_check(s);
  if (!s->lease.own) return;
  wh_run run = {0};
  CHECK_OK(s->l->type->run_start(s->l, &s->lease, S(""), s->arena, &run, s->err));
  CHECK(run.order > s->order);
}
