// A 64-bit hash of a row's content over canonical values, for receipts and comparison: equal rows
// hash equally whatever the width of their integers, the scale of their decimals, the unit of their
// timestamps or the order of their columns; a column's name counts, a NULL differs from an absent
// value of the type. Sums of row hashes (mod 2^64) do not depend on row order, and adding or
// removing a row changes the sum.
//
// Canonical form of a value: numbers (int, uint, decimal) as decimal without trailing zeros;
// floats as float64 bits with -0.0 = 0.0 and one NaN, and as number when integral within 2^53, so
// that 5 and 5.0 agree; date, time in ns; timestamps in ns (128 bit), zoned and not zoned differ;
// text and binary as bytes, differing; lists in order; structs as rows.
#pragma once

#include "data/batch.h"

uint64_t wh_row_hash(const wh_batch *batch, size_t row);
// Adds up the hashes of all rows.
uint64_t wh_batch_hash_sum(const wh_batch *batch);
uint64_t wh_value_hash(const wh_column *column, size_t row, uint64_t seed);
