// Readers of the hybrid of runs and bit-packed values (Encodings.md, RLE = 3), and of the legacy
// bit-packed levels (BIT_PACKED = 4), which are most significant bit first.
//
// None fails: each says how many values there were. PQ_SLACK bytes behind the data are readable.
#pragma once

#include "codec/parquet/unpack.h"

enum { PQ_INDEX_WIDTH_MAX = 32 };

typedef struct pq_rle {
  const uint8_t *at, *end; // of the next run's head
  const uint8_t *packed;   // of the run in hand, or NULL: it repeats `value`
  uint64_t packed_at;      // the next value's number in it
  uint64_t packed_bytes;   // of the run, from `packed` on
  uint64_t behind;         // bytes that come behind `end` and are not there yet
  uint64_t left;           // values of the run in hand
  uint32_t value;
  uint8_t width;
  bool legacy; // all of it is one run of bit-packed values, most significant bit first
  wh_cpu cpu;
} pq_rle;

// Width 0..PQ_INDEX_WIDTH_MAX.
void pq_rle_init(pq_rle *rle, wh_cpu cpu, const uint8_t *data, size_t len, unsigned width);
void pq_rle_init_legacy(pq_rle *rle, const uint8_t *data, size_t len, unsigned width);

size_t pq_rle_u32(pq_rle *rle, uint32_t *out, size_t count);
size_t pq_rle_u8(pq_rle *rle, uint8_t *out, size_t count); // width up to 8
// Width 1: bits `at` and on of a bitmap.
size_t pq_rle_bits(pq_rle *rle, uint8_t *out, size_t at, size_t count);
size_t pq_rle_skip(pq_rle *rle, size_t count);
// So many of the next `count` values as the run in hand repeats, if these are at least `least`:
// *ret_value is what they are. Otherwise 0.
size_t pq_rle_run(pq_rle *rle, size_t least, size_t count, uint32_t *ret_value);

// For data that comes in pieces: `behind` is then not 0. The first byte that is still needed; and
// where it stands now. Before `count` values are asked for, PQ_RLE_NEED(count) bytes have to stand
// from there on, or all there are.
#define PQ_RLE_NEED(count) ((size_t)(count)*9 + 64)
const uint8_t *pq_rle_keep(const pq_rle *rle);
void pq_rle_moved(pq_rle *rle, const uint8_t *at, const uint8_t *end, uint64_t behind);
