// The source's reader: one SELECT in one read-only snapshot, row by row as the server sends them.
#include "connect/mysql/source.h"

typedef struct reader {
  wh_reader base;
  wh_mysql_session *session;
  wh_arena arena;
  wh_mysql_from from;
  wh_str what; // "sales_order", for messages
  char doing[128];
  wh_schema schema;
  wh_mysql_decoder *decoders;
  ptrdiff_t cursor; // the column that narrows, or -1
  bool has_from, has_to;
  wh_value bounds[2];
  MYSQL_STMT *stmt;
  wh_buf raw;
  size_t batch_rows, batch_bytes;
  uint64_t limit;
  uint64_t rows;
  size_t rejected_bytes; // by this call of `next`, about
  int64_t due_ns;        // rows_per_second: when the next batch may be read
  bool ended;
} reader;

static const wh_connection *connection_of(const reader *r) {
  return r->session->base.connection;
}

// The line is cut first: closing the statement would read what the server has still to send.
static void reader_close(wh_reader *base) {
  reader *r = (reader *)base;
  if (!r) return;
  wh_mem *mem = r->raw.mem;
  wh_mysql_close(r->session);
  if (r->stmt) mysql_stmt_close(r->stmt);
  wh_buf_free(&r->raw);
  wh_arena_free(&r->arena);
  wh_mem_free(mem, r, sizeof *r);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status reject_row(reader *r, size_t column, const wh_mysql_misfit *misfit,
                            wh_rejects *rejects, wh_error *err) {
  WH_TRY(wh_mysql_row_json(r->stmt, r->decoders, r->schema.count, &r->raw, err));
  wh_reject reject = {
      .rule = wh_str_of(misfit->rule),
      .column = r->decoders[column].name,
      .reason = wh_str_of(misfit->reason),
      .place = {.row = r->rows},
  };
  r->rejected_bytes += r->raw.len + sizeof *misfit;
  return rejects->raw(rejects, &reject, wh_buf_str(&r->raw), err);
}

static wh_status append_row(reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_mysql_misfit misfit;
    wh_status status = wh_mysql_decode(&r->decoders[i], wh_mysql_cell(r->stmt, i),
                                       &batch->columns[i], &misfit, err);
    if (status == WH_OK) continue;
    wh_batch_row_undo(batch);
    return status == WH_ERR_TYPE ? reject_row(r, i, &misfit, rejects, err) : status;
  }
  // Rows count on from the first one until a rejected one leaves a gap.
  if (batch->rows == 0) batch->first_row = r->rows;
  if (batch->places || r->rows != batch->first_row + batch->rows)
    WH_TRY(wh_batch_set_place(batch, (wh_place){.row = r->rows}, err));
  size_t before = batch->bytes;
  wh_batch_row_end(batch);
  return wh_source_check_row(connection_of(r), r->what, r->rows, batch->bytes - before, err);
}

static wh_status fetch(reader *r, bool *ret_row, wh_error *err) {
  wh_error inner = {0};
  wh_status status = wh_mysql_fetch(r->session, r->stmt, r->doing, ret_row, &inner);
  if (status == WH_OK) return WH_OK;
  // The library gives up on what is larger than it may be, and says that the line is lost.
  if (status == WH_ERR_UNAVAILABLE && connection_of(r)->row_limit_bytes &&
      wh_mysql_line_is_up(r->session))
    return wh_source_check_row(connection_of(r), r->what, r->rows + 1, SIZE_MAX, err);
  // Nothing of what was read is of one row: a value cannot be refused here.
  if (status == WH_ERR_TYPE)
    return wh_fail(err, WH_ERR_DATA, "%.*s: %s: %s", WH_STR_ARG(connection_of(r)->name), r->doing,
                   inner.text);
  if (err) *err = inner;
  return status;
}

// The snapshot ends with the reading, so that the server need not keep old rows for it.
static void end_read(reader *r) {
  r->ended = true;
  if (r->limit && r->rows >= r->limit) return; // the line is cut when it is closed
  if (mysql_stmt_free_result(r->stmt)) return;
  WH_IGNORE(wh_mysql_run_c(r->session, "ROLLBACK", NULL));
}

// --- The throttle --------------------------------------------------------------------------------

static bool is_cancelled(const wh_connection *c) {
  return c->cancel && atomic_load(c->cancel);
}

