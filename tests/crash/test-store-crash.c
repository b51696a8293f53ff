// The local store when the power fails, the program is killed, the disk is full or a call fails, at
// every single change it makes. A story acts until it is interrupted; then what was promised is
// checked, the story is resumed as a restarted program would, the power fails once more, and the
// end must be what an undisturbed run leaves.
#include "sim_os.h"
#include "store_place.h"

#include <stdio.h>

typedef struct trial {
  store_place place;
  wh_os *os;
  wh_arena arena;
  wh_error err;
  bool sealed[4], done[4]; // what answered with success
  wh_str version[4];
} trial;

typedef struct story {
  const char *name;
  bool versioning;
  wh_status (*act)(trial *t);
  void (*check)(trial *t);       // the promises, whatever was reached
  wh_status (*resume)(trial *t); // until everything is done
  void (*check_end)(trial *t);
} story;

// --- driver --------------------------------------------------------------------------------------

enum interruption { POWER, KILL, FULL, IO_ERROR };
static const char *const interruption_names[] = {"power", "kill", "full disk", "failed call"};

static void begin(trial *t, const story *s, uint64_t seed) {
  *t = (trial){.os = sim_os_new(&test_mem, seed)};
  wh_arena_init(&t->arena, &test_mem);
  store_place_on(&t->place, t->os, s->versioning);
}

static void end(trial *t) {
  wh_arena_free(&t->arena);
  store_place_free(&t->place);
  sim_os_free(t->os);
}

// A program that was started anew does not know what its forerunner has synced.
static void forget_names(wh_os *os) {
  for (size_t i = 0; i < WH_OS_KNOWN_NAMES; i++)
    atomic_store(&os->known_names[i], 0);
}

static void arm(trial *t, enum interruption how, uint64_t n) {
  if (how == FULL)
    sim_os_full_at(t->os, n, 0);
  else if (how == IO_ERROR)
    sim_os_error_at(t->os, n, 1);
  else
    sim_os_fail_at(t->os, n);
}

static void come_back(trial *t, enum interruption how) {
  sim_os_fail_at(t->os, 0);
  sim_os_full_at(t->os, 0, 0);
  sim_os_error_at(t->os, 0, 0);
  if (how == KILL) sim_os_kill(t->os);
  if (how == POWER) sim_os_restart(t->os);
  if (how == POWER || how == KILL) forget_names(t->os);
}

// A restore that was done but for cleaning leaves its attempt to the next one.
static void check_clean(trial *t) {
  wh_str names = WH_STR("?");
  CHECK_OK(store_attempts(&t->place, &t->arena, &names, &test_err));
  if (!wh_str_is(names, "restore;")) CHECK_STR(names, WH_STR(""));
}

// True when the story went through before the interruption came.
static bool interrupt(const story *s, enum interruption how, uint64_t n, uint64_t seed) {
  trial t;
  begin(&t, s, seed);
  arm(&t, how, n);
  wh_status status = s->act(&t);
  bool through = status == WH_OK && !sim_os_power_is_off(t.os);
  if (how == FULL && status != WH_OK) CHECK_EQ(status, WH_ERR_NO_SPACE);
  come_back(&t, how);
  s->check(&t);
  if (CHECK_EQ(s->resume(&t), WH_OK)) {
    sim_os_restart(t.os);
    s->check(&t);
    s->check_end(&t);
    // What cannot be removed stays, but only then.
    if (how != IO_ERROR) check_clean(&t);
  }
  if (test_failed()) {
    test_note("%s: %s at %llu, seed %llu: %s", s->name, interruption_names[how],
              (unsigned long long)n, (unsigned long long)seed, t.err.text);
  }
  end(&t);
  return through;
}

static void tell(const story *s) {
  int seeds = test_is_long() ? 200 : 4;
  for (enum interruption how = POWER; how <= IO_ERROR; how++) {
    for (int i = 0; i < seeds; i++) {
      uint64_t seed = test_random();
      uint64_t n = 1;
      while (!interrupt(s, how, n, seed) && !test_failed() && n < 10000)
        n++;
      if (test_failed()) return;
      CHECK(n > 5); // it was interrupted somewhere
    }
  }
}

