#include "engine/copy_object.h"

#include "base/crypto.h"
#include "engine/copy_parts.h"
#include "engine/input.h"
#include "ledger/manifest.h"

wh_status wh_copy_stopped(wh_error *err) {
  return wh_fail(err, WH_ERR_CANCELLED, "stopped; what is not there yet comes next time");
}

static wh_status pass_in_order(wh_copy_lane *lane, wh_input *in, wh_output *out, wh_sha256 *sha,
                               wh_error *err) {
  wh_status status;
  size_t n;
  do {
    n = 0;
    if (lane->engine->stop && atomic_load(lane->engine->stop))
      status = wh_copy_stopped(err);
    else
      status = wh_input_read(in, lane->data, WH_COPY_READ_BYTES, &n, err);
    if (status == WH_OK && n && sha) status = wh_sha256_add(sha, lane->data, n, err);
    if (status == WH_OK && n && out) status = wh_output_write(out, lane->data, n, err);
  } while (status == WH_OK && n);
  return status;
}

// All of `in`, which was just opened. `to` and `sha` may be NULL.
static wh_status pass_bytes(wh_copy_lane *lane, wh_input *in, wh_upload *to, wh_sha256 *sha,
                            wh_error *err) {
  if (!to || !wh_copy_has_parts(lane, in, to))
    return pass_in_order(lane, in, to ? &to->output : NULL, sha, err);
  WH_TRY(wh_copy_parts(lane, in, to, sha, err));
  to->output.written = in->size;
  return WH_OK;
}

static wh_status pass_hashed(wh_copy_lane *lane, wh_input *in, wh_upload *to, wh_str *ret_sha256,
                             wh_error *err) {
  wh_sha256 sha;
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status = pass_bytes(lane, in, to, &sha, err);
  char hex[WH_SHA256_HEX + 1];
  if (status == WH_OK) status = wh_sha256_finish_hex(&sha, hex, err);
  wh_sha256_free(&sha);
  WH_TRY(status);
  wh_str copy = wh_arena_str(&lane->arena, wh_str_of(hex));
  if (!copy.data) return wh_fail_memory(err);
  *ret_sha256 = copy;
  return WH_OK;
}

static wh_status checksum(wh_copy_lane *lane, wh_connection *place, wh_str key, wh_str version,
                          wh_str *ret, wh_error *err) {
  wh_input *in;
  WH_TRY(place->type->store->open(place, key, version, &in, err));
  wh_status status = pass_hashed(lane, in, NULL, ret, err);
  wh_input_close(in);
  return status;
}

// --- what is there -------------------------------------------------------------------------------

// Written since `object` was changed. Some stores tell whole seconds only, which end when they end.
static bool is_as_new(const wh_object *there, const wh_object *object) {
  const int64_t second_us = 1000000;
  int64_t until = there->modified_us + (there->modified_us % second_us == 0 ? second_us - 1 : 0);
  return until >= object->modified_us;
}

static wh_status is_there(wh_copy_lane *lane, const wh_object *object, wh_str key, bool *ret,
                          wh_error *err) {
  const wh_copy *r = lane->request;
  wh_object there;
  wh_error inner = {0};
  wh_status status = r->to->type->store->stat(r->to, key, &lane->arena, &there, &inner);
  *ret = false;
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  bool same = there.size == object->size;
  if (same && r->verify) {
    wh_str ours, theirs;
    WH_TRY(checksum(lane, r->from, object->key, object->version, &ours, err));
    WH_TRY(checksum(lane, r->to, key, there.version, &theirs, err));
    same = wh_str_eq(ours, theirs);
  } else if (same) {
    same = is_as_new(&there, object);
  }
  *ret = same;
  if (same || r->replace) return WH_OK;
  return wh_fail(err, WH_ERR_EXISTS,
                 "%.*s:%.*s is there and is another. To have it replaced: --replace",
                 WH_STR_ARG(r->to->name), WH_STR_ARG(key));
}

// --- writing -------------------------------------------------------------------------------------

