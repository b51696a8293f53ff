// Which encoding a column chunk gets, by its first values.
#pragma once

#include "codec/parquet/chunk.h"

// By what the sample would take: PLAIN, DELTA and SPLIT are tried on it, a dictionary is weighed by
// how many distinct values the row group is likely to have. Not PQ_MODE_SAMPLE.
// `ret_without` takes over from a dictionary that is full.
wh_status pq_choose(const pq_chunk *chunk, pq_work *work, pq_mode *ret, pq_mode *ret_without,
                    wh_error *err);
