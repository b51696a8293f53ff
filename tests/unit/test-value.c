#include "data/number.h"
#include "data/temporal.h"
#include "data/value.h"
#include "test.h"

#include <math.h>

static wh_value parsed(const char *type_text, const char *text, wh_arena *arena) {
  wh_type type;
  wh_value value = {0};
  if (CHECK_OK(wh_type_parse(wh_str_of(type_text), arena, &type, &test_err)))
    CHECK_OK(wh_value_parse(wh_str_of(text), &type, arena, &value, &test_err));
  return value;
}

static void check_text(const char *type_text, const char *in, const char *out) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_value value = parsed(type_text, in, &arena);
  CHECK(wh_value_write(&value, &buf));
  CHECK_STR(wh_buf_str(&buf), wh_str_of(out));
}

static void check_refused(const char *type_text, const char *in, const char *reason) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_type type;
  wh_value value;
  REQUIRE_OK(wh_type_parse(wh_str_of(type_text), &arena, &type, &test_err));
  CHECK_FAILS(wh_value_parse(wh_str_of(in), &type, &arena, &value, &test_err), WH_ERR_TYPE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(reason));
}

TEST(values_are_read_and_written) {
  check_text("bool", "true", "true");
  check_text("int8", "-128", "-128");
  check_text("int8", "1.27e2", "127");
  check_text("int64", "-9223372036854775808", "-9223372036854775808");
  check_text("uint64", "18446744073709551615", "18446744073709551615");
  check_text("int32", "0042", "42");
  check_text("int16", "5.000", "5");
  check_text("decimal(12,2)", "-0.05", "-0.05");
  check_text("decimal(12,2)", "5", "5.00");
  check_text("decimal(12,2)", "1.5e3", "1500.00");
  check_text("decimal(38,0)", "99999999999999999999999999999999999999",
             "99999999999999999999999999999999999999");
  check_text("decimal(38,38)", "-0.99999999999999999999999999999999999999",
             "-0.99999999999999999999999999999999999999");
  check_text("decimal(5,0)", "0.0000e99999999999999999999", "0");
  check_text("float64", "0.1", "0.1");
  check_text("float64", "-0.0", "-0");
  check_text("float64", "5", "5");
  check_text("float64", "1e21", "1e+21");
  check_text("float64", "5e-324", "5e-324");
  check_text("float64", "NaN", "NaN");
  check_text("float64", "-Infinity", "-Infinity");
  check_text("float64", "+.5", "0.5");
  check_text("float64", "9007199254740993.0", "9007199254740992");
  check_text("float64", "123456789012345680000", "1.2345678901234568e+20");
  check_text("float64", "1180591620717411303424", "1.1805916207174113e+21");
  check_text("float32", "0.1", "0.1");
  check_text("float32", "16777216", "16777216");
  check_text("date", "2026-11-21", "2026-11-21");
  check_text("time[ms]", "08:55:00.120", "08:55:00.12");
  check_text("timestamp[us]", "2026-11-21 08:55", "2026-11-21T08:55:00");
  check_text("timestamp[us]", "2026-11-21", "2026-11-21T00:00:00");
  check_text("timestamp[us,UTC]", "2026-11-21T09:55:00+01:00", "2026-11-21T08:55:00Z");
  check_text("string", "Zo\xC3\xAB", "Zo\xC3\xAB");
  check_text("binary", "AAECAw==", "AAECAw==");
  check_text("binary", "", "");
  check_text("null", "null", "null");
}

TEST(values_that_do_not_fit_say_why) {
  check_refused("int64", "12x", "'12x' is not a whole number");
  check_refused("int64", "", "'' is not a whole number");
  check_refused("int64", "1.5", "'1.5' is not a whole number");
  check_refused("int8", "128", "'128' is out of the range of int8 (-128 to 127)");
  check_refused("uint64", "-1", "'-1' is out of the range of uint64 (0 to 18446744073709551615)");
  check_refused("int64", "1e999",
                "'1e999' is out of the range of int64 (-9223372036854775808 to "
                "9223372036854775807)");
  check_refused("decimal(10,2)", "12.345", "'12.345' has 3 decimal places, decimal(10,2) keeps 2");
  check_refused("decimal(5,2)", "1234",
                "'1234' has more than the 3 digits before the point that decimal(5,2) keeps");
  check_refused("decimal(5,2)", "1,5", "'1,5' is not a number");
  check_refused("float64", "9007199254740993",
                "'9007199254740993' is too large or has too many digits for float64");
  check_refused("float64", "1e309", "'1e309' is too large or has too many digits for float64");
  check_refused("float32", "16777217",
                "'16777217' is too large or has too many digits for float32");
  check_refused("float32", "1e39", "'1e39' is too large or has too many digits for float32");
  check_refused("float64", "nan", "'nan' is not a number");
  check_refused("bool", "TRUE", "'TRUE' is not true or false");
  check_refused("date", "2026-02-30", "'2026-02-30' is not a date (2026-11-21)");
  check_refused("time[s]", "08:55:00.5", "'08:55:00.5' is finer than seconds");
  check_refused("timestamp[us,UTC]", "2026-11-21T08:55:00",
                "'2026-11-21T08:55:00' does not say its zone");
  check_refused("timestamp[us]", "2026-11-21T08:55:00Z",
                "'2026-11-21T08:55:00Z' has a zone, timestamp without zone keeps none");
  check_refused("timestamp[us,UTC]", "2026-11-21T08:55:00.1234567Z",
                "'2026-11-21T08:55:00.1234567Z' is finer than microseconds");
  check_refused("timestamp[ns,UTC]", "2526-11-21T08:55:00Z",
                "'2526-11-21T08:55:00Z' is out of range in nanoseconds");
  check_refused("string", "ab\xFF", "not valid UTF-8 at byte 2 of the value");
  check_refused("binary", "AAE", "'AAE' is not base64");
  check_refused("binary", "AAF=", "'AAF=' is not base64");
  check_refused("int64", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' is not a "
                "whole number");
}

