#include "lambda/handle.h"

#include "base/log.h"
#include "engine/announced.h"
#include "engine/run.h"
#include "lambda/batch.h"

enum {
  TELL_US = 5 * 1000000,
  TELL_WAIT_US = 10 * 1000000,     // in all, for what is due that soon
  TELL_PAUSE_US = 200000,          // at least, between two tries
  BUSY_PAUSE_US = 250000,          // until a pipeline that runs elsewhere is asked for again
  BUSY_WAIT_US_MAX = 60 * 1000000, // in all, of an invocation that does not say when it ends
};

typedef struct handling {
  wh_engine *engine;
  wh_arena *arena;
  const wh_lambda_event *event;
  const wh_pipeline **served; // those that objects are announced to
  bool *is_found;             // of each: something has come
  size_t served_count;
  wh_run_totals totals;
  int64_t busy_until_us; // that a pipeline which runs elsewhere is waited for
  wh_error first;        // what failed first, in words
  wh_watcher outer;
} handling;

static void remember(handling *h, const wh_error *why) {
  if (h->first.status == WH_OK) h->first = *why;
}

// --- what is told of runs ------------------------------------------------------------------------

static void on_finished(void *context, const wh_run *run) {
  handling *h = context;
  if (run->state != WH_RUN_DONE && h->first.status == WH_OK)
    WH_IGNORE(wh_fail(&h->first, WH_ERR_DATA, "%.*s: %.*s", WH_STR_ARG(run->pipeline),
                      WH_STR_ARG(run->error)));
  if (h->outer.finished) h->outer.finished(h->outer.context, run);
}

static void on_notice(void *context, wh_str pipeline, const char *text) {
  handling *h = context;
  if (h->outer.notice) h->outer.notice(h->outer.context, pipeline, text);
}

// --- one pipeline --------------------------------------------------------------------------------

bool wh_lambda_needs_ledger(const wh_config *config, const wh_pipeline *p) {
  if (p->read.cursor.len || p->read.deletes || p->notify_count) return true;
  if (p->after.kind != WH_AFTER_LEAVE) return true; // who has the object is known there
  bool from_store = wh_config_find_connection(config, p->from.connection)->type->store != NULL;
  bool to_store = wh_config_find_connection(config, p->to.connection)->type->store != NULL;
  // A second delivery would publish it again; and the catalogue has to be told of what is
  // published.
  return to_store && (from_store || config->catalog.node);
}

// By its schedule: until it is due nothing new is looked for. Whoever calls says when to start, so
// that `jitter` is not waited for.
static wh_status run_when_due(handling *h, const wh_pipeline *p, const wh_run_options *options,
                              wh_error *err) {
  wh_engine *e = h->engine;
  wh_due due;
  WH_TRY(wh_engine_next_due(e, p, &due, err));
  return due.time_us <= wh_now_us(e->os) ? wh_engine_run_now(e, p, options, &h->totals, err)
                                         : wh_engine_run_pipeline(e, p, options, &h->totals, err);
}

static bool needs_schedule(const handling *h, const wh_pipeline *p) {
  bool is_timed = p->when.kind == WH_WHEN_EVERY || p->when.kind == WH_WHEN_CRON;
  return is_timed && h->event->kind == WH_LAMBDA_SCHEDULE;
}

static wh_status check_ledger(const handling *h, const wh_pipeline *p, wh_error *err) {
  const wh_engine *e = h->engine;
  bool needs = wh_lambda_needs_ledger(e->config, p) || needs_schedule(h, p);
  if (!e->scratch_ledger || !needs) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s has to remember what it did, and this function's disk keeps nothing. Give "
                 "it a ledger that lasts, such as ledger: dynamodb:TABLE",
                 WH_STR_ARG(p->name));
}

static wh_status run_once(handling *h, const wh_pipeline *p, const wh_run_options *options,
                          wh_error *err) {
  wh_engine *e = h->engine;
  if (h->event->kind == WH_LAMBDA_MESSAGES)
    return wh_engine_run_pipeline(e, p, options, &h->totals, err);
  if (options->scheduled) return run_when_due(h, p, options, err);
  return wh_engine_run_now(e, p, options, &h->totals, err);
}

static void sleep_until(const wh_engine *e, int64_t until_us) {
  for (int64_t left; !wh_engine_stopping(e) && (left = until_us - wh_now_us(e->os)) > 0;)
    e->os->type->sleep_ns(e->os, left * 1000);
}

