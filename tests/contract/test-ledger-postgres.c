// What is particular to a ledger that workers share: lines that are cut, workers that sleep through
// their lease or die, what they tell each other, databases of somebody else's.
#ifdef WHERRY_POSTGRES

#include "cut_line.h"
#include "ledger_story.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHORT_LEASE_US = 1500 * 1000, LONG_LEASE_US = 3600 * 1000000u / 2 };

static wh_os_real real;
static wh_arena arena;

static bool set_up(void) {
  const char *reason = begin_postgres();
  if (reason) {
    test_skip(reason);
    return false;
  }
  wh_arena_init(&arena, &test_mem);
  return CHECK_OK(wh_os_real_init(&real, &test_mem, &test_err));
}

static void tear_down(void) {
  wh_os_real_free(&real);
  wh_arena_free(&arena);
  end_postgres();
}

#define SHARED_TEST(ident)                                                                         \
  static void shared_##ident(void);                                                                \
  TEST(ident) {                                                                                    \
    if (!set_up()) return;                                                                         \
    shared_##ident();                                                                              \
    tear_down();                                                                                   \
  }                                                                                                \
  static void shared_##ident(void)

// A worker of its own on the place's one ledger.
static wh_status join(wh_mem *mem, int64_t lease_us, wh_ledger **ret) {
  wh_connection c = ledger_place;
  c.name = WH_STR("ledger");
  c.os = &real.base;
  c.mem = mem;
  return wh_ledger_open_postgres(&c, lease_us, ret, &test_err);
}

static const char *ask(const char *text) {
  return test_postgres_ask(&ledger_place, text);
}

static void sql(const char *text) {
  test_postgres_sql(&ledger_place, text);
}

// --- cut lines -----------------------------------------------------------------------------------

// The line is cut in the nth message of the story. True when the story needed fewer.
static bool cut_at(const ledger_factory *factory, uint64_t n, bool after) {
  wh_arena own;
  wh_arena_init(&own, &test_mem);
  story s = {.mem = &test_mem, .factory = factory, .err = &test_err, .arena = &own};
  s.os = sim_os_new(&test_mem, test_seed());
  cut_line_at(n, after);
  wh_status status = story_open(&s);
  if (status == WH_OK) status = story_go_on(&s);
  bool was_cut = cut_line_was_cut();
  cut_line_at(0, false);
  if (status != WH_OK) {
    CHECK_EQ(status, WH_ERR_UNAVAILABLE);
    CHECK_ERROR_HAS("ledger");
    CHECK(test_err.retry);
  }
  if (s.l || CHECK_OK(story_open(&s))) {
    story_check(&s);
    story_end(&s);
  }
  story_close(&s);
  sim_os_free(s.os);
  wh_arena_free(&own);
  return !was_cut;
}

SHARED_TEST(a_line_may_be_cut_at_every_message) {
  const ledger_factory factory = {"postgres", open_postgres_ledger, true};
  REQUIRE(cut_line_start(test_postgres_port()));
  ledger_port = cut_line_port();
  for (int after = 0; after < 2; after++) {
    uint64_t n = 1;
    while (!cut_at(&factory, n, after) && n < 10000)
      n += test_is_long() ? 1 : 1 + test_random_below(9);
    test_note("%d messages in the story", (int)n);
    CHECK(n > 100 && n < 10000);
  }
  ledger_port = 0;
  cut_line_stop();
}

SHARED_TEST(a_server_that_was_away_is_waited_for) {
  wh_ledger *l;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &l));
  CHECK_OK(l->type->set_fired(l, HELD("p"), 5, &test_err));
  test_postgres_stop();
  CHECK(!test_postgres_start());
  int64_t at = 0;
  CHECK_OK(l->type->fired(l, S("p"), &at, &test_err));
  CHECK_EQ(at, 5);
  wh_ledger_close(l);
}

// --- leases --------------------------------------------------------------------------------------

