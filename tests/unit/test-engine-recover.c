// What a crash left: sealed attempts are published and finished, unsealed ones thrown away. And
// what goes from store to store, as rows or as it is.
#include "base/crypto.h"
#include "engine/raw.h"
#include "engine/run.h"
#include "ledger/manifest.h"
#include "shop.h"
#include "sim_os.h"

#include <stdio.h>

// --- what a crash left, made by hand -----------------------------------------------------------

static const char export[] =
    SHOP_CONNECTIONS "  out:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n    to: "
                     "lake:out/{run}.json\n"
                     "  other:\n    from: erp:t\n    columns: all\n    to: lake:other/{run}.json\n"
                     "catalog: website:Objects\n";

#define BYTES "[{\"n\": 1}]"

// A run that wrote an attempt, and how far it came.
typedef struct crash {
  shop s;
  wh_arena arena;
  wh_run run;
  wh_connection *lake;
  wh_str attempt;
} crash;

static wh_status write_attempt(crash *k) {
  const wh_store_type *store = k->lake->type->store;
  wh_upload *upload;
  WH_TRY(store->create(k->lake, k->attempt, &upload, &test_err));
  wh_status status = wh_output_write(&upload->output, BYTES, sizeof BYTES - 1, &test_err);
  if (status == WH_OK) status = upload->seal(upload, &test_err);
  upload->close(upload);
  return status;
}

static wh_status seal_in_ledger(crash *k) {
  wh_str key = wh_arena_printf(&k->arena, "out/%.*s.json", WH_STR_ARG(k->run.id));
  uint8_t sha[WH_SHA256_BYTES];
  wh_sha256_of(WH_STR(BYTES), sha);
  wh_buf hex = {.mem = &test_mem};
  wh_buf_add_hex(&hex, sha, sizeof sha);
  k->run.sealed = (wh_sealed){.attempt = k->attempt,
                              .store = WH_STR("lake"),
                              .key = key,
                              .sha256 = wh_arena_str(&k->arena, wh_buf_str(&hex)),
                              .bytes = sizeof BYTES - 1,
                              .rows = 1,
                              .manifest = WH_STR("{}")};
  wh_buf_free(&hex);
  k->run.output = wh_arena_printf(&k->arena, "lake:%.*s", WH_STR_ARG(key));
  k->run.counts = (wh_counts){.read = 1, .written = 1};
  wh_cursor cursor = {.found = true, .last = {.type = {.kind = WH_INT64}, .as.i = 7}};
  wh_finish finish = {.run = &k->run, .cursor = &cursor};
  return k->s.c.ledger->type->run_seal(k->s.c.ledger, &k->run, &finish, &test_err);
}

static wh_status leave_behind(crash *k, bool seal) {
  wh_ledger *l = k->s.c.ledger;
  wh_lease lease;
  WH_TRY(wh_config_connect(k->s.c.config, WH_STR("lake"), &k->lake, &test_err));
  WH_TRY(l->type->acquire(l, WH_STR("out"), &lease, &test_err));
  wh_status status = l->type->run_start(l, &lease, (wh_str){0}, &k->arena, &k->run, &test_err);
  k->attempt = wh_arena_printf(&k->arena, "%.*s-0", WH_STR_ARG(k->run.id));
  if (status == WH_OK) status = write_attempt(k);
  if (status == WH_OK && seal) status = seal_in_ledger(k);
  l->type->release(l, &lease);
  return status;
}

static bool crash_init(crash *k, bool seal) {
  *k = (crash){0};
  wh_arena_init(&k->arena, &test_mem);
  return shop_start(&k->s, export) && shop_open(&k->s) && CHECK_OK(leave_behind(k, seal));
}

static void crash_free(crash *k) {
  shop_end(&k->s);
  wh_arena_free(&k->arena);
}

static wh_status recover(crash *k) {
  wh_ledger *l = k->s.c.ledger;
  wh_lease lease;
  WH_TRY(l->type->acquire(l, WH_STR("out"), &lease, &test_err));
  wh_status status = wh_run_recover(&k->s.c.engine, shop_pipeline(&k->s, "out"), &lease, &test_err);
  l->type->release(l, &lease);
  return status;
}

static wh_run state_of(crash *k) {
  wh_run run = {0};
  CHECK_OK(k->s.c.ledger->type->run_get(k->s.c.ledger, k->run.id, &k->arena, &run, &test_err));
  return run;
}

