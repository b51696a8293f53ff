#include "data/batch.h"

enum {
  ROWS_FIRST = 64, // a multiple of 64, and doubled: bitmaps end on whole words
  BYTES_FIRST = 256,
};

static bool has_offsets(wh_kind kind) {
  return wh_kind_is_text(kind) || kind == WH_LIST;
}

// Bytes of the values buffer for so many rows.
static size_t values_size(const wh_column *c, size_t rows) {
  return c->type.kind == WH_BOOL ? rows / 8 : rows * c->width;
}

// Text: bytes used. List: items closed.
static size_t used_until(const wh_column *c, size_t length) {
  return c->offsets ? (size_t)c->offsets[length] : 0;
}

void wh_column_init(wh_column *column, wh_mem *mem, const wh_type *type) {
  *column = (wh_column){.type = *type, .mem = mem, .width = (uint32_t)wh_kind_width(type->kind)};
}

static void stop_borrowing(wh_column *c) {
  if (c->mem || !c->own.mem) return;
  wh_column_own own = c->own;
  wh_column_init(c, own.mem, &c->type);
  c->validity = own.validity;
  c->values = own.values;
  c->offsets = own.offsets;
  c->bytes = own.bytes;
  c->children = own.children;
  c->child_count = own.children ? c->type.field_count : 0;
  c->rows_cap = own.rows_cap;
  c->bytes_cap = own.bytes_cap;
}

void wh_column_free(wh_column *column) {
  if (!column) return;
  stop_borrowing(column);
  if (column->mem) {
    wh_mem *mem = column->mem;
    for (size_t i = 0; i < column->child_count; i++)
      wh_column_free(&column->children[i]);
    wh_mem_free(mem, column->children, column->child_count * sizeof *column->children);
    wh_mem_free(mem, column->validity, column->rows_cap / 8);
    wh_mem_free(mem, column->values, values_size(column, column->rows_cap));
    wh_mem_free(mem, column->offsets, (column->rows_cap + 1) * sizeof *column->offsets);
    wh_mem_free(mem, column->bytes, column->bytes_cap);
  }
  *column = (wh_column){0};
}

void wh_column_reset(wh_column *column) {
  stop_borrowing(column);
  column->length = column->null_count = 0;
  column->codes = NULL;
  // The bitmap is given back, so that columns without nulls are told apart at a glance again.
  if (column->mem && column->validity) {
    wh_mem_free(column->mem, column->validity, column->rows_cap / 8);
    column->validity = NULL;
  }
  if (column->mem && column->bytes_cap > WH_BATCH_KEEP_BYTES) {
    wh_mem_free(column->mem, column->bytes, column->bytes_cap);
    column->bytes = NULL;
    column->bytes_cap = 0;
  }
  for (size_t i = 0; i < column->child_count; i++)
    wh_column_reset(&column->children[i]);
}

void wh_column_borrow(wh_column *column, const wh_column *from) {
  assert(wh_type_eq(&column->type, &from->type));
  wh_column_own own = column->own;
  if (column->mem) {
    own = (wh_column_own){.mem = column->mem,
                          .validity = column->validity,
                          .values = column->values,
                          .offsets = column->offsets,
                          .bytes = column->bytes,
                          .children = column->children,
                          .rows_cap = column->rows_cap,
                          .bytes_cap = column->bytes_cap};
  }
  wh_type type = column->type;
  *column = *from;
  column->type = type;
  column->mem = NULL;
  column->rows_cap = column->bytes_cap = 0;
  column->own = own;
}

static wh_status make_children(wh_column *c, wh_error *err) {
  size_t count = c->type.field_count;
  if (c->children || count == 0) return WH_OK;
  wh_column *children = wh_mem_alloc_zero(c->mem, count * sizeof *children);
  if (!children) return wh_fail_memory(err);
  c->children = children;
  c->child_count = count;
  for (size_t i = 0; i < count; i++) {
    wh_column_init(&children[i], c->mem, &c->type.fields[i].type);
    WH_TRY(make_children(&children[i], err));
  }
  return WH_OK;
}

