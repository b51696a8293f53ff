// Where a key is cut, so that several sessions read a part of a table each.
#pragma once

#include "data/value.h"

enum { WH_RANGES_MAX = 16 };

// Bounds that cut what is from `min` to `max` into `count` ranges of about the same width: at most
// count - 1, ascending, none equal to `min` or to another, of min's type, in the arena. Fewer, or
// none, where there is not so much between them, or where the type (bool, binary, list, struct) or
// the values (NULL, NaN, infinity) cannot be cut. Text is cut by its bytes, at ASCII.
wh_status wh_range_bounds(const wh_value *min, const wh_value *max, size_t count, wh_arena *arena,
                          wh_value *ret, size_t *ret_count, wh_error *err);
