// The simulated system: that it behaves as the real one while its power is on, that it loses
// exactly what it may, and that SQLite keeps its word on it.
#include "base/os.h"
#include "base/sqlite_mem.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

#include <sqlite3.h>
#include <stdlib.h>

static wh_arena arena;
static wh_os *os;

static void begin(uint64_t seed) {
  wh_arena_init(&arena, &test_mem);
  os = sim_os_new(&test_mem, seed);
}

static void end(void) {
  wh_arena_free(&arena);
  sim_os_free(os);
  os = NULL;
}

enum { RW = WH_OPEN_READ | WH_OPEN_WRITE, NEW = RW | WH_OPEN_CREATE };

static wh_status put(const char *path, const char *text, bool sync) {
  wh_file *f;
  WH_TRY(wh_os_open(os, path, NEW, &f, &test_err));
  wh_status status = f->type->write_at(f, 0, text, strlen(text), &test_err);
  if (status == WH_OK && sync) status = f->type->sync(f, &test_err);
  wh_file_close(f);
  return status;
}

static wh_str get(const char *path) {
  wh_str text = WH_STR("(none)");
  WH_IGNORE(wh_os_read_file(os, path, 1 << 20, &arena, &text, NULL));
  return text;
}

static bool exists(const char *path) {
  bool is = false;
  CHECK_OK(wh_os_exists(os, path, &is, &test_err));
  return is;
}

// --- like the real one
// -----------------------------------------------------------------------------

static wh_status add_name(void *context, const wh_dir_entry *entry, wh_error *err) {
  (void)err;
  // A sum does not depend on the order.
  uint64_t h = (uint64_t)entry->kind + 1;
  for (size_t i = 0; i < entry->name.len; i++)
    h = h * 31 + (unsigned char)entry->name.data[i];
  *(uint64_t *)context += h;
  return WH_OK;
}

// One call with its outcome as a number.
static uint64_t try_call(wh_os *on, const char *root, uint64_t choice) {
  static const char *const names[] = {"a",   "b",     "d",   "d/a", "d/b",    "e",
                                      "e/a", "d/e/a", "d/e", "a/x", "d/../a", "e//b"};
  enum { NAMES = sizeof names / sizeof *names };
  const char *from = wh_path_join(&arena, root, names[choice % NAMES]);
  const char *to = wh_path_join(&arena, root, names[choice / NAMES % NAMES]);
  uint64_t verb = choice >> 20 & 15, number = choice >> 24 & 1023;
  wh_file_info info = {0};
  uint64_t sum = 0;
  switch (verb) {
  case 0:
    return on->type->mkdir(on, from, &test_err);
  case 1:
    return on->type->link(on, from, to, &test_err);
  case 2:
  case 3:
    return on->type->rename(on, from, to, &test_err);
  case 4:
    return on->type->remove(on, from, &test_err);
  case 5:
    if (on->type->stat(on, from, &info, &test_err) != WH_OK) return test_err.status;
    return 100 + info.kind + (info.kind == WH_FILE_REGULAR ? info.size << 4 : 0);
  case 6:
    sum = on->type->list(on, from, add_name, &sum, &test_err) == WH_OK ? sum : test_err.status;
    return sum;
  case 7:
    return on->type->sync_dir(on, from, &test_err);
  case 8:
    return wh_os_make_path(on, from, &test_err);
  case 9:
    return wh_os_write_file(on, from, wh_str_n("0123456789", number % 11), false, &test_err);
  default:
    break;
  }
  int flags = number & 1 ? RW : WH_OPEN_READ;
  flags |= (number & 2 ? WH_OPEN_CREATE : 0) | (number & 12 ? 0 : WH_OPEN_EXCLUSIVE);
  wh_file *f;
  wh_status status = wh_os_open(on, from, flags, &f, &test_err);
  if (status != WH_OK) return status;
  if (verb == 10) status = f->type->write_at(f, number * 3, "written", 7, &test_err);
  if (verb == 11) status = f->type->truncate(f, number, &test_err);
  char data[4096] = "";
  size_t got = 0;
  if (f->type->read_some(f, 0, data, sizeof data, &got, &test_err) == WH_OK) {
    for (size_t i = 0; i < got; i++)
      sum = sum * 31 + (unsigned char)data[i] + 1;
  }
  wh_file_close(f);
  return 1000 + (uint64_t)status + sum;
}

