// The ledger's database in SQLite: what its failures mean, transactions, cached statements.
#include "ledger/sqlite_ledger.h"

#include <assert.h>
#include <errno.h>

// --- errors
// ----------------------------------------------------------------------------------------

static wh_status fail_damaged(const sqlite_ledger *l, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA,
                 "%s: the ledger is damaged (%s). Move it away, then rebuild it from the manifests "
                 "and marks: wherry ledger rebuild",
                 l->base.path, l->db ? sqlite3_errmsg(l->db) : "it cannot be read");
}

static wh_status fail_no_space(const sqlite_ledger *l, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_NO_SPACE,
                             "%s: no space left for the ledger. Nothing that was acknowledged is "
                             "lost; it goes on when there is room",
                             l->base.path);
  if (err) err->retry = true;
  return status;
}

static wh_status fail_busy(const sqlite_ledger *l, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_BUSY,
                             "%s: another process has held the ledger for %d seconds. Try again, "
                             "or look for it: wherry status",
                             l->base.path, SQLITE_LEDGER_BUSY_MS / 1000);
  if (err) err->retry = true;
  return status;
}

// SQLite reports a full disk as such only where it writes pages; elsewhere it is an I/O error.
static bool is_no_space(int rc, int errnum) {
  return (rc & 0xff) == SQLITE_FULL || errnum == ENOSPC || errnum == EDQUOT;
}

wh_status sqlite_fail(sqlite_ledger *l, int rc, wh_error *err) {
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
    return wh_fail(err, WH_ERR_DENIED, "%s: the ledger cannot be written (%s)", l->base.path,
                   sqlite3_errstr(rc));
  case SQLITE_IOERR:
    if (rc == SQLITE_IOERR_NOMEM) return wh_fail_memory(err);
    break;
  case SQLITE_CANTOPEN:
    return wh_fail(err, errnum ? wh_status_from_errno(errnum) : WH_ERR_IO,
                   "%s: cannot open the ledger: %s", l->base.path,
                   errnum ? strerror(errnum) : sqlite3_errstr(rc));
  case SQLITE_CONSTRAINT:
  case SQLITE_MISUSE:
  case SQLITE_RANGE:
  case SQLITE_ERROR:
    return wh_fail(err, WH_ERR_BUG, "%s: the ledger refused a statement: %s", l->base.path,
                   l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(rc));
  }
  return wh_fail(err, WH_ERR_IO, "%s: cannot read or write the ledger: %s", l->base.path,
                 errnum ? strerror(errnum) : sqlite3_errstr(rc));
}

// --- transactions
// ----------------------------------------------------------------------------------

wh_status sqlite_exec(sqlite_ledger *l, const char *sql, wh_error *err) {
  int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? WH_OK : sqlite_fail(l, sqlite3_extended_errcode(l->db), err);
}

static wh_status run_sql(ledger *l, const char *sql, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, sql, &q);
  return ledger_run(&q, err);
}

// SQLite may have rolled back by itself, when the disk was full for example. The statement is there
// since the ledger was opened, because there may be no memory to make it now.
static void roll_back(sqlite_ledger *l) {
  // While the ledger is being opened it is not there yet; closing rolls back too.
  if (sqlite3_get_autocommit(l->db) || !l->rollback) return;
  sqlite3_step(l->rollback);
  sqlite3_reset(l->rollback);
}

// Takes the write lock at once, so that nothing read in the transaction can change under it.
wh_status sqlite_begin(ledger *l, wh_error *err) {
  roll_back((sqlite_ledger *)l); // what could not be rolled back then
  return run_sql(l, "BEGIN IMMEDIATE", err);
}

wh_status sqlite_end(ledger *l, wh_status status, wh_error *err) {
  if (status == WH_OK) status = run_sql(l, "COMMIT", err);
  if (status != WH_OK) roll_back((sqlite_ledger *)l);
  return status;
}

static bool again(ledger *l, bool once) {
  (void)l, (void)once;
  return false; // whoever was in the way has been waited for
}

// --- statements
// ----------------------------------------------------------------------------------

