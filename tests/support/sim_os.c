#include "sim_os.h"

#include "sim_disk.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

typedef struct window { // calls with the numbers first .. end - 1; first 0: none
  uint64_t first, end;
} window;

typedef struct sim_os {
  wh_os base;
  pthread_mutex_t mutex;
  sim_disk *disk;
  uint64_t random;
  uint64_t epoch;
  uint64_t calls, changes;
  uint64_t power_at;
  uint64_t full_from, full_left; // full_from 0: not full; full_left UINT64_MAX: until told
  window error;
  bool off;
  bool woken;
  int64_t now_ns, monotonic_ns;
} sim_os;

typedef struct sim_file {
  wh_file base;
  sim_os *os;
  sim_inode *inode;
  uint64_t epoch;
  int flags;
  char path[]; // for messages
} sim_file;

#define START_NS (1795251600ll * 1000000000)

// --- what a call meets ---------------------------------------------------------------------------

// What happens to a change.
typedef enum verdict {
  GO,
  STOP,      // it did not happen
  GO_SILENT, // it happened, but the power failed before it could say so
  FULL,
} verdict;

static wh_status power_gone(const char *path, wh_error *err) {
  return wh_fail(err, WH_ERR_IO, "%s: the power is gone", path);
}

static void step(sim_os *os) {
  os->now_ns += SIM_OS_STEP_NS;
  os->monotonic_ns += SIM_OS_STEP_NS;
}

// Locks the system for one call. After WH_OK only, unlock it.
static wh_status enter(sim_os *os, const char *path, wh_error *err) {
  pthread_mutex_lock(&os->mutex);
  step(os);
  if (os->off) {
    pthread_mutex_unlock(&os->mutex);
    return power_gone(path, err);
  }
  os->calls++;
  if (os->error.first && os->calls >= os->error.first && os->calls < os->error.end) {
    pthread_mutex_unlock(&os->mutex);
    return wh_os_fail_errno(err, path, EIO);
  }
  return WH_OK;
}

static void leave(sim_os *os) {
  pthread_mutex_unlock(&os->mutex);
}

static verdict judge(sim_os *os, bool needs_room) {
  os->changes++;
  if (os->power_at && os->changes >= os->power_at) {
    os->off = true;
    return sim_disk_choose(os->disk, 2) ? GO_SILENT : STOP;
  }
  if (!needs_room || !os->full_from || os->changes < os->full_from || !os->full_left) return GO;
  if (os->full_left != UINT64_MAX) os->full_left--;
  return FULL;
}

// Ends a call whose change gave `errnum` (when it was tried at all).
static wh_status conclude(sim_os *os, verdict v, int errnum, const char *path, wh_error *err) {
  leave(os);
  if (v == STOP || v == GO_SILENT) return power_gone(path, err);
  if (v == FULL) return wh_os_fail_errno(err, path, ENOSPC);
  return errnum ? wh_os_fail_errno(err, path, errnum) : WH_OK;
}

static bool happens(verdict v) {
  return v == GO || v == GO_SILENT;
}

// --- files ---------------------------------------------------------------------------------------

static wh_status enter_file(sim_file *f, int needs, wh_error *err) {
  WH_TRY(enter(f->os, f->path, err));
  if (f->epoch != f->os->epoch) {
    leave(f->os);
    return power_gone(f->path, err);
  }
  if ((f->flags & needs) == needs) return WH_OK;
  leave(f->os);
  return wh_os_fail_errno(err, f->path, EBADF);
}

static wh_status file_read_some(wh_file *base, uint64_t offset, void *data, size_t cap, size_t *ret,
                                wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, WH_OPEN_READ, err));
  *ret = sim_disk_read(f->inode, offset, data, cap);
  leave(f->os);
  return WH_OK;
}

static wh_status file_read_at(wh_file *base, uint64_t offset, void *data, size_t len,
                              wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, WH_OPEN_READ, err));
  size_t got = sim_disk_read(f->inode, offset, data, len);
  leave(f->os);
  if (got == len) return WH_OK;
  return wh_fail(err, WH_ERR_END, "%s: ends at byte %llu, before the %zu bytes from byte %llu",
                 f->path, (unsigned long long)(offset + got), len, (unsigned long long)offset);
}

static wh_status file_write_at(wh_file *base, uint64_t offset, const void *data, size_t len,
                               wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, WH_OPEN_WRITE, err));
  verdict v = judge(f->os, true);
  if (v == FULL) len = (size_t)sim_disk_choose(f->os->disk, len + 1);
  if (v != STOP) sim_disk_write(f->inode, offset, data, len, f->os->now_ns);
  return conclude(f->os, v, 0, f->path, err);
}

