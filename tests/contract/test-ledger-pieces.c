// Pieces of a run's work: who may take, renew and report them, and until when.
#include "ledgers.h"

#define HELD_US     (60ll * 1000000)
#define ABLE        S("able")
#define OVER_NS     (61ll * 1000000000)
#define JUST_NOT_NS (59ll * 1000000000)

typedef struct job {
  wh_lease lease;
  wh_run *run;
} job;

static bool begin_job(fixture *f, const char *pipeline, size_t pieces, job *ret) {
  static const char *const texts[] = {"{\"a\":1}", "two", "three"};
  wh_str tasks[] = {S(texts[0]), S(texts[1]), S(texts[2])};
  *ret = (job){0};
  if (!CHECK_OK(f->t->acquire(f->l, S(pipeline), &ret->lease, &test_err))) return false;
  ret->run = start_run(f, &ret->lease, "");
  return ret->run && CHECK_OK(f->t->pieces_put(f->l, ret->run, ABLE, tasks, pieces, &test_err));
}

static wh_status take(fixture *f, const char *pipeline, wh_piece *ret) {
  *ret = (wh_piece){0};
  return f->t->piece_take(f->l, S(pipeline), ABLE, HELD_US, &f->arena, ret, &test_err);
}

static wh_status renew(fixture *f, const wh_piece *piece, int64_t held_us) {
  return f->t->piece_renew(f->l, piece, held_us, &test_err);
}

static wh_status report(fixture *f, const wh_piece *piece, const char *result) {
  return f->t->piece_report(f->l, piece, S(result), &test_err);
}

LEDGER_TEST(each_is_taken_once_in_their_order) {
  job j;
  REQUIRE(begin_job(f, "p", 3, &j));
  wh_piece pieces[3], more;
  for (int i = 0; i < 3; i++) {
    CHECK_OK(take(f, "p", &pieces[i]));
    CHECK_EQ(pieces[i].number, i);
    CHECK_EQ(pieces[i].take, 1);
    CHECK_STR(pieces[i].run, j.run->id);
    CHECK_STR(pieces[i].result, S(""));
  }
  CHECK_STR(pieces[0].task, S("{\"a\":1}"));
  CHECK_STR(pieces[2].task, S("three"));
  CHECK_FAILS(take(f, "p", &more), WH_ERR_END);
  CHECK_OK(report(f, &pieces[1], "done"));
  CHECK_FAILS(take(f, "p", &more), WH_ERR_END);
  CHECK_OK(f->t->piece_get(f->l, j.run->id, 1, &f->arena, &more, &test_err));
  CHECK_STR(more.result, S("done"));
  CHECK_EQ(more.take, 1);
  CHECK_OK(f->t->piece_get(f->l, j.run->id, 2, &f->arena, &more, &test_err));
  CHECK_STR(more.result, S(""));
  CHECK_FAILS(f->t->piece_get(f->l, j.run->id, 3, &f->arena, &more, &test_err), WH_ERR_NOT_FOUND);
  f->t->release(f->l, &j.lease);
}

LEDGER_TEST(only_those_who_are_able_take_them) {
  job j;
  wh_piece piece;
  REQUIRE(begin_job(f, "p", 1, &j));
  CHECK_FAILS(take(f, "q", &piece), WH_ERR_END);
  CHECK_FAILS(f->t->piece_take(f->l, S("p"), S("other"), HELD_US, &f->arena, &piece, &test_err),
              WH_ERR_END);
  CHECK_OK(take(f, "p", &piece));
  f->t->release(f->l, &j.lease);
}

// Whoever slept is told so, and what he made is not kept.
LEDGER_TEST(what_is_held_too_long_is_the_next_ones) {
  job j;
  wh_piece slow, next, ignored;
  REQUIRE(begin_job(f, "p", 1, &j));
  CHECK_OK(take(f, "p", &slow));
  if (!f->factory->set_clock && f->factory->has_server) { // its clock is not ours
    f->t->release(f->l, &j.lease);
    return;
  }
  pass_time(f, JUST_NOT_NS);
  CHECK_FAILS(take(f, "p", &ignored), WH_ERR_END);
  CHECK_OK(renew(f, &slow, HELD_US));
  pass_time(f, JUST_NOT_NS);
  CHECK_FAILS(take(f, "p", &ignored), WH_ERR_END);
  pass_time(f, OVER_NS);
  CHECK_OK(renew(f, &slow, HELD_US)); // late, but nobody was there
  pass_time(f, OVER_NS);
  CHECK_OK(take(f, "p", &next));
  CHECK_EQ(next.number, 0);
  CHECK_EQ(next.take, 2);
  CHECK_FAILS(renew(f, &slow, HELD_US), WH_ERR_STALE);
  CHECK_FAILS(report(f, &slow, "of the slow one"), WH_ERR_STALE);
  CHECK_ERROR_HAS("another worker's");
  CHECK_OK(report(f, &next, "of the next one"));
  CHECK_FAILS(report(f, &slow, "of the slow one"), WH_ERR_STALE);
  CHECK_OK(f->t->piece_get(f->l, j.run->id, 0, &f->arena, &ignored, &test_err));
  CHECK_STR(ignored.result, S("of the next one"));
  CHECK_EQ(ignored.take, 2);
  f->t->release(f->l, &j.lease);
}

