// Rows that are gone at the source. A deletion's version is its object's order; it is remembered
// beside the table, so that an older object that comes later does not bring the row back, until it
// is too old, or a newer object has the row again.
#include "connect/sink_table.h"
#include "connect/sqlite/sink.h"
#include "data/deleted.h"

#define PREFIX "_wherry_deleted_"

// --- Preparing -----------------------------------------------------------------------------------

wh_status wh_sqlite_make_deleted(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, sink->connection->mem, WH_SQLITE_SQL_MAX);
  t->has_deleted = t->spec.erases;
  if (t->spec.mode != WH_WRITE_UPSERT) return WH_OK;
  if (t->spec.erases) {
    wh_sqlite_add_deleted_table(&text, t);
    return wh_sqlite_run(&sink->db, &text, err);
  }
  wh_buf_printf(&text, PREFIX "%.*s", WH_STR_ARG(t->spec.table));
  WH_TRY(wh_buf_check(&text, err));
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      &sink->db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
      &stmt, err));
  wh_sqlite_bind_str(stmt, 1, wh_buf_str(&text));
  return wh_sqlite_step(&sink->db, stmt, &t->has_deleted, err);
}

// ` WHERE k = ?1 AND ...` by bytes; in the target's table also as its index compares.
static void add_where(wh_buf *sql, const wh_sqlite_target *t, bool in_table) {
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_buf_add_c(sql, i ? " AND " : " WHERE ");
    wh_sqlite_add_name(sql, t->names[t->key[i]]);
    wh_buf_printf(sql, " = ?%zu", i + 1);
    if (!in_table || !t->may_collide) continue;
    wh_buf_add_c(sql, " COLLATE ");
    wh_sqlite_add_name(sql, t->collations[i]);
    wh_buf_add_c(sql, " AND ");
    wh_sqlite_add_name(sql, t->names[t->key[i]]);
    wh_buf_printf(sql, " COLLATE BINARY = ?%zu", i + 1);
  }
}

// `before prefix_table after WHERE key`
static wh_status prepare_on(wh_sink *sink, const wh_sqlite_target *t, const char *before,
                            const char *prefix, const char *after, const char *and,
                            sqlite3_stmt **ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, before);
  wh_sqlite_add_name2(&sql, prefix, t->spec.table);
  wh_buf_add_c(&sql, after);
  add_where(&sql, t, prefix[0] == 0);
  wh_buf_add_c(&sql, and);
  return wh_sqlite_prepare(&sink->db, &sql, ret, err);
}

static wh_status prepare_remember(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "INSERT OR REPLACE INTO ");
  wh_sqlite_add_name2(&sql, PREFIX, t->spec.table);
  wh_buf_add_c(&sql, " (");
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_sqlite_add_name(&sql, t->names[t->key[i]]);
    wh_buf_add_c(&sql, ", ");
  }
  wh_buf_add_c(&sql, "\"" WH_ORDER_COLUMN "\", \"_wherry_time\") VALUES (");
  for (size_t i = 0; i < t->spec.key_count + 2; i++)
    wh_buf_printf(&sql, "%s?%zu", i ? ", " : "", i + 1);
  wh_buf_add_char(&sql, ')');
  return wh_sqlite_prepare(&sink->db, &sql, &t->erasing.remember, err);
}

static wh_status prepare_row(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  struct wh_sqlite_erasing *e = &t->erasing;
  if (t->spec.deletes == WH_DELETES_REMOVE) {
    WH_TRY(prepare_on(sink, t, "DELETE FROM ", "", "", "", &e->erase, err));
    if (!t->has_side) return WH_OK;
    return prepare_on(sink, t, "DELETE FROM ", "_wherry_order_", "", "", &e->forget_order, err);
  }
  char set[128] = " SET \"" WH_DELETED_COLUMN "\" = 1";
  if (t->has_order)
    snprintf(set, sizeof set, " SET \"" WH_DELETED_COLUMN "\" = 1, \"" WH_ORDER_COLUMN "\" = ?%zu",
             t->spec.key_count + 1);
  WH_TRY(prepare_on(sink, t, "UPDATE ", "", set, "", &e->erase, err));
  return prepare_on(sink, t, "DELETE FROM ", "", "", " AND \"" WH_DELETED_COLUMN "\" = 1",
                    &e->drop_marked, err);
}

wh_status wh_sqlite_prepare_erase(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  struct wh_sqlite_erasing *e = &t->erasing;
  if (!t->has_deleted) return WH_OK;
  WH_TRY(
      prepare_on(sink, t, "SELECT \"" WH_ORDER_COLUMN "\" FROM ", PREFIX, "", "", &e->find, err));
  WH_TRY(prepare_on(sink, t, "DELETE FROM ", PREFIX, "", "", &e->forget, err));
  WH_TRY(prepare_remember(sink, t, err));
  return t->spec.erases ? prepare_row(sink, t, err) : WH_OK;
}

