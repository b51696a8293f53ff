// A connection to the database, and the small vocabulary of everything that talks through it.
#pragma once

#include "base/buf.h"
#include "connect/odbc/api.h"

enum { WH_ODBC_MESSAGE_MAX = 400, WH_ODBC_STATE_LEN = 5 }; // bytes that are shown

typedef struct wh_odbc_watch wh_odbc_watch;

typedef struct wh_odbc_session {
  wh_connection *connection;
  SQLHENV env;
  SQLHDBC dbc;
  wh_odbc_watch *watch;
  wh_arena arena;
  wh_str product; // "Oracle", as the driver says it
  wh_str catalog; // the database that is connected to; empty: it has no name
  char quote;     // around identifiers; 0: there are none
  char escape;    // in patterns of the catalog's functions; 0: there is none
  bool has_schemas;
  bool goes_back; // the driver can get a value of any row of an array again
  bool timed_out; // the call that just ended
} wh_odbc_session;

// In a transaction that is rolled back at the end; `each`: every statement by itself, which sees
// what was committed before it.
wh_status wh_odbc_open(wh_connection *c, bool each, wh_odbc_session **ret, wh_error *err);
void wh_odbc_close(wh_odbc_session *s); // NULL is fine
void wh_odbc_rollback(wh_odbc_session *s);

static inline const wh_odbc_options *wh_odbc_options_of(const wh_odbc_session *s) {
  return s->connection->options;
}

// --- Logging in (login.c) ------------------------------------------------------------------------

// A problem in the options.
wh_status wh_odbc_check(const void *options, wh_error *err);
bool wh_odbc_add_connection_string(const wh_odbc_options *o, wh_buf *out);
// Puts *** where `text` (NUL-terminated) holds a password.
void wh_odbc_mask(const wh_odbc_options *o, char *text);

// --- Being asked to stop (watch.c) ---------------------------------------------------------------

// Ends calls that are under way: when the program is asked to stop, and when they take longer than
// `limit_us` (0: they may). A thread of the session's own looks after it where it has to.
wh_status wh_odbc_watch_start(wh_odbc_session *s, wh_error *err);
void wh_odbc_watch_stop(wh_odbc_session *s);
void wh_odbc_begin_call(wh_odbc_session *s, SQLHSTMT stmt, int64_t limit_us);
void wh_odbc_end_call(wh_odbc_session *s); // sets s->timed_out

// --- Errors (fail.c) -----------------------------------------------------------------------------

typedef struct wh_odbc_trouble {
  char state[WH_ODBC_STATE_LEN + 1]; // SQLSTATE; empty: the driver said nothing
  char text[WH_ODBC_MESSAGE_MAX];    // its first line, without who says it, without secrets
} wh_odbc_trouble;

void wh_odbc_trouble_of(const wh_odbc_session *s, SQLSMALLINT kind, SQLHANDLE handle,
                        wh_odbc_trouble *ret);
// "NAME: <doing>: <what happened>" with the status and the retry flag that the SQLSTATE means.
wh_status wh_odbc_fail(const wh_odbc_session *s, SQLHSTMT stmt, const char *doing, wh_error *err);
// The same for a connection that did not come about.
wh_status wh_odbc_fail_login(const wh_odbc_session *s, wh_error *err);
// Whether the trouble is of a value, and not of the statement.
bool wh_odbc_is_of_value(const wh_odbc_trouble *t);

// --- Texts (text.c) ------------------------------------------------------------------------------

// With a NUL behind it. False without memory.
bool wh_odbc_to_wide(wh_str text, wh_buf *out);
// False where a surrogate stands alone, or without memory (out->failed).
bool wh_odbc_from_wide(const SQLWCHAR *text, size_t units, wh_buf *out);

// --- Statements (statement.c) --------------------------------------------------------------------

wh_status wh_odbc_statement(wh_odbc_session *s, SQLHSTMT *ret, wh_error *err);
void wh_odbc_statement_free(SQLHSTMT *stmt); // SQL_NULL_HSTMT is fine
#define WH_CLEAN_ODBC_STMT __attribute__((cleanup(wh_odbc_statement_free)))

wh_status wh_odbc_prepare(wh_odbc_session *s, SQLHSTMT stmt, wh_str sql, const char *doing,
                          wh_error *err);
wh_status wh_odbc_execute(wh_odbc_session *s, SQLHSTMT stmt, const char *doing, wh_error *err);
// The next row of a small result that is read column by column, from the first on.
wh_status wh_odbc_fetch_one(wh_odbc_session *s, SQLHSTMT stmt, const char *doing, bool *ret_row,
                            wh_error *err);
// A column of it as text; NULL is empty.
wh_status wh_odbc_get_text(wh_odbc_session *s, SQLHSTMT stmt, SQLUSMALLINT column, wh_buf *out,
                           const char *doing, wh_error *err);

// The name as an identifier; WH_ERR_REFUSED where it would need quotes and there are none.
wh_status wh_odbc_add_name(const wh_odbc_session *s, wh_buf *sql, wh_str name, wh_error *err);

static inline void wh_odbc_session_cleanup_(wh_odbc_session **s) {
  wh_odbc_close(*s);
}
#define WH_CLEAN_ODBC __attribute__((cleanup(wh_odbc_session_cleanup_)))
