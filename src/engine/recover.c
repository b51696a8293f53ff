// After a crash, or after a worker was stopped for so long that its lease is over. Under the lease
// nobody else works on the pipeline, so a run that is still "running" ended before anything of it
// was durable, and one that is "sealed" only has to be published (or was, and only the ledger does
// not know).
#include "engine/dataset.h"
#include "engine/outbox.h"
#include "engine/publish.h"
#include "engine/run.h"

#define GONE "interrupted, and its target is no longer in the configuration"

typedef struct left_over {
  const wh_lease *lease;
  wh_arena *arena;
  wh_run *runs;
  size_t count, cap;
} left_over;

static wh_status collect(void *context, const wh_run *run, wh_error *err) {
  left_over *l = context;
  if (run->state != WH_RUN_RUNNING && run->state != WH_RUN_SEALED) return WH_OK;
  if (run->epoch > l->lease->epoch) return WH_OK; // we slept, and whoever took over is at it
  if (l->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 8;
    wh_run *grown = WH_NEW_ARRAY(l->arena, cap, wh_run);
    if (!grown) return wh_fail_memory(err);
    if (l->count) memcpy(grown, l->runs, l->count * sizeof *grown);
    l->runs = grown;
    l->cap = cap;
  }
  l->runs[l->count++] = *run;
  return WH_OK;
}

static wh_status give_up_run(wh_engine *engine, wh_run *run, const char *why, wh_error *err) {
  run->state = WH_RUN_FAILED;
  run->error = wh_str_of(why);
  run->finished_us = wh_now_us(engine->os);
  wh_tells tells;
  wh_outbox_tells(engine, run, &tells);
  wh_finish finish = {.run = run, .tells = tells.items, .tell_count = tells.count};
  return engine->ledger->type->run_finish(engine->ledger, &finish, err);
}

// The files of a dataset go first: of a run that is failed nobody looks for them any more.
static wh_status give_up_publishing(wh_engine *engine, const wh_pipeline *pipeline, wh_run *run,
                                    const char *why, wh_error *err) {
  if (pipeline->write.dataset.len) {
    wh_connection *c;
    WH_TRY(wh_config_connect(engine->config, pipeline->to.connection, &c, err));
    WH_TRY(wh_dataset_discard(c, pipeline->write.dataset, run->id, err));
  }
  return give_up_run(engine, run, why, err);
}

static wh_status finish_adopted(wh_engine *engine, wh_run *run, wh_finish *finish, wh_error *err) {
  WH_TRY(wh_run_record_done(engine, run, finish, err));
  if (engine->watcher.finished) engine->watcher.finished(engine->watcher.context, run);
  return WH_OK;
}

// The configuration may have changed since the run was sealed. A target that is not in it any more
// was given up by whoever changed it; the cursor stays, so nothing is lost.
static const wh_connector *connector_of(wh_engine *engine, wh_str connection) {
  const wh_connection_info *info = wh_config_find_connection(engine->config, connection);
  return info ? info->type : NULL;
}

static wh_status adopt_object(wh_engine *engine, const wh_pipeline *pipeline, wh_run *run,
                              wh_finish *finish, wh_arena *arena, wh_error *err) {
  const wh_connector *type = connector_of(engine, run->sealed.store);
  if (!type || !type->store) return give_up_run(engine, run, GONE, err);
  wh_object object;
  wh_error inner = {0};
  bool is_version = wh_dataset_key_version(pipeline->write.dataset, run->sealed.key) > 0;
  wh_status status = is_version
                         ? wh_dataset_adopt(engine, pipeline, run, arena, &object, &inner)
                         : wh_publish_sealed(engine, &run->sealed, run->id, arena, &object, &inner);
  // The name was taken meanwhile (a raw file's may be), or the attempt is gone: nothing was
  // published.
  if (status == WH_ERR_NOT_FOUND || status == WH_ERR_EXISTS) {
    return give_up_publishing(engine, pipeline, run, inner.text, err);
  }
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  run->output_version = object.version;
  return finish_adopted(engine, run, finish, err);
}

