// What answers say of an object.
#include "connect/s3/s3.h"

#include "data/temporal.h"

wh_str wh_s3_bare_etag(wh_str etag) {
  bool quoted = etag.len >= 2 && etag.data[0] == '"' && etag.data[etag.len - 1] == '"';
  return quoted ? wh_str_sub(etag, 1, etag.len - 1) : etag;
}

wh_status wh_s3_version(wh_arena *arena, wh_str etag, int64_t modified_us, wh_str *ret,
                        wh_error *err) {
  wh_str bare = wh_s3_bare_etag(etag);
  wh_str version =
      wh_arena_printf(arena, "%.*s-%lld", WH_STR_ARG(bare), (long long)(modified_us / 1000000));
  if (!version.data) return wh_fail_memory(err);
  *ret = version;
  return WH_OK;
}

bool wh_s3_version_split(wh_str version, wh_str *ret_etag, int64_t *ret_modified_us) {
  size_t dash = version.len;
  while (dash > 0 && version.data[dash - 1] != '-')
    dash--;
  int64_t seconds;
  if (dash < 2 || !wh_str_to_i64(wh_str_sub(version, dash, version.len), &seconds)) return false;
  if (seconds < 0 || seconds > INT64_MAX / 1000000) return false;
  *ret_etag = wh_str_sub(version, 0, dash - 1);
  *ret_modified_us = seconds * 1000000;
  return true;
}

// Fractions that some servers add are left out: header fields have none.
bool wh_s3_time(wh_str text, int64_t *ret_us) {
  wh_iso iso;
  if (!wh_iso_parse(text, &iso) || !iso.has_date || !iso.has_time) return false;
  iso.civil.nanos = 0;
  return wh_iso_to_timestamp(&iso, WH_UNIT_US, ret_us);
}

// A part of an object is answered with "bytes 0-99/1234".
static bool whole_size(const wh_aws_exchange *x, uint64_t *ret) {
  wh_str range = wh_aws_header(x, "content-range");
  if (!range.len) return wh_str_to_u64(wh_aws_header(x, "content-length"), ret);
  size_t slash = wh_str_find(range, 0, '/');
  return wh_str_to_u64(wh_str_sub(range, slash + 1, range.len), ret);
}

wh_status wh_s3_head_read(const wh_aws_exchange *x, wh_str key, wh_arena *arena, wh_s3_head *ret,
                          wh_error *err) {
  wh_s3_head head = {.object = {.is_latest = true}};
  wh_object *o = &head.object;
  wh_str etag = wh_aws_header(x, "etag"), id = wh_aws_header(x, "x-amz-version-id");
  if (!etag.len || !whole_size(x, &o->size) ||
      !wh_http_date(wh_aws_header(x, "last-modified"), &o->modified_us)) {
    return wh_fail(err, WH_ERR_DATA,
                   "%.*s: the server's answer lacks its ETag, its size or when it was modified",
                   WH_STR_ARG(key));
  }
  o->changed_us = o->modified_us;
  if (wh_str_is(id, "null")) id = (wh_str){0};
  o->key = wh_arena_str(arena, key);
  head.etag = wh_arena_str(arena, etag);
  head.version_id = wh_arena_str(arena, id);
  head.attempt = wh_arena_str(arena, wh_aws_header(x, WH_S3_META_ATTEMPT));
  if (!o->key.data || !head.etag.data || !head.version_id.data || !head.attempt.data)
    return wh_fail_memory(err);
  WH_TRY(wh_s3_version(arena, etag, o->modified_us, &o->version, err));
  *ret = head;
  return WH_OK;
}

wh_status wh_s3_head_get(wh_s3_session *s, wh_str key, wh_arena *arena, wh_s3_head *ret,
                         wh_error *err) {
  wh_s3_request r;
  wh_aws_exchange *x;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "HEAD", "s3:GetObject", key, (wh_str){0}, &r, err));
  wh_status status = wh_s3_call(s, &r, &x, err);
  if (status == WH_OK) status = wh_s3_head_read(x, key, arena, ret, err);
  wh_aws_end(x);
  return status;
}

wh_status wh_s3_stat(wh_connection *c, wh_str key, wh_arena *arena, wh_object *ret, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_s3_head head;
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = wh_s3_head_get(&s, key, arena, &head, err);
  if (status == WH_OK) *ret = head.object;
  return wh_s3_say(c, status, err);
}
