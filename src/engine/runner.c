// Running pipelines: everything that waits for one, and `wherry run`, which goes on with whatever
// that makes due.
#include "engine/announced.h"
#include "engine/inboxes.h"
#include "engine/members.h"
#include "engine/model.h"
#include "engine/raw.h"
#include "engine/run.h"

#include <stdio.h>

static void count_run(const wh_engine *engine, const wh_run *run, wh_run_totals *totals) {
  totals->runs++;
  if (run->state != WH_RUN_DONE) totals->failed++;
  totals->rows_quarantined += run->counts.quarantined;
  if (engine->watcher.finished) engine->watcher.finished(engine->watcher.context, run);
}

static wh_status run_any(wh_engine *engine, const wh_run_request *r, wh_arena *arena, wh_run *run,
                         wh_error *err) {
  return r->pipeline->raw ? wh_run_raw(engine, r, arena, run, err)
                          : wh_run_one(engine, r, arena, run, err);
}

// How a run that failed is told of, whatever the ledger knows of it.
static void set_failed(wh_run *run, const wh_error *why) {
  run->state = WH_RUN_FAILED;
  run->error = wh_str_of(why->text);
}

// --- after a failure ---------------------------------------------------------------------------

bool wh_will_pass(wh_status status) {
  return status == WH_ERR_NO_SPACE || status == WH_ERR_BUSY || status == WH_ERR_UNAVAILABLE;
}

int64_t wh_retry_delay_us(uint32_t attempts) {
  int64_t delay = WH_RETRY_FIRST_US;
  for (uint32_t i = 1; i < attempts && delay < WH_RETRY_MAX_US; i++)
    delay *= 2;
  return delay < WH_RETRY_MAX_US ? delay : WH_RETRY_MAX_US;
}

// The object was overwritten before it was read: what is there now is another piece of work.
static wh_status take_newer_version(wh_engine *engine, const wh_run_request *r, wh_arena *arena,
                                    wh_error *err) {
  const wh_pipeline *p = r->pipeline;
  const wh_work *work = r->work;
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &c, &is_rows, err));
  wh_ledger *ledger = engine->ledger;
  wh_object now;
  wh_error inner = {0};
  wh_status status = c->type->store->stat(c, work->key, arena, &now, &inner);
  if (status == WH_OK) {
    WH_TRY(wh_engine_offer(engine, p, c, &now, arena, err));
  } else if (status != WH_ERR_NOT_FOUND) {
    if (err) *err = inner;
    return status;
  }
  return ledger->type->done(ledger, r->lease, work->id, err);
}

wh_status wh_work_fail(wh_engine *engine, const wh_pipeline *pipeline, const wh_lease *lease,
                       uint64_t work, uint32_t attempts, wh_status status, bool is_final,
                       const wh_error *why, wh_error *err) {
  bool dead;
  wh_ledger *ledger = engine->ledger;
  // What passes is no fault of the object, which waits as long as it takes.
  uint32_t most = engine->scratch_ledger ? 1
                  : wh_will_pass(status) ? UINT32_MAX
                                         : (uint32_t)pipeline->attempts;
  return ledger->type->fail(ledger, lease, work, most, is_final, wh_retry_delay_us(attempts),
                            wh_str_of(why->text), &dead, err);
}

static wh_status after_failure(wh_engine *engine, const wh_run_request *r, wh_status status,
                               const wh_error *why, wh_arena *arena, wh_error *err) {
  if (status == WH_ERR_CHANGED) return take_newer_version(engine, r, arena, err);
  return wh_work_fail(engine, r->pipeline, r->lease, r->work->id, r->work->attempts, status,
                      *r->ret_final, why, err);
}

static wh_status reads_objects(wh_engine *engine, const wh_pipeline *p, bool *ret, wh_error *err) {
  wh_connection *c;
  bool is_rows;
  WH_TRY(wh_input_connect(engine, &p->from, &c, &is_rows, err));
  *ret = !is_rows;
  return WH_OK;
}

// --- one pipeline ------------------------------------------------------------------------------