// What the target says of the run, once nobody with an older lease can commit there any more: a
// worker that was only stopped may be about to.
static wh_status read_mark_alone(wh_engine *engine, wh_connection *c, const wh_lease *lease,
                                 const wh_run *run, wh_arena *arena, wh_mark *ret, wh_error *err) {
  const wh_sink_type *type = c->type->sink;
  wh_load load = {.pipeline = lease->pipeline,
                  .object = run->id,
                  .run = run->id,
                  .order = run->order,
                  .epoch = engine->scratch_ledger ? WH_EPOCH_NONE : lease->epoch,
                  .now_us = wh_now_us(engine->os)};
  wh_sink *sink;
  WH_TRY(type->open(c, NULL, 0, &sink, err));
  wh_status status = type->prepare(sink, err);
  if (status == WH_OK) status = type->begin(sink, &load, arena, ret, err);
  if (status == WH_OK) status = type->commit(sink, err);
  type->close(sink);
  return status;
}

// Rows of a database straight into a table: the mark in the target tells whether it committed.
static wh_status adopt_load(wh_engine *engine, const wh_lease *lease, wh_run *run,
                            wh_finish *finish, wh_arena *arena, wh_error *err) {
  wh_str target = wh_str_sub(run->output, 0, wh_str_find(run->output, 0, ':'));
  const wh_connector *type = connector_of(engine, target);
  if (!type || !type->sink) return give_up_run(engine, run, GONE, err);
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, target, &c, err));
  wh_mark mark;
  WH_TRY(read_mark_alone(engine, c, lease, run, arena, &mark, err));
  if (!mark.done) return give_up_run(engine, run, "interrupted before it committed", err);
  run->counts = mark.counts;
  return finish_adopted(engine, run, finish, err);
}

// Attempts in the pipeline's store that belong to no run that could still publish them.
typedef struct sweep {
  wh_connection *connection;
  const left_over *left;
} sweep;

static wh_status sweep_attempt(void *context, const wh_object *attempt, wh_error *err) {
  const sweep *s = context;
  for (size_t i = 0; i < s->left->count; i++) {
    const wh_run *run = &s->left->runs[i];
    if (run->state == WH_RUN_FAILED && attempt->key.len > run->id.len &&
        memcmp(attempt->key.data, run->id.data, run->id.len) == 0) {
      return s->connection->type->store->discard(s->connection, attempt->key, err);
    }
  }
  return WH_OK;
}

static wh_status discard_attempts(wh_engine *engine, const wh_pipeline *pipeline,
                                  const left_over *left, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, pipeline->to.connection, &c, err));
  if (!c->type->store) return WH_OK;
  if (pipeline->write.dataset.len) WH_TRY(wh_store_sweep_puts(c, err));
  sweep s = {.connection = c, .left = left};
  return c->type->store->attempts(c, sweep_attempt, &s, err);
}

wh_status wh_run_recover(wh_engine *engine, const wh_pipeline *pipeline, const wh_lease *lease,
                         wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_ledger *ledger = engine->ledger;
  left_over left = {.lease = lease, .arena = &arena};
  WH_TRY(
      ledger->type->runs(ledger, pipeline->name, WH_RUN_RUNNING, 0, &arena, collect, &left, err));
  WH_TRY(ledger->type->runs(ledger, pipeline->name, WH_RUN_SEALED, 0, &arena, collect, &left, err));
  if (left.count == 0) return WH_OK;
  for (size_t i = 0; i < left.count; i++) {
    wh_run *run = &left.runs[i];
    if (run->state == WH_RUN_RUNNING) {
      WH_TRY(give_up_publishing(engine, pipeline, run, "interrupted before anything was published",
                                err));
      continue;
    }
    wh_finish finish;
    WH_TRY(ledger->type->run_sealed_finish(ledger, run->id, &arena, &finish, err));
    if (run->sealed.attempt.len)
      WH_TRY(adopt_object(engine, pipeline, run, &finish, &arena, err));
    else
      WH_TRY(adopt_load(engine, lease, run, &finish, &arena, err));
  }
  return discard_attempts(engine, pipeline, &left, err);
}
