// What is particular to a ledger in DynamoDB: answers that are lost, workers that commit at the
// same time, logs that get long while others read them, pieces, tables of something else.
#ifdef WHERRY_DYNAMODB

#include "aws_server.h"
#include "base/json_doc.h"
#include "ledger_story.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { SHORT_LEASE_US = 2000 * 1000 };
static const int64_t LONG_LEASE_US = LEDGER_TEST_LEASE_S * 1000000ll;

static wh_os_real real;
static wh_arena arena;
static const ledger_factory factory = {.name = "dynamodb", .open = open_dynamodb_ledger};

static const char *server; // that the test is against

static bool set_up(const char *name) {
  const char *reason;
  server = name;
  dynamodb_port = 0;
  test_dynamodb_open_at(name, &dynamodb_place, &reason);
  if (reason) {
    test_skip(reason);
    return false;
  }
  wh_arena_init(&arena, &test_mem);
  return CHECK_OK(wh_os_real_init(&real, &test_mem, &test_err));
}

static void tear_down(void) {
  dynamodb_lease_us = LONG_LEASE_US;
  wh_os_real_free(&real);
  wh_arena_free(&arena);
  end_dynamodb();
}

#define TABLE_TEST(ident)                                                                          \
  static void table_##ident(void);                                                                 \
  TEST(ident) {                                                                                    \
    if (!set_up("dynalite")) return;                                                               \
    table_##ident();                                                                               \
    tear_down();                                                                                   \
  }                                                                                                \
  TEST(local_##ident) {                                                                            \
    if (!set_up("dynamodb-local")) return;                                                         \
    table_##ident();                                                                               \
    tear_down();                                                                                   \
  }                                                                                                \
  static void table_##ident(void)

// A worker of its own on the test's one ledger.
static wh_status join(wh_ledger **ret) {
  *ret = NULL;
  return open_dynamodb_ledger(&real.base, &test_mem, test_folder(), ret, &test_err);
}

// From now on through a line on which `rate` of the requests fail, as the seed says.
static void disturb(uint64_t seed, double rate) {
  char call[64];
  snprintf(call, sizeof call, "disturb %u %.3f", (unsigned)(seed % 1000000), rate);
  dynamodb_port = (int)strtol(aws_server_do(server, call), NULL, 10);
}

// A request to the table itself; the answer.
static const char *ask(const char *action, const char *more) {
  static char body[4096];
  snprintf(body, sizeof body, "{\"TableName\":\"ledgers\"%s}", more);
  return test_dynamodb_do(&dynamodb_place, action, body);
}

static int64_t count_items(void) {
  int64_t count = 0;
  char more[512] = ",\"ProjectionExpression\":\"part\"";
  for (bool goes_on = true; goes_on;) {
    WH_CLEAN_JSON json_t *answer = json_loads(ask("Scan", more), 0, NULL);
    const json_t *last = json_object_get(answer, "LastEvaluatedKey");
    char *key = last ? json_dumps(last, 0) : NULL;
    count += json_integer_value(json_object_get(answer, "Count"));
    goes_on = key;
    snprintf(more, sizeof more, ",\"ProjectionExpression\":\"part\",\"ExclusiveStartKey\":%s",
             key ? key : "");
    free(key);
  }
  return count;
}

// --- lines that fail -----------------------------------------------------------------------------

static void tell_disturbed(uint64_t seed, double rate) {
  wh_arena own;
  wh_arena_init(&own, &test_mem);
  story s = {.mem = &test_mem, .factory = &factory, .err = &test_err, .arena = &own};
  s.os = sim_os_new(&test_mem, seed);
  disturb(seed, rate);
  wh_status status = story_open(&s);
  if (status == WH_OK) status = story_go_on(&s);
  if (!CHECK_EQ(status, WH_OK)) {
    test_note("%s", test_err.text);
    test_note("seed %llu: %s", (unsigned long long)seed, aws_server_do(server, "story"));
  }
  dynamodb_port = 0;
  story_close(&s); // what was not given back, nobody else has
  if (CHECK_OK(story_open(&s))) {
    story_check(&s);
    story_end(&s);
  }
  story_close(&s);
  close_dynamodb_lines();
  sim_os_free(s.os);
  wh_arena_free(&own);
}

TABLE_TEST(what_was_acknowledged_lasts_whatever_happens_to_requests) {
  int seeds = test_is_long() ? 300 : 6;
  for (int i = 0; i < seeds; i++)
    tell_disturbed(test_random(), i % 2 ? 0.1 : 0.4);
}

