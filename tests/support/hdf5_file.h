// HDF5 files in memory, read through the codec, for tests and the fuzzer.
#pragma once

#include "base/buf.h"
#include "codec/hdf5/hdf5.h"

enum { HDF5_TABLES_MAX = 4 };

// Reads several tables of a file and writes down what came.
typedef struct hdf5_reading {
  wh_mem *mem;
  wh_codec_context context;
  size_t rows_most;             // where reading ends; 0: at the end
  wh_buf rows[HDF5_TABLES_MAX]; // a JSON object a line
  wh_buf rejects;               // "column @row reason" a line
  size_t row_count;
} hdf5_reading;

void hdf5_reading_init(hdf5_reading *r, wh_mem *mem);
void hdf5_reading_free(hdf5_reading *r);
wh_status hdf5_reading_run(hdf5_reading *r, wh_str file, const wh_table_spec *specs, size_t count,
                           wh_error *err);
