// Runs: starting them, giving out orders, finding them again. How they end is in seal.c.
#include "base/ulid.h"
#include "ledger/database.h"

#define RUN_COLUMNS LEDGER_RUN_FIXED("run.") "," LEDGER_RUN_CHANGES("run.")

void ledger_bind_run_changes(ledger_query *q, const wh_run *run, wh_run_state state) {
  ledger_bind_text(q, run->object);
  ledger_bind_u64(q, run->epoch);
  ledger_bind_i64(q, state);
  ledger_bind_i64(q, run->finished_us);
  ledger_bind_u64(q, run->counts.read);
  ledger_bind_u64(q, run->counts.written);
  ledger_bind_u64(q, run->counts.unchanged);
  ledger_bind_u64(q, run->counts.superseded);
  ledger_bind_u64(q, run->counts.filtered);
  ledger_bind_u64(q, run->counts.quarantined);
  ledger_bind_u64(q, run->counts.deleted);
  ledger_bind_u64(q, run->bytes_read);
  ledger_bind_u64(q, run->bytes_written);
  ledger_bind_u64(q, run->row_hash);
  ledger_bind_text(q, run->output);
  ledger_bind_text(q, run->output_version);
  ledger_bind_text(q, run->sha256);
  ledger_bind_text(q, run->rejects);
  ledger_bind_text(q, run->cursor_from);
  ledger_bind_text(q, run->cursor_to);
  ledger_bind_text(q, run->error);
  ledger_bind_text(q, run->reading);
  ledger_bind_i64(q, run->partial);
}

void ledger_read_run(ledger_query *q, wh_arena *arena, wh_run *ret) {
  *ret = (wh_run){0};
  ret->id = ledger_read_text(q, arena);
  ret->pipeline = ledger_read_text(q, arena);
  ret->order = ledger_read_i64(q);
  ret->started_us = ledger_read_i64(q);
  ret->object = ledger_read_text(q, arena);
  ret->epoch = ledger_read_u64(q);
  ret->state = (wh_run_state)ledger_read_i64(q);
  ret->finished_us = ledger_read_i64(q);
  ret->counts.read = ledger_read_u64(q);
  ret->counts.written = ledger_read_u64(q);
  ret->counts.unchanged = ledger_read_u64(q);
  ret->counts.superseded = ledger_read_u64(q);
  ret->counts.filtered = ledger_read_u64(q);
  ret->counts.quarantined = ledger_read_u64(q);
  ret->counts.deleted = ledger_read_u64(q);
  ret->bytes_read = ledger_read_u64(q);
  ret->bytes_written = ledger_read_u64(q);
  ret->row_hash = ledger_read_u64(q);
  ret->output = ledger_read_text(q, arena);
  ret->output_version = ledger_read_text(q, arena);
  ret->sha256 = ledger_read_text(q, arena);
  ret->rejects = ledger_read_text(q, arena);
  ret->cursor_from = ledger_read_text(q, arena);
  ret->cursor_to = ledger_read_text(q, arena);
  ret->error = ledger_read_text(q, arena);
  ret->reading = ledger_read_text(q, arena);
  ret->partial = ledger_read_i64(q) != 0;
}

// --- starting
// --------------------------------------------------------------------------------------

static wh_status send_next_order(ledger *l, int64_t now_us, ledger_query *q, wh_error *err) {
  ledger_query_open(l,
                    "UPDATE counter SET value = CASE WHEN value >= ? THEN value + 1 ELSE ? END"
                    " WHERE name = 'order' RETURNING value",
                    q);
  ledger_bind_i64(q, now_us);
  ledger_bind_i64(q, now_us);
  return ledger_send(q, err);
}

static wh_status see_order(ledger_query *q, int64_t *ret, wh_error *err) {
  bool row;
  WH_TRY(ledger_step(q, &row, err));
  if (!row) return wh_fail(err, WH_ERR_BUG, "%s: the ledger has no order", q->owner->path);
  *ret = ledger_read_i64(q);
  return ledger_run(q, err);
}

static wh_status raise_order(ledger *l, int64_t order, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "UPDATE counter SET value = ? WHERE name = 'order' AND value < ?", &q);
  ledger_bind_i64(&q, order);
  ledger_bind_i64(&q, order);
  return ledger_run(&q, err);
}

