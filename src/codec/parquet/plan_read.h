// What is read of a file: the columns wanted, what conditions need besides, and the types given.
#pragma once

#include "codec/parquet/reader.h"
#include "codec/parquet/scan.h"

// In the arena; `file` and the context's names outlive it. *ret_widen: the schema given may widen
// and has to; ret->schema is then the wider one, with which the file is to be opened again.
// WH_ERR_TYPE for a column that cannot be read, WH_ERR_DATA for one that is required and missing.
wh_status pq_plan_make(pq_file *file, const wh_codec_context *context,
                       const pq_read_options *options, const wh_schema *given, wh_arena *arena,
                       pq_plan *ret, bool *ret_widen, wh_error *err);
