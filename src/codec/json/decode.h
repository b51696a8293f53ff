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
  const json_layout_options *options; // which keys are wanted
  wh_arena *arena;                    // the reader's, for what is learnt of keys
  uint64_t objects;                   // seen so far
  json_known_day day;
  wh_arena scratch; // for values that are converted by way of text; the reader resets it
  wh_error *err;    // of the call in hand
} json_decoder;

// Appends the row that stands at feed->pos to the columns. False: feed->fault, and the batch has
// traces of the row, which wh_batch_row_undo takes away.
bool json_decode_row(json_decoder *decoder, wh_batch *batch);

bool json_add_escaped(json_decoder *decoder, wh_column *column, const json_value *value);

// What inference must know of the numbers that it did not see itself: exactly what
// json_number_extent would say of them.
void json_note_whole(json_slot *slot, uint64_t size);
void json_note_digits(json_shape *shape, json_number number);

static inline void json_note_int(json_slot *slot, int64_t value) {
  if (!slot->shape) return;
  uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  if (__builtin_expect(size >= slot->whole_from, 0)) json_note_whole(slot, size);
  if (size > (uint64_t)JSON_F64_WHOLE_MAX) slot->shape->inexact = true;
}

static inline void json_note_float(json_slot *slot, const json_number *number) {
  const json_shape *shape = slot->shape;
  if (!shape) return;
  // As written, with zeros at the ends: usually no more than is known already.
  if (__builtin_expect(
          -number->exponent > shape->scale || number->count + number->exponent > shape->whole, 0))
    json_note_digits(slot->shape, *number);
}

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
