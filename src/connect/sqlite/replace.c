// Replace: rows gather in a stage, a table of their own that outlives the chunks of a large load;
// the last mark makes the table equal to the stage, in the mark's transaction.
//
// _wherry_stages names the stages under way: one for each table, pipeline and object.
// _wherry_tables keeps the order of the object that each table equals.
#include "connect/sqlite/sink.h"

static bool add_stage_name(wh_buf *sql, const wh_sqlite_target *t) {
  return wh_sqlite_add_name2(sql, "_wherry_stage_", t->spec.table);
}

static void add_names(wh_buf *sql, const wh_sqlite_target *t) {
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_sqlite_add_name(sql, t->names[i]);
  }
}

// Runs a statement about the target's table; ?1 is its name, ?2 and ?3 the load's.
static wh_status run_about(wh_sink *sink, const wh_sqlite_target *t, const char *sql, bool *ret_row,
                           int64_t ret[2], wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(&sink->db, sql, &stmt, err));
  int count = sqlite3_bind_parameter_count(stmt);
  if (count >= 1) wh_sqlite_bind_str(stmt, 1, t->spec.table);
  if (count >= 2) wh_sqlite_bind_str(stmt, 2, sink->load.pipeline);
  if (count >= 3) wh_sqlite_bind_str(stmt, 3, sink->load.object);
  if (count >= 4) sqlite3_bind_int64(stmt, 4, sink->load.order);
  if (count >= 5) sqlite3_bind_int64(stmt, 5, t->accepted);
  bool row;
  WH_TRY(wh_sqlite_step(&sink->db, stmt, &row, err));
  for (int i = 0; row && ret && i < 2 && i < sqlite3_column_count(stmt); i++)
    ret[i] = sqlite3_column_int64(stmt, i);
  if (ret_row) *ret_row = row;
  return WH_OK;
}

static wh_status stage_fits(wh_sink *sink, wh_sqlite_target *t, const wh_buf *wanted,
                            bool *ret_exists, bool *ret_fits, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(
      &sink->db, "SELECT sql FROM sqlite_schema WHERE name = '_wherry_stage_' || ?1", &stmt, err));
  wh_sqlite_bind_str(stmt, 1, t->spec.table);
  WH_TRY(wh_sqlite_step(&sink->db, stmt, ret_exists, err));
  *ret_fits = *ret_exists && wh_str_eq(wh_sqlite_text(stmt, 0), wh_buf_str(wanted));
  return WH_OK;
}

// Stages that may still be applied: not overtaken by a newer object. The names of the others stay
// until their load ends, for its counts.
#define LIVE_STAGES                                                                                \
  "_wherry_stages WHERE name = ?1 AND ord >= coalesce((SELECT replaced_order FROM _wherry_tables " \
  "WHERE name = ?1), ord)"

