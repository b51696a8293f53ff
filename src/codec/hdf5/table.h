// One table of a file: where its columns come from (table_make.c), and its rows (table.c).
#pragma once

#include "codec/hdf5/dataset.h"
#include "codec/hdf5/spec.h"

typedef enum h5_origin {
  H5_OF_FILE,   // the object's name
  H5_OF_PARENT, // a field that its slice repeats
  H5_OF_SINGLE, // a value that all repeat
  H5_OF_INDEX,
  H5_OF_SIDE, // a field of one of the datasets side by side
} h5_origin;

typedef struct h5_column {
  h5_origin origin;
  size_t at; // of `sides` or `singles`
  const h5_field *field;
} h5_column;

// A dataset of `rows`, and the slice of it that is at hand.
typedef struct h5_table_side {
  h5_dataset *dataset;
  const h5_field *start; // of the parent; NULL: there is none
  uint64_t begin, next;  // elements: of this slice, of the one behind it
} h5_table_side;

typedef struct h5_table {
  wh_str name; // for errors; empty: the object is one table
  wh_str file;
  h5_dataset *parent;
  h5_table_side *sides;
  size_t side_count;
  h5_single *singles;
  wh_schema schema; // as the file has it
  h5_column *columns;
  size_t row_bytes; // at most, without texts of variable length
  int64_t index_from;
  // Where it stands.
  uint64_t rows;      // so far, rejected ones too
  uint64_t owners;    // slices so far: of the parent's rows; 1 at most where there is no parent
  uint64_t at, count; // row of this slice
} h5_table;

// The datasets that tables share: each is open once, until all are done with it.
typedef struct h5_datasets {
  h5_file *file;
  wh_arena *arena;
  h5_dataset *items[WH_HDF5_DATASETS_MAX];
  h5_naming namings[WH_HDF5_DATASETS_MAX];
  size_t count;
} h5_datasets;

typedef struct h5_wish {
  wh_str name;
  wh_str key;           // of the object
  const wh_str *wanted; // columns; NULL: all
  size_t wanted_count;
} h5_wish;

bool h5_is_wanted(const h5_wish *wish, wh_str column);

wh_status h5_table_make(h5_datasets *datasets, const h5_spec *spec, const h5_wish *wish,
                        wh_arena *arena, h5_table *ret, wh_error *err);
// Lets go of its datasets.
void h5_table_done(h5_table *table);
void h5_datasets_close(h5_datasets *datasets); // zeroed is fine

// Appends rows to a batch of its schema until it has so many rows, or about so many bytes. Rows
// with a bad value are rejected. WH_ERR_END: there are no more, and none was appended.
wh_status h5_table_fill(h5_table *table, wh_batch *batch, size_t rows_most, size_t bytes_most,
                        wh_rejects *rejects, wh_error *err);