// Without each FOR UPDATE [SKIP LOCKED]: whoever writes is alone.
static size_t cut_locking(const char *sql, char *ret) {
  static const char locking[] = " FOR UPDATE", skipping[] = " SKIP LOCKED";
  size_t len = 0;
  for (const char *at; (at = strstr(sql, locking));) {
    memcpy(ret + len, sql, (size_t)(at - sql));
    len += (size_t)(at - sql);
    sql = at + sizeof locking - 1;
    if (strncmp(sql, skipping, sizeof skipping - 1) == 0) sql += sizeof skipping - 1;
  }
  memcpy(ret + len, sql, strlen(sql));
  return len + strlen(sql);
}

static wh_status prepare(sqlite_ledger *l, const char *sql, sqlite3_stmt **ret, wh_error *err) {
  char text[LEDGER_SQL_MAX];
  assert(strlen(sql) <= sizeof text);
  int rc = sqlite3_prepare_v3(l->db, text, (int)cut_locking(sql, text), SQLITE_PREPARE_PERSISTENT,
                              ret, NULL);
  return rc == SQLITE_OK ? WH_OK : sqlite_fail(l, sqlite3_extended_errcode(l->db), err);
}

static wh_status find_statement(sqlite_ledger *l, const char *sql, sqlite3_stmt **ret,
                                wh_error *err) {
  for (size_t i = 0; i < l->statement_count; i++) {
    if (l->statements[i].sql == sql) {
      *ret = l->statements[i].stmt;
      return WH_OK;
    }
  }
  assert(l->statement_count < LEDGER_STATEMENTS_MAX);
  sqlite3_stmt *stmt = NULL;
  WH_TRY(prepare(l, sql, &stmt, err));
  l->statements[l->statement_count++] = (sqlite_statement){sql, stmt};
  *ret = stmt;
  return WH_OK;
}

static int bind(sqlite3_stmt *stmt, int number, const ledger_param *param) {
  switch (param->kind) {
  case LEDGER_NUMBER:
    return sqlite3_bind_int64(stmt, number, param->number);
  case LEDGER_TEXT:
    return sqlite3_bind_text64(stmt, number, param->text.data, param->text.len, SQLITE_STATIC,
                               SQLITE_UTF8);
  case LEDGER_BLOB:
    return sqlite3_bind_blob64(stmt, number, param->text.data, param->text.len, SQLITE_STATIC);
  case LEDGER_ZEROES:
    return sqlite3_bind_zeroblob64(stmt, number, (uint64_t)param->number);
  case LEDGER_NULL:
    break;
  }
  return sqlite3_bind_null(stmt, number);
}

static wh_status start(sqlite_ledger *l, ledger_query *q, wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(find_statement(l, q->sql, &stmt, err));
  assert(q->bound == sqlite3_bind_parameter_count(stmt));
  q->own = stmt;
  q->started = true;
  for (int i = 0; i < q->bound; i++) {
    int rc = bind(stmt, i + 1, &q->params[i]);
    if (rc != SQLITE_OK) return sqlite_fail(l, rc, err);
  }
  return WH_OK;
}

static wh_status step(ledger_query *q, bool *ret_row, wh_error *err) {
  sqlite_ledger *l = (sqlite_ledger *)q->owner;
  if (!q->started) WH_TRY(start(l, q, err));
  int rc = sqlite3_step(q->own);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    return sqlite_fail(l, sqlite3_extended_errcode(l->db), err);
  if (rc == SQLITE_DONE) q->changes = (uint64_t)sqlite3_changes(l->db);
  *ret_row = rc == SQLITE_ROW;
  return WH_OK;
}

static void end_query(ledger_query *q) {
  if (!q->own) return;
  sqlite3_reset(q->own);
  sqlite3_clear_bindings(q->own);
}

static bool is_null(const ledger_query *q, int column) {
  return sqlite3_column_type(q->own, column) == SQLITE_NULL;
}

static int64_t number(const ledger_query *q, int column) {
  return sqlite3_column_int64(q->own, column);
}

static bool text(const ledger_query *q, int column, wh_str *ret) {
  const char *data = (const char *)sqlite3_column_text(q->own, column);
  if (!data) return is_null(q, column);
  *ret = wh_str_n(data, (size_t)sqlite3_column_bytes(q->own, column));
  return true;
}

