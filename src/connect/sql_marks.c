// Wherry's own tables in a target: marks and leases (connect/sink.h), and what replace keeps. Rows
// are found by a digest of their names, so that these may be of any length and are compared by
// bytes, whatever the server's index limits and collations are.
#include "connect/sink_table.h"
#include "connect/sql_sink.h"

enum { MARK_COLUMNS = WH_MARK_NUMBERS + WH_MARK_TEXTS };

// Columns of marks, in the order of wh_mark_read.
static const char *const mark_columns[MARK_COLUMNS] = {"done",
                                                       "rows_done",
                                                       "rows_read",
                                                       "rows_written",
                                                       "rows_unchanged",
                                                       "rows_superseded",
                                                       "rows_filtered",
                                                       "rows_quarantined",
                                                       "rows_deleted",
                                                       "row_hash",
                                                       "ord",
                                                       "time_us",
                                                       "rejects",
                                                       "run"};

static wh_status make_table(wh_sink *sink, const char *name, wh_str quoted, const char *columns,
                            wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "CREATE TABLE %.*s (id %s NOT NULL PRIMARY KEY, ", WH_STR_ARG(quoted),
                sink->driver->digest);
  wh_sql_add_text(sink, &sql, columns);
  wh_buf_printf(&sql, ")%s", sink->driver->table_options);
  return wh_sql_make_table(sink, sink->home, wh_str_of(name), &sql, err);
}

static wh_status count_deleted(wh_sink *sink, int64_t *ret, wh_error *err) {
  return wh_sql_ask_text(sink,
                         "SELECT count(*) FROM information_schema.columns WHERE table_schema = ? "
                         "AND table_name = ? AND column_name = ?",
                         (wh_str[]){sink->home, WH_STR("_wherry_marks"), WH_STR("rows_deleted")}, 3,
                         NULL, ret, 1, err);
}

// Marks that were made before deletions were counted.
static wh_status add_deleted(wh_sink *sink, wh_error *err) {
  int64_t count = 0;
  WH_TRY(count_deleted(sink, &count, err));
  if (count) return WH_OK;
  wh_status status = wh_sql_run_text(
      sink, "ALTER TABLE %m ADD rows_deleted bigint DEFAULT 0 NOT NULL", NULL, 0, NULL, err);
  // Another load may have been quicker.
  if (status != WH_OK && count_deleted(sink, &count, NULL) == WH_OK && count) return WH_OK;
  return status;
}

