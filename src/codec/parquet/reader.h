// The reader of Parquet files: opening, the columns that are read, and parts.
#pragma once

#include "codec/codec.h"

// The read options of the codec, as its table fills them.
typedef struct pq_read_options {
  const wh_node *where; // { column: [from, to] }
  int int96;            // 0: microseconds; 1: nanoseconds
} pq_read_options;

extern const wh_option pq_read_table[];

wh_status pq_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                         const wh_schema *given, wh_reader **ret, wh_error *err);
