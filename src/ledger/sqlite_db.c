// The ledger's connection: the lock, what SQLite's failures mean, transactions, cached statements.
#include "ledger/sqlite_ledger.h"

#include <assert.h>
#include <errno.h>

ledger *ledger_lock(wh_ledger *base) {
  ledger *l = (ledger *)base;
  pthread_mutex_lock(&l->mutex);
  return l;
}

void ledger_unlock(ledger **l) {
  if (*l) pthread_mutex_unlock(&(*l)->mutex);
}

// --- errors
// ----------------------------------------------------------------------------------------

static wh_status fail_damaged(const ledger *l, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA,
                 "%s: the ledger is damaged (%s). Move it away, then rebuild it from the manifests "
                 "and marks: wherry ledger rebuild",
                 l->path, l->db ? sqlite3_errmsg(l->db) : "it cannot be read");
}

static wh_status fail_no_space(const ledger *l, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_NO_SPACE,
                             "%s: no space left for the ledger. Nothing that was acknowledged is "
                             "lost; it goes on when there is room",
                             l->path);
  if (err) err->retry = true;
  return status;
}

static wh_status fail_busy(const ledger *l, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_BUSY,
                             "%s: another process has held the ledger for %d seconds. Try again, "
                             "or look for it: wherry status",
                             l->path, LEDGER_BUSY_MS / 1000);
  if (err) err->retry = true;
  return status;
}

// SQLite reports a full disk as such only where it writes pages; elsewhere it is an I/O error.
static bool is_no_space(int rc, int errnum) {
  return (rc & 0xff) == SQLITE_FULL || errnum == ENOSPC || errnum == EDQUOT;
}

wh_status ledger_fail(ledger *l, int rc, wh_error *err) {
  int errnum = l->db ? sqlite3_system_errno(l->db) : 0;
  bool is_io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
  if (is_no_space(rc, is_io ? errnum : 0)) return fail_no_space(l, err);
  switch (rc & 0xff) {
  case SQLITE_NOMEM:
    return wh_fail_memory(err);
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return fail_busy(l, err);
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return fail_damaged(l, err);
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return wh_fail(err, WH_ERR_DENIED, "%s: the ledger cannot be written (%s)", l->path,
                   sqlite3_errstr(rc));
  case SQLITE_IOERR:
    if (rc == SQLITE_IOERR_NOMEM) return wh_fail_memory(err);
    break;
  case SQLITE_CANTOPEN:
    return wh_fail(err, errnum ? wh_status_from_errno(errnum) : WH_ERR_IO,
                   "%s: cannot open the ledger: %s", l->path,
                   errnum ? strerror(errnum) : sqlite3_errstr(rc));
  case SQLITE_CONSTRAINT:
  case SQLITE_MISUSE:
  case SQLITE_RANGE:
  case SQLITE_ERROR:
    return wh_fail(err, WH_ERR_BUG, "%s: the ledger refused a statement: %s", l->path,
                   l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(rc));
  }
  return wh_fail(err, WH_ERR_IO, "%s: cannot read or write the ledger: %s", l->path,
                 errnum ? strerror(errnum) : sqlite3_errstr(rc));
}

// --- transactions
// ----------------------------------------------------------------------------------

wh_status ledger_exec(ledger *l, const char *sql, wh_error *err) {
  int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? WH_OK : ledger_fail(l, sqlite3_extended_errcode(l->db), err);
}

static wh_status run_sql(ledger *l, const char *sql, wh_error *err) {
  LEDGER_QUERY q;
  WH_TRY(ledger_query_open(l, sql, &q, err));
  return ledger_run(&q, err);
}

// SQLite may have rolled back by itself, when the disk was full for example. The statement is there
// since the ledger was opened, because there may be no memory to make it now.
static void roll_back(ledger *l) {
  // While the ledger is being opened it is not there yet; closing rolls back too.
  if (sqlite3_get_autocommit(l->db) || !l->rollback) return;
  sqlite3_step(l->rollback);
  sqlite3_reset(l->rollback);
}

wh_status ledger_begin(ledger *l, wh_error *err) {
  roll_back(l); // what could not be rolled back then
  return run_sql(l, "BEGIN IMMEDIATE", err);
}

wh_status ledger_end(ledger *l, wh_status status, wh_error *err) {
  if (status == WH_OK) status = run_sql(l, "COMMIT", err);
  if (status != WH_OK) roll_back(l);
  return status;
}

// --- queries
// ---------------------------------------------------------------------------------------

