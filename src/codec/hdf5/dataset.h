// A dataset of an open file, whose rows are read in stretches; and single values: attributes, and
// datasets that are one. All but h5_dataset_rows is called between h5_enter and h5_leave.
#pragma once

#include "codec/hdf5/bytes.h"
#include "codec/hdf5/field.h"

typedef struct h5_file {
  h5_bytes bytes;
  hid_t id;          // 0: not open
  hid_t link_access; // refuses what leads out of the file
  hid_t transfer;    // texts of variable length come from the accountant
  wh_mem *mem;
  wh_arena *texts; // where those of the dataset being read go
  bool texts_full; // they were more than WH_HDF5_TEXTS_BYTES
} h5_file;

typedef struct h5_dataset {
  h5_file *file;
  wh_str path;
  hid_t id, type;
  int rank; // 0: a single value
  hsize_t dims[H5S_MAX_RANK];
  uint64_t rows;
  uint64_t chunk_rows; // a stretch is a multiple of them
  h5_fields fields;
  size_t users; // tables that are not done with it
  uint8_t *stretch;
  size_t stretch_bytes;
  uint64_t from, to; // rows in it
  wh_arena texts;    // of variable length, that are in it
} h5_dataset;

wh_status h5_file_open(h5_file *file, wh_mem *mem, wh_input *in, wh_error *err); // enters itself
void h5_file_close(h5_file *file); // enters itself; zeroed is fine
// Opens a dataset, a group or a type.
wh_status h5_file_object(h5_file *file, wh_str path, hid_t *ret, wh_error *err);

wh_status h5_dataset_open(h5_file *file, wh_str path, const h5_naming *naming, wh_arena *arena,
                          h5_dataset *ret, wh_error *err);
void h5_dataset_close(h5_dataset *dataset); // zeroed is fine

// Records from row `from` on, which is less than `rows`, and how many there are; they stay until
// the next call. Enters libhdf5 itself where it has to.
wh_status h5_dataset_rows(h5_dataset *dataset, uint64_t from, const uint8_t **ret, uint64_t *ret_n,
                          wh_error *err);

// The dimensions of a dataspace: rank 0 for a single value, and for none (`null`).
wh_status h5_space_dims(hid_t space, wh_str what, int *ret_rank, hsize_t *dims, bool *ret_null,
                        wh_error *err);

// A value that rows repeat.
typedef struct h5_single {
  h5_fields fields;
  uint8_t *record; // in the arena
  bool is_null;    // there is none
} h5_single;

// `attribute` empty: a dataset.
wh_status h5_single_read(h5_file *file, wh_str path, wh_str attribute, wh_str name, wh_arena *arena,
                         h5_single *ret, wh_error *err);

// The paths of the first `most` datasets of the file, in the order of names.
wh_status h5_file_list(h5_file *file, size_t most, wh_arena *arena, wh_str *ret, size_t *ret_count,
                       wh_error *err);
