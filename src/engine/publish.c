#include "engine/publish.h"

#include "engine/checksum.h"
#include "ledger/manifest.h"

// The manifest is an object like any other: attempt, seal, publish.
wh_status wh_publish_manifest(wh_engine *engine, const wh_sealed *sealed, wh_str run,
                              wh_arena *arena, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, sealed->store, &c, err));
  const wh_store_type *store = c->type->store;
  wh_str key = wh_manifest_key(sealed->key, arena);
  wh_str attempt = wh_arena_printf(arena, "%.*s-manifest", WH_STR_ARG(run));
  if (!key.data || !attempt.data) return wh_fail_memory(err);
  WH_TRY(store->discard(c, attempt, err)); // half of one, from before a crash
  wh_upload *upload;
  WH_TRY(store->create(c, attempt, &upload, err));
  wh_status status =
      wh_output_write(&upload->output, sealed->manifest.data, sealed->manifest.len, err);
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  WH_TRY(status);
  // A manifest that is already there is of an attempt at this same object that did not get to
  // publish it (the object is the run's own), so the newer one may take its place.
  wh_object object;
  return store->publish(c, attempt, key, true, arena, &object, err);
}

// Whether an object that is small enough has the bytes that were sealed: a name that others would
// take, too, says nothing. A large one is known by its size, and its name is the run's own.
static wh_status same_bytes(wh_engine *engine, wh_connection *c, const wh_sealed *sealed,
                            const wh_object *object, bool *ret, wh_error *err) {
  *ret = object->size == sealed->bytes;
  if (!*ret || object->size > WH_MANIFEST_BYTES_MAX || !sealed->sha256.len) return WH_OK;
  wh_input *in;
  WH_TRY(c->type->store->open(c, object->key, object->version, &in, err));
  return wh_sha256_matches(in, sealed->sha256, engine->mem, ret, err);
}

// The attempt is gone: it was published before the crash, or it never was ours.
static wh_status already_there(wh_engine *engine, wh_connection *c, const wh_sealed *sealed,
                               wh_arena *arena, wh_object *ret, wh_error *err) {
  wh_error inner = {0};
  wh_status status = c->type->store->stat(c, sealed->key, arena, ret, &inner);
  bool is_ours = false;
  if (status == WH_OK) WH_TRY(same_bytes(engine, c, sealed, ret, &is_ours, err));
  if (is_ours) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "%.*s: the sealed attempt %.*s is gone, and was not published; run the pipeline "
                 "again",
                 WH_STR_ARG(sealed->store), WH_STR_ARG(sealed->attempt));
}

wh_status wh_publish_object(wh_engine *engine, const wh_sealed *sealed, wh_arena *arena,
                            wh_object *ret, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, sealed->store, &c, err));
  wh_error inner = {0};
  wh_status status =
      c->type->store->publish(c, sealed->attempt, sealed->key, false, arena, ret, &inner);
  if (status == WH_ERR_NOT_FOUND) return already_there(engine, c, sealed, arena, ret, err);
  if (status != WH_OK && err) *err = inner;
  return status;
}

wh_status wh_publish_sealed(wh_engine *engine, const wh_sealed *sealed, wh_str run, wh_arena *arena,
                            wh_object *ret, wh_error *err) {
  if (sealed->manifest.len) WH_TRY(wh_publish_manifest(engine, sealed, run, arena, err));
  return wh_publish_object(engine, sealed, arena, ret, err);
}
