// Thrift's compact protocol, as far as Parquet's metadata needs it, driven by tables: each struct
// has one table of its fields (metadata.c), from which it is both read and written.
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
//
// A struct that a table describes begins with `uint32_t has`: bit N is set when field N is there.
// Reading sets it and writing heeds it. Texts and raw lists are views of the bytes that were read.
//
// Nothing read is trusted: a length or count is checked against the bytes behind it before
// anything is allocated, nesting is at most PQ_THRIFT_DEPTH_MAX, a field that stands twice is an
// error, and unknown fields are passed over.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

enum { PQ_THRIFT_DEPTH_MAX = 32 };

typedef enum pq_slot {
  PQ_SLOT_BOOL,    // bool
  PQ_SLOT_I8,      // int8_t
  PQ_SLOT_I16,     // int16_t
  PQ_SLOT_I32,     // int32_t
  PQ_SLOT_I64,     // int64_t
  PQ_SLOT_TEXT,    // wh_str
  PQ_SLOT_STRUCT,  // the struct itself, described by `inner`
  PQ_SLOT_BOOLS,   // pq_bools
  PQ_SLOT_I32S,    // pq_i32s
  PQ_SLOT_I64S,    // pq_i64s
  PQ_SLOT_TEXTS,   // pq_texts
  PQ_SLOT_STRUCTS, // pq_structs of `inner`
  PQ_SLOT_RAW,     // pq_raw: a list of structs of `inner`, as bytes
} pq_slot;

typedef struct pq_bools {
  bool *items;
  size_t count;
} pq_bools;
typedef struct pq_i32s {
  int32_t *items;
  size_t count;
} pq_i32s;
typedef struct pq_i64s {
  int64_t *items;
  size_t count;
} pq_i64s;
typedef struct pq_texts {
  wh_str *items;
  size_t count;
} pq_texts;
typedef struct pq_structs {
  void *items; // of inner->size each
  size_t count;
} pq_structs;
// The structs of a list one behind the other, without the list's head. What was read has been
// walked over once: its structure is sound, its fields may be anything.
typedef struct pq_raw {
  wh_str bytes;
  size_t count;
} pq_raw;

typedef struct pq_rule pq_rule;
typedef struct pq_field_rule {
  int16_t id; // below 32; 0 ends a table
  pq_slot slot;
  bool required;
  uint16_t offset;
  const char *name;
  const pq_rule *inner;
} pq_field_rule;
struct pq_rule {
  const char *name; // for messages
  size_t size;
  const pq_field_rule *fields;
};

#define PQ_HAS(structure, id) (((structure)->has >> (id)) & 1)
#define PQ_BIT(id)            (UINT32_C(1) << (id))

// Bytes being read, and where.
typedef struct pq_cursor {
  const uint8_t *start, *at, *end;
  uint64_t base;    // where `start` stands in the file
  const char *what; // for messages: "the footer"
} pq_cursor;

static inline pq_cursor pq_cursor_over(wh_str bytes, uint64_t base, const char *what) {
  const uint8_t *data = (const uint8_t *)bytes.data;
  return (pq_cursor){
      .start = data, .at = data, .end = data + bytes.len, .base = base, .what = what};
}

// Reads one struct into `ret` (rule->size bytes, zeroed here first) and leaves the cursor behind
// it. Lists go to the arena. WH_ERR_DATA with the byte in the text: "the footer is damaged at byte
// 1234: 'num_rows' is missing".
wh_status pq_thrift_read(pq_cursor *cursor, const pq_rule *rule, wh_arena *arena, void *ret,
                         wh_error *err);
// The same, where the struct may reach behind the bytes at hand: *ret_short is set and WH_OK
// returned when it does; `ret` is then not filled.
wh_status pq_thrift_read_part(pq_cursor *cursor, const pq_rule *rule, wh_arena *arena, void *ret,
                              bool *ret_short, wh_error *err);

// Appends the struct; whether that worked stands in the buffer.
void pq_thrift_write(wh_buf *out, const pq_rule *rule, const void *from);
