// Vectors into columns.
#include "connect/duckdb/types.h"

static bool is_null(const wh_duckdb_values *v, size_t row) {
  return v->validity && !(v->validity[row >> 6] >> (row & 63) & 1);
}

// --- a vector's parts ----------------------------------------------------------------------------

static wh_status init_children(duckdb_vector vector, duckdb_logical_type type, wh_arena *arena,
                               wh_duckdb_values *ret, wh_error *err) {
  ret->children = WH_NEW_ARRAY(arena, ret->child_count, wh_duckdb_values);
  if (!ret->children) return wh_fail_memory(err);
  for (size_t i = 0; i < ret->child_count; i++) {
    duckdb_logical_type child;
    duckdb_vector of;
    if (ret->id == DUCKDB_STRUCT) {
      child = wh_duckdb.duckdb_struct_type_child_type(type, i);
      of = wh_duckdb.duckdb_struct_vector_get_child(vector, i);
    } else if (ret->id == DUCKDB_LIST) {
      child = wh_duckdb.duckdb_list_type_child_type(type);
      of = wh_duckdb.duckdb_list_vector_get_child(vector);
    } else {
      child = wh_duckdb.duckdb_array_type_child_type(type);
      of = wh_duckdb.duckdb_array_vector_get_child(vector);
    }
    wh_status status = wh_duckdb_values_init(of, child, arena, &ret->children[i], err);
    wh_duckdb.duckdb_destroy_logical_type(&child);
    WH_TRY(status);
  }
  return WH_OK;
}

wh_status wh_duckdb_values_init(duckdb_vector vector, duckdb_logical_type type, wh_arena *arena,
                                wh_duckdb_values *ret, wh_error *err) {
  *ret = (wh_duckdb_values){.id = wh_duckdb.duckdb_get_type_id(type),
                            .validity = wh_duckdb.duckdb_vector_get_validity(vector)};
  if (ret->id == DUCKDB_DECIMAL) ret->width = wh_duckdb.duckdb_decimal_width(type);
  if (ret->id == DUCKDB_ARRAY) ret->items = wh_duckdb.duckdb_array_type_array_size(type);
  if (ret->id == DUCKDB_STRUCT) ret->child_count = wh_duckdb.duckdb_struct_type_child_count(type);
  if (ret->id == DUCKDB_LIST || ret->id == DUCKDB_ARRAY) ret->child_count = 1;
  if (ret->id != DUCKDB_STRUCT && ret->id != DUCKDB_ARRAY)
    ret->data = wh_duckdb.duckdb_vector_get_data(vector);
  return ret->child_count ? init_children(vector, type, arena, ret, err) : WH_OK;
}

// --- values --------------------------------------------------------------------------------------

static wh_status take_text(const wh_duckdb_values *v, size_t row, wh_column *column,
                           wh_error *err) {
  const duckdb_string_t *s = (const duckdb_string_t *)v->data + row;
  const char *data = s->length > DUCKDB_STRING_INLINED ? s->data : s->begin;
  return wh_column_add_text(column, wh_str_n(data, s->length), err);
}

static wh_status take_decimal(const wh_duckdb_values *v, size_t row, wh_column *column,
                              wh_error *err) {
  __int128 value;
  if (v->width <= 4)
    value = ((const int16_t *)v->data)[row];
  else if (v->width <= 9)
    value = ((const int32_t *)v->data)[row];
  else if (v->width <= 18)
    value = ((const int64_t *)v->data)[row];
  else
    memcpy(&value, (const char *)v->data + row * sizeof value, sizeof value);
  return wh_column_add_decimal(column, value, err);
}

static wh_status take_huge(const wh_duckdb_values *v, size_t row, wh_column *column,
                           wh_error *err) {
  unsigned __int128 most = 1; // of 38 digits
  for (int i = 0; i < WH_DECIMAL_DIGITS_MAX; i++)
    most *= 10;
  __int128 value;
  memcpy(&value, (const char *)v->data + row * sizeof value, sizeof value);
  bool is_negative = v->id == DUCKDB_HUGEINT && value < 0;
  unsigned __int128 size = is_negative ? -(unsigned __int128)value : (unsigned __int128)value;
  if (size >= most) return wh_fail(err, WH_ERR_TYPE, "has a number of more than 38 digits");
  return wh_column_add_decimal(column, value, err);
}

