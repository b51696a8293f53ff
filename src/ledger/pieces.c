// Pieces of a run's work. Whoever takes one raises its number of takes, which is what tells him
// from whoever had it before: renewing and reporting change nothing unless it is still theirs, and
// the run goes on under the pipeline's latest epoch. Both are looked at in the statement itself.
#include "ledger/database.h"

#define RUN_GOES_ON                                                                                \
  "EXISTS (SELECT 1 FROM run JOIN pipeline ON pipeline.name = run.pipeline"                        \
  " WHERE run.id = piece.run AND run.state = 0 AND run.epoch = pipeline.epoch)"

// --- putting
// ---------------------------------------------------------------------------------------

static wh_status put_one(ledger *l, const wh_run *run, wh_str able, uint64_t number, wh_str task,
                         wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO piece (run, number, pipeline, able, task, takes, until_us, result)"
                    " VALUES (?,?,?,?,?,0,0,'') ON CONFLICT (run, number) DO NOTHING",
                    &q);
  ledger_bind_text(&q, run->id);
  ledger_bind_u64(&q, number);
  ledger_bind_text(&q, run->pipeline);
  ledger_bind_text(&q, able);
  ledger_bind_text(&q, task);
  return ledger_run_later(&q, err);
}

static wh_status put_all(ledger *l, const wh_run *run, wh_str able, const wh_str *tasks,
                         size_t count, wh_error *err) {
  WH_TRY(ledger_check_epoch(l, run->pipeline, run->epoch, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(put_one(l, run, able, i, tasks[i], err));
  return ledger_tell(l, run->pipeline, err);
}

wh_status ledger_pieces_put(wh_ledger *base, const wh_run *run, wh_str able, const wh_str *tasks,
                            size_t count, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, put_all(l, run, able, tasks, count, err), err);
}

wh_status ledger_forget_pieces(ledger *l, wh_str run, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "DELETE FROM piece WHERE run = ?", &q);
  ledger_bind_text(&q, run);
  return ledger_run_later(&q, err);
}

// --- doing
// -----------------------------------------------------------------------------------------

#define PIECE_COLUMNS "run, number, takes, task, result"

static wh_status read_piece(ledger_query *q, wh_arena *arena, wh_piece *ret, wh_error *err) {
  wh_piece piece = {.run = ledger_read_text(q, arena)};
  piece.number = ledger_read_u64(q);
  piece.take = ledger_read_u64(q);
  piece.task = ledger_read_text(q, arena);
  piece.result = ledger_read_text(q, arena);
  WH_TRY(ledger_read_end(q, err));
  *ret = piece;
  return WH_OK;
}

static wh_status take(ledger *l, wh_str pipeline, wh_str able, int64_t held_us, wh_arena *arena,
                      wh_piece *ret, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE piece SET takes = takes + 1, until_us = later_us(?)"
                    " WHERE (run, number) = (SELECT run, number FROM piece WHERE pipeline = ?"
                    " AND able = ? AND result = '' AND until_us <= now_us() AND " RUN_GOES_ON
                    " ORDER BY run, number LIMIT 1 FOR UPDATE SKIP LOCKED)"
                    " RETURNING " PIECE_COLUMNS,
                    &q);
  ledger_bind_i64(&q, held_us);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, able);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_ERR_END;
  wh_piece piece;
  WH_TRY(read_piece(&q, arena, &piece, err));
  WH_TRY(ledger_run(&q, err));
  *ret = piece;
  return WH_OK;
}

wh_status ledger_piece_take(wh_ledger *base, wh_str pipeline, wh_str able, int64_t held_us,
                            wh_arena *arena, wh_piece *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  if (!l->driver->is_optimistic) return take(l, pipeline, able, held_us, arena, ret, err);
  return LEDGER_TRANSACTION(l, take(l, pipeline, able, held_us, arena, ret, err), err);
}

static void bind_taken(ledger_query *q, const wh_piece *piece) {
  ledger_bind_text(q, piece->run);
  ledger_bind_u64(q, piece->number);
  ledger_bind_u64(q, piece->take);
}

static wh_status fail_stale(const wh_piece *piece, wh_error *err) {
  return wh_fail(err, WH_ERR_STALE,
                 "piece %llu of run %.*s is another worker's now, or the run has ended",
                 (unsigned long long)piece->number + 1, WH_STR_ARG(piece->run));
}

wh_status ledger_piece_renew(wh_ledger *base, const wh_piece *piece, int64_t held_us,
                             wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE piece SET until_us = later_us(?) WHERE run = ? AND number = ?"
                    " AND takes = ? AND result = '' AND " RUN_GOES_ON,
                    &q);
  ledger_bind_i64(&q, held_us);
  bind_taken(&q, piece);
  WH_TRY(ledger_run(&q, err));
  return q.changes ? WH_OK : fail_stale(piece, err);
}

wh_status ledger_piece_report(wh_ledger *base, const wh_piece *piece, wh_str result,
                              wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE piece SET result = ? WHERE run = ? AND number = ? AND takes = ?"
                    " AND (result = '' OR result = ?) AND " RUN_GOES_ON,
                    &q);
  ledger_bind_text(&q, result);
  bind_taken(&q, piece);
  ledger_bind_text(&q, result);
  WH_TRY(ledger_run(&q, err));
  return q.changes ? WH_OK : fail_stale(piece, err);
}

wh_status ledger_piece_get(wh_ledger *base, wh_str run, uint64_t number, wh_arena *arena,
                           wh_piece *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT " PIECE_COLUMNS " FROM piece WHERE run = ? AND number = ?", &q);
  ledger_bind_text(&q, run);
  ledger_bind_u64(&q, number);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row)
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: run %.*s has no piece %llu", l->path,
                   WH_STR_ARG(run), (unsigned long long)number + 1);
  return read_piece(&q, arena, ret, err);
}
