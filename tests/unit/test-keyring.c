#include "config/keyring.h"
#include "sim_os.h"
#include "test.h"

static wh_os *os;
static wh_keyring keyring;
static wh_arena arena;

static void begin(void) {
  os = sim_os_new(&test_mem, test_seed());
  keyring = (wh_keyring){.os = os,
                         .mem = &test_mem,
                         .path = "shop/.wherry/keyring",
                         .key_path = "home/.config/wherry/key"};
  wh_arena_init(&arena, &test_mem);
}

static void end(void) {
  wh_arena_free(&arena);
  sim_os_free(os);
}

static wh_status set(const char *name, const char *value) {
  return wh_keyring_set(&keyring, wh_str_of(name), wh_str_of(value), &test_err);
}

static void check_get(const char *name, const char *want) {
  wh_str got = {0};
  if (CHECK_OK(wh_keyring_get(&keyring, wh_str_of(name), &arena, &got, &test_err))) {
    CHECK_STR(got, wh_str_of(want));
  }
}

static void check_no(const char *name, wh_status status, const char *want) {
  wh_str got;
  CHECK_FAILS(wh_keyring_get(&keyring, wh_str_of(name), &arena, &got, &test_err), status);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
}

static uint32_t mode_of(const char *path) {
  wh_file_info info = {0};
  CHECK_OK(os->type->stat(os, path, &info, &test_err));
  return info.mode & 0777;
}

TEST(secrets_are_set_read_listed_and_removed) {
  begin();
  wh_str_list names = {0};
  CHECK_OK(wh_keyring_list(&keyring, &arena, &names, &test_err));
  CHECK_EQ(names.count, 0);
  check_no("a", WH_ERR_NOT_FOUND,
           "the keyring has no secret 'a'. Set it with: wherry secret set a");
  CHECK_OK(set("b", "two"));
  CHECK_OK(set("a", "one"));
  CHECK_OK(set("c/d.e_f-9", "\xFF three\n"));
  CHECK_OK(set("b", "second"));
  check_get("a", "one");
  check_get("b", "second");
  check_get("c/d.e_f-9", "\xFF three\n");
  CHECK_OK(wh_keyring_list(&keyring, &arena, &names, &test_err));
  REQUIRE(names.count == 3);
  CHECK_STR(names.items[0], WH_STR("a"));
  CHECK_STR(names.items[1], WH_STR("b"));
  CHECK_STR(names.items[2], WH_STR("c/d.e_f-9"));
  CHECK_OK(wh_keyring_remove(&keyring, WH_STR("b"), &test_err));
  CHECK_FAILS(wh_keyring_remove(&keyring, WH_STR("b"), &test_err), WH_ERR_NOT_FOUND);
  check_no("b", WH_ERR_NOT_FOUND,
           "the keyring has no secret 'b'. Set it with: wherry secret set b");
  check_get("a", "one");
  end();
}

TEST(keyring_and_key_are_for_their_owner_alone) {
  begin();
  CHECK_OK(set("a", "one"));
  CHECK_EQ(mode_of(keyring.path), 0600);
  CHECK_EQ(mode_of(keyring.key_path), 0600);
  wh_str key = {0};
  CHECK_OK(wh_os_read_file(os, keyring.key_path, 100, &arena, &key, &test_err));
  CHECK_EQ(key.len, 32);
  end();
}

TEST(neither_names_nor_values_can_be_read_in_the_file) {
  begin();
  CHECK_OK(set("erp-password", "hunter2"));
  wh_str first = {0}, second = {0};
  CHECK_OK(wh_os_read_file(os, keyring.path, 1000, &arena, &first, &test_err));
  CHECK(!memmem(first.data, first.len, "hunter2", 7));
  CHECK(!memmem(first.data, first.len, "erp", 3));
  CHECK_OK(set("erp-password", "hunter2"));
  CHECK_OK(wh_os_read_file(os, keyring.path, 1000, &arena, &second, &test_err));
  CHECK_EQ(first.len, second.len);
  CHECK(!wh_str_eq(first, second)); // a nonce of its own for every write
  end();
}

