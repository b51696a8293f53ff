// The outbox: what is to be told enters with the end of its run, once, and stays until it is told.
#include "ledgers.h"

static const int64_t SECOND_US = 1000000;
static const int64_t SECOND_NS = 1000000000;

static const wh_tell BOTH[] = {{WH_OUTBOX_MESSAGE, WH_STR_INIT("topic")},
                               {WH_OUTBOX_CATALOGUE, WH_STR_INIT("data:Objects")}};

static wh_run *end_run(fixture *f, wh_run_state state, const wh_tell *tells, size_t count) {
  wh_run *run = start_run(f, HELD("p"), "");
  if (!run) return NULL;
  run->state = state;
  wh_finish finish = {.run = run, .tells = tells, .tell_count = count};
  CHECK_OK(f->t->run_finish(f->l, &finish, &test_err));
  return run;
}

static wh_outbox_item next(fixture *f, const char *target) {
  wh_outbox_item item = {0};
  CHECK_OK(f->t->outbox_next(f->l, S(target), false, &f->arena, &item, &test_err));
  return item;
}

static bool is_none(fixture *f, const char *target) {
  wh_outbox_item item = {0};
  return f->t->outbox_next(f->l, S(target), false, &f->arena, &item, &test_err) == WH_ERR_END;
}

static size_t boxes(fixture *f, wh_outbox_box **ret) {
  size_t count = 0;
  CHECK_OK(f->t->outbox(f->l, &f->arena, ret, &count, &test_err));
  return count;
}

static void begin(fixture *f) {
  wh_lease lease;
  CHECK_OK(f->t->acquire(f->l, S("p"), &lease, &test_err));
  f->t->release(f->l, &lease);
}

LEDGER_TEST(a_run_is_told_once_to_each_target) {
  begin(f);
  wh_run *first = end_run(f, WH_RUN_DONE, BOTH, 2);
  pass_time(f, SECOND_NS);
  wh_run *second = end_run(f, WH_RUN_FAILED, BOTH, 1);
  REQUIRE(first && second);
  wh_finish again = {.run = first, .tells = BOTH, .tell_count = 2};
  CHECK_OK(f->t->run_finish(f->l, &again, &test_err));
  wh_outbox_item item = next(f, "topic");
  CHECK_STR(item.run, first->id);
  CHECK_STR(item.target, S("topic"));
  CHECK_EQ(item.kind, WH_OUTBOX_MESSAGE);
  CHECK_STR(next(f, "topic").run, first->id); // until it is done
  CHECK_OK(f->t->outbox_done(f->l, &item, &test_err));
  CHECK_OK(f->t->outbox_done(f->l, &item, &test_err));
  item = next(f, "topic");
  CHECK_STR(item.run, second->id);
  CHECK_OK(f->t->outbox_done(f->l, &item, &test_err));
  CHECK(is_none(f, "topic"));
  // The same end again, when it was told, tells nothing.
  CHECK_OK(f->t->run_finish(f->l, &again, &test_err));
  CHECK(is_none(f, "topic"));
  CHECK_EQ(next(f, "data:Objects").kind, WH_OUTBOX_CATALOGUE);
  CHECK(is_none(f, "elsewhere"));
}

LEDGER_TEST(a_failure_waits_and_counts_only_where_it_is_definite) {
  begin(f);
  REQUIRE(end_run(f, WH_RUN_DONE, BOTH, 1));
  bool dead = true;
  for (uint32_t i = 0; i < 5; i++) { // nobody answers
    wh_outbox_item item = next(f, "topic");
    CHECK_EQ(item.tries, i);
    CHECK_OK(f->t->outbox_fail(f->l, &item, 0, SECOND_US, S("no answer"), &dead, &test_err));
    CHECK(!dead);
    CHECK(is_none(f, "topic"));
    pass_time(f, SECOND_NS);
  }
  wh_outbox_item item = next(f, "topic");
  CHECK_OK(f->t->outbox_fail(f->l, &item, 2, 0, S("denied"), &dead, &test_err));
  CHECK(!dead);
  item = next(f, "topic");
  CHECK_OK(f->t->outbox_fail(f->l, &item, 2, 0, S("denied again"), &dead, &test_err));
  CHECK(dead);
  CHECK(is_none(f, "topic"));
  wh_outbox_box *box = NULL;
  REQUIRE(boxes(f, &box) == 1);
  CHECK_EQ(box[0].dead, 1);
  CHECK_EQ(box[0].waiting, 0);
  CHECK_EQ(box[0].next_us, INT64_MAX);
  CHECK_STR(box[0].error, S("denied again"));
  // Whoever mended it asks for one more try.
  bool any = false;
  CHECK_OK(f->t->outbox_revive(f->l, S("topic"), &any, &test_err));
  CHECK(any);
  CHECK_OK(f->t->outbox_revive(f->l, S("topic"), &any, &test_err));
  CHECK(!any);
  item = next(f, "topic");
  CHECK_OK(f->t->outbox_fail(f->l, &item, 2, 0, S("and again"), &dead, &test_err));
  CHECK(dead);
  // One that is gone cannot fail.
  CHECK_OK(f->t->outbox_done(f->l, &item, &test_err));
  CHECK_OK(f->t->outbox_fail(f->l, &item, 2, 0, S("late"), &dead, &test_err));
  CHECK(!dead);
  CHECK_EQ(boxes(f, &box), 0);
}

