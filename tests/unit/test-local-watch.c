// The local queue: what other programs do to the folder is heard, and nothing of it is missed.
#include "connect/local/watch.h"
#include "store_place.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOON_US = 3000000, QUIET_US = 60000 };

static store_place place;
static wh_connection *c;
static wh_queue_handle *queue;
static bool lost;
static char heard[4096]; // "key;key;", sorted and without doubles

static bool begin(const char *pattern) {
  c = &place.connection;
  queue = NULL;
  return CHECK(store_place_local(&place, false)) &&
         CHECK_OK(wh_local_queue.open(c, wh_str_of(pattern), &queue, &test_err));
}

static void end(void) {
  wh_local_queue.close(queue);
  store_place_free(&place);
}

static void put(const char *key) {
  int fd = open(store_path(key), O_WRONLY | O_CREAT, 0644);
  if (CHECK(fd >= 0)) CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
}

static void make_folder(const char *key) {
  CHECK(mkdir(store_path(key), 0755) == 0);
}

// --- hearing -------------------------------------------------------------------------------------

typedef struct keys {
  char *items[512];
  size_t count;
} keys;

static void add_key(keys *k, wh_str key) {
  for (size_t i = 0; i < k->count; i++)
    if (wh_str_is(key, k->items[i])) return;
  if (k->count < 512) k->items[k->count++] = strndup(key.data, key.len);
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show(keys *k) {
  qsort(k->items, k->count, sizeof *k->items, by_bytes);
  size_t len = 0;
  heard[0] = 0;
  for (size_t i = 0; i < k->count; i++) {
    if (len < sizeof heard) {
      len += (size_t)snprintf(heard + len, sizeof heard - len, "%s;", k->items[i]);
    }
    free(k->items[i]);
  }
}

// Receives until `want` different keys were heard, and a moment longer; fewer when time is over.
static const char *listen(size_t want) {
  keys k = {0};
  lost = false;
  int64_t until = c->os->type->monotonic_ns(c->os) / 1000 + SOON_US;
  for (;;) {
    wh_event events[3];
    size_t count = 0;
    bool now_lost = false;
    int64_t left = until - c->os->type->monotonic_ns(c->os) / 1000;
    if (k.count >= want || left < QUIET_US) left = QUIET_US;
    if (!CHECK_OK(wh_local_queue.receive(queue, events, 3, left, &count, &now_lost, &test_err))) {
      break;
    }
    lost |= now_lost;
    for (size_t i = 0; i < count; i++)
      add_key(&k, events[i].store_key);
    if (count == 0 && !now_lost) break;
  }
  show(&k);
  return heard;
}

#define HEARS(want_count, want) CHECK_STR(wh_str_of(listen(want_count)), WH_STR(want))

// --- tests ---------------------------------------------------------------------------------------

TEST(a_written_file_is_heard) {
  REQUIRE(begin("**/*.json"));
  HEARS(0, "");
  put("x.json");
  HEARS(1, "x.json;");
  put("y.csv");
  put(".wherry-tmp-0011223344556677.json");
  HEARS(0, "");
  put("x.json"); // again
  HEARS(1, "x.json;");
  CHECK(!lost);
  end();
}

TEST(what_was_there_before_is_not_announced) {
  REQUIRE(begin("**"));
  make_folder("in");
  put("in/x");
  wh_local_queue.close(queue);
  REQUIRE_OK(wh_local_queue.open(c, WH_STR("**"), &queue, &test_err));
  HEARS(0, "");
  put("in/y");
  HEARS(1, "in/y;");
  end();
}

TEST(a_published_object_is_heard_and_wherrys_own_is_not) {
  REQUIRE(begin("**"));
  CHECK_OK(store_put(&place, "a-0", "in/2026/11/x.json", "one", false, &test_err));
  HEARS(1, "in/2026/11/x.json;");
  CHECK_OK(store_put(&place, "b-0", "in/2026/11/x.json", "two", true, &test_err));
  HEARS(1, "in/2026/11/x.json;");
  CHECK_OK(store_put(&place, "m-0", "_wherry/manifests/x", "m", false, &test_err));
  HEARS(0, "");
  end();
}

TEST(wherrys_own_is_heard_when_asked_for) {
  REQUIRE(begin("_wherry/manifests/**"));
  CHECK_OK(store_put(&place, "m-0", "_wherry/manifests/in/x", "m", false, &test_err));
  HEARS(1, "_wherry/manifests/in/x;");
  end();
}

TEST(files_moved_and_linked_in_are_heard) {
  REQUIRE(begin("in/*"));
  make_folder("in");
  make_folder("other");
  put("other/a");
  put("other/b");
  HEARS(0, "");
  CHECK(rename(store_path("other/a"), store_path("in/a")) == 0);
  CHECK(link(store_path("other/b"), store_path("in/b")) == 0);
  HEARS(2, "in/a;in/b;");
  CHECK(symlink("b", store_path("in/link")) == 0);
  CHECK(mkfifo(store_path("in/pipe"), 0644) == 0);
  CHECK(unlink(store_path("in/a")) == 0);
  HEARS(0, "");
  end();
}

TEST(files_in_new_folders_are_not_missed) {
  REQUIRE(begin("in/**/*.json"));
  char want[2048] = "";
  // Nobody waits between the making of the folders and the files in them.
  make_folder("in");
  for (int i = 0; i < 30; i++) {
    char key[64];
    snprintf(key, sizeof key, "in/%02d", i);
    make_folder(key);
    snprintf(key, sizeof key, "in/%02d/deep", i);
    make_folder(key);
    snprintf(key, sizeof key, "in/%02d/deep/x.json", i);
    put(key);
    size_t len = strlen(want);
    snprintf(want + len, sizeof want - len, "%s;", key);
  }
  CHECK_STR(wh_str_of(listen(30)), wh_str_of(want));
  end();
}

TEST(a_folder_moved_in_brings_its_files_and_one_moved_out_is_forgotten) {
  REQUIRE(begin("in/**"));
  make_folder("in");
  make_folder("stage");
  make_folder("stage/a");
  make_folder("stage/a/b");
  put("stage/a/b/x");
  HEARS(0, "");
  CHECK(rename(store_path("stage/a"), store_path("in/a")) == 0);
  HEARS(1, "in/a/b/x;");
  put("in/a/b/y");
  HEARS(1, "in/a/b/y;");
  CHECK(rename(store_path("in/a"), store_path("in/z")) == 0); // a new name: its files have new keys
  HEARS(2, "in/z/b/x;in/z/b/y;");
  put("in/z/b/v");
  HEARS(1, "in/z/b/v;");
  CHECK(rename(store_path("in/z"), store_path("stage/z")) == 0);
  HEARS(0, "");
  put("stage/z/b/w");
  HEARS(0, "");
  make_folder("in/a");
  put("in/a/n");
  HEARS(1, "in/a/n;");
  end();
}

TEST(a_folder_that_goes_and_comes_again_is_watched_again) {
  REQUIRE(begin("in/*/x"));
  make_folder("in");
  for (int i = 0; i < 5; i++) {
    make_folder("in/a");
    put("in/a/x");
    HEARS(1, "in/a/x;");
    CHECK(unlink(store_path("in/a/x")) == 0 && rmdir(store_path("in/a")) == 0);
    HEARS(0, "");
  }
  end();
}

TEST(only_folders_that_can_hold_matches_are_watched) {
  REQUIRE(begin("in/*/x.json"));
  wh_local_tree tree = {.c = c, .fd = -1, .pattern = WH_STR("in/*/x.json")};
  const char *folders[] = {"in", "in/a", "in/a/b", "in/c", "out", "out/a"};
  for (size_t i = 0; i < 6; i++)
    make_folder(folders[i]);
  CHECK_OK(wh_local_tree_build(&tree, &test_err));
  CHECK_EQ(tree.count, 4); // the store's own, in, in/a, in/c
  wh_local_tree_free(&tree);
  end();
}

static bool is_readable(int fd) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, 0) == 1;
}

