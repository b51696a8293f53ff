#include "sim_vfs.h"

#include "sim_os.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct vfs_file vfs_file;

// What the connections to one database share: its locks and the WAL's index.
typedef struct node {
  struct node *next;
  wh_os *os;
  uint64_t epoch;
  size_t refs;
  int shared;         // connections with SHARED or more
  vfs_file *reserved; // who has RESERVED or more
  vfs_file *pending;  // who has PENDING or EXCLUSIVE
  size_t shm_users;
  void **regions;
  int region_count;
  int shm_shared[SQLITE_SHM_NLOCK];
  vfs_file *shm_exclusive[SQLITE_SHM_NLOCK];
  char path[];
} node;

struct vfs_file {
  sqlite3_file base;
  wh_os *os;
  wh_file *f;
  node *node; // databases only
  char *path;
  int lock;       // SQLITE_LOCK_...
  bool sync_name; // the folder too, at the next sync
  bool uses_shm;
  unsigned shm_shared, shm_exclusive; // a bit each slot
};

static pthread_mutex_t nodes_mutex = PTHREAD_MUTEX_INITIALIZER;
static node *nodes;

static void *must(void *ptr) {
  if (!ptr) abort();
  return ptr;
}

static int code_of(wh_status status, int otherwise) {
  if (status == WH_OK) return SQLITE_OK;
  if (status == WH_ERR_NO_SPACE) return SQLITE_FULL;
  if (status == WH_ERR_MEMORY) return SQLITE_IOERR_NOMEM;
  return otherwise;
}

// --- nodes ---------------------------------------------------------------------------------------

static node *node_get(wh_os *os, const char *path) {
  uint64_t epoch = sim_os_epoch(os);
  pthread_mutex_lock(&nodes_mutex);
  node *n = nodes;
  while (n && (n->os != os || n->epoch != epoch || strcmp(n->path, path) != 0))
    n = n->next;
  if (!n) {
    size_t size = strlen(path) + 1;
    n = must(calloc(1, sizeof *n + size));
    n->os = os;
    n->epoch = epoch;
    memcpy(n->path, path, size);
    n->next = nodes;
    nodes = n;
  }
  n->refs++;
  pthread_mutex_unlock(&nodes_mutex);
  return n;
}

static void node_drop(node *n) {
  pthread_mutex_lock(&nodes_mutex);
  if (--n->refs == 0) {
    node **at = &nodes;
    while (*at != n)
      at = &(*at)->next;
    *at = n->next;
    free(n);
  }
  pthread_mutex_unlock(&nodes_mutex);
}

// --- reading and writing -------------------------------------------------------------------------

static int vfs_read(sqlite3_file *base, void *data, int len, sqlite3_int64 offset) {
  vfs_file *f = (vfs_file *)base;
  size_t got = 0;
  wh_status status = f->f->type->read_some(f->f, (uint64_t)offset, data, (size_t)len, &got, NULL);
  if (status != WH_OK) return SQLITE_IOERR_READ;
  if (got == (size_t)len) return SQLITE_OK;
  memset((char *)data + got, 0, (size_t)len - got);
  return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 offset) {
  vfs_file *f = (vfs_file *)base;
  wh_status status = f->f->type->write_at(f->f, (uint64_t)offset, data, (size_t)len, NULL);
  return code_of(status, SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size) {
  vfs_file *f = (vfs_file *)base;
  return code_of(f->f->type->truncate(f->f, (uint64_t)size, NULL), SQLITE_IOERR_TRUNCATE);
}

static wh_status sync_folder(wh_os *os, const char *path) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, os->mem);
  char *folder = wh_path_folder(&arena, path);
  return folder ? os->type->sync_dir(os, folder, NULL) : WH_ERR_MEMORY;
}

static int vfs_sync(sqlite3_file *base, int flags) {
  (void)flags;
  vfs_file *f = (vfs_file *)base;
  wh_status status = f->f->type->sync(f->f, NULL);
  if (status != WH_OK) return code_of(status, SQLITE_IOERR_FSYNC);
  if (!f->sync_name) return SQLITE_OK;
  status = sync_folder(f->os, f->path);
  if (status == WH_OK) f->sync_name = false;
  return code_of(status, SQLITE_IOERR_DIR_FSYNC);
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *ret) {
  vfs_file *f = (vfs_file *)base;
  wh_file_info info;
  if (f->f->type->stat(f->f, &info, NULL) != WH_OK) return SQLITE_IOERR_FSTAT;
  *ret = (sqlite3_int64)info.size;
  return SQLITE_OK;
}

// --- locks ---------------------------------------------------------------------------------------