// Removes the rows of other stages; when none is left, all at once.
static wh_status drop_dead_rows(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  int64_t live[2] = {0};
  WH_TRY(run_about(sink, t, "SELECT count(*) FROM " LIVE_STAGES, NULL, live, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_add_c(&sql, "DELETE FROM ");
  add_stage_name(&sql, t);
  if (live[0])
    wh_buf_add_c(&sql, " WHERE \"_wherry_stage\" NOT IN (SELECT id FROM " LIVE_STAGES ")");
  WH_TRY(wh_buf_check(&sql, err));
  return run_about(sink, t, wh_buf_str(&sql).data, NULL, NULL, err);
}

wh_status wh_sqlite_clean_stages(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf wanted, sql;
  wh_buf_init(&wanted, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  wh_sqlite_add_stage_table(&wanted, t);
  WH_TRY(wh_buf_check(&wanted, err));
  bool exists, fits;
  WH_TRY(stage_fits(sink, t, &wanted, &exists, &fits, err));
  // A stage of another shape belongs to a load of other columns: that load begins anew.
  if (exists && !fits) {
    wh_buf_add_c(&sql, "DROP TABLE ");
    add_stage_name(&sql, t);
    WH_TRY(wh_sqlite_run(&sink->db, &sql, err));
    WH_TRY(run_about(sink, t, "DELETE FROM _wherry_stages WHERE name = ?1", NULL, NULL, err));
  }
  if (!fits) return wh_sqlite_run(&sink->db, &wanted, err);
  // Loads that are done, or never got to a mark, do not come back to their stage.
  WH_TRY(run_about(
      sink, t,
      "DELETE FROM _wherry_stages WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM _wherry_marks AS "
      "m WHERE m.pipeline = _wherry_stages.pipeline AND m.object = _wherry_stages.object AND "
      "m.done = 0)",
      NULL, NULL, err));
  return drop_dead_rows(sink, t, err);
}

wh_status wh_sqlite_begin_stage(wh_sink *sink, wh_sqlite_target *t, const wh_mark *mark,
                                bool *ret_lost, wh_error *err) {
  int64_t replaced[2] = {INT64_MIN}, found[2] = {0};
  bool row;
  *ret_lost = false;
  t->accepted = 0;
  WH_TRY(run_about(sink, t, "SELECT replaced_order FROM _wherry_tables WHERE name = ?1", NULL,
                   replaced, err));
  t->is_late = sink->load.order < replaced[0];
  if (t->is_late) return WH_OK;
  static const char find[] =
      "SELECT id, accepted FROM _wherry_stages WHERE name = ?1 AND pipeline = ?2 AND object = ?3";
  WH_TRY(run_about(sink, t, find, &row, found, err));
  if (!row) {
    *ret_lost = mark->found && !mark->done && mark->rows_done > 0;
    WH_TRY(run_about(sink, t,
                     "INSERT INTO _wherry_stages (name, pipeline, object, ord) "
                     "VALUES (?1, ?2, ?3, ?4)",
                     NULL, NULL, err));
    WH_TRY(run_about(sink, t, find, &row, found, err));
  }
  t->stage = found[0];
  t->accepted = found[1];
  return WH_OK;
}

wh_status wh_sqlite_keep_stage(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  if (t->is_late) return WH_OK;
  return run_about(sink, t,
                   "UPDATE _wherry_stages SET ord = ?4, accepted = ?5 "
                   "WHERE name = ?1 AND pipeline = ?2 AND object = ?3",
                   NULL, NULL, err);
}

// Two rows may change places in a column that must be unique: with such columns, what differs goes
// before the first row comes.
static void add_same(wh_buf *sql, const wh_sqlite_target *t) {
  for (size_t i = 0; i < t->schema.count; i++) {
    wh_buf_add_c(sql, " AND s.");
    wh_sqlite_add_name(sql, t->names[i]);
    wh_buf_add_c(sql, " COLLATE BINARY IS t.");
    wh_sqlite_add_name(sql, t->names[i]);
  }
}

// Rows that the stage does not have. Without a key nothing can be told apart: all of them.
static void add_delete(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "DELETE FROM ");
  wh_sqlite_add_name(sql, t->spec.table);
  if (!t->spec.key_count) return;
  wh_buf_add_c(sql, " AS t WHERE NOT EXISTS (SELECT 1 FROM ");
  add_stage_name(sql, t);
  wh_buf_add_c(sql, " AS s WHERE s.\"_wherry_stage\" = ?1");
  for (size_t i = 0; i < t->spec.key_count; i++) {
    // Once for the index, once for the bytes.
    for (int exact = 0; exact < 2; exact++) {
      wh_buf_add_c(sql, " AND s.");
      wh_sqlite_add_name(sql, t->names[t->key[i]]);
      wh_buf_add_c(sql, exact ? " COLLATE BINARY = t." : " = t.");
      wh_sqlite_add_name(sql, t->names[t->key[i]]);
    }
  }
  if (t->has_unique) add_same(sql, t);
  wh_buf_add_char(sql, ')');
}

static void add_copy(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "INSERT OR ABORT INTO ");
  wh_sqlite_add_name(sql, t->spec.table);
  wh_buf_add_c(sql, " AS t (");
  add_names(sql, t);
  wh_buf_add_c(sql, t->has_order ? ", \"" WH_ORDER_COLUMN "\") SELECT " : ") SELECT ");
  add_names(sql, t);
  wh_buf_add_c(sql, t->has_order ? ", ?2 FROM " : " FROM ");
  add_stage_name(sql, t);
  wh_buf_add_c(sql, " WHERE \"_wherry_stage\" = ?1");
  if (!t->spec.key_count) return;
  wh_buf_add_c(sql, " ON CONFLICT (");
  wh_sqlite_add_key(sql, t);
  wh_buf_add_c(sql, ") DO UPDATE");
  wh_sqlite_add_set(sql, t, t->has_order ? 2 : 0);
  wh_buf_add_c(sql, " WHERE ");
  wh_sqlite_add_differs(sql, t);
}

static wh_status run_stage(wh_sink *sink, wh_sqlite_target *t,
                           void (*add)(wh_buf *, const wh_sqlite_target *), int64_t *ret_changes,
                           wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  add(&sql, t);
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare(&sink->db, &sql, &stmt, err));
  int count = sqlite3_bind_parameter_count(stmt);
  if (count >= 1) sqlite3_bind_int64(stmt, 1, t->stage);
  if (count >= 2) sqlite3_bind_int64(stmt, 2, sink->load.order);
  int rc = sqlite3_step(stmt);
  if (rc != SQLITE_DONE)
    return wh_sqlite_fail(&sink->db, rc, err, "replacing %.*s", WH_STR_ARG(t->spec.table));
  *ret_changes = sqlite3_changes64(sink->db.handle);
  return WH_OK;
}

