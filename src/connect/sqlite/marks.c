// Wherry's own tables in a target: marks and leases (sink.h of connect/), and what replace keeps.
#include "connect/sink_table.h"
#include "connect/sqlite/sink.h"

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS _wherry_marks (\n"
    "  pipeline TEXT NOT NULL,\n"
    "  object TEXT NOT NULL,\n"
    "  done INTEGER NOT NULL,\n"
    "  rows_done INTEGER NOT NULL,\n"
    "  rows_read INTEGER NOT NULL,\n"
    "  rows_written INTEGER NOT NULL,\n"
    "  rows_unchanged INTEGER NOT NULL,\n"
    "  rows_superseded INTEGER NOT NULL,\n"
    "  rows_filtered INTEGER NOT NULL,\n"
    "  rows_quarantined INTEGER NOT NULL,\n"
    "  rows_deleted INTEGER NOT NULL DEFAULT 0,\n"
    "  row_hash INTEGER NOT NULL, -- 64 bits, as a signed number\n"
    "  rejects TEXT NOT NULL,\n"
    "  run TEXT NOT NULL,\n"
    "  ord INTEGER NOT NULL,\n"
    "  time_us INTEGER NOT NULL,\n"
    "  PRIMARY KEY (pipeline, object)\n"
    ") WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS _wherry_lease (\n"
    "  pipeline TEXT NOT NULL PRIMARY KEY,\n"
    "  epoch INTEGER NOT NULL\n"
    ") WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS _wherry_tables (\n"
    "  name TEXT NOT NULL PRIMARY KEY,\n"
    "  replaced_order INTEGER NOT NULL\n"
    ") WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS _wherry_stages (\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  name TEXT NOT NULL,\n"
    "  pipeline TEXT NOT NULL,\n"
    "  object TEXT NOT NULL,\n"
    "  ord INTEGER NOT NULL,\n"
    "  accepted INTEGER NOT NULL DEFAULT 0,\n"
    "  UNIQUE (name, pipeline, object)\n"
    ")",
};

// Marks that were made before deletions were counted.
static wh_status add_deleted(wh_sqlite_db *db, wh_error *err) {
  int64_t count;
  WH_TRY(wh_sqlite_get_i64(
      db, "SELECT count(*) FROM pragma_table_info('_wherry_marks') WHERE name = 'rows_deleted'", 0,
      &count, err));
  if (count) return WH_OK;
  return wh_sqlite_run_c(
      db, "ALTER TABLE _wherry_marks ADD COLUMN rows_deleted INTEGER NOT NULL DEFAULT 0", err);
}

wh_status wh_sqlite_make_bookkeeping(wh_sqlite_db *db, wh_error *err) {
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
    WH_TRY(wh_sqlite_run_c(db, tables[i], err));
  return add_deleted(db, err);
}

wh_status wh_sqlite_take_lease(wh_sink *sink, wh_error *err) {
  const wh_load *load = &sink->load;
  if (load->epoch == WH_EPOCH_NONE) return WH_OK; // the transaction has the database alone
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(&sink->db,
                             "INSERT INTO _wherry_lease AS l (pipeline, epoch) VALUES (?1, ?2) ON "
                             "CONFLICT (pipeline) DO UPDATE SET epoch = excluded.epoch WHERE "
                             "excluded.epoch >= l.epoch",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, load->pipeline);
  sqlite3_bind_int64(stmt, 2, (int64_t)load->epoch);
  WH_TRY(wh_sqlite_step_done(&sink->db, stmt, err));
  if (sqlite3_changes(sink->db.handle) > 0) return WH_OK;
  return wh_fail(err, WH_ERR_STALE,
                 "%.*s: another worker has taken over pipeline %.*s; this one stops",
                 WH_STR_ARG(sink->connection->name), WH_STR_ARG(load->pipeline));
}

