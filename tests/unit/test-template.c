#include "config/config.h"
#include "config/glob.h"
#include "connect/store.h"
#include "test.h"

static void check_refused(const char *text, bool raw, const char *want) {
  CHECK_FAILS(wh_template_check(wh_str_of(text), raw, &test_err), WH_ERR_USAGE);
  CHECK_STR(wh_str_of(test_err.text), wh_str_of(want));
}

TEST(templates_are_checked) {
  CHECK_OK(wh_template_check(WH_STR("a/{year}/{month}/{day}/x-{run}.json"), false, &test_err));
  CHECK_OK(wh_template_check(WH_STR("{source}/{pipeline}-{run}-{part}.{ext}"), false, &test_err));
  CHECK_OK(wh_template_check(WH_STR("a/{name}.{ext}"), true, &test_err));
  CHECK_OK(wh_template_check(WH_STR("a [b] {run}"), false, &test_err));
  check_refused("a/x.json", false, "needs {run}: every run must get a name of its own");
  check_refused("a/{name}", false, "needs {run}: every run must get a name of its own");
  check_refused("a/{year}", true, "needs {name} or {run}: every object must get a name of its own");
  check_refused("a/{rum}", false, "a template has no name {rum}. Did you mean {run}?");
  check_refused("a/{}{run}", false,
                "a template has no name {}. There are year, month, day, hour, minute, second, run, "
                "pipeline, source, name, ext and part");
  check_refused("a/{run", false, "a '{' that no '}' closes");
  check_refused("a}/{run}", false, "a '}' that no '{' opened");
  check_refused("a/*-{run}", false,
                "a template cannot hold '*'. Wildcards are for `from`; names such as {run} are for "
                "`to`");
  check_refused("/a/{run}", false, "'/a/x' is not a key: it begins with '/'");
  check_refused("a//{run}", false, "'a//x' is not a key: it has an empty part ('//')");
  check_refused("a/../{run}", false, "'a/../x' is not a key: '..' cannot be a part of one");
  check_refused("_wherry/{run}", false, "'_wherry/' is Wherry's own folder. Choose another");
}

static const wh_template_values values = {
    .start_us = 1763715302123456, // 2025-11-21 08:55:02
    .run = WH_STR_INIT("01jd3v"),
    .pipeline = WH_STR_INIT("p"),
    .source = WH_STR_INIT("dbo/order\n"),
    .name = WH_STR_INIT("in"),
    .ext = WH_STR_INIT("csv"),
    .part = 7,
};

TEST(templates_expand) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_str key;
  REQUIRE_OK(wh_template_expand(WH_STR("{year}-{month}-{day}T{hour}{minute}{second}/{pipeline}/"
                                       "{source}/{name}.{ext}-{run}-{part}"),
                                &values, &arena, &key, &test_err));
  CHECK_STR(key, WH_STR("2025-11-21T085502/p/dbo_order_/in.csv-01jd3v-7"));
  wh_template_values empty = values;
  empty.name = WH_STR("");
  CHECK_FAILS(wh_template_expand(WH_STR("a/{name}"), &empty, &arena, &key, &test_err),
              WH_ERR_USAGE);
  CHECK_ERROR_HAS("the template a/{name}: 'a/' is not a key: it ends with '/'");
}

TEST(templates_match_their_own_pattern) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  static const char *const list[] = {"{run}", "a/{year}/{month}/x-{run}.json",
                                     "{name}{run}/[x]-{second}.{ext}", "{source}{part}{run}"};
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    wh_str key, glob;
    REQUIRE_OK(wh_template_expand(wh_str_of(list[i]), &values, &arena, &key, &test_err));
    REQUIRE_OK(wh_template_glob(wh_str_of(list[i]), &arena, &glob, &test_err));
    if (!CHECK(wh_glob_match(glob, key))) test_note("%s", list[i]);
  }
  wh_str glob;
  REQUIRE_OK(wh_template_glob_for(WH_STR("{pipeline}/{name}{run}.json"), WH_STR("p"), &arena, &glob,
                                  &test_err));
  CHECK_STR(glob, WH_STR("p/*.json"));
}

