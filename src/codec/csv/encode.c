#include "codec/csv/encode.h"

#include "base/cpu.h"
#include "codec/csv/dialect.h"
#include "data/format.h"
#include "data/temporal.h"
#include "data/value.h"

#include <math.h>

enum {
  CHUNK_ROWS = 256,
  CHUNK_BYTES = 32 * 1024, // of scalar values
  TEXT_BYTES = 256 * 1024, // beyond, the quotes in a row's text are counted
};

// --- What the options say ------------------------------------------------------------------------

static wh_status take_null(csv_encode *e, wh_str null, wh_error *err) {
  bool odd = null.len > WH_CSV_NULL_MAX || !wh_utf8_valid(null);
  for (size_t i = 0; !odd && i < null.len; i++) {
    char c = null.data[i];
    odd = c == '\n' || c == '\r' || c == 0 || c == e->delimiter[0] || (e->quote && c == e->quote);
  }
  if (odd) {
    return wh_fail(err, WH_ERR_USAGE,
                   "null: '%.*s' is not up to %d bytes without delimiter, quote or line end",
                   WH_STR_ARG(null), WH_CSV_NULL_MAX);
  }
  if (null.len) memcpy(e->null, null.data, null.len);
  e->null_len = (uint8_t)null.len;
  return WH_OK;
}

// The reader's rules for what the two have in common.
wh_status csv_encode_options(csv_encode *e, const wh_csv_write_options *o, wh_error *err) {
  const wh_csv_read_options same = {
      .delimiter = o->delimiter, .quote = o->quote, .decimal = o->decimal};
  csv_dialect d;
  WH_TRY(csv_dialect_of_options(&same, &d, err));
  memcpy(e->delimiter, d.delimiter, sizeof e->delimiter);
  e->delimiter_len = d.delimiter_len;
  e->quote = d.quote;
  e->decimal = d.decimal;
  e->quoting = d.quote ? (wh_csv_quoting)o->quoting : WH_CSV_QUOTE_NONE;
  return take_null(e, o->null, err);
}

// --- Columns -------------------------------------------------------------------------------------

static csv_op op_of(wh_kind kind) {
  static const csv_op ops[] = {
      [WH_NULL] = CSV_OP_NULL,       [WH_BOOL] = CSV_OP_BOOL,
      [WH_INT8] = CSV_OP_INT8,       [WH_INT16] = CSV_OP_INT16,
      [WH_INT32] = CSV_OP_INT32,     [WH_INT64] = CSV_OP_INT64,
      [WH_UINT8] = CSV_OP_UINT8,     [WH_UINT16] = CSV_OP_UINT16,
      [WH_UINT32] = CSV_OP_UINT32,   [WH_UINT64] = CSV_OP_UINT64,
      [WH_FLOAT32] = CSV_OP_FLOAT32, [WH_FLOAT64] = CSV_OP_FLOAT64,
      [WH_DECIMAL] = CSV_OP_DECIMAL, [WH_DATE] = CSV_OP_DATE,
      [WH_TIME] = CSV_OP_TIME,       [WH_TIMESTAMP] = CSV_OP_TIMESTAMP,
      [WH_STRING] = CSV_OP_TEXT,     [WH_BINARY] = CSV_OP_ODD,
      [WH_LIST] = CSV_OP_ODD,        [WH_STRUCT] = CSV_OP_ODD,
  };
  return ops[kind];
}

// The characters that the text of a scalar consists of, besides the decimal mark.
static const char *alphabet(wh_kind kind) {
  switch (kind) {
  case WH_BOOL:
    return "truefals";
  case WH_FLOAT32:
  case WH_FLOAT64:
    return "+-0123456789eNaInfity";
  case WH_DATE:
  case WH_TIME:
  case WH_TIMESTAMP:
    return "+-0123456789:.TZ";
  default:
    return "-0123456789";
  }
}

