// Changes of DynamoDB's as lines, and the shards of a stream.
#include "connect/dynamodb/shards.h"
#include "test.h"

// --- lines ---------------------------------------------------------------------------------------

static wh_arena arena;
static wh_schema rows;
static wh_dynamodb_lines lines;

static void begin(void) {
  static wh_field fields[5];
  wh_type instant = wh_type_of(WH_TIMESTAMP);
  instant.zoned = true;
  fields[0] = (wh_field){WH_STR("id"), wh_type_of(WH_INT64), true, WH_INTERNAL};
  fields[1] = (wh_field){WH_STR("name"), wh_type_of(WH_STRING), true, WH_PERSONAL};
  fields[2] = (wh_field){WH_STR("until"), instant, true, WH_INTERNAL};
  fields[3] = (wh_field){WH_STR("more"), wh_type_of(WH_STRING), true, WH_INTERNAL};
  wh_schema declared = {4, fields};
  wh_arena_init(&arena, &test_mem);
  REQUIRE_OK(wh_dynamodb_change_schema(&declared, &arena, &rows, &test_err));
  wh_dynamodb_lines_init(&lines, &test_mem, &rows);
  lines.key[0] = WH_STR("id");
}

static void end(void) {
  wh_dynamodb_lines_free(&lines);
  wh_arena_free(&arena);
}

static json_t *parse(const char *text) {
  json_t *json = NULL;
  CHECK_OK(wh_json_load(wh_str_of(text), 1 << 20, "the answer", &json, &test_err));
  return json;
}

static wh_status add_records(const char *text, wh_dynamodb_read_to *to) {
  json_t *json = parse(text);
  wh_status status = wh_dynamodb_add_records(&lines, json, to, &test_err);
  json_decref(json);
  return status;
}

static wh_status add_items(const char *text) {
  json_t *json = parse(text);
  wh_status status = wh_dynamodb_add_items(&lines, json, &test_err);
  json_decref(json);
  return status;
}

static const wh_feed_event *event(size_t i) {
  return (const wh_feed_event *)(const void *)lines.events.data + i;
}

#define RECORD(event, seconds, sequence, images)                                                   \
  "{\"eventName\":\"" event "\",\"dynamodb\":{\"ApproximateCreationDateTime\":" seconds            \
  ",\"SequenceNumber\":\"" sequence "\",\"Keys\":{\"id\":{\"N\":\"7\"}}" images "}}"
#define NOW(name)                                                                                  \
  ",\"NewImage\":{\"id\":{\"N\":\"7\"},\"name\":{\"S\":\"" name "\"},\"iban\":{\"S\":\"DE\"}}"
#define OLD ",\"OldImage\":{\"id\":{\"N\":\"7\"},\"name\":{\"N\":\"1\"},\"iban\":{\"S\":\"DE\"}}"

TEST(records_are_lines) {
  begin();
  wh_dynamodb_read_to to;
  REQUIRE_OK(add_records(
      "{\"Records\":[" RECORD("INSERT", "1700000000", "100", NOW("a\\n\\\"")) "," RECORD(
          "MODIFY", "1700000001.9", "101", NOW("b") OLD) "," RECORD("REMOVE", "1700000002", "102",
                                                                    OLD) "]}",
      &to));
  CHECK_STR(
      wh_buf_str(&lines.text),
      WH_STR("{\"_change\":\"insert\",\"_changed_at\":\"2023-11-14T22:13:20Z\",\"_"
             "sequence\":\"100\","
             "\"_wherry_deleted\":false,\"id\":7,\"name\":\"a\\n\\\"\"}\n"
             "{\"_change\":\"modify\",\"_changed_at\":\"2023-11-14T22:13:21Z\",\"_"
             "sequence\":\"101\","
             "\"_old\":\"{\\\"id\\\":7,\\\"name\\\":1}\",\"_wherry_deleted\":false,\"id\":7,"
             "\"name\":\"b\"}\n"
             "{\"_change\":\"remove\",\"_changed_at\":\"2023-11-14T22:13:22Z\",\"_"
             "sequence\":\"102\","
             "\"_old\":\"{\\\"id\\\":7,\\\"name\\\":1}\",\"_wherry_deleted\":true,\"id\":7}\n"));
  CHECK_STR(wh_str_of(to.sequence), WH_STR("102"));
  CHECK_EQ(to.time_us, INT64_C(1700000002000000));
  CHECK_EQ(lines.events.len / sizeof(wh_feed_event), 3);
  CHECK(event(0)->key == event(2)->key);
  CHECK(!event(1)->removes && event(2)->removes);
  CHECK_EQ(event(2)->end, lines.text.len);
  end();
}

