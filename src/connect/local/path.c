// Keys and the paths they stand for.
#include "connect/local/local.h"

#include <inttypes.h>

// --- keys ----------------------------------------------------------------------------------------

// Where the key begins in a path: behind the store's folder and its '/'.
static size_t root_len(const wh_connection *c) {
  wh_str root = wh_local_options_of(c)->path;
  while (root.len && root.data[root.len - 1] == '/')
    root.len--;
  return root.len + 1;
}

static wh_str key_of(const wh_connection *c, const char *path) {
  return wh_str_of(path + root_len(c));
}

// <path>/<folder><key><tail>
static wh_status join(wh_connection *c, wh_arena *arena, const char *folder, wh_str key,
                      const char *tail, char **ret, wh_error *err) {
  WH_TRY(wh_key_check(key, err));
  WH_TRY(wh_key_check_parts(key, WH_LOCAL_NAME_MAX, err));
  wh_str root = wh_str_n(wh_local_options_of(c)->path.data, root_len(c) - 1);
  size_t size = root.len + strlen(folder) + key.len + strlen(tail) + 2;
  char *path = wh_arena_alloc(arena, size);
  if (!path) return wh_fail_memory(err);
  snprintf(path, size, "%.*s/%s%.*s%s", WH_STR_ARG(root), folder, WH_STR_ARG(key), tail);
  *ret = path;
  return WH_OK;
}

wh_status wh_local_path(wh_connection *c, wh_arena *arena, wh_str key, char **ret, wh_error *err) {
  return join(c, arena, "", key, "", ret, err);
}

wh_status wh_local_kept_path(wh_connection *c, wh_arena *arena, wh_str key, const char *tail,
                             char **ret, wh_error *err) {
  return join(c, arena, WH_LOCAL_VERSIONS, key, tail, ret, err);
}

wh_status wh_local_writable_path(wh_connection *c, wh_arena *arena, wh_str key, char **ret,
                                 wh_error *err) {
  if (wh_str_starts(key, WH_LOCAL_ATTEMPTS) || wh_str_starts(key, WH_LOCAL_VERSIONS) ||
      wh_str_is(key, WH_LOCAL_LOCK) || wh_str_is(key, WH_LOCAL_RESTORE_LOCK)) {
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: the store keeps this for itself", WH_STR_ARG(key));
  }
  return wh_local_path(c, arena, key, ret, err);
}

bool wh_local_is_name(wh_str name) {
  bool ours = wh_str_starts(name, WH_TEMPORARY_PREFIX);
  return !ours && wh_key_check(name, NULL) == WH_OK; // names have no '/', so a key of one part
}

// --- looking -------------------------------------------------------------------------------------

static wh_status check_folder(wh_connection *c, const char *path, wh_error *err) {
  wh_file_info info;
  WH_TRY(c->os->type->stat(c->os, path, &info, err));
  wh_str key = key_of(c, path);
  switch (info.kind) {
  case WH_FILE_FOLDER:
    return WH_OK;
  case WH_FILE_LINK:
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: is a symbolic link, and those are not followed inside a store",
                   WH_STR_ARG(key));
  default:
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: is not a folder", WH_STR_ARG(key));
  }
}

typedef wh_status (*folder_visit)(wh_connection *c, const char *folder, wh_error *err);

// Calls `visit` for each folder between the store's own and `path`, from above; both excluded.
static wh_status each_folder(wh_connection *c, const char *path, folder_visit visit,
                             wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *folder = wh_arena_cstr(&arena, wh_str_of(path));
  if (!folder) return wh_fail_memory(err);
  for (char *slash = strchr(folder + root_len(c), '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    wh_status status = visit(c, folder, err);
    *slash = '/';
    if (status != WH_OK) return status;
  }
  return WH_OK;
}

wh_status wh_local_look_folder(wh_connection *c, const char *path, wh_error *err) {
  WH_TRY(each_folder(c, path, check_folder, err));
  return check_folder(c, path, err);
}

wh_status wh_local_look(wh_connection *c, const char *path, wh_file_info *ret, wh_error *err) {
  wh_str key = key_of(c, path);
  wh_file_info info = {0};
  wh_status status = each_folder(c, path, check_folder, err);
  if (status == WH_OK) status = c->os->type->stat(c->os, path, &info, err);
  if (status == WH_ERR_NOT_FOUND || (status == WH_OK && info.kind == WH_FILE_FOLDER)) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: there is no such object", WH_STR_ARG(key));
  }
  if (status != WH_OK) return status;
  if (info.kind != WH_FILE_REGULAR) {
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: is %s", WH_STR_ARG(key),
                   info.kind == WH_FILE_LINK
                       ? "a symbolic link, and those are not followed inside a store"
                       : "a device, a pipe or a socket, not a file");
  }
  *ret = info;
  return WH_OK;
}

