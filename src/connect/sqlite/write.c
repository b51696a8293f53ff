// Rows into a table or a stage.
#include "connect/sqlite/sink.h"

#define DAY_US    ((int64_t)86400 * 1000000)
#define FUTURE_US DAY_US // versions further ahead than this are mistakes

static void add_insert(wh_buf *sql, const wh_sqlite_target *t) {
  // OR ABORT: a constraint of the table that would silently replace or skip other rows does not.
  wh_buf_add_c(sql, "INSERT OR ABORT INTO ");
  wh_sqlite_add_name(sql, t->spec.table);
  wh_buf_add_c(sql, " AS t (");
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_sqlite_add_name(sql, t->names[i]);
  }
  wh_buf_add_c(sql, t->has_order ? ", \"" WH_ORDER_COLUMN "\") VALUES (" : ") VALUES (");
  for (size_t i = 0; i < t->schema.count + t->has_order; i++)
    wh_buf_printf(sql, "%s?%zu", i ? ", " : "", i + 1);
  wh_buf_add_char(sql, ')');
}

static wh_status prepare_put(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  add_insert(&sql, t);
  if (t->spec.mode == WH_WRITE_UPSERT) {
    int order = (int)t->schema.count + 1;
    wh_buf_add_c(&sql, " ON CONFLICT (");
    wh_sqlite_add_key(&sql, t);
    wh_buf_add_c(&sql, ") DO UPDATE");
    wh_sqlite_add_set(&sql, t, t->has_order ? order : 0);
    wh_buf_add_c(&sql, " WHERE ");
    wh_sqlite_add_guard(&sql, t, order);
  }
  return wh_sqlite_prepare(&sink->db, &sql, &t->put, err);
}

static wh_status prepare_put_order(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  if (!t->has_side) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "INSERT OR REPLACE INTO ");
  wh_sqlite_add_name2(&sql, "_wherry_order_", t->spec.table);
  wh_buf_add_c(&sql, " (");
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_sqlite_add_name(&sql, t->names[t->key[i]]);
    wh_buf_add_c(&sql, ", ");
  }
  wh_buf_add_c(&sql, "\"" WH_ORDER_COLUMN "\") VALUES (");
  for (size_t i = 0; i <= t->spec.key_count; i++)
    wh_buf_printf(&sql, "%s?%zu", i ? ", " : "", i + 1);
  wh_buf_add_char(&sql, ')');
  return wh_sqlite_prepare(&sink->db, &sql, &t->put_order, err);
}

wh_status wh_sqlite_prepare_write(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  if (t->spec.mode == WH_WRITE_REPLACE) return wh_sqlite_prepare_stage(sink, t, err);
  WH_TRY(prepare_put(sink, t, err));
  if (t->spec.mode == WH_WRITE_APPEND) return WH_OK;
  WH_TRY(prepare_put_order(sink, t, err));
  return wh_sqlite_prepare_why(&sink->db, t, false, err);
}

