// The reader of both codecs, as its files share it: reader.c (opening, batches), frame.c (where
// rows begin and end), widen.c (inference over many rows).
#pragma once

#include "base/cpu.h"
#include "codec/json/decode.h"
#include "codec/json/json.h"
#include "codec/json/reshape.h"

typedef enum json_state {
  JSON_START,  // nothing was read
  JSON_FIRST,  // behind the '[' of the array
  JSON_REST,   // behind a row of the array
  JSON_SINGLE, // the one object is the row
  JSON_TAIL,   // behind the last bracket
  JSON_LINE,   // at the beginning of a line, or in it behind the row
  JSON_DONE,
} json_state;

typedef struct json_parts json_parts; // parts.h
// fast.h: takes the row that begins at p; NULL: it is not as expected.
typedef const char *json_fast_row(json_decoder *decoder, wh_batch *batch, const char *p);

typedef struct json_reader {
  wh_reader base;
  wh_mem *mem;
  size_t size;           // of what the reader is the first member of
  json_parts *parts;     // of which this is one; NULL: it is no part
  json_parts *own_parts; // that it can be read in
  json_feed feed;
  json_decoder decoder;
  size_t batch_rows, batch_bytes;
  bool lines;
  bool widens;
  size_t rejected_bytes; // by this call of `next`, about
  json_state state;
  json_fast_row *fast_row;   // NULL: all by the index
  uint32_t fast_wait;        // rows to be read by the index before a guess is made again
  uint32_t fast_penalty;     // how many after the next wrong one
  uint64_t open_byte;        // where the array or the one object begins
  const json_layout *layout; // its own, or that of the object whose part this is
  json_layout own_layout;
  json_reshape reshape; // when rows and columns are not the same
  wh_arena arena;       // layout, plan, shapes
  wh_schema schema;     // of the batches
  wh_schema wider;      // after WH_ERR_WIDEN
  json_shape *shape;    // of all rows so far, when it widens
  wh_arena row_arena;   // the shape of one row
  json_shape *row_shape;
  size_t start;  // of the row in hand, in the window
  bool sampling; // everything is kept, to be read again
  size_t sample_bytes;
  bool sample_full;
  wh_error failure; // behind a JSON_FAILED
} json_reader;

// reader.c

// All that needs no memory.
void json_reader_init(json_reader *reader, const wh_codec_context *context, bool lines);
wh_status json_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                           const wh_schema *given, wh_reader **ret, wh_error *err);
wh_status json_open_lines(const wh_codec_context *context, wh_input *in, const void *options,
                          const wh_schema *given, wh_reader **ret, wh_error *err);

// frame.c

// Something that is done with the row in hand, from feed->pos on; false: feed->fault.
typedef bool json_look(json_reader *reader, void *context);
// Does it as often as the window must be moved or grown for the row. WH_OK with whatever is in
// feed->fault then (not JSON_MORE), or the failure of reading.
wh_status json_frame_look(json_reader *reader, json_look *look, void *context, wh_error *err);
// Goes to the next row: reader->start and feed->pos are where it begins, feed->row its number.
// *ret_end: there is none. A sample that is full ends, too.
wh_status json_frame_next(json_reader *reader, bool *ret_end, wh_error *err);
// WH_ERR_LIMIT for a row, from start to pos, that is larger than a row may be.
wh_status json_frame_check_size(const json_reader *reader, wh_error *err);
// Ends the row after a look that read all of it.
bool json_frame_close(json_reader *reader);
// Goes behind the row with a fault: its text is then [start, pos) of the window. WH_ERR_DATA when
// there is no telling where it ends.
wh_status json_frame_skip(json_reader *reader, wh_error *err);
// Whether the fault ends reading, and the error for it.
bool json_frame_is_broken(const json_reader *reader);
wh_status json_frame_fail(json_reader *reader, wh_error *err);

// widen.c

// Looks at a sample and fills reader->shape; then reading starts at the beginning again.
wh_status json_widen_sample(json_reader *reader, wh_error *err);
// The row in hand did not fit: WH_ERR_WIDEN with reader->wider when its shape makes the schema
// wider, after looking at all rows that follow. WH_OK when it does not: feed->fault then says why
// the row is to be rejected.
wh_status json_widen_row(json_reader *reader, wh_error *err);
// Looks at all rows that follow. Those that go together with reader->shape make it wider, the
// others are left out: they are rejected when they are read.
wh_status json_widen_rest(json_reader *reader, wh_error *err);
// The columns of rows of such a shape.
wh_status json_widen_columns(const json_reader *reader, const json_shape *shape, wh_arena *arena,
                             wh_schema *ret, wh_error *err);
// WH_ERR_WIDEN for the row in hand.
wh_status json_widen_fail(const json_fault *fault, wh_place place, wh_error *err);
