// Shared by serve.c and lookup.c.
#pragma once

#include "config/private.h"

void wh_load_lookups(wh_loader *l, const wh_node *node);
// Endpoints whose address others can reach say who may send: as far as it is known while loading,
// and once it is. The second resolves their secrets, too; the caller has the lock.
void wh_load_ingest_auth(wh_loader *l);
wh_status wh_config_ingest_auth(const wh_config *config, wh_error *err);
// "127.0.0.1:8080", "localhost:8080", "[::1]:8080"; port 0 is any free one.
bool wh_serve_listen_ok(wh_str text);
// An address or a CIDR block (RFC 4632 section 3.1, RFC 4291 section 2.3).
bool wh_serve_proxy_ok(wh_str text);
#define WH_PROXY_FORMS "an address or a block, such as 10.0.0.1 or 10.0.0.0/8"
