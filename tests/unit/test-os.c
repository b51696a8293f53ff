#include "base/os.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static wh_os_real real;
static wh_arena arena;

static wh_os *begin(void) {
  wh_arena_init(&arena, &test_mem);
  WH_IGNORE(wh_os_real_init(&real, &test_mem, &test_err));
  return &real.base;
}

static void end(void) {
  wh_arena_free(&arena);
  wh_os_real_free(&real);
}

static const char *in_folder(const char *name) {
  return wh_path_join(&arena, test_folder(), name);
}

TEST(paths_join_and_split) {
  begin();
  CHECK_STR(wh_str_of(wh_path_join(&arena, "a", "b")), WH_STR("a/b"));
  CHECK_STR(wh_str_of(wh_path_join(&arena, "a/", "b")), WH_STR("a/b"));
  CHECK_STR(wh_str_of(wh_path_join(&arena, "a", "/b")), WH_STR("/b"));
  CHECK_STR(wh_str_of(wh_path_join(&arena, ".", "b")), WH_STR("b"));
  CHECK_STR(wh_str_of(wh_path_join(&arena, "", "b")), WH_STR("b"));
  CHECK_STR(wh_str_of(wh_path_join(&arena, "/", "b")), WH_STR("/b"));
  CHECK_STR(wh_str_of(wh_path_folder(&arena, "a/b/c")), WH_STR("a/b"));
  CHECK_STR(wh_str_of(wh_path_folder(&arena, "a//c")), WH_STR("a"));
  CHECK_STR(wh_str_of(wh_path_folder(&arena, "c")), WH_STR("."));
  CHECK_STR(wh_str_of(wh_path_folder(&arena, "/c")), WH_STR("/"));
  CHECK_STR(wh_str_of(wh_path_folder(&arena, "//c")), WH_STR("/"));
  CHECK_STR(wh_str_of(wh_path_folder(&arena, "/")), WH_STR("/"));
  CHECK_STR(wh_path_name(WH_STR("a/b/c.json")), WH_STR("c.json"));
  CHECK_STR(wh_path_name(WH_STR("c.json")), WH_STR("c.json"));
  CHECK_STR(wh_path_name(WH_STR("a/")), WH_STR(""));
  end();
}

TEST(files_are_written_and_read_at_positions) {
  wh_os *os = begin();
  int next = open("/dev/null", O_RDONLY | O_CLOEXEC); // the descriptor the next open gets
  close(next);
  wh_file *f = NULL;
  CHECK_OK(
      wh_os_open(os, in_folder("f"), WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE, &f, &test_err));
  REQUIRE(f);
  CHECK_OK(f->type->write_at(f, 3, "defg", 4, &test_err));
  CHECK_OK(f->type->write_at(f, 0, "abc", 3, &test_err));
  CHECK_OK(f->type->sync(f, &test_err));
  char got[16] = "";
  CHECK_OK(f->type->read_at(f, 1, got, 5, &test_err));
  CHECK_STR(wh_str_of(got), WH_STR("bcdef"));
  CHECK_FAILS(f->type->read_at(f, 5, got, 5, &test_err), WH_ERR_END);
  CHECK_ERROR_HAS("/f: ends at byte 7, before the 5 bytes from byte 5");
  size_t n = 99;
  CHECK_OK(f->type->read_some(f, 5, got, 10, &n, &test_err));
  CHECK_EQ(n, 2);
  CHECK_OK(f->type->read_some(f, 100, got, 10, &n, &test_err));
  CHECK_EQ(n, 0);
  CHECK_OK(f->type->truncate(f, 2, &test_err));
  wh_file_info info;
  CHECK_OK(f->type->stat(f, &info, &test_err));
  CHECK_EQ(info.size, 2);
  CHECK_EQ(info.kind, WH_FILE_REGULAR);
  CHECK(info.inode != 0);
  CHECK(info.modified_ns > 1500000000ll * 1000000000);
  CHECK(fcntl(next, F_GETFD) & FD_CLOEXEC);
  wh_file_close(f);
  wh_file_close(NULL);
  end();
}

