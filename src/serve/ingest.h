// POST /ingest/NAME and GET /receipts/ID (serve.h).
//
// A request is read and checked by the server's threads, handed to the committer, and answered when
// that has stored it; meanwhile its connection is suspended, so that no thread waits. What can be
// refused by its headers is refused before its body is read.
#pragma once

#include "serve/server.h"

enum { WH_INGEST_BODIES_SHARE = 4 }; // bodies in hand take at most `memory` / this

// Whether the path is of an endpoint or a receipt.
bool wh_ingest_is_at(const wh_server *server, wh_str path);
enum MHD_Result wh_ingest_begin(wh_server *server, struct MHD_Connection *connection,
                                const char *url, const char *method, wh_exchange **ret);
