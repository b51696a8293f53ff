// Publishing attempts, and removing.
#include "connect/s3/s3.h"

wh_status wh_s3_attempt_key(wh_arena *arena, wh_str attempt, wh_str *ret, wh_error *err) {
  *ret = wh_arena_printf(arena, WH_S3_ATTEMPTS "%.*s", WH_STR_ARG(attempt));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status check_key(wh_str key, wh_error *err) {
  WH_TRY(wh_key_check(key, err));
  if (!wh_str_starts(key, WH_S3_ATTEMPTS)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%.*s: is where Wherry keeps what is not published yet",
                 WH_STR_ARG(key));
}

// --- removing ------------------------------------------------------------------------------------

wh_status wh_s3_delete(wh_s3_session *s, wh_str key, wh_str version_id, wh_str etag,
                       wh_error *err) {
  wh_str query;
  WH_TRY(wh_s3_version_query(version_id, &s->arena, &query, err));
  const char *action = version_id.len ? "s3:DeleteObjectVersion" : "s3:DeleteObject";
  wh_s3_request r;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "DELETE", action, key, query, &r, err));
  wh_s3_header(&r, "If-Match", etag);
  wh_status status = wh_s3_do(s, &r, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

wh_status wh_s3_remove(wh_connection *c, wh_str key, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = wh_s3_delete(&s, key, (wh_str){0}, (wh_str){0}, err);
  return wh_s3_say(c, status, err);
}

// CopyObject takes no condition on what it writes to; the bytes being there already is fine.
static wh_status copy_to(wh_s3_session *s, const wh_s3_head *from, wh_str to, wh_error *err) {
  wh_s3_head there;
  wh_status status = wh_s3_head_get(s, to, &s->arena, &there, err);
  if (status == WH_ERR_NOT_FOUND) return wh_s3_copy_object(s, from, to, err);
  WH_TRY(status);
  bool is_same = there.object.size == from->object.size && wh_str_eq(there.etag, from->etag);
  if (is_same) return WH_OK;
  return wh_fail(err, WH_ERR_EXISTS, "%.*s: the name is taken by another object", WH_STR_ARG(to));
}

static wh_status withdraw(wh_s3_session *s, wh_str key, wh_str version, wh_str to, wh_error *err) {
  wh_s3_head head;
  wh_status status = wh_s3_head_get(s, key, &s->arena, &head, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  WH_TRY(status);
  if (!wh_str_eq(head.object.version, version)) return wh_store_other_version(key, err);
  if (to.len) WH_TRY(copy_to(s, &head, to, err));
  status = wh_s3_delete(s, key, (wh_str){0}, head.etag, err);
  return status == WH_ERR_CHANGED ? wh_store_other_version(key, err) : status;
}

wh_status wh_s3_withdraw(wh_connection *c, wh_str key, wh_str version, wh_str to, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK && to.len) status = check_key(to, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = withdraw(&s, key, version, to, err);
  return wh_s3_say(c, status, err);
}

// Who may not delete versions leaves them to the bucket's lifecycle.
static wh_status remove_bytes(wh_s3_session *s, const wh_s3_head *head, wh_error *err) {
  wh_status status = wh_s3_delete(s, head->object.key, head->version_id, (wh_str){0}, err);
  if (status != WH_ERR_DENIED || !head->version_id.len) return status;
  return wh_s3_delete(s, head->object.key, (wh_str){0}, (wh_str){0}, err);
}

wh_status wh_s3_remove_attempt(wh_s3_session *s, wh_str key, wh_error *err) {
  wh_s3_head head;
  wh_status status = wh_s3_head_get(s, key, &s->arena, &head, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  return status == WH_OK ? remove_bytes(s, &head, err) : status;
}

typedef struct aborting {
  wh_s3_session *s;
  wh_str key;
} aborting;

static wh_status abort_same(void *context, const wh_s3_unfinished *u, wh_error *err) {
  aborting *a = context;
  return wh_str_eq(u->key, a->key) ? wh_s3_abort(a->s, u->key, u->id, err) : WH_OK;
}

static wh_status discard(wh_s3_session *s, wh_str attempt, wh_error *err) {
  wh_str key;
  WH_TRY(wh_s3_attempt_key(&s->arena, attempt, &key, err));
  WH_TRY(wh_s3_remove_attempt(s, key, err));
  aborting a = {s, key};
  return wh_s3_list_unfinished(s, key, abort_same, &a, err);
}

wh_status wh_s3_discard(wh_connection *c, wh_str attempt, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_attempt_check(attempt, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = discard(&s, attempt, err);
  return wh_s3_say(c, status, err);
}

// --- publishing ----------------------------------------------------------------------------------

// CopyObject would spare the way here and back, but takes no condition on what it writes to.
static wh_status publish_bytes(wh_s3_session *s, const wh_s3_head *source,
                               const wh_s3_target *target, wh_error *err) {
  wh_s3_request r;
  wh_aws_exchange *x;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "GET", "s3:GetObject", source->object.key, (wh_str){0},
                            &r, err));
  wh_s3_header(&r, "If-Match", source->etag);
  r.aws.body_bytes_max = s->s3->part_bytes;
  wh_status status = wh_s3_call(s, &r, &x, err);
  if (status == WH_OK && x->body.len != source->object.size) {
    status = wh_fail(err, WH_ERR_DATA, "%.*s: the server sends %zu bytes of %llu",
                     WH_STR_ARG(source->object.key), x->body.len,
                     (unsigned long long)source->object.size);
  }
  if (status == WH_OK) status = wh_s3_put_whole(s, target, x->body, err);
  wh_aws_end(x);
  return status;
}

static wh_status find_attempt(wh_s3_session *s, const wh_s3_target *target, wh_s3_head *ret,
                              wh_error *err) {
  wh_str key;
  WH_TRY(wh_s3_attempt_key(&s->arena, target->attempt, &key, err));
  wh_status status = wh_s3_head_get(s, key, &s->arena, ret, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  return wh_fail(err, status, "there is no attempt '%.*s' to publish as %.*s",
                 WH_STR_ARG(target->attempt), WH_STR_ARG(target->key));
}

static wh_status publish(wh_s3_session *s, const wh_s3_target *target, wh_arena *arena,
                         wh_object *ret, wh_error *err) {
  wh_s3_head source, there;
  WH_TRY(find_attempt(s, target, &source, err));
  WH_TRY(wh_s3_before_writing(s, target, err));
  wh_status status = source.object.size <= s->s3->part_bytes
                         ? publish_bytes(s, &source, target, err)
                         : wh_s3_copy_parts(s, &source, target, err);
  WH_TRY(wh_s3_settle(s, target, status, arena, &there, err));
  // The publish has succeeded; an attempt that cannot be removed is shown by attempts() and harms
  // nobody.
  WH_IGNORE(remove_bytes(s, &source, NULL));
  *ret = there.object;
  return WH_OK;
}

wh_status wh_s3_publish(wh_connection *c, wh_str attempt, wh_str key, bool replace, wh_arena *arena,
                        wh_object *ret, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_s3_target target = {.key = key, .attempt = attempt, .replace = replace};
  wh_status status = check_key(key, err);
  if (status == WH_OK) status = wh_attempt_check(attempt, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = publish(&s, &target, arena, ret, err);
  return wh_s3_say(c, status, err);
}