TEST(names_and_values_have_limits) {
  begin();
  static const char *const bad[] = {"", "a b", "a}", "\xC3\xA4", "a\n"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    CHECK_FAILS(set(bad[i], "x"), WH_ERR_USAGE);
    CHECK_ERROR_HAS("the name of a secret is 1 to 128 letters");
  }
  CHECK_FAILS(set("a", ""), WH_ERR_USAGE);
  CHECK_FAILS(wh_keyring_set(&keyring, WH_STR("a"), wh_str_n("x\0y", 3), &test_err), WH_ERR_USAGE);
  char *big = calloc(1, WH_SECRET_BYTES_MAX + 1);
  memset(big, 'x', WH_SECRET_BYTES_MAX + 1);
  wh_str value = wh_str_n(big, WH_SECRET_BYTES_MAX + 1);
  CHECK_FAILS(wh_keyring_set(&keyring, WH_STR("a"), value, &test_err), WH_ERR_LIMIT);
  value.len--;
  CHECK_OK(wh_keyring_set(&keyring, WH_STR("a"), value, &test_err));
  wh_str got = {0};
  CHECK_OK(wh_keyring_get(&keyring, WH_STR("a"), &arena, &got, &test_err));
  CHECK(wh_str_eq(got, value));
  free(big);
  end();
}

TEST(a_keyring_can_be_full) {
  begin();
  char name[16];
  for (int i = 0; i < WH_SECRETS_MAX; i++) {
    snprintf(name, sizeof name, "n%d", i);
    REQUIRE(set(name, "v") == WH_OK);
  }
  CHECK_FAILS(set("one-more", "v"), WH_ERR_LIMIT);
  CHECK_OK(set("n7", "w"));
  check_get("n7", "w");
  end();
}

TEST(another_key_does_not_open_it) {
  begin();
  CHECK_OK(set("a", "one"));
  wh_keyring other = keyring;
  other.path = "b/.wherry/keyring";
  other.key_path = "other/key";
  CHECK_OK(wh_keyring_set(&other, WH_STR("a"), WH_STR("two"), &test_err));
  keyring.key_path = other.key_path;
  check_no(
      "a", WH_ERR_DENIED,
      "shop/.wherry/keyring cannot be opened with the key other/key: it was written with another "
      "key, or was changed since");
  CHECK_FAILS(set("b", "x"), WH_ERR_DENIED);
  keyring.key_path = "gone/key";
  check_no("a", WH_ERR_DENIED,
           "shop/.wherry/keyring cannot be opened: its key, gone/key, is not there. Bring it from "
           "where the keyring was written, or set WHERRY_KEY_FILE");
  CHECK_FAILS(set("b", "x"), WH_ERR_DENIED); // and no new key is made
  bool there = true;
  CHECK_OK(wh_os_exists(os, "gone/key", &there, &test_err));
  CHECK(!there);
  CHECK_OK(wh_os_write_file(os, "other/short", WH_STR("abc"), true, &test_err));
  keyring.key_path = "other/short";
  check_no("a", WH_ERR_DENIED, "other/short is no key of a keyring: a key is 32 bytes");
  end();
}

TEST(a_changed_byte_anywhere_is_noticed) {
  begin();
  CHECK_OK(set("a", "one"));
  wh_str file = {0};
  CHECK_OK(wh_os_read_file(os, keyring.path, 1000, &arena, &file, &test_err));
  char copy[1000];
  for (size_t i = 0; i < file.len; i++) {
    memcpy(copy, file.data, file.len);
    copy[i] ^= 1;
    CHECK_OK(wh_os_write_file(os, keyring.path, wh_str_n(copy, file.len), true, &test_err));
    wh_str got;
    wh_status status = wh_keyring_get(&keyring, WH_STR("a"), &arena, &got, &test_err);
    CHECK(status == WH_ERR_DENIED || status == WH_ERR_DATA);
  }
  for (size_t len = 0; len < file.len; len++) {
    CHECK_OK(wh_os_write_file(os, keyring.path, wh_str_sub(file, 0, len), true, &test_err));
    wh_str got;
    wh_status status = wh_keyring_get(&keyring, WH_STR("a"), &arena, &got, &test_err);
    CHECK(status == WH_ERR_DENIED || status == WH_ERR_DATA);
  }
  end();
}

