// Wherry's own tables in a target: marks and leases (connect/sink.h), and what replace keeps. Rows
// are found by a digest of their names, so that these may be of any length and are compared by
// bytes, whatever the server's index limits and collations are.
#include "connect/sql_sink.h"

enum { MARK_NUMBERS = 11, MARK_COLUMNS = MARK_NUMBERS + 2 };

// Columns of marks, as read_row and write_mark take them.
static const char *const mark_columns[MARK_COLUMNS] = {
    "done",           "rows_done",     "rows_read",        "rows_written", "rows_unchanged",
    "rows_superseded", "rows_filtered", "rows_quarantined", "row_hash",     "ord",
    "time_us",        "rejects",       "run"};

static wh_status make_table(wh_sink *sink, const char *name, wh_str quoted, const char *columns,
                            wh_error *err) {
  bool exists;
  WH_TRY(wh_sql_has_table(sink, sink->home, wh_str_of(name), &exists, err));
  if (exists) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "CREATE TABLE %.*s (id %s NOT NULL PRIMARY KEY, ", WH_STR_ARG(quoted),
                sink->driver->digest);
  // $ stands for the server's long text.
  for (const char *c = columns; *c; c++) {
    if (*c == '$')
      wh_buf_add_c(&sql, sink->driver->text);
    else
      wh_buf_add_char(&sql, *c);
  }
  wh_buf_printf(&sql, ")%s", sink->driver->table_options);
  return wh_sql_run(sink, &sql, NULL, 0, NULL, err);
}

wh_status wh_sql_make_bookkeeping(wh_sink *sink, wh_error *err) {
  WH_TRY(make_table(sink, "_wherry_marks", sink->marks,
                    "pipeline $ NOT NULL, object $ NOT NULL, done bigint NOT NULL, rows_done "
                    "bigint NOT NULL, rows_read bigint NOT NULL, rows_written bigint NOT NULL, "
                    "rows_unchanged bigint NOT NULL, rows_superseded bigint NOT NULL, "
                    "rows_filtered bigint NOT NULL, rows_quarantined bigint NOT NULL, row_hash "
                    "bigint NOT NULL, ord bigint NOT NULL, time_us bigint NOT NULL, rejects $ NOT "
                    "NULL, run $ NOT NULL",
                    err));
  WH_TRY(make_table(sink, "_wherry_lease", sink->lease,
                    "pipeline $ NOT NULL, epoch bigint NOT NULL", err));
  if (!sink->has_replace) return WH_OK;
  WH_TRY(make_table(sink, "_wherry_tables", sink->tables,
                    "name $ NOT NULL, shape $ NOT NULL, replaced_order bigint", err));
  return make_table(sink, "_wherry_stages", sink->stages,
                    "table_id $ NOT NULL, mark_id $ NOT NULL, stage bigint NOT NULL, ord bigint "
                    "NOT NULL, accepted bigint NOT NULL",
                    err);
}

static wh_status run_lease(wh_sink *sink, const char *before, const char *after,
                           const wh_str *params, size_t count, uint64_t *ret_rows, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, before);
  wh_buf_add_str(&sql, sink->lease);
  // ? stands for the next parameter.
  unsigned number = 0;
  for (const char *c = after; *c; c++) {
    if (*c == '?')
      wh_sql_add_param(sink, &sql, ++number);
    else
      wh_buf_add_char(&sql, *c);
  }
  return wh_sql_run(sink, &sql, params, count, ret_rows, err);
}

