// Random tables with character, for the codecs: columns of every type, nested ones too, whose
// values are constant, few, many, in sequence, in runs or at the ends of their range, with no, some
// or only NULLs. All follows from the seed.
#pragma once

#include "data/batch.h"

typedef struct random_shape random_shape;

typedef struct random_table {
  wh_arena arena;
  wh_schema schema;
  random_shape *shapes; // of each column
  uint64_t state;
  const uint8_t *choices; // of a fuzzer: words that come before the random ones
  size_t choices_len;
  size_t rows; // that the table should have, 0 to rows_most
} random_table;

// Aborts when memory runs out. `depth` levels of lists and structs at most; structs have fields.
void random_table_init(random_table *table, wh_mem *mem, uint64_t seed, size_t columns_most,
                       size_t rows_most, int depth);
// The same, where the first decisions are taken from bytes.
void random_table_init_from(random_table *table, wh_mem *mem, const uint8_t *choices, size_t len,
                            size_t columns_most, size_t rows_most, int depth);
void random_table_free(random_table *table);
// Appends rows.
wh_status random_table_fill(random_table *table, wh_batch *batch, size_t rows, wh_error *err);
uint64_t random_table_below(random_table *table, uint64_t n);

// A row as a line of JSON that any program can compute from the values: an array of its columns;
// whole numbers and decimals (unscaled) as integers, dates in days, times and timestamps in
// nanoseconds, floats as the hexadecimal digits of their bits ("nan" for all NaN), binary in
// hexadecimal, lists and structs as arrays.
bool random_table_write_row(const wh_batch *batch, size_t row, wh_buf *out);