// --- what stories are made of --------------------------------------------------------------------

static wh_status publish(trial *t, const char *attempt, const char *key, bool replace) {
  wh_object object;
  return t->place.store->publish(&t->place.connection, wh_str_of(attempt), wh_str_of(key), replace,
                                 &t->arena, &object, &t->err);
}

// The object's text; empty when there is none.
static wh_str text_of(trial *t, const char *key, wh_str version) {
  wh_str text = WH_STR("");
  wh_error err = {0};
  wh_status status = store_get(&t->place, &t->arena, key, version, &text, &err);
  if (status != WH_OK && !CHECK_EQ(status, WH_ERR_NOT_FOUND)) test_note("%s", err.text);
  return text;
}

// For the program itself, whose calls may fail.
static bool reads(trial *t, const char *key, const char *want) {
  wh_str text = WH_STR("");
  wh_status status = store_get(&t->place, &t->arena, key, WH_STR(""), &text, NULL);
  return status == WH_OK && wh_str_is(text, want);
}

// Seals and publishes the ith text, going on where an earlier try stopped.
static wh_status put(trial *t, int i, const char *key, const char *text, bool replace) {
  char attempt[16];
  snprintf(attempt, sizeof attempt, "run%d-0", i);
  if (!t->sealed[i]) {
    WH_TRY(t->place.store->discard(&t->place.connection, wh_str_of(attempt), &t->err));
    WH_TRY(store_seal(&t->place, attempt, text, strlen(text), &t->err));
    t->sealed[i] = !sim_os_power_is_off(t->os);
  }
  if (t->done[i]) return WH_OK;
  wh_status status = publish(t, attempt, key, replace);
  // The engine's rule for a sealed attempt that is gone: it was published before the crash.
  if (status == WH_ERR_NOT_FOUND && reads(t, key, text)) status = WH_OK;
  t->done[i] = status == WH_OK && !sim_os_power_is_off(t->os); // else nobody learnt of it
  return status;
}

typedef struct history {
  trial *t;
  const char *key;
  char text[256]; // "second,first,": newest first; '-' stands for a marker
  bool ordered;
  size_t latest;
} history;

static wh_status add_version(void *context, const wh_object *object, wh_error *err) {
  (void)err;
  history *h = context;
  wh_str text = object->is_deleted ? WH_STR("-") : text_of(h->t, h->key, object->version);
  size_t len = strlen(h->text);
  h->latest += object->is_latest;
  snprintf(h->text + len, sizeof h->text - len, "%.*s,", WH_STR_ARG(text));
  return WH_OK;
}

static history history_of(trial *t, const char *key) {
  history h = {.t = t, .key = key};
  wh_status status =
      t->place.store->versions(&t->place.connection, wh_str_of(key), add_version, &h, &test_err);
  if (status != WH_ERR_NOT_FOUND) CHECK_OK(status);
  return h;
}

static bool history_is(trial *t, const char *key, const char *want) {
  history h = history_of(t, key);
  return CHECK_STR(wh_str_of(h.text), wh_str_of(want)) && CHECK(h.latest == 1);
}

// --- stories -------------------------------------------------------------------------------------

static const char *const keys[] = {"in/erp/2026/a", "in/erp/2026/b", "in/x", "top"};
static const char *const texts[] = {"first", "second", "the third", "and the fourth"};

// Several objects, in folders that are new or not: each is there whole, or not at all.
static wh_status publish_all(trial *t) {
  for (int i = 0; i < 4; i++)
    WH_TRY(put(t, i, keys[i], texts[i], false));
  return WH_OK;
}

static void check_published(trial *t) {
  for (int i = 0; i < 4; i++) {
    wh_str text = text_of(t, keys[i], WH_STR(""));
    if (text.len || t->done[i]) CHECK_STR(text, wh_str_of(texts[i]));
  }
}

