// What a pipeline lets cross, column by column: for `plan`, for wherry.lock, and for every run,
// which checks it against the lock before it moves anything.
#pragma once

#include "config/lock.h"
#include "engine/flow.h"

// `out` is the schema behind the gate. The array lives in the arena.
wh_status wh_crossings_of(const wh_pipeline *pipeline, const wh_gate *gate, const wh_schema *out,
                          wh_arena *arena, wh_crossing **ret, size_t *ret_count, wh_error *err);

// Refuses what the promises forbid and the configuration alone could not know: a windowed cursor
// without a keyed, versioned sink; private columns into a connection that does not accept them.
wh_status wh_crossings_check(wh_engine *engine, const wh_pipeline *pipeline,
                             const wh_crossing *crossings, size_t count, wh_error *err);
wh_status wh_cursor_check(wh_engine *engine, const wh_pipeline *pipeline, wh_cursor_kind kind,
                          wh_arena *arena, wh_error *err);
// Refuses a comparison of keys (the source's names) whose deletions would not reach the rows of a
// table that they are for: it must tell rows apart by columns of that key.
wh_status wh_deletes_check(wh_engine *engine, const wh_pipeline *pipeline, const wh_str *key,
                           size_t count, wh_arena *arena, wh_error *err);