static wh_status insert_run(ledger *l, const wh_run *run, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO run (" LEDGER_RUN_FIXED("") "," LEDGER_RUN_CHANGES(
                        "") ") VALUES (?,?,?,?," LEDGER_RUN_CHANGES_MARKS
                            ") ON CONFLICT (id) DO NOTHING",
                    &q);
  ledger_bind_text(&q, run->id);
  ledger_bind_text(&q, run->pipeline);
  ledger_bind_i64(&q, run->order);
  ledger_bind_i64(&q, run->started_us);
  ledger_bind_run_changes(&q, run, run->state);
  return ledger_run_later(&q, err);
}

static wh_status run_start(ledger *l, wh_run *run, wh_error *err) {
  LEDGER_QUERY epoch = {0};
  LEDGER_QUERY order = {0};
  WH_TRY(ledger_send_epoch(l, run->pipeline, &epoch, err));
  WH_TRY(send_next_order(l, run->started_us, &order, err));
  WH_TRY(ledger_see_epoch(&epoch, run->pipeline, run->epoch, err));
  WH_TRY(see_order(&order, &run->order, err));
  return insert_run(l, run, err);
}

wh_status ledger_run_start(wh_ledger *base, const wh_lease *lease, wh_str object, wh_arena *arena,
                           wh_run *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  wh_run run = {.epoch = lease->epoch, .state = WH_RUN_RUNNING};
  char id[WH_RUN_ID_LEN + 1];
  WH_TRY(wh_ulid_new(l->os, id, err));
  run.started_us = wh_now_us(l->os);
  run.id = wh_arena_str(arena, wh_str_n(id, WH_RUN_ID_LEN));
  run.pipeline = wh_arena_str(arena, lease->pipeline);
  run.object = wh_arena_str(arena, object);
  if (!run.id.data || !run.pipeline.data || !run.object.data) return wh_fail_memory(err);
  WH_TRY(LEDGER_TRANSACTION_ONCE(l, run_start(l, &run, err), err));
  *ret = run;
  return WH_OK;
}

static wh_status check_order(int64_t order, wh_error *err) {
  if (order <= WH_ORDER_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT, "%lld cannot be an order: it leaves no room for later ones",
                 (long long)order);
}

wh_status ledger_raise_order(wh_ledger *base, int64_t order, wh_error *err) {
  WH_TRY(check_order(order, err));
  LEDGER_LOCK l = ledger_lock(base);
  return raise_order(l, order, err);
}

static wh_status import_run(ledger *l, const wh_run *run, wh_error *err) {
  WH_TRY(raise_order(l, run->order, err));
  return insert_run(l, run, err);
}

wh_status ledger_import_run(wh_ledger *base, const wh_run *run, wh_error *err) {
  WH_TRY(check_order(run->order, err));
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, import_run(l, run, err), err);
}

// --- finding
// ---------------------------------------------------------------------------------------

// Run ids are lower-case letters and digits; what a person types may be upper case.
static wh_str lower(wh_str id, char *buffer, size_t cap) {
  size_t len = id.len < cap ? id.len : cap;
  for (size_t i = 0; i < len; i++) {
    char c = id.data[i];
    buffer[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
  }
  return wh_str_n(buffer, len);
}

static wh_status fail_ambiguous(wh_str id, wh_str a, wh_str b, wh_error *err) {
  return wh_fail(err, WH_ERR_USAGE, "%.*s could be run %.*s or %.*s. Write more of it",
                 WH_STR_ARG(id), WH_STR_ARG(a), WH_STR_ARG(b));
}

static wh_status find_run(ledger *l, wh_str id, wh_arena *arena, wh_run *ret, wh_error *err) {
  char buffer[WH_RUN_ID_LEN];
  wh_str from = lower(id, buffer, sizeof buffer);
  LEDGER_QUERY q;
  // '{' is the first character above 'z'.
  ledger_query_open(l,
                    "SELECT " RUN_COLUMNS " FROM run WHERE id >= ? AND id < ? || '{'"
                    " ORDER BY id LIMIT 2",
                    &q);
  ledger_bind_text(&q, from);
  ledger_bind_text(&q, from);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row || id.len > WH_RUN_ID_LEN) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "there is no run %.*s. Look: wherry runs",
                   WH_STR_ARG(id));
  }
  ledger_read_run(&q, arena, ret);
  WH_TRY(ledger_read_end(&q, err));
  if (id.len == WH_RUN_ID_LEN) return WH_OK;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_OK;
  wh_str other = ledger_read_text(&q, arena);
  WH_TRY(ledger_read_end(&q, err));
  return fail_ambiguous(id, ret->id, other, err);
}

