// Replace: rows gather in a stage, a table of their own that outlives the chunks of a large load;
// the last mark makes the table equal to the stage, in the mark's transaction.
//
// _wherry_tables keeps the order of the object that each table equals, and what its stage looks
// like; its row is locked by whoever works on the stage. _wherry_stages names the stages under way:
// one for each table, pipeline and object.
#include "connect/sql_sink.h"

// The key of the load's stage in _wherry_stages.
static wh_status stage_key(wh_sink *sink, const wh_sql_target *t, wh_str *ret_key, wh_str *ret_mark,
                           wh_error *err) {
  *ret_mark = wh_sql_mark_id(sink);
  if (!ret_mark->data) return wh_fail_memory(err);
  *ret_key = wh_sql_digest(&sink->load_arena, (wh_str[]){t->id, *ret_mark}, 2);
  return ret_key->data ? WH_OK : wh_fail_memory(err);
}

// What lets go is made before, so that it needs no memory when the load is done.
static wh_status hold_table(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  const wh_sql_driver *d = sink->driver;
  if (!d->add_hold || t->let_go.data) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  d->add_let_go(&sql, t->id);
  wh_str let_go = wh_arena_str(&sink->load_arena, wh_buf_str(&sql));
  if (sql.failed || !let_go.data) return wh_fail_memory(err);
  int64_t is_held = 0;
  wh_buf_clear(&sql);
  d->add_hold(&sql, t->id);
  WH_TRY(wh_sql_ask_i64(sink, &sql, NULL, 0, NULL, &is_held, 1, err));
  if (is_held == 1) {
    t->let_go = let_go;
    return WH_OK;
  }
  wh_status status = wh_fail(err, WH_ERR_BUSY, "%.*s: another load is replacing table %.*s",
                             WH_STR_ARG(sink->connection->name), WH_STR_ARG(t->spec.table));
  if (err) err->retry = true;
  return status;
}

void wh_sql_release_stages(wh_sink *sink) {
  for (size_t i = 0; i < sink->count; i++) {
    wh_sql_target *t = &sink->targets[i];
    if (!t->let_go.data) continue;
    WH_IGNORE(sink->driver->run(sink->session, t->let_go, NULL, 0, NULL, NULL));
    t->let_go = (wh_str){0};
  }
}

// Locks the table's row until the transaction ends, so that no two loads work on its stage at once.
static wh_status lock_table(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_TRY(hold_table(sink, t, err));
  return wh_sql_run_text(sink, "UPDATE %t SET shape = shape WHERE id = ?", &t->id, 1, NULL, err);
}

// --- Preparing -----------------------------------------------------------------------------------

typedef struct shape {
  wh_arena *arena;
  wh_str text;
} shape;

static wh_status take_shape(void *context, const wh_str *values, size_t count, wh_error *err) {
  shape *s = context;
  (void)count;
  s->text = wh_arena_str(s->arena, values[0]);
  return s->text.data ? WH_OK : wh_fail_memory(err);
}

// Without data: the table has no row yet.
static wh_status ask_shape(wh_sink *sink, const wh_sql_target *t, wh_str *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_sql_add_text(sink, &sql, "SELECT shape FROM %t WHERE id = ?");
  WH_TRY(wh_buf_check(&sql, err));
  shape s = {.arena = &sink->arena};
  WH_TRY(sink->driver->ask(sink->session, wh_buf_str(&sql), &t->id, 1, take_shape, &s, err));
  *ret = s.text;
  return WH_OK;
}

// The shape of the stage that is there; empty: there was none yet, and there is a row for it now.
static wh_status find_shape(wh_sink *sink, const wh_sql_target *t, wh_str *ret, wh_error *err) {
  WH_TRY(ask_shape(sink, t, ret, err));
  if (ret->data) return WH_OK;
  wh_status status = wh_sql_run_text(sink, "INSERT INTO %t (id, name, shape) VALUES (?, ?, ?)",
                                     (wh_str[]){t->id, t->name, WH_STR("")}, 3, NULL, err);
  // WH_ERR_TYPE: another load was quicker.
  return status == WH_ERR_TYPE ? ask_shape(sink, t, ret, err) : status;
}

// Stages that may still be applied: not overtaken by a newer object. The rows of _wherry_stages of
// the others stay until their load ends, for its counts.
#define LIVE                                                                                       \
  "FROM %s s WHERE s.table_id = ? AND NOT EXISTS (SELECT 1 FROM %t t WHERE t.id = s.table_id AND " \
  "t.replaced_order > s.ord)"

// Removes the rows of other stages; when none is left, all of them.
static wh_status drop_dead_rows(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "DELETE FROM %.*s WHERE ", WH_STR_ARG(t->stage));
  t->driver->name(&sql, WH_STR(WH_SQL_STAGE));
  wh_buf_add_c(&sql, " NOT IN (SELECT s.stage ");
  wh_sql_add_text(sink, &sql, LIVE ")");
  return wh_sql_run(sink, &sql, &t->id, 1, NULL, err);
}

