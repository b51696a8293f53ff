// The ledger's queue: each rule by itself, then anything at random against a model.
#include "ledgers.h"

#include <time.h>

static const int64_t SECOND_NS = 1000000000;
static const int64_t HOUR_US = 3600ll * 1000000;

static uint64_t put(fixture *f, const char *key, int64_t order) {
  bool is_new = false;
  CHECK_OK(f->t->put(f->l, S("p"), S(key), S("1"), order, &is_new, &test_err));
  return is_new;
}

static wh_status receive(fixture *f, int64_t hidden_us, wh_work *ret) {
  *ret = (wh_work){0};
  return f->t->receive(f->l, HELD("p"), hidden_us, &f->arena, ret, &test_err);
}

// The clock goes on while one asks.
static bool is_near(int64_t a_us, int64_t b_us) {
  return a_us - b_us < 1000000 && b_us - a_us < 1000000;
}

static bool fail(fixture *f, uint64_t work, uint32_t attempts, bool definite, int64_t delay_us) {
  bool dead = false;
  CHECK_OK(
      f->t->fail(f->l, HELD("p"), work, attempts, definite, delay_us, S("no"), &dead, &test_err));
  return dead;
}

// --- rule by rule
// ----------------------------------------------------------------------------------

LEDGER_TEST(an_object_version_enters_once) {
  CHECK(put(f, "a", 5));
  CHECK(!put(f, "a", 1));
  bool is_new;
  CHECK_OK(f->t->put(f->l, S("p"), S("a"), S("2"), 5, &is_new, &test_err));
  CHECK(is_new);
  CHECK_OK(f->t->put(f->l, S("q"), S("a"), S("1"), 5, &is_new, &test_err));
  CHECK(is_new);
  wh_work w;
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_OK(f->t->done(f->l, NULL, w.id, &test_err));
  REQUIRE(reopen_ledger(f));
  CHECK(!put(f, "a", 1)); // done, and remembered
}

LEDGER_TEST(the_lowest_order_comes_first) {
  put(f, "c", 3);
  put(f, "a", 1);
  put(f, "b2", 2);
  put(f, "b1", 2);
  static const char *const want[] = {"a", "b2", "b1", "c"};
  wh_work w;
  for (int i = 0; i < 4; i++) {
    CHECK_OK(receive(f, HOUR_US, &w));
    CHECK_STR(w.key, S(want[i]));
    CHECK_STR(w.version, S("1"));
    CHECK_STR(w.pipeline, S("p"));
    CHECK_EQ(w.attempts, 1);
    CHECK(w.visible_us > wh_now_us(f->os));
  }
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
  CHECK_FAILS(f->t->receive(f->l, HELD("q"), HOUR_US, &f->arena, &w, &test_err), WH_ERR_END);
}

