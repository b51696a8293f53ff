// The order that the option `sort` promises, checked for every row.
#pragma once

#include "base/option.h"
#include "codec/parquet/layout.h"

typedef struct pq_sort_column {
  size_t column; // of the schema
  size_t leaf;
  bool descending;
} pq_sort_column;

// NULL comes first, in both directions.
typedef struct pq_sorting {
  pq_sort_column *columns;
  size_t count;
  wh_schema schema; // of the columns alone
} pq_sorting;

// "name" or "name desc" each. WH_ERR_USAGE for a name that is no column, or one with no order.
wh_status pq_sorting_make(const wh_str_list *words, const pq_layout *layout, wh_arena *arena,
                          pq_sorting *ret, wh_error *err);
// Rows [from, from + count) of the batch, which come behind the last row in `ends`: a batch of
// sorting->schema that holds the first row and the last, and is updated. `row` counts the rows
// before, for the message. WH_ERR_DATA when they are not in order.
wh_status pq_sorting_check(const pq_sorting *sorting, const wh_batch *batch, size_t from,
                           size_t count, uint64_t row, wh_batch *ends, wh_error *err);
// Whether the first row of `after` may come behind the last one of `before`; both hold ends.
bool pq_sorting_follows(const pq_sorting *sorting, const wh_batch *before, const wh_batch *after);
