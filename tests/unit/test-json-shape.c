// What of a JSON object's rows becomes columns: wanted ones, members (flatten), items (explode).
#include "codec-run.h"
#include "codec/json/json.h"
#include "test.h"

static codec_run run;
static wh_json_read_options options;

static void begin(void) {
  codec_run_init(&run, &test_mem, &wh_codec_ndjson);
  options = (wh_json_read_options){0};
  run.options = &options;
}

#define CHECK_SCHEMA(want)  CHECK_STR(wh_buf_str(&run.schema), WH_STR(want))
#define CHECK_ROWS(want)    CHECK_STR(wh_buf_str(&run.rows), WH_STR(want))
#define CHECK_REJECTS(want) CHECK_STR(wh_buf_str(&run.rejects), WH_STR(want))

// Also with the schema that was found, and in parts: the same rows.
static void read_each_way(const char *text) {
  REQUIRE_OK(codec_run_read(&run, wh_str_of(text), &test_err));
  codec_run other;
  codec_run_init(&other, &test_mem, &wh_codec_ndjson);
  other.options = run.options;
  other.places = run.places;
  other.wanted = run.wanted;
  other.wanted_count = run.wanted_count;
  run.keep_schema = true;
  CHECK_OK(codec_run_read(&run, wh_str_of(text), &test_err));
  for (int way = 0; way < 4; way++) {
    other.given = run.given ? run.given : way & 1 ? &run.wider : NULL;
    other.may_widen = way & 1 && !run.given;
    other.part_bytes = way & 2 ? 60 : 0;
    CHECK_OK(codec_run_read(&other, wh_str_of(text), &test_err));
    CHECK_STR(wh_buf_str(&other.schema), wh_buf_str(&run.schema));
    CHECK_STR(wh_buf_str(&other.rows), wh_buf_str(&run.rows));
    CHECK_STR(wh_buf_str(&other.rejects), wh_buf_str(&run.rejects));
  }
  codec_run_free(&other);
}

static void want(const wh_str *names, size_t count) {
  run.wanted = names;
  run.wanted_count = count;
}

static void give(const char *columns, wh_arena *arena) {
  static wh_schema schema;
  wh_type type;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_printf(&text, "struct<%s>", columns);
  if (!CHECK_OK(wh_type_parse(wh_buf_str(&text), arena, &type, &test_err))) return;
  schema = (wh_schema){.count = type.field_count, .fields = type.fields};
  run.given = &schema;
}

TEST(only_wanted_columns_are_read) {
  static const wh_str names[] = {WH_STR_INIT("c"), WH_STR_INIT("a"), WH_STR_INIT("not there")};
  begin();
  want(names, 3);
  read_each_way("{\"a\":1,\"b\":{\"x\":[1,\"]}\"]},\"c\":\"x\"}\n"
                "{\"a\":2,\"b\":\"a\\\"b\",\"c\":null}\n"
                "{\"b\":5,\"c\":\"z\",\"a\":3,\"d\":[]}\n"
                "{\"c\":\"\",\"b\":nonsense,\"a\":4}\n");
  CHECK_SCHEMA("a: int64?, c: string?");
  CHECK_ROWS("{\"a\":1,\"c\":\"x\"}\n{\"a\":2,\"c\":null}\n{\"a\":3,\"c\":\"z\"}\n"
             "{\"a\":4,\"c\":\"\"}\n");
  CHECK_REJECTS("");
  // What is not wanted still has to have an end.
  CHECK_OK(
      codec_run_read(&run, WH_STR("{\"a\":1,\"b\":[1}\n{\"a\":2,\"b\":\"x\"\"y\"}\n"), &test_err));
  CHECK_EQ(run.row_count, 0);
  CHECK_EQ(run.reject_count, 2);
  // Nothing of it is wanted: the rows are there all the same.
  want(names, 0);
  CHECK_OK(codec_run_read(&run, WH_STR("{\"a\":1}\n{\"b\":2}\n"), &test_err));
  CHECK_SCHEMA("");
  CHECK_EQ(run.row_count, 2);
  codec_run_free(&run);
}

