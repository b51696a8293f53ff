#include "connect/store.h"
#include "test.h"

#include <time.h>

static bool match(const char *pattern, const char *key) {
  return wh_glob_match(wh_str_of(pattern), wh_str_of(key));
}

TEST(glob_star_and_question_mark_stay_within_a_part) {
  CHECK(match("*.json", "a.json"));
  CHECK(match("*.json", ".json"));
  CHECK(!match("*.json", "a/b.json"));
  CHECK(!match("*.json", "a.json.gz"));
  CHECK(match("a*c*e", "abcde"));
  CHECK(match("a*c*e", "acce"));
  CHECK(!match("a*c*e", "abcd"));
  CHECK(match("a?c", "abc"));
  CHECK(!match("a?c", "a/c"));
  CHECK(!match("a?c", "ac"));
  CHECK(match("a*/c", "ab/c"));
  CHECK(!match("a*/c", "ab/b/c"));
  CHECK(match("", ""));
  CHECK(!match("", "a"));
  CHECK(match("*", ""));
}

TEST(glob_double_star_crosses_parts_and_may_be_none) {
  CHECK(match("inbound/erp/**/*.json", "inbound/erp/x.json"));
  CHECK(match("inbound/erp/**/*.json", "inbound/erp/2026/11/21/x.json"));
  CHECK(!match("inbound/erp/**/*.json", "inbound/erpx.json"));
  CHECK(!match("inbound/erp/**/*.json", "inbound/erp/2026/x.csv"));
  CHECK(match("a/**/b", "a/b"));
  CHECK(match("a/**/b", "a/x/y/b"));
  CHECK(!match("a/**/b", "a/xb"));
  CHECK(!match("a/**/b", "ab"));
  CHECK(match("**/b", "b"));
  CHECK(match("**/b", "x/b"));
  CHECK(!match("**/b", "xb"));
  CHECK(match("a/**", "a/b"));
  CHECK(match("a/**", "a/b/c"));
  CHECK(!match("a/**", "ab"));
  CHECK(!match("a/**", "a"));
  CHECK(match("**", "a/b/c"));
  CHECK(match("a**z", "a/b/z"));
  CHECK(match("a/**/**/b", "a/b"));
  CHECK(match("***", "a/b"));
}

TEST(glob_classes_take_one_character) {
  CHECK(match("[abc].txt", "b.txt"));
  CHECK(!match("[abc].txt", "d.txt"));
  CHECK(match("[a-c0-9]x", "7x"));
  CHECK(!match("[a-c]x", "dx"));
  CHECK(match("[!a-c]x", "dx"));
  CHECK(!match("[!a-c]x", "ax"));
  CHECK(!match("[!a]b", "/b"));
  CHECK(match("[a-]", "-"));
  CHECK(match("[]]", "]"));
  CHECK(match("[*]", "*"));
  CHECK(!match("[*]", "a"));
  CHECK(match("[a", "[a")); // never closed: itself
  CHECK(!match("[a", "a"));
  CHECK(match("x[a/b]", "x[a/b]"));
  CHECK(match("[", "["));
  CHECK(match("[]", "[]"));
  CHECK(match("[!]", "[!]"));
}

TEST(glob_counts_characters_not_bytes) {
  CHECK(match("?", "ä"));
  CHECK(match("a?c", "a😀c"));
  CHECK(!match("??", "ä"));
  CHECK(match("[ä-ü]", "ö"));
  CHECK(!match("[ä-ü]", "z"));
  CHECK(match("*ö*", "böse"));
  CHECK(match("?", "\xFF")); // a byte that is no UTF-8 is a character that equals no other
  CHECK(!match("\xFE", "\xFF"));
}

TEST(glob_prefix_ends_at_the_first_wildcard) {
  CHECK_STR(wh_glob_prefix(WH_STR("inbound/erp/**/*.json")), WH_STR("inbound/erp/"));
  CHECK_STR(wh_glob_prefix(WH_STR("inbound/o?")), WH_STR("inbound/o"));
  CHECK_STR(wh_glob_prefix(WH_STR("a[b]")), WH_STR("a"));
  CHECK_STR(wh_glob_prefix(WH_STR("a/b.json")), WH_STR("a/b.json"));
  CHECK_STR(wh_glob_prefix(WH_STR("*")), WH_STR(""));
}

