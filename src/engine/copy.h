// Objects from store to store as they are: `wherry copy`. Many at once, none half, and again
// without doing again what is there.
#pragma once

#include "engine/engine.h"

enum {
  WH_COPY_LANES = 16, // objects on their way at once, unless said otherwise
  WH_COPY_LANES_MAX = 64,
  WH_COPY_WAITING_MAX = 256, // objects that were listed and wait for a lane
};

typedef struct wh_copy {
  wh_connection *from, *to; // stores
  // One key; or, where it is empty, ends with '/' or has wildcards, all that it means.
  wh_str source;
  // A folder ("" or "a/b/"), behind which keys stay as they were below that of `source`. For one
  // key also the whole new key.
  wh_str target;
  bool replace; // what is there with other bytes; else that object is told of, and stays
  bool verify;  // read what was written, or was there, and compare checksums
  size_t lanes; // 0: WH_COPY_LANES
} wh_copy;

typedef struct wh_copied {
  uint64_t objects, bytes; // copied
  uint64_t present;        // there already
  uint64_t failed;         // told of by `trouble`
  bool stopped;            // the engine was asked to stop
} wh_copied;

typedef void (*wh_copy_trouble)(void *context, const wh_error *err);

// An object is there already when it has as many bytes under its key and is not older; with
// `verify`, the same bytes. An object's manifest goes with it, before it. Whatever fails of one
// object does not keep the others: `trouble` is called, from any thread but never from two at once,
// and it counts as failed. The status is for what kept everything from going on. The engine's
// watcher sees the progress. WH_ERR_NOT_FOUND: there was nothing to copy.
wh_status wh_engine_copy(wh_engine *engine, const wh_copy *request, wh_copy_trouble trouble,
                         void *context, wh_copied *ret, wh_error *err);
