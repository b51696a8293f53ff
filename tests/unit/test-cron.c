#include "config/config.h"
#include "data/zone.h"
#include "test.h"

static wh_arena arena;
static wh_os_real real;

// "2026-03-29T01:00:00Z" to microseconds.
static int64_t at(const char *text) {
  wh_iso iso;
  if (!CHECK(wh_iso_parse(wh_str_of(text), &iso))) return 0;
  return wh_us_from_civil(&iso.civil) - (int64_t)iso.offset_s * 1000000;
}

static void check_next(const char *cron_text, const wh_zone *zone, const char *after,
                       const char *want) {
  wh_cron cron;
  if (!CHECK_OK(wh_cron_parse(wh_str_of(cron_text), &cron, &test_err))) return;
  int64_t got = wh_cron_next(&cron, zone, at(after));
  if (got == at(want)) return;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_iso_write_timestamp(got, WH_UNIT_US, true, &text);
  test_note("'%s' after %s is %.*s, expected %s", cron_text, after, WH_STR_ARG(wh_buf_str(&text)),
            want);
  CHECK(false);
}

static const wh_zone *zone_of(const char *name) {
  const wh_zone *zone = NULL;
  wh_arena_init(&arena, &test_mem);
  CHECK_OK(wh_os_real_init(&real, &test_mem, &test_err));
  CHECK_OK(wh_zone_open(&real.base, wh_str_of(name), &arena, &zone, &test_err));
  return zone;
}

static void end(void) {
  wh_arena_free(&arena);
  wh_os_real_free(&real);
}