TEST(sim_behaves_like_the_real_system) {
  begin(test_random());
  wh_os_real real;
  CHECK_OK(wh_os_real_init(&real, &test_mem, &test_err));
  CHECK_OK(os->type->mkdir(os, "root", &test_err));
  for (int i = 0; i < 4000; i++) {
    uint64_t choice = test_random();
    test_err = (wh_error){0};
    uint64_t want = try_call(&real.base, test_folder(), choice);
    wh_error real_err = test_err;
    test_err = (wh_error){0};
    uint64_t got = try_call(os, "root", choice);
    if (want == got) continue;
    CHECK_EQ(got, want);
    test_note("call %d, verb %d: real '%s', simulated '%s'", i, (int)(choice >> 20 & 15),
              real_err.text, test_err.text);
    break;
  }
  end();
}

// --- power
// -----------------------------------------------------------------------------------------

enum { SEEDS = 200 };

TEST(sim_keeps_what_was_synced) {
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    begin(test_random());
    CHECK_OK(wh_os_make_path(os, "lake/inbound", &test_err));
    CHECK_OK(put("lake/inbound/x", "content", true));
    CHECK_OK(os->type->link(os, "lake/inbound/x", "lake/inbound/y", &test_err));
    CHECK_OK(os->type->sync_dir(os, "lake/inbound", &test_err));
    CHECK_OK(wh_os_write_file(os, "z", WH_STR("whole"), false, &test_err));
    sim_os_restart(os);
    CHECK_STR(get("lake/inbound/x"), WH_STR("content"));
    CHECK_STR(get("lake/inbound/y"), WH_STR("content"));
    CHECK_STR(get("z"), WH_STR("whole"));
    end();
  }
}

TEST(sim_may_lose_names) {
  int unsynced = 0, folder = 0, renamed = 0, removed = 0, kept_both = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    begin(test_random());
    CHECK_OK(put("unsynced", "x", true)); // the file is synced, its name is not
    CHECK_OK(os->type->mkdir(os, "folder", &test_err));
    CHECK_OK(put("folder/f", "x", true));
    CHECK_OK(os->type->sync_dir(os, "folder", &test_err)); // whose own name is not
    CHECK_OK(wh_os_write_file(os, "old", WH_STR("old"), false, &test_err));
    CHECK_OK(wh_os_write_file(os, "gone", WH_STR("gone"), false, &test_err));
    CHECK_OK(wh_os_make_path(os, "a", &test_err));
    CHECK_OK(wh_os_make_path(os, "b", &test_err));
    CHECK_OK(wh_os_write_file(os, "a/f", WH_STR("moved"), false, &test_err));
    // The calls so far synced the root. From here on nothing is.
    CHECK_OK(put("late", "x", true));
    CHECK_OK(os->type->mkdir(os, "late-folder", &test_err));
    CHECK_OK(put("late-folder/f", "x", true));
    CHECK_OK(os->type->sync_dir(os, "late-folder", &test_err));
    CHECK_OK(os->type->rename(os, "old", "new", &test_err));
    CHECK_OK(os->type->remove(os, "gone", &test_err));
    CHECK_OK(os->type->rename(os, "a/f", "b/f", &test_err));
    CHECK_OK(os->type->sync_dir(os, "b", &test_err)); // the new folder alone
    sim_os_restart(os);
    CHECK(exists("unsynced") && exists("folder/f"));
    unsynced += exists("late");
    folder += exists("late-folder/f");
    if (exists("late-folder")) CHECK_STR(get("late-folder/f"), WH_STR("x"));
    CHECK(exists("old") != exists("new"));
    renamed += exists("new");
    removed += !exists("gone");
    CHECK_STR(get("b/f"), WH_STR("moved"));
    kept_both += exists("a/f");
    end();
  }
  int counts[] = {unsynced, folder, renamed, removed, kept_both};
  for (size_t i = 0; i < 5; i++)
    CHECK(counts[i] > SEEDS / 10 && counts[i] < SEEDS * 9 / 10);
}