static bool overlap(const char *a, const char *b) {
  bool there = false, back = false;
  CHECK_OK(wh_glob_overlap(wh_str_of(a), wh_str_of(b), &test_mem, &there, &test_err));
  CHECK_OK(wh_glob_overlap(wh_str_of(b), wh_str_of(a), &test_mem, &back, &test_err));
  CHECK_EQ(there, back);
  return there;
}

TEST(globs_overlap) {
  CHECK(overlap("a", "a"));
  CHECK(overlap("*", "a"));
  CHECK(overlap("*.json", "a*"));
  CHECK(overlap("a*c", "*b*"));
  CHECK(overlap("in/**/*.json", "in/x.json"));
  CHECK(overlap("in/**/*.json", "in/a/b/x.json"));
  CHECK(overlap("**", "a/b/c"));
  CHECK(overlap("**/x", "x"));
  CHECK(overlap("**/x", "a/**/x"));
  CHECK(overlap("a/**/b", "a/b"));
  CHECK(overlap("[a-c]x", "[b-d]x"));
  CHECK(overlap("?", "[!a]"));
  CHECK(overlap("\xC3\xA4*", "?b"));
  CHECK(overlap("[0-9][0-9]", "*7"));
  CHECK(overlap("**a", "b/*"));
  CHECK(overlap("[x", "[x")); // a class that is never closed stands for itself
}

TEST(globs_do_not_overlap) {
  CHECK(!overlap("a", "b"));
  CHECK(!overlap("*", "a/b"));
  CHECK(!overlap("*.json", "*.csv"));
  CHECK(!overlap("in/**", "out/**"));
  CHECK(!overlap("in/**/*.json", "in/x.csv"));
  CHECK(!overlap("?", "ab"));
  CHECK(!overlap("[a-c]", "[d-f]"));
  CHECK(!overlap("[!a]", "a"));
  CHECK(!overlap("a/?/b", "a//b"));
  CHECK(!overlap("**/x", "ax"));
  CHECK(!overlap("a/*/c", "a/c"));
  CHECK(!overlap("\xC3\xA4", "?\x80"));
}

// Random patterns over a small alphabet against every text of up to five characters.
TEST(globs_overlap_as_matching_says) {
  static const char *const bits[] = {"a", "b", "/", "*", "?", "**", "**/", "[ab]", "[!a]", "/**/"};
  static const char alphabet[] = "ab/";
  for (int round = 0; round < 200; round++) {
    char p[2][64] = {{0}, {0}};
    for (int side = 0; side < 2; side++) {
      size_t len = 0;
      for (uint64_t n = 1 + test_random_below(4); n > 0; n--)
        len += (size_t)snprintf(p[side] + len, sizeof p[side] - len, "%s",
                                bits[test_random_below(sizeof bits / sizeof bits[0])]);
    }
    bool found = false;
    char text[6];
    for (int number = 0; number < 3 * 3 * 3 * 3 * 3 && !found; number++) {
      for (size_t len = 1; len <= 5 && !found; len++) {
        for (int i = 0, rest = number; i < (int)len; i++, rest /= 3)
          text[i] = alphabet[rest % 3];
        wh_str key = wh_str_n(text, len);
        found = wh_glob_match(wh_str_of(p[0]), key) && wh_glob_match(wh_str_of(p[1]), key);
      }
    }
    bool says = overlap(p[0], p[1]);
    // A longer text than these may be the only common one, never the other way round.
    if (found && !CHECK(says)) test_note("%s and %s", p[0], p[1]);
  }
}

TEST(templates_fail_cleanly_without_memory) {
  for (size_t n = 1;; n++) {
    wh_mem_init(&test_mem, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_str text = {0};
    bool yes = false;
    wh_status status = wh_template_expand(WH_STR("a/{run}"), &values, &arena, &text, &test_err);
    if (status == WH_OK) status = wh_template_glob(WH_STR("a/{run}"), &arena, &text, &test_err);
    if (status == WH_OK) {
      status = wh_glob_overlap(WH_STR("a/*"), WH_STR("*/b"), &test_mem, &yes, &test_err);
    }
    wh_arena_free(&arena);
    CHECK_EQ(atomic_load(&test_mem.used), 0);
    if (status == WH_OK) break;
    CHECK_FAILS(status, WH_ERR_MEMORY);
    REQUIRE(n < 100);
  }
  atomic_store(&test_mem.fail_at, 0);
}