static bool has_char(const csv_encode *e, wh_kind kind, char c) {
  bool places = kind == WH_FLOAT32 || kind == WH_FLOAT64 || kind == WH_DECIMAL;
  return c && (strchr(alphabet(kind), c) || (places && c == e->decimal));
}

// Whether values of a scalar type may have to be quoted.
static bool may_clash(const csv_encode *e, wh_kind kind) {
  if (has_char(e, kind, e->delimiter[0]) || has_char(e, kind, e->quote)) return true;
  size_t same = 0;
  while (same < e->null_len && has_char(e, kind, e->null[same]))
    same++;
  return e->null_len && same == e->null_len;
}

static csv_cell make_cell(const csv_encode *e, const wh_field *field, size_t at) {
  csv_op op = op_of(field->type.kind);
  bool scalar = op < CSV_OP_TEXT;
  csv_cell cell = {.op = op,
                   .quoted = e->quoting == WH_CSV_QUOTE_ALL ||
                             (e->quoting == WH_CSV_QUOTE_TEXT && !scalar),
                   .guard = at == 0,
                   .zoned = field->type.zoned,
                   .scale = field->type.scale,
                   .unit = field->type.unit,
                   .tail_len = e->delimiter_len,
                   .name = field->name};
  if (scalar && op != CSV_OP_NULL && !cell.quoted && may_clash(e, field->type.kind)) {
    cell.op = CSV_OP_ODD;
  }
  memcpy(&cell.tail, e->delimiter, sizeof cell.tail);
  return cell;
}

static_assert(sizeof(((csv_cell *)0)->tail) == CSV_TAIL_MAX &&
              (int)WH_CSV_DELIMITER_MAX == (int)CSV_TAIL_MAX);

wh_status csv_encode_init(csv_encode *e, wh_mem *mem, const wh_csv_write_options *options,
                          const wh_schema *schema, wh_error *err) {
  e->mem = mem;
  wh_buf_init(&e->scratch, mem, 0);
  WH_TRY(csv_encode_options(e, options, err));
  e->rows = csv_rows_plain;
#ifdef __x86_64__
  if (wh_cpu_level() >= WH_CPU_AVX2) e->rows = csv_rows_avx2;
#endif
  if (schema->count == 0) return WH_OK;
  e->cells = wh_mem_alloc(mem, schema->count * sizeof *e->cells);
  if (!e->cells) return wh_fail_memory(err);
  e->count = schema->count;
  for (size_t i = 0; i < e->count; i++) {
    e->cells[i] = make_cell(e, &schema->fields[i], i);
    size_t value = e->cells[i].op == CSV_OP_TEXT ? 2 : CSV_SCALAR_MAX;
    e->scalar_bytes += CSV_TAIL_MAX + (value > e->null_len ? value : e->null_len);
  }
  csv_cell *last = &e->cells[e->count - 1];
  bool crlf = options->line_ending == WH_CSV_CRLF;
  memcpy(&last->tail, crlf ? "\r\n\0\0\0\0\0" : "\n\0\0\0\0\0\0", sizeof last->tail);
  last->tail_len = crlf ? 2 : 1;
  return WH_OK;
}

void csv_encode_free(csv_encode *e) {
  wh_mem_free(e->mem, e->cells, e->count * sizeof *e->cells);
  wh_buf_free(&e->scratch);
}

// --- Values that need more than a loop -----------------------------------------------------------

static char *fail(csv_encode *e, wh_status status) {
  e->status = status;
  return NULL;
}

static wh_place place_of(const csv_encode *e, size_t row) {
  return e->batch ? wh_batch_place(e->batch, row) : (wh_place){0};
}

char *csv_refuse(csv_encode *e, const csv_cell *cell, size_t row) {
  return fail(e, wh_fail_at(e->err, WH_ERR_TYPE, place_of(e, row),
                            "column '%.*s' has a text with a NUL byte, which CSV has no place for",
                            WH_STR_ARG(cell->name)));
}

