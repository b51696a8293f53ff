// Statements: run, ask, prepare, fetch; and waiting for the server in a way that can be ended.
#include "connect/mysql/session.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

enum {
  WAIT_FIRST_MS = 1,
  WAIT_SLICE_MS = 100, // how long it takes to notice that the program is asked to stop
  NUMBER_TEXT = 64,    // what the text of a value that is not text needs at most
};

// The library's callback has no context of its own.
static _Thread_local const wh_connection *waiting;
static _Thread_local int wait_ms = WAIT_FIRST_MS;

void wh_mysql_will_wait(const wh_mysql_session *s) {
  waiting = s->base.connection;
  wait_ms = WAIT_FIRST_MS;
}

static bool is_cancelled(const wh_connection *c) {
  return c && c->cancel && atomic_load(c->cancel);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Over TLS the library asks to wait for reading when it has to write, too (and looks only when the
// socket does not block, which is why it does not). So a wait without a limit ends soon even when
// nothing has come: the library tries again and, if it was a reading, waits longer the next time.
int wh_mysql_wait_io(my_socket handle, my_bool is_read, int timeout_ms) {
  struct pollfd fd = {.fd = (int)handle, .events = is_read ? POLLIN : POLLOUT};
  int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : INT64_MAX;
  for (;;) {
    int slice = timeout_ms > 0 ? WAIT_SLICE_MS : wait_ms;
    int ready = poll(&fd, 1, slice);
    if (ready > 0) wait_ms = WAIT_FIRST_MS;
    if (ready > 0 || (ready < 0 && errno != EINTR)) return ready;
    if (is_cancelled(waiting) || now_ms() >= end) {
      errno = ETIMEDOUT;
      return 0;
    }
    if (timeout_ms > 0) continue;
    if (wait_ms < WAIT_SLICE_MS) wait_ms *= 2;
    return 1;
  }
}

static wh_status fail(wh_mysql_session *s, MYSQL_STMT *stmt, const char *doing, wh_error *err) {
  wh_mysql_trouble t = wh_mysql_trouble_of(s, stmt);
  return wh_mysql_fail(s, &t, doing, err);
}

bool wh_mysql_add_name(wh_buf *sql, wh_str name) {
  wh_buf_add_char(sql, '`');
  for (size_t i = 0; i < name.len; i++) {
    if (name.data[i] == '`') wh_buf_add_char(sql, '`');
    wh_buf_add_char(sql, name.data[i]);
  }
  return wh_buf_add_char(sql, '`');
}

// --- Without parameters --------------------------------------------------------------------------

wh_status wh_mysql_run(wh_mysql_session *s, wh_str sql, const char *doing, uint64_t *ret_rows,
                       wh_error *err) {
  wh_mysql_will_wait(s);
  if (mysql_real_query(s->handle, sql.data, sql.len)) return fail(s, NULL, doing, err);
  if (mysql_field_count(s->handle)) {
    MYSQL_RES *result = mysql_store_result(s->handle);
    if (!result) return fail(s, NULL, doing, err);
    mysql_free_result(result);
  }
  if (ret_rows) *ret_rows = mysql_affected_rows(s->handle);
  return WH_OK;
}

wh_status wh_mysql_run_c(wh_mysql_session *s, const char *sql, wh_error *err) {
  return wh_mysql_run(s, wh_str_of(sql), sql, NULL, err);
}

static wh_status visit_texts(MYSQL_RES *result, wh_str *values, wh_sql_row_visit visit,
                             void *context, wh_error *err) {
  unsigned count = mysql_num_fields(result);
  MYSQL_ROW row;
  while ((row = mysql_fetch_row(result))) {
    const unsigned long *lengths = mysql_fetch_lengths(result);
    for (unsigned i = 0; i < count; i++)
      values[i] = row[i] ? wh_str_n(row[i], lengths[i]) : (wh_str){0};
    WH_TRY(visit(context, values, count, err));
  }
  return WH_OK;
}

static wh_status ask_plain(wh_mysql_session *s, wh_str sql, wh_sql_row_visit visit, void *context,
                           wh_error *err) {
  wh_mem *mem = s->base.connection->mem;
  wh_mysql_will_wait(s);
  if (mysql_real_query(s->handle, sql.data, sql.len)) return fail(s, NULL, "asking", err);
  MYSQL_RES *result = mysql_store_result(s->handle);
  if (!result) return fail(s, NULL, "asking", err);
  size_t size = mysql_num_fields(result) * sizeof(wh_str);
  wh_str *values = wh_mem_alloc(mem, size);
  wh_status status =
      values ? visit_texts(result, values, visit, context, err) : wh_fail_memory(err);
  wh_mem_free(mem, values, size);
  mysql_free_result(result);
  return status;
}

// --- Prepared ------------------------------------------------------------------------------------

wh_status wh_mysql_prepare(wh_mysql_session *s, const wh_buf *sql, const char *doing,
                           MYSQL_STMT **ret, wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  wh_mysql_will_wait(s);
  MYSQL_STMT *stmt = mysql_stmt_init(s->handle);
  if (!stmt) return wh_fail_memory(err);
  if (mysql_stmt_prepare(stmt, sql->data, sql->len)) {
    wh_status status = fail(s, stmt, doing, err);
    mysql_stmt_close(stmt);
    return status;
  }
  *ret = stmt;
  return WH_OK;
}

void wh_mysql_bind_text(MYSQL_BIND *bind, wh_str value, bool is_binary) {
  *bind = (MYSQL_BIND){.buffer_type = is_binary ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING};
  if (!value.data) {
    bind->buffer_type = MYSQL_TYPE_NULL;
    return;
  }
  bind->buffer = (void *)(uintptr_t)value.data;
  bind->buffer_length = value.len; // which is the length where none is given
}

// The library copies the binds, but not what they point to.
wh_status wh_mysql_bind(wh_mysql_session *s, MYSQL_STMT *stmt, MYSQL_BIND *binds, wh_error *err) {
  if (mysql_stmt_param_count(stmt) == 0 || !mysql_stmt_bind_param(stmt, binds)) return WH_OK;
  return fail(s, stmt, "asking", err);
}

wh_status wh_mysql_execute(wh_mysql_session *s, MYSQL_STMT *stmt, const char *doing,
                           wh_error *err) {
  wh_mysql_will_wait(s);
  return mysql_stmt_execute(stmt) ? fail(s, stmt, doing, err) : WH_OK;
}

wh_status wh_mysql_fetch(wh_mysql_session *s, MYSQL_STMT *stmt, const char *doing, bool *ret_row,
                         wh_error *err) {
  wh_mysql_will_wait(s);
  int rc = mysql_stmt_fetch(stmt);
  *ret_row = rc == 0 || rc == MYSQL_DATA_TRUNCATED;
  return *ret_row || rc == MYSQL_NO_DATA ? WH_OK : fail(s, stmt, doing, err);
}

// The statement with its parameters, executed. The binds live as long as it is executed.
static wh_status execute_texts(wh_mysql_session *s, wh_str sql, const wh_str *params, size_t count,
                               MYSQL_STMT **ret, wh_error *err) {
  wh_mem *mem = s->base.connection->mem;
  wh_buf text = {.data = (char *)(uintptr_t)sql.data, .len = sql.len};
  WH_TRY(wh_mysql_prepare(s, &text, "asking", ret, err));
  if (mysql_stmt_param_count(*ret) != count)
    return wh_fail(err, WH_ERR_BUG, "%zu parameters for a statement of %lu", count,
                   mysql_stmt_param_count(*ret));
  MYSQL_BIND *binds = wh_mem_alloc(mem, count * sizeof *binds);
  if (!binds) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    wh_mysql_bind_text(&binds[i], params[i], false);
  wh_status status = wh_mysql_bind(s, *ret, binds, err);
  if (status == WH_OK) status = wh_mysql_execute(s, *ret, "asking", err);
  wh_mem_free(mem, binds, count * sizeof *binds);
  return status;
}

wh_status wh_mysql_run_sql(wh_sql_session *base, wh_str sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err) {
  wh_mysql_session *s = (wh_mysql_session *)base;
  if (count == 0) return wh_mysql_run(s, sql, "loading", ret_rows, err);
  WH_CLEAN_MYSQL_STMT MYSQL_STMT *stmt = NULL;
  WH_TRY(execute_texts(s, sql, params, count, &stmt, err));
  if (ret_rows) *ret_rows = mysql_stmt_affected_rows(stmt);
  return WH_OK;
}

// A value of the row at hand as text, in the arena.
static wh_status text_of(MYSQL_STMT *stmt, unsigned column, wh_arena *arena, wh_str *ret,
                         wh_error *err) {
  *ret = (wh_str){0};
  if (!wh_mysql_cell(stmt, column)) return WH_OK;
  size_t room = stmt->bind[column].length_value + NUMBER_TEXT;
  char *text = wh_arena_alloc(arena, room);
  if (!text) return wh_fail_memory(err);
  unsigned long len = 0;
  MYSQL_BIND bind = {
      .buffer_type = MYSQL_TYPE_STRING, .buffer = text, .buffer_length = room, .length = &len};
  if (mysql_stmt_fetch_column(stmt, &bind, column, 0))
    return wh_fail(err, WH_ERR_BUG, "a value could not be read as text");
  *ret = wh_str_n(text, len);
  return WH_OK;
}

static wh_status visit_rows(wh_mysql_session *s, MYSQL_STMT *stmt, wh_arena *arena,
                            wh_sql_row_visit visit, void *context, wh_error *err) {
  unsigned count = mysql_stmt_field_count(stmt);
  for (;;) {
    bool row;
    WH_TRY(wh_mysql_fetch(s, stmt, "asking", &row, err));
    if (!row) return WH_OK;
    wh_arena_reset(arena);
    wh_str *values = WH_NEW_ARRAY(arena, count, wh_str);
    if (!values) return wh_fail_memory(err);
    for (unsigned i = 0; i < count; i++)
      WH_TRY(text_of(stmt, i, arena, &values[i], err));
    WH_TRY(visit(context, values, count, err));
  }
}

// Answers are taken whole, so that a visitor may use the session.
wh_status wh_mysql_ask(wh_sql_session *base, wh_str sql, const wh_str *params, size_t count,
                       wh_sql_row_visit visit, void *context, wh_error *err) {
  wh_mysql_session *s = (wh_mysql_session *)base;
  if (count == 0) return ask_plain(s, sql, visit, context, err);
  WH_CLEAN_MYSQL_STMT MYSQL_STMT *stmt = NULL;
  WH_TRY(execute_texts(s, sql, params, count, &stmt, err));
  if (mysql_stmt_store_result(stmt)) return fail(s, stmt, "asking", err);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->base.connection->mem);
  return visit_rows(s, stmt, &arena, visit, context, err);
}
