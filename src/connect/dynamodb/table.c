#include "connect/dynamodb/table.h"

enum {
  POLL_NS_FIRST = 50000000, // how long to wait for a table that is being made
  POLL_NS_MAX = 1000000000,
  TABLES_MAX = 10000, // of one account and region
};
#define POLL_TOTAL_NS INT64_C(300000000000)

wh_status wh_dynamodb_check_name(const wh_connection *c, wh_str table, wh_error *err) {
  bool fine = table.len >= WH_DYNAMODB_NAME_MIN && table.len <= WH_DYNAMODB_NAME_MAX;
  for (size_t i = 0; i < table.len; i++) {
    char at = table.data[i];
    fine = fine && ((at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z') ||
                    (at >= '0' && at <= '9') || at == '_' || at == '-' || at == '.');
  }
  if (fine) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "%.*s: '%.*s' cannot be a table's name: 3 to 255 of a-z A-Z 0-9 _ - .",
                 WH_STR_ARG(c->name), WH_STR_ARG(table));
}

const char *wh_dynamodb_kind_word(char kind) {
  return kind == 'S' ? "text" : kind == 'N' ? "a number" : "binary";
}

// --- Describing ----------------------------------------------------------------------------------

static wh_status copy(wh_arena *arena, wh_str text, wh_str *ret, wh_error *err) {
  *ret = wh_arena_str(arena, text);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status read_table(const json_t *answer, wh_arena *arena, wh_dynamodb_table *ret,
                            wh_error *err) {
  const json_t *table = json_object_get(answer, "Table");
  const json_t *definitions = json_object_get(table, "AttributeDefinitions");
  size_t i;
  json_t *item;
  *ret = (wh_dynamodb_table){.items =
                                 (uint64_t)json_integer_value(json_object_get(table, "ItemCount"))};
  ret->is_active = !wh_str_is(wh_json_text(table, "TableStatus"), "CREATING") &&
                   !wh_str_is(wh_json_text(table, "TableStatus"), "DELETING");
  const json_t *stream = json_object_get(table, "StreamSpecification");
  bool is_on = json_is_true(json_object_get(stream, "StreamEnabled"));
  WH_TRY(copy(arena, wh_json_text(table, "LatestStreamArn"), &ret->stream, err));
  WH_TRY(copy(arena, is_on ? wh_json_text(stream, "StreamViewType") : WH_STR(""), &ret->view, err));
  ret->indexed = WH_NEW_ARRAY(arena, json_array_size(definitions), wh_dynamodb_attribute);
  if (!ret->indexed) return wh_fail_memory(err);
  json_array_foreach(definitions, i, item) {
    wh_dynamodb_attribute *a = &ret->indexed[ret->indexed_count++];
    WH_TRY(copy(arena, wh_json_text(item, "AttributeName"), &a->name, err));
    wh_str kind = wh_json_text(item, "AttributeType");
    a->kind = kind.len ? kind.data[0] : 0;
  }
  json_array_foreach(json_object_get(table, "KeySchema"), i, item) {
    for (size_t k = 0; k < ret->indexed_count; k++) {
      if (!wh_str_eq(ret->indexed[k].name, wh_json_text(item, "AttributeName"))) continue;
      bool is_hash = wh_str_is(wh_json_text(item, "KeyType"), "HASH");
      *(is_hash ? &ret->hash : &ret->range) = ret->indexed[k];
    }
  }
  return WH_OK;
}

static void add_table_name(wh_buf *body, wh_str table) {
  wh_buf_add_c(body, "{\"TableName\":");
  wh_buf_add_json(body, table);
}

wh_status wh_dynamodb_describe(wh_connection *c, wh_aws_client *client, wh_str table,
                               wh_arena *arena, bool *ret_exists, wh_dynamodb_table *ret,
                               wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  bool missing;
  wh_buf_init(&body, c->mem, 0);
  WH_TRY(wh_dynamodb_check_name(c, table, err));
  add_table_name(&body, table);
  wh_buf_add_char(&body, '}');
  WH_TRY(wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("DescribeTable"), &body, &missing, &answer,
                          err));
  *ret_exists = !missing;
  return missing ? WH_OK : read_table(answer, arena, ret, err);
}

wh_status wh_dynamodb_find(wh_connection *c, wh_aws_client *client, wh_str table, wh_arena *arena,
                           wh_dynamodb_table *ret, wh_error *err) {
  bool exists;
  WH_TRY(wh_dynamodb_describe(c, client, table, arena, &exists, ret, err));
  if (exists) return WH_OK;
  wh_str *names = NULL;
  size_t count = 0;
  wh_str near = {0};
  // Who may not list tables gets no hint.
  if (wh_dynamodb_list(c, client, arena, &names, &count, NULL) == WH_OK)
    near = wh_str_nearest(table, names, count);
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: no table '%.*s'%s%.*s%s", WH_STR_ARG(c->name),
                 WH_STR_ARG(table), near.len ? ". Did you mean '" : "", WH_STR_ARG(near),
                 near.len ? "'?" : "");
}

// --- Making --------------------------------------------------------------------------------------

