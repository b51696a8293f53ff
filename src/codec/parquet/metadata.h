// What a Parquet file says about itself: the structs of parquet.thrift (Apache parquet-format
// 2.11), the numbers of its enums, and the tables that read and write them (thrift.h).
//
// Field N of a struct is there when bit N of its `has` is set: PQ_HAS(chunk, PQ_CHUNK_META). The
// names of the bits that matter stand beside the fields.
#pragma once

#include "codec/parquet/thrift.h"

typedef enum pq_type {
  PQ_BOOLEAN,
  PQ_INT32,
  PQ_INT64,
  PQ_INT96,
  PQ_FLOAT,
  PQ_DOUBLE,
  PQ_BYTE_ARRAY,
  PQ_FIXED,
  PQ_TYPE_COUNT,
} pq_type;

typedef enum pq_repetition { PQ_REQUIRED, PQ_OPTIONAL, PQ_REPEATED } pq_repetition;

typedef enum pq_converted {
  PQ_CONVERTED_UTF8,
  PQ_CONVERTED_MAP,
  PQ_CONVERTED_MAP_KEY_VALUE,
  PQ_CONVERTED_LIST,
  PQ_CONVERTED_ENUM,
  PQ_CONVERTED_DECIMAL,
  PQ_CONVERTED_DATE,
  PQ_CONVERTED_TIME_MS,
  PQ_CONVERTED_TIME_US,
  PQ_CONVERTED_TIMESTAMP_MS,
  PQ_CONVERTED_TIMESTAMP_US,
  PQ_CONVERTED_UINT8,
  PQ_CONVERTED_UINT16,
  PQ_CONVERTED_UINT32,
  PQ_CONVERTED_UINT64,
  PQ_CONVERTED_INT8,
  PQ_CONVERTED_INT16,
  PQ_CONVERTED_INT32,
  PQ_CONVERTED_INT64,
  PQ_CONVERTED_JSON,
  PQ_CONVERTED_BSON,
  PQ_CONVERTED_INTERVAL,
} pq_converted;

typedef enum pq_encoding {
  PQ_PLAIN = 0,
  PQ_PLAIN_DICTIONARY = 2,
  PQ_RLE = 3,
  PQ_BIT_PACKED = 4,
  PQ_DELTA_BINARY_PACKED = 5,
  PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
  PQ_DELTA_BYTE_ARRAY = 7,
  PQ_RLE_DICTIONARY = 8,
  PQ_BYTE_STREAM_SPLIT = 9,
} pq_encoding;

typedef enum pq_compression {
  PQ_UNCOMPRESSED,
  PQ_SNAPPY,
  PQ_GZIP,
  PQ_LZO,
  PQ_BROTLI,
  PQ_LZ4_HADOOP,
  PQ_ZSTD,
  PQ_LZ4_RAW,
  PQ_COMPRESSION_COUNT,
} pq_compression;

typedef enum pq_page_type {
  PQ_DATA_PAGE,
  PQ_INDEX_PAGE,
  PQ_DICTIONARY_PAGE,
  PQ_DATA_PAGE_V2,
} pq_page_type;

typedef enum pq_boundary { PQ_UNORDERED, PQ_ASCENDING, PQ_DESCENDING } pq_boundary;

typedef struct pq_empty {
  uint32_t has;
} pq_empty;

