// The source's reader: one SELECT in one read-only snapshot, row by row as the server sends them.
#include "connect/row_reader.h"
#include "connect/sqlserver/source.h"

typedef struct reader {
  wh_row_reader base;
  wh_mssql_session *session;
  wh_sql_from from;
  char doing[128];
  wh_mssql_decoder *decoders;
  wh_sql_conditions conditions; // of the query, which lasts until the statement was sent
} reader;

static void reader_close(wh_row_reader *base) {
  wh_mssql_close(((reader *)base)->session);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status write_json(wh_row_reader *base, wh_buf *out, wh_error *err) {
  reader *r = (reader *)base;
  return wh_mssql_row_json(r->session, r->decoders, base->schema.count, out, err);
}

static wh_status append(wh_row_reader *base, wh_column *columns, size_t *ret_column,
                        wh_misfit *misfit, wh_error *err) {
  reader *r = (reader *)base;
  for (size_t i = 0; i < base->schema.count; i++) {
    wh_status status = wh_mssql_decode(r->session, &r->decoders[i], &columns[i], misfit, err);
    if (status == WH_OK) continue;
    *ret_column = i;
    return status;
  }
  return WH_OK;
}

// The snapshot ends with the reading, so that the server need not keep old rows for it.
static wh_status fetch(wh_row_reader *base, bool *ret_row, wh_error *err) {
  reader *r = (reader *)base;
  wh_error inner = {0};
  wh_status status = wh_mssql_fetch(r->session, r->doing, ret_row, &inner);
  if (status == WH_OK && !*ret_row)
    WH_IGNORE(wh_mssql_run_c(r->session, "ROLLBACK TRANSACTION", NULL));
  if (status == WH_OK) return WH_OK;
  // A value that the query itself could not make: it is of no row that came.
  if (status == WH_ERR_TYPE)
    return wh_fail(err, WH_ERR_DATA, "%.*s: %s: %s", WH_STR_ARG(base->connection->name), r->doing,
                   inner.text);
  if (err) *err = inner;
  return status;
}

// --- Opening -------------------------------------------------------------------------------------

// The query's own text where nothing has to be put around it: it may then begin with WITH and end
// with ORDER BY, and have columns that need no name.
static bool is_plain_query(const reader *r) {
  const wh_sql_relation *q = &r->from.relation;
  if (!r->from.query.len || r->conditions.count || q->count != r->base.schema.count) return false;
  for (size_t i = 0; i < q->count; i++)
    if (!wh_str_eq(q->columns[i].name, r->base.schema.fields[i].name) ||
        wh_mssql_is_wrapped(&q->columns[i]))
      return false;
  return true;
}

// `(c >= @P1 AND c < @P2 OR c IS NULL)`; counts the parameters.
static void add_condition(const wh_sql_condition *on, unsigned *number, wh_buf *sql) {
  const wh_sql_column *c = on->column;
  wh_buf_add_char(sql, '(');
  if (on->low) {
    wh_mssql_add_compared(sql, c);
    wh_buf_add_c(sql, " >= ");
    wh_mssql_add_operand(sql, c, ++*number);
  }
  if (on->low && on->high) wh_buf_add_c(sql, " AND ");
  if (on->high) {
    wh_mssql_add_compared(sql, c);
    wh_buf_add_c(sql, " < ");
    wh_mssql_add_operand(sql, c, ++*number);
  }
  if (on->takes_null && c->nullable) {
    wh_buf_add_c(sql, " OR ");
    wh_mssql_add_name(sql, c->name);
    wh_buf_add_c(sql, " IS NULL");
  }
  wh_buf_add_char(sql, ')');
}

static wh_status build_select(reader *r, wh_buf *sql, wh_error *err) {
  // Also of a query as it is.
  if (r->base.limit) wh_buf_printf(sql, "SET ROWCOUNT %llu ", (unsigned long long)r->base.limit);
  if (is_plain_query(r)) {
    wh_buf_add_str(sql, r->from.query);
    return wh_buf_check(sql, err);
  }
  for (size_t i = 0; i < r->base.schema.count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&r->from.relation), r->base.schema.fields[i].name);
    if (at < 0)
      return wh_sql_no_column(&r->session->base, &r->from, r->base.schema.fields[i].name, err);
    const wh_sql_column *c = &r->from.relation.columns[at];
    if (c->unread)
      return wh_fail(err, WH_ERR_REFUSED, "%.*s: %.*s.%.*s %s: CAST it in a `query`",
                     WH_STR_ARG(r->base.connection->name), WH_STR_ARG(r->base.what),
                     WH_STR_ARG(c->name), c->unread);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_mssql_add_shown(sql, c);
  }
  if (r->base.schema.count == 0) wh_buf_add_c(sql, "SELECT 1 AS one");
  wh_sql_add_from(sql, &r->session->base, &r->from);
  unsigned number = 0;
  for (size_t i = 0; i < r->conditions.count; i++) {
    wh_buf_add_c(sql, i ? " AND " : " WHERE ");
    add_condition(&r->conditions.items[i], &number, sql);
  }
  return wh_buf_check(sql, err);
}