static void each_statement(wh_sqlite_target *t, void (*apply)(sqlite3_stmt *stmt)) {
  struct wh_sqlite_erasing *e = &t->erasing;
  sqlite3_stmt *const all[] = {e->find,  e->remember,     e->forget,
                               e->erase, e->forget_order, e->drop_marked};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i]) apply(all[i]);
}

static void let_go(sqlite3_stmt *stmt) {
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
}

static void finalize(sqlite3_stmt *stmt) {
  sqlite3_finalize(stmt);
}

void wh_sqlite_reset_erase(wh_sqlite_target *t) {
  each_statement(t, let_go);
}

void wh_sqlite_close_erase(wh_sqlite_target *t) {
  each_statement(t, finalize);
  t->erasing = (struct wh_sqlite_erasing){0};
}

// --- In a load -----------------------------------------------------------------------------------

wh_status wh_sqlite_begin_erase(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  t->any_deleted = false;
  if (!t->has_deleted) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "SELECT 1 FROM ");
  wh_sqlite_add_name2(&sql, PREFIX, t->spec.table);
  wh_buf_add_c(&sql, " LIMIT 1");
  WH_TRY(wh_sqlite_prepare(&sink->db, &sql, &stmt, err));
  return wh_sqlite_step(&sink->db, stmt, &t->any_deleted, err);
}

wh_status wh_sqlite_purge_deleted(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  if (!t->any_deleted) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "DELETE FROM ");
  wh_sqlite_add_name2(&sql, PREFIX, t->spec.table);
  wh_buf_add_c(&sql, " WHERE \"_wherry_time\" < ?1");
  WH_TRY(wh_sqlite_prepare(&sink->db, &sql, &stmt, err));
  sqlite3_bind_int64(stmt, 1, sink->load.now_us - t->spec.tombstone_keep_us);
  return wh_sqlite_step_done(&sink->db, stmt, err);
}

wh_status wh_sqlite_bind_key(wh_sqlite_target *t, const wh_batch *batch, size_t row,
                             sqlite3_stmt *stmt, wh_error *err) {
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_misfit misfit;
    size_t column = t->key[i];
    wh_status status = wh_sqlite_encode(&t->encoders[column], &batch->columns[column], row, stmt,
                                        (int)i + 1, &misfit, err);
    if (status != WH_OK) return status;
  }
  return WH_OK;
}

wh_status wh_sqlite_meet(wh_sink *sink, wh_sqlite_target *t, const wh_batch *batch, size_t row,
                         wh_sqlite_met *ret, wh_error *err) {
  sqlite3_stmt *find = t->erasing.find;
  *ret = WH_SQLITE_NONE;
  wh_error ignored = {0};
  wh_status status = wh_sqlite_bind_key(t, batch, row, find, &ignored);
  if (status == WH_ERR_TYPE) return WH_OK; // no row has such a key; who puts it will say so
  if (status != WH_OK) {
    if (err) *err = ignored;
    return status;
  }
  bool found;
  WH_TRY(wh_sqlite_step(&sink->db, find, &found, err));
  if (found)
    *ret = sqlite3_column_int64(find, 0) > sink->load.order ? WH_SQLITE_NEWER : WH_SQLITE_OLDER;
  sqlite3_reset(find);
  return WH_OK;
}

wh_status wh_sqlite_drop_marked(wh_sink *sink, wh_sqlite_target *t, const wh_batch *batch,
                                size_t row, wh_error *err) {
  sqlite3_stmt *stmt = t->erasing.drop_marked;
  if (!stmt) return WH_OK;
  WH_TRY(wh_sqlite_bind_key(t, batch, row, stmt, err));
  return wh_sqlite_step_done(&sink->db, stmt, err);
}

wh_status wh_sqlite_forget_deleted(wh_sink *sink, wh_sqlite_target *t, const wh_batch *batch,
                                   size_t row, wh_error *err) {
  WH_TRY(wh_sqlite_bind_key(t, batch, row, t->erasing.forget, err));
  return wh_sqlite_step_done(&sink->db, t->erasing.forget, err);
}

// --- Erasing -------------------------------------------------------------------------------------

typedef struct erasing {
  wh_sink *sink;
  wh_sqlite_target *target;
  const wh_batch *batch;
  wh_rejects *rejects;
  wh_counts *counts;
} erasing;

static wh_status reject(erasing *e, size_t row, const char *rule, wh_str column, const char *reason,
                        wh_error *err) {
  wh_reject reject = {.rule = wh_str_of(rule),
                      .column = column,
                      .reason = wh_str_of(reason),
                      .place = wh_batch_place(e->batch, row)};
  WH_TRY(e->rejects->row(e->rejects, &reject, e->batch, row, err));
  e->counts->quarantined++;
  return WH_OK;
}

