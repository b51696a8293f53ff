#include "data/cast.h"
#include "data/temporal.h"
#include "data/time_format.h"
#include "data/value.h"
#include "random_batch.h"

static wh_cast_options options;
static char why[WH_ERROR_TEXT_MAX];

static wh_status failed(void *context, size_t row, const char *reason, wh_error *err) {
  (void)row, (void)err;
  snprintf(why, sizeof why, "%s", reason);
  ++*(size_t *)context;
  return WH_OK;
}

static wh_type type_of(const char *text, wh_arena *arena) {
  wh_type type = {0};
  CHECK_OK(wh_type_parse(wh_str_of(text), arena, &type, &test_err));
  return type;
}

// Casts the value that `text` says; writes what came out, or "!" and the reason.
static void cast_one(const char *from, const char *text, const char *to, wh_buf *result) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_type a = type_of(from, &arena), b = type_of(to, &arena);
  wh_value value;
  wh_column in, out;
  size_t count = 0;
  REQUIRE_OK(wh_value_parse(wh_str_of(text), &a, &arena, &value, &test_err));
  wh_column_init(&in, &test_mem, &a);
  wh_column_init(&out, &test_mem, &b);
  CHECK_OK(wh_column_add_null(&in, &test_err));
  CHECK_OK(wh_value_add(&in, &value, &test_err));
  wh_status status = wh_cast_column(&in, &out, &options, failed, &count, &test_err);
  if (status != WH_OK) {
    wh_buf_printf(result, "!!%s", test_err.text);
  } else if (CHECK_EQ(out.length, 2)) {
    CHECK(wh_column_is_null(&out, 0));
    CHECK_EQ(wh_column_is_null(&out, 1), count);
    if (count)
      wh_buf_printf(result, "!%s", why);
    else
      wh_column_write(&out, 1, result);
  }
  wh_column_free(&in);
  wh_column_free(&out);
}

static void check_cast(const char *from, const char *text, const char *to, const char *want) {
  WH_CLEAN_BUF wh_buf result;
  wh_buf_init(&result, &test_mem, 0);
  cast_one(from, text, to, &result);
  if (!wh_str_is(wh_buf_str(&result), want)) test_note("%s '%s' to %s", from, text, to);
  CHECK_STR(wh_buf_str(&result), wh_str_of(want));
}

TEST(casts_between_numbers) {
  options = (wh_cast_options){0};
  check_cast("int64", "127", "int8", "127");
  check_cast("int64", "128", "int8", "!'128' is out of the range of int8 (-128 to 127)");
  check_cast("int8", "-1", "uint64",
             "!'-1' is out of the range of uint64 (0 to 18446744073709551615)");
  check_cast("uint64", "18446744073709551615", "decimal(20,0)", "18446744073709551615");
  check_cast("int64", "5", "decimal(3,2)", "5.00");
  check_cast("int64", "50", "decimal(3,2)",
             "!'50' has more than the 1 digits before the point that decimal(3,2) keeps");
  check_cast("decimal(12,3)", "12.340", "decimal(10,2)", "12.34");
  check_cast("decimal(12,3)", "12.345", "decimal(10,2)",
             "!'12.345' has 3 decimal places, decimal(10,2) keeps 2");
  check_cast("decimal(12,3)", "-12.000", "int16", "-12");
  check_cast("decimal(12,3)", "-12.5", "int16", "!'-12.500' is not a whole number");
  check_cast("int64", "9007199254740992", "float64", "9007199254740992");
  check_cast("int64", "9007199254740993", "float64",
             "!'9007199254740993' is too large or has too many digits for float64");
  check_cast("int64", "16777217", "float32",
             "!'16777217' is too large or has too many digits for float32");
  check_cast("decimal(10,2)", "0.10", "float64", "0.1");
  check_cast("decimal(10,2)", "0.10", "float32", "0.1");
  check_cast("decimal(38,20)", "0.12345678901234567890", "float64",
             "!'0.12345678901234567890' has more digits than float64 keeps");
  check_cast("float64", "0.1", "decimal(10,2)", "0.10");
  check_cast("float64", "0.125", "decimal(10,2)",
             "!'0.125' has 3 decimal places, decimal(10,2) keeps 2");
  check_cast("float64", "NaN", "decimal(10,2)", "!'NaN' is not a number");
  check_cast("float64", "1e15", "int64", "1000000000000000");
  check_cast("float64", "-0.0", "int64", "0");
  check_cast("float64", "1.5", "int64", "!'1.5' is not a whole number");
  check_cast("float64", "Infinity", "int64", "!'Infinity' is not a whole number");
  check_cast("float64", "1e300", "int64",
             "!'1e+300' is out of the range of int64 (-9223372036854775808 to "
             "9223372036854775807)");
  check_cast("float64", "9223372036854775808", "int64",
             "!'9.223372036854776e+18' is out of the range of int64 (-9223372036854775808 to "
             "9223372036854775807)");
  check_cast("float64", "0.5", "float32", "0.5");
  check_cast("float64", "NaN", "float32", "NaN");
  check_cast("float64", "0.1", "float32", "!'0.1' has more digits than float32 keeps");
  check_cast("float32", "0.5", "float64", "0.5");
  check_cast("int8", "1", "bool", "true");
  check_cast("int8", "2", "bool", "!'2' is neither 0 nor 1");
  check_cast("bool", "true", "uint64", "1");
}

