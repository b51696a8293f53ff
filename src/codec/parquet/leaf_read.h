// One leaf of the schema, chunk after chunk: its values into a column, row by row.
//
// A leaf without lists above it, and with at most one thing that may be NULL, is *simple*: a row is
// a value, and its definition levels are the column's bitmap. Others keep the levels of the rows in
// hand, from which the lists and structs around them are built (nest.h).
//
// Rows that were read and cannot be given out yet are given back (pq_leaf_give_back) and come
// first the next time.
#pragma once

#include "codec/parquet/page_read.h"
#include "codec/parquet/values.h"

enum { PQ_LEVELS_BLOCK = 1024 };

// What the leaves of a scan share.
typedef struct pq_shared {
  wh_mem *mem;
  wh_input *in;
  wh_cpu cpu;
  const pq_tree *tree;
  pq_decompressor *decompressor;
  pq_scratch scratch;
  pq_shared_raw raw;
  wh_arena arena;         // of a batch: misfits
  size_t row_limit_bytes; // 0: none
  uint32_t group;         // the row group in hand, from 0
  uint8_t bits[PQ_VALUES_MAX / 8 + PQ_SLACK];
} pq_shared;

// Levels, one beside the other.
typedef struct pq_levels {
  uint8_t *def, *rep;
  size_t count, cap;
} pq_levels;

typedef struct pq_leaf_reader {
  const pq_tree_node *node;
  pq_shared *shared;
  pq_pages pages;
  bool simple;

  // The chunk in hand.
  uint64_t values_total, values_seen; // with NULLs, by its metadata, and of the pages so far
  bool seen_all_pages;                // values_seen counts from the chunk's start
  uint64_t rows_total, rows_at;       // of the chunk; the next one to read
  pq_offset_index index;              // pages.items NULL: none is loaded
  wh_arena arena;                     // of the chunk: the index, the dictionary's misfits
  pq_dictionary dictionary;
  bool has_dictionary;

  // The page in hand.
  uint64_t page_left; // levels not taken up
  pq_rle definitions, repetitions;
  pq_page_values values;
  wh_buf last;
  uint8_t *block; // PQ_LEVELS_BLOCK definition levels, then as many repetition levels
  size_t block_at, block_len;

  // The rows in hand.
  size_t rows;
  pq_levels levels; // not of simple leaves
  pq_misfits misfits;
  uint32_t *codes; // their entries in the dictionary,
  size_t codes_cap;
  bool has_codes; // while all of them come from there and none is NULL: simple leaves

  // Rows given back: their values, levels and misfits.
  wh_column carry;
  pq_levels carry_levels;
  size_t carry_rows;
  pq_misfits carry_misfits; // in the chunk's arena
} pq_leaf_reader;

wh_status pq_leaf_init(pq_leaf_reader *leaf, const pq_tree_node *node, pq_shared *shared,
                       size_t window, wh_error *err);
void pq_leaf_free(pq_leaf_reader *leaf); // zeroed is fine

// Begins with a chunk of `rows` rows, at row `from` of it. What the chunk says about itself is
// checked against the file's data, bytes [4, data_end). `index` NULL: the pages' index is not
// known; otherwise it belongs to the arena of the caller and outlives the chunk.
wh_status pq_leaf_open(pq_leaf_reader *leaf, const pq_column_chunk *chunk, uint64_t rows,
                       uint64_t from, uint64_t data_end, const pq_offset_index *index,
                       wh_error *err);

// Appends up to `rows` rows to the leaf's column, which is empty, and keeps their levels. Fewer
// (leaf->rows) where their text is more than `budget_bytes`, but at least one.
wh_status pq_leaf_read(pq_leaf_reader *leaf, size_t rows, size_t budget_bytes, wh_column *column,
                       wh_error *err);
wh_status pq_leaf_skip(pq_leaf_reader *leaf, uint64_t rows, wh_error *err);
// Keeps the first `rows` of the rows in hand; the others come again.
wh_status pq_leaf_give_back(pq_leaf_reader *leaf, size_t rows, wh_column *column, wh_error *err);

// The row, of those in hand, that the leaf's value at `slot` belongs to.
size_t pq_leaf_row_of(const pq_leaf_reader *leaf, size_t slot);
