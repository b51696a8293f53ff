// Publishing: an attempt gets the name of an object, at once and whole. And the opposite, removing.
//
// At every moment of a publish, and whichever of its unsynced names a power failure takes back, the
// attempt is still there until the object's name is durable. Renaming the attempt itself would not
// do: its new name and the loss of its old one are in two folders, synced one after the other.
#include "connect/local/local.h"

#include "base/log.h"

typedef struct publication {
  wh_connection *c;
  wh_str key;
  char *from;   // path of the attempt
  char *second; // its second link, for replacing
  char *to;
  wh_file_info info; // of the attempt, unless it is brief
  bool is_brief;     // nobody asks for the attempt after a crash
} publication;

// The attempt is gone. If a publish that was killed has removed it, that shall be durable before
// anybody takes the object for finished.
static wh_status fail_gone(publication *p, wh_arena *arena, wh_str attempt, wh_error *err) {
  char *folder = wh_path_folder(arena, p->from);
  if (!folder) return wh_fail_memory(err);
  WH_IGNORE(p->c->os->type->sync_dir(p->c->os, folder, NULL)); // it need not even exist
  return wh_fail(err, WH_ERR_NOT_FOUND, "there is no attempt '%.*s' to publish as %.*s",
                 WH_STR_ARG(attempt), WH_STR_ARG(p->key));
}

static wh_status prepare(publication *p, wh_arena *arena, wh_str attempt, wh_error *err) {
  WH_TRY(wh_local_writable_path(p->c, arena, p->key, &p->to, err));
  WH_TRY(wh_local_attempt_path(p->c, arena, attempt, &p->from, err));
  wh_str second = wh_arena_printf(arena, "%s~", p->from);
  p->second = second.data ? wh_arena_cstr(arena, second) : NULL;
  if (!p->second) return wh_fail_memory(err);
  // Nobody else knows of a brief one, and it is not under the key yet.
  if (p->is_brief) return wh_local_make_folders(p->c, p->to, err);
  wh_status status = wh_local_look(p->c, p->from, &p->info, err);
  if (status == WH_ERR_NOT_FOUND) return fail_gone(p, arena, attempt, err);
  if (status != WH_OK) return status;
  return wh_local_make_folders(p->c, p->to, err);
}

static wh_status taken(const publication *p, const char *by, wh_error *err) {
  return wh_fail(err, WH_ERR_EXISTS, "%.*s: the name is taken by %s", WH_STR_ARG(p->key), by);
}

// Links the attempt to the key where there is nothing; the attempt being there already is fine.
static wh_status link_new(publication *p, wh_error *err) {
  wh_os *os = p->c->os;
  for (int i = 0; i < WH_LOCAL_OPEN_TRIES; i++) {
    wh_status status = os->type->link(os, p->from, p->to, err);
    if (status != WH_ERR_EXISTS) return status;
    wh_file_info there;
    status = os->type->stat(os, p->to, &there, err);
    if (status == WH_ERR_NOT_FOUND) continue; // removed meanwhile
    if (status != WH_OK) return status;
    if (there.kind == WH_FILE_FOLDER) return taken(p, "a folder", err);
    if (wh_local_same_file(&there, &p->info)) return WH_OK;
    break;
  }
  return taken(p, "another object", err);
}

// After the object's name is synced the publish has succeeded; an attempt that cannot be removed
// is shown by attempts() and harms nobody.
static wh_status finish(publication *p, wh_arena *arena, wh_error *err) {
  wh_os *os = p->c->os;
  WH_TRY(wh_local_sync_folders(p->c, p->to, err));
  wh_error cleaning = {0};
  // A brief one was tried once, and may come back.
  wh_status status = p->is_brief ? WH_OK : os->type->remove(os, p->second, &cleaning);
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) {
    status = os->type->remove(os, p->from, &cleaning);
  }
  char *folder = wh_path_folder(arena, p->from);
  if (status == WH_OK && folder && !p->is_brief) status = os->type->sync_dir(os, folder, &cleaning);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) {
    wh_log_error(WH_LOG_DEBUG, "local", &cleaning);
  }
  return WH_OK;
}

static wh_status publish_new(publication *p, wh_arena *arena, wh_str attempt, wh_error *err) {
  WH_TRY(prepare(p, arena, attempt, err));
  WH_TRY(link_new(p, err));
  return finish(p, arena, err);
}

// --- replacing -----------------------------------------------------------------------------------

// Puts the attempt's second link in the place of the object. (Renaming one link of a file over
// another of the same file would do nothing; the caller has excluded that.)
static wh_status rename_over(publication *p, wh_error *err) {
  wh_os *os = p->c->os;
  if (p->is_brief) return os->type->rename(os, p->from, p->to, err);
  wh_status status = os->type->remove(os, p->second, err); // of an earlier try
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  WH_TRY(os->type->link(os, p->from, p->second, err));
  return os->type->rename(os, p->second, p->to, err);
}

static wh_status replace_once(publication *p, bool keep, wh_error *err) {
  wh_file_info there;
  wh_status status = p->c->os->type->stat(p->c->os, p->to, &there, err);
  if (status == WH_ERR_NOT_FOUND) return link_new(p, err);
  if (status != WH_OK) return status;
  if (there.kind == WH_FILE_FOLDER) return taken(p, "a folder", err);
  if (there.kind != WH_FILE_REGULAR) return taken(p, "something that is no file", err);
  if (wh_local_same_file(&there, &p->info)) return WH_OK;
  if (keep) WH_TRY(wh_local_keep(p->c, p->key, p->to, &there, err));
  return rename_over(p, err);
}

