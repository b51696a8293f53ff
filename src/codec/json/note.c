#include "codec/json/note.h"

bool json_note_extent(json_notes *notes, json_slot *slot, uint8_t whole, uint8_t scale,
                      bool inexact) {
  json_shape *shape = slot->shape;
  if (whole <= shape->whole && scale <= shape->scale && (shape->inexact || !inexact)) return true;
  json_note *note = WH_NEW(notes->arena, json_note);
  if (!note) return false;
  *note = (json_note){.before = notes->last,
                      .slot = slot,
                      .whole_from = slot->whole_from,
                      .whole = shape->whole,
                      .scale = shape->scale,
                      .inexact = shape->inexact};
  notes->last = note;
  if (whole > shape->whole) shape->whole = whole;
  if (scale > shape->scale) shape->scale = scale;
  shape->inexact |= inexact;
  return true;
}

bool json_note_whole(json_notes *notes, json_slot *slot, uint64_t size) {
  const uint64_t exact = (uint64_t)JSON_F64_WHOLE_MAX;
  uint8_t count = 0;
  uint64_t from = 1;
  for (; size >= from && count < 19; count++)
    from *= 10;
  if (size >= from) {
    count++;
    from = UINT64_MAX;
  }
  if (!json_note_extent(notes, slot, count, 0, size > exact)) return false;
  // Those that are too large for a double have to be seen, too.
  slot->whole_from = size <= exact && from > exact ? exact + 1 : from;
  return true;
}

static uint8_t at_most_many(int digits) {
  if (digits < 0) return 0;
  return (uint8_t)(digits < JSON_MANY_DIGITS ? digits : JSON_MANY_DIGITS);
}

bool json_note_digits(json_notes *notes, json_slot *slot, json_number number) {
  uint64_t digits = number.digits;
  int exponent = number.exponent, count = 0;
  if (digits == 0) return true;
  for (; digits % 10 == 0; digits /= 10)
    exponent++;
  for (; digits; digits /= 10)
    count++;
  return json_note_extent(notes, slot, at_most_many(count + exponent), at_most_many(-exponent),
                          false);
}

void json_notes_undo(json_notes *notes) {
  for (const json_note *n = notes->last; n; n = n->before) {
    n->slot->whole_from = n->whole_from;
    n->slot->shape->whole = n->whole;
    n->slot->shape->scale = n->scale;
    n->slot->shape->inexact = n->inexact;
  }
  notes->last = NULL;
}
