// The quick forms of numbers and times, against the plain ones.
#include "data/format.h"
#include "data/number.h"
#include "data/put.h"
#include "data/temporal.h"
#include "test.h"

#include <stdio.h>

static uint64_t counts(uint64_t usual) {
  return test_is_long() ? usual * 100 : usual;
}

static uint64_t any_width(void) {
  return test_random() >> test_random_below(64);
}

TEST(integers_are_written_as_printf_does) {
  char text[WH_FORMAT_I64_MAX], want[32];
  static const uint64_t edges[] = {0,
                                   9,
                                   10,
                                   99,
                                   100,
                                   9999999,
                                   10000000,
                                   99999999,
                                   100000000,
                                   9999999999999999,
                                   10000000000000000,
                                   10000000000000001,
                                   UINT64_MAX,
                                   INT64_MAX,
                                   (uint64_t)INT64_MIN};
  size_t edge_count = sizeof edges / sizeof *edges;
  for (uint64_t n = counts(200000); n; n--) {
    uint64_t value = n <= edge_count ? edges[n - 1] : any_width();
    snprintf(want, sizeof want, "%" PRIu64, value);
    REQUIRE(CHECK_STR(wh_str_n(text, wh_format_u64(value, text)), wh_str_of(want)));
    snprintf(want, sizeof want, "%" PRId64, (int64_t)value);
    REQUIRE(CHECK_STR(wh_str_n(text, wh_format_i64((int64_t)value, text)), wh_str_of(want)));
  }
}

TEST(decimals_are_written_with_their_scale) {
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &test_mem, 0);
  for (uint64_t n = counts(200000); n; n--) {
    char text[WH_FORMAT_DECIMAL_MAX];
    unsigned __int128 wide = (unsigned __int128)any_width() << 64 | test_random();
    __int128 value = (__int128)(wide >> test_random_below(128)) % wh_pow10(38);
    if (test_random_below(4) == 0) value = wh_pow10((int)test_random_below(38));
    if (test_random_below(2)) value = -value;
    int scale = (int)test_random_below(39);
    wh_buf_clear(&want);
    REQUIRE(wh_decimal_write(value, scale, &want));
    REQUIRE(CHECK_STR(wh_str_n(text, wh_format_decimal(value, scale, text)), wh_buf_str(&want)));
  }
}

TEST(times_are_written_as_iso_8601) {
  WH_CLEAN_BUF wh_buf want;
  wh_buf_init(&want, &test_mem, 0);
  for (uint64_t n = counts(200000); n; n--) {
    char text[WH_PUT_TIMESTAMP_ROOM];
    wh_unit unit = (wh_unit)test_random_below(4);
    int64_t per_second = wh_unit_per_second(unit);
    int64_t value = (int64_t)test_random_below((uint64_t)(86400 * per_second));
    if (test_random_below(2)) value -= value % 1000;
    if (test_random_below(4) == 0) value -= value % per_second;
    wh_buf_clear(&want);
    REQUIRE(wh_iso_write_time(value, unit, &want));
    size_t len = (size_t)(wh_put_time(text, value, unit) - text);
    REQUIRE(CHECK_STR(wh_str_n(text, len), wh_buf_str(&want)));

    int64_t days = (int64_t)test_random_below(200000) - 100000;
    if (unit == WH_UNIT_NS) days /= 2;
    value += days * 86400 * per_second;
    bool zoned = test_random_below(2);
    wh_buf_clear(&want);
    REQUIRE(wh_iso_write_timestamp(value, unit, zoned, &want));
    len = (size_t)(wh_put_timestamp(text, value, unit, zoned) - text);
    REQUIRE(CHECK_STR(wh_str_n(text, len), wh_buf_str(&want)));
  }
}

TEST(times_outside_of_four_digit_years_are_left_alone) {
  char text[WH_PUT_TIMESTAMP_ROOM];
  CHECK(wh_put_timestamp(text, INT64_MIN, WH_UNIT_US, true) == NULL);
  int64_t first = WH_PUT_FIRST_DAY * 86400ll, last = WH_PUT_LAST_DAY * 86400ll + 86399;
  CHECK(wh_put_timestamp(text, first - 1, WH_UNIT_S, true) == NULL);
  CHECK(wh_put_timestamp(text, last + 1, WH_UNIT_S, true) == NULL);
  char *end = wh_put_timestamp(text, first, WH_UNIT_S, true);
  CHECK_STR(wh_str_n(text, (size_t)(end - text)), WH_STR("0001-01-01T00:00:00Z"));
  end = wh_put_timestamp(text, last, WH_UNIT_S, false);
  CHECK_STR(wh_str_n(text, (size_t)(end - text)), WH_STR("9999-12-31T23:59:59"));
}

TEST(floats_keep_a_fraction) {
  char text[WH_FORMAT_F64_MAX];
  CHECK_STR(wh_str_n(text, wh_format_f64(5, text)), WH_STR("5.0"));
  CHECK_STR(wh_str_n(text, wh_format_f64(-0.0, text)), WH_STR("-0.0"));
  CHECK_STR(wh_str_n(text, wh_format_f64(0, text)), WH_STR("0.0"));
  CHECK_STR(wh_str_n(text, wh_format_f64(120000, text)), WH_STR("120000.0"));
  CHECK_STR(wh_str_n(text, wh_format_f64(1e15, text)), WH_STR("1e+15"));
  CHECK_STR(wh_str_n(text, wh_format_f64(-0.25, text)), WH_STR("-0.25"));
  CHECK_STR(wh_str_n(text, wh_format_f32(100, text)), WH_STR("100.0"));
  CHECK_STR(wh_str_n(text, wh_format_f64_bare(120000, text)), WH_STR("120000"));
  CHECK_STR(wh_str_n(text, wh_format_f64_bare(0, text)), WH_STR("0"));
}