TEST(the_descriptor_is_readable_while_something_waits) {
  REQUIRE(begin("in/*"));
  int fd = wh_local_queue.fd(queue);
  CHECK(fd >= 0 && !is_readable(fd));
  make_folder("in");
  for (int i = 0; i < 5; i++) {
    char key[16];
    snprintf(key, sizeof key, "in/%d", i);
    put(key);
  }
  size_t total = 0, rounds = 0;
  while (rounds++ < 20 && is_readable(fd)) {
    wh_event event;
    size_t count = 0;
    REQUIRE_OK(wh_local_queue.receive(queue, &event, 1, 0, &count, &lost, &test_err));
    CHECK(count <= 1 && !lost);
    total += count;
    if (count) CHECK(event.deliveries == 0 && event.version.len == 0);
    CHECK_OK(wh_local_queue.extend(queue, event.receipt, 1, &test_err));
    CHECK_OK(wh_local_queue.done(queue, event.receipt, &test_err));
    CHECK_OK(wh_local_queue.fail(queue, event.receipt, &test_err));
  }
  CHECK(total >= 5);
  CHECK(!is_readable(fd));
  end();
}

static size_t flood(void) {
  size_t limit = 16384;
  FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  if (f) {
    if (fscanf(f, "%zu", &limit) != 1) limit = 16384;
    fclose(f);
  }
  return limit / 2 + 1000; // each file brings two events at least
}

