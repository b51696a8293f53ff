// The queue of objects to load. Entries that are done stay, so that an object is loaded once; the
// indices leave them out. Hidden entries become ready, by an index of their times, when somebody
// asks for work; so neither they nor the done ones are ever walked over.
#include "ledger/database.h"

typedef enum work_state { WORK_READY, WORK_HIDDEN, WORK_DONE, WORK_DEAD } work_state;

#define WORK_COLUMNS                                                                               \
  "id, pipeline, key, version, ord, failures, visible_us, error, takes, progress, state, received"

static void read_work(ledger_query *q, wh_arena *arena, wh_work *ret) {
  *ret = (wh_work){.id = ledger_read_u64(q)};
  ret->pipeline = ledger_read_text(q, arena);
  ret->key = ledger_read_text(q, arena);
  ret->version = ledger_read_text(q, arena);
  ret->order = ledger_read_i64(q);
  ret->attempts = (uint32_t)ledger_read_i64(q);
  ret->visible_us = ledger_read_i64(q);
  ret->error = ledger_read_text(q, arena);
  ret->takes = (uint32_t)ledger_read_i64(q);
  ret->progress = ledger_read_text(q, arena);
  work_state state = (work_state)ledger_read_i64(q);
  ret->dead = state == WORK_DEAD;
  if (state == WORK_HIDDEN) ret->attempts += ledger_read_i64(q) != 0;
}

// --- putting in
// ------------------------------------------------------------------------------------

static wh_status put_one(ledger *l, wh_str pipeline, const wh_put *put, work_state state,
                         uint64_t *new_count, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO work (pipeline, key, version, ord, state, failures, received,"
                    " takes, visible_us, put_us, error) VALUES (?,?,?,?,?,0,0,0,now_us(),now_us(),"
                    "'') ON CONFLICT (pipeline, key, version) DO NOTHING",
                    &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, put->key);
  ledger_bind_text(&q, put->version);
  ledger_bind_i64(&q, put->order);
  ledger_bind_i64(&q, state);
  WH_TRY(ledger_run(&q, err));
  *new_count += q.changes;
  return WH_OK;
}

static wh_status skip_one(ledger *l, wh_str pipeline, const wh_put *put, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE work SET state = 2 WHERE pipeline = ? AND key = ?"
                    " AND version = ? AND state <> 2",
                    &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, put->key);
  ledger_bind_text(&q, put->version);
  return ledger_run(&q, err);
}

static wh_status put_each(ledger *l, wh_str pipeline, const wh_put *puts, size_t count,
                          bool is_done, uint64_t *ret_new, wh_error *err) {
  *ret_new = 0;
  for (size_t i = 0; i < count; i++) {
    if (is_done) WH_TRY(skip_one(l, pipeline, &puts[i], err));
    WH_TRY(put_one(l, pipeline, &puts[i], is_done ? WORK_DONE : WORK_READY, ret_new, err));
  }
  return WH_OK;
}

static wh_status put_all(ledger *l, wh_str pipeline, const wh_put *puts, size_t count, bool is_done,
                         uint64_t *ret_new, wh_error *err) {
  const ledger_driver *driver = l->driver;
  if (driver->lock_queue) WH_TRY(driver->lock_queue(l, pipeline, err));
  if (driver->put_block && !is_done)
    WH_TRY(driver->put_block(l, pipeline, puts, count, ret_new, err));
  else
    WH_TRY(put_each(l, pipeline, puts, count, is_done, ret_new, err));
  return *ret_new && !is_done ? ledger_tell(l, pipeline, err) : WH_OK;
}

wh_status ledger_put_many(wh_ledger *base, wh_str pipeline, const wh_put *puts, size_t count,
                          bool is_done, uint64_t *ret_new, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  uint64_t new_count = 0;
  WH_TRY(LEDGER_TRANSACTION(l, put_all(l, pipeline, puts, count, is_done, &new_count, err), err));
  *ret_new = new_count;
  return WH_OK;
}

wh_status ledger_put(wh_ledger *base, wh_str pipeline, wh_str key, wh_str version, int64_t order,
                     bool *ret_new, wh_error *err) {
  wh_put put = {key, version, order};
  uint64_t new_count;
  WH_TRY(ledger_put_many(base, pipeline, &put, 1, false, &new_count, err));
  *ret_new = new_count == 1;
  return WH_OK;
}

