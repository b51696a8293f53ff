// Fields to columns: for each column of a batch one loop over the rows of a cut, storing values
// into the column's buffers as they are parsed. What is usual is parsed in the loop; everything
// else (and everything that is wrong) goes through csv_field_get and csv_decode_odd.
//
// A value that does not fit leaves a NULL and is noted; the caller takes the rows with such values
// out of the cut and decodes it again.
#pragma once

#include "codec/csv/infer.h"
#include "codec/csv/scan.h"
#include "data/batch.h"
#include "data/value.h"

#define CSV_NO_SOURCE UINT32_MAX

typedef struct csv_column {
  wh_str name;
  wh_type type;
  bool nullable;
  wh_class privacy;
  bool inferred;   // `shape` says what was seen; what is not of the type is to widen it
  uint32_t source; // field of a row; CSV_NO_SOURCE: the file has no such column, all is NULL
  csv_shape shape;
} csv_column;

// The first value of a row that does not fit.
typedef struct csv_misfit {
  uint32_t column;
  csv_fault fault;
} csv_misfit;

typedef struct csv_decoder {
  const csv_dialect *dialect;
  wh_cpu cpu;
  csv_column *columns; // somebody else's
  uint32_t column_count;
  bool odd_nulls; // a spelling of NULL could be taken for a number, a date or true or false
  wh_arena scratch;

  const char *data;
  bool high; // bytes above 127 are to be read as Latin-1
  uint32_t rows_cap;
  uint64_t *valid;      // of the column in hand
  uint8_t *misfit_rows; // a bit a row
  csv_misfit *misfits;  // of those rows
  uint32_t misfit_count;
} csv_decoder;

wh_status csv_decoder_init(csv_decoder *d, wh_mem *mem, const csv_dialect *dialect,
                           uint32_t rows_cap, wh_error *err);
void csv_decoder_free(csv_decoder *d); // zeroed is fine
// Turns to a cut. Rows that are not valid UTF-8 count as misfits.
void csv_decoder_begin(csv_decoder *d, const csv_cut *cut, const char *data);
// Makes the batch, which is empty, hold the cut's rows. Afterwards misfit_count says how many of
// them do not fit; then the batch is to be thrown away.
wh_status csv_decode(csv_decoder *d, const csv_cut *cut, wh_batch *batch, wh_error *err);

// --- One field -----------------------------------------------------------------------------------

typedef struct csv_value {
  wh_str text; // without quotes; in the data, or in the decoder's scratch
  bool null;
  bool quoted;
} csv_value;

// The field [start, end) of a right row. False: no memory.
bool csv_field_get(csv_decoder *d, size_t start, size_t end, csv_value *ret);
// Whether it is a value of the column's type. WH_ERR_TYPE with the reason, or WH_ERR_MEMORY.
wh_status csv_decode_odd(csv_decoder *d, const csv_column *column, wh_str text, wh_value *ret,
                         wh_error *err);

// --- For the loops -------------------------------------------------------------------------------

// A column of a cut.
typedef struct csv_fields {
  const char *data;
  const uint32_t *from, *to; // of row r: from[r * from_stride] + skip, to[r * to_stride]
  size_t from_stride, to_stride;
  uint32_t skip;
  uint32_t rows;
  int quote; // or a value that no char has
} csv_fields;

static inline size_t csv_from(const csv_fields *f, uint32_t row) {
  return f->from[row * f->from_stride] + f->skip;
}
static inline size_t csv_to(const csv_fields *f, uint32_t row) {
  return f->to[row * f->to_stride];
}
// The bytes of the field in front, without the quotes around them (whatever is between). Goes on to
// the next row: for loops, on a copy of the fields.
static inline const char *csv_take_field(csv_fields *f, size_t *ret_len) {
  size_t from = *f->from + f->skip, len = *f->to - from;
  const char *p = f->data + from;
  f->from += f->from_stride;
  f->to += f->to_stride;
  if (__builtin_expect((unsigned char)*p == f->quote, 0) && len >= 2) {
    p++;
    len -= 2;
  }
  *ret_len = len;
  return p;
}
// The same of any row.
static inline const char *csv_field(const csv_fields *f, uint32_t row, size_t *ret_len) {
  csv_fields one = *f;
  one.from += row * f->from_stride;
  one.to += row * f->to_stride;
  return csv_take_field(&one, ret_len);
}

typedef struct csv_job {
  csv_decoder *d;
  csv_fields f;
  uint32_t index; // of the column
  csv_column *column;
  wh_column *out;
  uint32_t nulls;
  wh_error *err;
} csv_job;

// The field is NULL: clears its bit, or notes that a value is required.
void csv_job_null(csv_job *job, uint32_t row);
// A field that the loop does not know how to parse: stores its value at out->values[row], or
// notes what is wrong.
wh_status csv_job_odd(csv_job *job, uint32_t row);
void csv_job_misfit(csv_job *job, uint32_t row, csv_fault fault);

// decode_int.c, decode_float.c, decode_time.c, decode_text.c
wh_status csv_decode_ints(csv_job *job);
wh_status csv_decode_floats(csv_job *job);
wh_status csv_decode_decimals(csv_job *job);
wh_status csv_decode_dates(csv_job *job);
wh_status csv_decode_timestamps(csv_job *job);
wh_status csv_decode_texts(csv_job *job);
