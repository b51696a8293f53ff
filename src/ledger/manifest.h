// Manifests: what an object that Wherry published is. One JSON document beside each object, under
// _wherry/manifests/, published before it; it crosses with the object, so that the receiving side
// can verify what was sent, keep the types, and tell newer from older.
//
//   {"manifest": 1, "key": "inbound/orders-01jd.json", "pipeline": "export-orders",
//    "run": "01jd...", "codec": "json", "order": 1795251600000000, "epoch": 3,
//    "created": "2026-11-21T09:00:00.123Z", "sha256": "<64 hex digits>", "bytes": 14200000,
//    "rows": 100000, "row_hash": "<16 hex digits>", "newest_by": "UpdatedAt",
//    "cursor": {"from": "...", "to": "...", "type": "timestamp[us,UTC]", "last": "..."},
//    "schema": [{"name": "OrderNumber", "type": "string", "nullable": false, "class": "internal"}]}
//
// "manifest" is the version of the form: it grows when a reader that does not know it would go
// wrong; members that may be passed over are added without. newest_by and the members of cursor
// are left out where there is nothing to say; last is null for a NULL. Hashes are text because
// JSON readers elsewhere lose digits of numbers beyond 2^53.
#pragma once

#include "connect/store.h"
#include "data/value.h"

#define WH_MANIFEST_PREFIX WH_OWN_PREFIX "manifests/"
#define WH_CODEC_RAW       "raw" // the codec of an object whose bytes are somebody else's

enum {
  WH_MANIFEST_VERSION = 1,
  WH_MANIFEST_BYTES_MAX = 16 << 20,
};

typedef struct wh_manifest {
  wh_str key; // of the object in its store
  wh_str pipeline;
  wh_str run;
  wh_str codec;     // "raw": the bytes are somebody else's, there are no rows
  wh_str sha256;    // of the object's bytes; 64 hex digits
  wh_str newest_by; // column of the rows' version; empty: none
  int64_t order;
  uint64_t epoch;
  uint64_t rows, bytes, row_hash;
  int64_t created_us;
  wh_schema schema;
  wh_str cursor_from, cursor_to; // as in wh_run; empty: none
  bool has_cursor;
  wh_value cursor_last;
} wh_manifest;

// False, and out->failed, without memory.
bool wh_manifest_write(const wh_manifest *manifest, wh_buf *out);
// Strict about what it knows, silent about members it does not. WH_ERR_DATA with the member that
// is wrong; WH_ERR_REFUSED for a form of a later version; WH_ERR_LIMIT. Strings live in the arena.
wh_status wh_manifest_parse(wh_str json, wh_arena *arena, wh_manifest *ret, wh_error *err);
// "_wherry/manifests/KEY.json"; an empty .data without memory.
wh_str wh_manifest_key(wh_str object_key, wh_arena *arena);
