// A batch: rows as columns in memory, each laid out as the Arrow C data interface lays it
// (validity bitmap, offsets, values; least significant bit first), so that exporting one is only
// filling in pointers (data/arrow.h).
//
// A column is its own builder: it owns growable buffers that keep their capacity from one round to
// the next (wh_batch_reset). A column may also *borrow* another's buffers (wh_column_borrow), which
// is how steps that only drop, rename or reorder columns cost nothing; a borrowed column is
// read-only and valid as long as its owner is.
//
// Limits: a batch holds at most WH_BATCH_ROWS_MAX rows and WH_BATCH_BYTES_MAX bytes in one text
// column (offsets are 32 bit). Producers close a batch by rows or by bytes, whichever is first:
// see wh_batch_full.
//
// Threads: one at a time; a batch moves between threads whole.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/mem.h"
#include "data/type.h"

enum {
  WH_BATCH_ROWS_MAX = 65536,
  WH_BATCH_ROWS_DEFAULT = 4096,
  WH_BATCH_BYTES_DEFAULT = 1 << 20,
  WH_BATCH_BYTES_MAX = 1 << 30,
};

typedef struct wh_column wh_column;
struct wh_column {
  wh_type type;
  size_t length;     // rows
  size_t null_count; // exact
  uint8_t *validity; // bit i set: row i has a value. NULL: none is null
  uint8_t *values;   // fixed width values; bool: a bitmap; NULL rows hold zero
  int32_t *offsets;  // string, binary, list: length + 1 of them, offsets[0] == 0
  uint8_t *bytes;    // string, binary
  wh_column *children; // list: one; struct: type.field_count. Same length for struct
  size_t child_count;

  wh_mem *mem;       // NULL: borrowed
  size_t rows_cap;   // rows that values/offsets/validity have room for
  size_t bytes_cap;
};

typedef struct wh_batch {
  const wh_schema *schema; // outlives the batch
  size_t rows;
  wh_column *columns; // schema->count
  // Where each row stands in its source. first_row counts from 1 and is the number of row 0 when
  // places is NULL; otherwise places[i] tells for each row. Borrowed like columns when a step
  // passes it on.
  uint64_t first_row;
  wh_place *places;
  size_t places_cap;
  bool places_borrowed;
  wh_mem *mem;
  wh_arena arena; // scratch that lives as long as this round of the batch; reset by wh_batch_reset
  size_t bytes;   // approximate size of the rows, kept by the appends
} wh_batch;

// Takes columns from the accountant when rows come; init itself may fail for the column array.
wh_status wh_batch_init(wh_batch *batch, wh_mem *mem, const wh_schema *schema, wh_error *err);
void wh_batch_free(wh_batch *batch); // zeroed is fine
void wh_batch_reset(wh_batch *batch); // no rows, keeps capacity, drops borrowed views, resets arena
// True when a producer should hand the batch on.
static inline bool wh_batch_full(const wh_batch *batch, size_t rows_max, size_t bytes_max) {
  return batch->rows >= rows_max || batch->bytes >= bytes_max;
}
wh_place wh_batch_place(const wh_batch *batch, size_t row);
// Records the place of the next row; call before or after its values, once, before wh_batch_row_end.
wh_status wh_batch_set_place(wh_batch *batch, wh_place place, wh_error *err);
// Ends the row being appended: checks (assert) that every column has rows + 1 values.
void wh_batch_row_end(wh_batch *batch);
// Throws away the values of the row being appended, so that a bad row leaves no trace.
void wh_batch_row_undo(wh_batch *batch);

// Appends one value. All return WH_ERR_MEMORY or WH_ERR_LIMIT only; the type must match
// (asserted). Children of list and struct are appended by their own calls first: for a list,
// append items to children[0], then wh_column_add_list; for a struct, one to each child, then
// wh_column_add_struct.
wh_status wh_column_reserve(wh_column *column, size_t rows, size_t bytes, wh_error *err);
wh_status wh_column_add_null(wh_column *column, wh_error *err); // nested: children of struct too
wh_status wh_column_add_bool(wh_column *column, bool value, wh_error *err);
wh_status wh_column_add_i64(wh_column *column, int64_t value, wh_error *err); // any fixed int kind,
                                                        // date, time, timestamp; must be in range
wh_status wh_column_add_u64(wh_column *column, uint64_t value, wh_error *err);
wh_status wh_column_add_f64(wh_column *column, double value, wh_error *err); // float32 too
wh_status wh_column_add_decimal(wh_column *column, __int128 unscaled, wh_error *err);
wh_status wh_column_add_text(wh_column *column, wh_str value, wh_error *err); // string: valid UTF-8
wh_status wh_column_add_list(wh_column *column, wh_error *err);
wh_status wh_column_add_struct(wh_column *column, wh_error *err);
// Copies row `row` of a column of an equal type.
wh_status wh_column_add_from(wh_column *column, const wh_column *from, size_t row, wh_error *err);
// Cuts back to `length` rows.
void wh_column_truncate(wh_column *column, size_t length);

void wh_column_init(wh_column *column, wh_mem *mem, const wh_type *type); // allocates children only lazily
void wh_column_free(wh_column *column);
void wh_column_reset(wh_column *column);
void wh_column_borrow(wh_column *column, const wh_column *from);

// Reading.
static inline bool wh_bit_get(const uint8_t *bits, size_t i) {
  return (bits[i >> 3] >> (i & 7)) & 1;
}
static inline void wh_bit_set(uint8_t *bits, size_t i) {
  bits[i >> 3] = (uint8_t)(bits[i >> 3] | (1u << (i & 7)));
}
static inline void wh_bit_clear(uint8_t *bits, size_t i) {
  bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7)));
}
static inline bool wh_column_is_null(const wh_column *c, size_t i) {
  return c->type.kind == WH_NULL || (c->validity && !wh_bit_get(c->validity, i));
}
static inline wh_str wh_column_text(const wh_column *c, size_t i) {
  return (wh_str){(const char *)c->bytes + c->offsets[i],
                  (size_t)(c->offsets[i + 1] - c->offsets[i])};
}
static inline bool wh_column_bool(const wh_column *c, size_t i) {
  return wh_bit_get(c->values, i);
}
int64_t wh_column_i64(const wh_column *c, size_t i); // int8..int64, uint8..32, date, time, timestamp
uint64_t wh_column_u64(const wh_column *c, size_t i); // uint8..64
double wh_column_f64(const wh_column *c, size_t i);   // float32, float64
__int128 wh_column_decimal(const wh_column *c, size_t i);

// Makes `out` (initialised with an equal schema) hold the rows of `in` whose bit in `keep` is set;
// places follow. When all are kept, `out` borrows.
wh_status wh_batch_filter(const wh_batch *in, const uint8_t *keep, wh_batch *out, wh_error *err);
// Makes `out` a view of `in`: same rows, columns and places borrowed, `map[i]` saying which column
// of `in` column i of out's schema shows (types must be equal).
void wh_batch_borrow(wh_batch *out, const wh_batch *in, const size_t *map);
