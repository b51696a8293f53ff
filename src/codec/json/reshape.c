#include "codec/json/reshape.h"

wh_status json_reshape_open(json_reshape *r, const json_layout *layout, wh_mem *mem,
                            wh_error *err) {
  *r = (json_reshape){.layout = layout};
  return wh_batch_init(&r->rows, mem, &layout->rows, err);
}

void json_reshape_close(json_reshape *r) {
  wh_batch_free(&r->rows);
}

static wh_column *source_of(json_reshape *r, const json_source *source) {
  wh_column *c = &r->rows.columns[source->path[0]];
  for (uint32_t d = 1; d < source->depth; d++)
    c = &c->children[source->path[d]];
  return c;
}

static wh_status add_place(json_reshape *r, size_t row, wh_batch *batch, wh_error *err) {
  WH_TRY(wh_batch_set_place(batch, wh_batch_place(&r->rows, row), err));
  batch->rows++;
  return WH_OK;
}

// The rows are there: counts their bytes.
static void end_rows(wh_batch *batch) {
  if (batch->rows == 0) return;
  batch->rows--;
  wh_batch_row_end(batch);
}

// Without a list each row stays one: the columns change hands.
static wh_status take_all(json_reshape *r, wh_batch *batch, wh_error *err) {
  size_t count = r->rows.rows;
  for (size_t i = 0; i < count; i++)
    WH_TRY(add_place(r, i, batch, err));
  for (size_t i = 0; i < r->layout->columns.count; i++) {
    wh_column *from = source_of(r, &r->layout->sources[i]), *to = &batch->columns[i];
    wh_column kept = *to;
    *to = *from;
    *from = kept;
  }
  r->row = count;
  end_rows(batch);
  return WH_OK;
}

// How many items of the row in hand are given out next; 0 when it has none: then one row of NULL.
static size_t next_items(const json_reshape *r, const wh_column *list, size_t most) {
  size_t count = (size_t)(list->offsets[r->row + 1] - list->offsets[r->row]) - r->item;
  return count < most ? count : most;
}

static wh_status add_items(json_reshape *r, const wh_column *list, size_t count, wh_batch *batch,
                           wh_error *err) {
  size_t first = (size_t)list->offsets[r->row] + r->item;
  for (size_t i = 0; i < r->layout->columns.count; i++) {
    const json_source *source = &r->layout->sources[i];
    const wh_column *from = source_of(r, source);
    wh_column *to = &batch->columns[i];
    if (source->exploded && count) {
      WH_TRY(wh_column_add_range(to, from, first, count, err));
    } else if (source->exploded) {
      WH_TRY(wh_column_add_null(to, err));
    } else {
      for (size_t n = count ? count : 1; n; n--)
        WH_TRY(wh_column_add_from(to, from, r->row, err));
    }
  }
  for (size_t n = count ? count : 1; n; n--)
    WH_TRY(add_place(r, r->row, batch, err));
  return WH_OK;
}

static wh_status take_items(json_reshape *r, size_t most, wh_batch *batch, wh_error *err) {
  const wh_column *list = &r->rows.columns[r->layout->list];
  size_t bytes = 0;
  while (json_reshape_has(r) && batch->rows < most && bytes < WH_BATCH_BYTES_DEFAULT) {
    // Few at a time: a wide row, repeated, soon fills a batch.
    enum { ITEMS_AT_ONCE = 64 };
    size_t room = most - batch->rows < ITEMS_AT_ONCE ? most - batch->rows : ITEMS_AT_ONCE;
    size_t count = next_items(r, list, room);
    WH_TRY(add_items(r, list, count, batch, err));
    r->item += count;
    if (list->offsets[r->row] + (int32_t)r->item == list->offsets[r->row + 1]) {
      r->row++;
      r->item = 0;
    }
    end_rows(batch);
    bytes = batch->bytes;
  }
  return WH_OK;
}

wh_status json_reshape_take(json_reshape *r, size_t most, wh_batch *batch, wh_error *err) {
  return r->layout->list < 0 ? take_all(r, batch, err) : take_items(r, most, batch, err);
}
