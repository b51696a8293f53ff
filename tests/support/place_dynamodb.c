#ifdef WHERRY_DYNAMODB
#include "place_dynamodb.h"

#include "aws_server.h"
#include "connect/dynamodb/table.h"
#include "test.h"

#include <stdio.h>
#include <unistd.h>

static wh_os_real real_os;
static wh_dynamodb_options options;
static const char *kind;
static wh_mem own_mem; // what the test does beside is not what it measures

static const char *get(void *context, const char *name) {
  (void)context;
  return aws_server_value(kind, name);
}

static void drop(wh_connection *c, wh_str table) {
  char body[512];
  snprintf(body, sizeof body, "{\"TableName\":\"%.*s\"}", WH_STR_ARG(table));
  test_dynamodb_do(c, "DeleteTable", body);
  snprintf(body, sizeof body, "\"%.*s\"", WH_STR_ARG(table));
  for (int turn = 0; turn < 1000 && strstr(test_dynamodb_do(c, "ListTables", "{}"), body); turn++)
    usleep(1000);
}

static void drop_all(wh_connection *c, const char *only) {
  WH_CLEAN_JSON json_t *list = NULL;
  const char *text = test_dynamodb_do(c, "ListTables", "{}");
  size_t i;
  json_t *name;
  list = json_loads(text, 0, NULL);
  json_array_foreach(json_object_get(list, "TableNames"), i, name) {
    if (!only || strcmp(only, json_string_value(name)) == 0)
      drop(c, wh_str_of(json_string_value(name)));
  }
}

void test_dynamodb_open_at(const char *server, wh_connection *c, const char **reason) {
  kind = server;
  *reason = aws_server_start(server);
  if (*reason) return;
  REQUIRE_OK(wh_os_real_init(&real_os, &test_mem, &test_err));
  options = (wh_dynamodb_options){.marks = WH_STR("_wherry_marks"), .segments = 3};
  *c = (wh_connection){
      .name = WH_STR("place"),
      .type = &wh_connector_dynamodb,
      .options = &options,
      .os = &real_os.base,
      .mem = &test_mem,
      .row_limit_bytes = 8 << 20,
      .environment = {.get = get},
  };
  REQUIRE_OK(c->type->open(c, &test_err));
  drop_all(c, NULL);
}

void test_dynamodb_open(wh_connection *c, const char **reason) {
  test_dynamodb_open_at("dynalite", c, reason);
}

void test_dynamodb_open_moto(wh_connection *c, const char **reason) {
  test_dynamodb_open_at("moto", c, reason);
}

void test_dynamodb_open_local(wh_connection *c, const char **reason) {
  test_dynamodb_open_at("dynamodb-local", c, reason);
}

void test_dynamodb_close(wh_connection *c) {
  c->type->close(c);
  wh_os_real_free(&real_os);
}

void test_dynamodb_sql(wh_connection *c, const char *text) {
  wh_str rest = wh_str_of(text), statement;
  while (wh_str_split(&rest, ';', &statement)) {
    static const char drop_words[] = "DROP TABLE IF EXISTS ";
    statement = wh_str_trim(statement);
    if (statement.len == 0 || !CHECK(wh_str_starts(statement, drop_words))) continue;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(statement.len - sizeof drop_words + 1),
             statement.data + sizeof drop_words - 1);
    drop_all(c, name);
  }
}

const char *test_dynamodb_do(wh_connection *c, const char *action, const char *body) {
  static char answer[1 << 20];
  char target[64];
  snprintf(target, sizeof target, "DynamoDB_20120810.%s", action);
  wh_connection own = *c;
  own.mem = &own_mem;
  own.own = NULL;
  answer[0] = 0;
  if (!CHECK_OK(own.type->open(&own, &test_err))) return answer;
  wh_aws_client *client = NULL;
  wh_aws_exchange *x = NULL, *done;
  wh_str piece = wh_str_of(body);
  CHECK_OK(wh_dynamodb_take(&own, &client, &test_err));
  CHECK_OK(wh_dynamodb_start(client, wh_str_of(target), &piece, NULL, &x, &test_err));
  CHECK_OK(wh_aws_wait(client, x, -1, &done, &test_err));
  if (!CHECK_EQ(x->status, WH_OK)) test_note("%s: %s", action, x->error.text);
  snprintf(answer, sizeof answer, "%.*s", WH_STR_ARG(x->body));
  wh_aws_end(x);
  wh_aws_give(client);
  own.type->close(&own);
  return answer;
}
#else
typedef int place_dynamodb_is_left_out;
#endif
