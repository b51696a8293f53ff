// Requests to S3, and what their failures mean.
#include "connect/s3/s3.h"

#include "net/uri.h"

wh_status wh_s3_begin(wh_connection *c, wh_s3_session *ret, wh_error *err) {
  wh_s3 *s3 = wh_s3_of(c);
  ret->c = c;
  ret->s3 = s3;
  wh_arena_init(&ret->arena, c->mem);
  return wh_aws_take(s3->aws, c->cancel, &ret->client, err);
}

void wh_s3_end(wh_s3_session *s) {
  if (!s->c) return;
  wh_aws_give(s->client);
  wh_arena_free(&s->arena);
  *s = (wh_s3_session){0};
}

wh_status wh_s3_say(const wh_connection *c, wh_status status, wh_error *err) {
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

// --- making one ----------------------------------------------------------------------------------

static wh_status write_path(const wh_connection *c, wh_arena *arena, wh_str key, wh_s3_request *r,
                            wh_error *err) {
  const wh_s3 *s3 = wh_s3_of(c);
  wh_str bucket = wh_s3_options_of(c)->bucket;
  WH_CLEAN_BUF wh_buf path;
  wh_buf_init(&path, c->mem, 0);
  wh_buf_add_char(&path, '/');
  if (s3->path_style)
    wh_buf_add_str(&path, bucket);
  else
    r->aws.bucket = bucket;
  if (key.len) {
    if (s3->path_style) wh_buf_add_char(&path, '/');
    wh_uri_add_path(&path, s3->prefix);
    wh_uri_add_path(&path, key);
  }
  WH_TRY(wh_buf_check(&path, err));
  r->aws.path = wh_arena_str(arena, wh_buf_str(&path));
  return r->aws.path.data ? WH_OK : wh_fail_memory(err);
}

wh_status wh_s3_request_init(const wh_connection *c, wh_arena *arena, const char *method,
                             const char *action, wh_str key, wh_str query, wh_s3_request *ret,
                             wh_error *err) {
  *ret = (wh_s3_request){.action = action, .key = key};
  ret->aws = (wh_aws_request){.method = method,
                              .query = query,
                              .headers = ret->headers,
                              .body_bytes_max = WH_S3_ANSWER_BYTES_MAX};
  WH_TRY(write_path(c, arena, key, ret, err));
  if (wh_s3_options_of(c)->requester_pays)
    wh_s3_header(ret, "x-amz-request-payer", WH_STR("requester"));
  return WH_OK;
}

wh_status wh_s3_version_query(wh_str version_id, wh_arena *arena, wh_str *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf query;
  wh_buf_init(&query, arena->mem, 0);
  if (version_id.len) wh_uri_add_param(&query, "versionId", version_id);
  WH_TRY(wh_buf_check(&query, err));
  *ret = wh_arena_str(arena, wh_buf_str(&query));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

void wh_s3_header(wh_s3_request *r, const char *name, wh_str value) {
  if (value.len == 0) return;
  // More than fit are found when the request starts, whose own limit is lower.
  if (r->aws.header_count < WH_S3_HEADERS_MAX)
    r->headers[r->aws.header_count++] = (wh_http_header){wh_str_of(name), value};
}

// One digest serves twice: signed, it covers the way to the server, and as a checksum it is kept
// with the object.
wh_status wh_s3_body(wh_s3_request *r, wh_arena *arena, wh_str body, wh_str *ret_checksum,
                     wh_error *err) {
  uint8_t digest[WH_SHA256_BYTES];
  wh_sha256_of(body, digest);
  wh_hex_encode(digest, sizeof digest, r->hash);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, arena->mem, 0);
  if (!wh_base64_encode(WH_BASE64_STANDARD, wh_str_n((const char *)digest, sizeof digest), &text))
    return wh_fail_memory(err);
  wh_str checksum = wh_arena_str(arena, wh_buf_str(&text));
  if (!checksum.data) return wh_fail_memory(err);
  if (ret_checksum) *ret_checksum = checksum;
  wh_s3_header(r, "x-amz-checksum-sha256", checksum);
  r->body = body;
  r->aws.body = &r->body;
  r->aws.body_count = 1;
  r->aws.payload_hash = wh_str_n(r->hash, WH_SIGV4_HEX_CHARS);
  return WH_OK;
}

// --- failures ------------------------------------------------------------------------------------

static void advise_permission(const wh_connection *c, const wh_s3_request *r, wh_error *err) {
  wh_str bucket = wh_s3_options_of(c)->bucket, prefix = wh_s3_of(c)->prefix;
  char text[WH_ERROR_TEXT_MAX];
  const char *also = "";
  if (strcmp(r->action, "s3:GetObject") == 0)
    also = ", and s3:ListBucket on the bucket, without which S3 denies what is missing";
  if (r->key.len)
    snprintf(text, sizeof text, ". Allow %s on arn:aws:s3:::%.*s/%.*s%.*s%s", r->action,
             WH_STR_ARG(bucket), WH_STR_ARG(prefix), WH_STR_ARG(r->key), also);
  else
    snprintf(text, sizeof text, ". Allow %s on arn:aws:s3:::%.*s", r->action, WH_STR_ARG(bucket));
  wh_error_append(err, text);
}

// No object is missing, but everything.
wh_status wh_s3_no_bucket(const wh_connection *c, wh_error *err) {
  return wh_fail(
      err, WH_ERR_USAGE, "there is no bucket '%.*s' at %.*s. Create it, or mend `bucket`",
      WH_STR_ARG(wh_s3_options_of(c)->bucket), WH_STR_ARG(wh_aws_endpoint_of(wh_s3_of(c)->aws)));
}

wh_status wh_s3_judge(const wh_connection *c, const wh_s3_request *r, const wh_aws_exchange *x,
                      wh_error *err) {
  if (x->status == WH_OK) return WH_OK;
  wh_str bucket = wh_s3_options_of(c)->bucket, key = r->key;
  if (wh_aws_is(x, "NoSuchBucket")) return wh_s3_no_bucket(c, err);
  if (x->status == WH_ERR_NOT_FOUND && key.len) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: there is no such object in bucket %.*s",
                   WH_STR_ARG(key), WH_STR_ARG(bucket));
  }
  wh_status status = wh_aws_is(x, "NotImplemented") ? WH_ERR_REFUSED : x->status;
  if (!err) return status;
  *err = x->error;
  err->status = status;
  err->retry = err->retry && status == x->status;
  bool denied = wh_aws_is(x, "AccessDenied") || (x->http == 403 && !x->code[0]);
  if (denied) advise_permission(c, r, err);
  if (key.len) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(key));
  return status;
}

wh_status wh_s3_call(wh_s3_session *s, const wh_s3_request *r, wh_aws_exchange **ret,
                     wh_error *err) {
  wh_aws_exchange *done;
  *ret = NULL;
  WH_TRY(wh_aws_start(s->client, &r->aws, ret, err));
  WH_TRY(wh_aws_wait(s->client, *ret, -1, &done, err));
  return wh_s3_judge(s->c, r, *ret, err);
}

wh_status wh_s3_do(wh_s3_session *s, const wh_s3_request *r, wh_error *err) {
  wh_aws_exchange *x;
  wh_status status = wh_s3_call(s, r, &x, err);
  wh_aws_end(x);
  return status;
}