wh_status wh_sql_make_bookkeeping(wh_sink *sink, wh_error *err) {
  WH_TRY(make_table(sink, "_wherry_marks", sink->marks,
                    "pipeline $ NOT NULL, object $ NOT NULL, done bigint NOT NULL, rows_done "
                    "bigint NOT NULL, rows_read bigint NOT NULL, rows_written bigint NOT NULL, "
                    "rows_unchanged bigint NOT NULL, rows_superseded bigint NOT NULL, "
                    "rows_filtered bigint NOT NULL, rows_quarantined bigint NOT NULL, "
                    "rows_deleted bigint DEFAULT 0 NOT NULL, row_hash "
                    "bigint NOT NULL, ord bigint NOT NULL, time_us bigint NOT NULL, rejects $ NOT "
                    "NULL, run $ NOT NULL",
                    err));
  WH_TRY(add_deleted(sink, err));
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

// --- Marks ---------------------------------------------------------------------------------------

wh_str wh_sql_mark_id(wh_sink *sink) {
  return wh_sql_digest(&sink->load_arena, (wh_str[]){sink->load.pipeline, sink->load.object}, 2);
}

static void add_mark_columns(wh_buf *sql) {
  for (size_t i = 0; i < MARK_COLUMNS; i++)
    wh_buf_printf(sql, "%s%s", i ? ", " : "", mark_columns[i]);
}

static wh_status read_row(const wh_str *values, wh_arena *arena, wh_mark *ret, wh_error *err) {
  int64_t numbers[WH_MARK_NUMBERS] = {0};
  for (size_t i = 0; i < WH_MARK_NUMBERS; i++) {
    if (!wh_str_to_i64(values[i], &numbers[i]))
      return wh_fail(err, WH_ERR_DATA, "'%.*s' in the column %s of a mark is no number",
                     WH_STR_ARG(values[i]), mark_columns[i]);
  }
  return wh_mark_read(numbers, values + WH_MARK_NUMBERS, arena, ret, err);
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
  wh_sql_add_text(sink, &sql, " FROM %m WHERE id = ?");
  wh_str id = wh_sql_mark_id(sink);
  if (!id.data) return wh_fail_memory(err);
  wh_mark mark = {.found = false};
  reading r = {.arena = arena, .mark = &mark};
  WH_TRY(wh_buf_check(&sql, err));
  WH_TRY(sink->driver->ask(sink->session, wh_buf_str(&sql), &id, 1, take_one, &r, err));
  *ret = mark;
  return WH_OK;
}

// --- The lease -----------------------------------------------------------------------------------

static wh_status raise_lease(wh_sink *sink, wh_str id, wh_str epoch, uint64_t *ret_rows,
                             wh_error *err) {
  if (sink->load.epoch == WH_EPOCH_NONE)
    return wh_sql_run_text_later(sink, "UPDATE %l SET epoch = epoch WHERE id = ?", &id, 1, ret_rows,
                                 err);
  return wh_sql_run_text_later(sink, "UPDATE %l SET epoch = ? WHERE id = ? AND epoch <= ?",
                               (wh_str[]){epoch, id, epoch}, 3, ret_rows, err);
}

static wh_status make_lease(wh_sink *sink, wh_str id, wh_str epoch, wh_error *err) {
  wh_str pipeline = sink->load.pipeline;
  bool found;
  int64_t there;
  WH_TRY(
      wh_sql_ask_text(sink, "SELECT epoch FROM %l WHERE id = ?", &id, 1, &found, &there, 1, err));
  if (found)
    return wh_fail(err, WH_ERR_STALE,
                   "%.*s: another worker has taken over pipeline %.*s; this one stops",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(pipeline));
  wh_status status = wh_sql_run_text(sink, "INSERT INTO %l (id, pipeline, epoch) VALUES (?, ?, ?)",
                                     (wh_str[]){id, pipeline, epoch}, 3, NULL, err);
  if (status != WH_ERR_TYPE) return status;
  // Somebody was quicker.
  status = wh_fail(err, WH_ERR_BUSY, "%.*s: another worker is taking pipeline %.*s",
                   WH_STR_ARG(sink->connection->name), WH_STR_ARG(pipeline));
  if (err) err->retry = true;
  return status;
}

// The mark may be asked for before it is known whether the lease was there to be locked.
wh_status wh_sql_take_lease(wh_sink *sink, wh_arena *arena, wh_mark *ret, wh_error *err) {
  wh_str id = wh_sql_digest(&sink->load_arena, &sink->load.pipeline, 1);
  wh_str epoch = wh_sql_i64_text(&sink->load_arena, (int64_t)sink->load.epoch);
  if (!id.data || !epoch.data) return wh_fail_memory(err);
  uint64_t rows = 0;
  WH_TRY(raise_lease(sink, id, epoch, &rows, err));
  WH_TRY(wh_sql_read_mark(sink, arena, ret, err));
  if (rows) return WH_OK;
  WH_TRY(make_lease(sink, id, epoch, err));
  return wh_sql_read_mark(sink, arena, ret, err);
}

// --- Writing marks ------------------------------------------------------------------------------

static wh_status update_row(wh_sink *sink, const wh_str *params, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&text, "UPDATE %m SET ");
  for (size_t i = 0; i < MARK_COLUMNS; i++)
    wh_buf_printf(&text, "%s%s = ?", i ? ", " : "", mark_columns[i]);
  wh_buf_add_c(&text, " WHERE id = ?");
  WH_TRY(wh_buf_check(&text, err));
  return wh_sql_run_text_later(sink, text.data, params, MARK_COLUMNS + 1, NULL, err);
}

static wh_status insert_row(wh_sink *sink, const wh_str *params, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&text, "INSERT INTO %m (");
  add_mark_columns(&text);
  wh_buf_add_c(&text, ", id, pipeline, object) VALUES (?");
  for (size_t i = 1; i < MARK_COLUMNS + 3; i++)
    wh_buf_add_c(&text, ", ?");
  wh_buf_add_char(&text, ')');
  WH_TRY(wh_buf_check(&text, err));
  return wh_sql_run_text_later(sink, text.data, params, MARK_COLUMNS + 3, NULL, err);
}

wh_status wh_sql_write_mark(wh_sink *sink, const wh_mark *mark, wh_error *err) {
  const wh_load *load = &sink->load;
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str params[MARK_COLUMNS + 3], *texts = params + WH_MARK_NUMBERS;
  wh_mark_write(mark, load, numbers, texts);
  for (size_t i = 0; i < WH_MARK_NUMBERS; i++)
    params[i] = wh_sql_i64_text(&sink->load_arena, numbers[i]);
  if (!texts[0].data) texts[0] = WH_STR(""); // one without data would be NULL
  params[MARK_COLUMNS] = wh_sql_mark_id(sink);
  params[MARK_COLUMNS + 1] = load->pipeline;
  params[MARK_COLUMNS + 2] = load->object;
  for (size_t i = 0; i < MARK_COLUMNS + 3; i++)
    if (!params[i].data) return wh_fail_memory(err);
  WH_TRY(sink->mark_is_there ? update_row(sink, params, err) : insert_row(sink, params, err));
  sink->mark_is_there = true;
  return WH_OK;
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

static wh_status visit_marks(wh_sink *sink, wh_str pipeline, reading *r, wh_error *err) {
  bool exists;
  WH_TRY(wh_sql_open_session(sink, WH_SQL_READ, err));
  WH_TRY(wh_sql_has_table(sink, sink->home, WH_STR("_wherry_marks"), &exists, err));
  if (!exists) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT ");
  add_mark_columns(&sql);
  wh_sql_add_text(sink, &sql, ", object FROM %m WHERE pipeline = ? ORDER BY ord, id");
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
