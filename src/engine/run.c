#include "engine/run.h"

#include "base/log.h"
#include "engine/crossings.h"
#include "engine/deletes.h"
#include "engine/fit.h"
#include "engine/judge.h"
#include "engine/model.h"
#include "engine/new_columns.h"
#include "engine/outbox.h"
#include "engine/shared.h"

enum { PROGRESS_INTERVAL_US = 100 * 1000, KEEP_ALIVE_US = 30 * 1000000 };

// What becomes of one table's rows. A pipeline with one has one of these.
typedef struct table {
  const wh_pipeline *pipeline; // its branch
  wh_reject_file rejects;
  wh_counts counts;
  int64_t newest[WH_FRESH_MAX];
  char first_reason[WH_FIRST_REASON_MAX]; // why the first rejected row was
} table;

typedef struct transfer {
  wh_engine *engine;
  const wh_run_request *request;
  wh_arena *arena;
  wh_run *run;
  wh_run_input *in;
  wh_run_output out;
  wh_flow *flow;
  table *tables;
  size_t table_count;
  wh_mark mark; // what has been consumed, committed or not
  uint64_t rows_committed;
  uint64_t hash_read;
  uint64_t chunk_rows; // 0: all at once
  bool forgiven;       // earlier takes of the object
  bool in_parts;       // the flow reads the object in parts, each of which knows only itself
  bool reader_failed;
  int64_t last_progress_us, last_alive_us;
  uint64_t bytes_read; // the reader itself may be ahead, in its own thread
} transfer;

// --- small parts -------------------------------------------------------------------------------

static void show_progress(transfer *t, bool at_end) {
  const wh_watcher *watcher = &t->engine->watcher;
  if (!watcher->progress) return;
  int64_t now = t->engine->os->type->monotonic_ns(t->engine->os) / 1000;
  if (!at_end && now - t->last_progress_us < PROGRESS_INTERVAL_US) return;
  t->last_progress_us = now;
  wh_progress progress = {.pipeline = t->request->pipeline->name, // outlives the run
                          .object = t->in->object.key,
                          .rows = t->mark.counts.read,
                          .rows_total = t->in->rows_total,
                          .bytes = t->bytes_read,
                          .bytes_total = t->in->bytes_total};
  watcher->progress(watcher->context, &progress);
}

// Keeps the lease and the work's invisibility alive while work goes on.
static wh_status keep_alive(transfer *t, wh_error *err) {
  const wh_keep_alive *others = &t->engine->keep_alive;
  if (others->say) others->say(others->context);
  int64_t now = t->engine->os->type->monotonic_ns(t->engine->os) / 1000;
  if (now - t->last_alive_us < KEEP_ALIVE_US) return WH_OK;
  t->last_alive_us = now;
  wh_ledger *ledger = t->engine->ledger;
  WH_TRY(ledger->type->renew(ledger, (wh_lease *)t->request->lease, err));
  if (t->request->group) WH_TRY(wh_group_keep_alive(t->request->group, err));
  if (!t->request->work) return WH_OK;
  return ledger->type->extend(ledger, t->request->lease, t->request->work->id, WH_VISIBILITY_US,
                              err);
}

static bool keeps_writes(const transfer *t) {
  const wh_sink_type *sink =
      t->out.verbs && t->out.connection ? t->out.connection->type->sink : NULL;
  return sink && sink->keeps_writes;
}

static wh_judged judged_of(const transfer *t, size_t i) {
  const table *of = &t->tables[i];
  bool is_staged = t->request->pipeline->write.mode == WH_WRITE_REPLACE; // and seen by nobody
  bool stays = (t->rows_committed && !is_staged) || (keeps_writes(t) && t->mark.counts.written);
  return (wh_judged){.request = t->request,
                     .pipeline = of->pipeline,
                     .flow = t->flow,
                     .branch = i,
                     .counts = &of->counts,
                     .newest = of->newest,
                     .first = of->first_reason,
                     .in_parts = t->in->model && t->in->model->scope.in_parts,
                     .became = stays ? "What was written before stays" : "Nothing was published"};
}

