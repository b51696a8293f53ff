// Keys as bytes and back. Equal keys have equal bytes, and of two keys of the same columns the one
// whose values are lower, from the first column on, has the lower bytes (memcmp, then length). The
// ledger keeps them: what follows never changes.
//
//   bool                        1 byte
//   integers, date, time,       8 bytes, most significant first; the sign bit of signed ones is
//   timestamp                   turned over
//   float32, float64            8 bytes of the float64, most significant first: the sign bit turned
//                               over where it is 0, all bits where it is 1; -0.0 is 0.0, a NaN is
//                               the one that is all ones
//   decimal                     16 bytes of the unscaled value, as a signed integer
//   string, binary              its bytes, 00 as 00 FF; then 00 00
#pragma once

#include "base/buf.h"
#include "data/batch.h"

// Whether values of the type can be part of a key.
bool wh_key_bytes_can(const wh_type *type);
// Appends one value, which is not NULL. False when `out` refuses.
bool wh_key_bytes_add(const wh_column *column, size_t row, wh_buf *out);
// Appends to `column` the value that *rest begins with, which moves behind it. WH_ERR_DATA when the
// bytes are no value of the column's type.
wh_status wh_key_bytes_read(wh_column *column, wh_str *rest, wh_buf *scratch, wh_error *err);
int wh_key_bytes_compare(wh_str a, wh_str b);
