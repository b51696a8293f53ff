// Folders that DuckDB spills into, one a statement, each with a lock that is gone with its process:
// whoever opens one removes those that nobody holds.
#include "base/ulid.h"
#include "connect/duckdb/session.h"

static const char LOCK[] = "lock";

typedef struct sweep {
  wh_os *os;
  wh_arena *arena;
  const char *folder;
} sweep;

static wh_status remove_entry(void *context, const wh_dir_entry *entry, wh_error *err) {
  const sweep *s = context;
  if (wh_str_is(entry->name, LOCK)) return WH_OK; // last
  char *name = wh_arena_cstr(s->arena, entry->name);
  char *path = name ? wh_path_join(s->arena, s->folder, name) : NULL;
  return path ? s->os->type->remove(s->os, path, err) : wh_fail_memory(err);
}

// As far as it can: what is left is tried again by whoever comes next.
static void remove_folder(wh_os *os, wh_mem *mem, const char *folder) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  sweep s = {os, &arena, folder};
  char *lock = wh_path_join(&arena, folder, LOCK);
  if (!lock) return;
  WH_IGNORE(os->type->list(os, folder, remove_entry, &s, NULL));
  WH_IGNORE(os->type->remove(os, lock, NULL));
  WH_IGNORE(os->type->remove(os, folder, NULL));
}

static wh_status take_lock(wh_os *os, const char *folder, int flags, wh_arena *arena, wh_file **ret,
                           wh_error *err) {
  char *path = wh_path_join(arena, folder, LOCK);
  if (!path) return wh_fail_memory(err);
  WH_TRY(wh_os_open(os, path, WH_OPEN_READ | WH_OPEN_WRITE | flags, ret, err));
  wh_status status = (*ret)->type->lock(*ret, err);
  if (status != WH_OK) wh_file_close(*ret);
  return status;
}

// One without a lock was left between two lines of wh_duckdb_scratch_open, or is there now: it is
// empty, and stays.
static wh_status sweep_one(void *context, const wh_dir_entry *entry, wh_error *err) {
  const sweep *s = context;
  if (entry->kind != WH_FILE_FOLDER) return WH_OK;
  char *name = wh_arena_cstr(s->arena, entry->name);
  char *folder = name ? wh_path_join(s->arena, s->folder, name) : NULL;
  if (!folder) return wh_fail_memory(err);
  wh_file *lock;
  if (take_lock(s->os, folder, 0, s->arena, &lock, NULL) != WH_OK) return WH_OK;
  remove_folder(s->os, s->arena->mem, folder);
  wh_file_close(lock);
  return WH_OK;
}

wh_status wh_duckdb_scratch_open(wh_connection *c, wh_arena *arena, const char **ret,
                                 wh_file **ret_lock, wh_error *err) {
  wh_os *os = c->os;
  const wh_duckdb_options *options = c->options;
  sweep s = {os, arena, options->scratch.data};
  WH_TRY(wh_os_make_path(os, s.folder, err));
  WH_TRY(os->type->list(os, s.folder, sweep_one, &s, err));
  char id[WH_ULID_CHARS + 1];
  WH_TRY(wh_ulid_new(os, id, err));
  char *folder = wh_path_join(arena, s.folder, id);
  if (!folder) return wh_fail_memory(err);
  WH_TRY(os->type->mkdir(os, folder, err));
  WH_TRY(take_lock(os, folder, WH_OPEN_CREATE | WH_OPEN_PRIVATE, arena, ret_lock, err));
  *ret = folder;
  return WH_OK;
}

void wh_duckdb_scratch_close(wh_connection *c, const char *folder, wh_file *lock) {
  if (!folder) return;
  remove_folder(c->os, c->mem, folder);
  wh_file_close(lock);
}