// A run that broke a rule of it as a whole. Of an object it is the object that did: another try
// would end the same.
static wh_status refuse_run(const transfer *t, wh_status status) {
  if (status == WH_ERR_REFUSED) t->in->at_fault = !t->in->is_rows;
  return status;
}

static void add_counts(wh_counts *to, const wh_counts *from) {
  to->read += from->read;
  to->written += from->written;
  to->unchanged += from->unchanged;
  to->superseded += from->superseded;
  to->filtered += from->filtered;
  to->quarantined += from->quarantined;
  to->deleted += from->deleted;
}

static bool add_up(const wh_counts *c) {
  return c->read == c->written + c->unchanged + c->superseded + c->filtered + c->quarantined;
}

// --- the loop ----------------------------------------------------------------------------------

// What the run is judged by besides its counts, before these have the item's.
static void note_item(transfer *t, const wh_flow_item *item) {
  table *of = &t->tables[item->branch];
  if (!of->counts.quarantined)
    memcpy(of->first_reason, item->rejected->first, sizeof of->first_reason);
  wh_newest_add(of->newest, item->newest);
}

static void count_item(transfer *t, const wh_flow_item *item, const wh_counts *counts) {
  add_counts(&t->tables[item->branch].counts, counts);
  add_counts(&t->mark.counts, counts);
}

static wh_status judge_all(const transfer *t, wh_error *err) {
  for (size_t i = 0; i < t->table_count; i++) {
    wh_judged judged = judged_of(t, i);
    WH_TRY(refuse_run(t, wh_judge(t->engine, &judged, err)));
  }
  return WH_OK;
}

static wh_status take_item(transfer *t, wh_flow_item *item, wh_error *err) {
  wh_counts counts = item->counts;
  WH_TRY(t->out.verbs->write(&t->out, item, &counts, err));
  note_item(t, item);
  counts.quarantined = item->rejected->count;
  WH_TRY(wh_reject_file_add(&t->tables[item->branch].rejects, item->rejected, err));
  count_item(t, item, &counts);
  if (item->rows_through > t->mark.rows_done) t->mark.rows_done = item->rows_through;
  t->bytes_read = item->bytes_read;
  t->hash_read += item->hash_read;
  t->mark.row_hash += item->hash_read;
  return WH_OK;
}

// The rejects of a chunk are durable before the chunk commits, and the mark names them.
static wh_status settle_rejects(transfer *t, wh_error *err) {
  for (size_t i = 0; i < t->table_count; i++)
    WH_TRY(wh_reject_file_next_part(&t->tables[i].rejects, t->mark.rows_done, err));
  if (t->mark.counts.quarantined) t->mark.rejects = t->tables[0].rejects.folder;
  return WH_OK;
}

static wh_status checkpoint(transfer *t, wh_error *err) {
  WH_TRY(settle_rejects(t, err));
  WH_TRY(t->out.verbs->checkpoint(&t->out, &t->mark, err));
  t->rows_committed = t->mark.rows_done;
  const wh_work *work = t->request->work;
  if (!work || work->takes < 2 || t->forgiven) return WH_OK;
  t->forgiven = true; // those before were killed, but not by what is read now
  wh_ledger *ledger = t->engine->ledger;
  return ledger->type->forgive(ledger, t->request->lease, work->id, err);
}

static wh_status consume(transfer *t, wh_error *err) {
  for (;;) {
    if (wh_engine_stopping(t->engine)) {
      if (t->chunk_rows && t->mark.rows_done > t->rows_committed) WH_TRY(checkpoint(t, err));
      return wh_fail(err, WH_ERR_CANCELLED, "stopped; the rest goes on at the next start");
    }
    wh_flow_item *item;
    wh_status status = wh_flow_next(t->flow, &item, err);
    if (status == WH_ERR_END) {
      t->bytes_read = wh_input_bytes_read(t->in);
      return WH_OK;
    }
    if (status != WH_OK) {
      t->reader_failed = status != WH_ERR_WIDEN && wh_flow_reader_failed(t->flow);
      return t->reader_failed && !t->in_parts ? wh_input_blame(t->in, status, err) : status;
    }
    size_t branch = item->branch;
    status = take_item(t, item, err);
    wh_flow_release(t->flow, item);
    WH_TRY(status);
    show_progress(t, false);
    WH_TRY(keep_alive(t, err));
    wh_judged judged = judged_of(t, branch);
    WH_TRY(refuse_run(t, wh_judge_rejected(&judged, err)));
    if (t->chunk_rows && t->mark.rows_done - t->rows_committed >= t->chunk_rows) {
      WH_TRY(checkpoint(t, err));
    }
  }
}

