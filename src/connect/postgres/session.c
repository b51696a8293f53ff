#include "connect/postgres/later.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>

enum { TICK_MS = 100, CANCEL_TEXT = 256 };

// Tells the server to end the statement in hand; whatever comes of it, the session is of no more
// use to whoever was asked to stop.
static wh_status stop(wh_pg_session *s, wh_error *err) {
  char text[CANCEL_TEXT];
  PGcancel *cancel = PQgetCancel(s->conn);
  if (cancel) (void)PQcancel(cancel, text, sizeof text);
  PQfreeCancel(cancel);
  return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop",
                 WH_STR_ARG(s->base.connection->name));
}

// Bytes that TLS has decrypted but libpq has not taken: no event on the socket tells of them.
static bool has_pending(const wh_pg_session *s) {
  SSL *ssl = PQsslStruct(s->conn, "OpenSSL");
  return ssl && SSL_pending(ssl) > 0;
}

wh_status wh_pg_wait(wh_pg_session *s, bool for_write, wh_error *err) {
  if (!for_write && has_pending(s)) return WH_OK;
  for (;;) {
    if (wh_pg_is_cancelled(s->base.connection)) return stop(s, err);
    struct pollfd fd = {.fd = PQsocket(s->conn),
                        .events = (short)(POLLIN | (for_write ? POLLOUT : 0))};
    int ready = poll(&fd, 1, TICK_MS);
    if (ready > 0) return WH_OK;
    if (ready < 0 && errno != EINTR) return WH_OK; // libpq meets the same and says so
  }
}

wh_status wh_pg_flush(wh_pg_session *s, const char *doing, wh_error *err) {
  for (;;) {
    int left = PQflush(s->conn);
    if (left == 0) return WH_OK;
    if (left < 0) return wh_pg_fail_lost(s, doing, err);
    WH_TRY(wh_pg_wait(s, true, err));
    // The server may be talking rather than listening; it has to be heard first.
    if (!PQconsumeInput(s->conn)) return wh_pg_fail_lost(s, doing, err);
  }
}

wh_status wh_pg_result(wh_pg_session *s, const char *doing, PGresult **ret, wh_error *err) {
  WH_TRY(wh_pg_flush(s, doing, err));
  while (PQisBusy(s->conn)) {
    WH_TRY(wh_pg_wait(s, false, err));
    if (!PQconsumeInput(s->conn)) return wh_pg_fail_lost(s, doing, err);
  }
  *ret = PQgetResult(s->conn);
  return WH_OK;
}

bool wh_pg_is_good(const PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

static bool is_copy(const PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

// Takes all results of what was sent; keeps the first failure, or else the last.
static wh_status collect(wh_pg_session *s, const char *doing, PGresult **ret, wh_error *err) {
  PGresult *kept = NULL;
  for (;;) {
    PGresult *next = NULL;
    wh_status status = wh_pg_result(s, doing, &next, err);
    if (status != WH_OK) {
      PQclear(kept);
      return status;
    }
    if (!next) break;
    bool failed = kept && !wh_pg_is_good(kept);
    PQclear(failed ? next : kept);
    if (!failed) kept = next;
    if (is_copy(kept)) break; // more comes only once rows have gone
  }
  if (!kept) return wh_pg_fail_lost(s, doing, err);
  *ret = kept;
  return WH_OK;
}

wh_status wh_pg_copy_params(const wh_str *params, size_t count, wh_arena *arena, const char ***ret,
                            wh_error *err) {
  const char **values = WH_NEW_ARRAY(arena, count, const char *);
  if (!values) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    if (!params[i].data) continue;
    if (params[i].len && memchr(params[i].data, 0, params[i].len))
      return wh_fail(err, WH_ERR_TYPE, "has a NUL character, which PostgreSQL's text cannot hold");
    values[i] = wh_arena_cstr(arena, params[i]);
    if (!values[i]) return wh_fail_memory(err);
  }
  *ret = values;
  return WH_OK;
}

static wh_status take_good(wh_pg_session *s, const char *doing, PGresult **ret, wh_error *err) {
  PGresult *result = NULL;
  WH_TRY(collect(s, doing, &result, err));
  if (!wh_pg_is_good(result)) {
    wh_status status = wh_pg_fail_result(s, result, doing, err);
    PQclear(result);
    return status;
  }
  *ret = result;
  return WH_OK;
}

wh_status wh_pg_exec(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count, bool binary,
                     const char *doing, PGresult **ret, wh_error *err) {
  const char **values = NULL;
  wh_arena_reset(&s->scratch);
  WH_TRY(wh_pg_copy_params(params, count, &s->scratch, &values, err));
  const char *text = wh_arena_cstr(&s->scratch, sql);
  if (!text) return wh_fail_memory(err);
  wh_pg_later own = {
      .text = text, .is_binary = binary, .count = (int)count, .params = values, .ret = ret};
  if (s->later_count) return wh_pg_exec_behind(s, &own, doing, err);
  if (!PQsendQueryParams(s->conn, text, (int)count, NULL, values, NULL, NULL, binary))
    return wh_pg_fail_lost(s, doing, err);
  return take_good(s, doing, ret, err);
}

wh_status wh_pg_exec_prepared(wh_pg_session *s, const char *name, const wh_str *params,
                              size_t count, const char *doing, PGresult **ret, wh_error *err) {
  const char **values = NULL;
  wh_arena_reset(&s->scratch);
  WH_TRY(wh_pg_copy_params(params, count, &s->scratch, &values, err));
  wh_pg_later own = {.text = name,
                     .is_prepared = true,
                     .is_binary = true,
                     .count = (int)count,
                     .params = values,
                     .ret = ret};
  if (s->later_count) return wh_pg_exec_behind(s, &own, doing, err);
  if (!PQsendQueryPrepared(s->conn, name, (int)count, values, NULL, NULL, 1))
    return wh_pg_fail_lost(s, doing, err);
  return take_good(s, doing, ret, err);
}

wh_status wh_pg_run_c(wh_pg_session *s, const char *sql, wh_error *err) {
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(wh_pg_send_later(s, "running a statement", err));
  if (!PQsendQuery(s->conn, sql)) return wh_pg_fail_lost(s, "running a statement", err);
  return take_good(s, "running a statement", &result, err);
}

wh_status wh_pg_run(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count,
                    uint64_t *ret_rows, wh_error *err) {
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  if (wh_str_is(sql, "ROLLBACK")) wh_pg_forget_later(s);
  WH_TRY(wh_pg_exec(s, sql, params, count, false, "running a statement", &result, err));
  // COMMIT of a transaction that has failed rolls it back, and says so in no other way.
  if (wh_str_is(sql, "COMMIT") && strcmp(PQcmdStatus(result), "COMMIT") != 0)
    return wh_fail(err, WH_ERR_BUG, "%.*s: the transaction had failed, and was rolled back",
                   WH_STR_ARG(s->base.connection->name));
  uint64_t rows = 0;
  (void)wh_str_to_u64(wh_str_of(PQcmdTuples(result)), &rows);
  if (ret_rows) *ret_rows = rows;
  return WH_OK;
}

wh_status wh_pg_ask(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count,
                    wh_sql_row_visit visit, void *context, wh_error *err) {
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(wh_pg_exec(s, sql, params, count, false, "asking", &result, err));
  int rows = PQntuples(result), columns = PQnfields(result);
  // Not in the scratch arena: the visitor may run statements of its own.
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->base.connection->mem);
  wh_str *values = WH_NEW_ARRAY(&arena, columns > 0 ? (size_t)columns : 1, wh_str);
  if (!values) return wh_fail_memory(err);
  for (int row = 0; row < rows; row++) {
    for (int i = 0; i < columns; i++)
      values[i] = PQgetisnull(result, row, i)
                      ? (wh_str){0}
                      : wh_str_n(PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i));
    WH_TRY(visit(context, values, (size_t)columns, err));
  }
  return WH_OK;
}

