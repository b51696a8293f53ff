// The set of keys that were sent (engine/sent_keys.h), against a model, on a real ledger.
#include "test.h"

#include "engine/sent_keys.h"
#include "sim_os.h"
#include "sim_vfs.h"

enum { KEYS_MAX = 60000 };

static wh_os *os;
static wh_ledger *ledger;
static wh_arena arena;
static wh_lease lease;
static bool in_set[KEYS_MAX], in_source[KEYS_MAX], in_sent[KEYS_MAX];

static void set_up(void) {
  os = sim_os_new(&test_mem, test_seed());
  sim_vfs_use(os);
  wh_arena_init(&arena, &test_mem);
  REQUIRE_OK(
      wh_ledger_open_sqlite(os, &test_mem, "state/ledger.db", "state/locks", &ledger, &test_err));
  REQUIRE_OK(ledger->type->acquire(ledger, WH_STR("p"), &lease, &test_err));
  memset(in_set, 0, sizeof in_set);
}

static void tear_down(void) {
  ledger->type->release(ledger, &lease);
  wh_ledger_close(ledger);
  sim_vfs_use(NULL);
  wh_arena_free(&arena);
  sim_os_free(os);
}

static wh_str key_text(int key, char space[64]) {
  // Of different lengths, in the order of the numbers.
  int len = snprintf(space, 64, "%08d%.*s", key, key % 13, "xxxxxxxxxxxxx");
  return wh_str_n(space, (size_t)len);
}

static wh_sorter *sorter_of(const bool *keys, int count) {
  wh_sorter *sorter = NULL;
  char space[64];
  CHECK_OK(wh_sorter_open(os, &test_mem, WH_STR("scratch"), 100000, &sorter, &test_err));
  for (int i = 0; i < count; i++)
    if (keys[i]) CHECK_OK(wh_sorter_add(sorter, key_text(i, space), &test_err));
  return sorter;
}

typedef struct comparison {
  const char *shape;
  bool assume, no_source;
  wh_run_state ends;
  int gone;         // of them
  uint64_t changed; // ranges
  bool known;
} comparison;

static uint64_t count_ranges(void) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, &test_mem);
  wh_key_range range = {0};
  uint64_t count = 0;
  wh_status status =
      ledger->type->keys_next(ledger, WH_STR("p"), NULL, true, &scratch, &range, &test_err);
  for (; status == WH_OK; count++) {
    CHECK(range.count <= 2 * WH_SENT_RANGE_KEYS);
    wh_str first = range.first;
    status =
        ledger->type->keys_next(ledger, WH_STR("p"), &first, true, &scratch, &range, &test_err);
  }
  CHECK_EQ(status, WH_ERR_END);
  return count;
}

// One run; what is gone is checked against the model, which follows where the run is done.
static void compare(comparison *c, int count) {
  wh_run run;
  REQUIRE_OK(ledger->type->run_start(ledger, &lease, (wh_str){0}, &arena, &run, &test_err));
  wh_sorter *sent = sorter_of(in_sent, count);
  wh_sorter *source = c->no_source ? NULL : sorter_of(in_source, count);
  wh_sent_options options = {.ledger = ledger,
                             .mem = &test_mem,
                             .run = &run,
                             .shape = wh_str_of(c->shape),
                             .sent = sent,
                             .source = source,
                             .assume = c->assume};
  wh_sent_keys *keys = NULL;
  REQUIRE_OK(wh_sent_keys_open(&options, &keys, &test_err));
  c->known = wh_sent_keys_known(keys);
  c->gone = 0;
  int at = 0;
  wh_str got;
  char space[64];
  wh_status status;
  while ((status = wh_sent_keys_next(keys, &got, &test_err)) == WH_OK) {
    while (at < count && !(c->known && in_set[at] && !in_source[at] && !in_sent[at]))
      at++;
    if (!CHECK(at < count)) break;
    CHECK_STR(got, key_text(at, space));
    at++;
    c->gone++;
  }
  CHECK_EQ(status, WH_ERR_END);
  for (; at < count; at++)
    CHECK(c->no_source || !(c->known && in_set[at] && !in_source[at] && !in_sent[at]));
  wh_sent_keys_close(keys);
  wh_sorter_close(sent);
  wh_sorter_close(source);
  run.state = c->ends;
  wh_finish finish = {.run = &run};
  REQUIRE_OK(ledger->type->run_finish(ledger, &finish, &test_err));
  if (c->ends != WH_RUN_DONE || (!c->known && c->no_source)) return;
  for (int i = 0; i < count; i++) {
    bool was = c->known ? in_set[i] : c->assume;
    in_set[i] = in_sent[i] || (was && (c->no_source || in_source[i]));
  }
}

static void check_count(int count) {
  uint64_t want = 0, got = 0;
  for (int i = 0; i < count; i++)
    want += in_set[i];
  CHECK_OK(wh_sent_keys_count(ledger, WH_STR("p"), &test_mem, &got, &test_err));
  CHECK_EQ(got, want);
}

