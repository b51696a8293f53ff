// Columns into vectors.
#include "connect/duckdb/types.h"

#include "data/temporal.h"

static void set_null(uint64_t *validity, size_t i) {
  validity[i >> 6] &= ~(1ull << (i & 63));
}

static void fill_nulls(const wh_column *c, size_t row, size_t count, duckdb_vector v, size_t at) {
  bool all = c->type.kind == WH_NULL;
  if (!all && (!c->validity || c->null_count == 0)) return;
  wh_duckdb.duckdb_vector_ensure_validity_writable(v);
  uint64_t *validity = wh_duckdb.duckdb_vector_get_validity(v);
  for (size_t i = 0; i < count; i++)
    if (all || !wh_bit_get(c->validity, row + i)) set_null(validity, at + i);
}

static void fill_bools(const wh_column *c, size_t row, size_t count, bool *to) {
  for (size_t i = 0; i < count; i++)
    to[i] = wh_bit_get(c->values, row + i);
}

// A decimal takes as many bytes as its digits need: 4 digits 2, 9 digits 4, 18 digits 8, else 16.
static void fill_decimals(const wh_column *c, size_t row, size_t count, void *data, size_t at) {
  uint8_t digits = c->type.precision;
  for (size_t i = 0; i < count; i++) {
    __int128 value = wh_column_decimal(c, row + i);
    if (digits <= 4)
      ((int16_t *)data)[at + i] = (int16_t)value;
    else if (digits <= 9)
      ((int32_t *)data)[at + i] = (int32_t)value;
    else if (digits <= 18)
      ((int64_t *)data)[at + i] = (int64_t)value;
    else
      memcpy((char *)data + (at + i) * sizeof value, &value, sizeof value);
  }
}

static wh_status fill_texts(const wh_column *c, size_t row, size_t count, duckdb_vector v,
                            size_t at) {
  for (size_t i = 0; i < count; i++) {
    if (wh_column_is_null(c, row + i)) continue;
    wh_str text = wh_column_text(c, row + i);
    wh_duckdb.duckdb_vector_assign_string_element_len(v, at + i, text.len ? text.data : "",
                                                      text.len);
  }
  return WH_OK;
}

// Times in microseconds, whose units here may be others.
static wh_status fill_in_us(const wh_column *c, size_t row, size_t count, int64_t *to,
                            wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    to[i] = 0;
    if (wh_column_is_null(c, row + i)) continue;
    if (!wh_unit_convert(wh_column_i64(c, row + i), c->type.unit, WH_UNIT_US, &to[i]))
      return wh_fail(err, WH_ERR_TYPE,
                     "has a time that microseconds cannot tell, which is what DuckDB counts in");
  }
  return WH_OK;
}

static wh_status fill_lists(const wh_column *c, size_t row, size_t count, duckdb_vector v,
                            size_t at, wh_error *err) {
  if (!c->offsets) return WH_OK; // no rows
  duckdb_list_entry *entries = wh_duckdb.duckdb_vector_get_data(v);
  size_t first = (size_t)c->offsets[row], items = (size_t)c->offsets[row + count] - first;
  size_t base = at ? (size_t)(entries[at - 1].offset + entries[at - 1].length) : 0;
  if (wh_duckdb.duckdb_list_vector_reserve(v, base + items) != DUCKDB_SUCCESS ||
      wh_duckdb.duckdb_list_vector_set_size(v, base + items) != DUCKDB_SUCCESS)
    return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    size_t from = (size_t)c->offsets[row + i], to = (size_t)c->offsets[row + i + 1];
    entries[at + i] = (duckdb_list_entry){base + from - first, to - from};
  }
  return wh_duckdb_fill(&c->children[0], first, items, wh_duckdb.duckdb_list_vector_get_child(v),
                        base, err);
}

static wh_status fill_structs(const wh_column *c, size_t row, size_t count, duckdb_vector v,
                              size_t at, wh_error *err) {
  for (size_t i = 0; i < c->type.field_count; i++)
    WH_TRY(wh_duckdb_fill(&c->children[i], row, count,
                          wh_duckdb.duckdb_struct_vector_get_child(v, i), at, err));
  return WH_OK;
}

static bool is_in_us(const wh_type *type) {
  return (type->kind == WH_TIME && type->unit != WH_UNIT_NS) ||
         (type->kind == WH_TIMESTAMP && type->zoned);
}

wh_status wh_duckdb_fill(const wh_column *c, size_t row, size_t count, duckdb_vector v, size_t at,
                         wh_error *err) {
  if (count == 0) return WH_OK;
  fill_nulls(c, row, count, v, at);
  const wh_type *type = &c->type;
  if (type->kind == WH_NULL) return WH_OK;
  if (wh_kind_is_text(type->kind)) return fill_texts(c, row, count, v, at);
  if (type->kind == WH_LIST) return fill_lists(c, row, count, v, at, err);
  if (type->kind == WH_STRUCT) return fill_structs(c, row, count, v, at, err);
  void *data = wh_duckdb.duckdb_vector_get_data(v);
  if (type->kind == WH_BOOL)
    fill_bools(c, row, count, (bool *)data + at);
  else if (type->kind == WH_DECIMAL)
    fill_decimals(c, row, count, data, at);
  else if (is_in_us(type) && type->unit != WH_UNIT_US)
    return fill_in_us(c, row, count, (int64_t *)data + at, err);
  else
    memcpy((char *)data + at * c->width, c->values + row * c->width, count * c->width);
  return WH_OK;
}
