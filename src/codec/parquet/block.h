// Row groups, encoded: what an encoder hands to the writer. Everything in a block is relative to
// itself; the writer knows where it goes.
#pragma once

#include "codec/codec.h"
#include "codec/parquet/range.h"

// A data page with its header, ready to be written.
typedef struct pq_page {
  uint8_t *data;
  uint32_t size, header; // bytes; the header's are the first
  uint32_t body;         // bytes behind the header, before compression
  uint32_t levels, nulls;
  uint64_t first_row; // in the row group
  pq_range range;
} pq_page;

// A column chunk.
typedef struct pq_chunk_pages {
  pq_store pages; // of pq_page
  size_t page_count;
  uint8_t *dictionary; // the page with its header; NULL: none
  uint32_t dictionary_size;
  int64_t compressed, uncompressed; // of all pages, with headers
  int64_t levels, nulls;
  uint32_t dictionary_pages, other_pages; // data pages of either encoding
  pq_encoding other;                      // that the other pages have
  pq_range range;
  uint8_t *bloom; // the filter's bits; NULL: none
  uint32_t bloom_size;
} pq_chunk_pages;

typedef struct pq_block_group {
  size_t rows;
  pq_chunk_pages *chunks; // a leaf each
} pq_block_group;

typedef struct pq_block {
  wh_block base;
  wh_mem *mem;
  size_t leaves;
  pq_block_group *groups;
  size_t count, cap;
  // Of the columns that the file is sorted by: the first row and the last, where there are any.
  wh_batch ends;
} pq_block;

wh_status pq_block_new(wh_mem *mem, size_t leaves, pq_block **ret, wh_error *err);
// One more row group, without pages yet; it belongs to the block.
wh_status pq_block_add_group(pq_block *block, pq_block_group **ret, wh_error *err);

static inline pq_page *pq_pages_of(const pq_chunk_pages *chunk) {
  return (pq_page *)(void *)chunk->pages.data;
}
