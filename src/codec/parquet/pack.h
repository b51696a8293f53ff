// Bit packing and what is built from it: RLE / bit-packed hybrid, DELTA_BINARY_PACKED and
// BYTE_STREAM_SPLIT, as the page encoder needs them: a whole page's values at once, into memory
// that the caller has made large enough.
// https://parquet.apache.org/docs/file-format/data-pages/encodings/
//
// Outputs may be written up to PQ_PACK_SLACK bytes past what is returned; the bounds count them.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
  PQ_PACK_SLACK = 16,
  PQ_RLE_WIDTH_MAX = 16,
  PQ_DELTA_BLOCK = 128,
  PQ_DELTA_MINI = 32, // values of a miniblock: four make a block
};

// The hybrid, without a length in front: levels and dictionary indices, each below 2^width.
size_t pq_rle_bound(size_t count, unsigned width);
size_t pq_rle_encode(const uint16_t *values, size_t count, unsigned width, uint8_t *out);
// `count` times the same value.
size_t pq_rle_encode_run(uint16_t value, size_t count, unsigned width, uint8_t *out);
// Bits, width 1, least significant first; those behind the last one, up to the end of its 64-bit
// word, may be anything.
size_t pq_rle_encode_bits(const uint64_t *bits, size_t count, uint8_t *out);

// Bits that the largest of the values takes; 0 for 0.
static inline unsigned pq_bit_width(uint64_t most) {
  return most ? 64 - (unsigned)__builtin_clzll(most) : 0;
}

// Of INT64, and of INT32, whose differences wrap at 32 bits.
size_t pq_delta_bound(size_t count, size_t width_bytes);
size_t pq_delta_encode_i64(const int64_t *values, size_t count, uint8_t *out);
size_t pq_delta_encode_i32(const int32_t *values, size_t count, uint8_t *out);

// `width` streams of count bytes: the first bytes of all values, the second ...
void pq_split(const uint8_t *values, size_t count, size_t width, uint8_t *out);

static inline uint8_t *pq_put_varint(uint8_t *out, uint64_t x) {
  for (; x >= 0x80; x >>= 7)
    *out++ = (uint8_t)(x | 0x80);
  *out++ = (uint8_t)x;
  return out;
}
static inline uint64_t pq_zigzag(int64_t x) {
  return ((uint64_t)x << 1) ^ (uint64_t)(x >> 63);
}
