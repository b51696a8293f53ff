// The codec "csv": rows of delimited text, after RFC 4180 and what people make of it.
//
// How a row is read
//  - Fields end at the delimiter, rows at LF, CRLF or a lone CR. Empty lines are passed over
//    (unless the table has one column: then they are a row with NULL), and so are lines that begin
//    with `comment`.
//  - A field whose first byte is the quote goes on to the closing one and may hold delimiters and
//    line ends; a doubled quote in it is one. A byte order mark is taken off.
//  - The first row behind the preamble is the header, if there is one: empty names become
//    column_1, column_2 ... (by position), and a name that stood before gets _2, _3 ... behind it,
//    the first one that no other column has. Without a header all are column_1, column_2 ...
//  - An unquoted empty field is NULL, and so is an unquoted one that is spelt like one of `null`.
//    A quoted one is text: "" is the empty text, "NA" these letters. Only in columns that are no
//    text, where there is no empty value, "" is NULL too.
//
// Types are inferred from the first rows (infer.h has the rules) and checked in every row.
//
// What happens to bad input
//  - A row with fewer or more fields than the header: rejected, rule "fields": "has 9 fields, the
//    header has 10".
//  - A quote inside an unquoted field (a"b), or anything but a delimiter behind a closing one
//    ("ab"c); bytes that are not UTF-8: rejected, rule "csv".
//  - A value that is none of its column's (given) type: rejected, rules "type", "missing".
//  - A quote that is never closed: WH_ERR_DATA, with the place where it was opened.
//  Rejected rows come with their text as it stands in the source, and with line, column and byte of
//  the bad field. Reading goes on with the next row.
//
// Memory: a window of 256 KiB, more only for a row that is larger, up to row_limit_bytes; 1 MiB
// while types are inferred. Besides eight bytes a field of one batch.
#pragma once

#include "codec/codec.h"

enum {
  WH_CSV_SAMPLE_ROWS = 10000,        // that inference looks at
  WH_CSV_SAMPLE_BYTES = 1024 * 1024, // and how far it looks; at least one row
  WH_CSV_DELIMITER_MAX = 8,          // bytes
  WH_CSV_COMMENT_MAX = 8,            // bytes
  WH_CSV_NULLS_MAX = 16,             // spellings of NULL
  WH_CSV_FOOTER_MAX = 100,           // rows
  WH_CSV_NULL_MAX = 32,              // bytes of NULL as it is written
};

typedef enum wh_csv_header {
  WH_CSV_HEADER_SNIFF,
  WH_CSV_HEADER_YES,
  WH_CSV_HEADER_NO
} wh_csv_header;

typedef enum wh_csv_encoding {
  WH_CSV_ENCODING_SNIFF,
  WH_CSV_UTF8,
  WH_CSV_UTF16LE,
  WH_CSV_UTF16BE,
  WH_CSV_LATIN1, // ISO 8859-1: each byte is the character of that number
} wh_csv_encoding;

// What stands under `read: { format: ... }`. Zero (and preamble -1) is what nothing says.
typedef struct wh_csv_read_options {
  wh_str delimiter;  // empty: sniffed; up to WH_CSV_DELIMITER_MAX bytes; "tab" and "\t" are a tab
  wh_str quote;      // empty: sniffed; "none"; one ASCII character
  wh_str escape;     // empty: sniffed (mostly none); "none"; one ASCII character
  wh_str comment;    // empty: none
  int header;        // wh_csv_header
  int64_t preamble;  // lines before the header (or the first row) to pass over; -1: sniffed
  int64_t footer;    // rows at the end to leave out
  wh_str_list nulls; // spellings of NULL besides the empty field
  wh_str thousands;  // empty: none; one ASCII character
  wh_str decimal;    // empty: sniffed; one ASCII character
  int encoding;      // wh_csv_encoding
  bool trim;         // blanks and tabs around unquoted fields do not count
  bool text;         // infer no types: every column is text
} wh_csv_read_options;

extern const wh_csv_read_options wh_csv_read_defaults;
extern const wh_option wh_csv_read_table[];

typedef enum wh_csv_quoting {
  WH_CSV_QUOTE_MINIMAL, // fields that need it
  WH_CSV_QUOTE_ALL,     // every field that is not NULL
  WH_CSV_QUOTE_TEXT,    // names and every text, list, struct and binary value
  WH_CSV_QUOTE_NONE,    // none; a value that needs quotes is WH_ERR_TYPE
} wh_csv_quoting;

typedef enum wh_csv_line_ending { WH_CSV_LF, WH_CSV_CRLF } wh_csv_line_ending;

// What stands under `write: { format: ... }`.
//
// Values are written in their canonical text (data/value.h; a float64 without fraction as "5.0", so
// that it stays one), lists and structs as JSON, binary as base64. Quoted are: text with the first
// byte of the delimiter, the quote, or a byte below 0x0E in it; the empty text, and text that is
// spelt like NULL (with quoting none both are refused, the empty one only if it is NULL); in the
// first column, text that begins with '#' or 0xEF, which readers may take for a comment or a byte
// order mark. NULL is never quoted. A NUL byte has no place in CSV: WH_ERR_TYPE.
typedef struct wh_csv_write_options {
  wh_str delimiter; // empty: ","; up to WH_CSV_DELIMITER_MAX bytes; "tab" and "\t" are a tab
  wh_str quote;     // empty: '"'; one ASCII character; "none": quotes nothing
  int quoting;      // wh_csv_quoting
  bool header;
  wh_str null;     // up to WH_CSV_NULL_MAX bytes
  int line_ending; // wh_csv_line_ending
  wh_str decimal;  // empty: "."; one ASCII character; of floats and decimals
} wh_csv_write_options;

extern const wh_csv_write_options wh_csv_write_defaults;
extern const wh_option wh_csv_write_table[];

extern const wh_codec_type wh_codec_csv;