static void add_attributes(wh_buf *body, const wh_dynamodb_attribute *hash,
                           const wh_dynamodb_attribute *range) {
  const wh_dynamodb_attribute *const both[] = {hash, range};
  wh_buf_add_c(body, ",\"AttributeDefinitions\":[");
  for (size_t i = 0; i < 2 && both[i]; i++) {
    wh_buf_add_c(body, i ? ",{\"AttributeName\":" : "{\"AttributeName\":");
    wh_buf_add_json(body, both[i]->name);
    wh_buf_printf(body, ",\"AttributeType\":\"%c\"}", both[i]->kind);
  }
  wh_buf_add_c(body, "],\"KeySchema\":[");
  for (size_t i = 0; i < 2 && both[i]; i++) {
    wh_buf_add_c(body, i ? ",{\"AttributeName\":" : "{\"AttributeName\":");
    wh_buf_add_json(body, both[i]->name);
    wh_buf_add_c(body, i ? ",\"KeyType\":\"RANGE\"}" : ",\"KeyType\":\"HASH\"}");
  }
  wh_buf_add_char(body, ']');
}

wh_status wh_dynamodb_await(wh_connection *c, wh_aws_client *client, wh_str table, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  int64_t pause = POLL_NS_FIRST, until = c->os->type->monotonic_ns(c->os) + POLL_TOTAL_NS;
  for (;;) {
    bool exists;
    wh_dynamodb_table found;
    WH_TRY(wh_dynamodb_describe(c, client, table, &arena, &exists, &found, err));
    if (exists && found.is_active) return WH_OK;
    wh_arena_reset(&arena);
    if (c->cancel && atomic_load(c->cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
    if (c->os->type->monotonic_ns(c->os) > until) break;
    (void)c->os->type->sleep_ns(c->os, pause);
    pause = pause * 2 < POLL_NS_MAX ? pause * 2 : POLL_NS_MAX;
  }
  wh_status status =
      wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: table %.*s is still not ready after five minutes",
              WH_STR_ARG(c->name), WH_STR_ARG(table));
  if (err) err->retry = true;
  return status;
}

static wh_status set_ttl(wh_connection *c, wh_aws_client *client, wh_str table, wh_str ttl,
                         wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  wh_buf_init(&body, c->mem, 0);
  add_table_name(&body, table);
  wh_buf_add_c(&body, ",\"TimeToLiveSpecification\":{\"Enabled\":true,\"AttributeName\":");
  wh_buf_add_json(&body, ttl);
  wh_buf_add_c(&body, "}}");
  return wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("UpdateTimeToLive"), &body, NULL, &answer,
                          err);
}

wh_status wh_dynamodb_create(wh_connection *c, wh_aws_client *client, wh_str table,
                             const wh_dynamodb_attribute *hash, const wh_dynamodb_attribute *range,
                             wh_str ttl, wh_error *err) {
  const wh_dynamodb_options *o = wh_dynamodb_options_of(c);
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_EXCHANGE wh_aws_exchange *x = NULL;
  wh_aws_exchange *done;
  wh_buf_init(&body, c->mem, 0);
  add_table_name(&body, table);
  add_attributes(&body, hash, range);
  if (o->read_capacity)
    wh_buf_printf(&body,
                  ",\"BillingMode\":\"PROVISIONED\",\"ProvisionedThroughput\":"
                  "{\"ReadCapacityUnits\":%lld,\"WriteCapacityUnits\":%lld}}",
                  (long long)o->read_capacity, (long long)o->write_capacity);
  else
    wh_buf_add_c(&body, ",\"BillingMode\":\"PAY_PER_REQUEST\"}");
  WH_TRY(wh_buf_check(&body, err));
  wh_str text = wh_buf_str(&body);
  WH_TRY(wh_dynamodb_start(client, WH_DYNAMODB_ACTION("CreateTable"), &text, NULL, &x, err));
  WH_TRY(wh_aws_wait(client, x, -1, &done, err));
  // Somebody else was faster, or an attempt whose answer was lost.
  bool is_there = wh_aws_is(x, "ResourceInUseException");
  if (x->status != WH_OK && !is_there) return wh_dynamodb_fail(c, x, err);
  WH_TRY(wh_dynamodb_await(c, client, table, err));
  return ttl.len && !is_there ? set_ttl(c, client, table, ttl, err) : WH_OK;
}

// --- Listing -------------------------------------------------------------------------------------

static wh_status list_page(wh_connection *c, wh_aws_client *client, wh_str after, json_t **ret,
                           wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, c->mem, 0);
  wh_buf_add_c(&body, "{\"Limit\":100");
  if (after.len) wh_buf_add_c(&body, ",\"ExclusiveStartTableName\":");
  if (after.len) wh_buf_add_json(&body, after);
  wh_buf_add_char(&body, '}');
  return wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("ListTables"), &body, NULL, ret, err);
}

wh_status wh_dynamodb_list(wh_connection *c, wh_aws_client *client, wh_arena *arena, wh_str **ret,
                           size_t *ret_count, wh_error *err) {
  WH_CLEAN_BUF wh_buf names;
  wh_buf_init(&names, c->mem, TABLES_MAX * sizeof(wh_str));
  wh_str after = {0};
  do {
    WH_CLEAN_JSON json_t *page = NULL;
    size_t i;
    json_t *item;
    WH_TRY(list_page(c, client, after, &page, err));
    json_array_foreach(json_object_get(page, "TableNames"), i, item) {
      wh_str name = wh_dynamodb_text(item);
      if (wh_str_eq(name, wh_dynamodb_options_of(c)->marks)) continue;
      WH_TRY(copy(arena, name, &name, err));
      wh_buf_add(&names, &name, sizeof name);
    }
    WH_TRY(copy(arena, wh_json_text(page, "LastEvaluatedTableName"), &after, err));
  } while (after.len);
  WH_TRY(wh_buf_check(&names, err));
  *ret_count = names.len / sizeof(wh_str);
  *ret = WH_NEW_ARRAY(arena, *ret_count, wh_str);
  if (!*ret) return wh_fail_memory(err);
  if (names.len) memcpy(*ret, names.data, names.len);
  return WH_OK;
}