TEST(casts_from_and_to_text) {
  options = (wh_cast_options){0};
  check_cast("string", "-42", "int32", "-42");
  check_cast("string", "12x", "int32", "!'12x' is not a whole number");
  check_cast("string", " 12", "int32", "!' 12' is not a whole number");
  check_cast("string", "12.5", "decimal(5,2)", "12.50");
  check_cast("string", "true", "bool", "true");
  check_cast("string", "yes", "bool", "!'yes' is not true or false");
  check_cast("string", "AAE=", "binary", "AAE=");
  check_cast("string", "2026-11-21", "date", "2026-11-21");
  check_cast("string", "1996-07-04 00:00:00", "date", "1996-07-04");
  check_cast("string", "1996-07-04 01:00:00", "date",
             "!'1996-07-04 01:00:00' has a time of day, a date keeps none");
  check_cast("string", "21.11.2026", "date", "!'21.11.2026' is not a date");
  check_cast("string", "2026-11-21", "timestamp[us]", "2026-11-21T00:00:00");
  check_cast("string", "2026-11-21T08:55:00+01:00", "timestamp[us,UTC]", "2026-11-21T07:55:00Z");
  check_cast("string", "2026-11-21T08:55:00", "timestamp[us,UTC]",
             "!'2026-11-21T08:55:00' does not say its zone, and no timezone is given");
  check_cast("string", "2026-11-21T08:55:00Z", "timestamp[us]",
             "!'2026-11-21T08:55:00Z' is an instant; without a timezone it has no local time");
  check_cast("string", "2026-11-21T08:55:00.5Z", "timestamp[s,UTC]",
             "!'2026-11-21T08:55:00.5Z' is finer than seconds");
  check_cast("string", "3000-01-01T00:00:00Z", "timestamp[ns,UTC]",
             "!'3000-01-01T00:00:00Z' is out of range in nanoseconds");
  check_cast("string", "08:55", "time[ms]", "08:55:00");
  check_cast("int64", "-42", "string", "-42");
  check_cast("float64", "5e-1", "string", "0.5");
  check_cast("decimal(5,2)", "5", "string", "5.00");
  check_cast("timestamp[us,UTC]", "2026-11-21T08:55:00Z", "string", "2026-11-21T08:55:00Z");
  check_cast("binary", "AAE=", "string", "AAE=");
}

TEST(casts_between_temporal_types) {
  options = (wh_cast_options){0};
  check_cast("timestamp[s]", "2026-11-21T08:55:00", "timestamp[ns]", "2026-11-21T08:55:00");
  check_cast("timestamp[us]", "2026-11-21T08:55:00.5", "timestamp[s]",
             "!'2026-11-21T08:55:00.5' is finer than seconds");
  check_cast("timestamp[us]", "2300-01-01T00:00:00", "timestamp[ns]",
             "!'2300-01-01T00:00:00' is out of range in nanoseconds");
  check_cast("time[us]", "08:55:00.5", "time[ms]", "08:55:00.5");
  check_cast("time[us]", "08:55:00.0005", "time[ms]",
             "!'08:55:00.0005' is finer than milliseconds");
  check_cast("date", "2026-11-21", "timestamp[us]", "2026-11-21T00:00:00");
  check_cast("date", "2026-11-21", "timestamp[us,UTC]",
             "!'2026-11-21T00:00:00' does not say its zone, and no timezone is given");
  check_cast("timestamp[us]", "2026-11-21T00:00:00", "date", "2026-11-21");
  check_cast("timestamp[us]", "1926-11-21T08:55:00", "date",
             "!'1926-11-21T08:55:00' is not midnight");
  check_cast("date", "2026-11-21", "int64", "!!date cannot become int64");
  check_cast("int64", "5", "timestamp", "!!int64 cannot become timestamp");
  check_cast("timestamp[us]", "1926-11-21T08:55:00", "time",
             "!!timestamp without zone cannot become time");
}

