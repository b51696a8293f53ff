// Gathers small slices of a leaf into larger ones, for work that is the cheaper the more values
// come at once: a dictionary among many others has left the cache before its column's turn comes
// again.
#pragma once

#include "codec/parquet/shred.h"

typedef struct pq_stage {
  size_t rows, levels, values;
  pq_store fixed, offsets, bytes;
  pq_store bits; // validity, once there was a NULL
  bool has_bits;
  pq_store definitions, repetitions;
} pq_stage;

void pq_stage_init(pq_stage *stage, wh_mem *mem);
void pq_stage_free(pq_stage *stage);
void pq_stage_clear(pq_stage *stage); // keeps its memory
size_t pq_stage_size(const pq_stage *stage);
// Appends the slice's rows.
wh_status pq_stage_add(pq_stage *stage, const pq_leaf *leaf, const pq_slice *slice, wh_error *err);
// All of them, as one slice, which points into the stage.
void pq_stage_slice(const pq_stage *stage, pq_slice *ret);

// Bits behind the first `at` of a bitmap: `count` from `from` on, or ones where `validity` is NULL.
// Both bitmaps are read and written in words of 64 bits.
wh_status pq_bits_add(pq_store *bits, size_t at, const uint8_t *validity, size_t from, size_t count,
                      wh_error *err);
