// A connection to the server, and the small vocabulary of everything that talks through it.
//
// db-lib reports by callbacks of the process; they come in the thread that called it. So each
// thread notes which session it works for (wh_mssql_enter) before it calls the library.
#pragma once

#include "connect/sql.h"
#include "connect/sqlserver/sqlserver.h"

#include <stdio.h>

#include <sybfront.h>

#include <sybdb.h>

// sybfront.h and sybdb.h have names for these that mean something else elsewhere.
#undef TRUE
#undef FALSE

enum {
  WH_MSSQL_MESSAGE_MAX = 512,
  WH_MSSQL_SYBUNIQUE = 36, // uniqueidentifier, which db-lib's header has no name for
};

// What went wrong in the call under way: the server's first error, and the library's.
typedef struct wh_mssql_trouble {
  int code; // of the server; 0: it said nothing
  int severity;
  char text[WH_MSSQL_MESSAGE_MAX];
  int library;    // the library's number (20000 and up); 0: none
  bool timed_out; // the server took longer than statement_timeout
} wh_mssql_trouble;

typedef struct wh_mssql_session {
  wh_sql_session base;
  DBPROCESS *db;
  wh_mssql_trouble trouble;
} wh_mssql_session;

// READ: rows are read and nothing is kept of what a query might write. WRITE: each statement sees
// what others have committed.
wh_status wh_mssql_open(wh_connection *c, wh_sql_access access, wh_mssql_session **ret,
                        wh_error *err);
void wh_mssql_close(wh_mssql_session *s); // at once, whatever is still under way; NULL is fine

static inline const wh_mssql_options *wh_mssql_options_of(const wh_mssql_session *s) {
  return s->base.connection->options;
}

// --- Errors (fail.c) -----------------------------------------------------------------------------

// Before each call of the library that may talk to the server: forgets the trouble that was.
void wh_mssql_enter(wh_mssql_session *s);
void wh_mssql_start_library(void); // once for the process

// "NAME: <doing>: <what happened>" with the status and the retry flag that the server's code means.
// A value that the server refuses (WH_ERR_TYPE) is told without the name: see connect/sql.h.
// wh_sql_driver.hide_values.
void wh_mssql_hide_values(char *reason);
wh_status wh_mssql_fail(wh_mssql_session *s, const char *doing, wh_error *err);
// The same for a login that failed.
wh_status wh_mssql_fail_login(const wh_connection *c, const wh_mssql_trouble *t, wh_error *err);

// --- Settings (conf.c) ---------------------------------------------------------------------------

// The name under which FreeTDS finds the connection's settings. It stays for the process.
wh_status wh_mssql_settings(const wh_connection *c, const char **ret_name, wh_error *err);

// --- Statements (statement.c) --------------------------------------------------------------------

// Sends a statement; parameters are text, named @P1 on. One without data is NULL.
wh_status wh_mssql_send(wh_mssql_session *s, wh_str sql, const wh_str *params, size_t count,
                        const char *doing, wh_error *err);
// On to the next result; false in *ret_more behind the last one.
wh_status wh_mssql_next_result(wh_mssql_session *s, const char *doing, bool *ret_more,
                               wh_error *err);
wh_status wh_mssql_fetch(wh_mssql_session *s, const char *doing, bool *ret_row, wh_error *err);
// Rows that are left are passed over, and so are results.
wh_status wh_mssql_finish(wh_mssql_session *s, const char *doing, uint64_t *ret_rows,
                          wh_error *err);
wh_status wh_mssql_run(wh_mssql_session *s, wh_str sql, const char *doing, uint64_t *ret_rows,
                       wh_error *err);
wh_status wh_mssql_run_c(wh_mssql_session *s, const char *sql, wh_error *err);

// The driver's verbs (connect/sql.h).
wh_status wh_mssql_run_sql(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                           uint64_t *ret_rows, wh_error *err);
wh_status wh_mssql_ask(wh_sql_session *s, wh_str sql, const wh_str *params, size_t count,
                       wh_sql_row_visit visit, void *context, wh_error *err);

// [name], with brackets inside doubled.
bool wh_mssql_add_name(wh_buf *sql, wh_str name);
// N'text', with quotes inside doubled: for names that SQL takes as text only.
bool wh_mssql_add_text(wh_buf *sql, wh_str text);

static inline void wh_mssql_session_cleanup_(wh_mssql_session **s) {
  wh_mssql_close(*s);
}
#define WH_CLEAN_MSSQL __attribute__((cleanup(wh_mssql_session_cleanup_)))