// SQLite's five levels (its pager's rules), among the connections of this process.
static int lock_node(vfs_file *f, int level) {
  node *n = f->node;
  if (level == SQLITE_LOCK_SHARED) {
    if (n->pending) return SQLITE_BUSY;
    n->shared++;
    f->lock = SQLITE_LOCK_SHARED;
    return SQLITE_OK;
  }
  if (n->reserved && n->reserved != f) return SQLITE_BUSY;
  if (n->pending && n->pending != f) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_RESERVED) {
    n->reserved = f;
    f->lock = SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
  }
  n->pending = f; // kept when readers are in the way, so that no new ones come
  f->lock = SQLITE_LOCK_PENDING;
  if (n->shared > 1) return SQLITE_BUSY;
  n->reserved = f;
  f->lock = SQLITE_LOCK_EXCLUSIVE;
  return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *base, int level) {
  vfs_file *f = (vfs_file *)base;
  if (f->lock >= level || !f->node) return SQLITE_OK;
  pthread_mutex_lock(&nodes_mutex);
  int code = lock_node(f, level);
  pthread_mutex_unlock(&nodes_mutex);
  return code;
}

static int vfs_unlock(sqlite3_file *base, int level) {
  vfs_file *f = (vfs_file *)base;
  if (f->lock <= level || !f->node) return SQLITE_OK;
  pthread_mutex_lock(&nodes_mutex);
  node *n = f->node;
  if (n->reserved == f) n->reserved = NULL;
  if (n->pending == f) n->pending = NULL;
  if (level == SQLITE_LOCK_NONE) n->shared--;
  f->lock = level;
  pthread_mutex_unlock(&nodes_mutex);
  return SQLITE_OK;
}

static int vfs_check_reserved(sqlite3_file *base, int *ret) {
  vfs_file *f = (vfs_file *)base;
  pthread_mutex_lock(&nodes_mutex);
  *ret = f->node && f->node->reserved;
  pthread_mutex_unlock(&nodes_mutex);
  return SQLITE_OK;
}

// --- shared memory -------------------------------------------------------------------------------

static int vfs_shm_map(sqlite3_file *base, int at, int size, int extend, void volatile **ret) {
  vfs_file *f = (vfs_file *)base;
  *ret = NULL;
  pthread_mutex_lock(&nodes_mutex);
  node *n = f->node;
  if (!f->uses_shm) n->shm_users++;
  f->uses_shm = true;
  while (extend && n->region_count <= at) {
    n->regions = must(realloc(n->regions, (size_t)(n->region_count + 1) * sizeof *n->regions));
    n->regions[n->region_count++] = must(calloc(1, (size_t)size));
  }
  if (at < n->region_count) *ret = n->regions[at];
  pthread_mutex_unlock(&nodes_mutex);
  return SQLITE_OK;
}

static bool shm_is_free(const vfs_file *f, int slot, bool exclusive) {
  const node *n = f->node;
  if (n->shm_exclusive[slot] && n->shm_exclusive[slot] != f) return false;
  int mine = (f->shm_shared >> slot) & 1;
  return !exclusive || n->shm_shared[slot] == mine;
}

static void shm_take(vfs_file *f, int slot, bool exclusive) {
  if (exclusive) {
    f->node->shm_exclusive[slot] = f;
    f->shm_exclusive |= 1u << slot;
  } else if (!(f->shm_shared >> slot & 1)) {
    f->node->shm_shared[slot]++;
    f->shm_shared |= 1u << slot;
  }
}

static void shm_release(vfs_file *f, int slot) {
  if (f->shm_exclusive >> slot & 1) f->node->shm_exclusive[slot] = NULL;
  if (f->shm_shared >> slot & 1) f->node->shm_shared[slot]--;
  f->shm_exclusive &= ~(1u << slot);
  f->shm_shared &= ~(1u << slot);
}

static int vfs_shm_lock(sqlite3_file *base, int first, int count, int flags) {
  vfs_file *f = (vfs_file *)base;
  bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
  int code = SQLITE_OK;
  pthread_mutex_lock(&nodes_mutex);
  if (flags & SQLITE_SHM_UNLOCK) {
    for (int i = first; i < first + count; i++)
      shm_release(f, i);
  } else {
    for (int i = first; i < first + count; i++)
      if (!shm_is_free(f, i, exclusive)) code = SQLITE_BUSY;
    for (int i = first; code == SQLITE_OK && i < first + count; i++)
      shm_take(f, i, exclusive);
  }
  pthread_mutex_unlock(&nodes_mutex);
  return code;
}

static void vfs_shm_barrier(sqlite3_file *base) {
  (void)base;
  atomic_thread_fence(memory_order_seq_cst);
}

static int vfs_shm_unmap(sqlite3_file *base, int delete_it) {
  (void)delete_it; // the last user ends it in any case; the next one recovers from the WAL
  vfs_file *f = (vfs_file *)base;
  if (!f->uses_shm) return SQLITE_OK;
  pthread_mutex_lock(&nodes_mutex);
  node *n = f->node;
  for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
    shm_release(f, i);
  f->uses_shm = false;
  if (--n->shm_users == 0) {
    for (int i = 0; i < n->region_count; i++)
      free(n->regions[i]);
    free(n->regions);
    n->regions = NULL;
    n->region_count = 0;
  }
  pthread_mutex_unlock(&nodes_mutex);
  return SQLITE_OK;
}

