// Rows into a table by TDS bulk copy. The session's own tables are filled directly. Any other goes
// by way of one of them and INSERT ... SELECT: bulk copy would leave out its checks, its triggers
// and its defaults.
#include "connect/sqlserver/encode.h"

#include <sys/socket.h>

#define OWN_TABLE "[#_wherry_bulk]"

static bool is_own(wh_str table) {
  return wh_str_starts(table, "[#");
}

// --- Copying -------------------------------------------------------------------------------------

typedef struct copying {
  wh_mssql_session *session;
  const wh_sql_bulk *bulk;
  wh_mssql_cell *cells; // one for each column, that of the number first
  size_t first;         // cell of the batch's first column
  size_t count;
} copying;

// The server waits for the rest of a row that will not come.
static void cut(copying *c) {
  int fd = DBDEAD(c->session->db) ? -1 : dbiordesc(c->session->db);
  if (fd >= 0) shutdown(fd, SHUT_RDWR);
}

static wh_status make_cells(copying *c, wh_error *err) {
  const wh_sql_bulk *b = c->bulk;
  wh_mem *mem = c->session->base.connection->mem;
  c->first = b->number.len > 0;
  c->count = c->first + b->batch->schema->count;
  c->cells = wh_mem_alloc_zero(mem, c->count * sizeof *c->cells);
  if (!c->cells) return wh_fail_memory(err);
  for (size_t i = 0; i < c->count; i++) {
    c->cells[i].type = i < c->first ? SYBINT4 : wh_mssql_bulk_type(&b->columns[i - c->first]);
    wh_buf_init(&c->cells[i].text, mem, 0);
  }
  return WH_OK;
}

static void free_cells(copying *c) {
  for (size_t i = 0; c->cells && i < c->count; i++)
    wh_buf_free(&c->cells[i].text);
  wh_mem_free(c->session->base.connection->mem, c->cells, c->count * sizeof *c->cells);
}

static wh_status start(copying *c, const char *table, wh_error *err) {
  DBPROCESS *db = c->session->db;
  wh_mssql_enter(c->session);
  dbcancel(db);
  if (bcp_init(db, table, NULL, NULL, DB_IN) != SUCCEED)
    return wh_mssql_fail(c->session, "loading rows", err);
  for (size_t i = 0; i < c->count; i++) {
    BYTE *data = (BYTE *)&c->cells[i].as;
    if (bcp_bind(db, data, 0, -1, NULL, 0, c->cells[i].type, (int)i + 1) != SUCCEED)
      return wh_mssql_fail(c->session, "loading rows", err);
  }
  return WH_OK;
}

static wh_status send_row(copying *c, uint32_t row, wh_error *err) {
  const wh_sql_bulk *b = c->bulk;
  DBPROCESS *db = c->session->db;
  if (c->first) {
    c->cells[0].as.i32 = (int32_t)row;
    c->cells[0].data = (const BYTE *)&c->cells[0].as;
    c->cells[0].len = -1;
  }
  for (size_t i = c->first; i < c->count; i++)
    WH_TRY(wh_mssql_encode(&b->batch->columns[i - c->first], row, &b->columns[i - c->first],
                           &c->cells[i], err));
  for (size_t i = 0; i < c->count; i++) {
    bcp_collen(db, c->cells[i].len, (int)i + 1);
    bcp_colptr(db, (BYTE *)(uintptr_t)c->cells[i].data, (int)i + 1);
  }
  if (bcp_sendrow(db) == SUCCEED) return WH_OK;
  wh_status status = wh_mssql_fail(c->session, "loading rows", err);
  cut(c);
  return status;
}

static wh_status send_all(copying *c, const char *table, wh_error *err) {
  WH_TRY(make_cells(c, err));
  WH_TRY(start(c, table, err));
  for (size_t i = 0; i < c->bulk->row_count; i++) {
    wh_status status = send_row(c, c->bulk->rows[i], err);
    if (status == WH_OK) continue;
    if (i) cut(c);
    return status;
  }
  DBINT sent = bcp_done(c->session->db);
  if (sent < 0 || c->session->trouble.code) return wh_mssql_fail(c->session, "loading rows", err);
  return WH_OK;
}

static wh_status copy(wh_mssql_session *s, const wh_sql_bulk *bulk, const char *table,
                      wh_error *err) {
  copying c = {.session = s, .bulk = bulk};
  wh_status status = send_all(&c, table, err);
  free_cells(&c);
  return status;
}

// --- By way of a table of our own ----------------------------------------------------------------

static wh_status make_own(wh_mssql_session *s, const wh_sql_bulk *b, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "IF OBJECT_ID(N'tempdb.." OWN_TABLE "') IS NOT NULL DROP TABLE " OWN_TABLE);
  WH_TRY(wh_buf_check(&sql, err));
  WH_TRY(wh_mssql_run(s, wh_buf_str(&sql), "loading rows", NULL, err));
  wh_buf_clear(&sql);
  wh_buf_add_c(&sql, "CREATE TABLE " OWN_TABLE " (");
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    if (i) wh_buf_add_c(&sql, ", ");
    wh_mssql_add_name(&sql, b->names[i]);
    wh_buf_printf(&sql, " %.*s NULL", WH_STR_ARG(b->columns[i].declared));
  }
  wh_buf_add_char(&sql, ')');
  WH_TRY(wh_buf_check(&sql, err));
  return wh_mssql_run(s, wh_buf_str(&sql), "loading rows", NULL, err);
}

static wh_status insert_own(wh_mssql_session *s, const wh_sql_bulk *b, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "INSERT INTO %.*s (", WH_STR_ARG(b->table));
  for (size_t i = 0; i < b->constant_count; i++) {
    wh_mssql_add_name(&sql, b->constants[i].name);
    wh_buf_add_c(&sql, ", ");
  }
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    if (i) wh_buf_add_c(&sql, ", ");
    wh_mssql_add_name(&sql, b->names[i]);
  }
  wh_buf_add_c(&sql, ") SELECT ");
  for (size_t i = 0; i < b->constant_count; i++)
    wh_buf_printf(&sql, "CAST(%lld AS bigint), ", (long long)b->constants[i].value);
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    if (i) wh_buf_add_c(&sql, ", ");
    wh_mssql_add_name(&sql, b->names[i]);
  }
  wh_buf_add_c(&sql, " FROM " OWN_TABLE);
  WH_TRY(wh_buf_check(&sql, err));
  return wh_mssql_run(s, wh_buf_str(&sql), "loading rows", NULL, err);
}

wh_status wh_mssql_bulk(wh_sql_session *base, const wh_sql_bulk *bulk, wh_error *err) {
  wh_mssql_session *s = (wh_mssql_session *)base;
  char table[2 * 128 + 16];
  if (bulk->row_count == 0) return WH_OK;
  if (!is_own(bulk->table)) {
    WH_TRY(make_own(s, bulk, err));
    WH_TRY(copy(s, bulk, OWN_TABLE, err));
    return insert_own(s, bulk, err);
  }
  snprintf(table, sizeof table, "%.*s", WH_STR_ARG(bulk->table));
  return copy(s, bulk, table, err);
}
