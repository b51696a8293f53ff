#include "test.h"

TEST(arena_gives_zeroed_memory_and_returns_it) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (size_t size = 0; size < 100000; size += 977) {
    char *p = wh_arena_alloc(&arena, size);
    REQUIRE(p);
    for (size_t i = 0; i < size; i++)
      if (p[i]) CHECK(false);
    memset(p, 0xFF, size);
  }
  wh_arena_reset(&arena);
  char *p = wh_arena_alloc(&arena, 64);
  REQUIRE(p);
  CHECK_EQ(p[0], 0);
}

TEST(arena_array_checks_overflow) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  CHECK(!wh_arena_array(&arena, SIZE_MAX / 2, 4));
}

TEST(accountant_holds_its_ceiling) {
  wh_mem mem;
  wh_mem_init(&mem, 1000);
  void *a = wh_mem_alloc(&mem, 600);
  CHECK(a);
  CHECK(!wh_mem_alloc(&mem, 600));
  a = wh_mem_realloc(&mem, a, 600, 1000);
  CHECK(a);
  CHECK_EQ(atomic_load(&mem.used), 1000);
  wh_mem_free(&mem, a, 1000);
  CHECK_EQ(atomic_load(&mem.used), 0);
  CHECK_EQ(atomic_load(&mem.peak), 1000);
}

TEST(accountant_fails_the_nth) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  mem.fail_at = 2;
  void *a = wh_mem_alloc(&mem, 1);
  CHECK(a);
  CHECK(!wh_mem_alloc(&mem, 1));
  wh_mem_free(&mem, a, 1);
}

TEST(buf_refuses_past_its_maximum) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 5);
  CHECK(wh_buf_add(&buf, "abcde", 5));
  CHECK(!wh_buf_add_char(&buf, 'f'));
  CHECK_FAILS(wh_buf_check(&buf, &test_err), WH_ERR_LIMIT);
  CHECK_STR(wh_buf_str(&buf), WH_STR("abcde"));
}

TEST(buf_writes_json_strings) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_buf_add_json(&buf, WH_STR("a\"\\\n\x01\xC3\xA9\xFFz"));
  CHECK_STR(wh_buf_str(&buf), WH_STR("\"a\\\"\\\\\\n\\u0001\xC3\xA9\xEF\xBF\xBDz\""));
}

TEST(numbers_are_strict) {
  int64_t i;
  uint64_t u;
  double d;
  CHECK(wh_str_to_i64(WH_STR("-9223372036854775808"), &i) && i == INT64_MIN);
  CHECK(!wh_str_to_i64(WH_STR("9223372036854775808"), &i));
  CHECK(wh_str_to_u64(WH_STR("18446744073709551615"), &u) && u == UINT64_MAX);
  CHECK(!wh_str_to_u64(WH_STR("18446744073709551616"), &u));
  CHECK(!wh_str_to_u64(WH_STR(""), &u));
  CHECK(!wh_str_to_i64(WH_STR("-"), &i));
  CHECK(!wh_str_to_i64(WH_STR("1 "), &i));
  CHECK(wh_str_to_f64(WH_STR("1e-7"), &d) && d == 1e-7);
  CHECK(!wh_str_to_f64(WH_STR("01"), &d));
  CHECK(!wh_str_to_f64(WH_STR("1e999"), &d));
  CHECK(!wh_str_to_f64(WH_STR(".5"), &d));
}

TEST(utf8_is_checked_as_rfc_3629_says) {
  CHECK(wh_utf8_valid(WH_STR("abc \xF0\x9F\x9A\xA3 \xC3\xA9 and some more ASCII")));
  CHECK(!wh_utf8_valid(WH_STR("\xED\xA0\x80")));     // surrogate
  CHECK(!wh_utf8_valid(WH_STR("\xC0\x80")));         // overlong
  CHECK(!wh_utf8_valid(WH_STR("\xF4\x90\x80\x80"))); // above U+10FFFF
  CHECK_EQ(wh_utf8_valid_prefix(WH_STR("0123456789\xE2\x82")), 10);
  CHECK_EQ(wh_utf8_cut(WH_STR("a\xC3\xA9"), 2), 1);
}

TEST(nearest_word_is_found) {
  wh_str words[] = {WH_STR("columns"), WH_STR("steps"), WH_STR("expect"), WH_STR("from")};
  CHECK_STR(wh_str_nearest(WH_STR("colums"), words, 4), WH_STR("columns"));
  CHECK_STR(wh_str_nearest(WH_STR("form"), words, 4), WH_STR("from"));
  CHECK_EQ(wh_str_nearest(WH_STR("zebra"), words, 4).len, 0);
}

TEST(errors_are_cut_at_a_character) {
  char longer[3000];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = 0;
  CHECK_FAILS(wh_fail(&test_err, WH_ERR_DATA, "%s", longer), WH_ERR_DATA);
  CHECK(strlen(test_err.text) < WH_ERROR_TEXT_MAX);
  CHECK(strcmp(test_err.text + strlen(test_err.text) - 3, "...") == 0);
  wh_error_prefix(&test_err, "lake: ");
  CHECK(strncmp(test_err.text, "lake: xxx", 9) == 0);
}
