// What every ledger must pass runs once for each of these. A test gets a fresh ledger on a fresh
// simulated system, whose clock it may move (pass_time); it may close and open the ledger again.
#pragma once

#include "connect/dynamodb/ledger_place.h"
#include "connect/postgres/postgres.h"
#include "ledger/ledger.h"
#include "place_dynamodb.h"
#include "place_postgres.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

#include <unistd.h>

typedef struct ledger_factory {
  const char *name;
  // `folder` is empty the first time and keeps the ledger from one opening to the next.
  wh_status (*open)(wh_os *os, wh_mem *mem, const char *folder, wh_ledger **ret, wh_error *err);
  bool has_server;            // its data are not on the simulated system's disk
  const char *(*begin)(void); // what its ledgers need; why this machine has none. NULL: nothing
  void (*end)(void);
  void (*set_clock)(wh_os *os); // a clock of its own, to the system's; NULL: it has none
  bool is_second; // another server for a ledger that has one: large counts leave it to test-long
} ledger_factory;

enum { LEDGER_TEST_LEASE_S = 3600 };

static inline wh_status open_sqlite_ledger(wh_os *os, wh_mem *mem, const char *folder,
                                           wh_ledger **ret, wh_error *err) {
  wh_arena arena;
  wh_arena_init(&arena, mem);
  char *path = wh_path_join(&arena, folder, "ledger.db");
  char *locks = wh_path_join(&arena, folder, "locks");
  wh_status status =
      path && locks ? wh_ledger_open_sqlite(os, mem, path, locks, ret, err) : wh_fail_memory(err);
  wh_arena_free(&arena);
  return status;
}

// What a ledger on a server is called stands in a file of the folder that it is the ledger of.
static inline wh_status find_name(wh_os *os, const char *folder, char *ret, size_t cap,
                                  wh_error *err) {
  static unsigned number;
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  char *path = wh_path_join(&arena, folder, "name");
  wh_str text = {0};
  wh_status status = path ? wh_os_read_file(os, path, cap, &arena, &text, err) : WH_ERR_MEMORY;
  if (status == WH_OK) {
    snprintf(ret, cap, "%.*s", WH_STR_ARG(text));
  } else if (status == WH_ERR_NOT_FOUND) {
    snprintf(ret, cap, "ledger %u", ++number);
    status = wh_os_make_path(os, folder, err);
    if (status == WH_OK) status = wh_os_write_file(os, path, wh_str_of(ret), false, err);
  }
  wh_arena_free(&arena);
  return status;
}

#ifdef WHERRY_POSTGRES
static wh_connection ledger_place; // of the test that is going on
static int ledger_port;            // a line to its server that is not the server's own; 0: none

static inline const char *begin_postgres(void) {
  const char *reason;
  test_postgres_open(&ledger_place, &reason);
  return reason;
}

static inline void end_postgres(void) {
  test_postgres_close(&ledger_place);
}

// Where the system is simulated, the server's clock stands still until the test moves it.
static inline void set_server_clock(wh_os *os) {
  char sql[100];
  snprintf(sql, sizeof sql,
           "DELETE FROM public.test_clock; INSERT INTO public.test_clock VALUES "
           "(%lld)",
           (long long)wh_now_us(os));
  test_postgres_sql(&ledger_place, sql);
}

static inline void replace_clock(wh_os *os, const char *schema) {
  char sql[300];
  snprintf(sql, sizeof sql,
           "CREATE TABLE IF NOT EXISTS public.test_clock (us bigint);"
           "CREATE OR REPLACE FUNCTION \"%s\".now_us() RETURNS bigint LANGUAGE sql STABLE AS "
           "'SELECT us FROM public.test_clock'",
           schema);
  test_postgres_sql(&ledger_place, sql);
  set_server_clock(os);
}