// Either all buffers of rows grow, or none.
static wh_status grow_rows(wh_column *c, size_t cap, wh_error *err) {
  uint8_t *validity = NULL;
  if (c->validity) {
    validity = wh_mem_alloc(c->mem, cap / 8);
    if (!validity) return wh_fail_memory(err);
    memcpy(validity, c->validity, c->rows_cap / 8);
  }
  if (has_offsets(c->type.kind)) {
    size_t old_size = c->offsets ? (c->rows_cap + 1) * sizeof *c->offsets : 0;
    int32_t *offsets = wh_mem_realloc(c->mem, c->offsets, old_size, (cap + 1) * sizeof *c->offsets);
    if (!offsets) goto refused;
    if (!c->offsets) offsets[0] = 0;
    c->offsets = offsets;
  } else if (c->width || c->type.kind == WH_BOOL) {
    uint8_t *values =
        wh_mem_realloc(c->mem, c->values, values_size(c, c->rows_cap), values_size(c, cap));
    if (!values) goto refused;
    c->values = values;
  }
  if (validity) {
    wh_mem_free(c->mem, c->validity, c->rows_cap / 8);
    c->validity = validity;
  }
  c->rows_cap = cap;
  return WH_OK;
refused:
  wh_mem_free(c->mem, validity, cap / 8);
  return wh_fail_memory(err);
}

static wh_status grow_bytes(wh_column *c, size_t cap, wh_error *err) {
  uint8_t *bytes = wh_mem_realloc(c->mem, c->bytes, c->bytes_cap, cap);
  if (!bytes) return wh_fail_memory(err);
  c->bytes = bytes;
  c->bytes_cap = cap;
  return WH_OK;
}

// The capacity that holds `need`: at least twice what was, so that appends stay cheap.
static size_t next_cap(size_t cap, size_t need, size_t first, size_t max) {
  size_t next = cap * 2 > first ? cap * 2 : first;
  if (next < need) next = (need + first - 1) / first * first;
  return next > max ? max : next;
}

// Text and binary: room for so many more bytes.
static wh_status need_bytes(wh_column *c, size_t rows, size_t bytes, wh_error *err) {
  size_t used = used_until(c, c->length);
  if (bytes > WH_BATCH_BYTES_MAX - used) {
    return wh_fail(err, WH_ERR_LIMIT, "more than %d bytes of text in one column of a batch",
                   WH_BATCH_BYTES_MAX);
  }
  // With the first row even without bytes, so that empty texts are views of something.
  if (used + bytes <= c->bytes_cap && (c->bytes || rows == 0)) return WH_OK;
  return grow_bytes(c, next_cap(c->bytes_cap, used + bytes, BYTES_FIRST, WH_BATCH_BYTES_MAX), err);
}

wh_status wh_column_grow(wh_column *column, size_t rows, size_t bytes, wh_error *err) {
  assert(column->mem); // a borrowed column is read-only
  WH_TRY(make_children(column, err));
  if (rows > WH_COLUMN_VALUES_MAX - column->length) {
    return wh_fail(err, WH_ERR_LIMIT, "more than %d values in one column of a batch",
                   WH_COLUMN_VALUES_MAX);
  }
  if (wh_kind_is_text(column->type.kind)) WH_TRY(need_bytes(column, rows, bytes, err));
  size_t need = column->length + rows;
  if (need <= column->rows_cap) return WH_OK;
  return grow_rows(column, next_cap(column->rows_cap, need, ROWS_FIRST, WH_COLUMN_VALUES_MAX), err);
}