TEST(unwanted_keys_neither_widen_nor_conflict) {
  static const wh_str names[] = {WH_STR_INIT("a")};
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin();
  want(names, 1);
  for (int i = 0; i < 3000; i++)
    wh_buf_printf(&text, "{\"a\":%d,\"b%d\":%s}\n", i, i % 500, i % 2 ? "1" : "\"x\"");
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.row_count, 3000);
  wh_buf_add_c(&text, "{\"b\":1,\"a\":0.5}\n");
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_WIDEN);
  CHECK_EQ(run.wider.count, 1);
  CHECK_EQ(run.wider.fields[0].type.kind, WH_FLOAT64);
  run.part_bytes = 4000;
  CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_WIDEN);
  CHECK_EQ(run.wider.count, 1);
  codec_run_free(&run);
}

TEST(of_a_given_schema_only_wanted_columns_are_read) {
  static const wh_str names[] = {WH_STR_INIT("b")};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin();
  give("a: int64, b: string", &arena);
  want(names, 1);
  read_each_way(
      "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"z\":1}\n{\"a\":\"?\",\"b\":\"z\"}\n{\"a\":1}\n");
  CHECK_SCHEMA("b: string");
  CHECK_ROWS("{\"b\":\"x\"}\n{\"b\":\"y\"}\n{\"b\":\"z\"}\n");
  CHECK_EQ(run.reject_count, 1); // b is missing
  codec_run_free(&run);
}

TEST(members_become_columns) {
  begin();
  options.flatten = true;
  run.places = true;
  read_each_way(
      "{\"id\":1,\"to\":{\"city\":\"Cork\",\"at\":{\"x\":1.5,\"y\":2}},\"l\":[{\"a\":1}]}\n"
      "{\"id\":2,\"to\":null}\n{\"to\":{\"at\":{\"y\":7}},\"e\":{}}\n{\"id\":\"x\"\n{}\n");
  CHECK_SCHEMA("id: int64?, to.city: string?, to.at.x: float64?, to.at.y: int64?, "
               "l: list<struct<a: int64?>?>?, e: struct<>?");
  CHECK_ROWS(
      "@1:1:1:0 {\"id\":1,\"to.city\":\"Cork\",\"to.at.x\":1.5,\"to.at.y\":2,"
      "\"l\":[{\"a\":1}],\"e\":null}\n"
      "@2:2:1:65 {\"id\":2,\"to.city\":null,\"to.at.x\":null,\"to.at.y\":null,\"l\":null,"
      "\"e\":null}\n"
      "@3:3:1:84 {\"id\":null,\"to.city\":null,\"to.at.x\":null,\"to.at.y\":7,\"l\":null,"
      "\"e\":{}}\n"
      "@5:5:1:123 {\"id\":null,\"to.city\":null,\"to.at.x\":null,\"to.at.y\":null,\"l\":null,"
      "\"e\":null}\n");
  codec_run_free(&run);
}

TEST(names_of_members_do_not_clash) {
  begin();
  options.flatten = true;
  read_each_way("{\"a.b\":1,\"a\":{\"b\":2,\"c.d\":3,\"\\\"e\":4,\"\":5},\"\":{\"x\":6},\"x\":7,"
                "\"\\\"a\\\"\":8,\"a\\\"b\":9,\"a.b\\\"\":10}\n");
  CHECK_SCHEMA("\"a.b\": int64?, a.b: int64?, a.\"c.d\": int64?, a.\"\"\"e\": int64?, a.: int64?, "
               ".x: int64?, x: int64?, \"\"\"a\"\"\": int64?, a\"b: int64?, \"a.b\"\"\": int64?");
  codec_run_free(&run);
}

