// Fitting rows to a table that is there already. JSON has no times and only binary fractions, so a
// foreign file writes them as text, or as a double, where the table keeps a time or a decimal. They
// are converted where each value survives exactly; a row where it does not is rejected. Anything
// else (text for a whole number, a time without its zone) is left as it is, for the sink to take or
// to refuse.
#pragma once

#include "engine/flow.h"
#include "engine/kept.h"

// Whether the pipeline's table is there, as far as the connection can tell. `kept` as below.
wh_status wh_fit_has_table(wh_kept *kept, const wh_pipeline *pipeline, wh_connection *to,
                           wh_arena *arena, bool *ret, wh_error *err);
// Adds the conversions to a branch of a flow that writes to the pipeline's table, before it is
// started. `to` is the connection; nothing happens where the table does not exist yet. `kept`: what
// is known of the table, and learnt; may be NULL.
wh_status wh_flow_fit(wh_flow *flow, size_t branch, wh_kept *kept, const wh_pipeline *pipeline,
                      wh_connection *to, wh_arena *arena, wh_error *err);
