// How a run ends. Sealing keeps what the finish will change: the run's numbers in `sealed`, the
// rest in the tables it belongs to, under the run's id, where nobody else sees it. Whoever adopts
// the run after a crash reads it back from there and finishes the run with it.
#include "ledger/database.h"

#include <assert.h>

// --- sealing
// ---------------------------------------------------------------------------------------

static bool has_ended(wh_run_state state) {
  return state == WH_RUN_DONE || state == WH_RUN_FAILED || state == WH_RUN_STOPPED;
}

static wh_status send_state(ledger *l, wh_str run, ledger_query *q, wh_error *err) {
  ledger_query_open(l, "SELECT state FROM run WHERE id = ? FOR UPDATE", q);
  ledger_bind_text(q, run);
  return ledger_send(q, err);
}

// The state of a run as it stands. WH_ERR_NOT_FOUND.
static wh_status see_state(ledger_query *q, wh_str run, wh_run_state *ret, wh_error *err) {
  bool row;
  WH_TRY(ledger_step(q, &row, err));
  if (!row) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: the ledger has no run %.*s", q->owner->path,
                   WH_STR_ARG(run));
  }
  *ret = (wh_run_state)ledger_read_i64(q);
  ledger_query_end(q);
  return WH_OK;
}

static wh_status update_run(ledger *l, const wh_run *run, wh_run_state state, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE run SET (" LEDGER_RUN_CHANGES("") ") = (" LEDGER_RUN_CHANGES_MARKS
                                                              ") WHERE id = ?",
                    &q);
  ledger_bind_run_changes(&q, run, state);
  ledger_bind_text(&q, run->id);
  return ledger_run_later(&q, err);
}

static wh_status insert_sealed(ledger *l, const wh_run *run, const wh_finish *finish,
                               wh_error *err) {
  const wh_sealed *sealed = &run->sealed;
  LEDGER_QUERY q;
  ledger_query_open(
      l,
      "INSERT INTO sealed (run, attempt, store, key, object_sha256,"
      " object_bytes, object_rows, object_row_hash, manifest, work," LEDGER_RUN_CHANGES(
          "") ") VALUES (?,?,?,?,?,?,?,?,?,?," LEDGER_RUN_CHANGES_MARKS ")",
      &q);
  ledger_bind_text(&q, run->id);
  ledger_bind_text(&q, sealed->attempt);
  ledger_bind_text(&q, sealed->store);
  ledger_bind_text(&q, sealed->key);
  ledger_bind_text(&q, sealed->sha256);
  ledger_bind_u64(&q, sealed->bytes);
  ledger_bind_u64(&q, sealed->rows);
  ledger_bind_u64(&q, sealed->row_hash);
  ledger_bind_text(&q, sealed->manifest);
  ledger_bind_u64(&q, finish->work);
  bool failed = finish->run->state == WH_RUN_FAILED;
  ledger_bind_run_changes(&q, finish->run, failed ? WH_RUN_FAILED : WH_RUN_DONE);
  return ledger_run_later(&q, err);
}

// Deletes what a sealed run left in one table.
static wh_status forget(ledger *l, const char *sql, wh_str run, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, sql, &q);
  ledger_bind_text(&q, run);
  return ledger_run_later(&q, err);
}

static wh_status forget_of_pipeline(ledger *l, const char *sql, wh_str pipeline, wh_str run,
                                    wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, sql, &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  return ledger_run_later(&q, err);
}

wh_status ledger_forget_sealed(ledger *l, wh_str pipeline, wh_str run, wh_error *err) {
  WH_TRY(forget(l, "DELETE FROM sealed WHERE run = ?", run, err));
  WH_TRY(forget(l, "DELETE FROM quarantine WHERE run = ? AND pending = 1", run, err));
  WH_TRY(forget_of_pipeline(l, "DELETE FROM cursor WHERE pipeline = ? AND run = ?", pipeline, run,
                            err));
  return forget_of_pipeline(l, "DELETE FROM pin WHERE pipeline = ? AND run = ?", pipeline, run,
                            err);
}

