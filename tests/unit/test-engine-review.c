// Failures and crashes at every call of runs that the order-status crossing does not have: objects
// into objects, raw copies, replays, and what a changed configuration meets after a crash.
#include "base/sqlite_mem.h"
#include "crossing.h"
#include "engine/run.h"
#include "ledger/manifest.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

enum { LIVES_MAX = 12 };

static wh_mem sqlite_mem;

#define CONNECTIONS                                                                                \
  "version: 1\n"                                                                                   \
  "connections:\n"                                                                                 \
  "  erp: { type: sqlite, path: erp.db }\n"                                                        \
  "  website: { type: sqlite, path: website.db }\n"                                                \
  "  drop: { type: local, path: drop }\n"                                                          \
  "  lake: { type: local, path: lake }\n"

static bool write_file(wh_os *os, const char *path, const char *text) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  return CHECK_OK(wh_os_make_path(os, wh_path_folder(&arena, path), &test_err)) &&
         CHECK_OK(wh_os_write_file(os, path, wh_str_of(text), false, &test_err));
}

static wh_os *start(uint64_t seed, const char *config) {
  wh_sqlite_use_mem(&sqlite_mem);
  wh_os *os = sim_os_new(&test_mem, seed);
  if (!os) return NULL;
  sim_vfs_use(os);
  if (!write_file(os, "shop/wherry.yaml", config)) return NULL;
  return os;
}

// One life of the program. A failed run is not a failed life.
static wh_status live(wh_os *os, wh_run_totals *totals) {
  crossing c;
  wh_error err = {0};
  *totals = (wh_run_totals){0};
  wh_status status = crossing_open(&c, os, &test_mem, &err);
  wh_run_options options = {.hurry = true};
  if (status == WH_OK) status = wh_engine_run(&c.engine, NULL, 0, &options, totals, &err);
  crossing_close(&c);
  return status;
}

typedef struct seen {
  wh_str prefix;
  uint64_t objects, attempts;
} seen;

static wh_status count_object(void *context, const wh_object *object, wh_error *err) {
  (void)err;
  seen *s = context;
  s->objects += wh_str_starts(object->key, "out/");
  return WH_OK;
}
static wh_status count_attempt(void *context, const wh_object *object, wh_error *err) {
  (void)object, (void)err;
  seen *s = context;
  s->attempts++;
  return WH_OK;
}

// What stands in the lake under out/, and the attempts that nobody will publish.
static bool look(wh_os *os, seen *ret) {
  crossing c;
  *ret = (seen){0};
  bool ok = CHECK_OK(crossing_open(&c, os, &test_mem, &test_err));
  wh_connection *lake;
  ok = ok && CHECK_OK(wh_config_connect(c.config, WH_STR("lake"), &lake, &test_err)) &&
       CHECK_OK(lake->type->store->list(lake, (wh_str){0}, count_object, ret, &test_err)) &&
       CHECK_OK(lake->type->store->attempts(lake, count_attempt, ret, &test_err));
  crossing_close(&c);
  return ok;
}

// --- objects into objects --------------------------------------------------------------------

#define MOVE(raw)                                                                                  \
  CONNECTIONS "pipelines:\n"                                                                       \
              "  move:\n"                                                                          \
              "    when: new\n"                                                                    \
              "    from: drop:in/*.json\n" raw "    to: lake:out/{name}-{run}.json\n"
static const char move_rows[] = MOVE("    columns: all\n");
static const char move_raw[] = MOVE("    raw: true\n");

static wh_os *start_moving(uint64_t seed, const char *config) {
  wh_os *os = start(seed, config);
  if (os && write_file(os, "shop/drop/in/a.json", "[{\"n\": 1}, {\"n\": 2}]")) {
    sim_os_advance(os, 60ll * 1000000000);
    return os;
  }
  return NULL;
}

// Until a life ends well and nothing fails in it.
static bool come_to_rest(wh_os *os) {
  for (int i = 0; i < LIVES_MAX; i++) {
    wh_run_totals totals;
    sim_os_advance(os, 3600ll * 1000000000);
    if (live(os, &totals) == WH_OK && totals.failed == 0) return true;
  }
  return CHECK(!"it never came to rest");
}

