// The source's reader: one SELECT in one read-only snapshot, row by row as the server sends them.
#include "connect/sqlserver/source.h"

typedef struct reader {
  wh_reader base;
  wh_mssql_session *session;
  wh_arena arena;
  wh_mssql_from from;
  wh_str what; // "sales_order", for messages
  char doing[128];
  wh_schema schema;
  wh_mssql_decoder *decoders;
  ptrdiff_t cursor; // the column that narrows, or -1
  bool has_from, has_to;
  wh_value bounds[2];
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

static void reader_close(wh_reader *base) {
  reader *r = (reader *)base;
  if (!r) return;
  wh_mem *mem = r->raw.mem;
  wh_mssql_close(r->session);
  wh_buf_free(&r->raw);
  wh_arena_free(&r->arena);
  wh_mem_free(mem, r, sizeof *r);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status reject_row(reader *r, size_t column, const wh_mssql_misfit *misfit,
                            wh_rejects *rejects, wh_error *err) {
  WH_TRY(wh_mssql_row_json(r->session, r->decoders, r->schema.count, &r->raw, err));
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
    wh_mssql_misfit misfit;
    wh_status status =
        wh_mssql_decode(r->session, &r->decoders[i], &batch->columns[i], &misfit, err);
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
  wh_status status = wh_mssql_fetch(r->session, r->doing, ret_row, &inner);
  if (status == WH_OK) return WH_OK;
  // A value that the query itself could not make: it is of no row that came.
  if (status == WH_ERR_TYPE)
    return wh_fail(err, WH_ERR_DATA, "%.*s: %s: %s", WH_STR_ARG(connection_of(r)->name), r->doing,
                   inner.text);
  if (err) *err = inner;
  return status;
}

// The snapshot ends with the reading, so that the server need not keep old rows for it.
static void end_read(reader *r) {
  r->ended = true;
  WH_IGNORE(wh_mssql_run_c(r->session, "ROLLBACK TRANSACTION", NULL));
}

// --- The throttle --------------------------------------------------------------------------------

static bool is_cancelled(const wh_connection *c) {
  return c->cancel && atomic_load(c->cancel);
}

// Each row takes its part of a second; what was not used is not saved up.
static void wait_turn(reader *r) {
  enum { SLICE_NS = 100000000 };
  const wh_connection *c = connection_of(r);
  if (wh_mssql_options_of(r->session)->server.rows_per_second <= 0) return;
  for (;;) {
    int64_t now = c->os->type->monotonic_ns(c->os), left = r->due_ns - now;
    if (left <= 0) r->due_ns = now;
    if (left <= 0 || is_cancelled(c)) return;
    c->os->type->sleep_ns(c->os, left < SLICE_NS ? left : SLICE_NS);
  }
}

static size_t rows_at_once(const reader *r) {
  enum { PARTS = 10 }; // of a second
  int64_t rate = wh_mssql_options_of(r->session)->server.rows_per_second;
  if (rate <= 0) return r->batch_rows;
  uint64_t part = (uint64_t)rate / PARTS;
  if (part == 0) part = 1;
  return part < r->batch_rows ? (size_t)part : r->batch_rows;
}

static void take_turn(reader *r, uint64_t rows) {
  int64_t rate = wh_mssql_options_of(r->session)->server.rows_per_second;
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

// The query's own text where nothing has to be put around it: it may then begin with WITH and end
// with ORDER BY, and have columns that need no name.
static bool is_plain_query(const reader *r) {
  const wh_sql_relation *q = &r->from.relation;
  if (!r->from.query.len || r->cursor >= 0 || q->count != r->schema.count) return false;
  for (size_t i = 0; i < q->count; i++)
    if (!wh_str_eq(q->columns[i].name, r->schema.fields[i].name) ||
        wh_mssql_is_wrapped(&q->columns[i]))
      return false;
  return true;
}

static void add_condition(const reader *r, wh_buf *sql) {
  const wh_sql_column *c = &r->from.relation.columns[r->cursor];
  wh_buf_add_c(sql, " WHERE (");
  if (r->has_from) {
    wh_mssql_add_compared(sql, c);
    wh_buf_add_c(sql, " >= ");
    wh_mssql_add_operand(sql, c, 1);
  }
  if (r->has_from && r->has_to) wh_buf_add_c(sql, " AND ");
  if (r->has_to) {
    wh_mssql_add_compared(sql, c);
    wh_buf_add_c(sql, " < ");
    wh_mssql_add_operand(sql, c, r->has_from ? 2 : 1);
  }
  if (c->nullable) {
    wh_buf_add_c(sql, " OR ");
    wh_mssql_add_name(sql, c->name);
    wh_buf_add_c(sql, " IS NULL");
  }
  wh_buf_add_char(sql, ')');
}

static wh_status build_select(reader *r, wh_buf *sql, wh_error *err) {
  // Also of a query as it is.
  if (r->limit) wh_buf_printf(sql, "SET ROWCOUNT %llu ", (unsigned long long)r->limit);
  if (is_plain_query(r)) {
    wh_buf_add_str(sql, r->from.query);
    return wh_buf_check(sql, err);
  }
  for (size_t i = 0; i < r->schema.count; i++) {
    ptrdiff_t at = wh_mssql_find(&r->from.relation, r->schema.fields[i].name);
    if (at < 0) return wh_mssql_no_column(r->session, &r->from, r->schema.fields[i].name, err);
    const wh_sql_column *c = &r->from.relation.columns[at];
    if (c->unread)
      return wh_fail(err, WH_ERR_REFUSED, "%.*s: %.*s.%.*s %s: CAST it in a `query`",
                     WH_STR_ARG(connection_of(r)->name), WH_STR_ARG(r->what), WH_STR_ARG(c->name),
                     c->unread);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_mssql_add_shown(sql, c);
  }
  if (r->schema.count == 0) wh_buf_add_c(sql, "SELECT 1 AS one");
  wh_mssql_add_from(sql, &r->from);
  if (r->cursor >= 0) add_condition(r, sql);
  return wh_buf_check(sql, err);
}

static wh_status set_cursor(reader *r, const wh_source_query *query, wh_error *err) {
  r->cursor = -1;
  if (!query->cursor.len || (!query->has_from && !query->has_to)) return WH_OK;
  r->cursor = wh_mssql_find(&r->from.relation, query->cursor);
  if (r->cursor < 0) return wh_mssql_no_column(r->session, &r->from, query->cursor, err);
  r->has_from = query->has_from;
  r->has_to = query->has_to;
  if (r->has_from) r->bounds[0] = query->from;
  if (r->has_to) r->bounds[r->has_from] = query->to;
  return WH_OK;
}

static wh_status send_select(reader *r, const wh_buf *sql, wh_error *err) {
  wh_str params[2];
  size_t count = (size_t)r->has_from + r->has_to;
  if (r->cursor < 0) count = 0;
  for (size_t i = 0; i < count; i++)
    WH_TRY(wh_mssql_operand(&r->from.relation.columns[r->cursor], &r->bounds[i], &r->arena,
                            &params[i], err));
  return wh_mssql_send(r->session, wh_buf_str(sql), params, count, r->doing, err);
}

// On to the rows: what goes before them (SET ROWCOUNT) has results of its own.
static wh_status find_rows(reader *r, wh_error *err) {
  for (;;) {
    bool more;
    WH_TRY(wh_mssql_next_result(r->session, r->doing, &more, err));
    if (!more)
      return wh_fail(err, WH_ERR_CHANGED, "%.*s: %.*s gives no rows any more",
                     WH_STR_ARG(connection_of(r)->name), WH_STR_ARG(r->what));
    if (dbnumcols(r->session->db) > 0) return WH_OK;
  }
}

static wh_status make_decoders(reader *r, wh_error *err) {
  r->decoders = WH_NEW_ARRAY(&r->arena, r->schema.count, wh_mssql_decoder);
  if (!r->decoders) return wh_fail_memory(err);
  if (dbnumcols(r->session->db) < (int)r->schema.count)
    return wh_fail(err, WH_ERR_CHANGED, "%.*s: %.*s has fewer columns than before",
                   WH_STR_ARG(connection_of(r)->name), WH_STR_ARG(r->what));
  for (size_t i = 0; i < r->schema.count; i++)
    r->decoders[i] = wh_mssql_decoder_of(r->session, i, &r->schema.fields[i]);
  return WH_OK;
}

static wh_status take_flag(void *context, const wh_str *v, size_t count, wh_error *err) {
  bool *allowed = context;
  (void)count, (void)err;
  *allowed = wh_str_is(v[0], "1");
  return WH_OK;
}

static wh_status begin_snapshot(reader *r, wh_error *err) {
  bool allowed = false;
  WH_TRY(
      wh_mssql_ask(&r->session->base,
                   WH_STR("SELECT d.snapshot_isolation_state FROM sys.databases AS d WHERE d.name "
                          "= DB_NAME()"),
                   NULL, 0, take_flag, &allowed, err));
  if (allowed) WH_TRY(wh_mssql_run_c(r->session, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT", err));
  return wh_mssql_run_c(r->session, "BEGIN TRANSACTION", err);
}

static wh_status start(reader *r, const wh_source_query *query, wh_error *err) {
  WH_TRY(wh_mssql_from_of(r->session, query->table, query->query, &r->arena, &r->from, err));
  r->what = r->from.what;
  size_t shown = wh_utf8_cut(r->what, 64);
  snprintf(r->doing, sizeof r->doing, "reading %.*s", (int)shown, r->what.data);
  WH_TRY(set_cursor(r, query, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, connection_of(r)->mem, WH_SQL_TEXT_MAX);
  WH_TRY(build_select(r, &sql, err));
  WH_TRY(begin_snapshot(r, err));
  WH_TRY(send_select(r, &sql, err));
  WH_TRY(find_rows(r, err));
  return make_decoders(r, err);
}

static size_t or_default(size_t value, size_t otherwise, size_t most) {
  if (value == 0) value = otherwise;
  return value < most ? value : most;
}

wh_status wh_mssql_open_reader(wh_connection *c, const wh_source_query *query,
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
  if (status == WH_OK) status = wh_mssql_open(c, WH_SQL_READ, &r->session, err);
  if (status == WH_OK) status = start(r, query, err);
  if (status != WH_OK) {
    reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}
