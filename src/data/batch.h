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

#include <assert.h>

enum {
  WH_BATCH_ROWS_MAX = 65536,
  WH_BATCH_ROWS_DEFAULT = 4096,
  WH_BATCH_BYTES_DEFAULT = 1 << 20,
  WH_BATCH_BYTES_MAX = 1 << 30,
  WH_BATCH_KEEP_BYTES = 2 * WH_BATCH_BYTES_DEFAULT, // of text that a column keeps room for
  WH_COLUMN_VALUES_MAX = 1 << 30, // values of one column; only items of lists come near it
};

typedef struct wh_column wh_column;

// A column's own buffers, kept aside while it borrows another's.
typedef struct wh_column_own {
  wh_mem *mem;
  uint8_t *validity;
  uint8_t *values;
  int32_t *offsets;
  uint8_t *bytes;
  wh_column *children;
  size_t rows_cap;
  size_t bytes_cap;
} wh_column_own;

// Which entry of a dictionary each row has, where the producer knows: whoever makes a dictionary of
// the column again need not look its values up. It says nothing that the values do not say.
typedef struct wh_codes {
  uint64_t dictionary;   // a number that no other dictionary of the process has
  size_t entries;        // codes are less
  const uint32_t *codes; // one for each row, of which none is NULL
} wh_codes;

struct wh_column {
  wh_type type;
  size_t length;     // rows
  size_t null_count; // exact
  uint8_t *validity; // bit i set: row i has a value. NULL: none is null
  uint8_t *values;   // fixed width values; bool: a bitmap; NULL rows hold zero
  int32_t *offsets;  // string, binary, list: length + 1 of them, offsets[0] == 0; NULL before the
                     // first row
  uint8_t *bytes;    // string, binary; NULL rows are empty
  // List: one; struct: type.field_count, each of the same length. wh_batch_init makes them; those
  // of a column that stands alone are made by wh_column_reserve (or the first null or copied row).
  wh_column *children;
  size_t child_count; // 0 before they are made
  // Given with a whole column, in the arena of its batch, and gone with its reset. NULL: not known.
  const wh_codes *codes;

  wh_mem *mem;     // NULL: borrowed
  size_t rows_cap; // rows that values/offsets/validity have room for
  size_t bytes_cap;
  uint32_t width;    // wh_kind_width(type.kind)
  wh_column_own own; // while borrowed
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
  wh_place *places_own; // the batch's own buffer, kept from round to round
  size_t places_cap;
  bool places_borrowed;
  wh_mem *mem;
  wh_arena arena; // scratch that lives as long as this round of the batch; reset by wh_batch_reset
  size_t bytes;   // approximate size of the rows, kept by wh_batch_row_end
} wh_batch;

// Takes buffers from the accountant when rows come; init itself may fail for the column array.
// On failure the batch is empty and may be freed.
wh_status wh_batch_init(wh_batch *batch, wh_mem *mem, const wh_schema *schema, wh_error *err);
void wh_batch_free(wh_batch *batch); // zeroed is fine
// No rows, drops borrowed views, resets the arena. Keeps its capacity, but not the room that large
// rows took (WH_BATCH_KEEP_BYTES).
void wh_batch_reset(wh_batch *batch);
// True when a producer should hand the batch on.
static inline bool wh_batch_full(const wh_batch *batch, size_t rows_max, size_t bytes_max) {
  return batch->rows >= rows_max || batch->bytes >= bytes_max;
}
wh_place wh_batch_place(const wh_batch *batch, size_t row);
// Records the place of the next row; call before or after its values, once, before
// wh_batch_row_end. Rows before the first recorded one count from first_row.
wh_status wh_batch_set_place(wh_batch *batch, wh_place place, wh_error *err);
// Room for the places of the first `rows` rows, for producers that store whole columns: all of them
// are to be filled in.
wh_status wh_batch_make_places(wh_batch *batch, size_t rows, wh_place **ret, wh_error *err);
// Ends the row being appended: checks (assert) that every column has rows + 1 values.
void wh_batch_row_end(wh_batch *batch);
// Throws away the values of the row being appended, so that a bad row leaves no trace.
void wh_batch_row_undo(wh_batch *batch);

// Room for so many more rows, and bytes of text, without another allocation; the children of a
// list or struct exist afterwards. WH_ERR_LIMIT past WH_COLUMN_VALUES_MAX or WH_BATCH_BYTES_MAX.
wh_status wh_column_reserve(wh_column *column, size_t rows, size_t bytes, wh_error *err);
// Grow at least so much, doubling: what the appends below call when they are out of room.
wh_status wh_column_grow(wh_column *column, size_t rows, size_t bytes, wh_error *err);

