// Publishing a sealed attempt: the manifest first, then the object, nothing replaced. Used by the
// run that sealed it and, after a crash, by the run that adopts it; doing it twice is harmless.
#pragma once

#include "engine/engine.h"

wh_status wh_publish_sealed(wh_engine *engine, const wh_sealed *sealed, wh_str run, wh_arena *arena,
                            wh_object *ret, wh_error *err);
