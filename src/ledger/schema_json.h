// Reading schemas that wh_schema_write_json wrote: in manifests, and pinned in the ledger.
#pragma once

#include "base/json_doc.h"
#include "data/type.h"

// Unknown members of a column are passed over; anything else that does not fit is WH_ERR_DATA and
// says which column.
wh_status wh_schema_read_json(wh_str json, wh_arena *arena, wh_schema *ret, wh_error *err);
wh_status wh_schema_of_json(const json_t *list, wh_arena *arena, wh_schema *ret, wh_error *err);
