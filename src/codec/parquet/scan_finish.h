// What becomes of a batch that was read: rows that do not fit are rejected, those that were not
// asked for left out, and columns given the types they should have.
#pragma once

#include "codec/parquet/scan.h"

// `read` has the columns of plan->read and is the reader's own, or is `batch` itself.
wh_status pq_scan_finish(pq_scan *scan, wh_batch *read, wh_batch *batch, wh_rejects *rejects,
                         wh_error *err);
