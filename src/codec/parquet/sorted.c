#include "codec/parquet/sorted.h"

#include "data/value.h"

static const char DESCENDING[] = " desc";

static wh_status find_column(wh_str word, const pq_layout *layout, pq_sort_column *ret,
                             wh_error *err) {
  ptrdiff_t column = wh_schema_find(layout->schema, word);
  if (column < 0 && wh_str_ends(word, DESCENDING)) {
    ret->descending = true;
    column = wh_schema_find(layout->schema, wh_str_sub(word, 0, word.len - strlen(DESCENDING)));
  }
  if (column < 0)
    return wh_fail(err, WH_ERR_USAGE, "sort: there is no column '%.*s'", WH_STR_ARG(word));
  if (layout->schema->fields[column].type.field_count) {
    return wh_fail(err, WH_ERR_USAGE,
                   "sort: the column '%.*s' is a list or a struct, which have "
                   "no order",
                   WH_STR_ARG(word));
  }
  ret->column = (size_t)column;
  while (layout->leaves[ret->leaf].column != ret->column)
    ret->leaf++;
  return WH_OK;
}

wh_status pq_sorting_make(const wh_str_list *words, const pq_layout *layout, wh_arena *arena,
                          pq_sorting *ret, wh_error *err) {
  pq_sorting sorting = {.count = words->count};
  sorting.columns = WH_NEW_ARRAY(arena, words->count, pq_sort_column);
  wh_field *fields = WH_NEW_ARRAY(arena, words->count, wh_field);
  if (!sorting.columns || !fields) return wh_fail_memory(err);
  for (size_t i = 0; i < words->count; i++) {
    WH_TRY(find_column(words->items[i], layout, &sorting.columns[i], err));
    fields[i] = layout->schema->fields[sorting.columns[i].column];
  }
  sorting.schema = (wh_schema){words->count, fields};
  *ret = sorting;
  return WH_OK;
}

static int compare_cells(const wh_column *a, size_t row_a, const wh_column *b, size_t row_b,
                         bool descending) {
  bool null_a = wh_column_is_null(a, row_a), null_b = wh_column_is_null(b, row_b);
  if (null_a || null_b) return null_b - null_a;
  wh_value x, y;
  WH_IGNORE(wh_value_get(a, row_a, &x, NULL)); // fails for lists and structs alone
  WH_IGNORE(wh_value_get(b, row_b, &y, NULL));
  int order = wh_value_compare(&x, &y);
  return descending ? -order : order;
}

// Column i of the row before is before[i], of the row itself batch->columns[sorting->columns[i]].
static int compare_rows(const pq_sorting *s, const wh_batch *ends, ptrdiff_t before,
                        const wh_batch *batch, size_t row) {
  for (size_t i = 0; i < s->count; i++) {
    const wh_column *now = &batch->columns[s->columns[i].column];
    const wh_column *was = before < 0 ? &ends->columns[i] : now;
    size_t was_row = before < 0 ? ends->rows - 1 : (size_t)before;
    int order = compare_cells(was, was_row, now, row, s->columns[i].descending);
    if (order) return order;
  }
  return 0;
}

static wh_status keep_row(const pq_sorting *s, const wh_batch *batch, size_t row, wh_batch *ends,
                          wh_error *err) {
  for (size_t i = 0; i < s->count; i++)
    WH_TRY(wh_column_add_from(&ends->columns[i], &batch->columns[s->columns[i].column], row, err));
  wh_batch_row_end(ends);
  return WH_OK;
}

// The last row takes the place of the last one, but never that of the first.
static wh_status keep_last(const pq_sorting *s, const wh_batch *batch, size_t row, wh_batch *ends,
                           wh_error *err) {
  if (ends->rows == 2) {
    for (size_t i = 0; i < s->count; i++)
      wh_column_truncate(&ends->columns[i], 1);
    ends->rows = 1;
  }
  return keep_row(s, batch, row, ends, err);
}

wh_status pq_sorting_check(const pq_sorting *s, const wh_batch *batch, size_t from, size_t count,
                           uint64_t row, wh_batch *ends, wh_error *err) {
  if (s->count == 0 || count == 0) return WH_OK;
  if (ends->rows == 0) WH_TRY(keep_row(s, batch, from, ends, err));
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t before = i ? (ptrdiff_t)(from + i - 1) : -1;
    if (compare_rows(s, ends, before, batch, from + i) <= 0) continue;
    return wh_fail(err, WH_ERR_DATA,
                   "the rows are not sorted by '%.*s', as `sort` says: row %llu comes before the "
                   "one in front of it. Sort them, or leave `sort` out.",
                   WH_STR_ARG(s->schema.fields[0].name), (unsigned long long)(row + i + 1));
  }
  return keep_last(s, batch, from + count - 1, ends, err);
}

bool pq_sorting_follows(const pq_sorting *s, const wh_batch *before, const wh_batch *after) {
  if (before->rows == 0 || after->rows == 0) return true;
  for (size_t i = 0; i < s->count; i++) {
    int order = compare_cells(&before->columns[i], before->rows - 1, &after->columns[i], 0,
                              s->columns[i].descending);
    if (order) return order < 0;
  }
  return true;
}
