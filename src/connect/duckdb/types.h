// Types and values on the way to DuckDB and back. What one side does not have is refused, or
// widened where every value keeps its meaning; a value that does not fit is an error that says
// which.
//
//   time[s], time[ms]       -> TIME, in microseconds
//   timestamp[*,UTC]        -> TIMESTAMP WITH TIME ZONE, in microseconds
//   HUGEINT, UHUGEINT       -> decimal(38,0)
//   ARRAY                   -> list
#pragma once

#include "connect/duckdb/api.h"
#include "data/batch.h"

// The caller destroys it; the arena is for scratch. WH_ERR_REFUSED: DuckDB has no such type (a
// struct without fields).
wh_status wh_duckdb_type_of(const wh_type *type, wh_arena *arena, duckdb_logical_type *ret,
                            wh_error *err);
// In the arena. WH_ERR_REFUSED, with a phrase ("is an INTERVAL"), where there is no such type here.
wh_status wh_duckdb_type_from(duckdb_logical_type type, wh_arena *arena, wh_type *ret,
                              wh_error *err);

// Puts `count` rows of the column, from `row` on, into the vector from its place `at` on, which has
// room for them. WH_ERR_TYPE: a value does not fit; the text is a phrase.
wh_status wh_duckdb_fill(const wh_column *column, size_t row, size_t count, duckdb_vector vector,
                         size_t at, wh_error *err);

// A vector that is read row by row. Made once for each chunk.
typedef struct wh_duckdb_values wh_duckdb_values;
struct wh_duckdb_values {
  duckdb_type id;
  uint8_t width;  // of a decimal, in digits
  uint64_t items; // of each value of an array
  const uint64_t *validity;
  const void *data;
  wh_duckdb_values *children; // of a list or array one; of a struct its fields
  size_t child_count;
};
wh_status wh_duckdb_values_init(duckdb_vector vector, duckdb_logical_type type, wh_arena *arena,
                                wh_duckdb_values *ret, wh_error *err);
// Appends the value of a row to a column of the type that wh_duckdb_type_from gave. WH_ERR_TYPE: it
// does not fit; the text is a phrase.
wh_status wh_duckdb_take(const wh_duckdb_values *values, size_t row, wh_column *column,
                         wh_error *err);
