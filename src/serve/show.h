// A row that was found, for a person and for a program.
#pragma once

#include "data/batch.h"

// {"found":true,"OrderStatus":"Shipped",...}: the first `count` columns. False when `out` refuses.
bool wh_show_json(const wh_batch *batch, size_t row, size_t count, wh_buf *out);
// The same as items of a definition list: labels in words, days and times as people write them.
bool wh_show_html(const wh_batch *batch, size_t row, size_t count, wh_mem *mem, wh_buf *out);
// One value as HTML.
bool wh_show_value_html(const wh_column *column, size_t row, wh_mem *mem, wh_buf *out);
