#include "connect/ingest/log.h"

#include "connect/ingest/ingest_sql.h"

#include <errno.h>
#include <sqlite3.h>

enum {
  LOG_APPLICATION_ID = 0x57684967, // PRAGMA application_id: this file is a log of events
  LOG_VERSION = 3,
  US_PER_MS = 1000,
};

typedef enum statement {
  BEGIN,
  COMMIT,
  ROLLBACK,
  FIND_KEY,
  FORGET_KEY,
  ADD_RECEIPT,
  ADD_BODY,
  FIND_RECEIPT,
  STATE,
  NEXT,
  READ,
  MEASURE_BODIES,
  PRUNE_BODIES,
  PRUNE_RECEIPTS,
  SENT,
  BEGIN_SENDING,
  KEEP_SENT,
  SET_POSITION,
  DROP_POSITION,
  POSITIONS,
  FORGET,
  KEYS,
  STATEMENTS
} statement;

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [FIND_KEY] = "SELECT id, first, events, rejected, received_us, body_hash FROM receipt"
                 " WHERE idempotency = ?",
    [FORGET_KEY] = "UPDATE receipt SET idempotency = NULL, body_hash = NULL WHERE first = ?",
    [ADD_RECEIPT] = "INSERT INTO receipt"
                    " (first, id, events, rejected, received_us, idempotency, body_hash)"
                    " VALUES (?,?,?,?,?,?,?)",
    [ADD_BODY] = "INSERT INTO body (first, lines, keys) VALUES (?,?,?)",
    [FIND_RECEIPT] = "SELECT id, first, events, rejected, received_us FROM receipt WHERE id = ?",
    [STATE] = "SELECT coalesce(sum(r.events), 0), coalesce(sum(length(b.lines)), 0),"
              " min(r.received_us) FROM body b JOIN receipt r USING (first) WHERE b.first >= ?",
    [NEXT] = "SELECT first + events FROM receipt ORDER BY first DESC LIMIT 1",
    [READ] = "SELECT r.id, b.first, r.events, r.rejected, r.received_us, b.lines"
             " FROM body b JOIN receipt r USING (first)"
             " WHERE b.first >= ? AND b.first < ? ORDER BY b.first LIMIT 1",
    [MEASURE_BODIES] = "SELECT coalesce(sum(length(lines)), 0), coalesce(max(first), 0), count(*)"
                       " FROM (SELECT first, lines FROM body WHERE first < ? ORDER BY first"
                       " LIMIT ?)",
    [PRUNE_BODIES] = "DELETE FROM body WHERE first <= ?",
    [PRUNE_RECEIPTS] = "DELETE FROM receipt WHERE first IN (SELECT first FROM receipt"
                       " WHERE first < ?1 AND first < (SELECT max(first) FROM receipt)"
                       " ORDER BY first LIMIT ?3) AND received_us < ?2",
    [SENT] = "SELECT next FROM sent",
    [BEGIN_SENDING] = "INSERT INTO sent (id, next) VALUES (1, ?) ON CONFLICT (id) DO NOTHING",
    [KEEP_SENT] = "INSERT INTO sent (id, next) VALUES (1, ?)"
                  " ON CONFLICT (id) DO UPDATE SET next = excluded.next",
    [SET_POSITION] = "INSERT INTO position (name, value) VALUES (?,?)"
                     " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [DROP_POSITION] = "DELETE FROM position WHERE name = ?",
    [POSITIONS] = "SELECT name, value FROM position ORDER BY name",
    [FORGET] = "DELETE FROM position",
    [KEYS] = "SELECT first, keys FROM body WHERE first >= ?"
             " AND EXISTS (SELECT 1 FROM position) ORDER BY first",
};

struct wh_ingest_log {
  wh_os *os;
  wh_mem *mem;
  wh_arena arena;
  const char *path;
  sqlite3 *db;
  sqlite3_stmt *statements[STATEMENTS]; // made when they are first used
  int64_t next;                         // number of the next event, of a log that appends
  int64_t version;                      // of its tables
};

