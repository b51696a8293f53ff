// Split block bloom filters (BloomFilter.md): whether a value is certainly not in a column chunk.
#pragma once

#include "codec/parquet/file.h"
#include "data/value.h"

enum { PQ_BLOOM_BYTES_MAX = 1 << 27 };

// *ret_may stays true where there is no filter, or the value is of a kind that cannot be looked up.
wh_status pq_bloom_may(const pq_file *file, const pq_column_chunk *chunk, const pq_tree_node *node,
                       const wh_value *value, wh_arena *arena, bool *ret_may, wh_error *err);
// Whether a block of 32 bytes has the bits of a hash.
bool pq_bloom_block_has(const uint8_t block[32], uint64_t hash);
