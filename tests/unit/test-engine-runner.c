// Running pipelines: retries and dead letters, one run at a time, limits, stopping, and where a run
// begins and ends.
#include "engine/run.h"
#include "shop.h"
#include "sim_os.h"

#include <stdio.h>

#define SECOND_NS 1000000000ll

// --- retries -----------------------------------------------------------------------------------

#define LOAD(more)                                                                                 \
  SHOP_CONNECTIONS                                                                                 \
  "  load:\n"                                                                                      \
  "    when: new\n"                                                                                \
  "    from: drop:in/*.json\n"                                                                     \
  "    columns: all\n" more "    to: website:t\n"
#define STRICT "    expect: { s: { in: [Open] }, at_most_rejected: 0 }\n"

#define BAD_ROWS "[{\"n\": 1, \"s\": \"Open\"}, {\"n\": 2, \"s\": \"Opne\"}]"

// What waits for a pipeline, and why.
typedef struct waiting {
  uint64_t count, dead;
  uint32_t attempts;
  int64_t visible_us;
  char error[WH_ERROR_TEXT_MAX];
} waiting;

static wh_status take_work(void *context, const wh_work *work, wh_error *err) {
  (void)err;
  waiting *w = context;
  w->count++;
  w->dead += work->dead;
  w->attempts = work->attempts;
  w->visible_us = work->visible_us;
  snprintf(w->error, sizeof w->error, "%.*s", WH_STR_ARG(work->error));
  return WH_OK;
}

static waiting what_waits(shop *s) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  waiting w = {0};
  CHECK_OK(s->c.ledger->type->works(s->c.ledger, WH_STR("load"), &arena, take_work, &w, &test_err));
  return w;
}

// A table that lacks a column: loads fail, and not for what the object is.
static bool make_narrow(shop *s) {
  return shop_sql(s, "website", "CREATE TABLE t(n INTEGER)");
}

// An object that fails again and again, and not for what it is. Returns how long the next try is
// put off, in seconds; 0: it is dead.
static int64_t fail_once_more(shop *s, uint64_t attempt) {
  CHECK_EQ(shop_run(s, "load", NULL), WH_OK);
  CHECK_EQ(s->finished, 1);
  CHECK_EQ(s->totals.failed, 1);
  CHECK_EQ(s->last.state, WH_RUN_FAILED);
  waiting w = what_waits(s);
  CHECK_EQ(w.count, 1);
  CHECK_EQ(w.attempts, attempt);
  CHECK_STR(wh_str_of(w.error), wh_str_of(s->last.error));
  if (w.dead) return 0;
  int64_t now = wh_now_us(s->os);
  CHECK(w.visible_us > now);
  CHECK_EQ(shop_run(s, "load", NULL), WH_OK); // not before its time
  CHECK_EQ(s->finished, 0);
  int64_t delay = (w.visible_us - now + 999999) / 1000000;
  sim_os_advance(s->os, delay * SECOND_NS);
  return delay;
}

TEST(delays_grow_until_the_last_attempt) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    attempts: 4\n")) && make_narrow(&s));
  REQUIRE(shop_write(&s, "drop/in/a.json", BAD_ROWS) && shop_open(&s));
  CHECK_EQ(fail_once_more(&s, 1), 5);
  CHECK_EQ(fail_once_more(&s, 2), 10);
  CHECK_EQ(fail_once_more(&s, 3), 20);
  CHECK_EQ(fail_once_more(&s, 4), 0);
  CHECK(strstr(s.last.error, "does not fit"));
  sim_os_advance(s.os, 86400 * SECOND_NS);
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.finished, 0);           // it is dead
  CHECK_EQ(shop_run_all(&s), WH_OK); // for whoever is in a hurry, too
  CHECK_EQ(s.finished, 0);
  CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 0);
  // Somebody mends the table and revives it: as if it had never failed.
  CHECK(shop_sql(&s, "website", "DROP TABLE t"));
  uint64_t revived;
  CHECK_OK(s.c.ledger->type->revive(s.c.ledger, WH_STR("load"), &revived, &test_err));
  CHECK_EQ(revived, 1);
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 2);
  CHECK_EQ(what_waits(&s).count, 0);
  shop_end(&s);
}

