#include "random_batch.h"

#include "data/number.h"
#include "data/temporal.h"
#include "data/value.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MAX = 4, FIELDS_MAX = 4, TEXT_MAX = 24 };

wh_type test_random_scalar(void) {
  wh_type type = wh_type_of((wh_kind)(WH_BOOL + test_random_below(WH_BINARY)));
  if (type.kind == WH_TIME || type.kind == WH_TIMESTAMP) type.unit = (wh_unit)test_random_below(4);
  if (type.kind == WH_TIMESTAMP) type.zoned = test_random() & 1;
  if (type.kind == WH_DECIMAL) {
    type.precision = (uint8_t)(1 + test_random_below(WH_DECIMAL_DIGITS_MAX));
    type.scale = (uint8_t)test_random_below((uint64_t)type.precision + 1);
  }
  return type;
}

static wh_field *random_fields(wh_arena *arena, size_t count, int depth) {
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!fields) abort();
  for (size_t i = 0; i < count; i++) {
    fields[i] = (wh_field){.name = wh_arena_printf(arena, "c%zu", i),
                           .type = test_random_type(arena, depth),
                           .nullable = true,
                           .privacy = WH_INTERNAL};
  }
  return fields;
}

wh_type test_random_type(wh_arena *arena, int depth) {
  uint64_t pick = depth > 0 ? test_random_below(6) : 5;
  if (pick > 1)
    return pick == 2 && test_random_below(4) == 0 ? wh_type_of(WH_NULL) : test_random_scalar();
  wh_type type = wh_type_of(pick ? WH_LIST : WH_STRUCT);
  type.field_count = pick ? 1 : (uint32_t)test_random_below(FIELDS_MAX);
  type.fields = random_fields(arena, type.field_count, depth - 1);
  return type;
}

wh_schema test_random_schema(wh_arena *arena, size_t columns, int depth) {
  return (wh_schema){columns, random_fields(arena, columns, depth)};
}

static wh_status random_text(wh_column *column, wh_error *err) {
  char text[TEXT_MAX];
  size_t len = test_random_below(TEXT_MAX);
  for (size_t i = 0; i < len; i++)
    text[i] = (char)(column->type.kind == WH_STRING ? ' ' + test_random_below(95) : test_random());
  return wh_column_add_text(column, wh_str_n(text, len), err);
}

static wh_status random_decimal(wh_column *column, wh_error *err) {
  __int128 value = 0;
  for (uint64_t n = test_random_below((uint64_t)column->type.precision + 1); n; n--)
    value = value * 10 + (int)test_random_below(10);
  return wh_column_add_decimal(column, test_random() & 1 ? -value : value, err);
}

static wh_status random_list(wh_column *column, unsigned nulls, wh_error *err) {
  for (uint64_t n = test_random_below(ITEMS_MAX); n; n--)
    WH_TRY(test_random_value(&column->children[0], nulls, err));
  return wh_column_add_list(column, err);
}

static wh_status random_struct(wh_column *column, unsigned nulls, wh_error *err) {
  for (size_t i = 0; i < column->child_count; i++)
    WH_TRY(test_random_value(&column->children[i], nulls, err));
  return wh_column_add_struct(column, err);
}

static wh_status random_number(wh_column *column, wh_error *err) {
  wh_kind kind = column->type.kind;
  int unused = 64 - 8 * (int)wh_kind_width(kind);
  if (kind == WH_FLOAT32)
    return wh_column_add_f64(column, (double)(int32_t)test_random() / 64, err);
  if (kind == WH_FLOAT64)
    return wh_column_add_f64(column, (double)(int64_t)test_random() / 1024, err);
  if (kind >= WH_UINT8 && kind <= WH_UINT64)
    return wh_column_add_u64(column, test_random() >> unused, err);
  if (kind == WH_TIME) {
    int64_t day = 86400 * wh_unit_per_second(column->type.unit);
    return wh_column_add_i64(column, (int64_t)test_random_below((uint64_t)day), err);
  }
  // Years that four digits hold, as nearly all have.
  if (kind == WH_DATE) return wh_column_add_i64(column, (int64_t)test_random_below(2900000), err);
  if (kind == WH_TIMESTAMP) {
    int64_t seconds = (int64_t)test_random_below(9000000000) - 3000000000;
    int64_t unit = wh_unit_per_second(column->type.unit);
    return wh_column_add_i64(column, seconds * unit + (int64_t)test_random_below((uint64_t)unit),
                             err);
  }
  return wh_column_add_i64(column, (int64_t)test_random() >> unused, err);
}

wh_status test_random_value(wh_column *column, unsigned nulls, wh_error *err) {
  wh_kind kind = column->type.kind;
  if (kind == WH_NULL || (nulls && test_random_below(nulls) == 0))
    return wh_column_add_null(column, err);
  if (kind == WH_BOOL) return wh_column_add_bool(column, test_random() & 1, err);
  if (kind == WH_DECIMAL) return random_decimal(column, err);
  if (kind == WH_LIST) return random_list(column, nulls, err);
  if (kind == WH_STRUCT) return random_struct(column, nulls, err);
  return wh_kind_is_text(kind) ? random_text(column, err) : random_number(column, err);
}

wh_status test_random_row(wh_batch *batch, unsigned nulls, wh_error *err) {
  for (size_t i = 0; i < batch->schema->count; i++)
    WH_TRY(test_random_value(&batch->columns[i], nulls, err));
  wh_batch_row_end(batch);
  return WH_OK;
}

bool test_cells_equal(const wh_column *a, size_t row_a, const wh_column *b, size_t row_b) {
  wh_mem mem; // its own: the test's may be failing on purpose
  wh_mem_init(&mem, 0);
  WH_CLEAN_BUF wh_buf text_a = {.mem = &mem};
  WH_CLEAN_BUF wh_buf text_b = {.mem = &mem};
  bool ok = wh_column_write_json(a, row_a, &text_a) && wh_column_write_json(b, row_b, &text_b);
  bool same = ok && wh_str_eq(wh_buf_str(&text_a), wh_buf_str(&text_b));
  return same;
}