static wh_status make_stage(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_CLEAN_STATEMENTS wh_sql_statements s;
  wh_sql_statements_init(&s, sink->connection->mem);
  WH_TRY(t->driver->add_stage_table(t, &s, err));
  WH_TRY(wh_sql_statements_check(&s, err));
  wh_status status = wh_sql_run_all(sink, &s, NULL, err);
  if (status != WH_ERR_EXISTS) return status;
  // A node of a cluster holds a session's lock for itself alone: a load elsewhere may be quicker.
  status = wh_fail(err, WH_ERR_BUSY, "%.*s: another load is preparing table %.*s",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(t->spec.table));
  if (err) err->retry = true;
  return status;
}

// Whether the stage is there and looks as it has to.
static wh_status has_stage(wh_sink *sink, wh_sql_target *t, bool *ret_exists, bool *ret_fits,
                           wh_error *err) {
  wh_str there;
  WH_TRY(find_shape(sink, t, &there, err));
  WH_TRY(wh_sql_has_table(sink, t->schema_name, t->stage_name, ret_exists, err));
  *ret_fits = *ret_exists && wh_str_eq(there, t->shape);
  return WH_OK;
}

static wh_status remake_stage(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  bool exists, fits;
  WH_TRY(lock_table(sink, t, err));
  WH_TRY(has_stage(sink, t, &exists, &fits, err)); // it may fit by now
  if (fits) return WH_OK;
  // A stage of another shape belongs to a load of other columns: that load begins anew.
  WH_TRY(wh_sql_run_text(sink, "DELETE FROM %s WHERE table_id = ?", &t->id, 1, NULL, err));
  if (exists) {
    WH_CLEAN_BUF wh_buf sql;
    wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
    wh_buf_printf(&sql, "DROP TABLE %.*s", WH_STR_ARG(t->stage));
    WH_TRY(wh_sql_run(sink, &sql, NULL, 0, NULL, err));
  }
  WH_TRY(make_stage(sink, t, err));
  return wh_sql_run_text(sink, "UPDATE %t SET shape = ? WHERE id = ?", (wh_str[]){t->shape, t->id},
                         2, NULL, err);
}

wh_status wh_sql_prepare_stage(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  bool exists, fits;
  WH_TRY(has_stage(sink, t, &exists, &fits, err));
  if (fits) return WH_OK;
  WH_TRY(wh_sql_run_c(sink, sink->driver->begin, err));
  sink->in_transaction = true;
  wh_status status = remake_stage(sink, t, err);
  if (status == WH_OK) return wh_sql_sink_commit(sink, err);
  wh_sql_sink_abort(sink);
  return status;
}

// --- A load --------------------------------------------------------------------------------------

static wh_status find_stage(wh_sink *sink, wh_str key, bool *ret_found, int64_t found[2],
                            wh_error *err) {
  return wh_sql_ask_text(sink, "SELECT stage, accepted FROM %s WHERE id = ?", &key, 1, ret_found,
                         found, 2, err);
}

// Loads that are done, or never got to a mark, do not come back to their stage. Only under the
// table's lock: what another load has put there and not committed looks like that, too.
static wh_status drop_dead_stages(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  WH_TRY(wh_sql_run_text(
      sink,
      "DELETE FROM %s WHERE table_id = ? AND mark_id NOT IN (SELECT id FROM %m WHERE "
      "done = 0)",
      &t->id, 1, NULL, err));
  return drop_dead_rows(sink, t, err);
}

static wh_status add_stage(wh_sink *sink, wh_sql_target *t, wh_str key, wh_str mark,
                           wh_error *err) {
  wh_arena *arena = &sink->load_arena;
  int64_t highest = 0;
  WH_TRY(drop_dead_stages(sink, t, err));
  WH_TRY(wh_sql_ask_text(sink, "SELECT max(stage) FROM %s", NULL, 0, NULL, &highest, 1, err));
  t->stage_id = highest + 1;
  wh_str params[] = {key, t->id, mark, wh_sql_i64_text(arena, t->stage_id),
                     wh_sql_i64_text(arena, sink->load.order)};
  if (!params[3].data || !params[4].data) return wh_fail_memory(err);
  return wh_sql_run_text(
      sink,
      "INSERT INTO %s (id, table_id, mark_id, stage, ord, accepted) VALUES (?, ?, ?, "
      "?, ?, 0)",
      params, 5, NULL, err);
}