// `litter`: a store need not take away an attempt that it has published (connect/store.h).
static bool one_object_came(wh_os *os, bool litter) {
  seen s;
  return come_to_rest(os) && look(os, &s) && CHECK_EQ(s.objects, 1) &&
         (litter || CHECK_EQ(s.attempts, 0));
}

// `fails`: how often calls fail from the nth on. A life whose object is not there is a failed one.
static void move_with_failures(const char *config, uint64_t fails) {
  for (uint64_t at = 1; at < 4000; at++) {
    wh_os *os = start_moving(test_seed() + at, config);
    REQUIRE(os);
    wh_run_totals totals;
    uint64_t calls = sim_os_calls(os);
    sim_os_error_at(os, at, fails);
    wh_status status = live(os, &totals);
    bool beyond = sim_os_calls(os) - calls < at;
    sim_os_error_at(os, 0, 0);
    seen s;
    bool ok = look(os, &s);
    if (status == WH_OK && totals.failed == 0) ok = CHECK_EQ(s.objects, 1) && ok;
    ok = one_object_came(os, s.objects == 1) && ok;
    sim_os_free(os);
    if (!ok) {
      test_note("a call failed at %llu", (unsigned long long)at);
      return;
    }
    if (beyond) return;
  }
}

TEST(objects_move_once_when_a_call_fails) {
  move_with_failures(move_rows, 1);
}
TEST(objects_move_once_when_calls_fail) {
  move_with_failures(move_rows, 8);
}
TEST(raw_objects_move_once_when_a_call_fails) {
  move_with_failures(move_raw, 1);
}

static void move_with_power_loss(const char *config, bool kill) {
  for (uint64_t at = 1; at < 4000; at++) {
    wh_os *os = start_moving(test_seed() + at, config);
    REQUIRE(os);
    wh_run_totals totals;
    sim_os_fail_at(os, at);
    (void)live(os, &totals);
    bool beyond = !sim_os_power_is_off(os);
    sim_os_fail_at(os, 0);
    if (kill)
      sim_os_kill(os);
    else
      sim_os_restart(os);
    bool ok = one_object_came(os, false);
    sim_os_free(os);
    if (!ok) {
      test_note("the power failed at %llu", (unsigned long long)at);
      return;
    }
    if (beyond) return;
  }
}

TEST(objects_move_once_whenever_the_program_is_killed) {
  move_with_power_loss(move_rows, true);
}
TEST(raw_objects_move_once_whenever_the_program_is_killed) {
  move_with_power_loss(move_raw, true);
}

// --- recovery under another configuration ----------------------------------------------------

static const char to_table[] = CONNECTIONS "pipelines:\n"
                                           "  orders:\n"
                                           "    from: erp:t\n"
                                           "    columns: all\n"
                                           "    to: website:t\n"
                                           "    write: { mode: upsert, key: n }\n";
static const char to_lake[] = CONNECTIONS "pipelines:\n"
                                          "  orders:\n"
                                          "    from: erp:t\n"
                                          "    columns: all\n"
                                          "    to: lake:out/t-{run}.json\n";

// A life under `before` that is killed at its nth change, then lives under `after`.
static bool change_target(uint64_t at, const char *before, const char *after, bool *ret_beyond) {
  wh_os *os = start(test_seed() + at, before);
  if (!CHECK(os)) return false;
  static const char table[] =
      "CREATE TABLE t(n INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)";
  bool ok = CHECK_OK(crossing_sql(os, "erp", table, &test_err));
  wh_run_totals totals;
  sim_os_fail_at(os, at);
  (void)live(os, &totals);
  *ret_beyond = !sim_os_power_is_off(os);
  sim_os_fail_at(os, 0);
  sim_os_kill(os);
  ok = ok && write_file(os, "shop/wherry.yaml", after) && come_to_rest(os);
  sim_os_free(os);
  return ok;
}

static void change_target_everywhere(const char *before, const char *after) {
  bool beyond = false;
  for (uint64_t at = 1; !beyond; at++) {
    if (change_target(at, before, after, &beyond)) continue;
    test_note("killed at %llu", (unsigned long long)at);
    return;
  }
}

