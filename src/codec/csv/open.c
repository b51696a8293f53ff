// Opening: encoding, dialect, header, columns and their types, all from the first bytes.
#include "codec/csv/infer.h"
#include "codec/csv/reader.h"
#include "codec/csv/transcode.h"

// From here on the window holds UTF-8 (or Latin-1), and r->pos is behind the byte order mark.
static wh_status take_encoding(csv_reader *r, wh_csv_encoding given, wh_error *err) {
  const csv_feed *f = &r->feed;
  size_t mark;
  wh_csv_encoding found = csv_sniff_encoding(f->data, f->len, f->ended, &mark);
  r->dialect.encoding = given ? given : found;
  if (found != r->dialect.encoding) mark = 0;
  r->pos = mark;
  if (r->dialect.encoding != WH_CSV_UTF16LE && r->dialect.encoding != WH_CSV_UTF16BE) return WH_OK;
  WH_TRY(csv_transcode_open(r->mem, r->in, r->dialect.encoding,
                            wh_str_n(f->data + mark, f->len - mark), mark, &r->transcoder, err));
  size_t row_limit = f->row_limit;
  csv_feed_close(&r->feed);
  csv_feed_open(&r->feed, r->mem, r->transcoder, row_limit, r->context.batch_bytes);
  r->pos = 0;
  r->source_base = mark;
  return csv_feed_fill(&r->feed, WH_CSV_SAMPLE_BYTES, err);
}

// What the options leave open, and how sure that is.
static wh_status take_dialect(csv_reader *r, const wh_csv_read_options *options, wh_error *err) {
  double sure = 1;
  if (csv_sniffs(options)) {
    WH_TRY(csv_sniff(r->mem, r->feed.data + r->pos, r->feed.len - r->pos, r->feed.ended, options,
                     &r->dialect, &sure, err));
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, r->mem, 0);
  if (!csv_dialect_write(&r->dialect, sure, &text)) return wh_fail_memory(err);
  r->base.found = wh_arena_str(&r->arena, wh_buf_str(&text));
  return r->base.found.data ? WH_OK : wh_fail_memory(err);
}

static void skip_preamble(csv_reader *r) {
  const csv_feed *f = &r->feed;
  for (uint64_t line = 0; line < r->dialect.preamble && r->pos < f->len; line++) {
    while (r->pos < f->len && f->data[r->pos] != '\n' && f->data[r->pos] != '\r')
      r->pos++;
    if (r->pos == f->len) break;
    r->pos += 1u + (f->data[r->pos] == '\r' && f->data[r->pos + 1] == '\n');
    r->line++;
  }
}

// The first record that is a row; with a window large enough for it.
static wh_status find_first(csv_reader *r, csv_record *ret, wh_error *err) {
  csv_feed *f = &r->feed;
  for (;;) {
    if (r->pos == f->len && f->ended) {
      *ret = (csv_record){.kind = CSV_RECORD_MORE, .next = r->pos};
      return WH_OK;
    }
    csv_walk(&r->dialect, f->data, r->pos, f->len, f->ended, NULL, 0, ret);
    if (ret->kind == CSV_RECORD_ROW) return WH_OK;
    if (ret->kind == CSV_RECORD_MORE) {
      if (f->len >= f->row_limit) {
        return wh_fail(err, WH_ERR_LIMIT,
                       "the first row is larger than %zu bytes, an eighth of memory", f->row_limit);
      }
      WH_TRY(csv_feed_fill(f, f->len * 2 + CSV_AHEAD, err));
    } else {
      r->pos = ret->next;
      r->line += ret->lines;
    }
  }
}

static wh_status check_first(const csv_reader *r, const csv_record *first, wh_error *err) {
  wh_place place = csv_reader_place(r, first->at, r->pos, 0, 0);
  place.row = 0;
  if (first->fields > WH_COLUMNS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "the first row has %u fields; a table has at most %d columns",
                   first->fields, WH_COLUMNS_MAX);
  }
  if (first->fault == CSV_FINE || !r->dialect.header) return WH_OK;
  const char *what = "a quote that is never closed";
  if (first->fault == CSV_QUOTE_INSIDE)
    what = "a quote inside a field that does not begin with one";
  if (first->fault == CSV_AFTER_QUOTE) what = "text behind a closing quote";
  return wh_fail_at(err, WH_ERR_DATA, place,
                    "the header has %s (line %llu, column %llu, byte %llu)", what,
                    (unsigned long long)place.line, (unsigned long long)place.column,
                    (unsigned long long)place.byte);
}

static wh_status take_names(csv_reader *r, const csv_record *first, wh_error *err) {
  csv_record again;
  uint32_t *ends = NULL;
  r->table.fields = first->fields;
  if (r->dialect.header) {
    ends = wh_mem_alloc(r->mem, first->fields * sizeof *ends);
    if (!ends) return wh_fail_memory(err);
    csv_walk(&r->dialect, r->feed.data, r->pos, r->feed.len, r->feed.ended, ends, first->fields,
             &again);
  }
  r->decoder.data = r->feed.data;
  r->decoder.high = r->dialect.encoding == WH_CSV_LATIN1;
  wh_status status =
      csv_table_name(&r->table, &r->decoder, r->pos, first->end, ends, &r->arena, err);
  if (ends) wh_mem_free(r->mem, ends, first->fields * sizeof *ends);
  if (status != WH_OK || !r->dialect.header) return status;
  r->pos = first->next;
  r->line += first->lines;
  return WH_OK;
}

