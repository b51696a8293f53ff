// A small test harness. A program of tests:
//
//   TEST(buf_refuses_past_its_maximum) {
//     CHECK(!wh_buf_add(&buf, "xx", 2));
//     CHECK_EQ(buf.len, 1);
//   }
//
// Tests register themselves; main is in test.c. Output is TAP, which tests/run reads. A failed
// CHECK fails the test and goes on; REQUIRE ends it. SKIP prints its reason and is counted.
// WHERRY_TEST_SEED sets the seed of test_random, which is printed when a test that used it fails.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct test_case {
  const char *name;
  void (*run)(void);
  struct test_case *next;
} test_case;

void test_register(test_case *test);
bool test_check(bool ok, const char *file, int line, const char *text);
bool test_check_i64(int64_t got, int64_t want, const char *file, int line, const char *text);
bool test_check_str(wh_str got, wh_str want, const char *file, int line, const char *text);
bool test_check_ok(wh_status status, const wh_error *err, const char *file, int line,
                   const char *text);
void test_skip(const char *reason);
bool test_failed(void); // whether a CHECK of this test has failed
__attribute__((format(printf, 1, 2))) void test_note(const char *fmt, ...);

#define TEST(ident)                                                                                \
  static void test_##ident(void);                                                                  \
  __attribute__((constructor)) static void register_##ident(void) {                                \
    static test_case test = {#ident, test_##ident, 0};                                             \
    test_register(&test);                                                                          \
  }                                                                                                \
  static void test_##ident(void)

#define CHECK(x) test_check((x), __FILE__, __LINE__, #x)
#define CHECK_EQ(got, want)                                                                        \
  test_check_i64((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, #got)
#define CHECK_STR(got, want) test_check_str((got), (want), __FILE__, __LINE__, #got)
// For calls that end with &test_err.
#define CHECK_OK(call)                                                                             \
  (test_err = (wh_error){0}, test_check_ok((call), &test_err, __FILE__, __LINE__, #call))
#define CHECK_FAILS(call, want)                                                                    \
  test_check_i64((int64_t)(call), (int64_t)(want), __FILE__, __LINE__, #call)
#define CHECK_ERROR_HAS(part)                                                                      \
  test_check(strstr(test_err.text, (part)) != NULL, __FILE__, __LINE__, test_err.text)
#define REQUIRE(x)                                                                                 \
  do {                                                                                             \
    if (!CHECK(x)) return;                                                                         \
  } while (0)
#define REQUIRE_OK(call)                                                                           \
  do {                                                                                             \
    if (!CHECK_OK(call)) return;                                                                   \
  } while (0)
#define SKIP(reason)                                                                               \
  do {                                                                                             \
    test_skip(reason);                                                                             \
    return;                                                                                        \
  } while (0)

extern wh_error test_err; // for the calls of a test
extern wh_mem test_mem;   // fresh for each test; a test that leaves bytes in it fails

// xorshift64*, seeded by WHERRY_TEST_SEED or the clock; the same in every test of a run.
uint64_t test_random(void);
uint64_t test_random_below(uint64_t n);
uint64_t test_seed(void);

// A fresh folder that is removed when the test ends; NUL-terminated.
const char *test_folder(void);
// Path of a file under the project's root (the folder that holds tests/), e.g. "../shared/corpora".
const char *test_root(void);
bool test_is_long(void); // WHERRY_TEST_LONG=1: the counts of `make test-long`