static wh_status seal(ledger *l, const wh_run *run, const wh_finish *finish, wh_error *err) {
  wh_run_state state;
  LEDGER_QUERY now = {0};
  LEDGER_QUERY epoch = {0};
  WH_TRY(send_state(l, run->id, &now, err));
  WH_TRY(ledger_send_epoch(l, run->pipeline, &epoch, err));
  WH_TRY(see_state(&now, run->id, &state, err));
  WH_TRY(ledger_see_epoch(&epoch, run->pipeline, run->epoch, err));
  if (has_ended(state)) {
    return wh_fail(err, WH_ERR_STALE, "run %.*s has ended already", WH_STR_ARG(run->id));
  }
  if (state == WH_RUN_SEALED) WH_TRY(ledger_forget_sealed(l, run->pipeline, run->id, err));
  WH_TRY(update_run(l, run, WH_RUN_SEALED, err));
  WH_TRY(insert_sealed(l, run, finish, err));
  if (finish->cursor) WH_TRY(ledger_save_cursor(l, run->pipeline, run->id, finish->cursor, err));
  if (finish->pin) WH_TRY(ledger_save_pin(l, run->pipeline, run->id, finish->pin, err));
  if (!finish->quarantine) return WH_OK;
  return ledger_save_quarantine(l, finish->quarantine, true, err);
}

wh_status ledger_run_seal(wh_ledger *base, const wh_run *run, const wh_finish *on_publish,
                          wh_error *err) {
  wh_finish finish = on_publish ? *on_publish : (wh_finish){0};
  if (!finish.run) finish.run = run;
  assert(!finish.quarantine || wh_str_eq(finish.quarantine->run, run->id));
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, seal(l, run, &finish, err), err);
}

// --- reading it back
// -------------------------------------------------------------------------------

wh_status ledger_read_sealed(ledger *l, wh_run *run, wh_arena *arena, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "SELECT attempt, store, key, object_sha256, object_bytes, object_rows,"
                    " object_row_hash, manifest FROM sealed WHERE run = ?",
                    &q);
  ledger_bind_text(&q, run->id);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_OK; // finished in between
  wh_sealed *sealed = &run->sealed;
  sealed->attempt = ledger_read_text(&q, arena);
  sealed->store = ledger_read_text(&q, arena);
  sealed->key = ledger_read_text(&q, arena);
  sealed->sha256 = ledger_read_text(&q, arena);
  sealed->bytes = ledger_read_u64(&q);
  sealed->rows = ledger_read_u64(&q);
  sealed->row_hash = ledger_read_u64(&q);
  sealed->manifest = ledger_read_text(&q, arena);
  return ledger_read_end(&q, err);
}

// The run as its finish will make it, and the work that is done by it.
static wh_status read_finish(ledger *l, wh_str id, wh_arena *arena, wh_run *run, uint64_t *ret_work,
                             wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "SELECT " LEDGER_RUN_FIXED("run.") "," LEDGER_RUN_CHANGES(
                        "sealed.") ", sealed.work FROM sealed JOIN run ON run.id = sealed.run"
                                   " WHERE sealed.run = ?",
                    &q);
  ledger_bind_text(&q, id);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return wh_fail(err, WH_ERR_NOT_FOUND, "run %.*s is not sealed", WH_STR_ARG(id));
  ledger_read_run(&q, arena, run);
  *ret_work = ledger_read_u64(&q);
  return ledger_read_end(&q, err);
}