TEST(members_can_be_chosen) {
  static const wh_str names[] = {WH_STR_INIT("to.at.y"), WH_STR_INIT("id")};
  begin();
  options.flatten = true;
  want(names, 2);
  read_each_way(
      "{\"id\":1,\"to\":{\"city\":\"Cork\",\"at\":{\"x\":1.5,\"y\":2}},\"l\":[{\"a\":1}]}\n"
      "{\"id\":2,\"to\":{\"at\":{\"z\":[{}],\"y\":3},\"zip\":\"x\"},\"n\":{\"y\":1}}\n");
  CHECK_SCHEMA("id: int64?, to.at.y: int64?");
  CHECK_ROWS("{\"id\":1,\"to.at.y\":2}\n{\"id\":2,\"to.at.y\":3}\n");
  codec_run_free(&run);
}

TEST(given_members_are_found) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin();
  options.flatten = true;
  give("\"a.b\": int32, c: string?, \"a.d\": date?", &arena);
  read_each_way("{\"a\":{\"d\":\"2026-11-21\",\"b\":1},\"c\":\"x\"}\n{\"c\":\"no a\"}\n"
                "{\"a\":{\"b\":2,\"z\":1}}\n{\"a\":{\"b\":\"3\"}}\n{\"a\":null}\n");
  CHECK_ROWS("{\"a.b\":1,\"c\":\"x\",\"a.d\":\"2026-11-21\"}\n");
  CHECK_EQ(run.reject_count, 4);
  give("a: int64?, \"a.d\": date?", &arena);
  CHECK_FAILS(codec_run_read(&run, WH_STR("{}"), &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("'a' cannot be a column beside its members");
  give("\"a.d\": date?, a: int64?", &arena);
  CHECK_FAILS(codec_run_read(&run, WH_STR("{}"), &test_err), WH_ERR_USAGE);
  codec_run_free(&run);
}

TEST(items_become_rows) {
  begin();
  options.explode = WH_STR("items");
  run.places = true;
  read_each_way("{\"id\":1,\"items\":[10,20,null],\"t\":\"x\"}\n{\"id\":2,\"items\":[]}\n"
                "{\"id\":3,\"items\":null,\"t\":\"z\"}\n{\"id\":4}\n{\"items\":[50]}\n"
                "{\"id\":6,\"items\":[1,\"x\"]}\n");
  CHECK_SCHEMA("id: int64?, items: int64?, t: string?");
  CHECK_ROWS("@1:1:1:0 {\"id\":1,\"items\":10,\"t\":\"x\"}\n"
             "@1:1:1:0 {\"id\":1,\"items\":20,\"t\":\"x\"}\n"
             "@1:1:1:0 {\"id\":1,\"items\":null,\"t\":\"x\"}\n"
             "@2:2:1:38 {\"id\":2,\"items\":null,\"t\":null}\n"
             "@3:3:1:58 {\"id\":3,\"items\":null,\"t\":\"z\"}\n"
             "@4:4:1:88 {\"id\":4,\"items\":null,\"t\":null}\n"
             "@5:5:1:97 {\"id\":null,\"items\":50,\"t\":null}\n");
  CHECK_EQ(run.reject_count, 1);
  codec_run_free(&run);
}

TEST(members_of_items_become_columns) {
  static const wh_str names[] = {WH_STR_INIT("items.sku"), WH_STR_INIT("to.city")};
  static const char text[] =
      "{\"to\":{\"city\":\"Cork\"},\"items\":[{\"sku\":\"a\",\"n\":1},{\"n\":2},null]}\n"
      "{\"items\":[]}\n{\"to\":{\"city\":\"Galway\"},\"items\":[{\"sku\":\"b\"}]}\n";
  begin();
  options.flatten = true;
  options.explode = WH_STR("items");
  read_each_way(text);
  CHECK_SCHEMA("to.city: string?, items.sku: string?, items.n: int64?");
  CHECK_ROWS("{\"to.city\":\"Cork\",\"items.sku\":\"a\",\"items.n\":1}\n"
             "{\"to.city\":\"Cork\",\"items.sku\":null,\"items.n\":2}\n"
             "{\"to.city\":\"Cork\",\"items.sku\":null,\"items.n\":null}\n"
             "{\"to.city\":null,\"items.sku\":null,\"items.n\":null}\n"
             "{\"to.city\":\"Galway\",\"items.sku\":\"b\",\"items.n\":null}\n");
  want(names, 2);
  read_each_way(text);
  CHECK_SCHEMA("to.city: string?, items.sku: string?");
  CHECK_EQ(run.row_count, 5);
  want(names + 1, 1); // the rows are those of the items, though none of theirs is wanted
  read_each_way(text);
  CHECK_SCHEMA("to.city: string?");
  CHECK_EQ(run.row_count, 5);
  codec_run_free(&run);
}

TEST(items_that_must_be_there) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin();
  options.explode = WH_STR("items");
  give("id: int64, items: int64", &arena);
  read_each_way("{\"id\":1,\"items\":[10,20]}\n{\"id\":2,\"items\":[]}\n{\"id\":3}\n"
                "{\"id\":4,\"items\":null}\n{\"id\":5,\"items\":[1,null]}\n");
  CHECK_ROWS("{\"id\":1,\"items\":10}\n{\"id\":1,\"items\":20}\n");
  CHECK_REJECTS("missing items @2:2:18:42 an empty list, where an item of 'items' is required: "
                "{\"id\":2,\"items\":[]}\n"
                "missing items @3:3:8:52 'items' is missing: {\"id\":3}\n"
                "missing items @4:4:17:70 null, where a value is required: "
                "{\"id\":4,\"items\":null}\n"
                "missing items @5:5:20:95 null, where a value is required: "
                "{\"id\":5,\"items\":[1,null]}\n");
  codec_run_free(&run);
}

