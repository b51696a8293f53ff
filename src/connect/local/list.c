// Listing: folder by folder, in the byte order of whole keys.
#include "connect/local/local.h"

typedef struct listing {
  wh_connection *c;
  wh_str prefix;
  wh_object_visit visit;
  void *context;
  bool visitor_failed; // what it said is not ours to add to
  size_t root_len;     // of the store's folder and its '/' in `path`
  char *path;          // of the folder or file at hand; room for a key of WH_KEY_MAX
  size_t len;
} listing;

static wh_str key_at(const listing *l) {
  return wh_str_n(l->path + l->root_len, l->len - l->root_len);
}

// Appends a name (and '/') to the path; false when the key would be too long to be one.
static bool push(listing *l, const wh_local_entry *entry) {
  size_t len = l->len + entry->name.len + entry->is_folder;
  if (len - l->root_len > WH_KEY_MAX) return false;
  memcpy(l->path + l->len, entry->name.data, entry->name.len);
  if (entry->is_folder) l->path[len - 1] = '/';
  l->path[len] = 0;
  l->len = len;
  return true;
}

static void pop(listing *l, size_t len) {
  l->len = len;
  l->path[len] = 0;
}

// Files that begin with the prefix, and folders that do or that lead to it.
static bool accept(void *context, const wh_local_entry *entry) {
  listing *l = context;
  size_t len = l->len;
  if (!push(l, entry)) return false;
  wh_str key = key_at(l);
  size_t n = key.len < l->prefix.len ? key.len : l->prefix.len;
  bool fits = n == 0 || memcmp(key.data, l->prefix.data, n) == 0;
  if (!entry->is_folder && key.len < l->prefix.len) fits = false;
  bool own = wh_str_starts(key, WH_OWN_PREFIX);
  if (own && !wh_str_starts(l->prefix, WH_OWN_PREFIX)) fits = false;
  pop(l, len);
  return fits;
}

static wh_status list_folder(listing *l, wh_error *err);

static wh_status visit_file(listing *l, wh_error *err) {
  wh_file_info info;
  wh_status status = l->c->os->type->stat(l->c->os, l->path, &info, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK; // went away meanwhile
  if (status != WH_OK) return status;
  if (info.kind != WH_FILE_REGULAR) return WH_OK;
  char version[WH_LOCAL_VERSION_SIZE];
  wh_local_version(&info, version);
  wh_object object = {.key = key_at(l),
                      .version = wh_str_of(version),
                      .size = info.size,
                      .modified_us = info.modified_ns / 1000,
                      .changed_us = info.changed_ns / 1000,
                      .is_latest = true};
  status = l->visit(l->context, &object, err);
  l->visitor_failed = status != WH_OK;
  return status;
}

static wh_status visit_entry(void *context, const wh_local_entry *entry, wh_error *err) {
  listing *l = context;
  if (l->c->cancel && atomic_load(l->c->cancel)) {
    return wh_fail(err, WH_ERR_CANCELLED, "the listing was stopped");
  }
  size_t len = l->len;
  if (!push(l, entry)) return WH_OK;
  wh_status status = entry->is_folder ? list_folder(l, err) : visit_file(l, err);
  pop(l, len);
  return status;
}

// The depth is bounded by the length of a key.
static wh_status list_folder(listing *l, wh_error *err) {
  wh_local_walk walk = {.accept = accept, .visit = visit_entry, .context = l};
  return wh_local_walk_folder(l->c, l->path, &walk, err);
}

// The store's folder is there, or nothing is; a file in its place is a mistake worth telling.
static wh_status check_root(wh_connection *c, const char *path, wh_error *err) {
  wh_file_info info;
  wh_status status = c->os->type->stat(c->os, path, &info, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status == WH_OK && info.kind != WH_FILE_FOLDER && info.kind != WH_FILE_LINK) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: is not a folder", path);
  }
  return status;
}

// Begins at the deepest folder that the prefix names in full.
static wh_status enter_prefix(listing *l, wh_arena *arena, bool *ret_there, wh_error *err) {
  size_t slash = l->prefix.len;
  while (slash > 0 && l->prefix.data[slash - 1] != '/')
    slash--;
  *ret_there = true;
  if (slash == 0) return WH_OK;
  char *folder = NULL;
  WH_TRY(wh_local_path(l->c, arena, wh_str_n(l->prefix.data, slash - 1), &folder, err));
  wh_status status = wh_local_look_folder(l->c, folder, err);
  *ret_there = status == WH_OK;
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) return status;
  wh_local_entry entry = {wh_str_n(l->prefix.data, slash - 1), true};
  *ret_there = push(l, &entry);
  return WH_OK;
}

static wh_status list(listing *l, wh_arena *arena, wh_error *err) {
  wh_str root = wh_local_options_of(l->c)->path;
  while (root.len && root.data[root.len - 1] == '/')
    root.len--;
  l->path = wh_arena_alloc(arena, root.len + 1 + WH_KEY_MAX + 1);
  if (!l->path) return wh_fail_memory(err);
  if (root.len) memcpy(l->path, root.data, root.len);
  if (root.len) WH_TRY(check_root(l->c, l->path, err));
  l->path[root.len] = '/';
  l->root_len = l->len = root.len + 1;
  bool there = false;
  WH_TRY(enter_prefix(l, arena, &there, err));
  return there ? list_folder(l, err) : WH_OK;
}

wh_status wh_local_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                        wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  listing l = {.c = c, .prefix = prefix, .visit = visit, .context = context};
  wh_status status = list(&l, &arena, err);
  return l.visitor_failed ? status : wh_store_say(c, status, err);
}

wh_status wh_local_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret,
                        wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, c->mem);
  char *path = NULL;
  wh_file_info info;
  wh_status status = wh_local_path(c, &scratch, key, &path, err);
  if (status == WH_OK) status = wh_local_look(c, path, &info, err);
  if (status == WH_OK) status = wh_local_object(arena, key, &info, ret, err);
  return wh_store_say(c, status, err);
}