static void check_refused(const char *text, const char *want) {
  wh_cron cron;
  CHECK_FAILS(wh_cron_parse(wh_str_of(text), &cron, &test_err), WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
}

TEST(cron_fields) {
  wh_cron c;
  REQUIRE_OK(wh_cron_parse(WH_STR("*/15 9-17 1,15 jan-mar,DEC mon-fri"), &c, &test_err));
  CHECK_EQ(c.minutes, 1ull | 1ull << 15 | 1ull << 30 | 1ull << 45);
  CHECK_EQ(c.hours, 0x3FE00);
  CHECK_EQ(c.days, 1 << 1 | 1 << 15);
  CHECK_EQ(c.months, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 12);
  CHECK_EQ(c.weekdays, 0x3E);
  CHECK(!c.any_day && !c.any_weekday);
  REQUIRE_OK(wh_cron_parse(WH_STR("  5\t0  * * 7 "), &c, &test_err));
  CHECK_EQ(c.weekdays, 1);
  CHECK(c.any_day && !c.any_weekday);
  REQUIRE_OK(wh_cron_parse(WH_STR("0 0 * * 5-7"), &c, &test_err));
  CHECK_EQ(c.weekdays, 1 | 1 << 5 | 1 << 6);
  REQUIRE_OK(wh_cron_parse(WH_STR("0 0 * * sat-sun"), &c, &test_err));
  CHECK_EQ(c.weekdays, 1 | 1 << 6);
  REQUIRE_OK(wh_cron_parse(WH_STR("10-50/20 * * * *"), &c, &test_err));
  CHECK_EQ(c.minutes, 1ull << 10 | 1ull << 30 | 1ull << 50);
  REQUIRE_OK(wh_cron_parse(WH_STR("@Daily"), &c, &test_err));
  CHECK(c.minutes == 1 && c.hours == 1 && c.any_day && c.any_weekday);
}

TEST(cron_refuses) {
  check_refused("* * * *", "expected five fields (minute hour day month weekday), found 4");
  check_refused("0 0 6 * * *", "expected five fields (minute hour day month weekday), found 6");
  check_refused("60 * * * *", "the minute must be between 0 and 59, found '60'");
  check_refused("* * 0 * *", "the day must be between 1 and 31, found '0'");
  check_refused("* * * foo *", "the month must be between 1 and 12 or jan to dec, found 'foo'");
  check_refused("* * * * 8", "the weekday must be between 0 and 7 or sun to sat, found '8'");
  check_refused("*/0 * * * *", "the minute step must be between 1 and 59, found '0'");
  check_refused("5/10 * * * *", "a step needs a range: write '5-59/10'");
  check_refused("* 20-6 * * *", "the hour range '20-6' goes backwards. Write two, with a comma");
  check_refused("1,,2 * * * *", "the minute must be between 0 and 59, found ''");
  check_refused("0 0 31 feb,apr *", "no month that is listed has such a day: it never comes");
  check_refused("@weakly", "there is no '@weakly'. Did you mean '@weekly'?");
  check_refused("@reboot",
                "there is no '@reboot'. There are @yearly @monthly @weekly @daily @hourly");
}

TEST(cron_next_in_utc) {
  check_next("*/5 * * * *", NULL, "2026-11-21T09:00:00Z", "2026-11-21T09:05:00Z");
  check_next("*/5 * * * *", NULL, "2026-11-21T09:04:59.999999Z", "2026-11-21T09:05:00Z");
  check_next("59 23 31 12 *", NULL, "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z");
  check_next("0 0 29 2 *", NULL, "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z");
  check_next("0 0 29 2 *", NULL, "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"); // 2100 has none
  check_next("0 6 * * mon", NULL, "2026-11-21T00:00:00Z", "2026-11-23T06:00:00Z");
  // A day and a weekday: either.
  check_next("0 0 13 * fri", NULL, "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z");
  check_next("0 0 13 * fri", NULL, "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z");
  check_next("0 0 1 * *", NULL, "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z");
  check_next("@monthly", NULL, "2026-11-21T09:00:00Z", "2026-12-01T00:00:00Z");
}

TEST(cron_never) {
  wh_cron c = {.minutes = 1, .hours = 1, .days = 1u << 30, .months = 1 << 2, .any_weekday = true};
  CHECK(wh_cron_next(&c, NULL, 0) == INT64_MAX);
}

// Clocks go forward at 01:00 UTC on 29 March 2026 and back at 01:00 UTC on 25 October.
TEST(cron_in_london) {
  const wh_zone *z = zone_of("Europe/London");
  if (z) {
    check_next("0 6 * * *", z, "2026-03-28T07:00:00Z", "2026-03-29T05:00:00Z");
    check_next("30 1 * * *", z, "2026-03-28T02:00:00Z",
               "2026-03-29T01:00:00Z"); // 01:30 is not there
    check_next("30 1 * * *", z, "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
    check_next("30 1 * * *", z, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"); // the first of two
    check_next("30 1 * * *", z, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    check_next("30 * * * *", z, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"); // every hour: both
    check_next("30 * * * *", z, "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"); // and no more than
    check_next("0 * * * *", z, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");  // each hour
    check_next("0 1 * * *", z, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
    check_next("0 1,2 * * *", z, "2026-03-28T12:00:00Z",
               "2026-03-29T01:00:00Z"); // both at the jump:
    check_next("0 1,2 * * *", z, "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"); // once
  }
  end();
}

// Forward at 07:00 UTC on 8 March 2026, back at 06:00 UTC on 1 November.
TEST(cron_in_new_york) {
  const wh_zone *z = zone_of("America/New_York");
  if (z) {
    check_next("30 2 * * *", z, "2026-03-07T08:00:00Z", "2026-03-08T07:00:00Z");
    check_next("30 2 * * *", z, "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z");
    check_next("30 1 * * *", z, "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z");
    check_next("30 1 * * *", z, "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z");
    check_next("*/20 * * * *", z, "2026-11-01T05:40:00Z", "2026-11-01T06:00:00Z");
    check_next("0 0 * * sun", z, "2026-10-31T12:00:00Z", "2026-11-01T04:00:00Z");
  }
  end();
}

// Half an hour: forward at 02:00 local on 4 October 2026 (15:30 UTC the day before), back at 02:00
// local on 5 April (15:00 UTC the day before).
TEST(cron_at_lord_howe) {
  const wh_zone *z = zone_of("Australia/Lord_Howe");
  if (z) {
    check_next("15 2 * * *", z, "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z");
    check_next("15 2 * * *", z, "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z");
    check_next("45 1 * * *", z, "2026-04-04T00:00:00Z", "2026-04-04T14:45:00Z");
    check_next("45 1 * * *", z, "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z");
    check_next("45 * * * *", z, "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z");
  }
  end();
}

// Samoa left out 30 December 2011 to change sides of the date line.
TEST(cron_over_a_day_that_never_was) {
  const wh_zone *z = zone_of("Pacific/Apia");
  if (z) {
    check_next("0 6 30 12 *", z, "2011-12-29T00:00:00Z", "2011-12-30T10:00:00Z");
    check_next("0 6 * * *", z, "2011-12-29T16:00:00Z", "2011-12-30T10:00:00Z");
    check_next("0 6 * * *", z, "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z");
  }
  end();
}

// Whatever the fields and the moment: later than it, and nothing is due in between.
TEST(cron_next_is_the_next) {
  const wh_zone *z = zone_of("Europe/London");
  for (int round = 0; z && round < 50; round++) {
    char text[64];
    snprintf(text, sizeof text, "%d %d * * *", (int)test_random_below(60),
             (int)test_random_below(24));
    wh_cron c;
    if (!CHECK_OK(wh_cron_parse(wh_str_of(text), &c, &test_err))) break;
    int64_t when = at("2026-03-20T00:00:00Z") + (int64_t)test_random_below(300) * 86400 * 1000000;
    int64_t next = wh_cron_next(&c, z, when);
    CHECK(next > when && next <= when + 2ll * 86400 * 1000000);
    CHECK(wh_cron_next(&c, z, next - 1) == next);
    int64_t between = when + (int64_t)test_random_below((uint64_t)(next - when));
    CHECK(wh_cron_next(&c, z, between) == next);
  }
  end();
}