static void check_all_published(trial *t) {
  wh_str list = WH_STR("");
  CHECK_OK(store_list(&t->place, &t->arena, "", &list, &test_err));
  CHECK_STR(list, WH_STR("in/erp/2026/a;in/erp/2026/b;in/x;top;"));
}

static const story publishing = {"publish",       false,       publish_all,
                                 check_published, publish_all, check_all_published};

// One object replaced again and again.
static wh_status replace_all(trial *t) {
  for (int i = 0; i < 4; i++)
    WH_TRY(put(t, i, "d/x", texts[i], true));
  return WH_OK;
}

// The present one is the last that was done, or the one that was under way.
static void check_replaced(trial *t) {
  int done = 0;
  while (done < 4 && t->done[done])
    done++;
  wh_str text = text_of(t, "d/x", WH_STR(""));
  bool before = done == 0 ? text.len == 0 : wh_str_is(text, texts[done - 1]);
  bool after = done < 4 && wh_str_is(text, texts[done]);
  if (!CHECK(before || after)) test_note("%d done, found '%.*s'", done, WH_STR_ARG(text));
}

static void check_all_replaced(trial *t) {
  history_is(t, "d/x", "and the fourth,");
}

static const story replacing = {"replace",      false,       replace_all,
                                check_replaced, replace_all, check_all_replaced};

static void check_versions(trial *t) {
  check_replaced(t);
  history h = history_of(t, "d/x");
  static const char *const wants[] = {"", "first,", "second,first,", "the third,second,first,",
                                      "and the fourth,the third,second,first,"};
  int done = 0;
  while (done < 4 && t->done[done])
    done++;
  bool ok = strcmp(h.text, wants[done]) == 0 || (done < 4 && strcmp(h.text, wants[done + 1]) == 0);
  if (!CHECK(ok)) test_note("%d done, history '%s'", done, h.text);
}

static void check_all_versions(trial *t) {
  history_is(t, "d/x", "and the fourth,the third,second,first,");
}

static const story versioning = {"replace with versions", true,        replace_all,
                                 check_versions,          replace_all, check_all_versions};

// The same straight under the keys, without attempts that anybody knows of.
static wh_status put_straight(trial *t, int i, const char *key, bool replace) {
  const wh_store_type *store = t->place.store;
  wh_put_options options = {.replace = replace};
  wh_upload *upload;
  if (t->done[i]) return WH_OK;
  WH_TRY(store->put(&t->place.connection, wh_str_of(key), &options, &upload, &t->err));
  wh_status status = wh_output_write(&upload->output, texts[i], strlen(texts[i]), &t->err);
  if (status == WH_OK) status = upload->seal(upload, &t->err);
  upload->close(upload);
  // Nobody learnt of it, nor whether its name lasts.
  if (status == WH_ERR_EXISTS && !replace && reads(t, key, texts[i]))
    return put_straight(t, i, key, true);
  t->done[i] = status == WH_OK && !sim_os_power_is_off(t->os);
  return status;
}

static wh_status put_all_straight(trial *t) {
  for (int i = 0; i < 4; i++)
    WH_TRY(put_straight(t, i, keys[i], false));
  return WH_OK;
}

static wh_status replace_all_straight(trial *t) {
  for (int i = 0; i < 4; i++)
    WH_TRY(put_straight(t, i, "d/x", true));
  return WH_OK;
}

static wh_status sweep(void *context, const wh_object *attempt, wh_error *err) {
  trial *t = context;
  CHECK(wh_str_starts(attempt->key, WH_PUT_PREFIX));
  return t->place.store->discard(&t->place.connection, attempt->key, err);
}

// Whoever puts next throws away what a crash has left, or brought back.
static void check_all_put(trial *t) {
  CHECK_OK(t->place.store->attempts(&t->place.connection, sweep, t, &test_err));
  check_all_published(t);
}

static void check_all_replaced_straight(trial *t) {
  CHECK_OK(t->place.store->attempts(&t->place.connection, sweep, t, &test_err));
  check_all_replaced(t);
}

static const story putting = {
    "put", false, put_all_straight, check_published, put_all_straight, check_all_put};
static const story putting_over = {"put over",           false,
                                   replace_all_straight, check_replaced,
                                   replace_all_straight, check_all_replaced_straight};

