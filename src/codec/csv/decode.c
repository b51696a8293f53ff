#include "codec/csv/decode.h"

#include "codec/csv/number.h"
#include "data/number.h"

// Whether some spelling of NULL also looks like a value.
static bool has_odd_nulls(const csv_dialect *d) {
  for (uint32_t i = 0; i < d->null_count; i++) {
    csv_shape shape;
    wh_number number;
    csv_shape_of_text(d, d->nulls[i], &shape);
    if (shape.seen != CSV_SEEN_TEXT || wh_number_parse(d->nulls[i], &number)) return true;
  }
  return false;
}

wh_status csv_decoder_init(csv_decoder *d, wh_mem *mem, const csv_dialect *dialect,
                           uint32_t rows_cap, wh_error *err) {
  *d = (csv_decoder){.dialect = dialect, .cpu = wh_cpu_level(), .rows_cap = rows_cap};
  wh_arena_init(&d->scratch, mem);
  d->odd_nulls = has_odd_nulls(dialect);
  d->valid = wh_mem_alloc(mem, (rows_cap / 64 + 1) * sizeof *d->valid);
  d->misfit_rows = wh_mem_alloc_zero(mem, rows_cap / 8 + 1);
  d->misfits = wh_mem_alloc(mem, rows_cap * sizeof *d->misfits);
  if (d->valid && d->misfit_rows && d->misfits) return WH_OK;
  csv_decoder_free(d);
  return wh_fail_memory(err);
}

void csv_decoder_free(csv_decoder *d) {
  wh_mem *mem = d->scratch.mem;
  wh_arena_free(&d->scratch);
  if (d->valid) wh_mem_free(mem, d->valid, (d->rows_cap / 64 + 1) * sizeof *d->valid);
  if (d->misfit_rows) wh_mem_free(mem, d->misfit_rows, d->rows_cap / 8 + 1);
  if (d->misfits) wh_mem_free(mem, d->misfits, d->rows_cap * sizeof *d->misfits);
  *d = (csv_decoder){0};
}

// --- What a loop leaves to others ----------------------------------------------------------------

void csv_job_misfit(csv_job *job, uint32_t row, csv_fault fault) {
  csv_decoder *d = job->d;
  if (wh_bit_get(d->misfit_rows, row)) return;
  wh_bit_set(d->misfit_rows, row);
  d->misfits[row] = (csv_misfit){.column = job->index, .fault = fault};
  d->misfit_count++;
}

void csv_job_null(csv_job *job, uint32_t row) {
  job->d->valid[row >> 6] &= ~(1ull << (row & 63));
  job->nulls++;
  if (!job->column->nullable) csv_job_misfit(job, row, CSV_MISSING);
}

static bool is_true(wh_str s) {
  return s.len == 4 && (s.data[0] == 't' || s.data[0] == 'T');
}

// An inferred column takes what inference would have taken.
static bool joins(const csv_decoder *d, const csv_column *column, wh_str text) {
  csv_shape one, both = column->shape;
  csv_shape_of_text(d->dialect, text, &one);
  csv_shape_join(&both, &one);
  wh_type type = csv_shape_type(&both);
  return wh_type_eq(&type, &column->type);
}

static wh_status misfit_inferred(const csv_column *column, wh_str text, csv_decoder *d,
                                 wh_error *err) {
  enum { SHOWN_MAX = 60 };
  wh_str name = wh_type_friendly(&column->type, &d->scratch);
  wh_str shown = wh_str_sub(text, 0, wh_utf8_cut(text, SHOWN_MAX));
  return wh_fail(err, WH_ERR_TYPE, "'%.*s%s' is not of the type %.*s", WH_STR_ARG(shown),
                 shown.len < text.len ? "..." : "", WH_STR_ARG(name));
}

// NaN, Infinity, -Infinity: no other number ends in these letters.
static bool is_special(wh_kind kind, wh_str text) {
  char last = text.len ? text.data[text.len - 1] : 0;
  return (kind == WH_FLOAT32 || kind == WH_FLOAT64) && (last == 'N' || last == 'y');
}

