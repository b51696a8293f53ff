// Listing: folder by folder, in the byte order of whole keys.
#include "connect/sftp/sftp.h"

typedef struct listing {
  wh_connection *c;
  wh_str prefix;
  wh_object_visit visit;
  void *context;
  bool visitor_failed;      // what it said is not ours to add to
  char key[WH_KEY_MAX + 1]; // of the folder at hand, with '/' behind it
  size_t len;
} listing;

// Appends a name (and '/') to the key; false when it would be too long to be one.
static bool push(listing *l, wh_str name, bool is_folder) {
  size_t len = l->len + name.len + is_folder;
  if (len > WH_KEY_MAX) return false;
  memcpy(l->key + l->len, name.data, name.len);
  if (is_folder) l->key[len - 1] = '/';
  l->len = len;
  return true;
}

// Files that begin with the prefix, and folders that do or that lead to it.
static bool accept(void *context, const wh_sftp_entry *entry) {
  listing *l = context;
  size_t len = l->len;
  if (!wh_sftp_is_name(entry->name) || !push(l, entry->name, entry->is_folder)) return false;
  wh_str key = wh_str_n(l->key, l->len);
  size_t n = key.len < l->prefix.len ? key.len : l->prefix.len;
  bool fits = n == 0 || memcmp(key.data, l->prefix.data, n) == 0;
  if (!entry->is_folder && key.len < l->prefix.len) fits = false;
  if (wh_str_starts(key, WH_OWN_PREFIX) && !wh_str_starts(l->prefix, WH_OWN_PREFIX)) fits = false;
  l->len = len;
  return fits;
}

static wh_status visit_file(listing *l, const wh_sftp_entry *entry, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, l->c->mem);
  wh_object object;
  WH_TRY(wh_sftp_object(&arena, wh_str_n(l->key, l->len), &entry->attrs, &object, err));
  object.settled_us = wh_sftp_settles(l->c, &object);
  wh_status status = l->visit(l->context, &object, err);
  l->visitor_failed = status != WH_OK;
  return status;
}

static wh_status list_folder(listing *l, wh_error *err);

static wh_status visit_entries(listing *l, const wh_sftp_folder *folder, wh_error *err) {
  for (size_t i = 0; i < folder->count; i++) {
    const wh_sftp_entry *entry = &folder->entries[i];
    if (l->c->cancel && atomic_load(l->c->cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "the listing was stopped");
    size_t len = l->len;
    if (!push(l, entry->name, entry->is_folder)) continue;
    wh_status status = entry->is_folder ? list_folder(l, err) : visit_file(l, entry, err);
    l->len = len;
    if (status != WH_OK) return status;
  }
  return WH_OK;
}

// The depth is bounded by the length of a key.
static wh_status list_folder(listing *l, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, l->c->mem);
  wh_str path;
  WH_TRY(wh_sftp_folder_path(l->c, &arena, wh_str_n(l->key, l->len ? l->len - 1 : 0), &path, err));
  wh_sftp_folder folder = {.accept = accept, .context = l};
  wh_status status = wh_sftp_read_folder(l->c, path, &folder, err);
  if (status == WH_OK) status = visit_entries(l, &folder, err);
  wh_sftp_folder_free(l->c, &folder);
  return status;
}

typedef struct entering {
  wh_connection *c;
  wh_str folder;
} entering;

static wh_status do_enter(wh_sftp_line *line, void *context, wh_error *err) {
  const entering *e = context;
  wh_sftp_look look;
  wh_status status = wh_sftp_look_start(e->c, line, e->folder, &look, err);
  if (status == WH_OK) status = wh_sftp_look_folder(&look, err);
  wh_sftp_look_end(&look);
  return status;
}

// Begins at the deepest folder that the prefix names in full.
static wh_status enter_prefix(listing *l, bool *ret_there, wh_error *err) {
  size_t slash = l->prefix.len;
  while (slash > 0 && l->prefix.data[slash - 1] != '/')
    slash--;
  *ret_there = true;
  if (slash == 0) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, l->c->mem);
  wh_str path;
  entering e = {l->c, wh_str_n(l->prefix.data, slash - 1)};
  WH_TRY(wh_sftp_path(l->c, &arena, e.folder, &path, err));
  wh_status status = wh_sftp_do(l->c, do_enter, &e, err);
  *ret_there = status == WH_OK && push(l, e.folder, true);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

wh_status wh_sftp_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                       wh_error *err) {
  listing l = {.c = c, .prefix = prefix, .visit = visit, .context = context};
  bool there = false;
  wh_status status = enter_prefix(&l, &there, err);
  if (status == WH_OK && there) status = list_folder(&l, err);
  return l.visitor_failed ? status : wh_store_say(c, status, err);
}
