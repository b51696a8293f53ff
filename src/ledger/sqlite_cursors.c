// Cursors, pinned schemas, and when schedules fired.
#include "ledger/schema_json.h"
#include "ledger/sqlite_ledger.h"

enum { HASHES_AT_ONCE = 1024 }; // converted and written together

// --- a window's hashes, as one blob that is never whole in SQLite's memory
// ---------------------------

static void to_little_endian(const uint64_t *hashes, size_t count, unsigned char *ret) {
  for (size_t i = 0; i < count; i++) {
    for (int b = 0; b < 8; b++)
      *ret++ = (unsigned char)(hashes[i] >> (8 * b));
  }
}

static void from_little_endian(const unsigned char *bytes, size_t count, uint64_t *ret) {
  for (size_t i = 0; i < count; i++) {
    ret[i] = 0;
    for (int b = 0; b < 8; b++)
      ret[i] |= (uint64_t)*bytes++ << (8 * b);
  }
}

static size_t piece(size_t count, size_t at) {
  return count - at < HASHES_AT_ONCE ? count - at : HASHES_AT_ONCE;
}

static wh_status open_hashes(ledger *l, int64_t row, bool write, sqlite3_blob **ret,
                             wh_error *err) {
  int rc = sqlite3_blob_open(l->db, "main", "cursor", "hashes", row, write, ret);
  if (rc == SQLITE_OK) return WH_OK;
  sqlite3_blob_close(*ret);
  return ledger_fail(l, sqlite3_extended_errcode(l->db), err);
}

static wh_status write_hashes(ledger *l, int64_t row, const uint64_t *hashes, size_t count,
                              wh_error *err) {
  if (!count) return WH_OK;
  sqlite3_blob *blob = NULL;
  WH_TRY(open_hashes(l, row, true, &blob, err));
  unsigned char bytes[HASHES_AT_ONCE * 8];
  int rc = SQLITE_OK;
  for (size_t at = 0; at < count && rc == SQLITE_OK; at += piece(count, at)) {
    size_t n = piece(count, at);
    to_little_endian(hashes + at, n, bytes);
    rc = sqlite3_blob_write(blob, bytes, (int)(n * 8), (int)(at * 8));
  }
  wh_status status = rc == SQLITE_OK ? WH_OK : ledger_fail(l, rc, err);
  rc = sqlite3_blob_close(blob);
  return status == WH_OK && rc != SQLITE_OK ? ledger_fail(l, rc, err) : status;
}

static wh_status read_hashes(ledger *l, int64_t row, wh_arena *arena, wh_cursor *ret,
                             wh_error *err) {
  sqlite3_blob *blob = NULL;
  WH_TRY(open_hashes(l, row, false, &blob, err));
  size_t count = (size_t)sqlite3_blob_bytes(blob) / 8;
  uint64_t *hashes = WH_NEW_ARRAY(arena, count, uint64_t);
  unsigned char bytes[HASHES_AT_ONCE * 8];
  int rc = hashes ? SQLITE_OK : SQLITE_NOMEM;
  for (size_t at = 0; at < count && rc == SQLITE_OK; at += piece(count, at)) {
    size_t n = piece(count, at);
    rc = sqlite3_blob_read(blob, bytes, (int)(n * 8), (int)(at * 8));
    if (rc == SQLITE_OK) from_little_endian(bytes, n, hashes + at);
  }
  sqlite3_blob_close(blob);
  if (rc != SQLITE_OK) return ledger_fail(l, rc, err);
  ret->window = hashes;
  ret->window_count = count;
  return WH_OK;
}

// --- cursors
// ---------------------------------------------------------------------------------------

static wh_status upsert_cursor(ledger *l, wh_str pipeline, wh_str run, const wh_cursor *cursor,
                               wh_str type, wh_str value, int64_t *ret_row, wh_error *err) {
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(
      l,
      "INSERT INTO cursor (pipeline, run, type, value, window_cut, hashes) VALUES (?,?,?,?,?,?)"
      " ON CONFLICT (pipeline, run) DO UPDATE SET type = excluded.type, value = excluded.value,"
      " window_cut = excluded.window_cut, hashes = excluded.hashes RETURNING id",
      &q, err));
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
  return cursor->found ? write_hashes(l, row, cursor->window, cursor->window_count, err) : WH_OK;
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
  WH_TRY(ledger_query_open(
      l, "SELECT type, value, window_cut, id FROM cursor WHERE pipeline = ? AND run = ?", &q, err));
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  if (!row) return WH_OK;
  WH_TRY(parse_cursor(l, &q, pipeline, arena, ret, err));
  WH_TRY(read_hashes(l, ledger_read_i64(&q), arena, ret, err));
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
  WH_TRY(ledger_begin(l, err));
  return ledger_end(l, ledger_save_cursor(l, pipeline, (wh_str){0}, cursor, err), err);
}

// --- pinned schemas
// --------------------------------------------------------------------------------

wh_status ledger_save_pin(ledger *l, wh_str pipeline, wh_str run, const wh_schema *schema,
                          wh_error *err) {
  WH_CLEAN_BUF wh_buf json = {.mem = l->mem};
  (void)wh_schema_write_json(schema, &json);
  WH_TRY(wh_buf_check(&json, err));
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l,
                           "INSERT INTO pin (pipeline, run, schema) VALUES (?,?,?)"
                           " ON CONFLICT (pipeline, run) DO UPDATE SET schema = excluded.schema",
                           &q, err));
  ledger_bind_text(&q, pipeline);
  ledger_bind_text(&q, run);
  ledger_bind_text(&q, wh_buf_str(&json));
  return ledger_run(&q, err);
}

wh_status ledger_load_pin(ledger *l, wh_str pipeline, wh_str run, wh_arena *arena, bool *ret_found,
                          wh_schema *ret, wh_error *err) {
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l, "SELECT schema FROM pin WHERE pipeline = ? AND run = ?", &q, err));
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
  return ledger_save_pin(l, pipeline, (wh_str){0}, schema, err);
}

// --- schedules
// -------------------------------------------------------------------------------------

wh_status ledger_fired(wh_ledger *base, wh_str pipeline, int64_t *ret_us, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l, "SELECT fired_us FROM pipeline WHERE name = ?", &q, err));
  ledger_bind_text(&q, pipeline);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  *ret_us = row ? ledger_read_i64(&q) : 0;
  return WH_OK;
}

wh_status ledger_set_fired(wh_ledger *base, wh_str pipeline, int64_t due_us, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l,
                           "INSERT INTO pipeline (name, fired_us) VALUES (?, ?)"
                           " ON CONFLICT (name) DO UPDATE SET fired_us = excluded.fired_us",
                           &q, err));
  ledger_bind_text(&q, pipeline);
  ledger_bind_i64(&q, due_us);
  return ledger_run(&q, err);
}
