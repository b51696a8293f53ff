// Objects moved as they are (`raw: true`): bytes from store to store, checksummed on the way.
#pragma once

#include "engine/run.h"

// Like wh_run_one. The counts speak of objects: one read, one written, or one unchanged when the
// same bytes are there already under the name.
wh_status wh_run_raw(wh_engine *engine, const wh_run_request *request, wh_arena *arena,
                     wh_run *ret_run, wh_error *err);
// The key that a template makes of the object under `key`, which the run has read. `with_run`:
// where the name is taken by other bytes, the run is added to it.
wh_status wh_raw_key(wh_str template, const wh_pipeline *p, const wh_run *run, wh_str key,
                     bool with_run, wh_arena *arena, wh_str *ret, wh_error *err);
