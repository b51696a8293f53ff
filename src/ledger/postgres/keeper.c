// What a worker holds, and the thread that renews it: a row with a time, by the server's clock,
// after which it is free. The same thread listens to what other workers tell.
#include "base/thread.h"
#include "ledger/postgres/postgres.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// --- holding
// ---------------------------------------------------------------------------------------

static wh_str name_of(const ledger_lease *lease) {
  return wh_str_n(lease->name, lease->len);
}

wh_status pg_hold(ledger *base, ledger_lease *lease, wh_error *err) {
  pg_ledger *l = (pg_ledger *)base;
  WH_TRY(pg_keeper_start(l, err));
  l->has_held = true;
  return lease_row_hold(base, &l->holder, name_of(lease), err);
}

wh_status pg_renew(ledger *base, const ledger_lease *lease, wh_error *err) {
  return lease_row_renew(base, &((pg_ledger *)base)->holder, name_of(lease), err);
}

void pg_give_back(ledger *base, ledger_lease *lease) {
  lease_row_give_back(base, &((pg_ledger *)base)->holder, name_of(lease));
}

// --- renewing
// --------------------------------------------------------------------------------------

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

// The names that are held, as JSON; empty when there are none.
static void list_held(pg_ledger *l, wh_buf *out) {
  pthread_mutex_lock(&l->base.lease_mutex);
  for (const ledger_lease *held = l->base.leases; held; held = held->next) {
    wh_buf_add_char(out, out->len ? ',' : '[');
    wh_buf_add_json(out, wh_str_n(held->name, held->len));
  }
  pthread_mutex_unlock(&l->base.lease_mutex);
  if (out->len) wh_buf_add_char(out, ']');
}

// Only what is held: something that could not be given back is to run out.
static wh_status renew_held(pg_ledger *l, wh_error *err) {
  WH_CLEAN_BUF wh_buf names;
  wh_buf_init(&names, l->base.mem, 0);
  list_held(l, &names);
  if (!names.len) return WH_OK;
  WH_TRY(wh_buf_check(&names, err));
  char lease[24];
  snprintf(lease, sizeof lease, "%lld", (long long)l->holder.lease_us);
  return wh_pg_run(l->keeper.session,
                   WH_STR("UPDATE lease SET until_us = later_us($1) WHERE token = $2 AND name IN"
                          " (SELECT pg_catalog.json_array_elements_text($3))"),
                   (wh_str[]){wh_str_of(lease), wh_str_of(l->holder.token), wh_buf_str(&names)}, 3,
                   NULL, err);
}

// --- listening
// -------------------------------------------------------------------------------------

static void add_heard(pg_keeper *k, const char *name) {
  uint64_t one = 1;
  pthread_mutex_lock(&k->heard_mutex);
  // When there is no room for names, any pipeline may have been meant.
  if (k->heard.len > PG_LEDGER_HEARD_MAX || !wh_buf_add(&k->heard, name, strlen(name) + 1)) {
    wh_buf_clear(&k->heard);
    wh_buf_add_char(&k->heard, 0);
  }
  pthread_mutex_unlock(&k->heard_mutex);
  ssize_t ignored = write(k->heard_fd, &one, sizeof one);
  (void)ignored;
}

static void take_notices(pg_keeper *k) {
  PGnotify *notice;
  while ((notice = PQnotifies(k->session->conn))) {
    if (notice->be_pid != atomic_load(&k->own_pid)) add_heard(k, notice->extra);
    PQfreemem(notice);
  }
}

static wh_status start_listening(pg_ledger *l, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, l->base.mem, 0);
  wh_buf_add_c(&sql, "LISTEN ");
  wh_pg_add_name(&sql, l->options.schema);
  WH_TRY(wh_buf_check(&sql, err));
  WH_TRY(wh_pg_run_c(l->keeper.session, sql.data, err));
  add_heard(&l->keeper, ""); // what was told before nobody heard
  return WH_OK;
}

// --- the thread
// ------------------------------------------------------------------------------------

typedef struct keeping {
  int64_t renew_ms; // when next
  bool listening;
} keeping;

static void drop(pg_keeper *k, keeping *now) {
  wh_pg_close(k->session);
  k->session = NULL;
  now->listening = false;
}