static inline wh_status open_postgres_ledger(wh_os *os, wh_mem *mem, const char *folder,
                                             wh_ledger **ret, wh_error *err) {
  char schema[64];
  WH_TRY(find_name(os, folder, schema, sizeof schema, err));
  wh_connection c = ledger_place;
  wh_pg_options options = *(const wh_pg_options *)c.options;
  static char kept[64]; // by the ledger that is open
  snprintf(kept, sizeof kept, "%s", schema);
  options.schema = wh_str_of(kept);
  if (ledger_port) options.server.port = ledger_port;
  c.options = &options;
  c.name = WH_STR("ledger");
  bool is_simulated = c.os->type != os->type;
  c.os = os;
  c.mem = mem;
  WH_TRY(wh_ledger_open_postgres(&c, LEDGER_TEST_LEASE_S * 1000000ll, ret, err));
  if (is_simulated) replace_clock(os, schema);
  return WH_OK;
}
#endif

#ifdef WHERRY_DYNAMODB
static wh_connection dynamodb_place; // of the test that is going on
static int dynamodb_port;            // of a proxy before its server; 0: none
static int64_t dynamodb_lease_us = LEDGER_TEST_LEASE_S * 1000000ll;

// What the client keeps from one ledger to the next is not what a test measures. A line belongs to
// one process and leads to one port.
enum { DYNAMODB_LINES_MAX = 4 };
static struct {
  wh_connection c;
  wh_dynamodb_ledger_options options;
  char url[64];
  pid_t owner; // 0: free
  int port;
} dynamodb_lines[DYNAMODB_LINES_MAX];
static wh_mem dynamodb_mem;

static inline wh_connection *dynamodb_line(void) {
  int i = 0, unused = 0;
  while (i < DYNAMODB_LINES_MAX &&
         (dynamodb_lines[i].owner != getpid() || dynamodb_lines[i].port != dynamodb_port))
    i++;
  if (i < DYNAMODB_LINES_MAX) return &dynamodb_lines[i].c;
  while (dynamodb_lines[unused].owner == getpid() && unused < DYNAMODB_LINES_MAX - 1)
    unused++;
  dynamodb_lines[unused].owner = getpid();
  dynamodb_lines[unused].port = dynamodb_port;
  wh_dynamodb_ledger_options *options = &dynamodb_lines[unused].options;
  *options = (wh_dynamodb_ledger_options){0};
  snprintf(dynamodb_lines[unused].url, sizeof dynamodb_lines[unused].url, "http://127.0.0.1:%d",
           dynamodb_port);
  if (dynamodb_port) options->place.endpoint = wh_str_of(dynamodb_lines[unused].url);
  wh_connection *c = &dynamodb_lines[unused].c;
  *c = dynamodb_place;
  c->type = &wh_dynamodb_ledger_place;
  c->options = options;
  c->mem = &dynamodb_mem;
  c->own = NULL;
  CHECK_OK(c->type->open(c, &test_err));
  return c;
}

// When no ledger uses them any more.
static inline void close_dynamodb_lines(void) {
  for (int i = 0; i < DYNAMODB_LINES_MAX; i++) {
    wh_connection *c = &dynamodb_lines[i].c;
    if (dynamodb_lines[i].owner == getpid()) c->type->close(c);
    dynamodb_lines[i].owner = 0;
  }
}

static inline const char *begin_dynamodb(void) {
  const char *reason;
  test_dynamodb_open(&dynamodb_place, &reason);
  dynamodb_port = 0;
  return reason;
}

static inline const char *begin_dynamodb_local(void) {
  const char *reason;
  test_dynamodb_open_local(&dynamodb_place, &reason);
  dynamodb_port = 0;
  return reason;
}

static inline void end_dynamodb(void) {
  close_dynamodb_lines();
  test_dynamodb_close(&dynamodb_place);
}