// Each row takes its part of a second; what was not used is not saved up.
static void wait_turn(reader *r) {
  enum { SLICE_NS = 100000000 };
  const wh_connection *c = connection_of(r);
  if (wh_mysql_options_of(r->session)->server.rows_per_second <= 0) return;
  for (;;) {
    int64_t now = c->os->type->monotonic_ns(c->os), left = r->due_ns - now;
    if (left <= 0) r->due_ns = now;
    if (left <= 0 || is_cancelled(c)) return;
    c->os->type->sleep_ns(c->os, left < SLICE_NS ? left : SLICE_NS);
  }
}

static size_t rows_at_once(const reader *r) {
  enum { PARTS = 10 }; // of a second
  int64_t rate = wh_mysql_options_of(r->session)->server.rows_per_second;
  if (rate <= 0) return r->batch_rows;
  uint64_t part = (uint64_t)rate / PARTS;
  if (part == 0) part = 1;
  return part < r->batch_rows ? (size_t)part : r->batch_rows;
}

static void take_turn(reader *r, uint64_t rows) {
  int64_t rate = wh_mysql_options_of(r->session)->server.rows_per_second;
  if (rate > 0) r->due_ns += (int64_t)((__int128)rows * 1000000000 / rate);
}

static wh_status reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  reader *r = (reader *)base;
  const wh_connection *c = connection_of(r);
  wait_turn(r);
  if (is_cancelled(c))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  r->rejected_bytes = 0;
  uint64_t before = r->rows;
  size_t rows_max = rows_at_once(r);
  while (!r->ended && !wh_batch_full(batch, rows_max, r->batch_bytes) &&
         r->rejected_bytes < WH_BATCH_BYTES_DEFAULT && r->rows - before < r->batch_rows) {
    bool row;
    WH_TRY(fetch(r, &row, err));
    if (!row) {
      end_read(r);
      break;
    }
    r->rows++;
    WH_TRY(append_row(r, batch, rejects, err));
    if (r->limit && r->rows >= r->limit) end_read(r);
  }
  take_turn(r, r->rows - before);
  base->bytes_read += batch->bytes;
  base->paused = !r->ended;
  return WH_OK;
}

// --- Opening -------------------------------------------------------------------------------------

// The query's own text where nothing has to be put around it: the server then need not keep its
// answer as a table first.
static bool is_plain_query(const reader *r) {
  const wh_sql_relation *q = &r->from.relation;
  if (!r->from.query.len || r->cursor >= 0 || r->limit || q->count != r->schema.count) return false;
  for (size_t i = 0; i < q->count; i++)
    if (!wh_str_eq(q->columns[i].name, r->schema.fields[i].name) ||
        wh_mysql_native_of(&q->columns[i]) == WH_MYSQL_GEOMETRY)
      return false;
  return true;
}

// Text compares by its bytes, whatever its collation says.
static void add_compared(wh_buf *sql, const wh_sql_column *c) {
  bool is_text = c->type.kind == WH_STRING;
  if (is_text) wh_buf_add_c(sql, "CAST(CONVERT(");
  wh_mysql_add_name(sql, c->name);
  if (is_text) wh_buf_add_c(sql, " USING utf8mb4) AS BINARY)");
}

static void add_condition(const reader *r, wh_buf *sql) {
  const wh_sql_column *c = &r->from.relation.columns[r->cursor];
  wh_buf_add_c(sql, " WHERE (");
  if (r->has_from) {
    add_compared(sql, c);
    wh_buf_add_c(sql, " >= ?");
  }
  if (r->has_from && r->has_to) wh_buf_add_c(sql, " AND ");
  if (r->has_to) {
    add_compared(sql, c);
    wh_buf_add_c(sql, " < ?");
  }
  if (c->nullable) {
    wh_buf_add_c(sql, " OR ");
    wh_mysql_add_name(sql, c->name);
    wh_buf_add_c(sql, " IS NULL");
  }
  bool has_zero = c->type.kind == WH_DATE || c->type.kind == WH_TIMESTAMP;
  if (has_zero && wh_mysql_options_of(r->session)->zero_dates == WH_MYSQL_ZERO_NULL) {
    wh_buf_add_c(sql, " OR ");
    wh_mysql_add_name(sql, c->name);
    wh_buf_add_c(sql, " < '0001-01-01'");
  }
  wh_buf_add_char(sql, ')');
}

static wh_status build_select(reader *r, wh_buf *sql, wh_error *err) {
  if (is_plain_query(r)) {
    wh_buf_add_str(sql, r->from.query);
    return wh_buf_check(sql, err);
  }
  for (size_t i = 0; i < r->schema.count; i++) {
    ptrdiff_t at = wh_mysql_find(&r->from.relation, r->schema.fields[i].name);
    if (at < 0) return wh_mysql_no_column(r->session, &r->from, r->schema.fields[i].name, err);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_mysql_add_shown(sql, &r->from.relation.columns[at]);
  }
  if (r->schema.count == 0) wh_buf_add_c(sql, "SELECT 1");
  wh_mysql_add_from(sql, &r->from);
  if (r->cursor >= 0) add_condition(r, sql);
  if (r->limit) wh_buf_printf(sql, " LIMIT %llu", (unsigned long long)r->limit);
  return wh_buf_check(sql, err);
}