TEST(sim_may_tear_writes) {
  enum { SECTORS = 8 };
  static char old[SECTORS * 512], new[SECTORS * 512];
  memset(old, 'o', sizeof old);
  memset(new, 'n', sizeof new);
  int all_old = 0, all_new = 0, torn = 0, short_file = 0;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    begin(test_random());
    CHECK_OK(wh_os_write_file(os, "f", wh_str_n(old, sizeof old), false, &test_err));
    wh_file *f;
    REQUIRE_OK(wh_os_open(os, "f", RW, &f, &test_err));
    // Not at a sector's edge: the first and the last piece are smaller.
    CHECK_OK(f->type->write_at(f, 100, new, sizeof new - 200, &test_err));
    CHECK_OK(f->type->write_at(f, sizeof old, "end", 3, &test_err));
    sim_os_restart(os);
    CHECK_FAILS(f->type->write_at(f, 0, "x", 1, &test_err), WH_ERR_IO);
    CHECK_ERROR_HAS("f: the power is gone");
    wh_file_close(f);
    wh_str text = get("f");
    CHECK(text.len == sizeof old || text.len == sizeof old + 3);
    short_file += text.len == sizeof old;
    int fresh = 0;
    for (size_t i = 0; i < SECTORS; i++) {
      size_t from = i == 0 ? 100 : i * 512,
             to = i == SECTORS - 1 ? sizeof old - 100 : (i + 1) * 512;
      char c = text.data[from];
      CHECK(c == 'o' || c == 'n');
      fresh += c == 'n';
      for (size_t j = from; j < to; j++)
        if (text.data[j] != c) CHECK(false);
    }
    for (size_t j = 0; j < 100; j++)
      if (text.data[j] != 'o' || text.data[sizeof old - 1 - j] != 'o') CHECK(false);
    all_old += fresh == 0;
    all_new += fresh == SECTORS;
    torn += fresh > 0 && fresh < SECTORS;
    end();
  }
  CHECK(all_old > SEEDS / 10 && all_new > SEEDS / 10 && torn > SEEDS / 10);
  CHECK(short_file > SEEDS / 10 && short_file < SEEDS * 9 / 10);
}

TEST(sim_write_file_is_atomic_at_every_change) {
  for (uint64_t n = 1, changes = 99; n <= changes + 1; n++) {
    begin(test_random());
    CHECK_OK(wh_os_write_file(os, "f", WH_STR("old"), false, &test_err));
    uint64_t before = sim_os_changes(os);
    sim_os_fail_at(os, n);
    wh_status status = wh_os_write_file(os, "f", WH_STR("new text"), false, &test_err);
    if (status == WH_OK)
      changes = sim_os_changes(os) - before;
    else
      CHECK_ERROR_HAS("the power is gone");
    CHECK(sim_os_power_is_off(os) == (status != WH_OK));
    sim_os_restart(os);
    wh_str text = get("f");
    if (status == WH_OK)
      CHECK_STR(text, WH_STR("new text"));
    else
      CHECK(wh_str_is(text, "old") || wh_str_is(text, "new text"));
    CHECK_OK(wh_os_write_file(os, "f", WH_STR("again"), false, &test_err));
    end();
    REQUIRE(n < 99);
  }
}

// A program is killed while it makes folders, another goes on, and then the power fails.
TEST(sim_make_path_is_durable_after_a_kill) {
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    begin(test_random());
    sim_os_fail_at(os, 1 + test_random_below(8));
    WH_IGNORE(wh_os_make_path(os, "a/b/c", &test_err));
    sim_os_kill(os);
    CHECK_OK(wh_os_make_path(os, "a/b/c/d", &test_err));
    CHECK_OK(wh_os_make_path(os, "a/b/c", &test_err));
    CHECK_OK(wh_os_write_file(os, "a/b/c/f", WH_STR("x"), false, &test_err));
    sim_os_restart(os);
    CHECK_STR(get("a/b/c/f"), WH_STR("x"));
    CHECK(exists("a/b/c/d"));
    end();
  }
}