// Another function may be at the same pipeline, with a ledger that both have. What is given back
// for that would count as a failure with the sender, whose patience ends in a dead letter; so the
// other one is waited for. Of many tables one may be busy: the others would be read again and
// again.
static wh_status run_when_free(handling *h, const wh_pipeline *p, const wh_run_options *options,
                               wh_error *err) {
  const wh_engine *e = h->engine;
  for (;;) {
    wh_status status = run_once(h, p, options, err);
    int64_t again_us = wh_now_us(e->os) + BUSY_PAUSE_US;
    bool waits = status == WH_ERR_BUSY && !options->scheduled && !p->many;
    if (!waits || again_us > h->busy_until_us || wh_engine_stopping(e)) return status;
    sleep_until(e, again_us);
  }
}

// What fails of one pipeline is remembered, and keeps no other from running. On a schedule somebody
// else may be at it.
static void run(handling *h, const wh_pipeline *p, const wh_run_options *options) {
  wh_error why = {0};
  wh_status status = check_ledger(h, p, &why);
  if (status == WH_OK) status = run_when_free(h, p, options, &why);
  if (status != WH_OK && !(status == WH_ERR_BUSY && options->scheduled)) remember(h, &why);
}

// --- messages ------------------------------------------------------------------------------------

static wh_status find_served(handling *h, wh_error *err) {
  const wh_config *config = h->engine->config;
  h->served = WH_NEW_ARRAY(h->arena, config->pipeline_count, const wh_pipeline *);
  h->is_found = WH_NEW_ARRAY(h->arena, config->pipeline_count, bool);
  if (!h->served || !h->is_found) return wh_fail_memory(err);
  for (size_t i = 0; i < config->pipeline_count; i++)
    if (wh_announced_reach(config, &config->pipelines[i]))
      h->served[h->served_count++] = &config->pipelines[i];
  if (h->served_count) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "objects are announced, and no pipeline waits for any: one that reads a store of "
                 "type s3 says when: new, or when: { event: QUEUE }");
}

static void note_found(void *context, const wh_pipeline *p) {
  handling *h = context;
  for (size_t i = 0; i < h->served_count; i++)
    h->is_found[i] = h->is_found[i] || h->served[i] == p;
}

// Each pipeline that something came for.
static void run_found(handling *h) {
  static const wh_run_options options = {.hurry = true};
  for (size_t i = 0; i < h->served_count && !wh_engine_stopping(h->engine); i++) {
    if (!h->is_found[i]) continue;
    h->is_found[i] = false;
    run(h, h->served[i], &options);
  }
}

static wh_status take_all(handling *h, wh_announced *a, const wh_lambda_batch *batch,
                          wh_error *err) {
  bool taken = false;
  while (!taken && !wh_engine_stopping(h->engine)) {
    size_t count;
    WH_TRY(wh_announced_take(a, 0, note_found, h, &count, err));
    run_found(h);
    taken = wh_lambda_batch_is_taken(batch);
  }
  return WH_OK;
}

// {"batchItemFailures":[{"itemIdentifier":"..."}]}, as Lambda wants it of a function that takes
// messages of SQS and says that it reports each [1].
// [1] https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
static size_t write_failures(const handling *h, const wh_lambda_batch *batch, wh_buf *out) {
  size_t failed = 0;
  wh_buf_add_c(out, "{\"batchItemFailures\":[");
  for (size_t i = 0; i < h->event->message_count; i++) {
    if (wh_lambda_batch_outcome(batch, i) == WH_MESSAGE_DONE) continue;
    wh_buf_add_c(out, failed++ ? ",{\"itemIdentifier\":" : "{\"itemIdentifier\":");
    wh_buf_add_json(out, h->event->messages[i].id);
    wh_buf_add_char(out, '}');
  }
  wh_buf_add_c(out, "]}");
  return failed;
}

static void write_totals(const handling *h, wh_buf *out) {
  wh_buf_printf(out, "{\"runs\":%llu,\"failed\":%llu,\"rows_quarantined\":%llu}",
                (unsigned long long)h->totals.runs, (unsigned long long)h->totals.failed,
                (unsigned long long)h->totals.rows_quarantined);
}