// Nobody survives it: whoever took the object was killed each time, and not one chunk further.
static wh_status give_up(wh_engine *engine, const wh_run_request *r, const wh_work *work,
                         wh_arena *arena, wh_run_totals *totals, wh_error *err) {
  wh_str why = wh_arena_printf(
      arena,
      "%.*s: the process ended %d times in a row while it loaded this object, each time before a "
      "row was kept. Look in the system's log for what ended it (memory, most often)",
      WH_STR_ARG(work->key), WH_TAKES_MAX);
  if (!why.data) return wh_fail_memory(err);
  bool dead;
  wh_ledger *ledger = engine->ledger;
  WH_TRY(ledger->type->fail(ledger, r->lease, work->id, 1, true, 0, why, &dead, err));
  wh_engine_notice(engine, r->pipeline->name, why.data);
  totals->failed++;
  return WH_OK;
}

// What failed before, or took its worker with it, is loaded by itself.
static bool is_alone(const wh_work *work) {
  return work->attempts > 1 || work->takes > 1;
}

// Whether to go on with the next: what became of one object.
static wh_status settle_object(wh_engine *engine, const wh_run_request *r, wh_run *run,
                               wh_status status, wh_error *why, wh_arena *arena,
                               wh_run_totals *totals, bool *ret_ends, wh_error *err) {
  bool is_sealed = run->state == WH_RUN_SEALED, is_open = status == WH_OK && r->group;
  *ret_ends = false;
  if (status != WH_OK) set_failed(run, why);
  if (is_open && run->state == WH_RUN_RUNNING) return WH_OK; // its group tells
  if (run->id.len && status != WH_ERR_CHANGED) count_run(engine, run, totals);
  if (status == WH_OK) return WH_OK;
  wh_kept_drop(r->kept);
  // It may be published already: a new run of the object would publish it twice. The next start
  // finds out; until then the object stays hidden.
  *ret_ends = is_sealed;
  if (is_sealed) return WH_OK;
  if (status != WH_ERR_STALE) // else the object is the other worker's
    WH_TRY(after_failure(engine, r, status, why, arena, err));
  if (run->id.len && status != WH_ERR_STALE) return WH_OK;
  if (err) *err = *why;
  return status; // the ledger itself failed, or the lease is lost
}

static wh_status take_object(wh_engine *engine, wh_run_request *r, const wh_work *work,
                             wh_arena *arena, wh_run_totals *totals, bool *ret_ends,
                             wh_error *err) {
  bool is_final = false;
  r->work = work;
  r->ret_final = &is_final;
  wh_run run = {0};
  wh_error why = {0};
  wh_status status = run_any(engine, r, arena, &run, &why);
  if (r->group && (status != WH_OK || is_alone(work))) WH_TRY(wh_group_commit(r->group, err));
  *ret_ends = status == WH_ERR_CANCELLED;
  if (*ret_ends) {
    totals->stopped = true;
    return engine->ledger->type->forgive(engine->ledger, r->lease, work->id, err);
  }
  return settle_object(engine, r, &run, status, &why, arena, totals, ret_ends, err);
}

static wh_status take_objects(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                              wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_ledger *ledger = engine->ledger;
  bool ends = false;
  while (!ends) {
    if (wh_engine_stopping(engine)) {
      totals->stopped = true;
      return WH_OK;
    }
    wh_arena_reset(&arena);
    wh_work work;
    wh_status status =
        ledger->type->receive(ledger, r->lease, WH_VISIBILITY_US, &arena, &work, err);
    if (status == WH_ERR_END) return WH_OK;
    WH_TRY(status);
    if (work.takes > WH_TAKES_MAX) {
      WH_TRY(give_up(engine, r, &work, &arena, totals, err));
      continue;
    }
    if (r->group && (is_alone(&work) || wh_group_is_full(r->group)))
      WH_TRY(wh_group_commit(r->group, err));
    WH_TRY(take_object(engine, r, &work, &arena, totals, &ends, err));
  }
  return WH_OK;
}

typedef struct counting {
  wh_engine *engine;
  wh_run_totals *totals;
} counting;

static void count_ended(void *context, const wh_run *run) {
  const counting *c = context;
  count_run(c->engine, run, c->totals);
}

// Whatever ended the taking, what is in the group is whole.
static wh_status take_groups(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                             wh_error *err) {
  counting ended = {engine, totals};
  wh_group group = {.engine = engine,
                    .pipeline = r->pipeline,
                    .lease = r->lease,
                    .kept = r->kept,
                    .ended = count_ended,
                    .context = &ended};
  wh_status status = wh_group_init(&group, err);
  r->group = &group;
  if (status == WH_OK) status = take_objects(engine, r, totals, err);
  wh_error own = {0};
  wh_status last = wh_group_commit(&group, &own);
  r->group = NULL;
  wh_group_free(&group);
  if (status == WH_OK && last != WH_OK && err) *err = own;
  return status == WH_OK ? last : status;
}

