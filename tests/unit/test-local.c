// The local store where it is more than a store: foreign files, links, folders, what a crash left.
#include "nodes.h"
#include "sim_os.h"
#include "store_place.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static store_place place;
static wh_arena arena;
static wh_connection *c;

static bool begin(bool versioning) {
  wh_arena_init(&arena, &test_mem);
  c = &place.connection;
  return CHECK(store_place_local(&place, versioning));
}

static wh_os *begin_simulated(bool versioning) {
  wh_arena_init(&arena, &test_mem);
  c = &place.connection;
  return CHECK(store_place_simulated(&place, versioning)) ? place.simulated : NULL;
}

static void end(void) {
  wh_arena_free(&arena);
  store_place_free(&place);
}

// Another program writes a file, in place when it is there.
static bool foreign(const char *key, int flags, const char *text) {
  int fd = open(store_path(key), O_WRONLY | O_CREAT | flags, 0644);
  if (!CHECK(fd >= 0)) return false;
  bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  close(fd);
  return CHECK(ok);
}

static bool make_folder(const char *key) {
  return CHECK(mkdir(store_path(key), 0755) == 0);
}

static bool put(const char *attempt, const char *key, const char *text) {
  return CHECK_OK(store_put(&place, attempt, key, text, false, &test_err));
}

static void lists(const char *prefix, const char *want) {
  wh_str got = WH_STR("?");
  CHECK_OK(store_list(&place, &arena, prefix, &got, &test_err));
  CHECK_STR(got, wh_str_of(want));
}

static void holds(const char *key, const char *want) {
  wh_str got = WH_STR("?");
  CHECK_OK(store_get(&place, &arena, key, WH_STR(""), &got, &test_err));
  CHECK_STR(got, wh_str_of(want));
}

static wh_status publish(const char *attempt, const char *key, bool replace) {
  wh_object object;
  return place.store->publish(c, wh_str_of(attempt), wh_str_of(key), replace, &arena, &object,
                              &test_err);
}

static wh_status open_key(const char *key, wh_str version, wh_input **ret) {
  return place.store->open(c, wh_str_of(key), version, ret, &test_err);
}

static wh_status stat_key(const char *key) {
  wh_object object;
  return place.store->stat(c, wh_str_of(key), &arena, &object, &test_err);
}

// --- the connector -------------------------------------------------------------------------------

