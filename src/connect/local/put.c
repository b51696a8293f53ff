// Putting an object straight under its key: an attempt of its own that is published when it is
// sealed. Attributes other than the bytes have no place in a folder.
#include "connect/local/local.h"

#include "base/ulid.h"

typedef struct local_put {
  wh_upload base;
  wh_connection *c;
  wh_upload *attempt;
  bool replace, is_published;
  char name[sizeof WH_PUT_PREFIX + WH_ULID_CHARS];
  size_t key_len;
  char key[];
} local_put;

static wh_status put_write(wh_output *out, const void *data, size_t len, wh_error *err) {
  local_put *p = (local_put *)out;
  WH_TRY(wh_output_write(&p->attempt->output, data, len, err));
  out->written += len;
  return WH_OK;
}

static wh_status put_write_part(wh_upload *base, uint64_t offset, const void *data, size_t len,
                                wh_error *err) {
  local_put *p = (local_put *)base;
  return p->attempt->write_part(p->attempt, offset, data, len, err);
}

static wh_status put_seal(wh_upload *base, wh_error *err) {
  local_put *p = (local_put *)base;
  WH_TRY(p->attempt->seal(p->attempt, err));
  WH_TRY(wh_local_publish_brief(p->c, wh_str_of(p->name), wh_str_n(p->key, p->key_len), p->replace,
                                err));
  p->is_published = true;
  return WH_OK;
}

static void put_close(wh_upload *base) {
  if (!base) return;
  local_put *p = (local_put *)base;
  if (p->attempt) {
    p->attempt->close(p->attempt);
    if (!p->is_published) // sealed, but the key was taken
      WH_IGNORE(wh_local_discard(p->c, wh_str_of(p->name), NULL));
  }
  wh_mem_free(p->c->mem, p, sizeof *p + p->key_len);
}

static wh_status check_writable(wh_connection *c, wh_str key, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  char *path = NULL;
  return wh_store_say(c, wh_local_writable_path(c, &arena, key, &path, err), err);
}

wh_status wh_local_put(wh_connection *c, wh_str key, const wh_put_options *options, wh_upload **ret,
                       wh_error *err) {
  WH_TRY(check_writable(c, key, err));
  local_put *p = wh_mem_alloc_zero(c->mem, sizeof *p + key.len);
  if (!p) return wh_store_say(c, wh_fail_memory(err), err);
  p->base = (wh_upload){{0, put_write}, put_seal, put_close, put_write_part, 0};
  p->c = c;
  p->replace = options->replace;
  p->key_len = key.len;
  memcpy(p->key, key.data, key.len);
  memcpy(p->name, WH_PUT_PREFIX, sizeof WH_PUT_PREFIX);
  wh_status status =
      wh_store_say(c, wh_ulid_new(c->os, p->name + sizeof WH_PUT_PREFIX - 1, err), err);
  if (status == WH_OK) status = wh_local_create_brief(c, wh_str_of(p->name), &p->attempt, err);
  if (status != WH_OK)
    put_close(&p->base);
  else
    *ret = &p->base;
  return status;
}

wh_status wh_local_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                              wh_attributes *ret, wh_error *err) {
  wh_object object;
  WH_TRY(wh_local_stat(c, key, arena, &object, err));
  if (version.len && !wh_str_eq(version, object.version)) {
    return wh_store_say(
        c, wh_fail(err, WH_ERR_CHANGED, "%.*s: is another version now", WH_STR_ARG(key)), err);
  }
  *ret = (wh_attributes){.modified_us = object.modified_us};
  return WH_OK;
}