TEST(open_flags_mean_what_they_say) {
  wh_os *os = begin();
  wh_file *f = NULL;
  const char *path = in_folder("x.json");
  CHECK_FAILS(wh_os_open(os, path, WH_OPEN_READ, &f, &test_err), WH_ERR_NOT_FOUND);
  CHECK_STR(wh_str_of(test_err.text), wh_arena_printf(&arena, "%s: no such file or folder", path));
  CHECK_FAILS(wh_os_open(os, path, WH_OPEN_CREATE, &f, &test_err), WH_ERR_BUG);
  int create = WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE;
  CHECK_OK(wh_os_open(os, path, create | WH_OPEN_PRIVATE, &f, &test_err));
  wh_file_close(f);
  wh_file_info info;
  CHECK_OK(os->type->stat(os, path, &info, &test_err));
  CHECK_EQ(info.mode, 0600);
  CHECK_FAILS(wh_os_open(os, path, create, &f, &test_err), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("x.json: the name is taken");
  CHECK_FAILS(wh_os_open(os, test_folder(), WH_OPEN_READ, &f, &test_err), WH_ERR_IO);
  CHECK_ERROR_HAS(": is a folder");
  CHECK_FAILS(wh_os_open(os, in_folder("x.json/y"), WH_OPEN_READ, &f, &test_err), WH_ERR_NOT_FOUND);
  CHECK_OK(wh_os_open(os, path, WH_OPEN_READ, &f, &test_err));
  CHECK_FAILS(f->type->write_at(f, 0, "x", 1, &test_err), WH_ERR_IO);
  wh_file_close(f);
  CHECK_EQ(mkfifo(in_folder("pipe"), 0600), 0);
  CHECK_OK(wh_os_open(os, in_folder("pipe"), WH_OPEN_READ, &f, &test_err)); // does not hang
  char c;
  CHECK_FAILS(f->type->read_at(f, 0, &c, 1, &test_err), WH_ERR_IO);
  CHECK_ERROR_HAS("not a file that can be read at a position");
  wh_file_close(f);
  end();
}

typedef struct seen {
  int regular, folders, links, total;
  int stop_after;
} seen;

static wh_status visit(void *context, const wh_dir_entry *entry, wh_error *err) {
  seen *s = context;
  s->regular += entry->kind == WH_FILE_REGULAR;
  s->folders += entry->kind == WH_FILE_FOLDER;
  s->links += entry->kind == WH_FILE_LINK;
  s->total++;
  CHECK(!wh_str_is(entry->name, ".") && !wh_str_is(entry->name, ".."));
  if (s->stop_after && s->total == s->stop_after) return wh_fail(err, WH_ERR_CANCELLED, "enough");
  return WH_OK;
}

TEST(names_are_listed_linked_renamed_removed) {
  wh_os *os = begin();
  CHECK_OK(wh_os_write_file(os, in_folder("a"), WH_STR("A"), false, &test_err));
  CHECK_OK(wh_os_write_file(os, in_folder("b"), WH_STR("B"), false, &test_err));
  CHECK_OK(os->type->mkdir(os, in_folder("d"), &test_err));
  CHECK_FAILS(os->type->mkdir(os, in_folder("d"), &test_err), WH_ERR_EXISTS);
  CHECK_EQ(symlink("a", in_folder("l")), 0);
  seen s = {0};
  CHECK_OK(os->type->list(os, test_folder(), visit, &s, &test_err));
  CHECK(s.regular == 2 && s.folders == 1 && s.links == 1 && s.total == 4);
  s = (seen){.stop_after = 2};
  CHECK_FAILS(os->type->list(os, test_folder(), visit, &s, &test_err), WH_ERR_CANCELLED);
  CHECK_EQ(s.total, 2);
  CHECK_FAILS(os->type->list(os, in_folder("none"), visit, &s, &test_err), WH_ERR_NOT_FOUND);
  wh_file_info info;
  CHECK_OK(os->type->stat(os, in_folder("l"), &info, &test_err));
  CHECK_EQ(info.kind, WH_FILE_LINK);

  CHECK_FAILS(os->type->link(os, in_folder("a"), in_folder("b"), &test_err), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("/b: the name is taken");
  CHECK_FAILS(os->type->link(os, in_folder("none"), in_folder("c"), &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("/none: no such");
  CHECK_FAILS(os->type->link(os, in_folder("a"), in_folder("none/c"), &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("/none/c: no such");
  CHECK_OK(os->type->link(os, in_folder("a"), in_folder("c"), &test_err));
  wh_str text;
  CHECK_OK(wh_os_read_file(os, in_folder("c"), 10, &arena, &text, &test_err));
  CHECK_STR(text, WH_STR("A"));
  CHECK_OK(os->type->rename(os, in_folder("b"), in_folder("c"), &test_err));
  CHECK_OK(wh_os_read_file(os, in_folder("c"), 10, &arena, &text, &test_err));
  CHECK_STR(text, WH_STR("B"));
  CHECK_OK(os->type->sync_dir(os, test_folder(), &test_err));
  CHECK_FAILS(os->type->sync_dir(os, in_folder("none"), &test_err), WH_ERR_NOT_FOUND);

  CHECK_OK(os->type->rename(os, in_folder("c"), in_folder("d/c"), &test_err));
  CHECK_FAILS(os->type->link(os, in_folder("d"), in_folder("e"), &test_err), WH_ERR_DENIED);
  CHECK_FAILS(os->type->remove(os, in_folder("d"), &test_err), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("the folder is not empty");
  CHECK_OK(os->type->remove(os, in_folder("d/c"), &test_err));
  CHECK_OK(os->type->remove(os, in_folder("d"), &test_err));
  CHECK_FAILS(os->type->remove(os, in_folder("d"), &test_err), WH_ERR_NOT_FOUND);
  bool is = true;
  CHECK_OK(wh_os_exists(os, in_folder("d"), &is, &test_err));
  CHECK(!is);
  CHECK_OK(wh_os_exists(os, in_folder("a"), &is, &test_err));
  CHECK(is);
  end();
}

TEST(make_path_makes_what_is_missing) {
  wh_os *os = begin();
  CHECK_OK(wh_os_make_path(os, in_folder("a/b//c/"), &test_err));
  CHECK_OK(wh_os_make_path(os, in_folder("a/b/c"), &test_err));
  wh_file_info info;
  CHECK_OK(os->type->stat(os, in_folder("a/b/c"), &info, &test_err));
  CHECK_EQ(info.kind, WH_FILE_FOLDER);
  CHECK_EQ(symlink("a", in_folder("l")), 0);
  CHECK_OK(wh_os_make_path(os, in_folder("l/b/d"), &test_err));
  CHECK_OK(wh_os_write_file(os, in_folder("a/f"), WH_STR(""), false, &test_err));
  CHECK_FAILS(wh_os_make_path(os, in_folder("a/f"), &test_err), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("there is a file of that name");
  CHECK(wh_os_make_path(os, in_folder("a/f/g"), &test_err) != WH_OK);
  CHECK_OK(wh_os_make_path(os, "/", &test_err));
  end();
}

TEST(whole_files_are_replaced) {
  wh_os *os = begin();
  wh_str text;
  CHECK_OK(wh_os_write_file(os, in_folder("f"), WH_STR("one"), true, &test_err));
  CHECK_OK(wh_os_write_file(os, in_folder("f"), WH_STR("two!"), false, &test_err));
  CHECK_OK(wh_os_read_file(os, in_folder("f"), 4, &arena, &text, &test_err));
  CHECK_STR(text, WH_STR("two!"));
  CHECK_EQ(text.data[text.len], 0);
  CHECK_FAILS(wh_os_read_file(os, in_folder("f"), 3, &arena, &text, &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("larger than the 3 bytes");
  CHECK_FAILS(wh_os_write_file(os, in_folder("none/f"), WH_STR("x"), false, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_OK(os->type->mkdir(os, in_folder("d"), &test_err));
  CHECK(wh_os_write_file(os, in_folder("d"), WH_STR("x"), false, &test_err) != WH_OK);
  seen s = {0};
  CHECK_OK(os->type->list(os, test_folder(), visit, &s, &test_err));
  CHECK_EQ(s.total, 2); // no temporary file stays behind
  // A file that does not know its size.
  CHECK_OK(wh_os_read_file(os, "/proc/self/maps", 1 << 20, &arena, &text, &test_err));
  CHECK(text.len > 600);
  CHECK_FAILS(wh_os_read_file(os, "/proc/self/maps", 600, &arena, &text, &test_err), WH_ERR_LIMIT);
  end();
}

TEST(whole_files_survive_want_of_memory) {
  wh_os *os = begin();
  const char *path = in_folder("a/f");
  const char *folder = in_folder("a");
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status == WH_ERR_MEMORY && n < 100; n++) {
    WH_CLEAN_ARENA wh_arena scratch;
    wh_arena_init(&scratch, &test_mem);
    test_mem.fail_at = test_mem.count + n;
    wh_str text;
    status = wh_os_make_path(os, folder, &test_err);
    if (status == WH_OK) status = wh_os_write_file(os, path, WH_STR("x"), false, &test_err);
    if (status == WH_OK) status = wh_os_read_file(os, path, 100, &scratch, &text, &test_err);
    test_mem.fail_at = 0;
  }
  CHECK_OK(status);
  end();
}

TEST(locks_exclude_other_processes) {
  wh_os *os = begin();
  wh_file *f = NULL, *g = NULL;
  int flags = WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE;
  REQUIRE_OK(wh_os_open(os, in_folder("lock"), flags, &f, &test_err));
  REQUIRE_OK(wh_os_open(os, in_folder("lock"), flags, &g, &test_err));
  CHECK_OK(f->type->lock(f, &test_err));
  CHECK_OK(f->type->lock(f, &test_err));
  CHECK_FAILS(g->type->lock(g, &test_err), WH_ERR_BUSY);
  CHECK_ERROR_HAS("another process holds its lock");
  CHECK(test_err.retry);
  wh_file_close(f);
  CHECK_OK(g->type->lock(g, &test_err));
  wh_file_close(g);
  end();
}

static void on_alarm(int number) {
  (void)number;
  wh_os_real_wake(&real);
}

static void *sleeper(void *context) {
  (void)context;
  return real.base.type->sleep_ns(&real.base, 20000000000ll) ? &real : NULL;
}

TEST(sleep_ends_by_time_and_by_wake) {
  wh_os *os = begin();
  int64_t start = os->type->monotonic_ns(os);
  CHECK(!os->type->sleep_ns(os, 20000000));
  int64_t slept = os->type->monotonic_ns(os) - start;
  CHECK(slept >= 20000000 && slept < 5000000000ll);
  CHECK(!os->type->sleep_ns(os, 0));
  CHECK(!os->type->sleep_ns(os, -1));

  wh_os_real_wake(&real); // nobody sleeps: the next one does not
  CHECK(os->type->sleep_ns(os, 20000000000ll));
  CHECK(!os->type->sleep_ns(os, 1000));

  signal(SIGALRM, on_alarm);
  ualarm(30000, 0);
  start = os->type->monotonic_ns(os);
  CHECK(os->type->sleep_ns(os, INT64_MAX));
  CHECK(os->type->monotonic_ns(os) - start < 10000000000ll);
  signal(SIGALRM, SIG_DFL);

  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, sleeper, NULL), 0);
  CHECK(!os->type->sleep_ns(os, 50000000));
  wh_os_real_wake(&real);
  for (int i = 0; i < 3; i++) {
    void *woken = NULL;
    pthread_join(threads[i], &woken);
    CHECK(woken);
  }
  end();
}

TEST(clock_and_randomness) {
  wh_os *os = begin();
  int64_t now = os->type->now_ns(os);
  CHECK(now > 1500000000ll * 1000000000);
  CHECK(wh_now_us(os) - now / 1000 < 1000000);
  int64_t a = os->type->monotonic_ns(os);
  CHECK(os->type->monotonic_ns(os) >= a);
  uint64_t x = 0, y = 0;
  CHECK_OK(os->type->random(os, &x, sizeof x, &test_err));
  CHECK_OK(os->type->random(os, &y, sizeof y, &test_err));
  CHECK(x != y);
  end();
}

TEST(errors_know_their_status) {
  CHECK_FAILS(wh_os_fail_errno(&test_err, "lake/x", ENOSPC), WH_ERR_NO_SPACE);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("lake/x: no space left on the device"));
  CHECK(test_err.retry);
  CHECK_FAILS(wh_os_fail_errno(&test_err, "x", EFAULT), WH_ERR_IO);
  CHECK_STR(wh_str_of(test_err.text), WH_STR("x: bad address"));
  CHECK(!test_err.retry);
  CHECK_FAILS(wh_os_fail_errno(&test_err, "x", EMFILE), WH_ERR_IO);
  CHECK(test_err.retry);
  CHECK_FAILS(wh_os_fail_errno(NULL, "x", EACCES), WH_ERR_DENIED);
  // A full device, for real.
  wh_os *os = begin();
  wh_file *f = NULL;
  REQUIRE_OK(wh_os_open(os, "/dev/full", WH_OPEN_WRITE, &f, &test_err));
  CHECK_FAILS(f->type->write_at(f, 0, "x", 1, &test_err), WH_ERR_NO_SPACE);
  wh_file_close(f);
  end();
}
