// When a pipeline is due.
#include "shop.h"
#include "sim_os.h"

#include "data/temporal.h"

#define PIPELINE(when)                                                                             \
  SHOP_CONNECTIONS                                                                                 \
  "  p:\n    when: " when "\n    from: erp:t\n    columns: all\n    to: lake:out/{run}.json\n"

static int64_t at(const char *text) {
  wh_iso iso;
  if (!CHECK(wh_iso_parse(wh_str_of(text), &iso))) return 0;
  return wh_us_from_civil(&iso.civil) - (int64_t)iso.offset_s * 1000000;
}

// The time of day goes on by a little with every call of the system: what is due "now" is due
// within the second.
static void check_due(shop *s, const char *now, const char *want) {
  sim_os_set_now(s->os, at(now) * 1000);
  wh_due next;
  if (!CHECK_OK(wh_engine_next_due(&s->c.engine, shop_pipeline(s, "p"), &next, &test_err))) return;
  int64_t due = next.start_us;
  int64_t wanted = want ? at(want) : INT64_MAX;
  if (due >= wanted && due - wanted < 1000000) return;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  wh_iso_write_timestamp(due, WH_UNIT_US, true, &text);
  test_note("at %s it is due at %.*s, expected %s", now, WH_STR_ARG(wh_buf_str(&text)),
            want ? want : "never");
  CHECK(false);
}

static void fire(shop *s, const char *due) {
  wh_lease lease = {.pipeline = WH_STR("p"), .epoch = WH_EPOCH_MAX};
  CHECK_OK(s->c.ledger->type->set_fired(s->c.ledger, &lease, at(due), &test_err));
}

static bool start(shop *s, const char *config) {
  return shop_start(s, config) && shop_open(s);
}

TEST(by_hand_and_new_have_no_time) {
  shop s;
  REQUIRE(start(&s, SHOP_CONNECTIONS
                "  p:\n    from: erp:t\n    columns: all\n    to: lake:out/{run}.json\n"));
  check_due(&s, "2026-11-21T09:00:00Z", NULL);
  shop_end(&s);
  REQUIRE(start(&s, SHOP_CONNECTIONS "  p:\n    when: new\n    from: drop:*.json\n"
                                     "    columns: all\n    to: lake:out/{run}.json\n"));
  check_due(&s, "2026-11-21T09:00:00Z", NULL);
  shop_end(&s);
}

TEST(every_is_due_at_first_sight_and_then_in_its_rhythm) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ every: 5m }")));
  check_due(&s, "2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z");
  fire(&s, "2026-11-21T09:00:00Z");
  check_due(&s, "2026-11-21T09:00:00Z", "2026-11-21T09:05:00Z");
  check_due(&s, "2026-11-21T09:04:59Z", "2026-11-21T09:05:00Z");
  check_due(&s, "2026-11-21T09:05:00Z", "2026-11-21T09:05:00Z");
  check_due(&s, "2026-11-21T09:07:00Z", "2026-11-21T09:05:00Z"); // late, and due at once
  // After a long pause once, at the last point of the rhythm.
  check_due(&s, "2026-11-23T12:34:00Z", "2026-11-23T12:30:00Z");
  fire(&s, "2026-11-23T12:30:00Z");
  check_due(&s, "2026-11-23T12:34:00Z", "2026-11-23T12:35:00Z");
  shop_end(&s);
}

// A machine began with a wrong date, fired, and then learned the right one.
TEST(a_clock_that_was_ahead_holds_nothing_up) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ every: 5m }")));
  fire(&s, "2026-11-21T09:00:00Z");
  check_due(&s, "2026-11-21T08:59:00Z", "2026-11-21T09:05:00Z"); // a little is as it was
  fire(&s, "2031-01-01T00:00:00Z");
  check_due(&s, "2026-11-21T09:00:00Z", "2026-11-21T09:05:00Z");
  check_due(&s, "2026-11-21T09:04:00Z", "2026-11-21T09:05:00Z");
  shop_end(&s);
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\" }")));
  fire(&s, "2031-01-01T06:00:00Z");
  check_due(&s, "2026-11-21T09:00:00Z", "2026-11-22T06:00:00Z");
  shop_end(&s);
}