TEST(what_cannot_be_exploded) {
  begin();
  options.explode = WH_STR("id");
  CHECK_FAILS(codec_run_read(&run, WH_STR("{\"id\":1}"), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("explode: 'id' is no list, but int64");
  options.explode = WH_STR("itmes");
  CHECK_FAILS(codec_run_read(&run, WH_STR("{\"items\":[1]}"), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("explode: none of the first rows has a key 'itmes'");
  CHECK_OK(codec_run_read(&run, WH_STR(""), &test_err));
  options.explode = WH_STR("n"); // not known yet to be a list
  CHECK_OK(codec_run_read(&run, WH_STR("{\"n\":null}"), &test_err));
  CHECK_ROWS("{\"n\":null}\n");
  codec_run_free(&run);
}

TEST(empty_lists_are_known_again) {
  begin();
  options.explode = WH_STR("n");
  read_each_way("{\"n\":[]}\n{\"n\":null}\n{}\n{\"n\":[null,null]}\n{\"n\":[1,\"x\"]}\n");
  CHECK_SCHEMA("n: null?");
  CHECK_EQ(run.row_count, 5);
  CHECK_EQ(run.reject_count, 1);
  codec_run_free(&run);
}

static void check_given(const char *columns, const char *text, const char *schema, const char *rows,
                        wh_arena *arena) {
  give(columns, arena);
  CHECK_OK(codec_run_read(&run, wh_str_of(text), &test_err));
  CHECK_STR(wh_buf_str(&run.schema), wh_str_of(schema));
  CHECK_STR(wh_buf_str(&run.rows), wh_str_of(rows));
}

// They were found before the option was said.
TEST(given_columns_may_be_of_another_shape) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin();
  options.flatten = true;
  for (int widens = 0; widens < 2; widens++) {
    run.may_widen = widens;
    check_given("to: struct<c: int64?, d: null?>?, id: int64?", "{\"id\":1,\"to\":{\"c\":2}}",
                "to.c: int64?, to.d: null?, id: int64?", "{\"to.c\":2,\"to.d\":null,\"id\":1}\n",
                &arena);
    check_given("\"\\\"a\\\"\": int64?, id: int64?", "{\"id\":1,\"a\":2}", "a: int64?, id: int64?",
                "{\"a\":2,\"id\":1}\n", &arena);
  }
  codec_run_free(&run);
}

// Nor need it have been there when they were found.
TEST(what_is_exploded_may_come_later) {
  static const wh_str names[] = {WH_STR_INIT("id"), WH_STR_INIT("items")};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin();
  options.explode = WH_STR("items");
  check_given("id: int64?", "{\"id\":1}", "id: int64?, items: null?", "{\"id\":1,\"items\":null}\n",
              &arena);
  CHECK_OK(codec_run_read(&run, WH_STR("{\"id\":1,\"items\":[5]}"), &test_err));
  CHECK_EQ(run.reject_count, 1);
  run.may_widen = true;
  check_given("", "{\"items\":[1,\"x\"]}\n{}", "", "{}\n", &arena);
  CHECK_EQ(run.reject_count, 1);
  check_given("id: int64?", "{\"id\":1}", "id: int64?", "{\"id\":1}\n", &arena);
  for (int wanted = 0; wanted < 3; wanted++) {
    if (wanted) want(names, (size_t)wanted);
    give("id: int64?", &arena);
    static const char text[] = "{\"id\":1,\"items\":[5,6]}";
    wh_status status = codec_run_read(&run, wh_str_of(text), &test_err);
    CHECK_EQ(status, wanted == 1 ? WH_OK : WH_ERR_WIDEN);
    wh_schema wider = run.wider;
    if (status == WH_ERR_WIDEN) run.given = &wider;
    CHECK_OK(codec_run_read(&run, wh_str_of(text), &test_err));
    CHECK_STR(wh_buf_str(&run.rows),
              wanted == 1 ? WH_STR("{\"id\":1}\n{\"id\":1}\n")
                          : WH_STR("{\"id\":1,\"items\":5}\n{\"id\":1,\"items\":6}\n"));
  }
  codec_run_free(&run);
}

// A list that is longer than a batch, and rows behind the sample that widen what is nested.
TEST(long_lists_and_late_members) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  begin();
  options.flatten = true;
  options.explode = WH_STR("l");
  run.quiet = true;
  for (int i = 0; i < 1500; i++) {
    wh_buf_printf(&text, "{\"id\":%d,\"l\":[", i);
    int items = i == 7 ? 20000 : i % 5;
    for (int k = 0; k < items; k++)
      wh_buf_printf(&text, "%s{\"a\":%d}", k ? "," : "", k);
    wh_buf_add_c(&text, "]}\n");
  }
  CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
  CHECK_EQ(run.row_count, 20000 - 2 + 300 * (1 + 1 + 2 + 3 + 4));
  wh_buf_add_c(&text, "{\"l\":[{\"b\":\"x\",\"a\":1.5}],\"o\":{\"p\":true}}\n");
  for (int parts = 0; parts < 2; parts++) {
    run.given = NULL;
    run.part_bytes = parts ? 5000 : 0;
    CHECK_FAILS(codec_run_read(&run, wh_buf_str(&text), &test_err), WH_ERR_WIDEN);
    WH_CLEAN_BUF wh_buf schema;
    wh_buf_init(&schema, &test_mem, 0);
    codec_write_schema(&run.wider, &schema);
    CHECK_STR(wh_buf_str(&schema), WH_STR("id: int64?, l.a: float64?, l.b: string?, o.p: bool?"));
    wh_schema wider = run.wider;
    run.given = &wider;
    run.may_widen = true;
    CHECK_OK(codec_run_read(&run, wh_buf_str(&text), &test_err));
    CHECK_EQ(run.row_count, 20000 - 2 + 300 * (1 + 1 + 2 + 3 + 4) + 1);
    run.may_widen = false;
  }
  codec_run_free(&run);
}

// No number is rounded: it is kept with all its digits, or its row is rejected.
TEST(numbers_are_exact_or_refused) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  begin();
  CHECK_OK(codec_run_read(&run,
                          WH_STR("{\"a\":18446744073709551616,\"b\":0.1234567890123456789}\n"
                                 "{\"a\":-99999999999999999999999999999999999999,\"b\":1e-3}\n"
                                 "{\"a\":9223372036854775808,\"b\":2}\n"),
                          &test_err));
  CHECK_SCHEMA("a: decimal(38,0)?, b: decimal(38,19)?");
  CHECK_ROWS("{\"a\":\"18446744073709551616\",\"b\":\"0.1234567890123456789\"}\n"
             "{\"a\":\"-99999999999999999999999999999999999999\",\"b\":\"0.0010000000000000000\"}\n"
             "{\"a\":\"9223372036854775808\",\"b\":\"2.0000000000000000000\"}\n");
  // 39 digits, or more behind the point than the others leave room for: no type keeps them.
  CHECK_OK(codec_run_read(&run,
                          WH_STR("{\"a\":1}\n{\"a\":100000000000000000000000000000000000001}\n"
                                 "{\"a\":2}\n"),
                          &test_err));
  CHECK_EQ(run.row_count, 2);
  CHECK_EQ(run.reject_count, 1);
  give("a: int64?, b: float64?, c: decimal(5,2)?, d: int8?, e: float32?, f: uint64?", &arena);
  CHECK_OK(codec_run_read(&run,
                          WH_STR("{\"a\":9223372036854775808}\n{\"a\":1.5}\n{\"a\":1e400}\n"
                                 "{\"b\":9007199254740993}\n{\"b\":1e400}\n{\"c\":0.001}\n"
                                 "{\"c\":1000}\n{\"d\":128}\n{\"e\":16777217}\n{\"e\":1e39}\n"
                                 "{\"f\":18446744073709551616}\n{\"f\":-1}\n"),
                          &test_err));
  CHECK_EQ(run.row_count, 0);
  CHECK_EQ(run.reject_count, 12);
  CHECK_OK(
      codec_run_read(&run,
                     WH_STR("{\"a\":-9223372036854775808}\n{\"a\":5e3}\n{\"b\":9007199254740992}\n"
                            "{\"c\":999.990}\n{\"d\":-128.0}\n{\"f\":18446744073709551615}\n"),
                     &test_err));
  CHECK_EQ(run.row_count, 6);
  codec_run_free(&run);
}

TEST(every_allocation_of_a_reshaping_reader_fails) {
  static const wh_str names[] = {WH_STR_INIT("items.sku"), WH_STR_INIT("to.city")};
  wh_mem mem;
  wh_mem_init(&mem, 0);
  for (int wanted = 0; wanted < 2; wanted++) {
    for (size_t n = 1;; n++) {
      begin();
      options.flatten = true;
      options.explode = WH_STR("items");
      codec_run_free(&run);
      codec_run_init(&run, &mem, &wh_codec_ndjson);
      run.options = &options;
      if (wanted) want(names, 2);
      atomic_store(&mem.count, 0);
      atomic_store(&mem.failed, 0);
      atomic_store(&mem.fail_at, n);
      wh_status status = codec_run_read(
          &run,
          WH_STR("{\"to\":{\"city\":\"Cork\",\"zip\":1},\"items\":[{\"sku\":\"a\",\"n\":1},null]}\n"
                 "{\"z\":1,\"items\":[]}\n"),
          &test_err);
      bool failed = atomic_load(&mem.failed);
      codec_run_free(&run);
      CHECK_EQ(atomic_load(&mem.used), 0);
      // A key that could not be remembered as unwanted is only slower.
      if (!failed || test_failed()) break;
      CHECK(status == WH_ERR_MEMORY || status == WH_OK);
    }
  }
}
