// The keys that were sent, in ranges. What a run changes waits under its id until the run is done.
#include "ledger/database.h"

wh_status ledger_keys_next(wh_ledger *base, wh_str pipeline, const wh_str *after, bool with_keys,
                           wh_arena *arena, wh_key_range *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
#define RANGES(columns, condition)                                                                 \
  "SELECT first, count, checksum" columns                                                          \
  " FROM key_range WHERE pipeline = ? AND run = ''" condition " ORDER BY first LIMIT 1"
  const char *const sql[] = {RANGES("", ""), RANGES("", " AND first > ?"), RANGES(", keys", ""),
                             RANGES(", keys", " AND first > ?")};
#undef RANGES
  ledger_query_open(l, sql[2 * with_keys + (after != NULL)], &q);
  ledger_bind_text(&q, pipeline);
  if (after) ledger_bind_blob(&q, *after);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_ERR_END;
  wh_key_range range = {.first = ledger_read_blob(&q, arena)};
  range.count = ledger_read_u64(&q);
  range.checksum = ledger_read_u64(&q);
  if (with_keys) range.keys = ledger_read_blob(&q, arena);
  WH_TRY(ledger_read_end(&q, err));
  *ret = range;
  return WH_OK;
}

static wh_status stage_one(ledger *l, const wh_run *run, const wh_key_range *range, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO key_range (pipeline, run, first, count, checksum, keys)"
                    " VALUES (?,?,?,?,?,?) ON CONFLICT (pipeline, run, first) DO UPDATE SET"
                    " count = excluded.count, checksum = excluded.checksum,"
                    " keys = excluded.keys",
                    &q);
  ledger_bind_text(&q, run->pipeline);
  ledger_bind_text(&q, run->id);
  ledger_bind_blob(&q, range->first);
  ledger_bind_u64(&q, range->count);
  ledger_bind_u64(&q, range->checksum);
  ledger_bind_blob(&q, range->keys);
  return ledger_run(&q, err);
}

static wh_status stage(ledger *l, const wh_run *run, const wh_key_range *ranges, size_t count,
                       wh_error *err) {
  WH_TRY(ledger_check_epoch(l, run->pipeline, run->epoch, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(stage_one(l, run, &ranges[i], err));
  return WH_OK;
}

wh_status ledger_keys_stage(wh_ledger *base, const wh_run *run, const wh_key_range *ranges,
                            size_t count, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, stage(l, run, ranges, count, err), err);
}

static wh_status settle(ledger *l, const char *sql, wh_str pipeline, wh_str run, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, sql, &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  return ledger_run(&q, err);
}

wh_status ledger_send_staged(ledger *l, wh_str pipeline, wh_str run, ledger_query *any,
                             wh_error *err) {
  ledger_query_open(l, "SELECT 1 FROM key_range WHERE pipeline = ? AND run = ? LIMIT 1", any);
  ledger_bind_text(any, pipeline);
  ledger_bind_text(any, run);
  return ledger_send(any, err);
}

wh_status ledger_settle_keys(ledger *l, ledger_query *staged, wh_str pipeline, wh_str run,
                             bool holds, wh_error *err) {
  bool any;
  WH_TRY(ledger_step(staged, &any, err));
  ledger_query_end(staged);
  if (!any) return WH_OK; // as for most runs
  if (!holds)
    return settle(l, "DELETE FROM key_range WHERE pipeline = ? AND run = ?", pipeline, run, err);
  WH_TRY(settle(l,
                "DELETE FROM key_range AS old WHERE old.pipeline = ? AND old.run = '' AND old.first"
                " IN (SELECT new.first FROM key_range AS new WHERE new.pipeline = old.pipeline AND"
                " new.run = ?)",
                pipeline, run, err));
  WH_TRY(settle(l, "DELETE FROM key_range WHERE pipeline = ? AND run = ? AND count = 0", pipeline,
                run, err));
  return settle(l, "UPDATE key_range SET run = '' WHERE pipeline = ? AND run = ?", pipeline, run,
                err);
}