static bool has_cursor(crash *k) {
  wh_cursor cursor = {0};
  CHECK_OK(
      k->s.c.ledger->type->cursor(k->s.c.ledger, WH_STR("out"), &k->arena, &cursor, &test_err));
  return cursor.found && cursor.last.as.i == 7;
}

// What is to be told of the run; 0 where nothing is.
static uint64_t told(crash *k) {
  wh_outbox_box *boxes = NULL;
  size_t count = 0;
  wh_ledger *l = k->s.c.ledger;
  CHECK_OK(l->type->outbox(l, &k->arena, &boxes, &count, &test_err));
  return count ? boxes[0].waiting : 0;
}

TEST(a_sealed_attempt_is_adopted) {
  crash k;
  REQUIRE(crash_init(&k, true));
  CHECK(!has_cursor(&k)); // not before it is published
  CHECK_EQ(told(&k), 0);
  for (int again = 0; again < 2; again++) {
    CHECK_OK(recover(&k));
    wh_run run = state_of(&k);
    CHECK_EQ(run.state, WH_RUN_DONE);
    CHECK_EQ(run.counts.written, 1);
    CHECK(run.output_version.len > 0);
    CHECK(has_cursor(&k));
    CHECK_EQ(shop_count_objects(&k.s, "lake", "out/"), 1);
    CHECK_EQ(shop_count_objects(&k.s, "lake", "_wherry/manifests/out/"), 1);
    CHECK_EQ(k.s.finished, 1); // told of once
    CHECK_EQ(told(&k), 1);
  }
  crash_free(&k);
}

TEST(a_sealed_attempt_that_was_published_already_is_adopted) {
  crash k;
  REQUIRE(crash_init(&k, true));
  wh_object object;
  CHECK_OK(wh_os_make_path(k.s.os, "shop/lake/out", &test_err));
  CHECK_OK(k.lake->type->store->publish(k.lake, k.attempt, k.run.sealed.key, false, &k.arena,
                                        &object, &test_err));
  CHECK_OK(recover(&k));
  CHECK_EQ(state_of(&k).state, WH_RUN_DONE);
  CHECK(has_cursor(&k));
  CHECK_EQ(shop_count_objects(&k.s, "lake", "out/"), 1);
  crash_free(&k);
}

TEST(an_unsealed_attempt_is_thrown_away) {
  crash k;
  REQUIRE(crash_init(&k, false));
  CHECK_EQ(shop_count_attempts(&k.s, "lake"), 1);
  CHECK_OK(recover(&k));
  wh_run run = state_of(&k);
  CHECK_EQ(run.state, WH_RUN_FAILED);
  CHECK_STR(run.error, WH_STR("interrupted before anything was published"));
  CHECK(!has_cursor(&k));
  CHECK_EQ(shop_count_attempts(&k.s, "lake"), 0);
  CHECK_EQ(shop_count_objects(&k.s, "lake", "out/"), 0);
  CHECK_OK(recover(&k));
  crash_free(&k);
}

TEST(a_sealed_attempt_that_is_gone_fails_and_keeps_the_cursor) {
  crash k;
  REQUIRE(crash_init(&k, true));
  CHECK_OK(k.lake->type->store->discard(k.lake, k.attempt, &test_err));
  CHECK_OK(recover(&k));
  wh_run run = state_of(&k);
  CHECK_EQ(run.state, WH_RUN_FAILED);
  CHECK(strstr(wh_arena_cstr(&k.arena, run.error), "is gone, and was not published"));
  CHECK(!has_cursor(&k));
  crash_free(&k);
}

TEST(recovery_touches_no_attempt_of_others) {
  crash k;
  REQUIRE(crash_init(&k, false));
  wh_str own = k.attempt;
  k.attempt = WH_STR("01jd0000000000000000000000-0"); // somebody else's, at work
  CHECK_OK(write_attempt(&k));
  k.attempt = own;
  CHECK_OK(recover(&k));
  CHECK_EQ(shop_count_attempts(&k.s, "lake"), 1);
  crash_free(&k);
}