TEST(delays_end_at_a_quarter_of_an_hour) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    attempts: 12\n")) && make_narrow(&s));
  REQUIRE(shop_write(&s, "drop/in/a.json", BAD_ROWS) && shop_open(&s));
  static const int64_t delays[] = {5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 0};
  for (uint64_t i = 0; i < sizeof delays / sizeof *delays; i++)
    CHECK_EQ(fail_once_more(&s, i + 1), delays[i]);
  shop_end(&s);
}

TEST(who_is_in_a_hurry_does_not_wait) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    attempts: 3\n")) && make_narrow(&s));
  REQUIRE(shop_write(&s, "drop/in/a.json", BAD_ROWS));
  wh_run_options hurry = {.hurry = true};
  for (uint64_t i = 1; i <= 4; i++) { // a life each
    CHECK_EQ(shop_run(&s, "load", &hurry), WH_OK);
    CHECK_EQ(s.finished, i < 4);
  }
  shop_end(&s);
}

TEST(an_object_that_fails_does_not_hold_up_others) {
  shop s;
  REQUIRE(shop_start(&s, LOAD(STRICT)));
  REQUIRE(shop_write(&s, "drop/in/a.json", BAD_ROWS));
  REQUIRE(shop_write(&s, "drop/in/b.json", "[{\"n\": 7, \"s\": \"Open\"}]"));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 2);
  CHECK_EQ(s.totals.failed, 1);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(n) FROM t"), 7);
  shop_end(&s);
}

TEST(what_an_object_is_makes_it_a_dead_letter_at_once) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("")));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}") && shop_open(&s));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.failed, 1);
  waiting w = what_waits(&s);
  CHECK(w.dead == 1 && w.attempts == 1);
  CHECK(strstr(w.error, "a.json") && strstr(w.error, "Nothing of it was loaded"));
  shop_end(&s);
}

// The event was true when it came: there is nothing to load any more, and nothing comes of trying.
TEST(an_object_that_is_gone_is_not_tried_for_ever) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("")));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]") && shop_open(&s));
  uint64_t fresh;
  int64_t settle_us;
  CHECK_OK(wh_engine_scan(&s.c.engine, shop_pipeline(&s, "load"), &fresh, &settle_us, &test_err));
  CHECK_EQ(fresh, 1);
  CHECK_OK(s.os->type->remove(s.os, "shop/drop/in/a.json", &test_err));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.failed, 1);
  waiting w = what_waits(&s);
  CHECK(w.dead == 1 && w.attempts == 1);
  CHECK(strstr(w.error, "a.json"));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.finished, 0);
  // Back again, it is another version, and loaded.
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]"));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 1);
  shop_end(&s);
}

TEST(an_object_that_was_replaced_before_it_was_read_is_loaded_as_it_is_now) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("")));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]") && shop_open(&s));
  uint64_t fresh;
  int64_t settle_us;
  CHECK_OK(wh_engine_scan(&s.c.engine, shop_pipeline(&s, "load"), &fresh, &settle_us, &test_err));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 2}]"));
  wh_run_options options = {0};
  CHECK_OK(wh_engine_run_pipeline(&s.c.engine, shop_pipeline(&s, "load"), &options, &s.totals,
                                  &test_err)); // nobody has listed it anew
  CHECK_EQ(s.totals.runs, 1);
  CHECK_EQ(s.totals.failed, 0);
  CHECK_EQ(what_waits(&s).count, 0);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(n) FROM t"), 2);
  shop_end(&s);
}

// --- one at a time -----------------------------------------------------------------------------

TEST(a_second_run_of_a_pipeline_is_told_that_it_is_busy) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("")));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]") && shop_open(&s));
  crossing other; // another process
  REQUIRE_OK(crossing_open(&other, s.os, &test_mem, &test_err));
  for (int i = 0; i < 2; i++) {
    wh_ledger *holder = i ? s.c.ledger : other.ledger;
    wh_lease lease;
    CHECK_OK(holder->type->acquire(holder, WH_STR("load"), &lease, &test_err));
    CHECK_EQ(shop_run(&s, "load", NULL), WH_ERR_BUSY);
    CHECK_ERROR_HAS("load");
    CHECK_EQ(s.totals.runs, 0);
    holder->type->release(holder, &lease);
  }
  CHECK_EQ(what_waits(&s).attempts, 0); // it cost no attempt
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 1);
  crossing_close(&other);
  shop_end(&s);
}

