// Rules of a run as a whole: what breaks one stops before anything of it is seen, and what counts
// as the run before.
#include "engine/run.h"
#include "shop.h"
#include "sim_os.h"

#include <stdio.h>

#define SECOND_NS 1000000000ll
#define HOUR_NS   (3600 * SECOND_NS)

#define COPY(more)                                                                                 \
  SHOP_CONNECTIONS "  copy:\n    from: erp:t\n    columns: all\n" more "    to: website:t\n"
#define REPLACE      "    write: { mode: replace }\n"
#define EXPECT(text) "    expect: " text "\n"

// A source table of so many rows, changed at the time given.
static bool fill(shop *s, int rows, const char *at) {
  char sql[512];
  snprintf(sql, sizeof sql,
           "DROP TABLE IF EXISTS t; CREATE TABLE t(n INTEGER PRIMARY KEY, s TEXT, at TIMESTAMP);"
           "WITH RECURSIVE c(n) AS (SELECT 1 WHERE %d > 0 UNION ALL SELECT n + 1 FROM c WHERE "
           "n < %d) INSERT INTO t SELECT n, 'Open', '%s' FROM c",
           rows, rows, at);
  return shop_sql(s, "erp", sql);
}

// Runs the copy of a source of so many rows; whether it did.
static bool copies(shop *s, int rows, const wh_run_options *options) {
  if (!CHECK(fill(s, rows, "2026-11-20 08:00:00Z"))) return false;
  CHECK_EQ(shop_run(s, "copy", options), WH_OK);
  CHECK_EQ(s->finished, 1);
  return s->last.state == WH_RUN_DONE;
}

static int64_t rows_there(shop *s) {
  return shop_ask(s, "website", "SELECT count(*) FROM t");
}

// --- replace -----------------------------------------------------------------------------------

TEST(a_table_is_not_replaced_by_less_than_half_of_it) {
  shop s;
  static const char config[] = SHOP_CONNECTIONS
      "  copy:\n    from: erp:t\n    columns: { n: n, s: s }\n" REPLACE "    to: website:t\n";
  REQUIRE(shop_start(&s, config));
  CHECK(copies(&s, 0, NULL)); // there was no run before
  CHECK(copies(&s, 10, NULL));
  CHECK(copies(&s, 5, NULL)); // half of it is allowed
  CHECK(!copies(&s, 2, NULL));
  CHECK_STR(wh_str_of(s.last.error),
            WH_STR("this run has 2 rows, the last had 5: fewer than at_least_rows: 50% allows, "
                   "which mode: replace has of itself. Nothing was published. If that is right, "
                   "write expect: { at_least_rows: 2 }"));
  CHECK_EQ(rows_there(&s), 5);
  CHECK(!copies(&s, 0, NULL)); // nor emptied
  CHECK_EQ(rows_there(&s), 5);
  CHECK(copies(&s, 3, NULL)); // runs that failed are none before
  CHECK_EQ(rows_there(&s), 3);
  shop_end(&s);
}

TEST(what_the_message_says_to_write_lets_it_pass) {
  shop s;
  REQUIRE(shop_start(&s, COPY(REPLACE)));
  CHECK(copies(&s, 10, NULL));
  CHECK(!copies(&s, 0, NULL));
  CHECK(strstr(s.last.error, "write expect: { at_least_rows: 0 }"));
  REQUIRE(shop_config(&s, COPY(REPLACE EXPECT("{ at_least_rows: 0 }"))));
  CHECK(copies(&s, 0, NULL));
  CHECK_EQ(rows_there(&s), 0);
  // A run of nothing is none before: what comes next is compared with the ten.
  REQUIRE(shop_config(&s, COPY(REPLACE)));
  CHECK(!copies(&s, 4, NULL));
  CHECK(strstr(s.last.error, "the last had 10"));
  CHECK(copies(&s, 6, NULL));
  shop_end(&s);
}

