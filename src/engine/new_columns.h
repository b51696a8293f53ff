// Columns that are new at the source: not there when the pipeline last ran, and not listed. What
// was there is the schema pinned in the ledger.
#pragma once

#include "engine/input.h"

// Whether objects have to be read with all their columns, and their schema pinned, to tell.
bool wh_new_columns_watched(const wh_pipeline *pipeline);
// Of what `in` reads, which is open: says so once where they stay home; WH_ERR_REFUSED where the
// pipeline says on_new_column: stop. Nothing was moved.
wh_status wh_new_columns_check(wh_engine *engine, wh_run_input *in, wh_error *err);
