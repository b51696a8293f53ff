// How rows are taken apart: for each column, and inside nested ones for each field, what its key is
// and what its values become. Made once from the schema.
#pragma once

#include "base/arena.h"
#include "codec/json/infer.h"
#include "codec/json/layout.h"
#include "data/type.h"

enum { JSON_KEY_BLOCK = 32 }; // bytes of a key that are compared at once

typedef struct json_plan json_plan;

typedef struct json_slot {
  wh_str name; // readable up to the next multiple of 8 bytes
  // "name": as it usually stands, readable for JSON_KEY_BLOCK bytes; and a bit for each of its
  // bytes in there. One that must be escaped is found by the slow way alone: its key is another.
  const char *key;
  uint32_t key_mask;
  uint32_t key_len;
  int32_t column;  // among those of the row or struct; -1: it is not wanted
  uint32_t rank;   // in json_plan.order
  bool needs_item; // an empty list is as good as none, which may not be
  wh_type type;
  bool nullable;
  uint64_t object;     // number of the object that had it last: a key that stands twice is found
  json_plan *fields;   // struct: its fields. list: one, the item
  json_shape *shape;   // what inference knows of it; NULL: the schema is not going to be widened
  uint64_t whole_from; // integers from here on have more digits than `shape` says
} json_slot;

struct json_plan {
  json_slot *slots;
  uint32_t cap;      // of slots: unwanted keys that are met are added
  wh_str prefix;     // of the names of its columns, with flatten; no data: none
  bool by_column;    // its keys are columns, or parts of their names
  json_slot **order; // as their keys are expected
  uint32_t *seen;    // scratch: the slots of the object in hand
  uint32_t wanted;   // slots that have a column
  uint32_t count;
  uint32_t mask;
  uint32_t *table; // hash of the name & mask -> slot + 1, with linear probing
};

// `shape` goes with layout->full (json_shape_of_schema, json_shape_schema), or is NULL.
wh_status json_plan_make(const json_layout *layout, json_shape *shape, wh_arena *arena,
                         json_plan **ret, wh_error *err);
// A key that nobody wants: expect it from now on, if there is room.
void json_plan_pass_over(json_plan *plan, wh_str name, wh_arena *arena);
// The keys of the last object stood in the order of plan->seen: expect them so.
void json_plan_learn(json_plan *plan, uint32_t seen_count);
// NULL: no such column.
json_slot *json_plan_find(const json_plan *plan, wh_str name);

// Names compared eight bytes at a time; both are readable up to the next multiple of 8.
static inline bool json_name_eq(wh_str name, const char *key, size_t len) {
  if (name.len != len) return false;
  const char *mine = name.data;
  for (; len >= 8; len -= 8, mine += 8, key += 8) {
    uint64_t a, b;
    memcpy(&a, mine, 8);
    memcpy(&b, key, 8);
    if (a != b) return false;
  }
  if (len == 0) return true;
  uint64_t a, b;
  memcpy(&a, mine, 8);
  memcpy(&b, key, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return (a ^ b) >> (64 - 8 * len) == 0;
#else
  return (a ^ b) << (64 - 8 * len) == 0;
#endif
}