// --- at_most_rejected --------------------------------------------------------------------------

#define LIMIT(limit)                                                                               \
  LOAD("    expect: { s: { in: [Open] }, at_most_rejected: " limit " }\n    attempts: 1\n")

static void check_limit(const char *config, int good, int bad, bool passes) {
  shop s;
  if (!CHECK(shop_start(&s, config))) return;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < good + bad; i++)
    wh_buf_printf(&text, "%s{\"n\": %d, \"s\": \"%s\"}", i ? "," : "[", i,
                  i < bad ? "Opne" : "Open");
  wh_buf_add_c(&text, "]");
  wh_buf_add_char(&text, 0);
  shop_write(&s, "drop/in/a.json", text.data);
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.state, passes ? WH_RUN_DONE : WH_RUN_FAILED);
  if (passes) {
    CHECK_EQ(s.last.counts.written, good);
    CHECK_EQ(s.last.counts.quarantined, bad);
    CHECK_EQ(s.totals.rows_quarantined, bad);
  } else {
    char want[64];
    snprintf(want, sizeof want, "%d of %d rows were rejected", bad, good + bad);
    CHECK(strstr(s.last.error, want));
    CHECK(strstr(s.last.error, "The first: s: 'Opne' is not one of Open. Nothing was published."));
    CHECK(shop_ask(&s, "website", "SELECT count(*) FROM t") <= 0); // nothing of it
    CHECK_EQ(s.totals.rows_quarantined, 0);
  }
  shop_end(&s);
}

TEST(at_most_so_many_rows_are_rejected) {
  check_limit(LIMIT("2"), 5, 2, true);
  check_limit(LIMIT("2"), 5, 3, false);
  check_limit(LIMIT("0"), 5, 0, true);
  check_limit(LIMIT("0"), 0, 1, false);
}

TEST(at_most_so_large_a_part_is_rejected) {
  check_limit(LIMIT("25%"), 3, 1, true); // the limit itself is allowed
  check_limit(LIMIT("25%"), 5, 2, false);
  check_limit(LIMIT("25%"), 0, 1, false);
  check_limit(LIMIT("0.5%"), 199, 1, true);
  check_limit(LIMIT("0.5%"), 198, 1, false);
  check_limit(LIMIT("100%"), 0, 7, true);
}

// Exports too publish nothing, and read the same rows again.
TEST(an_export_with_too_many_rejected_rows_publishes_nothing) {
  shop s;
  static const char config[] = SHOP_CONNECTIONS
      "  out:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n"
      "    expect: { s: { in: [Open] }, at_most_rejected: 1 }\n    to: lake:out/{run}.json\n";
  REQUIRE(shop_start(&s, config));
  shop_sql(&s, "erp",
           "CREATE TABLE t(n INTEGER PRIMARY KEY, s TEXT, at TIMESTAMP);"
           "INSERT INTO t VALUES (1, 'Opne', '2026-11-20 08:00:00Z'), "
           "(2, 'Opne', '2026-11-20 08:00:00Z'), (3, 'Open', '2026-11-20 08:00:00Z')");
  CHECK_EQ(shop_run(&s, "out", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 0);
  CHECK_EQ(shop_count_attempts(&s, "lake"), 0);
  shop_sql(&s, "erp", "UPDATE t SET s = 'Open' WHERE n = 1");
  CHECK_EQ(shop_run(&s, "out", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 2);
  CHECK_EQ(s.last.counts.quarantined, 1);
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 1);
  shop_end(&s);
}

// --- stopping ----------------------------------------------------------------------------------

enum { STOP_ROWS = 60, STOP_BATCH = 4 };

static bool write_rows(shop *s) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < STOP_ROWS; i++)
    wh_buf_printf(&text, "%s{\"n\": %d}", i ? "," : "[", i + 1);
  wh_buf_add_c(&text, "]");
  return wh_buf_add_char(&text, 0) && shop_write(s, "drop/in/a.json", text.data);
}

