#include "connect/dynamodb/api.h"

wh_status wh_dynamodb_take(wh_connection *c, wh_aws_client **ret, wh_error *err) {
  wh_status status = wh_aws_take(c->own, c->cancel, ret, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

wh_status wh_dynamodb_start(wh_aws_client *client, wh_str action, const wh_str *body, void *tag,
                            wh_aws_exchange **ret, wh_error *err) {
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request = wh_aws_json(action, "1.0", headers, body);
  request.body_bytes_max = WH_DYNAMODB_ANSWER_BYTES_MAX;
  request.tag = tag;
  return wh_aws_start(client, &request, ret, err);
}

wh_status wh_dynamodb_fail(const wh_connection *c, const wh_aws_exchange *x, wh_error *err) {
  if (err) *err = x->error;
  wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return x->status;
}

wh_status wh_dynamodb_parse(const wh_connection *c, wh_str text, json_t **ret, wh_error *err) {
  wh_status status =
      wh_json_load(text, WH_DYNAMODB_ANSWER_BYTES_MAX, "the server's answer", ret, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

static int take_dump(const char *text, size_t len, void *out) {
  return wh_buf_add(out, text, len) ? 0 : -1;
}

wh_status wh_dynamodb_dump(const json_t *json, wh_buf *out, wh_error *err) {
  if (json_dump_callback(json, take_dump, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0 && !out->failed)
    return wh_fail_memory(err);
  return wh_buf_check(out, err);
}

wh_status wh_dynamodb_call(wh_connection *c, wh_aws_client *client, wh_str action,
                           const wh_buf *body, bool *ret_missing, json_t **ret, wh_error *err) {
  int attempts = 0;
  return wh_dynamodb_call_counted(c, client, action, body, ret_missing, ret, &attempts, err);
}

wh_status wh_dynamodb_call_counted(wh_connection *c, wh_aws_client *client, wh_str action,
                                   const wh_buf *body, bool *ret_missing, json_t **ret,
                                   int *attempts, wh_error *err) {
  WH_TRY(wh_buf_check(body, err));
  wh_str text = wh_buf_str(body);
  WH_CLEAN_EXCHANGE wh_aws_exchange *x = NULL;
  wh_aws_exchange *done;
  if (ret_missing) *ret_missing = false;
  *ret = NULL;
  WH_TRY(wh_dynamodb_start(client, action, &text, NULL, &x, err));
  WH_TRY(wh_aws_wait(client, x, -1, &done, err));
  *attempts += x->attempts;
  if (ret_missing && wh_aws_is(x, "ResourceNotFoundException")) {
    *ret_missing = true;
    return WH_OK;
  }
  if (x->status != WH_OK) return wh_dynamodb_fail(c, x, err);
  return wh_dynamodb_parse(c, x->body, ret, err);
}

wh_str wh_dynamodb_text(const json_t *json) {
  if (!json_is_string(json)) return WH_STR("");
  return wh_str_n(json_string_value(json), json_string_length(json));
}

const char *wh_dynamodb_kind(const json_t *attribute, const json_t **ret_value) {
  if (!json_is_object(attribute) || json_object_size(attribute) != 1) return NULL;
  void *at = json_object_iter((json_t *)(uintptr_t)attribute);
  *ret_value = json_object_iter_value(at);
  return json_object_iter_key(at);
}

wh_str wh_dynamodb_item_text(const json_t *item, const char *name, const char *kind) {
  return wh_json_text(json_object_get(item, name), kind);
}

int64_t wh_dynamodb_item_number(const json_t *item, const char *name, int64_t otherwise) {
  int64_t value;
  return wh_str_to_i64(wh_dynamodb_item_text(item, name, "N"), &value) ? value : otherwise;
}
