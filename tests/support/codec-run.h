// Runs a codec over bytes in memory and writes down what came of it, for tests and fuzzers.
#pragma once

#include "base/buf.h"
#include "codec/codec.h"

// An input that gives at most `most` bytes a read (0: all there is).
typedef struct dribble_input {
  wh_bytes_input bytes;
  size_t most;
} dribble_input;
void dribble_input_init(dribble_input *in, wh_str text, size_t most);

// An output into a buffer.
typedef struct buf_output {
  wh_output base;
  wh_buf *buf;
} buf_output;
void buf_output_init(buf_output *out, wh_buf *buf);

typedef struct codec_run {
  wh_mem *mem;
  const wh_codec_type *codec;
  const void *options;
  const wh_schema *given;
  size_t most;                     // bytes a read
  bool may_widen;                  // the schema given
  size_t row_limit;                // 0: 1 MiB
  bool places;                     // "@row:line:column:byte " before each row
  bool quiet;                      // do not write the rows down
  bool keep_schema;                // a copy of the schema in `wider` also without WH_ERR_WIDEN
  const wh_codec_type *copy_codec; // not NULL: what was read is written with it to `copy`
  const void *copy_options;
  size_t part_bytes;    // not 0: read in parts of about so many, each closed before the next
  size_t block_bytes;   // not 0: the copy is written in blocks of about so many
  const wh_str *wanted; // columns; NULL: all
  size_t wanted_count;

  wh_buf rows;    // a JSON object a line
  wh_buf rejects; // "rule column @row:line:column:byte reason: text" a line
  wh_buf schema;  // "a: int64, b: string?"
  wh_buf copy;
  wh_schema wider; // after WH_ERR_WIDEN
  wh_arena arena;
  size_t row_count;
  size_t reject_count;
  uint64_t sum; // of row hashes
  size_t part_count;
  uint64_t base_row, base_line; // in front of the part in hand
} codec_run;

void codec_run_init(codec_run *run, wh_mem *mem, const wh_codec_type *codec);
void codec_run_free(codec_run *run);
// What was written down by the last run is forgotten first.
wh_status codec_run_read(codec_run *run, wh_str text, wh_error *err);
bool codec_write_schema(const wh_schema *schema, wh_buf *out);
// Writes one batch.
wh_status codec_run_write(wh_mem *mem, const wh_codec_type *codec, const wh_batch *batch,
                          wh_buf *out, wh_error *err);