// Asked to stop after some batches: what was consumed is committed, in whole chunks or not, and the
// rest is for the next life. No life has failed, and the object has lost no attempt.
TEST(a_load_that_is_stopped_commits_the_chunk_in_hand) {
  static const char config[] = LOAD("    batch: 4\n    chunk: 10\n    attempts: 1\n");
  for (int batches = 0; batches < STOP_ROWS / STOP_BATCH; batches++) {
    shop s;
    REQUIRE(shop_start(&s, config));
    REQUIRE(write_rows(&s));
    s.stop_after = batches;
    CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
    CHECK(s.totals.stopped);
    CHECK_EQ(s.totals.failed, 0);
    CHECK_EQ(s.finished, 0); // neither done nor failed
    CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), (batches + 1) * STOP_BATCH);
    CHECK_EQ(shop_ask(&s, "website", "SELECT max(n) FROM t"), (batches + 1) * STOP_BATCH);
    s.stop_after = -1;
    CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
    CHECK(!s.totals.stopped);
    CHECK_EQ(s.totals.failed, 0);
    CHECK_EQ(s.last.state, WH_RUN_DONE);
    CHECK_EQ(s.last.counts.read, STOP_ROWS); // the receipt is of the whole object
    CHECK_EQ(s.last.counts.written, STOP_ROWS);
    CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), STOP_ROWS);
    CHECK_EQ(shop_ask(&s, "website", "SELECT sum(n) FROM t"), STOP_ROWS * (STOP_ROWS + 1) / 2);
    shop_end(&s);
    if (!test_failed()) continue;
    test_note("stopped behind %d batches", batches);
    return;
  }
}

TEST(objects_that_wait_are_left_when_it_is_stopped) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("")));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]"));
  REQUIRE(shop_write(&s, "drop/in/b.json", "[{\"n\": 2}]"));
  s.stop_after = 1; // batch and end of the first
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK(s.totals.stopped);
  CHECK_EQ(s.totals.runs, 1);
  CHECK_EQ(s.totals.failed, 0);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(n) FROM t"), 1);
  s.stop_after = -1;
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(n) FROM t"), 3);
  shop_end(&s);
}

static wh_status keep_states(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  wh_buf_printf(context, "%s ", wh_run_state_name(run->state));
  return WH_OK;
}

// Of an export nothing is visible before its end: it begins anew, and nothing is left lying about.
TEST(an_export_that_is_stopped_publishes_nothing) {
  shop s;
  static const char config[] = SHOP_CONNECTIONS
      "  out:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n    batch: 4\n"
      "    to: lake:out/{run}.json\n";
  REQUIRE(shop_start(&s, config));
  shop_sql(&s, "erp",
           "CREATE TABLE t(n INTEGER PRIMARY KEY, at TIMESTAMP);"
           "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 60) "
           "INSERT INTO t SELECT i, '2026-11-20 08:00:00Z' FROM r");
  s.stop_after = 3;
  CHECK_EQ(shop_run(&s, "out", NULL), WH_OK);
  CHECK(s.totals.stopped);
  CHECK_EQ(s.totals.failed, 0);
  CHECK_EQ(s.finished, 0);
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 0);
  CHECK_EQ(shop_count_attempts(&s, "lake"), 0);
  s.stop_after = -1;
  REQUIRE(shop_open(&s));
  CHECK_EQ(shop_run(&s, "out", NULL), WH_OK);
  CHECK_EQ(s.last.counts.written, 60);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf states; // being asked to stop is no failure in the list of runs either
  wh_buf_init(&states, &test_mem, 0);
  CHECK_OK(s.c.ledger->type->runs(s.c.ledger, WH_STR("out"), -1, 0, &arena, keep_states, &states,
                                  &test_err));
  CHECK_STR(wh_buf_str(&states), WH_STR("done stopped "));
  shop_end(&s);
}