wh_status csv_decode_odd(csv_decoder *d, const csv_column *column, wh_str text, wh_value *ret,
                         wh_error *err) {
  if (column->inferred && !joins(d, column, text)) return misfit_inferred(column, text, d, err);
  if (column->type.kind == WH_BOOL) {
    csv_shape shape;
    csv_shape_of_text(d->dialect, text, &shape);
    if (shape.seen == CSV_SEEN_BOOL) {
      *ret = (wh_value){.type = column->type, .as.b = is_true(text)};
      return WH_OK;
    }
  }
  char room[CSV_NUMBER_ROOM];
  wh_kind kind = column->type.kind;
  bool number = kind >= WH_INT8 && kind <= WH_DECIMAL;
  if (number && !csv_number_is_plain(d->dialect) && !is_special(kind, text) &&
      !csv_number_plain(d->dialect, text, room, &text)) {
    return misfit_inferred(column, text, d, err);
  }
  return wh_value_parse(text, &column->type, &d->scratch, ret, err);
}

// Stores at the row what wh_value_add would append.
static void store(wh_column *c, uint32_t row, const wh_value *value) {
  if (c->type.kind == WH_BOOL) {
    if (value->as.b) wh_bit_set(c->values, row);
    return;
  }
  float narrow = (float)value->as.f;
  const void *from = c->type.kind == WH_FLOAT32 ? (const void *)&narrow : (const void *)&value->as;
  memcpy(c->values + (size_t)row * c->width, from, c->width);
}

wh_status csv_job_odd(csv_job *job, uint32_t row) {
  csv_decoder *d = job->d;
  csv_value field;
  wh_value value;
  if (d->scratch.used > WH_ARENA_BLOCK_BYTES) wh_arena_reset(&d->scratch);
  if (!csv_field_get(d, csv_from(&job->f, row), csv_to(&job->f, row), &field)) {
    return wh_fail_memory(job->err);
  }
  // In a column that is not text, "" is no value either.
  if (field.null || field.text.len == 0) {
    csv_job_null(job, row);
    return WH_OK;
  }
  wh_status status = csv_decode_odd(d, job->column, field.text, &value, job->err);
  if (status == WH_OK) store(job->out, row, &value);
  if (status != WH_ERR_TYPE) return status;
  csv_job_misfit(job, row, CSV_TYPE);
  return WH_OK;
}

// --- Columns -------------------------------------------------------------------------------------

static wh_status decode_all_odd(csv_job *job) {
  for (uint32_t row = 0; row < job->f.rows; row++)
    WH_TRY(csv_job_odd(job, row));
  return WH_OK;
}

static wh_status decode_bools(csv_job *job) {
  uint8_t *values = job->out->values;
  csv_fields f = job->f;
  for (uint32_t row = 0; row < f.rows; row++) {
    size_t len;
    const char *p = csv_take_field(&f, &len);
    if (len == 4 && memcmp(p, "true", 4) == 0)
      wh_bit_set(values, row);
    else if (!(len == 5 && memcmp(p, "false", 5) == 0))
      WH_TRY(csv_job_odd(job, row));
  }
  return WH_OK;
}

static wh_status decode_nulls(csv_job *job) {
  for (uint32_t row = 0; row < job->f.rows; row++) {
    csv_value field;
    if (job->column->source != CSV_NO_SOURCE) {
      if (!csv_field_get(job->d, csv_from(&job->f, row), csv_to(&job->f, row), &field)) {
        return wh_fail_memory(job->err);
      }
      if (!field.null) csv_job_misfit(job, row, CSV_TYPE);
    }
    csv_job_null(job, row);
  }
  return WH_OK;
}

// Values that are stored as bytes of text, but are no text.
static wh_status decode_binaries(csv_job *job) {
  csv_decoder *d = job->d;
  for (uint32_t row = 0; row < job->f.rows; row++) {
    csv_value field;
    wh_value value = {.type = job->column->type, .as.s = WH_STR("")};
    wh_arena_reset(&d->scratch);
    if (!csv_field_get(d, csv_from(&job->f, row), csv_to(&job->f, row), &field)) {
      return wh_fail_memory(job->err);
    }
    if (field.null) {
      csv_job_null(job, row);
    } else {
      wh_status status = csv_decode_odd(d, job->column, field.text, &value, job->err);
      if (status == WH_ERR_TYPE)
        csv_job_misfit(job, row, CSV_TYPE);
      else if (status != WH_OK)
        return status;
    }
    WH_TRY(wh_column_add_text(job->out, value.as.s, job->err));
  }
  return WH_OK;
}

