// Rows as text, for tests that write and read tables.
//
// A schema: "OrderNumber string!; UpdatedAt timestamp[us,UTC]; total decimal(12,2)" ('!' not
// nullable). Rows: one a line, values between '|' in their canonical text, "~" for NULL.
#pragma once

#include "codec/codec.h"
#include "data/value.h"
#include "test.h"

void rows_schema(const char *text, wh_arena *arena, wh_schema *ret);
// Appends to a batch made by wh_batch_init. A value that is none fails the test.
void rows_add(wh_batch *batch, const char *text);
// The rows of a batch as text, appended; each line ends in '\n'.
void rows_write(const wh_batch *batch, wh_buf *out);
// "name type!; ..." of a schema.
void rows_write_schema(const wh_schema *schema, wh_buf *out);
// Lines in byte order, so that tables compare whatever their order.
void rows_sort(wh_buf *text);

// Collects rejected rows as lines "rule|column|reason|row", and what was raw behind another '|'.
typedef struct rows_rejects {
  wh_rejects base;
  wh_buf text;
  size_t count;
} rows_rejects;
void rows_rejects_init(rows_rejects *rejects);
void rows_rejects_free(rows_rejects *rejects);

// Reads to the end; the rows are appended to `out`.
wh_status rows_read(wh_reader *reader, rows_rejects *rejects, wh_buf *out, wh_error *err);
