// How fast DynamoDB is asked: fewer requests at once when it refuses some, and more again.
#ifdef WHERRY_DYNAMODB
#include "connect/dynamodb/pace.h"
#include "sim_os.h"
#include "test.h"

static void refuse(wh_dynamodb_pace *pace, wh_os *os) {
  sim_os_advance(os, wh_dynamodb_pace_left(pace));
  CHECK(wh_dynamodb_pace_refused(pace));
}

TEST(pace_halves_and_grows) {
  wh_os *os = sim_os_new(&test_mem, 1);
  REQUIRE(os);
  wh_dynamodb_pace pace;
  wh_dynamodb_pace_init(&pace, os, 64);
  CHECK_EQ(pace.window, 16);
  CHECK_EQ(wh_dynamodb_pace_left(&pace), 0);
  for (int i = 0; i < 16; i++)
    wh_dynamodb_pace_answered(&pace);
  CHECK_EQ(pace.window, 17);
  for (int i = 0; i < 10000; i++)
    wh_dynamodb_pace_answered(&pace);
  CHECK_EQ(pace.window, 64);
  // All that were under way are refused together: once.
  for (int i = 0; i < 64; i++)
    CHECK(wh_dynamodb_pace_refused(&pace));
  CHECK_EQ(pace.window, 32);
  int64_t left = wh_dynamodb_pace_left(&pace);
  CHECK(left >= WH_DYNAMODB_PAUSE_NS_MIN / 2 && left <= WH_DYNAMODB_PAUSE_NS_MIN);
  for (int i = 0; i < 8; i++)
    refuse(&pace, os);
  CHECK_EQ(pace.window, 1);
  left = wh_dynamodb_pace_left(&pace);
  CHECK(left >= WH_DYNAMODB_PAUSE_NS_MAX / 2 && left <= WH_DYNAMODB_PAUSE_NS_MAX);
  sim_os_advance(os, left);
  wh_dynamodb_pace_answered(&pace);
  CHECK_EQ(pace.window, 2);
  sim_os_free(os);
}

TEST(pace_gives_up_after_refusals_alone) {
  wh_os *os = sim_os_new(&test_mem, 1);
  REQUIRE(os);
  wh_dynamodb_pace pace;
  wh_dynamodb_pace_init(&pace, os, 4);
  CHECK_EQ(pace.window, 4);
  for (int turn = 0; turn < 3; turn++) { // answers between them start the clock anew
    refuse(&pace, os);
    sim_os_advance(os, WH_DYNAMODB_PATIENCE_NS - 1000000);
    CHECK(wh_dynamodb_pace_refused(&pace));
    wh_dynamodb_pace_answered(&pace);
  }
  refuse(&pace, os);
  sim_os_advance(os, WH_DYNAMODB_PATIENCE_NS + 1000000);
  CHECK(!wh_dynamodb_pace_refused(&pace));
  sim_os_free(os);
}
#else
typedef int test_dynamodb_pace_is_left_out;
#endif