LEDGER_TEST(what_is_hidden_comes_back) {
  put(f, "a", 1);
  int64_t at;
  CHECK_OK(f->t->next_visible(f->l, S("p"), &at, &test_err));
  CHECK(at <= wh_now_us(f->os));
  wh_work w;
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_OK(f->t->next_visible(f->l, S("p"), &at, &test_err));
  CHECK(is_near(at, w.visible_us));
  CHECK_OK(f->t->next_visible(f->l, S(""), &at, &test_err));
  CHECK(is_near(at, w.visible_us));
  CHECK_OK(f->t->next_visible(f->l, S("q"), &at, &test_err));
  CHECK_EQ(at, INT64_MAX);
  pass_time(f, 3500 * SECOND_NS);
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
  CHECK_OK(f->t->next_visible(f->l, S("p"), &at, &test_err));
  pass_time(f, 200 * SECOND_NS);
  CHECK_OK(receive(f, INT64_MAX, &w)); // forever
  CHECK_EQ(w.attempts, 1);             // nobody said that it failed
  CHECK_EQ(w.visible_us, INT64_MAX);
  CHECK_OK(f->t->extend(f->l, HELD("p"), w.id, HOUR_US, &test_err));
  pass_time(f, 3700 * SECOND_NS);
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_OK(f->t->done(f->l, NULL, w.id, &test_err));
  CHECK_FAILS(f->t->extend(f->l, HELD("p"), w.id, HOUR_US, &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->extend(f->l, HELD("p"), 12345, HOUR_US, &test_err), WH_ERR_NOT_FOUND);
  CHECK_FAILS(f->t->done(f->l, HELD("p"), 12345, &test_err), WH_ERR_NOT_FOUND);
}

LEDGER_TEST(failures_end_in_a_dead_letter) {
  put(f, "a", 1);
  wh_work w;
  for (uint32_t i = 1; i <= 3; i++) {
    CHECK_OK(receive(f, HOUR_US, &w));
    CHECK_EQ(w.attempts, i);
    if (i > 1) CHECK_STR(w.error, S("no"));
    CHECK_EQ(fail(f, w.id, 3, false, 60 * 1000000), i == 3);
    CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
    pass_time(f, 61 * SECOND_NS);
  }
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
  wh_ledger_stats stats;
  CHECK_OK(f->t->stats(f->l, S("p"), &stats, &test_err));
  CHECK_EQ(stats.dead, 1);
  CHECK_EQ(stats.waiting, 0);
  CHECK_EQ(stats.oldest_us, 0);
  CHECK(fail(f, w.id ? w.id : 1, 3, false, 0)); // still dead
  uint64_t revived;
  CHECK_OK(f->t->revive(f->l, S("q"), &revived, &test_err));
  CHECK_EQ(revived, 0);
  CHECK_OK(f->t->revive(f->l, S("p"), &revived, &test_err));
  CHECK_EQ(revived, 1);
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_EQ(w.attempts, 1);
  CHECK(fail(f, w.id, 3, true, 0)); // definite
  CHECK_OK(f->t->done(f->l, NULL, w.id, &test_err));
  CHECK(!fail(f, w.id, 1, true, 0)); // done stays done
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
}

LEDGER_TEST(takes_without_an_outcome_are_counted) {
  put(f, "a", 1);
  wh_work w;
  for (uint32_t take = 1; take <= 3; take++) {
    CHECK_OK(receive(f, HOUR_US, &w));
    CHECK_EQ(w.takes, take);
    CHECK_OK(
        f->t->extend(f->l, HELD("p"), w.id, HOUR_US, &test_err)); // work goes on: the same take
    CHECK_OK(f->t->reclaim(f->l, HELD("p"), false, &test_err));
  }
  REQUIRE(reopen_ledger(f));
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_EQ(w.takes, 4);
  CHECK_EQ(w.attempts, 1);
  CHECK_OK(f->t->forgive(f->l, HELD("p"), w.id, &test_err));
  CHECK_OK(f->t->reclaim(f->l, HELD("p"), false, &test_err));
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_EQ(w.takes, 1);
  fail(f, w.id, 5, false, 0); // an outcome
  CHECK_OK(f->t->reclaim(f->l, HELD("p"), true, &test_err));
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_EQ(w.takes, 1);
  CHECK_EQ(w.attempts, 2);
}

LEDGER_TEST(what_is_noted_comes_with_the_next_take) {
  put(f, "a", 1);
  wh_work w;
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_EQ(w.progress.len, 0);
  CHECK_OK(f->t->note(f->l, HELD("p"), w.id, S("[1,\"half\"]"), &test_err));
  CHECK_OK(f->t->note(f->l, HELD("p"), w.id, S("[2,\"more\"]"), &test_err));
  fail(f, w.id, 5, false, 0);
  REQUIRE(reopen_ledger(f));
  CHECK_OK(f->t->reclaim(f->l, HELD("p"), true, &test_err));
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_STR(w.progress, S("[2,\"more\"]"));
  CHECK_OK(f->t->done(f->l, NULL, w.id, &test_err));
  CHECK_FAILS(f->t->note(f->l, HELD("p"), w.id, S("x"), &test_err), WH_ERR_STALE);
}

LEDGER_TEST(reclaiming_takes_from_who_is_gone) {
  put(f, "a", 1);
  put(f, "b", 2);
  wh_work w;
  CHECK_OK(receive(f, HOUR_US, &w));
  fail(f, w.id, 5, false, HOUR_US);  // a waits for its retry
  CHECK_OK(receive(f, HOUR_US, &w)); // b is worked on
  CHECK_OK(f->t->reclaim(f->l, HELD("q"), true, &test_err));
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
  CHECK_OK(f->t->reclaim(f->l, HELD("p"), false, &test_err));
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_STR(w.key, S("b"));
  CHECK_EQ(w.attempts, 1);
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
  CHECK_OK(f->t->reclaim(f->l, HELD("p"), true, &test_err));
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_STR(w.key, S("a"));
  CHECK_EQ(w.attempts, 2);
}

LEDGER_TEST(who_lost_the_lease_changes_no_entry) {
  wh_lease slept, now;
  wh_work w, none;
  bool dead;
  put(f, "a", 1);
  put(f, "b", 2);
  CHECK_OK(f->t->acquire(f->l, S("p"), &slept, &test_err));
  wh_lease lost = {.pipeline = S("p"), .epoch = slept.epoch};
  CHECK_OK(f->t->receive(f->l, &slept, HOUR_US, &f->arena, &w, &test_err));
  f->t->release(f->l, &slept);
  CHECK_OK(f->t->acquire(f->l, S("p"), &now, &test_err));
  CHECK_OK(f->t->extend(f->l, &now, w.id, HOUR_US, &test_err));
  const wh_lease *l = &lost;
  CHECK_FAILS(f->t->receive(f->l, l, 0, &f->arena, &none, &test_err), WH_ERR_STALE);
  CHECK_ERROR_HAS("p: another worker has taken over");
  CHECK_FAILS(f->t->extend(f->l, l, w.id, 0, &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->note(f->l, l, w.id, S("x"), &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->forgive(f->l, l, w.id, &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->reclaim(f->l, l, true, &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->fail(f->l, l, w.id, 1, true, 0, S("no"), &dead, &test_err), WH_ERR_STALE);
  CHECK_FAILS(f->t->done(f->l, l, w.id, &test_err), WH_ERR_STALE);
  // Nothing of that happened: what was taken is hidden, and taken once; the other waits.
  CHECK_OK(f->t->receive(f->l, &now, HOUR_US, &f->arena, &none, &test_err));
  CHECK_STR(none.key, S("b"));
  CHECK_FAILS(f->t->receive(f->l, &now, HOUR_US, &f->arena, &none, &test_err), WH_ERR_END);
  CHECK_FAILS(f->t->receive(f->l, l, HOUR_US, &f->arena, &none, &test_err), WH_ERR_STALE);
  CHECK_OK(f->t->reclaim(f->l, &now, false, &test_err));
  CHECK_OK(f->t->receive(f->l, &now, HOUR_US, &f->arena, &none, &test_err));
  CHECK_EQ(none.id, w.id);
  CHECK_EQ(none.takes, 2);
  CHECK_EQ(none.attempts, 1);
  CHECK_OK(f->t->done(f->l, &now, w.id, &test_err));
  f->t->release(f->l, &now);
}

LEDGER_TEST(what_is_known_can_be_skipped) {
  put(f, "waiting", 1);
  CHECK_OK(f->t->put_done(f->l, S("p"), S("waiting"), S("1"), &test_err));
  CHECK_OK(f->t->put_done(f->l, S("p"), S("new"), S("1"), &test_err));
  CHECK(!put(f, "new", 1));
  const wh_put puts[] = {{S("new"), S("1"), 1}, {S("x"), S("1"), 2}, {S("x"), S("1"), 3}};
  uint64_t new_count;
  CHECK_OK(f->t->put_many(f->l, S("p"), puts, 3, false, &new_count, &test_err));
  CHECK_EQ(new_count, 1);
  CHECK_OK(f->t->put_many(f->l, S("p"), NULL, 0, false, &new_count, &test_err));
  CHECK_EQ(new_count, 0);
  wh_work w;
  CHECK_OK(receive(f, HOUR_US, &w));
  CHECK_STR(w.key, S("x"));
  CHECK_EQ(w.order, 2);
  CHECK_FAILS(receive(f, HOUR_US, &w), WH_ERR_END);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Seconds that a put, a receive, a look and a done take together: the quickest of `rounds`, so that
// what else the machine does counts little.
static double time_of_one(fixture *f, const char *prefix, int rounds) {
  double best = 0;
  for (int i = 0; i < rounds; i++) {
    wh_work w;
    int64_t at;
    char key[32];
    snprintf(key, sizeof key, "%s-%d", prefix, i);
    double start = now_s();
    put(f, key, 1);
    CHECK_OK(receive(f, HOUR_US, &w));
    CHECK_OK(f->t->next_visible(f->l, S("p"), &at, &test_err));
    CHECK_OK(f->t->done(f->l, NULL, w.id, &test_err));
    double took = now_s() - start;
    if (i == 0 || took < best) best = took;
    wh_arena_reset(&f->arena);
  }
  return best;
}

// A scan of what is done or hidden would take many times what an empty queue does.
LEDGER_TEST(done_and_hidden_ones_cost_nothing) {
  enum { BLOCK = 5000, TIMES_MAX = 5 };
  double empty = time_of_one(f, "before", 50);
  if (f->factory->is_second && !test_is_long()) return;
  int count = test_is_long() ? 1000000 : 50000;
  static char keys[BLOCK][16];
  static wh_put puts[BLOCK];
  uint64_t new_count;
  for (int at = 0; at < count; at += BLOCK) {
    for (int i = 0; i < BLOCK; i++) {
      snprintf(keys[i], sizeof keys[i], "%d", at + i);
      puts[i] = (wh_put){S(keys[i]), S("1"), at + i};
    }
    REQUIRE_OK(f->t->put_many(f->l, S("p"), puts, BLOCK, true, &new_count, &test_err));
  }
  for (int i = 0; i < BLOCK; i++) {
    snprintf(keys[i], sizeof keys[i], "h%d", i);
    puts[i] = (wh_put){S(keys[i]), S("1"), 0};
  }
  REQUIRE_OK(f->t->put_many(f->l, S("p"), puts, BLOCK, false, &new_count, &test_err));
  for (int i = 0; i < BLOCK; i++) {
    wh_work w;
    CHECK_OK(receive(f, HOUR_US, &w));
    wh_arena_reset(&f->arena);
  }
  double full = time_of_one(f, "behind", 50);
  test_note("put, receive, next_visible and done: %.0f us, with %d done and %d hidden %.0f us",
            empty * 1e6, count, BLOCK, full * 1e6);
  CHECK(full < TIMES_MAX * empty);
}

// --- against a model
// -------------------------------------------------------------------------------

typedef enum model_state { M_WAITING, M_DONE, M_DEAD } model_state;

typedef struct model_entry {
  uint64_t id; // 0: not seen yet
  int pipeline, key, version;
  int64_t order;
  model_state state;
  bool received;
  uint32_t failures;
  int64_t visible; // ticks
} model_entry;

enum { M_PIPELINES = 2, M_KEYS = 12, M_VERSIONS = 2, M_MAX = M_PIPELINES * M_KEYS * M_VERSIONS };
static const int64_t TICK_US = 1000ll * 1000000; // the clock's own steps stay far below one

typedef struct model {
  fixture *f;
  model_entry entries[M_MAX]; // as put in
  size_t count;
  int64_t now; // ticks
} model;

static const char *const PIPELINES[] = {"p", "q"};

static wh_str key_of(int key) {
  static char text[16];
  snprintf(text, sizeof text, "key-%d", key);
  return S(text);
}

static wh_str version_of(int version) {
  return version ? S("v1") : S("");
}

static model_entry *model_find(model *m, int pipeline, int key, int version) {
  for (size_t i = 0; i < m->count; i++) {
    model_entry *e = &m->entries[i];
    if (e->pipeline == pipeline && e->key == key && e->version == version) return e;
  }
  return NULL;
}

static model_entry *model_first(model *m, int pipeline, bool visible_only) {
  model_entry *first = NULL;
  for (size_t i = 0; i < m->count; i++) {
    model_entry *e = &m->entries[i];
    if (e->pipeline != pipeline || e->state != M_WAITING) continue;
    if (visible_only && e->visible > m->now) continue;
    if (!first || e->order < first->order) first = e;
  }
  return first;
}

static model_entry *model_any_known(model *m) {
  model_entry *known[M_MAX];
  size_t count = 0;
  for (size_t i = 0; i < m->count; i++) {
    if (m->entries[i].id) known[count++] = &m->entries[i];
  }
  return count ? known[test_random_below(count)] : NULL;
}

static void do_put(model *m, bool is_done) {
  fixture *f = m->f;
  int pipeline = (int)test_random_below(M_PIPELINES), key = (int)test_random_below(M_KEYS);
  int version = (int)test_random_below(M_VERSIONS);
  int64_t order = is_done ? 0 : (int64_t)test_random_below(6) - 3;
  model_entry *e = model_find(m, pipeline, key, version);
  bool is_new = false;
  if (is_done) {
    CHECK_OK(
        f->t->put_done(f->l, S(PIPELINES[pipeline]), key_of(key), version_of(version), &test_err));
    if (e) e->state = M_DONE;
  } else {
    CHECK_OK(f->t->put(f->l, S(PIPELINES[pipeline]), key_of(key), version_of(version), order,
                       &is_new, &test_err));
    CHECK_EQ(is_new, !e);
  }
  if (e) return;
  m->entries[m->count++] = (model_entry){.pipeline = pipeline,
                                         .key = key,
                                         .version = version,
                                         .order = order,
                                         .state = is_done ? M_DONE : M_WAITING,
                                         .visible = m->now};
}

static void do_receive(model *m) {
  fixture *f = m->f;
  int pipeline = (int)test_random_below(M_PIPELINES);
  int64_t ticks = (int64_t)test_random_below(4);
  model_entry *want = model_first(m, pipeline, true);
  wh_work w;
  wh_status status =
      f->t->receive(f->l, HELD(PIPELINES[pipeline]), ticks * TICK_US, &f->arena, &w, &test_err);
  CHECK_EQ(status, want ? WH_OK : WH_ERR_END);
  if (!want || status != WH_OK) return;
  CHECK_STR(w.key, key_of(want->key));
  CHECK_STR(w.version, version_of(want->version));
  CHECK_EQ(w.attempts, want->failures + 1);
  CHECK(!want->id || want->id == w.id);
  want->id = w.id;
  want->received = true;
  want->visible = m->now + ticks;
}

static void do_fail(model *m) {
  fixture *f = m->f;
  model_entry *e = model_any_known(m);
  if (!e) return;
  uint32_t attempts = 1 + (uint32_t)test_random_below(4);
  bool definite = test_random_below(8) == 0, dead = false;
  int64_t ticks = (int64_t)test_random_below(4);
  CHECK_OK(f->t->fail(f->l, HELD("p"), e->id, attempts, definite, ticks * TICK_US, S("why"), &dead,
                      &test_err));
  if (e->state == M_WAITING) {
    e->failures++;
    e->received = false;
    e->visible = m->now + ticks;
    if (definite || e->failures >= attempts) e->state = M_DEAD;
  }
  CHECK_EQ(dead, e->state == M_DEAD);
}

static void do_extend(model *m) {
  fixture *f = m->f;
  model_entry *e = model_any_known(m);
  if (!e) return;
  int64_t ticks = (int64_t)test_random_below(4);
  bool waits = e->state == M_WAITING;
  CHECK_FAILS(f->t->extend(f->l, HELD("p"), e->id, ticks * TICK_US, &test_err),
              waits ? WH_OK : WH_ERR_STALE);
  if (!waits) return;
  e->received = true;
  e->visible = m->now + ticks;
}

static void do_reclaim(model *m) {
  fixture *f = m->f;
  int pipeline = (int)test_random_below(M_PIPELINES);
  bool delayed_too = test_random_below(2);
  CHECK_OK(f->t->reclaim(f->l, HELD(PIPELINES[pipeline]), delayed_too, &test_err));
  for (size_t i = 0; i < m->count; i++) {
    model_entry *e = &m->entries[i];
    if (e->pipeline != pipeline || e->state != M_WAITING) continue;
    if (!e->received && !delayed_too) continue;
    e->visible = m->now;
    e->received = false;
  }
}

static void do_revive(model *m) {
  fixture *f = m->f;
  int pipeline = (int)test_random_below(M_PIPELINES + 1); // the last: all
  uint64_t want = 0, got;
  wh_str name = pipeline < M_PIPELINES ? S(PIPELINES[pipeline]) : S("");
  CHECK_OK(f->t->revive(f->l, name, &got, &test_err));
  for (size_t i = 0; i < m->count; i++) {
    model_entry *e = &m->entries[i];
    if ((pipeline < M_PIPELINES && e->pipeline != pipeline) || e->state != M_DEAD) continue;
    e->state = M_WAITING;
    e->failures = 0;
    e->visible = m->now;
    want++;
  }
  CHECK_EQ(got, want);
}

typedef struct work_listing {
  model *m;
  size_t seen;
  wh_work last;
} work_listing;

static wh_status look_at(void *context, const wh_work *work, wh_error *err) {
  (void)err;
  work_listing *list = context;
  for (size_t i = 0; i < list->m->count; i++) {
    model_entry *e = &list->m->entries[i];
    if (!wh_str_is(work->pipeline, PIPELINES[e->pipeline]) ||
        !wh_str_eq(work->key, key_of(e->key)) || !wh_str_eq(work->version, version_of(e->version)))
      continue;
    CHECK(e->state != M_DONE);
    CHECK_EQ(work->dead, e->state == M_DEAD);
    CHECK_EQ(work->order, e->order);
    if (list->seen) {
      int by_pipeline = wh_str_cmp(list->last.pipeline, work->pipeline);
      CHECK(by_pipeline < 0 || (by_pipeline == 0 && list->last.order <= work->order));
    }
    list->last = *work;
    list->seen++;
    return WH_OK;
  }
  CHECK(!"a work that was never put in");
  return WH_OK;
}

static void compare(model *m) {
  fixture *f = m->f;
  for (int pipeline = 0; pipeline <= M_PIPELINES; pipeline++) {
    wh_str name = pipeline < M_PIPELINES ? S(PIPELINES[pipeline]) : S("");
    uint64_t waiting = 0, dead = 0;
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < m->count; i++) {
      model_entry *e = &m->entries[i];
      if (pipeline < M_PIPELINES && e->pipeline != pipeline) continue;
      waiting += e->state == M_WAITING;
      dead += e->state == M_DEAD;
      if (e->state == M_WAITING && e->visible < next) next = e->visible;
    }
    wh_ledger_stats stats;
    CHECK_OK(f->t->stats(f->l, name, &stats, &test_err));
    CHECK_EQ(stats.waiting, waiting);
    CHECK_EQ(stats.dead, dead);
    work_listing list = {.m = m};
    CHECK_OK(f->t->works(f->l, name, &f->arena, look_at, &list, &test_err));
    CHECK_EQ(list.seen, waiting + dead);
    int64_t at;
    CHECK_OK(f->t->next_visible(f->l, name, &at, &test_err));
    int64_t now_us = wh_now_us(f->os);
    if (next == INT64_MAX)
      CHECK_EQ(at, INT64_MAX);
    else if (next <= m->now)
      CHECK(at <= now_us);
    else
      CHECK(at > now_us && at <= now_us + (next - m->now) * TICK_US);
  }
}

static void step(model *m) {
  fixture *f = m->f;
  model_entry *e;
  switch (test_random_below(16)) {
  case 0:
  case 1:
  case 2:
    do_put(m, false);
    break;
  case 3:
    if (test_random_below(4) == 0) do_put(m, true);
    break;
  case 4:
  case 5:
  case 6:
    do_receive(m);
    break;
  case 7:
  case 8:
    do_fail(m);
    break;
  case 9:
    do_extend(m);
    break;
  case 10:
    if (test_random_below(4) == 0) do_reclaim(m);
    break;
  case 11:
    if (test_random_below(4) == 0) do_revive(m);
    break;
  case 12:
    e = model_any_known(m);
    if (!e || test_random_below(3)) break;
    CHECK_OK(f->t->done(f->l, HELD("p"), e->id, &test_err));
    e->state = M_DONE;
    break;
  case 13:
  case 14:
    m->now++;
    pass_time(f, TICK_US * 1000);
    break;
  default:
    compare(m);
  }
  wh_arena_reset(&f->arena);
}

LEDGER_TEST(the_queue_is_as_its_model) {
  int histories = test_is_long() ? 200 : 20;
  for (int history = 0; history < histories; history++) {
    model m = {.f = f};
    for (int i = 0; i < 400; i++)
      step(&m);
    compare(&m);
    REQUIRE(reopen_ledger(f));
    compare(&m);
    // The next history starts without entries: on a system of its own.
    wh_ledger_close(f->l);
    sim_vfs_use(NULL);
    sim_os_free(f->os);
    f->os = sim_os_new(&test_mem, test_random());
    sim_vfs_use(f->os);
    REQUIRE(open_ledger(f));
  }
}

// --- what became of one --------------------------------------------------------------------------

static bool outcome_is(fixture *f, const char *key, wh_outcome want) {
  wh_outcome got;
  return CHECK_OK(f->t->outcome(f->l, S("p"), wh_str_of(key), S("v"), &got, &test_err)) &&
         CHECK_EQ(got, want);
}

LEDGER_TEST(the_outcome_of_an_object_version_is_told) {
  wh_outcome got;
  CHECK_FAILS(f->t->outcome(f->l, S("p"), S("a"), S("v"), &got, &test_err), WH_ERR_NOT_FOUND);
  bool fresh;
  wh_work w;
  REQUIRE_OK(f->t->put(f->l, S("p"), S("a"), S("v"), 1, &fresh, &test_err));
  outcome_is(f, "a", WH_OUTCOME_OPEN);
  REQUIRE_OK(receive(f, HOUR_US, &w));
  outcome_is(f, "a", WH_OUTCOME_OPEN);
  REQUIRE_OK(f->t->done(f->l, NULL, w.id, &test_err));
  outcome_is(f, "a", WH_OUTCOME_DONE);
  CHECK_FAILS(f->t->outcome(f->l, S("q"), S("a"), S("v"), &got, &test_err), WH_ERR_NOT_FOUND);
  CHECK_FAILS(f->t->outcome(f->l, S("p"), S("a"), S("w"), &got, &test_err), WH_ERR_NOT_FOUND);
}

LEDGER_TEST(a_dead_one_is_retried_once_by_itself) {
  bool fresh;
  wh_work w;
  for (int i = 0; i < 2; i++) {
    REQUIRE_OK(f->t->put(f->l, S("p"), i ? S("b") : S("a"), S("v"), i, &fresh, &test_err));
    REQUIRE_OK(receive(f, HOUR_US, &w));
    CHECK(fail(f, w.id, 1, false, 0));
  }
  outcome_is(f, "a", WH_OUTCOME_DEAD);
  CHECK_OK(f->t->retry(f->l, S("p"), S("a"), S("v"), &test_err));
  outcome_is(f, "a", WH_OUTCOME_OPEN);
  outcome_is(f, "b", WH_OUTCOME_DEAD);
  REQUIRE_OK(receive(f, HOUR_US, &w));
  CHECK_STR(w.key, S("a"));
  CHECK(fail(f, w.id, 2, false, 0)); // its failure was not forgotten
  REQUIRE_OK(f->t->retry(f->l, S("p"), S("a"), S("v"), &test_err));
  REQUIRE_OK(receive(f, HOUR_US, &w));
  REQUIRE_OK(f->t->done(f->l, NULL, w.id, &test_err));
  CHECK_OK(f->t->retry(f->l, S("p"), S("a"), S("v"), &test_err)); // what is done stays done
  outcome_is(f, "a", WH_OUTCOME_DONE);
  CHECK_OK(f->t->retry(f->l, S("p"), S("none"), S("v"), &test_err));
}
