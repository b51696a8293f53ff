// A 64-bit hash of a row's content over canonical values, for receipts and comparison: equal rows
// hash equally whatever the width of their integers, the scale of their decimals, the unit of their
// timestamps or the order of their columns; a column's name counts, a NULL differs from an absent
// value of the type. Sums of row hashes (mod 2^64) do not depend on row order, and adding or
// removing a row changes the sum.
//
// Receipts keep these hashes, so what follows never changes. H(bytes, seed) is
// XXH3_64bits_withSeed; integers are little-endian; sums are mod 2^64. A value of a kind with tag t
// and a seed s is H(payload, s + t * 0x9E3779B97F4A7C15):
//
//   t   value                 payload
//   0   NULL                  nothing
//   1   bool                  one byte, 0 or 1
//   2   number                int, uint, decimal, and a float that is integral and within +-2^53:
//                             as d * 10^e, d not divisible by ten (0: d = e = 0):
//                             d in 16 bytes, two's complement; e in 4
//   3   other float           its 8 bytes as float64; a NaN is 0x7FF8000000000000
//   4   date                  days since 1970 in 8 bytes
//   5   time                  nanoseconds since midnight in 16 bytes
//   6   timestamp, no zone    nanoseconds since 1970 in 16 bytes
//   7   timestamp, zoned      the same
//   8   string                its bytes
//   9   binary                its bytes
//   10  list                  the number of items in 8 bytes gives h; then, for each item in order,
//                             h becomes the item's hash with seed h
//   11  struct                in 8 bytes the sum of its fields' hashes, each with the seed
//                             H(name, 0)
//
// A row is the struct of its columns, with seed 0. (A struct is hashed once more over its sum, so
// that exchanging a field's values between two rows changes the sum over the rows.)
#pragma once

#include "data/batch.h"

uint64_t wh_row_hash(const wh_batch *batch, size_t row);
// Adds up the hashes of all rows.
uint64_t wh_batch_hash_sum(const wh_batch *batch);
uint64_t wh_value_hash(const wh_column *column, size_t row, uint64_t seed);
