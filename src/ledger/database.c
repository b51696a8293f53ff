// What the verbs of a ledger in a database stand on: the lock, queries.
#include "ledger/database.h"

#include <assert.h>

wh_status ledger_init(ledger *l, const ledger_driver *driver, wh_os *os, wh_mem *mem,
                      wh_error *err) {
  l->driver = driver;
  l->os = os;
  l->mem = mem;
  if (pthread_mutex_init(&l->mutex, NULL) != 0) return wh_fail_memory(err);
  if (pthread_mutex_init(&l->lease_mutex, NULL) != 0) {
    pthread_mutex_destroy(&l->mutex);
    return wh_fail_memory(err);
  }
  l->has_mutex = true;
  return WH_OK;
}

void ledger_free(ledger *l) {
  if (!l->has_mutex) return;
  while (l->leases)
    ledger_unhold(l, l->leases);
  pthread_mutex_destroy(&l->lease_mutex);
  pthread_mutex_destroy(&l->mutex);
  l->has_mutex = false;
}

ledger *ledger_lock(wh_ledger *base) {
  ledger *l = (ledger *)base;
  pthread_mutex_lock(&l->mutex);
  return l;
}

void ledger_unlock(ledger **l) {
  if (*l) pthread_mutex_unlock(&(*l)->mutex);
}

// --- queries
// ---------------------------------------------------------------------------------------

void ledger_query_open(ledger *l, const char *sql, ledger_query *ret) {
  ret->owner = l;
  ret->sql = sql;
  ret->bound = ret->read = ret->row = 0;
  ret->started = ret->sent = ret->no_memory = false;
  ret->changes = 0;
  ret->own = NULL;
}

void ledger_query_end(ledger_query *q) {
  if (!q->sql) return;
  q->owner->driver->end_query(q);
  q->sql = NULL;
}

static void bind(ledger_query *q, ledger_param param) {
  assert(q->bound < LEDGER_PARAMS_MAX);
  q->params[q->bound++] = param;
}

void ledger_bind_text(ledger_query *q, wh_str text) {
  bind(q, (ledger_param){.kind = LEDGER_TEXT, .text = text.data ? text : WH_STR("")});
}

void ledger_bind_blob(ledger_query *q, wh_str bytes) {
  bind(q, (ledger_param){.kind = LEDGER_BLOB, .text = bytes.data ? bytes : WH_STR("")});
}

void ledger_bind_i64(ledger_query *q, int64_t value) {
  bind(q, (ledger_param){.kind = LEDGER_NUMBER, .number = value});
}

void ledger_bind_u64(ledger_query *q, uint64_t value) {
  ledger_bind_i64(q, (int64_t)value);
}

void ledger_bind_null(ledger_query *q) {
  bind(q, (ledger_param){.kind = LEDGER_NULL});
}

void ledger_bind_zeroes(ledger_query *q, uint64_t bytes) {
  bind(q, (ledger_param){.kind = LEDGER_ZEROES, .number = (int64_t)bytes});
}

wh_status ledger_step(ledger_query *q, bool *ret_row, wh_error *err) {
  q->read = 0;
  return q->owner->driver->step(q, ret_row, err);
}

wh_status ledger_run(ledger_query *q, wh_error *err) {
  bool row = true;
  wh_status status = WH_OK;
  while (status == WH_OK && row)
    status = ledger_step(q, &row, err);
  ledger_query_end(q);
  return status;
}

wh_status ledger_send(ledger_query *q, wh_error *err) {
  const ledger_driver *driver = q->owner->driver;
  return driver->send ? driver->send(q, false, err) : WH_OK;
}

wh_status ledger_run_later(ledger_query *q, wh_error *err) {
  const ledger_driver *driver = q->owner->driver;
  if (!driver->send) return ledger_run(q, err);
  WH_TRY(driver->send(q, true, err));
  ledger_query_end(q);
  return WH_OK;
}

wh_status ledger_list_step(ledger_query *q, bool *ret_row, wh_error *err) {
  *ret_row = false;
  if (!q->sql) return WH_OK;
  WH_TRY(ledger_step(q, ret_row, err));
  if (!*ret_row) ledger_query_end(q);
  return WH_OK;
}

void ledger_list_pause(ledger_query *q, wh_status status) {
  if (q->sql && (status != WH_OK || q->owner->driver->page == 1)) ledger_query_end(q);
}

wh_str ledger_read_text(ledger_query *q, wh_arena *arena) {
  wh_str text = {0};
  bool good = q->owner->driver->text(q, q->read++, &text);
  if (good && !text.data) return (wh_str){0}; // NULL
  wh_str copy = good ? wh_arena_str(arena, text) : (wh_str){0};
  q->no_memory |= !copy.data;
  return copy;
}

wh_str ledger_read_blob(ledger_query *q, wh_arena *arena) {
  wh_str copy = wh_arena_str(arena, q->owner->driver->bytes(q, q->read++));
  q->no_memory |= !copy.data;
  return copy;
}

int64_t ledger_read_i64(ledger_query *q) {
  return q->owner->driver->number(q, q->read++);
}

uint64_t ledger_read_u64(ledger_query *q) {
  return (uint64_t)ledger_read_i64(q);
}

bool ledger_next_is_null(const ledger_query *q) {
  return q->owner->driver->is_null(q, q->read);
}

wh_status ledger_read_end(const ledger_query *q, wh_error *err) {
  return q->no_memory ? wh_fail_memory(err) : WH_OK;
}