// What a write carries from row to row.
typedef struct writing {
  wh_sink *sink;
  wh_sqlite_target *target;
  const wh_batch *batch;
  wh_rejects *rejects;
  wh_counts *counts;
  int64_t last_version; // in the version column's unit; later ones are mistakes
  bool limits_version;
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

// Now and a day in units of the column, rounded down; false for versions that are no times.
static bool last_version(const wh_type *type, int64_t now_us, int64_t *ret) {
  int64_t limit_us;
  if (type->kind != WH_DATE && type->kind != WH_TIMESTAMP) return false;
  if (__builtin_add_overflow(now_us, FUTURE_US, &limit_us)) return false;
  int64_t per_second = type->kind == WH_DATE ? 0 : wh_unit_per_second(type->unit);
  if (type->unit == WH_UNIT_NS && type->kind == WH_TIMESTAMP)
    return !__builtin_mul_overflow(limit_us, 1000, ret);
  int64_t unit_us = per_second ? 1000000 / per_second : DAY_US;
  *ret = limit_us / unit_us - (limit_us % unit_us < 0);
  return true;
}

// Keys and versions that cannot take part. *ret_fine false: the row was rejected.
static wh_status check_row(writing *w, size_t row, bool *ret_fine, wh_error *err) {
  const wh_sqlite_target *t = w->target;
  *ret_fine = false;
  for (size_t i = 0; i < wh_sqlite_key_count(t); i++) {
    if (wh_column_is_null(&w->batch->columns[t->key[i]], row))
      return reject(w, row, "key", column_name(w, t->key[i]), "missing", err);
  }
  if (t->version >= 0) {
    const wh_column *version = &w->batch->columns[t->version];
    wh_str name = column_name(w, (size_t)t->version);
    if (wh_column_is_null(version, row)) return reject(w, row, "version", name, "missing", err);
    if (w->limits_version && wh_column_i64(version, row) > w->last_version)
      return reject(w, row, "version_future", name, "more than a day in the future", err);
  }
  *ret_fine = true;
  return WH_OK;
}

static wh_status bind_row(writing *w, size_t row, bool *ret_fine, wh_error *err) {
  wh_sqlite_target *t = w->target;
  *ret_fine = true;
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_sqlite_misfit misfit;
    wh_status status = wh_sqlite_encode(&t->encoders[i], &w->batch->columns[i], row, t->put,
                                        (int)i + 1, &misfit, err);
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
  wh_sqlite_misfit misfit;
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

static wh_status put_failed(writing *w, size_t row, int rc, wh_error *err) {
  wh_sqlite_db *db = &w->sink->db;
  bool is_row = (rc & 0xFF) == SQLITE_CONSTRAINT || rc == SQLITE_MISMATCH || rc == SQLITE_TOOBIG;
  if (!is_row || sqlite3_get_autocommit(db->handle)) {
    wh_status status =
        wh_sqlite_fail(db, rc, err, "loading %.*s", WH_STR_ARG(w->target->spec.table));
    sqlite3_reset(w->target->put);
    return status;
  }
  char reason[256];
  snprintf(reason, sizeof reason, "%s", sqlite3_errmsg(db->handle));
  sqlite3_reset(w->target->put);
  return reject(w, row, "constraint", (wh_str){0}, reason, err);
}

static wh_status put_row(writing *w, size_t row, wh_error *err) {
  wh_sqlite_target *t = w->target;
  bool fine;
  WH_TRY(check_row(w, row, &fine, err));
  if (!fine) return WH_OK;
  WH_TRY(bind_row(w, row, &fine, err));
  if (!fine) return WH_OK;
  int rc = sqlite3_step(t->put);
  if (rc != SQLITE_DONE) return put_failed(w, row, rc, err);
  bool changed = sqlite3_changes(w->sink->db.handle) > 0;
  sqlite3_reset(t->put);
  if (!changed) return explain(w, row, err);
  if (t->put_order) WH_TRY(put_order(w, row, err));
  if (t->spec.mode == WH_WRITE_REPLACE) t->accepted++;
  w->counts->written++;
  return WH_OK;
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
  if (t->version >= 0)
    w.limits_version =
        last_version(&t->schema.fields[t->version].type, sink->load.now_us, &w.last_version);
  // The parameter behind the columns: the order, or the stage.
  int64_t last = t->spec.mode == WH_WRITE_REPLACE ? t->stage : sink->load.order;
  if (sqlite3_bind_parameter_count(t->put) > (int)t->schema.count)
    sqlite3_bind_int64(t->put, (int)t->schema.count + 1, last);
  for (size_t row = 0; row < batch->rows; row++)
    WH_TRY(put_row(&w, row, err));
  // Nothing of the batch is borrowed any more.
  sqlite3_clear_bindings(t->put);
  if (t->why) sqlite3_clear_bindings(t->why);
  if (t->put_order) sqlite3_clear_bindings(t->put_order);
  return WH_OK;
}