wh_status ledger_put_done(wh_ledger *base, wh_str pipeline, wh_str key, wh_str version,
                          wh_error *err) {
  wh_put put = {key, version, 0};
  uint64_t new_count;
  return ledger_put_many(base, pipeline, &put, 1, true, &new_count, err);
}

// --- taking out
// ------------------------------------------------------------------------------------

static wh_status show_due(ledger *l, wh_str pipeline, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(
      l, "UPDATE work SET state = 0 WHERE pipeline = ? AND state = 1 AND visible_us <= now_us()",
      &q);
  ledger_bind_text(&q, pipeline);
  return ledger_run_later(&q, err);
}

static wh_status hide(ledger *l, uint64_t work, int64_t hidden_us, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE work SET state = 1, received = 1, visible_us = later_us(?)"
                    " WHERE id = ? AND state IN (0, 1)",
                    &q);
  ledger_bind_i64(&q, hidden_us);
  ledger_bind_u64(&q, work);
  return ledger_run(&q, err);
}

// Each statement is whole by itself: what is due shows whoever takes it, and the one that takes
// locks the epoch that it looks at; together they are one journey.
static wh_status receive(ledger *l, const wh_lease *lease, int64_t hidden_us, wh_arena *arena,
                         wh_work *ret, wh_error *err) {
  WH_TRY(show_due(l, lease->pipeline, err));
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "WITH now AS (SELECT epoch FROM pipeline WHERE name = ? FOR UPDATE)"
                    " UPDATE work SET state = 1, received = 1, takes = takes + 1,"
                    " visible_us = later_us(?) WHERE NOT EXISTS (SELECT 1 FROM now WHERE epoch > ?)"
                    " AND id = (SELECT id FROM work"
                    " WHERE pipeline = ? AND state = 0 ORDER BY ord, id LIMIT 1"
                    " FOR UPDATE SKIP LOCKED) RETURNING " WORK_COLUMNS,
                    &q);
  ledger_bind_text(&q, lease->pipeline);
  ledger_bind_i64(&q, hidden_us);
  ledger_bind_u64(&q, lease->epoch);
  ledger_bind_text(&q, lease->pipeline);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) {
    ledger_query_end(&q);
    WH_TRY(ledger_check_epoch(l, lease->pipeline, lease->epoch, err));
    return WH_ERR_END;
  }
  wh_work work;
  read_work(&q, arena, &work);
  WH_TRY(ledger_read_end(&q, err));
  WH_TRY(ledger_run(&q, err));
  *ret = work;
  return WH_OK;
}

// Either statement may be lost without the other.
wh_status ledger_receive(wh_ledger *base, const wh_lease *lease, int64_t hidden_us, wh_arena *arena,
                         wh_work *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  if (!l->driver->is_optimistic) return receive(l, lease, hidden_us, arena, ret, err);
  return LEDGER_TRANSACTION(l, receive(l, lease, hidden_us, arena, ret, err), err);
}

// In the transaction of what only the holder of the pipeline's lease may do.
static wh_status check_lease(ledger *l, const wh_lease *lease, wh_error *err) {
  return ledger_check_epoch(l, lease->pipeline, lease->epoch, err);
}

typedef struct work_now {
  work_state state;
  uint32_t failures;
} work_now;

static wh_status read_now(ledger *l, uint64_t work, work_now *ret, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT state, failures FROM work WHERE id = ? FOR UPDATE", &q);
  ledger_bind_u64(&q, work);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: the queue has no entry %llu", l->path,
                   (unsigned long long)work);
  }
  ret->state = (work_state)ledger_read_i64(&q);
  ret->failures = (uint32_t)ledger_read_i64(&q);
  return WH_OK;
}

static wh_status check_open(ledger *l, const wh_lease *lease, uint64_t work, wh_error *err) {
  work_now now;
  WH_TRY(check_lease(l, lease, err));
  WH_TRY(read_now(l, work, &now, err));
  if (now.state != WORK_DONE && now.state != WORK_DEAD) return WH_OK;
  return wh_fail(err, WH_ERR_STALE, "%s: entry %llu of the queue has been dealt with", l->path,
                 (unsigned long long)work);
}

static wh_status extend(ledger *l, const wh_lease *lease, uint64_t work, int64_t hidden_us,
                        wh_error *err) {
  WH_TRY(check_open(l, lease, work, err));
  return hide(l, work, hidden_us, err);
}

