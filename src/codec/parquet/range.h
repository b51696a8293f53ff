// The least and greatest of a leaf's values, as statistics and page indexes want them: in the order
// that the column's type defines (parquet.thrift, ColumnOrder), long texts cut short so that they
// stay bounds.
#pragma once

#include "codec/parquet/layout.h"
#include "codec/parquet/shred.h"

enum { PQ_RANGE_BYTES = 64 }; // that are kept of a text

typedef struct pq_range {
  bool any;              // false: no values, or only NaN
  bool min_cut, max_cut; // there was more of the text
  bool has_nan;
  uint8_t min_len, max_len;
  uint8_t min[PQ_RANGE_BYTES], max[PQ_RANGE_BYTES];
} pq_range;

// Makes the range hold the values, too.
void pq_range_add(pq_range *range, const pq_leaf *leaf, const pq_values *values);
void pq_range_add_text(pq_range *range, wh_str text);
// The first bytes of its ends, zeros behind a short one, as numbers that compare as they do: a text
// between them changes nothing.
void pq_range_heads(const pq_range *range, uint64_t *ret_min, uint64_t *ret_max);
void pq_range_merge(pq_range *range, const pq_leaf *leaf, const pq_range *other);

// What a file says of it. The least may be cut, at a character; the greatest is then rounded up.
typedef struct pq_bounds {
  bool has_min, has_max;
  bool min_exact, max_exact;
  uint8_t min_len, max_len;
  uint8_t min[PQ_RANGE_BYTES], max[PQ_RANGE_BYTES];
} pq_bounds;
void pq_range_bounds(const pq_range *range, const pq_leaf *leaf, pq_bounds *ret);
// -1, 0, 1: how two bounds of a leaf compare.
int pq_bound_compare(const pq_leaf *leaf, wh_str a, wh_str b);