TEST(old_ones_and_known_ones_are_passed_over) {
  begin();
  wh_dynamodb_read_to to;
  lines.since_us = INT64_C(1700000001000000);
  lines.after = WH_STR("999");
  REQUIRE_OK(
      add_records("{\"Records\":[" RECORD("INSERT", "1700000000", "1000", NOW("old")) "," RECORD(
                      "MODIFY", "1700000001", "998",
                      NOW("known")) "," RECORD("MODIFY", "1700000001", "999",
                                               NOW("known")) "," RECORD("MODIFY", "1700000001",
                                                                        "1001", NOW("new")) "]}",
                  &to));
  CHECK_EQ(lines.events.len / sizeof(wh_feed_event), 1);
  CHECK_STR(wh_str_of(to.sequence), WH_STR("1001"));
  end();
}

TEST(all_kinds_are_plain) {
  begin();
  REQUIRE_OK(add_items("{\"Items\":[{\"id\":{\"N\":\"-1.50E+2\"},\"until\":{\"N\":\"1700000000\"},"
                       "\"more\":{\"M\":{\"a\":{\"L\":[{\"NULL\":"
                       "true},{\"BOOL\":false},{\"NS\":[\"1\",\"2\"]},{\"SS\":[\"x\"]},{\"B\":\"AA="
                       "=\"}]}}},\"salary\":{\"N\":\"1\"}},"
                       "{\"id\":{\"N\":\"007\"},\"until\":{\"S\":\"2026-11-22\"}}]}"));
  CHECK_STR(
      wh_buf_str(&lines.text),
      WH_STR("{\"_change\":\"export\",\"_wherry_deleted\":false,\"id\":-1.50E+2,\"until\":"
             "\"2023-11-14T22:13:20Z\",\"more\":{\"a\":[null,false,[1,2],[\"x\"],\"AA==\"]}}\n"
             "{\"_change\":\"export\",\"_wherry_deleted\":false,\"id\":\"007\",\"until\":\"2026-11-"
             "22\"}\n"));
  CHECK(event(0)->key != event(1)->key);
  end();
}

TEST(what_is_none_is_refused) {
  begin();
  wh_dynamodb_read_to to;
  CHECK_FAILS(add_records("{}", &to), WH_ERR_DATA);
  CHECK_FAILS(add_records("{\"Records\":[" RECORD("MOVE", "1", "1", NOW("a")) "]}", &to),
              WH_ERR_DATA);
  CHECK_FAILS(add_records("{\"Records\":[" RECORD("INSERT", "-1", "1", NOW("a")) "]}", &to),
              WH_ERR_DATA);
  CHECK_FAILS(add_records("{\"Records\":[" RECORD("INSERT", "1", "1x", NOW("a")) "]}", &to),
              WH_ERR_DATA);
  CHECK_FAILS(add_records("{\"Records\":[" RECORD("INSERT", "1", "1", "") "]}", &to),
              WH_ERR_REFUSED);
  CHECK_FAILS(add_items("{\"Items\":[{\"name\":{\"S\":\"has no key\"}}]}"), WH_ERR_DATA);
  CHECK_FAILS(add_items("{\"Items\":[{\"id\":{\"N\":\"1\"},\"more\":{\"X\":\"1\"}}]}"),
              WH_ERR_DATA);
  end();
}

TEST(a_private_attribute_makes_the_old_item_private) {
  begin();
  ptrdiff_t old = wh_schema_find(&rows, WH_STR("_old"));
  REQUIRE(old >= 0);
  CHECK_EQ(rows.fields[old].privacy, WH_PERSONAL);
  end();
}

// --- shards --------------------------------------------------------------------------------------

static wh_dynamodb_shards shards;