// It lives through requests that end in the middle, too.
TEST(another_server_keeps_it_as_well) {
  if (!set_up("moto")) return;
  for (int i = 0; i < 3; i++)
    tell_disturbed(test_random(), 0.15 * i);
  tear_down();
}

// An answer that is lost, again and again, until somebody else has gone on.
TABLE_TEST(a_lost_answer_is_known_by_its_commit) {
  wh_ledger *a, *b;
  disturb(1, 0);
  REQUIRE_OK(join(&a));
  int port = dynamodb_port;
  dynamodb_port = 0;
  REQUIRE_OK(join(&b));
  dynamodb_port = port;
  wh_lease lease = {0};
  CHECK_OK(b->type->acquire(b, S("p"), &lease, &test_err));
  for (int i = 0; i < 20; i++) {
    bool is_new = false;
    char key[16];
    snprintf(key, sizeof key, "%d", i);
    aws_server_do(server, i % 2 ? "spoil PutItem 1 cut-answer" : "spoil PutItem 1 repeat");
    CHECK_OK(a->type->put(a, S("p"), S(key), S("1"), i, &is_new, &test_err));
    CHECK(is_new); // it is not told twice, nor done twice
    wh_run run;
    if (i % 3 == 0) CHECK_OK(b->type->run_start(b, &lease, S(""), &arena, &run, &test_err));
  }
  wh_ledger_stats stats = {0};
  CHECK_OK(b->type->stats(b, S("p"), &stats, &test_err));
  wh_ledger_close(a);
  b->type->release(b, &lease);
  wh_ledger_close(b);
  REQUIRE_OK(join(&b));
  CHECK_OK(b->type->stats(b, S("p"), &stats, &test_err));
  CHECK_EQ(stats.waiting, 20);
  wh_ledger_close(b);
}

// --- several workers -----------------------------------------------------------------------------

enum { WORKERS = 3, KEYS = 40 };

static void take_turn(wh_ledger *l, const wh_lease *lease, uint64_t dice) {
  wh_work work;
  bool is_new, dead;
  char key[16];
  snprintf(key, sizeof key, "%u", (unsigned)(dice % KEYS));
  switch (dice / KEYS % 4) {
  case 0:
    CHECK_OK(l->type->put(l, S("p"), S(key), S("1"), (int64_t)(dice % KEYS), &is_new, &test_err));
    break;
  case 1:
    if (l->type->receive(l, lease, 0, &arena, &work, &test_err) == WH_OK)
      CHECK_OK(l->type->fail(l, lease, work.id, 3, false, 0, S("no"), &dead, &test_err));
    break;
  case 2:
    if (l->type->receive(l, lease, 0, &arena, &work, &test_err) == WH_OK)
      CHECK_OK(l->type->done(l, lease, work.id, &test_err));
    break;
  default:
    CHECK_OK(l->type->set_fired(l, lease, (int64_t)dice, &test_err));
  }
}

static wh_status add_work(void *context, const wh_work *work, wh_error *err) {
  (void)err;
  wh_buf_printf(context, "%.*s %u %d;", WH_STR_ARG(work->key), work->attempts, work->dead);
  return WH_OK;
}

static void describe(wh_ledger *l, wh_buf *out) {
  int64_t fired = 0;
  CHECK_OK(l->type->works(l, S("p"), &arena, add_work, out, &test_err));
  CHECK_OK(l->type->fired(l, S("p"), &fired, &test_err));
  wh_buf_printf(out, "fired %lld", (long long)fired);
}

// Each verb by another worker, through lines of their own that fail: what is there in the end is
// what one worker makes of it in a file.
TABLE_TEST(workers_in_turn_are_as_one) {
  wh_ledger *workers[WORKERS], *one;
  WH_CLEAN_BUF wh_buf shared, alone;
  wh_buf_init(&shared, &test_mem, 0);
  wh_buf_init(&alone, &test_mem, 0);
  disturb(test_random(), 0.1);
  for (int i = 0; i < WORKERS; i++)
    REQUIRE_OK(join(&workers[i]));
  REQUIRE_OK(open_sqlite_ledger(&real.base, &test_mem, test_folder(), &one, &test_err));
  int turns = test_is_long() ? 3000 : 200;
  for (int i = 0; i < turns; i++) {
    uint64_t dice = test_random() >> 8;
    take_turn(workers[test_random_below(WORKERS)], HELD("p"), dice);
    take_turn(one, HELD("p"), dice);
    wh_arena_reset(&arena);
  }
  // Who only reads sees what is a second old.
  CHECK_OK(workers[0]->type->set_fired(workers[0], HELD("p"), 1, &test_err));
  CHECK_OK(one->type->set_fired(one, HELD("p"), 1, &test_err));
  describe(workers[0], &shared);
  describe(one, &alone);
  CHECK_STR(wh_buf_str(&shared), wh_buf_str(&alone));
  for (int i = 0; i < WORKERS; i++)
    wh_ledger_close(workers[i]);
  wh_ledger_close(one);
}

