// Prepared INSERTs of many rows, for servers that take no LOAD DATA LOCAL.
#include "connect/mysql/bulk.h"

#include "data/format.h"

typedef struct insert {
  wh_mysql_session *session;
  const wh_sql_bulk *bulk;
  size_t column_count; // with those that are not the batch's
  size_t rows_max;     // of one statement
  wh_buf text;         // values of the rows at hand
  size_t *ends;        // of each value in the text; NULL_VALUE: it is NULL
  MYSQL_BIND *binds;
  MYSQL_STMT *stmt; // for so many rows as `prepared` says
  size_t prepared;
} insert;

#define NULL_VALUE SIZE_MAX

static size_t fixed_count(const wh_sql_bulk *b) {
  return b->constant_count + (b->number.len > 0);
}

// --- The statement -------------------------------------------------------------------------------

static void add_names(wh_buf *sql, const wh_sql_bulk *b) {
  for (size_t i = 0; i < b->constant_count; i++) {
    wh_mysql_add_name(sql, b->constants[i].name);
    wh_buf_add_c(sql, ", ");
  }
  if (b->number.len) {
    wh_mysql_add_name(sql, b->number);
    wh_buf_add_c(sql, ", ");
  }
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_mysql_add_name(sql, b->names[i]);
  }
}

static void add_group(wh_buf *sql, const wh_sql_bulk *b) {
  bool needed;
  wh_buf_add_char(sql, '(');
  for (size_t i = 0; i < fixed_count(b); i++)
    wh_buf_add_c(sql, "?, ");
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    wh_buf_add_c(sql, i ? ", " : "");
    wh_mysql_add_converted(&b->batch->columns[i].type, &b->columns[i], WH_MYSQL_FORM_PARAM,
                           WH_STR("?"), sql, &needed);
  }
  wh_buf_add_char(sql, ')');
}

static wh_status prepare(insert *in, size_t rows, wh_error *err) {
  if (in->stmt && in->prepared == rows) return WH_OK;
  if (in->stmt) mysql_stmt_close(in->stmt);
  in->stmt = NULL;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, in->session->base.connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "INSERT INTO ");
  wh_buf_add_str(&sql, in->bulk->table);
  wh_buf_add_c(&sql, " (");
  add_names(&sql, in->bulk);
  wh_buf_add_c(&sql, ") VALUES ");
  for (size_t i = 0; i < rows; i++) {
    wh_buf_add_c(&sql, i ? ", " : "");
    add_group(&sql, in->bulk);
  }
  in->prepared = rows;
  return wh_mysql_prepare(in->session, &sql, "inserting rows", &in->stmt, err);
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status add_row(insert *in, size_t at, size_t row, wh_error *err) {
  const wh_sql_bulk *b = in->bulk;
  size_t *end = &in->ends[at * in->column_count];
  for (size_t i = 0; i < b->constant_count; i++) {
    wh_buf_add_i64(&in->text, b->constants[i].value);
    *end++ = in->text.len;
  }
  if (b->number.len) {
    wh_buf_add_u64(&in->text, row);
    *end++ = in->text.len;
  }
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    const wh_column *values = &b->batch->columns[i];
    if (wh_column_is_null(values, row)) {
      *end++ = NULL_VALUE;
      continue;
    }
    WH_TRY(wh_mysql_encode(values, row, &b->columns[i], WH_MYSQL_FORM_PARAM, &in->text, err));
    *end++ = in->text.len;
  }
  return wh_buf_check(&in->text, err);
}

// Only now, when the text does not move any more.
static void bind_values(insert *in, size_t rows) {
  const wh_sql_bulk *b = in->bulk;
  size_t from = 0, fixed = fixed_count(b);
  for (size_t i = 0; i < rows * in->column_count; i++) {
    size_t column = i % in->column_count;
    wh_str value = {0};
    if (in->ends[i] != NULL_VALUE) {
      value = wh_str_n(wh_buf_str(&in->text).data + from, in->ends[i] - from);
      from = in->ends[i];
    }
    bool is_bytes = column >= fixed && wh_mysql_is_bytes(&b->batch->columns[column - fixed].type);
    wh_mysql_bind_text(&in->binds[i], value, is_bytes);
  }
}

static wh_status send_rows(insert *in, size_t rows, wh_error *err) {
  if (rows == 0) return WH_OK;
  WH_TRY(prepare(in, rows, err));
  bind_values(in, rows);
  WH_TRY(wh_mysql_bind(in->session, in->stmt, in->binds, err));
  WH_TRY(wh_mysql_execute(in->session, in->stmt, "inserting rows", err));
  if (mysql_warning_count(in->session->handle)) return wh_mysql_fail_warning(in->session, err);
  wh_buf_clear(&in->text);
  return WH_OK;
}

static wh_status send_all(insert *in, wh_error *err) {
  size_t held = 0, bytes_max = WH_MYSQL_INSERT_BYTES;
  if (in->session->packet_max / 2 < bytes_max) bytes_max = (size_t)in->session->packet_max / 2;
  for (size_t i = 0; i < in->bulk->row_count; i++) {
    WH_TRY(add_row(in, held, in->bulk->rows[i], err));
    held++;
    if (held < in->rows_max && in->text.len < bytes_max) continue;
    WH_TRY(send_rows(in, held, err));
    held = 0;
  }
  return send_rows(in, held, err);
}

wh_status wh_mysql_insert(wh_mysql_session *s, const wh_sql_bulk *b, wh_error *err) {
  wh_mem *mem = s->base.connection->mem;
  insert in = {.session = s, .bulk = b};
  in.column_count = b->batch->schema->count + fixed_count(b);
  in.rows_max = WH_MYSQL_PARAMS_MAX / in.column_count;
  if (in.rows_max > WH_MYSQL_INSERT_ROWS) in.rows_max = WH_MYSQL_INSERT_ROWS;
  if (in.rows_max == 0) in.rows_max = 1;
  size_t values = in.rows_max * in.column_count;
  wh_buf_init(&in.text, mem, 0);
  in.ends = wh_mem_alloc(mem, values * sizeof *in.ends);
  in.binds = wh_mem_alloc(mem, values * sizeof *in.binds);
  wh_status status = in.ends && in.binds ? send_all(&in, err) : wh_fail_memory(err);
  if (in.stmt) mysql_stmt_close(in.stmt);
  wh_mem_free(mem, in.binds, values * sizeof *in.binds);
  wh_mem_free(mem, in.ends, values * sizeof *in.ends);
  wh_buf_free(&in.text);
  return status;
}
