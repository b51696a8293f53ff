// Types that our writer has and Parquet has not: it wrote its schema beside the rows
// (PQ_SCHEMA_KEY), and here they come back.
#pragma once

#include "codec/parquet/schema_read.h"

enum { PQ_SCHEMA_JSON_BYTES_MAX = 1 << 24 };

// Changes times and timestamps in milliseconds to seconds where the file's own schema says so. What
// does not go together with the file's columns changes nothing.
wh_status pq_restore_types(const pq_structs *key_values, pq_tree *tree, wh_arena *arena,
                           wh_error *err);
