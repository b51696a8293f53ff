// Rows of a batch as lines of text. What is the same for all rows is prepared in csv_encode and,
// for each batch, in its cells; the loops over the rows are in encode_rows.h, compiled once for
// each kind of machine.
#pragma once

#include "base/buf.h"
#include "codec/csv/csv.h"

enum {
  CSV_TAIL_MAX = 8, // bytes of a delimiter or line end, written as one word
  // What the loops may write behind the text they make: one vector.
  CSV_SLACK_BYTES = 64,
  CSV_SCALAR_MAX = 64, // bytes of any value that is neither text nor nested
};

typedef enum csv_op {
  CSV_OP_NULL, // no row has a value
  CSV_OP_BOOL,
  CSV_OP_INT8,
  CSV_OP_INT16,
  CSV_OP_INT32,
  CSV_OP_INT64,
  CSV_OP_UINT8,
  CSV_OP_UINT16,
  CSV_OP_UINT32,
  CSV_OP_UINT64,
  CSV_OP_FLOAT32,
  CSV_OP_FLOAT64,
  CSV_OP_DECIMAL,
  CSV_OP_DATE,
  CSV_OP_TIME,
  CSV_OP_TIMESTAMP,
  CSV_OP_TEXT,
  CSV_OP_ODD, // its text is made first, then written as text is: csv_put_odd
} csv_op;

// A column. The first part stays, the second is the batch's.
typedef struct csv_cell {
  csv_op op;
  bool quoted; // always
  bool guard;  // the first column: see csv.h on '#' and 0xEF
  bool zoned;
  uint8_t scale;
  uint8_t tail_len;
  wh_unit unit;
  uint64_t tail; // the delimiter, or the line end behind the last
  wh_str name;

  const uint8_t *validity; // NULL: no row is NULL
  const uint8_t *values;
  const int32_t *offsets;
  const char *bytes;
  const char *bytes_end; // of the text of all rows: what may be read
  const wh_column *column;
} csv_cell;

typedef struct csv_encode csv_encode;
struct csv_encode {
  csv_cell *cells;
  size_t count;
  size_t scalar_bytes; // of a row at most, besides its text
  // Lines from..to are appended to `out`, which has room for them (csv_encode_reserve). False: see
  // `status`.
  bool (*rows)(csv_encode *e, size_t from, size_t to);
  char delimiter[WH_CSV_DELIMITER_MAX];
  uint8_t delimiter_len;
  char quote; // 0: there is none
  wh_csv_quoting quoting;
  char decimal;
  uint8_t null_len;
  char null[WH_CSV_NULL_MAX];
  wh_mem *mem;
  wh_buf *out;
  size_t bound;   // of the rows in hand
  wh_buf scratch; // text of odd values
  const wh_batch *batch;
  wh_status status;
  wh_error *err; // of the call in hand
};

wh_status csv_encode_options(csv_encode *e, const wh_csv_write_options *options, wh_error *err);
// Takes the options over, checked, and prepares for the schema, which outlives it. `e` is zeroed;
// csv_encode_free also after a failure.
wh_status csv_encode_init(csv_encode *e, wh_mem *mem, const wh_csv_write_options *options,
                          const wh_schema *schema, wh_error *err);
void csv_encode_free(csv_encode *e);
// Appends the rows to `out`, or the names.
wh_status csv_encode_batch(csv_encode *e, const wh_batch *batch, wh_buf *out, wh_error *err);
wh_status csv_encode_header(csv_encode *e, const wh_schema *schema, wh_buf *out, wh_error *err);

// For the loops.

// Appends a value that has no quick way. `at` is where the text ends now; NULL: see `status`.
char *csv_put_odd(csv_encode *e, const csv_cell *cell, size_t row, char *at);
// Appends a text that was found to need quotes, or may.
char *csv_put_text(csv_encode *e, const csv_cell *cell, wh_str text, size_t row, char *at);
// Appends a text as it is where nothing may be quoted, or refuses it.
char *csv_put_bare(csv_encode *e, const csv_cell *cell, wh_str text, size_t row, char *at);
// A text with a NUL byte. Returns NULL.
char *csv_refuse(csv_encode *e, const csv_cell *cell, size_t row);

bool csv_rows_plain(csv_encode *e, size_t from, size_t to);
#ifdef __x86_64__
bool csv_rows_avx2(csv_encode *e, size_t from, size_t to);
#endif