static wh_status find_statement(ledger *l, const char *sql, sqlite3_stmt **ret, wh_error *err) {
  for (size_t i = 0; i < l->statement_count; i++) {
    if (l->statements[i].sql == sql) {
      *ret = l->statements[i].stmt;
      return WH_OK;
    }
  }
  assert(l->statement_count < LEDGER_STATEMENTS_MAX);
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
  if (rc != SQLITE_OK) return ledger_fail(l, sqlite3_extended_errcode(l->db), err);
  l->statements[l->statement_count++] = (ledger_statement){sql, stmt};
  *ret = stmt;
  return WH_OK;
}

wh_status ledger_query_open(ledger *l, const char *sql, ledger_query *ret, wh_error *err) {
  *ret = (ledger_query){.owner = l};
  return find_statement(l, sql, &ret->stmt, err);
}

void ledger_query_end(ledger_query *q) {
  if (!q->stmt) return;
  sqlite3_reset(q->stmt);
  sqlite3_clear_bindings(q->stmt);
  q->stmt = NULL;
}

static void keep_rc(ledger_query *q, int rc) {
  if (q->rc == SQLITE_OK) q->rc = rc;
}

void ledger_bind_text(ledger_query *q, wh_str text) {
  const char *data = text.data ? text.data : "";
  keep_rc(q, sqlite3_bind_text64(q->stmt, ++q->bound, data, text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void ledger_bind_blob(ledger_query *q, wh_str bytes) {
  const char *data = bytes.data ? bytes.data : "";
  keep_rc(q, sqlite3_bind_blob64(q->stmt, ++q->bound, data, bytes.len, SQLITE_STATIC));
}

void ledger_bind_i64(ledger_query *q, int64_t value) {
  keep_rc(q, sqlite3_bind_int64(q->stmt, ++q->bound, value));
}

void ledger_bind_u64(ledger_query *q, uint64_t value) {
  ledger_bind_i64(q, (int64_t)value);
}

void ledger_bind_null(ledger_query *q) {
  keep_rc(q, sqlite3_bind_null(q->stmt, ++q->bound));
}

void ledger_bind_zeroes(ledger_query *q, uint64_t bytes) {
  keep_rc(q, sqlite3_bind_zeroblob64(q->stmt, ++q->bound, bytes));
}

wh_status ledger_step(ledger_query *q, bool *ret_row, wh_error *err) {
  assert(q->bound == sqlite3_bind_parameter_count(q->stmt));
  if (q->rc != SQLITE_OK) return ledger_fail(q->owner, q->rc, err);
  int rc = sqlite3_step(q->stmt);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    return ledger_fail(q->owner, sqlite3_extended_errcode(q->owner->db), err);
  }
  q->read = 0;
  *ret_row = rc == SQLITE_ROW;
  return WH_OK;
}

wh_status ledger_run(ledger_query *q, wh_error *err) {
  bool row = true;
  wh_status status = WH_OK;
  while (status == WH_OK && row)
    status = ledger_step(q, &row, err);
  ledger_query_end(q);
  return status;
}

wh_str ledger_read_text(ledger_query *q, wh_arena *arena) {
  int column = q->read++;
  const char *text = (const char *)sqlite3_column_text(q->stmt, column);
  if (!text) {
    q->no_memory |= sqlite3_column_type(q->stmt, column) != SQLITE_NULL;
    return (wh_str){0};
  }
  wh_str copy = wh_arena_str(arena, wh_str_n(text, (size_t)sqlite3_column_bytes(q->stmt, column)));
  q->no_memory |= !copy.data;
  return copy;
}

wh_str ledger_read_blob(ledger_query *q, wh_arena *arena) {
  int column = q->read++;
  const char *bytes = sqlite3_column_blob(q->stmt, column); // NULL for none
  wh_str view = wh_str_n(bytes ? bytes : "", (size_t)sqlite3_column_bytes(q->stmt, column));
  q->no_memory |= !bytes && view.len;
  wh_str copy = wh_arena_str(arena, view);
  q->no_memory |= !copy.data;
  return copy;
}

int64_t ledger_read_i64(ledger_query *q) {
  return sqlite3_column_int64(q->stmt, q->read++);
}

uint64_t ledger_read_u64(ledger_query *q) {
  return (uint64_t)ledger_read_i64(q);
}

bool ledger_next_is_null(const ledger_query *q) {
  return sqlite3_column_type(q->stmt, q->read) == SQLITE_NULL;
}

wh_status ledger_read_end(const ledger_query *q, wh_error *err) {
  return q->no_memory ? wh_fail_memory(err) : WH_OK;
}