// What was read must be what the manifest says was written: same rows, same content.
static wh_status compare_with_manifest(const transfer *t, wh_error *err) {
  const wh_run_input *in = t->in;
  if (in->is_rows || !in->tells_rows) return WH_OK;
  if (t->mark.counts.read != in->manifest.rows) {
    return wh_fail(err, WH_ERR_DATA, "%llu rows were read, its manifest says %llu",
                   (unsigned long long)t->mark.counts.read, (unsigned long long)in->manifest.rows);
  }
  if (t->out.mark.rows_done || t->mark.counts.quarantined) return WH_OK; // not all of it was seen
  if (t->hash_read == in->manifest.row_hash) return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "the values that were read are not those that were written: "
                 "their hash differs from the manifest's");
}

// Chunks only where an object can be read again from where it stood, and where nothing is decided
// at the end: rules of the run, or rows that a step holds back. And only of an object that is known
// to be whole: of a small one that was not read before, nothing is committed before its end was
// seen. What holds several tables is committed at once, whatever its size.
static void choose_chunk(transfer *t) {
  t->chunk_rows = 0;
  if (t->in->tables) return;
  if (!t->out.verbs->checkpoint || !t->in->is_proven) return;
  if (wh_judge_waits(t->request, t->flow) || wh_flow_holds_back(t->flow)) return;
  t->chunk_rows = (uint64_t)t->request->pipeline->chunk_rows;
}

static wh_status prove_if_large(transfer *t, wh_error *err) {
  wh_run_input *in = t->in;
  if (in->is_rows) return WH_OK;
  wh_connection *to;
  bool to_rows;
  WH_TRY(wh_input_connect(t->engine, &t->request->pipeline->to, &to, &to_rows, err));
  // What becomes an object is seen by nobody before all was read, and compared with the manifest.
  if (!to_rows && (in->tells_rows || !in->has_manifest)) return WH_OK;
  if (in->tables && !in->has_manifest) return WH_OK; // nothing is committed before its end was seen
  // An object with a manifest proves its content against it; one checksum pass keeps a damaged
  // file from being loaded in part. A foreign object needs a whole reading for the same.
  bool whole =
      !in->is_compressed && in->object.size / 2 <= (uint64_t)t->request->pipeline->chunk_rows;
  if (!whole || in->has_manifest) return wh_input_prove(in, err);
  // A table that is not there yet is made before the first row: by then the types are those of all.
  bool is_there = true;
  if (in->inferred && to_rows)
    WH_TRY(wh_fit_has_table(t->request->kept, t->request->pipeline, to, t->arena, &is_there, err));
  return is_there ? WH_OK : wh_input_prove(in, err);
}

// The gates of all branches.
static wh_status make_gates(const transfer *t, wh_gate **ret, wh_error *err) {
  wh_gate *gates = WH_NEW_ARRAY(t->arena, t->table_count, wh_gate);
  if (!gates) return wh_fail_memory(err);
  for (size_t i = 0; i < t->table_count; i++)
    WH_TRY(wh_config_gate(t->engine->config, t->tables[i].pipeline, t->arena, &gates[i], err));
  *ret = gates;
  return WH_OK;
}

static wh_status open_flow(transfer *t, const wh_gate *gates, bool to_rows, wh_error *err) {
  wh_flow_options options = {.engine = t->engine,
                             .pipeline = t->request->pipeline,
                             .gate = gates,
                             .reader = t->in->reader,
                             .tables_reader = t->in->tables,
                             .window = t->in->has_cursor ? &t->in->window : NULL,
                             .deletes = t->in->deletes,
                             .hash_read = !t->in->is_rows && (to_rows || t->in->tells_rows),
                             .hash_out = !to_rows && !t->request->pipeline->write.dataset.len,
                             .start_us = t->run->started_us};
  return wh_flow_open(&options, &t->flow, err);
}

