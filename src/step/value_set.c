#include "step/value_set.h"

#include <math.h>

typedef struct item {
  __int128 number;
  wh_str text;
  size_t index;
} item;

// 0.0 and -0.0 are one value, and so are all NaNs.
static __int128 float_bits(double value) {
  uint64_t bits;
  double plain = value == 0 ? 0.0 : isnan(value) ? (double)NAN : value;
  memcpy(&bits, &plain, sizeof bits);
  return bits;
}

__int128 wh_column_number(const wh_column *column, size_t row) {
  switch (column->type.kind) {
  case WH_BOOL:
    return wh_column_bool(column, row);
  case WH_UINT64:
    return wh_column_u64(column, row);
  case WH_FLOAT32:
  case WH_FLOAT64:
    return float_bits(wh_column_f64(column, row));
  case WH_DECIMAL:
    return wh_column_decimal(column, row);
  default:
    return wh_column_i64(column, row);
  }
}

__int128 wh_value_number(const wh_value *value) {
  switch (value->type.kind) {
  case WH_BOOL:
    return value->as.b;
  case WH_UINT8:
  case WH_UINT16:
  case WH_UINT32:
  case WH_UINT64:
    return value->as.u;
  case WH_FLOAT32:
  case WH_FLOAT64:
    return float_bits(value->as.f);
  case WH_DECIMAL:
    return value->as.d;
  default:
    return value->as.i;
  }
}

static int compare_numbers(__int128 a, __int128 b) {
  return a < b ? -1 : a > b;
}

// Length first: most comparisons end there.
static int compare_texts(wh_str a, wh_str b) {
  if (a.len != b.len) return a.len < b.len ? -1 : 1;
  return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

static int compare_items(const void *a, const void *b) {
  const item *x = a, *y = b;
  int order = compare_numbers(x->number, y->number);
  return order ? order : compare_texts(x->text, y->text);
}

static wh_status parse_item(const wh_node *node, const wh_field *field, wh_arena *arena,
                            const char *owner, item *ret, wh_error *err) {
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, owner, "a value", err));
  wh_value value;
  wh_error why = {0};
  wh_status status = wh_value_parse(node->text, &field->type, arena, &value, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) {
    return wh_node_fail(node, err, "%s: %s, and so no value of column '%.*s'", owner, why.text,
                        WH_STR_ARG(field->name));
  }
  *ret = (item){0};
  if (wh_kind_is_text(field->type.kind))
    ret->text = value.as.s;
  else
    ret->number = wh_value_number(&value);
  return WH_OK;
}

static wh_status keep_sorted(wh_value_set *set, wh_arena *arena, const item *items, wh_error *err) {
  __int128 *numbers = NULL;
  wh_str *texts = NULL;
  size_t *index = WH_NEW_ARRAY(arena, set->count, size_t);
  bool text = wh_kind_is_text(set->type.kind);
  if (text)
    texts = WH_NEW_ARRAY(arena, set->count, wh_str);
  else
    numbers = WH_NEW_ARRAY(arena, set->count, __int128);
  if (!index || !(text ? (void *)texts : (void *)numbers)) return wh_fail_memory(err);
  for (size_t i = 0; i < set->count; i++) {
    index[i] = items[i].index;
    if (text)
      texts[i] = items[i].text;
    else
      numbers[i] = items[i].number;
  }
  set->index = index;
  set->texts = texts;
  set->numbers = numbers;
  return WH_OK;
}

wh_status wh_value_set_build(wh_value_set *set, wh_arena *arena, const wh_field *field,
                             const wh_node *const *values, size_t count, const wh_node *at,
                             const char *owner, wh_error *err) {
  wh_kind kind = field->type.kind;
  if (kind == WH_LIST || kind == WH_STRUCT) {
    return wh_node_fail(at, err, "%s: column '%.*s' holds %ss, not single values", owner,
                        WH_STR_ARG(field->name), kind == WH_LIST ? "list" : "struct");
  }
  // Where there is no type, the values are still held to be texts, each there once.
  wh_field text = {.name = field->name, .type = wh_type_of(WH_STRING)};
  if (kind == WH_NULL) field = &text;
  wh_value_set built = {.type = field->type, .count = count};
  item *items = WH_NEW_ARRAY(arena, built.count, item);
  if (!items) return wh_fail_memory(err);
  for (size_t i = 0; i < built.count; i++) {
    WH_TRY(parse_item(values[i], field, arena, owner, &items[i], err));
    items[i].index = i;
  }
  if (built.count > 1) qsort(items, built.count, sizeof *items, compare_items);
  for (size_t i = 1; i < built.count; i++) {
    if (compare_items(&items[i - 1], &items[i]) != 0) continue;
    size_t a = items[i - 1].index, b = items[i].index;
    const wh_node *again = values[a > b ? a : b];
    return wh_node_fail(again, err, "%s: '%.*s' is there twice", owner, WH_STR_ARG(again->text));
  }
  built.type.kind = kind;
  if (kind == WH_NULL) built.count = 0;
  WH_TRY(keep_sorted(&built, arena, items, err));
  *set = built;
  return WH_OK;
}

static ptrdiff_t find(const wh_value_set *set, const item *wanted) {
  size_t low = 0, high = set->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = set->texts ? compare_texts(set->texts[middle], wanted->text)
                           : compare_numbers(set->numbers[middle], wanted->number);
    if (order == 0) return (ptrdiff_t)set->index[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

ptrdiff_t wh_value_set_find(const wh_value_set *set, const wh_column *column, size_t row) {
  if (set->count == 0) return -1;
  item wanted = {0};
  if (set->texts)
    wanted.text = wh_column_text(column, row);
  else
    wanted.number = wh_column_number(column, row);
  return find(set, &wanted);
}