SHARED_TEST(a_worker_that_slept_through_its_lease_finds_it_gone) {
  wh_ledger *a, *b;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &a));
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &b));
  wh_lease slept, now, ignored;
  wh_run run, sealed;
  CHECK_OK(a->type->acquire(a, S("p"), &slept, &test_err));
  CHECK_OK(a->type->run_start(a, &slept, S("x"), &arena, &run, &test_err));
  CHECK_OK(a->type->run_start(a, &slept, S("y"), &arena, &sealed, &test_err));
  CHECK_OK(a->type->run_seal(a, &sealed, NULL, &test_err));
  CHECK_FAILS(b->type->acquire(b, S("p"), &now, &test_err), WH_ERR_BUSY);
  CHECK_ERROR_HAS("p: another run of it is going on, on ");
  CHECK_ERROR_HAS(", process ");

  sql("UPDATE wherry.lease SET until_us = 0");
  CHECK_OK(a->type->renew(a, &slept, &test_err)); // nobody took it meanwhile
  CHECK_FAILS(b->type->acquire(b, S("p"), &now, &test_err), WH_ERR_BUSY);
  sql("UPDATE wherry.lease SET until_us = 0");
  CHECK_OK(b->type->acquire(b, S("p"), &now, &test_err));
  CHECK(now.epoch > slept.epoch);

  CHECK_FAILS(a->type->renew(a, &slept, &test_err), WH_ERR_STALE);
  CHECK_FAILS(a->type->run_start(a, &slept, S("z"), &arena, &run, &test_err), WH_ERR_STALE);
  CHECK_FAILS(a->type->run_seal(a, &run, NULL, &test_err), WH_ERR_STALE);
  run.state = WH_RUN_DONE;
  wh_finish finish = {.run = &run};
  CHECK_FAILS(a->type->run_finish(a, &finish, &test_err), WH_ERR_STALE);
  CHECK_ERROR_HAS("taken over");
  a->type->release(a, &slept); // which is not the other's
  CHECK_OK(b->type->renew(b, &now, &test_err));
  CHECK_FAILS(a->type->acquire(a, S("p"), &ignored, &test_err), WH_ERR_BUSY);
  b->type->release(b, &now);
  wh_ledger_close(a);
  wh_ledger_close(b);
}

static void *take_over_slowly(void *context) {
  (void)context;
  sql("BEGIN; UPDATE wherry.pipeline SET epoch = epoch + 1; SELECT pg_sleep(0.15); COMMIT");
  return NULL;
}

// The statement that takes was sent before the other's lease was there, and waits for it.
SHARED_TEST(what_is_taken_meanwhile_is_refused) {
  wh_ledger *l;
  wh_lease lease;
  wh_work work;
  bool is_new;
  pthread_t other;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &l));
  CHECK_OK(l->type->put(l, S("p"), S("k"), S("1"), 1, &is_new, &test_err));
  CHECK_OK(l->type->acquire(l, S("p"), &lease, &test_err));
  REQUIRE(pthread_create(&other, NULL, take_over_slowly, NULL) == 0);
  while (strcmp(ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), "1") !=
         0)
    usleep(10 * 1000);
  CHECK_FAILS(l->type->receive(l, &lease, LONG_LEASE_US, &arena, &work, &test_err), WH_ERR_STALE);
  CHECK_FAILS(l->type->set_fired(l, &lease, 5, &test_err), WH_ERR_STALE);
  pthread_join(other, NULL);
  CHECK_STR(S(ask("SELECT string_agg(state || '/' || takes, ',') FROM wherry.work")), S("0/0"));
  l->type->release(l, &lease);
  wh_ledger_close(l);
}

// In the child: a lease that is renewed until the process is stopped.
static void hold(int ready) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_ledger *l;
  wh_lease lease;
  char outcome = join(&mem, SHORT_LEASE_US, &l) == WH_OK &&
                         l->type->acquire(l, S("p"), &lease, &test_err) == WH_OK
                     ? 'y'
                     : 'n';
  if (write(ready, &outcome, 1) == 1 && outcome == 'y') pause();
  _exit(0);
}

