// Split block bloom filters (parquet-format, BloomFilter.md): xxHash of each value, a block by its
// upper half, eight bits in the block by its lower.
#pragma once

#include "codec/parquet/chunk.h"

enum {
  PQ_BLOOM_BLOCK_BYTES = 32,
  PQ_BLOOM_WRITTEN_BYTES_MAX = 1 << 20, // of one filter
};

// A hash for each value; not of booleans.
void pq_bloom_hash(const pq_leaf *leaf, const pq_values *values, uint64_t *out);
// The filter of chunk->hashes, as small as one false positive in a hundred allows, to chunk->out.
wh_status pq_bloom_make(pq_chunk *chunk, pq_work *work, wh_error *err);
