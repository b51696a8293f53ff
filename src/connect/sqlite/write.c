// Rows into a table or a stage.
#include "connect/sink_table.h"
#include "connect/sqlite/sink.h"

enum { ALONE_MAX = 4096 }; // rows that go one by one after statements for many failed

// What a write carries from row to row.
typedef struct writing {
  wh_sink *sink;
  wh_sqlite_target *target;
  const wh_batch *batch;
  wh_rejects *rejects;
  wh_counts *counts;
  wh_sink_rows rows;
} writing;

static wh_status reject(writing *w, size_t row, const char *rule, wh_str column, const char *reason,
                        wh_error *err) {
  wh_reject reject = {
      .rule = wh_str_of(rule),
      .column = column,
      .reason = wh_str_of(reason),
      .place = wh_batch_place(w->batch, row),
  };
  WH_TRY(w->rejects->row(w->rejects, &reject, w->batch, row, err));
  w->counts->quarantined++;
  return WH_OK;
}

static wh_str column_name(const writing *w, size_t column) {
  return w->target->schema.fields[column].name;
}

// Keys and versions that cannot take part. *ret_fine false: the row was rejected.
static wh_status check_row(writing *w, size_t row, bool *ret_fine, wh_error *err) {
  wh_reject reject;
  *ret_fine = !wh_sink_row_is_bad(&w->rows, w->batch, row, &reject);
  if (*ret_fine) return WH_OK;
  WH_TRY(w->rejects->row(w->rejects, &reject, w->batch, row, err));
  w->counts->quarantined++;
  return WH_OK;
}

// Binds the row's columns from parameter `first` on.
static wh_status bind_row(writing *w, size_t row, wh_sqlite_encoder *encoders, sqlite3_stmt *stmt,
                          int first, bool *ret_fine, wh_error *err) {
  *ret_fine = true;
  for (size_t i = 0; i < w->target->schema.count; i++) {
    wh_misfit misfit;
    wh_status status = wh_sqlite_encode(&encoders[i], &w->batch->columns[i], row, stmt,
                                        first + (int)i, &misfit, err);
    if (status == WH_OK) continue;
    if (status != WH_ERR_TYPE) return status;
    *ret_fine = false;
    return reject(w, row, misfit.rule, column_name(w, i), misfit.reason, err);
  }
  return WH_OK;
}

// Rebinds one column of the row for another statement.
static wh_status bind_again(writing *w, size_t row, size_t column, sqlite3_stmt *stmt, int index,
                            wh_error *err) {
  wh_misfit misfit;
  wh_status status = wh_sqlite_encode(&w->target->encoders[column], &w->batch->columns[column], row,
                                      stmt, index, &misfit, err);
  return status == WH_ERR_TYPE ? wh_fail(err, WH_ERR_BUG, "a value fits once only") : status;
}

// The row is not there after all: a trigger of the table dropped it.
static wh_status reject_ignored(writing *w, size_t row, wh_error *err) {
  return reject(w, row, "constraint", (wh_str){0}, "a trigger of the table refused it", err);
}

// The row changed nothing: because of what is there already.
static wh_status explain(writing *w, size_t row, wh_error *err) {
  wh_sqlite_target *t = w->target;
  wh_sqlite_db *db = &w->sink->db;
  if (!t->why) return reject_ignored(w, row, err);
  for (size_t i = 0; i < t->spec.key_count; i++)
    WH_TRY(bind_again(w, row, t->key[i], t->why, (int)t->key[i] + 1, err));
  if (t->version >= 0)
    WH_TRY(bind_again(w, row, (size_t)t->version, t->why, (int)t->version + 1, err));
  if (t->spec.mode == WH_WRITE_REPLACE)
    sqlite3_bind_int64(t->why, (int)t->schema.count + 1, t->stage);
  bool found;
  WH_TRY(wh_sqlite_step(db, t->why, &found, err));
  bool same_bytes = found && sqlite3_column_int(t->why, 0);
  bool same_version = found && sqlite3_column_int(t->why, 1);
  int64_t order = found ? sqlite3_column_int64(t->why, 2) : 0;
  sqlite3_reset(t->why);
  if (!found) return reject_ignored(w, row, err);
  if (!same_bytes)
    return reject(w, row, "key_collision", column_name(w, t->key[0]),
                  "another key is there that the table cannot tell from this one", err);
  bool is_equal = same_version && order == w->sink->load.order;
  if (is_equal && t->spec.mode == WH_WRITE_UPSERT)
    w->counts->unchanged++;
  else
    w->counts->superseded++;
  return WH_OK;
}

