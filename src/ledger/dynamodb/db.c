// The driver: SQLite's, on pages that others change too.
#include "ledger/dynamodb/dynamodb.h"

// --- other workers
// ---------------------------------------------------------------------------------

// So that they do not get in each other's way again.
static void pause_by_chance(dynamo_ledger *l) {
  wh_os *os = l->sql.base.os;
  unsigned doublings =
      l->losses < DYNAMO_PAUSE_DOUBLINGS_MAX ? l->losses : DYNAMO_PAUSE_DOUBLINGS_MAX;
  uint32_t chance = 0;
  if (os->type->random(os, &chance, sizeof chance, NULL) != WH_OK) return;
  int64_t us = (int64_t)(chance % (uint32_t)(DYNAMO_PAUSE_US_MIN << doublings));
  if (us) os->type->sleep_ns(os, us * 1000);
}

// Brings the pages to where others have left them, if that may be necessary and if no statement is
// reading them.
static wh_status freshen(dynamo_ledger *l, wh_error *err) {
  wh_os *os = l->sql.base.os;
  int64_t age_ns = os->type->monotonic_ns(os) - l->seen_ns;
  if (l->locked != SQLITE_LOCK_NONE) return WH_OK;
  if (!l->is_behind && age_ns < DYNAMO_FRESH_US * 1000ll) return WH_OK;
  if (l->losses) pause_by_chance(l);
  return dynamo_refresh(l, err);
}

static wh_status attempt(dynamo_ledger *l, wh_error *err) {
  wh_os *os = l->sql.base.os;
  l->attempt_ns = os->type->monotonic_ns(os);
  l->was_committed = l->in_the_way = l->has_fault = false;
  return freshen(l, err);
}

// What became of an attempt, whatever SQLite says: committed it is when the service says so.
static wh_status settle(dynamo_ledger *l, wh_status status, wh_error *err) {
  if (l->was_committed) {
    dynamo_pages_restore(&l->pages); // nothing, unless SQLite failed afterwards
    l->losses = 0;
    return WH_OK;
  }
  if (status == WH_OK) return WH_OK;
  if (sqlite3_get_autocommit(l->sql.db)) dynamo_pages_restore(&l->pages);
  if (!l->has_fault) return status;
  l->is_behind = true;
  l->losses += l->in_the_way;
  if (err) *err = l->fault_error;
  return l->fault;
}

// Should it fail, the next one does it.
static void tidy(dynamo_ledger *l) {
  if (!l->is_untidy || l->is_closing) return;
  l->is_untidy = false;
  WH_IGNORE(dynamo_tidy(l, NULL));
}

// --- transactions
// ----------------------------------------------------------------------------------

static wh_status begin(ledger *base, wh_error *err) {
  WH_TRY(attempt((dynamo_ledger *)base, err));
  return sqlite_begin(base, err);
}

// A no because of what others did is only given for what is so now.
static wh_status doubt(dynamo_ledger *l, wh_status status, wh_error *err) {
  bool is_of_others = status == WH_ERR_BUSY || status == WH_ERR_STALE ||
                      status == WH_ERR_NOT_FOUND || status == WH_ERR_END;
  if (!is_of_others || l->has_fault || l->seen_ns >= l->attempt_ns) return status;
  uint64_t before = l->head.ids[0];
  wh_error error = {0};
  wh_status refreshed = dynamo_refresh(l, &error);
  if (refreshed == WH_OK) {
    l->in_the_way = l->head.ids[0] != before;
    return status;
  }
  if (err) *err = error;
  return refreshed;
}

static wh_status end(ledger *base, wh_status status, wh_error *err) {
  dynamo_ledger *l = (dynamo_ledger *)base;
  status = settle(l, sqlite_end(base, status, err), err);
  if (status == WH_OK) tidy(l);
  return status == WH_OK ? WH_OK : doubt(l, status, err);
}

static bool again(ledger *l, bool once) {
  (void)once; // what is in doubt has been repeated for as long as a verb may wait
  return ((dynamo_ledger *)l)->in_the_way;
}

// --- statements
// ----------------------------------------------------------------------------------

// A statement that is its own transaction.
static wh_status step_alone(ledger_query *q, bool *ret_row, wh_error *err) {
  dynamo_ledger *l = (dynamo_ledger *)q->owner;
  wh_status status;
  for (int tries = 1;; tries++) {
    WH_TRY(attempt(l, err));
    *ret_row = false;
    status = settle(l, sqlite_driver.step(q, ret_row, err), err);
    if (status == WH_OK || !l->in_the_way || tries == DYNAMO_TRIES_MAX) break;
    sqlite_driver.end_query(q);
    q->own = NULL;
    q->started = false;
  }
  if (status == WH_OK) tidy(l);
  return status;
}

static wh_status step(ledger_query *q, bool *ret_row, wh_error *err) {
  const dynamo_ledger *l = (const dynamo_ledger *)q->owner;
  bool is_alone = sqlite3_get_autocommit(l->sql.db) && !q->started;
  return is_alone ? step_alone(q, ret_row, err) : sqlite_driver.step(q, ret_row, err);
}

static void end_query(ledger_query *q) {
  sqlite_driver.end_query(q);
}

static bool is_null(const ledger_query *q, int column) {
  return sqlite_driver.is_null(q, column);
}

static int64_t number(const ledger_query *q, int column) {
  return sqlite_driver.number(q, column);
}

static bool text(const ledger_query *q, int column, wh_str *ret) {
  return sqlite_driver.text(q, column, ret);
}

static wh_str bytes(const ledger_query *q, int column) {
  return sqlite_driver.bytes(q, column);
}

static wh_status write_hashes(ledger *l, int64_t id, const uint64_t *hashes, size_t count,
                              wh_error *err) {
  return sqlite_driver.write_hashes(l, id, hashes, count, err);
}

static wh_status read_hashes(ledger *l, int64_t id, wh_arena *arena, wh_cursor *ret,
                             wh_error *err) {
  return sqlite_driver.read_hashes(l, id, arena, ret, err);
}

const ledger_driver dynamo_driver = {
    .begin = begin,
    .end = end,
    .again = again,
    .tries = DYNAMO_TRIES_MAX,
    .is_optimistic = true,
    .step = step,
    .end_query = end_query,
    .is_null = is_null,
    .number = number,
    .text = text,
    .bytes = bytes,
    .page = 1,
    .write_hashes = write_hashes,
    .read_hashes = read_hashes,
    .hold = dynamo_hold,
    .renew = dynamo_renew,
    .give_back = dynamo_give_back,
    .is_held = lease_row_is_held,
};
