// Where keys are cut.
#include "connect/range_split.h"
#include "test.h"

static const char *cut(const char *type_text, const char *min_text, const char *max_text,
                       size_t count, wh_arena *arena) {
  wh_type type;
  wh_value min, max, bounds[WH_RANGES_MAX];
  size_t bound_count = 99;
  if (!CHECK_OK(wh_type_parse(wh_str_of(type_text), arena, &type, &test_err))) return "";
  if (!CHECK_OK(wh_value_parse(wh_str_of(min_text), &type, arena, &min, &test_err)) ||
      !CHECK_OK(wh_value_parse(wh_str_of(max_text), &type, arena, &max, &test_err)))
    return "";
  if (!CHECK_OK(wh_range_bounds(&min, &max, count, arena, bounds, &bound_count, &test_err)))
    return "";
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  for (size_t i = 0; i < bound_count; i++) {
    wh_value_write(&bounds[i], &out);
    wh_buf_add_char(&out, ' ');
    CHECK(wh_value_compare(&bounds[i], i ? &bounds[i - 1] : &min) > 0 ||
          wh_value_compare(&bounds[i], i ? &bounds[i - 1] : &max) > 0);
  }
  return wh_arena_cstr(arena, wh_buf_str(&out));
}

TEST(ranges_are_cut_by_width) {
  static const struct {
    const char *type, *min, *max;
    size_t count;
    const char *want;
  } cases[] = {
      {"int64", "1", "31", 3, "11 21 "},
      {"int64", "-9223372036854775808", "9223372036854775807", 2, "-1 "},
      {"uint64", "0", "18446744073709551615", 2, "9223372036854775807 "},
      {"int32", "5", "5", 4, ""},
      {"int32", "5", "7", 16, "6 "},
      {"int8", "-4", "4", 4, "-2 0 2 "},
      {"decimal(38,2)", "-999999999999999999999999999999999999.99",
       "999999999999999999999999999999999999.99", 2, "0.00 "},
      {"float64", "-1e308", "1e308", 2, "0 "},
      {"date", "2026-01-01", "2026-01-11", 2, "2026-01-06 "},
      {"timestamp[us]", "2026-01-01T00:00:00", "2026-01-01T00:00:03", 3,
       "2026-01-01T00:00:01 2026-01-01T00:00:02 "},
      {"time[s]", "00:00:00", "12:00:00", 2, "06:00:00 "},
      {"string", "a", "a", 4, ""},
      {"string", "", "", 4, ""},
      {"string", "order-100", "order-900", 2, "order-500 "},
      {"string", "a", "c", 2, "b "},
      {"string", "c", "a", 2, "b "},
      {"string", "größe", "größte", 2, "größl~ "},
      {"bool", "false", "true", 2, ""},
      {"binary", "AA==", "/w==", 2, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    CHECK_STR(wh_str_of(cut(cases[i].type, cases[i].min, cases[i].max, cases[i].count, &arena)),
              wh_str_of(cases[i].want));
  }
}

TEST(ranges_of_uuids) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  const char *bounds = cut("string", "00000000-0000-0000-0000-000000000000",
                           "ffffffff-ffff-ffff-ffff-ffffffffffff", 2, &arena);
  CHECK(strlen(bounds) > 2 && bounds[0] > '0' && bounds[0] < 'f');
}

TEST(ranges_of_nothing) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_value null = {.type = wh_type_of(WH_INT64), .is_null = true}, bounds[WH_RANGES_MAX];
  wh_value one = {.type = wh_type_of(WH_INT64), .as.i = 1};
  wh_value endless = {.type = wh_type_of(WH_FLOAT64), .as.f = 1.0 / 0.0};
  wh_value zero = {.type = wh_type_of(WH_FLOAT64)};
  size_t count = 9;
  CHECK_OK(wh_range_bounds(&null, &one, 4, &arena, bounds, &count, &test_err));
  CHECK_EQ(count, 0);
  CHECK_OK(wh_range_bounds(&zero, &endless, 4, &arena, bounds, &count, &test_err));
  CHECK_EQ(count, 0);
  CHECK_OK(wh_range_bounds(&zero, &one, 4, &arena, bounds, &count, &test_err));
  CHECK_EQ(count, 0);
}