TEST(who_slept_leaves_the_runs_of_who_took_over) {
  crash k;
  REQUIRE(crash_init(&k, false));
  wh_run mine = k.run;
  REQUIRE_OK(leave_behind(&k, false)); // under a later lease
  CHECK(k.run.epoch > mine.epoch);
  wh_lease slept = {.pipeline = WH_STR("out"), .epoch = mine.epoch};
  CHECK_OK(wh_run_recover(&k.s.c.engine, shop_pipeline(&k.s, "out"), &slept, &test_err));
  CHECK_EQ(state_of(&k).state, WH_RUN_RUNNING);
  k.run = mine;
  CHECK_EQ(state_of(&k).state, WH_RUN_FAILED);
  crash_free(&k);
}

TEST(recovery_waits_for_room) {
  crash k;
  REQUIRE(crash_init(&k, true));
  sim_os_full_at(k.s.os, 1, 0);
  CHECK_FAILS(recover(&k), WH_ERR_NO_SPACE);
  sim_os_full_at(k.s.os, 0, 0);
  CHECK_EQ(state_of(&k).state, WH_RUN_SEALED); // neither done nor given up
  CHECK_OK(recover(&k));
  CHECK_EQ(state_of(&k).state, WH_RUN_DONE);
  CHECK_EQ(shop_count_objects(&k.s, "lake", "out/"), 1);
  crash_free(&k);
}

// --- rows straight into a table ----------------------------------------------------------------

static const char copy[] = SHOP_CONNECTIONS
    "  copy:\n    from: erp:t\n    read: { cursor: at }\n    columns: all\n    to: website:t\n"
    "    write: { mode: upsert, key: n, newest_by: at }\n";

static wh_status sum_written(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  if (run->state == WH_RUN_DONE) *(uint64_t *)context += run->counts.written;
  if (run->state == WH_RUN_RUNNING || run->state == WH_RUN_SEALED) test_note("a run is left open");
  return WH_OK;
}

// Killed anywhere between the start and the end of a load: after the recovery the ledger says that
// the rows were written if and only if they are there, and the cursor follows.
static bool kill_a_copy(uint64_t at, bool *ret_beyond) {
  shop s;
  if (!shop_start(&s, copy)) return false;
  shop_sql(&s, "erp",
           "CREATE TABLE t(n INTEGER PRIMARY KEY, at TIMESTAMP);"
           "INSERT INTO t VALUES (1, '2026-11-20 08:00:00Z'), (2, '2026-11-20 09:00:00Z')");
  sim_os_fail_at(s.os, at);
  crossing c;
  wh_error err = {0};
  wh_run_totals totals = {0};
  wh_run_options options = {0};
  if (crossing_open(&c, s.os, &test_mem, &err) == WH_OK) {
    c.engine.watcher = (wh_watcher){0};
    WH_IGNORE(wh_engine_run(&c.engine, NULL, 0, &options, &totals, &err));
  }
  crossing_close(&c);
  *ret_beyond = !sim_os_power_is_off(s.os);
  sim_os_fail_at(s.os, 0);
  sim_os_kill(s.os);
  int64_t there = shop_ask(&s, "website", "SELECT count(*) FROM t");
  if (there < 0) there = 0; // no such table yet
  bool ok = CHECK(there == 0 || there == 2) && shop_open(&s);
  wh_ledger *l = s.c.ledger;
  wh_lease lease;
  ok = ok && CHECK_OK(l->type->acquire(l, WH_STR("copy"), &lease, &test_err)) &&
       CHECK_OK(wh_run_recover(&s.c.engine, shop_pipeline(&s, "copy"), &lease, &test_err));
  if (ok) l->type->release(l, &lease);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  uint64_t written = 0;
  wh_cursor cursor = {0};
  ok =
      ok &&
      CHECK_OK(l->type->runs(l, WH_STR("copy"), -1, 0, &arena, sum_written, &written, &test_err)) &&
      CHECK_EQ(written, there) &&
      CHECK_OK(l->type->cursor(l, WH_STR("copy"), &arena, &cursor, &test_err)) &&
      CHECK_EQ(cursor.found, there > 0) && CHECK_OK(shop_run(&s, "copy", NULL)) &&
      CHECK_EQ(s.totals.failed, 0) &&
      CHECK_EQ(shop_ask(&s, "website", "SELECT count(*) FROM t"), 2);
  shop_end(&s);
  return ok;
}

TEST(a_load_is_known_to_the_ledger_exactly_when_it_is_there) {
  bool beyond = false;
  for (uint64_t at = 1; !beyond; at++) {
    if (kill_a_copy(at, &beyond)) continue;
    test_note("killed at %llu", (unsigned long long)at);
    return;
  }
}

