// DuckDB, loaded when a model first needs it: a program without models neither needs the library
// nor pays for it with memory. Declared here is what is used of its C API (DuckDB 1.5, "C API" in
// its documentation), in our own words; objects of the library are opaque pointers.
#pragma once

#include "connect/connect.h"

typedef uint64_t idx_t;
typedef void *duckdb_config, *duckdb_database, *duckdb_connection, *duckdb_extracted_statements,
    *duckdb_prepared_statement, *duckdb_logical_type, *duckdb_table_function, *duckdb_bind_info,
    *duckdb_init_info, *duckdb_function_info, *duckdb_data_chunk, *duckdb_vector, *duckdb_value;
typedef enum duckdb_state { DUCKDB_SUCCESS = 0, DUCKDB_ERROR = 1 } duckdb_state;

typedef struct duckdb_result { // all of it the library's own
  idx_t column_count, row_count, rows_changed;
  void *columns;
  char *error_message;
  void *internal_data;
} duckdb_result;

// Values as they stand in vectors.
typedef struct duckdb_string_t {
  uint32_t length;
  char begin[4]; // up to 12 bytes stand here and go on behind it; of longer texts the first four
  const char *data;
} duckdb_string_t;
static_assert(sizeof(duckdb_string_t) == 16, "as the library has it");
enum { DUCKDB_STRING_INLINED = 12 };

typedef struct duckdb_list_entry {
  uint64_t offset, length;
} duckdb_list_entry;

enum { DUCKDB_STATEMENT_SELECT = 1 };

typedef enum duckdb_type {
  DUCKDB_BOOLEAN = 1,
  DUCKDB_TINYINT,
  DUCKDB_SMALLINT,
  DUCKDB_INTEGER,
  DUCKDB_BIGINT,
  DUCKDB_UTINYINT,
  DUCKDB_USMALLINT,
  DUCKDB_UINTEGER,
  DUCKDB_UBIGINT,
  DUCKDB_FLOAT,
  DUCKDB_DOUBLE,
  DUCKDB_TIMESTAMP, // microseconds
  DUCKDB_DATE,
  DUCKDB_TIME, // microseconds
  DUCKDB_INTERVAL,
  DUCKDB_HUGEINT,
  DUCKDB_VARCHAR,
  DUCKDB_BLOB,
  DUCKDB_DECIMAL,
  DUCKDB_TIMESTAMP_S,
  DUCKDB_TIMESTAMP_MS,
  DUCKDB_TIMESTAMP_NS,
  DUCKDB_ENUM,
  DUCKDB_LIST,
  DUCKDB_STRUCT,
  DUCKDB_MAP,
  DUCKDB_UUID,
  DUCKDB_UNION,
  DUCKDB_BIT,
  DUCKDB_TIME_TZ,
  DUCKDB_TIMESTAMP_TZ, // microseconds, UTC
  DUCKDB_UHUGEINT,
  DUCKDB_ARRAY,
  DUCKDB_BIGNUM = 35,
  DUCKDB_SQLNULL = 36,
  DUCKDB_TIME_NS = 39,
  DUCKDB_GEOMETRY = 40,
} duckdb_type;

typedef void (*duckdb_free_data)(void *data);

