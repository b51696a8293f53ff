// Bit-packed integers, least significant bit first (Encodings.md, "RLE / Bit-Packing Hybrid").
#pragma once

#include "base/cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Bytes that every decoder here may read behind the data it was given: whoever makes a page's
// buffer leaves so many.
enum { PQ_SLACK = 64 };

static inline uint64_t pq_load64(const uint8_t *at) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

static inline uint32_t pq_load32(const uint8_t *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

// One value of up to 64 bits that begins at bit `bit`.
static inline uint64_t pq_bits_at(const uint8_t *src, uint64_t bit, unsigned width) {
  if (width == 0) return 0;
  const uint8_t *at = src + (bit >> 3);
  unsigned shift = bit & 7;
  uint64_t value = pq_load64(at) >> shift;
  if (shift + width > 64) value |= (uint64_t)at[8] << (64 - shift);
  return width == 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

// `count` values of `width` (0..32) bits, the first of which begins at value `from` of `src`.
void pq_unpack32(wh_cpu cpu, const uint8_t *src, unsigned width, uint64_t from, size_t count,
                 uint32_t *out);
// Width 0..64.
void pq_unpack64(wh_cpu cpu, const uint8_t *src, unsigned width, size_t count, uint64_t *out);

// Copies `count` bits; others of `dst` stay.
void pq_copy_bits(uint8_t *dst, size_t dst_at, const uint8_t *src, size_t src_at, size_t count);
void pq_fill_bits(uint8_t *dst, size_t at, size_t count, bool value);
size_t pq_count_bits(const uint8_t *bits, size_t at, size_t count);