static wh_status still_owner(void *context, wh_error *err) {
  return keep_alive(context, err);
}

static wh_status share(transfer *t, wh_error *err) {
  const wh_encoding *encoding;
  wh_shared_watch watch = {still_owner, t};
  WH_TRY(wh_flow_share(t->flow, t->in->shared, err));
  WH_TRY(t->out.verbs->encoding(&t->out, &encoding, err));
  return wh_shared_begin(t->in->shared, t->run, wh_str_of(encoding->codec->name), &watch, err);
}

static wh_status check_crossings(const transfer *t, const wh_gate *gates, wh_error *err) {
  for (size_t i = 0; i < t->table_count; i++) {
    const wh_pipeline *p = t->tables[i].pipeline;
    wh_crossing *crossings;
    size_t count;
    WH_TRY(wh_crossings_of(p, &gates[i], wh_flow_schema_of(t->flow, i), t->arena, &crossings,
                           &count, err));
    WH_TRY(wh_crossings_check(t->engine, p, crossings, count, err));
  }
  return WH_OK;
}

static wh_status open_output(transfer *t, bool to_rows, wh_error *err) {
  const wh_pipeline *p = t->request->pipeline;
  for (size_t i = 0; to_rows && i < t->table_count; i++)
    WH_TRY(wh_flow_fit(t->flow, i, t->request->kept, t->tables[i].pipeline, t->out.connection,
                       t->arena, err));
  t->out.verbs = to_rows                ? &wh_output_table
                 : p->write.dataset.len ? &wh_output_dataset
                                        : &wh_output_object;
  t->out.load =
      (wh_load){.pipeline = p->name,
                .object = t->in->is_rows ? t->run->id : t->in->identity,
                .run = t->run->id,
                .order = t->in->is_rows ? t->run->order : t->in->order,
                .epoch = t->engine->scratch_ledger ? WH_EPOCH_NONE : t->request->lease->epoch,
                .now_us = wh_now_us(t->engine->os)};
  return t->out.verbs->open(&t->out, t->flow, err);
}

// What an earlier attempt has done, and where this one stands.
static void take_mark(transfer *t) {
  t->mark = t->out.mark;
  t->mark.run = t->run->id;
  t->mark.order = t->out.load.order;
  t->mark.time_us = t->out.load.now_us;
  t->rows_committed = t->mark.rows_done;
  if (t->table_count == 1) t->tables[0].counts = t->mark.counts;
}

static wh_status open_rejects(transfer *t, wh_error *err) {
  const wh_pipeline *p = t->request->pipeline;
  wh_str folder = t->mark.rejects;
  if (folder.len == 0) folder = wh_reject_folder_of(t->engine, p, t->run->id, t->arena);
  if (!folder.data) return wh_fail_memory(err);
  wh_str from = t->in->is_rows
                    ? wh_arena_printf(t->arena, "%.*s:%.*s", WH_STR_ARG(p->from.connection),
                                      WH_STR_ARG(p->from.thing))
                    : t->in->identity;
  for (size_t i = 0; i < t->table_count; i++) {
    wh_reject_source source = {.schema = wh_input_schema(t->in, i),
                               .pipeline = p->name,
                               .table = t->tables[i].pipeline->table,
                               .run = t->run->id,
                               .object = from,
                               .order = t->out.load.order};
    WH_TRY(wh_reject_file_init(&t->tables[i].rejects, t->engine, folder, &source, t->arena, err));
  }
  WH_TRY(wh_reject_file_resume(&t->tables[0].rejects, t->mark.rows_done, err));
  for (size_t i = 1; i < t->table_count; i++)
    t->tables[i].rejects.number = i; // one part each
  return WH_OK;
}