static wh_status set_cursor(reader *r, const wh_source_query *query, wh_error *err) {
  r->cursor = -1;
  if (!query->cursor.len || (!query->has_from && !query->has_to)) return WH_OK;
  r->cursor = wh_mysql_find(&r->from.relation, query->cursor);
  if (r->cursor < 0) return wh_mysql_no_column(r->session, &r->from, query->cursor, err);
  r->has_from = query->has_from;
  r->has_to = query->has_to;
  if (r->has_from) r->bounds[0] = query->from;
  if (r->has_to) r->bounds[r->has_from] = query->to;
  return WH_OK;
}

// Text is compared as bytes, so it goes as bytes.
static wh_status bind_bounds(reader *r, wh_error *err) {
  MYSQL_BIND binds[2];
  wh_mysql_param room[2];
  size_t count = (size_t)r->has_from + r->has_to;
  for (size_t i = 0; i < count; i++) {
    wh_value bound = r->bounds[i];
    if (bound.type.kind == WH_STRING) bound.type.kind = WH_BINARY;
    wh_mysql_bind_value(&binds[i], &room[i], &bound);
  }
  WH_TRY(wh_mysql_bind(r->session, r->stmt, binds, err));
  return wh_mysql_execute(r->session, r->stmt, r->doing, err);
}

static wh_status make_decoders(reader *r, wh_error *err) {
  const wh_mysql_options *options = wh_mysql_options_of(r->session);
  r->decoders = WH_NEW_ARRAY(&r->arena, r->schema.count, wh_mysql_decoder);
  if (!r->decoders) return wh_fail_memory(err);
  if (mysql_stmt_field_count(r->stmt) < r->schema.count)
    return wh_fail(err, WH_ERR_CHANGED, "%.*s: %.*s has fewer columns than before",
                   WH_STR_ARG(connection_of(r)->name), WH_STR_ARG(r->what));
  for (size_t i = 0; i < r->schema.count; i++)
    r->decoders[i] = wh_mysql_decoder_of(&r->stmt->fields[i], &r->schema.fields[i], options,
                                         connection_of(r)->mem);
  return WH_OK;
}

static wh_status start(reader *r, const wh_source_query *query, wh_error *err) {
  WH_TRY(wh_mysql_run_c(r->session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err));
  WH_TRY(wh_mysql_from_of(r->session, query->table, query->query, &r->arena, &r->from, err));
  r->what = r->from.what;
  size_t shown = wh_utf8_cut(r->what, 64);
  snprintf(r->doing, sizeof r->doing, "reading %.*s", (int)shown, r->what.data);
  WH_TRY(set_cursor(r, query, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, connection_of(r)->mem, WH_SQL_TEXT_MAX);
  WH_TRY(build_select(r, &sql, err));
  WH_TRY(wh_mysql_prepare(r->session, &sql, r->doing, &r->stmt, err));
  WH_TRY(make_decoders(r, err));
  return bind_bounds(r, err);
}

static size_t or_default(size_t value, size_t otherwise, size_t most) {
  if (value == 0) value = otherwise;
  return value < most ? value : most;
}

wh_status wh_mysql_open_reader(wh_connection *c, const wh_source_query *query,
                               const wh_schema *schema, wh_reader **ret, wh_error *err) {
  reader *r = wh_mem_alloc_zero(c->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.next = reader_next, .close = reader_close, .schema = &r->schema};
  r->limit = query->limit_rows;
  size_t batch_rows = query->batch_rows ? query->batch_rows : c->batch_rows;
  r->batch_rows = or_default(batch_rows, WH_BATCH_ROWS_DEFAULT, WH_BATCH_ROWS_MAX);
  r->batch_bytes = or_default(c->batch_bytes, WH_BATCH_BYTES_DEFAULT, WH_BATCH_BYTES_MAX);
  wh_arena_init(&r->arena, c->mem);
  wh_buf_init(&r->raw, c->mem, 0);
  wh_status status = wh_schema_copy(schema, &r->arena, &r->schema, err);
  if (status == WH_OK) status = wh_mysql_open(c, WH_SQL_READ, &r->session, err);
  if (status == WH_OK) status = start(r, query, err);
  if (status != WH_OK) {
    reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}
