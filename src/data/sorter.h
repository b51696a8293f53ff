// Byte strings in the order of their bytes, each once, inside bounded memory: they are sorted in
// memory, and once that is full go to a file in a scratch folder, from which what was sorted at
// different times is merged.
//
// Memory: about limit_bytes (while merging, no less than a record a run). Nothing outlives the
// sorter: the file is never synced, is readable by its owner only, and is removed at close.
//
// Threads: one at a time.
#pragma once

#include "base/buf.h"
#include "base/os.h"

enum {
  WH_SORTER_RECORD_MAX = 64 * 1024, // bytes; WH_ERR_LIMIT
  WH_SORTER_RUNS_MAX = 4096,        // that are merged; WH_ERR_LIMIT
};

typedef struct wh_sorter wh_sorter;

// Touches no file; `scratch` is made when it is needed, and copied.
wh_status wh_sorter_open(wh_os *os, wh_mem *mem, wh_str scratch, size_t limit_bytes,
                         wh_sorter **ret, wh_error *err);
wh_status wh_sorter_add(wh_sorter *sorter, wh_str record, wh_error *err);
// The next one, valid until the next call. WH_ERR_END: no more. Nothing can be added any more.
wh_status wh_sorter_next(wh_sorter *sorter, wh_str *ret, wh_error *err);
void wh_sorter_close(wh_sorter *sorter); // NULL is fine