// Appends one value. All return WH_ERR_MEMORY or WH_ERR_LIMIT only, and then leave the column as it
// was; the type must match (asserted). Children of list and struct are appended by their own calls
// first: for a list, append items to children[0], then wh_column_add_list; for a struct, one to
// each child, then wh_column_add_struct.
wh_status wh_column_add_null(wh_column *column, wh_error *err); // nested: children of struct too
wh_status wh_column_add_bool(wh_column *column, bool value, wh_error *err);
// Any fixed int kind, date, time, timestamp; must be in range (asserted).
static inline wh_status wh_column_add_i64(wh_column *column, int64_t value, wh_error *err);
wh_status wh_column_add_u64(wh_column *column, uint64_t value, wh_error *err);
static inline wh_status wh_column_add_f64(wh_column *column, double value,
                                          wh_error *err); // float32 too: rounded
wh_status wh_column_add_decimal(wh_column *column, __int128 unscaled, wh_error *err);
static inline wh_status wh_column_add_text(wh_column *column, wh_str value,
                                           wh_error *err); // string: valid UTF-8
wh_status wh_column_add_list(wh_column *column, wh_error *err);
wh_status wh_column_add_struct(wh_column *column, wh_error *err);
// Copies row `row` of a column of an equal type.
wh_status wh_column_add_from(wh_column *column, const wh_column *from, size_t row, wh_error *err);
// Copies rows [from_row, from_row + count).
wh_status wh_column_add_range(wh_column *column, const wh_column *from, size_t from_row,
                              size_t count, wh_error *err);
// Cuts back to `length` rows, and takes away what a half-appended nested value left in children.
void wh_column_truncate(wh_column *column, size_t length);
// Approximate bytes its rows take.
size_t wh_column_size(const wh_column *column);

void wh_column_init(wh_column *column, wh_mem *mem, const wh_type *type); // allocates nothing
void wh_column_free(wh_column *column);                                   // zeroed is fine
void wh_column_reset(wh_column *column); // no rows; back to its own buffers if it borrowed
// Shows the rows of `from`, of an equal type; the column keeps its own buffers for later.
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
  // As a number: there are no bytes where all texts so far are empty, and NULL + 0 is not defined.
  return (wh_str){(const char *)((uintptr_t)c->bytes + (uintptr_t)c->offsets[i]),
                  (size_t)(c->offsets[i + 1] - c->offsets[i])};
}
static inline bool wh_column_bool(const wh_column *c, size_t i) {
  return wh_bit_get(c->values, i);
}
int64_t wh_column_i64(const wh_column *c,
                      size_t i); // int8..int64, uint8..32, date, time, timestamp
uint64_t wh_column_u64(const wh_column *c, size_t i); // uint8..64
double wh_column_f64(const wh_column *c, size_t i);   // float32, float64
__int128 wh_column_decimal(const wh_column *c, size_t i);

// Makes `out` (initialised with an equal schema) hold the rows of `in` whose bit in `keep` is set;
// places follow. When all are kept, `out` borrows.
wh_status wh_batch_filter(const wh_batch *in, const uint8_t *keep, wh_batch *out, wh_error *err);
// Makes `out` a view of `in`: same rows, columns and places borrowed, `map[i]` saying which column
// of `in` column i of out's schema shows (types must be equal).
void wh_batch_borrow(wh_batch *out, const wh_batch *in, const size_t *map);
// Takes the number of rows, their places and the size of `in`, for steps that borrow some columns
// (wh_column_borrow) and append to others themselves. `out` has been reset.
void wh_batch_borrow_rows(wh_batch *out, const wh_batch *in);

// The appends that a codec calls for every value: in place when there is room.
wh_status wh_column_add_i64_slow_(wh_column *column, int64_t value, wh_error *err);
wh_status wh_column_add_f64_slow_(wh_column *column, double value, wh_error *err);
wh_status wh_column_add_text_slow_(wh_column *column, wh_str value, wh_error *err);

static inline void wh_column_added_(wh_column *c) {
  if (c->validity) wh_bit_set(c->validity, c->length);
  c->length++;
}

static inline wh_status wh_column_add_i64(wh_column *column, int64_t value, wh_error *err) {
  if ((column->type.kind != WH_INT64 && column->type.kind != WH_TIMESTAMP) ||
      column->length >= column->rows_cap) {
    return wh_column_add_i64_slow_(column, value, err);
  }
  memcpy(column->values + column->length * sizeof value, &value, sizeof value);
  wh_column_added_(column);
  return WH_OK;
}

static inline wh_status wh_column_add_f64(wh_column *column, double value, wh_error *err) {
  if (column->type.kind != WH_FLOAT64 || column->length >= column->rows_cap) {
    return wh_column_add_f64_slow_(column, value, err);
  }
  memcpy(column->values + column->length * sizeof value, &value, sizeof value);
  wh_column_added_(column);
  return WH_OK;
}

static inline wh_status wh_column_add_text(wh_column *column, wh_str value, wh_error *err) {
  assert(wh_kind_is_text(column->type.kind));
  if (column->length >= column->rows_cap) return wh_column_add_text_slow_(column, value, err);
  size_t used = (size_t)column->offsets[column->length];
  if (value.len > column->bytes_cap - used) return wh_column_add_text_slow_(column, value, err);
  if (value.len) memcpy(column->bytes + used, value.data, value.len);
  column->offsets[column->length + 1] = (int32_t)(used + value.len);
  wh_column_added_(column);
  return WH_OK;
}