// Columns of _wherry_marks in the order of wh_mark_read, from `first` on.
#define MARK_COLUMNS                                                                               \
  "done, rows_done, rows_read, rows_written, rows_unchanged, rows_superseded, rows_filtered, "     \
  "rows_quarantined, rows_deleted, row_hash, ord, time_us, rejects, run"

static wh_status read_row(sqlite3_stmt *stmt, int first, wh_arena *arena, wh_mark *ret,
                          wh_error *err) {
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  for (int i = 0; i < WH_MARK_NUMBERS; i++)
    numbers[i] = sqlite3_column_int64(stmt, first + i);
  for (int i = 0; i < WH_MARK_TEXTS; i++)
    texts[i] = wh_sqlite_text(stmt, first + WH_MARK_NUMBERS + i);
  return wh_mark_read(numbers, texts, arena, ret, err);
}

wh_status wh_sqlite_read_mark(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      &sink->db, "SELECT " MARK_COLUMNS " FROM _wherry_marks WHERE pipeline = ?1 AND object = ?2",
      &stmt, err));
  wh_sqlite_bind_str(stmt, 1, sink->load.pipeline);
  wh_sqlite_bind_str(stmt, 2, sink->load.object);
  bool row;
  WH_TRY(wh_sqlite_step(&sink->db, stmt, &row, err));
  if (row) return read_row(stmt, 0, arena, ret, err);
  *ret = (wh_mark){.found = false};
  return WH_OK;
}

wh_status wh_sqlite_write_mark(wh_sink *sink, const wh_mark *m, wh_error *err) {
  const wh_load *load = &sink->load;
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(&sink->db,
                             "INSERT OR REPLACE INTO _wherry_marks (" MARK_COLUMNS
                             ", pipeline, object) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                             "?11, ?12, ?13, ?14, ?15, ?16)",
                             &stmt, err));
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  wh_mark_write(m, load, numbers, texts);
  for (int i = 0; i < WH_MARK_NUMBERS; i++)
    sqlite3_bind_int64(stmt, i + 1, numbers[i]);
  for (int i = 0; i < WH_MARK_TEXTS; i++)
    wh_sqlite_bind_str(stmt, WH_MARK_NUMBERS + i + 1, texts[i]);
  wh_sqlite_bind_str(stmt, WH_MARK_NUMBERS + WH_MARK_TEXTS + 1, load->pipeline);
  wh_sqlite_bind_str(stmt, WH_MARK_NUMBERS + WH_MARK_TEXTS + 2, load->object);
  return wh_sqlite_step_done(&sink->db, stmt, err);
}

// No database, or one without marks, has none.
static wh_status has_marks(wh_sqlite_db *db, bool *ret, wh_error *err) {
  int64_t count;
  WH_TRY(wh_sqlite_get_i64(db, "SELECT count(*) FROM sqlite_schema WHERE name = '_wherry_marks'", 0,
                           &count, err));
  *ret = count > 0;
  return WH_OK;
}

wh_status wh_sqlite_marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                          void *context, wh_error *err) {
  bool exists;
  WH_TRY(wh_sqlite_exists(c, &exists, err));
  if (!exists) return WH_OK;
  WH_CLEAN_DB wh_sqlite_db db = {0};
  WH_TRY(wh_sqlite_open(c, WH_SQLITE_READ, &db, err));
  WH_TRY(has_marks(&db, &exists, err));
  if (!exists) return WH_OK;
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(&db,
                             "SELECT object, " MARK_COLUMNS
                             " FROM _wherry_marks WHERE pipeline = ?1 ORDER BY ord, object",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, pipeline);
  for (;;) {
    bool row;
    WH_TRY(wh_sqlite_step(&db, stmt, &row, err));
    if (!row) return WH_OK;
    wh_mark mark;
    WH_TRY(read_row(stmt, 1, arena, &mark, err));
    wh_str object = wh_arena_str(arena, wh_sqlite_text(stmt, 0));
    if (!object.data) return wh_fail_memory(err);
    WH_TRY(visit(context, object, &mark, err));
  }
}
