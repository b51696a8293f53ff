// Parts of a file, each with a reader of its own.
//
// A part is nominally a stretch of bytes; its rows are those that begin in it. Where the first of
// them begins cannot be known without reading everything before, because only that tells whether
// the stretch begins inside quotes. So both are tried on the first 64 KiB, and the one that gives
// rows of the right number of fields is taken; the part before it, once read, tells if that was
// right (wh_part).
#include "codec/csv/reader.h"

void csv_part_plan(csv_reader *r) {
  bool may = r->in->read_at && r->in->size != WH_SIZE_UNKNOWN && !r->transcoder &&
             !r->dialect.footer && !r->done && !r->widen_at_once;
  if (!may) return;
  size_t bytes = r->context.part_bytes;
  size_t rows = r->context.part_rows;
  size_t per_row = r->row_bytes ? r->row_bytes : 100;
  if (rows && rows < SIZE_MAX / per_row && (!bytes || rows * per_row < bytes)) {
    bytes = rows * per_row;
  }
  if (!bytes || (!rows && bytes > CSV_PART_BYTES)) bytes = CSV_PART_BYTES;
  r->part_bytes = bytes;
  r->part_next = r->data_from;
  r->base.next_part = csv_next_part;
}

// --- Guessing ------------------------------------------------------------------------------------

// How well the rows from *at on look: one point for each right row, two off for each wrong one.
// *at moves to the first right one: what stands before it is likely the end of a row.
static int64_t score(const csv_reader *r, const char *data, size_t *at, size_t len, bool ended) {
  int64_t points = 0;
  size_t next = *at;
  bool found = false;
  for (int i = 0; i < CSV_GUESS_ROWS && next < len; i++) {
    csv_record record;
    csv_walk(&r->dialect, data, next, len, ended, NULL, 0, &record);
    if (record.kind == CSV_RECORD_MORE) break;
    bool right =
        record.kind != CSV_RECORD_ROW || (!record.fault && record.fields == r->cut.columns);
    if (right && !found) *at = next;
    found |= right;
    if (record.kind == CSV_RECORD_ROW) points += right ? 1 : -2;
    next = record.next;
  }
  return points;
}

// Behind the end of the row, if `at` does not stand inside quotes.
static size_t behind_row(const csv_reader *r, const char *data, size_t at, size_t len) {
  csv_record record;
  csv_walk(&r->dialect, data, at, len, true, NULL, 0, &record);
  if (record.fault != CSV_OPEN) return record.next;
  // A quote that does not close here is none: up to the next line end.
  while (at < len && data[at] != '\n' && data[at] != '\r')
    at++;
  if (at == len) return len;
  return at + 1 + (data[at] == '\r' && at + 1 < len && data[at + 1] == '\n');
}

// The same if it does.
static size_t behind_quoted(const csv_reader *r, const char *data, size_t at, size_t len) {
  const csv_dialect *d = &r->dialect;
  for (; at < len; at++) {
    if (d->escape && data[at] == d->escape) {
      at++;
    } else if (data[at] == d->quote) {
      if (!d->doubled || at + 1 == len || data[at + 1] != d->quote) break;
      at++;
    }
  }
  return ++at < len ? behind_row(r, data, at, len) : len;
}

// The first row that begins at data[1] or behind it, in a buffer that begins one byte earlier.
static size_t guess(const csv_reader *r, const char *data, size_t len, bool ended) {
  size_t outside = behind_row(r, data, 0, len);
  if (!r->dialect.quote) return outside;
  size_t inside = behind_quoted(r, data, 0, len);
  if (inside == outside) return outside;
  int64_t a = score(r, data, &outside, len, ended), b = score(r, data, &inside, len, ended);
  return b > a ? inside : outside;
}

