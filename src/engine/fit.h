// Fitting rows to a table that is there already. A JSON file says 10 where the table keeps 10.00,
// or all its numbers happen to be whole: the value is the same, the type is not. Numbers and times,
// and times and decimals written as text, are converted where each value survives exactly; a row
// that does not is rejected. Anything else (text for a whole number, a time without its zone) is
// left as it is, for the sink to refuse.
#pragma once

#include "engine/flow.h"

// Adds the conversions to a flow that writes to the pipeline's table, before it is started. `to` is
// the connection; nothing happens where the table does not exist yet.
wh_status wh_flow_fit(wh_flow *flow, wh_engine *engine, const wh_pipeline *pipeline,
                      wh_connection *to, wh_arena *arena, wh_error *err);
