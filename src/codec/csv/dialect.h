// A dialect: everything the reader has to know before it can cut text into rows and fields. It is
// made from the options, and where they are silent from the beginning of the file (csv_sniff).
#pragma once

#include "codec/csv/csv.h"

typedef struct csv_dialect {
  char delimiter[WH_CSV_DELIMITER_MAX];
  uint8_t delimiter_len; // at least 1; the delimiter has no quote, CR or LF in it
  char quote;            // 0: none, quotes are characters like others
  bool doubled;          // a doubled quote inside quotes is one; always, unless there is an escape
  char escape;           // 0: none; inside quotes, the next byte stands for itself
  char comment[WH_CSV_COMMENT_MAX];
  uint8_t comment_len; // 0: there are none
  bool header;
  bool trim;
  char thousands;    // 0: none
  char decimal;      // '.'
  uint64_t preamble; // lines (by LF, CRLF, lone CR; quotes do not count) before the header
  uint64_t footer;   // rows at the end that are none
  wh_str nulls[WH_CSV_NULLS_MAX]; // borrowed from the options
  uint32_t null_count;
  wh_csv_encoding encoding; // never SNIFF
} csv_dialect;

// dialect.c: what the options alone say, checked (WH_ERR_USAGE). What they leave open has RFC
// 4180's value: comma, double quote, a header, no preamble, UTF-8.
wh_status csv_dialect_of_options(const wh_csv_read_options *options, csv_dialect *ret,
                                 wh_error *err);

// What the options left open.
static inline bool csv_sniffs(const wh_csv_read_options *o) {
  return !o->delimiter.len || !o->quote.len || !o->escape.len || o->preamble < 0 ||
         o->header == WH_CSV_HEADER_SNIFF || !o->decimal.len;
}

// The encoding of a file by its first bytes; *ret_bom is how many of them are the byte order mark.
// `at_end`: these are all.
wh_csv_encoding csv_sniff_encoding(const char *bytes, size_t len, bool at_end, size_t *ret_bom);

// Fills in what `given` leaves open in *dialect, which csv_dialect_of_options made. The sample is
// the beginning of the text, in UTF-8 (or Latin-1), without its byte order mark; `at_end`: it is
// all. *ret_sure: from 0 (a guess) to 1. Memory for working from `mem`, given back.
wh_status csv_sniff(wh_mem *mem, const char *sample, size_t len, bool at_end,
                    const wh_csv_read_options *given, csv_dialect *dialect, double *ret_sure,
                    wh_error *err);

// For people: `delimiter ";", quote '"', header in line 3, utf-8; 97 % sure`. The last part is left
// out where sure is 1: nothing was sniffed.
bool csv_dialect_write(const csv_dialect *dialect, double sure, wh_buf *out);
