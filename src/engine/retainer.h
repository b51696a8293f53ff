// A thread that lets go what `retain` does not keep, now and then, while a service runs. Internal
// to engine/.
#pragma once

#include "engine/engine.h"

typedef struct wh_retainer wh_retainer;

// *ret NULL: everything is kept, and there is no thread.
wh_status wh_retainer_start(wh_engine *engine, wh_retainer **ret, wh_error *err);
void wh_retainer_stop(wh_retainer *retainer); // NULL is fine
