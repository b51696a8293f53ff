#include "serve/metrics.h"

#include "connect/ingest/log.h"
#include "engine/health.h"
#include "serve/exposition.h"

#include <math.h>

typedef struct family {
  const char *name, *type, *help;
} family;

static double seconds(int64_t us) {
  return (double)us / 1e6;
}

static void add_one(wh_buf *out, const char *name, const char *help, double value) {
  wh_exposition_family(out, name, "gauge", help);
  wh_exposition_sample(out, name, NULL, 0, value);
}

// --- pipelines, from the ledger ------------------------------------------------------------------

// A pipeline at one moment.
typedef struct view {
  const wh_health *health;
  wh_run_count count;
  int64_t now_us;
  int64_t done_us; // start of the last run that is done; 0: none is known
} view;

static bool is_timed(const wh_pipeline *p) {
  return p->when.kind == WH_WHEN_EVERY || p->when.kind == WH_WHEN_CRON;
}

static double oldest(const view *v) {
  int64_t oldest_us = v->health->stats.oldest_us;
  return oldest_us && oldest_us < v->now_us ? seconds(v->now_us - oldest_us) : 0;
}

static double lag(const view *v) {
  if (!is_timed(v->health->pipeline)) return oldest(v);
  return v->done_us ? seconds(v->now_us - v->done_us) : NAN;
}

static double failed(const view *v) {
  return v->health->condition == WH_CONDITION_FAILED;
}

static double last_run(const view *v) {
  return v->health->has_run ? seconds(v->health->last.started_us) : NAN;
}

static double waiting(const view *v) {
  return (double)v->health->stats.waiting;
}

static double dead(const view *v) {
  return (double)v->health->stats.dead;
}

static double quarantined(const view *v) {
  return (double)v->health->stats.quarantined_rows;
}

static double rows_read(const view *v) {
  return (double)v->count.rows.read;
}

static double bytes_read(const view *v) {
  return (double)v->count.bytes_read;
}

static double bytes_written(const view *v) {
  return (double)v->count.bytes_written;
}

typedef struct value {
  family family;
  double (*of)(const view *v);
} value;

static const value values[] = {
    {{"wherry_pipeline_failed", "gauge",
      "1 where the last run failed or an object was given up, else 0."},
     failed},
    {{"wherry_last_run_timestamp_seconds", "gauge", "When the last run began."}, last_run},
    {{"wherry_lag_seconds", "gauge",
      "With a schedule, since the last run that is done began; else, how long the oldest object "
      "waits."},
     lag},
    {{"wherry_objects_waiting", "gauge", "Objects that are to be loaded."}, waiting},
    {{"wherry_objects_oldest_seconds", "gauge", "How long the oldest of them waits."}, oldest},
    {{"wherry_objects_dead", "gauge", "Objects that were given up."}, dead},
    {{"wherry_quarantined_rows", "gauge", "Rows in quarantine."}, quarantined},
    {{"wherry_rows_read_total", "counter", "Rows that runs have read."}, rows_read},
    {{"wherry_bytes_read_total", "counter", "Bytes that runs have read."}, bytes_read},
    {{"wherry_bytes_written_total", "counter", "Bytes that runs have written."}, bytes_written},
};

static wh_label label_of(const view *v) {
  return (wh_label){"pipeline", v->health->pipeline->name};
}

static void add_values(const view *views, size_t count, wh_buf *out) {
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    const family *f = &values[i].family;
    wh_exposition_family(out, f->name, f->type, f->help);
    for (size_t j = 0; j < count; j++) {
      wh_label label = label_of(&views[j]);
      wh_exposition_sample(out, f->name, &label, 1, values[i].of(&views[j]));
    }
  }
}

// One family whose samples differ by a second label.
typedef struct part {
  const char *label;
  size_t offset; // of a uint64_t in wh_run_count
} part;

static const part run_parts[] = {{"done", offsetof(wh_run_count, done)},
                                 {"failed", offsetof(wh_run_count, failed)},
                                 {"stopped", offsetof(wh_run_count, stopped)},
                                 {0}};
static const part row_parts[] = {{"written", offsetof(wh_run_count, rows.written)},
                                 {"unchanged", offsetof(wh_run_count, rows.unchanged)},
                                 {"superseded", offsetof(wh_run_count, rows.superseded)},
                                 {"filtered", offsetof(wh_run_count, rows.filtered)},
                                 {"quarantined", offsetof(wh_run_count, rows.quarantined)},
                                 {0}};

