#include "engine/output_rows.h"

#include "data/deleted.h"

// Which columns the table gets. In the rows of an append the column is one like any other.
wh_status wh_output_rows_init(wh_output_rows *r, const wh_write *write, const wh_schema *schema,
                              wh_mem *mem, wh_arena *arena, wh_error *err) {
  WH_TRY(wh_schema_copy(schema, arena, &r->in, err));
  const wh_schema *in = &r->in;
  ptrdiff_t column = wh_deleted_column(in);
  bool upsert = write->mode == WH_WRITE_UPSERT, marks = write->deletes == WH_DELETES_MARK;
  r->column = marks && !upsert ? -1 : column;
  r->drops = write->deletes == WH_DELETES_IGNORE;
  r->erases = upsert && column >= 0 && !r->drops;
  r->adds = upsert && marks && column < 0;
  wh_field *fields = WH_NEW_ARRAY(arena, in->count + 1, wh_field);
  r->map = WH_NEW_ARRAY(arena, in->count + 1, size_t);
  if (!fields || !r->map) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < in->count; i++) {
    if ((ptrdiff_t)i == r->column && !marks) continue;
    fields[count] = in->fields[i];
    r->map[count++] = i;
  }
  if (r->adds)
    fields[count++] = (wh_field){.name = WH_STR(WH_DELETED_COLUMN),
                                 .type = wh_type_of(WH_BOOL),
                                 .nullable = true,
                                 .privacy = WH_INTERNAL};
  r->schema = (wh_schema){.count = count, .fields = fields};
  r->has_batches = true;
  WH_TRY(wh_batch_init(&r->kept, mem, in, err));
  return wh_batch_init(&r->dropped, mem, in, err);
}

void wh_output_rows_free(wh_output_rows *r) {
  if (!r->has_batches) return;
  wh_batch_free(&r->kept);
  wh_batch_free(&r->dropped);
}

static wh_status show(const wh_output_rows *r, const wh_batch *in, wh_batch *out, wh_error *err) {
  wh_batch_reset(out);
  if (!r->adds) {
    wh_batch_borrow(out, in, r->map);
    return WH_OK;
  }
  wh_batch_borrow_rows(out, in);
  size_t last = r->schema.count - 1;
  for (size_t i = 0; i < last; i++)
    wh_column_borrow(&out->columns[i], &in->columns[i]);
  for (size_t i = 0; i < in->rows; i++)
    WH_TRY(wh_column_add_bool(&out->columns[last], false, err));
  return WH_OK;
}

wh_status wh_output_rows_split(wh_output_rows *r, const wh_batch *in, wh_batch *live,
                               wh_batch *gone, wh_error *err) {
  wh_batch_reset(live);
  wh_batch_reset(gone);
  wh_batch_reset(&r->kept);
  wh_batch_reset(&r->dropped);
  if (r->column < 0) return show(r, in, live, err);
  size_t bytes = (in->rows + 7) / 8, count = 0;
  uint8_t *keep = wh_arena_alloc(&r->kept.arena, bytes ? bytes : 1);
  uint8_t *drop = wh_arena_alloc(&r->kept.arena, bytes ? bytes : 1);
  if (!keep || !drop) return wh_fail_memory(err);
  memset(keep, 0, bytes);
  memset(drop, 0, bytes);
  for (size_t i = 0; i < in->rows; i++) {
    bool is_gone = wh_row_is_deleted(in, r->column, i);
    wh_bit_set(is_gone ? drop : keep, i);
    count += is_gone;
  }
  if (count == 0) return show(r, in, live, err);
  WH_TRY(wh_batch_filter(in, drop, &r->dropped, err));
  WH_TRY(wh_batch_filter(in, keep, &r->kept, err));
  WH_TRY(show(r, &r->kept, live, err));
  return show(r, &r->dropped, gone, err);
}