static wh_status file_sync(wh_file *base, wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, 0, err));
  verdict v = judge(f->os, false);
  if (happens(v)) sim_disk_sync(f->inode);
  return conclude(f->os, v, 0, f->path, err);
}

static wh_status file_truncate(wh_file *base, uint64_t size, wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, WH_OPEN_WRITE, err));
  verdict v = judge(f->os, size > sim_disk_info(f->inode).size);
  if (happens(v)) sim_disk_truncate(f->inode, size, f->os->now_ns);
  return conclude(f->os, v, 0, f->path, err);
}

static wh_status file_stat(wh_file *base, wh_file_info *ret, wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, 0, err));
  *ret = sim_disk_info(f->inode);
  leave(f->os);
  return WH_OK;
}

static wh_status file_lock(wh_file *base, wh_error *err) {
  sim_file *f = (sim_file *)base;
  WH_TRY(enter_file(f, 0, err));
  void **holder = sim_disk_lock(f->inode);
  // A handle clears its lock when it is closed, so the holder is there to be looked at.
  const sim_file *other = *holder;
  bool free = !other || other == f || other->epoch != f->os->epoch;
  if (free) *holder = f;
  leave(f->os);
  if (free) return WH_OK;
  wh_status status = wh_fail(err, WH_ERR_BUSY, "%s: another process holds its lock", f->path);
  if (err) err->retry = true;
  return status;
}

static void file_close(wh_file *base) {
  sim_file *f = (sim_file *)base;
  sim_os *os = f->os;
  pthread_mutex_lock(&os->mutex);
  void **holder = sim_disk_lock(f->inode);
  if (*holder == f) *holder = NULL;
  sim_disk_drop(os->disk, f->inode);
  pthread_mutex_unlock(&os->mutex);
  wh_mem_free(os->base.mem, f, sizeof *f + strlen(f->path) + 1);
}

static const wh_file_type sim_file_type = {
    .read_at = file_read_at,
    .read_some = file_read_some,
    .write_at = file_write_at,
    .sync = file_sync,
    .truncate = file_truncate,
    .stat = file_stat,
    .lock = file_lock,
    .close = file_close,
};

// Finds or makes the file of `f`, within a call.
static verdict open_inode(sim_os *os, sim_file *f, int *ret_errnum) {
  bool create = f->flags & WH_OPEN_CREATE;
  int errnum = sim_disk_find(os->disk, f->path, &f->inode);
  if (!errnum && create && (f->flags & WH_OPEN_EXCLUSIVE))
    errnum = EEXIST;
  else if (!errnum && sim_disk_info(f->inode).kind == WH_FILE_FOLDER)
    errnum = EISDIR;
  *ret_errnum = errnum;
  if (errnum != ENOENT || !create) return GO;
  verdict v = judge(os, true);
  uint32_t mode = f->flags & WH_OPEN_PRIVATE ? 0600 : 0644;
  if (happens(v)) {
    *ret_errnum = sim_disk_create(os->disk, f->path, WH_FILE_REGULAR, mode, os->now_ns, &f->inode);
  }
  return v;
}

static wh_status sim_open(wh_os *base, const char *path, int flags, wh_file **ret, wh_error *err) {
  sim_os *os = (sim_os *)base;
  if (!(flags & (WH_OPEN_READ | WH_OPEN_WRITE))) {
    return wh_fail(err, WH_ERR_BUG, "%s: opened neither to read nor to write", path);
  }
  size_t path_size = strlen(path) + 1;
  sim_file *f = wh_mem_alloc(base->mem, sizeof *f + path_size);
  if (!f) return wh_fail_memory(err);
  *f = (sim_file){.base = {&sim_file_type}, .os = os, .flags = flags};
  memcpy(f->path, path, path_size);
  wh_status status = enter(os, path, err);
  if (status == WH_OK) {
    int errnum = 0;
    verdict v = open_inode(os, f, &errnum);
    f->epoch = os->epoch;
    if (v == GO && errnum == 0) sim_disk_keep(f->inode);
    status = conclude(os, v, errnum, path, err);
  }
  if (status == WH_OK)
    *ret = &f->base;
  else
    wh_mem_free(base->mem, f, sizeof *f + path_size);
  return status;
}

// --- names ---------------------------------------------------------------------------------------