SHARED_TEST(a_lease_runs_out_with_its_worker) {
  wh_ledger *l;
  REQUIRE_OK(join(&test_mem, SHORT_LEASE_US, &l));
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) hold(fds[1]);
  char outcome = 0;
  REQUIRE(read(fds[0], &outcome, 1) == 1 && outcome == 'y');
  wh_lease lease;
  usleep(2 * SHORT_LEASE_US); // it lives, and renews
  CHECK_FAILS(l->type->acquire(l, S("p"), &lease, &test_err), WH_ERR_BUSY);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  wh_status status = WH_ERR_BUSY;
  for (int i = 0; status == WH_ERR_BUSY && i < 100; i++) {
    usleep(100 * 1000);
    status = l->type->acquire(l, S("p"), &lease, &test_err);
  }
  CHECK_EQ(status, WH_OK);
  usleep(2 * SHORT_LEASE_US); // ours is renewed too
  CHECK_OK(l->type->renew(l, &lease, &test_err));
  CHECK_STR(S(ask("SELECT (until_us > wherry.now_us())::text FROM wherry.lease")), S("true"));
  l->type->release(l, &lease);
  CHECK_STR(S(ask("SELECT count(*) FROM wherry.lease")), S("0"));
  wh_ledger_close(l);
  close(fds[0]);
  close(fds[1]);
}

// --- others in the way ---------------------------------------------------------------------------

// From now on whoever changes the queue is ended by the server, as if others were in the way, but
// each nth time. Sequences count also what is rolled back.
static void stand_in_the_way(int n, const char *code, const char *when) {
  char text[1024];
  snprintf(
      text, sizeof text,
      "CREATE SEQUENCE IF NOT EXISTS public.hits; ALTER SEQUENCE public.hits RESTART;"
      "CREATE OR REPLACE FUNCTION public.hit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " IF current_setting('transaction_isolation') <> 'read committed' THEN"
      " RAISE EXCEPTION 'isolation'; END IF;"
      " IF nextval('public.hits') %% %d <> 0 THEN RAISE EXCEPTION USING ERRCODE = '%s'; END IF;"
      " RETURN NEW; END $$;"
      "DROP TRIGGER IF EXISTS hit ON wherry.work;"
      "CREATE CONSTRAINT TRIGGER hit AFTER INSERT OR UPDATE ON wherry.work DEFERRABLE"
      " INITIALLY %s FOR EACH ROW EXECUTE FUNCTION public.hit()",
      n, code, when);
  sql(text);
}

static wh_status put_take_and_fail(wh_ledger *l, const char *key) {
  wh_work work = {0};
  bool is_new = false, dead = true;
  WH_TRY(l->type->put(l, S("p"), S(key), S("1"), 1, &is_new, &test_err));
  CHECK(is_new);
  WH_TRY(l->type->receive(l, HELD("p"), LONG_LEASE_US, &arena, &work, &test_err));
  CHECK_STR(work.key, S(key));
  CHECK_EQ(work.takes, 1);
  WH_TRY(l->type->fail(l, HELD("p"), work.id, 9, false, 0, S("no"), &dead, &test_err));
  CHECK(!dead);
  WH_TRY(l->type->done(l, HELD("p"), work.id, &test_err));
  return l->type->works(l, S("p"), &arena, NULL, NULL, &test_err); // none is left
}

SHARED_TEST(what_others_were_in_the_way_of_is_done_again) {
  wh_ledger *l;
  sql("ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'serializable'");
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &l));
  stand_in_the_way(4, "40P01", "IMMEDIATE");
  CHECK_OK(put_take_and_fail(l, "a"));
  stand_in_the_way(4, "40001", "DEFERRED"); // which shows when it is committed
  CHECK_OK(put_take_and_fail(l, "b"));
  stand_in_the_way(1000, "40P01", "IMMEDIATE"); // not without end
  CHECK_FAILS(put_take_and_fail(l, "c"), WH_ERR_BUSY);
  CHECK(test_err.retry);
  CHECK_STR(S(ask("SELECT last_value FROM public.hits")), S("5"));
  CHECK_OK(l->type->set_fired(l, HELD("p"), 5, &test_err)); // the session is of use
  sql("ALTER ROLE CURRENT_USER RESET default_transaction_isolation;"
      "DROP TRIGGER hit ON wherry.work; DROP FUNCTION public.hit(); DROP SEQUENCE public.hits");
  wh_ledger_close(l);
}

