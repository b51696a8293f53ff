#include "engine/health.h"

#include "engine/follower.h"
#include "engine/members.h"

const char *wh_condition_name(wh_condition condition) {
  static const char *const names[] = {"ok", "idle", "waiting", "failed"};
  return names[condition];
}

// --- which ---------------------------------------------------------------------------------------

typedef struct list {
  const wh_pipeline **items;
  size_t count, cap;
} list;

static wh_status add(list *l, wh_arena *arena, const wh_pipeline *p, wh_error *err) {
  enum { FIRST = 32 };
  if (l->count == l->cap) {
    size_t cap = l->cap ? 2 * l->cap : FIRST;
    const wh_pipeline **items = WH_NEW_ARRAY(arena, cap, const wh_pipeline *);
    if (!items) return wh_fail_memory(err);
    if (l->count) memcpy(items, l->items, l->count * sizeof *items);
    l->items = items;
    l->cap = cap;
  }
  l->items[l->count++] = p;
  return WH_OK;
}

static wh_status add_with_members(list *l, wh_engine *engine, const wh_pipeline *p, wh_arena *arena,
                                  wh_error *err) {
  wh_pipeline *members;
  size_t count;
  WH_TRY(add(l, arena, p, err));
  if (!p->many) return WH_OK;
  WH_TRY(wh_members_known(engine, p, arena, &members, &count, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(add(l, arena, &members[i], err));
  return WH_OK;
}

wh_status wh_engine_pipelines(wh_engine *engine, const wh_str *names, size_t name_count,
                              wh_arena *arena, const wh_pipeline ***ret, size_t *ret_count,
                              wh_error *err) {
  list l = {0};
  const wh_config *config = engine->config;
  size_t total = name_count ? name_count : config->pipeline_count;
  for (size_t i = 0; i < total; i++) {
    const wh_pipeline *p = name_count ? NULL : &config->pipelines[i];
    if (name_count) WH_TRY(wh_config_find_any(config, names[i], arena, &p, err));
    WH_TRY(add_with_members(&l, engine, p, arena, err));
  }
  *ret = l.items;
  *ret_count = l.count;
  return WH_OK;
}

// --- how -----------------------------------------------------------------------------------------

static wh_status keep_last(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  wh_health *h = context;
  h->last = *run;
  h->has_run = true;
  return WH_OK;
}

static wh_status keep_dead(void *context, const wh_work *work, wh_error *err) {
  (void)err;
  wh_health *h = context;
  if (work->dead && h->dead_error.len == 0) h->dead_error = work->error;
  return WH_OK;
}

// How much waits in the queue, where it can be asked now.
static void look_at_queue(wh_config *config, wh_health *h) {
  wh_connection *c;
  wh_error ignored = {0};
  if (wh_config_connect(config, h->queue, &c, &ignored) != WH_OK) return;
  h->has_depth = c->type->queue->depth && c->type->queue->depth(c, &h->depth, &ignored) == WH_OK;
}

static wh_status read_fed(wh_engine *engine, wh_ingest_log *log, wh_arena *arena, wh_health *h,
                          wh_error *err) {
  wh_cursor cursor;
  wh_feed_position *positions;
  size_t count;
  wh_ledger *l = engine->ledger;
  WH_TRY(l->type->cursor(l, h->pipeline->name, arena, &cursor, err));
  WH_TRY(wh_ingest_log_state(log, cursor.found ? cursor.last.as.i : 0, &h->fed, err));
  WH_TRY(wh_ingest_log_positions(log, arena, &positions, &count, err));
  for (size_t i = 0; i < count; i++) {
    if (wh_str_is(positions[i].name, WH_FOLLOWER_PROBLEM)) h->problem = positions[i].value;
    if (wh_str_is(positions[i].name, WH_FOLLOWER_READ_TO) &&
        !wh_str_to_i64(positions[i].value, &h->read_to_us))
      h->read_to_us = 0;
  }
  return WH_OK;
}

static wh_status look_at_feed(wh_engine *engine, const wh_ingest_endpoint *inbox, wh_arena *arena,
                              wh_health *h, wh_error *err) {
  wh_ingest_log *log;
  h->is_fed = true;
  h->fed.oldest_us = INT64_MAX;
  WH_TRY(wh_ingest_log_open_reader(engine->os, engine->mem, inbox->log, &log, err));
  wh_status status = log ? read_fed(engine, log, arena, h, err) : WH_OK;
  wh_ingest_log_close(log);
  return status;
}

static wh_condition judge(const wh_health *h) {
  bool failed = h->has_run && h->last.state == WH_RUN_FAILED;
  bool stopped = h->has_run && h->last.state == WH_RUN_STOPPED;
  if (h->stats.dead || failed || h->problem.len) return WH_CONDITION_FAILED;
  if (h->stats.quarantined_rows || h->stats.waiting || stopped) return WH_CONDITION_WAITING;
  return h->has_run ? WH_CONDITION_OK : WH_CONDITION_IDLE;
}

static wh_status look(wh_engine *engine, const wh_pipeline *p, wh_arena *arena, wh_health *h,
                      wh_error *err) {
  const wh_ingest_endpoint *inbox = wh_config_inbox(engine->config, p);
  bool is_fed = inbox && wh_config_find_connection(engine->config, inbox->queue)->type->feed;
  *h = (wh_health){.pipeline = p, .due_us = INT64_MAX, .queue = p->when.queue};
  if (inbox && !is_fed) h->queue = inbox->queue;
  if (is_fed) WH_TRY(look_at_feed(engine, inbox, arena, h, err));
  wh_ledger *l = engine->ledger;
  WH_TRY(l->type->runs(l, p->name, -1, 1, arena, keep_last, h, err));
  WH_TRY(l->type->stats(l, p->name, &h->stats, err));
  if (h->stats.dead) WH_TRY(l->type->works(l, p->name, arena, keep_dead, h, err));
  bool is_timed = !p->is_member; // the pipeline that stands for it is
  if (is_timed && (p->when.kind == WH_WHEN_EVERY || p->when.kind == WH_WHEN_CRON)) {
    wh_due due;
    WH_TRY(wh_engine_next_due(engine, p, &due, err));
    h->due_us = due.start_us;
  }
  h->condition = judge(h);
  return WH_OK;
}

// Adds the member to the pipeline in front of it that stands for it. That one has runs of its own
// only where its tables could not be found out: what ran later is well again.
static void count_table(wh_health *all, size_t member) {
  size_t at = member;
  while (at > 0 && all[at].pipeline->is_member)
    at--;
  wh_health *many = &all[at], *h = &all[member];
  if (!many->pipeline->many) return;
  many->tables++;
  if (!h->has_run) return;
  if (!many->has_run || h->last.started_us > many->last.started_us) {
    many->has_run = false;
    many->condition = WH_CONDITION_OK;
  }
}

wh_status wh_engine_health(wh_engine *engine, const wh_pipeline *const *pipelines, size_t count,
                           bool asks_queues, wh_arena *arena, wh_health **ret, wh_error *err) {
  wh_health *all = WH_NEW_ARRAY(arena, count, wh_health);
  if (!all) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    WH_TRY(look(engine, pipelines[i], arena, &all[i], err));
    if (asks_queues && all[i].queue.len) look_at_queue(engine->config, &all[i]);
    if (pipelines[i]->is_member) count_table(all, i);
  }
  *ret = all;
  return WH_OK;
}
