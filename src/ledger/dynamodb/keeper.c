// What a worker holds: rows with a time (lease_rows.h), and the thread that pushes it ahead.
#include "base/thread.h"
#include "ledger/dynamodb/dynamodb.h"

static wh_str name_of(const ledger_lease *lease) {
  return wh_str_n(lease->name, lease->len);
}

// --- the thread
// ------------------------------------------------------------------------------------

// One that was lost is seen by its epoch.
static wh_status renew_held(dynamo_ledger *l, wh_error *err) {
  for (const ledger_lease *held = l->sql.base.leases; held; held = held->next) {
    wh_status status = lease_row_renew(&l->sql.base, &l->holder, name_of(held), err);
    if (status != WH_OK && status != WH_ERR_STALE) return status;
  }
  return WH_OK;
}

static void renew_all(dynamo_ledger *l) {
  LEDGER_LOCK locked = ledger_lock(&l->sql.base.base);
  if (!locked->leases) return;
  // What it fails of is tried again; if all of them fail, the lease is over.
  WH_IGNORE(LEDGER_TRANSACTION(locked, renew_held(l, NULL), NULL));
}

// False: it is to stop.
static bool sleep_until_due(dynamo_ledger *l) {
  dynamo_keeper *k = &l->keeper;
  struct timespec due = wh_cond_until(l->holder.lease_us / DYNAMO_RENEWALS);
  pthread_mutex_lock(&k->mutex);
  int rc = 0;
  while (!k->stopping && rc == 0)
    rc = pthread_cond_timedwait(&k->wake, &k->mutex, &due);
  bool goes_on = !k->stopping;
  pthread_mutex_unlock(&k->mutex);
  return goes_on;
}

static void *keep(void *context) {
  dynamo_ledger *l = context;
  while (sleep_until_due(l))
    renew_all(l);
  return NULL;
}

wh_status dynamo_keeper_init(dynamo_ledger *l, wh_error *err) {
  dynamo_keeper *k = &l->keeper;
  WH_TRY(wh_cond_init(&k->wake, err));
  k->has_mutex = pthread_mutex_init(&k->mutex, NULL) == 0;
  if (k->has_mutex) return WH_OK;
  pthread_cond_destroy(&k->wake);
  return wh_fail_memory(err);
}

static wh_status start(dynamo_ledger *l, wh_error *err) {
  dynamo_keeper *k = &l->keeper;
  if (k->runs) return WH_OK;
  WH_TRY(wh_thread_start(&k->thread, keep, l, err));
  k->runs = true;
  return WH_OK;
}

void dynamo_keeper_stop(dynamo_ledger *l) {
  dynamo_keeper *k = &l->keeper;
  if (!k->has_mutex) return;
  pthread_mutex_lock(&k->mutex);
  k->stopping = true;
  pthread_cond_signal(&k->wake);
  pthread_mutex_unlock(&k->mutex);
  if (k->runs) pthread_join(k->thread, NULL);
  k->runs = false;
  pthread_mutex_destroy(&k->mutex);
  pthread_cond_destroy(&k->wake);
  k->has_mutex = false;
}

// --- holding
// ---------------------------------------------------------------------------------------

wh_status dynamo_hold(ledger *base, ledger_lease *lease, wh_error *err) {
  dynamo_ledger *l = (dynamo_ledger *)base;
  WH_TRY(start(l, err));
  return lease_row_hold(base, &l->holder, name_of(lease), err);
}

// Writes nothing while the thread has done it lately.
wh_status dynamo_renew(ledger *base, const ledger_lease *lease, wh_error *err) {
  dynamo_ledger *l = (dynamo_ledger *)base;
  wh_str name = name_of(lease);
  bool row, is_late = false;
  {
    LEDGER_QUERY q;
    ledger_query_open(base, "SELECT until_us < later_us(?) FROM lease WHERE name = ? AND token = ?",
                      &q);
    ledger_bind_i64(&q, l->holder.lease_us / DYNAMO_RENEWALS);
    ledger_bind_text(&q, name);
    ledger_bind_text(&q, wh_str_of(l->holder.token));
    WH_TRY(ledger_step(&q, &row, err));
    if (row) is_late = ledger_read_i64(&q);
  }
  if (!row) return ledger_fail_stale(name, err);
  return is_late ? lease_row_renew(base, &l->holder, name, err) : WH_OK;
}

void dynamo_give_back(ledger *base, ledger_lease *lease) {
  lease_row_give_back(base, &((dynamo_ledger *)base)->holder, name_of(lease));
}
