// The services that run, and what is asked of them. Each holds the lock of a slot, so that the row
// of one that was killed is told from the row of one that lives.
#include "ledger/database.h"

typedef struct slot_name {
  char text[16];
} slot_name;

// No pipeline can be called that.
static slot_name name_of(uint32_t slot) {
  slot_name name;
  snprintf(name.text, sizeof name.text, "@up-%u", slot);
  return name;
}

wh_status ledger_service_begin(wh_ledger *base, wh_service *service, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  for (uint32_t slot = 0; slot < WH_SERVICES_MAX; slot++) {
    ledger_lease *lease;
    slot_name name = name_of(slot);
    wh_status status = ledger_take(l, wh_str_of(name.text), false, &lease, err);
    if (status == WH_ERR_BUSY) continue;
    WH_TRY(status);
    service->slot = slot;
    service->own = lease;
    return WH_OK;
  }
  return wh_fail(err, WH_ERR_BUSY, "%d services run on this ledger already", WH_SERVICES_MAX);
}

static wh_status tell_one(ledger *l, const wh_service *s, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO service (slot, pid, started_us, told_us, memory_bytes, address)"
                    " VALUES (?,?,?,?,?,?) ON CONFLICT (slot) DO UPDATE SET"
                    " pid = excluded.pid, started_us = excluded.started_us,"
                    " told_us = excluded.told_us, memory_bytes = excluded.memory_bytes,"
                    " address = excluded.address",
                    &q);
  ledger_bind_i64(&q, s->slot);
  ledger_bind_i64(&q, s->pid);
  ledger_bind_i64(&q, s->started_us);
  ledger_bind_i64(&q, s->told_us);
  ledger_bind_u64(&q, s->memory_bytes);
  ledger_bind_text(&q, s->address);
  return ledger_run(&q, err);
}

// What was counted before, if that was today.
#define SAME_DAY(column) "CASE WHEN asked.day = excluded.day THEN asked." column " ELSE 0 END"

static wh_status add_asked(ledger *l, int64_t day, const wh_asked *more, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO asked (lookup, day, asked, found, limited) VALUES (?,?,?,?,?)"
                    " ON CONFLICT (lookup) DO UPDATE SET day = excluded.day,"
                    " asked = excluded.asked + " SAME_DAY(
                        "asked") ","
                                 " found = excluded.found + " SAME_DAY(
                                     "found") ","
                                              " limited = excluded.limited + " SAME_DAY("limited"),
                    &q);
  ledger_bind_text(&q, more->lookup);
  ledger_bind_i64(&q, day);
  ledger_bind_u64(&q, more->asked);
  ledger_bind_u64(&q, more->found);
  ledger_bind_u64(&q, more->limited);
  return ledger_run(&q, err);
}

static wh_status tell(ledger *l, const wh_service *service, int64_t day, const wh_asked *more,
                      size_t count, wh_error *err) {
  WH_TRY(tell_one(l, service, err));
  for (size_t i = 0; i < count; i++)
    if (more[i].asked) WH_TRY(add_asked(l, day, &more[i], err));
  return WH_OK;
}

wh_status ledger_service_tell(wh_ledger *base, const wh_service *service, int64_t day,
                              const wh_asked *more, size_t count, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  return LEDGER_TRANSACTION_ONCE(l, tell(l, service, day, more, count, err), err);
}

static wh_status forget(ledger *l, uint32_t slot, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "DELETE FROM service WHERE slot = ?", &q);
  ledger_bind_i64(&q, slot);
  return ledger_run(&q, err);
}

void ledger_service_end(wh_ledger *base, wh_service *service) {
  if (!service->own) return;
  LEDGER_LOCK l = ledger_lock(base);
  // Should this fail, it looks as if it had been killed.
  WH_IGNORE(forget(l, service->slot, NULL));
  ledger_unhold(l, service->own);
  service->own = NULL;
}

static wh_status read_services(ledger *l, wh_arena *arena, wh_service *ret, size_t *ret_count,
                               wh_error *err) {
  size_t count = 0;
  bool row = true;
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "SELECT slot, pid, started_us, told_us, memory_bytes, address"
                    " FROM service ORDER BY slot",
                    &q);
  while (count < WH_SERVICES_MAX) {
    WH_TRY(ledger_step(&q, &row, err));
    if (!row) break;
    wh_service *s = &ret[count++];
    *s = (wh_service){.slot = (uint32_t)ledger_read_i64(&q)};
    s->pid = ledger_read_i64(&q);
    s->started_us = ledger_read_i64(&q);
    s->told_us = ledger_read_i64(&q);
    s->memory_bytes = ledger_read_u64(&q);
    s->address = ledger_read_text(&q, arena);
    WH_TRY(ledger_read_end(&q, err));
  }
  ledger_query_end(&q);
  for (size_t i = 0; i < count; i++) {
    slot_name name = name_of(ret[i].slot);
    WH_TRY(ledger_is_held(l, wh_str_of(name.text), &ret[i].running, err));
  }
  *ret_count = count;
  return WH_OK;
}

wh_status ledger_services(wh_ledger *base, wh_arena *arena, wh_service_visit visit, void *context,
                          wh_error *err) {
  wh_service services[WH_SERVICES_MAX];
  size_t count = 0;
  {
    LEDGER_LOCK l = ledger_lock(base);
    WH_TRY(read_services(l, arena, services, &count, err));
  }
  for (size_t i = 0; i < count; i++)
    WH_TRY(visit(context, &services[i], err));
  return WH_OK;
}

wh_status ledger_asked(wh_ledger *base, int64_t day, wh_asked *ret, wh_error *err) {
  LEDGER_LOCK l = ledger_lock(base);
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT asked, found, limited FROM asked WHERE lookup = ? AND day = ?", &q);
  ledger_bind_text(&q, ret->lookup);
  ledger_bind_i64(&q, day);
  bool row;
  WH_TRY(ledger_step(&q, &row, err));
  ret->asked = row ? ledger_read_u64(&q) : 0;
  ret->found = row ? ledger_read_u64(&q) : 0;
  ret->limited = row ? ledger_read_u64(&q) : 0;
  return WH_OK;
}
