// The values of one page, appended densely (without room for NULLs) to a column: whatever their
// encoding, in the type of the column.
//
// Dense values go behind column->length, which is left as it is: the caller spreads them to their
// rows and then counts them (pq_values_place).
#pragma once

#include "codec/parquet/delta_read.h"
#include "codec/parquet/misfit.h"
#include "codec/parquet/page_stream.h"
#include "codec/parquet/rle_read.h"
#include "codec/parquet/schema_read.h"
#include "data/batch.h"

enum {
  PQ_VALUES_MAX = 4096, // that one call of pq_values_read takes
};

// A chunk's dictionary, its values in the type of the column.
typedef struct pq_dictionary {
  uint64_t number; // its own, in the process
  wh_column values;
  size_t max_text;    // bytes of its longest
  pq_misfits misfits; // of its entries
} pq_dictionary;

typedef struct pq_page_values {
  const pq_tree_node *leaf;
  pq_encoding encoding;
  wh_cpu cpu;
  const uint8_t *at, *end; // of what is plain, and of delta-encoded texts' bytes
  pq_pages *pages;         // of a page that comes in pieces,
  uint64_t behind;         // of which so many bytes are not there yet
  uint64_t given;          // values so far
  pq_rle rle;              // dictionary indices, booleans
  pq_delta delta;          // integers, lengths
  pq_delta prefixes;       // DELTA_BYTE_ARRAY; `delta` is the suffixes' lengths
  size_t stride;           // BYTE_STREAM_SPLIT: values of the page
  const pq_dictionary *dictionary;
  uint32_t *codes; // takes the indices of the values that are read next; NULL: not wanted
  size_t max_text; // bytes that one value may have, where few may expand to many; 0: no danger
  wh_buf *last;    // DELTA_BYTE_ARRAY: the value before
} pq_page_values;

// Room for values on their way. Any leaf's; nothing stays in it between calls.
typedef struct pq_scratch {
  wh_mem *mem;
  uint8_t *fixed; // a step of physical values
  size_t fixed_cap;
  wh_column binary; // byte arrays on the way to another type
} pq_scratch;

wh_status pq_scratch_init(pq_scratch *scratch, wh_mem *mem, const pq_tree *tree, wh_error *err);
void pq_scratch_free(pq_scratch *scratch); // zeroed is fine

// How many values one call may take: fewer where each is long.
static inline size_t pq_step(const pq_tree_node *leaf) {
  size_t most = leaf->value_bytes ? WH_BATCH_BYTES_DEFAULT / leaf->value_bytes : PQ_VALUES_MAX;
  return most < 1 ? 1 : most < PQ_VALUES_MAX ? most : PQ_VALUES_MAX;
}

// Whether the page's values are indices of the dictionary.
bool pq_through_dictionary(const pq_page_values *values);

// Begins with the values section of a page. `dictionary` NULL: the chunk has none. `last` is kept
// from page to page and is the caller's.
wh_status pq_values_begin(pq_page_values *values, const pq_tree_node *leaf, wh_cpu cpu,
                          int32_t encoding, const uint8_t *data, size_t len,
                          const pq_dictionary *dictionary, wh_buf *last, wh_error *err);
// The same for a page that comes in pieces, of which `body` has the first.
wh_status pq_values_begin_stream(pq_page_values *values, const pq_tree_node *leaf, wh_cpu cpu,
                                 int32_t encoding, const pq_body *body, pq_pages *pages,
                                 const pq_dictionary *dictionary, wh_error *err);
// Makes so many bytes stand at values->at, or all that are left of the page.
wh_status pq_values_more(pq_page_values *values, size_t bytes, wh_error *err);
static inline wh_status pq_values_need(pq_page_values *values, size_t bytes, wh_error *err) {
  bool there = values->behind == 0 || (size_t)(values->end - values->at) >= bytes;
  return __builtin_expect(there, 1) ? WH_OK : pq_values_more(values, bytes, err);
}
// For `count` dictionary indices.
wh_status pq_values_need_indices(pq_page_values *values, size_t count, wh_error *err);
// Appends the next `count` (<= pq_step) values densely. WH_ERR_DATA where there are fewer.
// Values that the column's type cannot hold are noted in `misfits` by their dense number, and
// something harmless stands in their place.
wh_status pq_values_read(pq_page_values *values, size_t count, wh_column *column,
                         pq_scratch *scratch, pq_misfits *misfits, wh_error *err);
wh_status pq_values_skip(pq_page_values *values, size_t count, pq_scratch *scratch, wh_error *err);

// Gives the `dense` values behind column->length their places among `slots`, as the bits (from 0)
// say; the others become NULL. `bits` NULL: dense == slots. Then counts them.
wh_status pq_values_place(wh_column *column, size_t slots, size_t dense, const uint8_t *bits,
                          wh_error *err);

// values_convert.c: `count` physical values of fixed width, which stand at `from`.
wh_status pq_convert_fixed(const pq_tree_node *leaf, const uint8_t *from, size_t count,
                           wh_column *column, pq_misfits *misfits, wh_error *err);
// Texts of any length that stand for numbers.
wh_status pq_convert_texts(const pq_tree_node *leaf, const wh_column *from, size_t count,
                           wh_column *column, pq_misfits *misfits, wh_error *err);
// Text columns: the `count` dense values, of which the first begins at the end of the last row,
// are UTF-8; those that are not become misfits.
wh_status pq_check_utf8(wh_column *column, size_t count, pq_misfits *misfits, wh_error *err);

// values_text.c
wh_status pq_texts_read(pq_page_values *values, size_t count, wh_column *column, wh_error *err);
wh_status pq_texts_skip(pq_page_values *values, size_t count, wh_error *err);
// DELTA_BYTE_ARRAY and DELTA_LENGTH_BYTE_ARRAY: finds where the bytes begin.
wh_status pq_texts_begin(pq_page_values *values, wh_error *err);

// values_gather.c: through the dictionary.
wh_status pq_gather(pq_page_values *values, size_t count, wh_column *column, pq_misfits *misfits,
                    wh_error *err);
// "the page's values end after 17 of them"
wh_status pq_values_short(const pq_page_values *values, wh_error *err);
// Room for `count` dense values and `bytes` of text, with PQ_SLACK bytes to spare.
wh_status pq_values_room(wh_column *column, size_t count, size_t bytes, wh_error *err);