TEST(an_overflow_is_told_and_the_watch_goes_on) {
  REQUIRE(begin("in/**"));
  make_folder("in");
  HEARS(0, "");
  size_t files = flood();
  if (files > 100000) {
    end();
    SKIP("the system queues too many events");
  }
  for (size_t i = 0; i < files; i++) {
    char key[32];
    snprintf(key, sizeof key, "in/%zu", i);
    int fd = open(store_path(key), O_WRONLY | O_CREAT, 0644);
    if (fd >= 0) close(fd);
  }
  make_folder("in/late"); // nobody hears of this one
  bool any = false;
  for (int i = 0; i < 100000; i++) {
    wh_event events[1000];
    size_t count = 0;
    REQUIRE_OK(wh_local_queue.receive(queue, events, 1000, QUIET_US, &count, &lost, &test_err));
    any |= lost;
    if (count == 0 && !lost) break;
  }
  CHECK(any);
  put("in/late/x");
  HEARS(1, "in/late/x;");
  end();
}

TEST(a_folder_that_was_taken_away_is_told_and_comes_back) {
  REQUIRE(begin("**"));
  char away[600];
  snprintf(away, sizeof away, "%s/away", test_folder());
  CHECK(rename(store_path(""), away) == 0);
  wh_event event;
  size_t count = 0;
  wh_status status = wh_local_queue.receive(queue, &event, 1, SOON_US, &count, &lost, &test_err);
  CHECK_EQ(status, WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("lake: ");
  CHECK_ERROR_HAS("was moved or removed while it was watched");
  CHECK(is_readable(wh_local_queue.fd(queue))); // so that somebody asks again
  status = wh_local_queue.receive(queue, &event, 1, SOON_US, &count, &lost, &test_err);
  CHECK_EQ(status, WH_ERR_NOT_FOUND);
  make_folder("");
  put("x");
  CHECK_OK(wh_local_queue.receive(queue, &event, 1, SOON_US, &count, &lost, &test_err));
  CHECK(lost); // x, perhaps
  put("y");
  HEARS(1, "y;");
  end();
}

TEST(a_missing_folder_is_made) {
  REQUIRE(begin("in/*"));
  struct stat st;
  CHECK(stat(store_path(""), &st) == 0 && S_ISDIR(st.st_mode));
  CHECK(stat(store_path("in"), &st) != 0);
  end();
}

TEST(another_system_than_the_real_one_says_nothing) {
  REQUIRE(store_place_simulated(&place, false));
  c = &place.connection;
  REQUIRE_OK(wh_local_queue.open(c, WH_STR("**"), &queue, &test_err));
  CHECK_EQ(wh_local_queue.fd(queue), -1);
  CHECK_OK(store_put(&place, "a-0", "x", "x", false, &test_err));
  int64_t before = c->os->type->monotonic_ns(c->os);
  wh_event event;
  size_t count = 9;
  lost = true;
  CHECK_OK(wh_local_queue.receive(queue, &event, 1, 5000000, &count, &lost, &test_err));
  CHECK(count == 0 && !lost);
  CHECK(c->os->type->monotonic_ns(c->os) - before >= 5000000000);
  end();
}

TEST(a_stopped_program_stops_waiting) {
  REQUIRE(begin("**"));
  atomic_bool cancel = true;
  c->cancel = &cancel;
  wh_event event;
  size_t count = 0;
  int64_t before = c->os->type->monotonic_ns(c->os);
  CHECK_OK(wh_local_queue.receive(queue, &event, 1, 60000000, &count, &lost, &test_err));
  CHECK(c->os->type->monotonic_ns(c->os) - before < 5000000000);
  c->cancel = NULL;
  end();
}

static wh_status open_and_hear(size_t *ret_heard, wh_error *err) {
  WH_TRY(wh_local_queue.open(c, WH_STR("**"), &queue, err));
  rmdir(store_path("new/a"));
  unlink(store_path("new/x"));
  rmdir(store_path("new"));
  make_folder("new");
  make_folder("new/a");
  put("new/x");
  wh_status status = WH_OK;
  size_t total = 0, count = 1;
  while (status == WH_OK && count) {
    wh_event event;
    status = wh_local_queue.receive(queue, &event, 1, 0, &count, &lost, err);
    total += status == WH_OK ? count : 0;
  }
  *ret_heard = total;
  return status;
}

TEST(every_allocation_of_the_queue_may_fail) {
  REQUIRE(begin("**"));
  wh_local_queue.close(queue);
  for (size_t n = 1; n < 1000; n++) {
    queue = NULL;
    atomic_store(&test_mem.count, 0);
    test_mem.fail_at = n;
    size_t count = 0;
    wh_status status = open_and_hear(&count, &test_err);
    test_mem.fail_at = 0;
    if (status == WH_OK) {
      CHECK(count > 0);
      break;
    }
    if (!CHECK_EQ(status, WH_ERR_MEMORY)) break;
    if (queue) { // it has recovered; what was not handed out comes now, or is known to be lost
      wh_event event;
      CHECK_OK(wh_local_queue.receive(queue, &event, 1, 0, &count, &lost, &test_err));
      CHECK(lost || count > 0);
    }
    wh_local_queue.close(queue);
  }
  end();
}
