// The ledger's word: what returned is on disk, whatever happens. A story of calls (ledger_story.h)
// is broken off at every change of the disk, by power, by killing, by a full disk, by a failing
// call; each time everything acknowledged must be there, and the story must go on to its end.
#include "ledger_story.h"

#include <sqlite3.h>

typedef struct scene {
  story s;
  wh_arena arena;
} scene;

static void scene_begin(scene *c, const ledger_factory *factory, uint64_t seed) {
  *c = (scene){.s = {.mem = &test_mem, .factory = factory, .err = &test_err}};
  wh_arena_init(&c->arena, &test_mem);
  c->s.arena = &c->arena;
  c->s.os = sim_os_new(&test_mem, seed);
  sim_vfs_use(c->s.os);
}

static void scene_end(scene *c) {
  story_close(&c->s);
  sim_vfs_use(NULL);
  sim_os_free(c->s.os);
  wh_arena_free(&c->arena);
}

// True when the story was told without a break.
static bool break_power(const ledger_factory *factory, uint64_t seed, uint64_t n, bool kill) {
  scene c;
  scene_begin(&c, factory, seed);
  sim_os_fail_at(c.s.os, n);
  wh_status status = story_open(&c.s);
  if (status == WH_OK) status = story_go_on(&c.s);
  bool whole = status == WH_OK && !sim_os_power_is_off(c.s.os);
  if (kill)
    sim_os_kill(c.s.os);
  else
    sim_os_restart(c.s.os);
  story_close(&c.s);
  if (CHECK_OK(story_open(&c.s))) {
    story_check(&c.s);
    story_end(&c.s);
  }
  scene_end(&c);
  return whole;
}

static void each_change(bool kill) {
  int seeds = test_is_long() ? 100 : 3;
  for (int f = 0; f < LEDGER_FACTORIES; f++) {
    if (ledger_factories[f].has_server) continue; // its disk is not ours to break
    for (int i = 0; i < seeds; i++) {
      uint64_t seed = test_random(), n = 1;
      while (!break_power(&ledger_factories[f], seed, n, kill) && n < 10000)
        n++;
      CHECK(n > 20 && n < 10000);
      if (i == 0) test_note("%d changes of the disk in the story", (int)n);
    }
  }
}

TEST(what_was_acknowledged_survives_power_loss_at_every_change) {
  each_change(false);
}

TEST(what_was_acknowledged_survives_being_killed_at_every_change) {
  each_change(true);
}

// The disk is full from the nth change on; then there is room again, and the same ledger goes on.
static bool fill_disk(const ledger_factory *factory, uint64_t seed, uint64_t n) {
  scene c;
  scene_begin(&c, factory, seed);
  sim_os_full_at(c.s.os, n, 0);
  wh_status status = story_open(&c.s);
  if (status == WH_OK) status = story_go_on(&c.s);
  bool whole = status == WH_OK;
  if (!whole) {
    CHECK_EQ(status, WH_ERR_NO_SPACE);
    CHECK_ERROR_HAS("no space left");
    if (c.s.l) CHECK(test_err.retry);
  }
  sim_os_full_at(c.s.os, 0, 0);
  if (c.s.l || CHECK_OK(story_open(&c.s))) {
    story_check(&c.s);
    story_end(&c.s);
  }
  scene_end(&c);
  return whole;
}

TEST(a_full_disk_is_said_and_waited_for) {
  for (int f = 0; f < LEDGER_FACTORIES; f++) {
    if (ledger_factories[f].has_server) continue;
    uint64_t seed = test_random(), n = 1;
    while (!fill_disk(&ledger_factories[f], seed, n) && n < 10000)
      n++;
    CHECK(n > 20 && n < 10000);
  }
}

// One call of the system fails: an error or not, never a lie.
static bool fail_call(const ledger_factory *factory, uint64_t seed, uint64_t n) {
  scene c;
  scene_begin(&c, factory, seed);
  sim_os_error_at(c.s.os, n, 1);
  wh_status status = story_open(&c.s);
  if (status == WH_OK) status = story_go_on(&c.s);
  bool passed = sim_os_calls(c.s.os) >= n;
  sim_os_error_at(c.s.os, 0, 0);
  if (c.s.l || CHECK_OK(story_open(&c.s))) {
    story_check(&c.s);
    story_end(&c.s);
    // And it was not only in memory.
    sim_os_restart(c.s.os);
    story_close(&c.s);
    if (CHECK_OK(story_open(&c.s))) story_check(&c.s);
  }
  scene_end(&c);
  return !passed;
}