TEST(casts_through_a_zone) {
  wh_os_real os;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  REQUIRE_OK(wh_os_real_init(&os, &test_mem, &test_err));
  options = (wh_cast_options){0};
  wh_status status = wh_zone_open(&os.base, WH_STR("Europe/London"), &arena, &options.zone, NULL);
  wh_os_real_free(&os);
  if (status != WH_OK) SKIP("no time zone files (package tzdata)");
  check_cast("timestamp[us]", "2026-07-01T12:00:00", "timestamp[us,UTC]", "2026-07-01T11:00:00Z");
  check_cast("timestamp[ms]", "1960-07-01T12:00:00.25", "timestamp[us,UTC]",
             "1960-07-01T11:00:00.25Z");
  check_cast("timestamp[us]", "2026-10-25T01:30:00", "timestamp[us,UTC]",
             "!'2026-10-25T01:30:00' exists twice in Europe/London");
  check_cast("timestamp[us]", "2026-03-29T01:30:00", "timestamp[us,UTC]",
             "!'2026-03-29T01:30:00' does not exist in Europe/London");
  check_cast("timestamp[us,UTC]", "2026-07-01T11:00:00Z", "timestamp[us]", "2026-07-01T12:00:00");
  check_cast("timestamp[us,UTC]", "2026-10-25T00:30:00Z", "timestamp[us]",
             "!'2026-10-25T01:30:00' exists twice in Europe/London");
  check_cast("timestamp[us,UTC]", "2026-06-30T23:00:00Z", "date", "2026-07-01");
  check_cast("date", "2026-07-01", "timestamp[us,UTC]", "2026-06-30T23:00:00Z");
  check_cast("string", "2026-07-01 12:00", "timestamp[us,UTC]", "2026-07-01T11:00:00Z");
  check_cast("string", "2026-07-01T11:00:00Z", "timestamp[us]", "2026-07-01T12:00:00");
  // Times of changes: the later instant that has come, and the jump.
  options.settle_local = true;
  options.clock_us = 1792891799ll * 1000000 + 999999; // 2026-10-25T01:29:59.999999Z
  check_cast("timestamp[us]", "2026-10-25T01:30:00", "timestamp[us,UTC]", "2026-10-25T00:30:00Z");
  check_cast("timestamp[us]", "2026-10-25T01:29:59.5", "timestamp[us,UTC]",
             "2026-10-25T01:29:59.5Z");
  check_cast("string", "2026-10-25 01:10:00", "timestamp[ns,UTC]", "2026-10-25T01:10:00Z");
  check_cast("timestamp[s]", "2026-10-25T02:00:00", "timestamp[us,UTC]", "2026-10-25T02:00:00Z");
  check_cast("timestamp[us]", "2026-03-29T01:30:00.5", "timestamp[us,UTC]", "2026-03-29T01:00:00Z");
  check_cast("timestamp[us,UTC]", "2026-10-25T00:30:00Z", "timestamp[us]",
             "!'2026-10-25T01:30:00' exists twice in Europe/London");
  options = (wh_cast_options){0};
}

TEST(casts_follow_formats) {
  const wh_str formats[] = {WH_STR("%d.%m.%Y"), WH_STR("%m/%d/%Y %H:%M"), WH_STR("%Hh%M")};
  options = (wh_cast_options){.formats = formats, .format_count = 3};
  check_cast("string", "1.2.2026", "date", "2026-02-01");
  check_cast("string", "31.04.2026", "date", "!'31.04.2026' is not a date");
  check_cast("string", "2026-02-01", "date", "2026-02-01");
  check_cast("string", "11/21/2026 8:55", "timestamp[us]", "2026-11-21T08:55:00");
  check_cast("string", "8h55", "time[us]", "08:55:00");
  options = (wh_cast_options){0};
}