// Rows in quarantine wait until a replay has come to its end.
TEST(a_replay_that_is_stopped_leaves_the_rows_in_quarantine) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    expect: { s: { in: [Open] } }\n")));
  REQUIRE(shop_write(&s, "drop/in/a.json", BAD_ROWS));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.last.counts.quarantined, 1);
  REQUIRE(shop_config(&s, LOAD("")) && shop_open(&s));
  for (int again = 0; again < 2; again++) {
    wh_run_totals totals = {0};
    atomic_store(&s.c.stop, again == 0);
    CHECK_OK(wh_quarantine_replay(&s.c.engine, shop_pipeline(&s, "load"), &totals, &test_err));
    CHECK_EQ(totals.stopped, again == 0);
    CHECK_EQ(totals.failed, 0);
    CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 1 + again);
  }
  shop_end(&s);
}

// --- begin -------------------------------------------------------------------------------------

TEST(begin_now_takes_what_comes_later) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    begin: now\n")));
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]"));
  REQUIRE(shop_write(&s, "drop/in/b.json", "[{\"n\": 2}]"));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 0);
  REQUIRE(shop_write(&s, "drop/in/c.json", "[{\"n\": 4}]"));
  REQUIRE(shop_write(&s, "drop/in/b.json", "[{\"n\": 8}]")); // another version
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 2);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(n) FROM t"), 12);
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 0);
  shop_end(&s);
}

TEST(begin_now_in_an_empty_place_misses_nothing) {
  shop s;
  REQUIRE(shop_start(&s, LOAD("    begin: now\n")));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 0);
  REQUIRE(shop_write(&s, "drop/in/a.json", "[{\"n\": 1}]"));
  CHECK_EQ(shop_run(&s, "load", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 1);
  shop_end(&s);
}

// --- cursors, through the whole ----------------------------------------------------------------

static void check_counts(shop *s, const wh_run_options *options, uint64_t read, uint64_t written) {
  CHECK_EQ(shop_run(s, "copy", options), WH_OK);
  CHECK_EQ(s->last.state, WH_RUN_DONE);
  CHECK_EQ(s->last.counts.read, read);
  CHECK_EQ(s->last.counts.written, written);
  CHECK_EQ(s->last.counts.unchanged, read - written);
}

static const char copy[] = SHOP_CONNECTIONS
    "  copy:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n    to: website:t\n"
    "    write: { mode: upsert, key: n, newest_by: at }\n";

// The clock stands at 2026-11-21 09:00.
TEST(a_cursor_reads_its_overlap_and_sends_what_is_new) {
  shop s;
  REQUIRE(shop_start(&s, copy));
  shop_sql(&s, "erp",
           "CREATE TABLE t(n INTEGER PRIMARY KEY, at TIMESTAMP);"
           "INSERT INTO t VALUES (1, '2026-11-20 08:00:00Z'), (2, '2026-11-21 08:49:59Z'), "
           "(3, '2026-11-21 08:50:00Z'), (4, '2026-11-21 09:00:00Z')");
  check_counts(&s, NULL, 4, 4);
  check_counts(&s, NULL, 2, 0);
  shop_sql(&s, "erp",
           "INSERT INTO t VALUES (5, '2026-11-21 09:00:00Z'), (6, '2026-11-21 08:55:00Z')");
  check_counts(&s, NULL, 4, 2);
  check_counts(&s, NULL, 4, 0);
  wh_run_options full = {.full = true}, since = {.has_since = true}, some = {.limit_rows = 3};
  CHECK_EQ(shop_run(&s, "copy", &full), WH_OK);
  CHECK_EQ(s.last.counts.read, 6);
  CHECK_EQ(s.last.counts.written, 6); // as of now
  since.since_us = wh_now_us(s.os) / 1000000 * 1000000 - 86400ll * 3 * 1000000;
  CHECK_EQ(shop_run(&s, "copy", &since), WH_OK);
  CHECK_EQ(s.last.counts.read, 6);
  CHECK_EQ(shop_run(&s, "copy", &some), WH_OK);
  CHECK_EQ(s.last.counts.read, 3);
  check_counts(&s, NULL, 4, 0);
  shop_end(&s);
}