static wh_status open_parts(transfer *t, wh_error *err) {
  wh_engine *e = t->engine;
  const wh_pipeline *p = t->request->pipeline;
  wh_gate *gates;
  bool to_rows;
  WH_TRY(make_gates(t, &gates, err));
  // Of an object, what is in it may be known better at each attempt.
  if (t->request->work) WH_TRY(wh_new_columns_check(e, t->in, err));
  t->out = (wh_run_output){.engine = e,
                           .pipeline = p,
                           .arena = t->arena,
                           .run = t->run,
                           .input = t->in,
                           .kept = t->request->kept,
                           .group = t->request->group,
                           .lease = t->request->lease,
                           .work = t->request->work};
  WH_TRY(wh_input_connect(e, &p->to, &t->out.connection, &to_rows, err));
  if (t->in->deletes) wh_deletes_begin(t->in->deletes, t->run, t->request->options);
  WH_TRY(open_flow(t, gates, to_rows, err));
  WH_TRY(check_crossings(t, gates, err));
  if (t->in->is_rows) WH_TRY(wh_cursor_check(e, p, t->in->info.cursor_kind, t->arena, err));
  WH_TRY(open_output(t, to_rows, err));
  take_mark(t);
  if (t->in->tables && !t->out.mark.done && t->mark.rows_done)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: %llu of its rows were loaded before the pipeline had `tables`, which do "
                   "not go on from there. Let it end as it was, or put the object there anew",
                   WH_STR_ARG(t->in->object.key), (unsigned long long)t->mark.rows_done);
  choose_chunk(t);
  if (!t->in->is_rows && t->out.verbs->encoding && t->mark.rows_done == 0 && !t->in->one_path) {
    const wh_encoding *encoding;
    WH_TRY(t->out.verbs->encoding(&t->out, &encoding, err));
    t->in_parts = wh_flow_encode(t->flow, encoding);
  }
  if (t->in->shared) WH_TRY(share(t, err));
  return open_rejects(t, err);
}

static void close_parts(transfer *t) {
  wh_flow_close(t->flow);
  t->flow = NULL;
  if (t->out.verbs) t->out.verbs->close(&t->out);
  t->out.verbs = NULL;
  for (size_t i = 0; i < t->table_count; i++)
    wh_reject_file_close(&t->tables[i].rejects);
}

static wh_status fill_cursor(transfer *t, wh_cursor *cursor, wh_finish *finish, wh_error *err) {
  wh_run_input *in = t->in;
  if (in->model && !t->request->options->limit_rows) {
    *cursor = wh_model_cursor(in->model);
    finish->cursor = cursor;
    return WH_OK;
  }
  if (!in->has_cursor || in->skips || t->request->options->limit_rows) return WH_OK;
  WH_TRY(wh_window_finish(&in->window, &in->previous, t->arena, cursor, err));
  if (in->info.cursor_kind == WH_CURSOR_EXACT && in->bound.has_to) {
    *cursor = (wh_cursor){.found = true, .last = in->bound.to};
  }
  if (!cursor->found) return WH_OK;
  finish->cursor = cursor;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, t->engine->mem, 0);
  if (in->query.has_from) {
    wh_value_write(&in->query.from, &text);
    t->run->cursor_from = wh_arena_str(t->arena, wh_buf_str(&text));
    wh_buf_clear(&text);
  }
  wh_value_write(&cursor->last, &text);
  t->run->cursor_to = wh_arena_str(t->arena, wh_buf_str(&text));
  return wh_buf_check(&text, err);
}

static wh_status describe_reading(transfer *t, wh_error *err) {
  const wh_ranges *r = &t->in->ranges;
  if (!t->in->is_rows || r->count < 2) return WH_OK;
  char by[64] = "";
  size_t workers = t->in->shared ? wh_shared_workers(t->in->shared) : 0;
  if (workers) snprintf(by, sizeof by, " by %zu worker%s", workers, workers > 1 ? "s" : "");
  t->run->reading = r->one_snapshot
                        ? wh_arena_printf(t->arena, "%zu ranges of %.*s, read in one snapshot%s",
                                          r->count, WH_STR_ARG(t->in->ranges_key), by)
                        : wh_arena_printf(t->arena, "%zu ranges of %.*s, read in %zu snapshots%s",
                                          r->count, WH_STR_ARG(t->in->ranges_key), r->count, by);
  return t->run->reading.data ? WH_OK : wh_fail_memory(err);
}