// --- the file's other verbs ----------------------------------------------------------------------

static int vfs_close(sqlite3_file *base) {
  vfs_file *f = (vfs_file *)base;
  vfs_shm_unmap(base, 0);
  vfs_unlock(base, SQLITE_LOCK_NONE);
  if (f->node) node_drop(f->node);
  wh_file_close(f->f);
  free(f->path);
  return SQLITE_OK;
}

static int vfs_control(sqlite3_file *base, int op, void *arg) {
  (void)base, (void)op, (void)arg;
  return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *base) {
  (void)base;
  return 512; // the simulated disk's
}

static int vfs_characteristics(sqlite3_file *base) {
  (void)base;
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE; // a write harms nothing beside it, see sim_disk.h
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

// --- the system's verbs --------------------------------------------------------------------------

static int open_flags(int flags) {
  int out = WH_OPEN_READ;
  if (flags & SQLITE_OPEN_READWRITE) out |= WH_OPEN_WRITE;
  if (flags & SQLITE_OPEN_CREATE) out |= WH_OPEN_CREATE;
  if (flags & SQLITE_OPEN_EXCLUSIVE) out |= WH_OPEN_EXCLUSIVE;
  return out;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                    int *ret_flags) {
  enum {
    NAMED_WHEN_SYNCED = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL
  };
  wh_os *os = vfs->pAppData;
  vfs_file *f = (vfs_file *)base;
  char temporary[64];
  if (!name) {
    uint64_t number = 0;
    WH_IGNORE(os->type->random(os, &number, sizeof number, NULL));
    snprintf(temporary, sizeof temporary, "/.sqlite-tmp-%016llx", (unsigned long long)number);
    name = temporary;
  }
  *f = (vfs_file){.os = os};
  wh_status status = wh_os_open(os, name, open_flags(flags), &f->f, NULL);
  if (status == WH_ERR_MEMORY) return SQLITE_NOMEM;
  if (status != WH_OK) return code_of(status, SQLITE_CANTOPEN);
  if (flags & SQLITE_OPEN_DELETEONCLOSE) WH_IGNORE(os->type->remove(os, name, NULL));
  f->path = must(strdup(name));
  f->sync_name = (flags & SQLITE_OPEN_CREATE) && (flags & NAMED_WHEN_SYNCED);
  if (flags & SQLITE_OPEN_MAIN_DB) f->node = node_get(os, name);
  f->base.pMethods = &methods;
  if (ret_flags) *ret_flags = flags;
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir) {
  wh_os *os = vfs->pAppData;
  wh_status status = os->type->remove(os, name, NULL);
  if (status == WH_ERR_NOT_FOUND) return SQLITE_IOERR_DELETE_NOENT;
  if (status != WH_OK) return SQLITE_IOERR_DELETE;
  return sync_dir ? code_of(sync_folder(os, name), SQLITE_IOERR_DIR_FSYNC) : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret) {
  wh_os *os = vfs->pAppData;
  wh_file_info info;
  wh_status status = os->type->stat(os, name, &info, NULL);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return SQLITE_IOERR_ACCESS;
  // As on Unix, an empty file does not exist when it is asked for (an empty journal is none).
  *ret = status == WH_OK && (flags != SQLITE_ACCESS_EXISTS || info.size > 0);
  return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *ret) {
  (void)vfs;
  int n = snprintf(ret, (size_t)size, "%s%s", name[0] == '/' ? "" : "/", name);
  return n >= 0 && n < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int len, char *out) {
  wh_os *os = vfs->pAppData;
  WH_IGNORE(os->type->random(os, out, (size_t)len, NULL));
  return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) {
  wh_os *os = vfs->pAppData;
  os->type->sleep_ns(os, (int64_t)us * 1000);
  return us;
}

static int vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *ret) {
  enum { NS_PER_MS = 1000000 };
  wh_os *os = vfs->pAppData;
  const sqlite3_int64 epoch_ms = 210866760000000; // of 1970 in Julian milliseconds
  *ret = epoch_ms + os->type->now_ns(os) / NS_PER_MS;
  return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret) {
  sqlite3_int64 ms = 0;
  vfs_time64(vfs, &ms);
  *ret = (double)ms / 86400000.0;
  return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *text) {
  (void)vfs, (void)size, (void)text;
  return 0;
}

static sqlite3_vfs vfs = {
    .iVersion = 2,
    .szOsFile = sizeof(vfs_file),
    .mxPathname = 512,
    .zName = SIM_VFS_NAME,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_path,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
    .xCurrentTimeInt64 = vfs_time64,
};

void sim_vfs_use(wh_os *os) {
  sqlite3_vfs_unregister(&vfs);
  vfs.pAppData = os;
  if (os) sqlite3_vfs_register(&vfs, 0);
}