static bool below(const char *pattern, const char *folder) {
  return wh_glob_may_match_below(wh_str_of(pattern), wh_str_of(folder));
}

TEST(glob_tells_where_matches_may_be) {
  CHECK(below("inbound/*.json", ""));
  CHECK(below("inbound/*.json", "inbound/"));
  CHECK(!below("inbound/*.json", "inbound/x/"));
  CHECK(!below("inbound/*.json", "other/"));
  CHECK(below("inbound/**/*.json", "inbound/x/y/"));
  CHECK(below("*/b/c", "a/"));
  CHECK(below("*/b/c", "a/b/"));
  CHECK(!below("*/b/c", "a/c/"));
  CHECK(!below("a/b", "a/b/"));
  CHECK(below("a/**", "a/b/c/"));
}

TEST(glob_refuses_a_pattern_past_its_limit) {
  char pattern[WH_GLOB_MAX + 1];
  memset(pattern, 'a', sizeof pattern);
  CHECK(wh_glob_match(wh_str_n(pattern, WH_GLOB_MAX), wh_str_n(pattern, WH_GLOB_MAX)));
  CHECK(!wh_glob_match(wh_str_n(pattern, sizeof pattern), wh_str_n(pattern, sizeof pattern)));
}

// A matcher that tries everything: the rules of the header in the plainest words. ASCII only.
static bool naive_class(const char *p, size_t n, size_t *ret_end, char c) {
  size_t i = 1;
  bool negated = i < n && p[i] == '!';
  if (negated) i++;
  size_t from = i, end = 0;
  for (; i < n && p[i] != '/'; i++) {
    if (p[i] == ']' && i > from) {
      end = i;
      break;
    }
  }
  *ret_end = end ? end + 1 : 0;
  bool in = false;
  for (i = from; i < end; i++) {
    if (i + 2 < end && p[i + 1] == '-') {
      in |= p[i] <= c && c <= p[i + 2];
      i += 2;
    } else {
      in |= p[i] == c;
    }
  }
  return in != negated;
}

static bool naive(const char *p, size_t n, const char *t, size_t len, bool begins) {
  if (n == 0) return len == 0;
  size_t stars = 0;
  while (stars < n && p[stars] == '*')
    stars++;
  if (stars >= 2 && begins && stars < n && p[stars] == '/') {
    if (naive(p + stars + 1, n - stars - 1, t, len, true)) return true;
    for (size_t i = 0; i < len; i++) {
      if (t[i] == '/' && naive(p + stars + 1, n - stars - 1, t + i + 1, len - i - 1, true)) {
        return true;
      }
    }
    return false;
  }
  if (stars >= 1) {
    for (size_t i = 0;; i++) {
      if (naive(p + stars, n - stars, t + i, len - i, false)) return true;
      if (i == len || (stars == 1 && t[i] == '/')) return false;
    }
  }
  if (len == 0) return false;
  size_t end = 0;
  if (p[0] == '[') {
    bool in = naive_class(p, n, &end, t[0]);
    if (end) return in && t[0] != '/' && naive(p + end, n - end, t + 1, len - 1, false);
  }
  bool one = p[0] == '?' ? t[0] != '/' : p[0] == t[0];
  return one && naive(p + 1, n - 1, t + 1, len - 1, p[0] == '/');
}

static size_t fill(char *to, size_t max, const char *alphabet) {
  size_t len = test_random_below(max + 1);
  for (size_t i = 0; i < len; i++)
    to[i] = alphabet[test_random_below(strlen(alphabet))];
  return len;
}

