// What every ledger must pass runs once for each of these. A test gets a fresh ledger on a fresh
// simulated system, whose clock it may move (pass_time); it may close and open the ledger again.
#pragma once

#include "connect/postgres/postgres.h"
#include "ledger/ledger.h"
#include "place_postgres.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

typedef struct ledger_factory {
  const char *name;
  // `folder` is empty the first time and keeps the ledger from one opening to the next.
  wh_status (*open)(wh_os *os, wh_mem *mem, const char *folder, wh_ledger **ret, wh_error *err);
  bool has_server; // its data, and its clock, are not the simulated system's
} ledger_factory;

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

#ifdef WHERRY_POSTGRES
static wh_connection ledger_place; // of the test that is going on
static int ledger_port;            // a line to its server that is not the server's own; 0: none
enum { LEDGER_TEST_LEASE_S = 3600 };

static inline const char *begin_place(void) {
  const char *reason;
  test_postgres_open(&ledger_place, &reason);
  return reason;
}

static inline void end_place(void) {
  test_postgres_close(&ledger_place);
}

// Which schema is the folder's stands in a file of the folder.
static inline wh_status find_schema(wh_os *os, const char *folder, char *ret, size_t cap,
                                    wh_error *err) {
  static unsigned number;
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  char *path = wh_path_join(&arena, folder, "schema");
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
  WH_TRY(find_schema(os, folder, schema, sizeof schema, err));
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

static const ledger_factory ledger_factories[] = {
    {"sqlite", open_sqlite_ledger, false},
#ifdef WHERRY_POSTGRES
    {"postgres", open_postgres_ledger, true},
#endif
};
enum { LEDGER_FACTORIES = sizeof ledger_factories / sizeof *ledger_factories };

// What the factory's ledgers need. False, and said so, when this machine has no such server.
static inline bool begin_factory(const ledger_factory *factory) {
#ifdef WHERRY_POSTGRES
  const char *reason = factory->has_server ? begin_place() : NULL;
  if (reason) test_note("%s: %s", factory->name, reason);
  return !reason;
#else
  return !factory->has_server;
#endif
}

static inline void end_factory(const ledger_factory *factory) {
#ifdef WHERRY_POSTGRES
  if (factory->has_server) end_place();
#endif
  (void)factory;
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
#ifdef WHERRY_POSTGRES
  if (f->factory->has_server) set_server_clock(f->os);
#endif
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
