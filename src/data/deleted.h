// Rows that say that a row is gone at the source: its key, and true in a column of ours; all other
// columns are NULL. They travel in objects among the rows, so that deletion crosses a lake.
#pragma once

#include "data/batch.h"

#define WH_DELETED_COLUMN "_wherry_deleted"

// The index of that column, or -1. One of another type than bool is somebody else's.
static inline ptrdiff_t wh_deleted_column(const wh_schema *schema) {
  ptrdiff_t at = wh_schema_find(schema, WH_STR(WH_DELETED_COLUMN));
  return at >= 0 && schema->fields[at].type.kind == WH_BOOL ? at : -1;
}

// Whether the row says so; `column` is the index, or -1. NULL and false are rows like any other.
static inline bool wh_row_is_deleted(const wh_batch *batch, ptrdiff_t column, size_t row) {
  return column >= 0 && !wh_column_is_null(&batch->columns[column], row) &&
         wh_column_bool(&batch->columns[column], row);
}
