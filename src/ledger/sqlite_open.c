// Opening, migrating and closing the SQLite ledger.
#include "ledger/migrations.h"
#include "ledger/sqlite_ledger.h"

#include <errno.h>

enum {
  LEDGER_APPLICATION_ID = 0x57684c67, // PRAGMA application_id: this file is a ledger
};

// Migration i leads from version i to version i + 1.
static const wh_str *const migrations[] = {&wh_ledger_migration_1, &wh_ledger_migration_2,
                                           &wh_ledger_migration_3};
enum { LEDGER_VERSION = sizeof migrations / sizeof migrations[0] };

static void ledger_close(wh_ledger *base) {
  ledger *l = (ledger *)base;
  ledger_drop_leases(l);
  for (size_t i = 0; i < l->statement_count; i++)
    sqlite3_finalize(l->statements[i].stmt);
  sqlite3_finalize(l->rollback);
  sqlite3_close(l->db);
  if (l->has_mutex) pthread_mutex_destroy(&l->mutex);
  wh_arena_free(&l->arena);
  wh_mem_free(l->mem, l, sizeof *l);
}

static const wh_ledger_type sqlite_type = {
    .name = "sqlite",
    .acquire = ledger_acquire,
    .renew = ledger_renew,
    .release = ledger_release,
    .run_start = ledger_run_start,
    .run_seal = ledger_run_seal,
    .run_sealed_finish = ledger_run_sealed_finish,
    .run_finish = ledger_run_finish,
    .run_get = ledger_run_get,
    .runs = ledger_runs,
    .cursor = ledger_cursor,
    .pinned = ledger_pinned,
    .pin = ledger_pin,
    .fired = ledger_fired,
    .set_fired = ledger_set_fired,
    .keys_next = ledger_keys_next,
    .keys_stage = ledger_keys_stage,
    .put = ledger_put,
    .put_many = ledger_put_many,
    .put_done = ledger_put_done,
    .receive = ledger_receive,
    .extend = ledger_extend,
    .forgive = ledger_forgive,
    .reclaim = ledger_reclaim,
    .fail = ledger_fail_work,
    .done = ledger_done,
    .works = ledger_works,
    .revive = ledger_revive,
    .next_visible = ledger_next_visible,
    .quarantined = ledger_quarantined,
    .quarantine_put = ledger_quarantine_put,
    .quarantine_drop = ledger_quarantine_drop,
    .stats = ledger_stats,
    .service_begin = ledger_service_begin,
    .service_tell = ledger_service_tell,
    .service_end = ledger_service_end,
    .services = ledger_services,
    .asked = ledger_asked,
    .import_run = ledger_import_run,
    .set_cursor = ledger_set_cursor,
    .raise_order = ledger_raise_order,
    .raise_epoch = ledger_raise_epoch,
    .close = ledger_close,
};

// One number that a statement gives, outside the cache.
static wh_status read_number(ledger *l, const char *sql, int64_t *ret, wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(l->db, sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) *ret = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  return rc == SQLITE_ROW ? WH_OK : ledger_fail(l, rc, err);
}

// Leaves other programs' databases and newer ledgers alone, before anything is written.
static wh_status check_ours(ledger *l, int64_t *ret_version, wh_error *err) {
  int64_t version = 0, id = 0, tables = 0;
  WH_TRY(read_number(l, "PRAGMA user_version", &version, err));
  WH_TRY(read_number(l, "PRAGMA application_id", &id, err));
  WH_TRY(read_number(l, "SELECT count(*) FROM sqlite_master", &tables, err));
  if (id != LEDGER_APPLICATION_ID && (id != 0 || version != 0 || tables != 0)) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: this is a database of something else, not a ledger. Give another path "
                   "under `ledger`",
                   l->path);
  }
  if (version > LEDGER_VERSION) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%s: a newer wherry wrote this ledger (version %lld; this one knows %d). Use "
                   "that wherry, or give this one a ledger of its own",
                   l->path, (long long)version, LEDGER_VERSION);
  }
  *ret_version = version;
  return WH_OK;
}

