#include "data/type.h"
#include "test.h"

static void check_round(const char *in, const char *out) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_type type, again;
  REQUIRE_OK(wh_type_parse(wh_str_of(in), &arena, &type, &test_err));
  CHECK(wh_type_write(&type, &buf));
  CHECK_STR(wh_buf_str(&buf), wh_str_of(out));
  REQUIRE_OK(wh_type_parse(wh_buf_str(&buf), &arena, &again, &test_err));
  CHECK(wh_type_eq(&type, &again));
}

TEST(types_are_written_as_they_are_read) {
  const char *same[] = {"null",
                        "bool",
                        "int8",
                        "int16",
                        "int32",
                        "int64",
                        "uint8",
                        "uint16",
                        "uint32",
                        "uint64",
                        "float32",
                        "float64",
                        "decimal(12,2)",
                        "date",
                        "time[s]",
                        "time[ns]",
                        "timestamp[us]",
                        "timestamp[ms,UTC]",
                        "string",
                        "binary",
                        "list<int64>",
                        "list<list<string?>?>",
                        "struct<>",
                        "struct<a: int64, \"b c\": list<string?>>",
                        "struct<\"\": bool, \"q\\\"\\\\\\n\\u0001\": int8?>"};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    check_round(same[i], same[i]);
  check_round("text", "string");
  check_round(" integer ", "int64");
  check_round("bigint", "int64");
  check_round("double", "float64");
  check_round("boolean", "bool");
  check_round("timestamp", "timestamp[us,UTC]");
  check_round("time", "time[us]");
  check_round("decimal( 9 )", "decimal(9,0)");
  check_round("struct< a :int64 ? ,b:text>", "struct<a: int64?, b: string>");
}

static void check_refused(const char *text, const char *reason) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_type type;
  CHECK_FAILS(wh_type_parse(wh_str_of(text), &arena, &type, &test_err), WH_ERR_TYPE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(reason));
}

TEST(types_that_are_none_say_why) {
  check_refused("", "type '': expected the name of a type at character 1");
  check_refused("strng", "'strng' is not a type. Did you mean 'string'?");
  check_refused("jsonb_array",
                "'jsonb_array' is not a type. Types are bool, int8 to int64, uint8 to uint64, "
                "float32, float64, decimal(12,2), date, time, timestamp, string, binary, "
                "list<...>, struct<...>");
  check_refused("decimal",
                "type 'decimal': expected its digits, as in decimal(12,2), at character 8");
  check_refused("decimal(39,0)",
                "type 'decimal(39,0)': a decimal has 1 to 38 digits, and no more of them behind "
                "the point than it has");
  check_refused("timestamp[us,Europe/London]",
                "type 'timestamp[us,Europe/London]': expected UTC at character 14");
  check_refused("time[h]", "type 'time[h]': expected s, ms, us or ns at character 6");
  check_refused("int64 x", "type 'int64 x': expected nothing more at character 7");
  check_refused("list<int64", "type 'list<int64': expected '>' at character 11");
  check_refused("struct<a int64>", "type 'struct<a int64>': expected ':' at character 10");
  check_refused("struct<\"a: int64>",
                "type 'struct<\"a: int64>': expected the closing '\"' of a name at character 18");
  check_refused(
      "struct<\"\\u00e9\": int64>",
      "type 'struct<\"\\u00e9\": int64>': expected an escape that JSON knows at character "
      "15");
}

TEST(types_nest_to_a_limit) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_type type;
  for (int depth = WH_NESTING_MAX - 1; depth <= WH_NESTING_MAX; depth++) {
    wh_buf_clear(&buf);
    for (int i = 0; i < depth; i++)
      wh_buf_add_c(&buf, "list<");
    wh_buf_add_c(&buf, "bool");
    for (int i = 0; i < depth; i++)
      wh_buf_add_c(&buf, ">");
    CHECK_EQ(wh_type_parse(wh_buf_str(&buf), &arena, &type, &test_err),
             depth < WH_NESTING_MAX ? WH_OK : WH_ERR_TYPE);
  }
}

static void check_widen(const char *a, const char *b, const char *want) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_type types[2], got;
  REQUIRE_OK(wh_type_parse(wh_str_of(a), &arena, &types[0], &test_err));
  REQUIRE_OK(wh_type_parse(wh_str_of(b), &arena, &types[1], &test_err));
  for (int i = 0; i < 2; i++) {
    bool struct_order = i == 1 && wh_str_starts(wh_str_of(a), "struct");
    if (struct_order) break; // the first one's fields come first
    wh_buf_clear(&buf);
    if (wh_type_widen(&types[i], &types[1 - i], &arena, &got))
      wh_type_write(&got, &buf);
    else
      wh_buf_add_c(&buf, "none");
    if (!wh_str_is(wh_buf_str(&buf), want)) test_note("%s and %s", a, b);
    CHECK_STR(wh_buf_str(&buf), wh_str_of(want));
  }
}

