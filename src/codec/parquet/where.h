// Conditions on columns: which rows, pages and row groups they leave.
//
//   where: { OrderDate: [2026-01-01, null], Status: [Open, Open] }
//
// A range includes both ends; null has no bound. All must hold. NULL and NaN are in no range.
#pragma once

#include "base/node.h"
#include "codec/parquet/file.h"
#include "data/batch.h"
#include "data/value.h"

typedef struct pq_condition {
  wh_str column;
  size_t index; // of the columns that are read
  const pq_tree_node *node;
  bool has_from, has_to;
  wh_value from, to;
} pq_condition;

typedef struct pq_where {
  size_t count;
  pq_condition *conditions;
} pq_where;

// Rows of a row group that may fulfil the conditions: ranges in order, apart from each other.
typedef struct pq_row_range {
  uint64_t from, to;
} pq_row_range;
typedef struct pq_row_ranges {
  pq_row_range *items;
  size_t count, cap;
} pq_row_ranges;

// Reads `where: { column: [from, to] }` against the columns of the file. The arena keeps it.
// WH_ERR_USAGE where a column does not exist, is nested, or a bound is no value of its type.
wh_status pq_where_make(const wh_node *node, const pq_tree *tree, wh_arena *arena, pq_where *ret,
                        wh_error *err);

// Whether the group may have rows that fulfil all, by its statistics and bloom filters.
wh_status pq_where_group(const pq_where *where, const pq_file *file, size_t group, bool *ret_may,
                         wh_error *err);
// The ranges of the group's rows that may, by the statistics of its pages, inside [from, to). In
// the arena.
wh_status pq_where_pages(const pq_where *where, const pq_file *file, size_t group, uint64_t from,
                         uint64_t to, wh_arena *arena, pq_row_ranges *ret, wh_error *err);
// Clears the bits of the rows that do not fulfil all.
void pq_where_rows(const pq_where *where, const wh_batch *batch, uint8_t *keep);