static wh_status sealed_finish(ledger *l, wh_str id, wh_arena *arena, wh_finish *ret,
                               wh_error *err) {
  wh_run *run = WH_NEW(arena, wh_run);
  wh_cursor *cursor = WH_NEW(arena, wh_cursor);
  wh_schema *pin = WH_NEW(arena, wh_schema);
  wh_quarantine_entry *quarantine = WH_NEW(arena, wh_quarantine_entry);
  if (!run || !cursor || !pin || !quarantine) return wh_fail_memory(err);
  wh_finish finish = {.run = run};
  wh_run_state state;
  LEDGER_QUERY now = {0};
  WH_TRY(send_state(l, id, &now, err)); // the run first, as a finish does
  WH_TRY(see_state(&now, id, &state, err));
  WH_TRY(read_finish(l, id, arena, run, &finish.work, err));
  WH_TRY(ledger_read_sealed(l, run, arena, err));
  bool found;
  WH_TRY(ledger_load_cursor(l, run->pipeline, id, arena, &found, cursor, err));
  if (found) finish.cursor = cursor;
  WH_TRY(ledger_load_pin(l, run->pipeline, id, arena, &found, pin, err));
  if (found) finish.pin = pin;
  WH_TRY(ledger_load_pending_quarantine(l, id, arena, &found, quarantine, err));
  if (found) finish.quarantine = quarantine;
  *ret = finish;
  return WH_OK;
}

wh_status ledger_run_sealed_finish(wh_ledger *base, wh_str run, wh_arena *arena, wh_finish *ret,
                                   wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  // One transaction, so that another process cannot finish the run in between.
  wh_finish finish;
  WH_TRY(LEDGER_TRANSACTION(l, sealed_finish(l, run, arena, &finish, err), err));
  *ret = finish;
  return WH_OK;
}

// --- finishing
// -------------------------------------------------------------------------------------

static wh_status finish(ledger *l, const wh_finish *f, wh_error *err) {
  const wh_run *run = f->run;
  wh_run_state before;
  // What was sealed is decided; and that a run failed is true whoever says it.
  bool decides = run->state == WH_RUN_DONE || f->cursor || f->pin;
  LEDGER_QUERY now = {0};
  LEDGER_QUERY epoch = {0};
  LEDGER_QUERY staged = {0};
  WH_TRY(send_state(l, run->id, &now, err));
  if (decides) WH_TRY(ledger_send_epoch(l, run->pipeline, &epoch, err));
  WH_TRY(ledger_send_staged(l, run->pipeline, run->id, &staged, err));
  WH_TRY(see_state(&now, run->id, &before, err));
  // The same finish again, after a commit whose outcome was not known: all of it is there.
  if (before == run->state) return WH_OK;
  if (has_ended(before)) {
    return wh_fail(err, WH_ERR_STALE, "run %.*s has ended already, as %s", WH_STR_ARG(run->id),
                   wh_run_state_name(before));
  }
  if (before == WH_RUN_RUNNING && decides)
    WH_TRY(ledger_see_epoch(&epoch, run->pipeline, run->epoch, err));
  if (before == WH_RUN_SEALED) WH_TRY(ledger_forget_sealed(l, run->pipeline, run->id, err));
  bool is_done = run->state == WH_RUN_DONE;
  WH_TRY(ledger_settle_keys(l, &staged, run->pipeline, run->id, is_done, err));
  WH_TRY(ledger_forget_pieces(l, run->id, err));
  WH_TRY(update_run(l, run, run->state, err));
  if (f->cursor) WH_TRY(ledger_save_cursor(l, run->pipeline, (wh_str){0}, f->cursor, err));
  if (f->pin) WH_TRY(ledger_save_pin(l, run->pipeline, (wh_str){0}, f->pin, err));
  if (f->quarantine) WH_TRY(ledger_save_quarantine(l, f->quarantine, false, err));
  for (size_t i = 0; i < f->tell_count; i++)
    WH_TRY(ledger_outbox_put(l, run->id, &f->tells[i], err));
  return f->work ? ledger_finish_work(l, f->work, err) : WH_OK;
}

wh_status ledger_run_finish(wh_ledger *base, const wh_finish *f, wh_error *err) {
  assert(has_ended(f->run->state));
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, finish(l, f, err), err);
}
