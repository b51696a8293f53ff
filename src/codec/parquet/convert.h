// Values of a column as pages hold them.
#pragma once

#include "codec/parquet/shred.h"

// Which rows: [from, from + count), or those at the positions.
typedef struct pq_picked {
  const uint32_t *positions; // NULL: all from `from` on
  size_t from, count;
} pq_picked;

// Points into the column where its layout is that of the page, else into the stores.
wh_status pq_convert(const pq_leaf *leaf, const wh_column *column, pq_picked picked,
                     pq_store *fixed, pq_store *offsets, pq_store *bytes, pq_values *ret,
                     wh_error *err);
