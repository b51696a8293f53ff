// An open database and the small vocabulary of everything that talks to it: prepare, run, quote,
// and turn SQLite's result codes into our errors.
#pragma once

#include "connect/sqlite/sqlite.h"

#include <sqlite3.h>

// One connection, one thread at a time.
typedef struct wh_sqlite_db {
  sqlite3 *handle;
  wh_connection *connection;
  const char *path; // NUL-terminated, in `arena`
  int64_t wait_us;  // how long to wait for a lock
  int64_t waiting_since_ns;
  wh_arena arena;
} wh_sqlite_db;

typedef enum wh_sqlite_access {
  WH_SQLITE_READ,
  WH_SQLITE_WRITE,
  WH_SQLITE_CREATE
} wh_sqlite_access;

// WH_ERR_NOT_FOUND when the file is missing (READ, WRITE). The caller closes.
wh_status wh_sqlite_open(wh_connection *c, wh_sqlite_access access, wh_sqlite_db *ret,
                         wh_error *err);
void wh_sqlite_close(wh_sqlite_db *db); // zeroed is fine
wh_status wh_sqlite_exists(wh_connection *c, bool *ret, wh_error *err);

// "NAME: <doing>: <what SQLite says>", with the status that the result code means. `doing` is a
// phrase: "reading sales_order".
__attribute__((format(printf, 4, 5))) wh_status
wh_sqlite_fail(wh_sqlite_db *db, int rc, wh_error *err, const char *doing, ...);

// Statements. The text is checked for having been built without running out of memory.
wh_status wh_sqlite_prepare(wh_sqlite_db *db, const wh_buf *sql, sqlite3_stmt **ret, wh_error *err);
wh_status wh_sqlite_prepare_c(wh_sqlite_db *db, const char *sql, sqlite3_stmt **ret, wh_error *err);
// Runs to the end, without rows.
wh_status wh_sqlite_run(wh_sqlite_db *db, const wh_buf *sql, wh_error *err);
wh_status wh_sqlite_run_c(wh_sqlite_db *db, const char *sql, wh_error *err);
// Steps: true in *ret_row when there is one. A failure resets the statement.
wh_status wh_sqlite_step(wh_sqlite_db *db, sqlite3_stmt *stmt, bool *ret_row, wh_error *err);
// Steps a statement that gives no rows, and resets it.
wh_status wh_sqlite_step_done(wh_sqlite_db *db, sqlite3_stmt *stmt, wh_error *err);

// Bound text is borrowed until the statement is reset.
int wh_sqlite_bind_str(sqlite3_stmt *stmt, int index, wh_str s);
wh_str wh_sqlite_text(sqlite3_stmt *stmt, int index); // lives until the next step
wh_str wh_sqlite_value_text(sqlite3_value *value);

// "name", with quotes inside doubled.
bool wh_sqlite_add_name(wh_buf *sql, wh_str name);
// prefix and name as one identifier: "_wherry_order_orders".
bool wh_sqlite_add_name2(wh_buf *sql, const char *prefix, wh_str name);

// One integer from a statement without parameters; NULL counts as 0, no row as `none`.
wh_status wh_sqlite_get_i64(wh_sqlite_db *db, const char *sql, int64_t none, int64_t *ret,
                            wh_error *err);

static inline void wh_sqlite_stmt_cleanup_(sqlite3_stmt **stmt) {
  sqlite3_finalize(*stmt);
}
#define WH_CLEAN_STMT __attribute__((cleanup(wh_sqlite_stmt_cleanup_)))
static inline void wh_sqlite_db_cleanup_(wh_sqlite_db *db) {
  wh_sqlite_close(db);
}
#define WH_CLEAN_DB __attribute__((cleanup(wh_sqlite_db_cleanup_)))