static double random_double(void) {
  uint64_t bits = test_random();
  double value;
  switch (test_random_below(4)) {
  case 0:
    memcpy(&value, &bits, sizeof value);
    return value;
  case 1:
    return (double)(int64_t)(bits >> 40) / 1000;
  case 2:
    return (double)(int64_t)bits;
  default:
    return ldexp((double)(bits >> 11), (int)test_random_below(60) - 60);
  }
}

static __int128 random_decimal(int precision) {
  __int128 value = 0;
  int digits = (int)test_random_below((uint64_t)precision + 1);
  for (int i = 0; i < digits; i++)
    value = value * 10 + (int)test_random_below(10);
  return test_random() & 1 ? -value : value;
}

static wh_type random_type(void) {
  wh_type type = wh_type_of((wh_kind)(WH_BOOL + test_random_below(WH_BINARY)));
  type.unit = (wh_unit)test_random_below(4);
  if (type.kind == WH_TIMESTAMP) type.zoned = test_random() & 1;
  if (type.kind == WH_DECIMAL) {
    type.precision = (uint8_t)(1 + test_random_below(38));
    type.scale = (uint8_t)test_random_below((uint64_t)type.precision + 1);
  }
  return type;
}

static wh_value random_value(const wh_type *type, char *bytes) {
  wh_value v = {.type = *type};
  __int128 least, most;
  switch (type->kind) {
  case WH_BOOL:
    v.as.b = test_random() & 1;
    break;
  case WH_FLOAT32: {
    uint32_t bits = (uint32_t)test_random();
    float f;
    memcpy(&f, &bits, sizeof f);
    v.as.f = (double)f;
    break;
  }
  case WH_FLOAT64:
    v.as.f = random_double();
    break;
  case WH_DECIMAL:
    v.as.d = random_decimal(type->precision);
    break;
  case WH_DATE:
    v.as.i = (int32_t)test_random();
    break;
  case WH_TIME:
    v.as.i = (int64_t)test_random_below((uint64_t)(86400 * wh_unit_per_second(type->unit)));
    break;
  case WH_TIMESTAMP:
    v.as.i = (int64_t)test_random() >> test_random_below(20);
    if (type->unit == WH_UNIT_S) v.as.i >>= 14; // readable years
    break;
  case WH_STRING:
  case WH_BINARY:
    v.as.s = wh_str_n(bytes, test_random_below(20));
    for (size_t i = 0; i < v.as.s.len; i++)
      bytes[i] = (char)(test_random() & (type->kind == WH_STRING ? 0x7F : 0xFF));
    break;
  default:
    wh_int_range(type->kind, &least, &most);
    if (least)
      v.as.i = (int64_t)test_random() >> (64 - 8 * (int)wh_kind_width(type->kind));
    else
      v.as.u = test_random() >> (64 - 8 * (int)wh_kind_width(type->kind));
  }
  return v;
}

TEST(values_round_trip_through_text_and_columns) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  for (int i = 0; i < 30000; i++) {
    char bytes[32];
    wh_type type = random_type();
    wh_value value = random_value(&type, bytes), again, stored;
    wh_buf_clear(&buf);
    wh_arena_reset(&arena);
    REQUIRE(wh_value_write(&value, &buf));
    REQUIRE_OK(wh_value_parse(wh_buf_str(&buf), &type, &arena, &again, &test_err));
    if (!CHECK_EQ(wh_value_compare(&value, &again), 0)) {
      test_note("%s", buf.data);
      return;
    }
    wh_column column;
    wh_column_init(&column, &test_mem, &type);
    REQUIRE_OK(wh_value_add(&column, &value, &test_err));
    REQUIRE_OK(wh_value_get(&column, 0, &stored, &test_err));
    CHECK_EQ(wh_value_compare(&value, &stored), 0);
    wh_column_free(&column);
  }
}

