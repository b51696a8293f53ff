// Reading rows [from, to) of a file: row group after row group, batch after batch.
#pragma once

#include "codec/codec.h"
#include "codec/parquet/file.h"
#include "codec/parquet/nest.h"
#include "codec/parquet/where.h"

enum {
  PQ_WINDOWS_BYTES = 4 << 20, // of all columns of a scan together
  PQ_WINDOW_BYTES_MAX = 256 << 10,
  PQ_NESTED_ROWS_FIRST = 256, // of nested columns, before it is known how large a row is
};

// What is read, and what becomes of it: made once, shared by all parts.
typedef struct pq_plan {
  wh_mem *mem;
  pq_file *file;
  wh_codec_context context;
  size_t count; // columns read: those shown, then those that only conditions need
  size_t shown;
  const pq_tree_node **nodes;
  wh_schema read;   // their types in the file
  wh_schema schema; // of the batches
  bool casts;       // columns are given types of their own: `read` and `schema` differ
  size_t *sources;  // casts: for each column of `schema` the one of `read`, or PQ_NO_COLUMN
  pq_where where;
  size_t leaf_count; // leaves read
} pq_plan;
#define PQ_NO_COLUMN SIZE_MAX

typedef struct pq_scan {
  wh_reader base;
  const pq_plan *plan;
  uint64_t from, to; // rows of the file
  uint64_t at;       // the next row
  pq_shared shared;
  pq_leaf_reader *leaves;   // plan->leaf_count
  pq_leaf_reader **by_leaf; // of the file's leaves; NULL: not read
  wh_column **columns;      // of `leaves`, in the batch in hand
  bool group_open;
  size_t group;
  uint64_t group_to;    // row of the file behind the last one wanted of the group
  pq_row_ranges ranges; // of the group, in its rows: what the pages' statistics left
  size_t range;         // in hand
  size_t rows_next;     // how many rows a batch should have
  wh_arena arena;       // of the group
  wh_batch read, kept;  // plan->read; plan->schema
  bool has_read, has_kept;
} pq_scan;

wh_status pq_scan_open(const pq_plan *plan, uint64_t from, uint64_t to, pq_scan **ret,
                       wh_error *err);