// What the manifest at the source says stays true of the copy, but for its key. It goes first, so
// that nobody takes the copy for a stranger's file.
static wh_status put_manifest(wh_copy_lane *lane, wh_manifest *manifest, wh_str key,
                              wh_error *err) {
  wh_connection *to = lane->request->to;
  manifest->key = key;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, lane->engine->mem, 0);
  wh_manifest_write(manifest, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_str beside = wh_manifest_key(key, &lane->arena);
  if (!beside.data) return wh_fail_memory(err);
  wh_put_options options = {.replace = true};
  wh_upload *upload;
  WH_TRY(to->type->store->put(to, beside, &options, &upload, err));
  wh_status status = wh_output_write(&upload->output, text.data, text.len, err);
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  return status;
}

static wh_status copy_manifest(wh_copy_lane *lane, const wh_object *object, wh_str key,
                               wh_str sha256, wh_error *err) {
  wh_connection *from = lane->request->from;
  bool found;
  wh_manifest manifest;
  WH_TRY(wh_input_manifest(from, object, &lane->arena, &found, &manifest, err));
  if (!found) return WH_OK;
  if (wh_str_eq(manifest.sha256, sha256)) return put_manifest(lane, &manifest, key, err);
  return wh_fail(err, WH_ERR_DATA,
                 "%.*s:%.*s: its bytes are not those that were published: the checksum differs. "
                 "It was not copied",
                 WH_STR_ARG(from->name), WH_STR_ARG(object->key));
}

// The object is visible at the end, when everything else is as it should be. *ret_sha256 is set
// where somebody will compare it; the stores have checksums of their own.
static wh_status fill(wh_copy_lane *lane, const wh_object *object, wh_str key, wh_upload *upload,
                      wh_str *ret_sha256, wh_error *err) {
  wh_connection *from = lane->request->from;
  wh_input *in;
  WH_TRY(from->type->store->open(from, object->key, object->version, &in, err));
  bool hashed = lane->has_manifests || lane->request->verify;
  wh_status status = hashed ? pass_hashed(lane, in, upload, ret_sha256, err)
                            : pass_bytes(lane, in, upload, NULL, err);
  wh_input_close(in);
  WH_TRY(status);
  if (upload->output.written != object->size) {
    return wh_fail(err, WH_ERR_CHANGED, "%.*s:%.*s has another size than when it was listed",
                   WH_STR_ARG(from->name), WH_STR_ARG(object->key));
  }
  if (lane->has_manifests) WH_TRY(copy_manifest(lane, object, key, *ret_sha256, err));
  return upload->seal(upload, err);
}

static wh_status verify(wh_copy_lane *lane, wh_str key, wh_str sha256, wh_error *err) {
  wh_connection *to = lane->request->to;
  wh_str there;
  WH_TRY(checksum(lane, to, key, (wh_str){0}, &there, err));
  if (wh_str_eq(there, sha256)) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s:%.*s does not have the bytes that were written to it",
                 WH_STR_ARG(to->name), WH_STR_ARG(key));
}

wh_status wh_copy_object(wh_copy_lane *lane, const wh_object *object, wh_str key, bool *ret_copied,
                         wh_error *err) {
  const wh_copy *r = lane->request;
  bool there = false;
  if (lane->ask) WH_TRY(is_there(lane, object, key, &there, err));
  *ret_copied = !there;
  if (there) return WH_OK;
  wh_attributes attributes = {.modified_us = object->modified_us};
  if (r->to->type->store->keeps_attributes)
    WH_TRY(r->from->type->store->attributes(r->from, object->key, object->version, &lane->arena,
                                            &attributes, err));
  wh_put_options options = {.attributes = &attributes, .replace = r->replace};
  wh_upload *upload;
  wh_str sha256 = {0};
  WH_TRY(r->to->type->store->put(r->to, key, &options, &upload, err));
  wh_status status = fill(lane, object, key, upload, &sha256, err);
  upload->close(upload);
  WH_TRY(status);
  return r->verify ? verify(lane, key, sha256, err) : WH_OK;
}