static void add_parts(const view *views, size_t count, family f, const char *label,
                      const part *parts, wh_buf *out) {
  wh_exposition_family(out, f.name, f.type, f.help);
  for (size_t i = 0; i < count; i++) {
    for (const part *p = parts; p->label; p++) {
      uint64_t number;
      memcpy(&number, (const char *)&views[i].count + p->offset, sizeof number);
      wh_label labels[] = {label_of(&views[i]), {label, wh_str_of(p->label)}};
      wh_exposition_sample(out, f.name, labels, 2, (double)number);
    }
  }
}

static void add_durations(const view *views, size_t count, wh_buf *out) {
  wh_exposition_family(out, "wherry_run_duration_seconds", "summary", "How long runs took.");
  for (size_t i = 0; i < count; i++) {
    wh_label label = label_of(&views[i]);
    const wh_run_count *c = &views[i].count;
    wh_exposition_sample(out, "wherry_run_duration_seconds_sum", &label, 1, c->seconds);
    wh_exposition_sample(out, "wherry_run_duration_seconds_count", &label, 1,
                         (double)(c->done + c->failed + c->stopped));
  }
}

static wh_status keep_start(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  *(int64_t *)context = run->started_us;
  return WH_OK;
}

static wh_status look(const wh_metrics_source *s, const wh_health *health, wh_arena *scratch,
                      view *ret, wh_error *err) {
  wh_ledger *l = s->engine->ledger;
  wh_str name = health->pipeline->name;
  *ret = (view){.health = health,
                .count = wh_run_counts_of(s->runs, name),
                .now_us = wh_now_us(s->engine->os)};
  if (!is_timed(health->pipeline)) return WH_OK;
  return l->type->runs(l, name, WH_RUN_DONE, 1, scratch, keep_start, &ret->done_us, err);
}

static wh_status add_pipelines(const wh_metrics_source *s, wh_arena *scratch, wh_buf *out,
                               wh_error *err) {
  const wh_pipeline **pipelines;
  size_t count;
  wh_health *all;
  WH_TRY(wh_engine_pipelines(s->engine, NULL, 0, scratch, &pipelines, &count, err));
  WH_TRY(wh_engine_health(s->engine, pipelines, count, false, scratch, &all, err));
  view *views = WH_NEW_ARRAY(scratch, count, view);
  if (!views) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(look(s, &all[i], scratch, &views[i], err));
  add_values(views, count, out);
  add_parts(views, count, (family){"wherry_runs_total", "counter", "Runs that ended."}, "state",
            run_parts, out);
  add_parts(views, count,
            (family){"wherry_rows_total", "counter", "Rows that runs have read, by their outcome."},
            "outcome", row_parts, out);
  add_durations(views, count, out);
  return WH_OK;
}

// --- what waits for others -----------------------------------------------------------------------

static wh_status add_outbox(const wh_metrics_source *s, wh_arena *scratch, wh_buf *out,
                            wh_error *err) {
  wh_ledger *l = s->engine->ledger;
  wh_outbox_box *boxes;
  size_t count;
  WH_TRY(l->type->outbox(l, scratch, &boxes, &count, err));
  static const family waits = {"wherry_outbox_waiting", "gauge", "Messages that are to be sent."};
  static const family gone = {"wherry_outbox_dead", "gauge", "Messages that were given up."};
  for (int is_dead = 0; is_dead < 2; is_dead++) {
    const family *f = is_dead ? &gone : &waits;
    wh_exposition_family(out, f->name, f->type, f->help);
    for (size_t i = 0; i < count; i++) {
      wh_label label = {"target", boxes[i].target};
      wh_exposition_sample(out, f->name, &label, 1,
                           (double)(is_dead ? boxes[i].dead : boxes[i].waiting));
    }
  }
  return WH_OK;
}

// --- this process --------------------------------------------------------------------------------

static void add_lookups(const wh_metrics_source *s, wh_buf *out) {
  static const char name[] = "wherry_lookup_requests_total";
  if (!s->server) return;
  const wh_serve *serve = &s->engine->config->serve;
  wh_exposition_family(out, name, "counter", "Questions to a lookup, by their outcome.");
  for (size_t i = 0; i < serve->lookup_count; i++) {
    wh_server_counts c = wh_server_count_lookup(s->server, i);
    const struct {
      const char *result;
      uint64_t count;
    } results[] = {
        {"found", c.found}, {"missed", c.missed}, {"limited", c.limited}, {"failed", c.failed}};
    for (size_t j = 0; j < sizeof results / sizeof results[0]; j++) {
      wh_label labels[] = {{"lookup", serve->lookups[i].name},
                           {"result", wh_str_of(results[j].result)}};
      wh_exposition_sample(out, name, labels, 2, (double)results[j].count);
    }
  }
}