// What a reader would take for something else; NULL: nothing.
static const char *misread(const csv_encode *e, const csv_cell *cell, wh_str text) {
  if (text.len == e->null_len && (!text.len || memcmp(text.data, e->null, text.len) == 0)) {
    return "is spelt like NULL";
  }
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == '\n' || c == '\r') return "has a line end";
    if (c == 0) return "has a NUL byte";
    if (c && c == e->quote) return "has a quote";
    if (c == e->delimiter[0] && text.len - i >= e->delimiter_len &&
        memcmp(text.data + i, e->delimiter, e->delimiter_len) == 0) {
      return "has a delimiter";
    }
    // The end of the value and the delimiter behind it must not look like an earlier delimiter.
    if (c == e->delimiter[0] && i + e->delimiter_len > text.len) return "ends like a delimiter";
  }
  if (cell->guard && text.len && (*text.data == '#' || *text.data == '\xEF')) {
    return "begins like a comment or a byte order mark";
  }
  return NULL;
}

char *csv_put_bare(csv_encode *e, const csv_cell *cell, wh_str text, size_t row, char *at) {
  const char *why = misread(e, cell, text);
  if (!why) {
    if (text.len) memcpy(at, text.data, text.len);
    return at + text.len;
  }
  return fail(e, wh_fail_at(e->err, WH_ERR_TYPE, place_of(e, row),
                            "column '%.*s' has a value that %s, and nothing may be quoted. Write "
                            "with quoting: minimal, or choose another delimiter or null",
                            WH_STR_ARG(cell->name), why));
}

// Only in seconds and milliseconds are there timestamps beyond the years that can be read back.
static bool too_far(csv_encode *e, const csv_cell *cell, size_t row) {
  const int64_t most_days = 365ll * 999999000;
  int64_t value = wh_column_i64(cell->column, row);
  int64_t days = value / (86400 * wh_unit_per_second(cell->unit));
  if (days <= most_days && days >= -most_days) return false;
  fail(e, wh_fail_at(e->err, WH_ERR_TYPE, place_of(e, row),
                     "column '%.*s' has a timestamp, %lld units from 1970, too far to be written",
                     WH_STR_ARG(cell->name), (long long)value));
  return true;
}

// In the scratch buffer.
static bool make_text(csv_encode *e, const csv_cell *cell, size_t row) {
  wh_buf *text = &e->scratch;
  wh_kind kind = cell->column->type.kind;
  wh_buf_clear(text);
  bool is_float = kind == WH_FLOAT32 || kind == WH_FLOAT64;
  double value = is_float ? wh_column_f64(cell->column, row) : NAN;
  bool ok;
  if (isfinite(value)) {
    char digits[WH_FORMAT_F64_MAX];
    size_t len =
        kind == WH_FLOAT32 ? wh_format_f32((float)value, digits) : wh_format_f64(value, digits);
    ok = wh_buf_add(text, digits, len);
  } else {
    ok = wh_column_write(cell->column, row, text);
  }
  if (ok && (is_float || kind == WH_DECIMAL)) {
    char *point = memchr(text->data, '.', text->len);
    if (point) *point = e->decimal;
  }
  return ok;
}

char *csv_put_odd(csv_encode *e, const csv_cell *cell, size_t row, char *at) {
  if (cell->column->type.kind == WH_TIMESTAMP && too_far(e, cell, row)) return NULL;
  e->out->len = (size_t)(at - e->out->data);
  bool ok = make_text(e, cell, row) &&
            wh_buf_reserve(e->out, e->bound + 2 * e->scratch.len + CSV_SLACK_BYTES);
  if (!ok) return fail(e, wh_fail_memory(e->err));
  return csv_put_text(e, cell, wh_buf_str(&e->scratch), row, e->out->data + e->out->len);
}

// --- Batches -------------------------------------------------------------------------------------

