// Copies within the bucket, which S3 makes by itself.
#include "connect/s3/s3.h"

#include "net/uri.h"

// "/bucket/key?versionId=id", under the condition that it is what was looked at.
static wh_status add_source(const wh_connection *c, wh_s3_request *r, const wh_s3_head *source,
                            wh_arena *arena, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, c->mem, 0);
  wh_buf_add_char(&text, '/');
  wh_buf_add_str(&text, wh_s3_options_of(c)->bucket);
  wh_buf_add_char(&text, '/');
  wh_uri_add_path(&text, wh_s3_of(c)->prefix);
  wh_uri_add_path(&text, source->object.key);
  if (source->version_id.len) {
    wh_buf_add_c(&text, "?versionId=");
    wh_uri_add(&text, source->version_id);
  }
  WH_TRY(wh_buf_check(&text, err));
  wh_str copy = wh_arena_str(arena, wh_buf_str(&text));
  if (!copy.data) return wh_fail_memory(err);
  wh_s3_header(r, "x-amz-copy-source", copy);
  wh_s3_header(r, "x-amz-copy-source-if-match", source->etag);
  return WH_OK;
}

// --- in parts ------------------------------------------------------------------------------------

typedef struct copy {
  wh_s3_session *s;
  const wh_s3_head *source;
  wh_s3_parts parts;
  wh_arena request; // emptied after each
  uint64_t at, part_bytes;
  size_t under_way;
} copy;

static wh_status start_part(copy *c, wh_error *err) {
  wh_s3_session *s = c->s;
  size_t number;
  wh_str query;
  wh_s3_request r;
  wh_aws_exchange *x;
  wh_arena_reset(&c->request);
  WH_TRY(wh_s3_parts_add(&c->parts, &number, err));
  WH_TRY(wh_s3_parts_query(&c->parts, number, &c->request, &query, err));
  WH_TRY(
      wh_s3_request_init(s->c, &c->request, "PUT", "s3:PutObject", c->parts.key, query, &r, err));
  WH_TRY(add_source(s->c, &r, c->source, &c->request, err));
  uint64_t end = c->at + c->part_bytes;
  if (end > c->source->object.size) end = c->source->object.size;
  wh_str range = wh_arena_printf(&c->request, "bytes=%llu-%llu", (unsigned long long)c->at,
                                 (unsigned long long)end - 1);
  if (!range.data) return wh_fail_memory(err);
  wh_s3_header(&r, "x-amz-copy-source-range", range);
  r.aws.tag = (void *)(uintptr_t)number; // NOLINT: a number, carried
  WH_TRY(wh_aws_start(s->client, &r.aws, &x, err));
  c->at = end;
  c->under_way++;
  return WH_OK;
}

static wh_status take_part(copy *c, wh_error *err) {
  wh_aws_exchange *x;
  WH_TRY(wh_aws_wait(c->s->client, NULL, -1, &x, err));
  c->under_way--;
  wh_s3_request r = {.action = "s3:PutObject", .key = c->parts.key};
  wh_str etag;
  wh_status status = wh_s3_judge(c->s->c, &r, x, err);
  if (status == WH_OK) {
    status = wh_xml_get(c->s->c->mem, x->body, "/CopyPartResult/ETag", &c->parts.arena, &etag, err);
  }
  if (status == WH_OK)
    status = wh_s3_parts_keep(&c->parts, (size_t)(uintptr_t)x->tag, etag, (wh_str){0}, err);
  wh_aws_end(x);
  return status;
}

static wh_status copy_all(copy *c, const wh_s3_target *target, wh_error *err) {
  WH_TRY(wh_s3_parts_begin(c->s, target, false, &c->parts, err));
  while (c->at < c->source->object.size || c->under_way) {
    if (c->at < c->source->object.size && c->under_way < WH_S3_PARTS_IN_FLIGHT)
      WH_TRY(start_part(c, err));
    else
      WH_TRY(take_part(c, err));
  }
  return wh_s3_parts_complete(c->s, &c->parts, wh_s3_asks_condition(c->s->c, target), err);
}

wh_status wh_s3_copy_parts(wh_s3_session *s, const wh_s3_head *source, const wh_s3_target *target,
                           wh_error *err) {
  copy c = {.s = s, .source = source, .part_bytes = WH_S3_COPY_BYTES};
  uint64_t least = source->object.size / WH_S3_PARTS_MAX + 1;
  if (c.part_bytes < least) c.part_bytes = least;
  wh_arena_init(&c.request, s->c->mem);
  wh_status status = copy_all(&c, target, err);
  if (status != WH_OK) wh_s3_parts_abort(s, &c.parts);
  wh_s3_parts_free(&c.parts);
  wh_arena_free(&c.request);
  return status;
}

// --- whole ---------------------------------------------------------------------------------------

static wh_status copy_whole(wh_s3_session *s, const wh_s3_head *source, wh_str key, wh_error *err) {
  wh_s3_request r;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "PUT", "s3:PutObject", key, (wh_str){0}, &r, err));
  wh_s3_encryption_headers(s->c, &r);
  WH_TRY(add_source(s->c, &r, source, &s->arena, err));
  return wh_s3_do(s, &r, err);
}

// CopyObject keeps everything, but only so much of it at once.
wh_status wh_s3_copy_object(wh_s3_session *s, const wh_s3_head *source, wh_str key, wh_error *err) {
  if (source->object.size <= (uint64_t)WH_S3_COPY_WHOLE_BYTES)
    return copy_whole(s, source, key, err);
  wh_s3_target target = {.key = key, .attempt = WH_STR("copy"), .replace = true};
  return wh_s3_copy_parts(s, source, &target, err);
}

wh_status wh_s3_copy(wh_connection *c, wh_str key, wh_str to, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_s3_head source;
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_key_check(to, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = wh_s3_head_get(&s, key, &s.arena, &source, err);
  if (status == WH_OK) status = wh_s3_copy_object(&s, &source, to, err);
  return wh_s3_say(c, status, err);
}
