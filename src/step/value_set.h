// A fixed set of values of one column's type, found by value: the codes of `map`, the words of
// `in`, what `null_if` takes for nothing. Exact and typed: 1 and 1.0 are one value of a float
// column, '01' is no value of a text column that says '1'.
#pragma once

#include "data/value.h"

#include "step/frame.h"

typedef struct wh_value_set {
  wh_type type;
  size_t count;
  const __int128 *numbers; // sorted; numbers, booleans, times, and the bits of floats
  const wh_str *texts;     // sorted by length, then bytes; text and binary (given as base64)
  const size_t *index;     // of each one in the order given
} wh_value_set;

// Parses the scalars as values of the column. A value that is none, or that is there twice, fails
// at its position; so does a list or struct column, at `at`. A column that is known to hold only
// NULLs finds nothing.
wh_status wh_value_set_build(wh_value_set *set, wh_arena *arena, const wh_field *field,
                             const wh_node *const *values, size_t count, const wh_node *at,
                             const char *owner, wh_error *err);
// The index, in the order given, of what the row holds (not NULL); -1: none of them.
ptrdiff_t wh_value_set_find(const wh_value_set *set, const wh_column *column, size_t row);

// The number by which sets and ranges compare values of fixed width: equal values have equal
// numbers, and for all kinds but floats their order is that of the values.
__int128 wh_column_number(const wh_column *column, size_t row);
__int128 wh_value_number(const wh_value *value);