TEST(two_projects_share_one_key) {
  begin();
  CHECK_OK(set("a", "one"));
  wh_keyring other = keyring;
  other.path = "b/.wherry/keyring";
  CHECK_OK(wh_keyring_set(&other, WH_STR("a"), WH_STR("two"), &test_err));
  check_get("a", "one");
  end();
}

TEST(a_writer_waits_for_another_and_gives_up) {
  begin();
  CHECK_OK(set("a", "one"));
  wh_file *f = NULL;
  REQUIRE_OK(wh_os_open(os, "shop/.wherry/keyring.lock", WH_OPEN_WRITE, &f, &test_err));
  REQUIRE_OK(f->type->lock(f, &test_err));
  CHECK_FAILS(set("a", "two"), WH_ERR_BUSY);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("shop/.wherry/keyring is being written by another process"));
  check_get("a", "one"); // readers need no lock
  wh_file_close(f);
  CHECK_OK(set("a", "two"));
  check_get("a", "two");
  end();
}

static const char *const *variables; // name, value, ..., NULL

static const char *environment(void *context, const char *name) {
  (void)context;
  for (const char *const *v = variables; *v; v += 2)
    if (strcmp(v[0], name) == 0) return v[1];
  return NULL;
}

static void check_key_path(const char *const *env, const char *want) {
  variables = env;
  const char *path = NULL;
  CHECK_OK(wh_keyring_key_path(environment, NULL, &arena, &path, &test_err));
  CHECK_STR(wh_str_of(path), wh_str_of(want));
}

TEST(the_key_is_where_the_environment_says) {
  begin();
  const char *path = NULL;
  check_key_path((const char *const[]){"WHERRY_KEY_FILE", "k", "HOME", "/h", NULL}, "k");
  check_key_path((const char *const[]){"XDG_CONFIG_HOME", "/x", "HOME", "/h", NULL},
                 "/x/wherry/key");
  check_key_path(
      (const char *const[]){"WHERRY_KEY_FILE", "", "XDG_CONFIG_HOME", "x", "HOME", "/h", NULL},
      "/h/.config/wherry/key");
  CHECK_FAILS(wh_keyring_key_path(NULL, NULL, &arena, &path, &test_err), WH_ERR_USAGE);
  end();
}

// The power fails at every change: afterwards the secret is the old one or the new one.
TEST(power_loss_leaves_the_old_or_the_new) {
  for (uint64_t n = 1;; n++) {
    begin();
    CHECK_OK(set("a", "old"));
    sim_os_fail_at(os, n);
    bool done = set("a", "new") == WH_OK;
    sim_os_restart(os);
    wh_str got = {0};
    CHECK_OK(wh_keyring_get(&keyring, WH_STR("a"), &arena, &got, &test_err));
    bool is_new = wh_str_is(got, "new");
    CHECK(is_new || wh_str_is(got, "old"));
    if (done) CHECK(is_new);
    end();
    if (done) break;
    REQUIRE(n < 100);
  }
}

// And in the very first write, which makes the key: afterwards it can be made again.
TEST(power_loss_while_the_key_is_made) {
  for (uint64_t n = 1;; n++) {
    begin();
    sim_os_fail_at(os, n);
    bool done = set("a", "one") == WH_OK;
    sim_os_restart(os);
    if (done) check_get("a", "one");
    CHECK_OK(set("a", "two"));
    check_get("a", "two");
    end();
    if (done) break;
    REQUIRE(n < 100);
  }
}

TEST(keyring_fails_cleanly_without_memory) {
  for (size_t n = 1;; n++) {
    wh_mem_init(&test_mem, 0);
    begin();
    CHECK_OK(set("a", "one"));
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    wh_str_list names = {0};
    wh_str got = {0};
    wh_status status = set("b", "two");
    if (status == WH_OK) status = wh_keyring_get(&keyring, WH_STR("a"), &arena, &got, &test_err);
    if (status == WH_OK) status = wh_keyring_list(&keyring, &arena, &names, &test_err);
    if (status == WH_OK) status = wh_keyring_remove(&keyring, WH_STR("b"), &test_err);
    atomic_store(&test_mem.fail_at, 0);
    if (status != WH_OK) CHECK_FAILS(status, WH_ERR_MEMORY);
    check_get("a", "one");
    end();
    if (status == WH_OK) break;
    REQUIRE(n < 1000);
  }
}
