#include "codec/parquet/metadata.h"

#define FIELD(number, kind, structure, member)                                                     \
  { .id = (number), .slot = PQ_SLOT_##kind, .offset = offsetof(structure, member), .name = #member }
#define NEED(number, kind, structure, member)                                                      \
  {                                                                                                \
    .id = (number), .slot = PQ_SLOT_##kind, .required = true,                                      \
    .offset = offsetof(structure, member), .name = #member                                         \
  }
#define FIELD_OF(number, kind, structure, member, rule)                                            \
  {                                                                                                \
    .id = (number), .slot = PQ_SLOT_##kind, .offset = offsetof(structure, member),                 \
    .name = #member, .inner = &(rule)                                                              \
  }
#define NEED_OF(number, kind, structure, member, rule)                                             \
  {                                                                                                \
    .id = (number), .slot = PQ_SLOT_##kind, .required = true,                                      \
    .offset = offsetof(structure, member), .name = #member, .inner = &(rule)                       \
  }
#define RULE(ident, text, structure, ...)                                                          \
  const pq_rule ident = {.name = text,                                                             \
                         .size = sizeof(structure),                                                \
                         .fields = (const pq_field_rule[]){__VA_ARGS__, {0}}}

static const pq_rule rule_empty = {
    .name = "empty", .size = sizeof(pq_empty), .fields = (const pq_field_rule[]){{0}}};

static RULE(rule_decimal, "decimal type", pq_logical_decimal,
            NEED(1, I32, pq_logical_decimal, scale), NEED(2, I32, pq_logical_decimal, precision));

static RULE(rule_unit, "time unit", pq_logical_unit,
            FIELD_OF(PQ_UNIT_MS, STRUCT, pq_logical_unit, ms, rule_empty),
            FIELD_OF(PQ_UNIT_US, STRUCT, pq_logical_unit, us, rule_empty),
            FIELD_OF(PQ_UNIT_NS, STRUCT, pq_logical_unit, ns, rule_empty));

static RULE(rule_time, "time type", pq_logical_time, NEED(1, BOOL, pq_logical_time, utc),
            NEED_OF(2, STRUCT, pq_logical_time, unit, rule_unit));

static RULE(rule_integer, "integer type", pq_logical_integer, NEED(1, I8, pq_logical_integer, bits),
            NEED(2, BOOL, pq_logical_integer, with_a_sign));

#define LOGICAL_BARE(number) FIELD_OF(number, STRUCT, pq_logical, none, rule_empty)
static RULE(rule_logical, "logical type", pq_logical, LOGICAL_BARE(PQ_LOGICAL_STRING),
            LOGICAL_BARE(PQ_LOGICAL_MAP), LOGICAL_BARE(PQ_LOGICAL_LIST),
            LOGICAL_BARE(PQ_LOGICAL_ENUM),
            FIELD_OF(PQ_LOGICAL_DECIMAL, STRUCT, pq_logical, decimal, rule_decimal),
            LOGICAL_BARE(PQ_LOGICAL_DATE),
            FIELD_OF(PQ_LOGICAL_TIME, STRUCT, pq_logical, time, rule_time),
            FIELD_OF(PQ_LOGICAL_TIMESTAMP, STRUCT, pq_logical, timestamp, rule_time),
            FIELD_OF(PQ_LOGICAL_INTEGER, STRUCT, pq_logical, integer, rule_integer),
            LOGICAL_BARE(PQ_LOGICAL_NULL), LOGICAL_BARE(PQ_LOGICAL_JSON),
            LOGICAL_BARE(PQ_LOGICAL_BSON), LOGICAL_BARE(PQ_LOGICAL_UUID),
            LOGICAL_BARE(PQ_LOGICAL_FLOAT16), LOGICAL_BARE(PQ_LOGICAL_VARIANT),
            LOGICAL_BARE(PQ_LOGICAL_GEOMETRY), LOGICAL_BARE(PQ_LOGICAL_GEOGRAPHY));

static RULE(rule_element, "schema element", pq_schema_element,
            FIELD(PQ_ELEMENT_TYPE, I32, pq_schema_element, type),
            FIELD(PQ_ELEMENT_TYPE_LENGTH, I32, pq_schema_element, type_length),
            FIELD(PQ_ELEMENT_REPETITION, I32, pq_schema_element, repetition),
            NEED(PQ_ELEMENT_NAME, TEXT, pq_schema_element, name),
            FIELD(PQ_ELEMENT_CHILDREN, I32, pq_schema_element, children),
            FIELD(PQ_ELEMENT_CONVERTED, I32, pq_schema_element, converted),
            FIELD(PQ_ELEMENT_SCALE, I32, pq_schema_element, scale),
            FIELD(PQ_ELEMENT_PRECISION, I32, pq_schema_element, precision),
            FIELD(PQ_ELEMENT_FIELD_ID, I32, pq_schema_element, field_id),
            FIELD_OF(PQ_ELEMENT_LOGICAL, STRUCT, pq_schema_element, logical, rule_logical));

static RULE(rule_statistics, "statistics", pq_statistics,
            FIELD(PQ_STAT_MAX_OLD, TEXT, pq_statistics, max_old),
            FIELD(PQ_STAT_MIN_OLD, TEXT, pq_statistics, min_old),
            FIELD(PQ_STAT_NULLS, I64, pq_statistics, nulls),
            FIELD(PQ_STAT_DISTINCT, I64, pq_statistics, distinct),
            FIELD(PQ_STAT_MAX, TEXT, pq_statistics, max),
            FIELD(PQ_STAT_MIN, TEXT, pq_statistics, min),
            FIELD(PQ_STAT_MAX_EXACT, BOOL, pq_statistics, max_exact),
            FIELD(PQ_STAT_MIN_EXACT, BOOL, pq_statistics, min_exact),
            FIELD(PQ_STAT_NANS, I64, pq_statistics, nans));

static RULE(rule_key_value, "key and value", pq_key_value, NEED(1, TEXT, pq_key_value, key),
            FIELD(2, TEXT, pq_key_value, value));

static RULE(rule_page_encoding, "encoding statistics", pq_page_encoding,
            NEED(1, I32, pq_page_encoding, page_type), NEED(2, I32, pq_page_encoding, encoding),
            NEED(3, I32, pq_page_encoding, count));

static RULE(rule_sizes, "size statistics", pq_size_statistics,
            FIELD(1, I64, pq_size_statistics, text_bytes),
            FIELD(2, I64S, pq_size_statistics, repetition_levels),
            FIELD(3, I64S, pq_size_statistics, definition_levels));

static RULE(rule_column_meta, "column metadata", pq_column_meta, NEED(1, I32, pq_column_meta, type),
            NEED(2, I32S, pq_column_meta, encodings), NEED(3, TEXTS, pq_column_meta, path),
            NEED(4, I32, pq_column_meta, compression), NEED(5, I64, pq_column_meta, values),
            NEED(6, I64, pq_column_meta, uncompressed_size),
            NEED(7, I64, pq_column_meta, compressed_size),
            FIELD_OF(PQ_META_KEY_VALUES, STRUCTS, pq_column_meta, key_values, rule_key_value),
            NEED(9, I64, pq_column_meta, data_page),
            FIELD(PQ_META_INDEX_PAGE, I64, pq_column_meta, index_page),
            FIELD(PQ_META_DICTIONARY_PAGE, I64, pq_column_meta, dictionary_page),
            FIELD_OF(PQ_META_STATISTICS, STRUCT, pq_column_meta, statistics, rule_statistics),
            FIELD_OF(PQ_META_PAGE_ENCODINGS, STRUCTS, pq_column_meta, page_encodings,
                     rule_page_encoding),
            FIELD(PQ_META_BLOOM_OFFSET, I64, pq_column_meta, bloom_offset),
            FIELD(PQ_META_BLOOM_LENGTH, I32, pq_column_meta, bloom_length),
            FIELD_OF(PQ_META_SIZES, STRUCT, pq_column_meta, sizes, rule_sizes));

RULE(pq_rule_column_chunk, "column chunk", pq_column_chunk,
     FIELD(PQ_CHUNK_FILE, TEXT, pq_column_chunk, file),
     FIELD(PQ_CHUNK_OFFSET, I64, pq_column_chunk, offset),
     FIELD_OF(PQ_CHUNK_META, STRUCT, pq_column_chunk, meta, rule_column_meta),
     FIELD(PQ_CHUNK_OFFSET_INDEX, I64, pq_column_chunk, offset_index),
     FIELD(PQ_CHUNK_OFFSET_INDEX_LENGTH, I32, pq_column_chunk, offset_index_length),
     FIELD(PQ_CHUNK_COLUMN_INDEX, I64, pq_column_chunk, column_index),
     FIELD(PQ_CHUNK_COLUMN_INDEX_LENGTH, I32, pq_column_chunk, column_index_length),
     FIELD_OF(PQ_CHUNK_CRYPTO, STRUCT, pq_column_chunk, crypto, rule_empty),
     FIELD(PQ_CHUNK_ENCRYPTED_META, TEXT, pq_column_chunk, encrypted_meta));

static RULE(rule_sorting, "sorting column", pq_sorting_column,
            NEED(1, I32, pq_sorting_column, column), NEED(2, BOOL, pq_sorting_column, descending),
            NEED(3, BOOL, pq_sorting_column, nulls_first));

RULE(pq_rule_row_group, "row group", pq_row_group,
     NEED_OF(1, RAW, pq_row_group, columns, pq_rule_column_chunk),
     NEED(2, I64, pq_row_group, bytes), NEED(3, I64, pq_row_group, rows),
     FIELD_OF(PQ_GROUP_SORTING, STRUCTS, pq_row_group, sorting, rule_sorting),
     FIELD(PQ_GROUP_OFFSET, I64, pq_row_group, offset),
     FIELD(PQ_GROUP_COMPRESSED, I64, pq_row_group, compressed_size),
     FIELD(PQ_GROUP_ORDINAL, I16, pq_row_group, ordinal));

static RULE(rule_column_order, "column order", pq_column_order,
            FIELD_OF(PQ_ORDER_TYPE, STRUCT, pq_column_order, type, rule_empty),
            FIELD_OF(PQ_ORDER_IEEE754, STRUCT, pq_column_order, ieee754, rule_empty),
            FIELD_OF(PQ_ORDER_INT96, STRUCT, pq_column_order, int96, rule_empty));

RULE(pq_rule_file, "footer", pq_file_meta, NEED(1, I32, pq_file_meta, version),
     NEED_OF(2, STRUCTS, pq_file_meta, schema, rule_element), NEED(3, I64, pq_file_meta, rows),
     NEED_OF(4, RAW, pq_file_meta, row_groups, pq_rule_row_group),
     FIELD_OF(PQ_FILE_KEY_VALUES, STRUCTS, pq_file_meta, key_values, rule_key_value),
     FIELD(PQ_FILE_CREATED_BY, TEXT, pq_file_meta, created_by),
     FIELD_OF(PQ_FILE_COLUMN_ORDERS, STRUCTS, pq_file_meta, column_orders, rule_column_order),
     FIELD_OF(PQ_FILE_ENCRYPTION, STRUCT, pq_file_meta, encryption, rule_empty));

static RULE(rule_data, "data page header", pq_data_header, NEED(1, I32, pq_data_header, values),
            NEED(2, I32, pq_data_header, encoding),
            NEED(3, I32, pq_data_header, definition_encoding),
            NEED(4, I32, pq_data_header, repetition_encoding),
            FIELD_OF(PQ_DATA_STATISTICS, STRUCT, pq_data_header, statistics, rule_statistics));

static RULE(rule_data2, "data page header", pq_data2_header, NEED(1, I32, pq_data2_header, values),
            NEED(2, I32, pq_data2_header, nulls), NEED(3, I32, pq_data2_header, rows),
            NEED(4, I32, pq_data2_header, encoding),
            NEED(5, I32, pq_data2_header, definition_bytes),
            NEED(6, I32, pq_data2_header, repetition_bytes),
            FIELD(PQ_DATA2_COMPRESSED, BOOL, pq_data2_header, compressed),
            FIELD_OF(PQ_DATA2_STATISTICS, STRUCT, pq_data2_header, statistics, rule_statistics));

static RULE(rule_dictionary, "dictionary page header", pq_dictionary_header,
            NEED(1, I32, pq_dictionary_header, values),
            NEED(2, I32, pq_dictionary_header, encoding),
            FIELD(3, BOOL, pq_dictionary_header, sorted));

RULE(pq_rule_page_header, "page header", pq_page_header, NEED(1, I32, pq_page_header, type),
     NEED(2, I32, pq_page_header, uncompressed_size), NEED(3, I32, pq_page_header, compressed_size),
     FIELD(PQ_PAGE_CRC, I32, pq_page_header, crc),
     FIELD_OF(PQ_PAGE_DATA, STRUCT, pq_page_header, data, rule_data),
     FIELD_OF(PQ_PAGE_INDEX, STRUCT, pq_page_header, index, rule_empty),
     FIELD_OF(PQ_PAGE_DICTIONARY, STRUCT, pq_page_header, dictionary, rule_dictionary),
     FIELD_OF(PQ_PAGE_DATA2, STRUCT, pq_page_header, data2, rule_data2));

static RULE(rule_location, "page location", pq_page_location,
            NEED(1, I64, pq_page_location, offset), NEED(2, I32, pq_page_location, compressed_size),
            NEED(3, I64, pq_page_location, first_row));

RULE(pq_rule_offset_index, "offset index", pq_offset_index,
     NEED_OF(1, STRUCTS, pq_offset_index, pages, rule_location),
     FIELD(PQ_OFFSET_INDEX_TEXT_BYTES, I64S, pq_offset_index, text_bytes));

RULE(pq_rule_column_index, "column index", pq_column_index,
     NEED(1, BOOLS, pq_column_index, null_pages), NEED(2, TEXTS, pq_column_index, mins),
     NEED(3, TEXTS, pq_column_index, maxs), NEED(4, I32, pq_column_index, boundary),
     FIELD(PQ_COLUMN_INDEX_NULLS, I64S, pq_column_index, nulls));

static RULE(rule_bloom_kind, "bloom filter kind", pq_bloom_kind,
            FIELD_OF(1, STRUCT, pq_bloom_kind, only, rule_empty));

RULE(pq_rule_bloom_header, "bloom filter header", pq_bloom_header,
     NEED(1, I32, pq_bloom_header, bytes),
     NEED_OF(2, STRUCT, pq_bloom_header, algorithm, rule_bloom_kind),
     NEED_OF(3, STRUCT, pq_bloom_header, hash, rule_bloom_kind),
     NEED_OF(4, STRUCT, pq_bloom_header, compression, rule_bloom_kind));

static const char *name_of(int32_t index, const char *const *names, size_t count) {
  return index >= 0 && (size_t)index < count && names[index] ? names[index] : "?";
}

const char *pq_type_name(int32_t type) {
  static const char *const names[] = {"boolean", "int32",  "int64",      "int96",
                                      "float",   "double", "byte array", "fixed length byte array"};
  return name_of(type, names, sizeof names / sizeof *names);
}

const char *pq_compression_name(int32_t compression) {
  static const char *const names[] = {"none",   "snappy", "gzip", "lzo",
                                      "brotli", "lz4",    "zstd", "lz4_raw"};
  return name_of(compression, names, sizeof names / sizeof *names);
}

const char *pq_encoding_name(int32_t encoding) {
  static const char *const names[] = {
      "plain",
      NULL,
      "plain dictionary",
      "rle",
      "bit packed",
      "delta binary packed",
      "delta length byte array",
      "delta byte array",
      "rle dictionary",
      "byte stream split",
  };
  return name_of(encoding, names, sizeof names / sizeof *names);
}
