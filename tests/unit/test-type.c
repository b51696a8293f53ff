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