TEST(sent_keys_of_histories_are_those_of_the_model) {
  int histories = test_is_long() ? 60 : 6;
  for (int h = 0; h < histories; h++) {
    set_up();
    int count = h % 3 == 0 ? 300 : h % 3 == 1 ? 9000 : KEYS_MAX;
    for (int step = 0; step < 8; step++) {
      // The source changes in one stretch, or everywhere; what is new is sent, and some again.
      int from = (int)test_random_below((uint64_t)count), to = count;
      if (test_random_below(3))
        to = from + (int)test_random_below((uint64_t)(count - from)) / 8 + 1;
      if (step == 0) from = 0, to = count;
      unsigned kind = (unsigned)test_random_below(4); // 0: all go, 1: all come, else: some of both
      for (int i = 0; i < count; i++) {
        bool was = in_source[i] && step > 0;
        if (i >= from && i < to) in_source[i] = kind == 1 || (kind > 1 && test_random_below(2));
        in_sent[i] = in_source[i] && (!was || test_random_below(50) == 0);
        if (test_random_below(200) == 0) in_sent[i] = true; // gone again when the source is read
      }
      comparison c = {.shape = step < 6 ? "one" : "two",
                      .assume = step > 5 || test_random_below(2),
                      .no_source = step == 3,
                      .ends = test_random_below(4) ? WH_RUN_DONE : WH_RUN_FAILED};
      compare(&c, count);
      check_count(count);
    }
    tear_down();
  }
}

TEST(sent_keys_pass_over_ranges_that_are_the_same) {
  set_up();
  int count = KEYS_MAX;
  for (int i = 0; i < count; i++)
    in_source[i] = in_sent[i] = true;
  comparison c = {.shape = "one", .ends = WH_RUN_DONE};
  compare(&c, count);
  CHECK(!c.known);
  uint64_t ranges = count_ranges();
  CHECK(ranges >= (uint64_t)count / (2 * WH_SENT_RANGE_KEYS) && ranges <= 40);
  memset(in_sent, 0, sizeof in_sent);
  in_source[30000] = false;
  wh_run run;
  REQUIRE_OK(ledger->type->run_start(ledger, &lease, (wh_str){0}, &arena, &run, &test_err));
  compare(&c, count);
  CHECK(c.known);
  CHECK_EQ(c.gone, 1);
  CHECK_EQ(count_ranges(), ranges);
  compare(&c, count);
  CHECK_EQ(c.gone, 0);
  tear_down();
}

TEST(sent_keys_of_another_shape_are_of_no_use) {
  set_up();
  for (int i = 0; i < 100; i++)
    in_source[i] = in_sent[i] = true;
  comparison c = {.shape = "one", .ends = WH_RUN_DONE};
  compare(&c, 100);
  memset(in_source, 0, sizeof in_source);
  memset(in_sent, 0, sizeof in_sent);
  in_source[5] = true;
  c.shape = "two";
  c.assume = true;
  compare(&c, 100);
  CHECK(!c.known);
  CHECK_EQ(c.gone, 0);
  check_count(100);
  wh_str shape;
  CHECK_OK(wh_sent_keys_shape(ledger, WH_STR("p"), &arena, &shape, &test_err));
  CHECK_STR(shape, WH_STR("two"));
  tear_down();
}

TEST(sent_keys_survive_without_memory) {
  for (size_t n = 1;; n++) {
    set_up();
    for (int i = 0; i < 200; i++) {
      in_source[i] = i % 3 > 0;
      in_sent[i] = true;
    }
    comparison c = {.shape = "one", .ends = WH_RUN_DONE};
    compare(&c, 200);
    memset(in_sent, 0, sizeof in_sent);
    wh_run run;
    REQUIRE_OK(ledger->type->run_start(ledger, &lease, (wh_str){0}, &arena, &run, &test_err));
    wh_sorter *sent = sorter_of(in_sent, 200), *source = sorter_of(in_source, 200);
    wh_sent_options options = {.ledger = ledger,
                               .mem = &test_mem,
                               .run = &run,
                               .shape = WH_STR("one"),
                               .sent = sent,
                               .source = source};
    wh_sent_keys *keys = NULL;
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.failed, 0);
    atomic_store(&test_mem.fail_at, n);
    wh_status status = wh_sent_keys_open(&options, &keys, &test_err);
    wh_str got;
    while (status == WH_OK)
      status = wh_sent_keys_next(keys, &got, &test_err);
    bool failed = atomic_load(&test_mem.failed) > 0;
    atomic_store(&test_mem.fail_at, 0);
    wh_sent_keys_close(keys);
    wh_sorter_close(sent);
    wh_sorter_close(source);
    tear_down();
    if (!failed) {
      CHECK_EQ(status, WH_ERR_END);
      break;
    }
    CHECK_EQ(status, WH_ERR_MEMORY);
  }
}