LEDGER_TEST(what_is_given_back_is_free_at_once) {
  job j;
  wh_piece a, b;
  REQUIRE(begin_job(f, "p", 1, &j));
  CHECK_OK(take(f, "p", &a));
  CHECK_OK(renew(f, &a, 0));
  CHECK_OK(take(f, "p", &b));
  CHECK_EQ(b.take, 2);
  CHECK_FAILS(renew(f, &a, 0), WH_ERR_STALE);
  f->t->release(f->l, &j.lease);
}

// An answer that was lost: the same again.
LEDGER_TEST(a_report_holds) {
  job j;
  wh_piece a;
  REQUIRE(begin_job(f, "p", 2, &j));
  CHECK_OK(take(f, "p", &a));
  CHECK_OK(report(f, &a, "r"));
  CHECK_OK(report(f, &a, "r"));
  CHECK_FAILS(report(f, &a, "s"), WH_ERR_STALE);
  CHECK_FAILS(renew(f, &a, HELD_US), WH_ERR_STALE);
  REQUIRE(reopen_ledger(f));
  wh_piece same;
  CHECK_OK(f->t->piece_get(f->l, a.run, 0, &f->arena, &same, &test_err));
  CHECK_STR(same.result, S("r"));
}

LEDGER_TEST(they_end_with_their_run) {
  static const wh_run_state states[] = {WH_RUN_DONE, WH_RUN_FAILED, WH_RUN_STOPPED};
  for (size_t i = 0; i < 3; i++) {
    job j;
    wh_piece a, b;
    REQUIRE(begin_job(f, "p", 2, &j));
    CHECK_OK(take(f, "p", &a));
    CHECK_OK(finish_run(f, j.run, states[i]));
    CHECK_FAILS(renew(f, &a, HELD_US), WH_ERR_STALE);
    CHECK_FAILS(report(f, &a, "r"), WH_ERR_STALE);
    CHECK_FAILS(take(f, "p", &b), WH_ERR_END);
    CHECK_FAILS(f->t->piece_get(f->l, a.run, 0, &f->arena, &b, &test_err), WH_ERR_NOT_FOUND);
    f->t->release(f->l, &j.lease);
  }
}

// Nothing more is added to what is sealed.
LEDGER_TEST(a_sealed_run_takes_no_reports) {
  job j;
  wh_piece a;
  REQUIRE(begin_job(f, "p", 1, &j));
  CHECK_OK(take(f, "p", &a));
  j.run->sealed = (wh_sealed){.attempt = S("a-0"),
                              .store = S("lake"),
                              .key = S("k"),
                              .sha256 = S("00"),
                              .manifest = S("{}")};
  CHECK_OK(f->t->run_seal(f->l, j.run, NULL, &test_err));
  CHECK_FAILS(report(f, &a, "r"), WH_ERR_STALE);
  f->t->release(f->l, &j.lease);
}

// Another worker took the pipeline over: the old run's pieces are nobody's any more, those of the
// new one are taken.
LEDGER_TEST(a_newer_epoch_ends_them) {
  job j, k;
  wh_piece a, b;
  REQUIRE(begin_job(f, "p", 2, &j));
  CHECK_OK(take(f, "p", &a));
  f->t->release(f->l, &j.lease);
  REQUIRE(begin_job(f, "p", 1, &k));
  CHECK_FAILS(renew(f, &a, HELD_US), WH_ERR_STALE);
  CHECK_FAILS(report(f, &a, "r"), WH_ERR_STALE);
  wh_str task = S("late");
  CHECK_FAILS(f->t->pieces_put(f->l, j.run, ABLE, &task, 1, &test_err), WH_ERR_STALE);
  CHECK_OK(take(f, "p", &b));
  CHECK_STR(b.run, k.run->id);
  CHECK_FAILS(take(f, "p", &a), WH_ERR_END);
  f->t->release(f->l, &k.lease);
}
