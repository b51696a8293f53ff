// Where records and their fields begin and end.
//
// Two ways to the same result: csv_walk takes one record a byte at a time, and is the definition;
// csv_cut takes many, 64 bytes at a time (AVX2 or plain C), and leaves to csv_walk every record
// with something odd about it (a comment, a quote where none should be). A record is the text up to
// a line end outside quotes; those that are not blank nor comments are rows.
//
//  - A field whose first byte is the quote is quoted (with `trim` blanks may stand before it) and
//    ends behind the closing quote, where only a delimiter or a line end may follow. A quote
//    anywhere else is a fault of the row, and for what remains of its field a byte like others.
//  - With an escape, the byte behind it is a byte like others everywhere.
//
// Positions are 32 bit and refer to `data`, of which CSV_SLACK bytes behind the end may be read
// (they are zero where nothing follows).
#pragma once

#include "base/cpu.h"
#include "codec/csv/dialect.h"

enum {
  CSV_SLACK = 80,
  CSV_AHEAD = WH_CSV_DELIMITER_MAX, // bytes that must follow before one's meaning is known
  CSV_BADS_MAX = 256,               // rows with faults in one cut
};

typedef enum csv_fault {
  CSV_FINE,
  CSV_FIELDS,       // too few or too many
  CSV_QUOTE_INSIDE, // a"b
  CSV_AFTER_QUOTE,  // "ab"c
  CSV_OPEN,         // a quote is not closed before the end: nothing behind it can be trusted
  CSV_UTF8,
  CSV_TYPE,    // a value is none of its column's type
  CSV_MISSING, // no value where one is required
} csv_fault;

typedef enum csv_record_kind {
  CSV_RECORD_MORE, // the data ends before the record does
  CSV_RECORD_ROW,
  CSV_RECORD_BLANK,
  CSV_RECORD_COMMENT,
} csv_record_kind;

typedef struct csv_record {
  csv_record_kind kind;
  csv_fault fault; // never CSV_FIELDS
  size_t at;       // where the fault is
  size_t end;      // behind its last byte, without the line end
  size_t next;     // where the next one begins
  uint32_t fields;
  uint32_t lines; // line ends, its own too
} csv_record;

// The record at `from` < len. `ends` (may be NULL) takes the ends of its first `most` fields;
// `ended`: nothing follows `len`. Whether an empty line is a row depends on the table: it is BLANK.
void csv_walk(const csv_dialect *dialect, const char *data, size_t from, size_t len, bool ended,
              uint32_t *ends, uint32_t most, csv_record *ret);

// A row that cannot be read.
typedef struct csv_bad {
  csv_fault fault;
  uint32_t row; // how many rows of the cut stand before it
  uint32_t start, end;
  uint32_t line; // line ends before it
  uint32_t at;
  uint32_t fields;
  uint32_t column; // CSV_TYPE, CSV_MISSING: of the table
} csv_bad;

// Rows of `columns` fields each. Field c of row r ends at ends[r * columns + c], where a delimiter
// stands or the line end; the first one begins at starts[r], the others behind the delimiter.
typedef struct csv_cut {
  const csv_dialect *dialect;
  wh_mem *mem;
  wh_cpu cpu;
  uint32_t columns;
  uint32_t rows_max;
  uint32_t *ends;
  uint32_t *starts;  // rows + 1 of them: the last is where the record behind the last row begins
  uint32_t *lines;   // line ends before each row, counted from where the cut began
  uint32_t *numbers; // rows, bad ones too, before each row
  size_t ends_cap, rows_cap; // rows_cap 0: nothing was allocated

  uint32_t rows;
  uint32_t bad_count;
  csv_bad bads[CSV_BADS_MAX];
  uint32_t next;      // the first record that is not in it
  uint32_t next_line; // line ends before that
  bool high;          // there are bytes above 127
  bool complete;      // it ended because there is no further complete record
  csv_fault broken;   // CSV_OPEN: at `broken_at`, in the record at `next`
  uint32_t broken_at;
} csv_cut;

wh_status csv_cut_init(csv_cut *cut, wh_mem *mem, const csv_dialect *dialect, uint32_t columns,
                       uint32_t rows_max, wh_error *err);
void csv_cut_free(csv_cut *cut); // zeroed is fine
// Cuts the records that begin at `from` or behind it, before `until`, up to rows_max rows and
// CSV_BADS_MAX bad ones.
void csv_cut_run(csv_cut *cut, const char *data, size_t from, size_t len, size_t until, bool ended);
// Takes out the rows whose bit is set; csv_bads stay as they are.
void csv_cut_remove(csv_cut *cut, const uint8_t *rows);

static inline size_t csv_field_start(const csv_cut *cut, uint32_t row, uint32_t column) {
  if (column == 0) return cut->starts[row];
  return cut->ends[(size_t)row * cut->columns + column - 1] + cut->dialect->delimiter_len;
}
static inline size_t csv_field_end(const csv_cut *cut, uint32_t row, uint32_t column) {
  return cut->ends[(size_t)row * cut->columns + column];
}

// UTF-8 as a whole, vectorised where the machine can.
bool csv_utf8_valid(const char *data, size_t len, wh_cpu cpu);
