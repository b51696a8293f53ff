// The codec "parquet" (Apache Parquet, format 2.11).
//
// Writing. A block is a row group, or a few, encoded and compressed where it is made, so that the
// writer only puts blocks behind each other and adds what stands at the end. Data pages are of
// version 1, which every reader knows; each has a CRC. How the encodings are chosen: choose.h; how
// types are stored: layout.h. docs/decisions tells why.
//
// Memory of an encoder: the pages of its row group, which is cut at row_group_bytes of them, and
// what is in no page yet, about a page for each leaf. For wide tables pages become smaller.
//
// Reading. Batches straight from pages, columns side by side (scan.h); which types come:
// schema_read.h; parts are ranges of rows, also inside a row group (reader.c); conditions: where.h.
// Inputs must have read_at. Errors in the file are WH_ERR_DATA and name row group, column, page and
// byte; a value that its type does not allow rejects its row.
//
// Memory of a reader: for each column a window over the file, a page (a piece of it, if it is
// large: page_stream.h) and the dictionary; and the footer.
#pragma once

#include "codec/codec.h"

enum {
  WH_PARQUET_GROUP_ROWS = 128 * 1024,
  WH_PARQUET_GROUP_ROWS_MAX = 1 << 24,
  WH_PARQUET_GROUP_BYTES = 16 << 20,       // encoded; see row_group_bytes
  WH_PARQUET_GROUP_BYTES_WIDE = 48 << 20,  // the most for wide tables
  WH_PARQUET_GROUP_LEAF_BYTES = 128 << 10, // for each leaf, between these two
  WH_PARQUET_GROUP_BYTES_MIN = 64 << 10,
  WH_PARQUET_PAGE_BYTES = 128 << 10, // before encoding
  WH_PARQUET_PAGE_BYTES_ZSTD = 512 << 10,
  WH_PARQUET_PAGE_BYTES_MAX = 64 << 20,
  WH_PARQUET_PAGE_BYTES_WIDE = 4 << 10, // the least that wide tables come down to by themselves
  WH_PARQUET_PAGES_BYTES = 8 << 20,     // of the pages being filled, together
  WH_PARQUET_PAGE_ROWS = 32 * 1024,
  WH_PARQUET_DICTIONARY_BYTES = 1 << 20, // of one dictionary
  WH_PARQUET_INDEX_BYTES = 16 << 20,     // of page indexes in a file; row groups beyond have none
};

typedef enum wh_parquet_compression {
  WH_PARQUET_SNAPPY,
  WH_PARQUET_ZSTD,
  WH_PARQUET_LZ4,
  WH_PARQUET_NONE,
} wh_parquet_compression;

typedef struct wh_parquet_write_options {
  int compression; // wh_parquet_compression
  int64_t level;   // of zstd
  int64_t row_group_rows;
  int64_t row_group_bytes; // of encoded pages; 0: by the number of columns and the memory
  int64_t page_bytes;      // 0: by the number of columns
  int dictionary;          // 0: auto, 1: off
  wh_str_list bloom;
  wh_str_list sort; // "name" or "name desc"
  bool page_index, crc;
} wh_parquet_write_options;

extern const wh_codec_type wh_codec_parquet;
