// Tables: what they are, and making them.
#pragma once

#include "connect/dynamodb/encode.h"

typedef struct wh_dynamodb_attribute {
  wh_str name;
  char kind; // 'S', 'N', 'B'
} wh_dynamodb_attribute;

typedef struct wh_dynamodb_table {
  wh_dynamodb_attribute hash, range; // range.name empty: there is none
  wh_dynamodb_attribute *indexed;    // of all indexes, the key's too
  size_t indexed_count;
  uint64_t items; // as of some hours ago
  bool is_active;
  wh_str stream; // ARN of the newest stream; empty: there never was one
  wh_str view;   // "NEW_IMAGE", ...; empty: the stream is off
} wh_dynamodb_table;

// Whether a table can have the name; else WH_ERR_USAGE.
wh_status wh_dynamodb_check_name(const wh_connection *c, wh_str table, wh_error *err);
// "text" for 'S', and so on.
const char *wh_dynamodb_kind_word(char kind);

// *ret_exists is false where there is no such table. Texts live in the arena.
wh_status wh_dynamodb_describe(wh_connection *c, wh_aws_client *client, wh_str table,
                               wh_arena *arena, bool *ret_exists, wh_dynamodb_table *ret,
                               wh_error *err);
// The same, but WH_ERR_NOT_FOUND, with the nearest name, where there is none.
wh_status wh_dynamodb_find(wh_connection *c, wh_aws_client *client, wh_str table, wh_arena *arena,
                           wh_dynamodb_table *ret, wh_error *err);
// Until a table that is being made can be used.
wh_status wh_dynamodb_await(wh_connection *c, wh_aws_client *client, wh_str table, wh_error *err);
// Makes it, unless it is there, and waits until it can be used. `ttl`: an attribute, or empty.
wh_status wh_dynamodb_create(wh_connection *c, wh_aws_client *client, wh_str table,
                             const wh_dynamodb_attribute *hash, const wh_dynamodb_attribute *range,
                             wh_str ttl, wh_error *err);
// Names of all tables but the marks', in the arena.
wh_status wh_dynamodb_list(wh_connection *c, wh_aws_client *client, wh_arena *arena, wh_str **ret,
                           size_t *ret_count, wh_error *err);