static void add_count(wh_buf *sql, const wh_sqlite_target *t) {
  wh_buf_add_c(sql, "SELECT count(*) FROM ");
  add_stage_name(sql, t);
  wh_buf_printf(sql, " WHERE \"_wherry_stage\" = %lld", (long long)t->stage);
}

static const char forget[] =
    "DELETE FROM _wherry_stages WHERE name = ?1 AND pipeline = ?2 AND object = ?3";

static wh_status forget_stage(wh_sink *sink, wh_sqlite_target *t, wh_error *err) {
  WH_TRY(run_about(sink, t, forget, NULL, NULL, err));
  WH_TRY(run_about(sink, t,
                   "INSERT INTO _wherry_tables (name, replaced_order) VALUES (?1, ?4) ON CONFLICT "
                   "(name) DO UPDATE SET replaced_order = excluded.replaced_order",
                   NULL, NULL, err));
  return drop_dead_rows(sink, t, err);
}

wh_status wh_sqlite_apply_stage(wh_sink *sink, wh_sqlite_target *t, wh_counts *counts,
                                wh_error *err) {
  if (t->is_late) {
    // Rows that came while it was not late yet wait in vain; what they counted as is put right.
    int64_t waiting[2] = {0};
    WH_TRY(run_about(sink, t,
                     "SELECT accepted FROM _wherry_stages WHERE name = ?1 AND pipeline = ?2 AND "
                     "object = ?3",
                     NULL, waiting, err));
    counts->written -= (uint64_t)waiting[0];
    counts->superseded += (uint64_t)waiting[0];
    WH_TRY(run_about(sink, t, forget, NULL, NULL, err));
    return drop_dead_rows(sink, t, err);
  }
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQLITE_SQL_MAX);
  add_count(&sql, t);
  WH_TRY(wh_buf_check(&sql, err));
  int64_t staged = 0, deleted = 0, changed = 0;
  WH_TRY(wh_sqlite_get_i64(&sink->db, wh_buf_str(&sql).data, 0, &staged, err));
  WH_TRY(run_stage(sink, t, add_delete, &deleted, err));
  WH_TRY(run_stage(sink, t, add_copy, &changed, err));
  // Of the rows that went into the stage, some replaced others of the same key there.
  counts->written -= (uint64_t)(t->accepted - changed);
  counts->superseded += (uint64_t)(t->accepted - staged);
  counts->unchanged += (uint64_t)(staged - changed);
  return forget_stage(sink, t, err);
}