wh_status ledger_extend(wh_ledger *base, const wh_lease *lease, uint64_t work, int64_t hidden_us,
                        wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, extend(l, lease, work, hidden_us, err), err);
}

static wh_status note(ledger *l, const wh_lease *lease, uint64_t work, wh_str progress,
                      wh_error *err) {
  WH_TRY(check_open(l, lease, work, err));
  LEDGER_QUERY q;
  ledger_query_open(l, "UPDATE work SET progress = ? WHERE id = ?", &q);
  ledger_bind_text(&q, progress);
  ledger_bind_u64(&q, work);
  return ledger_run(&q, err);
}

wh_status ledger_note(wh_ledger *base, const wh_lease *lease, uint64_t work, wh_str progress,
                      wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, note(l, lease, work, progress, err), err);
}

static wh_status fail_work(ledger *l, const wh_lease *lease, uint64_t work, uint32_t attempts,
                           bool definite, int64_t delay_us, wh_str error, bool *ret_dead,
                           wh_error *err) {
  work_now now;
  WH_TRY(check_lease(l, lease, err));
  WH_TRY(read_now(l, work, &now, err));
  *ret_dead = now.state == WORK_DEAD;
  if (now.state == WORK_DONE || now.state == WORK_DEAD) return WH_OK;
  bool dies = definite || now.failures + 1 >= attempts;
  LEDGER_QUERY q;
  ledger_query_open(
      l,
      "UPDATE work SET state = ?, visible_us = later_us(?), error = ?, received = 0, takes = 0,"
      " failures = failures + 1 WHERE id = ?",
      &q);
  ledger_bind_i64(&q, dies ? WORK_DEAD : WORK_HIDDEN);
  ledger_bind_i64(&q, delay_us);
  ledger_bind_text(&q, error);
  ledger_bind_u64(&q, work);
  *ret_dead = dies;
  return ledger_run(&q, err);
}

wh_status ledger_fail_work(wh_ledger *base, const wh_lease *lease, uint64_t work, uint32_t attempts,
                           bool definite, int64_t delay_us, wh_str error, bool *ret_dead,
                           wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  bool dead = false;
  WH_TRY(LEDGER_TRANSACTION_ONCE(
      l, fail_work(l, lease, work, attempts, definite, delay_us, error, &dead, err), err));
  *ret_dead = dead;
  return WH_OK;
}

static wh_status forgive(ledger *l, const wh_lease *lease, uint64_t work, wh_error *err) {
  WH_TRY(check_lease(l, lease, err));
  LEDGER_QUERY q;
  ledger_query_open(l, "UPDATE work SET takes = 0 WHERE id = ?", &q);
  ledger_bind_u64(&q, work);
  return ledger_run(&q, err);
}

wh_status ledger_forgive(wh_ledger *base, const wh_lease *lease, uint64_t work, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, forgive(l, lease, work, err), err);
}

static wh_status reclaim(ledger *l, const wh_lease *lease, bool delayed_too, wh_error *err) {
  WH_TRY(check_lease(l, lease, err));
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE work SET state = 0, received = 0"
                    " WHERE pipeline = ? AND state = 1 AND (received = 1 OR ? <> 0)",
                    &q);
  ledger_bind_text(&q, lease->pipeline);
  ledger_bind_i64(&q, delayed_too);
  return ledger_run(&q, err);
}

wh_status ledger_reclaim(wh_ledger *base, const wh_lease *lease, bool delayed_too, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, reclaim(l, lease, delayed_too, err), err);
}

static void bind_version(ledger_query *q, wh_str pipeline, wh_str key, wh_str version) {
  ledger_bind_text(q, pipeline);
  ledger_bind_text(q, key);
  ledger_bind_text(q, version);
}

wh_status ledger_outcome(wh_ledger *base, wh_str pipeline, wh_str key, wh_str version,
                         wh_outcome *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT state FROM work WHERE pipeline = ? AND key = ? AND version = ?", &q);
  bind_version(&q, pipeline, key, version);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row)
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: the queue has no entry for %.*s", l->path,
                   WH_STR_ARG(key));
  work_state state = (work_state)ledger_read_i64(&q);
  WH_TRY(ledger_read_end(&q, err));
  *ret = state == WORK_DONE   ? WH_OUTCOME_DONE
         : state == WORK_DEAD ? WH_OUTCOME_DEAD
                              : WH_OUTCOME_OPEN;
  return WH_OK;
}

