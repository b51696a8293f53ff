#include "codec/csv/reader.h"

// --- Cuts ----------------------------------------------------------------------------------------

uint64_t csv_reader_byte(const csv_reader *r, size_t from, uint64_t from_byte, size_t at) {
  if (!r->transcoder) return r->feed.base + at;
  uint64_t units = 0;
  for (size_t i = from; i < at; i++) {
    unsigned char c = (unsigned char)r->feed.data[i];
    units += (c & 0xC0) != 0x80;
    units += c >= 0xF0;
  }
  return from_byte + 2 * units;
}

wh_place csv_reader_place(const csv_reader *r, size_t at, size_t start, uint32_t line,
                          uint32_t row) {
  const char *data = r->feed.data;
  wh_place place = {.row = r->row + row + 1, .line = r->line + line + 1};
  place.byte = csv_reader_byte(r, 0, r->source_base, at);
  size_t from = start;
  for (size_t i = start; i < at; i++) {
    if (data[i] != '\n' && !(data[i] == '\r' && data[i + 1] != '\n')) continue;
    place.line++;
    from = i + 1;
  }
  place.column = at - from + 1;
  return place;
}

static wh_status fail_open(const csv_reader *r, wh_error *err) {
  const csv_cut *cut = &r->cut;
  wh_place place =
      csv_reader_place(r, cut->broken_at, cut->next, cut->next_line, cut->rows + cut->bad_count);
  return wh_fail_at(err, WH_ERR_DATA, place,
                    "the quote that opens in line %llu, column %llu (byte %llu) is never closed",
                    (unsigned long long)place.line, (unsigned long long)place.column,
                    (unsigned long long)place.byte);
}

// The record in hand is as large as one may be.
static wh_status fail_limit(const csv_reader *r, wh_error *err) {
  csv_record record;
  csv_walk(&r->dialect, r->feed.data, r->pos, r->feed.len, true, NULL, 0, &record);
  bool open = record.fault == CSV_OPEN;
  wh_place place = csv_reader_place(r, open ? record.at : r->pos, r->pos, 0, 0);
  return wh_fail_at(err, WH_ERR_LIMIT, place,
                    "row %llu is larger than %zu bytes, an eighth of memory (line %llu, byte "
                    "%llu)%s",
                    (unsigned long long)place.row, r->feed.row_limit,
                    (unsigned long long)place.line, (unsigned long long)place.byte,
                    open ? "; perhaps the quote that opens there is never closed" : "");
}

static wh_status more(csv_reader *r, wh_error *err) {
  if (r->feed.len - r->pos >= r->feed.row_limit + CSV_AHEAD) return fail_limit(r, err);
  r->source_base = csv_reader_byte(r, 0, r->source_base, r->pos);
  WH_TRY(csv_feed_more(&r->feed, r->pos, err));
  r->pos = 0;
  return WH_OK;
}

// The last rows of a file may be its footer: as long as it goes on nobody knows, so that many are
// left for the next cut, and in the end left out.
static void hold_back(csv_cut *cut, uint64_t count) {
  uint32_t next = cut->next, line = cut->next_line;
  for (; count && (cut->rows || cut->bad_count); count--) {
    const csv_bad *bad = cut->bad_count ? &cut->bads[cut->bad_count - 1] : NULL;
    if (bad && (cut->rows == 0 || bad->start > cut->starts[cut->rows - 1])) {
      next = bad->start;
      line = bad->line;
      cut->bad_count--;
    } else {
      cut->rows--;
      next = cut->starts[cut->rows];
      line = cut->lines[cut->rows];
    }
  }
  cut->next = next;
  cut->next_line = line;
  cut->starts[cut->rows] = next;
}

void csv_reader_pass(csv_reader *r) {
  r->row += r->cut.rows + r->cut.bad_count;
  r->line += r->cut.next_line;
  r->pos = r->cut.next;
}

static size_t until_here(const csv_reader *r) {
  uint64_t base = r->feed.base;
  if (r->until <= base) return 0;
  return r->until - base < SIZE_MAX ? (size_t)(r->until - base) : SIZE_MAX;
}

wh_status csv_reader_cut_window(csv_reader *r, bool *ret_end, wh_error *err) {
  csv_cut *cut = &r->cut;
  size_t until = until_here(r);
  csv_cut_run(cut, r->feed.data, r->pos, r->feed.len, until, r->feed.ended);
  bool end = (r->feed.ended && cut->next >= r->feed.len) || cut->next >= until;
  if (cut->broken) {
    if (cut->rows + cut->bad_count <= r->dialect.footer) return fail_open(r, err);
  }
  if (r->dialect.footer) {
    uint32_t all = cut->next, all_line = cut->next_line;
    hold_back(cut, r->dialect.footer);
    if (end && !cut->rows && !cut->bad_count) {
      cut->next = all;
      cut->next_line = all_line;
    }
    end = end && cut->next == all;
  } else if (cut->broken && !cut->rows && !cut->bad_count) {
    return fail_open(r, err);
  }
  *ret_end = end;
  return WH_OK;
}