static wh_status sim_stat(wh_os *base, const char *path, wh_file_info *ret, wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, path, err));
  sim_inode *inode;
  int errnum = sim_disk_find(os->disk, path, &inode);
  if (!errnum) *ret = sim_disk_info(inode);
  return conclude(os, GO, errnum, path, err);
}

typedef struct listed {
  struct listed *next;
  wh_file_kind kind;
  char name[];
} listed;

// Copies the names, so that the visitor may change the folder.
static int copy_names(sim_os *os, const char *path, listed **ret) {
  sim_inode *folder;
  int errnum = sim_disk_find(os->disk, path, &folder);
  if (errnum) return errnum;
  if (sim_disk_info(folder).kind != WH_FILE_FOLDER) return ENOTDIR;
  wh_file_kind kind;
  const char *name;
  for (size_t i = 0; (name = sim_disk_name(os->disk, folder, i, &kind)); i++) {
    size_t size = strlen(name) + 1;
    listed *item = malloc(sizeof *item + size);
    if (!item) abort();
    *item = (listed){.next = *ret, .kind = kind};
    memcpy(item->name, name, size);
    *ret = item;
  }
  return 0;
}

static wh_status sim_list(wh_os *base, const char *path, wh_dir_visit visit, void *context,
                          wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, path, err));
  listed *names = NULL;
  int errnum = copy_names(os, path, &names);
  wh_status status = conclude(os, GO, errnum, path, err);
  while (names) {
    listed *item = names;
    wh_dir_entry entry = {.name = wh_str_of(item->name), .kind = item->kind};
    if (status == WH_OK) status = visit(context, &entry, err);
    names = item->next;
    free(item);
  }
  return status;
}

static wh_status sim_mkdir(wh_os *base, const char *path, wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, path, err));
  verdict v = judge(os, true);
  int errnum = 0;
  if (happens(v)) {
    errnum = sim_disk_create(os->disk, path, WH_FILE_FOLDER, 0755, os->now_ns, NULL);
  }
  return conclude(os, v, errnum, path, err);
}

// The message names `to`, unless `from` is what is missing.
static const char *pair_path(sim_os *os, int errnum, const char *from, const char *to) {
  sim_inode *inode;
  return errnum == ENOENT && sim_disk_find(os->disk, from, &inode) ? from : to;
}

static wh_status sim_link(wh_os *base, const char *from, const char *to, wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, to, err));
  verdict v = judge(os, true);
  int errnum = happens(v) ? sim_disk_link(os->disk, from, to) : 0;
  return conclude(os, v, errnum, pair_path(os, errnum, from, to), err);
}

static wh_status sim_rename(wh_os *base, const char *from, const char *to, wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, to, err));
  verdict v = judge(os, true);
  int errnum = happens(v) ? sim_disk_rename(os->disk, from, to) : 0;
  return conclude(os, v, errnum, pair_path(os, errnum, from, to), err);
}

static wh_status sim_remove(wh_os *base, const char *path, wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, path, err));
  verdict v = judge(os, false);
  int errnum = happens(v) ? sim_disk_remove(os->disk, path) : 0;
  return conclude(os, v, errnum, path, err);
}

static wh_status sim_sync_dir(wh_os *base, const char *path, wh_error *err) {
  sim_os *os = (sim_os *)base;
  WH_TRY(enter(os, path, err));
  verdict v = judge(os, false);
  int errnum = happens(v) ? sim_disk_sync_names(os->disk, path) : 0;
  return conclude(os, v, errnum, path, err);
}

// --- clock and randomness ------------------------------------------------------------------------

static int64_t sim_now_ns(wh_os *base) {
  sim_os *os = (sim_os *)base;
  pthread_mutex_lock(&os->mutex);
  step(os);
  int64_t now = os->now_ns;
  pthread_mutex_unlock(&os->mutex);
  return now;
}

static int64_t sim_monotonic_ns(wh_os *base) {
  sim_os *os = (sim_os *)base;
  pthread_mutex_lock(&os->mutex);
  step(os);
  int64_t now = os->monotonic_ns;
  pthread_mutex_unlock(&os->mutex);
  return now;
}

static bool sim_sleep_ns(wh_os *base, int64_t ns) {
  sim_os *os = (sim_os *)base;
  pthread_mutex_lock(&os->mutex);
  bool woken = os->woken;
  os->woken = false;
  if (!woken && ns > 0) {
    os->now_ns += ns;
    os->monotonic_ns += ns;
  }
  pthread_mutex_unlock(&os->mutex);
  sched_yield(); // what one waits for may be another thread's work
  return woken;
}