static wh_status keep_up(pg_ledger *l, keeping *now, wh_error *err) {
  pg_keeper *k = &l->keeper;
  bool is_due = now_ms() >= now->renew_ms;
  bool wants_ears = atomic_load(&k->listens) && !now->listening;
  if (!k->session && (is_due || wants_ears))
    WH_TRY(pg_ledger_connect(l, &k->connection, &k->session, err));
  if (is_due) {
    WH_TRY(renew_held(l, err));
    now->renew_ms = now_ms() + l->holder.lease_us / 1000 / PG_LEDGER_RENEWALS;
  }
  if (wants_ears) {
    WH_TRY(start_listening(l, err));
    now->listening = true;
  }
  if (k->session && !PQconsumeInput(k->session->conn))
    return wh_pg_fail_lost(k->session, "listening", err);
  if (k->session) take_notices(k);
  return WH_OK;
}

static void wait(pg_keeper *k, int64_t until_ms) {
  struct pollfd fds[2] = {{.fd = k->wake_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
  if (k->session) fds[1].fd = PQsocket(k->session->conn);
  int64_t left = until_ms - now_ms();
  int ready = poll(fds, 2, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
  uint64_t ignored;
  if (ready > 0 && fds[0].revents && read(k->wake_fd, &ignored, sizeof ignored) < 0) return;
}

static void *keep(void *context) {
  pg_ledger *l = context;
  pg_keeper *k = &l->keeper;
  // The first lease was just taken.
  keeping now = {.renew_ms = now_ms() + l->holder.lease_us / 1000 / PG_LEDGER_RENEWALS};
  while (!atomic_load(&k->stopping)) {
    // What it fails of is tried again; a lease that is lost for it is seen by its epoch.
    if (keep_up(l, &now, NULL) == WH_OK) {
      wait(k, now.renew_ms);
      continue;
    }
    drop(k, &now);
    wait(k, now_ms() + PG_LEDGER_RETRY_US / 1000);
  }
  drop(k, &now);
  return NULL;
}

wh_status pg_keeper_init(pg_ledger *l, wh_error *err) {
  pg_keeper *k = &l->keeper;
  k->connection = l->connection;
  k->connection.cancel = &k->stopping;
  wh_buf_init(&k->heard, l->base.mem, 0);
  k->has_mutex = pthread_mutex_init(&k->heard_mutex, NULL) == 0;
  k->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  k->heard_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (k->has_mutex && k->wake_fd >= 0 && k->heard_fd >= 0) return WH_OK;
  return wh_fail(err, WH_ERR_IO, "%s: eventfd failed", l->base.path);
}

wh_status pg_keeper_start(pg_ledger *l, wh_error *err) {
  pg_keeper *k = &l->keeper;
  if (k->runs) return WH_OK;
  WH_TRY(wh_thread_start(&k->thread, keep, l, err));
  k->runs = true;
  return WH_OK;
}

static void wake(pg_keeper *k) {
  uint64_t one = 1;
  ssize_t ignored = write(k->wake_fd, &one, sizeof one);
  (void)ignored;
}

void pg_keeper_stop(pg_ledger *l) {
  pg_keeper *k = &l->keeper;
  if (k->runs) {
    atomic_store(&k->stopping, true);
    wake(k);
    pthread_join(k->thread, NULL);
  }
  k->runs = false;
  if (!k->has_mutex) return;
  if (k->wake_fd >= 0) close(k->wake_fd);
  if (k->heard_fd >= 0) close(k->heard_fd);
  wh_buf_free(&k->heard);
  pthread_mutex_destroy(&k->heard_mutex);
  k->has_mutex = false;
}

// --- the verbs
// -------------------------------------------------------------------------------------

wh_status pg_listen(wh_ledger *base, int *ret_fd, wh_error *err) {
  LEDGER_LOCK locked = ledger_lock(base);
  pg_ledger *l = (pg_ledger *)locked;
  WH_TRY(pg_keeper_start(l, err));
  atomic_store(&l->keeper.listens, true);
  wake(&l->keeper);
  *ret_fd = l->keeper.heard_fd;
  return WH_OK;
}

void pg_heard(wh_ledger *base, wh_heard_visit visit, void *context) {
  pg_keeper *k = &((pg_ledger *)base)->keeper;
  uint64_t ignored;
  if (read(k->heard_fd, &ignored, sizeof ignored) < 0) return;
  wh_buf names;
  wh_buf_init(&names, k->heard.mem, 0);
  pthread_mutex_lock(&k->heard_mutex);
  wh_buf taken = k->heard;
  k->heard = names;
  pthread_mutex_unlock(&k->heard_mutex);
  for (size_t at = 0; at < taken.len; at += strlen(taken.data + at) + 1)
    visit(context, wh_str_of(taken.data + at));
  wh_buf_free(&taken);
}
