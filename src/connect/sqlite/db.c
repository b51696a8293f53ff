#include "connect/sqlite/db.h"

#include <errno.h>

enum {
  BUSY_STEP_FIRST_NS = 1000 * 1000,
  BUSY_STEP_MAX_NS = 50 * 1000 * 1000,
  PROGRESS_OPS = 20000,       // virtual machine steps between two looks at the cancel flag
  LENGTH_LIMIT_MIN = 1 << 20, // SQLite's own statements need some room too
  WAIT_DEFAULT_US = 5 * 1000 * 1000,
};

static const wh_sqlite_options *options_of(const wh_connection *c) {
  return c->options;
}

static bool is_cancelled(const wh_connection *c) {
  return c->cancel && atomic_load(c->cancel);
}

// Waits for a lock, longer and longer, until the time is up or the program is asked to stop.
static int wait_for_lock(void *context, int tries) {
  wh_sqlite_db *db = context;
  wh_os *os = db->connection->os;
  int64_t now = os->type->monotonic_ns(os);
  if (tries == 0) db->waiting_since_ns = now;
  if (is_cancelled(db->connection) || now - db->waiting_since_ns >= db->wait_us * 1000) return 0;
  int64_t step = BUSY_STEP_FIRST_NS << (tries < 6 ? tries : 6);
  (void)os->type->sleep_ns(os, step < BUSY_STEP_MAX_NS ? step : BUSY_STEP_MAX_NS);
  return 1;
}

static int look_at_cancel(void *context) {
  return is_cancelled(context);
}

// The path as SQLite is to take it: a name that begins with "file:" would be read as a URI.
static wh_status copy_path(wh_sqlite_db *db, wh_str path, wh_error *err) {
  db->path = wh_str_starts(path, "file:")
                 ? wh_arena_printf(&db->arena, "./%.*s", WH_STR_ARG(path)).data
                 : wh_arena_cstr(&db->arena, path);
  return db->path ? WH_OK : wh_fail_memory(err);
}

wh_status wh_sqlite_exists(wh_connection *c, bool *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  const char *path = wh_arena_cstr(&arena, options_of(c)->path);
  if (!path) return wh_fail_memory(err);
  wh_status status = wh_os_exists(c->os, path, ret, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

static wh_status check_exists(wh_connection *c, wh_error *err) {
  bool exists;
  WH_TRY(wh_sqlite_exists(c, &exists, err));
  if (exists) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: no database at %.*s", WH_STR_ARG(c->name),
                 WH_STR_ARG(options_of(c)->path));
}

// Memory is bounded (page cache, no mapping); nothing is read from the file yet.
static wh_status configure(wh_sqlite_db *db, wh_sqlite_access access, wh_error *err) {
  wh_connection *c = db->connection;
  sqlite3_extended_result_codes(db->handle, 1);
  sqlite3_busy_handler(db->handle, wait_for_lock, db);
  if (c->cancel) sqlite3_progress_handler(db->handle, PROGRESS_OPS, look_at_cancel, c);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  if (c->row_limit_bytes) {
    size_t limit = c->row_limit_bytes > LENGTH_LIMIT_MIN ? c->row_limit_bytes : LENGTH_LIMIT_MIN;
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, limit < INT32_MAX ? (int)limit : INT32_MAX);
  }
  int cache = access == WH_SQLITE_READ ? WH_SQLITE_SOURCE_CACHE_KIB : WH_SQLITE_SINK_CACHE_KIB;
  // Not more than half of what a row may take: large rows leave little else.
  size_t most = c->row_limit_bytes / 2 / 1024;
  if (c->row_limit_bytes && most < (size_t)cache) cache = (int)most;
  char text[160];
  snprintf(text, sizeof text, "PRAGMA mmap_size=0; PRAGMA cache_size=-%d; PRAGMA synchronous=FULL",
           cache);
  int rc = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
  return rc == SQLITE_OK ? WH_OK : wh_sqlite_fail(db, rc, err, "opening %s", db->path);
}

// Whether the last call failed because a writer died in the middle and left its journal.
static bool needs_recovery(const wh_sqlite_db *db) {
  int rc = db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_OK;
  return rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_RECOVERY;
}