wh_status wh_sql_take_lease(wh_sink *sink, wh_error *err) {
  wh_arena *arena = &sink->load_arena;
  wh_str pipeline = sink->load.pipeline;
  wh_str id = wh_sql_digest(arena, &pipeline, 1);
  wh_str epoch = wh_sql_i64_text(arena, (int64_t)sink->load.epoch);
  if (!id.data || !epoch.data) return wh_fail_memory(err);
  uint64_t rows;
  WH_TRY(run_lease(sink, "UPDATE ", " SET epoch = ? WHERE id = ? AND epoch <= ?",
                   (wh_str[]){epoch, id, epoch}, 3, &rows, err));
  if (rows) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "SELECT epoch FROM %.*s WHERE id = ", WH_STR_ARG(sink->lease));
  wh_sql_add_param(sink, &sql, 1);
  bool found;
  int64_t there;
  WH_TRY(wh_sql_ask_i64(sink, &sql, &id, 1, &found, &there, 1, err));
  if (found)
    return wh_fail(err, WH_ERR_STALE,
                   "%.*s: another worker has taken over pipeline %.*s; this one stops",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(pipeline));
  wh_status status = run_lease(sink, "INSERT INTO ", " (id, pipeline, epoch) VALUES (?, ?, ?)",
                               (wh_str[]){id, pipeline, epoch}, 3, NULL, err);
  if (status != WH_ERR_TYPE) return status;
  // Somebody was quicker.
  status = wh_fail(err, WH_ERR_BUSY, "%.*s: another worker is taking pipeline %.*s",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(pipeline));
  if (err) err->retry = true;
  return status;
}

// --- Marks ---------------------------------------------------------------------------------------

static wh_str mark_id(const wh_sink *sink, wh_arena *arena) {
  return wh_sql_digest(arena, (wh_str[]){sink->load.pipeline, sink->load.object}, 2);
}

static void add_mark_columns(wh_buf *sql) {
  for (size_t i = 0; i < MARK_COLUMNS; i++)
    wh_buf_printf(sql, "%s%s", i ? ", " : "", mark_columns[i]);
}

static wh_status read_row(const wh_str *values, wh_arena *arena, wh_mark *ret, wh_error *err) {
  uint64_t numbers[MARK_NUMBERS];
  for (size_t i = 0; i < MARK_NUMBERS; i++) {
    int64_t number = 0;
    if (!wh_str_to_i64(values[i], &number))
      return wh_fail(err, WH_ERR_DATA, "'%.*s' in the column %s of a mark is no number",
                     WH_STR_ARG(values[i]), mark_columns[i]);
    numbers[i] = (uint64_t)number;
  }
  *ret = (wh_mark){
      .found = true,
      .done = numbers[0] != 0,
      .rows_done = numbers[1],
      .counts = {.read = numbers[2],
                 .written = numbers[3],
                 .unchanged = numbers[4],
                 .superseded = numbers[5],
                 .filtered = numbers[6],
                 .quarantined = numbers[7]},
      .row_hash = numbers[8],
      .order = (int64_t)numbers[9],
      .time_us = (int64_t)numbers[10],
      .rejects = wh_arena_str(arena, values[MARK_NUMBERS]),
      .run = wh_arena_str(arena, values[MARK_NUMBERS + 1]),
  };
  return ret->rejects.data && ret->run.data ? WH_OK : wh_fail_memory(err);
}

typedef struct reading {
  wh_arena *arena;
  wh_mark *mark; // of one
  wh_mark_visit visit;
  void *context;
} reading;

static wh_status take_one(void *context, const wh_str *values, size_t count, wh_error *err) {
  reading *r = context;
  (void)count;
  return read_row(values, r->arena, r->mark, err);
}

wh_status wh_sql_read_mark(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT ");
  add_mark_columns(&sql);
  wh_buf_printf(&sql, " FROM %.*s WHERE id = ", WH_STR_ARG(sink->marks));
  wh_sql_add_param(sink, &sql, 1);
  wh_str id = mark_id(sink, &sink->load_arena);
  if (!id.data) return wh_fail_memory(err);
  wh_mark mark = {.found = false};
  reading r = {.arena = arena, .mark = &mark};
  WH_TRY(wh_buf_check(&sql, err));
  WH_TRY(sink->driver->ask(sink->session, wh_buf_str(&sql), &id, 1, take_one, &r, err));
  *ret = mark;
  return WH_OK;
}