wh_status csv_reader_cut(csv_reader *r, wh_error *err) {
  csv_cut *cut = &r->cut;
  // Rather a little more to move than small batches.
  if (!r->feed.ended && r->feed.len - r->pos < r->feed.window / 4) WH_TRY(more(r, err));
  for (;;) {
    bool end;
    WH_TRY(csv_reader_cut_window(r, &end, err));
    if (cut->rows || cut->bad_count) return WH_OK;
    bool moved = cut->next > r->pos;
    csv_reader_pass(r);
    if (end) return WH_ERR_END;
    if (!moved && r->feed.ended) return WH_ERR_END;
    if (!moved) WH_TRY(more(r, err));
  }
}

// --- Batches -------------------------------------------------------------------------------------

static void set_source_bytes(const csv_reader *r, wh_place *places) {
  uint64_t byte = r->source_base;
  size_t at = 0;
  for (uint32_t row = 0; row < r->cut.rows; row++) {
    byte = csv_reader_byte(r, at, byte, r->cut.starts[row]);
    at = r->cut.starts[row];
    places[row].byte = byte;
  }
}

static wh_status set_places(csv_reader *r, wh_batch *batch, wh_error *err) {
  const csv_cut *cut = &r->cut;
  wh_place *places;
  batch->first_row = r->row + 1;
  if (cut->rows == 0) return WH_OK;
  WH_TRY(wh_batch_make_places(batch, cut->rows, &places, err));
  for (uint32_t row = 0; row < cut->rows; row++) {
    places[row] = (wh_place){.row = r->row + cut->numbers[row] + 1,
                             .line = r->line + cut->lines[row] + 1,
                             .column = 1,
                             .byte = r->feed.base + cut->starts[row]};
  }
  if (r->transcoder) set_source_bytes(r, places);
  return WH_OK;
}

static bool may_widen(const csv_reader *r) {
  if (!r->widens) return false;
  for (uint32_t row = 0; row < r->cut.rows; row++) {
    if (!wh_bit_get(r->decoder.misfit_rows, row)) continue;
    const csv_misfit *m = &r->decoder.misfits[row];
    if (m->fault != CSV_UTF8 && r->table.columns[m->column].inferred) return true;
  }
  return false;
}

static wh_status decode_cut(csv_reader *r, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  csv_cut *cut = &r->cut;
  csv_decoder *d = &r->decoder;
  csv_decoder_begin(d, cut, r->feed.data);
  WH_TRY(csv_decode(d, cut, batch, err));
  if (d->misfit_count && may_widen(r)) WH_TRY(csv_widen(r, err));
  uint32_t records = cut->rows + cut->bad_count;
  if (cut->bad_count || d->misfit_count) WH_TRY(csv_reject_rows(r, rejects, err));
  if (d->misfit_count) {
    csv_cut_remove(cut, d->misfit_rows);
    csv_decoder_begin(d, cut, r->feed.data);
    wh_batch_reset(batch);
    WH_TRY(csv_decode(d, cut, batch, err));
    if (d->misfit_count) return wh_fail(err, WH_ERR_BUG, "a row fits no longer");
  }
  WH_TRY(set_places(r, batch, err));
  // As csv_reader_pass, but with the rows that were taken out.
  r->row += records;
  r->line += cut->next_line;
  r->pos = cut->next;
  return WH_OK;
}

wh_status csv_reader_next(wh_reader *reader, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  csv_reader *r = (csv_reader *)reader;
  if (r->widen_at_once) WH_TRY(csv_widen_columns(r, err));
  r->rejected_bytes = 0;
  reader->paused = false;
  wh_status status = WH_OK;
  while (!r->done && batch->rows == 0) {
    if (r->rejected_bytes >= WH_BATCH_BYTES_DEFAULT) {
      reader->paused = true;
      break;
    }
    wh_batch_reset(batch);
    status = csv_reader_cut(r, err);
    if (status == WH_OK) status = decode_cut(r, batch, rejects, err);
    if (status == WH_ERR_END) {
      status = WH_OK;
      r->done = true;
    }
    if (status != WH_OK) break;
  }
  reader->bytes_read = csv_reader_byte(r, 0, r->source_base, r->pos) - reader->part.from;
  reader->part.rows = r->row;
  reader->part.lines = r->line;
  if (r->done) reader->part.to = r->feed.base + r->pos;
  return status;
}

void csv_reader_close(wh_reader *reader) {
  csv_reader *r = (csv_reader *)reader;
  csv_feed_close(&r->feed);
  csv_cut_free(&r->cut);
  csv_decoder_free(&r->decoder);
  wh_input_close(r->transcoder);
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, sizeof *r);
}
