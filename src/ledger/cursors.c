// Cursors, pinned schemas, and when schedules fired.
#include "ledger/database.h"
#include "ledger/schema_json.h"

// --- cursors
// ---------------------------------------------------------------------------------------

static wh_status upsert_cursor(ledger *l, wh_str pipeline, wh_str run, const wh_cursor *cursor,
                               wh_str type, wh_str value, int64_t *ret_row, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(
      l,
      "INSERT INTO cursor (pipeline, run, type, value, window_cut, hashes) VALUES (?,?,?,?,?,?)"
      " ON CONFLICT (pipeline, run) DO UPDATE SET type = excluded.type, value = excluded.value,"
      " window_cut = excluded.window_cut, hashes = excluded.hashes RETURNING id",
      &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  ledger_bind_text(&q, type);
  if (cursor->last.is_null)
    ledger_bind_null(&q);
  else
    ledger_bind_text(&q, value);
  ledger_bind_i64(&q, cursor->window_cut);
  ledger_bind_zeroes(&q, cursor->found ? cursor->window_count * 8 : 0);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return wh_fail(err, WH_ERR_BUG, "%s: a cursor was not stored", l->path);
  *ret_row = ledger_read_i64(&q);
  return ledger_run(&q, err);
}

wh_status ledger_save_cursor(ledger *l, wh_str pipeline, wh_str run, const wh_cursor *cursor,
                             wh_error *err) {
  if (cursor->window_count > WH_WINDOW_HASHES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "a cursor remembers at most %d rows of its overlap",
                   WH_WINDOW_HASHES_MAX);
  }
  WH_CLEAN_BUF wh_buf type = {.mem = l->mem};
  WH_CLEAN_BUF wh_buf value = {.mem = l->mem};
  if (cursor->found) {
    (void)wh_type_write(&cursor->last.type, &type);
    if (!cursor->last.is_null) (void)wh_value_write(&cursor->last, &value);
    WH_TRY(wh_buf_check(&type, err));
    WH_TRY(wh_buf_check(&value, err));
  }
  int64_t row = 0;
  WH_TRY(upsert_cursor(l, pipeline, run, cursor, wh_buf_str(&type), wh_buf_str(&value), &row, err));
  if (!cursor->found || !cursor->window_count) return WH_OK;
  return l->driver->write_hashes(l, row, cursor->window, cursor->window_count, err);
}

static wh_status parse_cursor(ledger *l, ledger_query *q, wh_str pipeline, wh_arena *arena,
                              wh_cursor *ret, wh_error *err) {
  wh_str type_text = ledger_read_text(q, arena);
  bool is_null = ledger_next_is_null(q);
  wh_str text = ledger_read_text(q, arena);
  ret->window_cut = ledger_read_i64(q) != 0;
  WH_TRY(ledger_read_end(q, err));
  if (!type_text.len) return WH_OK; // forgotten
  ret->found = true;
  wh_status status = wh_type_parse(type_text, arena, &ret->last.type, err);
  if (status == WH_OK && is_null)
    ret->last.is_null = true;
  else if (status == WH_OK) {
    wh_type type = ret->last.type;
    status = wh_value_parse(text, &type, arena, &ret->last, err);
  }
  if (status != WH_OK) {
    wh_error_prefix(err, "%s: the cursor of %.*s cannot be read: ", l->path, WH_STR_ARG(pipeline));
  }
  return status;
}

