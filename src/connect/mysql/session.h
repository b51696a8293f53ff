// A connection to the server, and the small vocabulary of everything that talks through it.
#pragma once

#include "connect/mysql/mysql.h"
#include "connect/sql.h"

#include <mysql.h>

struct wh_mysql_load;

typedef struct wh_mysql_session {
  wh_sql_session base;
  MYSQL *handle;
  int line; // the connection's socket, a descriptor of our own; -1: none
  bool is_mariadb;
  bool may_load;                 // the server takes LOAD DATA LOCAL
  uint64_t packet_max;           // bytes of one statement that it takes
  struct wh_mysql_load *loading; // the rows that LOAD DATA is to get; NULL: none
} wh_mysql_session;

// READ: what is read is one snapshot when it is read in one transaction; nothing can be written.
// WRITE: each statement sees what others have committed; strict about values.
wh_status wh_mysql_open(wh_connection *c, wh_sql_access access, wh_mysql_session **ret,
                        wh_error *err);
// Ends the line, so that nothing of the session can be committed any more.
void wh_mysql_cut(wh_mysql_session *s);
// Whether the server still holds its end: when it does, a lost connection is one that the library
// has given up.
bool wh_mysql_line_is_up(const wh_mysql_session *s);
// At once, whatever the server is still sending. NULL is fine.
void wh_mysql_close(wh_mysql_session *s);

static inline const wh_mysql_options *wh_mysql_options_of(const wh_mysql_session *s) {
  return s->base.connection->options;
}

// --- Errors (fail.c) -----------------------------------------------------------------------------

typedef struct wh_mysql_trouble {
  unsigned code; // of the server (1000 and up, 3000 and up) or of the client library (2000 and up)
  const char *state;
  const char *text;
} wh_mysql_trouble;

// What a failed call on the handle, or on a statement, left behind.
wh_mysql_trouble wh_mysql_trouble_of(wh_mysql_session *s, MYSQL_STMT *stmt);
// "NAME: <doing>: <what happened>" with the status and the retry flag that the code means. A value
// that the server refuses (WH_ERR_TYPE) is told without the name: see connect/sql.h.
// wh_sql_driver.hide_values.
void wh_mysql_hide_values(char *reason);
wh_status wh_mysql_fail(const wh_mysql_session *s, const wh_mysql_trouble *t, const char *doing,
                        wh_error *err);
// The same for a login that failed.
wh_status wh_mysql_fail_login(const wh_connection *c, const wh_mysql_trouble *t, wh_error *err);

// --- Statements (statement.c) --------------------------------------------------------------------

// Whatever waits for the server from here on, in this thread, waits for this connection: it ends
// when the program is asked to stop. Every call of the library that may wait comes after one.
void wh_mysql_will_wait(const wh_mysql_session *s);

int wh_mysql_wait_io(my_socket handle, my_bool is_read, int timeout_ms); // for the library

// One statement without parameters. `ret_rows` may be NULL.
wh_status wh_mysql_run(wh_mysql_session *s, wh_str sql, const char *doing, uint64_t *ret_rows,
                       wh_error *err);
wh_status wh_mysql_run_c(wh_mysql_session *s, const char *sql, wh_error *err);
// The caller closes the statement. The buffer is checked for having been built whole.
wh_status wh_mysql_prepare(wh_mysql_session *s, const wh_buf *sql, const char *doing,
                           MYSQL_STMT **ret, wh_error *err);
wh_status wh_mysql_bind(wh_mysql_session *s, MYSQL_STMT *stmt, MYSQL_BIND *binds, wh_error *err);
wh_status wh_mysql_execute(wh_mysql_session *s, MYSQL_STMT *stmt, const char *doing, wh_error *err);
// The next row; false in *ret_row at the end. Its values: wh_mysql_cell.
wh_status wh_mysql_fetch(wh_mysql_session *s, MYSQL_STMT *stmt, const char *doing, bool *ret_row,
                         wh_error *err);
// The value of the row at hand as the binary protocol has it (texts with their length in front);
// NULL: it is NULL. Lives until the next row.
static inline const uint8_t *wh_mysql_cell(const MYSQL_STMT *stmt, size_t column) {
  return stmt->bind[column].u.row_ptr;
}
// Fills in a parameter that is text (or bytes); one without data is NULL.
void wh_mysql_bind_text(MYSQL_BIND *bind, wh_str value, bool is_binary);

// The driver's verbs (connect/sql.h).
wh_status wh_mysql_run_sql(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err);
wh_status wh_mysql_ask(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                       wh_sql_row_visit visit, void *context, wh_error *err);

// `name`, with quotes inside doubled.
bool wh_mysql_add_name(wh_buf *sql, wh_str name);

static inline void wh_mysql_stmt_cleanup_(MYSQL_STMT **stmt) {
  if (*stmt) mysql_stmt_close(*stmt);
}
#define WH_CLEAN_MYSQL_STMT __attribute__((cleanup(wh_mysql_stmt_cleanup_)))
static inline void wh_mysql_session_cleanup_(wh_mysql_session **s) {
  wh_mysql_close(*s);
}
#define WH_CLEAN_MYSQL __attribute__((cleanup(wh_mysql_session_cleanup_)))
