// Policy documents, and globs as patterns of IAM.
#ifdef WHERRY_S3
#include "connect/s3/pattern.h"
#endif
#include "connect/store.h"
#include "net/iam.h"
#include "test.h"

#ifdef WHERRY_S3
// --- patterns ------------------------------------------------------------------------------------

// As IAM compares: '*' any characters, '?' one, "${*}" and the like the character itself.
static bool iam_matches(wh_str pattern, wh_str text) {
  if (pattern.len == 0) return text.len == 0;
  wh_str rest = wh_str_sub(pattern, 1, pattern.len);
  char c = pattern.data[0];
  if (c == '*') {
    for (size_t i = 0; i <= text.len; i++)
      if (iam_matches(rest, wh_str_sub(text, i, text.len))) return true;
    return false;
  }
  bool escaped = c == '$' && pattern.len >= 4 && pattern.data[1] == '{';
  if (escaped) {
    c = pattern.data[2];
    rest = wh_str_sub(pattern, 4, pattern.len);
  }
  if (text.len == 0) return false;
  return ((c == '?' && !escaped) || c == text.data[0]) &&
         iam_matches(rest, wh_str_sub(text, 1, text.len));
}

static bool covered(const wh_s3_patterns *p, wh_str key) {
  for (size_t i = 0; i < p->count; i++)
    if (iam_matches(p->items[i], key)) return true;
  return false;
}

static void check_pattern(const char *glob, const char *want, bool wider) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&got, &test_mem, 0);
  wh_s3_patterns p;
  REQUIRE_OK(wh_s3_patterns_of(wh_str_of(glob), &arena, &p, &test_err));
  for (size_t i = 0; i < p.count; i++) {
    if (i) wh_buf_add_char(&got, ' ');
    wh_buf_add_str(&got, p.items[i]);
  }
  CHECK_STR(wh_buf_str(&got), wh_str_of(want));
  CHECK_EQ(p.wider, wider);
}

TEST(iam_patterns_are_the_narrowest) {
  check_pattern("mart/finance/**", "mart/finance/*", false);
  check_pattern("inbound/**/*.json", "inbound/*.json", false);
  check_pattern("a/**/b", "a/*/b a/b", false);
  check_pattern("**/b", "*/b b", false);
  check_pattern("a/**/**/b", "a/*/b a/b", false);
  check_pattern("a/**/*/b", "a/*/b", false);
  check_pattern("**/a/**/b/**/c/**/d",
                "*/a/*/b/*/c/*d a/*/b/*/c/*d */a/b/*/c/*d a/b/*/c/*d "
                "*/a/*/b/c/*d a/*/b/c/*d */a/b/c/*d a/b/c/*d",
                true);
  check_pattern("mart/*/x", "mart/*/x", true);
  check_pattern("x-?.csv", "x-?.csv", true);
  check_pattern("[0-9][!a].csv", "??.csv", true);
  check_pattern("a[*]b[?]c[[]d]e", "a${*}b${?}c[d]e", false);
  check_pattern("open[x", "open[x", false);
  check_pattern("cost$/${aws:username}", "cost${$}/${$}{aws:username}", false);
  check_pattern("Größe/x", "Größe/x", false); // within U+00FF
  check_pattern("цена/x", "*/x", true);
}

static wh_str random_text(const char *alphabet, size_t max, char *buf) {
  size_t len = 1 + test_random_below(max), count = strlen(alphabet);
  for (size_t i = 0; i < len; i++)
    buf[i] = alphabet[test_random_below(count)];
  return wh_str_n(buf, len);
}

TEST(iam_patterns_cover_the_glob_and_no_more_unless_they_say_so) {
  char glob_text[16], key_text[16];
  size_t matched = 0;
  for (int round = 0; round < 4000; round++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    wh_str glob = random_text("aab/**?[]", 10, glob_text);
    wh_s3_patterns p;
    REQUIRE_OK(wh_s3_patterns_of(glob, &arena, &p, &test_err));
    for (int i = 0; i < 60; i++) {
      wh_str key = random_text("aab/*", 9, key_text);
      if (wh_key_check(key, NULL) != WH_OK) continue;
      bool is_its = wh_glob_match(glob, key), allowed = covered(&p, key);
      matched += is_its;
      bool ok = is_its ? allowed : p.wider || !allowed;
      if (!CHECK(ok))
        test_note("glob %.*s, key %.*s, pattern %.*s", WH_STR_ARG(glob), WH_STR_ARG(key),
                  WH_STR_ARG(p.items[0]));
    }
  }
  CHECK(matched > 1000);
}

#endif

// --- documents -----------------------------------------------------------------------------------

static const char *const get[] = {"s3:GetObject", NULL};
static const char *const list[] = {"s3:ListBucket", NULL};

static wh_iam_permit reading(const char *place, const char *resource) {
  return (wh_iam_permit){
      .place = wh_str_of(place), .what = "Read", .actions = get, .resource = wh_str_of(resource)};
}

static wh_iam_permit listing(const char *resource, const char *prefix) {
  return (wh_iam_permit){.place = WH_STR("lake"),
                         .what = "List",
                         .actions = list,
                         .resource = wh_str_of(resource),
                         .tests = {{"StringLike", "s3:prefix", wh_str_of(prefix)}}};
}

