#include "test.h"

#include "sim_os.h"

#include "step/spool.h"

// Records of all sizes, the empty one too; the same each time.
static wh_str record(size_t i, char space[70000]) {
  size_t len = i % 50 == 49 ? 60000 + i : i * 7 % 300;
  memset(space, (int)('a' + i % 26), len);
  return wh_str_n(space, len);
}

static wh_status write_and_read(wh_os *os, size_t limit, size_t count, size_t *ret_peak) {
  static char space[70000];
  wh_spool *spool = NULL;
  size_t before = atomic_load(&test_mem.used);
  atomic_store(&test_mem.peak, before);
  wh_status status = wh_spool_open(os, &test_mem, WH_STR("scratch"), limit, &spool, &test_err);
  for (size_t i = 0; i < count && status == WH_OK; i++)
    status = wh_spool_add(spool, record(i, space), &test_err);
  size_t read = 0;
  while (status == WH_OK) {
    wh_str got;
    status = wh_spool_next(spool, &got, &test_err);
    if (status == WH_OK) CHECK(wh_str_eq(got, record(read++, space)));
  }
  wh_spool_close(spool);
  CHECK_EQ(atomic_load(&test_mem.used), before);
  *ret_peak = atomic_load(&test_mem.peak) - before;
  if (status != WH_ERR_END) return status;
  CHECK_EQ(read, count);
  return WH_OK;
}

static wh_status count_entry(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)entry, (void)err;
  ++*(int *)context;
  return WH_OK;
}

TEST(spool_gives_back_what_it_got) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  size_t peak = 0;
  static const size_t limits[] = {0, 10000, 300000, 100 << 20};
  for (size_t l = 0; l < 4; l++) {
    for (size_t count = 0; count <= 400; count += count < 4 ? 1 : 99) {
      REQUIRE_OK(write_and_read(os, limits[l], count, &peak));
      size_t most = limits[l] > 300000 ? limits[l] : 300000;
      CHECK(peak <= most + WH_ARENA_BLOCK_BYTES + 4096);
    }
  }
  int files = 0;
  REQUIRE_OK(os->type->list(os, "scratch", count_entry, &files, &test_err));
  CHECK_EQ(files, 0); // nothing is left behind
  sim_os_free(os);
}

TEST(spool_touches_no_file_without_need) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  uint64_t before = sim_os_calls(os);
  size_t peak = 0;
  REQUIRE_OK(write_and_read(os, 1 << 20, 40, &peak));
  CHECK_EQ(sim_os_calls(os), before);
  sim_os_free(os);
}

TEST(spool_survives_any_call_that_fails) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  size_t peak = 0;
  uint64_t before = sim_os_calls(os);
  REQUIRE_OK(write_and_read(os, 0, 60, &peak));
  uint64_t calls = sim_os_calls(os) - before, failed = 0;
  for (uint64_t n = 1; n <= calls; n++) {
    sim_os_error_at(os, n, 1);
    wh_status status = write_and_read(os, 0, 60, &peak);
    sim_os_error_at(os, 0, 0);
    CHECK(status == WH_OK || status == WH_ERR_IO);
    failed += status != WH_OK;
  }
  CHECK(failed > 3);
  sim_os_full_at(os, 2, 0);
  CHECK_EQ(write_and_read(os, 0, 60, &peak), WH_ERR_NO_SPACE);
  sim_os_free(os);
}

TEST(spool_without_memory) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  size_t peak = 0;
  for (size_t n = 1;; n++) {
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_status status = write_and_read(os, 0, 60, &peak);
    test_mem.fail_at = 0;
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 500);
  }
  sim_os_free(os);
}