// --- what failures mean --------------------------------------------------------------------------

static bool is_no_space(int rc, int errnum) {
  bool is_io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
  return (rc & 0xff) == SQLITE_FULL || (is_io && (errnum == ENOSPC || errnum == EDQUOT));
}

static wh_status status_of(int rc, int errnum) {
  if (is_no_space(rc, errnum)) return WH_ERR_NO_SPACE;
  if (rc == SQLITE_IOERR_NOMEM) return WH_ERR_MEMORY;
  switch (rc & 0xff) {
  case SQLITE_NOMEM:
    return WH_ERR_MEMORY;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return WH_ERR_BUSY;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return WH_ERR_DATA;
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return WH_ERR_DENIED;
  case SQLITE_CANTOPEN:
    return errnum ? wh_status_from_errno(errnum) : WH_ERR_IO;
  case SQLITE_CONSTRAINT:
  case SQLITE_MISUSE:
  case SQLITE_RANGE:
  case SQLITE_ERROR:
    return WH_ERR_BUG;
  default:
    return WH_ERR_IO;
  }
}

static wh_status fail(const wh_ingest_log *log, int rc, wh_error *err) {
  int errnum = log->db ? sqlite3_system_errno(log->db) : 0;
  wh_status status = status_of(rc, errnum);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status == WH_ERR_NO_SPACE)
    WH_IGNORE(wh_fail(err, status, "%s: no space left for the log of events", log->path));
  else if (status == WH_ERR_BUSY)
    WH_IGNORE(wh_fail(err, status, "%s: another process has held the log for %d seconds", log->path,
                      WH_INGEST_BUSY_US / 1000000));
  else
    WH_IGNORE(wh_fail(err, status, "%s: the log of events: %s", log->path,
                      errnum && status == WH_ERR_IO ? strerror(errnum)
                      : log->db                     ? sqlite3_errmsg(log->db)
                                                    : sqlite3_errstr(rc)));
  if (err) err->retry = status == WH_ERR_NO_SPACE || status == WH_ERR_BUSY;
  return status;
}

// --- statements ----------------------------------------------------------------------------------

