#include "base/os.h"

#include "base/buf.h"

#include <xxhash.h>

wh_status wh_os_open(wh_os *os, const char *path, int flags, wh_file **ret, wh_error *err) {
  return os->type->open(os, path, flags, ret, err);
}

void wh_file_close(wh_file *f) {
  if (f) f->type->close(f);
}

wh_status wh_os_exists(wh_os *os, const char *path, bool *ret, wh_error *err) {
  wh_file_info info;
  wh_status status = os->type->stat(os, path, &info, err);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  *ret = status == WH_OK;
  return WH_OK;
}

int64_t wh_now_us(wh_os *os) {
  return os->type->now_ns(os) / 1000;
}

// --- paths ---------------------------------------------------------------------------------------

char *wh_path_join(wh_arena *arena, const char *folder, const char *name) {
  wh_str f = wh_str_of(folder), n = wh_str_of(name);
  if (f.len == 0 || wh_str_is(f, ".") || wh_str_starts(n, "/")) return wh_arena_cstr(arena, n);
  bool slash = f.data[f.len - 1] == '/';
  char *path = wh_arena_alloc(arena, f.len + n.len + 2);
  if (!path) return NULL;
  memcpy(path, f.data, f.len);
  if (!slash) path[f.len] = '/';
  if (n.len) memcpy(path + f.len + !slash, n.data, n.len);
  return path;
}

char *wh_path_folder(wh_arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return wh_arena_cstr(arena, WH_STR("."));
  while (slash > path && slash[-1] == '/')
    slash--;
  if (slash == path) return wh_arena_cstr(arena, WH_STR("/"));
  return wh_arena_cstr(arena, wh_str_n(path, (size_t)(slash - path)));
}

wh_str wh_path_name(wh_str path) {
  size_t at = path.len;
  while (at > 0 && path.data[at - 1] != '/')
    at--;
  return wh_str_sub(path, at, path.len);
}

// --- folders -------------------------------------------------------------------------------------

// WH_OK for a folder, or a link that may lead to one.
static wh_status check_folder(wh_os *os, const char *path, wh_error *err) {
  wh_file_info info;
  WH_TRY(os->type->stat(os, path, &info, err));
  if (info.kind == WH_FILE_FOLDER || info.kind == WH_FILE_LINK) return WH_OK;
  return wh_fail(err, WH_ERR_EXISTS, "%s: cannot be a folder: there is a file of that name", path);
}

static wh_status sync_name(wh_os *os, wh_arena *arena, const char *path, wh_error *err) {
  char *parent = wh_path_folder(arena, path);
  if (!parent) return wh_fail_memory(err);
  return os->type->sync_dir(os, parent, err);
}

static wh_status stop_at_first(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)context, (void)entry, (void)err;
  return WH_ERR_CANCELLED;
}

// The name of a folder that is there is durable, unless its maker was stopped between making and
// syncing it (or has not come that far yet). Then it is empty: whoever puts the first thing into a
// folder has been here before, and synced its name. So only empty folders need it.
static wh_status settle_name(wh_os *os, wh_arena *arena, const char *path, wh_error *err) {
  wh_status status = os->type->list(os, path, stop_at_first, NULL, err);
  if (status == WH_ERR_CANCELLED) return WH_OK;
  if (status == WH_OK) status = sync_name(os, arena, path, err);
  // A place that is not ours to read was not made by us.
  return status == WH_ERR_DENIED ? WH_OK : status;
}

