// Records that are held back: written one after the other, then read once in the same order. They
// stay in memory up to a limit and go to a file in a scratch folder past it.
//
// Memory: about limit_bytes, or the largest record where that is more. The file is readable by its
// owner only, is never synced, and is removed at close. Threads: one at a time.
#pragma once

#include "base/buf.h"
#include "base/os.h"

enum { WH_SPOOL_RECORD_MAX = 512 * 1024 * 1024 }; // bytes; WH_ERR_LIMIT

typedef struct wh_spool wh_spool;

// Touches no file; `scratch` is made when it is needed, and copied.
wh_status wh_spool_open(wh_os *os, wh_mem *mem, wh_str scratch, size_t limit_bytes, wh_spool **ret,
                        wh_error *err);
wh_status wh_spool_add(wh_spool *spool, wh_str record, wh_error *err);
// The next record, valid until the next call. WH_ERR_END: no more. Nothing can be added any more.
wh_status wh_spool_next(wh_spool *spool, wh_str *ret, wh_error *err);
void wh_spool_close(wh_spool *spool); // NULL is fine
