#include "codec/parquet/bits.h"
#include "codec/parquet/pack.h"

enum {
  GROUP = 8,         // values that are packed or repeated together
  REPEAT_WORTH = 32, // bits: a repetition has a head and a value, and so has what goes on behind
  WORD = 64,
};

PQ_DEFINE_PACK(pack_fixed, uint16_t)

static void pack(const uint16_t *in, uint8_t *out, unsigned width) {
#define CASE(n)                                                                                    \
  case (n):                                                                                        \
    pack_fixed(in, out, (n));                                                                      \
    break;
  switch (width) { PQ_CASES_8(CASE, 1) PQ_CASES_8(CASE, 9) }
#undef CASE
}

size_t pq_rle_bound(size_t count, unsigned width) {
  // Literals take their bits, and a repetition is never longer than the literals it stands for.
  return (count / GROUP + 1) * width + 10 + 4 * (size_t)width + PQ_PACK_SLACK;
}

static uint8_t *put_literals(const uint16_t *values, size_t count, unsigned width, uint8_t *out) {
  if (count == 0) return out;
  size_t groups = (count + GROUP - 1) / GROUP;
  out = pq_put_varint(out, groups << 1 | 1);
  while (count >= PQ_BITS_GROUP) {
    pack(values, out, width);
    values += PQ_BITS_GROUP;
    count -= PQ_BITS_GROUP;
    out += 4 * width;
  }
  if (count) {
    uint16_t last[PQ_BITS_GROUP] = {0};
    uint8_t packed[4 * PQ_RLE_WIDTH_MAX + 8];
    size_t bytes = (count + GROUP - 1) / GROUP * width;
    memcpy(last, values, count * sizeof *last);
    pack(last, packed, width);
    memcpy(out, packed, bytes);
    out += bytes;
  }
  return out;
}

size_t pq_rle_encode_run(uint16_t value, size_t count, unsigned width, uint8_t *out) {
  uint8_t *start = out;
  out = pq_put_varint(out, (uint64_t)count << 1);
  *out++ = (uint8_t)value;
  if (width > 8) *out++ = (uint8_t)(value >> 8);
  return (size_t)(out - start);
}

// Whether eight values from here are the same.
static inline int same_group(const uint16_t *v) {
  uint64_t a, b, all = v[0] * 0x0001000100010001ull;
  memcpy(&a, v, sizeof a);
  memcpy(&b, v + 4, sizeof b);
  return ((a ^ all) | (b ^ all)) == 0;
}

static size_t run_length(const uint16_t *v, size_t count) {
  size_t n = GROUP;
  while (n + GROUP <= count && v[n] == v[0] && same_group(v + n))
    n += GROUP;
  while (n < count && v[n] == v[0])
    n++;
  return n;
}

size_t pq_rle_encode(const uint16_t *values, size_t count, unsigned width, uint8_t *out) {
  uint8_t *start = out;
  if (width == 0) return count ? (size_t)(pq_put_varint(out, (uint64_t)count << 1) - out) : 0;
  size_t worth = REPEAT_WORTH / width;
  size_t from = 0, at = 0;
  while (at + GROUP <= count) {
    if (!same_group(values + at)) {
      at += GROUP;
      continue;
    }
    size_t run = run_length(values + at, count - at);
    if (run < worth) {
      at += run / GROUP * GROUP;
      continue;
    }
    out = put_literals(values + from, at - from, width, out);
    out += pq_rle_encode_run(values[at], run, width, out);
    at += run;
    from = at;
  }
  out = put_literals(values + from, count - from, width, out);
  return (size_t)(out - start);
}

static uint8_t *put_bit_literals(const uint64_t *words, size_t bits, uint8_t *out) {
  if (bits == 0) return out;
  size_t bytes = (bits + GROUP - 1) / GROUP;
  out = pq_put_varint(out, bytes << 1 | 1);
  memcpy(out, words, bytes);
  if (bits % GROUP) out[bytes - 1] &= (uint8_t)((1u << bits % GROUP) - 1);
  return out + bytes;
}

size_t pq_rle_encode_bits(const uint64_t *bits, size_t count, uint8_t *out) {
  uint8_t *start = out;
  size_t from = 0; // in words, as is `at`
  size_t words = count / WORD;
  for (size_t at = 0; at < words;) {
    uint64_t first = bits[at];
    size_t run = 1;
    while (at + run < words && bits[at + run] == first)
      run++;
    if ((first == 0 || first == UINT64_MAX)) {
      out = put_bit_literals(bits + from, (at - from) * WORD, out);
      out += pq_rle_encode_run(first != 0, run * WORD, 1, out);
      from = at + run;
    }
    at += run;
  }
  out = put_bit_literals(bits + from, count - from * WORD, out);
  return (size_t)(out - start);
}