// So much later than its time it starts; what the ledger remembers is the time.
static int64_t jitter_at(shop *s, const char *now, const char *time) {
  sim_os_set_now(s->os, at(now) * 1000);
  wh_due due;
  if (!CHECK_OK(wh_engine_next_due(&s->c.engine, shop_pipeline(s, "p"), &due, &test_err)))
    return -1;
  CHECK_EQ(due.time_us, at(time));
  return due.start_us - due.time_us;
}

TEST(jitter_delays_every_start_by_something_else) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\", jitter: 30m }")));
  const int64_t most = 30ll * 60 * 1000000;
  int64_t last = -1, different = 0;
  fire(&s, "2026-11-20T06:00:00Z");
  static const char *const days[] = {"2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"};
  for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
    char before[32], time[32], later[32];
    snprintf(before, sizeof before, "%sT05:00:00Z", days[i]);
    snprintf(time, sizeof time, "%sT06:00:00Z", days[i]);
    snprintf(later, sizeof later, "%sT06:00:01Z", days[i]);
    int64_t jitter = jitter_at(&s, before, time);
    CHECK(jitter >= 0 && jitter < most);
    CHECK_EQ(jitter_at(&s, later, time), jitter); // its time has come, its start has not
    different += jitter != last;
    last = jitter;
    fire(&s, time);
  }
  CHECK_EQ((size_t)different, sizeof days / sizeof *days);
  shop_end(&s);
}

TEST(jitter_keeps_the_rhythm_of_every) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ every: 5m, jitter: 4m }")));
  check_due(&s, "2026-11-21T09:00:00Z",
            "2026-11-21T09:00:00Z"); // at first sight there is no hurry to spread
  fire(&s, "2026-11-21T09:00:00Z");
  int64_t jitter = jitter_at(&s, "2026-11-21T09:01:00Z", "2026-11-21T09:05:00Z");
  CHECK(jitter > 0 && jitter < 4ll * 60 * 1000000);
  CHECK_EQ(jitter_at(&s, "2026-11-21T09:05:00Z", "2026-11-21T09:05:00Z"), jitter);
  CHECK_EQ(jitter_at(&s, "2026-11-21T09:09:59Z", "2026-11-21T09:05:00Z"), jitter);
  // After a pause: the last of those whose start has come.
  jitter_at(&s, "2026-11-21T11:04:59Z", "2026-11-21T11:00:00Z");
  shop_end(&s);
}

// A time whose start is still to come was not missed.
TEST(jitter_and_what_is_not_caught_up) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\", jitter: 2h, catch_up: none }")));
  fire(&s, "2026-11-20T06:00:00Z");
  int64_t jitter = jitter_at(&s, "2026-11-21T05:00:00Z", "2026-11-21T06:00:00Z");
  REQUIRE(jitter > 2 * 60 * 1000000);
  CHECK_EQ(jitter_at(&s, "2026-11-21T06:01:30Z", "2026-11-21T06:00:00Z"), jitter);
  jitter_at(&s, "2026-11-21T09:00:00Z", "2026-11-22T06:00:00Z");
  shop_end(&s);
}

TEST(cron_waits_for_its_first_time) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\" }")));
  check_due(&s, "2026-11-21T09:00:00Z", "2026-11-22T06:00:00Z"); // this morning was not missed
  check_due(&s, "2026-11-22T05:59:59Z", "2026-11-22T06:00:00Z");
  check_due(&s, "2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z");
  check_due(&s, "2026-11-22T06:00:30Z", "2026-11-22T06:00:00Z");
  fire(&s, "2026-11-22T06:00:00Z");
  check_due(&s, "2026-11-22T06:00:30Z", "2026-11-23T06:00:00Z");
  // The service that saw it first is gone: the next one knows when that was.
  shop_close(&s);
  REQUIRE(shop_open(&s));
  check_due(&s, "2026-11-22T06:00:30Z", "2026-11-23T06:00:00Z");
  shop_end(&s);
}

