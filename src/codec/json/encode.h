// Rows as text: what the writer and the encoder of both codecs share.
#pragma once

#include "base/buf.h"
#include "codec/json/json.h"
#include "data/format.h"

// What stands before each value: the bracket or comma, the key, the colon.
typedef struct json_key {
  wh_str text;             // from the comma (or, of the first, the bracket) on; see encode.c
  struct json_key *fields; // struct: of its fields. list: one, the item, without text
} json_key;

typedef struct json_encoder {
  wh_mem *mem;
  const wh_schema *schema;
  bool lines;
  bool omit_nulls;
  json_key *keys;
  wh_arena arena;
  wh_buf scratch; // for what is formatted by the data layer
  // Where the text goes: into `text`, which grows; or, with `out`, which takes it when it is full.
  wh_buf text; // its len is `used` only after json_encode_end
  wh_output *out;
  size_t used, cap;
  wh_error *err; // of the call in hand
  wh_status status;
} json_encoder;

wh_status json_encoder_open(const wh_codec_context *context, const void *options, bool lines,
                            const wh_schema *schema, wh_output *out, json_encoder *ret,
                            wh_error *err);
void json_encoder_close(json_encoder *e); // zeroed is fine

// Appends the rows: in lines each with its newline, else with ",\n" between them. `first`: nothing
// stands before them.
wh_status json_encode_rows(json_encoder *e, const wh_batch *batch, bool first, wh_error *err);
wh_status json_encode_bytes(json_encoder *e, wh_str bytes, wh_error *err);
// All text is in `text` (or, with `out`, there).
wh_status json_encode_end(json_encoder *e, wh_error *err);