static wh_status get(wh_ingest_log *log, statement which, sqlite3_stmt **ret, wh_error *err) {
  sqlite3_stmt **slot = &log->statements[which];
  if (!*slot) {
    int rc = sqlite3_prepare_v3(log->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    if (rc != SQLITE_OK) return fail(log, rc, err);
  }
  *ret = *slot;
  return WH_OK;
}

static void end(sqlite3_stmt *stmt) {
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
}

// True in *ret_row when there is one. A failure ends the statement.
static wh_status step(wh_ingest_log *log, sqlite3_stmt *stmt, bool *ret_row, wh_error *err) {
  int rc = sqlite3_step(stmt);
  *ret_row = rc == SQLITE_ROW;
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return WH_OK;
  wh_status status = fail(log, sqlite3_extended_errcode(log->db), err);
  end(stmt);
  return status;
}

// To its end, without rows.
static wh_status finish(wh_ingest_log *log, sqlite3_stmt *stmt, wh_error *err) {
  bool row;
  WH_TRY(step(log, stmt, &row, err));
  end(stmt);
  return WH_OK;
}

static wh_status run(wh_ingest_log *log, statement which, wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(get(log, which, &stmt, err));
  return finish(log, stmt, err);
}

// SQLite may have rolled back by itself.
static wh_status end_transaction(wh_ingest_log *log, wh_status status, wh_error *err) {
  if (status == WH_OK) status = run(log, COMMIT, err);
  if (status != WH_OK && !sqlite3_get_autocommit(log->db)) WH_IGNORE(run(log, ROLLBACK, NULL));
  return status;
}

static wh_str blob_at(sqlite3_stmt *stmt, int column) {
  const char *data = sqlite3_column_blob(stmt, column);
  return wh_str_n(data ? data : "", data ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

static void bind_hash(sqlite3_stmt *stmt, int number, const uint8_t *hash) {
  if (hash) sqlite3_bind_blob(stmt, number, hash, WH_INGEST_HASH_BYTES, SQLITE_STATIC);
}

// The first columns of a statement that finds receipts.
static void read_receipt(sqlite3_stmt *stmt, wh_ingest_receipt *ret) {
  *ret = (wh_ingest_receipt){.first = sqlite3_column_int64(stmt, 1),
                             .events = (uint64_t)sqlite3_column_int64(stmt, 2),
                             .rejected = (uint64_t)sqlite3_column_int64(stmt, 3),
                             .received_us = sqlite3_column_int64(stmt, 4)};
  const char *id = (const char *)sqlite3_column_text(stmt, 0);
  snprintf(ret->id, sizeof ret->id, "%s", id ? id : "");
}

// --- opening -------------------------------------------------------------------------------------

static wh_status exec(wh_ingest_log *log, const char *sql, wh_error *err) {
  int rc = sqlite3_exec(log->db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? WH_OK : fail(log, sqlite3_extended_errcode(log->db), err);
}

static wh_status number_of(wh_ingest_log *log, const char *sql, int64_t *ret, wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(log->db, sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) *ret = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  return rc == SQLITE_ROW ? WH_OK : fail(log, rc, err);
}

static wh_status check_ours(wh_ingest_log *log, int64_t *ret_version, wh_error *err) {
  int64_t id = 0, tables = 0;
  WH_TRY(number_of(log, "PRAGMA user_version", ret_version, err));
  WH_TRY(number_of(log, "PRAGMA application_id", &id, err));
  WH_TRY(number_of(log, "SELECT count(*) FROM sqlite_master", &tables, err));
  if (id != LOG_APPLICATION_ID && (id != 0 || tables != 0))
    return wh_fail(err, WH_ERR_REFUSED, "%s: this is a database of something else, not a log",
                   log->path);
  log->version = *ret_version;
  if (*ret_version > LOG_VERSION)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: a newer wherry wrote this log (version %lld; this one knows %d)", log->path,
                   (long long)*ret_version, LOG_VERSION);
  return WH_OK;
}

static wh_status make_tables(wh_ingest_log *log, wh_error *err) {
  int64_t version = 0;
  char pragmas[96];
  WH_TRY(check_ours(log, &version, err));
  if (version == LOG_VERSION) return WH_OK;
  snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%d",
           LOG_APPLICATION_ID, LOG_VERSION);
  if (version < 1) WH_TRY(exec(log, wh_ingest_migration_1.data, err));
  if (version < 2) WH_TRY(exec(log, wh_ingest_migration_2.data, err));
  if (version < 3) WH_TRY(exec(log, wh_ingest_migration_3.data, err));
  WH_TRY(exec(log, pragmas, err));
  log->version = LOG_VERSION;
  return WH_OK;
}

static wh_status migrate(wh_ingest_log *log, wh_error *err) {
  WH_TRY(run(log, BEGIN, err));
  return end_transaction(log, make_tables(log, err), err);
}

static wh_status use_write_ahead_log(wh_ingest_log *log, wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(log->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
  wh_status status = WH_OK;
  if (rc != SQLITE_ROW)
    status = fail(log, rc, err);
  else if (!mode || !wh_str_is(wh_str_of(mode), "wal"))
    status = wh_fail(err, WH_ERR_IO,
                     "%s: the file system cannot hold a log of events (no shared memory for its "
                     "write-ahead log). Put the project on a local disk",
                     log->path);
  sqlite3_finalize(stmt);
  return status;
}

static wh_status set_up(wh_ingest_log *log, wh_error *err) {
  char pragmas[256];
  snprintf(pragmas, sizeof pragmas,
           "PRAGMA synchronous=FULL; PRAGMA cache_size=-%d; PRAGMA journal_size_limit=%d;"
           "PRAGMA wal_autocheckpoint=%d; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
           "PRAGMA trusted_schema=OFF;",
           WH_INGEST_CACHE_KIB, WH_INGEST_WAL_BYTES_KEPT, WH_INGEST_WAL_PAGES);
  sqlite3_busy_timeout(log->db, WH_INGEST_BUSY_US / US_PER_MS);
  sqlite3_extended_result_codes(log->db, 1);
  return exec(log, pragmas, err);
}

static wh_status open_database(wh_ingest_log *log, const char *path, int flags, wh_error *err) {
  log->path = wh_arena_cstr(&log->arena, wh_str_of(path));
  if (!log->path) return wh_fail_memory(err);
  flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  int rc = sqlite3_open_v2(log->path, &log->db, flags, log->os->type->sqlite_vfs);
  return rc == SQLITE_OK ? set_up(log, err) : fail(log, rc, err);
}

static wh_status next_number(wh_ingest_log *log, int64_t *ret, wh_error *err) {
  bool row;
  sqlite3_stmt *stmt;
  WH_TRY(get(log, NEXT, &stmt, err));
  WH_TRY(step(log, stmt, &row, err));
  *ret = row ? sqlite3_column_int64(stmt, 0) : 0;
  end(stmt);
  return WH_OK;
}

static wh_status make_log(wh_ingest_log *log, const char *path, wh_error *err) {
  char *folder = wh_path_folder(&log->arena, path);
  if (!folder) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(log->os, folder, err));
  WH_TRY(open_database(log, path, SQLITE_OPEN_CREATE, err));
  WH_TRY(use_write_ahead_log(log, err));
  WH_TRY(migrate(log, err));
  WH_TRY(next_number(log, &log->next, err));
  if (!log->next) log->next = wh_now_us(log->os);
  return log->os->type->sync_dir(log->os, folder, err);
}

static wh_status find_log(wh_ingest_log *log, const char *path, wh_error *err) {
  WH_TRY(open_database(log, path, 0, err));
  WH_TRY(check_ours(log, &log->version, err));
  return log->version ? WH_OK : WH_ERR_NOT_FOUND; // it is just being made
}

static wh_ingest_log *new_log(wh_os *os, wh_mem *mem) {
  wh_ingest_log *log = wh_mem_alloc_zero(mem, sizeof *log);
  if (!log) return NULL;
  log->os = os;
  log->mem = mem;
  wh_arena_init(&log->arena, mem);
  return log;
}

wh_status wh_ingest_log_open(wh_os *os, wh_mem *mem, const char *path, wh_ingest_log **ret,
                             wh_error *err) {
  wh_ingest_log *log = new_log(os, mem);
  if (!log) return wh_fail_memory(err);
  wh_status status = make_log(log, path, err);
  if (status == WH_OK)
    *ret = log;
  else
    wh_ingest_log_close(log);
  return status;
}

wh_status wh_ingest_log_open_reader(wh_os *os, wh_mem *mem, const char *path, wh_ingest_log **ret,
                                    wh_error *err) {
  bool exists;
  WH_TRY(wh_os_exists(os, path, &exists, err));
  *ret = NULL;
  if (!exists) return WH_OK;
  wh_ingest_log *log = new_log(os, mem);
  if (!log) return wh_fail_memory(err);
  wh_status status = find_log(log, path, err);
  if (status == WH_OK)
    *ret = log;
  else
    wh_ingest_log_close(log);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

void wh_ingest_log_close(wh_ingest_log *log) {
  if (!log) return;
  for (size_t i = 0; i < STATEMENTS; i++)
    sqlite3_finalize(log->statements[i]);
  sqlite3_close(log->db);
  wh_arena_free(&log->arena);
  wh_mem_free(log->mem, log, sizeof *log);
}

// --- appending -----------------------------------------------------------------------------------

// Whether the entry's key was seen: then its outcome is known.
static wh_status look_for_key(wh_ingest_log *log, wh_ingest_entry *e, int64_t keys_since_us,
                              bool *ret_known, wh_error *err) {
  *ret_known = false;
  if (!e->idempotency) return WH_OK;
  sqlite3_stmt *stmt;
  WH_TRY(get(log, FIND_KEY, &stmt, err));
  bind_hash(stmt, 1, e->idempotency);
  bool row;
  WH_TRY(step(log, stmt, &row, err));
  wh_ingest_receipt before = {0};
  bool is_same = false;
  if (row) {
    read_receipt(stmt, &before);
    is_same =
        wh_str_eq(blob_at(stmt, 5), wh_str_n((const char *)e->body_hash, WH_INGEST_HASH_BYTES));
  }
  end(stmt);
  if (!row) return WH_OK;
  if (before.received_us < keys_since_us) { // it waits to be pruned
    WH_TRY(get(log, FORGET_KEY, &stmt, err));
    sqlite3_bind_int64(stmt, 1, before.first);
    return finish(log, stmt, err);
  }
  e->outcome = is_same ? WH_INGEST_REPEATED : WH_INGEST_CONFLICT;
  e->receipt = before;
  *ret_known = true;
  return WH_OK;
}

static wh_status store(wh_ingest_log *log, wh_ingest_entry *e, int64_t first, int64_t now_us,
                       wh_error *err) {
  sqlite3_stmt *receipt, *body;
  e->outcome = WH_INGEST_STORED;
  e->receipt = (wh_ingest_receipt){
      .first = first, .events = e->events, .rejected = e->rejected, .received_us = now_us};
  WH_TRY(wh_ulid_new(log->os, e->receipt.id, err));
  WH_TRY(get(log, ADD_RECEIPT, &receipt, err));
  WH_TRY(get(log, ADD_BODY, &body, err));
  sqlite3_bind_int64(receipt, 1, first);
  sqlite3_bind_text(receipt, 2, e->receipt.id, WH_ULID_CHARS, SQLITE_STATIC);
  sqlite3_bind_int64(receipt, 3, (int64_t)e->events);
  sqlite3_bind_int64(receipt, 4, (int64_t)e->rejected);
  sqlite3_bind_int64(receipt, 5, now_us);
  bind_hash(receipt, 6, e->idempotency);
  bind_hash(receipt, 7, e->body_hash);
  WH_TRY(finish(log, receipt, err));
  sqlite3_bind_int64(body, 1, first);
  sqlite3_bind_blob64(body, 2, e->lines.data, e->lines.len, SQLITE_STATIC);
  if (e->keys) sqlite3_bind_blob64(body, 3, e->keys, e->events * sizeof *e->keys, SQLITE_STATIC);
  return finish(log, body, err);
}

static wh_status append_all(wh_ingest_log *log, wh_ingest_entry *const *entries, size_t count,
                            int64_t keys_since_us, int64_t *next, wh_error *err) {
  int64_t now_us = wh_now_us(log->os);
  for (size_t i = 0; i < count; i++) {
    bool known;
    WH_TRY(look_for_key(log, entries[i], keys_since_us, &known, err));
    if (known) continue;
    WH_TRY(store(log, entries[i], *next, now_us, err));
    *next += (int64_t)entries[i]->events;
  }
  return WH_OK;
}

wh_status wh_ingest_log_append(wh_ingest_log *log, wh_ingest_entry *const *entries, size_t count,
                               int64_t keys_since_us, wh_error *err) {
  int64_t next = log->next;
  WH_TRY(run(log, BEGIN, err));
  WH_TRY(end_transaction(log, append_all(log, entries, count, keys_since_us, &next, err), err));
  log->next = next;
  return WH_OK;
}

// --- positions -----------------------------------------------------------------------------------

static wh_status set_position(wh_ingest_log *log, const wh_feed_position *p, wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(get(log, p->value.len ? SET_POSITION : DROP_POSITION, &stmt, err));
  sqlite3_bind_text64(stmt, 1, p->name.data, p->name.len, SQLITE_STATIC, SQLITE_UTF8);
  if (p->value.len)
    sqlite3_bind_text64(stmt, 2, p->value.data, p->value.len, SQLITE_STATIC, SQLITE_UTF8);
  return finish(log, stmt, err);
}

static wh_status append_and_set(wh_ingest_log *log, wh_ingest_entry *const *entries, size_t count,
                                const wh_feed_position *positions, size_t position_count,
                                int64_t *next, wh_error *err) {
  WH_TRY(append_all(log, entries, count, 0, next, err));
  for (size_t i = 0; i < position_count; i++)
    WH_TRY(set_position(log, &positions[i], err));
  return WH_OK;
}

wh_status wh_ingest_log_append_from(wh_ingest_log *log, wh_ingest_entry *const *entries,
                                    size_t count, const wh_feed_position *positions,
                                    size_t position_count, wh_error *err) {
  int64_t next = log->next;
  WH_TRY(run(log, BEGIN, err));
  wh_status status = append_and_set(log, entries, count, positions, position_count, &next, err);
  WH_TRY(end_transaction(log, status, err));
  log->next = next;
  return WH_OK;
}

static wh_status copy_position(sqlite3_stmt *stmt, wh_arena *arena, wh_feed_position *ret,
                               wh_error *err) {
  ret->name = wh_arena_str(arena, blob_at(stmt, 0));
  ret->value = wh_arena_str(arena, blob_at(stmt, 1));
  return ret->name.data && ret->value.data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_ingest_log_positions(wh_ingest_log *log, wh_arena *arena, wh_feed_position **ret,
                                  size_t *ret_count, wh_error *err) {
  enum { FIRST = 32 };
  wh_feed_position *all = NULL;
  size_t count = 0, cap = 0;
  sqlite3_stmt *stmt;
  *ret_count = 0;
  if (log->version < LOG_VERSION) return WH_OK;
  WH_TRY(get(log, POSITIONS, &stmt, err));
  for (;;) {
    bool row;
    WH_TRY(step(log, stmt, &row, err));
    if (!row) break;
    if (count == cap) {
      wh_feed_position *grown = WH_NEW_ARRAY(arena, cap ? 2 * cap : FIRST, wh_feed_position);
      if (grown && count) memcpy(grown, all, count * sizeof *all);
      all = grown;
      cap = cap ? 2 * cap : FIRST;
    }
    wh_status status = all ? copy_position(stmt, arena, &all[count], err) : wh_fail_memory(err);
    if (status != WH_OK) {
      end(stmt);
      return status;
    }
    count++;
  }
  end(stmt);
  *ret = all;
  *ret_count = count;
  return WH_OK;
}

wh_status wh_ingest_log_forget(wh_ingest_log *log, wh_error *err) {
  return run(log, FORGET, err);
}

// --- where a run ends ----------------------------------------------------------------------------

// Keys whose rows are in the run: a table of hashes, half full at most.
enum { SLOTS = 4 * WH_INGEST_WINDOW_EVENTS };

static uint64_t *slot_of(uint64_t *slots, uint64_t key) {
  size_t at = (size_t)(key >> 1) % SLOTS;
  while (slots[at] && slots[at] != key)
    at = (at + 1) % SLOTS;
  return &slots[at];
}

// Whether the events may all be in the run; then their keys are.
static bool admit(uint64_t *slots, size_t *count, wh_str keys) {
  size_t events = keys.len / sizeof(uint64_t);
  if (*count && *count + events > WH_INGEST_WINDOW_EVENTS) return false;
  if (events > SLOTS / 2) return *count == 0; // alone
  for (int adds = 0; adds < 2; adds++) {
    for (size_t i = 0; i < events; i++) {
      uint64_t key;
      memcpy(&key, keys.data + i * sizeof key, sizeof key);
      bool removes = key & 1;
      key |= 1; // no slot is 0 then
      if (!adds && removes && *slot_of(slots, key)) return false;
      if (adds && !removes) *slot_of(slots, key) = key;
    }
  }
  *count += events;
  return true;
}

// To the first request that does not belong to the run, or to the end.
static wh_status find_bound(wh_ingest_log *log, sqlite3_stmt *stmt, uint64_t *slots,
                            int64_t *ret_to, wh_error *err) {
  size_t count = 0;
  for (bool row = true; row;) {
    if (!admit(slots, &count, blob_at(stmt, 1))) {
      *ret_to = sqlite3_column_int64(stmt, 0);
      return WH_OK;
    }
    WH_TRY(step(log, stmt, &row, err));
  }
  return WH_OK;
}

// What is appended meanwhile is behind the end that was seen first.
wh_status wh_ingest_log_bound(wh_ingest_log *log, int64_t from, int64_t *ret_to, bool *ret_more,
                              wh_error *err) {
  sqlite3_stmt *stmt;
  bool any;
  int64_t end_of_run = INT64_MAX;
  *ret_more = false;
  WH_TRY(next_number(log, ret_to, err));
  if (log->version < LOG_VERSION) return WH_OK;
  WH_TRY(get(log, KEYS, &stmt, err));
  sqlite3_bind_int64(stmt, 1, from);
  WH_TRY(step(log, stmt, &any, err));
  uint64_t *slots = any ? wh_mem_alloc_zero(log->mem, SLOTS * sizeof *slots) : NULL;
  wh_status status = WH_OK;
  if (slots) status = find_bound(log, stmt, slots, &end_of_run, err);
  if (any && !slots) status = wh_fail_memory(err);
  end(stmt);
  if (slots) wh_mem_free(log->mem, slots, SLOTS * sizeof *slots);
  if (end_of_run >= *ret_to) return status;
  *ret_to = end_of_run;
  *ret_more = true;
  return status;
}

// --- reading -------------------------------------------------------------------------------------

wh_status wh_ingest_log_find(wh_ingest_log *log, wh_str id, bool *ret_found, wh_ingest_receipt *ret,
                             wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(get(log, FIND_RECEIPT, &stmt, err));
  sqlite3_bind_text64(stmt, 1, id.data, id.len, SQLITE_STATIC, SQLITE_UTF8);
  WH_TRY(step(log, stmt, ret_found, err));
  if (*ret_found) read_receipt(stmt, ret);
  end(stmt);
  return WH_OK;
}

wh_status wh_ingest_log_state(wh_ingest_log *log, int64_t from, wh_ingest_state *ret,
                              wh_error *err) {
  sqlite3_stmt *stmt;
  bool row;
  *ret = (wh_ingest_state){.oldest_us = INT64_MAX};
  WH_TRY(next_number(log, &ret->next, err));
  WH_TRY(get(log, STATE, &stmt, err));
  sqlite3_bind_int64(stmt, 1, from);
  WH_TRY(step(log, stmt, &row, err));
  ret->events = (uint64_t)sqlite3_column_int64(stmt, 0);
  ret->bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
  if (ret->events) ret->oldest_us = sqlite3_column_int64(stmt, 2);
  end(stmt);
  return WH_OK;
}

wh_status wh_ingest_log_read(wh_ingest_log *log, int64_t from, int64_t to, bool *ret_found,
                             wh_ingest_receipt *ret, wh_str *ret_lines, wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(get(log, READ, &stmt, err));
  end(stmt);
  sqlite3_bind_int64(stmt, 1, from);
  sqlite3_bind_int64(stmt, 2, to);
  WH_TRY(step(log, stmt, ret_found, err));
  if (!*ret_found) {
    end(stmt);
    return WH_OK;
  }
  read_receipt(stmt, ret);
  *ret_lines = blob_at(stmt, 5);
  if (!ret_lines->len) return wh_fail_memory(err); // no request is stored without a line
  return WH_OK;
}

void wh_ingest_log_rest(wh_ingest_log *log) {
  if (log->statements[READ]) end(log->statements[READ]);
}

// --- pruning -------------------------------------------------------------------------------------

static wh_status prune_bodies(wh_ingest_log *log, int64_t taken, wh_ingest_pruned *ret,
                              wh_error *err) {
  sqlite3_stmt *measure, *prune;
  bool row;
  WH_TRY(get(log, MEASURE_BODIES, &measure, err));
  sqlite3_bind_int64(measure, 1, taken);
  sqlite3_bind_int64(measure, 2, WH_INGEST_PRUNE_ROWS);
  WH_TRY(step(log, measure, &row, err));
  ret->bytes = (uint64_t)sqlite3_column_int64(measure, 0);
  int64_t last = sqlite3_column_int64(measure, 1), count = sqlite3_column_int64(measure, 2);
  end(measure);
  ret->more = count == WH_INGEST_PRUNE_ROWS;
  if (!count) return WH_OK;
  WH_TRY(get(log, PRUNE_BODIES, &prune, err));
  sqlite3_bind_int64(prune, 1, last);
  return finish(log, prune, err);
}

static wh_status prune_all(wh_ingest_log *log, int64_t taken, int64_t keep_since_us,
                           wh_ingest_pruned *ret, wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(prune_bodies(log, taken, ret, err));
  if (ret->more) return WH_OK; // a receipt goes behind its events
  WH_TRY(get(log, PRUNE_RECEIPTS, &stmt, err));
  sqlite3_bind_int64(stmt, 1, taken);
  sqlite3_bind_int64(stmt, 2, keep_since_us);
  sqlite3_bind_int64(stmt, 3, WH_INGEST_PRUNE_ROWS);
  WH_TRY(finish(log, stmt, err));
  ret->more = sqlite3_changes(log->db) == WH_INGEST_PRUNE_ROWS;
  return WH_OK;
}

wh_status wh_ingest_log_prune(wh_ingest_log *log, int64_t taken, int64_t keep_since_us,
                              wh_ingest_pruned *ret, wh_error *err) {
  *ret = (wh_ingest_pruned){0};
  WH_TRY(run(log, BEGIN, err));
  return end_transaction(log, prune_all(log, taken, keep_since_us, ret, err), err);
}

// --- what was sent -------------------------------------------------------------------------------

wh_status wh_ingest_log_sent(wh_ingest_log *log, int64_t *ret, wh_error *err) {
  sqlite3_stmt *stmt;
  bool row;
  *ret = 0;
  if (log->version < 2) return WH_OK; // it waits for whoever serves the endpoint
  WH_TRY(get(log, SENT, &stmt, err));
  WH_TRY(step(log, stmt, &row, err));
  if (row) *ret = sqlite3_column_int64(stmt, 0);
  end(stmt);
  return WH_OK;
}

static wh_status put_sent(wh_ingest_log *log, statement how, int64_t next, wh_error *err) {
  sqlite3_stmt *stmt;
  WH_TRY(get(log, how, &stmt, err));
  sqlite3_bind_int64(stmt, 1, next);
  return finish(log, stmt, err);
}

wh_status wh_ingest_log_begin_sending(wh_ingest_log *log, int64_t next, wh_error *err) {
  return put_sent(log, BEGIN_SENDING, next, err);
}

wh_status wh_ingest_log_keep_sent(wh_ingest_log *log, int64_t next, wh_error *err) {
  return put_sent(log, KEEP_SENT, next, err);
}
