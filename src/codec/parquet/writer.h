// A Parquet file as it is written: what stands of it, and what its footer will say.
#pragma once

#include "codec/parquet/encoder.h"

// A column chunk in the footer: its metadata as written, still without its end, for where the page
// indexes will be is known only when the last row group is.
typedef struct pq_footer_chunk {
  uint32_t size;                       // of its part of `metas`
  uint32_t offset_index, column_index; // bytes; 0: it has none
} pq_footer_chunk;

typedef struct pq_footer_group {
  uint64_t rows;
  int64_t offset, compressed, uncompressed;
} pq_footer_group;

typedef struct pq_writer {
  wh_writer base;
  wh_mem *mem;
  wh_output *out;
  wh_arena arena;
  wh_arena scratch;
  pq_settings settings;
  wh_encoder *encoder; // of `write`; NULL before
  const wh_schema *schema;
  wh_codec_context context;
  uint64_t at; // where the next byte goes in the file
  uint64_t rows;
  wh_buf metas, column_indexes, offset_indexes;
  wh_buf chunks; // of pq_footer_chunk
  wh_buf groups; // of pq_footer_group
  wh_batch ends; // of what was written, where the file is sorted
} pq_writer;

wh_status pq_writer_put(pq_writer *w, const void *data, size_t len, wh_error *err);
wh_status pq_writer_start(pq_writer *w, wh_error *err); // where nothing was written yet
// Of the next column chunk, whose indexes the footer will place: they are not in `chunk`.
wh_status pq_writer_add_meta(pq_writer *w, const pq_column_chunk *chunk, pq_footer_chunk *ret,
                             wh_error *err);
bool pq_writer_wants_indexes(const pq_writer *w); // asked for, and there is room
// See wh_writer.append_file.
wh_status pq_append_file(wh_writer *writer, wh_input *file, wh_error *err);
