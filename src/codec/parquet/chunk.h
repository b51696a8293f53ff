// One column chunk while it is being made: values come in by slices, pages go out.
//
// The first values are kept as they are; then an encoding is chosen for the rest (choose.h). A
// dictionary that overflows ends with the page before, and the rows behind it are encoded without.
// Pages end between rows.
#pragma once

#include "codec/parquet/block.h"
#include "codec/parquet/compress.h"
#include "codec/parquet/dict.h"
#include "codec/parquet/stage.h"

typedef enum pq_mode {
  PQ_MODE_SAMPLE, // not chosen yet
  PQ_MODE_DICT,   // RLE_DICTIONARY
  PQ_MODE_PLAIN,
  PQ_MODE_DELTA,  // DELTA_BINARY_PACKED
  PQ_MODE_SPLIT,  // BYTE_STREAM_SPLIT
  PQ_MODE_LENGTH, // DELTA_LENGTH_BYTE_ARRAY
} pq_mode;

// What the chunks of an encoder share.
typedef struct pq_work {
  wh_mem *mem;
  pq_compressor *compressor;
  pq_compression compression;
  pq_store page, packed; // of the page being finished
  wh_buf header;
  pq_dict trial; // for choosing
  // Limits.
  size_t page_bytes, page_rows; // a page ends behind the slice that reaches one of them
  size_t sample_values;         // that are looked at before an encoding is chosen
  size_t group_rows;            // that the row group will have, about
  size_t dictionary_bytes;
  bool dictionaries, crc;
} pq_work;

typedef struct pq_chunk {
  const pq_leaf *leaf;
  bool wants_bloom;
  pq_mode mode;
  pq_mode without; // where the dictionary is full
  // The page so far.
  size_t rows, levels, values;
  pq_store raw;     // fixed: the values; text: their bytes
  pq_store lengths; // text: int32_t each
  pq_store indices; // PQ_MODE_DICT: uint16_t each
  pq_store bits;    // flat: validity, once there was a NULL
  bool has_bits;
  pq_store definitions, repetitions; // nested
  // The chunk so far.
  uint64_t first_row; // of the page
  pq_dict dict;
  pq_store known;    // uint16_t for each code of a batch's dictionary: its index here + 1, or 0
  uint64_t known_of; // that dictionary; 0: none
  pq_stage stage;    // PQ_MODE_DICT: small slices that the dictionary has not seen yet
  pq_store hashes;   // for the bloom filter, uint64_t each
  pq_chunk_pages *out;
} pq_chunk;

// The raw values or bytes; not NULL where there are none.
static inline const uint8_t *pq_chunk_raw(const pq_chunk *chunk) {
  return chunk->raw.data ? chunk->raw.data : (const uint8_t *)"";
}

void pq_chunk_init(pq_chunk *chunk, pq_work *work, const pq_leaf *leaf);
void pq_chunk_free(pq_chunk *chunk);
// Starts afresh; pages go to `out`, which outlives the calls that follow.
void pq_chunk_start(pq_chunk *chunk, pq_chunk_pages *out);
wh_status pq_chunk_add(pq_chunk *chunk, pq_work *work, const pq_slice *slice, wh_error *err);
wh_status pq_chunk_finish(pq_chunk *chunk, pq_work *work, wh_error *err);
// Bytes of the values and levels that are in no page yet.
size_t pq_chunk_pending(const pq_chunk *chunk);
