#include "codec/parquet/bloom.h"

#include <math.h>
#include <xxhash.h>

enum { WORDS = PQ_BLOOM_BLOCK_BYTES / 4, BLOCK_BITS = 8 * PQ_BLOOM_BLOCK_BYTES };

static const double FALSE_MOST = 0.01; // answers "it may be there" to so many of what is not

void pq_bloom_hash(const pq_leaf *leaf, const pq_values *v, uint64_t *out) {
  for (size_t i = 0; i < v->count; i++) {
    if (leaf->physical == PQ_BYTE_ARRAY)
      out[i] = XXH64(v->bytes + v->offsets[i], (size_t)(v->offsets[i + 1] - v->offsets[i]), 0);
    else
      out[i] = XXH64(v->fixed + i * leaf->width, leaf->width, 0);
  }
}

static void insert(uint32_t *filter, size_t blocks, uint64_t hash) {
  static const uint32_t salts[WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                        0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
  uint32_t *block = filter + ((hash >> 32) * blocks >> 32) * WORDS;
  for (size_t i = 0; i < WORDS; i++)
    block[i] |= 1u << ((uint32_t)hash * salts[i] >> 27);
}

// How often a filter of half the size, in which two neighbours became one, would be wrong.
static double false_when_halved(const uint32_t *filter, size_t blocks) {
  double sum = 0;
  for (size_t i = 0; i < blocks; i += 2) {
    int set = 0;
    for (size_t k = 0; k < WORDS; k++)
      set += __builtin_popcount(filter[i * WORDS + k] | filter[(i + 1) * WORDS + k]);
    sum += pow((double)set / BLOCK_BITS, WORDS);
  }
  return sum / ((double)blocks / 2);
}

static void halve(uint32_t *filter, size_t blocks) {
  for (size_t i = 0; i < blocks / 2; i++) {
    for (size_t k = 0; k < WORDS; k++)
      filter[i * WORDS + k] = filter[2 * i * WORDS + k] | filter[(2 * i + 1) * WORDS + k];
  }
}

wh_status pq_bloom_make(pq_chunk *c, pq_work *work, wh_error *err) {
  size_t count = c->hashes.len / sizeof(uint64_t);
  const uint64_t *hashes = (const uint64_t *)(const void *)c->hashes.data;
  size_t bytes = PQ_BLOOM_BLOCK_BYTES;
  // Enough when all values are distinct; how many are, the filter tells when it is full.
  while (bytes < 2 * count && bytes < PQ_BLOOM_WRITTEN_BYTES_MAX)
    bytes *= 2;
  size_t blocks = bytes / PQ_BLOOM_BLOCK_BYTES;
  uint32_t *filter = wh_mem_alloc_zero(work->mem, bytes);
  if (!filter) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    insert(filter, blocks, hashes[i]);
  while (blocks > 1 && false_when_halved(filter, blocks) <= FALSE_MOST) {
    halve(filter, blocks);
    blocks /= 2;
  }
  size_t small = blocks * PQ_BLOOM_BLOCK_BYTES;
  uint8_t *bits = wh_mem_alloc(work->mem, small);
  if (bits) memcpy(bits, filter, small);
  wh_mem_free(work->mem, filter, bytes);
  if (!bits) return wh_fail_memory(err);
  c->out->bloom = bits;
  c->out->bloom_size = (uint32_t)small;
  return WH_OK;
}