TEST(types_widen_without_loss) {
  check_widen("null", "date", "date");
  check_widen("int8", "int32", "int32");
  check_widen("uint16", "uint8", "uint16");
  check_widen("int8", "uint8", "int16");
  check_widen("int64", "uint8", "int64");
  check_widen("int16", "uint32", "int64");
  check_widen("int64", "uint64", "decimal(20,0)");
  check_widen("int64", "decimal(10,4)", "decimal(23,4)");
  check_widen("int8", "decimal(10,4)", "decimal(10,4)");
  check_widen("uint64", "decimal(20,19)", "none");
  check_widen("decimal(38,0)", "decimal(2,1)", "none");
  check_widen("decimal(10,2)", "decimal(5,4)", "decimal(12,4)");
  check_widen("float32", "float64", "float64");
  check_widen("int16", "float32", "float32");
  check_widen("int32", "float32", "float64");
  check_widen("uint32", "float64", "float64");
  check_widen("int64", "float64", "none");
  check_widen("decimal(5,2)", "float64", "none");
  check_widen("date", "timestamp[ms]", "timestamp[ms]");
  check_widen("date", "timestamp[us,UTC]", "none");
  check_widen("date", "timestamp[ns]", "none");
  check_widen("timestamp[s]", "timestamp[us]", "timestamp[us]");
  check_widen("timestamp[us]", "timestamp[ns]", "none");
  check_widen("timestamp[us]", "timestamp[us,UTC]", "none");
  check_widen("time[s]", "time[ns]", "time[ns]");
  check_widen("bool", "int8", "none");
  check_widen("string", "int8", "none");
  check_widen("string", "binary", "none");
  check_widen("list<null>", "list<int8?>", "list<int8?>");
  check_widen("list<int8>", "list<string>", "none");
  check_widen("list<int8>", "struct<a: int8>", "none");
  check_widen("struct<a: int8, b: string>", "struct<c: date, a: int64?>",
              "struct<a: int64?, b: string?, c: date?>");
  check_widen("struct<a: int8>", "struct<a: bool>", "none");
}

TEST(schemas_are_copied_found_and_written) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_field fields[] = {
      {WH_STR_INIT("OrderNumber"), {.kind = WH_STRING}, false, WH_INTERNAL},
      {WH_STR_INIT("a \"b\""), {.kind = WH_DECIMAL, .precision = 9, .scale = 2}, true, WH_SECRET}};
  wh_schema schema = {2, fields}, copy;
  REQUIRE_OK(wh_schema_copy(&schema, &arena, &copy, &test_err));
  CHECK(copy.fields != fields && wh_schema_eq(&schema, &copy));
  CHECK_EQ(wh_schema_find(&copy, WH_STR("a \"b\"")), 1);
  CHECK_EQ(wh_schema_find(&copy, WH_STR("ordernumber")), -1);
  CHECK(wh_schema_write_json(&copy, &buf));
  CHECK_STR(wh_buf_str(&buf),
            WH_STR("[{\"name\":\"OrderNumber\",\"type\":\"string\",\"nullable\":false,"
                   "\"class\":\"internal\"},{\"name\":\"a \\\"b\\\"\",\"type\":\"decimal(9,2)\","
                   "\"nullable\":true,\"class\":\"secret\"}]"));
  fields[1].privacy = WH_PUBLIC;
  CHECK(wh_schema_eq(&schema, &copy));
  fields[1].nullable = false;
  CHECK(!wh_schema_eq(&schema, &copy));
}

TEST(types_survive_without_memory) {
  wh_str text = WH_STR("struct<a: list<struct<\"b c\": int8>>, b: string, c: decimal(5,2)>");
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 100; n++) {
    wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_type type, copy;
    status = wh_type_parse(text, &arena, &type, &test_err);
    if (status == WH_OK) status = wh_type_copy(&type, &arena, &copy, &test_err);
    test_mem.fail_at = 0;
    if (status != WH_OK) CHECK_EQ(status, WH_ERR_MEMORY);
    wh_arena_free(&arena);
  }
  CHECK_EQ(status, WH_OK);
}

TEST(classes_have_names) {
  wh_class c;
  CHECK(wh_class_parse(WH_STR("personal"), &c) && c == WH_PERSONAL);
  CHECK(!wh_class_parse(WH_STR("Personal"), &c));
  CHECK_STR(wh_str_of(wh_class_name(WH_PUBLIC)), WH_STR("public"));
}

TEST(friendly_names) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const char *pairs[][2] = {{"string", "text"},
                            {"timestamp[us,UTC]", "timestamp"},
                            {"timestamp[us]", "timestamp without zone"},
                            {"decimal(12,2)", "decimal(12,2)"},
                            {"list<string?>", "list of text"},
                            {"struct<a: int8>", "struct"},
                            {"int64", "int64"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    wh_type type;
    REQUIRE_OK(wh_type_parse(wh_str_of(pairs[i][0]), &arena, &type, &test_err));
    CHECK_STR(wh_type_friendly(&type, &arena), wh_str_of(pairs[i][1]));
  }
}
