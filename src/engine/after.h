// What becomes of an object at the source once it is where it goes (`after`): whichever of the
// pipelines that read it is done last, the object is put away as one of them says.
#pragma once

#include "engine/engine.h"

// The pipeline that says what becomes of the object that a run has read; NULL: nobody does.
const wh_pipeline *wh_after_pipeline(const wh_config *config, const wh_run *run);
// Whether objects that this connection has under the key are put away some time.
bool wh_after_takes(const wh_config *config, wh_str connection, wh_str key);
// WH_ERR_BUSY: the run that published the object was cut off before it could say so, and will look
// for it there.
wh_status wh_after_check_publisher(wh_engine *engine, wh_str connection, wh_str key,
                                   wh_arena *arena, wh_error *err);
// Moves or removes the version that the run has read, if everybody has it who reads it. What is
// gone by now, or was replaced, is left as it is.
wh_status wh_after_run(wh_engine *engine, const wh_run *run, wh_arena *arena, wh_error *err);
