// Every allocation of the story refused in turn, SQLite's too (libpq's cannot be): an error, no
// crash, no leak, and with memory again the same ledger goes on from where it was. A program of its
// own, because SQLite's memory can be put under the accountant only before its first use.
#include "base/sqlite_mem.h"
#include "ledger_story.h"

#include <sqlite3.h>

enum { ROUNDS_MAX = 100000 };

static bool use_accountant(void) {
  sqlite3_shutdown();
  return CHECK(wh_sqlite_use_mem(&test_mem));
}

static void leave_accountant(void) {
  sqlite3_shutdown();
  CHECK(wh_sqlite_use_mem(NULL));
}

// The nth allocation from now fails, and every later one. True when the story needed fewer.
static bool refuse_from(const ledger_factory *factory, uint64_t seed, size_t n) {
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  story s = {.mem = &test_mem, .factory = factory, .err = &test_err, .arena = &arena};
  s.os = sim_os_new(&test_mem, seed);
  sim_vfs_use(s.os);
  atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
  wh_status status = story_open(&s);
  if (status == WH_OK) status = story_go_on(&s);
  bool whole = atomic_load(&test_mem.count) < atomic_load(&test_mem.fail_at);
  atomic_store(&test_mem.fail_at, 0);
  if (status != WH_OK) CHECK_EQ(status, WH_ERR_MEMORY);
  if (s.l || CHECK_OK(story_open(&s))) {
    story_check(&s);
    story_end(&s);
  }
  story_close(&s);
  sim_vfs_use(NULL);
  sim_os_free(s.os);
  wh_arena_free(&arena);
  return whole;
}

// A server takes its time for each telling of the story.
static size_t stride(const ledger_factory *factory, size_t n) {
  size_t most = n < 500 ? 1 : 9;
  if (factory->has_server) most = n < 500 ? 7 : 60;
  return 1 + (size_t)test_random_below(most);
}

TEST(every_allocation_may_be_refused) {
  if (!use_accountant()) return;
  for (int f = 0; f < LEDGER_FACTORIES; f++) {
    const ledger_factory *factory = &ledger_factories[f];
    if ((factory->is_second && !test_is_long()) || !begin_factory(factory)) continue;
    size_t n = 1;
    while (!refuse_from(factory, test_seed(), n) && n < ROUNDS_MAX)
      n += test_is_long() ? 1 : stride(factory, n);
    test_note("%s: %zu allocations in the story", factory->name, n);
    CHECK(n > 100 && n < ROUNDS_MAX);
    end_factory(factory);
  }
  leave_accountant();
}

// The page cache is bounded: a queue of many entries takes no more than it.
TEST(a_large_ledger_takes_little_memory) {
  if (!use_accountant()) return;
  enum { BLOCK = 1000, BLOCKS = 50 };
  wh_os *os = sim_os_new(&test_mem, test_seed());
  sim_vfs_use(os);
  wh_ledger *l;
  if (CHECK_OK(open_sqlite_ledger(os, &test_mem, "state", &l, &test_err))) {
    static char keys[BLOCK][80];
    static wh_put puts[BLOCK];
    for (int b = 0; b < BLOCKS; b++) {
      for (int i = 0; i < BLOCK; i++) {
        snprintf(keys[i], sizeof keys[i], "inbound/erp/orders/2026/11/21/orders-%d-%d.json", b, i);
        puts[i] = (wh_put){S(keys[i]), S("1"), i};
      }
      uint64_t new_count;
      CHECK_OK(l->type->put_many(l, S("p"), puts, BLOCK, b % 2, &new_count, &test_err));
    }
    test_note("%zu KiB at most", atomic_load(&test_mem.peak) / 1024);
    CHECK(atomic_load(&test_mem.peak) < 4 << 20);
    wh_ledger_close(l);
  }
  sim_vfs_use(NULL);
  sim_os_free(os);
  leave_accountant();
}