wh_status wh_column_reserve(wh_column *column, size_t rows, size_t bytes, wh_error *err) {
  WH_TRY(wh_column_grow(column, rows, bytes, err));
  if (column->type.kind != WH_STRUCT) return WH_OK;
  for (size_t i = 0; i < column->child_count; i++)
    WH_TRY(wh_column_reserve(&column->children[i], rows, 0, err));
  return WH_OK;
}

static inline wh_status room(wh_column *c, wh_error *err) {
  if (__builtin_expect(c->length < c->rows_cap, 1)) return WH_OK;
  return wh_column_grow(c, 1, 0, err);
}

// The bitmap comes with the first null: everything before it has a value.
static wh_status need_validity(wh_column *c, wh_error *err) {
  if (c->validity) return WH_OK;
  c->validity = wh_mem_alloc(c->mem, c->rows_cap / 8);
  if (!c->validity) return wh_fail_memory(err);
  memset(c->validity, 0xFF, c->rows_cap / 8);
  return WH_OK;
}

static void write_zero(wh_column *c) {
  if (c->offsets)
    c->offsets[c->length + 1] = c->offsets[c->length];
  else if (c->type.kind == WH_BOOL)
    wh_bit_clear(c->values, c->length);
  else if (c->width)
    memset(c->values + c->length * c->width, 0, c->width);
}

wh_status wh_column_add_null(wh_column *column, wh_error *err) {
  WH_TRY(room(column, err));
  if (column->type.kind == WH_NULL) {
    column->length++;
    column->null_count++;
    return WH_OK;
  }
  WH_TRY(need_validity(column, err));
  if (column->type.kind == WH_STRUCT) {
    for (size_t i = 0; i < column->child_count; i++) {
      wh_status status = wh_column_add_null(&column->children[i], err);
      if (status == WH_OK) continue;
      wh_column_truncate(column, column->length);
      return status;
    }
  }
  write_zero(column);
  wh_bit_clear(column->validity, column->length);
  column->length++;
  column->null_count++;
  return WH_OK;
}

wh_status wh_column_add_bool(wh_column *column, bool value, wh_error *err) {
  assert(column->type.kind == WH_BOOL);
  WH_TRY(room(column, err));
  if (value)
    wh_bit_set(column->values, column->length);
  else
    wh_bit_clear(column->values, column->length);
  wh_column_added_(column);
  return WH_OK;
}

// Little-endian (as every platform Arrow's buffers are shared on): the low bytes of the word.
static void put(wh_column *c, const void *value) {
  memcpy(c->values + c->length * c->width, value, c->width);
  wh_column_added_(c);
}

static bool i64_in_range(wh_kind kind, int64_t v) {
  switch (kind) {
  case WH_INT8:
    return v == (int8_t)v;
  case WH_INT16:
    return v == (int16_t)v;
  case WH_INT32:
  case WH_DATE:
    return v == (int32_t)v;
  case WH_INT64:
  case WH_TIME:
  case WH_TIMESTAMP:
    return true;
  case WH_UINT8:
    return v == (uint8_t)v;
  case WH_UINT16:
    return v == (uint16_t)v;
  case WH_UINT32:
    return v == (uint32_t)v;
  case WH_UINT64:
    return v >= 0;
  default:
    return false;
  }
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "batches are little-endian");

wh_status wh_column_add_i64_slow_(wh_column *column, int64_t value, wh_error *err) {
  assert(i64_in_range(column->type.kind, value));
  WH_TRY(room(column, err));
  put(column, &value);
  return WH_OK;
}

wh_status wh_column_add_u64(wh_column *column, uint64_t value, wh_error *err) {
  assert(column->type.kind == WH_UINT64 ||
         (value <= INT64_MAX && i64_in_range(column->type.kind, (int64_t)value)));
  WH_TRY(room(column, err));
  put(column, &value);
  return WH_OK;
}

wh_status wh_column_add_f64_slow_(wh_column *column, double value, wh_error *err) {
  assert(column->type.kind == WH_FLOAT64 || column->type.kind == WH_FLOAT32);
  WH_TRY(room(column, err));
  float narrow = (float)value;
  put(column, column->type.kind == WH_FLOAT32 ? (void *)&narrow : (void *)&value);
  return WH_OK;
}