TEST(a_failing_call_loses_nothing) {
  for (int f = 0; f < LEDGER_FACTORIES; f++) {
    if (ledger_factories[f].has_server) continue;
    uint64_t seed = test_random(), n = 1;
    while (!fail_call(&ledger_factories[f], seed, n) && n < 10000)
      n += test_is_long() ? 1 : 3;
    test_note("%d calls in the story", (int)n);
    CHECK(n > 20 && n < 10000);
  }
}

// --- opening
// ---------------------------------------------------------------------------------------

static wh_status open_at(wh_os *os, wh_ledger **ret) {
  *ret = NULL;
  return wh_ledger_open_sqlite(os, &test_mem, "state/ledger.db", "state/locks", ret, &test_err);
}

static void sql(const char *text) {
  sqlite3 *db = NULL;
  CHECK_EQ(sqlite3_open_v2("state/ledger.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                           SIM_VFS_NAME),
           SQLITE_OK);
  CHECK_EQ(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

TEST(other_databases_and_newer_ledgers_are_refused) {
  wh_os *os = sim_os_new(&test_mem, 1);
  sim_vfs_use(os);
  wh_ledger *l;
  CHECK_OK(wh_os_make_path(os, "state", &test_err));
  sql("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)");
  CHECK_FAILS(open_at(os, &l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("state/ledger.db: this is a database of something else");
  CHECK_OK(os->type->remove(os, "state/ledger.db", &test_err));
  sql("PRAGMA user_version = 3");
  CHECK_FAILS(open_at(os, &l), WH_ERR_REFUSED);
  CHECK_OK(os->type->remove(os, "state/ledger.db", &test_err));

  CHECK_OK(open_at(os, &l));
  wh_ledger_close(l);
  CHECK_OK(open_at(os, &l));
  wh_ledger_close(l);
  sql("PRAGMA user_version = 99");
  CHECK_FAILS(open_at(os, &l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("a newer wherry wrote this ledger (version 99; this one knows 7)");
  sim_vfs_use(NULL);
  sim_os_free(os);
}

// Version 0 with our mark: what a ledger was before its first migration.
TEST(an_older_ledger_is_migrated) {
  wh_os *os = sim_os_new(&test_mem, 1);
  sim_vfs_use(os);
  CHECK_OK(wh_os_make_path(os, "state", &test_err));
  sql("PRAGMA application_id = 1466453095");
  wh_ledger *l;
  if (CHECK_OK(open_at(os, &l))) CHECK_OK(l->type->set_fired(l, HELD("p"), 5, &test_err));
  wh_ledger_close(l);
  sim_vfs_use(NULL);
  sim_os_free(os);
}

static void damage(wh_os *os, uint64_t offset, const char *text) {
  wh_file *file;
  if (!CHECK_OK(wh_os_open(os, "state/ledger.db", WH_OPEN_READ | WH_OPEN_WRITE, &file, &test_err)))
    return;
  CHECK_OK(file->type->write_at(file, offset, text, strlen(text), &test_err));
  wh_file_close(file);
}

TEST(a_damaged_ledger_says_how_to_rebuild_it) {
  wh_os *os = sim_os_new(&test_mem, 1);
  sim_vfs_use(os);
  wh_ledger *l;
  CHECK_OK(wh_os_make_path(os, "state", &test_err));
  CHECK_OK(wh_os_write_file(os, "state/ledger.db", S("this is not a database, is it? no."), false,
                            &test_err));
  CHECK_FAILS(open_at(os, &l), WH_ERR_DATA);
  CHECK_ERROR_HAS("wherry ledger rebuild");
  CHECK_OK(os->type->remove(os, "state/ledger.db", &test_err));

  CHECK_OK(open_at(os, &l));
  wh_ledger_close(l);
  for (uint64_t page = 1; page < 20; page++) // every root page
    damage(os, page * 4096, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  wh_status status = open_at(os, &l);
  bool is_new;
  if (status == WH_OK) {
    status = l->type->put(l, S("p"), S("k"), S("1"), 1, &is_new, &test_err);
    wh_ledger_close(l);
  }
  CHECK_EQ(status, WH_ERR_DATA);
  CHECK_ERROR_HAS("wherry ledger rebuild");
  sim_vfs_use(NULL);
  sim_os_free(os);
}
