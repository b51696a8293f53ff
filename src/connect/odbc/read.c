// The source's reader: one SELECT in one transaction, which is rolled back.
#include "connect/odbc/source.h"
#include "connect/row_reader.h"

#include <stdio.h>

typedef struct reader {
  wh_row_reader base;
  wh_odbc_session *session;
  SQLHSTMT stmt;
  wh_odbc_relation relation;
  wh_odbc_rows rows;
  ptrdiff_t cursor; // the column that narrows, or -1
  char doing[128];
  wh_buf scratch;
} reader;

static void reader_close(wh_row_reader *base) {
  reader *r = (reader *)base;
  wh_odbc_rows_close(&r->rows);
  wh_odbc_statement_free(&r->stmt);
  wh_odbc_close(r->session);
  wh_buf_free(&r->scratch);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status write_json(wh_row_reader *base, wh_buf *out, wh_error *err) {
  reader *r = (reader *)base;
  return wh_odbc_row_json(&r->rows, &base->schema, &r->scratch, out, err);
}

static wh_status append(wh_row_reader *base, wh_column *columns, size_t *ret_column,
                        wh_misfit *misfit, wh_error *err) {
  reader *r = (reader *)base;
  for (size_t i = 0; i < base->schema.count; i++) {
    wh_odbc_cell cell;
    WH_TRY(wh_odbc_rows_cell(&r->rows, i, &cell, err));
    wh_status status =
        wh_odbc_decode(&cell, &base->schema.fields[i], &columns[i], &r->scratch, misfit, err);
    if (status == WH_OK) continue;
    *ret_column = i;
    return status;
  }
  return WH_OK;
}

// The snapshot ends with the reading, so that the database need not keep old rows for it.
static wh_status fetch(wh_row_reader *base, bool *ret_row, wh_error *err) {
  reader *r = (reader *)base;
  *ret_row = false;
  bool is_enough = base->limit && base->rows >= base->limit;
  if (!is_enough) WH_TRY(wh_odbc_rows_next(&r->rows, ret_row, err));
  if (*ret_row) return WH_OK;
  wh_odbc_statement_free(&r->stmt);
  wh_odbc_rollback(r->session);
  return WH_OK;
}

// --- Opening -------------------------------------------------------------------------------------

// The query's own text where nothing has to be put around it: it may then begin with WITH and end
// with ORDER BY.
static bool is_plain_query(const reader *r) {
  const wh_odbc_relation *q = &r->relation;
  if (!q->query.len || r->cursor >= 0 || q->count != r->base.schema.count) return false;
  for (size_t i = 0; i < q->count; i++)
    if (!wh_str_eq(q->columns[i].sql.name, r->base.schema.fields[i].name)) return false;
  return true;
}

static wh_status add_condition(const reader *r, const wh_source_query *query, wh_buf *sql,
                               wh_error *err) {
  const wh_odbc_column *c = &r->relation.columns[r->cursor];
  wh_buf_add_c(sql, " WHERE (");
  if (query->has_from) {
    WH_TRY(wh_odbc_add_name(r->session, sql, c->sql.name, err));
    wh_buf_add_c(sql, " >= ?");
  }
  if (query->has_from && query->has_to) wh_buf_add_c(sql, " AND ");
  if (query->has_to) {
    WH_TRY(wh_odbc_add_name(r->session, sql, c->sql.name, err));
    wh_buf_add_c(sql, " < ?");
  }
  if (c->sql.nullable) {
    wh_buf_add_c(sql, " OR ");
    WH_TRY(wh_odbc_add_name(r->session, sql, c->sql.name, err));
    wh_buf_add_c(sql, " IS NULL");
  }
  wh_buf_add_char(sql, ')');
  return wh_buf_check(sql, err);
}

static wh_status build_select(const reader *r, const wh_source_query *query, wh_buf *sql,
                              wh_error *err) {
  if (is_plain_query(r)) {
    wh_buf_add_str(sql, r->relation.query);
    return wh_buf_check(sql, err);
  }
  for (size_t i = 0; i < r->base.schema.count; i++) {
    wh_buf_add_c(sql, i ? ", " : "SELECT ");
    WH_TRY(wh_odbc_add_name(r->session, sql, r->base.schema.fields[i].name, err));
  }
  if (r->base.schema.count == 0) wh_buf_add_c(sql, "SELECT 1");
  WH_TRY(wh_odbc_add_from(r->session, sql, &r->relation, err));
  return r->cursor >= 0 ? add_condition(r, query, sql, err) : WH_OK;
}

static wh_status bind_cursor(reader *r, const wh_source_query *query, wh_error *err) {
  if (r->cursor < 0) return WH_OK;
  const wh_odbc_column *c = &r->relation.columns[r->cursor];
  SQLUSMALLINT number = 1;
  if (query->has_from)
    WH_TRY(wh_odbc_bind(r->session, r->stmt, number++, c, &query->from, &r->base.arena, err));
  if (query->has_to)
    WH_TRY(wh_odbc_bind(r->session, r->stmt, number, c, &query->to, &r->base.arena, err));
  return WH_OK;
}

static wh_status set_cursor(reader *r, const wh_source_query *query, wh_error *err) {
  r->cursor = -1;
  if (!query->cursor.len || (!query->has_from && !query->has_to)) return WH_OK;
  r->cursor = wh_sql_find(WH_SQL_COLUMNS(&r->relation), query->cursor);
  return r->cursor < 0 ? wh_odbc_no_column(r->session, &r->relation, query->cursor, err) : WH_OK;
}

// Not more at once than may be read before somebody looks at the clock.
static size_t rows_max(const reader *r) {
  size_t most = WH_ODBC_ARRAY_ROWS, turn = (size_t)(r->base.rate / 10) + 1;
  if (r->base.rate && turn < most) most = turn;
  return r->base.limit && r->base.limit < most ? (size_t)r->base.limit : most;
}

static wh_status open_rows(reader *r, wh_error *err) {
  size_t count = r->base.schema.count;
  const wh_odbc_column **columns = WH_NEW_ARRAY(&r->base.arena, count, const wh_odbc_column *);
  if (!columns) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_sql_find(WH_SQL_COLUMNS(&r->relation), r->base.schema.fields[i].name);
    if (at < 0)
      return wh_odbc_no_column(r->session, &r->relation, r->base.schema.fields[i].name, err);
    columns[i] = &r->relation.columns[at];
  }
  // A driver that holds whole results then holds no more than is wanted.
  if (r->base.limit)
    (void)wh_odbc.SQLSetStmtAttrW(r->stmt, SQL_ATTR_MAX_ROWS, (SQLPOINTER)(uintptr_t)r->base.limit,
                                  0);
  return wh_odbc_rows_open(r->session, r->stmt, columns, count, rows_max(r), r->base.what, r->doing,
                           &r->base.arena, &r->rows, err);
}