static wh_status sim_random(wh_os *base, void *data, size_t len, wh_error *err) {
  (void)err;
  sim_os *os = (sim_os *)base;
  unsigned char *out = data;
  pthread_mutex_lock(&os->mutex);
  for (size_t i = 0; i < len; i++) {
    os->random ^= os->random >> 12;
    os->random ^= os->random << 25;
    os->random ^= os->random >> 27;
    out[i] = (unsigned char)((os->random * 0x2545F4914F6CDD1Dull) >> 56);
  }
  pthread_mutex_unlock(&os->mutex);
  return WH_OK;
}

static const wh_os_type sim_type = {
    .name = "simulated",
    .sqlite_vfs = "wherry-sim",
    .open = sim_open,
    .stat = sim_stat,
    .list = sim_list,
    .mkdir = sim_mkdir,
    .link = sim_link,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_dir = sim_sync_dir,
    .now_ns = sim_now_ns,
    .monotonic_ns = sim_monotonic_ns,
    .sleep_ns = sim_sleep_ns,
    .random = sim_random,
};

// --- control -------------------------------------------------------------------------------------

wh_os *sim_os_new(wh_mem *mem, uint64_t seed) {
  sim_os *os = calloc(1, sizeof *os);
  if (!os) abort();
  *os = (sim_os){.base = {.type = &sim_type, .mem = mem},
                 .disk = sim_disk_new(seed),
                 .random = ((seed + 1) * 0x9E3779B97F4A7C15ull) | 1,
                 .now_ns = START_NS,
                 .monotonic_ns = 1000000000};
  pthread_mutex_init(&os->mutex, NULL);
  return &os->base;
}

void sim_os_free(wh_os *base) {
  sim_os *os = (sim_os *)base;
  if (!os) return;
  sim_disk_free(os->disk);
  pthread_mutex_destroy(&os->mutex);
  free(os);
}

static sim_os *lock_os(wh_os *base) {
  sim_os *os = (sim_os *)base;
  pthread_mutex_lock(&os->mutex);
  return os;
}

uint64_t sim_os_changes(wh_os *base) {
  sim_os *os = lock_os(base);
  uint64_t n = os->changes;
  leave(os);
  return n;
}

uint64_t sim_os_calls(wh_os *base) {
  sim_os *os = lock_os(base);
  uint64_t n = os->calls;
  leave(os);
  return n;
}

uint64_t sim_os_epoch(wh_os *base) {
  sim_os *os = lock_os(base);
  uint64_t n = os->epoch;
  leave(os);
  return n;
}

bool sim_os_power_is_off(wh_os *base) {
  sim_os *os = lock_os(base);
  bool off = os->off;
  leave(os);
  return off;
}

void sim_os_fail_at(wh_os *base, uint64_t n) {
  sim_os *os = lock_os(base);
  os->power_at = n ? os->changes + n : 0;
  leave(os);
}

void sim_os_power_off(wh_os *base) {
  sim_os *os = lock_os(base);
  os->off = true;
  leave(os);
}

static void come_back(wh_os *base, bool power_failed) {
  sim_os *os = lock_os(base);
  if (power_failed) sim_disk_lose_power(os->disk);
  os->epoch++;
  os->off = false;
  os->power_at = 0;
  os->woken = false;
  leave(os);
}

void sim_os_restart(wh_os *base) {
  come_back(base, true);
}

void sim_os_kill(wh_os *base) {
  come_back(base, false);
}

void sim_os_full_at(wh_os *base, uint64_t n, uint64_t count) {
  sim_os *os = lock_os(base);
  os->full_from = n ? os->changes + n : 0;
  os->full_left = count ? count : UINT64_MAX;
  leave(os);
}

void sim_os_error_at(wh_os *base, uint64_t n, uint64_t count) {
  sim_os *os = lock_os(base);
  uint64_t first = os->calls + n;
  os->error = n ? (window){first, first + count} : (window){0};
  leave(os);
}

void sim_os_set_now(wh_os *base, int64_t ns) {
  sim_os *os = lock_os(base);
  os->now_ns = ns;
  leave(os);
}

void sim_os_advance(wh_os *base, int64_t ns) {
  sim_os *os = lock_os(base);
  os->now_ns += ns;
  os->monotonic_ns += ns;
  leave(os);
}

void sim_os_wake(wh_os *base) {
  sim_os *os = lock_os(base);
  os->woken = true;
  leave(os);
}
