// Types and schemas. A type is a small value; its fields (list, struct) live in an arena of the
// schema's maker.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

typedef enum wh_kind {
  WH_NULL = 0, // only NULLs seen so far (inference); a column of it may be cast to anything
  WH_BOOL,
  WH_INT8,
  WH_INT16,
  WH_INT32,
  WH_INT64,
  WH_UINT8,
  WH_UINT16,
  WH_UINT32,
  WH_UINT64,
  WH_FLOAT32,
  WH_FLOAT64,
  WH_DECIMAL,   // 128 bit, precision 1..38, scale 0..precision
  WH_DATE,      // int32 days since 1970-01-01, proleptic Gregorian
  WH_TIME,      // int64 units since midnight
  WH_TIMESTAMP, // int64 units since 1970-01-01T00:00:00, UTC when zoned, else local to nowhere
  WH_STRING,    // UTF-8, always valid
  WH_BINARY,
  WH_LIST,   // one field: the item
  WH_STRUCT, // its fields
} wh_kind;

typedef enum wh_unit { WH_UNIT_S, WH_UNIT_MS, WH_UNIT_US, WH_UNIT_NS } wh_unit;

typedef struct wh_field wh_field;

typedef struct wh_type {
  wh_kind kind;
  uint8_t precision; // decimal
  uint8_t scale;     // decimal
  wh_unit unit;      // time, timestamp
  bool zoned;        // timestamp: an instant (UTC); false: wall-clock time without a zone
  uint32_t field_count;
  const wh_field *fields; // list: one; struct: field_count
} wh_type;

// How private a column is; a connection accepts the first two unless told otherwise.
typedef enum wh_class { WH_PUBLIC, WH_INTERNAL, WH_PERSONAL, WH_SECRET } wh_class;

struct wh_field {
  wh_str name;
  wh_type type;
  bool nullable;
  wh_class privacy;
};

typedef struct wh_schema {
  size_t count;
  const wh_field *fields;
} wh_schema;

enum {
  WH_DECIMAL_DIGITS_MAX = 38,
  WH_NESTING_MAX = 64,    // depth of list and struct types
  WH_COLUMNS_MAX = 16384, // columns of a schema
};

// Bytes a value takes in the values buffer: 1, 2, 4, 8, 16; 0 for bool (a bitmap), string, binary,
// list, struct and null.
size_t wh_kind_width(wh_kind kind);
static inline bool wh_kind_is_int(wh_kind k) {
  return k >= WH_INT8 && k <= WH_UINT64;
}
static inline bool wh_kind_is_text(wh_kind k) {
  return k == WH_STRING || k == WH_BINARY;
}
static inline wh_type wh_type_of(wh_kind kind) {
  return (wh_type){.kind = kind, .unit = WH_UNIT_US};
}
bool wh_type_eq(const wh_type *a, const wh_type *b);
// Deep, including field names and nullability; not privacy.
bool wh_schema_eq(const wh_schema *a, const wh_schema *b);

// The written form, used in manifests, wherry.yaml (`type:`), DDL comparison and messages:
//   bool int8..int64 uint8..uint64 float32 float64 decimal(12,2) date time[us] timestamp[us]
//   timestamp[us,UTC] string binary list<int64> struct<a: int64, "b c": list<string?>> null
// `?` behind a field's type inside list or struct means nullable. Synonyms taken on input only:
// text (string), integer, bigint (int64), double (float64), timestamp (timestamp[us,UTC]),
// boolean (bool).
bool wh_type_write(const wh_type *type, wh_buf *out);
// `time` alone means time[us]. Fails with WH_ERR_TYPE (or WH_ERR_MEMORY).
wh_status wh_type_parse(wh_str text, wh_arena *arena, wh_type *ret, wh_error *err);
// For sentences: "text", "timestamp", "timestamp without zone", "decimal(12,2)", "list of text".
wh_str wh_type_friendly(const wh_type *type, wh_arena *arena);

const char *wh_class_name(wh_class c); // "public" ...
bool wh_class_parse(wh_str text, wh_class *ret);

// Index of the column, or -1. Names compare byte for byte.
ptrdiff_t wh_schema_find(const wh_schema *schema, wh_str name);
// Deep copies into the arena.
wh_status wh_type_copy(const wh_type *type, wh_arena *arena, wh_type *ret, wh_error *err);
wh_status wh_schema_copy(const wh_schema *schema, wh_arena *arena, wh_schema *ret, wh_error *err);
// The narrowest type that holds both without loss, as inference uses it; false when there is none
// (the caller keeps text) or memory has run out. Nested types live in the arena or share parts of
// a and b.
//  - null + T = T.
//  - Integers: the smallest signed or unsigned type that holds both; with uint64 and a signed one,
//    decimal(20,0). Integer + decimal, decimal + decimal: a decimal with the more whole digits and
//    the more decimal places, if those are not over 38.
//  - float32 + float64 = float64; an integer + float only where every value is exact: 16 bits in a
//    float32, 32 in a float64. An int64 is not knowable there, so it is refused.
//  - date + timestamp without zone = timestamp without zone. Timestamps of two units: the finer,
//    but never nanoseconds, whose range is too small. Zoned and not zoned do not mix.
//  - List and struct widen field by field; missing fields become nullable.
bool wh_type_widen(const wh_type *a, const wh_type *b, wh_arena *arena, wh_type *ret);

// Manifest form: [{"name":"OrderNumber","type":"string","nullable":false,"class":"internal"},...]
bool wh_schema_write_json(const wh_schema *schema, wh_buf *out);