// Not where a step looks into the target, which would not see what the group has not committed; and
// not where a failure is counted by whoever sent the event, as one object's would be that of all.
static bool may_group(const wh_engine *engine, const wh_pipeline *p) {
  bool may = p->branch_count && !engine->scratch_ledger;
  for (size_t i = 0; may && i < p->step_table_count; i++)
    may = !wh_str_eq(p->step_tables[i].connection, p->to.connection);
  return may;
}

static wh_status run_objects(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                             wh_error *err) {
  wh_kept kept;
  wh_kept_init(&kept, engine->mem);
  r->kept = &kept;
  wh_status status = may_group(engine, r->pipeline) ? take_groups(engine, r, totals, err)
                                                    : take_objects(engine, r, totals, err);
  r->kept = NULL;
  wh_kept_drop(&kept);
  wh_arena_free(&kept.arena);
  return status;
}

// *ret_more: another run has to follow.
static wh_status run_rows_once(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                               bool *ret_more, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_run run = {0};
  wh_error why = {0};
  *ret_more = false;
  r->ret_more = ret_more;
  wh_status status = wh_run_one(engine, r, &arena, &run, &why);
  r->ret_more = NULL;
  if (status == WH_ERR_CANCELLED) {
    totals->stopped = true;
    return WH_OK;
  }
  if (!run.id.len) {
    if (err) *err = why;
    return status;
  }
  if (status != WH_OK) set_failed(&run, &why);
  count_run(engine, &run, totals);
  totals->passes = r->options->scheduled && wh_will_pass(status);
  return WH_OK;
}

static wh_status run_rows(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                          wh_error *err) {
  const wh_run_options *given = r->options;
  wh_run_options rest = *given; // what follows begins where this run ended
  rest.full = rest.has_since = false;
  bool more;
  wh_status status = run_rows_once(engine, r, totals, &more, err);
  r->options = &rest;
  while (status == WH_OK && more && !given->limit_rows && !wh_engine_stopping(engine))
    status = run_rows_once(engine, r, totals, &more, err);
  r->options = given;
  return status;
}

static bool is_waiting_model(const wh_pipeline *p) {
  return p->model && p->when.kind == WH_WHEN_NEW;
}

// A model that waits runs when something it reads is not what its last run read.
static wh_status run_model(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                           wh_error *err) {
  bool is_new = true;
  if (is_waiting_model(r->pipeline) && !r->options->full)
    WH_TRY(wh_model_is_new(engine, r->pipeline, &is_new, NULL, err));
  return is_new ? run_rows(engine, r, totals, err) : WH_OK;
}

static wh_status run_objects_or_rows(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                                     wh_error *err) {
  const wh_pipeline *p = r->pipeline;
  bool objects;
  if (p->model) return run_model(engine, r, totals, err);
  WH_TRY(reads_objects(engine, p, &objects, err));
  if (!objects) return run_rows(engine, r, totals, err);
  // Under the lease, whatever is hidden was hidden by a worker that is gone.
  wh_ledger *ledger = engine->ledger;
  WH_TRY(ledger->type->reclaim(ledger, r->lease, r->options->hurry, err));
  return run_objects(engine, r, totals, err);
}

// By its schedule. Another worker may have been there first; only with the lease that is certain.
static wh_status run_scheduled(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                               wh_error *err) {
  const wh_pipeline *p = r->pipeline;
  bool objects;
  wh_due due;
  WH_TRY(reads_objects(engine, p, &objects, err));
  WH_TRY(wh_engine_next_due(engine, p, &due, err));
  bool is_due = due.start_us <= wh_now_us(engine->os);
  if (!is_due && !objects) return WH_OK;
  WH_TRY(run_objects_or_rows(engine, r, totals, err));
  // A retry comes before the schedule's time, and what was stopped has not been done.
  if (!is_due || totals->stopped || totals->passes) return WH_OK;
  return engine->ledger->type->set_fired(engine->ledger, r->lease, due.time_us, err);
}

