// The waits and the quota of retries, on a clock and with randomness that follow from a seed.
#include "test.h"

#include "net/http.h"
#include "net/retry.h"
#include "sim_os.h"

TEST(three_attempts_with_waits_that_double) {
  wh_os *os = sim_os_new(&test_mem, 7);
  int64_t most[2] = {0};
  for (int i = 0; i < 500; i++) {
    wh_retry retry = {.os = os};
    int64_t wait;
    for (int j = 0; j < 2; j++) {
      REQUIRE(wh_retry_again(&retry, WH_RETRY_TRANSIENT, 0, &wait));
      CHECK(wait >= 0 && wait < (int64_t)WH_RETRY_FIRST_US << j);
      if (wait > most[j]) most[j] = wait;
    }
    CHECK(!wh_retry_again(&retry, WH_RETRY_TRANSIENT, 0, &wait));
  }
  CHECK(most[0] > 900000 && most[1] > 1800000); // the whole range is used
  sim_os_free(os);
}

TEST(waits_end_at_twenty_seconds) {
  wh_os *os = sim_os_new(&test_mem, 7);
  int64_t most = 0;
  for (int i = 0; i < 200; i++) {
    wh_retry retry = {.os = os, .attempts_max = 12};
    int64_t wait;
    while (wh_retry_again(&retry, WH_RETRY_THROTTLED, 0, &wait))
      if (wait > most) most = wait;
    CHECK_EQ(retry.attempts, 12);
  }
  CHECK(most < WH_RETRY_WAIT_US_MAX && most > 19000000);
  sim_os_free(os);
}

TEST(the_server_may_ask_for_more) {
  wh_os *os = sim_os_new(&test_mem, 7);
  wh_retry retry = {.os = os};
  int64_t wait;
  CHECK(wh_retry_again(&retry, WH_RETRY_THROTTLED, 5000000, &wait));
  CHECK_EQ(wait, 5000000);
  CHECK(!wh_retry_again(&retry, WH_RETRY_THROTTLED, WH_RETRY_AFTER_US_MAX + 1, &wait));
  retry = (wh_retry){.os = os};
  CHECK(!wh_retry_again(&retry, WH_RETRY_NEVER, 0, &wait));
  sim_os_free(os);
}

TEST(a_service_that_fails_for_all_is_left_alone) {
  wh_os *os = sim_os_new(&test_mem, 7);
  wh_retry_quota quota = {0};
  int64_t wait;
  int repeated = 0;
  for (int i = 0; i < 1000; i++) {
    wh_retry retry = {.os = os, .quota = &quota};
    while (wh_retry_again(&retry, WH_RETRY_TRANSIENT, 0, &wait))
      repeated++;
  }
  CHECK_EQ(repeated, WH_RETRY_QUOTA / WH_RETRY_COST);
  wh_retry retry = {.os = os, .quota = &quota};
  for (int i = 0; i < WH_RETRY_COST; i++)
    wh_retry_succeeded(&retry);
  CHECK(!wh_retry_again(&retry, WH_RETRY_TIMEOUT, 0, &wait)); // costs more
  CHECK(wh_retry_again(&retry, WH_RETRY_TRANSIENT, 0, &wait));
  CHECK_EQ(quota.spent, WH_RETRY_QUOTA);
  wh_retry_succeeded(&retry); // returns what it cost
  CHECK_EQ(quota.spent, WH_RETRY_QUOTA - WH_RETRY_COST);
  for (int i = 0; i < 1000; i++)
    wh_retry_succeeded(&retry);
  CHECK_EQ(quota.spent, 0);
  sim_os_free(os);
}

TEST(timeouts_cost_twice_as_much) {
  wh_os *os = sim_os_new(&test_mem, 7);
  wh_retry_quota quota = {0};
  wh_retry retry = {.os = os, .quota = &quota, .attempts_max = 1000};
  int64_t wait;
  int repeated = 0;
  while (wh_retry_again(&retry, WH_RETRY_TIMEOUT, 0, &wait))
    repeated++;
  CHECK_EQ(repeated, WH_RETRY_QUOTA / WH_RETRY_COST_TIMEOUT);
  sim_os_free(os);
}

TEST(retry_after_is_seconds_or_a_date) {
  int64_t now;
  REQUIRE(wh_http_date(WH_STR("Sun, 06 Nov 1994 08:49:37 GMT"), &now));
  CHECK_EQ(now, INT64_C(784111777000000));
  CHECK_EQ(wh_retry_after_us(WH_STR("3"), now), 3000000);
  CHECK_EQ(wh_retry_after_us(WH_STR("0"), now), 0);
  CHECK_EQ(wh_retry_after_us(WH_STR("Sun, 06 Nov 1994 08:50:00 GMT"), now), 23000000);
  CHECK_EQ(wh_retry_after_us(WH_STR("Sun, 06 Nov 1994 08:49:00 GMT"), now), 0);
  CHECK_EQ(wh_retry_after_us(WH_STR("99999999999999999"), now), INT64_MAX);
  CHECK_EQ(wh_retry_after_us(WH_STR("soon"), now), 0);
  CHECK_EQ(wh_retry_after_us((wh_str){0}, now), 0);
}

TEST(dates_of_http_are_strict) {
  static const char *const wrong[] = {"",
                                      "Sun, 06 Nov 1994",
                                      "Sun, 06 ovD 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 25:49:37 GMT",
                                      "Sun, 46 Nov 1994 08:49:37 GMT",
                                      "1994-11-06T08:49:37Z"};
  int64_t us;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    if (!CHECK(!wh_http_date(wh_str_of(wrong[i]), &us))) test_note("%s", wrong[i]);
}