// No memory for it shows in the statement's next step.
static wh_str bytes(const ledger_query *q, int column) {
  const char *data = sqlite3_column_blob(q->own, column); // NULL for none
  return wh_str_n(data ? data : "", data ? (size_t)sqlite3_column_bytes(q->own, column) : 0);
}

// --- a window's hashes, as one blob that is never whole in SQLite's memory
// ---------------------------

enum { HASHES_AT_ONCE = 1024 }; // converted and written together

static void to_little_endian(const uint64_t *hashes, size_t count, unsigned char *ret) {
  for (size_t i = 0; i < count; i++) {
    for (int b = 0; b < 8; b++)
      *ret++ = (unsigned char)(hashes[i] >> (8 * b));
  }
}

static void from_little_endian(const unsigned char *bytes, size_t count, uint64_t *ret) {
  for (size_t i = 0; i < count; i++) {
    ret[i] = 0;
    for (int b = 0; b < 8; b++)
      ret[i] |= (uint64_t)*bytes++ << (8 * b);
  }
}

static size_t piece(size_t count, size_t at) {
  return count - at < HASHES_AT_ONCE ? count - at : HASHES_AT_ONCE;
}

static wh_status open_hashes(sqlite_ledger *l, int64_t row, bool write, sqlite3_blob **ret,
                             wh_error *err) {
  int rc = sqlite3_blob_open(l->db, "main", "cursor", "hashes", row, write, ret);
  if (rc == SQLITE_OK) return WH_OK;
  sqlite3_blob_close(*ret);
  return sqlite_fail(l, sqlite3_extended_errcode(l->db), err);
}

static wh_status write_hashes(ledger *base, int64_t row, const uint64_t *hashes, size_t count,
                              wh_error *err) {
  sqlite_ledger *l = (sqlite_ledger *)base;
  sqlite3_blob *blob = NULL;
  WH_TRY(open_hashes(l, row, true, &blob, err));
  unsigned char bytes[HASHES_AT_ONCE * 8];
  int rc = SQLITE_OK;
  for (size_t at = 0; at < count && rc == SQLITE_OK; at += piece(count, at)) {
    size_t n = piece(count, at);
    to_little_endian(hashes + at, n, bytes);
    rc = sqlite3_blob_write(blob, bytes, (int)(n * 8), (int)(at * 8));
  }
  wh_status status = rc == SQLITE_OK ? WH_OK : sqlite_fail(l, rc, err);
  rc = sqlite3_blob_close(blob);
  return status == WH_OK && rc != SQLITE_OK ? sqlite_fail(l, rc, err) : status;
}

static wh_status read_hashes(ledger *base, int64_t row, wh_arena *arena, wh_cursor *ret,
                             wh_error *err) {
  sqlite_ledger *l = (sqlite_ledger *)base;
  sqlite3_blob *blob = NULL;
  WH_TRY(open_hashes(l, row, false, &blob, err));
  size_t count = (size_t)sqlite3_blob_bytes(blob) / 8;
  uint64_t *hashes = WH_NEW_ARRAY(arena, count, uint64_t);
  unsigned char bytes[HASHES_AT_ONCE * 8];
  int rc = hashes ? SQLITE_OK : SQLITE_NOMEM;
  for (size_t at = 0; at < count && rc == SQLITE_OK; at += piece(count, at)) {
    size_t n = piece(count, at);
    rc = sqlite3_blob_read(blob, bytes, (int)(n * 8), (int)(at * 8));
    if (rc == SQLITE_OK) from_little_endian(bytes, n, hashes + at);
  }
  sqlite3_blob_close(blob);
  if (rc != SQLITE_OK) return sqlite_fail(l, rc, err);
  ret->window = hashes;
  ret->window_count = count;
  return WH_OK;
}

const ledger_driver sqlite_driver = {
    .begin = sqlite_begin,
    .end = sqlite_end,
    .again = again,
    .step = step,
    .end_query = end_query,
    .is_null = is_null,
    .number = number,
    .text = text,
    .bytes = bytes,
    .page = 1,
    .write_hashes = write_hashes,
    .read_hashes = read_hashes,
    .hold = sqlite_hold,
    .renew = sqlite_renew,
    .give_back = sqlite_give_back,
    .is_held = sqlite_is_held,
};