static wh_status send_select(reader *r, const wh_buf *sql, wh_error *err) {
  wh_str params[2 * WH_SQL_CONDITIONS];
  size_t count = 0;
  for (size_t i = 0; i < r->conditions.count; i++) {
    const wh_sql_condition *on = &r->conditions.items[i];
    const wh_value *ends[] = {on->low, on->high};
    for (size_t k = 0; k < 2; k++) {
      if (!ends[k]) continue;
      WH_TRY(wh_mssql_operand(on->column, ends[k], &r->base.arena, &params[count++], err));
    }
  }
  return wh_mssql_send(r->session, wh_buf_str(sql), params, count, r->doing, err);
}

// On to the rows: what goes before them (SET ROWCOUNT) has results of its own.
static wh_status find_rows(reader *r, wh_error *err) {
  for (;;) {
    bool more;
    WH_TRY(wh_mssql_next_result(r->session, r->doing, &more, err));
    if (!more)
      return wh_fail(err, WH_ERR_CHANGED, "%.*s: %.*s gives no rows any more",
                     WH_STR_ARG(r->base.connection->name), WH_STR_ARG(r->base.what));
    if (dbnumcols(r->session->db) > 0) return WH_OK;
  }
}

static wh_status make_decoders(reader *r, wh_error *err) {
  r->decoders = WH_NEW_ARRAY(&r->base.arena, r->base.schema.count, wh_mssql_decoder);
  if (!r->decoders) return wh_fail_memory(err);
  if (dbnumcols(r->session->db) < (int)r->base.schema.count)
    return wh_fail(err, WH_ERR_CHANGED, "%.*s: %.*s has fewer columns than before",
                   WH_STR_ARG(r->base.connection->name), WH_STR_ARG(r->base.what));
  for (size_t i = 0; i < r->base.schema.count; i++)
    r->decoders[i] = wh_mssql_decoder_of(r->session, i, &r->base.schema.fields[i]);
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

static wh_status start(wh_row_reader *base, const wh_source_query *query, wh_error *err) {
  reader *r = (reader *)base;
  WH_TRY(wh_mssql_open(r->base.connection, WH_SQL_READ, &r->session, err));
  WH_TRY(wh_mssql_from_of(r->session, query->table, query->query, &r->base.arena, &r->from, err));
  r->base.what = r->from.what;
  size_t shown = wh_utf8_cut(r->base.what, 64);
  snprintf(r->doing, sizeof r->doing, "reading %.*s", (int)shown, r->base.what.data);
  WH_TRY(wh_sql_conditions_of(&r->session->base, &r->from, query, &r->conditions, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, r->base.connection->mem, WH_SQL_TEXT_MAX);
  WH_TRY(build_select(r, &sql, err));
  WH_TRY(begin_snapshot(r, err));
  WH_TRY(send_select(r, &sql, err));
  WH_TRY(find_rows(r, err));
  return make_decoders(r, err);
}

wh_status wh_mssql_open_reader(wh_connection *c, const wh_source_query *query,
                               const wh_schema *schema, wh_reader **ret, wh_error *err) {
  static const wh_row_reader_type type = {
      .size = sizeof(reader),
      .start = start,
      .fetch = fetch,
      .append = append,
      .write_json = write_json,
      .close = reader_close,
  };
  const wh_mssql_options *options = c->options;
  return wh_row_reader_open(&type, c, query, schema, options->server.rows_per_second, ret, err);
}
