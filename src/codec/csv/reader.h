// The reader, as its files share it: open.c (what is found out about a file), reader.c (batches),
// reject.c (bad rows), widen.c (inference over many rows), part.c (parts of a file).
#pragma once

#include "codec/csv/csv.h"
#include "codec/csv/feed.h"
#include "codec/csv/table.h"

enum {
  CSV_ENDS_MAX = 256 * 1024,   // fields of one cut, unless a single row has more
  CSV_PART_BYTES = 4 << 20,    // when nobody wants so many rows
  CSV_GUESS_BYTES = 64 * 1024, // that are looked at for the start of a part
  CSV_GUESS_ROWS = 32,
};

typedef struct csv_reader {
  wh_reader base;
  wh_mem *mem;
  wh_codec_context context;
  csv_dialect dialect;
  wh_arena arena; // schema, names, columns
  wh_input *in;
  wh_input *transcoder; // ours; NULL: `in` is read as it is
  csv_feed feed;
  csv_cut cut;
  csv_decoder decoder;
  csv_table table;
  wh_schema schema; // of the batches
  wh_schema wider;  // after WH_ERR_WIDEN
  bool widens;
  bool widen_at_once; // the file has columns that the pinned schema has not

  size_t pos; // the next record, in the window
  // UTF-16: where the window's first byte stands in the source; a character takes two bytes there,
  // or four.
  uint64_t source_base;
  uint64_t row;   // rows before it
  uint64_t line;  // and line ends
  uint64_t until; // of the input: records that begin there are another part's
  bool done;
  size_t rejected_bytes; // by this call of `next`, about

  // What the whole's reader knows for its parts.
  uint64_t data_from, data_line; // the first row
  size_t row_bytes;              // of the sample, on average
  uint64_t part_next;            // where the next part begins, about
  uint64_t part_count;
  size_t part_bytes;
  const struct csv_reader *whole; // of a part's reader
} csv_reader;

// open.c
wh_status csv_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                          const wh_schema *given, wh_reader **ret, wh_error *err);

// reader.c
wh_status csv_reader_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err);
void csv_reader_close(wh_reader *reader);
// Cuts the next rows; WH_ERR_END when there are none. csv_reader_pass goes behind them.
wh_status csv_reader_cut(csv_reader *r, wh_error *err);
// One cut of what is in the window. *ret_end: nothing is left of the input behind it.
wh_status csv_reader_cut_window(csv_reader *r, bool *ret_end, wh_error *err);
void csv_reader_pass(csv_reader *r);
// The byte of the source that a byte of the window comes from, not before `from`, which comes from
// `from_byte`.
uint64_t csv_reader_byte(const csv_reader *r, size_t from, uint64_t from_byte, size_t at);
// Where a byte of the window stands; `start` is where its record begins, `line` how many line ends
// the cut has before that, `row` how many rows.
wh_place csv_reader_place(const csv_reader *r, size_t at, size_t start, uint32_t line,
                          uint32_t row);

// reject.c

// Hands out the bad rows of the cut and those that were found not to fit, in their order.
wh_status csv_reject_rows(csv_reader *r, wh_rejects *rejects, wh_error *err);
// What is wrong with a value, and where.
wh_status csv_explain(csv_reader *r, uint32_t row, wh_reject *ret, wh_error *why, wh_error *err);

// widen.c

// Finds the types of the columns in the rows that are in the window, which stays where it is.
wh_status csv_infer_sample(csv_reader *r, wh_error *err);
// Some row of the cut does not fit an inferred column: looks at all rows from there on and fails
// with WH_ERR_WIDEN. WH_OK: no column would be wider, the rows are to be rejected.
wh_status csv_widen(csv_reader *r, wh_error *err);
// The same for columns that the schema has not, before anything was read.
wh_status csv_widen_columns(csv_reader *r, wh_error *err);

// part.c
wh_status csv_next_part(wh_reader *reader, wh_reader **ret, wh_error *err);
void csv_part_plan(csv_reader *r); // after opening: whether there are parts
