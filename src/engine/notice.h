// What is told of a run: a small JSON document, made from what the ledger keeps of it. It names
// places and counts rows; it holds no row, and no error's text, which may quote one.
//
//   {"wherry": 1, "id": "01jd...-alerts", "pipeline": "export-orders", "run": "01jd...",
//    "status": "done", "time": "2026-11-21T09:00:00.123Z", "order": 1795251600000000,
//    "source": "lake:in/a.json@v1",
//    "object": {"address": "lake:inbound/orders-01jd.json", "bucket": "acme-lake",
//               "key": "inbound/orders-01jd.json", "version": "...", "bytes": 14200000,
//               "sha256": "..."},
//    "table": "website:orders",
//    "rows_read": 100000, "rows_written": 100000, ...}
//
// "object" where one was published, with bucket and key where its store has buckets; "table" where
// one was loaded; "source" where an object was read. "wherry" is the version of the form.
// connect/object_event.h reads it. Internal to engine/.
#pragma once

#include "connect/notify.h"
#include "engine/engine.h"

// `body` becomes the document; the rest of *ret borrows from the run and the arena.
wh_status wh_notice_make(wh_engine *engine, const wh_run *run, wh_str target, wh_arena *arena,
                         wh_buf *body, wh_notice *ret, wh_error *err);
