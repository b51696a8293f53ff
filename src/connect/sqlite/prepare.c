// Before a load: what is missing is made, what is there is checked.
#include "connect/sink_table.h"
#include "connect/sqlite/sink.h"

static wh_status stored_sql(wh_sqlite_db *db, wh_str table, wh_buf *text, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db, "SELECT sql FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE",
                             &stmt, err));
  wh_sqlite_bind_str(stmt, 1, table);
  bool row;
  WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  if (row) wh_target_show(text, wh_sqlite_text(stmt, 0));
  return wh_buf_check(text, err);
}

static wh_status inspect_target(wh_sink *sink, wh_sqlite_db *db, wh_sqlite_target *t, wh_buf *text,
                                bool *ret_fits, wh_error *err) {
  WH_CLEAN_BUF wh_buf part;
  wh_buf_init(&part, sink->connection->mem, WH_SQLITE_SQL_MAX);
  WH_TRY(wh_sqlite_target_bind(db, t, &sink->arena, &part, err));
  if (t->clashes.len) wh_target_show(&part, t->clashes);
  *ret_fits = part.len == 0;
  if (part.len) {
    wh_target_show_difference(text, t->spec.table, wh_buf_str(&part));
    return wh_buf_check(text, err);
  }
  for (size_t i = 0; i < t->schema.count && t->add_count; i++) {
    wh_buf_clear(&part);
    if (t->adds[i]) wh_sqlite_add_new_column(&part, t, i);
    if (t->adds[i]) wh_target_show(text, wh_buf_str(&part));
  }
  wh_buf_clear(&part);
  if (t->exists) {
    WH_TRY(stored_sql(db, t->spec.table, text, err));
  } else {
    wh_sqlite_add_table(&part, t);
    wh_target_show(text, wh_buf_str(&part));
  }
  if (t->has_side) {
    wh_buf_clear(&part);
    wh_sqlite_add_side_table(&part, t);
    wh_target_show(text, wh_buf_str(&part));
  }
  if (t->spec.erases) {
    wh_buf_clear(&part);
    wh_sqlite_add_deleted_table(&part, t);
    wh_target_show(text, wh_buf_str(&part));
  }
  return wh_buf_check(part.failed ? &part : text, err);
}

wh_status wh_sqlite_sink_inspect(wh_sink *sink, wh_buf *ret_text, bool *ret_exists, bool *ret_fits,
                                 wh_error *err) {
  bool has_file, all_exist = true, all_fit = true;
  WH_TRY(wh_sqlite_exists(sink->connection, &has_file, err));
  WH_CLEAN_DB wh_sqlite_db db = {0};
  if (has_file) WH_TRY(wh_sqlite_open(sink->connection, WH_SQLITE_READ, &db, err));
  for (size_t i = 0; i < sink->count; i++) {
    bool fits;
    WH_TRY(inspect_target(sink, has_file ? &db : NULL, &sink->targets[i], ret_text, &fits, err));
    all_exist &= sink->targets[i].exists;
    all_fit &= fits;
  }
  *ret_exists = all_exist;
  *ret_fits = all_fit;
  return WH_OK;
}

// A database that is made here gets a write-ahead log, so that readers and the load do not wait for
// each other; one that is there keeps what its owner chose.
static wh_status choose_journal(wh_sqlite_db *db, wh_error *err) {
  int64_t pages;
  WH_TRY(wh_sqlite_get_i64(db, "SELECT page_count FROM pragma_page_count", 0, &pages, err));
  if (pages) return WH_OK;
  wh_status status = wh_sqlite_run_c(db, "PRAGMA journal_mode = WAL", err);
  return status == WH_ERR_BUSY ? WH_OK : status; // another run makes it just now
}

static wh_status add_columns(wh_sink *sink, wh_sqlite_target *t, wh_buf *difference,
                             wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  for (size_t i = 0; i < t->schema.count; i++) {
    if (!t->adds[i]) continue;
    wh_buf_clear(&sql);
    wh_sqlite_add_new_column(&sql, t, i);
    WH_TRY(wh_sqlite_run(&sink->db, &sql, err));
  }
  return wh_sqlite_target_bind(&sink->db, t, &sink->arena, difference, err);
}

static wh_status make_tables(wh_sink *sink, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql, difference;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_init(&difference, sink->connection->mem, WH_SQLITE_SQL_MAX);
  WH_TRY(wh_sqlite_make_bookkeeping(&sink->db, err));
  for (size_t i = 0; i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    wh_buf_clear(&difference);
    WH_TRY(wh_sqlite_target_bind(&sink->db, t, &sink->arena, &difference, err));
    if (difference.len == 0 && t->add_count) WH_TRY(add_columns(sink, t, &difference, err));
    if (difference.len) return wh_sqlite_target_refuse(sink, t, wh_buf_str(&difference), err);
    wh_buf_clear(&sql);
    if (!t->exists) wh_sqlite_add_table(&sql, t);
    if (!t->exists) WH_TRY(wh_sqlite_run(&sink->db, &sql, err));
    wh_buf_clear(&sql);
    if (t->has_side) wh_sqlite_add_side_table(&sql, t);
    if (t->has_side) WH_TRY(wh_sqlite_run(&sink->db, &sql, err));
    WH_TRY(wh_sqlite_make_deleted(sink, t, err));
    if (t->spec.mode == WH_WRITE_REPLACE) WH_TRY(wh_sqlite_clean_stages(sink, t, err));
  }
  return WH_OK;
}

// SQLite syncs the names of its journals when it makes them, but not the database's; and a worker
// that was killed may have made any of them without coming to that.
static wh_status sync_folder(wh_sink *sink, wh_error *err) {
  wh_os *os = sink->connection->os;
  const char *folder = wh_path_folder(&sink->arena, sink->db.path);
  if (!folder) return wh_fail_memory(err);
  return os->type->sync_dir(os, folder, err);
}

wh_status wh_sqlite_sink_prepare(wh_sink *sink, wh_error *err) {
  if (!sink->is_open) {
    WH_TRY(wh_sqlite_open(sink->connection, WH_SQLITE_CREATE, &sink->db, err));
    sink->is_open = true;
  }
  WH_TRY(choose_journal(&sink->db, err));
  // SQLite looks at them only when asked to, by each connection.
  WH_TRY(wh_sqlite_run_c(&sink->db, "PRAGMA foreign_keys = ON", err));
  WH_TRY(wh_sqlite_run_c(&sink->db, "BEGIN IMMEDIATE", err));
  wh_status status = make_tables(sink, err);
  if (status == WH_OK) status = wh_sqlite_run_c(&sink->db, "COMMIT", err);
  if (status != WH_OK) {
    sqlite3_exec(sink->db.handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
  }
  WH_TRY(sync_folder(sink, err));
  for (size_t i = 0; i < sink->count; i++) {
    wh_sqlite_target *t = &sink->targets[i];
    wh_sqlite_close_statements(t);
    WH_TRY(wh_sqlite_make_compare(&sink->db, t, i, &sink->arena, err));
    WH_TRY(wh_sqlite_prepare_write(sink, t, err));
  }
  return WH_OK;
}