static void look_at(csv_encode *e, const wh_batch *batch) {
  for (size_t i = 0; i < e->count; i++) {
    csv_cell *cell = &e->cells[i];
    const wh_column *c = &batch->columns[i];
    cell->column = c;
    cell->validity = c->null_count ? c->validity : NULL;
    cell->values = c->values;
    cell->offsets = c->offsets;
    cell->bytes = (const char *)c->bytes;
    cell->bytes_end = cell->bytes;
    if (cell->op == CSV_OP_TEXT && c->bytes) cell->bytes_end += c->offsets[c->length];
  }
}

static size_t count_char(const char *p, size_t len, char c) {
  size_t count = 0;
  for (size_t i = 0; i < len; i++)
    count += p[i] == c;
  return count;
}

// Bytes that the text of the rows takes at most: all of it quotes; or, of one large row, exactly.
static size_t text_bound(const csv_encode *e, size_t from, size_t to) {
  size_t bytes = 0, quotes = 0;
  for (size_t i = 0; i < e->count; i++) {
    const csv_cell *cell = &e->cells[i];
    if (cell->op == CSV_OP_TEXT) bytes += (size_t)(cell->offsets[to] - cell->offsets[from]);
  }
  if (to - from > 1 || bytes <= TEXT_BYTES) return 2 * bytes;
  for (size_t i = 0; i < e->count; i++) {
    const csv_cell *cell = &e->cells[i];
    if (cell->op != CSV_OP_TEXT || !cell->bytes) continue;
    size_t len = (size_t)(cell->offsets[to] - cell->offsets[from]);
    quotes += count_char(cell->bytes + cell->offsets[from], len, e->quote);
  }
  return bytes + quotes;
}

static wh_status encode_chunk(csv_encode *e, size_t from, size_t *to) {
  size_t text = text_bound(e, from, *to);
  while (text > TEXT_BYTES && *to - from > 1) {
    *to = from + (*to - from) / 2;
    text = text_bound(e, from, *to);
  }
  e->bound = (*to - from) * e->scalar_bytes + text + CSV_SLACK_BYTES;
  if (!wh_buf_reserve(e->out, e->bound)) return wh_fail_memory(e->err);
  return e->rows(e, from, *to) ? WH_OK : e->status;
}

wh_status csv_encode_batch(csv_encode *e, const wh_batch *batch, wh_buf *out, wh_error *err) {
  if (batch->rows && e->count == 0) {
    return wh_fail(err, WH_ERR_TYPE, "rows without columns cannot be written as CSV");
  }
  e->err = err;
  e->out = out;
  e->batch = batch;
  look_at(e, batch);
  size_t most = e->scalar_bytes < CHUNK_BYTES ? CHUNK_BYTES / (e->scalar_bytes + 1) : 1;
  if (most > CHUNK_ROWS) most = CHUNK_ROWS;
  for (size_t from = 0; from < batch->rows;) {
    size_t to = batch->rows - from > most ? from + most : batch->rows;
    WH_TRY(encode_chunk(e, from, &to));
    from = to;
  }
  return WH_OK;
}

wh_status csv_encode_header(csv_encode *e, const wh_schema *schema, wh_buf *out, wh_error *err) {
  e->err = err;
  e->out = out;
  e->batch = NULL;
  for (size_t i = 0; i < e->count; i++) {
    csv_cell cell = e->cells[i];
    wh_str name = schema->fields[i].name;
    cell.quoted = e->quoting == WH_CSV_QUOTE_ALL || e->quoting == WH_CSV_QUOTE_TEXT;
    e->bound = 2 * name.len + CSV_TAIL_MAX + CSV_SLACK_BYTES;
    if (!wh_buf_reserve(out, e->bound)) return wh_fail_memory(err);
    char *at = csv_put_text(e, &cell, name, 0, out->data + out->len);
    if (!at) return e->status;
    memcpy(at, &cell.tail, sizeof cell.tail);
    out->len = (size_t)(at - out->data) + cell.tail_len;
  }
  return WH_OK;
}