static wh_status first_failure(const handling *h, wh_error *err) {
  if (h->first.status != WH_OK) {
    if (err) *err = h->first;
    return h->first.status;
  }
  if (!wh_engine_stopping(h->engine))
    return wh_fail(err, WH_ERR_UNAVAILABLE, "some objects could not be loaded; the log says why");
  return wh_fail(err, WH_ERR_CANCELLED,
                 "the time was over before everything was done; the rest goes on when it is "
                 "delivered again");
}

static wh_status handle_messages(handling *h, wh_buf *out, wh_error *err) {
  WH_TRY(find_served(h, err));
  wh_lambda_batch *batch = wh_lambda_batch_new(h->event, h->arena);
  if (!batch) return wh_fail_memory(err);
  wh_announced *a;
  WH_TRY(wh_announced_over(h->engine, &wh_lambda_queue, (wh_queue_handle *)batch, WH_STR("lambda"),
                           h->served, h->served_count, &a, err));
  wh_error why = {0};
  if (take_all(h, a, batch, &why) != WH_OK) remember(h, &why);
  wh_announced_close(a);
  remember(h, wh_lambda_batch_problem(batch));
  size_t failed = write_failures(h, batch, out);
  if (failed == 0 && !h->event->is_sqs) {
    wh_buf_clear(out);
    write_totals(h, out);
  }
  // Where everything failed an error says it, too, should nobody look at the list.
  return failed && (!h->event->is_sqs || failed == h->event->message_count) ? first_failure(h, err)
                                                                            : WH_OK;
}

// --- calls and schedules -------------------------------------------------------------------------

static wh_status handle_run(handling *h, wh_error *err) {
  for (size_t i = 0; i < h->event->pipeline_count && !wh_engine_stopping(h->engine); i++) {
    const wh_pipeline *p;
    WH_TRY(wh_config_find_any(h->engine->config, h->event->pipelines[i], h->arena, &p, err));
    run(h, p, &h->event->options);
  }
  return WH_OK;
}

static void handle_schedule(handling *h) {
  static const wh_run_options options = {.scheduled = true};
  const wh_config *config = h->engine->config;
  for (size_t i = 0; i < config->pipeline_count && !wh_engine_stopping(h->engine); i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (p->when.kind == WH_WHEN_EVERY || p->when.kind == WH_WHEN_CRON) run(h, p, &options);
  }
}

static wh_status handle_calls(handling *h, wh_buf *out, wh_error *err) {
  if (h->event->kind == WH_LAMBDA_RUN)
    WH_TRY(handle_run(h, err));
  else
    handle_schedule(h);
  write_totals(h, out);
  bool all = h->first.status == WH_OK && !h->totals.failed && !h->totals.stopped &&
             !wh_engine_stopping(h->engine);
  return all ? WH_OK : first_failure(h, err);
}

// What another function is telling now, or what failed once, is due again within seconds, and
// nobody knows when the next invocation comes. What cannot be told by then stays in the ledger for
// that.
static void tell(wh_engine *engine) {
  int64_t until_us = wh_now_us(engine->os) + TELL_WAIT_US;
  for (;;) {
    wh_delivered d;
    wh_error why = {0};
    if (wh_engine_deliver(engine, false, TELL_US, &d, &why) != WH_OK) {
      wh_log_error(WH_LOG_WARN, "notify", &why);
      return;
    }
    int64_t next_us = wh_now_us(engine->os) + TELL_PAUSE_US;
    if (d.next_us > next_us) next_us = d.next_us;
    if (next_us > until_us || wh_engine_stopping(engine)) return;
    sleep_until(engine, next_us);
  }
}

// Half of the time that is left: the other half is for the work.
static int64_t busy_until(const wh_engine *engine, int64_t end_us) {
  int64_t now = wh_now_us(engine->os);
  return end_us ? now + (end_us - now) / 2 : now + BUSY_WAIT_US_MAX;
}

wh_status wh_lambda_handle(wh_engine *engine, const wh_lambda_event *event, int64_t end_us,
                           wh_buf *ret_json, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  handling h = {.engine = engine,
                .arena = &arena,
                .event = event,
                .busy_until_us = busy_until(engine, end_us),
                .outer = engine->watcher};
  engine->watcher = (wh_watcher){.context = &h, .finished = on_finished, .notice = on_notice};
  wh_status status = event->kind == WH_LAMBDA_MESSAGES ? handle_messages(&h, ret_json, err)
                                                       : handle_calls(&h, ret_json, err);
  engine->watcher = h.outer;
  tell(engine);
  return status == WH_OK ? wh_buf_check(ret_json, err) : status;
}