// Keys that no row of the table has. *ret_fine false: the row was rejected.
static wh_status check_key(erasing *e, size_t row, bool *ret_fine, wh_error *err) {
  wh_sqlite_target *t = e->target;
  wh_reject bad;
  wh_sink_rows rows =
      wh_sink_rows_of(&t->schema, t->key, t->spec.key_count, -1, e->sink->load.now_us);
  *ret_fine = false;
  if (wh_sink_row_is_bad(&rows, e->batch, row, &bad))
    return reject(e, row, bad.rule.data, bad.column, bad.reason.data, err);
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_misfit misfit;
    size_t column = t->key[i];
    wh_status status = wh_sqlite_encode(&t->encoders[column], &e->batch->columns[column], row,
                                        t->erasing.find, (int)i + 1, &misfit, err);
    if (status == WH_OK) continue;
    if (status != WH_ERR_TYPE) return status;
    return reject(e, row, misfit.rule, t->schema.fields[column].name, misfit.reason, err);
  }
  *ret_fine = true;
  return WH_OK;
}

// The highest order that is known of the key: of its row, or of a deletion.
static wh_status read_order(erasing *e, size_t row, int64_t *ret, wh_error *err) {
  wh_sqlite_target *t = e->target;
  wh_sqlite_db *db = &e->sink->db;
  bool found;
  *ret = INT64_MIN;
  WH_TRY(wh_sqlite_bind_key(t, e->batch, row, t->erasing.find, err));
  WH_TRY(wh_sqlite_step(db, t->erasing.find, &found, err));
  if (found) *ret = sqlite3_column_int64(t->erasing.find, 0);
  sqlite3_reset(t->erasing.find);
  for (size_t i = 0; i < t->spec.key_count; i++) {
    wh_misfit misfit;
    WH_TRY(wh_sqlite_encode(&t->encoders[t->key[i]], &e->batch->columns[t->key[i]], row, t->why,
                            (int)t->key[i] + 1, &misfit, err));
  }
  WH_TRY(wh_sqlite_step(db, t->why, &found, err));
  bool same_bytes = found && sqlite3_column_int(t->why, 0);
  int64_t stored = same_bytes ? sqlite3_column_int64(t->why, 2) : INT64_MIN;
  if (stored > *ret) *ret = stored;
  sqlite3_reset(t->why);
  return WH_OK;
}

static wh_status run_for(erasing *e, size_t row, sqlite3_stmt *stmt, wh_error *err) {
  wh_sqlite_target *t = e->target;
  if (!stmt) return WH_OK;
  WH_TRY(wh_sqlite_bind_key(t, e->batch, row, stmt, err));
  int first = (int)t->spec.key_count + 1;
  int count = sqlite3_bind_parameter_count(stmt);
  if (count >= first) sqlite3_bind_int64(stmt, first, e->sink->load.order);
  if (count > first) sqlite3_bind_int64(stmt, first + 1, e->sink->load.now_us);
  return wh_sqlite_step_done(&e->sink->db, stmt, err);
}

static wh_status erase_row(erasing *e, size_t row, wh_error *err) {
  wh_sqlite_target *t = e->target;
  bool fine;
  int64_t order;
  WH_TRY(check_key(e, row, &fine, err));
  if (!fine) return WH_OK;
  WH_TRY(read_order(e, row, &order, err));
  if (order >= e->sink->load.order) {
    e->counts->superseded += order > e->sink->load.order;
    e->counts->unchanged += order == e->sink->load.order;
    return WH_OK;
  }
  WH_TRY(run_for(e, row, t->erasing.erase, err));
  WH_TRY(run_for(e, row, t->erasing.forget_order, err));
  if (t->spec.deletes == WH_DELETES_MARK) WH_TRY(run_for(e, row, t->put_order, err));
  WH_TRY(run_for(e, row, t->erasing.remember, err));
  e->counts->written++;
  e->counts->deleted++;
  return WH_OK;
}

wh_status wh_sqlite_sink_erase(wh_sink *sink, size_t target, const wh_batch *batch,
                               wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  wh_sqlite_target *t = &sink->targets[target];
  if (sqlite3_get_autocommit(sink->db.handle) || !t->spec.erases)
    return wh_fail(err, WH_ERR_BUG, "%.*s: deletions outside a transaction, or without notice",
                   WH_STR_ARG(sink->connection->name));
  erasing e = {sink, t, batch, rejects, counts};
  t->any_deleted = t->any_deleted || batch->rows > 0;
  wh_status status = WH_OK;
  for (size_t row = 0; status == WH_OK && row < batch->rows; row++)
    status = erase_row(&e, row, err);
  wh_sqlite_reset_erase(t);
  sqlite3_clear_bindings(t->why);
  if (t->put_order) sqlite3_clear_bindings(t->put_order);
  return status;
}
