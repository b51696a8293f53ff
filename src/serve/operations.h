// The listener for those who operate the service, beside that of the pages (serve.metrics):
//
//   GET /healthz  200 "ok": the process answers
//   GET /readyz   200 "ready", or 503 with a line for each reason: the service has not begun or is
//                 ending, its main thread is stuck, a thread of the pages is, the ledger cannot be
//                 read
//   GET /metrics  for Prometheus (serve/metrics.h); 401 or 403 where `auth` refuses
//
// It is for a network that one trusts: HTTP, few connections at once. Each has a thread, so that
// /healthz is answered while a question to the ledger takes long. Questions are not logged, refused
// ones are.
//
// Threads: start and stop from one; the rest from any.
#pragma once

#include "engine/engine.h"
#include "serve/serve.h"

enum {
  WH_OPERATIONS_CONNECTIONS_MAX = 32,
  WH_OPERATIONS_CONNECTIONS_PER_ADDRESS = 16,
  WH_OPERATIONS_IDLE_SECONDS = 10,
  WH_OPERATIONS_FRESH_SECONDS = 1, // the ledger is asked no more often, however often we are
  WH_OPERATIONS_BEAT_SECONDS = 30, // without a sign of the service: it is stuck
};

typedef struct wh_operations wh_operations;

// Listens at config->serve.metrics, which is given. `server`: of the pages, or NULL; it outlives
// this. WH_ERR_BUSY: the address is taken.
wh_status wh_operations_start(wh_engine *engine, const wh_server *server, wh_operations **ret,
                              wh_error *err);
void wh_operations_stop(wh_operations *operations);            // NULL is fine
wh_str wh_operations_address(const wh_operations *operations); // "http://127.0.0.1:9090"

// NULL is fine for both. A run ended; the service's main thread lives.
void wh_operations_count_run(wh_operations *operations, const wh_run *run);
void wh_operations_beat(wh_operations *operations);