wh_status wh_sql_begin_stage(wh_sink *sink, wh_sql_target *t, const wh_mark *mark, bool *ret_lost,
                             wh_error *err) {
  int64_t there[2] = {0}, is_late = 0;
  wh_str key, mark_key;
  bool found;
  *ret_lost = false;
  t->accepted = 0;
  WH_TRY(lock_table(sink, t, err));
  wh_str order = wh_sql_i64_text(&sink->load_arena, sink->load.order);
  if (!order.data) return wh_fail_memory(err);
  WH_TRY(wh_sql_ask_text(sink, "SELECT count(*) FROM %t WHERE id = ? AND replaced_order > ?",
                         (wh_str[]){t->id, order}, 2, NULL, &is_late, 1, err));
  t->is_late = is_late > 0;
  if (t->is_late) return WH_OK;
  WH_TRY(stage_key(sink, t, &key, &mark_key, err));
  WH_TRY(find_stage(sink, key, &found, there, err));
  if (!found) {
    *ret_lost = mark->found && !mark->done && mark->rows_done > 0;
    return add_stage(sink, t, key, mark_key, err);
  }
  t->stage_id = there[0];
  t->accepted = there[1];
  return WH_OK;
}

wh_status wh_sql_keep_stage(wh_sink *sink, wh_sql_target *t, wh_error *err) {
  wh_arena *arena = &sink->load_arena;
  wh_str key, mark_key;
  if (t->is_late) return WH_OK;
  WH_TRY(stage_key(sink, t, &key, &mark_key, err));
  wh_str params[] = {wh_sql_i64_text(arena, sink->load.order), wh_sql_i64_text(arena, t->accepted),
                     key};
  if (!params[0].data || !params[1].data) return wh_fail_memory(err);
  return wh_sql_run_text(sink, "UPDATE %s SET ord = ?, accepted = ? WHERE id = ?", params, 3, NULL,
                         err);
}

// --- Its end -------------------------------------------------------------------------------------

static wh_status forget_stage(wh_sink *sink, wh_sql_target *t, wh_str key, wh_error *err) {
  WH_TRY(wh_sql_run_text(sink, "DELETE FROM %s WHERE id = ?", &key, 1, NULL, err));
  return drop_dead_rows(sink, t, err);
}

// Rows that came while it was not late yet wait in vain; what they counted as is put right.
static wh_status give_up(wh_sink *sink, wh_sql_target *t, wh_str key, wh_counts *counts,
                         wh_error *err) {
  int64_t waiting[2] = {0};
  WH_TRY(find_stage(sink, key, NULL, waiting, err));
  counts->written -= (uint64_t)waiting[1];
  counts->superseded += (uint64_t)waiting[1];
  return forget_stage(sink, t, key, err);
}

static wh_status count_staged(wh_sink *sink, wh_sql_target *t, int64_t *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "SELECT count(*) FROM %.*s WHERE ", WH_STR_ARG(t->stage));
  wh_sql_add_stage_is(&sql, t, NULL);
  return wh_sql_ask_i64(sink, &sql, NULL, 0, NULL, ret, 1, err);
}

static wh_status replace(wh_sink *sink, wh_sql_target *t, uint64_t *ret_changed, wh_error *err) {
  WH_CLEAN_STATEMENTS wh_sql_statements s;
  wh_sql_statements_init(&s, sink->connection->mem);
  WH_TRY(t->driver->add_replace(t, sink->load.order, &s, err));
  WH_TRY(wh_sql_statements_check(&s, err));
  wh_status status = wh_sql_run_all(sink, &s, ret_changed, err);
  if (status != WH_ERR_TYPE) return status;
  // Not one row's fault alone: the rows together break a rule of the table.
  wh_error why = err ? *err : (wh_error){0};
  if (t->driver->hide_values) t->driver->hide_values(why.text);
  return wh_fail(err, WH_ERR_REFUSED, "%.*s: table %.*s cannot become what came: %s",
                 WH_STR_ARG(sink->connection->name), WH_STR_ARG(t->spec.table), why.text);
}

wh_status wh_sql_apply_stage(wh_sink *sink, wh_sql_target *t, wh_counts *counts, wh_error *err) {
  wh_str key, mark_key;
  int64_t staged = 0;
  uint64_t changed;
  WH_TRY(stage_key(sink, t, &key, &mark_key, err));
  if (t->is_late) return give_up(sink, t, key, counts, err);
  WH_TRY(count_staged(sink, t, &staged, err));
  WH_TRY(replace(sink, t, &changed, err));
  // Of the rows that went into the stage, some replaced others of the same key there.
  counts->written -= (uint64_t)t->accepted - changed;
  counts->superseded += (uint64_t)(t->accepted - staged);
  counts->unchanged += (uint64_t)staged - changed;
  wh_str order = wh_sql_i64_text(&sink->load_arena, sink->load.order);
  if (!order.data) return wh_fail_memory(err);
  WH_TRY(wh_sql_run_text(sink, "UPDATE %t SET replaced_order = ? WHERE id = ?",
                         (wh_str[]){order, t->id}, 2, NULL, err));
  return forget_stage(sink, t, key, err);
}