wh_status wh_column_add_decimal(wh_column *column, __int128 unscaled, wh_error *err) {
  assert(column->type.kind == WH_DECIMAL);
  WH_TRY(room(column, err));
  put(column, &unscaled);
  return WH_OK;
}

wh_status wh_column_add_text_slow_(wh_column *column, wh_str value, wh_error *err) {
  WH_TRY(wh_column_grow(column, 1, value.len, err));
  size_t used = used_until(column, column->length);
  if (value.len) memcpy(column->bytes + used, value.data, value.len);
  column->offsets[column->length + 1] = (int32_t)(used + value.len);
  wh_column_added_(column);
  return WH_OK;
}

wh_status wh_column_add_list(wh_column *column, wh_error *err) {
  assert(column->type.kind == WH_LIST);
  WH_TRY(room(column, err));
  column->offsets[column->length + 1] = (int32_t)column->children[0].length;
  wh_column_added_(column);
  return WH_OK;
}

wh_status wh_column_add_struct(wh_column *column, wh_error *err) {
  assert(column->type.kind == WH_STRUCT);
  WH_TRY(room(column, err));
  for (size_t i = 0; i < column->child_count; i++)
    assert(column->children[i].length == column->length + 1);
  wh_column_added_(column);
  return WH_OK;
}

// Copies `count` bits; whole bytes where both sides stand on one.
static void copy_bits(uint8_t *to, size_t to_bit, const uint8_t *from, size_t from_bit,
                      size_t count) {
  size_t i = 0;
  if (to_bit % 8 == 0 && from_bit % 8 == 0) {
    memcpy(to + to_bit / 8, from + from_bit / 8, count / 8);
    i = count / 8 * 8;
  }
  for (; i < count; i++) {
    if (wh_bit_get(from, from_bit + i))
      wh_bit_set(to, to_bit + i);
    else
      wh_bit_clear(to, to_bit + i);
  }
}

static size_t count_nulls(const wh_column *c, size_t from, size_t to) {
  if (c->type.kind == WH_NULL) return to - from;
  if (!c->validity || c->null_count == 0) return 0;
  size_t nulls = 0;
  for (size_t i = from; i < to; i++) {
    if (i % 8 == 0 && to - i >= 8) { // a byte at a time
      nulls += 8 - (size_t)__builtin_popcount(c->validity[i / 8]);
      i += 7;
    } else {
      nulls += !wh_bit_get(c->validity, i);
    }
  }
  return nulls;
}

// The values themselves; validity and length are the caller's.
static wh_status copy_values(wh_column *c, const wh_column *from, size_t from_row, size_t count,
                             wh_error *err) {
  size_t at = c->length;
  if (c->type.kind == WH_STRUCT) {
    for (size_t i = 0; i < c->child_count; i++)
      WH_TRY(wh_column_add_range(&c->children[i], &from->children[i], from_row, count, err));
  } else if (has_offsets(c->type.kind)) {
    size_t first = (size_t)from->offsets[from_row];
    size_t taken = (size_t)from->offsets[from_row + count] - first;
    size_t used = used_until(c, at);
    if (c->type.kind == WH_LIST)
      WH_TRY(wh_column_add_range(&c->children[0], &from->children[0], first, taken, err));
    else if (taken)
      memcpy(c->bytes + used, from->bytes + first, taken);
    for (size_t i = 1; i <= count; i++)
      c->offsets[at + i] = (int32_t)((size_t)from->offsets[from_row + i] - first + used);
  } else if (c->type.kind == WH_BOOL) {
    copy_bits(c->values, at, from->values, from_row, count);
  } else if (c->width) {
    memcpy(c->values + at * c->width, from->values + from_row * c->width, count * c->width);
  }
  return WH_OK;
}