// What each of several tables got: "artist: 1 read, 1 written; bar: 280 read, 279 written, 1
// quarantined".
static wh_status describe_tables(transfer *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, t->engine->mem, 0);
  for (size_t i = 0; t->in->tables && i < t->table_count; i++) {
    const wh_counts *c = &t->tables[i].counts;
    const struct {
      const char *word;
      uint64_t rows;
    } others[] = {{"unchanged", c->unchanged},
                  {"superseded", c->superseded},
                  {"filtered", c->filtered},
                  {"quarantined", c->quarantined}};
    wh_buf_printf(&text, "%s%.*s: %llu read, %llu written", i ? "; " : "",
                  WH_STR_ARG(t->tables[i].pipeline->table), (unsigned long long)c->read,
                  (unsigned long long)c->written);
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
      if (others[k].rows)
        wh_buf_printf(&text, ", %llu %s", (unsigned long long)others[k].rows, others[k].word);
  }
  WH_TRY(wh_buf_check(&text, err));
  t->run->reading = wh_arena_str(t->arena, wh_buf_str(&text));
  return t->run->reading.data ? WH_OK : wh_fail_memory(err);
}

// Everything was consumed: what the ledger will record, then the commit itself.
static wh_status complete(transfer *t, wh_error *err) {
  wh_run *run = t->run;
  WH_TRY(wh_input_blame(t->in, compare_with_manifest(t, err), err));
  WH_TRY(judge_all(t, err));
  WH_TRY(settle_rejects(t, err));
  t->mark.done = true;
  run->counts = t->mark.counts;
  run->row_hash = t->mark.row_hash;
  run->bytes_read = wh_input_bytes_read(t->in); // parts may overlap a little
  if (t->in_parts && run->bytes_read > t->in->bytes_total) run->bytes_read = t->in->bytes_total;
  run->rejects = t->mark.rejects;
  run->finished_us = wh_now_us(t->engine->os);
  wh_cursor cursor;
  wh_quarantine_entry quarantine = {.run = run->id,
                                    .pipeline = run->pipeline,
                                    .object = t->in->is_rows ? (wh_str){0} : t->in->identity,
                                    .file = t->mark.rejects,
                                    .rows = run->counts.quarantined,
                                    .time_us = run->finished_us};
  wh_finish finish = {.run = run, .work = t->request->work ? t->request->work->id : 0};
  if (run->counts.quarantined) finish.quarantine = &quarantine;
  if (t->in->is_rows)
    finish.pin = &t->in->info.schema;
  else if (t->in->reader && (t->in->inferred || wh_new_columns_watched(t->request->pipeline)))
    finish.pin = t->in->reader->schema;
  WH_TRY(fill_cursor(t, &cursor, &finish, err));
  WH_TRY(describe_reading(t, err));
  if (t->in->tables) WH_TRY(describe_tables(t, err));
  const char *notice = t->in->deletes ? wh_deletes_notice(t->in->deletes) : NULL;
  if (notice) wh_engine_notice(t->engine, t->request->pipeline->name, notice);
  WH_TRY(t->out.verbs->complete(&t->out, &t->mark, &finish, run, err));
  show_progress(t, true);
  if (!add_up(&run->counts)) {
    wh_log(WH_LOG_ERROR, "engine", "the counts of run %.*s do not add up", WH_STR_ARG(run->id));
  }
  wh_group *group = t->request->group;
  return group ? wh_group_add(group, run, t->request->work, err)
               : wh_run_record_done(t->engine, run, &finish, err);
}

// The target's mark says that this object is loaded: only the ledger has to learn it.
static wh_status record_loaded(transfer *t, wh_error *err) {
  wh_run *run = t->run;
  const wh_mark *mark = &t->out.mark;
  run->counts = mark->counts;
  run->row_hash = mark->row_hash;
  run->rejects = mark->rejects;
  run->output = wh_pipeline_target(t->request->pipeline, t->arena);
  wh_quarantine_entry quarantine = {.run = run->id,
                                    .pipeline = run->pipeline,
                                    .object = t->in->identity,
                                    .file = mark->rejects,
                                    .rows = mark->counts.quarantined,
                                    .time_us = wh_now_us(t->engine->os)};
  wh_finish finish = {.work = t->request->work ? t->request->work->id : 0};
  if (mark->counts.quarantined) finish.quarantine = &quarantine;
  return wh_run_record_done(t->engine, run, &finish, err);
}

