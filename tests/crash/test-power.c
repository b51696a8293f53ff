// Power loss at the I/O calls of a whole crossing: export, publish, load, ledger. After each
// restart the website's table must come to equal the ERP's truth, with no row lost or doubled, and
// no half-written object readable at any time.
#include "base/sqlite_mem.h"
#include "crossing.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

enum { ROWS = 60, RESTARTS_MAX = 40 };

static wh_mem sqlite_mem;

static wh_os *start(uint64_t seed, const char *chunk) {
  wh_sqlite_use_mem(&sqlite_mem);
  wh_os *os = sim_os_new(&test_mem, seed);
  if (!os) return NULL;
  sim_vfs_use(os);
  if (!CHECK_OK(crossing_write_config(os, chunk, &test_err)) ||
      !CHECK_OK(crossing_make_erp(os, ROWS, seed, &test_err))) {
    return NULL;
  }
  return os;
}

// One life of the program: until it is done or the power goes.
static wh_status live(wh_os *os) {
  crossing c;
  wh_error err = {0};
  wh_run_totals totals;
  wh_status status = crossing_open(&c, os, &test_mem, &err);
  if (status == WH_OK) status = crossing_run(&c, &totals, &err);
  if (status != WH_OK && !sim_os_power_is_off(os)) test_note("%s", err.text);
  crossing_close(&c);
  return status;
}

static bool lake_is_whole(wh_os *os) {
  crossing c;
  bool whole = CHECK_OK(crossing_open(&c, os, &test_mem, &test_err)) &&
               CHECK_OK(crossing_check_lake(&c, &test_err));
  crossing_close(&c);
  return whole;
}

static bool come_back(wh_os *os) {
  for (int i = 0; i < RESTARTS_MAX; i++) {
    sim_os_restart(os);
    if (!lake_is_whole(os)) return false;
    if (live(os) == WH_OK && !sim_os_power_is_off(os)) {
      return CHECK_OK(crossing_compare(os, &test_err));
    }
  }
  return CHECK(!"it never finished");
}

// How many changes one crossing makes.
static uint64_t changes_of_a_crossing(uint64_t seed, const char *chunk) {
  wh_os *os = start(seed, chunk);
  uint64_t before = sim_os_changes(os);
  CHECK(live(os) == WH_OK);
  CHECK_OK(crossing_compare(os, &test_err));
  uint64_t changes = sim_os_changes(os) - before;
  sim_os_free(os);
  return changes;
}

static bool fail_once(uint64_t seed, uint64_t at, const char *chunk) {
  wh_os *os = start(seed, chunk);
  if (!os) return false;
  sim_os_fail_at(os, at);
  (void)live(os);
  bool ok = come_back(os);
  // And the next crossing, with changed rows, works on what was left.
  ok = ok && CHECK_OK(crossing_change_erp(os, seed + at, &test_err)) && CHECK(live(os) == WH_OK) &&
       CHECK_OK(crossing_compare(os, &test_err));
  sim_os_free(os);
  if (!ok) test_note("power failed at change %llu", (unsigned long long)at);
  return ok;
}

TEST(a_crossing_survives_power_loss_at_every_change) {
  uint64_t changes = changes_of_a_crossing(test_seed(), NULL);
  uint64_t step = test_is_long() ? 1 : 20;
  uint64_t first = test_is_long() ? 1 : 1 + test_random_below(step);
  test_note("a crossing makes %llu changes", (unsigned long long)changes);
  for (uint64_t at = first; at <= changes; at += step) {
    if (!fail_once(test_seed() + at, at, NULL)) return;
  }
}

TEST(a_crossing_in_chunks_survives_power_loss) {
  uint64_t changes = changes_of_a_crossing(test_seed(), "10");
  uint64_t step = test_is_long() ? 1 : 40;
  for (uint64_t at = 1 + test_random_below(step); at <= changes; at += step) {
    if (!fail_once(test_seed() + at, at, "10")) return;
  }
}

// Several failures in a row, with changes at the source between them.
static bool random_history(uint64_t seed) {
  wh_os *os = start(seed, test_random_below(2) ? "10" : NULL);
  if (!os) return false;
  bool ok = true;
  int rounds = 2 + (int)test_random_below(4);
  for (int i = 0; ok && i < rounds; i++) {
    sim_os_fail_at(os, 1 + test_random_below(600));
    wh_status status = live(os);
    if (status != WH_OK || sim_os_power_is_off(os)) { // it may go while the program ends
      if (test_random_below(2))
        sim_os_restart(os);
      else
        sim_os_kill(os);
      ok = lake_is_whole(os);
    }
    sim_os_fail_at(os, 0);
    sim_os_advance(os, (int64_t)(1 + test_random_below(100)) * 1000000000);
    if (ok) ok = CHECK_OK(crossing_change_erp(os, seed + (uint64_t)i, &test_err));
  }
  sim_os_fail_at(os, 0);
  ok = ok && come_back(os);
  sim_os_free(os);
  return ok;
}

TEST(random_histories_of_power_loss) {
  int histories = test_is_long() ? 2000 : 20;
  for (int i = 0; i < histories; i++) {
    if (!random_history(test_seed() + (uint64_t)i * 7919)) {
      test_note("history %d", i);
      return;
    }
  }
}