// Logical types: a union, so exactly one bit of `has`, which is the kind.
enum {
  PQ_LOGICAL_STRING = 1,
  PQ_LOGICAL_MAP = 2,
  PQ_LOGICAL_LIST = 3,
  PQ_LOGICAL_ENUM = 4,
  PQ_LOGICAL_DECIMAL = 5,
  PQ_LOGICAL_DATE = 6,
  PQ_LOGICAL_TIME = 7,
  PQ_LOGICAL_TIMESTAMP = 8,
  PQ_LOGICAL_INTEGER = 10,
  PQ_LOGICAL_NULL = 11,
  PQ_LOGICAL_JSON = 12,
  PQ_LOGICAL_BSON = 13,
  PQ_LOGICAL_UUID = 14,
  PQ_LOGICAL_FLOAT16 = 15,
  PQ_LOGICAL_VARIANT = 16,
  PQ_LOGICAL_GEOMETRY = 17,
  PQ_LOGICAL_GEOGRAPHY = 18,
};
typedef struct pq_logical_decimal {
  uint32_t has;
  int32_t scale, precision; // 1, 2
} pq_logical_decimal;
enum { PQ_UNIT_MS = 1, PQ_UNIT_US = 2, PQ_UNIT_NS = 3 };
typedef struct pq_logical_unit {
  uint32_t has; // one of PQ_UNIT_
  pq_empty ms, us, ns;
} pq_logical_unit;
typedef struct pq_logical_time {
  uint32_t has;
  bool utc;             // 1
  pq_logical_unit unit; // 2
} pq_logical_time;
typedef struct pq_logical_integer {
  uint32_t has;
  int8_t bits;      // 1
  bool with_a_sign; // 2
} pq_logical_integer;
typedef struct pq_logical {
  uint32_t has;
  pq_empty none; // of all that have no fields
  pq_logical_decimal decimal;
  pq_logical_time time, timestamp;
  pq_logical_integer integer;
} pq_logical;

enum {
  PQ_ELEMENT_TYPE = 1,
  PQ_ELEMENT_TYPE_LENGTH = 2,
  PQ_ELEMENT_REPETITION = 3,
  PQ_ELEMENT_NAME = 4,
  PQ_ELEMENT_CHILDREN = 5,
  PQ_ELEMENT_CONVERTED = 6,
  PQ_ELEMENT_SCALE = 7,
  PQ_ELEMENT_PRECISION = 8,
  PQ_ELEMENT_FIELD_ID = 9,
  PQ_ELEMENT_LOGICAL = 10,
};
typedef struct pq_schema_element {
  uint32_t has;
  int32_t type;        // pq_type; absent: a group
  int32_t type_length; // of PQ_FIXED
  int32_t repetition;  // absent at the root
  wh_str name;         // required
  int32_t children;
  int32_t converted;
  int32_t scale, precision;
  int32_t field_id;
  pq_logical logical;
} pq_schema_element;

enum {
  PQ_STAT_MAX_OLD = 1, // compared as signed bytes: not used for text
  PQ_STAT_MIN_OLD = 2,
  PQ_STAT_NULLS = 3,
  PQ_STAT_DISTINCT = 4,
  PQ_STAT_MAX = 5,
  PQ_STAT_MIN = 6,
  PQ_STAT_MAX_EXACT = 7,
  PQ_STAT_MIN_EXACT = 8,
  PQ_STAT_NANS = 9,
};
typedef struct pq_statistics {
  uint32_t has;
  wh_str max_old, min_old;
  int64_t nulls, distinct;
  wh_str max, min;
  bool max_exact, min_exact;
  int64_t nans;
} pq_statistics;

typedef struct pq_key_value {
  uint32_t has;
  wh_str key;   // 1, required
  wh_str value; // 2
} pq_key_value;

typedef struct pq_page_encoding {
  uint32_t has;
  int32_t page_type, encoding, count; // 1, 2, 3; required
} pq_page_encoding;

typedef struct pq_size_statistics {
  uint32_t has;
  int64_t text_bytes;                           // 1: of BYTE_ARRAY values, without lengths
  pq_i64s repetition_levels, definition_levels; // 2, 3: how many of each
} pq_size_statistics;