static wh_status attempt(transfer *t, wh_error *err) {
  wh_status status = open_parts(t, err);
  if (status == WH_OK && t->out.mark.done) {
    status = record_loaded(t, err);
  } else {
    if (status == WH_OK) status = wh_flow_start(t->flow, t->mark.rows_done, err);
    if (status == WH_OK) status = consume(t, err);
    if (status == WH_OK) status = complete(t, err);
  }
  close_parts(t);
  if (!t->in_parts) return status;
  if (status != WH_ERR_WIDEN && !(t->reader_failed && wh_input_is_final(status))) return status;
  WH_TRY(wh_input_look_again(t->in, status, err)); // nothing of the attempt is kept
  return WH_ERR_WIDEN;
}

// Nothing has been seen of them.
static void begin_tables(transfer *t) {
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(t->request->pipeline, &count);
  for (size_t i = 0; i < count; i++) {
    t->tables[i] = (table){.pipeline = &branches[i]};
    wh_newest_init(t->tables[i].newest);
  }
}

// --- a target that keeps what is written -------------------------------------------------------

static wh_status rehearse_rows(transfer *t, wh_error *err) {
  WH_TRY(wh_flow_start(t->flow, 0, err));
  for (;;) {
    if (wh_engine_stopping(t->engine))
      return wh_fail(err, WH_ERR_CANCELLED, "stopped; the rest goes on at the next start");
    wh_flow_item *item;
    wh_status status = wh_flow_next(t->flow, &item, err);
    if (status == WH_ERR_END) return WH_OK;
    if (status != WH_OK)
      return wh_flow_reader_failed(t->flow) ? wh_input_blame(t->in, status, err) : status;
    note_item(t, item);
    count_item(t, item, &item->counts);
    wh_flow_release(t->flow, item);
    WH_TRY(keep_alive(t, err));
  }
}

static wh_status rehearse_once(transfer *t, bool *ret_read, wh_error *err) {
  wh_gate *gates;
  WH_TRY(make_gates(t, &gates, err));
  WH_TRY(open_flow(t, gates, true, err));
  if (!wh_judge_waits(t->request, t->flow)) return WH_OK;
  const wh_pipeline *p = t->request->pipeline;
  if (t->in->is_rows)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s keeps what is written, and these rows cannot be read twice: rules of the "
                   "run as a whole come too late. Export to a lake, and load from there",
                   WH_STR_ARG(p->to.connection));
  *ret_read = true;
  WH_TRY(rehearse_rows(t, err));
  return judge_all(t, err);
}

// Where nothing can be taken back, the object is read twice: the run is judged before the first row
// is written. What the table itself rejects is counted as it comes.
static wh_status rehearse(transfer *t, wh_error *err) {
  wh_connection *to;
  bool to_rows;
  WH_TRY(wh_input_connect(t->engine, &t->request->pipeline->to, &to, &to_rows, err));
  if (!to_rows || !to->type->sink->keeps_writes) return WH_OK;
  for (;;) {
    bool is_read = false;
    wh_status status = rehearse_once(t, &is_read, err);
    wh_flow_close(t->flow);
    t->flow = NULL;
    t->mark = (wh_mark){0};
    begin_tables(t);
    if (status == WH_OK) return is_read ? wh_input_reopen(t->in, err) : WH_OK;
    if (status != WH_ERR_WIDEN) return status;
    WH_TRY(wh_input_widen(t->in, err));
  }
}

