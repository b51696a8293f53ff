// Rows into columns, without a tree between: values go from the window straight into the batch.
#pragma once

#include "codec/json/note.h"
#include "codec/json/temporal.h"
#include "data/batch.h"

typedef enum json_unknown { JSON_UNKNOWN_REJECT, JSON_UNKNOWN_IGNORE } json_unknown;

typedef struct json_decoder {
  json_feed *feed;
  json_plan *plan;
  json_unknown unknown;
  const json_layout_options *options; // which keys are wanted
  wh_arena *arena;                    // the reader's, for what is learnt of keys
  uint64_t objects;                   // seen so far
  json_known_day day;
  wh_arena scratch; // of the row in hand, for values that are converted by way of text
  json_notes notes; // of the row in hand
  wh_error *err;    // of the call in hand
} json_decoder;

// Before each row.
static inline void json_decode_begin(json_decoder *decoder) {
  json_notes_begin(&decoder->notes);
  if (decoder->scratch.used) wh_arena_reset(&decoder->scratch);
}
// Appends the row that stands at feed->pos to the columns. False: feed->fault, and the batch has
// traces of the row, which json_decode_undo takes away.
bool json_decode_row(json_decoder *decoder, wh_batch *batch);
void json_decode_undo(json_decoder *decoder, wh_batch *batch);

bool json_add_escaped(json_decoder *decoder, wh_column *column, const json_value *value);

// convert.c: values of the kinds that are not decoded in place, and all that do not fit.
bool json_convert_scalar(json_decoder *decoder, json_slot *slot, wh_column *column, wh_str token);
bool json_convert_text(json_decoder *decoder, json_slot *slot, wh_column *column,
                       const json_value *value);
// JSON_MISFIT with rule "missing".
bool json_item_missing(json_decoder *decoder, const json_slot *slot, size_t at);
bool json_convert_null(json_decoder *decoder, json_slot *slot, wh_column *column, size_t at);
// JSON_MISFIT: "a number, but the column is text".
bool json_misfit(json_decoder *decoder, const json_slot *slot, size_t at, const char *found);
// The error of a column's append as a fault.
bool json_append_failed(json_decoder *decoder);
bool json_no_memory(json_decoder *decoder);
