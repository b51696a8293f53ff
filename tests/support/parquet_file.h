// Small Parquet files in memory, for tests of the reader.
#pragma once

#include "codec/parquet/metadata.h"
#include "codec/parquet/parquet.h"
#include "codec/parquet/reader.h"

// An input that counts what is read of it.
typedef struct counted_input {
  wh_bytes_input bytes;
  wh_status (*read_at)(wh_input *in, uint64_t offset, void *data, size_t len, wh_error *err);
  uint64_t count;
} counted_input;
void counted_input_init(counted_input *in, wh_str bytes);

// Writes rows [0, rows) of a function's columns. `options` NULL: defaults.
typedef wh_status (*parquet_row)(wh_batch *batch, size_t row, wh_error *err);
wh_status parquet_file_write(wh_mem *mem, const wh_schema *schema, size_t rows, parquet_row row,
                             const wh_parquet_write_options *options, wh_buf *out, wh_error *err);

// What reading one has to be told.
typedef struct parquet_reading {
  wh_codec_context context;
  pq_read_options options;
  const wh_schema *given;
  bool in_parts;
  wh_rejects *rejects;
  // What came of it.
  uint64_t rows;
  uint64_t bytes; // read of the file
  size_t batches, parts;
  size_t batch_bytes_most;
  wh_buf text;   // the rows, as random_table.h has them
  wh_buf places; // "row " of each
  wh_buf schema; // "a int64, b string?"
} parquet_reading;
void parquet_reading_init(parquet_reading *r, wh_mem *mem);
void parquet_reading_free(parquet_reading *r);
wh_status parquet_reading_run(parquet_reading *r, wh_str file, wh_error *err);

// Lets a function change the footer of a file, and writes it anew. `out` is another buffer.
wh_status parquet_file_edit(wh_mem *mem, wh_str file, void (*edit)(pq_file_meta *meta), wh_buf *out,
                            wh_error *err);
