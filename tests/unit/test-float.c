// Floats as text, against the C library's, which is exact and slow.
#include "data/float.h"
#include "data/format.h"
#include "data/number.h"
#include "test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t counts(uint64_t usual) {
  return test_is_long() ? usual * 100 : usual;
}

static double f64_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float f32_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static bool same_f64(double a, double b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_f32(float a, float b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

// --- Reading -------------------------------------------------------------------------------------

// Both read the text alike; what strtod makes infinite is refused.
static bool reads(const char *text) {
  wh_float_text scanned;
  wh_str s = wh_str_of(text);
  if (!wh_float_scan(s.data, s.len, &scanned)) return false;
  double want = strtod(text, NULL), got = 0;
  bool ok = wh_float_to_f64(&scanned, s, &got);
  if (ok != !isinf(want) || (ok && !same_f64(got, want))) {
    test_note("'%s': %a, and strtod %a", text, got, want);
    return false;
  }
  float narrow = 0, want_narrow = strtof(text, NULL);
  ok = wh_float_to_f32(&scanned, s, &narrow);
  if (ok != !isinf(want_narrow) || (ok && !same_f32(narrow, want_narrow))) {
    test_note("'%s': %a, and strtof %a", text, (double)narrow, (double)want_narrow);
    return false;
  }
  return true;
}

TEST(known_hard_texts_are_read_like_strtod) {
  static const char *const texts[] = {
      "0",
      "-0",
      "0.0",
      "0e5",
      "0e999999999999999999999",
      "1",
      "+1",
      "-1",
      ".5",
      "5.",
      "-.5e-3",
      // The limits, and just beyond.
      "1.7976931348623157e308",
      "1.7976931348623158e308",
      "1.7976931348623159e308",
      "1.8e308",
      "179769313486231580793e289",
      "2.2250738585072014e-308",
      "2.2250738585072011e-308",
      "2.2250738585072012e-308",
      "2.225073858507201136057409796709131975934819546351645e-308",
      "4.9406564584124654e-324",
      "4.9e-324",
      "2.4703282292062327e-324",
      "2.4703282292062328e-324",
      "2.47032822920623272e-324",
      "1e-400",
      "1e400",
      "-1e400",
      "1e-1000000000000",
      "1e1000000000000",
      "3.4028234663852886e38",
      "3.4028235677973366e38",
      "3.4028235677973367e38",
      "1.1754943508222875e-38",
      "1.4012984643248170e-45",
      "7.006492321624085e-46",
      "7.006492321624086e-46",
      "7.0064923216240853546186479164495806564013097093825788587853e-46",
      // Exactly or nearly between two doubles (from the literature on conversions).
      "9007199254740993",
      "9007199254740992.999999999",
      "9007199254740993.0000000000000000000001",
      "9007199254740995",
      "9007199254740991.4999999999999999999999999999999995",
      "8.41e21",
      "9.5367431640625e-7",
      "1e23",
      "8.5e22",
      "2.5e-7",
      "5e-324",
      "1.2345e-320",
      "6929495644600919.5",
      "3.7455744005952583e15",
      "3355446.5",
      "16777217",
      "16777219",
      "16777216.999999999999999999",
      "16777217.0000000000000000001",
      "33554433",
      "33554435",
      "89255.0e-22",
      "104110013277974872254e-225",
      "123456789012345678901234567890",
      "1230000000000000000000000000000000000000000",
      "10000000000000000000000000000001",
      "0.000000000000000000000000000000000000000000000000000123456789012345678901234567890",
      "12345678901234567890.000000",
      "1234567890123456789",
      "9999999999999999999",
      "99999999999999999999",
      "18446744073709551615",
      "18446744073709551616",
      "7.2057594037927933e16",
      "7205759403792793199999e-5",
      "7205759403792793200001e-5",
      "0.500000000000000166533453693773481063544750213623046875",
      "3.518437208883201171875e13",
      "62.5364939768271845828",
      "8.10109172351e-10",
      "1.50000000000000011102230246251565",
      "0.3e0000000000000000000000000001",
      "1E+2",
      "1e-02",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK(reads(texts[i]));
}

TEST(what_is_no_number_is_not_read) {
  static const char *const texts[] = {
      "",          "+",   "-",     ".",     "e5",
      "1e",        "1e+", "--1",   "1.2.3", "0x10",
      "1 ",        " 1",  "1e5.5", "1f",    "nan",
      "12345678:", "1,5", "1e5x",  "inf",   "12345678901234567890a"};
  wh_float_text scanned;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK(!wh_float_scan(texts[i], strlen(texts[i]), &scanned));
}

// Bits of all kinds as text of 17 digits, and with more behind them.
TEST(random_bits_are_read_like_strtod) {
  for (uint64_t n = counts(250000); n; n--) {
    double value = f64_of(test_random());
    char text[1200];
    if (!isfinite(value)) continue;
    snprintf(text, sizeof text, "%.*e", (int)test_random_below(20), value);
    REQUIRE(reads(text));
    snprintf(text, sizeof text, "%.17g", value);
    double got;
    REQUIRE(wh_f64_parse(wh_str_of(text), &got) && same_f64(got, value));
    if (n % 16) continue;
    // The middle between it and the next, with all its digits, and a little to each side.
    long double middle = ((long double)value + (long double)nextafter(value, INFINITY)) / 2;
    snprintf(text, sizeof text, "%.780Le", middle);
    REQUIRE(reads(text));
    char *last = strchr(text, 'e') - 1;
    *last = '1';
    REQUIRE(reads(text));
  }
}

TEST(random_digits_are_read_like_strtod) {
  for (uint64_t n = counts(250000); n; n--) {
    char text[64];
    size_t digits = 1 + test_random_below(30), point = test_random_below(digits + 1), at = 0;
    if (test_random_below(2)) text[at++] = '-';
    for (size_t i = 0; i < digits; i++) {
      if (i == point) text[at++] = '.';
      text[at++] = (char)('0' + test_random_below(test_random_below(4) ? 10 : 1));
    }
    int exponent = (int)test_random_below(test_random_below(4) ? 60 : 700);
    snprintf(text + at, sizeof text - at, "e%d", exponent - (exponent > 60 ? 350 : 30));
    REQUIRE(reads(text));
  }
}

TEST(every_integer_near_a_power_is_read_like_strtod) {
  for (int q = -342; q <= 308; q++) {
    for (int bit = 0; bit < 64; bit++) {
      char text[64];
      for (int64_t d = -2; d <= 2; d++) {
        snprintf(text, sizeof text, "%" PRIu64 "e%d", (UINT64_C(1) << bit) + (uint64_t)d, q);
        REQUIRE(reads(text));
      }
    }
  }
}

TEST(long_texts_are_read_exactly) {
  char text[4000];
  // 2^-1074 / 2 has 751 digits: it rounds to zero, with anything behind it up.
  int n = snprintf(text, sizeof text, "%.1075Lf", 0x1p-1075L);
  REQUIRE(n > 1000 && reads(text));
  snprintf(text + n, sizeof text - (size_t)n, "%0*d1", 1000, 0);
  double got;
  REQUIRE(wh_f64_parse(wh_str_of(text), &got));
  CHECK(same_f64(got, 0x1p-1074));
  memset(text, '0', 3000);
  text[0] = '1';
  snprintf(text + 3000, sizeof text - 3000, "e-2999");
  REQUIRE(wh_f64_parse(wh_str_of(text), &got));
  CHECK(same_f64(got, 1));
}

TEST(integers_that_a_float_cannot_keep_are_refused) {
  double wide;
  float narrow;
  CHECK(!wh_f64_parse(WH_STR("9007199254740993"), &wide));
  CHECK(wh_f64_parse(WH_STR("9007199254740993.0"), &wide) && same_f64(wide, 0x1p53));
  CHECK(wh_f64_parse(WH_STR("1180591620717411300000"), &wide) && same_f64(wide, 0x1p70));
  CHECK(wh_f64_parse(WH_STR("1180591620717411303424"), &wide) && same_f64(wide, 0x1p70));
  CHECK(!wh_f64_parse(WH_STR("1180591620717411303425"), &wide));
  CHECK(!wh_f32_parse(WH_STR("16777217"), &narrow));
  CHECK(wh_f32_parse(WH_STR("16777218"), &narrow) && same_f32(narrow, 16777218));
  // Once rounded to a double it would be rounded the wrong way a second time.
  CHECK(wh_f32_parse(WH_STR("1.00000017881393432617187499"), &narrow));
  CHECK(same_f32(narrow, 0x1.000002p0f));
  CHECK(wh_f64_parse(WH_STR("-Infinity"), &wide) && isinf(wide) && wide < 0);
  CHECK(wh_f32_parse(WH_STR("NaN"), &narrow) && isnan(narrow));
  CHECK(!wh_f32_parse(WH_STR("1e39"), &narrow));
}

// --- Writing -------------------------------------------------------------------------------------

// The C library's shortest: the fewest digits that read back.
static int library_digits(double value, bool narrow, char *text, size_t size) {
  for (int digits = 1;; digits++) {
    snprintf(text, size, "%.*e", digits - 1, value);
    if (narrow ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) return digits;
  }
}

static bool is_power_of_two(double value) {
  int exponent;
  return frexp(value, &exponent) == 0.5;
}

// Reads back, and has no more digits than it must, and the nearest ones.
static bool is_shortest(double value, bool narrow, const char *got) {
  char want[64];
  int digits = library_digits(value, narrow, want, sizeof want);
  double back = narrow ? (double)strtof(got, NULL) : strtod(got, NULL);
  wh_number a, b;
  if (!same_f64(back, value) || !wh_number_parse(wh_str_of(got), &a) ||
      !wh_number_parse(wh_str_of(want), &b)) {
    return false;
  }
  if (a.digits == b.digits && a.exponent == b.exponent) return true;
  // Beside a power of two the interval is lopsided: a shorter one may be in it that is not the
  // nearest of its length.
  char ours[24];
  int n = snprintf(ours, sizeof ours, "%llu", (unsigned long long)a.digits);
  if (is_power_of_two(value) && n < digits) return true;
  test_note("%a is '%s', the C library says '%s'", value, got, want);
  return false;
}

static bool writes_f64(double value) {
  char text[WH_FORMAT_F64_MAX + 1];
  text[wh_format_f64_bare(value, text)] = 0;
  return is_shortest(value, false, text);
}

static bool writes_f32(float value) {
  char text[WH_FORMAT_F64_MAX + 1];
  text[wh_format_f32_bare(value, text)] = 0;
  return is_shortest((double)value, true, text);
}

TEST(known_hard_floats_are_written_shortest) {
  static const double values[] = {DBL_MAX,
                                  DBL_MIN,
                                  0x1p-1074,
                                  0x1p-1073,
                                  0x0.fffffffffffffp-1022,
                                  1e23,
                                  9e22,
                                  8.41e21,
                                  2.0,
                                  0.1,
                                  0.3,
                                  1.0 / 3,
                                  2.0 / 3,
                                  1e15,
                                  1e16,
                                  1e17,
                                  123456789012345680.0,
                                  9007199254740993.0,
                                  0x1p53,
                                  0x1p63,
                                  0x1p64,
                                  0x1p70,
                                  4.35e-7,
                                  5e-5,
                                  9.5367431640625e-7,
                                  1.7800590868057611e-307,
                                  2.98023223876953125e-8,
                                  5.764607523034235e39,
                                  1.152921504606847e40,
                                  2.305843009213694e40,
                                  4.708356024711512e18,
                                  9.409340012568248e18,
                                  1.2345678,
                                  2.2250738585072011e-308,
                                  6.631236846766476e-316,
                                  3.237883913302901e-319,
                                  4.940656e-318,
                                  1.18575755e-316};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    CHECK(writes_f64(values[i]));
    CHECK(writes_f64(-values[i]));
    if (isfinite((float)values[i]) && (float)values[i] != 0) CHECK(writes_f32((float)values[i]));
  }
  CHECK(writes_f32(FLT_MAX));
  CHECK(writes_f32(FLT_MIN));
  CHECK(writes_f32(0x1p-149f));
}

TEST(every_exponent_is_written_shortest) {
  for (int e = -1074; e <= 1023; e++) {
    double value = ldexp(1, e);
    CHECK(writes_f64(value));
    CHECK(writes_f64(nextafter(value, 0) == 0 ? value : nextafter(value, 0)));
    CHECK(writes_f64(nextafter(value, INFINITY)));
  }
  for (int e = -149; e <= 127; e++) {
    float value = ldexpf(1, e);
    CHECK(writes_f32(value));
    CHECK(writes_f32(nextafterf(value, INFINITY)));
  }
}

TEST(random_bits_are_written_shortest) {
  for (uint64_t n = counts(150000); n; n--) {
    uint64_t bits = test_random();
    double value = f64_of(bits);
    if (isfinite(value)) REQUIRE(writes_f64(value));
    float narrow = f32_of((uint32_t)(bits >> 16));
    if (isfinite(narrow) && narrow != 0) REQUIRE(writes_f32(narrow));
  }
}

// All bits come back, and where 15 digits are enough printf says the same text.
TEST(random_bits_come_back) {
  for (uint64_t n = counts(1000000); n; n--) {
    uint64_t bits = test_random();
    double value = f64_of(bits), back;
    char text[WH_FORMAT_F64_MAX];
    if (isfinite(value)) {
      size_t len = wh_format_f64_bare(value, text);
      REQUIRE(len < sizeof text && wh_f64_parse(wh_str_n(text, len), &back));
      REQUIRE(same_f64(back, value));
    }
    float narrow = f32_of((uint32_t)bits), back_narrow;
    if (isfinite(narrow)) {
      size_t len = wh_format_f32_bare(narrow, text);
      REQUIRE(len < sizeof text && wh_f32_parse(wh_str_n(text, len), &back_narrow));
      REQUIRE(same_f32(back_narrow, narrow));
    }
  }
}

TEST(short_decimals_are_written_as_printf_does) {
  for (uint64_t n = counts(200000); n; n--) {
    double value = (double)(int64_t)(test_random() >> test_random_below(64)) /
                   wh_f64_powers[test_random_below(23)];
    char text[WH_FORMAT_F64_MAX + 1], want[64];
    text[wh_format_f64_bare(value, text)] = 0;
    for (int digits = 15; digits <= 17; digits++) {
      snprintf(want, sizeof want, "%.*g", digits, value);
      if (strtod(want, NULL) == value) break;
    }
    if (is_power_of_two(value)) continue;
    REQUIRE(CHECK_STR(wh_str_of(text), wh_str_of(want)));
  }
}

TEST(the_form_of_floats) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"},
               {-0.0, "-0"},
               {5, "5"},
               {-5.5, "-5.5"},
               {0.0001, "0.0001"},
               {0.00001, "1e-05"},
               {123456.789, "123456.789"},
               {999999999999999, "999999999999999"},
               {1e15, "1e+15"},
               {12345678901234568, "12345678901234568"},
               {1.5e20, "1.5e+20"},
               {1e100, "1e+100"},
               {-1.5e-300, "-1.5e-300"},
               {5e-324, "5e-324"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[WH_FORMAT_F64_MAX];
    CHECK_STR(wh_str_n(text, wh_format_f64_bare(cases[i].value, text)), wh_str_of(cases[i].text));
  }
  char text[WH_FORMAT_F64_MAX];
  CHECK_STR(wh_str_n(text, wh_format_f32_bare(0.1f, text)), WH_STR("0.1"));
  CHECK_STR(wh_str_n(text, wh_format_f32_bare(16777216.0f, text)), WH_STR("16777216"));
  CHECK_STR(wh_str_n(text, wh_format_f32_bare(1e6f, text)), WH_STR("1e+06"));
  CHECK_STR(wh_str_n(text, wh_format_f32_bare(-3.4028235e38f, text)), WH_STR("-3.4028235e+38"));
}
