// Where rejected rows wait. One entry a run; that of a sealed run is pending until it is finished.
#include "ledger/database.h"

#define QUARANTINE_COLUMNS "run, pipeline, object, file, rows, time_us"

static void read_entry(ledger_query *q, wh_arena *arena, wh_quarantine_entry *ret) {
  *ret = (wh_quarantine_entry){.run = ledger_read_text(q, arena)};
  ret->pipeline = ledger_read_text(q, arena);
  ret->object = ledger_read_text(q, arena);
  ret->file = ledger_read_text(q, arena);
  ret->rows = ledger_read_u64(q);
  ret->time_us = ledger_read_i64(q);
}

wh_status ledger_save_quarantine(ledger *l, const wh_quarantine_entry *entry, bool pending,
                                 wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO quarantine (" QUARANTINE_COLUMNS ", pending)"
                    " VALUES (?,?,?,?,?,?,?) ON CONFLICT (run, pending) DO UPDATE SET"
                    " pipeline = excluded.pipeline, object = excluded.object,"
                    " file = excluded.file, rows = excluded.rows,"
                    " time_us = excluded.time_us",
                    &q);
  ledger_bind_text(&q, entry->run);
  ledger_bind_text(&q, entry->pipeline);
  ledger_bind_text(&q, entry->object);
  ledger_bind_text(&q, entry->file);
  ledger_bind_u64(&q, entry->rows);
  ledger_bind_i64(&q, entry->time_us);
  ledger_bind_i64(&q, pending);
  return ledger_run(&q, err);
}

wh_status ledger_load_pending_quarantine(ledger *l, wh_str run, wh_arena *arena, bool *ret_found,
                                         wh_quarantine_entry *ret, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(
      l, "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE run = ? AND pending = 1", &q);
  ledger_bind_text(&q, run);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (row) read_entry(&q, arena, ret);
  WH_TRY(ledger_read_end(&q, err));
  *ret_found = row;
  return WH_OK;
}

wh_status ledger_quarantine_put(wh_ledger *base, const wh_quarantine_entry *entry, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return ledger_save_quarantine(l, entry, false, err);
}

wh_status ledger_quarantine_drop(wh_ledger *base, wh_str run, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l, "DELETE FROM quarantine WHERE run = ? AND pending = 0", &q);
  ledger_bind_text(&q, run);
  return ledger_run(&q, err);
}

// Where a listing stands: behind this entry.
typedef struct entry_place {
  int64_t time_us;
  wh_buf run;
} entry_place;

static void open_page(ledger *l, wh_str pipeline, const entry_place *place, ledger_query *q) {
#define ENTRIES(condition)                                                                         \
  "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE " condition                                 \
  " pending = 0 AND (time_us, run) > (?, ?) ORDER BY time_us, run LIMIT ?"
  ledger_query_open(l, pipeline.len ? ENTRIES("pipeline = ? AND") : ENTRIES(""), q);
#undef ENTRIES
  if (pipeline.len) ledger_bind_text(q, pipeline);
  ledger_bind_i64(q, place->time_us);
  ledger_bind_text(q, wh_buf_str(&place->run));
  ledger_bind_i64(q, l->driver->page);
}

static wh_status read_next(ledger *l, wh_str pipeline, const entry_place *place, ledger_query *q,
                           wh_arena *arena, wh_quarantine_entry *ret, wh_error *err) {
  bool row;
  WH_TRY(ledger_list_step(q, &row, err));
  if (!row) {
    open_page(l, pipeline, place, q);
    WH_TRY(ledger_step(q, &row, err));
  }
  if (!row) return WH_ERR_END;
  read_entry(q, arena, ret);
  return ledger_read_end(q, err);
}

static wh_status next_entry(wh_ledger *base, wh_str pipeline, entry_place *place, ledger_query *q,
                            wh_arena *arena, wh_quarantine_entry *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  wh_status status = read_next(l, pipeline, place, q, arena, ret, err);
  ledger_list_pause(q, status); // it may have borrowed the place
  if (status != WH_OK) return status;
  wh_buf_clear(&place->run);
  if (!wh_buf_add_str(&place->run, ret->run)) return wh_buf_check(&place->run, err);
  place->time_us = ret->time_us;
  return WH_OK;
}

wh_status ledger_quarantined(wh_ledger *base, wh_str pipeline, wh_arena *arena,
                             wh_quarantine_visit visit, void *context, wh_error *err) {
  entry_place place = {.time_us = INT64_MIN, .run.mem = ((ledger *)base)->mem};
  LEDGER_QUERY q = {0};
  wh_quarantine_entry entry;
  wh_status status = WH_OK;
  wh_status visited = WH_OK;
  while (visited == WH_OK &&
         (status = next_entry(base, pipeline, &place, &q, arena, &entry, err)) == WH_OK)
    visited = visit(context, &entry, err);
  wh_buf_free(&place.run);
  if (visited != WH_OK) return visited;
  return status == WH_ERR_END ? WH_OK : status;
}
