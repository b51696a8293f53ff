#include "lambda/gateway.h"

#include "base/crypto.h"

typedef struct reader {
  wh_arena *arena;
  wh_gateway_request *to;
  wh_error *err;
} reader;

static wh_status own(reader *r, wh_str text, wh_str *ret) {
  *ret = wh_arena_str(r->arena, text);
  return ret->data ? WH_OK : wh_fail_memory(r->err);
}

static bool is_second(const json_t *event) {
  const json_t *context = json_object_get(event, "requestContext");
  return json_is_object(json_object_get(context, "http"));
}

bool wh_gateway_is(const json_t *event) {
  const json_t *context = json_object_get(event, "requestContext");
  bool is_first = json_is_object(json_object_get(context, "identity")) &&
                  json_is_string(json_object_get(event, "httpMethod"));
  return is_first || is_second(event);
}

// --- headers -------------------------------------------------------------------------------------

static wh_status add_header(reader *r, const char *name, const json_t *value) {
  if (!json_is_string(value)) return WH_OK; // null, where there is none
  wh_gateway_header *h = &r->to->headers[r->to->header_count++];
  WH_TRY(own(r, wh_str_of(name), &h->name));
  return own(r, wh_str_n(json_string_value(value), json_string_length(value)), &h->value);
}

static size_t count_values(const json_t *many) {
  const char *name;
  json_t *values;
  size_t count = 0;
  json_object_foreach((json_t *)many, name, values) count += json_array_size(values);
  return count;
}

// Format 1.0 has every value in `multiValueHeaders`, and the last one in `headers`; 2.0 has one,
// with commas between those of a header that came several times.
static wh_status read_headers(reader *r, const json_t *event) {
  const json_t *many = json_object_get(event, "multiValueHeaders");
  const json_t *one = json_object_get(event, "headers"), *value;
  const char *name;
  json_t *values;
  size_t i, count = json_is_object(many) ? count_values(many) : json_object_size(one);
  r->to->headers = WH_NEW_ARRAY(r->arena, count, wh_gateway_header);
  if (!r->to->headers) return wh_fail_memory(r->err);
  if (json_is_object(many)) {
    json_object_foreach((json_t *)many, name, values) json_array_foreach(values, i, value)
        WH_TRY(add_header(r, name, value));
    return WH_OK;
  }
  json_object_foreach((json_t *)one, name, values) WH_TRY(add_header(r, name, values));
  return WH_OK;
}

size_t wh_gateway_header_of(const wh_gateway_request *request, const char *name,
                            wh_str *ret_first) {
  size_t count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    const wh_gateway_header *h = &request->headers[i];
    if (!wh_str_eq_nocase(h->name, wh_str_of(name))) continue;
    if (!count++) *ret_first = h->value;
  }
  return count;
}

// --- the body ------------------------------------------------------------------------------------

static wh_status read_body(reader *r, const json_t *event) {
  wh_str text = wh_json_text(event, "body");
  if (!json_is_true(json_object_get(event, "isBase64Encoded"))) return own(r, text, &r->to->body);
  WH_CLEAN_BUF wh_buf decoded;
  wh_buf_init(&decoded, r->arena->mem, 0);
  bool is_fine = wh_base64_decode(WH_BASE64_STANDARD, text, &decoded);
  WH_TRY(wh_buf_check(&decoded, r->err));
  if (!is_fine) return wh_fail(r->err, WH_ERR_DATA, "the event's \"body\" is no base64");
  return own(r, wh_buf_str(&decoded), &r->to->body);
}

wh_status wh_gateway_read(const json_t *event, wh_arena *arena, wh_gateway_request *ret,
                          wh_error *err) {
  reader r = {.arena = arena, .to = ret, .err = err};
  const json_t *context = json_object_get(event, "requestContext");
  const json_t *http = json_object_get(context, "http");
  *ret = (wh_gateway_request){0};
  if (is_second(event)) {
    WH_TRY(own(&r, wh_json_text(http, "method"), &ret->method));
    WH_TRY(own(&r, wh_json_text(event, "rawPath"), &ret->path));
    WH_TRY(own(&r, wh_json_text(http, "sourceIp"), &ret->source_ip));
  } else {
    const json_t *identity = json_object_get(context, "identity");
    WH_TRY(own(&r, wh_json_text(event, "httpMethod"), &ret->method));
    WH_TRY(own(&r, wh_json_text(event, "path"), &ret->path));
    WH_TRY(own(&r, wh_json_text(identity, "sourceIp"), &ret->source_ip));
  }
  WH_TRY(read_headers(&r, event));
  return read_body(&r, event);
}

// --- the answer ----------------------------------------------------------------------------------

static void add_field(wh_buf *out, const char *name, const char *value) {
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, wh_str_of(value));
}

// Both formats know these four words.
void wh_gateway_write(const wh_gateway_answer *a, wh_buf *out) {
  wh_buf_printf(out, "{\"statusCode\":%u,\"headers\":{\"Content-Type\":\"%s\"", a->status, a->type);
  wh_buf_add_c(out, ",\"Cache-Control\":\"no-store\"");
  if (a->retry_after_s)
    wh_buf_printf(out, ",\"Retry-After\":\"%lld\"", (long long)a->retry_after_s);
  if (a->allow) add_field(out, "Allow", a->allow);
  if (a->authenticate) add_field(out, "WWW-Authenticate", a->authenticate);
  wh_buf_add_c(out, "},\"body\":");
  wh_buf_add_json(out, a->body);
  wh_buf_add_c(out, ",\"isBase64Encoded\":false}");
}
