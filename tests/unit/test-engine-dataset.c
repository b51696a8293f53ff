// A dataset when the program is killed, or the power fails, in every single change of its files:
// while rows are added, files compacted, and a version brought back. At any time there is a version
// that is whole, with the rows of before or of after; what is finished later has each row once, and
// no file is left that belongs to no version.
#include "engine/dataset.h"
#include "shop.h"
#include "sim_os.h"

#define FOLDER WH_STR("d/")
enum { FILES_MAX = 64 };

static const char config[] = SHOP_CONNECTIONS
    "  gather:\n    when: new\n    from: drop:in/*.ndjson\n    columns: all\n    to: lake:d/\n"
    "    write: { keep: 2, partition_by: y, sort_by: n, format: { type: ndjson } }\n";

static const char *const drops[] = {
    "{\"n\":1,\"y\":1}\n{\"n\":2,\"y\":2}\n",
    "{\"n\":3,\"y\":1}\n{\"n\":4,\"y\":null}\n{\"n\":5,\"y\":2}\n",
    "{\"n\":6,\"y\":3}\n{\"n\":7,\"y\":1}\n",
};

static bool drop(shop *s, size_t i) {
  char path[32];
  snprintf(path, sizeof path, "drop/in/%zu.ndjson", i);
  return shop_write(s, path, drops[i]);
}

// --- what is done, and what it may leave ---------------------------------------------------------

typedef enum act { ADD, COMPACT, ROLLBACK, ACTS } act;

static const struct {
  const char *name;
  uint64_t before, after; // rows of the present version
  uint64_t at_the_end;    // 0: either
} acts[] = {[ADD] = {"add", 5, 7, 7},
            [COMPACT] = {"compact", 5, 5, 5},
            [ROLLBACK] = {"roll back", 5, 2, 0}};

static wh_status carry_out(act what, crossing *c, wh_error *err) {
  const wh_pipeline *p = wh_config_pipeline(c->config, WH_STR("gather"));
  wh_dataset_changed changed;
  wh_run_totals totals = {0};
  wh_run_options options = {0};
  if (what == COMPACT) return wh_dataset_compact(&c->engine, p, &changed, err);
  if (what == ROLLBACK) return wh_dataset_rollback(&c->engine, p, 1, &changed, err);
  return wh_engine_run(&c->engine, NULL, 0, &options, &totals, err);
}

// --- what is there -------------------------------------------------------------------------------

static bool is_whole(wh_connection *lake, const wh_dataset_index *index) {
  for (size_t i = 0; i < index->file_count; i++) {
    bool matches = false;
    wh_status status =
        wh_dataset_file_matches(lake, FOLDER, &index->files[i], &test_mem, &matches, &test_err);
    if (!CHECK_OK(status) || !CHECK(matches)) return false;
  }
  return true;
}

static bool present(shop *s, wh_arena *arena, wh_connection **ret_lake, wh_dataset_index *ret) {
  return CHECK_OK(wh_config_connect(s->c.config, WH_STR("lake"), ret_lake, &test_err)) &&
         CHECK_OK(wh_dataset_present(*ret_lake, FOLDER, arena, ret, &test_err)) &&
         is_whole(*ret_lake, ret);
}

static size_t add_files(const wh_dataset_index *index, wh_str *paths, size_t count) {
  for (size_t i = 0; i < index->file_count; i++) {
    bool known = false;
    for (size_t k = 0; k < count && !known; k++)
      known = wh_str_eq(paths[k], index->files[i].path);
    if (!known && count < FILES_MAX) paths[count++] = index->files[i].path;
  }
  return count;
}

// Of what is below the folder: the copy of the present index, an index a version, and its files.
static bool is_tidy(shop *s, wh_connection *lake, wh_arena *arena) {
  wh_dataset_version *versions;
  size_t count, files = 0;
  wh_str paths[FILES_MAX];
  if (!CHECK_OK(wh_dataset_versions(lake, FOLDER, arena, &versions, &count, &test_err)))
    return false;
  for (size_t i = 0; i < count; i++) {
    wh_dataset_index index;
    if (!CHECK_OK(wh_dataset_read(lake, FOLDER, versions[i].version, arena, &index, &test_err)) ||
        !is_whole(lake, &index))
      return false;
    files = add_files(&index, paths, files);
  }
  return CHECK(count <= 2) && CHECK_EQ(shop_count_objects(s, "lake", "d/"), 1 + count + files);
}