// --- making and syncing --------------------------------------------------------------------------

// A folder made now has no durable name yet, even where an earlier one had the same number.
static wh_status forget_name(wh_connection *c, const char *path, wh_error *err) {
  wh_file_info info;
  WH_TRY(c->os->type->stat(c->os, path, &info, err));
  wh_os_name_forget(c->os, path, &info);
  return WH_OK;
}

static wh_status make_folder(wh_connection *c, const char *path, wh_error *err) {
  wh_status status = check_folder(c, path, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  status = c->os->type->mkdir(c->os, path, err);
  if (status == WH_OK) return forget_name(c, path, err);
  if (status != WH_ERR_EXISTS) return status;
  status = check_folder(c, path, err); // somebody else was quicker, or it is a file
  if (status != WH_ERR_NOT_FOUND) return status;
  wh_str key = key_of(c, path);
  return wh_fail(err, WH_ERR_EXISTS,
                 "%.*s: is an object, so there can be none below it in a local store",
                 WH_STR_ARG(key));
}

// The store's folder, without a '/' behind it unless it is the system's root.
static char *root_path(wh_connection *c, wh_arena *arena) {
  size_t len = root_len(c) - 1;
  return len ? wh_arena_cstr(arena, wh_str_n(wh_local_options_of(c)->path.data, len))
             : wh_arena_cstr(arena, WH_STR("/"));
}

wh_status wh_local_make_folders(wh_connection *c, const char *path, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *root = root_path(c, &arena);
  if (!root) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(c->os, root, err));
  return each_folder(c, path, make_folder, err);
}

// Makes the folder's own name durable, in the folder above it.
static wh_status sync_name(wh_connection *c, const char *path, wh_error *err) {
  wh_file_info info;
  WH_TRY(c->os->type->stat(c->os, path, &info, err));
  if (wh_os_name_is_known(c->os, path, &info)) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *above = wh_path_folder(&arena, path);
  if (!above) return wh_fail_memory(err);
  WH_TRY(c->os->type->sync_dir(c->os, above, err));
  wh_os_name_know(c->os, path, &info);
  return WH_OK;
}

wh_status wh_local_sync_folders(wh_connection *c, const char *path, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *folder = wh_path_folder(&arena, path);
  if (!folder) return wh_fail_memory(err);
  WH_TRY(each_folder(c, path, sync_name, err));
  return c->os->type->sync_dir(c->os, folder, err);
}

// --- objects -------------------------------------------------------------------------------------

void wh_local_version(const wh_file_info *info, char ret[WH_LOCAL_VERSION_SIZE]) {
  snprintf(ret, WH_LOCAL_VERSION_SIZE, "%" PRIu64 "-%" PRIu64 "-%" PRId64, info->inode, info->size,
           info->modified_ns);
}

wh_status wh_local_object(wh_arena *arena, wh_str key, const wh_file_info *info, wh_object *ret,
                          wh_error *err) {
  char version[WH_LOCAL_VERSION_SIZE];
  wh_local_version(info, version);
  wh_object object = {.key = wh_arena_str(arena, key),
                      .version = wh_arena_str(arena, wh_str_of(version)),
                      .size = info->size,
                      .modified_us = info->modified_ns / 1000,
                      .changed_us = info->changed_ns / 1000,
                      .is_latest = true};
  if (!object.key.data || !object.version.data) return wh_fail_memory(err);
  *ret = object;
  return WH_OK;
}
