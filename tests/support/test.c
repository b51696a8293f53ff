#include "test.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

wh_error test_err;
wh_mem test_mem;

static test_case *first;
static test_case **last = &first;
static int count;
static bool failed;
static const char *skipped;
static uint64_t seed, random_state;
static bool random_used;
static char folder[256];

void test_register(test_case *test) {
  *last = test;
  last = &test->next;
  count++;
}

bool test_check(bool ok, const char *file, int line, const char *text) {
  if (ok) return true;
  failed = true;
  printf("# %s:%d: does not hold: %s\n", file, line, text);
  return false;
}

bool test_check_i64(int64_t got, int64_t want, const char *file, int line, const char *text) {
  if (got == want) return true;
  failed = true;
  printf("# %s:%d: %s is %" PRId64 ", expected %" PRId64 "%s%s\n", file, line, text, got, want,
         test_err.text[0] ? "; last error: " : "", test_err.text);
  return false;
}

bool test_check_str(wh_str got, wh_str want, const char *file, int line, const char *text) {
  if (wh_str_eq(got, want)) return true;
  failed = true;
  printf("# %s:%d: %s is '%.*s', expected '%.*s'\n", file, line, text, WH_STR_ARG(got),
         WH_STR_ARG(want));
  return false;
}

bool test_check_ok(wh_status status, const wh_error *err, const char *file, int line,
                   const char *text) {
  if (status == WH_OK) return true;
  failed = true;
  printf("# %s:%d: %s failed (%s): %s\n", file, line, text, wh_status_name(status), err->text);
  return false;
}

bool test_failed(void) {
  return failed;
}

void test_skip(const char *reason) {
  skipped = reason;
}

void test_note(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fputs("# ", stdout);
  vprintf(fmt, args);
  putchar('\n');
  va_end(args);
}

uint64_t test_random(void) {
  random_used = true;
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * 0x2545F4914F6CDD1Dull;
}

uint64_t test_random_below(uint64_t n) {
  return test_random() % n;
}

uint64_t test_seed(void) {
  return seed;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

const char *test_folder(void) {
  if (folder[0]) return folder;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/wherry-test-XXXXXX", tmp ? tmp : "/tmp");
  if (!mkdtemp(folder)) {
    perror(folder);
    exit(1);
  }
  return folder;
}

const char *test_root(void) {
  return WHERRY_ROOT;
}

bool test_is_long(void) {
  const char *value = getenv("WHERRY_TEST_LONG");
  return value && value[0] == '1';
}

static void run_one(test_case *test, int number) {
  failed = false;
  skipped = NULL;
  random_used = false;
  random_state = seed;
  folder[0] = 0;
  test_err = (wh_error){0};
  wh_mem_init(&test_mem, 0);
  test->run();
  if (atomic_load(&test_mem.used) != 0) {
    failed = true;
    printf("# %zu bytes were not given back to the accountant\n", atomic_load(&test_mem.used));
  }
  if (folder[0]) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  if (failed && random_used) printf("# replay with WHERRY_TEST_SEED=%" PRIu64 "\n", seed);
  if (skipped && !failed)
    printf("ok %d %s # SKIP %s\n", number, test->name, skipped);
  else
    printf("%s %d %s\n", failed ? "not ok" : "ok", number, test->name);
  fflush(stdout);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *given = getenv("WHERRY_TEST_SEED");
  if (given) seed = strtoull(given, NULL, 10);
  if (!seed) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = (uint64_t)now.tv_sec * 1000000007ull ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
  }
  int number = 0, bad = 0, selected = 0;
  for (test_case *test = first; test; test = test->next)
    selected += argc < 2 || strstr(test->name, argv[1]) != NULL;
  printf("TAP version 13\n1..%d\n", selected);
  for (test_case *test = first; test; test = test->next) {
    if (argc >= 2 && !strstr(test->name, argv[1])) continue;
    run_one(test, ++number);
    bad += failed;
  }
  return bad ? 1 : 0;
}
