#include "codec/parquet/encoder.h"

#include "codec/parquet/compress.h"

const wh_parquet_write_options pq_default_options = {
    .compression = WH_PARQUET_SNAPPY,
    .level = PQ_ZSTD_LEVEL_DEFAULT,
    .row_group_rows = WH_PARQUET_GROUP_ROWS,
    .page_index = true,
    .crc = true,
};

static size_t clamp(size_t x, size_t least, size_t most) {
  return x < least ? least : x > most ? most : x;
}

static size_t group_bytes(const wh_codec_context *context, const wh_parquet_write_options *options,
                          size_t leaves) {
  if (options->row_group_bytes) return (size_t)options->row_group_bytes;
  size_t bytes = clamp(leaves * WH_PARQUET_GROUP_LEAF_BYTES, WH_PARQUET_GROUP_BYTES,
                       WH_PARQUET_GROUP_BYTES_WIDE);
  // A block waits to be written while the next one is made.
  if (context->part_bytes && context->part_bytes / 2 < bytes) bytes = context->part_bytes / 2;
  return bytes < WH_PARQUET_GROUP_BYTES_MIN ? WH_PARQUET_GROUP_BYTES_MIN : bytes;
}

static size_t page_bytes(const wh_parquet_write_options *options, size_t leaves,
                         size_t group_bytes_) {
  if (options->page_bytes) return (size_t)options->page_bytes;
  // zstd gains from a longer view; the others look back over 64 KiB at most.
  size_t most =
      options->compression == WH_PARQUET_ZSTD ? WH_PARQUET_PAGE_BYTES_ZSTD : WH_PARQUET_PAGE_BYTES;
  size_t all = clamp(group_bytes_ / 2, 0, WH_PARQUET_PAGES_BYTES);
  return clamp(all / leaves, WH_PARQUET_PAGE_BYTES_WIDE, most);
}

static wh_status check_bloom(const wh_parquet_write_options *options, const wh_schema *schema,
                             wh_error *err) {
  for (size_t i = 0; i < options->bloom.count; i++) {
    wh_str word = options->bloom.items[i];
    ptrdiff_t column = wh_schema_find(schema, word);
    if (column < 0)
      return wh_fail(err, WH_ERR_USAGE, "bloom: there is no column '%.*s'", WH_STR_ARG(word));
    wh_kind kind = schema->fields[column].type.kind;
    if (kind == WH_BOOL || kind == WH_NULL) {
      return wh_fail(err, WH_ERR_USAGE,
                     "bloom: the column '%.*s' has too few values to be worth a filter",
                     WH_STR_ARG(word));
    }
  }
  return WH_OK;
}

wh_status pq_settings_make(const wh_codec_context *context, const void *options,
                           const wh_schema *schema, wh_arena *arena, pq_settings *ret,
                           wh_error *err) {
  static const pq_compression compressions[] = {[WH_PARQUET_SNAPPY] = PQ_SNAPPY,
                                                [WH_PARQUET_ZSTD] = PQ_ZSTD,
                                                [WH_PARQUET_LZ4] = PQ_LZ4_RAW,
                                                [WH_PARQUET_NONE] = PQ_UNCOMPRESSED};
  pq_settings settings = {.options = options ? options : &pq_default_options};
  const wh_parquet_write_options *o = settings.options;
  WH_TRY(pq_layout_make(schema, arena, &settings.layout, err));
  WH_TRY(check_bloom(o, schema, err));
  WH_TRY(pq_sorting_make(&o->sort, &settings.layout, arena, &settings.sorting, err));
  settings.compression = compressions[o->compression];
  settings.group_rows = (size_t)o->row_group_rows;
  if (context->part_rows && context->part_rows < settings.group_rows)
    settings.group_rows = context->part_rows;
  settings.group_bytes = group_bytes(context, o, settings.layout.count);
  settings.page_bytes = page_bytes(o, settings.layout.count, settings.group_bytes);
  *ret = settings;
  return WH_OK;
}
