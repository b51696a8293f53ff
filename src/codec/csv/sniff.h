// Finding out the dialect of a file. docs/decisions/013-csv-dialect.md says how and why.
//
// Everything works on one sample: whole lines from the beginning of the text, at most
// SNIFF_BYTES. Private to the sniffer.
#pragma once

#include "codec/csv/dialect.h"

enum {
  SNIFF_BYTES = 64 * 1024,
  SNIFF_ROWS = 4096,
  SNIFF_COLUMNS = 4096, // that are looked at one by one
};

// What the sample is cut by.
typedef struct sniff_cut {
  char delimiter[WH_CSV_DELIMITER_MAX];
  uint8_t delimiter_len; // 0: rows are not cut
  char quote;
  char escape;
  bool trim; // blanks around cells do not count
} sniff_cut;

typedef struct sniff_cell {
  wh_str text; // without the quotes around it; doubled ones and escapes stay
  bool quoted;
  bool bad;  // its quotes are not where the reader would have them
  bool last; // of its row
} sniff_cell;

// The cells of a text, one after the other. Empty lines are cells too.
typedef struct sniff_cursor {
  const sniff_cut *cut;
  const char *at, *end;
  bool begun; // a delimiter was the last: there is one more cell
  bool open;  // the last cell's quote was never closed
} sniff_cursor;

static inline sniff_cursor sniff_begin(const sniff_cut *cut, wh_str text) {
  return (sniff_cursor){.cut = cut, .at = text.data, .end = text.data + text.len};
}
bool sniff_next(sniff_cursor *cursor, sniff_cell *ret);
// Behind the line that begins at `at`: LF, CRLF, lone CR.
const char *sniff_line_end(const char *at, const char *end);

// What a cell looks like.
typedef enum sniff_kind {
  SNIFF_EMPTY,
  SNIFF_NUMBER,        // with a point, or none
  SNIFF_COMMA_NUMBER,  // 1,5  1.234,56: only with a decimal comma
  SNIFF_EITHER_NUMBER, // 1,234: one with groups, or one with a decimal comma
  SNIFF_TIME,          // a date, a time of day or both
  SNIFF_BOOL,
  SNIFF_WORD, // null, n/a, an address: of a form that does not come by chance
  SNIFF_TEXT,
  SNIFF_LIST,  // text with delimiters in it that nobody would write in prose
  SNIFF_STRAY, // text with quotes at its ends
  SNIFF_KINDS,
} sniff_kind;
sniff_kind sniff_kind_of(wh_str cell);

// How the sample looks when it is cut so.
typedef struct sniff_shape {
  sniff_cut cut;
  uint32_t width;    // fields of most rows
  uint32_t rows;     // from the first row of the table on, without comments and empty lines
  uint32_t even;     // of them, those of that width and without faults
  uint32_t bad;      // rows with misplaced quotes
  uint32_t comments; // lines inside the table that begin with '#' and are no rows of it
  size_t table;      // where the table begins in the sample
  size_t body;       // behind its first row
  size_t lost;       // bytes behind a quote that is never closed
  bool prefaced;     // something besides comments and empty lines stands before it
  double pattern;    // how even the rows are
  double score;      // that, and how many cells have a form
} sniff_shape;

typedef struct sniff_sample {
  wh_str text;
  bool whole;        // there is no more of the file
  bool from_options; // the options say where the table begins: at 0
  wh_str comment;
  uint32_t footer;  // rows at the end that are none
  uint32_t *widths; // SNIFF_ROWS, for the shape in hand
  uint32_t *starts;
  uint32_t *filled; // SNIFF_COLUMNS
} sniff_sample;

// sniff_shape.c: fills in what follows from shape->cut. The score is left 0 where the pattern alone
// is not above `least`.
void sniff_measure(const sniff_sample *sample, double least, sniff_shape *shape);

// sniff_header.c: whether the first row holds names, and how sure that is (0.5 to 1).
bool sniff_has_header(const sniff_sample *sample, const sniff_shape *shape, wh_mem *mem,
                      double *ret_sure, bool *ret_header);
// The decimal mark and the mark between groups of digits (0: none) of the numbers below the header.
void sniff_marks(const sniff_sample *sample, const sniff_shape *shape, char *decimal,
                 char *thousands);
