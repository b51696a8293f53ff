// A thread that delivers what is in the outbox, while a service runs: when it is woken, and when
// something that could not be delivered is due again. Internal to engine/.
#pragma once

#include "engine/engine.h"

typedef struct wh_pump wh_pump;

// *ret NULL: the configuration tells nobody, and there is no thread.
wh_status wh_pump_start(wh_engine *engine, wh_pump **ret, wh_error *err);
void wh_pump_wake(wh_pump *pump); // a run has ended; NULL is fine
void wh_pump_stop(wh_pump *pump); // NULL is fine