TEST(a_part_of_a_table_does_not_replace_it) {
  shop s;
  REQUIRE(shop_start(&s, COPY(REPLACE)));
  wh_run_options few = {.limit_rows = 2};
  CHECK(copies(&s, 10, &few)); // a first look
  CHECK_EQ(rows_there(&s), 2);
  CHECK(copies(&s, 3, NULL));
  CHECK(copies(&s, 10, NULL));
  CHECK(!copies(&s, 10, &few));
  CHECK_EQ(rows_there(&s), 10);
  shop_end(&s);
}

// --- numbers of rows -----------------------------------------------------------------------------

TEST(a_run_of_a_part_is_not_judged_and_is_none_before) {
  shop s;
  REQUIRE(shop_start(&s, COPY(EXPECT("{ at_least_rows: [4, 50%], at_most_rows: 200% }"))));
  wh_run_options few = {.limit_rows = 1};
  CHECK(copies(&s, 10, &few));
  CHECK_EQ(rows_there(&s), 1);
  CHECK(!copies(&s, 3, NULL)); // fewer than 4
  CHECK(strstr(s.last.error, "this run has 3 rows: fewer than at_least_rows: [4, 50%] allows. "
                             "Nothing was published."));
  CHECK_EQ(rows_there(&s), 1);
  CHECK(copies(&s, 10, NULL));
  CHECK(!copies(&s, 4, NULL)); // less than half of 10
  CHECK(!copies(&s, 21, NULL));
  CHECK(strstr(s.last.error, "this run has 21 rows, the last had 10: more than at_most_rows: 200% "
                             "allows"));
  CHECK(copies(&s, 20, NULL));
  CHECK_EQ(rows_there(&s), 31);
  shop_end(&s);
}

// What is rejected is not there.
TEST(rejected_rows_do_not_count) {
  shop s;
  REQUIRE(shop_start(&s, COPY(EXPECT("{ n: { range: [1, 6] }, at_least_rows: 7 }"))));
  CHECK(!copies(&s, 10, NULL));
  CHECK(strstr(s.last.error, "this run has 6 rows"));
  CHECK(rows_there(&s) <= 0);
  shop_end(&s);
}

TEST(an_export_of_too_few_rows_publishes_nothing) {
  shop s;
  static const char config[] =
      SHOP_CONNECTIONS "  copy:\n    from: erp:t\n    columns: all\n" EXPECT(
          "{ at_least_rows: 5 }") "    to: lake:out/{run}.json\n";
  REQUIRE(shop_start(&s, config));
  CHECK(!copies(&s, 4, NULL));
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 0);
  CHECK_EQ(shop_count_attempts(&s, "lake"), 0);
  CHECK(copies(&s, 5, NULL));
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 1);
  shop_end(&s);
}

// --- objects -------------------------------------------------------------------------------------

#define LOAD(more)                                                                                 \
  SHOP_CONNECTIONS                                                                                 \
  "  load:\n    when: new\n    from: drop:in/*.json\n    columns: all\n" more "    to: "           \
  "website:t\n"

static bool write_object(shop *s, const char *path, int rows, int bad) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < rows; i++)
    wh_buf_printf(&text, "%s{\"n\": %d, \"s\": \"%s\"}", i ? "," : "[", i + 1,
                  i >= rows - bad ? "Opne" : "Open");
  wh_buf_add_c(&text, rows ? "]" : "[]");
  return wh_buf_add_char(&text, 0) && shop_write(s, path, text.data);
}

