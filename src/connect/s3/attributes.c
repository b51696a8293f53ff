// What an object is besides its bytes, as header fields.
#include "connect/s3/s3.h"

#include <stdio.h>

#define META_PREFIX "x-amz-meta-"

// Header fields hold printable ASCII; what S3 would not give back as it was is left out.
static bool is_plain(wh_str text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] < ' ' || text.data[i] > '~') return false;
  return true;
}

// What this store says of an object itself, and not whoever put it there.
static bool is_own(wh_str field) {
  static const char *const own[] = {WH_S3_META_ATTEMPT, WH_S3_META_MTIME, WH_S3_META_KEY,
                                    WH_S3_META_CONTEXT};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    if (wh_str_eq_nocase(field, wh_str_of(own[i]))) return true;
  return false;
}

static wh_status add_metadata(wh_s3_request *r, wh_str name, wh_str value, wh_arena *arena,
                              wh_error *err) {
  if (!is_plain(name) || !is_plain(value)) return WH_OK;
  wh_str field = wh_arena_printf(arena, META_PREFIX "%.*s", WH_STR_ARG(name));
  if (!field.data) return wh_fail_memory(err);
  if (!is_own(field)) wh_s3_header(r, field.data, value);
  return WH_OK;
}

wh_status wh_s3_attribute_headers(wh_s3_request *r, const wh_attributes *a, wh_arena *arena,
                                  wh_error *err) {
  wh_s3_header(r, "Content-Type", a->content_type);
  wh_s3_header(r, "Content-Encoding", a->content_encoding);
  wh_s3_header(r, "Content-Language", a->content_language);
  wh_s3_header(r, "Content-Disposition", a->content_disposition);
  wh_s3_header(r, "Cache-Control", a->cache_control);
  for (size_t i = 0; i < a->metadata_count; i++)
    WH_TRY(add_metadata(r, a->metadata[i].name, a->metadata[i].value, arena, err));
  if (a->modified_us <= 0) return WH_OK;
  wh_str time = wh_arena_printf(arena, "%lld.%06lld", (long long)(a->modified_us / 1000000),
                                (long long)(a->modified_us % 1000000));
  if (!time.data) return wh_fail_memory(err);
  wh_s3_header(r, WH_S3_META_MTIME, time);
  return WH_OK;
}

// Seconds since 1970 with a fraction, as other tools write it, too.
static int64_t read_mtime(wh_str text) {
  size_t dot = wh_str_find(text, 0, '.');
  int64_t seconds = 0, fraction = 0, unit = 100000;
  if (!wh_str_to_i64(wh_str_sub(text, 0, dot), &seconds) || seconds <= 0) return 0;
  if (seconds > INT64_MAX / 2000000) return 0;
  for (size_t i = dot + 1; i < text.len && unit; i++, unit /= 10) {
    if (text.data[i] < '0' || text.data[i] > '9') return 0;
    fraction += (text.data[i] - '0') * unit;
  }
  return seconds * 1000000 + fraction;
}

static wh_status copy_text(const wh_aws_exchange *x, const char *name, wh_arena *arena, wh_str *ret,
                           wh_error *err) {
  *ret = wh_arena_str(arena, wh_aws_header(x, name));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static bool next_metadata(const wh_aws_exchange *x, wh_http_cursor *at, wh_http_header *ret) {
  while (wh_aws_header_next(x, at, ret)) {
    wh_str start = wh_str_sub(ret->name, 0, strlen(META_PREFIX));
    if (!is_own(ret->name) && wh_str_eq_nocase(start, WH_STR(META_PREFIX))) return true;
  }
  return false;
}

static wh_status read_metadata(const wh_aws_exchange *x, wh_arena *arena, wh_attributes *a,
                               wh_error *err) {
  wh_http_header h;
  size_t count = 0;
  for (wh_http_cursor at = {0}; next_metadata(x, &at, &h);)
    count++;
  wh_attribute *items = WH_NEW_ARRAY(arena, count, wh_attribute);
  if (!items) return wh_fail_memory(err);
  size_t n = 0;
  for (wh_http_cursor at = {0}; next_metadata(x, &at, &h); n++) {
    items[n].name = wh_arena_str(arena, wh_str_sub(h.name, strlen(META_PREFIX), h.name.len));
    items[n].value = wh_arena_str(arena, h.value);
    if (!items[n].name.data || !items[n].value.data) return wh_fail_memory(err);
  }
  a->metadata = items;
  a->metadata_count = count;
  return WH_OK;
}

wh_status wh_s3_attributes_read(const wh_aws_exchange *x, wh_arena *arena, wh_attributes *ret,
                                wh_error *err) {
  wh_attributes a = {0};
  WH_TRY(copy_text(x, "content-type", arena, &a.content_type, err));
  WH_TRY(copy_text(x, "content-encoding", arena, &a.content_encoding, err));
  WH_TRY(copy_text(x, "content-language", arena, &a.content_language, err));
  WH_TRY(copy_text(x, "content-disposition", arena, &a.content_disposition, err));
  WH_TRY(copy_text(x, "cache-control", arena, &a.cache_control, err));
  WH_TRY(read_metadata(x, arena, &a, err));
  a.modified_us = read_mtime(wh_aws_header(x, WH_S3_META_MTIME));
  if (!a.modified_us) (void)wh_http_date(wh_aws_header(x, "last-modified"), &a.modified_us);
  *ret = a;
  return WH_OK;
}

static wh_status ask(wh_s3_session *s, wh_str key, wh_str version, wh_arena *arena,
                     wh_attributes *ret, wh_error *err) {
  wh_s3_request r;
  wh_aws_exchange *x;
  wh_s3_head head;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "HEAD", "s3:GetObject", key, (wh_str){0}, &r, err));
  wh_status status = wh_s3_call(s, &r, &x, err);
  if (status == WH_OK) status = wh_s3_head_read(x, key, &s->arena, &head, err);
  if (status == WH_OK && version.len && !wh_str_eq(version, head.object.version)) {
    status = wh_fail(err, WH_ERR_CHANGED, "%.*s: is another version now", WH_STR_ARG(key));
  }
  if (status == WH_OK) status = wh_s3_attributes_read(x, arena, ret, err);
  wh_aws_end(x);
  return status;
}

wh_status wh_s3_attributes(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                           wh_attributes *ret, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = ask(&s, key, version, arena, ret, err);
  return wh_s3_say(c, status, err);
}