static wh_status run_with_lease(wh_engine *engine, wh_run_request *r, wh_run_totals *totals,
                                wh_error *err) {
  WH_TRY(wh_run_recover(engine, r->pipeline, r->lease, err));
  return r->options->scheduled ? run_scheduled(engine, r, totals, err)
                               : run_objects_or_rows(engine, r, totals, err);
}

static wh_status run_single(wh_engine *engine, const wh_pipeline *p, const wh_run_options *options,
                            wh_run_totals *totals, wh_error *err) {
  wh_ledger *ledger = engine->ledger;
  wh_lease lease;
  WH_TRY(ledger->type->acquire(ledger, p->name, &lease, err));
  wh_run_request r = {.pipeline = p, .lease = &lease, .options = options};
  wh_status status = run_with_lease(engine, &r, totals, err);
  ledger->type->release(ledger, &lease);
  return status;
}

// --- many tables -------------------------------------------------------------------------------

// Which tables there are could not be found out: that is a run that failed, of the pipeline itself.
static wh_status fail_many(wh_engine *engine, const wh_run_request *r, const wh_error *why,
                           wh_arena *arena, wh_run_totals *totals, wh_error *err) {
  wh_ledger *ledger = engine->ledger;
  wh_run run;
  WH_TRY(ledger->type->run_start(ledger, r->lease, (wh_str){0}, arena, &run, err));
  wh_run_record_failure(engine, &run, why);
  count_run(engine, &run, totals);
  return WH_OK;
}

static void notice_tables(wh_engine *engine, const wh_pipeline *many, const wh_str *tables,
                          size_t count, const char *before, const char *behind) {
  for (size_t i = 0; i < count; i++) {
    char text[WH_ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "%s '%.*s'%s", before, WH_STR_ARG(tables[i]), behind);
    wh_engine_notice(engine, many->name, text);
  }
}

static void notice_others(wh_engine *engine, const wh_pipeline *many, const wh_members *m) {
  notice_tables(engine, many, m->unlisted, m->unlisted_count, "the source has a table",
                ". It stays home. To let it cross, list it under columns.");
  notice_tables(engine, many, m->denied, m->denied_count, "the user may not read the table",
                ". It stays home. What to grant: wherry grants");
  notice_tables(engine, many, m->gone, m->gone_count, "the table",
                " is not there any more. What was exported of it stays.");
}

// One after the other; what fails of one does not keep the others. The first trouble with the
// ledger or a lease is told at the end.
static wh_status run_members(wh_engine *engine, const wh_run_request *r, wh_run_totals *totals,
                             wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_members members;
  wh_error why = {0};
  wh_run_options options = *r->options;
  options.scheduled = false; // when the pipeline is due, each of its tables is
  wh_status first = wh_members_now(engine, r->pipeline, &arena, &members, &why);
  if (first == WH_ERR_CANCELLED) {
    totals->stopped = true;
    return WH_OK;
  }
  if (first != WH_OK) return fail_many(engine, r, &why, &arena, totals, err);
  notice_others(engine, r->pipeline, &members);
  for (size_t i = 0; i < members.count; i++) {
    if (wh_engine_stopping(engine)) {
      totals->stopped = true;
      break;
    }
    wh_error own = {0};
    wh_status status = run_single(engine, &members.items[i], &options, totals, &own);
    if (status == WH_ERR_BUSY && r->options->scheduled) continue; // somebody does it now
    if (status == WH_OK || first != WH_OK) continue;
    first = status;
    if (err) *err = own;
  }
  return first;
}

// The lease of the pipeline itself says who looks which tables there are, and when it is due.
static wh_status run_many(wh_engine *engine, const wh_pipeline *many, const wh_run_options *options,
                          wh_run_totals *totals, wh_error *err) {
  wh_ledger *ledger = engine->ledger;
  wh_lease lease;
  wh_due due = {0};
  WH_TRY(ledger->type->acquire(ledger, many->name, &lease, err));
  wh_run_request r = {.pipeline = many, .lease = &lease, .options = options};
  wh_status status = options->scheduled ? wh_engine_next_due(engine, many, &due, err) : WH_OK;
  bool is_due = due.start_us <= wh_now_us(engine->os);
  if (status == WH_OK && is_due) status = run_members(engine, &r, totals, err);
  if (status == WH_OK && is_due && options->scheduled && !totals->stopped)
    status = ledger->type->set_fired(ledger, &lease, due.time_us, err);
  ledger->type->release(ledger, &lease);
  return status;
}