static bool check_at_once(shop *s, act what) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_connection *lake;
  wh_dataset_index index;
  bool ok = shop_open(s) && present(s, &arena, &lake, &index) &&
            CHECK(index.rows == acts[what].before || index.rows == acts[what].after);
  shop_close(s);
  return ok;
}

// The next life, which finishes what was begun; and the next compaction, which finds it whole.
static bool check_later(shop *s, act what) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_connection *lake;
  wh_dataset_index index;
  wh_dataset_changed changed;
  if (!shop_open(s)) return false;
  bool ok = CHECK_OK(shop_run(s, "gather", NULL)) && CHECK_EQ(s->totals.failed, 0) &&
            present(s, &arena, &lake, &index);
  uint64_t rows = acts[what].at_the_end;
  ok = ok &&
       (rows ? CHECK_EQ(index.rows, rows)
             : CHECK(index.rows == acts[what].before || index.rows == acts[what].after)) &&
       is_tidy(s, lake, &arena);
  uint64_t hash = index.row_hash;
  ok =
      ok &&
      CHECK_OK(wh_dataset_compact(&s->c.engine, shop_pipeline(s, "gather"), &changed, &test_err)) &&
      present(s, &arena, &lake, &index) && CHECK_EQ(index.row_hash, hash) &&
      is_tidy(s, lake, &arena);
  shop_close(s);
  return ok;
}

// Killed, or without power, in the change `at` from the beginning of what is done.
static bool crash_at(act what, uint64_t at, bool power, bool *ret_beyond) {
  shop s;
  if (!shop_start(&s, config)) return false;
  bool ok = true;
  for (size_t i = 0; i < 2; i++)
    ok = ok && drop(&s, i) && CHECK_OK(shop_run(&s, "gather", NULL));
  ok = ok && (what != ADD || drop(&s, 2));
  sim_os_fail_at(s.os, at);
  crossing c;
  wh_error err = {0};
  if (crossing_open(&c, s.os, &test_mem, &err) == WH_OK) {
    c.engine.watcher = (wh_watcher){0};
    WH_IGNORE(carry_out(what, &c, &err));
  }
  crossing_close(&c);
  *ret_beyond = !sim_os_power_is_off(s.os);
  sim_os_fail_at(s.os, 0);
  if (power)
    sim_os_restart(s.os);
  else
    sim_os_kill(s.os);
  ok = ok && check_at_once(&s, what) && check_later(&s, what);
  shop_end(&s);
  return ok;
}

static void crash_everywhere(act what, bool power) {
  bool beyond = false;
  uint64_t at = 1;
  for (; !beyond; at++) {
    if (crash_at(what, at, power, &beyond)) continue;
    test_note("%s: %s in change %llu", acts[what].name, power ? "power off" : "killed",
              (unsigned long long)at);
    return;
  }
  CHECK(at > 20); // that it did something
}

TEST(killed_while_rows_are_added) {
  crash_everywhere(ADD, false);
}

TEST(power_off_while_rows_are_added) {
  crash_everywhere(ADD, true);
}

TEST(killed_while_files_are_compacted) {
  crash_everywhere(COMPACT, false);
}

TEST(power_off_while_files_are_compacted) {
  crash_everywhere(COMPACT, true);
}

TEST(killed_while_a_version_is_brought_back) {
  crash_everywhere(ROLLBACK, false);
}

TEST(power_off_while_a_version_is_brought_back) {
  crash_everywhere(ROLLBACK, true);
}

// --- without room --------------------------------------------------------------------------------

TEST(a_full_disk_leaves_the_version_that_is_there) {
  shop s;
  REQUIRE(shop_start(&s, config));
  CHECK(drop(&s, 0) && drop(&s, 1));
  CHECK_OK(shop_run(&s, "gather", NULL));
  REQUIRE(drop(&s, 2));
  sim_os_full_at(s.os, 30, 0);
  WH_IGNORE(shop_run(&s, "gather", NULL));
  sim_os_full_at(s.os, 0, 0);
  CHECK(check_at_once(&s, ADD));
  sim_os_advance(s.os, INT64_C(3600) * 1000000000); // the object is tried again by then
  CHECK(check_later(&s, ADD));
  shop_end(&s);
}
