#include "ledger/lease_rows.h"

#include <unistd.h>

enum { HOST_NAME_MAX_BYTES = 256 };

wh_status ledger_holder_init(ledger_holder *h, wh_os *os, int64_t lease_us, wh_arena *arena,
                             wh_error *err) {
  WH_TRY(wh_ulid_new(os, h->token, err));
  char host[HOST_NAME_MAX_BYTES];
  if (gethostname(host, sizeof host) != 0) host[0] = 0;
  host[sizeof host - 1] = 0;
  h->lease_us = lease_us;
  h->name = wh_arena_printf(arena, "on %s, process %lld", host[0] ? host : "another machine",
                            (long long)getpid());
  return h->name.data ? WH_OK : wh_fail_memory(err);
}

static wh_status fail_held(ledger *l, wh_str name, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, l->mem);
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT holder FROM lease WHERE name = ?", &q);
  ledger_bind_text(&q, name);
  bool row = false;
  WH_TRY(ledger_step(&q, &row, err));
  wh_str holder = row ? ledger_read_text(&q, &arena) : (wh_str){0};
  return ledger_fail_held(name, holder, err);
}

wh_status lease_row_hold(ledger *l, const ledger_holder *h, wh_str name, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l,
                    "INSERT INTO lease (name, token, holder, until_us) VALUES (?,?,?,later_us(?))"
                    " ON CONFLICT (name) DO UPDATE SET token = excluded.token,"
                    " holder = excluded.holder, until_us = excluded.until_us"
                    " WHERE lease.until_us <= now_us() OR lease.token = excluded.token",
                    &q);
  ledger_bind_text(&q, name);
  ledger_bind_text(&q, wh_str_of(h->token));
  ledger_bind_text(&q, h->name);
  ledger_bind_i64(&q, h->lease_us);
  WH_TRY(ledger_run(&q, err));
  return q.changes ? WH_OK : fail_held(l, name, err);
}

wh_status lease_row_renew(ledger *l, const ledger_holder *h, wh_str name, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "UPDATE lease SET until_us = later_us(?) WHERE name = ? AND token = ?", &q);
  ledger_bind_i64(&q, h->lease_us);
  ledger_bind_text(&q, name);
  ledger_bind_text(&q, wh_str_of(h->token));
  WH_TRY(ledger_run(&q, err));
  return q.changes ? WH_OK : ledger_fail_stale(name, err);
}

// Should it fail, the time runs out.
void lease_row_give_back(ledger *l, const ledger_holder *h, wh_str name) {
  LEDGER_QUERY q;
  ledger_query_open(l, "DELETE FROM lease WHERE name = ? AND token = ?", &q);
  ledger_bind_text(&q, name);
  ledger_bind_text(&q, wh_str_of(h->token));
  WH_IGNORE(ledger_run(&q, NULL));
}

wh_status lease_row_is_held(ledger *l, wh_str name, bool *ret, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(l, "SELECT 1 FROM lease WHERE name = ? AND until_us > now_us()", &q);
  ledger_bind_text(&q, name);
  return ledger_step(&q, ret, err);
}
