// A cursor of local times where clocks change. Clocks go forward at 01:00 UTC on 29 March 2026 in
// London, so that 01:00 to 02:00 does not exist that day, and back at 01:00 UTC on 25 October, so
// that it comes twice.
#include "shop.h"
#include "sim_os.h"

#include "data/temporal.h"

#include <stdio.h>

#define COPY(column)                                                                               \
  SHOP_CONNECTIONS                                                                                 \
  "  copy:\n    from: erp:t\n    read: { cursor: at, timezone: Europe/London }\n"                  \
  "    columns: { n: n, s: s, at: " column " }\n    to: website:t\n"                               \
  "    write: { mode: upsert, key: n, newest_by: at }\n"
static const char instants[] = COPY("{ from: at, type: \"timestamp[us,UTC]\" }");
static const char local[] = COPY("at");
// The same with a step, and over an object.
static const char over_a_lake[] = SHOP_CONNECTIONS
    "  copy:\n    from: erp:t\n    read: { cursor: at, timezone: Europe/London }\n"
    "    steps:\n      - cast: { at: \"timestamp[us,UTC]\" }\n"
    "    columns: { n: n, s: s, at: at }\n    to: lake:t/{run}.json\n"
    "  load:\n    when: new\n    from: lake:t/*.json\n    columns: all\n    to: website:t\n"
    "    write: { mode: upsert, key: n, newest_by: at }\n";

static bool start(shop *s, const char *config) {
  static const char table[] = "CREATE TABLE t(n INTEGER PRIMARY KEY, s TEXT, at TIMESTAMP)";
  if (!shop_start(s, SHOP_CONNECTIONS)) return false;
  if (shop_zone(s, "Europe/London") && shop_config(s, config)) return shop_sql(s, "erp", table);
  shop_end(s); // skipped
  return false;
}

// At this moment (UTC) an order is put in, or changed; the source writes the time of its wall.
static void put(shop *s, const char *now, int n, const char *status, const char *wall) {
  wh_iso iso;
  CHECK(wh_iso_parse(wh_str_of(now), &iso));
  sim_os_set_now(s->os, wh_us_from_civil(&iso.civil) * 1000);
  char sql[256];
  snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO t VALUES (%d, '%s', '%s')", n, status, wall);
  shop_sql(s, "erp", sql);
}

// A run a minute later. Everything has arrived, as it is now.
static void cross(shop *s, const char *what) {
  sim_os_advance(s->os, 60ll * 1000000000);
  CHECK_EQ(shop_run_all(s), WH_OK);
  CHECK_EQ(s->totals.failed, 0);
  CHECK_EQ(s->totals.rows_quarantined, 0);
  shop_sql(s, "website",
           "ATTACH 'shop/erp.db' AS erp; DROP TABLE IF EXISTS lacks;"
           "CREATE TABLE lacks AS SELECT n, s FROM erp.t EXCEPT SELECT n, s FROM main.t");
  int64_t lacks = shop_ask(s, "website", "SELECT count(*) FROM lacks");
  if (!CHECK_EQ(lacks, 0)) {
    test_note("%s: order %d", what, (int)shop_ask(s, "website", "SELECT min(n) FROM lacks"));
  }
}

static void hour_that_comes_twice(const char *config) {
  shop s;
  if (!start(&s, config)) return;
  put(&s, "2026-10-25T00:25:00Z", 1, "Open", "2026-10-25 01:25:00");
  put(&s, "2026-10-25T00:50:00Z", 2, "Open", "2026-10-25 01:50:00");
  put(&s, "2026-10-25T00:57:00Z", 3, "Open", "2026-10-25 01:57:00");
  cross(&s, "the first hour");
  put(&s, "2026-10-25T01:04:00Z", 4, "Open", "2026-10-25 01:04:00");
  cross(&s, "a new row of the second hour");
  put(&s, "2026-10-25T01:09:00Z", 2, "Shipped", "2026-10-25 01:09:00");
  cross(&s, "changed in the second hour, an earlier time on the wall");
  put(&s, "2026-10-25T01:25:00Z", 1, "Shipped", "2026-10-25 01:25:00");
  cross(&s, "changed in the second hour, the same time on the wall");
  put(&s, "2026-10-25T01:59:59Z", 1, "Cancelled", "2026-10-25 01:59:59");
  cross(&s, "changed at its end");
  put(&s, "2026-10-25T02:10:00Z", 3, "Shipped", "2026-10-25 02:10:00");
  put(&s, "2026-10-25T02:20:00Z", 5, "Open", "2026-10-25 01:58:00"); // committed late
  cross(&s, "the hour behind it");
  cross(&s, "nothing new");
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 5);
  shop_end(&s);
}

