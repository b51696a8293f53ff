// The statements that put rows: into the table, or into the stage of a replace. Parameters: the
// columns of each row, then one for all rows, their order or their stage.
#include "connect/sqlite/sink.h"

enum { PARAMETERS_MAX = 2048 }; // of a statement for many rows; more gain nothing

static bool into_stage(const wh_sqlite_target *t) {
  return t->spec.mode == WH_WRITE_REPLACE;
}

static bool has_last(const wh_sqlite_target *t) {
  return into_stage(t) || t->has_order;
}

static void add_insert(wh_buf *sql, const wh_sqlite_target *t, size_t rows) {
  // OR ABORT: a constraint of the table that would silently replace or skip other rows does not.
  wh_buf_add_c(sql, "INSERT OR ABORT INTO ");
  wh_sqlite_add_name2(sql, into_stage(t) ? "_wherry_stage_" : "", t->spec.table);
  wh_buf_add_c(sql, " AS t (");
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_sqlite_add_name(sql, t->names[i]);
  }
  if (has_last(t))
    wh_buf_add_c(sql, into_stage(t) ? ", \"_wherry_stage\"" : ", \"" WH_ORDER_COLUMN "\"");
  size_t last = rows * t->schema.count + 1;
  for (size_t row = 0; row < rows; row++) {
    wh_buf_add_c(sql, row ? "), (" : ") VALUES (");
    for (size_t i = 0; i < t->schema.count; i++)
      wh_buf_printf(sql, "%s?%zu", i ? ", " : "", row * t->schema.count + i + 1);
    if (has_last(t)) wh_buf_printf(sql, ", ?%zu", last);
  }
  wh_buf_add_char(sql, ')');
}

// Many rows go all or none: where one of them would change nothing, the statement fails, and the
// rows are put one by one, which tells what became of each.
static void add_conflict(wh_buf *sql, const wh_sqlite_target *t, size_t rows) {
  int last = (int)(rows * t->schema.count + 1);
  if (t->spec.key_count == 0) return;
  wh_buf_add_c(sql, into_stage(t) ? " ON CONFLICT (\"_wherry_stage\", " : " ON CONFLICT (");
  wh_sqlite_add_key(sql, t);
  wh_buf_add_c(sql, ") DO UPDATE");
  wh_sqlite_add_set(sql, t, t->has_order && !into_stage(t) ? last : 0);
  wh_buf_add_c(sql, rows > 1 ? " WHERE (" : " WHERE ");
  if (into_stage(t))
    wh_sqlite_add_stage_guard(sql, t);
  else
    wh_sqlite_add_guard(sql, t, last);
  if (rows > 1) wh_buf_add_c(sql, ") OR wherry_stop()");
}

static wh_status prepare_put(wh_sink *sink, wh_sqlite_target *t, size_t rows, sqlite3_stmt **ret,
                             wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  add_insert(&sql, t, rows);
  add_conflict(&sql, t, rows);
  return wh_sqlite_prepare(&sink->db, &sql, ret, err);
}

static void stop(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count, (void)values;
  sqlite3_result_error(context, "a row that changes nothing", -1);
}

static wh_status has_triggers(wh_sink *sink, const wh_sqlite_target *t, bool *ret, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      &sink->db,
      "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE", &stmt,
      err));
  wh_sqlite_bind_str(stmt, 1, t->spec.table);
  return wh_sqlite_step(&sink->db, stmt, ret, err);
}

// Encoders for each place in the statement: what they write must last until it runs.
static wh_status make_many_encoders(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  size_t count = t->schema.count;
  t->many_encoders = WH_NEW_ARRAY(&sink->arena, count * t->many, wh_sqlite_encoder);
  if (!t->many_encoders) return wh_fail_memory(err);
  for (size_t i = 0; i < count * t->many; i++)
    t->many_encoders[i] = (wh_sqlite_encoder){.type = t->encoders[i % count].type,
                                              .stored = t->encoders[i % count].stored,
                                              .affinity = t->encoders[i % count].affinity,
                                              .mem = sink->connection->mem};
  return WH_OK;
}

// A statement for sixteen rows takes a good third less time than sixteen statements. Tables with
// triggers and with a side table go row by row; so do those without a NOT NULL column, because only
// a constraint that may abort is sure to make SQLite keep what it needs to undo a statement.
static wh_status prepare_many(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  bool triggers;
  t->many = PARAMETERS_MAX / t->schema.count;
  if (t->many > WH_SQLITE_MANY) t->many = WH_SQLITE_MANY;
  WH_TRY(has_triggers(sink, t, &triggers, err));
  if (t->many < 2 || triggers || t->has_side || !(t->undoes || into_stage(t))) {
    t->many = 0;
    return WH_OK;
  }
  int rc =
      sqlite3_create_function_v2(sink->db.handle, "wherry_stop", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                 NULL, stop, NULL, NULL, NULL);
  if (rc != SQLITE_OK) return wh_sqlite_fail(&sink->db, rc, err, "preparing the load");
  WH_TRY(make_many_encoders(sink, t, err));
  return prepare_put(sink, t, t->many, &t->put_many, err);
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
  WH_TRY(prepare_put(sink, t, 1, &t->put, err));
  WH_TRY(prepare_many(sink, t, err));
  WH_TRY(prepare_put_order(sink, t, err));
  WH_TRY(wh_sqlite_prepare_erase(sink, t, err));
  return t->spec.key_count ? wh_sqlite_prepare_why(&sink->db, t, into_stage(t), err) : WH_OK;
}
