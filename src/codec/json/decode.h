// Rows into columns, without a tree between: values go from the window straight into the batch.
#pragma once

#include "codec/json/plan.h"
#include "codec/json/temporal.h"
#include "data/batch.h"

typedef enum json_unknown { JSON_UNKNOWN_REJECT, JSON_UNKNOWN_IGNORE } json_unknown;

typedef struct json_decoder {
  json_feed *feed;
  json_plan *plan;
  json_unknown unknown;
  uint64_t objects; // seen so far
  json_known_day day;
  wh_arena scratch; // for values that are converted by way of text; the reader resets it
  wh_error *err;    // of the call in hand
} json_decoder;

// Appends the row that stands at feed->pos to the columns. False: feed->fault, and the batch has
// traces of the row, which wh_batch_row_undo takes away.
bool json_decode_row(json_decoder *decoder, wh_batch *batch);

// convert.c: values of the kinds that are not decoded in place, and all that do not fit.
bool json_convert_scalar(json_decoder *decoder, json_slot *slot, wh_column *column, wh_str token);
bool json_convert_text(json_decoder *decoder, json_slot *slot, wh_column *column,
                       const json_value *value);
bool json_convert_null(json_decoder *decoder, json_slot *slot, wh_column *column, size_t at);
// JSON_MISFIT: "a number, but the column is text".
bool json_misfit(json_decoder *decoder, const json_slot *slot, size_t at, const char *found);
// The error of a column's append as a fault.
bool json_append_failed(json_decoder *decoder);