LEDGER_TEST(those_behind_wait_until_the_first_is_dead) {
  begin(f);
  wh_run *runs[3];
  for (int i = 0; i < 3; i++) {
    REQUIRE((runs[i] = end_run(f, WH_RUN_DONE, BOTH, 1)));
    pass_time(f, SECOND_NS);
  }
  bool dead, any;
  wh_outbox_item item = next(f, "topic");
  CHECK_OK(f->t->outbox_fail(f->l, &item, 2, 60 * SECOND_US, S("denied"), &dead, &test_err));
  CHECK(is_none(f, "topic"));
  CHECK_OK(f->t->outbox_next(f->l, S("topic"), true, &f->arena, &item, &test_err)); // in a hurry
  CHECK_STR(item.run, runs[0]->id);
  CHECK_OK(f->t->outbox_fail(f->l, &item, 2, 60 * SECOND_US, S("denied"), &dead, &test_err));
  CHECK(dead);
  item = next(f, "topic");
  CHECK_STR(item.run, runs[1]->id);
  pass_time(f, SECOND_NS);
  CHECK_OK(f->t->outbox_fail(f->l, &item, 1, 60 * SECOND_US, S("denied"), &dead, &test_err));
  CHECK(dead);
  CHECK_STR(next(f, "topic").run, runs[2]->id);
  // One at a time, the one that was not tried for longest.
  CHECK_OK(f->t->outbox_revive(f->l, S("topic"), &any, &test_err));
  CHECK_STR(next(f, "topic").run, runs[0]->id);
  wh_outbox_box *box = NULL;
  REQUIRE(boxes(f, &box) == 1);
  CHECK(box[0].waiting == 2 && box[0].dead == 1);
}

LEDGER_TEST(boxes_say_what_waits_for_whom) {
  begin(f);
  wh_outbox_box *box = NULL;
  CHECK_EQ(boxes(f, &box), 0);
  for (int i = 0; i < 3; i++) {
    REQUIRE(end_run(f, WH_RUN_DONE, BOTH, 2));
    pass_time(f, SECOND_NS);
  }
  bool dead;
  wh_outbox_item item = next(f, "topic");
  CHECK_OK(f->t->outbox_fail(f->l, &item, 0, 60 * SECOND_US, S("no answer"), &dead, &test_err));
  REQUIRE(boxes(f, &box) == 2);
  CHECK_STR(box[0].target, S("data:Objects"));
  CHECK_EQ(box[0].kind, WH_OUTBOX_CATALOGUE);
  CHECK_EQ(box[0].waiting, 3);
  CHECK_EQ(box[0].error.len, 0);
  CHECK_STR(box[1].target, S("topic"));
  CHECK_EQ(box[1].waiting, 3);
  CHECK_EQ(box[1].dead, 0);
  CHECK_STR(box[1].error, S("no answer"));
  CHECK(box[1].oldest_us > 0 && box[1].oldest_us <= box[0].oldest_us + SECOND_US);
  CHECK(box[1].next_us > wh_now_us(f->os) + 50 * SECOND_US); // the others wait for the first
  char name[16];
  for (int i = 0; i < 40; i++) { // more than are read at first
    snprintf(name, sizeof name, "t%02d", i);
    wh_tell tell = {WH_OUTBOX_MESSAGE, S(name)};
    REQUIRE(end_run(f, WH_RUN_DONE, &tell, 1));
  }
  REQUIRE(boxes(f, &box) == 42);
  CHECK_STR(box[1].target, S("t00"));
  CHECK_STR(box[41].target, S("topic"));
  CHECK_OK(reopen_ledger(f) ? WH_OK : WH_ERR_IO);
  CHECK_EQ(boxes(f, &box), 42);
}

LEDGER_TEST(one_delivers_at_a_time) {
  wh_lease lease, other;
  CHECK_OK(f->t->acquire(f->l, S(WH_OUTBOX_LEASE), &lease, &test_err));
  CHECK_EQ(f->t->acquire(f->l, S(WH_OUTBOX_LEASE), &other, &test_err), WH_ERR_BUSY);
  f->t->release(f->l, &lease);
  CHECK_OK(f->t->acquire(f->l, S(WH_OUTBOX_LEASE), &lease, &test_err));
  f->t->release(f->l, &lease);
}

LEDGER_TEST(an_adopted_run_tells_what_its_finisher_says) {
  wh_lease lease;
  CHECK_OK(f->t->acquire(f->l, S("p"), &lease, &test_err));
  wh_run *run = start_run(f, &lease, "");
  REQUIRE(run);
  wh_run done = *run;
  done.state = WH_RUN_DONE;
  wh_finish finish = {.run = &done};
  CHECK_OK(f->t->run_seal(f->l, run, &finish, &test_err));
  wh_outbox_box *box = NULL;
  CHECK_EQ(boxes(f, &box), 0); // nothing is told of what may not be published
  CHECK_OK(f->t->run_sealed_finish(f->l, run->id, &f->arena, &finish, &test_err));
  CHECK_EQ(finish.tell_count, 0);
  finish.tells = BOTH;
  finish.tell_count = 2;
  CHECK_OK(f->t->run_finish(f->l, &finish, &test_err));
  CHECK_EQ(boxes(f, &box), 2);
  f->t->release(f->l, &lease);
}
