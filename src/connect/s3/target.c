// What is written, and whether it may be: nothing is replaced that nobody said should be.
#include "connect/s3/kms_keys.h"
#include "connect/s3/s3.h"

void wh_s3_encryption_headers(const wh_connection *c, wh_s3_request *r) {
  const wh_s3_options *o = wh_s3_options_of(c);
  if (o->encryption == WH_S3_ENCRYPT_BUCKET || o->encryption == WH_S3_ENVELOPE) return;
  bool kms = o->encryption == WH_S3_ENCRYPT_KMS;
  wh_s3_header(r, "x-amz-server-side-encryption", kms ? WH_STR("aws:kms") : WH_STR("AES256"));
  if (!kms) return;
  wh_s3_header(r, "x-amz-server-side-encryption-aws-kms-key-id", o->encryption_key);
  if (o->bucket_key)
    wh_s3_header(r, "x-amz-server-side-encryption-bucket-key-enabled", WH_STR("true"));
}

// Of what this machine encrypted.
static wh_status add_key_metadata(const wh_connection *c, wh_s3_request *r, wh_arena *arena,
                                  wh_error *err) {
  const wh_sealed_keys *keys = wh_s3_of(c)->keys;
  if (!keys) return WH_OK;
  wh_str context =
      wh_arena_printf(arena, WH_KMS_CONTEXT "=%.*s", WH_STR_ARG(wh_s3_options_of(c)->bucket));
  if (!context.data) return wh_fail_memory(err);
  wh_s3_header(r, WH_S3_META_KEY, keys->key_id);
  wh_s3_header(r, WH_S3_META_CONTEXT, context);
  return WH_OK;
}

wh_status wh_s3_target_headers(const wh_connection *c, wh_s3_request *r, const wh_s3_target *target,
                               wh_arena *arena, wh_error *err) {
  const wh_s3_options *o = wh_s3_options_of(c);
  wh_s3_encryption_headers(c, r);
  wh_s3_header(r, WH_S3_META_ATTEMPT, target->attempt);
  // An attempt is gone soon: a cheaper class would have it paid for a month.
  if (target->is_attempt) return WH_OK;
  wh_s3_header(r, "x-amz-storage-class", o->storage_class);
  wh_s3_header(r, "x-amz-tagging", wh_s3_of(c)->tagging);
  WH_TRY(add_key_metadata(c, r, arena, err));
  return target->attributes ? wh_s3_attribute_headers(r, target->attributes, arena, err) : WH_OK;
}

bool wh_s3_asks_condition(const wh_connection *c, const wh_s3_target *target) {
  return !target->replace && wh_s3_options_of(c)->conditional_writes == WH_S3_REQUIRE;
}

static wh_status taken(const wh_s3_target *target, wh_error *err) {
  return wh_fail(err, WH_ERR_EXISTS, "%.*s: the name is taken by another object",
                 WH_STR_ARG(target->key));
}

// --- whether the server keeps conditions ---------------------------------------------------------

static wh_status put_probe(wh_s3_session *s, wh_error *err) {
  wh_s3_target target = {
      .key = WH_STR(WH_S3_PROBE), .attempt = WH_STR("conditional"), .is_attempt = true};
  return wh_s3_put_whole(s, &target, WH_STR("If-None-Match: *\n"), err);
}

// One that ignores the condition would let one writer replace another's object, without a word. The
// object that is asked with stays, so that later one request is enough.
static wh_status check_conditions(wh_s3_session *s, wh_error *err) {
  wh_s3 *s3 = s->s3;
  if (s3->is_amazon || atomic_load(&s3->conditions_hold)) return WH_OK;
  wh_status status = put_probe(s, err);
  if (status == WH_OK) status = put_probe(s, err);
  if (status == WH_ERR_CHANGED) {
    atomic_store(&s3->conditions_hold, true);
    return WH_OK;
  }
  if (status != WH_OK && status != WH_ERR_REFUSED) return status;
  wh_str endpoint = wh_aws_endpoint_of(s3->aws);
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s does not keep 'If-None-Match: *', so of two writers one could replace the "
                 "other's object. Where only one writes, say conditional_writes: off",
                 WH_STR_ARG(endpoint));
}

wh_status wh_s3_before_writing(wh_s3_session *s, const wh_s3_target *target, wh_error *err) {
  if (target->replace) return WH_OK;
  if (wh_s3_asks_condition(s->c, target)) return check_conditions(s, err);
  wh_s3_head head;
  wh_status status = wh_s3_head_get(s, target->key, &s->arena, &head, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  WH_TRY(status);
  return wh_str_eq(head.attempt, target->attempt) ? WH_OK : taken(target, err);
}

// --- writing -------------------------------------------------------------------------------------

wh_status wh_s3_put_whole(wh_s3_session *s, const wh_s3_target *target, wh_str bytes,
                          wh_error *err) {
  wh_s3_request r;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "PUT", "s3:PutObject", target->key, (wh_str){0}, &r,
                            err));
  WH_TRY(wh_s3_target_headers(s->c, &r, target, &s->arena, err));
  WH_TRY(wh_s3_body(&r, &s->arena, bytes, NULL, err));
  if (wh_s3_asks_condition(s->c, target)) wh_s3_header(&r, "If-None-Match", WH_STR("*"));
  return wh_s3_do(s, &r, err);
}

// The answer to an earlier attempt at the same request may have been lost: then the key is taken by
// what was written, or the upload is gone since it was completed.
wh_status wh_s3_settle(wh_s3_session *s, const wh_s3_target *target, wh_status status,
                       wh_arena *arena, wh_s3_head *ret, wh_error *err) {
  if (status != WH_OK && status != WH_ERR_CHANGED && status != WH_ERR_NOT_FOUND) return status;
  wh_status there = wh_s3_head_get(s, target->key, arena, ret, err);
  if (there == WH_OK) {
    bool is_ours = wh_str_eq(ret->attempt, target->attempt);
    return status == WH_OK || is_ours ? WH_OK : taken(target, err);
  }
  if (there != WH_ERR_NOT_FOUND || status == WH_OK) return there;
  // One that was removed just now, or a server that counts what was removed.
  const char *what = status == WH_ERR_CHANGED
                         ? "the server says that the name is taken, and has no such object"
                         : "writing it was interrupted";
  wh_status lost = wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: %s", WH_STR_ARG(target->key), what);
  if (err) err->retry = true;
  return lost;
}
