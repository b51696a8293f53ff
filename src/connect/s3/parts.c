// An upload in parts: begun, fed in any order, completed or aborted.
#include "connect/s3/s3.h"

#include "net/uri.h"
#include "net/xml.h"

static wh_status begin(wh_s3_session *s, const wh_s3_target *target, wh_s3_parts *parts,
                       wh_error *err) {
  wh_s3_request r;
  wh_aws_exchange *x;
  parts->key = wh_arena_str(&parts->arena, target->key);
  if (!parts->key.data) return wh_fail_memory(err);
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "POST", "s3:PutObject", target->key,
                            WH_STR("uploads="), &r, err));
  WH_TRY(wh_s3_target_headers(s->c, &r, target, &s->arena, err));
  if (parts->has_checksums) wh_s3_header(&r, "x-amz-checksum-algorithm", WH_STR("SHA256"));
  wh_status status = wh_s3_call(s, &r, &x, err);
  if (status == WH_OK) {
    status = wh_xml_get(s->c->mem, x->body, "/InitiateMultipartUploadResult/UploadId",
                        &parts->arena, &parts->id, err);
  }
  wh_aws_end(x);
  if (status != WH_OK || parts->id.len) return status;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the server names no upload", WH_STR_ARG(target->key));
}

wh_status wh_s3_parts_begin(wh_s3_session *s, const wh_s3_target *target, bool with_checksums,
                            wh_s3_parts *ret, wh_error *err) {
  *ret = (wh_s3_parts){.has_checksums = with_checksums};
  wh_arena_init(&ret->arena, s->c->mem);
  return begin(s, target, ret, err);
}

void wh_s3_parts_free(wh_s3_parts *parts) {
  wh_arena_free(&parts->arena);
  *parts = (wh_s3_parts){0};
}

wh_status wh_s3_parts_add(wh_s3_parts *parts, size_t *ret_number, wh_error *err) {
  if (parts->count == WH_S3_PARTS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT,
                   "%.*s: takes more than the %d parts that S3 allows. Parts are larger where "
                   "there is more `memory`",
                   WH_STR_ARG(parts->key), (int)WH_S3_PARTS_MAX);
  }
  if (parts->count == parts->cap) {
    size_t cap = parts->cap ? parts->cap * 2 : 16;
    wh_s3_part *items = WH_NEW_ARRAY(&parts->arena, cap, wh_s3_part);
    if (!items) return wh_fail_memory(err);
    if (parts->count) memcpy(items, parts->items, parts->count * sizeof *items);
    parts->items = items;
    parts->cap = cap;
  }
  parts->items[parts->count++] = (wh_s3_part){0};
  *ret_number = parts->count;
  return WH_OK;
}

wh_status wh_s3_parts_reach(wh_s3_parts *parts, size_t number, wh_error *err) {
  size_t last;
  while (parts->count < number)
    WH_TRY(wh_s3_parts_add(parts, &last, err));
  return WH_OK;
}

wh_status wh_s3_parts_query(const wh_s3_parts *parts, size_t number, wh_arena *arena, wh_str *ret,
                            wh_error *err) {
  WH_CLEAN_BUF wh_buf query;
  wh_buf_init(&query, arena->mem, 0);
  if (number) wh_buf_printf(&query, "partNumber=%zu", number);
  wh_uri_add_param(&query, "uploadId", parts->id);
  WH_TRY(wh_buf_check(&query, err));
  *ret = wh_arena_str(arena, wh_buf_str(&query));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_s3_parts_keep(wh_s3_parts *parts, size_t number, wh_str etag, wh_str checksum,
                           wh_error *err) {
  wh_s3_part *part = &parts->items[number - 1];
  if (!etag.len) {
    return wh_fail(err, WH_ERR_DATA, "%.*s: the server names no ETag of part %zu",
                   WH_STR_ARG(parts->key), number);
  }
  part->etag = wh_arena_str(&parts->arena, etag);
  part->checksum = wh_arena_str(&parts->arena, checksum);
  return part->etag.data && part->checksum.data ? WH_OK : wh_fail_memory(err);
}

static wh_status write_list(const wh_s3_parts *parts, wh_buf *xml, wh_error *err) {
  wh_buf_add_c(xml, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
  for (size_t i = 0; i < parts->count; i++) {
    wh_buf_printf(xml, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
    wh_xml_add(xml, parts->items[i].etag);
    wh_buf_add_c(xml, "</ETag>");
    if (parts->has_checksums) {
      wh_buf_add_c(xml, "<ChecksumSHA256>");
      wh_buf_add_str(xml, parts->items[i].checksum);
      wh_buf_add_c(xml, "</ChecksumSHA256>");
    }
    wh_buf_add_c(xml, "</Part>");
  }
  wh_buf_add_c(xml, "</CompleteMultipartUpload>");
  return wh_buf_check(xml, err);
}

// *ret_malformed: the server does not know what the list says.
static wh_status complete(wh_s3_session *s, const wh_s3_parts *parts, bool if_none_match,
                          bool *ret_malformed, wh_error *err) {
  *ret_malformed = false;
  WH_CLEAN_BUF wh_buf xml;
  wh_buf_init(&xml, s->c->mem, 0);
  WH_TRY(write_list(parts, &xml, err));
  wh_str query, body = wh_buf_str(&xml);
  WH_TRY(wh_s3_parts_query(parts, 0, &s->arena, &query, err));
  wh_s3_request r;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "POST", "s3:PutObject", parts->key, query, &r, err));
  wh_s3_header(&r, "Content-Type", WH_STR("application/xml"));
  if (if_none_match) wh_s3_header(&r, "If-None-Match", WH_STR("*"));
  r.aws.body = &body;
  r.aws.body_count = 1;
  wh_aws_exchange *x;
  wh_status status = wh_s3_call(s, &r, &x, err);
  *ret_malformed = status != WH_OK && x && wh_aws_is(x, "MalformedXML");
  wh_aws_end(x);
  return status;
}

// Servers that are older than checksums refuse a list that has them. They have compared each part
// with the digest that its request was signed with.
wh_status wh_s3_parts_complete(wh_s3_session *s, wh_s3_parts *parts, bool if_none_match,
                               wh_error *err) {
  bool malformed;
  wh_status status = complete(s, parts, if_none_match, &malformed, err);
  if (malformed && parts->has_checksums) {
    parts->has_checksums = false;
    status = complete(s, parts, if_none_match, &malformed, err);
  }
  WH_TRY(status);
  parts->id = (wh_str){0};
  return WH_OK;
}

wh_status wh_s3_abort(wh_s3_session *s, wh_str key, wh_str id, wh_error *err) {
  wh_s3_parts parts = {.id = id};
  wh_str query;
  WH_TRY(wh_s3_parts_query(&parts, 0, &s->arena, &query, err));
  wh_s3_request r;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "DELETE", "s3:AbortMultipartUpload", key, query, &r,
                            err));
  wh_status status = wh_s3_do(s, &r, err);
  return status == WH_ERR_NOT_FOUND ? WH_OK : status;
}

// When this fails, or the machine stops first, attempts() finds it later.
void wh_s3_parts_abort(wh_s3_session *s, wh_s3_parts *parts) {
  if (parts->id.len) WH_IGNORE(wh_s3_abort(s, parts->key, parts->id, NULL));
  parts->id = (wh_str){0};
}