// Its failures stay counted, so that one more ends it again.
static wh_status retry(ledger *l, wh_str pipeline, wh_str key, wh_str version, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "UPDATE work SET state = 0, takes = 0 WHERE pipeline = ? AND key = ?"
                    " AND version = ? AND state = 3",
                    &q);
  bind_version(&q, pipeline, key, version);
  WH_TRY(ledger_run(&q, err));
  return q.changes ? ledger_tell(l, pipeline, err) : WH_OK;
}

wh_status ledger_retry(wh_ledger *base, wh_str pipeline, wh_str key, wh_str version,
                       wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, retry(l, pipeline, key, version, err), err);
}

wh_status ledger_finish_work(ledger *l, uint64_t work, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "UPDATE work SET state = 2, error = '' WHERE id = ? AND state <> 2", &q);
  ledger_bind_u64(&q, work);
  return ledger_run_later(&q, err);
}

static wh_status done(ledger *l, const wh_lease *lease, uint64_t work, wh_error *err) {
  work_now now;
  if (lease) WH_TRY(check_lease(l, lease, err));
  WH_TRY(read_now(l, work, &now, err));
  return ledger_finish_work(l, work, err);
}

wh_status ledger_done(wh_ledger *base, const wh_lease *lease, uint64_t work, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, done(l, lease, work, err), err);
}

// --- looking
// ---------------------------------------------------------------------------------------

// Where a listing stands: behind this entry.
typedef struct work_place {
  wh_buf pipeline;
  int64_t order;
  int64_t id;
} work_place;

static void open_page(ledger *l, wh_str pipeline, const work_place *place, ledger_query *q) {
#define OPEN_WORK "SELECT " WORK_COLUMNS " FROM work INDEXED BY work_open WHERE state <> 2 AND "
  ledger_query_open(l,
                    pipeline.len ? OPEN_WORK "pipeline = ? AND (ord, id) > (?, ?)"
                                             " ORDER BY ord, id LIMIT ?"
                                 : OPEN_WORK "(pipeline, ord, id) > (?, ?, ?)"
                                             " ORDER BY pipeline, ord, id LIMIT ?",
                    q);
#undef OPEN_WORK
  ledger_bind_text(q, pipeline.len ? pipeline : wh_buf_str(&place->pipeline));
  ledger_bind_i64(q, place->order);
  ledger_bind_i64(q, place->id);
  ledger_bind_i64(q, l->driver->page);
}

static wh_status read_next(ledger *l, wh_str pipeline, const work_place *place, ledger_query *q,
                           wh_arena *arena, wh_work *ret, wh_error *err) {
  bool row;
  WH_TRY(ledger_list_step(q, &row, err));
  if (!row) {
    open_page(l, pipeline, place, q);
    WH_TRY(ledger_step(q, &row, err));
  }
  if (!row) return WH_ERR_END;
  read_work(q, arena, ret);
  return ledger_read_end(q, err);
}

static wh_status next_work(wh_ledger *base, wh_str pipeline, work_place *place, ledger_query *q,
                           wh_arena *arena, wh_work *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  wh_status status = read_next(l, pipeline, place, q, arena, ret, err);
  ledger_list_pause(q, status); // it may have borrowed the place
  if (status != WH_OK) return status;
  wh_buf_clear(&place->pipeline);
  if (!wh_buf_add_str(&place->pipeline, ret->pipeline)) return wh_buf_check(&place->pipeline, err);
  place->order = ret->order;
  place->id = (int64_t)ret->id;
  return WH_OK;
}

wh_status ledger_works(wh_ledger *base, wh_str pipeline, wh_arena *arena, wh_work_visit visit,
                       void *context, wh_error *err) {
  work_place place = {.pipeline.mem = ((ledger *)base)->mem, .order = INT64_MIN};
  LEDGER_QUERY q = {0};
  wh_work work;
  wh_status status = WH_OK;
  wh_status visited = WH_OK;
  while (visited == WH_OK &&
         (status = next_work(base, pipeline, &place, &q, arena, &work, err)) == WH_OK)
    visited = visit(context, &work, err);
  wh_buf_free(&place.pipeline);
  if (visited != WH_OK) return visited;
  return status == WH_ERR_END ? WH_OK : status;
}
