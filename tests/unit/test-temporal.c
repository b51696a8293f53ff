#include "data/temporal.h"
#include "test.h"

static bool leap(int64_t y) {
  return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

// Walks the calendar day by day, beside the arithmetic.
TEST(civil_days_agree_with_a_walk) {
  static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int64_t days = wh_days_from_civil(-1000, 1, 1);
  int weekday = wh_weekday_from_days(days);
  bool same = true;
  for (int32_t y = -1000; y < 12000 && same; y++) {
    for (int32_t m = 1; m <= 12; m++) {
      int last = lengths[m - 1] + (m == 2 && leap(y));
      for (int32_t d = 1; d <= last; d++, days++, weekday = (weekday + 1) % 7) {
        wh_civil c;
        wh_civil_from_days(days, &c);
        same = same && c.year == y && c.month == m && c.day == d &&
               wh_days_from_civil(y, m, d) == days && wh_weekday_from_days(days) == weekday;
      }
    }
  }
  CHECK(same);
  CHECK_EQ(wh_days_from_civil(1970, 1, 1), 0);
  CHECK_EQ(wh_days_from_civil(2000, 2, 29), 11016);
  CHECK_EQ(wh_weekday_from_days(0), 4);
  CHECK_EQ(wh_weekday_from_days(-1), 3);
  CHECK_EQ(wh_days_from_civil(1, 1, 1), -719162);
}

TEST(civil_times_round_trip) {
  for (int i = 0; i < 20000; i++) {
    int64_t us = (int64_t)(test_random() >> 8) - (1ll << 55);
    wh_civil c;
    wh_civil_from_us(us, &c);
    if (!CHECK_EQ(wh_us_from_civil(&c), us)) return;
    if (!CHECK(c.hour >= 0 && c.hour < 24 && c.nanos >= 0)) return;
  }
}

static void check_iso(const char *text, int64_t us, int32_t offset_s, bool zone) {
  wh_iso iso;
  if (!test_check(wh_iso_parse(wh_str_of(text), &iso), __FILE__, __LINE__, text)) return;
  int64_t got;
  CHECK(wh_iso_to_timestamp(&iso, WH_UNIT_US, &got));
  CHECK_EQ(got, us);
  CHECK_EQ(iso.offset_s, offset_s);
  CHECK_EQ(iso.has_zone, zone);
}

TEST(iso_text_is_read) {
  check_iso("1970-01-01", 0, 0, false);
  check_iso("2026-11-21T08:55:00Z", 1795251300000000, 0, true);
  check_iso("2026-11-21 08:55", 1795251300000000, 0, false);
  check_iso("2026-11-21T10:25:00+01:30", 1795251300000000, 5400, true);
  check_iso("2026-11-21 07:55:00-01", 1795251300000000, -3600, true);
  check_iso("2026-11-21T03:55:00-0500", 1795251300000000, -18000, true);
  check_iso("2026-11-21T08:55:00.000123", 1795251300000123, 0, false);
  check_iso("1969-12-31T23:59:59.999999Z", -1, 0, true);
  check_iso("0001-01-01T00:00:00Z", -62135596800000000, 0, true);
  check_iso("9999-12-31T23:59:59.999999Z", 253402300799999999, 0, true);
  check_iso("-000001-12-31", -62167305600000000, 0, false);
  check_iso("+010000-01-01T00:00:00Z", 253402300800000000, 0, true);
  wh_iso iso;
  REQUIRE(wh_iso_parse(WH_STR("08:55:00.5"), &iso));
  CHECK(!iso.has_date && iso.has_time && iso.digits == 1 && iso.civil.nanos == 500000000);
  int64_t value;
  CHECK(wh_iso_to_time(&iso, WH_UNIT_MS, &value) && value == 32100500);
  CHECK(!wh_iso_to_time(&iso, WH_UNIT_S, &value));
}

TEST(iso_text_that_is_not_exact_is_refused) {
  const char *bad[] = {"",
                       "2026",
                       "2026-11",
                       "2026-11-21T",
                       "2026-11-21 ",
                       "2026-11-21T8:55:00Z",
                       "2026-11-21T08",
                       "2026-11-21T08:55:00.",
                       "2026-11-21T08:55:00.1234567890",
                       "2026-11-21T08:55:60Z",
                       "2026-11-21T24:00:00Z",
                       "2026-11-21T08:60",
                       "2026-11-21T08:55:00z",
                       "2026-11-21t08:55:00Z",
                       "2026-11-21  08:55",
                       "2026-11-21T08:55:00+1",
                       "2026-11-21T08:55:00+1",
                       "2026-11-21T08:55:00+24",
                       "2026-11-21T08:55:00+01:",
                       "2026-11-21T08:55:00+24:00",
                       "2026-11-21T08:55:00+01:60",
                       "2026-11-21T08:55:00Zx",
                       "2026-11-21Z",
                       "2026-02-29",
                       "1900-02-29",
                       "2026-13-01",
                       "2026-00-01",
                       "2026-01-00",
                       "2026-04-31",
                       "0000-01-01",
                       "26-01-01",
                       "2026/01/01",
                       "20260101",
                       "+002026-01-01",
                       "-000000-01-01",
                       "+1234567890-01-01",
                       "-2026-01-01",
                       "21.11.2026",
                       " 2026-11-21",
                       "8:55:00",
                       "08:55:00,5"};
  wh_iso iso;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    test_check(!wh_iso_parse(wh_str_of(bad[i]), &iso), __FILE__, __LINE__, bad[i]);
}

static void check_written(int64_t value, wh_unit unit, bool zoned, const char *want) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  CHECK(wh_iso_write_timestamp(value, unit, zoned, &buf));
  CHECK_STR(wh_buf_str(&buf), wh_str_of(want));
}