wh_status wh_pg_describe(wh_pg_session *s, const char *name, wh_str sql, PGresult **ret,
                         wh_error *err) {
  wh_arena_reset(&s->scratch);
  const char *text = wh_arena_cstr(&s->scratch, sql);
  if (!text) return wh_fail_memory(err);
  WH_TRY(wh_pg_send_later(s, "preparing a statement", err));
  if (!PQsendPrepare(s->conn, name, text, 0, NULL))
    return wh_pg_fail_lost(s, "preparing a statement", err);
  PGresult *result = NULL;
  WH_TRY(collect(s, "preparing a statement", &result, err));
  if (wh_pg_is_good(result)) {
    PQclear(result);
    if (!PQsendDescribePrepared(s->conn, name))
      return wh_pg_fail_lost(s, "preparing a statement", err);
    WH_TRY(collect(s, "preparing a statement", &result, err));
  }
  *ret = result;
  return WH_OK;
}

// What waits goes in the same message, which has to be one of the simple kind then: COPY cannot be
// part of a pipeline.
static wh_status send_copy(wh_pg_session *s, wh_str sql, const char *doing, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, s->base.connection->mem, WH_PG_SQL_MAX);
  WH_TRY(wh_pg_join_later(s, doing, &text, err));
  bool is_alone = text.len == 0;
  wh_buf_add_str(&text, sql);
  wh_buf_add_char(&text, 0);
  WH_TRY(wh_buf_check(&text, err));
  bool sent = is_alone ? PQsendQueryParams(s->conn, text.data, 0, NULL, NULL, NULL, NULL, 1)
                       : PQsendQuery(s->conn, text.data);
  return sent ? WH_OK : wh_pg_fail_lost(s, doing, err);
}

wh_status wh_pg_start_copy(wh_pg_session *s, wh_str sql, ExecStatusType want, const char *doing,
                           wh_error *err) {
  WH_TRY(send_copy(s, sql, doing, err));
  for (;;) {
    WH_CLEAN_PG_RESULT PGresult *result = NULL;
    WH_TRY(wh_pg_result(s, doing, &result, err));
    if (PQresultStatus(result) == want) return WH_OK;
    if (result && wh_pg_is_good(result)) continue; // of what had waited
    wh_status status = wh_pg_fail_result(s, result, doing, err);
    PGresult *rest = NULL;
    while (wh_pg_result(s, doing, &rest, NULL) == WH_OK && rest)
      PQclear(rest);
    return status;
  }
}

wh_status wh_pg_finish(wh_pg_session *s, const char *doing, wh_error *err) {
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  return take_good(s, doing, &result, err);
}

bool wh_pg_add_name(wh_buf *sql, wh_str name) {
  wh_buf_add_char(sql, '"');
  for (size_t i = 0; i < name.len; i++) {
    if (name.data[i] == '"') wh_buf_add_char(sql, '"');
    wh_buf_add_char(sql, name.data[i]);
  }
  return wh_buf_add_char(sql, '"');
}