TEST(sim_kill_loses_nothing_written) {
  begin(test_random());
  CHECK_OK(put("f", "unsynced", false));
  wh_file *f, *g;
  REQUIRE_OK(wh_os_open(os, "f", RW, &f, &test_err));
  REQUIRE_OK(wh_os_open(os, "f", RW, &g, &test_err));
  CHECK_OK(f->type->lock(f, &test_err));
  CHECK_FAILS(g->type->lock(g, &test_err), WH_ERR_BUSY);
  wh_file_close(g);
  sim_os_kill(os);
  REQUIRE_OK(wh_os_open(os, "f", RW, &g, &test_err));
  CHECK_OK(g->type->lock(g, &test_err));
  CHECK(f->type->sync(f, &test_err) != WH_OK);
  wh_file_close(f);
  CHECK_OK(g->type->lock(g, &test_err));
  wh_file_close(g);
  CHECK_STR(get("f"), WH_STR("unsynced"));
  end();
}

TEST(sim_follows_from_its_seed) {
  uint64_t seed = test_random(), sums[3] = {0};
  for (int round = 0; round < 3; round++) {
    begin(round < 2 ? seed : seed + 1);
    uint64_t n = 0;
    CHECK_OK(os->type->random(os, &n, sizeof n, &test_err));
    sums[round] += n;
    CHECK_OK(os->type->mkdir(os, "d", &test_err));
    for (int i = 0; i < 20; i++) {
      char name[16];
      snprintf(name, sizeof name, "d/%d", i);
      CHECK_OK(put(name, "x", i % 3 == 0));
    }
    CHECK_OK(os->type->sync_dir(os, ".", &test_err));
    sim_os_restart(os);
    uint64_t names = 0;
    CHECK_OK(os->type->list(os, "d", add_name, &names, &test_err));
    sums[round] += names;
    end();
  }
  CHECK(sums[0] == sums[1]);
  CHECK(sums[0] != sums[2]);
}

// --- other trouble
// ---------------------------------------------------------------------------------

TEST(sim_disk_fills) {
  begin(test_random());
  CHECK_OK(put("f", "x", true));
  sim_os_full_at(os, 1, 2);
  CHECK_FAILS(put("f", "long text", false), WH_ERR_NO_SPACE);
  CHECK_ERROR_HAS("f: no space left on the device");
  CHECK(test_err.retry);
  wh_str text = get("f");
  CHECK(memcmp(text.data, text.len > 1 ? "long text" : "x", text.len) == 0 || text.len == 1);
  CHECK_FAILS(os->type->mkdir(os, "d", &test_err), WH_ERR_NO_SPACE);
  CHECK_OK(os->type->mkdir(os, "d", &test_err)); // there is room again
  sim_os_full_at(os, 1, 0);
  for (int i = 0; i < 5; i++)
    CHECK_FAILS(put("g", "y", false), WH_ERR_NO_SPACE);
  CHECK_OK(os->type->remove(os, "d", &test_err)); // needs none
  sim_os_full_at(os, 0, 0);
  CHECK_OK(put("g", "y", false));
  end();
}

TEST(sim_calls_fail) {
  begin(test_random());
  CHECK_OK(put("f", "x", true));
  uint64_t calls = sim_os_calls(os);
  sim_os_error_at(os, 2, 1);
  CHECK_OK(wh_os_exists(os, "f", &(bool){0}, &test_err));
  CHECK_FAILS(wh_os_exists(os, "f", &(bool){0}, &test_err), WH_ERR_IO);
  CHECK_ERROR_HAS("f: the device reported an error");
  CHECK_OK(wh_os_exists(os, "f", &(bool){0}, &test_err));
  CHECK_EQ(sim_os_calls(os) - calls, 3);
  sim_os_power_off(os);
  CHECK_FAILS(wh_os_exists(os, "f", &(bool){0}, &test_err), WH_ERR_IO);
  sim_os_restart(os);
  test_mem.fail_at = test_mem.count + 1;
  wh_file *f;
  CHECK_FAILS(wh_os_open(os, "f", RW, &f, &test_err), WH_ERR_MEMORY);
  test_mem.fail_at = 0;
  end();
}

