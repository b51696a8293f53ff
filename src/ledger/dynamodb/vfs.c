// The pages as SQLite sees them: one file of one connection. SQLite writes to it only when it
// commits (cache_spill is off, the journal is in memory), and syncs it once, when all is written.
#include "ledger/dynamodb/dynamodb.h"

#include <stdio.h>

typedef struct page_file {
  sqlite3_file base; // first
  dynamo_ledger *l;
} page_file;

static dynamo_ledger *ledger_of(sqlite3_file *file) {
  return ((page_file *)file)->l;
}

static int file_close(sqlite3_file *file) {
  (void)file;
  return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 offset) {
  bool whole = dynamo_pages_read(&ledger_of(file)->pages, (uint64_t)offset, out, (size_t)len);
  return whole ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset) {
  bool good = dynamo_pages_write(&ledger_of(file)->pages, (uint64_t)offset, data, (size_t)len);
  return good ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
  dynamo_pages_truncate(&ledger_of(file)->pages, (uint64_t)size);
  return SQLITE_OK;
}

// Rolling back syncs too, but never before something went wrong.
static int file_sync(sqlite3_file *file, int flags) {
  (void)flags;
  dynamo_ledger *l = ledger_of(file);
  if (l->has_fault || l->was_committed) return SQLITE_OK;
  l->fault = dynamo_commit(l, &l->fault_error);
  l->has_fault = l->fault != WH_OK;
  return l->has_fault ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret) {
  *ret = (sqlite3_int64)(ledger_of(file)->pages.count * (size_t)DYNAMO_PAGE_BYTES);
  return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level) {
  ledger_of(file)->locked = level;
  return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *file, int *ret) {
  (void)file;
  *ret = 0; // by another connection
  return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
  (void)file, (void)operation, (void)argument;
  return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file) {
  (void)file;
  return DYNAMO_PAGE_BYTES;
}

static int file_characteristics(sqlite3_file *file) {
  (void)file;
  return 0;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_is_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags) {
  (void)name;
  page_file *f = (page_file *)file;
  f->base.pMethods = NULL;
  if (!(flags & SQLITE_OPEN_MAIN_DB)) return SQLITE_CANTOPEN; // all else is kept in memory
  f->base.pMethods = &file_methods;
  f->l = vfs->pAppData;
  if (ret_flags) *ret_flags = flags;
  return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs, (void)name, (void)sync;
  return SQLITE_OK;
}

static int find_file(sqlite3_vfs *vfs, const char *name, int flags, int *ret) {
  (void)vfs, (void)name, (void)flags;
  *ret = 0; // no journal was left behind
  return SQLITE_OK;
}

static int full_name(sqlite3_vfs *vfs, const char *name, int cap, char *out) {
  (void)vfs;
  snprintf(out, (size_t)cap, "%s", name);
  return SQLITE_OK;
}

wh_status dynamo_vfs_register(dynamo_ledger *l, wh_error *err) {
  sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
  if (!usual) return wh_fail_memory(err);
  snprintf(l->vfs_name, sizeof l->vfs_name, "wherry-dynamodb-%p", (void *)l);
  l->vfs = *usual; // randomness and time are its
  l->vfs.iVersion = 2;
  l->vfs.szOsFile = sizeof(page_file);
  l->vfs.pNext = NULL;
  l->vfs.zName = l->vfs_name;
  l->vfs.pAppData = l;
  l->vfs.xOpen = open_file;
  l->vfs.xDelete = delete_file;
  l->vfs.xAccess = find_file;
  l->vfs.xFullPathname = full_name;
  l->vfs.xGetLastError = NULL;
  if (sqlite3_vfs_register(&l->vfs, 0) != SQLITE_OK) return wh_fail_memory(err);
  l->has_vfs = true;
  return WH_OK;
}

void dynamo_vfs_unregister(dynamo_ledger *l) {
  if (l->has_vfs) sqlite3_vfs_unregister(&l->vfs);
  l->has_vfs = false;
}