// Removed, and what was removed stays among the versions.
static wh_status put_and_remove(trial *t) {
  WH_TRY(put(t, 0, "d/x", texts[0], false));
  if (t->done[1]) return WH_OK;
  WH_TRY(t->place.store->remove(&t->place.connection, WH_STR("d/x"), &t->err));
  t->done[1] = !sim_os_power_is_off(t->os);
  return WH_OK;
}

static void check_removed(trial *t) {
  wh_str text = text_of(t, "d/x", WH_STR(""));
  if (t->done[1]) CHECK_EQ(text.len, 0);
  if (text.len) CHECK_STR(text, wh_str_of(texts[0]));
  if (!t->place.versioning) return;
  history h = history_of(t, "d/x");
  bool there = strcmp(h.text, "first,") == 0, gone = strcmp(h.text, "-,first,") == 0;
  if (!CHECK(there || gone || (!t->done[0] && !h.text[0]))) test_note("history '%s'", h.text);
  CHECK(gone == (t->done[0] && text.len == 0));
}

static void check_removed_at_end(trial *t) {
  wh_str list = WH_STR("?");
  CHECK_OK(store_list(&t->place, &t->arena, "", &list, &test_err));
  CHECK_STR(list, WH_STR(""));
  if (t->place.versioning) history_is(t, "d/x", "-,first,");
}

static const story removing = {"remove",      false,          put_and_remove,
                               check_removed, put_and_remove, check_removed_at_end};
static const story removing_kept = {"remove with versions", true,           put_and_remove,
                                    check_removed,          put_and_remove, check_removed_at_end};

// Removed, made again, and the first one restored.
static wh_status put_and_restore(trial *t) {
  WH_TRY(put(t, 0, "x", texts[0], false));
  if (!t->version[0].len) t->version[0] = store_version(&t->place, &t->arena, "x");
  WH_TRY(put(t, 1, "x", texts[1], true));
  if (t->done[2]) return WH_OK;
  wh_object object;
  if (reads(t, "x", texts[0])) return WH_OK; // it was restored
  WH_TRY(t->place.store->restore(&t->place.connection, WH_STR("x"), t->version[0], &t->arena,
                                 &object, &t->err));
  t->done[2] = !sim_os_power_is_off(t->os);
  return WH_OK;
}

static void check_restored(trial *t) {
  wh_str text = text_of(t, "x", WH_STR(""));
  history h = history_of(t, "x");
  if (t->done[2]) CHECK_STR(wh_str_of(h.text), WH_STR("first,second,first,"));
  if (t->done[0]) CHECK(text.len > 0);
  const char *may[] = {"", "first,", "second,first,", "first,second,first,"};
  bool ok = false;
  for (int i = t->done[1] ? 2 : t->done[0]; i < 4; i++)
    ok |= strcmp(h.text, may[i]) == 0;
  if (!CHECK(ok)) test_note("history '%s'", h.text);
}

// A restore that was killed may look done and be undone by the power; one that answered may not.
static void check_restored_at_end(trial *t) {
  history h = history_of(t, "x");
  bool undone = !t->done[2] && strcmp(h.text, "second,first,") == 0;
  if (!undone) history_is(t, "x", "first,second,first,");
}

static const story restoring = {
    "restore", true, put_and_restore, check_restored, put_and_restore, check_restored_at_end};

TEST(a_published_object_survives_whole_or_never_was) {
  tell(&publishing);
}

TEST(a_replaced_object_is_the_old_or_the_new) {
  tell(&replacing);
}

TEST(a_put_object_is_whole_or_never_was) {
  tell(&putting);
}

TEST(a_put_object_replaces_the_other_or_does_not) {
  tell(&putting_over);
}

TEST(no_version_is_lost_or_doubled) {
  tell(&versioning);
}

TEST(a_removal_happens_or_not) {
  tell(&removing);
}

TEST(what_is_removed_is_kept) {
  tell(&removing_kept);
}

TEST(a_restore_happens_or_not) {
  tell(&restoring);
}