TEST(sim_clock_moves_as_told) {
  begin(test_random());
  int64_t start = os->type->now_ns(os), mono = os->type->monotonic_ns(os);
  CHECK_EQ(start / 1000000000, 1795251600);
  CHECK(!os->type->sleep_ns(os, 3600000000000ll));
  int64_t later = os->type->now_ns(os);
  CHECK(later - start >= 3600000000000ll && later - start < 3600001000000ll);
  sim_os_set_now(os, 1000);
  CHECK(os->type->now_ns(os) < 1000000);
  CHECK(os->type->monotonic_ns(os) > mono + 3600000000000ll);
  sim_os_advance(os, 500000000);
  CHECK(wh_now_us(os) >= 500000);
  sim_os_wake(os);
  CHECK(os->type->sleep_ns(os, 1000000000));
  CHECK(wh_now_us(os) < 1000000);
  end();
}

// --- SQLite
// ----------------------------------------------------------------------------------------

enum { TRANSACTIONS = 12, ROWS_MAX = 40 };

typedef struct mode {
  const char *name;
  const char *setup;
  bool durable; // what COMMIT answered is there after a power failure
} mode;

// FULL does not sync the folder after the rollback journal is removed: a transaction that was
// committed may be rolled back by the journal's return. EXTRA does.
static const mode modes[] = {
    {"delete", "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;", true},
    {"delete-full", "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;", false},
    {"persist", "PRAGMA journal_mode=PERSIST; PRAGMA synchronous=FULL;", true},
    {"wal", "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=15;",
     true},
};

static int rows_of(int64_t transaction) {
  return 1 + (int)(transaction * 7 % ROWS_MAX);
}

static bool run_sql(sqlite3 *db, const char *sql) {
  return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int64_t ask(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt = NULL;
  int64_t value = -1;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
      sqlite3_step(stmt) == SQLITE_ROW) {
    value = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_finalize(stmt);
  return value;
}

static sqlite3 *open_database(const mode *m) {
  sqlite3 *db = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  // Folders are the program's business. The last sync is needed: SQLite syncs the names of what it
  // makes, but not again when it was killed before it could, and then finds them there.
  bool ok = wh_os_make_path(os, "/data", NULL) == WH_OK &&
            sqlite3_open_v2("/data/test.db", &db, flags, os->type->sqlite_vfs) == SQLITE_OK &&
            run_sql(db, "PRAGMA page_size=1024; PRAGMA cache_size=8;") && run_sql(db, m->setup) &&
            run_sql(db, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, tx INT, body BLOB);"
                        "CREATE INDEX IF NOT EXISTS t_tx ON t(tx);"
                        "CREATE TABLE IF NOT EXISTS state(v INT);"
                        "INSERT INTO state SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM state);") &&
            os->type->sync_dir(os, "/data", NULL) == WH_OK;
  if (ok) return db;
  sqlite3_close(db);
  return NULL;
}

// Transaction n: its rows, some changes to older ones, and the state. True when COMMIT said OK.
static bool transact(sqlite3 *db, int64_t n) {
  char sql[512];
  snprintf(sql, sizeof sql,
           "BEGIN IMMEDIATE;"
           "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<%d)"
           "  INSERT INTO t(tx, body) SELECT %lld, randomblob(100 + i * 37 %% 700) FROM c;"
           "UPDATE t SET body = randomblob(300) WHERE id %% 5 = %lld;"
           "UPDATE state SET v = %lld;",
           rows_of(n), (long long)n, (long long)(n % 5), (long long)n);
  bool ok = run_sql(db, sql);
  // Every fourth is tried and taken back first.
  if (ok && n % 4 == 3) ok = run_sql(db, "ROLLBACK;") && run_sql(db, sql);
  if (ok && run_sql(db, "COMMIT")) return true;
  run_sql(db, "ROLLBACK");
  return false;
}

// Runs transactions until `last` or trouble; gives the last that was committed for sure.
static int64_t run_transactions(sqlite3 *db, int64_t from, int64_t last, int64_t *ret_tried) {
  for (int64_t n = from; n <= last; n++) {
    *ret_tried = n;
    if (!transact(db, n)) return n - 1;
  }
  return last;
}