static wh_status start(wh_row_reader *base, const wh_source_query *query, wh_error *err) {
  reader *r = (reader *)base;
  wh_connection *c = r->base.connection;
  wh_buf_init(&r->scratch, c->mem, 0);
  WH_TRY(wh_odbc_open(c, false, &r->session, err));
  WH_TRY(wh_odbc_relate(r->session, query->table, query->query, &r->base.arena, &r->relation, err));
  r->base.what = r->relation.what;
  size_t shown = wh_utf8_cut(r->base.what, 64);
  snprintf(r->doing, sizeof r->doing, "reading %.*s", (int)shown, r->base.what.data);
  WH_TRY(set_cursor(r, query, err));
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, c->mem, WH_ODBC_TEXT_MAX);
  WH_TRY(build_select(r, query, &sql, err));
  wh_odbc_rollback(r->session); // the snapshot begins with the reading
  WH_TRY(wh_odbc_statement(r->session, &r->stmt, err));
  WH_TRY(wh_odbc_prepare(r->session, r->stmt, wh_buf_str(&sql), r->doing, err));
  WH_TRY(open_rows(r, err));
  WH_TRY(bind_cursor(r, query, err));
  return wh_odbc_execute(r->session, r->stmt, r->doing, err);
}

wh_status wh_odbc_open_reader(wh_connection *c, const wh_source_query *query,
                              const wh_schema *schema, wh_reader **ret, wh_error *err) {
  static const wh_row_reader_type type = {
      .size = sizeof(reader),
      .start = start,
      .fetch = fetch,
      .append = append,
      .write_json = write_json,
      .close = reader_close,
  };
  const wh_odbc_options *options = c->options;
  return wh_row_reader_open(&type, c, query, schema, options->rows_per_second, ret, err);
}