// A small chunk would have committed long before the last row turns out to be one too many.
TEST(an_object_that_is_loaded_in_chunks_commits_nothing_before_it_is_judged) {
  static const char *const rules[] = {"at_most_rejected: 10%", "at_most_rejected: 10",
                                      "at_most_rows: 99"};
  static const char *const modes[] = {"", "    write: { mode: upsert, key: n }\n", REPLACE};
  for (size_t i = 0; i < 9; i++) {
    shop s;
    char config[1024];
    snprintf(config, sizeof config,
             LOAD("    chunk: 10\n    batch: 4\n    expect: { s: { in: [Open] }, %s }\n%s"),
             rules[i / 3], modes[i % 3]);
    REQUIRE(shop_start(&s, config));
    REQUIRE(write_object(&s, "drop/in/a.json", 112, 12));
    CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
    CHECK_EQ(s.last.state, WH_RUN_FAILED);
    if (!CHECK(strstr(s.last.error, "Nothing was published")))
      test_note("%s %s: %s", rules[i / 3], modes[i % 3], s.last.error);
    CHECK(rows_there(&s) <= 0);
    // Another try would end the same: it is a dead letter.
    wh_run_options hurry = {.hurry = true};
    CHECK_EQ(shop_run(&s, "load", &hurry), WH_OK);
    CHECK_EQ(s.finished, 0);
    shop_end(&s);
  }
}

// The rows of a table that is replaced are staged in chunks, which nobody sees.
TEST(a_replaced_table_is_still_staged_in_chunks) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    chunk: 10\n    batch: 4\n" REPLACE)));
  REQUIRE(write_object(&s, "drop/in/a.json", 100, 0));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  REQUIRE(write_object(&s, "drop/in/b.json", 49, 0));
  s.stop_after = 3; // some of it is staged
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK(s.totals.stopped);
  s.stop_after = -1;
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK(strstr(s.last.error, "this run has 49 rows, the last had 100"));
  CHECK_EQ(rows_there(&s), 100);
  shop_end(&s);
}

// A rule that was written while an object was loaded in chunks: what is there stays, and is said.
TEST(what_was_committed_before_the_rule_stays_and_is_told) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    chunk: 10\n    batch: 5\n")));
  REQUIRE(write_object(&s, "drop/in/a.json", 60, 0));
  s.stop_after = 4;
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK(s.totals.stopped);
  int64_t before = rows_there(&s);
  CHECK(before > 0 && before < 60);
  s.stop_after = -1;
  REQUIRE(shop_config(&s, LOAD("    chunk: 10\n    batch: 5\n    expect: { at_most_rows: 50 }\n")));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK(strstr(s.last.error, "What was written before stays"));
  CHECK_EQ(rows_there(&s), before);
  shop_end(&s);
}

// --- fresher_than --------------------------------------------------------------------------------

static const char *time_ago(shop *s, int64_t ago_us, char text[40]) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  wh_value value = {.type = {.kind = WH_TIMESTAMP, .unit = WH_UNIT_S, .zoned = true},
                    .as.i = (wh_now_us(s->os) - ago_us) / 1000000};
  wh_value_write(&value, &out);
  snprintf(text, 40, "%.*s", (int)out.len, out.data);
  return text;
}

#define MINUTE_US ((int64_t)60 * 1000000)

TEST(a_run_whose_newest_row_is_too_old_publishes_nothing) {
  shop s;
  REQUIRE(shop_start(&s, COPY(EXPECT("{ at: { fresher_than: 24h } }"))));
  char at[40];
  CHECK(fill(&s, 3, time_ago(&s, 24 * 60 * MINUTE_US + 2 * MINUTE_US, at)));
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK(strstr(s.last.error, "at: the newest value, "));
  CHECK(strstr(s.last.error, "is older than fresher_than: 24h allows at the run's start. Nothing "
                             "was published. Look at the source, or raise the limit"));
  CHECK(rows_there(&s) <= 0);
  // One row that is young enough stands for all; one of next week is a mistake and for none.
  char sql[128];
  snprintf(sql, sizeof sql, "UPDATE t SET at = '%s' WHERE n = 2",
           time_ago(&s, -7 * 24 * 60 * MINUTE_US, at));
  shop_sql(&s, "erp", sql);
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  snprintf(sql, sizeof sql, "UPDATE t SET at = '%s' WHERE n = 2",
           time_ago(&s, 23 * 60 * MINUTE_US, at));
  shop_sql(&s, "erp", sql);
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  CHECK_EQ(rows_there(&s), 3);
  shop_sql(&s, "erp", "UPDATE t SET at = NULL");
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK(strstr(s.last.error, "at: no row has a value that could be fresher_than: 24h"));
  shop_sql(&s, "erp", "DELETE FROM t"); // no rows say nothing
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  shop_end(&s);
}