wh_status ledger_run_get(wh_ledger *base, wh_str id, wh_arena *arena, wh_run *ret, wh_error *err) {
  if (id.len < WH_RUN_ID_PREFIX_MIN) {
    return wh_fail(err, WH_ERR_USAGE, "'%.*s' is too short for a run: write at least %d characters",
                   WH_STR_ARG(id), WH_RUN_ID_PREFIX_MIN);
  }
  LEDGER_LOCK l = ledger_lock(base);
  wh_run run;
  WH_TRY(find_run(l, id, arena, &run, err));
  if (run.state == WH_RUN_SEALED) WH_TRY(ledger_read_sealed(l, &run, arena, err));
  *ret = run;
  return WH_OK;
}

// --- listing
// ---------------------------------------------------------------------------------------

// One query for each combination, so that each has its index.
static const char *newest_sql(bool of_pipeline, bool in_state) {
#define NEWEST(condition)                                                                          \
  "SELECT " RUN_COLUMNS " FROM run WHERE " condition                                               \
  " (ord, id) < (?, ?) ORDER BY ord DESC, id DESC LIMIT ?"
  if (of_pipeline && in_state) return NEWEST("pipeline = ? AND state = ? AND");
  if (of_pipeline) return NEWEST("pipeline = ? AND");
  return in_state ? NEWEST("state = ? AND") : NEWEST("");
#undef NEWEST
}

typedef struct run_filter {
  wh_str pipeline;
  int state;
  int64_t order; // below these
  char id[WH_RUN_ID_LEN];
  size_t id_len;
} run_filter;

static void open_page(ledger *l, const run_filter *filter, ledger_query *q) {
  ledger_query_open(l, newest_sql(filter->pipeline.len > 0, filter->state >= 0), q);
  if (filter->pipeline.len) ledger_bind_text(q, filter->pipeline);
  if (filter->state >= 0) ledger_bind_i64(q, filter->state);
  ledger_bind_i64(q, filter->order);
  ledger_bind_text(q, wh_str_n(filter->id, filter->id_len));
  ledger_bind_i64(q, l->driver->page);
}

static wh_status read_next(ledger *l, run_filter *filter, ledger_query *q, wh_arena *arena,
                           wh_run *ret, wh_error *err) {
  bool row;
  WH_TRY(ledger_list_step(q, &row, err));
  if (!row) {
    open_page(l, filter, q);
    WH_TRY(ledger_step(q, &row, err));
  }
  if (!row) return WH_ERR_END;
  ledger_read_run(q, arena, ret);
  WH_TRY(ledger_read_end(q, err));
  filter->order = ret->order;
  filter->id_len = ret->id.len < sizeof filter->id ? ret->id.len : sizeof filter->id;
  if (filter->id_len) memcpy(filter->id, ret->id.data, filter->id_len);
  return WH_OK;
}

static wh_status next_run(wh_ledger *base, run_filter *filter, ledger_query *q, wh_arena *arena,
                          wh_run *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  wh_status status = read_next(l, filter, q, arena, ret, err);
  ledger_list_pause(q, status);
  if (status != WH_OK || ret->state != WH_RUN_SEALED) return status;
  return ledger_read_sealed(l, ret, arena, err);
}

wh_status ledger_runs(wh_ledger *base, wh_str pipeline, int state, uint64_t limit, wh_arena *arena,
                      wh_run_visit visit, void *context, wh_error *err) {
  run_filter filter = {.pipeline = pipeline, .state = state, .order = INT64_MAX};
  LEDGER_QUERY q = {0};
  for (uint64_t n = 0; !limit || n < limit; n++) {
    wh_run run;
    wh_status status = next_run(base, &filter, &q, arena, &run, err);
    if (status == WH_ERR_END) break;
    WH_TRY(status);
    WH_TRY(visit(context, &run, err));
  }
  return WH_OK;
}
