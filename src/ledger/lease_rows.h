// Names held by rows with a time, for ledgers that workers on several machines share: table lease
// (name, token, holder, until_us). A name is free when until_us is over by the ledger's clock,
// whatever became of the worker.
#pragma once

#include "base/ulid.h"
#include "ledger/database.h"

// Of one opening of a ledger.
typedef struct ledger_holder {
  char token[WH_ULID_CHARS + 1]; // what it holds is marked with it
  wh_str name;                   // "on HOST, process 123", in the arena
  int64_t lease_us;
} ledger_holder;

wh_status ledger_holder_init(ledger_holder *h, wh_os *os, int64_t lease_us, wh_arena *arena,
                             wh_error *err);

// As ledger_driver has them. hold takes what runs out, and what is marked with our token though we
// do not hold it: a transaction whose end was not heard of.
wh_status lease_row_hold(ledger *l, const ledger_holder *h, wh_str name, wh_error *err);
// A lease that is over and that nobody else took is still ours: nothing happened meanwhile.
wh_status lease_row_renew(ledger *l, const ledger_holder *h, wh_str name, wh_error *err);
void lease_row_give_back(ledger *l, const ledger_holder *h, wh_str name);
wh_status lease_row_is_held(ledger *l, wh_str name, bool *ret, wh_error *err);
