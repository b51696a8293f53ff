// The codecs "json" (an array of objects, or one object) and "ndjson" (an object a line), after
// RFC 8259, streaming and strict.
//
// Rows are objects, columns their keys. Types that JSON has no form for are written as strings:
// dates and times as ISO 8601, binary as base64, NaN and the infinities by name; decimals and
// integers of any size are numbers with all their digits. A reader that is given the schema takes
// all of them back exactly. How types are inferred: infer.h.
//
// What happens to bad input:
//  - A value that does not fit its column, a key without a column, a missing value, a wrong number,
//    escape or byte, a key that stands twice: the row goes to the rejects (rules "type", "unknown",
//    "missing", "json") as it stands in the source, and reading goes on.
//  - Broken structure (an unclosed bracket or quote, a missing comma): in ndjson the line goes to
//  the
//    rejects; in json it is WH_ERR_DATA, because where the next row begins would be a guess.
//
// Memory: a window of 256 KiB, more only for a row that is larger, up to row_limit_bytes; 4 MiB
// while types are inferred.
#pragma once

#include "codec/codec.h"

enum {
  WH_JSON_DEPTH_MAX = 512,                // arrays and objects inside each other
  WH_JSON_SAMPLE_ROWS = 1000,             // that inference looks at
  WH_JSON_SAMPLE_BYTES = 4 * 1024 * 1024, // and how far it looks; at least one row
};

typedef enum wh_json_unknown {
  WH_JSON_UNKNOWN_DEFAULT, // widen where the schema may, otherwise reject the row
  WH_JSON_UNKNOWN_REJECT,
  WH_JSON_UNKNOWN_IGNORE, // pass over the key and its value
} wh_json_unknown;

// The read options of both codecs. How columns are named, and what becomes of rows: layout.h.
typedef struct wh_json_read_options {
  bool flatten;            // members of objects are columns of their own: to.city
  wh_str explode;          // a key of the rows, a list: a row for each of its items; empty: none
  wh_json_unknown unknown; // what a key without a column does; not for users
} wh_json_read_options;

typedef enum wh_json_nulls { WH_JSON_NULLS_KEEP, WH_JSON_NULLS_OMIT } wh_json_nulls;

// The write options of both codecs.
typedef struct wh_json_write_options {
  int nulls; // wh_json_nulls
} wh_json_write_options;

extern const wh_codec_type wh_codec_json;
extern const wh_codec_type wh_codec_ndjson;

// Whether the input is one JSON text, of at most limit_bytes (WH_ERR_LIMIT). WH_ERR_DATA with the
// place otherwise. The same steps as the readers', so it can be tested on any document.
wh_status wh_json_validate(wh_mem *mem, wh_input *in, size_t limit_bytes, wh_error *err);
