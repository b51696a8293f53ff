// The queue as a whole: what is waiting, what is dead, when there is work again.
#include "ledger/database.h"

// `one` when a pipeline is named, and binds it.
static void open_for(ledger *l, wh_str pipeline, const char *one, const char *all,
                     ledger_query *ret) {
  ledger_query_open(l, pipeline.len ? one : all, ret);
  if (pipeline.len) ledger_bind_text(ret, pipeline);
}

wh_status ledger_revive(wh_ledger *base, wh_str pipeline, uint64_t *ret_count, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
#define REVIVE                                                                                     \
  "UPDATE work INDEXED BY work_open SET state = 0, failures = 0, takes = 0 WHERE state <> 2 AND "  \
  "state = 3"
  open_for(l, pipeline, REVIVE " AND pipeline = ?", REVIVE, &q);
#undef REVIVE
  WH_TRY(ledger_run(&q, err));
  *ret_count = q.changes;
  return WH_OK;
}

static wh_status any_ready(ledger *l, wh_str pipeline, bool *ret, wh_error *err) {
  LEDGER_QUERY q;
#define READY "SELECT 1 FROM work INDEXED BY work_ready WHERE state = 0"
  open_for(l, pipeline, READY " AND pipeline = ? LIMIT 1", READY " LIMIT 1", &q);
#undef READY
  return ledger_step(&q, ret, err);
}

wh_status ledger_next_visible(wh_ledger *base, wh_str pipeline, int64_t *ret_us, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  bool ready;
  WH_TRY(any_ready(l, pipeline, &ready, err));
  if (ready) {
    *ret_us = wh_now_us(l->os);
    return WH_OK;
  }
  LEDGER_QUERY q;
// How long from now, by the ledger's clock, which need not be ours.
#define HIDDEN "SELECT min(visible_us) - now_us() FROM work INDEXED BY work_hidden WHERE state = 1"
  open_for(l, pipeline, HIDDEN " AND pipeline = ?", HIDDEN, &q);
#undef HIDDEN
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row || ledger_next_is_null(&q))
    *ret_us = INT64_MAX;
  else if (__builtin_add_overflow(wh_now_us(l->os), ledger_read_i64(&q), ret_us))
    *ret_us = INT64_MAX;
  return WH_OK;
}

static wh_status count_works(ledger *l, wh_str pipeline, wh_ledger_stats *stats, wh_error *err) {
  LEDGER_QUERY q;
#define COUNT                                                                                      \
  "SELECT count(*) FILTER (WHERE state <> 3), count(*) FILTER (WHERE state = 3),"                  \
  " min(put_us) FILTER (WHERE state <> 3) FROM work INDEXED BY work_open WHERE state <> 2"
  open_for(l, pipeline, COUNT " AND pipeline = ?", COUNT, &q);
#undef COUNT
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_OK;
  stats->waiting = ledger_read_u64(&q);
  stats->dead = ledger_read_u64(&q);
  stats->oldest_us = ledger_read_i64(&q); // NULL reads as 0
  return WH_OK;
}

static wh_status count_quarantined(ledger *l, wh_str pipeline, wh_ledger_stats *stats,
                                   wh_error *err) {
  LEDGER_QUERY q;
#define COUNT "SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM quarantine WHERE pending = 0"
  open_for(l, pipeline, COUNT " AND pipeline = ?", COUNT, &q);
#undef COUNT
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (row) stats->quarantined_rows = ledger_read_u64(&q);
  return WH_OK;
}

wh_status ledger_stats(wh_ledger *base, wh_str pipeline, wh_ledger_stats *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  wh_ledger_stats stats = {0};
  WH_TRY(count_works(l, pipeline, &stats, err));
  WH_TRY(count_quarantined(l, pipeline, &stats, err));
  *ret = stats;
  return WH_OK;
}