static inline wh_status open_dynamodb_ledger(wh_os *os, wh_mem *mem, const char *folder,
                                             wh_ledger **ret, wh_error *err) {
  char name[64];
  WH_TRY(find_name(os, folder, name, sizeof name, err));
  wh_connection c = *dynamodb_line();
  wh_dynamodb_ledger_options options = *(const wh_dynamodb_ledger_options *)c.options;
  options.table = WH_STR("ledgers");
  options.ledger = wh_str_of(name);
  c.options = &options;
  c.name = WH_STR("ledger");
  c.os = os;
  c.mem = mem;
  return wh_ledger_open_dynamodb(&c, dynamodb_lease_us, ret, err);
}
#endif

static const ledger_factory ledger_factories[] = {
    {"sqlite", open_sqlite_ledger, false, NULL, NULL, NULL, false},
#ifdef WHERRY_POSTGRES
    {"postgres", open_postgres_ledger, true, begin_postgres, end_postgres, set_server_clock, false},
#endif
#ifdef WHERRY_DYNAMODB
    {"dynamodb", open_dynamodb_ledger, true, begin_dynamodb, end_dynamodb, NULL, false},
    {"dynamodb local", open_dynamodb_ledger, true, begin_dynamodb_local, end_dynamodb, NULL, true},
#endif
};
enum { LEDGER_FACTORIES = sizeof ledger_factories / sizeof *ledger_factories };

// False, and said so, when this machine has no such server.
static inline bool begin_factory(const ledger_factory *factory) {
  const char *reason = factory->begin ? factory->begin() : NULL;
  if (reason) test_note("%s: %s", factory->name, reason);
  return !reason;
}

static inline void end_factory(const ledger_factory *factory) {
  if (factory->end) factory->end();
}

typedef struct fixture {
  const ledger_factory *factory;
  wh_os *os;
  wh_arena arena;
  wh_ledger *l;
  const wh_ledger_type *t;
} fixture;

static inline bool open_ledger(fixture *f) {
  f->l = NULL;
  if (!CHECK_OK(f->factory->open(f->os, &test_mem, "state", &f->l, &test_err))) return false;
  f->t = f->l->type;
  return true;
}

static inline bool reopen_ledger(fixture *f) {
  wh_ledger_close(f->l);
  return open_ledger(f);
}

static inline void with_each_ledger(void (*test)(fixture *f)) {
  for (int i = 0; i < LEDGER_FACTORIES; i++) {
    if (!begin_factory(&ledger_factories[i])) continue;
    fixture f = {.factory = &ledger_factories[i], .os = sim_os_new(&test_mem, test_seed())};
    wh_arena_init(&f.arena, &test_mem);
    sim_vfs_use(f.os);
    if (open_ledger(&f)) test(&f);
    wh_ledger_close(f.l);
    sim_vfs_use(NULL);
    sim_os_free(f.os);
    wh_arena_free(&f.arena);
    end_factory(&ledger_factories[i]);
  }
}

// On both clocks.
static inline void pass_time(fixture *f, int64_t ns) {
  sim_os_advance(f->os, ns);
  if (f->factory->set_clock) f->factory->set_clock(f->os);
}

#define LEDGER_TEST(ident)                                                                         \
  static void ledger_##ident(fixture *f);                                                          \
  TEST(ident) {                                                                                    \
    with_each_ledger(ledger_##ident);                                                              \
  }                                                                                                \
  static void ledger_##ident(fixture *f)

// For strings of tests: the view of a literal or a C string.
#define S(text) wh_str_of(text)
// A lease that nobody took over, where a test is of something else.
#define HELD(name) (&(wh_lease){.pipeline = S(name), .epoch = WH_EPOCH_MAX})

static inline wh_run *start_run(fixture *f, const wh_lease *lease, const char *object) {
  wh_run *run = WH_NEW(&f->arena, wh_run);
  if (!CHECK_OK(f->t->run_start(f->l, lease, S(object), &f->arena, run, &test_err))) return NULL;
  return run;
}

static inline wh_status finish_run(fixture *f, wh_run *run, wh_run_state state) {
  run->state = state;
  wh_finish finish = {.run = run};
  return f->t->run_finish(f->l, &finish, &test_err);
}