enum {
  PQ_META_KEY_VALUES = 8,
  PQ_META_INDEX_PAGE = 10,
  PQ_META_DICTIONARY_PAGE = 11,
  PQ_META_STATISTICS = 12,
  PQ_META_PAGE_ENCODINGS = 13,
  PQ_META_BLOOM_OFFSET = 14,
  PQ_META_BLOOM_LENGTH = 15,
  PQ_META_SIZES = 16,
};
#define PQ_META_REQUIRED                                                                           \
  (PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3) | PQ_BIT(4) | PQ_BIT(5) | PQ_BIT(6) | PQ_BIT(7) | PQ_BIT(9))
typedef struct pq_column_meta {
  uint32_t has;
  int32_t type;              // 1
  pq_i32s encodings;         // 2
  pq_texts path;             // 3
  int32_t compression;       // 4
  int64_t values;            // 5: NULLs and empty lists too
  int64_t uncompressed_size; // 6: page headers too
  int64_t compressed_size;   // 7: page headers too
  pq_structs key_values;
  int64_t data_page; // 9: offset of the first
  int64_t index_page;
  int64_t dictionary_page;
  pq_statistics statistics;
  pq_structs page_encodings; // of pq_page_encoding
  int64_t bloom_offset;
  int32_t bloom_length;
  pq_size_statistics sizes;
} pq_column_meta;

enum {
  PQ_CHUNK_FILE = 1,
  PQ_CHUNK_OFFSET = 2, // required; 0
  PQ_CHUNK_META = 3,
  PQ_CHUNK_OFFSET_INDEX = 4, // bits of both offset and length
  PQ_CHUNK_OFFSET_INDEX_LENGTH = 5,
  PQ_CHUNK_COLUMN_INDEX = 6,
  PQ_CHUNK_COLUMN_INDEX_LENGTH = 7,
  PQ_CHUNK_CRYPTO = 8,
  PQ_CHUNK_ENCRYPTED_META = 9,
};
typedef struct pq_column_chunk {
  uint32_t has;
  wh_str file;
  int64_t offset;
  pq_column_meta meta;
  int64_t offset_index;
  int32_t offset_index_length;
  int64_t column_index;
  int32_t column_index_length;
  pq_empty crypto; // present: the column is encrypted
  wh_str encrypted_meta;
} pq_column_chunk;

typedef struct pq_sorting_column {
  uint32_t has;
  int32_t column;   // 1
  bool descending;  // 2
  bool nulls_first; // 3
} pq_sorting_column;

enum {
  PQ_GROUP_SORTING = 4,
  PQ_GROUP_OFFSET = 5,
  PQ_GROUP_COMPRESSED = 6,
  PQ_GROUP_ORDINAL = 7,
};
#define PQ_GROUP_REQUIRED (PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3))
typedef struct pq_row_group {
  uint32_t has;
  pq_raw columns;     // 1: of pq_column_chunk
  int64_t bytes;      // 2: uncompressed
  int64_t rows;       // 3
  pq_structs sorting; // of pq_sorting_column
  int64_t offset;
  int64_t compressed_size;
  int16_t ordinal;
} pq_row_group;

enum { PQ_ORDER_TYPE = 1, PQ_ORDER_IEEE754 = 2, PQ_ORDER_INT96 = 3 };
typedef struct pq_column_order {
  uint32_t has; // one of PQ_ORDER_
  pq_empty type, ieee754, int96;
} pq_column_order;

enum {
  PQ_FILE_KEY_VALUES = 5,
  PQ_FILE_CREATED_BY = 6,
  PQ_FILE_COLUMN_ORDERS = 7,
  PQ_FILE_ENCRYPTION = 8,
};
#define PQ_FILE_REQUIRED (PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3) | PQ_BIT(4))
typedef struct pq_file_meta {
  uint32_t has;
  int32_t version;       // 1
  pq_structs schema;     // 2: of pq_schema_element, depth first
  int64_t rows;          // 3
  pq_raw row_groups;     // 4: of pq_row_group
  pq_structs key_values; // of pq_key_value
  wh_str created_by;
  pq_structs column_orders; // of pq_column_order, one a leaf
  pq_empty encryption;      // present: columns are encrypted though the footer is not
} pq_file_meta;

