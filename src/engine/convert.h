// One file to another format: the data path of a run (lanes, checks, quarantine) between two paths,
// without a ledger, cursors and manifests.
#pragma once

#include "engine/engine.h"

typedef struct wh_convert {
  const char *in, *out;  // paths; what is read is no symbolic link
  wh_format read, write; // codec NULL: by the ending of the path
  bool replace;          // an `out` that is there
} wh_convert;

typedef struct wh_converted {
  wh_counts counts;
  uint64_t bytes_read, bytes_written;
  wh_str rejects; // path of the file with the rejected rows; empty: there are none
  wh_schema schema;
  wh_str found; // out about how `in` is written; empty: there was nothing to find out
} wh_converted;

// Types are inferred, and widened where a later value needs it. Rejected rows go to
// OUT.rejected.ndjson, one JSON object a line, with the reason and the place of each.
// `out` appears whole and durable, or not at all. Of the engine's configuration only memory_bytes
// and state_folder (for state that spills) matter. Strings in the arena.
wh_status wh_engine_convert(wh_engine *engine, const wh_convert *request, wh_arena *arena,
                            wh_converted *ret, wh_error *err);
