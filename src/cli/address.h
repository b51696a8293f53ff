// Addresses as a person types them behind a command: "lake:inbound/a.json".
#pragma once

#include "cli/cli.h"

typedef struct wh_typed_address {
  wh_str connection, thing;
  const wh_connection_info *info; // with a type
} wh_typed_address;

// Splits the word and finds its connection in cli->config: "no connection 'lak'. Did you mean
// 'lake'?" (WH_ERR_USAGE). The thing may be empty.
wh_status wh_typed_address_read(const wh_cli *cli, wh_str word, wh_typed_address *ret,
                                wh_error *err);