static wh_status replace(publication *p, wh_arena *arena, wh_str attempt, bool keep,
                         wh_error *err) {
  WH_TRY(prepare(p, arena, attempt, err));
  wh_file *lock = NULL;
  if (keep) WH_TRY(wh_local_lock(p->c, WH_LOCAL_LOCK, &lock, err));
  wh_status status = WH_OK;
  for (int i = 0; i < WH_LOCAL_OPEN_TRIES; i++) {
    status = replace_once(p, keep, err);
    // Somebody else made or removed the object between the look and the deed.
    if (status != WH_ERR_EXISTS && status != WH_ERR_NOT_FOUND) break;
  }
  wh_file_close(lock);
  WH_TRY(status);
  return finish(p, arena, err);
}

wh_status wh_local_replace(wh_connection *c, wh_str attempt, wh_str key, bool keep,
                           wh_file_info *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  publication p = {.c = c, .key = key};
  WH_TRY(replace(&p, &arena, attempt, keep, err));
  *ret = p.info;
  return WH_OK;
}

wh_status wh_local_publish(wh_connection *c, wh_str attempt, wh_str key, bool replacing,
                           wh_arena *arena, wh_object *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, c->mem);
  publication p = {.c = c, .key = key};
  wh_status status = replacing
                         ? replace(&p, &scratch, attempt, wh_local_options_of(c)->versioning, err)
                         : publish_new(&p, &scratch, attempt, err);
  if (status == WH_OK) status = wh_local_object(arena, key, &p.info, ret, err);
  return wh_store_say(c, status, err);
}

wh_status wh_local_publish_brief(wh_connection *c, wh_str attempt, wh_str key, bool replacing,
                                 wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, c->mem);
  publication p = {.c = c, .key = key, .is_brief = true};
  wh_status status = replacing
                         ? replace(&p, &scratch, attempt, wh_local_options_of(c)->versioning, err)
                         : publish_new(&p, &scratch, attempt, err);
  return wh_store_say(c, status, err);
}

// --- removing ------------------------------------------------------------------------------------

static bool is_version(const wh_file_info *info, wh_str version) {
  char text[WH_LOCAL_VERSION_SIZE];
  wh_local_version(info, text);
  return wh_str_is(version, text);
}

// `version` empty: whatever is there.
static wh_status remove_file(wh_connection *c, wh_str key, wh_str version, const char *path,
                             bool keep, wh_error *err) {
  wh_file_info info;
  wh_status status = wh_local_look(c, path, &info, err);
  if (status == WH_OK && version.len && !is_version(&info, version))
    return wh_store_other_version(key, err);
  if (status == WH_OK && keep) {
    WH_TRY(wh_local_keep(c, key, path, &info, err));
    WH_TRY(wh_local_mark_deleted(c, key, err));
  }
  if (status == WH_OK) status = c->os->type->remove(c->os, path, err);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) return status;
  // Also when it was gone already: whoever removed it may not have come to this.
  status = wh_local_sync_folders(c, path, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

static wh_status remove_version(wh_connection *c, wh_str key, wh_str version, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  bool keep = wh_local_options_of(c)->versioning && !wh_str_starts(key, WH_PARTS_PREFIX);
  char *path = NULL;
  wh_file *lock = NULL;
  wh_status status = wh_local_writable_path(c, &arena, key, &path, err);
  if (status == WH_OK && keep) status = wh_local_lock(c, WH_LOCAL_LOCK, &lock, err);
  if (status == WH_OK) status = remove_file(c, key, version, path, keep, err);
  wh_file_close(lock);
  return status;
}

wh_status wh_local_remove(wh_connection *c, wh_str key, wh_error *err) {
  return wh_store_say(c, remove_version(c, key, (wh_str){0}, err), err);
}

// A second name for the version; its first one is removed afterwards.
static wh_status link_version(wh_connection *c, wh_str key, wh_str version, wh_str to,
                              wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  publication p = {.c = c, .key = to};
  WH_TRY(wh_local_writable_path(c, &arena, key, &p.from, err));
  WH_TRY(wh_local_writable_path(c, &arena, to, &p.to, err));
  WH_TRY(wh_local_look(c, p.from, &p.info, err));
  if (!is_version(&p.info, version)) return wh_store_other_version(key, err);
  WH_TRY(wh_local_make_folders(c, p.to, err));
  WH_TRY(link_new(&p, err));
  wh_file_info linked;
  WH_TRY(wh_local_look(c, p.to, &linked, err));
  if (is_version(&linked, version)) return wh_local_sync_folders(c, p.to, err);
  WH_TRY(c->os->type->remove(c->os, p.to, err)); // another file was put there meanwhile
  return wh_store_other_version(key, err);
}

wh_status wh_local_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to,
                            wh_error *err) {
  wh_status status = to.len ? link_version(c, key, version, to, err) : WH_OK;
  if (status == WH_OK) status = remove_version(c, key, version, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : wh_store_say(c, status, err);
}