// --- from store to store -----------------------------------------------------------------------

#define MOVE(more) SHOP_CONNECTIONS "  move:\n    when: new\n    from: drop:in/*\n" more

static bool read_lake(shop *s, const char *path, const char *want) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_str text = {0};
  wh_str full = wh_arena_printf(&arena, "shop/lake/%s", path);
  return CHECK_OK(wh_os_read_file(s->os, full.data, 1 << 20, &arena, &text, &test_err)) &&
         CHECK_STR(text, wh_str_of(want));
}

static void check_moved(shop *s, uint64_t runs, uint64_t written, uint64_t unchanged) {
  CHECK_EQ(shop_run(s, "move", NULL), WH_OK);
  CHECK_EQ(s->totals.runs, runs);
  CHECK_EQ(s->totals.failed, 0);
  if (runs) CHECK_EQ(s->last.counts.written, written);
  if (runs) CHECK_EQ(s->last.counts.unchanged, unchanged);
}

TEST(raw_objects_arrive_byte_for_byte) {
  shop s;
  REQUIRE(shop_start(&s, MOVE("    raw: true\n    to: lake:out/{name}.{ext}\n")));
  REQUIRE(shop_write(&s, "drop/in/a.txt", "not JSON at all\n"));
  check_moved(&s, 1, 1, 0);
  read_lake(&s, "out/a.txt", "not JSON at all\n");
  check_moved(&s, 0, 0, 0);
  CHECK_EQ(shop_count_objects(&s, "lake", "_wherry/manifests/out/"), 1);
  CHECK_EQ(shop_count_attempts(&s, "lake"), 0);
  // An empty one, and one of several kilobytes.
  REQUIRE(shop_write(&s, "drop/in/empty.bin", ""));
  check_moved(&s, 1, 1, 0);
  read_lake(&s, "out/empty.bin", "");
  shop_end(&s);
}

TEST(a_raw_object_whose_bytes_are_there_is_unchanged) {
  shop s;
  REQUIRE(shop_start(&s, MOVE("    raw: true\n    to: lake:out/{name}.{ext}\n")));
  REQUIRE(shop_write(&s, "drop/in/a.txt", "same"));
  REQUIRE(shop_write(&s, "lake/out/a.txt", "same"));
  check_moved(&s, 1, 0, 1);
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 1);
  CHECK_EQ(shop_count_attempts(&s, "lake"), 0);
  // The same size is not the same bytes: the run is added to the name.
  REQUIRE(shop_write(&s, "drop/in/a.txt", "diff"));
  check_moved(&s, 1, 1, 0);
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 2);
  read_lake(&s, "out/a.txt", "same");
  char other[128];
  snprintf(other, sizeof other, "out/a-%s.txt", s.last.id);
  read_lake(&s, other, "diff");
  shop_end(&s);
}

