#include "test.h"

#include "sim_os.h"
#include "sim_vfs.h"

#include "base/os.h"
#include "data/seen.h"

#include <dirent.h>
#include <sys/stat.h>

static wh_os_real real;

static wh_os *start_os(void) {
  CHECK_OK(wh_os_real_init(&real, &test_mem, &test_err));
  return &real.base;
}

static const char *scratch(void) {
  static char path[512];
  snprintf(path, sizeof path, "%s/deep/scratch", test_folder());
  return path;
}

// How many files the scratch folder has; the permission bits of the last one.
static int files_in(const char *folder, mode_t *ret_mode) {
  DIR *dir = opendir(folder);
  if (!dir) return 0;
  int count = 0;
  for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
    if (e->d_name[0] == '.') continue;
    char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (stat(path, &st) == 0) *ret_mode = st.st_mode & 0777;
    count++;
  }
  closedir(dir);
  return count;
}

TEST(seen_tells_first_from_again) {
  wh_seen *seen = NULL;
  REQUIRE_OK(wh_seen_open(start_os(), &test_mem, wh_str_of(scratch()), 1 << 20, &seen, &test_err));
  bool is_new = false, found = false;
  uint64_t first = 0;
  CHECK_OK(wh_seen_add(seen, WH_STR("a"), 7, &is_new, &first, &test_err));
  CHECK(is_new && first == 7);
  CHECK_OK(wh_seen_add(seen, WH_STR("a"), 9, &is_new, &first, &test_err));
  CHECK(!is_new && first == 7);
  CHECK_OK(wh_seen_put(seen, WH_STR("a"), 11, &is_new, &test_err));
  CHECK(!is_new);
  CHECK_OK(wh_seen_find(seen, WH_STR("a"), &found, &first, &test_err));
  CHECK(found && first == 11);
  CHECK_OK(wh_seen_find(seen, WH_STR("b"), &found, &first, &test_err));
  CHECK(!found && first == 0);
  // The empty key, and bytes after a zero.
  CHECK_OK(wh_seen_add(seen, (wh_str){0}, 1, &is_new, &first, &test_err));
  CHECK(is_new);
  CHECK_OK(wh_seen_add(seen, WH_STR(""), 2, &is_new, &first, &test_err));
  CHECK(!is_new && first == 1);
  CHECK_OK(wh_seen_add(seen, wh_str_n("a\0b", 3), 3, &is_new, &first, &test_err));
  CHECK(is_new);
  CHECK_OK(wh_seen_add(seen, wh_str_n("a\0c", 3), 4, &is_new, &first, &test_err));
  CHECK(is_new);
  CHECK_EQ(wh_seen_count(seen), 4);
  CHECK(!wh_seen_spilled(seen));
  mode_t mode = 0;
  CHECK_EQ(files_in(scratch(), &mode), 0); // no disk without need
  wh_seen_close(seen);
  wh_seen_close(NULL);
  wh_os_real_free(&real);
}

// The naive model: key number k has number model[k] - 1, or was never there (0).
enum { KEYS = 3000 };

static wh_str make_key(size_t k, char space[64]) {
  // Long and short ones that share beginnings; key 0 is empty.
  int n = k == 0 ? 0 : snprintf(space, 64, "%s%zu", k % 7 == 0 ? "order-of-a-long-name-" : "", k);
  return wh_str_n(space, (size_t)n);
}

static void follow_model(size_t limit, int steps, bool want_spill) {
  static uint64_t model[KEYS];
  memset(model, 0, sizeof model);
  wh_seen *seen = NULL;
  size_t before = atomic_load(&test_mem.used);
  REQUIRE_OK(wh_seen_open(&real.base, &test_mem, wh_str_of(scratch()), limit, &seen, &test_err));
  uint64_t count = 0;
  for (int i = 0; i < steps; i++) {
    size_t k = test_random_below(KEYS);
    char space[64];
    wh_str key = make_key(k, space);
    bool flag = false;
    uint64_t number = 0;
    switch (test_random_below(3)) {
    case 0:
      REQUIRE_OK(wh_seen_add(seen, key, (uint64_t)i, &flag, &number, &test_err));
      REQUIRE(flag == (model[k] == 0));
      count += flag;
      if (flag) model[k] = (uint64_t)i + 1;
      REQUIRE(number == model[k] - 1);
      break;
    case 1:
      REQUIRE_OK(wh_seen_put(seen, key, (uint64_t)i, &flag, &test_err));
      REQUIRE(flag == (model[k] == 0));
      count += flag;
      model[k] = (uint64_t)i + 1;
      break;
    default:
      REQUIRE_OK(wh_seen_find(seen, key, &flag, &number, &test_err));
      REQUIRE(flag == (model[k] != 0));
      REQUIRE(number == (flag ? model[k] - 1 : 0));
    }
  }
  CHECK_EQ(wh_seen_count(seen), count);
  CHECK_EQ(wh_seen_spilled(seen), want_spill);
  size_t own = atomic_load(&test_mem.used) - before;
  if (limit >= 64 * 1024) CHECK(own <= limit + WH_ARENA_BLOCK_BYTES + 4096);
  mode_t mode = 0;
  CHECK_EQ(files_in(scratch(), &mode), want_spill);
  if (want_spill) CHECK_EQ(mode, 0600);
  wh_seen_close(seen);
  CHECK_EQ(files_in(scratch(), &mode), 0); // nothing outlives it
  CHECK_EQ(atomic_load(&test_mem.used), before);
}