TEST(a_run_into_a_table_is_recovered_when_the_target_is_a_lake_now) {
  change_target_everywhere(to_table, to_lake);
}
TEST(a_run_into_a_lake_is_recovered_when_the_target_is_a_table_now) {
  change_target_everywhere(to_lake, to_table);
}

static const char move_name[] = CONNECTIONS "pipelines:\n"
                                            "  move:\n"
                                            "    when: new\n"
                                            "    from: drop:in/*.json\n"
                                            "    raw: true\n"
                                            "    to: lake:out/{name}.{ext}\n";

// Somebody else takes the name between the seal and the publication.
TEST(a_raw_copy_whose_name_was_taken_while_it_was_down_takes_another) {
  bool beyond = false;
  for (uint64_t at = 1; !beyond; at++) {
    wh_os *os = start_moving(test_seed() + at, move_name);
    REQUIRE(os);
    wh_run_totals totals;
    sim_os_fail_at(os, at);
    (void)live(os, &totals);
    beyond = !sim_os_power_is_off(os);
    sim_os_fail_at(os, 0);
    sim_os_kill(os);
    seen s;
    bool ok = look(os, &s);
    uint64_t expected = s.objects ? 1 : 2;
    if (expected == 2)
      ok = ok && write_file(os, "shop/lake/out/a.json", "[{\"n\": 3}, {\"n\": 4}]");
    ok = ok && come_to_rest(os) && look(os, &s) && CHECK_EQ(s.objects, expected);
    sim_os_free(os);
    if (!ok) {
      test_note("killed at %llu", (unsigned long long)at);
      return;
    }
  }
}

// --- replay ------------------------------------------------------------------------------------

#define EXPORT(expect)                                                                             \
  CONNECTIONS "pipelines:\n"                                                                       \
              "  orders:\n"                                                                        \
              "    from: erp:t\n"                                                                  \
              "    columns: all\n" expect "    to: lake:out/t-{run}.json\n"
static const char strict[] = EXPORT("    expect: { s: { in: [Open] } }\n");
static const char lenient[] = EXPORT("");

static wh_status replay(wh_os *os, wh_run_totals *totals) {
  crossing c;
  wh_error err = {0};
  *totals = (wh_run_totals){0};
  wh_status status = crossing_open(&c, os, &test_mem, &err);
  if (status == WH_OK) {
    status = wh_quarantine_replay(&c.engine, &c.config->pipelines[0], totals, &err);
  }
  crossing_close(&c);
  return status;
}

// The rejected row leaves the quarantine once, whenever the replay is killed.
TEST(a_replay_publishes_once_whenever_it_is_killed) {
  bool beyond = false;
  for (uint64_t at = 1; !beyond; at++) {
    wh_os *os = start(test_seed() + at, strict);
    REQUIRE(os);
    static const char table[] = "CREATE TABLE t(n INTEGER PRIMARY KEY, s TEXT);"
                                "INSERT INTO t VALUES (1, 'Open'), (2, 'Opne')";
    wh_run_totals totals;
    bool ok = CHECK_OK(crossing_sql(os, "erp", table, &test_err)) &&
              CHECK(live(os, &totals) == WH_OK) && CHECK_EQ(totals.rows_quarantined, 1) &&
              write_file(os, "shop/wherry.yaml", lenient);
    sim_os_fail_at(os, at);
    (void)replay(os, &totals);
    beyond = !sim_os_power_is_off(os);
    sim_os_fail_at(os, 0);
    sim_os_kill(os);
    seen s;
    for (int i = 0; ok && i < 2; i++)
      ok = CHECK(replay(os, &totals) == WH_OK) && CHECK_EQ(totals.failed, 0);
    ok = ok && look(os, &s) && CHECK_EQ(s.objects, 2);
    sim_os_free(os);
    if (!ok) {
      test_note("killed at %llu", (unsigned long long)at);
      return;
    }
  }
}

// --- loads in chunks ---------------------------------------------------------------------------

#define LOAD(more)                                                                                 \
  CONNECTIONS "pipelines:\n"                                                                       \
              "  load:\n"                                                                          \
              "    when: new\n"                                                                    \
              "    from: drop:in/*.json\n"                                                         \
              "    columns: all\n"                                                                 \
              "    expect: { s: { in: [Open] } }\n"                                                \
              "    to: website:t\n" more

