#include "connect/local/local.h"

#include "connect/sealed_store.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const wh_option local_options[] = {
    {.name = "path",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_local_options, path),
     .required = true,
     .help = "folder that holds the objects; created on the first write"},
    {.name = "versioning",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_local_options, versioning),
     .def = "false",
     .help = "keep what is replaced or removed as an earlier version"},
    WH_SEALED_KEY_OPTIONS(
        wh_local_options,
        "encrypt what is written with this key of 32 bytes, and read nothing else"),
    {0},
};

static wh_status local_check(const void *options, wh_error *err) {
  const wh_local_options *o = options;
  if (o->path.len == 0) return wh_fail(err, WH_ERR_USAGE, "path is empty: name a folder");
  if (memchr(o->path.data, 0, o->path.len)) {
    return wh_fail(err, WH_ERR_USAGE, "path holds a NUL byte");
  }
  return wh_sealed_keys_check(o->encryption_key, &o->encryption_keys_old, err);
}

// --- encryption ----------------------------------------------------------------------------------

// A folder has no name that stays with it, so the objects' headers name no place.
static wh_status local_open(wh_connection *c, wh_error *err) {
  const wh_local_options *o = wh_local_options_of(c);
  if (!o->encryption_key.len) return WH_OK;
  wh_sealed_keys *keys = NULL;
  wh_status status = wh_sealed_keys_new(c->mem, o->encryption_key, &o->encryption_keys_old,
                                        (wh_str){0}, &keys, err);
  if (status == WH_OK) status = wh_sealed_open(c, keys, err);
  return wh_store_say(c, status, err);
}

// --- reach ---------------------------------------------------------------------------------------

static wh_status none(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)context, (void)entry, (void)err;
  return WH_ERR_END; // one is enough to know that it can be read
}

// What the operating system's interface does not tell; only the real one has permissions and a
// disk.
static void note_disk(wh_connection *c, const char *path, wh_buf *note) {
  if (strcmp(c->os->type->name, "real") != 0) return;
  wh_buf_add_c(note, access(path, W_OK | X_OK) == 0 ? ", writable" : ", not writable by this user");
  struct statvfs disk;
  if (statvfs(path, &disk) != 0) return;
  double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
  wh_buf_printf(note, ", %.1f GB free", free_bytes / 1e9);
}

static wh_status reach(wh_connection *c, wh_arena *arena, wh_buf *note, wh_error *err) {
  char *path = wh_arena_cstr(arena, wh_local_options_of(c)->path);
  if (!path) return wh_fail_memory(err);
  bool exists = false;
  WH_TRY(wh_os_exists(c->os, path, &exists, err));
  if (!exists) {
    wh_buf_printf(note, "%s does not exist yet; the first write creates it", path);
    return wh_buf_check(note, err);
  }
  wh_status status = c->os->type->list(c->os, path, none, NULL, err);
  if (status == WH_ERR_NOT_FOUND) return wh_fail(err, status, "%s: is not a folder", path);
  if (status != WH_OK && status != WH_ERR_END) return status;
  wh_buf_printf(note, "%s exists", path);
  note_disk(c, path, note);
  if (wh_local_options_of(c)->versioning) wh_buf_add_c(note, ", keeps earlier versions");
  return wh_buf_check(note, err);
}

static wh_status local_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  return wh_store_say(c, reach(c, &arena, ret_note, err), err);
}

// --- the connector -------------------------------------------------------------------------------

const wh_store_type wh_local_store = {
    .has_versions = true,
    .kept_below = WH_LOCAL_VERSIONS,
    .list = wh_local_list,
    .stat = wh_local_stat,
    .open = wh_local_open,
    .create = wh_local_create,
    .publish = wh_local_publish,
    .put = wh_local_put,
    .attributes = wh_local_attributes,
    .discard = wh_local_discard,
    .attempts = wh_local_attempts,
    .remove = wh_local_remove,
    .withdraw = wh_local_withdraw,
    .versions = wh_local_versions,
    .restore = wh_local_restore,
    .purge = wh_local_purge,
};

const wh_connector wh_connector_local = {
    .name = "local",
    .help = "a folder as a store of objects",
    .options = local_options,
    .options_size = sizeof(wh_local_options),
    .store = &wh_local_store,
    .queue = &wh_local_queue,
    .check = local_check,
    .open = local_open,
    .close = wh_sealed_close,
    .reach = local_reach,
};