// result type, name, parameters
#define WH_DUCKDB_FUNCTIONS(X)                                                                     \
  X(const char *, duckdb_library_version, (void))                                                  \
  X(void, duckdb_free, (void *))                                                                   \
  X(duckdb_state, duckdb_create_config, (duckdb_config *))                                         \
  X(duckdb_state, duckdb_set_config, (duckdb_config, const char *, const char *))                  \
  X(void, duckdb_destroy_config, (duckdb_config *))                                                \
  X(duckdb_state, duckdb_open_ext, (const char *, duckdb_database *, duckdb_config, char **))      \
  X(void, duckdb_close, (duckdb_database *))                                                       \
  X(duckdb_state, duckdb_connect, (duckdb_database, duckdb_connection *))                          \
  X(void, duckdb_disconnect, (duckdb_connection *))                                                \
  X(void, duckdb_interrupt, (duckdb_connection))                                                   \
  X(duckdb_state, duckdb_query, (duckdb_connection, const char *, duckdb_result *))                \
  X(const char *, duckdb_result_error, (duckdb_result *))                                          \
  X(void, duckdb_destroy_result, (duckdb_result *))                                                \
  X(idx_t, duckdb_extract_statements,                                                              \
    (duckdb_connection, const char *, duckdb_extracted_statements *))                              \
  X(const char *, duckdb_extract_statements_error, (duckdb_extracted_statements))                  \
  X(void, duckdb_destroy_extracted, (duckdb_extracted_statements *))                               \
  X(duckdb_state, duckdb_prepare_extracted_statement,                                              \
    (duckdb_connection, duckdb_extracted_statements, idx_t, duckdb_prepared_statement *))          \
  X(const char *, duckdb_prepare_error, (duckdb_prepared_statement))                               \
  X(void, duckdb_destroy_prepare, (duckdb_prepared_statement *))                                   \
  X(idx_t, duckdb_nparams, (duckdb_prepared_statement))                                            \
  X(int, duckdb_prepared_statement_type, (duckdb_prepared_statement))                              \
  X(idx_t, duckdb_prepared_statement_column_count, (duckdb_prepared_statement))                    \
  X(const char *, duckdb_prepared_statement_column_name, (duckdb_prepared_statement, idx_t))       \
  X(duckdb_logical_type, duckdb_prepared_statement_column_logical_type,                            \
    (duckdb_prepared_statement, idx_t))                                                            \
  X(duckdb_state, duckdb_execute_prepared_streaming, (duckdb_prepared_statement, duckdb_result *)) \
  X(duckdb_data_chunk, duckdb_fetch_chunk, (duckdb_result))                                        \
  X(void, duckdb_destroy_data_chunk, (duckdb_data_chunk *))                                        \
  X(idx_t, duckdb_data_chunk_get_size, (duckdb_data_chunk))                                        \
  X(void, duckdb_data_chunk_set_size, (duckdb_data_chunk, idx_t))                                  \
  X(duckdb_vector, duckdb_data_chunk_get_vector, (duckdb_data_chunk, idx_t))                       \
  X(idx_t, duckdb_vector_size, (void))                                                             \
  X(void *, duckdb_vector_get_data, (duckdb_vector))                                               \
  X(uint64_t *, duckdb_vector_get_validity, (duckdb_vector))                                       \
  X(void, duckdb_vector_ensure_validity_writable, (duckdb_vector))                                 \
  X(void, duckdb_vector_assign_string_element_len, (duckdb_vector, idx_t, const char *, idx_t))    \
  X(duckdb_vector, duckdb_list_vector_get_child, (duckdb_vector))                                  \
  X(duckdb_state, duckdb_list_vector_set_size, (duckdb_vector, idx_t))                             \
  X(duckdb_state, duckdb_list_vector_reserve, (duckdb_vector, idx_t))                              \
  X(duckdb_vector, duckdb_struct_vector_get_child, (duckdb_vector, idx_t))                         \
  X(duckdb_vector, duckdb_array_vector_get_child, (duckdb_vector))                                 \
  X(duckdb_logical_type, duckdb_create_logical_type, (duckdb_type))                                \
  X(duckdb_logical_type, duckdb_create_decimal_type, (uint8_t, uint8_t))                           \
  X(duckdb_logical_type, duckdb_create_list_type, (duckdb_logical_type))                           \
  X(duckdb_logical_type, duckdb_create_struct_type, (duckdb_logical_type *, const char **, idx_t)) \
  X(void, duckdb_destroy_logical_type, (duckdb_logical_type *))                                    \
  X(duckdb_type, duckdb_get_type_id, (duckdb_logical_type))                                        \
  X(uint8_t, duckdb_decimal_width, (duckdb_logical_type))                                          \
  X(uint8_t, duckdb_decimal_scale, (duckdb_logical_type))                                          \
  X(duckdb_logical_type, duckdb_list_type_child_type, (duckdb_logical_type))                       \
  X(duckdb_logical_type, duckdb_array_type_child_type, (duckdb_logical_type))                      \
  X(idx_t, duckdb_array_type_array_size, (duckdb_logical_type))                                    \
  X(idx_t, duckdb_struct_type_child_count, (duckdb_logical_type))                                  \
  X(char *, duckdb_struct_type_child_name, (duckdb_logical_type, idx_t))                           \
  X(duckdb_logical_type, duckdb_struct_type_child_type, (duckdb_logical_type, idx_t))              \
  X(duckdb_table_function, duckdb_create_table_function, (void))                                   \
  X(void, duckdb_destroy_table_function, (duckdb_table_function *))                                \
  X(void, duckdb_table_function_set_name, (duckdb_table_function, const char *))                   \
  X(void, duckdb_table_function_add_parameter, (duckdb_table_function, duckdb_logical_type))       \
  X(void, duckdb_table_function_set_extra_info, (duckdb_table_function, void *, duckdb_free_data)) \
  X(void, duckdb_table_function_set_bind, (duckdb_table_function, void (*)(duckdb_bind_info)))     \
  X(void, duckdb_table_function_set_init, (duckdb_table_function, void (*)(duckdb_init_info)))     \
  X(void, duckdb_table_function_set_function,                                                      \
    (duckdb_table_function, void (*)(duckdb_function_info, duckdb_data_chunk)))                    \
  X(void, duckdb_table_function_supports_projection_pushdown, (duckdb_table_function, bool))       \
  X(duckdb_state, duckdb_register_table_function, (duckdb_connection, duckdb_table_function))      \
  X(void *, duckdb_bind_get_extra_info, (duckdb_bind_info))                                        \
  X(duckdb_value, duckdb_bind_get_parameter, (duckdb_bind_info, idx_t))                            \
  X(void, duckdb_bind_add_result_column, (duckdb_bind_info, const char *, duckdb_logical_type))    \
  X(void, duckdb_bind_set_bind_data, (duckdb_bind_info, void *, duckdb_free_data))                 \
  X(void, duckdb_bind_set_cardinality, (duckdb_bind_info, idx_t, bool))                            \
  X(void, duckdb_bind_set_error, (duckdb_bind_info, const char *))                                 \
  X(void *, duckdb_init_get_bind_data, (duckdb_init_info))                                         \
  X(void *, duckdb_init_get_extra_info, (duckdb_init_info))                                        \
  X(idx_t, duckdb_init_get_column_count, (duckdb_init_info))                                       \
  X(idx_t, duckdb_init_get_column_index, (duckdb_init_info, idx_t))                                \
  X(void, duckdb_init_set_init_data, (duckdb_init_info, void *, duckdb_free_data))                 \
  X(void, duckdb_init_set_error, (duckdb_init_info, const char *))                                 \
  X(void *, duckdb_function_get_init_data, (duckdb_function_info))                                 \
  X(void, duckdb_function_set_error, (duckdb_function_info, const char *))                         \
  X(char *, duckdb_get_varchar, (duckdb_value))                                                    \
  X(void, duckdb_destroy_value, (duckdb_value *))

typedef struct wh_duckdb_api {
#define WH_DUCKDB_MEMBER(type, function, parameters) type(*function) parameters;
  WH_DUCKDB_FUNCTIONS(WH_DUCKDB_MEMBER)
#undef WH_DUCKDB_MEMBER
} wh_duckdb_api;

// Filled once for the process, by wh_duckdb_load.
extern wh_duckdb_api wh_duckdb;

// Before any of them is called: the library that the environment's WHERRY_DUCKDB names, else
// libduckdb.so where the system looks for libraries. WH_ERR_NOT_FOUND, with what to do, where there
// is none that has them all.
wh_status wh_duckdb_load(const wh_connection *c, wh_error *err);
