#include "codec/parquet/bits.h"
#include "codec/parquet/pack.h"

enum { MINIS = PQ_DELTA_BLOCK / PQ_DELTA_MINI };

PQ_DEFINE_PACK(pack_fixed, uint64_t)

// 4 * width bytes; width 0 has none.
static void pack(const uint64_t *in, uint8_t *out, unsigned width) {
#define CASE(n)                                                                                    \
  case (n):                                                                                        \
    pack_fixed(in, out, (n));                                                                      \
    break;
  switch (width) {
    PQ_CASES_8(CASE, 1)
    PQ_CASES_8(CASE, 9)
    PQ_CASES_8(CASE, 17)
    PQ_CASES_8(CASE, 25)
    PQ_CASES_8(CASE, 33)
    PQ_CASES_8(CASE, 41)
    PQ_CASES_8(CASE, 49)
    PQ_CASES_8(CASE, 57)
  }
#undef CASE
}

size_t pq_delta_bound(size_t count, size_t width_bytes) {
  size_t blocks = count / PQ_DELTA_BLOCK + 1;
  return 40 + blocks * (10 + MINIS + PQ_DELTA_BLOCK * width_bytes) + PQ_PACK_SLACK;
}

static uint8_t *put_head(size_t count, int64_t first, uint8_t *out) {
  out = pq_put_varint(out, PQ_DELTA_BLOCK);
  out = pq_put_varint(out, MINIS);
  out = pq_put_varint(out, count);
  return pq_put_varint(out, pq_zigzag(first));
}

// `deltas` are `count` differences less the least of them, and zeros up to a whole block.
static uint8_t *put_block(const uint64_t *deltas, size_t count, int64_t least, uint8_t *out) {
  out = pq_put_varint(out, pq_zigzag(least));
  uint8_t *widths = out;
  out += MINIS;
  for (size_t i = 0; i < MINIS; i++) {
    const uint64_t *mini = deltas + i * PQ_DELTA_MINI;
    uint64_t all = 0;
    for (size_t k = 0; k < PQ_DELTA_MINI; k++)
      all |= mini[k];
    widths[i] = (uint8_t)pq_bit_width(all);
    if (i * PQ_DELTA_MINI >= count) continue; // no values: no bytes
    pack(mini, out, widths[i]);
    out += 4 * widths[i];
  }
  return out;
}

// The differences of a block and, as a whole, less the least. They wrap around, as those of the
// reader do.
#define DEFINE_ENCODE(name, type, unsigned_type)                                                   \
  size_t name(const type *values, size_t count, uint8_t *out) {                                    \
    uint8_t *start = out;                                                                          \
    out = put_head(count, count ? values[0] : 0, out);                                             \
    for (size_t at = 1; at < count; at += PQ_DELTA_BLOCK) {                                        \
      size_t n = count - at < PQ_DELTA_BLOCK ? count - at : PQ_DELTA_BLOCK;                        \
      type deltas[PQ_DELTA_BLOCK];                                                                 \
      uint64_t above[PQ_DELTA_BLOCK];                                                              \
      const type *v = values + at;                                                                 \
      for (size_t i = 0; i < n; i++)                                                               \
        deltas[i] = (type)((unsigned_type)v[i] - (unsigned_type)v[(ptrdiff_t)i - 1]);              \
      type least = deltas[0];                                                                      \
      for (size_t i = 1; i < n; i++)                                                               \
        least = deltas[i] < least ? deltas[i] : least;                                             \
      for (size_t i = 0; i < n; i++)                                                               \
        above[i] = (unsigned_type)((unsigned_type)deltas[i] - (unsigned_type)least);               \
      for (size_t i = n; i < PQ_DELTA_BLOCK; i++)                                                  \
        above[i] = 0;                                                                              \
      out = put_block(above, n, least, out);                                                       \
    }                                                                                              \
    return (size_t)(out - start);                                                                  \
  }

DEFINE_ENCODE(pq_delta_encode_i64, int64_t, uint64_t)
DEFINE_ENCODE(pq_delta_encode_i32, int32_t, uint32_t)
