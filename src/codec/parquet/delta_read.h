// DELTA_BINARY_PACKED (Encodings.md): integers as bit-packed differences, in blocks of miniblocks.
#pragma once

#include "codec/parquet/unpack.h"

typedef struct pq_delta {
  const uint8_t *at, *end; // of the next block, or the miniblock behind the one in hand
  uint64_t left;           // values not given out yet
  uint64_t last;           // the value given out last
  uint64_t least;          // the block's smallest difference
  uint64_t per_mini;       // values of a miniblock
  const uint8_t *widths;   // of the block's miniblocks not begun, up to widths_end
  const uint8_t *widths_end;
  const uint8_t *packed; // the miniblock in hand
  uint64_t packed_at, packed_left;
  unsigned width;
  uint32_t minis;
  bool first; // the first value, which is in the head, is still to come
  wh_cpu cpu;
} pq_delta;

// False where the head is damaged. PQ_SLACK bytes behind the data are readable.
bool pq_delta_init(pq_delta *delta, wh_cpu cpu, const uint8_t *data, size_t len);
// Each gives up to `count` values, modulo 2^32 or 2^64, and says how many: fewer at the end, or
// where the data is damaged. `out` NULL: passes over them.
size_t pq_delta_u32(pq_delta *delta, uint32_t *out, size_t count);
size_t pq_delta_u64(pq_delta *delta, uint64_t *out, size_t count);
// Where the data ends, from a decoder that gave nothing out yet; NULL where it is damaged.
const uint8_t *pq_delta_end(const pq_delta *delta);
