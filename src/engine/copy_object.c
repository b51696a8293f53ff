#include "engine/copy_object.h"

#include "base/crypto.h"
#include "engine/input.h"
#include "ledger/manifest.h"

static wh_status hex_of(wh_copy_lane *lane, wh_sha256 *sha, wh_str *ret, wh_error *err) {
  uint8_t digest[WH_SHA256_BYTES];
  WH_TRY(wh_sha256_finish(sha, digest, err));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, lane->engine->mem, 0);
  wh_buf_add_hex(&text, digest, sizeof digest);
  WH_TRY(wh_buf_check(&text, err));
  *ret = wh_arena_str(&lane->arena, wh_buf_str(&text));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// From where `in` is to its end. `out` may be NULL: only the checksum is wanted.
static wh_status pass_bytes(wh_copy_lane *lane, wh_input *in, wh_output *out, wh_str *ret_sha256,
                            wh_error *err) {
  wh_sha256 sha;
  WH_TRY(wh_sha256_init(&sha, err));
  wh_status status;
  size_t n;
  do {
    n = 0;
    if (lane->engine->stop && atomic_load(lane->engine->stop))
      status = wh_fail(err, WH_ERR_CANCELLED, "stopped; what is not there yet comes next time");
    else
      status = wh_input_read(in, lane->data, WH_COPY_READ_BYTES, &n, err);
    if (status == WH_OK && n) status = wh_sha256_add(&sha, lane->data, n, err);
    if (status == WH_OK && n && out) status = wh_output_write(out, lane->data, n, err);
  } while (status == WH_OK && n);
  if (status == WH_OK) status = hex_of(lane, &sha, ret_sha256, err);
  wh_sha256_free(&sha);
  return status;
}

static wh_status checksum(wh_copy_lane *lane, wh_connection *place, wh_str key, wh_str version,
                          wh_str *ret, wh_error *err) {
  wh_input *in;
  WH_TRY(place->type->store->open(place, key, version, &in, err));
  wh_status status = pass_bytes(lane, in, NULL, ret, err);
  wh_input_close(in);
  return status;
}

// --- what is there -------------------------------------------------------------------------------

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
    same = there.modified_us >= object->modified_us;
  }
  *ret = same;
  if (same || r->replace) return WH_OK;
  return wh_fail(err, WH_ERR_EXISTS,
                 "%.*s:%.*s is there and is another. To have it replaced: --replace",
                 WH_STR_ARG(r->to->name), WH_STR_ARG(key));
}

// --- writing -------------------------------------------------------------------------------------

// The attempt is complete and durable when this returns WH_OK.
static wh_status upload(wh_copy_lane *lane, wh_input *in, wh_str attempt, wh_str *ret_sha256,
                        wh_error *err) {
  wh_connection *to = lane->request->to;
  wh_upload *upload;
  WH_TRY(to->type->store->create(to, attempt, &upload, err));
  wh_status status = pass_bytes(lane, in, &upload->output, ret_sha256, err);
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  return status;
}

// What the manifest at the source says stays true of the copy, but for its key. It goes first, so
// that nobody takes the copy for a stranger's file.
static wh_status copy_manifest(wh_copy_lane *lane, wh_manifest *manifest, wh_str key,
                               wh_str attempt, wh_error *err) {
  wh_connection *to = lane->request->to;
  manifest->key = key;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, lane->engine->mem, 0);
  wh_manifest_write(manifest, &text);
  WH_TRY(wh_buf_check(&text, err));
  wh_str beside = wh_manifest_key(key, &lane->arena);
  wh_str name = wh_arena_printf(&lane->arena, "%.*s-manifest", WH_STR_ARG(attempt));
  if (!beside.data || !name.data) return wh_fail_memory(err);
  wh_bytes_input in;
  wh_bytes_input_init(&in, text.data, text.len);
  wh_str ignored;
  wh_object object;
  WH_TRY(upload(lane, &in.base, name, &ignored, err));
  return to->type->store->publish(to, name, beside, true, &lane->arena, &object, err);
}

static wh_status publish(wh_copy_lane *lane, const wh_object *object, wh_str key, wh_str attempt,
                         wh_str sha256, wh_error *err) {
  const wh_copy *r = lane->request;
  bool found = false;
  wh_manifest manifest;
  if (lane->has_manifests)
    WH_TRY(wh_input_manifest(r->from, object, &lane->arena, &found, &manifest, err));
  if (found && !wh_str_eq(manifest.sha256, sha256)) {
    return wh_fail(err, WH_ERR_DATA,
                   "%.*s:%.*s: its bytes are not those that were published: the checksum differs. "
                   "It was not copied",
                   WH_STR_ARG(r->from->name), WH_STR_ARG(object->key));
  }
  if (found) WH_TRY(copy_manifest(lane, &manifest, key, attempt, err));
  wh_object published;
  WH_TRY(
      r->to->type->store->publish(r->to, attempt, key, r->replace, &lane->arena, &published, err));
  wh_str there = sha256;
  if (r->verify) WH_TRY(checksum(lane, r->to, key, published.version, &there, err));
  if (published.size == object->size && wh_str_eq(there, sha256)) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s:%.*s does not have the bytes that were written to it",
                 WH_STR_ARG(r->to->name), WH_STR_ARG(key));
}

wh_status wh_copy_object(wh_copy_lane *lane, const wh_object *object, wh_str key, wh_str attempt,
                         bool *ret_copied, wh_error *err) {
  const wh_copy *r = lane->request;
  bool there = false;
  if (lane->ask) WH_TRY(is_there(lane, object, key, &there, err));
  *ret_copied = !there;
  if (there) return WH_OK;
  wh_input *in;
  wh_str sha256;
  WH_TRY(r->from->type->store->open(r->from, object->key, object->version, &in, err));
  wh_status status = upload(lane, in, attempt, &sha256, err);
  wh_input_close(in);
  if (status == WH_OK) status = publish(lane, object, key, attempt, sha256, err);
  wh_error ignored = {0};
  if (status != WH_OK) WH_IGNORE(r->to->type->store->discard(r->to, attempt, &ignored));
  return status;
}
