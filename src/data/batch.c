#include "data/batch.h"

enum { PLACES_FIRST = 256 };

wh_status wh_batch_init(wh_batch *batch, wh_mem *mem, const wh_schema *schema, wh_error *err) {
  *batch = (wh_batch){.schema = schema, .first_row = 1, .mem = mem};
  wh_arena_init(&batch->arena, mem);
  batch->columns = wh_mem_alloc_zero(mem, schema->count * sizeof *batch->columns);
  if (!batch->columns) {
    wh_batch_free(batch);
    return wh_fail_memory(err);
  }
  for (size_t i = 0; i < schema->count; i++)
    wh_column_init(&batch->columns[i], mem, &schema->fields[i].type);
  // Children now, so that producers may append to them first.
  for (size_t i = 0; i < schema->count; i++) {
    wh_status status = wh_column_reserve(&batch->columns[i], 0, 0, err);
    if (status == WH_OK) continue;
    wh_batch_free(batch);
    return status;
  }
  return WH_OK;
}

void wh_batch_free(wh_batch *batch) {
  if (!batch || !batch->mem) return;
  if (batch->columns) {
    for (size_t i = 0; i < batch->schema->count; i++)
      wh_column_free(&batch->columns[i]);
    wh_mem_free(batch->mem, batch->columns, batch->schema->count * sizeof *batch->columns);
  }
  wh_mem_free(batch->mem, batch->places_own, batch->places_cap * sizeof *batch->places_own);
  wh_arena_free(&batch->arena);
  *batch = (wh_batch){0};
}

void wh_batch_reset(wh_batch *batch) {
  for (size_t i = 0; i < batch->schema->count; i++)
    wh_column_reset(&batch->columns[i]);
  wh_arena_reset(&batch->arena);
  batch->rows = 0;
  batch->bytes = 0;
  batch->first_row = 1;
  batch->places = NULL;
  batch->places_borrowed = false;
}

wh_place wh_batch_place(const wh_batch *batch, size_t row) {
  if (batch->places) return batch->places[row];
  return (wh_place){.row = batch->first_row + row};
}

static wh_status places_reserve(wh_batch *batch, size_t rows, wh_error *err) {
  if (rows <= batch->places_cap) return WH_OK;
  size_t cap = batch->places_cap ? batch->places_cap * 2 : PLACES_FIRST;
  if (cap < rows) cap = rows;
  wh_place *places = wh_mem_realloc(batch->mem, batch->places_own,
                                    batch->places_cap * sizeof *places, cap * sizeof *places);
  if (!places) return wh_fail_memory(err);
  if (batch->places == batch->places_own && batch->places) batch->places = places;
  batch->places_own = places;
  batch->places_cap = cap;
  return WH_OK;
}

wh_status wh_batch_set_place(wh_batch *batch, wh_place place, wh_error *err) {
  assert(!batch->places_borrowed);
  WH_TRY(places_reserve(batch, batch->rows + 1, err));
  if (!batch->places) {
    for (size_t i = 0; i < batch->rows; i++)
      batch->places_own[i] = (wh_place){.row = batch->first_row + i};
    batch->places = batch->places_own;
  }
  batch->places[batch->rows] = place;
  return WH_OK;
}

wh_status wh_batch_make_places(wh_batch *batch, size_t rows, wh_place **ret, wh_error *err) {
  assert(!batch->places_borrowed);
  WH_TRY(places_reserve(batch, rows, err));
  batch->places = batch->places_own;
  *ret = batch->places_own;
  return WH_OK;
}

void wh_batch_row_end(wh_batch *batch) {
  assert(batch->rows < WH_BATCH_ROWS_MAX);
  size_t rows = batch->rows + 1;
  size_t bytes = 0;
  for (size_t i = 0; i < batch->schema->count; i++) {
    const wh_column *c = &batch->columns[i];
    assert(c->length == rows);
    if (c->child_count)
      bytes += wh_column_size(c);
    else if (c->offsets)
      bytes += rows * sizeof *c->offsets + (size_t)c->offsets[rows];
    else
      bytes += rows * c->width;
  }
  batch->rows = rows;
  batch->bytes = bytes;
}

void wh_batch_row_undo(wh_batch *batch) {
  for (size_t i = 0; i < batch->schema->count; i++)
    wh_column_truncate(&batch->columns[i], batch->rows);
  if (batch->rows == 0 && !batch->places_borrowed) batch->places = NULL;
}

void wh_batch_borrow_rows(wh_batch *out, const wh_batch *in) {
  out->rows = in->rows;
  out->bytes = in->bytes;
  out->first_row = in->first_row;
  out->places = in->places;
  out->places_borrowed = in->places != NULL;
}

void wh_batch_borrow(wh_batch *out, const wh_batch *in, const size_t *map) {
  wh_batch_reset(out);
  for (size_t i = 0; i < out->schema->count; i++)
    wh_column_borrow(&out->columns[i], &in->columns[map[i]]);
  wh_batch_borrow_rows(out, in);
}

// The next run of set bits at or after *at: [*at, *end). False when there is none.
static bool next_run(const uint8_t *bits, size_t count, size_t *at, size_t *end) {
  size_t i = *at;
  while (i < count && !wh_bit_get(bits, i))
    i += i % 8 == 0 && bits[i / 8] == 0 ? 8 : 1;
  if (i >= count) return false;
  *at = i;
  while (i < count && wh_bit_get(bits, i))
    i += i % 8 == 0 && bits[i / 8] == 0xFF ? 8 : 1;
  *end = i < count ? i : count;
  return true;
}

static wh_status filter_places(const wh_batch *in, const uint8_t *keep, wh_batch *out, size_t kept,
                               wh_error *err) {
  WH_TRY(places_reserve(out, kept, err));
  size_t n = 0;
  for (size_t at = 0, end; next_run(keep, in->rows, &at, &end); at = end) {
    for (size_t row = at; row < end; row++)
      out->places_own[n++] = wh_batch_place(in, row);
  }
  out->places = out->places_own;
  out->rows = n;
  return WH_OK;
}

wh_status wh_batch_filter(const wh_batch *in, const uint8_t *keep, wh_batch *out, wh_error *err) {
  assert(wh_schema_eq(in->schema, out->schema));
  wh_batch_reset(out);
  size_t kept = 0;
  for (size_t at = 0, end; next_run(keep, in->rows, &at, &end); at = end)
    kept += end - at;
  if (kept == in->rows) {
    for (size_t i = 0; i < out->schema->count; i++)
      wh_column_borrow(&out->columns[i], &in->columns[i]);
    wh_batch_borrow_rows(out, in);
    return WH_OK;
  }
  for (size_t i = 0; i < out->schema->count; i++) {
    WH_TRY(wh_column_reserve(&out->columns[i], kept, 0, err));
    for (size_t at = 0, end; next_run(keep, in->rows, &at, &end); at = end)
      WH_TRY(wh_column_add_range(&out->columns[i], &in->columns[i], at, end - at, err));
    out->bytes += wh_column_size(&out->columns[i]);
  }
  return kept ? filter_places(in, keep, out, kept, err) : WH_OK;
}