static wh_status decode_values(csv_job *job) {
  const csv_decoder *d = job->d;
  bool plain = !d->odd_nulls;
  switch (job->out->type.kind) {
  case WH_BOOL:
    return plain ? decode_bools(job) : decode_all_odd(job);
  case WH_FLOAT64:
    return plain && d->dialect->decimal == '.' ? csv_decode_floats(job) : decode_all_odd(job);
  case WH_DECIMAL:
    return plain && d->dialect->decimal == '.' ? csv_decode_decimals(job) : decode_all_odd(job);
  case WH_DATE:
    return plain ? csv_decode_dates(job) : decode_all_odd(job);
  case WH_TIMESTAMP:
    return plain ? csv_decode_timestamps(job) : decode_all_odd(job);
  case WH_STRING:
    return csv_decode_texts(job);
  case WH_BINARY:
    return decode_binaries(job);
  case WH_FLOAT32:
  case WH_TIME:
    return decode_all_odd(job);
  default:
    return plain ? csv_decode_ints(job) : decode_all_odd(job);
  }
}

static void set_fields(csv_fields *f, const csv_decoder *d, const csv_cut *cut, uint32_t source) {
  *f = (csv_fields){.data = d->data,
                    .from = cut->starts,
                    .from_stride = 1,
                    .to = cut->ends + source,
                    .to_stride = cut->columns,
                    .rows = cut->rows,
                    .quote = d->dialect->quote ? d->dialect->quote : -1};
  if (source == 0) return;
  f->from = cut->ends + source - 1;
  f->from_stride = cut->columns;
  f->skip = d->dialect->delimiter_len;
}

// The bitmap comes with the first null.
static wh_status set_validity(csv_job *job) {
  wh_column *c = job->out;
  size_t cap = c->rows_cap / 8;
  uint8_t *bits = wh_mem_alloc(c->mem, cap);
  if (!bits) return wh_fail_memory(job->err);
  memset(bits, 0xFF, cap);
  memcpy(bits, job->d->valid, (job->f.rows + 7) / 8);
  c->validity = bits;
  c->null_count = job->nulls;
  return WH_OK;
}

static wh_status decode_column(csv_decoder *d, const csv_cut *cut, uint32_t index, wh_column *out,
                               wh_error *err) {
  csv_column *column = &d->columns[index];
  csv_job job = {.d = d, .index = index, .column = column, .out = out, .err = err};
  bool nulls = column->source == CSV_NO_SOURCE;
  set_fields(&job.f, d, cut, nulls ? 0 : column->source);
  memset(d->valid, 0xFF, (cut->rows / 64 + 1) * sizeof *d->valid);
  WH_TRY(wh_column_reserve(out, cut->rows, 0, err));
  // Values that are not stored hold zero.
  if (out->values && (nulls || out->type.kind == WH_BOOL)) {
    memset(out->values, 0, out->type.kind == WH_BOOL ? out->rows_cap / 8 : cut->rows * out->width);
  }
  bool text = wh_kind_is_text(out->type.kind);
  if (nulls && text) memset(out->offsets, 0, (cut->rows + 1) * sizeof *out->offsets);
  WH_TRY(nulls || out->type.kind == WH_NULL ? decode_nulls(&job) : decode_values(&job));
  out->length = cut->rows;
  if (out->type.kind == WH_NULL)
    out->null_count = cut->rows;
  else if (job.nulls)
    WH_TRY(set_validity(&job));
  return WH_OK;
}

void csv_decoder_begin(csv_decoder *d, const csv_cut *cut, const char *data) {
  d->data = data;
  d->high = cut->high && d->dialect->encoding == WH_CSV_LATIN1;
  d->misfit_count = 0;
  memset(d->misfit_rows, 0, cut->rows / 8 + 1);
  if (!cut->high || d->dialect->encoding == WH_CSV_LATIN1 || cut->rows == 0) return;
  size_t from = cut->starts[0];
  if (csv_utf8_valid(data + from, cut->next - from, d->cpu)) return;
  for (uint32_t row = 0; row < cut->rows; row++) {
    size_t start = cut->starts[row], end = csv_field_end(cut, row, cut->columns - 1);
    if (wh_utf8_valid(wh_str_n(data + start, end - start))) continue;
    wh_bit_set(d->misfit_rows, row);
    d->misfits[row] = (csv_misfit){.fault = CSV_UTF8};
    d->misfit_count++;
  }
}

wh_status csv_decode(csv_decoder *d, const csv_cut *cut, wh_batch *batch, wh_error *err) {
  batch->bytes = 0;
  if (cut->rows == 0) return WH_OK;
  for (uint32_t i = 0; i < d->column_count; i++) {
    WH_TRY(decode_column(d, cut, i, &batch->columns[i], err));
    batch->bytes += wh_column_size(&batch->columns[i]);
  }
  wh_arena_reset(&d->scratch);
  batch->rows = cut->rows;
  return WH_OK;
}
