// From rows as they were decoded to batches of the layout's columns.
#pragma once

#include "codec/json/layout.h"
#include "data/batch.h"

typedef struct json_reshape {
  const json_layout *layout;
  wh_batch rows; // decoded
  size_t row;    // the next of them to be given out
  size_t item;   // and of its items
} json_reshape;

wh_status json_reshape_open(json_reshape *r, const json_layout *layout, wh_mem *mem, wh_error *err);
void json_reshape_close(json_reshape *r); // zeroed is fine

// There are rows to be given out.
static inline bool json_reshape_has(const json_reshape *r) {
  return r->row < r->rows.rows;
}
// Fills the batch, which was reset, from them: at most `most` rows. Afterwards `rows` may have lost
// what was taken.
wh_status json_reshape_take(json_reshape *r, size_t most, wh_batch *batch, wh_error *err);
