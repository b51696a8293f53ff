// What others are to be told of runs that ended.
#include "ledger/database.h"

wh_status ledger_outbox_put(ledger *l, wh_str run, const wh_tell *tell, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO outbox (run, target, kind, tries, failures, dead, visible_us,"
                    " put_us, error) VALUES (?,?,?,0,0,0,0,now_us(),'')"
                    " ON CONFLICT (run, target) DO NOTHING",
                    &q);
  ledger_bind_text(&q, run);
  ledger_bind_text(&q, tell->target);
  ledger_bind_i64(&q, tell->kind);
  return ledger_run_later(&q, err);
}

wh_status ledger_outbox_next(wh_ledger *base, wh_str target, bool hurry, wh_arena *arena,
                             wh_outbox_item *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "SELECT run, target, kind, tries, visible_us - now_us() FROM outbox"
                    " WHERE target = ? AND dead = 0 ORDER BY run LIMIT 1",
                    &q);
  ledger_bind_text(&q, target);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_ERR_END;
  wh_outbox_item item = {.run = ledger_read_text(&q, arena)};
  item.target = ledger_read_text(&q, arena);
  item.kind = (wh_outbox_kind)ledger_read_i64(&q);
  item.tries = (uint32_t)ledger_read_u64(&q);
  int64_t in_us = ledger_read_i64(&q);
  WH_TRY(ledger_read_end(&q, err));
  if (in_us > 0 && !hurry) return WH_ERR_END;
  *ret = item;
  return WH_OK;
}

static void bind_item(ledger_query *q, const wh_outbox_item *item) {
  ledger_bind_text(q, item->run);
  ledger_bind_text(q, item->target);
}

wh_status ledger_outbox_done(wh_ledger *base, const wh_outbox_item *item, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l, "DELETE FROM outbox WHERE run = ? AND target = ?", &q);
  bind_item(&q, item);
  return ledger_run(&q, err);
}

static wh_status fail(ledger *l, const wh_outbox_item *item, uint32_t attempts, int64_t delay_us,
                      wh_str error, bool *ret_dead, wh_error *err) {
  int64_t counts = attempts > 0;
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE outbox SET tries = tries + 1, failures = failures + ?, dead = CASE WHEN"
                    " ? = 1 AND failures + 1 >= ? THEN 1 ELSE 0 END, visible_us = later_us(?),"
                    " error = ? WHERE run = ? AND target = ? RETURNING dead",
                    &q);
  ledger_bind_i64(&q, counts);
  ledger_bind_i64(&q, counts);
  ledger_bind_i64(&q, attempts);
  ledger_bind_i64(&q, delay_us);
  ledger_bind_text(&q, error);
  bind_item(&q, item);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  bool dead = row && ledger_read_i64(&q);
  WH_TRY(ledger_run(&q, err));
  *ret_dead = dead;
  return WH_OK;
}

wh_status ledger_outbox_fail(wh_ledger *base, const wh_outbox_item *item, uint32_t attempts,
                             int64_t delay_us, wh_str error, bool *ret_dead, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  if (!l->driver->is_optimistic) return fail(l, item, attempts, delay_us, error, ret_dead, err);
  return LEDGER_TRANSACTION(l, fail(l, item, attempts, delay_us, error, ret_dead, err), err);
}

wh_status ledger_outbox_revive(wh_ledger *base, wh_str target, bool *ret_any, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE outbox SET dead = 0, visible_us = 0 WHERE target = ? AND run = (SELECT"
                    " e.run FROM outbox AS e WHERE e.target = ? AND e.dead = 1"
                    " ORDER BY e.visible_us, e.run LIMIT 1)",
                    &q);
  ledger_bind_text(&q, target);
  ledger_bind_text(&q, target);
  WH_TRY(ledger_run(&q, err));
  *ret_any = q.changes > 0;
  return WH_OK;
}

// --- looking -------------------------------------------------------------------------------------

static wh_status read_boxes(ledger *l, ledger_query *q, wh_arena *arena, wh_outbox_box *boxes,
                            size_t cap, size_t *ret_count, wh_error *err) {
  size_t count = 0;
  int64_t now_us = wh_now_us(l->os);
  for (;;) {
    bool row;
    WH_TRY(ledger_step(q, &row, err));
    if (!row) break;
    if (count < cap) {
      wh_outbox_box *box = &boxes[count];
      *box = (wh_outbox_box){.target = ledger_read_text(q, arena)};
      box->kind = (wh_outbox_kind)ledger_read_i64(q);
      box->waiting = ledger_read_u64(q);
      box->dead = ledger_read_u64(q);
      box->oldest_us = ledger_read_i64(q);
      bool never = ledger_next_is_null(q);
      int64_t in_us = ledger_read_i64(q); // by the ledger's clock, which need not be ours
      if (never || __builtin_add_overflow(now_us, in_us, &box->next_us)) box->next_us = INT64_MAX;
      box->error = ledger_read_text(q, arena);
    }
    count++;
  }
  *ret_count = count;
  return ledger_read_end(q, err);
}

wh_status ledger_outbox(wh_ledger *base, wh_arena *arena, wh_outbox_box **ret, size_t *ret_count,
                        wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  wh_outbox_box *boxes = NULL;
  for (size_t cap = 8;; cap *= 4) {
    boxes = WH_NEW_ARRAY(arena, cap, wh_outbox_box);
    if (!boxes) return wh_fail_memory(err);
    LEDGER_QUERY q;
    ledger_query_open(l,
                      "SELECT o.target, min(o.kind), count(*) FILTER (WHERE o.dead = 0),"
                      " count(*) FILTER (WHERE o.dead = 1), min(o.put_us),"
                      " (SELECT n.visible_us - now_us() FROM outbox AS n WHERE"
                      " n.target = o.target AND n.dead = 0 ORDER BY n.run LIMIT 1),"
                      " coalesce((SELECT e.error FROM outbox AS e WHERE e.target = o.target"
                      " AND e.error <> '' ORDER BY e.visible_us DESC, e.run DESC LIMIT 1), '')"
                      " FROM outbox AS o GROUP BY o.target ORDER BY o.target",
                      &q);
    WH_TRY(read_boxes(l, &q, arena, boxes, cap, ret_count, err));
    if (*ret_count <= cap) break;
  }
  *ret = boxes;
  return WH_OK;
}
