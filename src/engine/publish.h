// Publishing a sealed attempt: the manifest first, then the object, nothing replaced. Used by the
// run that sealed it and, after a crash, by the run that adopts it; doing it twice is harmless.
#pragma once

#include "engine/engine.h"

// Both, the manifest first: for an object whose name no other run can have.
wh_status wh_publish_sealed(wh_engine *engine, const wh_sealed *sealed, wh_str run, wh_arena *arena,
                            wh_object *ret, wh_error *err);
// One by one, for a name that others may take: the object first, so that whoever finds the name
// taken leaves the manifest of what is there alone.
wh_status wh_publish_object(wh_engine *engine, const wh_sealed *sealed, wh_arena *arena,
                            wh_object *ret, wh_error *err);
wh_status wh_publish_manifest(wh_engine *engine, const wh_sealed *sealed, wh_str run,
                              wh_arena *arena, wh_error *err);
