// Random types, schemas and rows, from test_random.
#pragma once

#include "data/batch.h"
#include "test.h"

wh_type test_random_scalar(void);
// List and struct down to `depth` levels; fields and items are nullable.
wh_type test_random_type(wh_arena *arena, int depth);
// Columns c0, c1 ...; names and types in the arena.
wh_schema test_random_schema(wh_arena *arena, size_t columns, int depth);
// Appends a value of any kind, NULL one time in `nulls` (0: never).
wh_status test_random_value(wh_column *column, unsigned nulls, wh_error *err);
wh_status test_random_row(wh_batch *batch, unsigned nulls, wh_error *err);
// Whether two cells hold the same value, by their JSON text.
bool test_cells_equal(const wh_column *a, size_t row_a, const wh_column *b, size_t row_b);