wh_status ledger_load_cursor(ledger *l, wh_str pipeline, wh_str run, wh_arena *arena,
                             bool *ret_stored, wh_cursor *ret, wh_error *err) {
  *ret_stored = false;
  *ret = (wh_cursor){0};
  LEDGER_QUERY q;
  ledger_query_open(
      l, "SELECT type, value, window_cut, id FROM cursor WHERE pipeline = ? AND run = ?", &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_OK;
  WH_TRY(parse_cursor(l, &q, pipeline, arena, ret, err));
  int64_t id = ledger_read_i64(&q);
  ledger_query_end(&q);
  WH_TRY(l->driver->read_hashes(l, id, arena, ret, err));
  *ret_stored = true;
  return WH_OK;
}

wh_status ledger_cursor(wh_ledger *base, wh_str pipeline, wh_arena *arena, wh_cursor *ret,
                        wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  bool stored;
  wh_cursor cursor;
  WH_TRY(ledger_load_cursor(l, pipeline, (wh_str){0}, arena, &stored, &cursor, err));
  *ret = cursor;
  return WH_OK;
}

wh_status ledger_set_cursor(wh_ledger *base, wh_str pipeline, const wh_cursor *cursor,
                            wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, ledger_save_cursor(l, pipeline, (wh_str){0}, cursor, err), err);
}

// --- pinned schemas
// --------------------------------------------------------------------------------

wh_status ledger_save_pin(ledger *l, wh_str pipeline, wh_str run, const wh_schema *schema,
                          wh_error *err) {
  WH_CLEAN_BUF wh_buf json = {.mem = l->mem};
  (void)wh_schema_write_json(schema, &json);
  WH_TRY(wh_buf_check(&json, err));
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO pin (pipeline, run, schema) VALUES (?,?,?)"
                    " ON CONFLICT (pipeline, run) DO UPDATE SET schema = excluded.schema",
                    &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  ledger_bind_text(&q, wh_buf_str(&json));
  return ledger_run_later(&q, err);
}

wh_status ledger_load_pin(ledger *l, wh_str pipeline, wh_str run, wh_arena *arena, bool *ret_found,
                          wh_schema *ret, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT schema FROM pin WHERE pipeline = ? AND run = ?", &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) {
    *ret_found = false;
    return WH_OK;
  }
  wh_str json = ledger_read_text(&q, arena);
  WH_TRY(ledger_read_end(&q, err));
  wh_status status = wh_schema_read_json(json, arena, ret, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "%s: the pinned schema of %.*s cannot be read: ", l->path,
                    WH_STR_ARG(pipeline));
    return status;
  }
  *ret_found = true;
  return WH_OK;
}

wh_status ledger_pinned(wh_ledger *base, wh_str pipeline, wh_arena *arena, bool *ret_found,
                        wh_schema *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return ledger_load_pin(l, pipeline, (wh_str){0}, arena, ret_found, ret, err);
}

wh_status ledger_pin(wh_ledger *base, wh_str pipeline, const wh_schema *schema, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION(l, ledger_save_pin(l, pipeline, (wh_str){0}, schema, err), err);
}

// --- schedules
// -------------------------------------------------------------------------------------

wh_status ledger_fired(wh_ledger *base, wh_str pipeline, int64_t *ret_us, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT fired_us FROM pipeline WHERE name = ?", &q);
  ledger_bind_text(&q, pipeline);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  *ret_us = row ? ledger_read_i64(&q) : 0;
  return WH_OK;
}

wh_status ledger_set_fired(wh_ledger *base, const wh_lease *lease, int64_t due_us, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO pipeline (name, fired_us) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET fired_us = excluded.fired_us"
                    " WHERE pipeline.epoch <= ?",
                    &q);
  ledger_bind_text(&q, lease->pipeline);
  ledger_bind_i64(&q, due_us);
  ledger_bind_u64(&q, lease->epoch);
  WH_TRY(ledger_run(&q, err));
  return q.changes ? WH_OK : ledger_fail_stale(lease->pipeline, err);
}

wh_status ledger_move_fired(wh_ledger *base, wh_str pipeline, int64_t was_us, int64_t due_us,
                            wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO pipeline (name, fired_us) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET fired_us = excluded.fired_us"
                    " WHERE pipeline.fired_us = ?",
                    &q);
  ledger_bind_text(&q, pipeline);
  ledger_bind_i64(&q, due_us);
  ledger_bind_i64(&q, was_us);
  return ledger_run(&q, err);
}
