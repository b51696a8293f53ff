// Every allocation of a whole crossing refused in turn, SQLite's too: an error that says so, no
// crash, no leak, no half-written object; and once there is memory the website's table comes to
// equal the ERP. A program of its own, because SQLite's memory can be put under the accountant only
// before its first use.
#include "base/sqlite_mem.h"
#include "crossing.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

#include <sqlite3.h>

enum { ROWS = 6, POSITIONS_SHORT = 150, POSITIONS_MAX = 200000 };

// How allocations are refused.
typedef struct manner {
  const char *chunk; // of the import; NULL: one
  size_t count;      // so many from the position on; 0: all
  bool threads;      // stages overlap
} manner;

static wh_os *start(uint64_t seed, const char *chunk) {
  wh_os *os = sim_os_new(&test_mem, seed);
  if (!CHECK(os)) return NULL;
  sim_vfs_use(os);
  // One of the rows will be rejected.
  if (!CHECK_OK(crossing_write_config(os, chunk, &test_err)) ||
      !CHECK_OK(crossing_make_erp(os, ROWS, seed, &test_err)) ||
      !CHECK_OK(crossing_sql(os, "erp", "UPDATE sales_order SET status = 'Shiped' WHERE id = 4",
                             &test_err))) {
    return NULL;
  }
  return os;
}

// *ret_count: the allocations so far, when the work was done and only closing was left.
static wh_status live(wh_os *os, const manner *how, size_t *ret_count, wh_error *err) {
  crossing c;
  wh_run_totals totals;
  wh_status status = crossing_open(&c, os, &test_mem, err);
  if (how) c.engine.single_thread = !how->threads;
  if (status == WH_OK) status = crossing_run(&c, &totals, err);
  *ret_count = atomic_load(&test_mem.count);
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

// A crossing whose allocations fail from the nth on. *ret_whole: it made fewer.
static bool refuse_from(size_t n, const manner *how, bool *ret_whole) {
  wh_os *os = start(test_seed(), how->chunk);
  if (!os) return false;
  size_t used = atomic_load(&test_mem.used);
  wh_error err = {0};
  atomic_store(&test_mem.fail_count, how->count);
  atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
  size_t count;
  wh_status status = live(os, how, &count, &err);
  *ret_whole = count < atomic_load(&test_mem.fail_at);
  atomic_store(&test_mem.fail_at, 0);
  // SQLite keeps none of what it took for the databases that were closed, but may for itself.
  (void)sqlite3_release_memory(INT32_MAX);
  bool ok = CHECK(atomic_load(&test_mem.used) <= used);
  // One that is refused alone may be one that can be done without.
  bool may_pass = *ret_whole || how->count;
  ok = ok && (status == WH_OK ? CHECK(may_pass) : CHECK(strstr(err.text, "memory")));
  ok = ok && lake_is_whole(os);
  if (status == WH_OK) ok = ok && CHECK_OK(crossing_compare(os, &test_err));
  ok = ok && CHECK_OK(live(os, NULL, &count, &test_err)) &&
       CHECK_OK(crossing_compare(os, &test_err));
  if (!ok) test_note("refused from allocation %zu on: %s", n, err.text);
  sim_vfs_use(NULL);
  sim_os_free(os);
  return ok;
}

static size_t allocations_of_a_crossing(const manner *how) {
  wh_os *os = start(test_seed(), how->chunk);
  if (!os) return 0;
  size_t before = atomic_load(&test_mem.count);
  size_t count = 0;
  CHECK_OK(live(os, how, &count, &test_err));
  count -= before;
  sim_vfs_use(NULL);
  sim_os_free(os);
  return count;
}

static void refuse_everywhere(const manner *how) {
  sqlite3_shutdown();
  REQUIRE(wh_sqlite_use_mem(&test_mem));
  size_t count = allocations_of_a_crossing(how);
  test_note("a crossing makes %zu allocations", count);
  CHECK(count > 1000 && count < POSITIONS_MAX);
  size_t step = test_is_long() ? 1 : count / POSITIONS_SHORT;
  bool whole = false, ok = true;
  for (size_t n = 1 + test_random_below(step); ok && !whole; n += step) {
    ok = refuse_from(n, how, &whole);
    if (n > POSITIONS_MAX) ok = CHECK(!"it never ends");
  }
  sqlite3_shutdown();
  CHECK(wh_sqlite_use_mem(NULL));
}

TEST(every_allocation_of_a_crossing_may_be_the_last) {
  refuse_everywhere(&(manner){0});
}

TEST(every_allocation_of_a_crossing_in_chunks_may_be_the_last) {
  refuse_everywhere(&(manner){.chunk = "2"});
}

TEST(every_allocation_of_a_crossing_may_fail_alone) {
  refuse_everywhere(&(manner){.count = 1});
}

TEST(allocations_fail_while_the_stages_overlap) {
  refuse_everywhere(&(manner){.threads = true});
}
