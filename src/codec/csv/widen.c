// Inference over many rows: the sample at the beginning, and everything that is left once a row
// did not fit, so that one more pass over the input is enough.
#include "codec/csv/reader.h"

static wh_status infer_field(csv_reader *r, csv_column *column, uint32_t row, wh_error *err) {
  const csv_cut *cut = &r->cut;
  csv_value field;
  csv_shape shape;
  if (r->decoder.scratch.used > WH_ARENA_BLOCK_BYTES) wh_arena_reset(&r->decoder.scratch);
  if (!csv_field_get(&r->decoder, csv_field_start(cut, row, column->source),
                     csv_field_end(cut, row, column->source), &field)) {
    return wh_fail_memory(err);
  }
  if (field.null) {
    column->nullable = true;
    return WH_OK;
  }
  csv_shape_of_text(&r->dialect, field.text, &shape);
  csv_shape_join(&column->shape, &shape);
  return WH_OK;
}

// The rows of the cut, which csv_decoder_begin was called for; those that are no text do not count.
static wh_status infer_cut(csv_reader *r, wh_error *err) {
  const csv_cut *cut = &r->cut;
  for (uint32_t i = 0; i < r->table.count; i++) {
    csv_column *column = &r->table.columns[i];
    if (!column->inferred || column->source == CSV_NO_SOURCE) continue;
    for (uint32_t row = 0; row < cut->rows; row++) {
      if ((column->shape.seen & CSV_SEEN_TEXT) && column->nullable) break;
      if (!wh_bit_get(r->decoder.misfit_rows, row)) WH_TRY(infer_field(r, column, row, err));
    }
  }
  return WH_OK;
}

wh_status csv_infer_sample(csv_reader *r, wh_error *err) {
  size_t begin = r->pos, bytes = 0;
  uint64_t line = r->line;
  while (r->row < WH_CSV_SAMPLE_ROWS) {
    bool end;
    WH_TRY(csv_reader_cut_window(r, &end, err));
    if (r->cut.rows + r->cut.bad_count == 0) break;
    csv_decoder_begin(&r->decoder, &r->cut, r->feed.data);
    WH_TRY(infer_cut(r, err));
    csv_reader_pass(r);
    bytes = r->pos - begin;
  }
  if (r->row) r->row_bytes = bytes / r->row + 1;
  r->row = 0;
  r->line = line;
  r->pos = begin;
  return WH_OK;
}

// Everything behind the cut in hand.
static wh_status widen_rest(csv_reader *r, wh_error *err) {
  for (;;) {
    wh_status status = csv_reader_cut(r, err);
    if (status == WH_ERR_END) return WH_OK;
    if (status != WH_OK) return status;
    csv_decoder_begin(&r->decoder, &r->cut, r->feed.data);
    WH_TRY(infer_cut(r, err));
    csv_reader_pass(r);
  }
}

static wh_status end_widening(csv_reader *r, wh_error *err) {
  r->done = true;
  WH_TRY(csv_table_schema(&r->table, r->table.count, &r->arena, &r->wider, err));
  r->base.schema = &r->wider;
  return WH_OK;
}

// The first row that does not fit an inferred column.
static uint32_t first_misfit(const csv_reader *r) {
  const csv_decoder *d = &r->decoder;
  uint32_t row = 0;
  while (!wh_bit_get(d->misfit_rows, row) || d->misfits[row].fault == CSV_UTF8 ||
         !r->table.columns[d->misfits[row].column].inferred)
    row++;
  return row;
}

wh_status csv_widen(csv_reader *r, wh_error *err) {
  uint32_t row = first_misfit(r);
  csv_column *column = &r->table.columns[r->decoder.misfits[row].column];
  wh_reject reject;
  wh_error why;
  WH_TRY(csv_explain(r, row, &reject, &why, err));
  bool missing = r->decoder.misfits[row].fault == CSV_MISSING;
  // Rows that do not fit count here, all others of the cut too.
  csv_decoder_begin(&r->decoder, &r->cut, r->feed.data);
  WH_TRY(infer_cut(r, err));
  wh_type type = csv_shape_type(&column->shape);
  // What inference takes for one of the type and parsing does not is text.
  if (!missing && wh_type_eq(&type, &column->type)) column->shape.seen |= CSV_SEEN_TEXT;
  csv_reader_pass(r);
  WH_TRY(widen_rest(r, err));
  WH_TRY(end_widening(r, err));
  return wh_fail_at(err, WH_ERR_WIDEN, reject.place,
                    "row %llu does not fit the types of the rows before it: %s in '%.*s'",
                    (unsigned long long)reject.place.row, why.text, WH_STR_ARG(reject.column));
}

wh_status csv_widen_columns(csv_reader *r, wh_error *err) {
  const csv_column *first = &r->table.columns[r->table.known];
  r->widen_at_once = false;
  WH_TRY(widen_rest(r, err));
  WH_TRY(end_widening(r, err));
  return wh_fail(err, WH_ERR_WIDEN, "the file has a column '%.*s' that those before it had not",
                 WH_STR_ARG(first->name));
}