// What somebody has written over a published object is not what its manifest says.
TEST(a_raw_object_that_is_not_what_was_published_is_not_copied) {
  shop s;
  static const char config[] = SHOP_CONNECTIONS
      "  make:\n    from: erp:t\n    columns: all\n    to: drop:in/{run}.json\n"
      "  move:\n    when: new\n    from: drop:in/*\n    raw: true\n    to: lake:out/{name}.{ext}\n";
  REQUIRE(shop_start(&s, config));
  shop_sql(&s, "erp", "CREATE TABLE t(n INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
  CHECK_EQ(shop_run(&s, "make", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_DONE);
  char path[128];
  snprintf(path, sizeof path, "shop/drop/in/%s.json", s.last.id);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_str text;
  REQUIRE_OK(wh_os_read_file(s.os, path, 1000, &arena, &text, &test_err));
  char *changed = wh_arena_cstr(&arena, text);
  *strchr(changed, '1') = '2';
  REQUIRE(shop_write(&s, path + 5, changed));
  CHECK_EQ(shop_run(&s, "move", NULL), WH_OK);
  CHECK_EQ(s.last.state, WH_RUN_FAILED);
  CHECK(strstr(s.last.error, "the checksum differs. It was not copied"));
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 0);
  CHECK_EQ(shop_count_attempts(&s, "lake"), 0);
  CHECK_EQ(shop_run(&s, "move", NULL), WH_OK);
  CHECK_EQ(s.finished, 0); // it will not become another
  shop_end(&s);
}

TEST(a_raw_copy_that_is_stopped_begins_anew) {
  shop s;
  REQUIRE(shop_start(&s, MOVE("    raw: true\n    to: lake:out/{name}.{ext}\n")));
  REQUIRE(shop_write(&s, "drop/in/a.txt", "x") && shop_open(&s));
  wh_ledger *l = s.c.ledger;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_lease lease;
  wh_work work = {.key = WH_STR("in/a.txt")};
  wh_run_options options = {0};
  REQUIRE_OK(l->type->acquire(l, WH_STR("move"), &lease, &test_err));
  wh_run_request request = {
      .pipeline = shop_pipeline(&s, "move"), .lease = &lease, .options = &options, .work = &work};
  wh_run run = {0};
  atomic_store(&s.c.stop, true);
  CHECK_FAILS(wh_run_raw(&s.c.engine, &request, &arena, &run, &test_err), WH_ERR_CANCELLED);
  CHECK_EQ(run.state, WH_RUN_STOPPED);
  l->type->release(l, &lease);
  shop_close(&s);
  check_moved(&s, 1, 1, 0);
  shop_end(&s);
}

TEST(rows_go_from_object_to_object) {
  shop s;
  REQUIRE(shop_start(&s, MOVE("    steps:\n      - trim: [s]\n"
                              "    columns: { Name: s, N: n }\n"
                              "    expect: { N: [not_null] }\n"
                              "    to: lake:out/{name}-{run}.ndjson\n")));
  REQUIRE(shop_write(&s, "drop/in/a.json",
                     "[{\"n\": 1, \"s\": \" x \", \"home\": true}, {\"n\": null, \"s\": \"y\"},\n"
                     " {\"n\": 12345678901234567, \"s\": null}]"));
  check_moved(&s, 1, 2, 0);
  CHECK_EQ(s.last.counts.read, 3);
  CHECK_EQ(s.last.counts.quarantined, 1);
  char path[128];
  snprintf(path, sizeof path, "out/a-%s.ndjson", s.last.id);
  read_lake(&s, path, "{\"Name\":\"x\",\"N\":1}\n{\"Name\":null,\"N\":12345678901234567}\n");
  check_moved(&s, 0, 0, 0);
  // An object without rows makes none.
  REQUIRE(shop_write(&s, "drop/in/b.json", "[]"));
  CHECK_EQ(shop_run(&s, "move", NULL), WH_OK);
  CHECK_EQ(s.totals.runs, 1);
  CHECK_EQ(shop_count_objects(&s, "lake", "out/"), 1);
  shop_end(&s);
}

// Two hops: the manifest tells the second what types the first had.
TEST(types_survive_from_object_to_object) {
  shop s;
  static const char config[] =
      SHOP_CONNECTIONS "  a-make:\n    from: erp:t\n    columns: all\n    to: lake:one/{run}.json\n"
                       "  b-turn:\n    when: new\n    from: lake:one/*.json\n    columns: all\n"
                       "    to: lake:two/{run}.ndjson\n"
                       "  c-load:\n    when: new\n    from: lake:two/*.ndjson\n    columns: all\n  "
                       "  to: website:t\n";
  REQUIRE(shop_start(&s, config));
  shop_sql(&s, "erp",
           "CREATE TABLE t(n INTEGER PRIMARY KEY, total DECIMAL(12,2), at TIMESTAMP, b BLOB);"
           "INSERT INTO t VALUES (1, '10.50', '2026-11-20 08:00:00Z', x'00ff'), "
           "(9007199254740993, '-0.01', NULL, NULL)");
  CHECK_EQ(shop_run_all(&s), WH_OK);
  CHECK_EQ(s.totals.runs, 3);
  CHECK_EQ(s.totals.failed, 0);
  CHECK_EQ(shop_ask(&s, "website", "SELECT n FROM t WHERE at IS NULL"), 9007199254740993);
  CHECK_EQ(
      shop_ask(&s, "website", "SELECT count(*) FROM t WHERE b = x'00ff' AND typeof(b) = 'blob'"),
      1);
  CHECK_EQ(shop_ask(&s, "website", "SELECT sum(total * 100) FROM t"), 1049);
  CHECK_EQ(shop_ask(&s, "website", "SELECT strftime('%s', at) FROM t WHERE n = 1"), 1795161600);
  shop_end(&s);
}
