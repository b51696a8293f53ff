// Opening, migrating and closing the SQLite ledger.
#include "ledger/sqlite_ledger.h"

#include <errno.h>

enum {
  LEDGER_APPLICATION_ID = 0x57684c67, // PRAGMA application_id: this file is a ledger
  AGAIN_MS = 10,                      // where SQLite does not wait itself
};

static const wh_str *const migrations[] = {SQLITE_LEDGER_MIGRATIONS};
static const sqlite_schema schema = {migrations, sizeof migrations / sizeof migrations[0]};

void sqlite_close_database(sqlite_ledger *l) {
  for (size_t i = 0; i < l->statement_count; i++)
    sqlite3_finalize(l->statements[i].stmt);
  l->statement_count = 0;
  sqlite3_finalize(l->rollback);
  l->rollback = NULL;
  sqlite3_close(l->db);
  l->db = NULL;
}

static void ledger_close(wh_ledger *base) {
  sqlite_ledger *l = (sqlite_ledger *)base;
  ledger_free(&l->base);
  sqlite_close_database(l);
  wh_arena_free(&l->arena);
  wh_mem_free(l->base.mem, l, sizeof *l);
}

wh_status ledger_listen_to_nobody(wh_ledger *base, int *ret_fd, wh_error *err) {
  (void)base, (void)err;
  *ret_fd = -1;
  return WH_OK;
}

void ledger_heard_nothing(wh_ledger *base, wh_heard_visit visit, void *context) {
  (void)base, (void)visit, (void)context;
}

static const wh_ledger_type sqlite_type = {
    .name = "sqlite",
    .listen = ledger_listen_to_nobody,
    .heard = ledger_heard_nothing,
    .close = ledger_close,
    LEDGER_VERBS,
};

// What the file says of itself. One statement, because another process may be making the ledger.
static wh_status read_header(sqlite_ledger *l, int64_t *ret_version, int64_t *ret_id,
                             int64_t *ret_tables, wh_error *err) {
  static const char sql[] = "SELECT (SELECT user_version FROM pragma_user_version),"
                            " (SELECT application_id FROM pragma_application_id),"
                            " (SELECT count(*) FROM sqlite_master)";
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(l->db, sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    *ret_version = sqlite3_column_int64(stmt, 0);
    *ret_id = sqlite3_column_int64(stmt, 1);
    *ret_tables = sqlite3_column_int64(stmt, 2);
  }
  sqlite3_finalize(stmt);
  return rc == SQLITE_ROW ? WH_OK : sqlite_fail(l, rc, err);
}

// Leaves other programs' databases and newer ledgers alone, before anything is written.
static wh_status check_ours(sqlite_ledger *l, const sqlite_schema *known, int64_t *ret_version,
                            wh_error *err) {
  int64_t version = 0, id = 0, tables = 0;
  WH_TRY(read_header(l, &version, &id, &tables, err));
  if (id != LEDGER_APPLICATION_ID && (id != 0 || version != 0 || tables != 0)) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: this is a database of something else, not a ledger. Give another path "
                   "under `ledger`",
                   l->base.path);
  }
  if (version > known->version) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: a newer wherry wrote this ledger (version %lld; this one knows %d). Use "
                   "that wherry, or give this one a ledger of its own",
                   l->base.path, (long long)version, known->version);
  }
  *ret_version = version;
  return WH_OK;
}

static wh_status migrate_one(sqlite_ledger *l, const sqlite_schema *known, int64_t version,
                             wh_error *err) {
  char pragma[64];
  WH_TRY(sqlite_exec(l, known->migrations[version]->data, err));
  snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d", LEDGER_APPLICATION_ID);
  WH_TRY(sqlite_exec(l, pragma, err));
  snprintf(pragma, sizeof pragma, "PRAGMA user_version=%lld", (long long)version + 1);
  return sqlite_exec(l, pragma, err);
}

// In a transaction: another process may have been faster.
static wh_status migrate_all(sqlite_ledger *l, const sqlite_schema *known, wh_error *err) {
  int64_t version = 0;
  WH_TRY(check_ours(l, known, &version, err));
  while (version < known->version)
    WH_TRY(migrate_one(l, known, version++, err));
  return WH_OK;
}

wh_status sqlite_migrate(sqlite_ledger *l, const sqlite_schema *known, wh_error *err) {
  int64_t version = 0;
  WH_TRY(check_ours(l, known, &version, err));
  if (version == known->version) return WH_OK;
  return LEDGER_TRANSACTION(&l->base, migrate_all(l, known, err), err);
}