TEST(time_formats_are_checked) {
  static const char *const good[] = {"%Y-%m-%d", "%d.%m.%Y %H:%M:%S.%f %z", "%H%M", "100%% %Y%m%d"};
  static const char *const bad[][2] = {
      {"%Y-%m", "'%Y-%m': a date needs %Y, %m and %d"},
      {"%y-%m-%d", "'%y-%m-%d': %y is not known; there are %Y %m %d %H %M %S %f %z"},
      {"%H", "'%H': a time needs %H and %M, a fraction %S, and a zone a time"},
      {"%Y%m%d%z", "'%Y%m%d%z': a time needs %H and %M, a fraction %S, and a zone a time"},
      {"%H:%M.%f", "'%H:%M.%f': a time needs %H and %M, a fraction %S, and a zone a time"},
      {"%d%d%m%Y", "'%d%d%m%Y': %d stands there twice"},
      {"%Y%m%d%", "'%Y%m%d%': %? is not known; there are %Y %m %d %H %M %S %f %z"},
      {"x", "'x' has no part of a date or time"}};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    CHECK_OK(wh_time_format_check(wh_str_of(good[i]), &test_err));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_FAILS(wh_time_format_check(wh_str_of(bad[i][0]), &test_err), WH_ERR_USAGE);
    CHECK_STR(wh_str_of(test_err.text), wh_str_of(bad[i][1]));
  }
  wh_iso iso;
  int64_t us;
  REQUIRE(wh_time_format_parse(wh_str_of(good[1]), WH_STR("1.2.2026 3:04:05.006 +01:30"), &iso));
  CHECK(wh_iso_to_timestamp(&iso, WH_UNIT_US, &us));
  CHECK_EQ(us, 1769909645006000);
  CHECK(!wh_time_format_parse(WH_STR("%H:%M"), WH_STR("24:00"), &iso));
  CHECK(!wh_time_format_parse(WH_STR("%H:%M"), WH_STR("12:00 "), &iso));
  CHECK(!wh_time_format_parse(WH_STR("%d.%m.%Y"), WH_STR("1.1.26"), &iso));
  CHECK(!wh_time_format_parse(WH_STR("%Y%m%d"), WH_STR("20230229"), &iso));
  CHECK(wh_time_format_parse(WH_STR("100%% %Y%m%d"), WH_STR("100% 20240229"), &iso));
}

TEST(casts_of_nested_values) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_type a = type_of("struct<n: list<int64?>, s: string>", &arena);
  wh_type b = type_of("struct<s: string, n: list<int8>, extra: date?>", &arena);
  wh_column in, out;
  wh_column_init(&in, &test_mem, &a);
  wh_column_init(&out, &test_mem, &b);
  REQUIRE_OK(wh_column_reserve(&in, 0, 0, &test_err));
  for (int row = 0; row < 3; row++) { // 1: too large, 2: a missing item
    CHECK_OK(wh_column_add_i64(&in.children[0].children[0], row == 1 ? 1000 : 5, &test_err));
    if (row == 2) CHECK_OK(wh_column_add_null(&in.children[0].children[0], &test_err));
    CHECK_OK(wh_column_add_list(&in.children[0], &test_err));
    CHECK_OK(wh_column_add_text(&in.children[1], WH_STR("x"), &test_err));
    CHECK_OK(wh_column_add_struct(&in, &test_err));
  }
  size_t count = 0;
  CHECK_OK(wh_cast_column(&in, &out, NULL, failed, &count, &test_err));
  CHECK_EQ(count, 2);
  CHECK_STR(wh_str_of(why), WH_STR("its 'item' is missing"));
  CHECK_EQ(out.null_count, 2);
  CHECK(wh_column_write(&out, 0, &text));
  CHECK_STR(wh_buf_str(&text), WH_STR("{\"s\":\"x\",\"n\":[5],\"extra\":null}"));
  CHECK_EQ(out.children[1].children[0].length, 1);
  wh_column_free(&out);
  // Without a callback the first one ends it, and leaves no trace.
  wh_column_init(&out, &test_mem, &b);
  CHECK_FAILS(wh_cast_column(&in, &out, NULL, NULL, NULL, &test_err), WH_ERR_TYPE);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("row 2: '1000' is out of the range of int8 (-128 to 127)"));
  CHECK_EQ(out.length, 1);
  wh_column_free(&out);
  wh_type string = wh_type_of(WH_STRING);
  wh_column_init(&out, &test_mem, &string);
  CHECK_OK(wh_cast_column(&in, &out, NULL, NULL, NULL, &test_err));
  CHECK_STR(wh_column_text(&out, 2), WH_STR("{\"n\":[5,null],\"s\":\"x\"}"));
  wh_column_free(&out);
  wh_column_free(&in);
  // No field is dropped, and one that is needed must be there.
  wh_type fewer = type_of("struct<s: string>", &arena);
  wh_type more = type_of("struct<n: list<int64?>, s: string, t: int8>", &arena);
  CHECK(!wh_cast_possible(&a, &fewer));
  CHECK(!wh_cast_possible(&a, &more));
}

