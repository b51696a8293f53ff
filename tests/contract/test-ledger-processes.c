// A ledger on the real system, shared by threads and by processes: leases keep runs apart and end
// with their process, each piece of work is given out once, every epoch and order is of its own.
#include "ledgers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static wh_os_real os;

static const ledger_factory *factory; // of the test that is going on

static wh_status join(wh_mem *mem, wh_ledger **ret, wh_error *err) {
  return factory->open(&os.base, mem, test_folder(), ret, err);
}

static bool open_here(wh_mem *mem, wh_ledger **ret) {
  return CHECK_OK(join(mem, ret, &test_err));
}

// Each factory gets a folder, or what stands for one, of its own.
static void with_each_factory(void (*test)(void)) {
  for (int i = 0; i < LEDGER_FACTORIES; i++) {
    factory = &ledger_factories[i];
    if (!begin_factory(factory)) continue;
    if (CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err))) test();
    wh_os_real_free(&os);
    end_factory(factory);
  }
}

// --- processes
// -------------------------------------------------------------------------------------

// Runs `work` in a process of its own, which writes one byte to its pipe when it is ready.
static pid_t in_process(void (*work)(int ready), int *ret_ready) {
  int fds[2];
  if (pipe(fds) != 0) return -1;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    close(fds[0]);
    work(fds[1]);
    _exit(0);
  }
  close(fds[1]);
  *ret_ready = fds[0];
  return pid;
}

static bool wait_ready(int fd, char *ret) {
  ssize_t n = read(fd, ret, 1);
  close(fd);
  return n == 1;
}

// In the child: a lease of "p", held until the process ends.
static void hold_lease(int ready) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_ledger *l;
  wh_lease lease;
  wh_error err;
  char outcome = 'x';
  if (join(&mem, &l, &err) == WH_OK)
    outcome = l->type->acquire(l, S("p"), &lease, &err) == WH_OK ? 'y' : 'n';
  if (write(ready, &outcome, 1) != 1) _exit(1);
  if (outcome == 'y') pause();
}

// Where leases have a time, test-ledger-postgres.c lets it run out.
TEST(a_lease_ends_with_its_process) {
  factory = &ledger_factories[0];
  REQUIRE_OK(wh_os_real_init(&os, &test_mem, &test_err));
  wh_ledger *l;
  REQUIRE(open_here(&test_mem, &l));
  wh_lease lease = {0};
  uint64_t epoch = 0;
  for (int i = 0; i < 3; i++) {
    int ready;
    pid_t holder = in_process(hold_lease, &ready);
    char outcome = 0;
    CHECK(wait_ready(ready, &outcome) && outcome == 'y');
    CHECK_FAILS(l->type->acquire(l, S("p"), &lease, &test_err), WH_ERR_BUSY);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    CHECK_OK(l->type->acquire(l, S("p"), &lease, &test_err));
    CHECK(lease.epoch >= epoch + 2);
    epoch = lease.epoch;
    pid_t other = in_process(hold_lease, &ready);
    CHECK(wait_ready(ready, &outcome) && outcome == 'n');
    waitpid(other, NULL, 0);
    l->type->release(l, &lease);
  }
  wh_ledger_close(l);
  wh_os_real_free(&os);
}

enum { SHARERS = 3, WORKS = 60 };

// In a child or a thread: takes work until there is none; counts what it got.
static int take_all(wh_ledger *l, wh_mem *mem, bool *seen) {
  wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_work work;
  wh_error err;
  wh_status status;
  int count = 0;
  for (;;) {
    status = l->type->receive(l, HELD("p"), 3600ll * 1000000, &arena, &work, &err);
    if (status == WH_ERR_BUSY) continue;
    if (status != WH_OK) break;
    uint64_t number = 0;
    if (wh_str_to_u64(work.key, &number) && number < WORKS && !seen[number]) count++;
    seen[number % WORKS] = true;
    wh_arena_reset(&arena);
  }
  wh_arena_free(&arena);
  return status == WH_ERR_END ? count : -1;
}

static void take_in_process(int ready) {
  wh_mem mem;
  wh_mem_init(&mem, 0);
  wh_ledger *l;
  wh_error err;
  bool seen[WORKS] = {0};
  char count = -1;
  if (join(&mem, &l, &err) == WH_OK) count = (char)take_all(l, &mem, seen);
  if (write(ready, &count, 1) != 1) _exit(1);
}

static void put_works(wh_ledger *l) {
  for (int i = 0; i < WORKS; i++) {
    char key[16];
    bool is_new;
    snprintf(key, sizeof key, "%d", i);
    CHECK_OK(l->type->put(l, S("p"), S(key), S("1"), i, &is_new, &test_err));
  }
}

static void share_among_processes(void) {
  wh_ledger *l;
  REQUIRE(open_here(&test_mem, &l));
  put_works(l);
  pid_t pids[SHARERS];
  int ready[SHARERS], total = 0;
  for (int i = 0; i < SHARERS; i++)
    pids[i] = in_process(take_in_process, &ready[i]);
  for (int i = 0; i < SHARERS; i++) {
    char count = 0;
    CHECK(wait_ready(ready[i], &count) && count >= 0);
    total += count;
    waitpid(pids[i], NULL, 0);
  }
  CHECK_EQ(total, WORKS); // each by one
  wh_ledger_close(l);
}

TEST(processes_share_the_queue) {
  with_each_factory(share_among_processes);
}

// --- threads
// ---------------------------------------------------------------------------------------

typedef struct sharer {
  wh_ledger *l;
  bool seen[WORKS];
  int got, leases, held; // held: how many had the lease at the same time, at most
  int64_t orders[20];
  pthread_t thread;
} sharer;

static atomic_int holders;

static void *share(void *context) {
  sharer *s = context;
  s->got = take_all(s->l, &test_mem, s->seen);
  wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  while (s->leases < 20) {
    wh_lease lease;
    wh_run run;
    wh_error err;
    if (s->l->type->acquire(s->l, S("p"), &lease, &err) != WH_OK) continue;
    int now = atomic_fetch_add(&holders, 1) + 1;
    if (now > s->held) s->held = now;
    if (s->l->type->run_start(s->l, &lease, S(""), &arena, &run, &err) == WH_OK)
      s->orders[s->leases++] = run.order;
    atomic_fetch_sub(&holders, 1);
    s->l->type->release(s->l, &lease);
  }
  wh_arena_free(&arena);
  return NULL;
}

static void share_among_threads(void) {
  wh_ledger *l;
  REQUIRE(open_here(&test_mem, &l));
  put_works(l);
  static sharer sharers[SHARERS];
  memset(sharers, 0, sizeof sharers);
  for (int i = 0; i < SHARERS; i++) {
    sharers[i].l = l;
    REQUIRE(pthread_create(&sharers[i].thread, NULL, share, &sharers[i]) == 0);
  }
  int total = 0;
  for (int i = 0; i < SHARERS; i++) {
    pthread_join(sharers[i].thread, NULL);
    total += sharers[i].got;
    CHECK_EQ(sharers[i].held, 1);
    for (int j = 0; j < i; j++) {
      for (int a = 0; a < 20; a++) {
        for (int b = 0; b < 20; b++)
          CHECK(sharers[i].orders[a] != sharers[j].orders[b]);
      }
    }
  }
  CHECK_EQ(total, WORKS);
  wh_ledger_close(l);
}

TEST(threads_share_a_ledger) {
  with_each_factory(share_among_threads);
}