TEST(timestamps_are_written) {
  check_written(0, WH_UNIT_S, true, "1970-01-01T00:00:00Z");
  check_written(-1, WH_UNIT_NS, false, "1969-12-31T23:59:59.999999999");
  check_written(1795251300000123, WH_UNIT_US, false, "2026-11-21T08:55:00.000123");
  check_written(1795251300100, WH_UNIT_MS, true, "2026-11-21T08:55:00.1Z");
  check_written(253402300800, WH_UNIT_S, true, "+010000-01-01T00:00:00Z");
  check_written(-62135596801, WH_UNIT_S, true, "+000000-12-31T23:59:59Z");
  check_written(-62167219201, WH_UNIT_S, true, "-000001-12-31T23:59:59Z");
  check_written(INT64_MAX, WH_UNIT_S, true, "+292277026596-12-04T15:30:07Z");
  check_written(INT64_MIN, WH_UNIT_S, true, "-292277022657-01-27T08:29:52Z");
  check_written(INT64_MAX, WH_UNIT_US, true, "+294247-01-10T04:00:54.775807Z");
  check_written(INT64_MIN, WH_UNIT_NS, true, "1677-09-21T00:12:43.145224192Z");
}

TEST(units_convert_without_loss_or_not_at_all) {
  int64_t v;
  CHECK(wh_unit_convert(-5, WH_UNIT_S, WH_UNIT_NS, &v) && v == -5000000000);
  CHECK(wh_unit_convert(-5000, WH_UNIT_MS, WH_UNIT_S, &v) && v == -5);
  CHECK(!wh_unit_convert(-5001, WH_UNIT_MS, WH_UNIT_S, &v));
  CHECK(!wh_unit_convert(INT64_MAX / 10, WH_UNIT_S, WH_UNIT_MS, &v));
  CHECK(wh_unit_convert(INT64_MIN, WH_UNIT_US, WH_UNIT_US, &v) && v == INT64_MIN);
}
