// Statements: those without parameters go as they are, the others through sp_executesql, so that
// values never become part of SQL.
#include "connect/sqlserver/session.h"

enum {
  NUMBER_TEXT = 64,      // what the text of a value that is not text needs at most
  PARAMS_MAX = 2000,     // the server takes 2100
  PARAM_NAME_BYTES = 16, // "@P2000"
};

// --- Names ---------------------------------------------------------------------------------------

bool wh_mssql_add_name(wh_buf *sql, wh_str name) {
  wh_buf_add_char(sql, '[');
  for (size_t i = 0; i < name.len; i++) {
    if (name.data[i] == ']') wh_buf_add_char(sql, ']');
    wh_buf_add_char(sql, name.data[i]);
  }
  return wh_buf_add_char(sql, ']');
}

bool wh_mssql_add_text(wh_buf *sql, wh_str text) {
  wh_buf_add_c(sql, "N'");
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\'') wh_buf_add_char(sql, '\'');
    wh_buf_add_char(sql, text.data[i]);
  }
  return wh_buf_add_char(sql, '\'');
}

// --- Sending -------------------------------------------------------------------------------------

// What an earlier statement left behind must not answer for this one.
static void clear(wh_mssql_session *s) {
  if (DBDEAD(s->db)) return;
  dbcancel(s->db);
  dbfreebuf(s->db);
  dbrpcinit(s->db, "", DBRPCRESET);
}

static wh_status fail_sent(wh_mssql_session *s, const char *doing, wh_error *err) {
  wh_status status = wh_mssql_fail(s, doing, err);
  wh_mssql_trouble trouble = s->trouble;
  if (!DBDEAD(s->db)) dbcancel(s->db);
  s->trouble = trouble;
  return status;
}

static wh_status send_plain(wh_mssql_session *s, const char *sql, const char *doing,
                            wh_error *err) {
  wh_mssql_enter(s);
  if (dbcmd(s->db, sql) != SUCCEED) return fail_sent(s, doing, err);
  return dbsqlexec(s->db) == SUCCEED ? WH_OK : fail_sent(s, doing, err);
}

// `@P1 nvarchar(max),...`, and what has to be put in front of the statement: the library cannot
// send a text that is empty, which it takes for NULL.
static void declare(const wh_str *params, size_t count, wh_buf *declared, wh_buf *sql) {
  for (size_t i = 0; i < count; i++) {
    wh_buf_printf(declared, "%s@P%zu nvarchar(%s)", i ? "," : "", i + 1,
                  params[i].len > WH_MSSQL_PARAM_MAX ? "max" : "4000");
    if (params[i].data && params[i].len == 0) wh_buf_printf(sql, "SET @P%zu = N'' ", i + 1);
  }
}

static bool add_param(wh_mssql_session *s, const char *name, wh_str value) {
  // The library does not write to it.
  BYTE *data = (BYTE *)(uintptr_t)value.data;
  int type = value.len > WH_MSSQL_PARAM_MAX ? SYBNTEXT : SYBVARCHAR;
  if (!value.data || value.len == 0)
    return dbrpcparam(s->db, name, 0, SYBVARCHAR, -1, 0, NULL) == SUCCEED;
  if (value.len > INT32_MAX) return false;
  return dbrpcparam(s->db, name, 0, type, -1, (DBINT)value.len, data) == SUCCEED;
}

static bool add_params(wh_mssql_session *s, const wh_buf *sql, const wh_buf *declared,
                       const wh_str *params, size_t count) {
  if (!add_param(s, "@stmt", wh_buf_str(sql)) || !add_param(s, "@params", wh_buf_str(declared)))
    return false;
  for (size_t i = 0; i < count; i++) {
    char name[PARAM_NAME_BYTES];
    snprintf(name, sizeof name, "@P%zu", i + 1);
    if (!add_param(s, name, params[i])) return false;
  }
  return true;
}

static wh_status send_rpc(wh_mssql_session *s, wh_buf *sql, wh_str given, const wh_str *params,
                          size_t count, const char *doing, wh_error *err) {
  WH_CLEAN_BUF wh_buf declared;
  wh_buf_init(&declared, s->base.connection->mem, WH_SQL_TEXT_MAX);
  declare(params, count, &declared, sql);
  wh_buf_add_str(sql, given);
  WH_TRY(wh_buf_check(&declared, err));
  WH_TRY(wh_buf_check(sql, err));
  wh_mssql_enter(s);
  bool sent = dbrpcinit(s->db, "sp_executesql", 0) == SUCCEED &&
              add_params(s, sql, &declared, params, count) && dbrpcsend(s->db) == SUCCEED;
  if (!sent || dbsqlok(s->db) != SUCCEED) return fail_sent(s, doing, err);
  return WH_OK;
}

wh_status wh_mssql_send(wh_mssql_session *s, wh_str given, const wh_str *params, size_t count,
                        const char *doing, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_SQL_TEXT_MAX);
  if (count > PARAMS_MAX)
    return wh_fail(err, WH_ERR_BUG, "%zu parameters, the server takes %d", count, PARAMS_MAX);
  wh_mssql_enter(s);
  clear(s);
  if (count) return send_rpc(s, &sql, given, params, count, doing, err);
  wh_buf_add_str(&sql, given);
  WH_TRY(wh_buf_check(&sql, err));
  return send_plain(s, sql.data, doing, err);
}

// --- Answers -------------------------------------------------------------------------------------

wh_status wh_mssql_next_result(wh_mssql_session *s, const char *doing, bool *ret_more,
                               wh_error *err) {
  wh_mssql_enter(s);
  RETCODE rc = dbresults(s->db);
  if (s->trouble.code || (rc != SUCCEED && rc != NO_MORE_RESULTS)) return fail_sent(s, doing, err);
  *ret_more = rc == SUCCEED;
  return WH_OK;
}

