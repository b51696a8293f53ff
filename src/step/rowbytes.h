// Values as bytes and back: keys that are compared, and rows that are held back on disk. The form
// is private to one run on one machine. Per value: 0 for NULL or 1, then fixed width values as they
// are (booleans as one byte), text as its length (4 bytes) and bytes, a list as its count and
// items, a struct as its fields. Because each form tells where it ends, different rows have
// different bytes.
#pragma once

#include "base/buf.h"
#include "data/batch.h"

// Appends one value. With `canonical`, floats that are equal (0.0 and -0.0, all NaNs) have equal
// bytes. False when `out` refuses.
bool wh_row_bytes_add(const wh_column *column, size_t row, bool canonical, wh_buf *out);
// Appends to `column` the value that *rest begins with, which moves behind it. WH_ERR_BUG when the
// bytes are no value of the column's type.
wh_status wh_row_bytes_read(wh_column *column, wh_str *rest, wh_error *err);
