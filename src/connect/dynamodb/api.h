// Requests to DynamoDB and their answers, in its JSON (AWS JSON 1.0).
#pragma once

#include "base/json_doc.h"
#include "connect/dynamodb/dynamodb.h"
#include "net/aws.h"

static inline const wh_dynamodb_options *wh_dynamodb_options_of(const wh_connection *c) {
  return c->options;
}

#define WH_DYNAMODB_ACTION(name) WH_STR("DynamoDB_20120810." name)

static inline void wh_dynamodb_client_cleanup_(wh_aws_client **client) {
  wh_aws_give(*client);
}
#define WH_CLEAN_CLIENT __attribute__((cleanup(wh_dynamodb_client_cleanup_)))
static inline void wh_dynamodb_exchange_cleanup_(wh_aws_exchange **x) {
  wh_aws_end(*x);
}
#define WH_CLEAN_EXCHANGE __attribute__((cleanup(wh_dynamodb_exchange_cleanup_)))

// A client for this thread; give it back.
wh_status wh_dynamodb_take(wh_connection *c, wh_aws_client **ret, wh_error *err);
// `body` stays until the exchange is done.
wh_status wh_dynamodb_start(wh_aws_client *client, wh_str action, const wh_str *body, void *tag,
                            wh_aws_exchange **ret, wh_error *err);
// The failure of an exchange, with the connection's name in front.
wh_status wh_dynamodb_fail(const wh_connection *c, const wh_aws_exchange *x, wh_error *err);
// Reads JSON: an answer's body, or an attribute of ours.
wh_status wh_dynamodb_parse(const wh_connection *c, wh_str text, json_t **ret, wh_error *err);
// Appends JSON as text.
wh_status wh_dynamodb_dump(const json_t *json, wh_buf *out, wh_error *err);
// One request and its answer, an object. `body` is checked and read here. With `ret_missing`, a
// table that is not there is no error.
wh_status wh_dynamodb_call(wh_connection *c, wh_aws_client *client, wh_str action,
                           const wh_buf *body, bool *ret_missing, json_t **ret, wh_error *err);
// The same; how often it was sent is added to *attempts.
wh_status wh_dynamodb_call_counted(wh_connection *c, wh_aws_client *client, wh_str action,
                                   const wh_buf *body, bool *ret_missing, json_t **ret,
                                   int *attempts, wh_error *err);

// The text that a JSON string is; empty where it is none.
wh_str wh_dynamodb_text(const json_t *json);
// What an attribute holds: "S", "N", ..., and its value. NULL: it is no attribute.
const char *wh_dynamodb_kind(const json_t *attribute, const json_t **ret_value);
// The text of an item's attribute of that kind, or empty.
wh_str wh_dynamodb_item_text(const json_t *item, const char *name, const char *kind);
int64_t wh_dynamodb_item_number(const json_t *item, const char *name, int64_t otherwise);
