// Objects moved as they are (`raw: true`): bytes from store to store, checksummed on the way.
#pragma once

#include "engine/run.h"

// Like wh_run_one. The counts speak of objects: one read, one written, or one unchanged when the
// same bytes are there already under the name.
wh_status wh_run_raw(wh_engine *engine, const wh_run_request *request, wh_arena *arena,
                     wh_run *ret_run, wh_error *err);