static wh_status write_all(const wh_iam_permit *permits, size_t count, bool backwards,
                           wh_buf *out) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_iam_policy policy;
  wh_iam_init(&policy, &arena, (wh_str){0});
  for (size_t i = 0; i < count; i++)
    WH_TRY(wh_iam_allow(&policy, &permits[backwards ? count - 1 - i : i], &test_err));
  WH_TRY(wh_iam_finish(&policy, &test_err));
  wh_iam_write(&policy, false, out);
  return wh_buf_check(out, &test_err);
}

TEST(iam_documents_do_not_depend_on_the_order) {
  const wh_iam_permit permits[] = {
      reading("lake", "b/2"),  reading("my-lake", "b/3"), reading("lake", "b/1"),
      reading("lake", "b/2"),  reading("myLake", "b/4"),  listing("b", "x/*"),
      listing("b", "\"q\"/*"), listing("other", "y"),
  };
  const char *want =
      "{\"Version\":\"2012-10-17\",\"Statement\":["
      "{\"Sid\":\"LakeList\",\"Effect\":\"Allow\",\"Action\":[\"s3:ListBucket\"],"
      "\"Resource\":[\"b\"],\"Condition\":{\"StringLike\":{\"s3:prefix\":[\"\\\"q\\\"/*\",\"x/"
      "*\"]}}},"
      "{\"Sid\":\"LakeListN2\",\"Effect\":\"Allow\",\"Action\":[\"s3:ListBucket\"],"
      "\"Resource\":[\"other\"],\"Condition\":{\"StringLike\":{\"s3:prefix\":[\"y\"]}}},"
      "{\"Sid\":\"LakeRead\",\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],"
      "\"Resource\":[\"b/1\",\"b/2\"]},"
      "{\"Sid\":\"MyLakeRead\",\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],"
      "\"Resource\":[\"b/3\",\"b/4\"]}]}";
  for (int backwards = 0; backwards < 2; backwards++) {
    WH_CLEAN_BUF wh_buf out;
    wh_buf_init(&out, &test_mem, 0);
    REQUIRE_OK(write_all(permits, sizeof permits / sizeof permits[0], backwards, &out));
    CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  }
}

TEST(iam_two_conditions_do_not_cross) {
  wh_iam_permit permits[2];
  for (size_t i = 0; i < 2; i++) {
    permits[i] = listing("key/*", i ? "secret-b" : "secret-a");
    permits[i].tests[1] =
        (wh_iam_test){"StringLike", "kms:ViaService", i ? WH_STR("b.aws") : WH_STR("a.aws")};
  }
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  REQUIRE_OK(write_all(permits, 2, false, &out));
  wh_str text = wh_buf_str(&out);
  CHECK(memmem(text.data, text.len, "\"LakeListN2\"", 12) != NULL);
  const char *pair =
      "{\"StringLike\":{\"s3:prefix\":[\"secret-a\"],\"kms:ViaService\":[\"a.aws\"]}}";
  CHECK(memmem(text.data, text.len, pair, strlen(pair)) != NULL);
}

TEST(iam_an_empty_document_is_one) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  REQUIRE_OK(write_all(NULL, 0, false, &out));
  CHECK_STR(wh_buf_str(&out), WH_STR("{\"Version\":\"2012-10-17\",\"Statement\":[]}"));
}

TEST(iam_says_what_stands_open) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_iam_policy policy;
  wh_iam_init(&policy, &arena, (wh_str){0});
  wh_iam_asked asked = {.service = "sqs", .region = WH_STR("cn-north-1")};
  wh_iam_place place;
  wh_str arn;
  REQUIRE_OK(wh_iam_find_place(&policy, &asked, &place, &test_err));
  REQUIRE_OK(wh_iam_arn(&policy, &place, WH_STR("123456789012"), WH_STR("q"), &arn, &test_err));
  CHECK_STR(arn, WH_STR("arn:aws-cn:sqs:cn-north-1:123456789012:q"));
  CHECK(place.is_amazon);
  CHECK_EQ(policy.notes.count, 0);
  asked = (wh_iam_asked){.service = "sqs", .endpoint = WH_STR("http://127.0.0.1:9")};
  REQUIRE_OK(wh_iam_find_place(&policy, &asked, &place, &test_err));
  REQUIRE_OK(wh_iam_arn(&policy, &place, (wh_str){0}, WH_STR("q"), &arn, &test_err));
  CHECK_STR(arn, WH_STR("arn:aws:sqs:*:*:q"));
  CHECK(!place.is_amazon);
  CHECK_EQ(policy.notes.count, 2);
}

TEST(iam_without_memory) {
  const wh_iam_permit permits[] = {reading("lake", "b/2"), listing("b", "x/*"), listing("b", "z")};
  for (uint64_t n = 1;; n++) {
    WH_CLEAN_BUF wh_buf out;
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    wh_buf_init(&out, &test_mem, 0);
    wh_status status = write_all(permits, 3, false, &out);
    test_mem.fail_at = 0;
    if (status == WH_OK) break;
    REQUIRE(status == WH_ERR_MEMORY);
  }
}
