// One object from store to store, bytes, manifest and all. Internal to engine/.
#pragma once

#include "engine/copy.h"

enum { WH_COPY_READ_BYTES = 256 * 1024 };

// What a lane has for itself.
typedef struct wh_copy_lane {
  wh_engine *engine;
  const wh_copy *request;
  bool ask;           // whether there may be something at the target
  bool has_manifests; // whether there may be one at the source
  bool is_alone;      // no other lane has a large object: it may take its share of the memory
  wh_arena arena;     // of one object
  char *data;         // WH_COPY_READ_BYTES
} wh_copy_lane;

wh_status wh_copy_stopped(wh_error *err); // WH_ERR_CANCELLED

// Copies `object`, as it was listed, to `key`. *ret_copied: false where it is there already.
// WH_ERR_EXISTS: something else is.
wh_status wh_copy_object(wh_copy_lane *lane, const wh_object *object, wh_str key, bool *ret_copied,
                         wh_error *err);