TEST(glob_agrees_with_the_plain_rules) {
  size_t rounds = test_is_long() ? 5000000 : 300000, matched = 0;
  for (size_t i = 0; i < rounds; i++) {
    char pattern[12], key[10];
    size_t n = fill(pattern, sizeof pattern, i & 1 ? "ab/**?" : "ab/**?[]!-");
    size_t len = fill(key, sizeof key, i & 2 ? "ab/" : "ab/]-!");
    bool want = naive(pattern, n, key, len, true);
    bool got = wh_glob_match(wh_str_n(pattern, n), wh_str_n(key, len));
    matched += want;
    if (want == got) continue;
    test_note("'%.*s' on '%.*s'", (int)n, pattern, (int)len, key);
    REQUIRE(want == got);
  }
  CHECK(matched > rounds / 1000); // the test has something to agree on
}

TEST(glob_below_says_no_only_where_nothing_matches) {
  for (size_t i = 0; i < 100000; i++) {
    char pattern[10], key[10];
    size_t n = fill(pattern, sizeof pattern, "ab/**?");
    size_t len = fill(key, sizeof key, "ab/");
    if (!wh_glob_match(wh_str_n(pattern, n), wh_str_n(key, len))) continue;
    for (size_t cut = 0; cut < len; cut++) {
      if (cut && key[cut - 1] != '/') continue;
      REQUIRE(wh_glob_may_match_below(wh_str_n(pattern, n), wh_str_n(key, cut)));
    }
  }
}

TEST(glob_time_does_not_explode) {
  char pattern[WH_GLOB_MAX], key[WH_KEY_MAX];
  size_t n = 0;
  while (n + 4 <= sizeof pattern) {
    memcpy(pattern + n, n % 8 ? "*a*a" : "**/*", 4);
    n += 4;
  }
  for (size_t i = 0; i < sizeof key; i++)
    key[i] = i % 8 == 7 ? '/' : 'a';
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  pattern[n - 1] = 'b'; // so that every way is tried
  CHECK(!wh_glob_match(wh_str_n(pattern, n), wh_str_n(key, sizeof key)));
  clock_gettime(CLOCK_MONOTONIC, &to);
  CHECK(to.tv_sec - from.tv_sec < 5);
}

static void refuses(const char *key, size_t len, wh_status status, const char *part) {
  test_err = (wh_error){0};
  CHECK_FAILS(wh_key_check(wh_str_n(key, len), &test_err), status);
  CHECK_ERROR_HAS(part);
}

TEST(key_check_names_the_rule) {
  CHECK_OK(wh_key_check(WH_STR("inbound/erp/orders-1.json"), &test_err));
  CHECK_OK(wh_key_check(WH_STR("Ærø/注文 1…/.hidden/..x"), &test_err));
  CHECK_OK(wh_key_check(WH_STR("a"), &test_err));
  refuses("", 0, WH_ERR_USAGE, "empty");
  refuses("/a", 2, WH_ERR_USAGE, "begins with '/'");
  refuses("a/", 2, WH_ERR_USAGE, "ends with '/'");
  refuses("/", 1, WH_ERR_USAGE, "begins with '/'");
  refuses("a//b", 4, WH_ERR_USAGE, "empty part");
  refuses("a/./b", 5, WH_ERR_USAGE, "'.' cannot be a part");
  refuses("../a", 4, WH_ERR_USAGE, "'..' cannot be a part");
  refuses("a/..", 4, WH_ERR_USAGE, "'..' cannot be a part");
  refuses("a\nb", 3, WH_ERR_USAGE, "byte 1 is a control character");
  refuses("a\0b", 3, WH_ERR_USAGE, "byte 1 is a control character");
  refuses("ab\x7F", 3, WH_ERR_USAGE, "byte 2 is a control character");
  refuses("a\xC2\x9B", 3, WH_ERR_USAGE, "byte 1 is a control character"); // CSI
  refuses("a/\xFF", 3, WH_ERR_USAGE, "byte 2 is not UTF-8");
  refuses("\xED\xA0\x80", 3, WH_ERR_USAGE, "byte 0 is not UTF-8"); // a surrogate
}

TEST(key_check_holds_the_limit) {
  char key[WH_KEY_MAX + 1];
  memset(key, 'k', sizeof key);
  CHECK_OK(wh_key_check(wh_str_n(key, WH_KEY_MAX), &test_err));
  refuses(key, sizeof key, WH_ERR_LIMIT, "1024 are allowed");
}
