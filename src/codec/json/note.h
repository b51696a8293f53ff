// What inference must know of the numbers that it did not see itself: exactly what
// json_number_extent would say of them.
//
// Values are noted while their row is decoded. One that is rejected after all leaves no trace in
// the schema (infer.h), nor does a guess that turns out wrong: what a row has changed is kept until
// the next one begins, and can be taken back.
#pragma once

#include "codec/json/plan.h"

// One change of a shape, as it was before.
typedef struct json_note {
  struct json_note *before;
  json_slot *slot;
  uint64_t whole_from;
  uint8_t whole, scale;
  bool inexact;
} json_note;

// Of the row in hand.
typedef struct json_notes {
  wh_arena *arena; // reset when a row begins
  json_note *last;
} json_notes;

// Slots without a shape are of no interest, and must not be given. False: no memory.
bool json_note_digits(json_notes *notes, json_slot *slot, json_number number);
bool json_note_extent(json_notes *notes, json_slot *slot, uint8_t whole, uint8_t scale,
                      bool inexact);
bool json_note_whole(json_notes *notes, json_slot *slot, uint64_t size);

static inline bool json_note_int(json_notes *notes, json_slot *slot, int64_t value) {
  if (!slot->shape) return true;
  uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  return __builtin_expect(size < slot->whole_from, 1) || json_note_whole(notes, slot, size);
}

static inline bool json_note_float(json_notes *notes, json_slot *slot, const json_number *number) {
  const json_shape *shape = slot->shape;
  if (!shape) return true;
  // As written, with zeros at the ends: usually no more than is known already.
  return __builtin_expect(-number->exponent <= shape->scale &&
                              number->count + number->exponent <= shape->whole,
                          1) ||
         json_note_digits(notes, slot, *number);
}

static inline void json_notes_begin(json_notes *notes) {
  notes->last = NULL;
}
// The row is none.
void json_notes_undo(json_notes *notes);
