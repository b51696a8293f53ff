// The lookup page and its JSON API: one question, one row. `wherry up` starts it when the
// configuration has `serve:`.
//
//   GET  /NAME       the form of lookup NAME, HTML without scripts
//   POST /NAME       the question: application/x-www-form-urlencoded or application/json, whose
//                    fields are the key column and the proof columns. 200 with the row's `show`
//                    columns; 404 when nothing matches, the same bytes whether the key is not there
//                    or a proof is wrong; 400, 411, 413, 415 when the question cannot be read; 429
//                    with Retry-After past a limit; 503 with Retry-After while there is no table.
//                    JSON when the question is JSON or Accept asks for it: {"found":true,...} or
//                    {"found":false}, and {"error":"..."}.
//   GET  /NAME/logo  the logo, from memory
//   GET  /           a list of lookups; where there is one, a redirect to it; where there is none,
//   to
//                    /docs
//   GET  /healthz    "ok"
//
// Where the configuration has it (serve.docs), what there is and how it is used:
//   GET  /docs           a page (docs.h)
//   GET  /openapi.json   the OpenAPI document it is made from (openapi.h)
//
// Endpoints for events (serve.ingest):
//   POST /ingest/NAME   one JSON object or an array of them (application/json), or an object a line
//                       (application/x-ndjson). 202 with {"receipt":"...","events":n} when all of
//                       it is on disk; the same with an Idempotency-Key that came with the same
//                       body before. Else a problem (RFC 9457): 400 when it cannot be read, 401 and
//                       403, 411, 413, 415, 422 when an event does not fit its columns (with
//                       `errors`) or the key came with another body, 429 and 503 with Retry-After.
//   GET  /receipts/ID   what became of it; 404 when it is none, or older than `keep`
//
// Requests are logged at info, events only when they are refused: method, place, status, duration,
// and the network that asked; never a value or a whole address.
//
// Threads: the server has its own (WH_SERVE_THREADS that answer, one that keeps house). Start and
// stop from one thread; the rest from any. It reads `config` while it runs.
#pragma once

#include "config/config.h"

enum {
  WH_SERVE_THREADS = 2,
  WH_SERVE_CONNECTION_BYTES = 16 * 1024, // request line, headers and buffers of one connection
  WH_SERVE_REQUEST_SECONDS = 15,         // for a whole request and its answer, and idle between two
  WH_SERVE_STOP_SECONDS = 5,             // how long stopping waits for requests in hand
  WH_SERVE_ALIVE_SECONDS = 30,
  WH_SERVE_CERTIFICATE_SECONDS = 2, // between two looks at the certificate's files
  WH_SERVE_LOGO_BYTES_MAX = 256 * 1024,
  WH_SERVE_RESERVE_BYTES = 10 << 20, // what libmicrohttpd and GnuTLS may hold past the accountant
};

typedef struct wh_server wh_server;

// Since the start. asked = found + missed + limited + failed + those being answered.
typedef struct wh_server_counts {
  uint64_t asked, found, missed, limited;
  uint64_t failed; // questions that could not be answered: no table yet, a database that is away
} wh_server_counts;

// Listens for config->serve, whose references and masks it resolves (wh_config_serve). Databases
// are opened at the first question. WH_ERR_USAGE when serve: cannot work as written (a certificate
// that is none, two lookups at one path), WH_ERR_BUSY when the address is taken.
wh_status wh_server_start(wh_os *os, wh_mem *mem, wh_config *config, wh_server **ret,
                          wh_error *err);
// Takes no more connections, finishes the requests in hand, frees everything. NULL is fine.
void wh_server_stop(wh_server *server);

// Whether /docs and /openapi.json are there.
bool wh_server_has_docs(const wh_server *server);
// "http://127.0.0.1:8080", with the port that port 0 became. Lives as long as the server.
wh_str wh_server_address(const wh_server *server);
wh_server_counts wh_server_count(const wh_server *server);
// Whether its threads have shown signs of life in the last WH_SERVE_ALIVE_SECONDS.
bool wh_server_is_alive(const wh_server *server);
// Of one lookup, by its place in config->serve.lookups.
wh_server_counts wh_server_count_lookup(const wh_server *server, size_t lookup);

// Of one endpoint, by its place in config->serve.ingests, since the start.
typedef struct wh_ingest_counts {
  uint64_t requests, refused;
  uint64_t events;        // taken
  uint64_t waiting_bytes; // of events in its log
} wh_ingest_counts;
wh_ingest_counts wh_server_count_ingest(const wh_server *server, size_t ingest);
// All who read the endpoint have taken the events below this number: they may leave its log.
void wh_server_ingest_taken(wh_server *server, size_t ingest, int64_t number);
// What the libraries may hold past the accountant with the connections that `serve` allows.
size_t wh_server_reserve(const wh_serve *serve);
// Looks at the certificate's files now rather than within WH_SERVE_CERTIFICATE_SECONDS.
void wh_server_refresh(wh_server *server);