TEST(seen_is_exact_whatever_its_budget) {
  start_os();
  follow_model(0, 1500, true);
  follow_model(1000, 4000, true);
  follow_model(5000, 20000, true);
  follow_model(70000, 40000, true);
  follow_model(8 << 20, 40000, false);
  wh_os_real_free(&real);
}

TEST(seen_takes_keys_larger_than_its_budget) {
  wh_seen *seen = NULL;
  REQUIRE_OK(wh_seen_open(start_os(), &test_mem, wh_str_of(scratch()), 4096, &seen, &test_err));
  static char big[3][100000];
  for (int i = 0; i < 3; i++) {
    memset(big[i], 'x', sizeof big[i]);
    big[i][sizeof big[i] - 1] = (char)('0' + i); // they differ in the last byte only
  }
  bool is_new = false;
  uint64_t first = 0;
  for (uint64_t round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < 3; i++) {
      wh_str key = wh_str_n(big[i], sizeof big[i]);
      REQUIRE_OK(wh_seen_add(seen, key, i + 10 * round, &is_new, &first, &test_err));
      CHECK_EQ(is_new, round == 0);
      CHECK_EQ(first, i);
    }
  }
  CHECK(atomic_load(&test_mem.peak) < 100000);
  wh_seen_close(seen);
  wh_os_real_free(&real);
}

TEST(seen_refuses_a_key_past_its_limit) {
  wh_seen *seen = NULL;
  REQUIRE_OK(wh_seen_open(start_os(), &test_mem, wh_str_of(scratch()), 4096, &seen, &test_err));
  bool found = false;
  uint64_t first = 0;
  char *big = calloc(1, (size_t)WH_SEEN_KEY_MAX + 1);
  REQUIRE(big);
  CHECK_FAILS(
      wh_seen_find(seen, wh_str_n(big, (size_t)WH_SEEN_KEY_MAX + 1), &found, &first, &test_err),
      WH_ERR_LIMIT);
  CHECK_ERROR_HAS("a key of 268435457 bytes; at most 268435456 are compared");
  free(big);
  wh_seen_close(seen);
  wh_os_real_free(&real);
}

static wh_status fill(wh_seen *seen, int count) {
  for (int i = 0; i < count; i++) {
    char text[32];
    snprintf(text, sizeof text, "key-%d", i);
    bool is_new = false;
    uint64_t first = 0;
    WH_TRY(wh_seen_add(seen, wh_str_of(text), (uint64_t)i, &is_new, &first, &test_err));
  }
  return WH_OK;
}

TEST(seen_says_where_it_cannot_write) {
  char path[512];
  snprintf(path, sizeof path, "%s/taken", test_folder());
  FILE *f = fopen(path, "w");
  REQUIRE(f);
  fclose(f);
  wh_seen *seen = NULL;
  REQUIRE_OK(wh_seen_open(start_os(), &test_mem, wh_str_of(path), 1000, &seen, &test_err));
  CHECK(fill(seen, 1000) != WH_OK);
  CHECK_ERROR_HAS("/taken");
  wh_seen_close(seen);
  wh_os_real_free(&real);
}

TEST(seen_without_memory) {
  start_os();
  for (size_t n = 1;; n++) {
    wh_seen *seen = NULL;
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_status status =
        wh_seen_open(&real.base, &test_mem, wh_str_of(scratch()), 4000, &seen, &test_err);
    if (status == WH_OK) status = fill(seen, 500);
    test_mem.fail_at = 0;
    wh_seen_close(seen);
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
    REQUIRE(n < 1000);
  }
  wh_os_real_free(&real);
}

// --- on a system whose calls fail
// ------------------------------------------------------------------

static wh_status run_on(wh_os *os, int count) {
  wh_seen *seen = NULL;
  wh_status status = wh_seen_open(os, &test_mem, WH_STR("scratch"), 1000, &seen, &test_err);
  if (status == WH_OK) status = fill(seen, count);
  // The second time nothing is new; no failure may make it so.
  for (int i = 0; i < count && status == WH_OK; i++) {
    char text[32];
    snprintf(text, sizeof text, "key-%d", i);
    bool is_new = true;
    uint64_t first = 0;
    status = wh_seen_add(seen, wh_str_of(text), 1, &is_new, &first, &test_err);
    if (status == WH_OK) CHECK(!is_new && first == (uint64_t)i);
  }
  wh_seen_close(seen);
  return status;
}

TEST(seen_survives_any_call_that_fails) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  sim_vfs_use(os);
  uint64_t before = sim_os_calls(os);
  REQUIRE(run_on(os, 200) == WH_OK);
  uint64_t calls = sim_os_calls(os) - before;
  CHECK(calls > 20);
  uint64_t step = calls > 300 && !test_is_long() ? calls / 300 : 1;
  uint64_t failed = 0;
  for (uint64_t n = 1; n <= calls; n += step) {
    sim_os_error_at(os, n, 1);
    failed += run_on(os, 200) != WH_OK;
    sim_os_error_at(os, 0, 0);
  }
  CHECK(failed > 0);
  sim_vfs_use(NULL);
  sim_os_free(os);
}

TEST(seen_says_that_the_disk_is_full) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  sim_vfs_use(os);
  REQUIRE_OK(wh_os_make_path(os, "scratch", &test_err));
  sim_os_full_at(os, 3, 0); // there is room for the name of the file
  CHECK_EQ(run_on(os, 200), WH_ERR_NO_SPACE);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("scratch: cannot keep the keys seen so far: database or disk is full"));
  sim_vfs_use(NULL);
  sim_os_free(os);
}
