// What the values at each place of the rows were seen to be, and the schema that holds them all.
//
// A row is looked at by itself first (json_infer_row); only when nothing is wrong with it and it
// goes together with what was seen before (json_shape_fits) does it count (json_shape_merge). So a
// row that is going to be rejected leaves no trace in the schema.
//
// The rules, exact before convenient:
//  - true and false: bool. Text: string; dates are not guessed from text.
//  - Numbers without fraction: int64; beyond 64 bit decimal(38,0).
//  - With fraction or exponent: float64 when every value survives it (json_number_survives_f64),
//    otherwise decimal(38,s) with the s that the values need, if 38 digits are enough.
//  - Objects: struct of the keys in the order they came; arrays: list of what their items have in
//    common. null goes with anything; a key that is missing is NULL: all is nullable.
//  - Anything else does not go together.
#pragma once

#include "base/arena.h"
#include "codec/json/layout.h"
#include "codec/json/number.h"
#include "codec/json/walk.h"
#include "data/type.h"

// Bits of json_shape.seen.
enum {
  JSON_SEEN_BOOL = 1,
  JSON_SEEN_NUMBER = 2,
  JSON_SEEN_TEXT = 4,
  JSON_SEEN_OBJECT = 8,
  JSON_SEEN_ARRAY = 16,
  JSON_SEEN_FIXED = 32, // the type was given and is none that inference makes: never changed
};

typedef struct json_shape json_shape;
typedef struct json_member {
  wh_str name;
  json_shape *shape;
  uint64_t object; // number of the object that had it last, to find keys that stand twice
} json_member;

struct json_shape {
  uint8_t seen;  // 0: only null
  bool fraction; // numbers: some had a point or exponent
  bool beyond;   // numbers: some without it were beyond 64 bit
  bool inexact;  // numbers: some do not survive a float64
  uint8_t whole; // numbers: digits before the point, at most JSON_MANY_DIGITS
  uint8_t scale; // and behind it
  wh_type fixed;
  wh_place first;       // of the first value that was not null
  json_member *members; // object; in the order they came
  uint32_t count, cap;
  uint32_t *slots; // a hash table of the members, once there are many
  uint32_t slot_count;
  json_shape *item; // array; NULL: only empty ones
};

// Where two things did not go together.
typedef struct json_conflict {
  wh_str column;               // the member of the row
  const char *what_a, *what_b; // "a number", "text"
  wh_place a, b;
} json_conflict;

// The shape of the row that stands at feed->pos, in the arena. False: feed->fault.
// JSON_MISFIT with rule "type" when the row's own items do not go together.
// Keys that are not wanted count for nothing.
bool json_infer_row(json_feed *feed, const json_layout_options *options, wh_arena *arena,
                    json_shape **ret, wh_error *err);

// Shapes of a schema that was inferred earlier.
wh_status json_shape_of_schema(const wh_schema *schema, wh_arena *arena, json_shape **ret,
                               wh_error *err);
// False, and *conflict filled, when there is no type for both.
bool json_shape_fits(const json_shape *into, const json_shape *from, json_conflict *conflict);
// Afterwards `into` holds what `from` says too, with copies in the arena of `into`.
wh_status json_shape_merge(json_shape *into, const json_shape *from, wh_arena *arena,
                           wh_error *err);
wh_status json_shape_schema(const json_shape *row, wh_arena *arena, wh_schema *ret, wh_error *err);