// Infinity is the largest value and its negative (DuckDB, "Date Types", "Timestamp Types").
static wh_status take_date(int32_t value, wh_column *column, wh_error *err) {
  if (value == INT32_MAX || value == -INT32_MAX)
    return wh_fail(err, WH_ERR_TYPE, "is infinity, which is no date");
  return wh_column_add_i64(column, value, err);
}

static wh_status take_timestamp(int64_t value, wh_column *column, wh_error *err) {
  if (value == INT64_MAX || value == -INT64_MAX)
    return wh_fail(err, WH_ERR_TYPE, "is infinity, which is no time");
  return wh_column_add_i64(column, value, err);
}

static wh_status take_items(const wh_duckdb_values *v, size_t row, wh_column *column,
                            wh_error *err) {
  duckdb_list_entry entry = {row * v->items, v->items};
  if (v->id == DUCKDB_LIST) entry = ((const duckdb_list_entry *)v->data)[row];
  WH_TRY(wh_column_reserve(column, 1, 0, err)); // so that the children are there
  for (uint64_t i = 0; i < entry.length; i++)
    WH_TRY(wh_duckdb_take(&v->children[0], entry.offset + i, &column->children[0], err));
  return wh_column_add_list(column, err);
}

static wh_status take_struct(const wh_duckdb_values *v, size_t row, wh_column *column,
                             wh_error *err) {
  WH_TRY(wh_column_reserve(column, 1, 0, err));
  for (size_t i = 0; i < v->child_count; i++)
    WH_TRY(wh_duckdb_take(&v->children[i], row, &column->children[i], err));
  return wh_column_add_struct(column, err);
}

wh_status wh_duckdb_take(const wh_duckdb_values *v, size_t row, wh_column *column, wh_error *err) {
  if (is_null(v, row) || v->id == DUCKDB_SQLNULL) return wh_column_add_null(column, err);
#define AT(type) (((const type *)v->data)[row])
  switch (v->id) {
  case DUCKDB_BOOLEAN:
    return wh_column_add_bool(column, AT(bool), err);
  case DUCKDB_TINYINT:
    return wh_column_add_i64(column, AT(int8_t), err);
  case DUCKDB_SMALLINT:
    return wh_column_add_i64(column, AT(int16_t), err);
  case DUCKDB_INTEGER:
    return wh_column_add_i64(column, AT(int32_t), err);
  case DUCKDB_UTINYINT:
    return wh_column_add_u64(column, AT(uint8_t), err);
  case DUCKDB_USMALLINT:
    return wh_column_add_u64(column, AT(uint16_t), err);
  case DUCKDB_UINTEGER:
    return wh_column_add_u64(column, AT(uint32_t), err);
  case DUCKDB_UBIGINT:
    return wh_column_add_u64(column, AT(uint64_t), err);
  case DUCKDB_BIGINT:
  case DUCKDB_TIME:
  case DUCKDB_TIME_NS:
    return wh_column_add_i64(column, AT(int64_t), err);
  case DUCKDB_TIMESTAMP:
  case DUCKDB_TIMESTAMP_S:
  case DUCKDB_TIMESTAMP_MS:
  case DUCKDB_TIMESTAMP_NS:
  case DUCKDB_TIMESTAMP_TZ:
    return take_timestamp(AT(int64_t), column, err);
  case DUCKDB_DATE:
    return take_date(AT(int32_t), column, err);
  case DUCKDB_FLOAT:
    return wh_column_add_f64(column, (double)AT(float), err);
  case DUCKDB_DOUBLE:
    return wh_column_add_f64(column, AT(double), err);
#undef AT
  case DUCKDB_VARCHAR:
  case DUCKDB_BLOB:
    return take_text(v, row, column, err);
  case DUCKDB_DECIMAL:
    return take_decimal(v, row, column, err);
  case DUCKDB_HUGEINT:
  case DUCKDB_UHUGEINT:
    return take_huge(v, row, column, err);
  case DUCKDB_LIST:
  case DUCKDB_ARRAY:
    return take_items(v, row, column, err);
  case DUCKDB_STRUCT:
    return take_struct(v, row, column, err);
  default:
    return wh_fail(err, WH_ERR_BUG, "is of a type that was refused");
  }
}