static wh_status write_row(wh_sink *sink, bool is_there, const wh_str *params, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  if (is_there) {
    wh_buf_printf(&sql, "UPDATE %.*s SET ", WH_STR_ARG(sink->marks));
    for (unsigned i = 0; i < MARK_COLUMNS; i++) {
      wh_buf_printf(&sql, "%s%s = ", i ? ", " : "", mark_columns[i]);
      wh_sql_add_param(sink, &sql, i + 1);
    }
    wh_buf_add_c(&sql, " WHERE id = ");
    wh_sql_add_param(sink, &sql, MARK_COLUMNS + 1);
    return wh_sql_run(sink, &sql, params, MARK_COLUMNS + 1, NULL, err);
  }
  wh_buf_printf(&sql, "INSERT INTO %.*s (", WH_STR_ARG(sink->marks));
  add_mark_columns(&sql);
  wh_buf_add_c(&sql, ", id, pipeline, object) VALUES (");
  for (unsigned i = 0; i < MARK_COLUMNS + 3; i++) {
    if (i) wh_buf_add_c(&sql, ", ");
    wh_sql_add_param(sink, &sql, i + 1);
  }
  wh_buf_add_char(&sql, ')');
  return wh_sql_run(sink, &sql, params, MARK_COLUMNS + 3, NULL, err);
}

wh_status wh_sql_write_mark(wh_sink *sink, const wh_mark *m, wh_error *err) {
  const wh_load *load = &sink->load;
  wh_arena *arena = &sink->load_arena;
  const uint64_t numbers[MARK_NUMBERS] = {
      m->done,
      m->rows_done,
      m->counts.read,
      m->counts.written,
      m->counts.unchanged,
      m->counts.superseded,
      m->counts.filtered,
      m->counts.quarantined,
      m->row_hash,
      (uint64_t)(m->order ? m->order : load->order),
      (uint64_t)(m->time_us ? m->time_us : load->now_us),
  };
  wh_str params[MARK_COLUMNS + 3];
  for (size_t i = 0; i < MARK_NUMBERS; i++)
    params[i] = wh_sql_i64_text(arena, (int64_t)numbers[i]);
  params[MARK_NUMBERS] = m->rejects.data ? m->rejects : WH_STR("");
  params[MARK_NUMBERS + 1] = m->run.len ? m->run : load->run;
  params[MARK_COLUMNS] = mark_id(sink, arena);
  params[MARK_COLUMNS + 1] = load->pipeline;
  params[MARK_COLUMNS + 2] = load->object;
  for (size_t i = 0; i < MARK_COLUMNS + 3; i++)
    if (!params[i].data) return wh_fail_memory(err);
  wh_mark there;
  WH_TRY(wh_sql_read_mark(sink, arena, &there, err));
  return write_row(sink, there.found, params, err);
}

static wh_status take_each(void *context, const wh_str *values, size_t count, wh_error *err) {
  reading *r = context;
  wh_mark mark;
  (void)count;
  WH_TRY(read_row(values, r->arena, &mark, err));
  wh_str object = wh_arena_str(r->arena, values[MARK_COLUMNS]);
  if (!object.data) return wh_fail_memory(err);
  return r->visit(r->context, object, &mark, err);
}

// Nothing is visited while the answer is under way, so the marks of a pipeline are held.
static wh_status visit_marks(wh_sink *sink, wh_str pipeline, reading *r, wh_error *err) {
  bool exists;
  WH_TRY(wh_sql_open_session(sink, WH_SQL_READ, err));
  WH_TRY(wh_sql_has_table(sink, sink->home, WH_STR("_wherry_marks"), &exists, err));
  if (!exists) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT ");
  add_mark_columns(&sql);
  wh_buf_printf(&sql, ", object FROM %.*s WHERE pipeline = ", WH_STR_ARG(sink->marks));
  wh_sql_add_param(sink, &sql, 1);
  wh_buf_add_c(&sql, " ORDER BY ord, id");
  WH_TRY(wh_buf_check(&sql, err));
  return sink->driver->ask(sink->session, wh_buf_str(&sql), &pipeline, 1, take_each, r, err);
}

wh_status wh_sql_sink_marks(const wh_sql_driver *driver, wh_connection *c, wh_str pipeline,
                            wh_arena *arena, wh_mark_visit visit, void *context, wh_error *err) {
  wh_sink *sink;
  reading r = {.arena = arena, .visit = visit, .context = context};
  WH_TRY(wh_sql_sink_open(driver, c, NULL, 0, &sink, err));
  wh_status status = visit_marks(sink, pipeline, &r, err);
  wh_sql_sink_close(sink);
  return status;
}