static wh_status open_once(wh_connection *c, wh_sqlite_access access, wh_sqlite_db *ret,
                           bool *ret_needs_recovery, wh_error *err) {
  const wh_sqlite_options *options = options_of(c);
  // The busy handler gets this object's address, so it is built where it stays; ret_ outputs that
  // are not set on failure are here outputs that are zeroed.
  *ret = (wh_sqlite_db){.connection = c, .wait_us = options->busy_timeout_us};
  if (c->wait_limit_us && c->wait_limit_us < ret->wait_us) ret->wait_us = c->wait_limit_us;
  wh_arena_init(&ret->arena, c->mem);
  wh_status status = copy_path(ret, options->path, err);
  if (status == WH_OK) {
    // No mutexes inside: a connection of ours stays with one thread.
    int flags = SQLITE_OPEN_NOMUTEX |
                (access == WH_SQLITE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (access == WH_SQLITE_CREATE) flags |= SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(ret->path, &ret->handle, flags, c->os->type->sqlite_vfs);
    status = rc == SQLITE_OK ? configure(ret, access, err)
                             : wh_sqlite_fail(ret, rc, err, "opening %s", ret->path);
  }
  *ret_needs_recovery = status != WH_OK && needs_recovery(ret);
  if (status != WH_OK) wh_sqlite_close(ret);
  return status;
}

wh_status wh_sqlite_open(wh_connection *c, wh_sqlite_access access, wh_sqlite_db *ret,
                         wh_error *err) {
  if (access != WH_SQLITE_CREATE) WH_TRY(check_exists(c, err));
  bool recover = false;
  wh_status status = open_once(c, access, ret, &recover, err);
  if (status == WH_OK || access != WH_SQLITE_READ || !recover) return status;
  // Undoing what a dead writer left takes a connection that may write, as any program that opens
  // the database does. Where that is not allowed, what reading said stands.
  wh_sqlite_db writer = {0};
  wh_error ignored = {0};
  if (open_once(c, WH_SQLITE_WRITE, &writer, &recover, &ignored) != WH_OK) return status;
  wh_sqlite_close(&writer);
  return open_once(c, access, ret, &recover, err);
}

void wh_sqlite_close(wh_sqlite_db *db) {
  if (!db || !db->connection) return;
  sqlite3_close_v2(db->handle);
  wh_arena_free(&db->arena);
  *db = (wh_sqlite_db){0};
}

// Trouble with a file may be a full disk that SQLite reports by another name.
static wh_status status_of_file_error(sqlite3 *handle, wh_status otherwise) {
  int number = handle ? sqlite3_system_errno(handle) : 0;
  if (number == 0) return otherwise;
  wh_status status = wh_status_from_errno(number);
  return status == WH_ERR_MEMORY || status == WH_ERR_EXISTS ? otherwise : status;
}

static wh_status status_of(sqlite3 *handle, int rc) {
  switch (rc & 0xFF) {
  case SQLITE_NOMEM:
    return WH_ERR_MEMORY;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_PROTOCOL:
    return WH_ERR_BUSY;
  case SQLITE_FULL:
    return WH_ERR_NO_SPACE;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
  case SQLITE_FORMAT:
    return WH_ERR_DATA;
  case SQLITE_PERM:
  case SQLITE_AUTH:
  case SQLITE_READONLY:
    return WH_ERR_DENIED;
  case SQLITE_CANTOPEN:
    return status_of_file_error(handle, WH_ERR_IO);
  case SQLITE_IOERR:
    return rc == SQLITE_IOERR_NOMEM ? WH_ERR_MEMORY : status_of_file_error(handle, WH_ERR_IO);
  case SQLITE_INTERRUPT:
    return WH_ERR_CANCELLED;
  case SQLITE_TOOBIG:
    return WH_ERR_LIMIT;
  case SQLITE_SCHEMA:
    return WH_ERR_CHANGED;
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
    return WH_ERR_TYPE;
  case SQLITE_MISUSE:
  case SQLITE_RANGE:
    return WH_ERR_BUG;
  default: // SQLITE_ERROR: a statement that does not compile
    return WH_ERR_USAGE;
  }
}

wh_status wh_sqlite_fail(wh_sqlite_db *db, int rc, wh_error *err, const char *doing, ...) {
  wh_status status = status_of(db->handle, rc);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  char phrase[256];
  va_list args;
  va_start(args, doing);
  vsnprintf(phrase, sizeof phrase, doing, args);
  va_end(args);
  const char *says = db->handle && sqlite3_extended_errcode(db->handle) == rc
                         ? sqlite3_errmsg(db->handle)
                         : sqlite3_errstr(rc);
  char more[160] = "";
  if (status == WH_ERR_BUSY)
    snprintf(more, sizeof more, " (waited %.3g s). Somebody else holds the database; try again",
             (double)db->wait_us / 1e6);
  else if (status == WH_ERR_NO_SPACE)
    snprintf(more, sizeof more,
             ". No space left: nothing of it was kept, and it goes on when there is room");
  else if (rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_RECOVERY)
    snprintf(more, sizeof more, ". It was not closed properly: let its owner open it once");
  else if (rc == SQLITE_TOOBIG && db->connection->row_limit_bytes)
    snprintf(more, sizeof more, ". A row may have %zu bytes, an eighth of `memory`",
             db->connection->row_limit_bytes);
  else if ((rc & 0xFF) == SQLITE_CANTOPEN && status == WH_ERR_NOT_FOUND)
    snprintf(more, sizeof more, ". Its folder does not exist");
  wh_str name = db->connection->name;
  status = wh_fail(err, status, "%.*s: %s: %s%s", WH_STR_ARG(name), phrase, says, more);
  if (err) err->retry = status == WH_ERR_BUSY || status == WH_ERR_NO_SPACE;
  return status;
}

static wh_status prepare_text(wh_sqlite_db *db, const char *text, size_t len, sqlite3_stmt **ret,
                              wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v3(db->handle, text, (int)len, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
  if (rc != SQLITE_OK) return wh_sqlite_fail(db, rc, err, "preparing a statement");
  *ret = stmt;
  return WH_OK;
}

wh_status wh_sqlite_prepare(wh_sqlite_db *db, const wh_buf *sql, sqlite3_stmt **ret,
                            wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  wh_str text = wh_buf_str(sql);
  return prepare_text(db, text.data, text.len + 1, ret, err);
}

wh_status wh_sqlite_prepare_c(wh_sqlite_db *db, const char *sql, sqlite3_stmt **ret,
                              wh_error *err) {
  return prepare_text(db, sql, strlen(sql) + 1, ret, err);
}

wh_status wh_sqlite_step(wh_sqlite_db *db, sqlite3_stmt *stmt, bool *ret_row, wh_error *err) {
  int rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
    *ret_row = rc == SQLITE_ROW;
    return WH_OK;
  }
  wh_status status =
      wh_sqlite_fail(db, rc, err, sqlite3_stmt_readonly(stmt) ? "reading" : "writing");
  sqlite3_reset(stmt);
  return status;
}

wh_status wh_sqlite_step_done(wh_sqlite_db *db, sqlite3_stmt *stmt, wh_error *err) {
  bool row = false;
  do
    WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  while (row);
  sqlite3_reset(stmt);
  return WH_OK;
}

wh_status wh_sqlite_run_c(wh_sqlite_db *db, const char *sql, wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db, sql, &stmt, err));
  return wh_sqlite_step_done(db, stmt, err);
}