TEST(numbers_compare_exactly) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  static const char *const ascending[][2] = {
      {"float64", "-Infinity"},
      {"float64", "-1e300"},
      {"decimal(38,0)", "-99999999999999999999999999999999999999"},
      {"int64", "-9223372036854775808"},
      {"float64", "-0.1"},
      {"decimal(3,1)", "-0.1"},
      {"decimal(38,38)", "-0.00000000000000000000000000000000000001"},
      {"float64", "-5e-324"},
      {"float64", "0"},
      {"float64", "5e-324"},
      {"decimal(38,38)", "0.00000000000000000000000000000000000001"},
      {"decimal(38,3)", "0.1"},
      {"float64", "0.1"},
      {"int8", "1"},
      {"int64", "9007199254740992"},
      {"int64", "9007199254740993"},
      {"float64", "9007199254740994"},
      {"int64", "9223372036854775807"},
      {"float64", "9223372036854775808"},
      {"uint64", "9223372036854775809"},
      {"uint64", "18446744073709551615"},
      {"float64", "1e38"}, // the nearest double is a little less
      {"decimal(38,0)", "99999999999999999999999999999999999999"},
      {"float64", "Infinity"},
      {"float64", "NaN"},
      {"date", "1970-01-01"},
  };
  enum { N = sizeof ascending / sizeof *ascending };
  for (int i = 0; i < N; i++) {
    wh_value a = parsed(ascending[i][0], ascending[i][1], &arena);
    for (int j = 0; j < N; j++) {
      wh_value b = parsed(ascending[j][0], ascending[j][1], &arena);
      if (wh_value_compare(&a, &b) != (i > j) - (i < j)) {
        CHECK(false);
        test_note("%s against %s", ascending[i][1], ascending[j][1]);
      }
    }
  }
}

TEST(values_of_equal_worth_compare_equal) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  static const char *const equal[][4] = {
      {"int8", "5", "decimal(10,3)", "5"},
      {"uint64", "5", "float32", "5"},
      {"decimal(10,3)", "0.5", "float64", "0.5"},
      {"float64", "-0.0", "int8", "0"},
      {"float64", "NaN", "float32", "NaN"},
      {"decimal(38,37)", "1.5", "decimal(2,1)", "1.5"},
      {"timestamp[s,UTC]", "2026-11-21T08:55:00Z", "timestamp[ns,UTC]", "2026-11-21T08:55:00Z"},
      {"time[s]", "08:55:00", "time[us]", "08:55"},
  };
  for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
    wh_value a = parsed(equal[i][0], equal[i][1], &arena);
    wh_value b = parsed(equal[i][2], equal[i][3], &arena);
    CHECK_EQ(wh_value_compare(&a, &b), 0);
    CHECK_EQ(wh_value_compare(&b, &a), 0);
  }
  wh_value null = {.is_null = true}, text = parsed("string", "", &arena);
  CHECK_EQ(wh_value_compare(&null, &text), -1);
  CHECK_EQ(wh_value_compare(&text, &null), 1);
  CHECK_EQ(wh_value_compare(&null, &null), 0);
  wh_value local = parsed("timestamp[us]", "2026-11-21T08:55:00", &arena);
  wh_value zoned = parsed("timestamp[us,UTC]", "2026-11-21T08:55:00Z", &arena);
  CHECK_EQ(wh_value_compare(&local, &zoned), -1);
}

TEST(nested_rows_are_written_as_json) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_type type;
  REQUIRE_OK(wh_type_parse(WH_STR("struct<\"a b\": list<decimal(20,0)?>, t: timestamp[us,UTC], "
                                  "f: float64, b: binary, s: string?>"),
                           &arena, &type, &test_err));
  wh_column c;
  wh_column_init(&c, &test_mem, &type);
  CHECK_OK(wh_column_reserve(&c, 1, 0, &test_err));
  CHECK_OK(wh_column_add_decimal(&c.children[0].children[0], 5, &test_err));
  CHECK_OK(wh_column_add_null(&c.children[0].children[0], &test_err));
  CHECK_OK(wh_column_add_decimal(&c.children[0].children[0], ((__int128)1 << 53) + 1, &test_err));
  CHECK_OK(wh_column_add_list(&c.children[0], &test_err));
  CHECK_OK(wh_column_add_i64(&c.children[1], 0, &test_err));
  CHECK_OK(wh_column_add_f64(&c.children[2], NAN, &test_err));
  CHECK_OK(wh_column_add_text(&c.children[3], wh_str_n("\x00\x01", 2), &test_err));
  CHECK_OK(wh_column_add_null(&c.children[4], &test_err));
  CHECK_OK(wh_column_add_struct(&c, &test_err));
  CHECK(wh_column_write(&c, 0, &buf));
  CHECK_STR(wh_buf_str(&buf),
            WH_STR("{\"a b\":[5,null,\"9007199254740993\"],\"t\":\"1970-01-01T00:00:00Z\","
                   "\"f\":\"NaN\",\"b\":\"AAE=\",\"s\":null}"));
  wh_column_free(&c);
}