wh_status wh_mssql_fetch(wh_mssql_session *s, const char *doing, bool *ret_row, wh_error *err) {
  wh_mssql_enter(s);
  STATUS rc = dbnextrow(s->db);
  if (s->trouble.code || (rc != REG_ROW && rc != NO_MORE_ROWS)) return fail_sent(s, doing, err);
  *ret_row = rc == REG_ROW;
  return WH_OK;
}

// Rows that were changed: of the last statement that counts.
wh_status wh_mssql_finish(wh_mssql_session *s, const char *doing, uint64_t *ret_rows,
                          wh_error *err) {
  uint64_t rows = 0;
  for (;;) {
    bool more, row = true;
    WH_TRY(wh_mssql_next_result(s, doing, &more, err));
    if (!more) break;
    if (dbnumcols(s->db) > 0)
      while (row)
        WH_TRY(wh_mssql_fetch(s, doing, &row, err));
    DBINT count = dbcount(s->db);
    if (dbiscount(s->db) && count >= 0) rows = (uint64_t)count;
  }
  if (ret_rows) *ret_rows = rows;
  return WH_OK;
}

wh_status wh_mssql_run(wh_mssql_session *s, wh_str sql, const char *doing, uint64_t *ret_rows,
                       wh_error *err) {
  WH_TRY(wh_mssql_send(s, sql, NULL, 0, doing, err));
  return wh_mssql_finish(s, doing, ret_rows, err);
}

// Takes no memory of ours: it also ends what could not go on.
wh_status wh_mssql_run_c(wh_mssql_session *s, const char *sql, wh_error *err) {
  wh_mssql_enter(s);
  clear(s);
  WH_TRY(send_plain(s, sql, sql, err));
  return wh_mssql_finish(s, sql, NULL, err);
}

wh_status wh_mssql_run_sql(wh_sql_session *base, wh_str sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err) {
  wh_mssql_session *s = (wh_mssql_session *)base;
  WH_TRY(wh_mssql_send(s, sql, params, count, "loading", err));
  return wh_mssql_finish(s, "loading", ret_rows, err);
}

// --- Questions -----------------------------------------------------------------------------------

// The rows of an answer, kept until all have come: a visitor may use the session.
typedef struct answer {
  wh_arena arena;
  wh_str *values; // row after row
  size_t count, cap;
  size_t columns;
} answer;

static wh_status text_of(wh_mssql_session *s, int column, wh_arena *arena, wh_str *ret,
                         wh_error *err) {
  const BYTE *data = dbdata(s->db, column);
  DBINT len = dbdatlen(s->db, column);
  *ret = (wh_str){0};
  if (!data) return WH_OK;
  int type = dbcoltype(s->db, column);
  if (type == SYBCHAR || type == SYBTEXT || type == SYBVARCHAR || type == SYBNTEXT) {
    *ret = wh_arena_str(arena, wh_str_n((const char *)data, (size_t)len));
    return ret->data ? WH_OK : wh_fail_memory(err);
  }
  size_t room = 2 * (size_t)len + NUMBER_TEXT;
  char *text = wh_arena_alloc(arena, room);
  if (!text) return wh_fail_memory(err);
  DBINT wrote = dbconvert(s->db, type, data, len, SYBCHAR, (BYTE *)text, (DBINT)room);
  if (wrote < 0) return wh_fail(err, WH_ERR_BUG, "a value could not be read as text");
  while (wrote > 0 && text[wrote - 1] == ' ') // converted values are padded
    wrote--;
  *ret = wh_str_n(text, (size_t)wrote);
  return WH_OK;
}

static wh_status keep_row(wh_mssql_session *s, answer *a, wh_error *err) {
  if (a->count + a->columns > a->cap) {
    size_t cap = a->cap ? a->cap * 2 : 16 * a->columns;
    wh_str *values = WH_NEW_ARRAY(&a->arena, cap, wh_str);
    if (!values) return wh_fail_memory(err);
    if (a->count) memcpy(values, a->values, a->count * sizeof *values);
    a->values = values;
    a->cap = cap;
  }
  for (size_t i = 0; i < a->columns; i++)
    WH_TRY(text_of(s, (int)i + 1, &a->arena, &a->values[a->count + i], err));
  a->count += a->columns;
  return WH_OK;
}

static wh_status keep_rows(wh_mssql_session *s, answer *a, wh_error *err) {
  for (;;) {
    bool more, row;
    WH_TRY(wh_mssql_next_result(s, "asking", &more, err));
    if (!more) return WH_OK;
    int columns = dbnumcols(s->db);
    if (columns <= 0 || a->columns) continue;
    a->columns = (size_t)columns;
    for (;;) {
      WH_TRY(wh_mssql_fetch(s, "asking", &row, err));
      if (!row) break;
      WH_TRY(keep_row(s, a, err));
    }
  }
}

static wh_status visit_all(const answer *a, wh_sql_row_visit visit, void *context, wh_error *err) {
  for (size_t at = 0; at < a->count; at += a->columns)
    WH_TRY(visit(context, a->values + at, a->columns, err));
  return WH_OK;
}

wh_status wh_mssql_ask(wh_sql_session *base, wh_str sql, const wh_str *params, size_t count,
                       wh_sql_row_visit visit, void *context, wh_error *err) {
  wh_mssql_session *s = (wh_mssql_session *)base;
  answer a = {0};
  wh_arena_init(&a.arena, base->connection->mem);
  wh_status status = wh_mssql_send(s, sql, params, count, "asking", err);
  if (status == WH_OK) status = keep_rows(s, &a, err);
  if (status == WH_OK) status = visit_all(&a, visit, context, err);
  wh_arena_free(&a.arena);
  return status;
}
