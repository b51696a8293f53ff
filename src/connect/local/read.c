// Reading an object: one version of it, or nothing.
#include "connect/local/local.h"

typedef struct local_input {
  wh_input base;
  const wh_connection *c;
  wh_mem *mem;
  wh_file *file;
  wh_file_info info; // of what was opened
  uint64_t at;
  size_t key_len;
  char key[]; // for messages
} local_input;

static size_t size_of(const local_input *in) {
  return sizeof *in + in->key_len + 1;
}

// After each read: the file is still what it was when it was opened. This costs a fraction of the
// read, and what was read is known to be good before anybody acts on it.
static wh_status check_same(local_input *in, wh_error *err) {
  wh_file_info now;
  WH_TRY(in->file->type->stat(in->file, &now, err));
  if (now.size == in->info.size && now.modified_ns == in->info.modified_ns) return WH_OK;
  wh_status status = wh_fail(err, WH_ERR_CHANGED, "%s: changed while it was read", in->key);
  if (err) err->retry = true;
  return status;
}

static wh_status input_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                            wh_error *err) {
  local_input *in = (local_input *)base;
  size_t got = 0;
  wh_status status = in->file->type->read_some(in->file, in->at, data, cap, &got, err);
  if (status == WH_OK) status = check_same(in, err);
  if (status != WH_OK) return wh_store_say(in->c, status, err);
  in->at += got;
  *ret_len = got;
  return WH_OK;
}

static wh_status input_read_at(wh_input *base, uint64_t offset, void *data, size_t len,
                               wh_error *err) {
  local_input *in = (local_input *)base;
  wh_status status = in->file->type->read_at(in->file, offset, data, len, err);
  wh_status same = status == WH_OK || status == WH_ERR_END ? check_same(in, err) : WH_OK;
  return wh_store_say(in->c, same == WH_OK ? status : same, err);
}

static void input_close(wh_input *base) {
  local_input *in = (local_input *)base;
  wh_file_close(in->file);
  wh_mem_free(in->mem, in, size_of(in));
}

static wh_status changed(wh_str key, wh_error *err) {
  return wh_fail(err, WH_ERR_CHANGED, "%.*s: is no longer the version that was asked for",
                 WH_STR_ARG(key));
}

// Opens the file that `look` described; WH_ERR_CHANGED when another one is there by now.
static wh_status open_file(wh_connection *c, wh_str key, const char *path, const wh_file_info *look,
                           wh_input **ret, wh_error *err) {
  local_input *in = wh_mem_alloc_zero(c->mem, sizeof *in + key.len + 1);
  if (!in) return wh_fail_memory(err);
  in->base = (wh_input){look->size, input_read, input_read_at, input_close};
  in->c = c;
  in->mem = c->mem;
  in->key_len = key.len;
  memcpy(in->key, key.data, key.len);
  wh_status status = wh_os_open(c->os, path, WH_OPEN_READ, &in->file, err);
  if (status == WH_ERR_NOT_FOUND) status = changed(key, err); // a moment ago it was there
  if (status == WH_OK) status = in->file->type->stat(in->file, &in->info, err);
  if (status == WH_OK) {
    bool same = wh_local_same_file(&in->info, look) && in->info.size == look->size &&
                in->info.modified_ns == look->modified_ns;
    if (!same) status = changed(key, err);
  }
  if (status != WH_OK)
    input_close(&in->base);
  else
    *ret = &in->base;
  return status;
}

// The version as it was asked for, among the earlier ones.
static wh_status open_kept(wh_connection *c, wh_arena *arena, wh_str key, wh_str version,
                           wh_input **ret, wh_error *err) {
  char *path = NULL;
  WH_TRY(wh_local_find_version(c, arena, key, version, &path, err));
  if (!path) return changed(key, err);
  wh_file_info info;
  char found[WH_LOCAL_VERSION_SIZE];
  WH_TRY(wh_local_look(c, path, &info, err));
  wh_local_version(&info, found);
  if (!wh_str_is(version, found)) return changed(key, err); // somebody wrote to it
  return open_file(c, key, path, &info, ret, err);
}

static wh_status open_once(wh_connection *c, wh_arena *arena, wh_str key, wh_str version,
                           wh_input **ret, wh_error *err) {
  char *path = NULL;
  WH_TRY(wh_local_path(c, arena, key, &path, err));
  wh_file_info info;
  wh_status status = wh_local_look(c, path, &info, err);
  if (status != WH_OK && (status != WH_ERR_NOT_FOUND || version.len == 0)) return status;
  char found[WH_LOCAL_VERSION_SIZE];
  if (status == WH_OK) {
    wh_local_version(&info, found);
    if (version.len == 0 || wh_str_is(version, found)) {
      return open_file(c, key, path, &info, ret, err);
    }
  }
  wh_error absent = err ? *err : (wh_error){0};
  wh_status kept = open_kept(c, arena, key, version, ret, err);
  if (kept != WH_ERR_CHANGED || status == WH_OK) return kept;
  if (err) *err = absent;
  return status; // neither the object nor this version of it
}

wh_status wh_local_open(wh_connection *c, wh_str key, wh_str version, wh_input **ret,
                        wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_status status = WH_OK;
  // Somebody may replace the file between the look and the open, and again.
  for (int i = 0; i < WH_LOCAL_OPEN_TRIES; i++) {
    status = open_once(c, &arena, key, version, ret, err);
    if (status != WH_ERR_CHANGED) break;
  }
  return wh_store_say(c, status, err);
}
