// What `wherry up` tells other processes of itself, by the ledger: that it runs, what it takes, and
// what was asked of its pages, and sent to its endpoints, today. `wherry status` shows it. And what
// it tells its endpoints: how far the pipelines are that read them.
#pragma once

#include "cli/cli.h"
#include "serve/serve.h"

// What an endpoint is counted as in the ledger: requests are `asked`, events `found`, refusals
// `limited`. No lookup has such a name.
#define WH_UP_ENDPOINT "ingest/"

typedef struct wh_up_state {
  wh_cli *cli;
  wh_server *server;  // NULL: no pages
  wh_service service; // as last told
  wh_asked *told;     // one a lookup, then one an endpoint (WH_UP_ENDPOINT): told so far
  wh_asked *more;     // and since; scratch
  size_t count;
} wh_up_state;

// Says that it is up. NULL `server`: it has no pages.
wh_status wh_up_begin(wh_up_state *state, wh_cli *cli, wh_server *server, wh_error *err);
// Tells what has changed since, if anything has; a failure is for the next time.
void wh_up_tick(wh_up_state *state);
void wh_up_end(wh_up_state *state); // zeroed is fine
