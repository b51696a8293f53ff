// Who was erased from a pipeline's table, as its ledger has it: rows of theirs are rightly missing.
// The ledger has hashes, so rows are known, and people are not.
#pragma once

#include "engine/engine.h"

typedef struct wh_erased_one {
  uint64_t hash; // wh_erase_hash of what stood in the column
  int64_t order; // rows of objects below it are gone
  wh_str column; // of the table
} wh_erased_one;

typedef struct wh_erased_people {
  const wh_erased_one *items;
  size_t count;
  wh_mem *mem;
} wh_erased_people;

// In the arena, which outlives it.
wh_status wh_erased_people_read(wh_engine *engine, const wh_pipeline *pipeline, wh_arena *arena,
                                wh_erased_people *ret, wh_error *err);
// Whether the row, of an object of that order, is of somebody who was erased since.
bool wh_erased_people_have(const wh_erased_people *people, const wh_batch *batch, size_t row,
                           int64_t order);
