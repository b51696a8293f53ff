#include "ledger/ledger.h"
#include "connect/connect.h"

#ifndef WHERRY_POSTGRES
wh_status wh_ledger_open_postgres(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                  wh_error *err) {
  (void)lease_us, (void)ret;
  return wh_fail(err, WH_ERR_USAGE, "%.*s: this wherry was built without PostgreSQL",
                 WH_STR_ARG(c->name));
}
#endif

#ifndef WHERRY_DYNAMODB
wh_status wh_ledger_open_dynamodb(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                  wh_error *err) {
  (void)lease_us, (void)ret;
  return wh_fail(err, WH_ERR_USAGE, "%.*s: this wherry was built without DynamoDB",
                 WH_STR_ARG(c->name));
}
#endif

wh_status wh_ledger_open_shared(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                wh_error *err) {
  bool is_dynamodb = strcmp(c->type->name, "dynamodb") == 0;
  return (is_dynamodb ? wh_ledger_open_dynamodb : wh_ledger_open_postgres)(c, lease_us, ret, err);
}

const char *wh_run_state_name(wh_run_state state) {
  switch (state) {
  case WH_RUN_RUNNING:
    return "running";
  case WH_RUN_SEALED:
    return "sealed";
  case WH_RUN_DONE:
    return "done";
  case WH_RUN_FAILED:
    return "failed";
  case WH_RUN_STOPPED:
    return "stopped";
  }
  return "unknown";
}

bool wh_run_state_parse(wh_str name, wh_run_state *ret) {
  for (wh_run_state state = WH_RUN_RUNNING; state <= WH_RUN_STOPPED; state++) {
    if (!wh_str_is(name, wh_run_state_name(state))) continue;
    *ret = state;
    return true;
  }
  return false;
}
