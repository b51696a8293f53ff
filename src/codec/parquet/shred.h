// Takes a leaf's values and levels out of a batch's columns (the "record shredding" of Dremel).
#pragma once

#include "codec/parquet/layout.h"
#include "codec/parquet/store.h"

// Values that are there, as pages hold them; NULLs are left out.
typedef struct pq_values {
  size_t count;
  const uint8_t *fixed;   // leaf->width each, little-endian but for PQ_FIXED; a boolean is a byte
  const int32_t *offsets; // text: count + 1, into bytes
  const uint8_t *bytes;
} pq_values;

// A leaf's part of some rows. Points into the column or the shredder, until the next call.
typedef struct pq_slice {
  size_t rows;
  size_t levels; // rows, where the leaf is flat
  pq_values values;
  const uint8_t *validity; // flat: bit validity_from + i is row i. NULL: none is NULL
  size_t validity_from;
  const uint16_t *definitions, *repetitions; // not flat; NULL where the most is 0
  const wh_codes *codes; // flat: value i has codes->codes[codes_from + i]. NULL: not known
  size_t codes_from;
} pq_slice;

typedef struct pq_shredder {
  pq_store positions, positions_next;
  pq_store definitions, repetitions, definitions_next, repetitions_next;
  pq_store fixed, offsets, bytes;
} pq_shredder;

void pq_shredder_init(pq_shredder *shredder, wh_mem *mem);
void pq_shredder_free(pq_shredder *shredder);
// Rows [from, from + count). WH_ERR_TYPE: a NULL where the schema has none, a time beyond what the
// file can hold.
wh_status pq_shred(pq_shredder *shredder, const pq_leaf *leaf, const wh_batch *batch, size_t from,
                   size_t count, pq_slice *ret, wh_error *err);
