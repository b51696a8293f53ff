// The built-in connection `ingest`: what the endpoints of serve.ingest have taken, as a source.
//
//   from: ingest:payments
//
// and what queues bring that say what their messages hold (engine/inbox.h), which are named alike:
// from: callbacks stands for from: ingest:callbacks.
//
// Its tables are the endpoints, their columns those that are declared there and, in front of them:
//
//   _event        int64      the number of the event: it grows, and is the cursor
//   _receipt      text       what the sender was told (GET /receipts/ID)
//   _received_at  timestamp  when it was on disk
//
// The cursor is exact: one committer numbers the events, and a number is visible only when all
// below it are. Events were checked when they came; what does not fit its column now (it was taken
// to be quarantined, or the columns were changed since) rejects the row.
//
// Nobody declares a connection of this type: config/ makes it where serve.ingest is given.
#pragma once

#include "connect/connect.h"

extern const wh_connector wh_connector_ingest;

#define WH_INGEST_CONNECTION "ingest"
#define WH_INGEST_CURSOR     "_event"

enum { WH_INGEST_OWN_COLUMNS = 3 }; // which stand in front of the declared ones

typedef struct wh_ingest_endpoint {
  wh_str name;
  wh_str queue;     // connection whose messages its events are; empty: they come over HTTP
  const char *log;  // path of its log
  wh_schema schema; // its own columns, then those that are declared
} wh_ingest_endpoint;

typedef struct wh_ingest_options {
  const wh_ingest_endpoint *endpoints;
  size_t count;
} wh_ingest_options;

// The declared columns with the own ones in front. In the arena.
wh_status wh_ingest_schema(const wh_field *columns, size_t count, wh_arena *arena, wh_schema *ret,
                           wh_error *err);
// Only the declared ones of it.
static inline wh_schema wh_ingest_declared(const wh_ingest_endpoint *endpoint) {
  return (wh_schema){endpoint->schema.count - WH_INGEST_OWN_COLUMNS,
                     endpoint->schema.fields + WH_INGEST_OWN_COLUMNS};
}

// Events are on disk: tells those who gather them (wh_source_type.gather). Any thread.
void wh_ingest_tell(wh_connection *connection, const wh_ingest_endpoint *endpoint, uint64_t events,
                    uint64_t bytes);

// Private to this folder.
wh_status wh_ingest_hub_open(wh_connection *connection, wh_error *err);
void wh_ingest_hub_close(wh_connection *connection);
wh_status wh_ingest_gather(wh_connection *connection, wh_str table, const wh_gather_limits *limits,
                           wh_gather **ret, wh_error *err);
wh_status wh_ingest_find(const wh_connection *connection, wh_str table,
                         const wh_ingest_endpoint **ret, wh_error *err);
