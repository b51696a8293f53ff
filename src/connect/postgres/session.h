// A session with a server, and the small vocabulary of everything that talks to it: run, ask, wait,
// and turn what the server or libpq says into our errors.
#pragma once

#include "connect/postgres/postgres.h"
#include "connect/sql.h"

#include <libpq-fe.h>

enum { WH_PG_LATER_MAX = 16 }; // statements that wait; one more sends them

// A statement that waits for what is sent next (later.h).
typedef struct wh_pg_later {
  const char *text; // or the name of a prepared one
  bool is_prepared, is_binary;
  int count;
  const char **params;
  uint64_t *ret_rows; // NULL: nobody asks
  PGresult **ret;     // set when it came to a good end; NULL: nobody asks
} wh_pg_later;

typedef struct wh_pg_session {
  wh_sql_session base; // first
  PGconn *conn;
  wh_sql_access access;
  wh_arena scratch; // of one statement
  wh_pg_later later[WH_PG_LATER_MAX];
  size_t later_count;
  wh_arena later_arena; // of theirs
  // What bulk found out about the columns that it fills besides the batch's (bulk.c).
  wh_arena bulk_arena;
  wh_str bulk_table, bulk_names;
  uint32_t bulk_types[3];
} wh_pg_session;

// Connects and sets the session up; READ cannot write. WH_ERR_DENIED (password, certificate,
// privilege), WH_ERR_NOT_FOUND (host, database), WH_ERR_UNAVAILABLE (nobody answers; retry).
wh_status wh_pg_open(wh_connection *c, wh_sql_access access, wh_pg_session **ret, wh_error *err);
void wh_pg_close(wh_pg_session *s); // NULL is fine; what was open is rolled back
bool wh_pg_is_encrypted(const wh_pg_session *s);
const char *wh_pg_version(const wh_pg_session *s); // "15.4"

// The result of one statement, with rows in text or binary; the caller clears it. Parameters are
// text, one without data is NULL. `doing` is for messages: "reading sales_order".
wh_status wh_pg_exec(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count, bool binary,
                     const char *doing, PGresult **ret, wh_error *err);
// The same for a statement that was prepared under the name.
wh_status wh_pg_exec_prepared(wh_pg_session *s, const char *name, const wh_str *params,
                              size_t count, const char *doing, PGresult **ret, wh_error *err);
// Of a driver (connect/sql.h).
wh_status wh_pg_run(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count,
                    uint64_t *ret_rows, wh_error *err);
wh_status wh_pg_ask(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count,
                    wh_sql_row_visit visit, void *context, wh_error *err);
// Several statements at once, without parameters; no values are ever in it.
wh_status wh_pg_run_c(wh_pg_session *s, const char *sql, wh_error *err);

// Prepares a statement and describes its result. A failure is not turned into an error: the caller
// looks at PQresultStatus. WH_ERR_UNAVAILABLE, WH_ERR_CANCELLED.
wh_status wh_pg_describe(wh_pg_session *s, const char *name, wh_str sql, PGresult **ret,
                         wh_error *err);

// Parameters as libpq wants them, in the arena; one without data is NULL.
wh_status wh_pg_copy_params(const wh_str *params, size_t count, wh_arena *arena, const char ***ret,
                            wh_error *err);
bool wh_pg_is_good(const PGresult *result);

// For COPY. Waits until there is something to read, or, when `for_write`, room to write.
wh_status wh_pg_wait(wh_pg_session *s, bool for_write, wh_error *err);
// Sends what is buffered.
wh_status wh_pg_flush(wh_pg_session *s, const char *doing, wh_error *err);
// The next result of what was sent; NULL in *ret after the last.
wh_status wh_pg_result(wh_pg_session *s, const char *doing, PGresult **ret, wh_error *err);
// Sends a query whose answer is a COPY; *ret is its first result, which the caller clears.
wh_status wh_pg_start_copy(wh_pg_session *s, wh_str sql, ExecStatusType want, const char *doing,
                           wh_error *err);
// Reads to the end of the statement; the first failure counts.
wh_status wh_pg_finish(wh_pg_session *s, const char *doing, wh_error *err);

// "NAME: <doing>: <what the server says>" with the status that its code means; see errors.c. In a
// session that writes, what a row is to blame for is WH_ERR_TYPE with the reason alone.
wh_status wh_pg_fail_result(wh_pg_session *s, const PGresult *result, const char *doing,
                            wh_error *err);
// The connection is gone, or libpq failed by itself.
wh_status wh_pg_fail_lost(wh_pg_session *s, const char *doing, wh_error *err);
// Connecting failed: libpq's text (verbose, so that it carries the server's code) as our sentence.
wh_status wh_pg_fail_connect(wh_connection *c, const char *says, wh_error *err);

// "name", with quotes inside doubled.
bool wh_pg_add_name(wh_buf *sql, wh_str name);

static inline const wh_pg_options *wh_pg_options_of(const wh_connection *c) {
  return c->options;
}
static inline bool wh_pg_is_cancelled(const wh_connection *c) {
  return c->cancel && atomic_load(c->cancel);
}

static inline void wh_pg_session_cleanup_(wh_pg_session **s) {
  wh_pg_close(*s);
}
#define WH_CLEAN_PG_SESSION __attribute__((cleanup(wh_pg_session_cleanup_)))
static inline void wh_pg_result_cleanup_(PGresult **result) {
  PQclear(*result);
}
#define WH_CLEAN_PG_RESULT __attribute__((cleanup(wh_pg_result_cleanup_)))