static wh_status put_order(writing *w, size_t row, wh_error *err) {
  wh_sqlite_target *t = w->target;
  for (size_t i = 0; i < t->spec.key_count; i++)
    WH_TRY(bind_again(w, row, t->key[i], t->put_order, (int)i + 1, err));
  sqlite3_bind_int64(t->put_order, (int)t->spec.key_count + 1, w->sink->load.order);
  return wh_sqlite_step_done(&w->sink->db, t->put_order, err);
}

// A failure that is a row's, and left the transaction as it was before the statement.
static bool is_rows_fault(wh_sqlite_db *db, int rc) {
  bool is_row = (rc & 0xFF) == SQLITE_CONSTRAINT || rc == SQLITE_MISMATCH || rc == SQLITE_TOOBIG;
  return is_row && !sqlite3_get_autocommit(db->handle);
}

// Takes each `part` out of a text.
static void take_out(char *text, const char *part) {
  size_t len = strlen(part);
  for (char *at = text; len && (at = strstr(at, part));)
    memmove(at, at + len, strlen(at + len) + 1);
}

// Of a row that broke a rule in the stage, as if it had in the table.
static void speak_of_table(const wh_sqlite_target *t, char *reason) {
  char own[512];
  snprintf(own, sizeof own, "_wherry_stage_%.*s._wherry_stage, ", WH_STR_ARG(t->spec.table));
  take_out(reason, own);
  take_out(reason, "_wherry_stage_");
}

static wh_status put_failed(writing *w, size_t row, int rc, wh_error *err) {
  wh_sqlite_db *db = &w->sink->db;
  char reason[256];
  snprintf(reason, sizeof reason, "%s", sqlite3_errmsg(db->handle));
  if (w->target->spec.mode == WH_WRITE_REPLACE) speak_of_table(w->target, reason);
  wh_status status = WH_OK;
  if (!is_rows_fault(db, rc))
    status = wh_sqlite_fail(db, rc, err, "loading %.*s", WH_STR_ARG(w->target->spec.table));
  sqlite3_reset(w->target->put);
  return status == WH_OK ? reject(w, row, "constraint", (wh_str){0}, reason, err) : status;
}

static void count_written(writing *w, size_t rows) {
  if (w->target->spec.mode == WH_WRITE_REPLACE) w->target->accepted += (int64_t)rows;
  w->counts->written += rows;
}

static wh_status put_row(writing *w, size_t row, wh_error *err) {
  wh_sqlite_target *t = w->target;
  bool fine;
  WH_TRY(check_row(w, row, &fine, err));
  if (!fine) return WH_OK;
  WH_TRY(bind_row(w, row, t->encoders, t->put, 1, &fine, err));
  if (!fine) return WH_OK;
  int rc = sqlite3_step(t->put);
  if (rc != SQLITE_DONE) return put_failed(w, row, rc, err);
  bool changed = sqlite3_changes(w->sink->db.handle) > 0;
  sqlite3_reset(t->put);
  if (!changed) return explain(w, row, err);
  if (t->put_order) WH_TRY(put_order(w, row, err));
  count_written(w, 1);
  return WH_OK;
}

// The row is newer than its deletion, which is over once it is there.
static wh_status put_again(writing *w, size_t row, wh_error *err) {
  wh_sqlite_db *db = &w->sink->db;
  uint64_t before = w->counts->written;
  WH_TRY(wh_sqlite_run_c(db, "SAVEPOINT wherry_again", err));
  WH_TRY(wh_sqlite_drop_marked(w->sink, w->target, w->batch, row, err));
  WH_TRY(put_row(w, row, err));
  if (w->counts->written == before)
    WH_TRY(wh_sqlite_run_c(db, "ROLLBACK TO wherry_again", err));
  else
    WH_TRY(wh_sqlite_forget_deleted(w->sink, w->target, w->batch, row, err));
  return wh_sqlite_run_c(db, "RELEASE wherry_again", err);
}

// Rows that meet a deletion are dealt with at once; *ret_rest: the row is one of the others.
static wh_status meet_deletion(writing *w, size_t row, bool *ret_rest, wh_error *err) {
  wh_sqlite_met met = WH_SQLITE_NONE;
  wh_reject bad;
  bool is_bad = w->target->any_deleted && wh_sink_row_is_bad(&w->rows, w->batch, row, &bad);
  if (w->target->any_deleted && !is_bad)
    WH_TRY(wh_sqlite_meet(w->sink, w->target, w->batch, row, &met, err));
  *ret_rest = met == WH_SQLITE_NONE;
  w->counts->superseded += met == WH_SQLITE_NEWER;
  return met == WH_SQLITE_OLDER ? put_again(w, row, err) : WH_OK;
}

