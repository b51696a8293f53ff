#include "test.h"

#include "data/keybytes.h"
#include "data/sorter.h"
#include "sim_os.h"

static int compare(const void *a, const void *b) {
  return wh_key_bytes_compare(*(const wh_str *)a, *(const wh_str *)b);
}

// Records of few values, so that there are equal ones; one a hundred is long.
static size_t make_record(char *space) {
  size_t len = test_random_below(100) == 0 ? 3000 : test_random_below(5);
  for (size_t i = 0; i < len; i++)
    space[i] = (char)(i < 3 ? test_random_below(6) : i);
  return len;
}

static wh_status sort_all(wh_os *os, size_t limit, wh_str *records, size_t count, size_t *ret_seen,
                          wh_error *err) {
  wh_sorter *sorter;
  WH_TRY(wh_sorter_open(os, &test_mem, WH_STR("scratch"), limit, &sorter, err));
  wh_status status = WH_OK;
  for (size_t i = 0; i < count && status == WH_OK; i++)
    status = wh_sorter_add(sorter, records[i], err);
  qsort(records, count, sizeof *records, compare);
  size_t at = 0;
  *ret_seen = 0;
  while (status == WH_OK) {
    wh_str got;
    status = wh_sorter_next(sorter, &got, err);
    if (status != WH_OK) break;
    while (at && at < count && wh_str_eq(records[at], records[at - 1]))
      at++;
    CHECK(at < count && wh_str_eq(got, records[at]));
    at++;
    ++*ret_seen;
  }
  while (at && at < count && wh_str_eq(records[at], records[at - 1]))
    at++;
  if (status == WH_ERR_END) CHECK_EQ(at, count);
  wh_sorter_close(sorter);
  return status == WH_ERR_END ? WH_OK : status;
}

static wh_str *make_records(wh_arena *arena, size_t count) {
  static char space[4096];
  wh_str *records = WH_NEW_ARRAY(arena, count ? count : 1, wh_str);
  for (size_t i = 0; i < count; i++)
    records[i] = wh_arena_str(arena, wh_str_n(space, make_record(space)));
  return records;
}

static wh_status count_entry(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)entry, (void)err;
  ++*(int *)context;
  return WH_OK;
}

TEST(sorter_gives_each_record_once_in_order) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  static const size_t limits[] = {0, 40000, 1 << 20};
  static const size_t counts[] = {0, 1, 2, 500, 20000};
  for (size_t l = 0; l < 3; l++) {
    for (size_t i = 0; i < 5; i++) {
      WH_CLEAN_ARENA wh_arena arena;
      wh_arena_init(&arena, &test_mem);
      wh_str *records = make_records(&arena, counts[i]);
      size_t seen, before = atomic_load(&test_mem.used);
      atomic_store(&test_mem.peak, before);
      CHECK_OK(sort_all(os, limits[l], records, counts[i], &seen, &test_err));
      size_t least = limits[l] > 16384 ? limits[l] : 16384;
      size_t took = atomic_load(&test_mem.peak) - before;
      if (took > 2 * least + 1000 * 1000) test_note("%zu bytes of %zu", took, least);
      CHECK(took <= 2 * least + 1000 * 1000); // the windows have room for the longest record
    }
  }
  int files = 0;
  REQUIRE_OK(os->type->list(os, "scratch", count_entry, &files, &test_err));
  CHECK_EQ(files, 0); // nothing is left behind
  sim_os_free(os);
}

TEST(sorter_refuses_a_record_that_is_too_long) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  wh_sorter *sorter;
  static char space[WH_SORTER_RECORD_MAX + 1];
  REQUIRE_OK(wh_sorter_open(os, &test_mem, WH_STR("scratch"), 0, &sorter, &test_err));
  CHECK_OK(wh_sorter_add(sorter, wh_str_n(space, WH_SORTER_RECORD_MAX), &test_err));
  CHECK_FAILS(wh_sorter_add(sorter, wh_str_n(space, sizeof space), &test_err), WH_ERR_LIMIT);
  wh_sorter_close(sorter);
  sim_os_free(os);
}

TEST(sorter_survives_without_memory) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  for (size_t n = 1;; n++) {
    wh_mem own = {0};
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &own);
    wh_str *records = make_records(&arena, 3000);
    size_t seen;
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = sort_all(os, 0, records, 3000, &seen, &test_err);
    bool failed = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    if (!failed) {
      CHECK_OK(status);
      break;
    }
    CHECK_EQ(status, WH_ERR_MEMORY);
  }
  sim_os_free(os);
}