enum { PQ_DATA_STATISTICS = 5 };
typedef struct pq_data_header {
  uint32_t has;
  int32_t values;                                   // 1
  int32_t encoding;                                 // 2
  int32_t definition_encoding, repetition_encoding; // 3, 4
  pq_statistics statistics;
} pq_data_header;

enum { PQ_DATA2_COMPRESSED = 7, PQ_DATA2_STATISTICS = 8 };
typedef struct pq_data2_header {
  uint32_t has;
  int32_t values, nulls, rows;                // 1, 2, 3
  int32_t encoding;                           // 4
  int32_t definition_bytes, repetition_bytes; // 5, 6
  bool compressed;                            // absent: true
  pq_statistics statistics;
} pq_data2_header;

typedef struct pq_dictionary_header {
  uint32_t has;
  int32_t values;   // 1
  int32_t encoding; // 2
  bool sorted;      // 3
} pq_dictionary_header;

enum {
  PQ_PAGE_CRC = 4,
  PQ_PAGE_DATA = 5,
  PQ_PAGE_INDEX = 6,
  PQ_PAGE_DICTIONARY = 7,
  PQ_PAGE_DATA2 = 8,
};
#define PQ_PAGE_REQUIRED (PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3))
typedef struct pq_page_header {
  uint32_t has;
  int32_t type;              // 1: pq_page_type
  int32_t uncompressed_size; // 2
  int32_t compressed_size;   // 3
  int32_t crc;               // CRC-32 (RFC 1952) of the bytes behind the header, as they stand
  pq_data_header data;
  pq_empty index;
  pq_dictionary_header dictionary;
  pq_data2_header data2;
} pq_page_header;

typedef struct pq_page_location {
  uint32_t has;
  int64_t offset;          // 1: of the header
  int32_t compressed_size; // 2: header too
  int64_t first_row;       // 3: in the row group
} pq_page_location;
enum { PQ_OFFSET_INDEX_TEXT_BYTES = 2 };
typedef struct pq_offset_index {
  uint32_t has;
  pq_structs pages;   // 1
  pq_i64s text_bytes; // 2: of each page
} pq_offset_index;

enum { PQ_COLUMN_INDEX_NULLS = 5 };
#define PQ_COLUMN_INDEX_REQUIRED (PQ_BIT(1) | PQ_BIT(2) | PQ_BIT(3) | PQ_BIT(4))
typedef struct pq_column_index {
  uint32_t has;
  pq_bools null_pages; // 1
  pq_texts mins, maxs; // 2, 3
  int32_t boundary;    // 4: pq_boundary
  pq_i64s nulls;       // 5
} pq_column_index;

// Split block bloom filter, xxHash (64 bit, seed 0), uncompressed: the only kind there is.
typedef struct pq_bloom_kind {
  uint32_t has; // bit 1
  pq_empty only;
} pq_bloom_kind;
typedef struct pq_bloom_header {
  uint32_t has;
  int32_t bytes;                              // 1
  pq_bloom_kind algorithm, hash, compression; // 2, 3, 4
} pq_bloom_header;

extern const pq_rule pq_rule_file;
extern const pq_rule pq_rule_row_group;
extern const pq_rule pq_rule_column_chunk;
extern const pq_rule pq_rule_page_header;
extern const pq_rule pq_rule_offset_index;
extern const pq_rule pq_rule_column_index;
extern const pq_rule pq_rule_bloom_header;

// "int32", "byte array"; "snappy"; "delta binary packed". "?" for what is none.
const char *pq_type_name(int32_t type);
const char *pq_compression_name(int32_t compression);
const char *pq_encoding_name(int32_t encoding);

#define PQ_MAGIC           "PAR1"
#define PQ_MAGIC_ENCRYPTED "PARE"
enum {
  PQ_MAGIC_BYTES = 4,
  PQ_TAIL_BYTES = 8, // length of the footer, and the magic bytes
};