static wh_status guess_start(csv_reader *whole, uint64_t nominal, uint64_t *ret, wh_error *err) {
  uint64_t left = whole->in->size - (nominal - 1);
  size_t len = left < CSV_GUESS_BYTES ? (size_t)left : CSV_GUESS_BYTES;
  char *data = wh_mem_alloc(whole->mem, len + CSV_SLACK);
  if (!data) return wh_fail_memory(err);
  memset(data + len, 0, CSV_SLACK);
  wh_status status = whole->in->read_at(whole->in, nominal - 1, data, len, err);
  if (status == WH_OK) *ret = nominal - 1 + guess(whole, data, len, len == left);
  wh_mem_free(whole->mem, data, len + CSV_SLACK);
  return status;
}

// --- Readers -------------------------------------------------------------------------------------

static wh_status restart_part(wh_reader *part, uint64_t from, wh_error *err) {
  csv_reader *r = (csv_reader *)part;
  const csv_table *table = &r->whole->table;
  (void)err;
  memcpy(r->table.columns, table->columns, table->count * sizeof *table->columns);
  csv_feed_seek(&r->feed, from);
  r->pos = 0;
  r->row = r->line = 0;
  r->done = r->base.paused = false;
  r->base.schema = &r->schema;
  r->base.bytes_read = 0;
  r->base.part.from = from;
  r->base.part.to = r->base.part.rows = r->base.part.lines = 0;
  return WH_OK;
}

// The columns with what is known of them; what they widen to is the part's own.
static wh_status copy_table(csv_reader *part, const csv_reader *whole, wh_error *err) {
  const csv_table *t = &whole->table;
  part->table = *t;
  part->table.columns = WH_NEW_ARRAY(&part->arena, t->count, csv_column);
  if (!part->table.columns) return wh_fail_memory(err);
  memcpy(part->table.columns, t->columns, t->count * sizeof *t->columns);
  return WH_OK;
}

static wh_status open_part(csv_reader *r, const csv_reader *whole, uint64_t from, wh_error *err) {
  WH_TRY(copy_table(r, whole, err));
  WH_TRY(csv_cut_init(&r->cut, r->mem, &r->dialect, r->table.fields, whole->cut.rows_max, err));
  WH_TRY(csv_decoder_init(&r->decoder, r->mem, &r->dialect, whole->cut.rows_max, err));
  r->decoder.columns = r->table.columns;
  r->decoder.column_count = r->table.known;
  csv_feed_open_at(&r->feed, r->mem, r->in, r->context.row_limit_bytes, from, r->in->size);
  return WH_OK;
}

static csv_reader *new_part(csv_reader *whole) {
  csv_reader *r = wh_mem_alloc_zero(whole->mem, sizeof *r);
  if (!r) return NULL;
  r->mem = whole->mem;
  r->context = whole->context;
  r->dialect = whole->dialect;
  r->in = whole->in;
  r->whole = whole;
  r->schema = whole->schema;
  r->widens = whole->widens;
  wh_arena_init(&r->arena, r->mem);
  r->base = (wh_reader){.schema = &r->schema,
                        .schema_inferred = whole->base.schema_inferred,
                        .next = csv_reader_next,
                        .close = csv_reader_close,
                        .restart_part = restart_part};
  return r;
}

wh_status csv_next_part(wh_reader *reader, wh_reader **ret, wh_error *err) {
  csv_reader *whole = (csv_reader *)reader;
  uint64_t size = whole->in->size, nominal = whole->part_next;
  bool first = whole->part_count == 0;
  if (nominal >= size && !first) return WH_ERR_END;
  uint64_t from = nominal;
  if (first)
    csv_feed_close(&whole->feed); // the window is not needed any more
  else
    WH_TRY(guess_start(whole, nominal, &from, err));
  csv_reader *r = new_part(whole);
  if (!r) return wh_fail_memory(err);
  wh_status status = open_part(r, whole, from, err);
  if (status != WH_OK) {
    csv_reader_close(&r->base);
    return status;
  }
  r->until = size - nominal > whole->part_bytes ? nominal + whole->part_bytes : UINT64_MAX;
  if (first) {
    r->line = whole->data_line;
    whole->base.bytes_read = whole->data_from;
  }
  r->base.part = (wh_part){.index = whole->part_count++, .from = from};
  whole->part_next = r->until;
  *ret = &r->base;
  return WH_OK;
}