wh_status wh_engine_run_pipeline(wh_engine *engine, const wh_pipeline *p,
                                 const wh_run_options *options, wh_run_totals *totals,
                                 wh_error *err) {
  return p->many ? run_many(engine, p, options, totals, err)
                 : run_single(engine, p, options, totals, err);
}

size_t wh_engine_memory_limit(const wh_config *config) {
  size_t besides = WH_MEMORY_BESIDES;
  for (size_t i = 0; i < wh_config_connection_count(config); i++) {
    const wh_connector *type = wh_config_connection_info(config, i)->type;
    if (!type->reserve_is_accounted) besides += type->reserve_bytes;
  }
  const wh_connector *ledger = wh_config_ledger_type(config);
  if (ledger) besides += ledger->reserve_bytes; // two sessions
  besides += wh_config_codec_reserve(config);
  size_t memory = (size_t)config->memory_bytes;
  return memory > besides + memory / 5 * 2 ? memory - besides : memory / 5 * 2;
}

// --- `wherry run` ------------------------------------------------------------------------------

// Lists the store until every file in it is still, or is not for so long that whoever writes there
// does not mean to end.
static wh_status scan_until_still(wh_engine *engine, const wh_pipeline *p, wh_error *err) {
  int64_t patience = engine->os->type->monotonic_ns(engine->os) / 1000 + WH_SETTLE_PATIENCE_US;
  for (bool is_first = true;; is_first = false) {
    uint64_t fresh;
    int64_t settle_us;
    WH_TRY(wh_engine_scan(engine, p, &fresh, &settle_us, err));
    int64_t wait_us = settle_us == INT64_MAX ? 0 : settle_us - wh_now_us(engine->os);
    // A store may want them to be still for longer, and has seen them only now.
    if (is_first && wait_us > WH_SETTLE_US) patience += wait_us;
    int64_t left_us = patience - engine->os->type->monotonic_ns(engine->os) / 1000;
    if (settle_us == INT64_MAX || left_us <= 0 || wh_engine_stopping(engine)) return WH_OK;
    if (wait_us > left_us) wait_us = left_us;
    if (wait_us > 0) engine->os->type->sleep_ns(engine->os, wait_us * 1000);
  }
}

static void note_found(void *context, const wh_pipeline *p) {
  (void)p;
  *(bool *)context = true;
}

static void keep(void *context) {
  wh_announced_keep(context);
}

static wh_status drain(wh_engine *engine, const wh_pipeline *p, wh_announced *a,
                       const wh_run_options *options, wh_run_totals *totals, wh_error *err) {
  size_t count;
  do {
    bool any = false;
    WH_TRY(wh_announced_take(a, WH_ANNOUNCED_DRAIN_US, note_found, &any, &count, err));
    if (any) WH_TRY(wh_engine_run_pipeline(engine, p, options, totals, err));
  } while (count && !wh_engine_stopping(engine));
  return WH_OK;
}

// Takes what waits in the pipeline's queue, most of which the listing has found already.
static wh_status run_announced(wh_engine *engine, const wh_pipeline *p,
                               const wh_run_options *options, wh_run_totals *totals,
                               wh_error *err) {
  wh_announced *a;
  WH_TRY(wh_announced_open(engine, p->when.queue, &p, 1, &a, err));
  engine->keep_alive = (wh_keep_alive){keep, a};
  wh_status status = drain(engine, p, a, options, totals, err);
  engine->keep_alive = (wh_keep_alive){0};
  wh_announced_close(a);
  return status;
}

wh_status wh_engine_run_now(wh_engine *engine, const wh_pipeline *p, const wh_run_options *options,
                            wh_run_totals *totals, wh_error *err) {
  bool objects;
  WH_TRY(reads_objects(engine, p, &objects, err));
  if (objects) WH_TRY(scan_until_still(engine, p, err));
  return wh_engine_run_pipeline(engine, p, options, totals, err);
}

// With what waits in its queue, as much at a time as may be held.
static wh_status run_taking(wh_engine *engine, wh_inboxes *inboxes, const wh_pipeline *p,
                            const wh_run_options *options, wh_run_totals *totals, wh_error *err) {
  uint64_t failed = totals->failed, count;
  if (options->full) WH_TRY(wh_inboxes_again(inboxes, p, err));
  WH_TRY(wh_inboxes_take(inboxes, p, &count, err));
  do {
    WH_TRY(wh_engine_run_now(engine, p, options, totals, err));
    WH_TRY(wh_inboxes_settle(inboxes, p, err));
    if (!count || totals->failed > failed || wh_engine_stopping(engine)) return WH_OK;
    WH_TRY(wh_inboxes_take(inboxes, p, &count, err));
  } while (count);
  return WH_OK;
}