static uint32_t rows_of_cut(const csv_reader *r) {
  size_t rows = r->context.batch_rows ? r->context.batch_rows : WH_BATCH_ROWS_DEFAULT;
  if (rows > WH_BATCH_ROWS_MAX) rows = WH_BATCH_ROWS_MAX;
  if (rows > CSV_ENDS_MAX / r->table.fields) rows = CSV_ENDS_MAX / r->table.fields;
  // More than a footer, so that reading goes on.
  if (rows < 2 * r->dialect.footer + 1) rows = 2 * r->dialect.footer + 1;
  return (uint32_t)rows;
}

static wh_status make_columns(csv_reader *r, const wh_schema *given, bool text, wh_error *err) {
  wh_schema copy;
  if (given) WH_TRY(wh_schema_copy(given, &r->arena, &copy, err));
  WH_TRY(
      csv_table_match(&r->table, &r->dialect, &r->context, given ? &copy : NULL, &r->arena, err));
  r->decoder.columns = r->table.columns;
  r->decoder.column_count = r->table.known;
  for (uint32_t i = 0; text && i < r->table.count; i++)
    if (r->table.columns[i].inferred) r->table.columns[i].shape.seen |= CSV_SEEN_TEXT;
  if (!given) WH_TRY(csv_infer_sample(r, err));
  WH_TRY(csv_table_schema(&r->table, r->table.known, &r->arena, &r->schema, err));
  for (uint32_t i = 0; i < r->table.known; i++)
    r->table.columns[i].type = r->schema.fields[i].type;
  r->widen_at_once = r->table.count > r->table.known;
  return WH_OK;
}

// In a table of one column without a header, empty lines before the first value are rows too; and
// where all lines are empty, the schema says that it is one column.
static wh_status find_table(csv_reader *r, const wh_schema *given, csv_record *first,
                            wh_error *err) {
  size_t from = r->pos;
  uint64_t line = r->line;
  WH_TRY(find_first(r, first, err));
  if (r->dialect.header || r->pos == from) return WH_OK;
  if (first->kind == CSV_RECORD_MORE && given && given->count == 1) {
    *first = (csv_record){.kind = CSV_RECORD_ROW, .fields = 1, .end = from, .next = from};
  }
  if (first->kind == CSV_RECORD_ROW && first->fields == 1) {
    r->pos = from;
    r->line = line;
  }
  return WH_OK;
}

static wh_status open_table(csv_reader *r, const wh_schema *given, bool text, wh_error *err) {
  csv_record first;
  skip_preamble(r);
  WH_TRY(find_table(r, given, &first, err));
  if (first.kind == CSV_RECORD_MORE) {
    // Nothing there: no rows, and no columns but those it was to have.
    r->done = true;
    r->data_from = r->feed.base + r->pos;
    return given ? wh_schema_copy(given, &r->arena, &r->schema, err) : WH_OK;
  }
  WH_TRY(check_first(r, &first, err));
  WH_TRY(csv_decoder_init(&r->decoder, r->mem, &r->dialect, 1, err));
  WH_TRY(take_names(r, &first, err));
  csv_decoder_free(&r->decoder);
  uint32_t rows = rows_of_cut(r);
  WH_TRY(csv_cut_init(&r->cut, r->mem, &r->dialect, r->table.fields, rows, err));
  WH_TRY(csv_decoder_init(&r->decoder, r->mem, &r->dialect, rows, err));
  WH_TRY(make_columns(r, given, text, err));
  r->data_from = r->feed.base + r->pos;
  r->data_line = r->line;
  return WH_OK;
}

static wh_status open_file(csv_reader *r, const wh_csv_read_options *options,
                           const wh_schema *given, wh_error *err) {
  WH_TRY(csv_dialect_of_options(options, &r->dialect, err));
  size_t sample = WH_CSV_SAMPLE_BYTES;
  if (given && !csv_sniffs(options)) sample = r->feed.window;
  WH_TRY(csv_feed_fill(&r->feed, sample, err));
  WH_TRY(take_encoding(r, (wh_csv_encoding)options->encoding, err));
  WH_TRY(take_dialect(r, options, err));
  WH_TRY(open_table(r, given, options->text, err));
  csv_part_plan(r);
  return WH_OK;
}

wh_status csv_open_reader(const wh_codec_context *context, wh_input *in, const void *options,
                          const wh_schema *given, wh_reader **ret, wh_error *err) {
  csv_reader *r = wh_mem_alloc_zero(context->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->mem = context->mem;
  r->context = *context;
  r->in = in;
  r->until = UINT64_MAX;
  r->widens = !given || context->schema_may_widen;
  r->base = (wh_reader){.schema = &r->schema,
                        .schema_inferred = !given,
                        .next = csv_reader_next,
                        .close = csv_reader_close};
  wh_arena_init(&r->arena, context->mem);
  csv_feed_open(&r->feed, context->mem, in, context->row_limit_bytes, context->batch_bytes);
  wh_status status = open_file(r, options ? options : &wh_csv_read_defaults, given, err);
  if (status != WH_OK) {
    csv_reader_close(&r->base);
    return status;
  }
  *ret = &r->base;
  return WH_OK;
}