wh_status wh_sqlite_run(wh_sqlite_db *db, const wh_buf *sql, wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  return wh_sqlite_run_c(db, wh_buf_str(sql).data, err);
}

int wh_sqlite_bind_str(sqlite3_stmt *stmt, int index, wh_str s) {
  return sqlite3_bind_text(stmt, index, s.data ? s.data : "", (int)s.len, SQLITE_STATIC);
}

wh_str wh_sqlite_text(sqlite3_stmt *stmt, int index) {
  const char *text = (const char *)sqlite3_column_text(stmt, index);
  return (wh_str){text ? text : "", text ? (size_t)sqlite3_column_bytes(stmt, index) : 0};
}

wh_str wh_sqlite_value_text(sqlite3_value *value) {
  const char *text = (const char *)sqlite3_value_text(value);
  return (wh_str){text ? text : "", text ? (size_t)sqlite3_value_bytes(value) : 0};
}

bool wh_sqlite_add_name2(wh_buf *sql, const char *prefix, wh_str name) {
  wh_buf_add_char(sql, '"');
  wh_buf_add_c(sql, prefix);
  for (size_t i = 0; i < name.len; i++) {
    if (name.data[i] == '"') wh_buf_add_char(sql, '"');
    wh_buf_add_char(sql, name.data[i]);
  }
  return wh_buf_add_char(sql, '"');
}

bool wh_sqlite_add_name(wh_buf *sql, wh_str name) {
  return wh_sqlite_add_name2(sql, "", name);
}

wh_status wh_sqlite_get_i64(wh_sqlite_db *db, const char *sql, int64_t none, int64_t *ret,
                            wh_error *err) {
  WH_CLEAN_STMT sqlite3_stmt *stmt = NULL;
  WH_TRY(wh_sqlite_prepare_c(db, sql, &stmt, err));
  bool row;
  WH_TRY(wh_sqlite_step(db, stmt, &row, err));
  *ret = row ? sqlite3_column_int64(stmt, 0) : none;
  return WH_OK;
}