TEST(the_newest_wins_in_the_hour_that_comes_twice) {
  hour_that_comes_twice(instants);
}
TEST(the_newest_wins_in_the_hour_that_comes_twice_over_a_lake) {
  hour_that_comes_twice(over_a_lake);
}

// Runs were away for the whole night: each row has one state only, and that arrives.
TEST(a_night_that_nobody_read) {
  shop s;
  if (!start(&s, instants)) return;
  put(&s, "2026-10-24T20:00:00Z", 1, "Open", "2026-10-24 21:00:00");
  cross(&s, "the evening before");
  put(&s, "2026-10-25T00:30:00Z", 1, "Shipped", "2026-10-25 01:30:00");
  put(&s, "2026-10-25T01:30:00Z", 2, "Shipped", "2026-10-25 01:30:00");
  put(&s, "2026-10-25T08:00:00Z", 3, "Open", "2026-10-25 08:00:00");
  cross(&s, "the morning after");
  put(&s, "2026-10-25T08:05:00Z", 1, "Cancelled", "2026-10-25 08:05:00");
  put(&s, "2026-10-25T08:05:00Z", 2, "Cancelled", "2026-10-25 08:05:00");
  cross(&s, "and later");
  shop_end(&s);
}

static void hour_that_is_left_out(const char *config) {
  shop s;
  if (!start(&s, config)) return;
  put(&s, "2026-03-29T00:55:00Z", 1, "Open", "2026-03-29 00:55:00");
  put(&s, "2026-03-29T00:58:00Z", 2, "Open", "2026-03-29 00:58:00");
  cross(&s, "the hour before");
  put(&s, "2026-03-29T01:05:00Z", 2, "Shipped", "2026-03-29 02:05:00");
  put(&s, "2026-03-29T01:06:00Z", 3, "Open", "2026-03-29 02:06:00");
  cross(&s, "the hour behind it");
  // Somebody's clock was not put forward: the order arrives, its next change too.
  put(&s, "2026-03-29T01:10:00Z", 4, "Open", "2026-03-29 01:10:00");
  cross(&s, "a time that never was");
  put(&s, "2026-03-29T01:12:00Z", 4, "Shipped", "2026-03-29 01:12:00.5");
  cross(&s, "and another");
  put(&s, "2026-03-29T01:14:00Z", 4, "Cancelled", "2026-03-29 02:14:00");
  cross(&s, "by a clock that is right");
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 4);
  shop_end(&s);
}

TEST(rows_of_the_hour_that_is_left_out_arrive) {
  hour_that_is_left_out(instants);
}
TEST(rows_of_the_hour_that_is_left_out_arrive_over_a_lake) {
  hour_that_is_left_out(over_a_lake);
}
TEST(rows_of_the_hour_that_is_left_out_arrive_as_local_times) {
  hour_that_is_left_out(local);
}

// As local times, which say no more than they say: all arrive; a change whose time on the wall is
// earlier is older, for all that can be known.
TEST(local_times_of_the_hour_that_comes_twice_arrive) {
  shop s;
  if (!start(&s, local)) return;
  put(&s, "2026-10-25T00:57:00Z", 1, "Open", "2026-10-25 01:57:00");
  cross(&s, "the first hour");
  put(&s, "2026-10-25T01:04:00Z", 2, "Open", "2026-10-25 01:04:00");
  cross(&s, "the second hour");
  put(&s, "2026-10-25T01:58:00Z", 1, "Shipped", "2026-10-25 01:58:00");
  cross(&s, "its end");
  put(&s, "2026-10-25T02:01:00Z", 2, "Shipped", "2026-10-25 02:01:00");
  cross(&s, "the hour behind it");
  shop_end(&s);
}

// What is no time of a change is never guessed at.
TEST(other_columns_are_not_settled) {
  shop s;
  static const char config[] = SHOP_CONNECTIONS
      "  copy:\n    from: erp:t\n    read: { cursor: at, timezone: Europe/London }\n"
      "    columns: { n: n, at: at, due: { from: due, type: \"timestamp[us,UTC]\" } }\n"
      "    to: website:t\n    write: { mode: upsert, key: n, newest_by: at }\n";
  if (!start(&s, config)) return;
  shop_sql(&s, "erp",
           "ALTER TABLE t ADD COLUMN due TIMESTAMP;"
           "INSERT INTO t VALUES (1, 'x', '2026-11-20 08:00:00', '2026-10-25 01:30:00'), "
           "(2, 'x', '2026-11-20 08:00:00', '2026-10-25 02:30:00')");
  CHECK_EQ(shop_run(&s, "copy", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 1);
  CHECK_EQ(s.last.counts.quarantined, 1);
  shop_end(&s);
}
