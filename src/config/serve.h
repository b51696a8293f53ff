// Shared by serve.c and lookup.c.
#pragma once

#include "config/private.h"

void wh_load_lookups(wh_loader *l, const wh_node *node);
// The columns of events, as `columns: node` declares them; whose own are put in front.
void wh_load_event_columns(wh_loader *l, const char *owner, const wh_node *node, wh_schema *ret);
// Queues that say what their messages hold, in the order of the connections.
bool wh_connector_is_inbox(const wh_connector *type); // it may bring rows
size_t wh_count_inboxes(const wh_loader *l);
void wh_load_inboxes(wh_loader *l, wh_ingest_endpoint *ret);
// Endpoints whose address others can reach say who may send: as far as it is known while loading,
// and once it is. The second resolves their secrets, too; the caller has the lock.
void wh_load_ingest_auth(wh_loader *l);
wh_status wh_config_ingest_auth(const wh_config *config, wh_error *err);
// "127.0.0.1:8080", "localhost:8080", "[::1]:8080"; port 0 is any free one.
bool wh_serve_listen_ok(wh_str text);
// An address or a CIDR block (RFC 4632 section 3.1, RFC 4291 section 2.3).
bool wh_serve_proxy_ok(wh_str text);
#define WH_PROXY_FORMS "an address or a block, such as 10.0.0.1 or 10.0.0.0/8"