// --- telling -------------------------------------------------------------------------------------

static void note_heard(void *context, wh_str pipeline) {
  wh_buf_printf(context, "%.*s;", WH_STR_ARG(pipeline));
}

// What is heard within some seconds, until it is `want`; nothing is waited for when that is empty.
static void check_heard(wh_ledger *l, int fd, const char *want) {
  wh_buf heard;
  wh_buf_init(&heard, &test_mem, 0);
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  while (!wh_str_is(wh_buf_str(&heard), want) && poll(&ready, 1, 10000) > 0)
    l->type->heard(l, note_heard, &heard);
  CHECK_STR(wh_buf_str(&heard), S(want));
  if (!want[0]) CHECK_EQ(poll(&ready, 1, 300), 0);
  wh_buf_free(&heard);
}

SHARED_TEST(workers_tell_each_other) {
  wh_ledger *a, *b;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &a));
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &b));
  int fd = -1;
  bool is_new;
  CHECK_OK(a->type->listen(a, &fd, &test_err));
  check_heard(a, fd, ";"); // what came before nobody heard
  CHECK_OK(b->type->put(b, S("p"), S("k"), S("1"), 1, &is_new, &test_err));
  check_heard(a, fd, "p;");
  CHECK_OK(b->type->put(b, S("p"), S("k"), S("1"), 1, &is_new, &test_err)); // known
  CHECK_OK(b->type->put_done(b, S("p"), S("l"), S("1"), &test_err));
  CHECK_OK(a->type->put(a, S("p"), S("own"), S("1"), 1, &is_new, &test_err));
  check_heard(a, fd, "");
  // One that goes may leave something; one that only looked does not.
  wh_ledger *c;
  wh_lease lease;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &c));
  CHECK_OK(c->type->acquire(c, S("p"), &lease, &test_err));
  c->type->release(c, &lease);
  check_heard(a, fd, "");
  wh_ledger_close(c);
  check_heard(a, fd, ";");
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &c));
  wh_ledger_close(c);
  check_heard(a, fd, "");
  // Whoever loses the line hears nothing, and knows it.
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
  check_heard(a, fd, ";");
  CHECK_OK(b->type->put(b, S("q"), S("k"), S("1"), 1, &is_new, &test_err));
  check_heard(a, fd, "q;");
  wh_ledger_close(a);
  wh_ledger_close(b);
}

// --- the schema ----------------------------------------------------------------------------------

static void *open_and_close(void *context) {
  wh_ledger *l;
  wh_connection c = ledger_place;
  wh_error err;
  c.os = &real.base;
  c.mem = &test_mem;
  wh_status *status = context;
  *status = wh_ledger_open_postgres(&c, LONG_LEASE_US, &l, &err);
  if (*status == WH_OK) wh_ledger_close(l);
  return NULL;
}

SHARED_TEST(one_of_many_makes_the_schema) {
  enum { OPENERS = 6 };
  pthread_t threads[OPENERS];
  wh_status statuses[OPENERS];
  for (int i = 0; i < OPENERS; i++)
    REQUIRE(pthread_create(&threads[i], NULL, open_and_close, &statuses[i]) == 0);
  for (int i = 0; i < OPENERS; i++) {
    pthread_join(threads[i], NULL);
    CHECK_EQ(statuses[i], WH_OK);
  }
  CHECK_STR(S(ask("SELECT string_agg(version::text, ',') FROM wherry.ledger_version")), S("5"));
}

