// Casts of one value; cast.c chooses among them. Private to data/.
#pragma once

#include "data/cast.h"
#include "data/value.h"

typedef struct wh_cast {
  const wh_cast_options *options;
  wh_arena scratch; // reset before each row
  wh_buf text;      // of a value
  wh_error why;     // of the failure: WH_ERR_TYPE for a value that does not fit
} wh_cast;

// Appends the value at `row` of `in`, which is not NULL, to `out`.
typedef wh_status (*wh_cast_fn)(wh_cast *cast, const wh_column *in, size_t row, wh_column *out);

// The canonical text of the value, cut for a message; in cast->text.
wh_str wh_cast_show(wh_cast *cast, const wh_column *in, size_t row);

// Those between date, time and timestamp, and from text to them; NULL: there is none.
wh_cast_fn wh_cast_temporal(const wh_type *from, const wh_type *to);