enum { LOAD_ROWS = 60, BAD_EVERY = 7 };

static bool write_object(wh_os *os, int rows, bool is_whole) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, &test_mem, 0);
  for (int i = 0; i < rows; i++) {
    wh_buf_printf(&text, "%s{\"n\": %d, \"s\": \"%s\"}", i ? ",\n" : "[", i,
                  i % BAD_EVERY == 3 ? "Opne" : "Open");
  }
  wh_buf_add_c(&text, is_whole ? "]" : "");
  bool ok = CHECK(wh_buf_add_char(&text, 0)) && write_file(os, "shop/drop/in/a.json", text.data);
  sim_os_advance(os, 60ll * 1000000000);
  return ok;
}

// Asks the engine to stop after so many batches.
typedef struct stopper {
  crossing *c;
  int batches;
} stopper;

static void count_batches(void *context, const wh_progress *progress) {
  (void)progress;
  stopper *s = context;
  sim_os_advance(s->c->os, 1000000000); // progress is told of now and then only
  if (s->batches-- == 0) atomic_store(&s->c->stop, true);
}

static wh_status live_for(wh_os *os, int batches) {
  crossing c;
  wh_error err = {0};
  wh_run_totals totals = {0};
  wh_run_options options = {.hurry = true};
  wh_status status = crossing_open(&c, os, &test_mem, &err);
  stopper s = {&c, batches};
  c.engine.watcher = (wh_watcher){.context = &s, .progress = count_batches};
  if (status == WH_OK) status = wh_engine_run(&c.engine, NULL, 0, &options, &totals, &err);
  crossing_close(&c);
  return status;
}

static wh_status count_rejected(void *context, const wh_quarantine_entry *entry,
                                const wh_rejected_row *row, wh_error *err) {
  (void)entry, (void)row, (void)err;
  ++*(uint64_t *)context;
  return WH_OK;
}

static bool check_rejected(wh_os *os, uint64_t expected) {
  crossing c;
  uint64_t rows = 0;
  bool ok =
      CHECK_OK(crossing_open(&c, os, &test_mem, &test_err)) &&
      CHECK_OK(wh_quarantine_rows(&c.engine, (wh_str){0}, count_rejected, &rows, &test_err)) &&
      CHECK_EQ(rows, expected);
  crossing_close(&c);
  return ok;
}

// Killed at the nth change, then stopped after some batches, then left alone: chunks begin
// elsewhere each time.
TEST(each_bad_row_is_quarantined_once_wherever_chunks_begin) {
  static const char config[] = LOAD("    chunk: 10\n    batch: 4\n");
  for (uint64_t at = 60; at < 400; at += 3) {
    for (int batches = 0; batches < 4; batches++) {
      wh_os *os = start(test_seed() + at, config);
      REQUIRE(os);
      bool ok = write_object(os, LOAD_ROWS, true);
      wh_run_totals totals;
      sim_os_fail_at(os, at);
      (void)live(os, &totals);
      bool beyond = !sim_os_power_is_off(os);
      sim_os_fail_at(os, 0);
      sim_os_kill(os);
      ok = ok && CHECK(live_for(os, batches) == WH_OK) && come_to_rest(os) &&
           check_rejected(os, (LOAD_ROWS - 4 + BAD_EVERY) / BAD_EVERY);
      sim_os_free(os);
      if (!ok) test_note("killed at %llu, stopped after %d", (unsigned long long)at, batches);
      if (!ok || beyond) return;
    }
  }
}

// Its end is missing, which is seen only when all of it was read.
TEST(nothing_of_a_broken_object_is_committed_when_the_run_is_stopped) {
  static const char config[] = LOAD("    batch: 100\n"); // more rows than types are told by
  wh_os *os = start(test_seed(), config);
  REQUIRE(os);
  REQUIRE(write_object(os, 3000, false));
  CHECK(live_for(os, 2) == WH_OK);
  wh_error err = {0};
  CHECK_OK(crossing_sql(os, "website",
                        "CREATE TABLE IF NOT EXISTS t(n); CREATE TABLE none(x CHECK (x = 0));"
                        "INSERT INTO none SELECT count(*) FROM t",
                        &err));
  sim_os_free(os);
}