TEST(cron_follows_its_time_zone) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\", timezone: \"+05:30\" }")));
  check_due(&s, "2026-11-21T09:00:00Z", "2026-11-22T00:30:00Z");
  shop_end(&s);
}

static bool start_in_london(shop *s, const char *config) {
  if (!shop_start(s, SHOP_CONNECTIONS)) return false;
  if (shop_zone(s, "Europe/London") && shop_config(s, config)) return shop_open(s);
  shop_end(s); // skipped
  return false;
}

// Clocks go forward at 01:00 UTC on 29 March 2026: 01:30 does not exist that day.
TEST(cron_when_clocks_go_forward) {
  shop s;
  if (!start_in_london(&s, PIPELINE("{ cron: \"30 1 * * *\", timezone: Europe/London }"))) return;
  check_due(&s, "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z");
  fire(&s, "2026-03-28T01:30:00Z");
  check_due(&s, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"); // at the jump
  fire(&s, "2026-03-29T01:00:00Z");
  check_due(&s, "2026-03-29T01:00:01Z", "2026-03-30T00:30:00Z");
  fire(&s, "2026-03-30T00:30:00Z");
  check_due(&s, "2026-03-30T12:00:00Z", "2026-03-31T00:30:00Z");
  shop_end(&s);
}

// And back at 01:00 UTC on 25 October: 01:30 comes twice.
TEST(cron_when_clocks_go_back) {
  shop s;
  if (!start_in_london(&s, PIPELINE("{ cron: \"30 1 * * *\", timezone: Europe/London }"))) return;
  fire(&s, "2026-10-24T00:30:00Z");
  check_due(&s, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
  fire(&s, "2026-10-25T00:30:00Z");
  check_due(&s, "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"); // once
  shop_end(&s);
  if (!start_in_london(&s, PIPELINE("{ cron: \"30 * * * *\", timezone: Europe/London }"))) return;
  fire(&s, "2026-10-25T00:30:00Z");
  check_due(&s, "2026-10-25T00:31:00Z", "2026-10-25T01:30:00Z"); // every hour means every hour
  shop_end(&s);
}

TEST(catch_up_last_is_one_run_for_all_that_was_missed) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\", catch_up: last }")));
  fire(&s, "2026-11-21T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-24T06:00:00Z");
  fire(&s, "2026-11-24T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-25T06:00:00Z");
  shop_end(&s);
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\" }"))); // and what is done by default
  fire(&s, "2026-11-21T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-24T06:00:00Z");
  shop_end(&s);
}

TEST(catch_up_none_leaves_out_what_was_missed) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\", catch_up: none }")));
  fire(&s, "2026-11-21T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-25T06:00:00Z");
  check_due(&s, "2026-11-24T06:00:59Z", "2026-11-24T06:00:00Z"); // only just: that is on time
  check_due(&s, "2026-11-24T06:01:01Z", "2026-11-25T06:00:00Z");
  shop_end(&s);
}

TEST(catch_up_all_takes_them_one_by_one) {
  shop s;
  REQUIRE(start(&s, PIPELINE("{ cron: \"0 6 * * *\", catch_up: all }")));
  fire(&s, "2026-11-21T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-22T06:00:00Z");
  fire(&s, "2026-11-22T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-23T06:00:00Z");
  fire(&s, "2026-11-23T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-24T06:00:00Z");
  fire(&s, "2026-11-24T06:00:00Z");
  check_due(&s, "2026-11-24T09:00:00Z", "2026-11-25T06:00:00Z");
  shop_end(&s);
}

// Missed over both switches: the last one, where it really was.
TEST(catch_up_counts_over_a_switch) {
  shop s;
  if (!start_in_london(
          &s, PIPELINE("{ cron: \"30 1 * * *\", timezone: Europe/London, catch_up: last }")))
    return;
  fire(&s, "2026-03-20T01:30:00Z");
  check_due(&s, "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z");
  check_due(&s, "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z");
  check_due(&s, "2026-10-26T12:00:00Z", "2026-10-26T01:30:00Z");
  shop_end(&s);
}