static pid_t start_process(void (*work)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  return pid;
}

// Raises the order as often as it can.
static void start_runs(void) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_ledger *l;
  wh_arena own;
  wh_run run;
  wh_arena_init(&own, &mem);
  if (open_dynamodb_ledger(&real.base, &mem, test_folder(), &l, &test_err) != WH_OK) _exit(1);
  for (int i = 0; i < 1000; i++)
    WH_IGNORE(l->type->run_start(l, HELD("p"), S(""), &own, &run, NULL));
}

static wh_status count_run(void *context, const wh_run *run, wh_error *err) {
  (void)err;
  int64_t *last = context; // newest first, so orders go down
  CHECK(run->order < *last);
  *last = run->order;
  return WH_OK;
}

TABLE_TEST(killed_workers_leave_whole_commits) {
  for (int round = 0; round < 3; round++) {
    wh_ledger *l;
    REQUIRE_OK(join(&l));
    wh_ledger_close(l);
    pid_t a = start_process(start_runs), b = start_process(start_runs);
    usleep((useconds_t)(100000 + test_random_below(300000)));
    kill(a, SIGKILL);
    usleep((useconds_t)test_random_below(50000));
    kill(b, SIGKILL);
    waitpid(a, NULL, 0);
    waitpid(b, NULL, 0);
    REQUIRE_OK(join(&l));
    int64_t last = INT64_MAX;
    CHECK_OK(l->type->runs(l, S("p"), -1, 0, &arena, count_run, &last, &test_err));
    CHECK(last < INT64_MAX);
    wh_ledger_close(l);
  }
}

static void hold_and_wait(void) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_ledger *l;
  wh_lease lease;
  if (open_dynamodb_ledger(&real.base, &mem, test_folder(), &l, &test_err) != WH_OK) _exit(1);
  while (l->type->acquire(l, S("p"), &lease, &test_err) != WH_OK) // its parent looks, too
    usleep(5000);
  pause();
}

static bool is_held(wh_ledger *l) {
  wh_lease lease;
  if (l->type->acquire(l, S("p"), &lease, &test_err) != WH_OK) return true;
  l->type->release(l, &lease);
  return false;
}

TABLE_TEST(a_lease_lasts_while_its_worker_lives_and_no_longer) {
  wh_ledger *l;
  dynamodb_lease_us = SHORT_LEASE_US;
  REQUIRE_OK(join(&l));
  pid_t holder = start_process(hold_and_wait);
  for (int i = 0; i < 100 && !is_held(l); i++)
    usleep(20000);
  usleep(SHORT_LEASE_US + SHORT_LEASE_US / 2); // it is renewed meanwhile
  CHECK(is_held(l));
  CHECK_ERROR_HAS("p: another run of it is going on, on ");
  kill(holder, SIGKILL);
  waitpid(holder, NULL, 0);
  usleep(SHORT_LEASE_US + SHORT_LEASE_US / 5);
  CHECK(!is_held(l));
  wh_ledger_close(l);
}

// --- logs that get long --------------------------------------------------------------------------

static void put_numbered(wh_ledger *l, int from, int to) {
  for (int i = from; i < to; i++) {
    char key[80];
    bool is_new;
    snprintf(key, sizeof key, "inbound/erp/orders/%016llx%016llx.json",
             (unsigned long long)test_random(), (unsigned long long)test_random());
    CHECK_OK(l->type->put(l, S("p"), S(key), S("1"), i, &is_new, &test_err));
    CHECK(is_new);
  }
}

TABLE_TEST(a_long_log_is_put_together_while_others_read) {
  wh_ledger *a, *b, *c;
  wh_ledger_stats stats = {0};
  REQUIRE_OK(join(&a));
  REQUIRE_OK(join(&b));
  put_numbered(a, 0, 25);
  put_numbered(b, 25, 30); // a little behind
  put_numbered(a, 30, 600);
  CHECK(count_items() <= 4); // nothing that nobody wants is left
  put_numbered(b, 600, 601); // far behind
  CHECK_OK(b->type->stats(b, S("p"), &stats, &test_err));
  CHECK_EQ(stats.waiting, 601);
  REQUIRE_OK(join(&c));
  CHECK_OK(c->type->stats(c, S("p"), &stats, &test_err));
  CHECK_EQ(stats.waiting, 601);
  wh_ledger_close(a);
  wh_ledger_close(b);
  wh_ledger_close(c);
}