static void add_ingests(const wh_metrics_source *s, wh_buf *out) {
  const wh_serve *serve = &s->engine->config->serve;
  if (!s->server || !serve->ingest_count) return;
  static const struct {
    const char *name, *type, *help;
    size_t at;
  } families[] = {
      {"wherry_ingest_requests_total", "counter", "Requests to an endpoint.",
       offsetof(wh_ingest_counts, requests)},
      {"wherry_ingest_refused_total", "counter", "Those that were refused.",
       offsetof(wh_ingest_counts, refused)},
      {"wherry_ingest_events_total", "counter", "Events that were taken.",
       offsetof(wh_ingest_counts, events)},
      {"wherry_ingest_waiting_bytes", "gauge", "Bytes of events that have still to go on.",
       offsetof(wh_ingest_counts, waiting_bytes)},
  };
  for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
    wh_exposition_family(out, families[f].name, families[f].type, families[f].help);
    for (size_t i = 0; i < serve->ingest_count; i++) {
      wh_ingest_counts c = wh_server_count_ingest(s->server, i);
      uint64_t count;
      memcpy(&count, (const char *)&c + families[f].at, sizeof count);
      wh_label label = {"endpoint", serve->ingests[i].endpoint->name};
      wh_exposition_sample(out, families[f].name, &label, 1, (double)count);
    }
  }
}

// How long the oldest event of an endpoint waits that not every pipeline has taken, or the queue it
// is sent to; 0: none waits.
static wh_status oldest_event(const wh_metrics_source *s, const wh_ingest_endpoint *e, wh_str to,
                              int64_t now_us, double *ret, wh_error *err) {
  int64_t next;
  wh_ingest_log *log;
  wh_ingest_state state = {.oldest_us = INT64_MAX};
  WH_TRY(wh_engine_ingested(s->engine, e->name, &next, err));
  WH_TRY(wh_ingest_log_open_reader(s->engine->os, s->engine->mem, e->log, &log, err));
  int64_t sent = next;
  wh_status status = log && to.len ? wh_ingest_log_sent(log, &sent, err) : WH_OK;
  if (sent < next) next = sent;
  if (log && status == WH_OK) status = wh_ingest_log_state(log, next, &state, err);
  wh_ingest_log_close(log);
  *ret = state.oldest_us < now_us ? seconds(now_us - state.oldest_us) : 0;
  return status;
}

static wh_status add_oldest_events(const wh_metrics_source *s, wh_buf *out, wh_error *err) {
  static const char name[] = "wherry_ingest_oldest_seconds";
  const wh_serve *serve = &s->engine->config->serve;
  if (!serve->ingest_count) return WH_OK;
  wh_exposition_family(out, name, "gauge", "How long the oldest event has waited to go on.");
  for (size_t i = 0; i < serve->ingest_count; i++) {
    const wh_ingest_endpoint *e = serve->ingests[i].endpoint;
    wh_label label = {"endpoint", e->name};
    double waits;
    WH_TRY(oldest_event(s, e, serve->ingests[i].to, wh_now_us(s->engine->os), &waits, err));
    wh_exposition_sample(out, name, &label, 1, waits);
  }
  return WH_OK;
}

static void add_process(const wh_metrics_source *s, wh_buf *out) {
  wh_label version = {"version", WH_STR(WHERRY_VERSION)};
  wh_exposition_family(out, "wherry_build_info", "gauge", "Always 1; the version is a label.");
  wh_exposition_sample(out, "wherry_build_info", &version, 1, 1);
  add_one(out, "process_start_time_seconds", "When the service began.", seconds(s->started_us));
  add_one(out, "process_resident_memory_bytes", "Memory that the process takes.",
          (double)wh_mem_resident());
  add_one(out, "wherry_memory_limit_bytes", "The ceiling that `memory` sets.",
          (double)s->engine->config->memory_bytes);
}

wh_status wh_metrics_write(const wh_metrics_source *s, wh_arena *scratch, wh_buf *out,
                           wh_error *err) {
  add_process(s, out);
  add_lookups(s, out);
  add_ingests(s, out);
  size_t len = out->len;
  wh_status status = add_pipelines(s, scratch, out, err);
  if (status == WH_OK) status = add_outbox(s, scratch, out, err);
  if (status == WH_OK) status = add_oldest_events(s, out, err);
  if (status == WH_ERR_MEMORY) return status;
  if (status != WH_OK) out->len = len;
  add_one(out, "wherry_ledger_readable", "Whether the ledger could be read just now.",
          status == WH_OK);
  return wh_buf_check(out, err);
}