TEST(local_is_registered_with_its_options) {
  wh_arena_init(&arena, &test_mem);
  const wh_connector *local = wh_connector_by_name(WH_STR("local"));
  REQUIRE(local == &wh_connector_local);
  CHECK(!wh_connector_by_name(WH_STR("loca")));
  CHECK(local->store && local->queue && !local->source && !local->sink);
  wh_option_context context = {.arena = &arena, .base_folder = WH_STR("/project")};
  wh_local_options options;
  const char *const skip[] = {"type", NULL};
  const wh_node *map = test_nodes(&arena, "type: local\npath: lake\n");
  CHECK_OK(wh_options_parse(local->options, map, skip, "connection lake", &context, &options,
                            &test_err));
  CHECK_STR(options.path, WH_STR("/project/lake"));
  CHECK(!options.versioning);
  CHECK_OK(local->check(&options, &test_err));
  map = test_nodes(&arena, "type: local\nversioning: true\n");
  CHECK_FAILS(
      wh_options_parse(local->options, map, skip, "connection lake", &context, &options, &test_err),
      WH_ERR_USAGE);
  CHECK_ERROR_HAS("path");
  options = (wh_local_options){0};
  CHECK_FAILS(local->check(&options, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("name a folder");
  wh_arena_free(&arena);
}

TEST(reach_says_what_is_there) {
  REQUIRE(begin(true));
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &test_mem, 0);
  CHECK_OK(wh_connector_local.reach(c, &note, &test_err));
  CHECK(strstr(note.data, "lake does not exist yet; the first write creates it"));
  CHECK(access(store_path(""), F_OK) != 0); // and it only looked
  wh_buf_clear(&note);
  put("a-0", "x", "x");
  CHECK_OK(wh_connector_local.reach(c, &note, &test_err));
  CHECK(strstr(note.data, "lake exists, writable, "));
  CHECK(strstr(note.data, " GB free, keeps earlier versions"));
  CHECK(strchr(note.data, '\n') == NULL);
  end();
}

TEST(a_file_in_the_place_of_the_folder_is_a_mistake) {
  REQUIRE(begin(false));
  char path[600];
  snprintf(path, sizeof path, "%s/lake", test_folder());
  CHECK(close(open(path, O_CREAT | O_WRONLY, 0644)) == 0);
  WH_CLEAN_BUF wh_buf note;
  wh_buf_init(&note, &test_mem, 0);
  wh_str keys;
  CHECK_FAILS(wh_connector_local.reach(c, &note, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("is not a folder");
  CHECK_FAILS(store_list(&place, &arena, "", &keys, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("is not a folder");
  CHECK_FAILS(store_seal(&place, "a-0", "x", 1, &test_err), WH_ERR_EXISTS);
  end();
}

// --- foreign files -------------------------------------------------------------------------------

TEST(a_foreign_file_is_an_object) {
  REQUIRE(begin(false));
  REQUIRE(make_folder("") && make_folder("in") && foreign("in/x.csv", 0, "a,b\n"));
  lists("", "in/x.csv;");
  holds("in/x.csv", "a,b\n");
  struct stat st;
  REQUIRE(stat(store_path("in/x.csv"), &st) == 0);
  char want[128];
  snprintf(want, sizeof want, "%" PRIu64 "-4-%" PRId64, (uint64_t)st.st_ino,
           (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
  CHECK_STR(store_version(&place, &arena, "in/x.csv"), wh_str_of(want));
  end();
}

TEST(a_change_while_reading_is_noticed) {
  REQUIRE(begin(false));
  REQUIRE(make_folder("") && foreign("x", 0, "some text"));
  const char *const changes[] = {"longer than it was", "eq. long!", ""};
  for (int i = 0; i < 3; i++) {
    wh_input *in;
    char data[64];
    size_t got = 0;
    REQUIRE_OK(open_key("x", WH_STR(""), &in));
    CHECK_OK(wh_input_read(in, data, 4, &got, &test_err));
    CHECK_EQ(got, 4);
    usleep(20000); // past a tick of the file system's clock
    foreign("x", O_TRUNC, changes[i]);
    CHECK_FAILS(wh_input_read(in, data, sizeof data, &got, &test_err), WH_ERR_CHANGED);
    CHECK_ERROR_HAS("lake: x: changed while it was read");
    CHECK(test_err.retry);
    CHECK_FAILS(in->read_at(in, 0, data, 2, &test_err), WH_ERR_CHANGED);
    wh_input_close(in);
    foreign("x", O_TRUNC, "some text");
  }
  end();
}

TEST(another_version_than_the_one_asked_for_is_refused) {
  REQUIRE(begin(false));
  REQUIRE(make_folder("") && foreign("x", 0, "some text"));
  wh_str version = store_version(&place, &arena, "x");
  foreign("x", O_APPEND, " and more");
  wh_input *in;
  CHECK_FAILS(open_key("x", version, &in), WH_ERR_CHANGED);
  CHECK_ERROR_HAS("lake: x: is no longer the version that was asked for");
  CHECK(unlink(store_path("x")) == 0);
  CHECK_FAILS(open_key("x", version, &in), WH_ERR_NOT_FOUND);
  end();
}

TEST(names_that_cannot_be_keys_are_skipped) {
  REQUIRE(begin(false));
  REQUIRE(make_folder("") && make_folder("bad\nfolder"));
  foreign("bad\nfolder/x", 0, "x");
  foreign("new\nline", 0, "x");
  foreign("not-\xFF-utf8", 0, "x");
  foreign(".wherry-tmp-0123456789abcdef", 0, "half a file of ours");
  foreign("good", 0, "x");
  lists("", "good;");
  end();
}

TEST(an_earlier_version_that_somebody_wrote_to_is_refused) {
  REQUIRE(begin(true));
  put("a-0", "x", "one");
  wh_str one = store_version(&place, &arena, "x");
  int fd = open(store_path("x"), O_WRONLY | O_APPEND);
  REQUIRE(fd >= 0);
  CHECK_OK(store_put(&place, "b-0", "x", "two", true, &test_err));
  CHECK(write(fd, "!", 1) == 1);
  close(fd);
  wh_str got;
  CHECK_FAILS(store_get(&place, &arena, "x", one, &got, &test_err), WH_ERR_CHANGED);
  holds("x", "two");
  end();
}

// --- links and other things ----------------------------------------------------------------------

TEST(symbolic_links_lead_nowhere) {
  REQUIRE(begin(false));
  put("a-0", "in/x", "inside");
  char outside[600];
  snprintf(outside, sizeof outside, "%s/outside", test_folder());
  REQUIRE(mkdir(outside, 0755) == 0);
  REQUIRE(symlink(outside, store_path("out")) == 0);
  REQUIRE(symlink("in/x", store_path("link")) == 0);
  lists("", "in/x;");
  wh_str keys;
  wh_input *in;
  CHECK_FAILS(store_list(&place, &arena, "out/", &keys, &test_err), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("lake: out: is a symbolic link");
  CHECK_FAILS(open_key("link", WH_STR(""), &in), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("lake: link: is a symbolic link");
  CHECK_FAILS(stat_key("link"), WH_ERR_REFUSED);
  CHECK_FAILS(stat_key("out/x"), WH_ERR_REFUSED);
  CHECK_OK(store_seal(&place, "b-0", "b", 1, &test_err));
  CHECK_FAILS(publish("b-0", "out/x", false), WH_ERR_REFUSED);
  CHECK_FAILS(publish("b-0", "out/new/x", true), WH_ERR_REFUSED);
  CHECK_FAILS(publish("b-0", "link", false), WH_ERR_EXISTS);
  CHECK_FAILS(publish("b-0", "link", true), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("taken by something that is no file");
  CHECK_FAILS(place.store->remove(c, WH_STR("out/x"), &test_err), WH_ERR_REFUSED);
  CHECK_FAILS(place.store->remove(c, WH_STR("link"), &test_err), WH_ERR_REFUSED);
  CHECK(rmdir(outside) == 0); // nothing got there
  end();
}

TEST(a_link_in_the_place_of_wherrys_folder_is_refused) {
  REQUIRE(begin(true));
  REQUIRE(make_folder(""));
  char outside[600];
  snprintf(outside, sizeof outside, "%s/outside", test_folder());
  REQUIRE(mkdir(outside, 0755) == 0);
  REQUIRE(symlink(outside, store_path("_wherry")) == 0);
  wh_str names;
  CHECK_FAILS(store_seal(&place, "a-0", "x", 1, &test_err), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("lake: _wherry: is a symbolic link");
  CHECK_FAILS(store_attempts(&place, &arena, &names, &test_err), WH_ERR_REFUSED);
  CHECK_FAILS(place.store->discard(c, WH_STR("a-0"), &test_err), WH_ERR_REFUSED);
  foreign("x", 0, "x");
  CHECK_FAILS(place.store->remove(c, WH_STR("x"), &test_err), WH_ERR_REFUSED);
  CHECK(rmdir(outside) == 0);
  end();
}

TEST(the_stores_own_folder_may_be_a_link) {
  REQUIRE(begin(false));
  char real[600], link[600];
  snprintf(real, sizeof real, "%s/elsewhere", test_folder());
  snprintf(link, sizeof link, "%s/lake", test_folder());
  REQUIRE(mkdir(real, 0755) == 0 && symlink(real, link) == 0);
  put("a-0", "in/x", "text");
  lists("", "in/x;");
  holds("in/x", "text");
  end();
}

TEST(a_pipe_does_not_hold_the_reader_up) {
  REQUIRE(begin(false));
  REQUIRE(make_folder("") && mkfifo(store_path("pipe"), 0644) == 0);
  wh_input *in;
  lists("", "");
  CHECK_FAILS(open_key("pipe", WH_STR(""), &in), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("not a file");
  end();
}

TEST(a_folder_and_an_object_cannot_share_a_name) {
  REQUIRE(begin(false));
  put("a-0", "a", "object");
  put("b-0", "d/x", "object");
  REQUIRE_OK(store_seal(&place, "c-0", "c", 1, &test_err));
  CHECK_FAILS(publish("c-0", "a/b", false), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("lake: a: is an object, so there can be none below it");
  CHECK_FAILS(publish("c-0", "d", false), WH_ERR_EXISTS);
  CHECK_ERROR_HAS("lake: d: the name is taken by a folder");
  CHECK_FAILS(publish("c-0", "d", true), WH_ERR_EXISTS);
  CHECK_FAILS(stat_key("a/b"), WH_ERR_NOT_FOUND);
  lists("a/", "");
  CHECK_OK(place.store->remove(c, WH_STR("a/b"), &test_err));
  holds("a", "object");
  end();
}

TEST(what_the_store_keeps_for_itself_cannot_be_written) {
  REQUIRE(begin(true));
  put("a-0", "x", "x");
  REQUIRE_OK(store_seal(&place, "b-0", "b", 1, &test_err));
  const char *keys[] = {"_wherry/attempts/b-0", "_wherry/versions/x/1", "_wherry/lock",
                        "_wherry/restore.lock"};
  for (size_t i = 0; i < 4; i++) {
    CHECK_FAILS(publish("b-0", keys[i], false), WH_ERR_REFUSED);
    CHECK_ERROR_HAS("keeps this for itself");
    CHECK_FAILS(place.store->remove(c, wh_str_of(keys[i]), &test_err), WH_ERR_REFUSED);
  }
  end();
}

TEST(a_part_longer_than_a_file_name_is_refused) {
  REQUIRE(begin(false));
  char key[300];
  memset(key, 'k', sizeof key);
  memcpy(key, "in/", 3);
  key[3 + WH_LOCAL_NAME_MAX] = 0;
  put("a-0", key, "fits");
  holds(key, "fits");
  key[3 + WH_LOCAL_NAME_MAX] = 'k';
  key[4 + WH_LOCAL_NAME_MAX] = 0;
  CHECK_FAILS(stat_key(key), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("a part of the key has 256 bytes");
  end();
}

// --- what a crash left ---------------------------------------------------------------------------

TEST(a_publish_that_was_interrupted_is_taken_up) {
  REQUIRE(begin(false));
  REQUIRE_OK(store_seal(&place, "a-0", "text", 4, &test_err));
  REQUIRE(make_folder("d"));
  REQUIRE(link(store_path("_wherry/attempts/a-0"), store_path("d/x")) == 0);
  wh_str version = store_version(&place, &arena, "d/x");
  CHECK_OK(publish("a-0", "d/x", false));
  CHECK_STR(store_version(&place, &arena, "d/x"), version);
  wh_str names;
  CHECK_OK(store_attempts(&place, &arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
  CHECK_FAILS(publish("a-0", "d/x", false), WH_ERR_NOT_FOUND); // it is over
  end();
}

TEST(a_second_link_from_an_interrupted_replace_is_no_attempt) {
  REQUIRE(begin(false));
  put("z-0", "x", "old");
  REQUIRE_OK(store_seal(&place, "a-0", "text", 4, &test_err));
  REQUIRE(link(store_path("_wherry/attempts/a-0"), store_path("_wherry/attempts/a-0~")) == 0);
  wh_str names;
  CHECK_OK(store_attempts(&place, &arena, &names, &test_err));
  CHECK_STR(names, WH_STR("a-0;"));
  CHECK_OK(publish("a-0", "x", true));
  holds("x", "text");
  CHECK(access(store_path("_wherry/attempts/a-0~"), F_OK) != 0);
  REQUIRE_OK(store_seal(&place, "b-0", "text", 4, &test_err));
  REQUIRE(link(store_path("_wherry/attempts/b-0"), store_path("_wherry/attempts/b-0~")) == 0);
  CHECK_OK(place.store->discard(c, WH_STR("b-0"), &test_err));
  CHECK(access(store_path("_wherry/attempts/b-0~"), F_OK) != 0);
  end();
}

// --- versions ------------------------------------------------------------------------------------

typedef struct history {
  char text[256]; // "second,first,"
} history;

static wh_status add_version(void *context, const wh_object *object, wh_error *err) {
  (void)err;
  history *h = context;
  wh_str text = WH_STR("-");
  if (!object->is_deleted) {
    CHECK_OK(store_get(&place, &arena, "x", object->version, &text, &test_err));
  }
  size_t len = strlen(h->text);
  snprintf(h->text + len, sizeof h->text - len, "%.*s,", WH_STR_ARG(text));
  return WH_OK;
}

static void history_is(const char *want) {
  history h = {{0}};
  CHECK_OK(place.store->versions(c, WH_STR("x"), add_version, &h, &test_err));
  CHECK_STR(wh_str_of(h.text), wh_str_of(want));
}

TEST(versions_keep_their_order_when_the_clock_is_set_back) {
  wh_os *os = begin_simulated(true);
  REQUIRE(os);
  const char *texts[] = {"1", "two", "third", "4444"};
  for (int i = 0; i < 4; i++) {
    char attempt[8];
    snprintf(attempt, sizeof attempt, "v-%d", i);
    sim_os_set_now(os, (int64_t)(2000000000 - i * 86400) * 1000000000);
    CHECK_OK(store_put(&place, attempt, "x", texts[i], true, &test_err));
  }
  history_is("4444,third,two,1,");
  end();
}

TEST(versions_stay_when_versioning_is_switched_off) {
  wh_os *os = begin_simulated(true);
  REQUIRE(os);
  CHECK_OK(store_put(&place, "v-0", "x", "one", true, &test_err));
  wh_str one = store_version(&place, &arena, "x");
  CHECK_OK(store_put(&place, "v-1", "x", "two!", true, &test_err));
  place.local.versioning = false;
  CHECK_OK(store_put(&place, "v-2", "x", "three", true, &test_err)); // "two!" is gone
  history_is("three,one,");
  wh_object object;
  CHECK_OK(place.store->restore(c, WH_STR("x"), one, &arena, &object, &test_err));
  history_is("one,three,one,"); // a restore keeps what it replaces all the same
  end();
}

TEST(a_version_that_was_linked_back_by_hand_loses_nothing) {
  REQUIRE(begin(true));
  CHECK_OK(store_put(&place, "v-0", "x", "one", true, &test_err));
  wh_str one = store_version(&place, &arena, "x");
  CHECK_OK(store_put(&place, "v-1", "x", "two!", true, &test_err));
  CHECK_OK(store_put(&place, "v-2", "x", "three", true, &test_err));
  char *kept = NULL;
  REQUIRE_OK(wh_local_find_version(c, &arena, WH_STR("x"), one, &kept, &test_err));
  REQUIRE(kept != NULL);
  REQUIRE(unlink(store_path("x")) == 0 && link(kept, store_path("x")) == 0);
  history_is("one,two!,one,");
  CHECK_OK(store_put(&place, "v-3", "x", "four", true, &test_err));
  history_is("four,one,two!,one,");
  end();
}

TEST(somebody_elses_lock_is_waited_for_with_a_limit) {
  wh_os *os = begin_simulated(true);
  REQUIRE(os);
  CHECK_OK(store_put(&place, "v-0", "x", "one", true, &test_err));
  wh_file *lock;
  REQUIRE_OK(
      wh_os_open(os, "/lake/_wherry/lock", WH_OPEN_WRITE | WH_OPEN_CREATE, &lock, &test_err));
  CHECK_OK(lock->type->lock(lock, &test_err));
  int64_t before = os->type->monotonic_ns(os);
  CHECK_FAILS(store_put(&place, "v-1", "x", "two", true, &test_err), WH_ERR_BUSY);
  CHECK_ERROR_HAS("lake: somebody else has been changing versions for 30 s");
  CHECK(test_err.retry);
  CHECK(os->type->monotonic_ns(os) - before >= (int64_t)WH_LOCAL_LOCK_WAIT_MS * 1000000);
  holds("x", "one");
  wh_file_close(lock);
  CHECK_OK(publish("v-1", "x", true)); // the attempt waits
  history_is("two,one,");
  end();
}

// A file system without hard links, as base/os.h has it: linking moves.
static const wh_os_type *with_links;
static wh_status move(wh_os *os, const char *from, const char *to, wh_error *err) {
  wh_file_info info;
  wh_status status = os->type->stat(os, to, &info, err);
  if (status == WH_OK) return wh_fail(err, WH_ERR_EXISTS, "%s: the name is taken", to);
  return status == WH_ERR_NOT_FOUND ? os->type->rename(os, from, to, err) : status;
}

TEST(a_file_system_without_hard_links_will_do) {
  wh_os *os = begin_simulated(true);
  REQUIRE(os);
  with_links = os->type;
  wh_os_type without = *with_links;
  without.link = move;
  os->type = &without;
  put("v-0", "x", "one");
  wh_str one = store_version(&place, &arena, "x");
  REQUIRE_OK(store_seal(&place, "w-0", "other", 5, &test_err));
  CHECK_FAILS(publish("w-0", "x", false), WH_ERR_EXISTS);
  CHECK_OK(publish("w-0", "x", true));
  history_is("other,one,");
  wh_object object;
  CHECK_OK(place.store->restore(c, WH_STR("x"), one, &arena, &object, &test_err));
  history_is("one,other,one,");
  CHECK_OK(place.store->remove(c, WH_STR("x"), &test_err));
  history_is("-,one,other,one,");
  wh_str names;
  CHECK_OK(store_attempts(&place, &arena, &names, &test_err));
  CHECK_STR(names, WH_STR(""));
  os->type = with_links;
  end();
}

// --- listing -------------------------------------------------------------------------------------

TEST(a_stopped_program_stops_listing) {
  wh_os *os = begin_simulated(false);
  REQUIRE(os);
  put("a-0", "x", "x");
  atomic_bool cancel = true;
  c->cancel = &cancel;
  wh_str keys;
  CHECK_FAILS(store_list(&place, &arena, "", &keys, &test_err), WH_ERR_CANCELLED);
  c->cancel = NULL;
  end();
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

TEST(list_order_is_that_of_sorted_keys) {
  enum { KEYS = 200 };
  wh_os *os = begin_simulated(false);
  REQUIRE(os);
  char *keys[KEYS];
  size_t count = 0;
  for (int i = 0; i < KEYS; i++) {
    char key[16], attempt[16];
    size_t len = 1 + test_random_below(10);
    for (size_t k = 0; k < len; k++)
      key[k] = "ab-/.0~!\x7A"[test_random_below(9)];
    if (wh_key_check(wh_str_n(key, len), NULL) != WH_OK) continue;
    snprintf(attempt, sizeof attempt, "l-%d", i);
    keys[count] = wh_arena_cstr(&arena, wh_str_n(key, len));
    // A folder may have the name already, or an object that of a folder, or the key is there.
    wh_status status = store_put(&place, attempt, keys[count], "x", false, &test_err);
    if (status == WH_OK)
      count++;
    else
      CHECK_EQ(status, WH_ERR_EXISTS);
  }
  CHECK(count > 10);
  qsort(keys, count, sizeof *keys, by_bytes);
  for (size_t p = 0; p < count; p++) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%.*s", (int)test_random_below(strlen(keys[p]) + 1), keys[p]);
    if (strstr(prefix, "//") || prefix[0] == '/') continue;
    WH_CLEAN_BUF wh_buf want;
    wh_buf_init(&want, &test_mem, 0);
    for (size_t i = 0; i < count; i++) {
      if (wh_str_starts(wh_str_of(keys[i]), prefix)) wh_buf_printf(&want, "%s;", keys[i]);
    }
    lists(prefix, want.data);
  }
  end();
}

typedef struct big_list {
  size_t count;
  bool ordered;
  char last[64];
} big_list;

static wh_status next_key(void *context, const wh_object *object, wh_error *err) {
  (void)err;
  big_list *b = context;
  if (wh_str_cmp(wh_str_of(b->last), object->key) >= 0) b->ordered = false;
  snprintf(b->last, sizeof b->last, "%.*s", WH_STR_ARG(object->key));
  b->count++;
  return WH_OK;
}

TEST(a_large_folder_is_listed_in_bounded_memory) {
  enum { FILES = 2 * WH_LOCAL_WALK_NAMES + 5000 };
  REQUIRE(begin(false));
  REQUIRE(make_folder("") && make_folder("in"));
  int folder = open(store_path("in"), O_RDONLY | O_DIRECTORY);
  REQUIRE(folder >= 0);
  for (int i = 0; i < FILES; i++) {
    char name[32];
    snprintf(name, sizeof name, "%08x-orders.json", (unsigned)i * 2654435761u);
    int fd = openat(folder, name, O_CREAT | O_WRONLY, 0644);
    if (!CHECK(fd >= 0)) break;
    close(fd);
  }
  close(folder);
  big_list b = {.ordered = true};
  atomic_store(&test_mem.peak, 0);
  CHECK_OK(place.store->list(c, WH_STR("in/"), next_key, &b, &test_err));
  CHECK_EQ(b.count, FILES);
  CHECK(b.ordered);
  CHECK(atomic_load(&test_mem.peak) < (8u << 20));
  end();
}
