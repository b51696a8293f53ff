// What every ledger must pass runs once for each of these. A test gets a fresh ledger on a fresh
// simulated system, whose clock it may move; it may close and open the ledger again.
#pragma once

#include "ledger/ledger.h"
#include "sim_os.h"
#include "sim_vfs.h"
#include "test.h"

typedef struct ledger_factory {
  const char *name;
  // `folder` is empty the first time and keeps the ledger from one opening to the next.
  wh_status (*open)(wh_os *os, wh_mem *mem, const char *folder, wh_ledger **ret, wh_error *err);
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

static const ledger_factory ledger_factories[] = {{"sqlite", open_sqlite_ledger}};
enum { LEDGER_FACTORIES = sizeof ledger_factories / sizeof *ledger_factories };

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
    fixture f = {.factory = &ledger_factories[i], .os = sim_os_new(&test_mem, test_seed())};
    wh_arena_init(&f.arena, &test_mem);
    sim_vfs_use(f.os);
    if (open_ledger(&f)) test(&f);
    wh_ledger_close(f.l);
    sim_vfs_use(NULL);
    sim_os_free(f.os);
    wh_arena_free(&f.arena);
  }
}

#define LEDGER_TEST(ident)                                                                         \
  static void ledger_##ident(fixture *f);                                                          \
  TEST(ident) {                                                                                    \
    with_each_ledger(ledger_##ident);                                                              \
  }                                                                                                \
  static void ledger_##ident(fixture *f)

// For strings of tests: the view of a literal or a C string.
#define S(text) wh_str_of(text)

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
