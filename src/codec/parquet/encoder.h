// Encodes rows into row groups (a pq_block).
#pragma once

#include "codec/parquet/block.h"
#include "codec/parquet/parquet.h"
#include "codec/parquet/sorted.h"

extern const wh_parquet_write_options pq_default_options;

// What the options mean for a schema: made once for an encoder or a writer, in its arena.
typedef struct pq_settings {
  const wh_parquet_write_options *options;
  pq_layout layout;
  pq_sorting sorting;
  size_t group_rows, group_bytes, page_bytes;
  pq_compression compression;
} pq_settings;
wh_status pq_settings_make(const wh_codec_context *context, const void *options,
                           const wh_schema *schema, wh_arena *arena, pq_settings *ret,
                           wh_error *err);

wh_status pq_open_encoder(const wh_codec_context *context, const void *options,
                          const wh_schema *schema, wh_encoder **ret, wh_error *err);
wh_status pq_open_writer(const wh_codec_context *context, wh_output *out, const void *options,
                         const wh_schema *schema, wh_writer **ret, wh_error *err);