// What is there: whole transactions up to one between `least` and `most`. Gives that one.
static int64_t check_database(sqlite3 *db, int64_t least, int64_t most) {
  sqlite3_stmt *stmt = NULL;
  CHECK_EQ(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
  if (sqlite3_step(stmt) == SQLITE_ROW) {
    CHECK_STR(wh_str_of((const char *)sqlite3_column_text(stmt, 0)), WH_STR("ok"));
  } else {
    CHECK(false);
  }
  sqlite3_finalize(stmt);
  int64_t v = ask(db, "SELECT v FROM state");
  if (!CHECK(v >= least && v <= most)) {
    test_note("at %lld, expected %lld to %lld", (long long)v, (long long)least, (long long)most);
  }
  int64_t rows = 0;
  for (int64_t n = 1; n <= v; n++) {
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE tx = %lld", (long long)n);
    CHECK_EQ(ask(db, sql), rows_of(n));
    rows += rows_of(n);
  }
  CHECK_EQ(ask(db, "SELECT count(*) FROM t"), rows);
  return v;
}

// One life: opens, runs to the end or to the power failure. `cut` 0: none.
static int64_t live(const mode *m, uint64_t cut, int64_t from, int64_t *ret_tried) {
  sim_os_fail_at(os, cut);
  sqlite3 *db = open_database(m);
  int64_t done = from - 1;
  *ret_tried = done;
  if (db) done = run_transactions(db, from, TRANSACTIONS, ret_tried);
  sqlite3_close(db);
  return done;
}

static void check_cut(const mode *m, uint64_t seed, uint64_t cut) {
  begin(seed);
  sim_vfs_use(os);
  int64_t tried = 0, done = live(m, cut, 1, &tried);
  bool failed = sim_os_power_is_off(os);
  sim_os_restart(os);
  sqlite3 *db = open_database(m);
  if (CHECK(db)) {
    int64_t v = check_database(db, m->durable ? done : 0, tried);
    // It goes on as if nothing had been.
    CHECK_EQ(run_transactions(db, v + 1, TRANSACTIONS, &tried), TRANSACTIONS);
    check_database(db, TRANSACTIONS, TRANSACTIONS);
    sqlite3_close(db);
  }
  if (!failed) CHECK_EQ(done, TRANSACTIONS);
  sim_vfs_use(NULL);
  end();
}

static void check_every_cut(const mode *m) {
  uint64_t seed = test_random();
  begin(seed);
  sim_vfs_use(os);
  int64_t tried = 0;
  CHECK_EQ(live(m, 0, 1, &tried), TRANSACTIONS);
  uint64_t changes = sim_os_changes(os);
  sim_vfs_use(NULL);
  end();
  uint64_t step = test_is_long() ? 1 : 7;
  for (uint64_t cut = 1 + test_random_below(step); cut <= changes; cut += step)
    check_cut(m, seed + cut, cut);
  test_note("%s: %" PRIu64 " changes, every %" PRIu64 ". cut", m->name, changes, step);
}

TEST(sqlite_keeps_its_word_with_a_rollback_journal) {
  check_every_cut(&modes[0]);
}

TEST(sqlite_stays_whole_with_synchronous_full) {
  check_every_cut(&modes[1]);
}

TEST(sqlite_keeps_its_word_with_a_persistent_journal) {
  check_every_cut(&modes[2]);
}

TEST(sqlite_keeps_its_word_with_a_wal) {
  check_every_cut(&modes[3]);
}

// What a history of failures may expect. Seeing a transaction after a kill does not make it sure:
// it may never have been synced, and go with the next power failure. The next COMMIT makes it so.
typedef struct known {
  int64_t sure, seen, tried;
} known;

static void come_back(const mode *m, known *k, bool killed) {
  if (killed) {
    sim_os_kill(os);
    return;
  }
  sim_os_restart(os);
  if (!m->durable) k->sure = 0;
}

static void check_known(const mode *m, known *k) {
  sqlite3 *db = open_database(m);
  if (!CHECK(db)) return;
  k->seen = check_database(db, k->sure, k->tried);
  k->tried = k->seen;
  sqlite3_close(db);
}

// Cut or killed again and again, while it recovers too, and with a disk that is full for a while.
static void check_history(const mode *m) {
  begin(test_random());
  sim_vfs_use(os);
  known k = {0};
  for (int life = 0; life < 30 && k.seen < TRANSACTIONS; life++) {
    if (test_random_below(4) == 0) {
      sim_os_full_at(os, 1 + test_random_below(100), 1 + test_random_below(3));
    }
    int64_t done = live(m, 1 + test_random_below(life % 3 ? 200 : 12), k.seen + 1, &k.tried);
    if (done > k.seen) k.sure = done;
    sim_os_full_at(os, 0, 0);
    bool killed = test_random_below(3) == 0;
    come_back(m, &k, killed);
    if (test_random_below(2)) {
      sim_os_fail_at(os, 1 + test_random_below(20));
      sqlite3_close(open_database(m));
      killed = test_random_below(3) == 0;
      come_back(m, &k, killed);
    }
    check_known(m, &k);
  }
  sim_vfs_use(NULL);
  end();
}

TEST(sqlite_survives_random_histories) {
  int rounds = test_is_long() ? 200 : 15;
  for (int i = 0; i < rounds; i++)
    for (size_t j = 0; j < sizeof modes / sizeof *modes; j++)
      check_history(&modes[j]);
}

TEST(sqlite_connections_share_the_wal) {
  begin(test_random());
  sim_vfs_use(os);
  sqlite3 *a = open_database(&modes[3]), *b = open_database(&modes[3]);
  REQUIRE(a && b);
  CHECK(transact(a, 1));
  CHECK_EQ(ask(b, "SELECT v FROM state"), 1);
  CHECK(run_sql(b, "BEGIN; SELECT * FROM state;"));
  CHECK(transact(a, 2));
  CHECK_EQ(ask(b, "SELECT v FROM state"), 1); // its snapshot
  CHECK(run_sql(a, "BEGIN IMMEDIATE;"));
  CHECK(run_sql(b, "COMMIT;"));
  CHECK_EQ(sqlite3_exec(b, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_BUSY);
  CHECK(run_sql(a, "COMMIT;"));
  CHECK(transact(b, 3));
  check_database(a, 3, 3);
  sqlite3_close(a);
  check_database(b, 3, 3);
  sqlite3_close(b);
  CHECK(!exists("/data/test.db-wal")); // the last one tidied up
  sim_vfs_use(NULL);
  end();
}

TEST(sqlite_connections_exclude_each_other) {
  begin(test_random());
  sim_vfs_use(os);
  sqlite3 *a = open_database(&modes[0]), *b = open_database(&modes[0]);
  REQUIRE(a && b);
  CHECK(run_sql(a, "BEGIN IMMEDIATE; UPDATE state SET v = 9;"));
  CHECK_EQ(ask(b, "SELECT v FROM state"), 0);
  CHECK_EQ(sqlite3_exec(b, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_BUSY);
  CHECK(run_sql(b, "BEGIN; SELECT * FROM state;"));
  CHECK_EQ(sqlite3_exec(a, "COMMIT", NULL, NULL, NULL), SQLITE_BUSY); // b is reading
  CHECK(run_sql(b, "COMMIT;"));
  CHECK(run_sql(a, "COMMIT;"));
  CHECK_EQ(ask(b, "SELECT v FROM state"), 9);
  // The clock is the simulated one; temporary files work.
  CHECK_EQ(ask(b, "SELECT unixepoch()"), 1795251600);
  CHECK(run_sql(b, "PRAGMA temp_store=FILE; CREATE TEMP TABLE x(a); INSERT INTO x VALUES(1);"));
  sqlite3_close(a);
  sqlite3_close(b);
  sim_vfs_use(NULL);
  end();
}

TEST(sqlite_refuses_a_late_accountant) {
  CHECK_EQ(sqlite3_initialize(), SQLITE_OK);
  CHECK(!wh_sqlite_use_mem(&test_mem));
  CHECK(!wh_sqlite_use_mem(&test_mem));
}