static void list(const char *text) {
  json_t *json = parse(text);
  wh_str last;
  CHECK_OK(wh_dynamodb_shards_list(&shards, json, &last, &test_err));
  json_decref(json);
}

static wh_status count_gone(void *context, wh_dynamodb_shard *shard, wh_error *err) {
  (void)shard, (void)err;
  ++*(int *)context;
  return WH_OK;
}

TEST(a_child_waits_for_its_parent) {
  wh_dynamodb_shards_init(&shards, &test_mem);
  list("{\"Shards\":[{\"ShardId\":\"b\",\"ParentShardId\":\"a\"},{\"ShardId\":\"c\","
       "\"ParentShardId\":\"b\"},"
       "{\"ShardId\":\"d\"}]}");
  int gone = 0;
  CHECK_OK(wh_dynamodb_shards_settle(&shards, count_gone, &gone, &test_err));
  REQUIRE(shards.count == 3 && !gone);
  CHECK(wh_dynamodb_shard_is_ready(shards.items[0])); // its parent is not there any more
  CHECK(!wh_dynamodb_shard_is_ready(shards.items[1]));
  CHECK(wh_dynamodb_shard_is_ready(shards.items[2]));
  shards.items[0]->is_done = true;
  CHECK(!wh_dynamodb_shard_is_ready(shards.items[0]));
  CHECK(wh_dynamodb_shard_is_ready(shards.items[1]));
  wh_dynamodb_shards_forget(&shards);
  list("{\"Shards\":[{\"ShardId\":\"c\",\"ParentShardId\":\"b\"},{\"ShardId\":\"d\"}]}");
  CHECK_OK(wh_dynamodb_shards_settle(&shards, count_gone, &gone, &test_err));
  CHECK_EQ(gone, 1);
  CHECK_EQ(shards.count, 2);
  wh_dynamodb_shards_forget(&shards);
  list("{\"Shards\":[{\"ShardId\":\"c\",\"ParentShardId\":\"b\"}]}");
  CHECK_FAILS(wh_dynamodb_shards_settle(&shards, count_gone, &gone, &test_err), WH_ERR_CHANGED);
  CHECK_EQ(gone, 1);
  wh_dynamodb_shards_free(&shards);
}

static void check_position(const char *value, bool is_done, const char *after, int64_t fresh_us) {
  wh_buf text;
  wh_feed_position p = {WH_STR("shard/x"), wh_str_of(value)};
  wh_buf_init(&text, &test_mem, 0);
  wh_dynamodb_shards_init(&shards, &test_mem);
  REQUIRE_OK(wh_dynamodb_shards_restore(&shards, &p, &test_err));
  const wh_dynamodb_shard *s = shards.items[0];
  CHECK_STR(wh_str_of(s->id), WH_STR("x"));
  CHECK_EQ(s->is_done, is_done);
  CHECK_STR(wh_str_of(s->after), wh_str_of(after));
  CHECK_EQ(s->fresh_us, fresh_us);
  wh_dynamodb_shard_write(s, &text);
  CHECK_STR(wh_buf_str(&text), wh_str_of(value));
  wh_buf_free(&text);
  wh_dynamodb_shards_free(&shards);
}

TEST(positions_are_read_as_they_are_written) {
  check_position("done 1700000000000000", true, "", 1700000000000000);
  check_position("123456789012345678901 1700000000000000", false, "123456789012345678901",
                 1700000000000000);
  check_position("- 1700000000000000", false, "", 1700000000000000);
  static const char *const bad[] = {"", "1", "1 x", "12345678901234567890123456789012345678901 1"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wh_feed_position p = {WH_STR("shard/x"), wh_str_of(bad[i])};
    wh_dynamodb_shards_init(&shards, &test_mem);
    CHECK_FAILS(wh_dynamodb_shards_restore(&shards, &p, &test_err), WH_ERR_DATA);
    wh_dynamodb_shards_free(&shards);
  }
}

TEST(sequence_numbers_are_numbers) {
  CHECK(wh_dynamodb_sequence_cmp(WH_STR("9"), WH_STR("10")) < 0);
  CHECK(wh_dynamodb_sequence_cmp(WH_STR("11"), WH_STR("10")) > 0);
  CHECK(wh_dynamodb_sequence_cmp(WH_STR("10"), WH_STR("10")) == 0);
}