wh_status wh_run_transfer(wh_engine *engine, const wh_run_request *request, wh_run_input *in,
                          wh_arena *arena, wh_run *run, wh_error *err) {
  transfer t = {.engine = engine, .request = request, .arena = arena, .run = run, .in = in};
  (void)wh_pipeline_branches(request->pipeline, &t.table_count);
  t.tables = WH_NEW_ARRAY(arena, t.table_count, table);
  if (!t.tables) return wh_fail_memory(err);
  begin_tables(&t);
  run->partial = request->is_replay || request->options->limit_rows > 0;
  t.last_alive_us = engine->os->type->monotonic_ns(engine->os) / 1000; // it was just taken
  WH_TRY(prove_if_large(&t, err));
  WH_TRY(rehearse(&t, err));
  for (;;) {
    wh_status status = attempt(&t, err);
    if (status != WH_ERR_WIDEN) return status;
    // An inferred type was too narrow. Nothing of this attempt is committed (larger objects were
    // read whole before): read again with the wider one.
    if (!t.in_parts) WH_TRY(wh_input_widen(in, err));
    t = (transfer){.engine = engine,
                   .request = request,
                   .arena = arena,
                   .run = run,
                   .in = in,
                   .tables = t.tables,
                   .table_count = t.table_count,
                   .last_alive_us = t.last_alive_us};
    begin_tables(&t);
  }
}

// --- one run -----------------------------------------------------------------------------------

static wh_status open_input(wh_engine *engine, const wh_run_request *r, wh_arena *arena,
                            wh_run_input *in, wh_error *err) {
  if (r->work) {
    return wh_input_open_object(engine, r->pipeline, r->work->key, r->work->version,
                                wh_new_columns_watched(r->pipeline), arena, in, err);
  }
  WH_TRY(wh_input_open_rows(engine, r->pipeline, r->options, arena, in, err));
  if (in->model && in->model->scope.told.data)
    wh_engine_notice(engine, r->pipeline->name, in->model->scope.told.data);
  return wh_new_columns_check(engine, in, err);
}

wh_status wh_run_record_done(wh_engine *engine, wh_run *run, wh_finish *finish, wh_error *err) {
  wh_run_state before = run->state;
  run->state = WH_RUN_DONE;
  run->finished_us = wh_now_us(engine->os);
  wh_tells tells;
  wh_outbox_tells(engine, run, &tells);
  finish->run = run;
  finish->tells = tells.items;
  finish->tell_count = tells.count;
  wh_ledger *ledger = engine->ledger;
  wh_status status = ledger->type->run_finish(ledger, finish, err);
  finish->tells = NULL;
  finish->tell_count = 0;
  if (status != WH_OK) run->state = before;
  return status;
}

void wh_run_record_failure(wh_engine *engine, wh_run *run, const wh_error *why) {
  run->state = why->status == WH_ERR_CANCELLED ? WH_RUN_STOPPED : WH_RUN_FAILED;
  run->finished_us = wh_now_us(engine->os);
  run->error = wh_str_of(why->text);
  wh_tells tells;
  wh_outbox_tells(engine, run, &tells);
  wh_finish finish = {.run = run, .tells = tells.items, .tell_count = tells.count};
  wh_error ignored = {0};
  wh_ledger *ledger = engine->ledger;
  // If this fails too, the run stays "running" and the next start throws it away.
  WH_IGNORE(ledger->type->run_finish(ledger, &finish, &ignored));
}

wh_status wh_run_one(wh_engine *engine, const wh_run_request *r, wh_arena *arena, wh_run *ret_run,
                     wh_error *err) {
  wh_error own = {0};
  if (!err) err = &own;
  wh_ledger *ledger = engine->ledger;
  wh_str object = {0};
  if (r->work)
    WH_TRY(wh_input_identity(r->pipeline, r->work->key, r->work->version, arena, &object, err));
  WH_TRY(ledger->type->run_start(ledger, r->lease, object, arena, ret_run, err));
  wh_run_input in = {0};
  wh_status status = open_input(engine, r, arena, &in, err);
  if (status == WH_OK) status = wh_run_transfer(engine, r, &in, arena, ret_run, err);
  if (r->ret_final) *r->ret_final = status != WH_OK && in.at_fault;
  if (r->ret_more) *r->ret_more = status == WH_OK && in.bound.has_more;
  bool shared = in.shared;
  wh_input_close_run(&in);
  // A sealed run may have been published: whether it was is for recovery to find out.
  if (status != WH_OK && ret_run->state != WH_RUN_SEALED)
    wh_run_record_failure(engine, ret_run, err);
  if (shared) wh_shared_end(engine, r->pipeline, ret_run);
  return status;
}
