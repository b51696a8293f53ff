// The source's reader: one SELECT in one read-only snapshot, row by row as the server sends them.
#include "connect/mysql/source.h"
#include "connect/row_reader.h"

typedef struct reader {
  wh_row_reader base;
  wh_mysql_session *session;
  wh_sql_from from;
  char doing[128];
  wh_mysql_decoder *decoders;
  wh_sql_conditions conditions; // of the query, which lasts until the statement was sent
  MYSQL_STMT *stmt;
} reader;

// The line is cut first: closing the statement would read what the server has still to send.
static void reader_close(wh_row_reader *base) {
  reader *r = (reader *)base;
  wh_mysql_close(r->session);
  if (r->stmt) mysql_stmt_close(r->stmt);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status write_json(wh_row_reader *base, wh_buf *out, wh_error *err) {
  reader *r = (reader *)base;
  return wh_mysql_row_json(r->stmt, r->decoders, base->schema.count, out, err);
}

static wh_status append(wh_row_reader *base, wh_column *columns, size_t *ret_column,
                        wh_misfit *misfit, wh_error *err) {
  reader *r = (reader *)base;
  for (size_t i = 0; i < base->schema.count; i++) {
    wh_status status =
        wh_mysql_decode(&r->decoders[i], wh_mysql_cell(r->stmt, i), &columns[i], misfit, err);
    if (status == WH_OK) continue;
    *ret_column = i;
    return status;
  }
  return WH_OK;
}

// The snapshot ends with the reading, so that the server need not keep old rows for it.
static void end_read(reader *r) {
  if (mysql_stmt_free_result(r->stmt)) return;
  WH_IGNORE(wh_mysql_run_c(r->session, "ROLLBACK", NULL));
}

static wh_status fetch(wh_row_reader *base, bool *ret_row, wh_error *err) {
  reader *r = (reader *)base;
  const wh_connection *c = base->connection;
  wh_error inner = {0};
  wh_status status = wh_mysql_fetch(r->session, r->stmt, r->doing, ret_row, &inner);
  if (status == WH_OK && !*ret_row) end_read(r);
  if (status == WH_OK) return WH_OK;
  // The library gives up on what is larger than it may be, and says that the line is lost.
  if (status == WH_ERR_UNAVAILABLE && c->row_limit_bytes && wh_mysql_line_is_up(r->session))
    return wh_source_check_row(c, base->what, base->rows + 1, SIZE_MAX, err);
  // Nothing of what was read is of one row: a value cannot be refused here.
  if (status == WH_ERR_TYPE)
    return wh_fail(err, WH_ERR_DATA, "%.*s: %s: %s", WH_STR_ARG(c->name), r->doing, inner.text);
  if (err) *err = inner;
  return status;
}

// --- Opening -------------------------------------------------------------------------------------

// The query's own text where nothing has to be put around it: the server then need not keep its
// answer as a table first.
static bool is_plain_query(const reader *r) {
  const wh_sql_relation *q = &r->from.relation;
  if (!r->from.query.len || r->conditions.count || r->base.limit ||
      q->count != r->base.schema.count)
    return false;
  for (size_t i = 0; i < q->count; i++)
    if (!wh_str_eq(q->columns[i].name, r->base.schema.fields[i].name) ||
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

// `((c >= ? AND c < ?) OR c IS NULL)`
static void add_condition(const reader *r, const wh_sql_condition *on, wh_buf *sql) {
  const wh_sql_column *c = on->column;
  wh_buf_add_c(sql, "((");
  if (on->low) {
    add_compared(sql, c);
    wh_buf_add_c(sql, " >= ?");
  }
  if (on->low && on->high) wh_buf_add_c(sql, " AND ");
  if (on->high) {
    add_compared(sql, c);
    wh_buf_add_c(sql, " < ?");
  }
  wh_buf_add_char(sql, ')');
  if (on->takes_null && c->nullable) {
    wh_buf_add_c(sql, " OR ");
    wh_mysql_add_name(sql, c->name);
    wh_buf_add_c(sql, " IS NULL");
  }
  bool has_zero = c->type.kind == WH_DATE || c->type.kind == WH_TIMESTAMP;
  bool zero_is_null = wh_mysql_options_of(r->session)->zero_dates == WH_MYSQL_ZERO_NULL;
  if (on->takes_null && on->low && has_zero && zero_is_null) {
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
  for (size_t i = 0; i < r->base.schema.count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&r->from.relation), r->base.schema.fields[i].name);
    if (at < 0)
      return wh_sql_no_column(&r->session->base, &r->from, r->base.schema.fields[i].name, err);
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    wh_mysql_add_shown(sql, &r->from.relation.columns[at]);
  }
  if (r->base.schema.count == 0) wh_buf_add_c(sql, "SELECT 1");
  wh_sql_add_from(sql, &r->session->base, &r->from);
  for (size_t i = 0; i < r->conditions.count; i++) {
    wh_buf_add_c(sql, i ? " AND " : " WHERE ");
    add_condition(r, &r->conditions.items[i], sql);
  }
  if (r->base.limit) wh_buf_printf(sql, " LIMIT %llu", (unsigned long long)r->base.limit);
  return wh_buf_check(sql, err);
}

// Text is compared as bytes, so it goes as bytes.
static wh_status bind_bounds(reader *r, wh_error *err) {
  MYSQL_BIND binds[2 * WH_SQL_CONDITIONS];
  wh_mysql_param room[2 * WH_SQL_CONDITIONS];
  size_t count = 0;
  for (size_t i = 0; i < r->conditions.count; i++) {
    const wh_value *ends[] = {r->conditions.items[i].low, r->conditions.items[i].high};
    for (size_t k = 0; k < 2; k++) {
      if (!ends[k]) continue;
      wh_value bound = *ends[k];
      if (bound.type.kind == WH_STRING) bound.type.kind = WH_BINARY;
      wh_mysql_bind_value(&binds[count], &room[count], &bound);
      count++;
    }
  }
  WH_TRY(wh_mysql_bind(r->session, r->stmt, binds, err));
  return wh_mysql_execute(r->session, r->stmt, r->doing, err);
}

static wh_status make_decoders(reader *r, wh_error *err) {
  const wh_mysql_options *options = wh_mysql_options_of(r->session);
  r->decoders = WH_NEW_ARRAY(&r->base.arena, r->base.schema.count, wh_mysql_decoder);
  if (!r->decoders) return wh_fail_memory(err);
  if (mysql_stmt_field_count(r->stmt) < r->base.schema.count)
    return wh_fail(err, WH_ERR_CHANGED, "%.*s: %.*s has fewer columns than before",
                   WH_STR_ARG(r->base.connection->name), WH_STR_ARG(r->base.what));
  for (size_t i = 0; i < r->base.schema.count; i++)
    r->decoders[i] = wh_mysql_decoder_of(&r->stmt->fields[i], &r->base.schema.fields[i], options,
                                         r->base.connection->mem);
  return WH_OK;
}

static wh_status start(wh_row_reader *base, const wh_source_query *query, wh_error *err) {
  reader *r = (reader *)base;
  WH_TRY(wh_mysql_open(r->base.connection, WH_SQL_READ, &r->session, err));
  WH_TRY(wh_mysql_run_c(r->session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err));
  WH_TRY(wh_mysql_from_of(r->session, query->table, query->query, &r->base.arena, &r->from, err));
  r->base.what = r->from.what;
  size_t shown = wh_utf8_cut(r->base.what, 64);
  snprintf(r->doing, sizeof r->doing, "reading %.*s", (int)shown, r->base.what.data);
  WH_TRY(wh_sql_conditions_of(&r->session->base, &r->from, query, &r->conditions, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, r->base.connection->mem, WH_SQL_TEXT_MAX);
  WH_TRY(build_select(r, &sql, err));
  WH_TRY(wh_mysql_prepare(r->session, &sql, r->doing, &r->stmt, err));
  WH_TRY(make_decoders(r, err));
  return bind_bounds(r, err);
}

wh_status wh_mysql_open_reader(wh_connection *c, const wh_source_query *query,
                               const wh_schema *schema, wh_reader **ret, wh_error *err) {
  static const wh_row_reader_type type = {
      .size = sizeof(reader),
      .start = start,
      .fetch = fetch,
      .append = append,
      .write_json = write_json,
      .close = reader_close,
  };
  const wh_mysql_options *options = c->options;
  return wh_row_reader_open(&type, c, query, schema, options->server.rows_per_second, ret, err);
}