SHARED_TEST(somebody_elses_schema_and_newer_ledgers_are_refused) {
  wh_ledger *l;
  sql("CREATE SCHEMA wherry; CREATE TABLE wherry.mine (a int)");
  CHECK_FAILS(join(&test_mem, LONG_LEASE_US, &l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("ledger: the schema wherry holds tables of something else");
  sql("DROP TABLE wherry.mine");
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &l));
  wh_ledger_close(l);
  sql("UPDATE wherry.ledger_version SET version = 99");
  CHECK_FAILS(join(&test_mem, LONG_LEASE_US, &l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("a newer wherry wrote this ledger (version 99; this one knows 5)");
}

typedef struct page_listing {
  wh_ledger *l;
  int64_t seen, next;
} page_listing;

// In order, each once; other verbs may be called meanwhile.
static wh_status see_work(void *context, const wh_work *work, wh_error *err) {
  page_listing *list = context;
  CHECK_EQ(work->order, list->next);
  list->next = work->order + 1;
  list->seen++;
  wh_arena_reset(&arena);
  return work->order % 7 ? WH_OK : list->l->type->forgive(list->l, HELD("p"), work->id, err);
}

SHARED_TEST(long_listings_come_in_pages) {
  enum { WORKS = 350 };
  static char keys[WORKS][16];
  static wh_put puts[WORKS];
  wh_ledger *l;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &l));
  for (int i = 0; i < WORKS; i++) {
    snprintf(keys[i], sizeof keys[i], "%d", i);
    puts[i] = (wh_put){S(keys[i]), S("1"), i};
  }
  uint64_t fresh;
  CHECK_OK(l->type->put_many(l, S("p"), puts, WORKS, false, &fresh, &test_err));
  CHECK_EQ(fresh, WORKS);
  CHECK_OK(l->type->put_many(l, S("p"), puts, WORKS, false, &fresh, &test_err));
  CHECK_EQ(fresh, 0);
  const char *names[] = {"p", ""};
  for (int i = 0; i < 2; i++) {
    page_listing list = {.l = l};
    CHECK_OK(l->type->works(l, S(names[i]), &arena, see_work, &list, &test_err));
    CHECK_EQ(list.seen, WORKS);
  }
  wh_ledger_close(l);
}

SHARED_TEST(names_of_any_bytes_stay_apart) {
  static const char *const keys[] = {"g\xFFh",   "g\\xffh", "g\\\\xffh", "\\",
                                     "\xC3\xBC", "\xC3",    ""};
  enum { KEYS = sizeof keys / sizeof *keys };
  wh_ledger *l;
  REQUIRE_OK(join(&test_mem, LONG_LEASE_US, &l));
  for (int i = 0; i < KEYS; i++) {
    bool is_new = false;
    CHECK_OK(l->type->put(l, S("p"), S(keys[i]), wh_str_n("\0v", 2), i, &is_new, &test_err));
    CHECK(is_new);
  }
  for (int i = 0; i < KEYS; i++) {
    wh_work work = {0};
    CHECK_OK(l->type->receive(l, HELD("p"), LONG_LEASE_US, &arena, &work, &test_err));
    CHECK_STR(work.key, S(keys[i]));
    CHECK_STR(work.version, wh_str_n("\0v", 2));
  }
  wh_ledger_close(l);
}

SHARED_TEST(what_keeps_it_from_opening_is_said) {
  wh_connection c = ledger_place;
  wh_pg_options options = *(const wh_pg_options *)c.options;
  c.options = &options;
  c.name = WH_STR("ledger");
  wh_ledger *l;
  options.server.password = WH_STR("wrong");
  CHECK_FAILS(wh_ledger_open_postgres(&c, LONG_LEASE_US, &l, &test_err), WH_ERR_DENIED);
  CHECK_ERROR_HAS("ledger: 127.0.0.1:");
  CHECK_ERROR_HAS("Check user and password");
  options = *(const wh_pg_options *)ledger_place.options;
  sql("CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  options.server.database = WH_STR("latin1");
  CHECK_FAILS(wh_ledger_open_postgres(&c, LONG_LEASE_US, &l, &test_err), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("ledger: the database is in LATIN1; a ledger needs one in UTF8");
  sql("DROP DATABASE latin1");
  options = *(const wh_pg_options *)ledger_place.options;
  options.server.tls = WH_TLS_VERIFY;
  CHECK_FAILS(wh_ledger_open_postgres(&c, LONG_LEASE_US, &l, &test_err), WH_ERR_DENIED);
  CHECK_ERROR_HAS("has no TLS");
}

#else

#include "test.h"

TEST(postgres_is_not_built) {
  SKIP("this build has no PostgreSQL");
}

#endif