static wh_status try_write_ahead_log(sqlite_ledger *l, wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(l->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
  wh_status status = WH_OK;
  if (rc != SQLITE_ROW)
    status = sqlite_fail(l, rc, err);
  else if (!mode)
    status = wh_fail_memory(err);
  else if (!wh_str_is(wh_str_of(mode), "wal")) {
    status = wh_fail(err, WH_ERR_IO,
                     "%s: the file system cannot hold a ledger (no shared memory for its log). Put "
                     "`ledger` on a local disk",
                     l->base.path);
  }
  sqlite3_finalize(stmt);
  return status;
}

// Two that do this at once would wait for each other: SQLite tells one of them without waiting.
static wh_status use_write_ahead_log(sqlite_ledger *l, wh_error *err) {
  wh_status status = try_write_ahead_log(l, err);
  for (int64_t ms = 0; status == WH_ERR_BUSY && ms < SQLITE_LEDGER_BUSY_MS; ms += AGAIN_MS) {
    l->base.os->type->sleep_ns(l->base.os, AGAIN_MS * 1000000LL);
    status = try_write_ahead_log(l, err);
  }
  return status;
}

// --- the ledger's clock, for the SQL of the verbs
// ---------------------------------------------------------------------------------------------

static void now_us(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count, (void)values;
  sqlite3_result_int64(context, sqlite_now_us(sqlite3_user_data(context)));
}

static void later_us(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  int64_t sum;
  if (__builtin_add_overflow(sqlite_now_us(sqlite3_user_data(context)),
                             sqlite3_value_int64(values[0]), &sum))
    sum = INT64_MAX;
  sqlite3_result_int64(context, sum);
}

static wh_status add_clock(sqlite_ledger *l, wh_error *err) {
  int rc = sqlite3_create_function(l->db, "now_us", 0, SQLITE_UTF8, l, now_us, NULL, NULL);
  if (rc == SQLITE_OK)
    rc = sqlite3_create_function(l->db, "later_us", 1, SQLITE_UTF8, l, later_us, NULL, NULL);
  return rc == SQLITE_OK ? WH_OK : sqlite_fail(l, rc, err);
}

wh_status sqlite_get_ready(sqlite_ledger *l, wh_error *err) {
  WH_TRY(add_clock(l, err));
  // Last, because statements from before a change of the schema are made again when they are used.
  int rc = sqlite3_prepare_v2(l->db, "ROLLBACK", -1, &l->rollback, NULL);
  return rc == SQLITE_OK ? WH_OK : sqlite_fail(l, rc, err);
}

static wh_status set_up(sqlite_ledger *l, wh_error *err) {
  int rc = sqlite3_busy_timeout(l->db, SQLITE_LEDGER_BUSY_MS);
  if (rc == SQLITE_OK) rc = sqlite3_extended_result_codes(l->db, 1);
  if (rc != SQLITE_OK) return sqlite_fail(l, rc, err);
  int64_t version = 0;
  WH_TRY(check_ours(l, &schema, &version, err));
  char pragmas[256];
  snprintf(pragmas, sizeof pragmas,
           "PRAGMA synchronous=FULL; PRAGMA cache_size=-%d; PRAGMA journal_size_limit=%d;"
           "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
           SQLITE_LEDGER_CACHE_KIB, SQLITE_LEDGER_WAL_BYTES_KEPT);
  WH_TRY(sqlite_exec(l, pragmas, err));
  WH_TRY(use_write_ahead_log(l, err));
  WH_TRY(sqlite_migrate(l, &schema, err));
  return sqlite_get_ready(l, err);
}

static wh_status open_database(sqlite_ledger *l, const char *path, const char *lock_folder,
                               wh_error *err) {
  l->base.path = wh_arena_cstr(&l->arena, wh_str_of(path));
  l->lock_folder = wh_arena_cstr(&l->arena, wh_str_of(lock_folder));
  char *folder = wh_path_folder(&l->arena, path);
  if (!l->base.path || !l->lock_folder || !folder) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(l->base.os, folder, err));
  WH_TRY(wh_os_make_path(l->base.os, lock_folder, err));
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int rc = sqlite3_open_v2(path, &l->db, flags, l->base.os->type->sqlite_vfs);
  if (rc != SQLITE_OK) return sqlite_fail(l, rc, err);
  WH_TRY(set_up(l, err));
  return l->base.os->type->sync_dir(l->base.os, folder, err);
}

wh_status wh_ledger_open_sqlite(wh_os *os, wh_mem *mem, const char *path, const char *lock_folder,
                                wh_ledger **ret, wh_error *err) {
  sqlite_ledger *l = wh_mem_alloc_zero(mem, sizeof *l);
  if (!l) return wh_fail_memory(err);
  l->base.base.type = &sqlite_type;
  l->base.mem = mem;
  wh_arena_init(&l->arena, mem);
  wh_status status = ledger_init(&l->base, &sqlite_driver, os, mem, err);
  if (status == WH_OK) status = open_database(l, path, lock_folder, err);
  if (status != WH_OK) {
    ledger_close(&l->base.base);
    return status;
  }
  *ret = &l->base.base;
  return WH_OK;
}