// Makes one folder whose parent exists and is durable, if it is not there.
static wh_status make_folder(wh_os *os, wh_arena *arena, const char *path, wh_error *err) {
  wh_status status = check_folder(os, path, err);
  if (status == WH_OK) return settle_name(os, arena, path, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  status = os->type->mkdir(os, path, err);
  // Somebody else may be making it right now.
  if (status == WH_ERR_EXISTS) status = check_folder(os, path, err);
  return status == WH_OK ? sync_name(os, arena, path, err) : status;
}

wh_status wh_os_make_path(wh_os *os, const char *path, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, os->mem);
  wh_str rest = wh_str_of(path);
  while (rest.len > 1 && rest.data[rest.len - 1] == '/')
    rest.len--;
  char *whole = wh_arena_cstr(&arena, rest);
  if (!whole) return wh_fail_memory(err);
  wh_status status = check_folder(os, whole, err);
  if (status == WH_OK) return settle_name(os, &arena, whole, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  // From the top, because a folder's name is durable only when those above it are.
  for (size_t at = 1; at <= rest.len; at++) {
    if ((at < rest.len && whole[at] != '/') || whole[at - 1] == '/') continue;
    char kept = whole[at];
    whole[at] = 0;
    status = make_folder(os, &arena, whole, err);
    whole[at] = kept;
    if (status != WH_OK) return status;
  }
  return WH_OK;
}

// --- names known to be durable -------------------------------------------------------------------

// Never 0, which is an empty slot. Two names share one by chance in 2^-63 of the cases.
static uint64_t name_hash(const char *path, const wh_file_info *info) {
  uint64_t which[2] = {info->device, info->inode};
  return XXH3_64bits_withSeed(path, strlen(path), XXH3_64bits(which, sizeof which)) | 1;
}

static _Atomic uint64_t *name_slot(wh_os *os, uint64_t hash) {
  return &os->known_names[(hash >> 1) % WH_OS_KNOWN_NAMES];
}

bool wh_os_name_is_known(wh_os *os, const char *path, const wh_file_info *info) {
  uint64_t hash = name_hash(path, info);
  return atomic_load(name_slot(os, hash)) == hash;
}

void wh_os_name_know(wh_os *os, const char *path, const wh_file_info *info) {
  uint64_t hash = name_hash(path, info);
  atomic_store(name_slot(os, hash), hash);
}

void wh_os_name_forget(wh_os *os, const char *path, const wh_file_info *info) {
  uint64_t hash = name_hash(path, info);
  atomic_compare_exchange_strong(name_slot(os, hash), &hash, 0);
}

// --- whole files ---------------------------------------------------------------------------------

// Reads to the end of `f`, which may be longer or shorter than its size says (/proc, a writer).
static wh_status read_whole(wh_file *f, const char *path, size_t max, wh_arena *arena, wh_str *ret,
                            wh_error *err) {
  enum { FIRST_BYTES = 512 };
  wh_file_info info;
  WH_TRY(f->type->stat(f, &info, err));
  size_t cap = info.size < FIRST_BYTES ? FIRST_BYTES : (size_t)info.size + 1;
  if (info.size >= max || cap > max) cap = max + 1;
  char *data = wh_arena_alloc(arena, cap + 1);
  if (!data) return wh_fail_memory(err);
  size_t len = 0;
  for (;;) {
    if (len > max) {
      return wh_fail(err, WH_ERR_LIMIT, "%s: larger than the %zu bytes that are allowed here", path,
                     max);
    }
    if (len == cap) {
      size_t grown = cap > max / 2 ? max + 1 : cap * 2;
      char *moved = wh_arena_alloc(arena, grown + 1);
      if (!moved) return wh_fail_memory(err);
      memcpy(moved, data, len);
      data = moved;
      cap = grown;
    }
    size_t got = 0;
    WH_TRY(f->type->read_some(f, len, data + len, cap - len, &got, err));
    if (got == 0) break;
    len += got;
  }
  data[len] = 0;
  *ret = wh_str_n(data, len);
  return WH_OK;
}

static wh_status file_input_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                                 wh_error *err) {
  wh_file_input *in = (wh_file_input *)base;
  WH_TRY(in->file->type->read_some(in->file, in->at, data, cap, ret_len, err));
  in->at += *ret_len;
  return WH_OK;
}

static void file_input_close(wh_input *base) {
  (void)base; // the file is its owner's
}

void wh_file_input_init(wh_file_input *in, wh_file *file, uint64_t size) {
  *in = (wh_file_input){.base = {.size = size, .read = file_input_read, .close = file_input_close},
                        .file = file};
}

wh_status wh_os_read_file(wh_os *os, const char *path, size_t max, wh_arena *arena, wh_str *ret,
                          wh_error *err) {
  wh_file *f;
  WH_TRY(wh_os_open(os, path, WH_OPEN_READ, &f, err));
  wh_status status = read_whole(f, path, max, arena, ret, err);
  wh_file_close(f);
  return status;
}

static wh_status write_new(wh_os *os, const char *path, wh_str data, bool is_private,
                           wh_error *err) {
  int flags = WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE;
  wh_file *f;
  WH_TRY(wh_os_open(os, path, flags | (is_private ? WH_OPEN_PRIVATE : 0), &f, err));
  wh_status status = data.len ? f->type->write_at(f, 0, data.data, data.len, err) : WH_OK;
  if (status == WH_OK) status = f->type->sync(f, err);
  wh_file_close(f);
  return status;
}

// A name beside the file that nobody else uses; short, because names have a limit.
static wh_status temporary_name(wh_os *os, wh_arena *arena, const char *folder, char **ret,
                                wh_error *err) {
  uint64_t number;
  WH_TRY(os->type->random(os, &number, sizeof number, err));
  wh_str name = wh_arena_printf(arena, WH_TEMPORARY_PREFIX "%016llx", (unsigned long long)number);
  char *path = name.data ? wh_path_join(arena, folder, name.data) : NULL;
  if (!path) return wh_fail_memory(err);
  *ret = path;
  return WH_OK;
}

wh_status wh_os_write_file(wh_os *os, const char *path, wh_str data, bool is_private,
                           wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, os->mem);
  char *folder = wh_path_folder(&arena, path);
  if (!folder) return wh_fail_memory(err);
  char *temporary = NULL;
  WH_TRY(temporary_name(os, &arena, folder, &temporary, err));
  wh_status status = write_new(os, temporary, data, is_private, err);
  if (status == WH_OK) status = os->type->rename(os, temporary, path, err);
  if (status != WH_OK) {
    WH_IGNORE(os->type->remove(os, temporary, NULL));
    return status;
  }
  return os->type->sync_dir(os, folder, err);
}
