// Attempts: what is being written, and what is sealed and waits to be published.
#include "connect/local/local.h"

#include <pthread.h>

typedef struct local_upload {
  wh_upload base;
  wh_connection *c;
  wh_file *file;
  // Held by who writes a part: systems let one thread write to a file at a time, and the others
  // would use up a processor while they wait for it there.
  pthread_mutex_t writing;
  bool is_brief; // nobody looks for it after a crash: its name need not last
  bool sealed;
  size_t path_len;
  char path[];
} local_upload;

wh_status wh_local_attempt_path(wh_connection *c, wh_arena *arena, wh_str attempt, char **ret,
                                wh_error *err) {
  WH_TRY(wh_attempt_check(attempt, err));
  wh_str key = wh_arena_printf(arena, WH_LOCAL_ATTEMPTS "%.*s", WH_STR_ARG(attempt));
  if (!key.data) return wh_fail_memory(err);
  return wh_local_path(c, arena, key, ret, err);
}

// --- writing -------------------------------------------------------------------------------------

static wh_status upload_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  local_upload *u = (local_upload *)out;
  if (u->sealed) {
    return wh_store_say(u->c, wh_fail(err, WH_ERR_BUG, "written to after it was sealed"), err);
  }
  wh_status status = u->file->type->write_at(u->file, out->written, data, len, err);
  if (status == WH_OK) out->written += len;
  return wh_store_say(u->c, status, err);
}

static wh_status upload_write_part(wh_upload *base, uint64_t offset, const void *data, size_t len,
                                   wh_error *err) {
  local_upload *u = (local_upload *)base;
  pthread_mutex_lock(&u->writing);
  wh_status status = u->file->type->write_at(u->file, offset, data, len, err);
  pthread_mutex_unlock(&u->writing);
  return wh_store_say(u->c, status, err);
}

static wh_status upload_seal(wh_upload *base, wh_error *err) {
  local_upload *u = (local_upload *)base;
  if (u->sealed) return WH_OK;
  wh_status status = u->file->type->sync(u->file, err);
  if (status == WH_OK && !u->is_brief) status = wh_local_sync_folders(u->c, u->path, err);
  u->sealed = status == WH_OK;
  return wh_store_say(u->c, status, err);
}

static void upload_close(wh_upload *base) {
  if (!base) return;
  local_upload *u = (local_upload *)base;
  wh_file_close(u->file);
  pthread_mutex_destroy(&u->writing);
  // When this fails, or the machine stops first, attempts() shows what was left behind.
  if (!u->sealed && u->file) WH_IGNORE(u->c->os->type->remove(u->c->os, u->path, NULL));
  wh_mem_free(u->c->mem, u, sizeof *u + u->path_len + 1);
}

// As the connection's folder may be new, or may lead elsewhere since we last looked.
static wh_status make_attempts_folder(wh_connection *c, const char *path, bool is_brief,
                                      wh_error *err) {
  WH_TRY(wh_local_make_folders(c, path, err));
  if (is_brief) return WH_OK; // its name is nobody else's
  wh_file_info info;
  wh_status status = wh_local_look(c, path, &info, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) return status;
  return wh_fail(err, WH_ERR_EXISTS, "%s: this attempt was begun already",
                 wh_path_name(wh_str_of(path)).data);
}

static wh_status create(wh_connection *c, wh_str attempt, bool is_brief, wh_upload **ret,
                        wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *path = NULL;
  wh_status status = wh_local_attempt_path(c, &arena, attempt, &path, err);
  if (status == WH_OK) status = make_attempts_folder(c, path, is_brief, err);
  if (status != WH_OK) return wh_store_say(c, status, err);
  size_t len = strlen(path);
  local_upload *u = wh_mem_alloc_zero(c->mem, sizeof *u + len + 1);
  if (!u) return wh_store_say(c, wh_fail_memory(err), err);
  u->base = (wh_upload){{0, upload_write}, upload_seal, upload_close, upload_write_part, 0};
  u->c = c;
  u->is_brief = is_brief;
  pthread_mutex_init(&u->writing, NULL);
  u->path_len = len;
  memcpy(u->path, path, len);
  int flags = WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE;
  status = wh_os_open(c->os, path, flags, &u->file, err);
  if (status != WH_OK)
    upload_close(&u->base);
  else
    *ret = &u->base;
  return wh_store_say(c, status, err);
}

wh_status wh_local_create(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err) {
  return create(c, attempt, false, ret, err);
}

wh_status wh_local_create_brief(wh_connection *c, wh_str attempt, wh_upload **ret, wh_error *err) {
  return create(c, attempt, true, ret, err);
}

// --- what is left behind -------------------------------------------------------------------------

static wh_status remove_if_there(wh_connection *c, const char *path, bool *removed, wh_error *err) {
  wh_status status = c->os->type->remove(c->os, path, err);
  if (status == WH_OK) *removed = true;
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

static wh_status discard(wh_connection *c, wh_arena *arena, wh_str attempt, wh_error *err) {
  char *path = NULL;
  WH_TRY(wh_local_attempt_path(c, arena, attempt, &path, err));
  wh_file_info info;
  wh_status status = wh_local_look(c, path, &info, err); // that no link is on the way
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  wh_str second = wh_arena_printf(arena, "%s~", path);
  char *folder = wh_path_folder(arena, path);
  if (!second.data || !folder) return wh_fail_memory(err);
  bool removed = false;
  WH_TRY(remove_if_there(c, second.data, &removed, err));
  WH_TRY(remove_if_there(c, path, &removed, err));
  return removed ? c->os->type->sync_dir(c->os, folder, err) : WH_OK;
}

wh_status wh_local_discard(wh_connection *c, wh_str attempt, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  return wh_store_say(c, discard(c, &arena, attempt, err), err);
}

typedef struct attempts_visit {
  wh_connection *c;
  wh_arena names; // emptied after each
  wh_object_visit visit;
  void *context;
  bool visitor_failed;
} attempts_visit;

static bool is_attempt(void *context, const wh_local_entry *entry) {
  (void)context;
  return !entry->is_folder && wh_attempt_check(entry->name, NULL) == WH_OK;
}

static wh_status visit_attempt(void *context, const wh_local_entry *entry, wh_error *err) {
  attempts_visit *v = context;
  wh_arena_reset(&v->names);
  char *path = NULL;
  WH_TRY(wh_local_attempt_path(v->c, &v->names, entry->name, &path, err));
  wh_file_info info;
  wh_status status = wh_local_look(v->c, path, &info, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) return status;
  wh_object object;
  WH_TRY(wh_local_object(&v->names, entry->name, &info, &object, err));
  status = v->visit(v->context, &object, err);
  v->visitor_failed = status != WH_OK;
  return status;
}

wh_status wh_local_attempts(wh_connection *c, wh_object_visit visit, void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  attempts_visit v = {.c = c, .visit = visit, .context = context};
  wh_local_walk walk = {.accept = is_attempt, .visit = visit_attempt, .context = &v};
  char *path = NULL;
  wh_str folder = wh_str_sub(WH_STR(WH_LOCAL_ATTEMPTS), 0, sizeof WH_LOCAL_ATTEMPTS - 2);
  wh_status status = wh_local_path(c, &arena, folder, &path, err);
  if (status == WH_OK) status = wh_local_look_folder(c, path, err);
  wh_arena_init(&v.names, c->mem);
  if (status == WH_OK) status = wh_local_walk_folder(c, path, &walk, err);
  wh_arena_free(&v.names);
  if (v.visitor_failed) return status;
  return status == WH_ERR_NOT_FOUND ? WH_OK : wh_store_say(c, status, err);
}