// A windowed cursor reads its newest rows again: that nothing new came for a day is found out.
TEST(a_source_that_stands_still_is_noticed_by_runs_that_find_nothing_new) {
  shop s;
  static const char config[] = SHOP_CONNECTIONS
      "  copy:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n" EXPECT(
          "{ at: { fresher_than: 1d } }") "    to: lake:out/{run}.json\n";
  REQUIRE(shop_start(&s, config));
  char at[40];
  CHECK(fill(&s, 3, time_ago(&s, MINUTE_US, at)));
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 3);
  sim_os_advance(s.os, 20 * HOUR_NS);
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  CHECK_EQ(s.last.counts.unchanged, 3);
  sim_os_advance(s.os, 5 * HOUR_NS);
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK(fill(&s, 4, time_ago(&s, MINUTE_US, at)));
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  shop_end(&s);
}

// Local times are those of the pipeline's zone.
TEST(local_times_are_compared_by_the_clock_of_their_zone) {
  shop s;
  static const char config[] =
      SHOP_CONNECTIONS "  copy:\n    from: erp:t\n    read: { timezone: America/New_York }\n"
                       "    columns: { n: n, at: { from: at, type: timestamp } }\n" EXPECT(
                           "{ at: { fresher_than: 1h } }") "    to: website:t\n";
  REQUIRE(shop_start(&s, config) && shop_zone(&s, "America/New_York"));
  char at[40];
  time_ago(&s, (5 * 60 + 30) * MINUTE_US, at); // half an hour ago on that clock
  char *z = strchr(at, 'Z');
  if (z) *z = 0;
  CHECK(fill(&s, 1, at));
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_STR(wh_str_of(s.last.error), WH_STR(""));
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  sim_os_advance(s.os, HOUR_NS);
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  shop_end(&s);
}

// --- power loss ----------------------------------------------------------------------------------

static const char *const BROKEN[] = {"at_most_rejected: 10%", "at_most_rows: 99"};

// Loads until it is a dead letter, through power losses; what can be seen meanwhile is nothing.
static void check_power(const char *config, uint64_t at, bool objects) {
  shop s;
  if (!CHECK(shop_start(&s, config))) return;
  CHECK(write_object(&s, "drop/in/a.json", 112, 12));
  wh_run_options hurry = {.hurry = true};
  for (int life = 0; life < 3; life++) {
    if (!CHECK(shop_open(&s))) break;
    if (life == 0) sim_os_fail_at(s.os, at);
    (void)shop_run(&s, "load", &hurry);
    shop_close(&s);
    sim_os_restart(s.os);
    if (objects)
      CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 0);
    else
      CHECK(rows_there(&s) <= 0);
  }
  CHECK_EQ(shop_run(&s, "load", &hurry), WH_OK);
  CHECK_EQ(s.finished, 0); // dead
  CHECK_EQ(s.totals.failed, 0);
  shop_end(&s);
  if (test_failed()) test_note("power failed at change %llu", (unsigned long long)at);
}

TEST(what_breaks_a_rule_is_never_seen_whenever_the_power_fails) {
  uint64_t step = test_is_long() ? 1 : 9;
  for (size_t i = 0; i < 4 && !test_failed(); i++) {
    char config[1024];
    snprintf(config, sizeof config,
             SHOP_CONNECTIONS "  load:\n    when: new\n    from: drop:in/*.json\n    columns: all\n"
                              "    expect: { s: { in: [Open] }, %s }\n%s",
             BROKEN[i % 2],
             i < 2 ? "    chunk: 10\n    batch: 4\n    to: website:t\n"
                   : "    to: lake:out/{run}.json\n");
    for (uint64_t at = 1 + test_random_below(step); at < 120 && !test_failed(); at += step)
      check_power(config, at, i >= 2);
  }
}