enum { MANY_HASHES = 200000 };

// More than an item may have, and nothing that compresses.
TABLE_TEST(a_large_commit_is_kept_in_pieces) {
  wh_ledger *a, *b;
  REQUIRE_OK(join(&a));
  REQUIRE_OK(join(&b));
  static uint64_t hashes[MANY_HASHES];
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < MANY_HASHES; i++)
      hashes[i] = test_random();
    wh_cursor cursor = {
        true, {.type = wh_type_of(WH_INT64), .as.i = round}, hashes, MANY_HASHES, 0};
    CHECK_OK(a->type->set_cursor(a, S("p"), &cursor, &test_err));
    CHECK_OK(b->type->set_fired(b, HELD("p"), round, &test_err)); // so that it is not behind
    wh_cursor got = {0};
    CHECK_OK(b->type->cursor(b, S("p"), &arena, &got, &test_err));
    CHECK_EQ(got.window_count, MANY_HASHES);
    CHECK(got.window_count == MANY_HASHES && memcmp(got.window, hashes, sizeof hashes) == 0);
    wh_arena_reset(&arena);
  }
  int64_t items = count_items();
  test_note("%d items", (int)items);
  CHECK(items > 5 && items < 40);
  wh_ledger_close(a);
  wh_ledger_close(b);
}

// --- other tables --------------------------------------------------------------------------------

static void make_table(const char *hash, const char *range) {
  char more[512];
  snprintf(more, sizeof more,
           ",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":"
           "\"%s\",\"AttributeType\":\"S\"},{\"AttributeName\":\"%s\",\"AttributeType\":\"N\"}],"
           "\"KeySchema\":[{\"AttributeName\":\"%s\",\"KeyType\":\"HASH\"},{\"AttributeName\":"
           "\"%s\",\"KeyType\":\"RANGE\"}]",
           hash, range, hash, range);
  ask("CreateTable", more);
  while (!strstr(ask("DescribeTable", ""), "ACTIVE"))
    usleep(1000);
}

TABLE_TEST(tables_of_something_else_are_refused) {
  wh_ledger *l;
  make_table("id", "n");
  CHECK_FAILS(join(&l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS(
      "ledger: table ledgers is not a ledger's: its key is not ledger (S) and part (N)");
}

static void put_item(const char *attributes) {
  char more[512], name[64] = "";
  WH_IGNORE(find_name(&real.base, test_folder(), name, sizeof name, &test_err));
  snprintf(more, sizeof more, ",\"Item\":{\"ledger\":{\"S\":\"%s\"},\"part\":{\"N\":\"0\"}%s}",
           name, attributes);
  ask("PutItem", more);
}

TABLE_TEST(items_of_something_else_and_newer_ledgers_are_refused) {
  wh_ledger *l;
  make_table("ledger", "part");
  put_item(",\"a\":{\"S\":\"b\"}");
  CHECK_FAILS(join(&l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("ledger: table ledgers has an item that is not a ledger's");
  put_item(",\"format\":{\"N\":\"2\"}");
  CHECK_FAILS(join(&l), WH_ERR_REFUSED);
  CHECK_ERROR_HAS("a newer wherry wrote this ledger (format 2; this one knows 1)");
  put_item(",\"format\":{\"N\":\"1\"},\"commit\":{\"N\":\"5\"},\"recent\":{\"B\":\"AAAAAAAAAAA=\"},"
           "\"log\":{\"B\":\"AAAA\"}");
  CHECK_FAILS(join(&l), WH_ERR_DATA);
  CHECK_ERROR_HAS("wherry ledger rebuild");
}

TABLE_TEST(a_ledger_that_was_removed_is_missed) {
  wh_ledger *l;
  REQUIRE_OK(join(&l));
  ask("DeleteTable", "");
  CHECK_FAILS(l->type->set_fired(l, HELD("p"), 1, &test_err), WH_ERR_NOT_FOUND);
  CHECK_FAILS(l->type->set_fired(l, HELD("p"), 1, &test_err), WH_ERR_NOT_FOUND);
  CHECK_ERROR_HAS("there is no table ledgers any more");
  wh_ledger_close(l);
}

#else
#include "test.h"
TEST(a_ledger_in_dynamodb) {
  SKIP("this wherry was built without DynamoDB");
}
#endif