static wh_status stop(void *context, size_t row, const char *reason, wh_error *err) {
  (void)context, (void)reason;
  return wh_fail(err, WH_ERR_LIMIT, "too many, at %zu", row);
}

TEST(casts_end_when_the_callback_says_so) {
  wh_type string = wh_type_of(WH_STRING), number = wh_type_of(WH_INT8);
  wh_column in, out;
  wh_column_init(&in, &test_mem, &string);
  wh_column_init(&out, &test_mem, &number);
  CHECK_OK(wh_column_add_text(&in, WH_STR("1"), &test_err));
  CHECK_OK(wh_column_add_text(&in, WH_STR("x"), &test_err));
  CHECK_FAILS(wh_cast_column(&in, &out, NULL, stop, NULL, &test_err), WH_ERR_LIMIT);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("too many, at 1"));
  wh_column_free(&in);
  wh_column_free(&out);
}

// What was cast and cast back is the same, or was refused; and what becomes text comes back whole.
TEST(casts_lose_nothing) {
  for (int round = 0; round < 3000; round++) {
    wh_type types[2] = {test_random_scalar(), test_random_scalar()};
    if (round % 3 == 0) types[1] = wh_type_of(WH_STRING);
    if (types[0].kind == WH_STRING) continue; // '07' is 7, and comes back as such
    if (!wh_cast_possible(&types[0], &types[1])) continue;
    wh_column in, there, back;
    wh_column_init(&in, &test_mem, &types[0]);
    wh_column_init(&there, &test_mem, &types[1]);
    wh_column_init(&back, &test_mem, &types[0]);
    for (int i = 0; i < 20; i++)
      CHECK_OK(test_random_value(&in, 6, &test_err));
    size_t refused = 0, lost = 0;
    CHECK_OK(wh_cast_column(&in, &there, NULL, failed, &refused, &test_err));
    CHECK_EQ(there.null_count, in.null_count + refused);
    if (types[1].kind == WH_STRING) CHECK_EQ(refused, 0);
    if (wh_cast_possible(&types[1], &types[0])) {
      CHECK_OK(wh_cast_column(&there, &back, NULL, failed, &lost, &test_err));
      if (lost) test_note("%s", why);
      CHECK_EQ(lost, 0);
      for (size_t i = 0; i < in.length; i++) {
        if (wh_column_is_null(&there, i)) continue;
        if (test_cells_equal(&in, i, &back, i)) continue;
        test_note("kind %d to %d, row %zu", (int)types[0].kind, (int)types[1].kind, i);
        CHECK(false);
      }
    }
    wh_column_free(&in);
    wh_column_free(&there);
    wh_column_free(&back);
  }
}

TEST(casts_survive_without_memory) {
  static const char *const pairs[][2] = {{"int64", "string"},
                                         {"string", "int64"},
                                         {"float64", "decimal(38,6)"},
                                         {"decimal(30,2)", "float64"},
                                         {"list<int64?>", "list<string?>"},
                                         {"string", "timestamp[us]"}};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
    wh_type a = type_of(pairs[p][0], &arena), b = type_of(pairs[p][1], &arena);
    wh_column in;
    wh_column_init(&in, &test_mem, &a);
    REQUIRE_OK(wh_column_reserve(&in, 0, 0, &test_err));
    for (int i = 0; i < 50; i++)
      CHECK_OK(test_random_value(&in, 5, &test_err));
    wh_status status = WH_ERR_MEMORY;
    for (size_t n = 1; status != WH_OK && n < 500; n++) {
      wh_column out;
      size_t count = 0;
      wh_column_init(&out, &test_mem, &b);
      test_mem.fail_at = atomic_load(&test_mem.count) + n;
      status = wh_cast_column(&in, &out, NULL, failed, &count, &test_err);
      test_mem.fail_at = 0;
      if (status != WH_OK) CHECK_EQ(status, WH_ERR_MEMORY);
      wh_column_free(&out);
    }
    CHECK_EQ(status, WH_OK);
    wh_column_free(&in);
  }
}