static wh_status migrate_one(ledger *l, int64_t version, wh_error *err) {
  char pragma[64];
  WH_TRY(ledger_exec(l, migrations[version]->data, err));
  snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d", LEDGER_APPLICATION_ID);
  WH_TRY(ledger_exec(l, pragma, err));
  snprintf(pragma, sizeof pragma, "PRAGMA user_version=%lld", (long long)version + 1);
  return ledger_exec(l, pragma, err);
}

static wh_status migrate(ledger *l, wh_error *err) {
  int64_t version = 0;
  WH_TRY(check_ours(l, &version, err));
  while (version < LEDGER_VERSION) {
    WH_TRY(ledger_begin(l, err));
    // Another process may have been faster.
    wh_status status = check_ours(l, &version, err);
    if (status == WH_OK && version < LEDGER_VERSION) status = migrate_one(l, version++, err);
    WH_TRY(ledger_end(l, status, err));
  }
  return WH_OK;
}

static wh_status use_write_ahead_log(ledger *l, wh_error *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(l->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
  wh_status status = WH_OK;
  if (rc != SQLITE_ROW)
    status = ledger_fail(l, rc, err);
  else if (!mode)
    status = wh_fail_memory(err);
  else if (!wh_str_is(wh_str_of(mode), "wal")) {
    status = wh_fail(err, WH_ERR_IO,
                     "%s: the file system cannot hold a ledger (no shared memory for its log). Put "
                     "`ledger` on a local disk",
                     l->path);
  }
  sqlite3_finalize(stmt);
  return status;
}

static wh_status set_up(ledger *l, wh_error *err) {
  int rc = sqlite3_busy_timeout(l->db, LEDGER_BUSY_MS);
  if (rc == SQLITE_OK) rc = sqlite3_extended_result_codes(l->db, 1);
  if (rc != SQLITE_OK) return ledger_fail(l, rc, err);
  int64_t version = 0;
  WH_TRY(check_ours(l, &version, err));
  char pragmas[256];
  snprintf(pragmas, sizeof pragmas,
           "PRAGMA synchronous=FULL; PRAGMA cache_size=-%d; PRAGMA journal_size_limit=%d;"
           "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
           LEDGER_CACHE_KIB, LEDGER_WAL_BYTES_KEPT);
  WH_TRY(ledger_exec(l, pragmas, err));
  WH_TRY(use_write_ahead_log(l, err));
  WH_TRY(migrate(l, err));
  // Last, because statements from before a change of the schema are made again when they are used.
  rc = sqlite3_prepare_v2(l->db, "ROLLBACK", -1, &l->rollback, NULL);
  return rc == SQLITE_OK ? WH_OK : ledger_fail(l, rc, err);
}

static wh_status open_database(ledger *l, const char *path, const char *lock_folder,
                               wh_error *err) {
  l->path = wh_arena_cstr(&l->arena, wh_str_of(path));
  l->lock_folder = wh_arena_cstr(&l->arena, wh_str_of(lock_folder));
  char *folder = wh_path_folder(&l->arena, path);
  if (!l->path || !l->lock_folder || !folder) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(l->os, folder, err));
  WH_TRY(wh_os_make_path(l->os, lock_folder, err));
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int rc = sqlite3_open_v2(path, &l->db, flags, l->os->type->sqlite_vfs);
  if (rc != SQLITE_OK) return ledger_fail(l, rc, err);
  WH_TRY(set_up(l, err));
  return l->os->type->sync_dir(l->os, folder, err);
}

wh_status wh_ledger_open_sqlite(wh_os *os, wh_mem *mem, const char *path, const char *lock_folder,
                                wh_ledger **ret, wh_error *err) {
  ledger *l = wh_mem_alloc_zero(mem, sizeof *l);
  if (!l) return wh_fail_memory(err);
  *l = (ledger){.base.type = &sqlite_type, .os = os, .mem = mem};
  wh_arena_init(&l->arena, mem);
  l->has_mutex = pthread_mutex_init(&l->mutex, NULL) == 0;
  wh_status status = l->has_mutex ? open_database(l, path, lock_folder, err) : wh_fail_memory(err);
  if (status != WH_OK) {
    ledger_close(&l->base);
    return status;
  }
  *ret = &l->base;
  return WH_OK;
}