wh_status wh_column_add_range(wh_column *column, const wh_column *from, size_t from_row,
                              size_t count, wh_error *err) {
  assert(column->type.kind == from->type.kind && column->width == from->width);
  assert(from_row + count <= from->length);
  size_t bytes = 0;
  if (count && wh_kind_is_text(from->type.kind))
    bytes = (size_t)(from->offsets[from_row + count] - from->offsets[from_row]);
  WH_TRY(wh_column_grow(column, count, bytes, err));
  if (count == 0) return WH_OK;
  size_t nulls = count_nulls(from, from_row, from_row + count);
  if (nulls && column->type.kind != WH_NULL) WH_TRY(need_validity(column, err));
  wh_status status = copy_values(column, from, from_row, count, err);
  if (status != WH_OK) {
    wh_column_truncate(column, column->length); // what children took in
    return status;
  }
  if (column->validity) {
    if (nulls)
      copy_bits(column->validity, column->length, from->validity, from_row, count);
    else
      for (size_t i = 0; i < count; i++)
        wh_bit_set(column->validity, column->length + i);
  }
  column->length += count;
  column->null_count += nulls;
  return WH_OK;
}

wh_status wh_column_add_from(wh_column *column, const wh_column *from, size_t row, wh_error *err) {
  return wh_column_add_range(column, from, row, 1, err);
}

void wh_column_truncate(wh_column *column, size_t length) {
  assert(column->mem); // a borrowed column is read-only
  if (length < column->length) {
    column->null_count -= count_nulls(column, length, column->length);
    column->length = length;
  }
  if (column->type.kind == WH_LIST && column->child_count)
    wh_column_truncate(&column->children[0], used_until(column, column->length));
  if (column->type.kind == WH_STRUCT) {
    for (size_t i = 0; i < column->child_count; i++)
      wh_column_truncate(&column->children[i], column->length);
  }
}

size_t wh_column_size(const wh_column *column) {
  size_t size = column->length * column->width;
  if (has_offsets(column->type.kind)) size += column->length * sizeof *column->offsets;
  if (wh_kind_is_text(column->type.kind)) size += used_until(column, column->length);
  for (size_t i = 0; i < column->child_count; i++)
    size += wh_column_size(&column->children[i]);
  return size;
}

int64_t wh_column_i64(const wh_column *c, size_t i) {
  const void *at = c->values + i * c->width;
  switch (c->type.kind) {
  case WH_INT8:
    return *(const int8_t *)at;
  case WH_INT16:
    return *(const int16_t *)at;
  case WH_INT32:
  case WH_DATE:
    return *(const int32_t *)at;
  case WH_UINT8:
    return *(const uint8_t *)at;
  case WH_UINT16:
    return *(const uint16_t *)at;
  case WH_UINT32:
    return *(const uint32_t *)at;
  default:
    assert(c->type.kind == WH_INT64 || c->type.kind == WH_TIME || c->type.kind == WH_TIMESTAMP);
    return *(const int64_t *)at;
  }
}

uint64_t wh_column_u64(const wh_column *c, size_t i) {
  if (c->type.kind == WH_UINT64) return ((const uint64_t *)c->values)[i];
  assert(c->type.kind == WH_UINT8 || c->type.kind == WH_UINT16 || c->type.kind == WH_UINT32);
  return (uint64_t)wh_column_i64(c, i);
}

double wh_column_f64(const wh_column *c, size_t i) {
  if (c->type.kind == WH_FLOAT32) return (double)((const float *)c->values)[i];
  assert(c->type.kind == WH_FLOAT64);
  return ((const double *)c->values)[i];
}

__int128 wh_column_decimal(const wh_column *c, size_t i) {
  assert(c->type.kind == WH_DECIMAL);
  __int128 value;
  memcpy(&value, c->values + i * sizeof value, sizeof value);
  return value;
}