static wh_status put_one_by_one(writing *w, const size_t *rows, size_t count, wh_error *err) {
  for (size_t i = 0; i < count; i++)
    WH_TRY(put_row(w, rows[i], err));
  return WH_OK;
}

// Runs the statement for many rows. Where rows that change nothing are common, trying costs more
// than it brings: after each failure more rows go alone.
static wh_status put_many(writing *w, const size_t *rows, wh_error *err) {
  wh_sqlite_target *t = w->target;
  wh_sqlite_db *db = &w->sink->db;
  int rc = sqlite3_step(t->put_many);
  int changes = sqlite3_changes(db->handle);
  if (rc == SQLITE_DONE) {
    sqlite3_reset(t->put_many);
    if (changes != (int)t->many)
      return wh_fail(err, WH_ERR_BUG, "%.*s: %d of %zu rows were put",
                     WH_STR_ARG(w->sink->connection->name), changes, t->many);
    t->alone_next = 0;
    count_written(w, t->many);
    return WH_OK;
  }
  bool undone = rc == SQLITE_ERROR && !sqlite3_get_autocommit(db->handle);
  wh_status status = WH_OK;
  if (!undone && !is_rows_fault(db, rc))
    status = wh_sqlite_fail(db, rc, err, "loading %.*s", WH_STR_ARG(t->spec.table));
  sqlite3_reset(t->put_many);
  WH_TRY(status);
  t->alone_next = t->alone_next ? t->alone_next * 2 : t->many;
  if (t->alone_next > ALONE_MAX) t->alone_next = ALONE_MAX;
  t->alone = t->alone_next;
  return put_one_by_one(w, rows, t->many, err);
}

static wh_status put_rows(writing *w, wh_error *err) {
  wh_sqlite_target *t = w->target;
  size_t rows[WH_SQLITE_MANY], waiting = 0;
  for (size_t row = 0; row < w->batch->rows; row++) {
    bool rest;
    WH_TRY(meet_deletion(w, row, &rest, err));
    if (!rest) continue;
    if (t->many == 0 || t->alone > 0) {
      t->alone -= t->alone > 0;
      WH_TRY(put_row(w, row, err));
      continue;
    }
    bool fine;
    size_t place = waiting * t->schema.count;
    WH_TRY(check_row(w, row, &fine, err));
    if (fine)
      WH_TRY(bind_row(w, row, t->many_encoders + place, t->put_many, (int)place + 1, &fine, err));
    if (!fine) continue;
    rows[waiting++] = row;
    if (waiting < t->many) continue;
    WH_TRY(put_many(w, rows, err));
    waiting = 0;
  }
  return put_one_by_one(w, rows, waiting, err);
}

// The parameter behind the columns: the order, or the stage.
static void bind_last(wh_sink *sink, wh_sqlite_target *t) {
  int64_t last = t->spec.mode == WH_WRITE_REPLACE ? t->stage : sink->load.order;
  int columns = (int)t->schema.count;
  if (sqlite3_bind_parameter_count(t->put) > columns) sqlite3_bind_int64(t->put, columns + 1, last);
  if (t->many && sqlite3_bind_parameter_count(t->put_many) > columns * (int)t->many)
    sqlite3_bind_int64(t->put_many, columns * (int)t->many + 1, last);
}

// Nothing of the batch is borrowed any more.
static void let_go(wh_sqlite_target *t) {
  sqlite3_stmt *const statements[] = {t->put, t->put_many, t->why, t->put_order};
  for (int i = 0; i < 4; i++)
    if (statements[i]) sqlite3_clear_bindings(statements[i]);
  wh_sqlite_reset_erase(t);
}

wh_status wh_sqlite_sink_write(wh_sink *sink, size_t target, const wh_batch *batch,
                               wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  wh_sqlite_target *t = &sink->targets[target];
  wh_connection *c = sink->connection;
  if (sqlite3_get_autocommit(sink->db.handle))
    return wh_fail(err, WH_ERR_BUG, "%.*s: a write outside a transaction", WH_STR_ARG(c->name));
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  if (t->clashes.len && batch->rows) return wh_sqlite_target_refuse(sink, t, (wh_str){0}, err);
  if (t->is_late) {
    counts->superseded += batch->rows;
    return WH_OK;
  }
  writing w = {.sink = sink, .target = t, .batch = batch, .rejects = rejects, .counts = counts};
  w.rows =
      wh_sink_rows_of(&t->schema, t->key, wh_sqlite_key_count(t), t->version, sink->load.now_us);
  bind_last(sink, t);
  wh_status status = put_rows(&w, err);
  let_go(t);
  return status;
}