static wh_status run_named(wh_engine *engine, wh_inboxes *inboxes, const wh_pipeline *p,
                           const wh_run_options *options, wh_run_totals *totals, wh_error *err) {
  WH_TRY(run_taking(engine, inboxes, p, options, totals, err));
  return p->when.kind == WH_WHEN_EVENT ? run_announced(engine, p, options, totals, err) : WH_OK;
}

// Of each pipeline, what a model of it was last run with: one that failed is not run again for the
// same.
typedef char tried[WH_SHA256_HEX + 1];

static wh_status is_due(wh_engine *engine, const wh_pipeline *p, tried *last, bool *ret,
                        wh_error *err) {
  uint64_t fresh = 0;
  int64_t settle_us;
  tried now;
  if (!p->model) {
    wh_status status = wh_engine_scan(engine, p, &fresh, &settle_us, err);
    *ret = fresh > 0;
    return status;
  }
  WH_TRY(wh_model_is_new(engine, p, ret, now, err));
  *ret = *ret && strcmp(now, *last) != 0;
  memcpy(*last, now, sizeof now);
  return WH_OK;
}

// The pipeline that comes at this place when all run.
static const wh_pipeline *in_order(const wh_config *config, size_t i) {
  return &config->pipelines[config->order ? config->order[i] : i];
}

// Runs the pipelines that wait for objects and for which something has come; *ret_any tells whether
// any had.
static wh_status run_due(wh_engine *engine, const wh_run_options *options, tried *last,
                         wh_run_totals *totals, bool *ret_any, wh_error *err) {
  *ret_any = false;
  for (size_t i = 0; i < engine->config->pipeline_count; i++) {
    const wh_pipeline *p = in_order(engine->config, i);
    if (p->when.kind != WH_WHEN_NEW && p->when.kind != WH_WHEN_EVENT) continue;
    bool due = false;
    WH_TRY(is_due(engine, p, &last[p - engine->config->pipelines], &due, err));
    if (!due) continue;
    *ret_any = true;
    WH_TRY(wh_engine_run_pipeline(engine, p, options, totals, err));
  }
  return WH_OK;
}

static wh_status run_all_named(wh_engine *engine, wh_inboxes *inboxes, const wh_str *names,
                               size_t count, const wh_run_options *options, tried *last,
                               wh_run_totals *totals, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena; // of members that were named
  wh_arena_init(&arena, engine->mem);
  const wh_config *config = engine->config;
  size_t total = count ? count : config->pipeline_count;
  for (size_t i = 0; i < total && !wh_engine_stopping(engine); i++) {
    const wh_pipeline *p = count ? NULL : in_order(config, i);
    if (count) WH_TRY(wh_config_find_any(config, names[i], &arena, &p, err));
    bool due = true;
    if (is_waiting_model(p) && !options->full)
      WH_TRY(is_due(engine, p, &last[p - config->pipelines], &due, err));
    WH_TRY(wh_inboxes_add(inboxes, p, err));
    if (due) WH_TRY(run_named(engine, inboxes, p, options, totals, err));
  }
  return WH_OK;
}

wh_status wh_engine_run(wh_engine *engine, const wh_str *names, size_t count,
                        const wh_run_options *options, wh_run_totals *totals, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  tried *last = WH_NEW_ARRAY(&arena, engine->config->pipeline_count, tried);
  if (!last) return wh_fail_memory(err);
  wh_inboxes *inboxes;
  WH_TRY(wh_inboxes_make(engine, &inboxes, err));
  wh_status status = run_all_named(engine, inboxes, names, count, options, last, totals, err);
  wh_inboxes_free(inboxes);
  WH_TRY(status);
  // --limit, --since and --full speak of the pipelines that were named, not of what follows.
  wh_run_options follow = {.hurry = options->hurry};
  bool any = true;
  while (any && !wh_engine_stopping(engine))
    WH_TRY(run_due(engine, &follow, last, totals, &any, err));
  return WH_OK;
}
