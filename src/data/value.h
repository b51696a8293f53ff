// A single value on its own: a cursor, a key, a bound, a default.
#pragma once

#include "data/batch.h"

typedef struct wh_value {
  wh_type type; // kind WH_NULL with is_null for an untyped null
  bool is_null;
  union {
    bool b;
    int64_t i;  // int8..64, date, time, timestamp
    uint64_t u; // uint8..64
    double f;   // float32, float64
    __int128 d; // decimal, unscaled
    wh_str s;   // string, binary; somebody else's bytes
  } as;
} wh_value;

// A view into the column; text is borrowed. Not for list and struct (WH_ERR_TYPE).
wh_status wh_value_get(const wh_column *column, size_t row, wh_value *ret, wh_error *err);
wh_status wh_value_add(wh_column *column, const wh_value *value, wh_error *err); // equal types
wh_status wh_value_copy(const wh_value *value, wh_arena *arena, wh_value *ret, wh_error *err);

// Total order of values of equal or comparable types (all numbers with each other, exactly;
// timestamps of different units); NULL first; NaN above everything. Text by bytes.
// Incomparable types: by kind.
int wh_value_compare(const wh_value *a, const wh_value *b);

// The canonical text: JSON's number forms, ISO 8601 for temporal (2026-11-21, 08:55:00.000123,
// 2026-11-21T08:55:00Z with as many fractional digits as are not zero), decimals with their scale,
// binary as base64. Reading it back with wh_value_parse gives an equal value.
bool wh_value_write(const wh_value *value, wh_buf *out);
// The same for a row of a column, without the detour; also list and struct, as JSON.
bool wh_column_write(const wh_column *column, size_t row, wh_buf *out);
// As a JSON value: strings, temporal, binary and decimals beyond 2^53 or with fraction digits
// quoted... see codec/json for the rules of files; this one is for messages and receipts.
bool wh_column_write_json(const wh_column *column, size_t row, wh_buf *out);
// Strict: the whole text must be a value of `type`, exactly representable; else WH_ERR_TYPE and a
// reason like "'12.345' has 3 decimal places, decimal(10,2) keeps 2".
wh_status wh_value_parse(wh_str text, const wh_type *type, wh_arena *arena, wh_value *ret,
                         wh_error *err);
