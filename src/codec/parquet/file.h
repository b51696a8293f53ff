// A Parquet file as its footer tells of it: what is the same for every reader of its parts, and
// never changes once it is open.
#pragma once

#include "base/stream.h"
#include "codec/parquet/schema_read.h"

enum {
  PQ_FOOTER_BYTES_MAX = 1 << 28,
  PQ_INDEX_BYTES_MAX = 1 << 26, // of one index of pages
  PQ_TAIL_READ_BYTES = 1 << 16, // read first: most footers are in it
  // More rows than this for each byte of a file or a column are no data but a claim. (A column of
  // one value takes some 60 bytes for a row group of any size.)
  PQ_ROWS_PER_BYTE_MAX = 1 << 22,
};

typedef struct pq_group {
  uint64_t first_row; // of the file
  uint64_t rows;
  uint64_t bytes; // of its columns, decompressed, as it says
  pq_raw columns; // of pq_column_chunk, one for each leaf
} pq_group;

typedef struct pq_file {
  wh_mem *mem;
  wh_input *in;
  wh_arena arena;
  uint8_t *footer;
  size_t footer_bytes;
  uint64_t footer_at; // in the file: the data's end
  pq_file_meta meta;
  pq_tree tree;
  uint64_t rows;
  size_t group_count;
  pq_group *groups;
} pq_file;

// Reads the footer and checks that it agrees with itself and the file's size. On failure there is
// nothing to close. `in` outlives the file.
wh_status pq_file_open(pq_file *file, wh_mem *mem, wh_input *in, const pq_schema_options *options,
                       wh_error *err);
void pq_file_close(pq_file *file); // zeroed is fine

// Reads one chunk's metadata after the other: *ret is leaf `*leaf`'s and lives in the arena.
// WH_ERR_END behind the last. Start with a zeroed walk.
typedef struct pq_chunk_walk {
  pq_cursor cursor;
  uint32_t leaf; // the next one
} pq_chunk_walk;
wh_status pq_chunk_next(const pq_file *file, size_t group, pq_chunk_walk *walk, wh_arena *arena,
                        pq_column_chunk *ret, wh_error *err);

// The index of a chunk's pages, checked against the chunk: ret->pages.items is NULL where the file
// has none.
wh_status pq_offset_index_load(const pq_file *file, size_t group, const pq_column_chunk *chunk,
                               wh_arena *arena, pq_offset_index *ret, wh_error *err);
// The statistics of its pages; *ret_found is false where the file has none. `pages` is how many
// there are.
wh_status pq_column_index_load(const pq_file *file, const pq_column_chunk *chunk, size_t pages,
                               wh_arena *arena, bool *ret_found, pq_column_index *ret,
                               wh_error *err);
