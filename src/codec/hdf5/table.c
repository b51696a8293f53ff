#include "codec/hdf5/table.h"

#include "data/reject.h"

#include <inttypes.h>

// Rows that are taken at once: of each dataset a run of records, one behind the other.
typedef struct run {
  h5_table *t;
  wh_error *err;
  const uint8_t *owner;                         // the parent's record
  const uint8_t *records[WH_HDF5_DATASETS_MAX]; // of each side
  size_t n;
} run;

// --- slices --------------------------------------------------------------------------------------

static wh_status read_starts(h5_table *t, uint64_t owner, wh_error *err) {
  const uint8_t *record;
  uint64_t n;
  WH_TRY(h5_dataset_rows(t->parent, owner, &record, &n, err));
  for (size_t i = 0; i < t->side_count; i++) {
    h5_table_side *side = &t->sides[i];
    int64_t start = h5_field_int(side->start, record);
    bool good = start >= 0 && (uint64_t)start <= side->dataset->rows &&
                (owner ? (uint64_t)start >= side->next : start == 0);
    if (!good)
      return wh_fail(err, WH_ERR_DATA,
                     "%.*s, row %llu: %.*s is %lld, which is no start in %.*s: there are %llu "
                     "elements, and the slices before end at %llu",
                     WH_STR_ARG(t->parent->path), (unsigned long long)owner + 1,
                     WH_STR_ARG(side->start->name), (long long)start,
                     WH_STR_ARG(side->dataset->path), (unsigned long long)side->dataset->rows,
                     (unsigned long long)(owner ? side->next : 0));
    side->begin = side->next;
    side->next = (uint64_t)start;
  }
  return WH_OK;
}

static void end_last_slices(h5_table *t) {
  for (size_t i = 0; i < t->side_count; i++) {
    t->sides[i].begin = t->sides[i].next;
    t->sides[i].next = t->sides[i].dataset->rows;
  }
}

static wh_status check_slices(const h5_table *t, wh_error *err) {
  const h5_table_side *a = &t->sides[0];
  for (size_t i = 1; i < t->side_count; i++) {
    const h5_table_side *b = &t->sides[i];
    if (a->next - a->begin == b->next - b->begin) continue;
    return wh_fail(err, WH_ERR_DATA,
                   "%.*s, row %llu: it has %llu elements of %.*s and %llu of %.*s, so they cannot "
                   "stand side by side",
                   WH_STR_ARG(t->parent->path), (unsigned long long)t->owners,
                   (unsigned long long)(a->next - a->begin), WH_STR_ARG(a->dataset->path),
                   (unsigned long long)(b->next - b->begin), WH_STR_ARG(b->dataset->path));
  }
  return WH_OK;
}

static wh_status check_orphans(const h5_table *t, wh_error *err) {
  for (size_t i = 0; i < t->side_count; i++) {
    if (t->sides[i].dataset->rows == 0) continue;
    return wh_fail(err, WH_ERR_DATA, "%.*s has elements, and %.*s no row that owns them",
                   WH_STR_ARG(t->sides[i].dataset->path), WH_STR_ARG(t->parent->path));
  }
  return WH_OK;
}

// The parent's next row. Where there is none, everything is one slice.
static wh_status next_slice(h5_table *t, wh_error *err) {
  t->at = t->count = 0;
  if (!t->parent) {
    if (t->owners++) return WH_ERR_END;
    t->count = t->side_count ? t->sides[0].dataset->rows : 1;
    return WH_OK;
  }
  if (t->parent->rows == 0) WH_TRY(check_orphans(t, err));
  if (t->owners == t->parent->rows) return WH_ERR_END;
  if (t->owners == 0) WH_TRY(read_starts(t, 0, err));
  t->owners++;
  if (t->owners < t->parent->rows)
    WH_TRY(read_starts(t, t->owners, err));
  else
    end_last_slices(t);
  t->count = t->sides[0].next - t->sides[0].begin;
  return check_slices(t, err);
}

// --- one run -------------------------------------------------------------------------------------

static wh_status find_records(run *r) {
  h5_table *t = r->t;
  uint64_t n;
  for (size_t i = 0; i < t->side_count; i++) {
    h5_table_side *side = &t->sides[i];
    WH_TRY(h5_dataset_rows(side->dataset, side->begin + t->at, &r->records[i], &n, r->err));
    if (n < r->n) r->n = n;
  }
  if (t->parent) WH_TRY(h5_dataset_rows(t->parent, t->owners - 1, &r->owner, &n, r->err));
  return WH_OK;
}

// Where the values of a column stand, and how far apart.
static const uint8_t *records_of(const run *r, const h5_column *c, size_t *ret_stride) {
  *ret_stride = 0;
  if (c->origin == H5_OF_PARENT) return r->owner;
  if (c->origin == H5_OF_SINGLE) return r->t->singles[c->at].record;
  *ret_stride = r->t->sides[c->at].dataset->fields.record;
  return r->records[c->at];
}

static wh_status reject(run *r, const h5_column *c, wh_str name, wh_rejects *rejects) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, r->t->sides[0].dataset->file->mem);
  size_t stride;
  wh_str value = {0};
  wh_reject why = {.rule = WH_STR("hdf5"), .column = name, .place = {.row = r->t->rows + 1}};
  why.reason = h5_field_fault(c->field, records_of(r, c, &stride), &arena, &value);
  if (!why.reason.data) return wh_fail_memory(r->err);
  return rejects->raw(rejects, &why, value, r->err);
}

// Cuts the run in front of the first row that is bad; rejects it where that is the first of all,
// and leaves no run then.
static wh_status cut_bad(run *r, wh_rejects *rejects) {
  h5_table *t = r->t;
  const h5_column *bad = NULL;
  size_t bad_at = 0;
  for (size_t i = 0; i < t->schema.count; i++) {
    const h5_column *c = &t->columns[i];
    size_t stride;
    if (c->origin != H5_OF_PARENT && c->origin != H5_OF_SIDE) continue;
    const uint8_t *records = records_of(r, c, &stride);
    size_t n = stride ? r->n : 1, good = h5_field_good(c->field, records, stride, n);
    if (good == n) continue;
    r->n = good;
    bad = c;
    bad_at = i;
    if (good == 0) break;
  }
  if (r->n) return WH_OK;
  WH_TRY(reject(r, bad, t->schema.fields[bad_at].name, rejects));
  t->rows++;
  t->at++;
  return WH_OK;
}

static wh_status append_index(const run *r, wh_column *to) {
  int64_t first = (int64_t)r->t->at + r->t->index_from;
  for (size_t i = 0; i < r->n; i++)
    WH_TRY(wh_column_add_i64(to, first + (int64_t)i, r->err));
  return WH_OK;
}

static wh_status append_file(const run *r, wh_column *to) {
  for (size_t i = 0; i < r->n; i++)
    WH_TRY(wh_column_add_text(to, r->t->file, r->err));
  return WH_OK;
}

static wh_status append_nulls(const run *r, wh_column *to) {
  for (size_t i = 0; i < r->n; i++)
    WH_TRY(wh_column_add_null(to, r->err));
  return WH_OK;
}

static wh_status append_column(const run *r, const h5_column *c, wh_column *to) {
  size_t stride;
  if (c->origin == H5_OF_INDEX) return append_index(r, to);
  if (c->origin == H5_OF_FILE) return append_file(r, to);
  if (c->origin == H5_OF_SINGLE && r->t->singles[c->at].is_null) return append_nulls(r, to);
  const uint8_t *records = records_of(r, c, &stride);
  return h5_field_append(c->field, records, stride, r->n, to, r->err);
}

// Rows are numbered one by one where those before are not of the same stretch of the table.
static wh_status number_rows(const run *r, wh_batch *b) {
  uint64_t first = r->t->rows + 1;
  if (b->rows == 0) b->first_row = first;
  if (!b->places && b->first_row + b->rows == first) return WH_OK;
  bool had = b->places != NULL;
  wh_place *places;
  WH_TRY(wh_batch_make_places(b, b->rows + r->n, &places, r->err));
  for (size_t i = 0; !had && i < b->rows; i++)
    places[i] = (wh_place){.row = b->first_row + i};
  for (size_t i = 0; i < r->n; i++)
    places[b->rows + i] = (wh_place){.row = first + i};
  return WH_OK;
}

static wh_status append(run *r, wh_batch *b) {
  WH_TRY(number_rows(r, b));
  size_t bytes = 0;
  for (size_t i = 0; i < r->t->schema.count; i++) {
    WH_TRY(append_column(r, &r->t->columns[i], &b->columns[i]));
    bytes += wh_column_size(&b->columns[i]);
  }
  b->rows += r->n;
  b->bytes = bytes;
  r->t->rows += r->n;
  r->t->at += r->n;
  return WH_OK;
}

// --- rows ----------------------------------------------------------------------------------------

static size_t rows_that_fit(const h5_table *t, const wh_batch *b, size_t rows_most,
                            size_t bytes_most) {
  uint64_t n = t->count - t->at;
  size_t by_bytes = (bytes_most - b->bytes) / (t->row_bytes ? t->row_bytes : 1) + 1;
  if (n > rows_most - b->rows) n = rows_most - b->rows;
  return n < by_bytes ? (size_t)n : by_bytes;
}

wh_status h5_table_fill(h5_table *t, wh_batch *b, size_t rows_most, size_t bytes_most,
                        wh_rejects *rejects, wh_error *err) {
  uint64_t before = t->rows;
  while (!wh_batch_full(b, rows_most, bytes_most)) {
    if (t->at == t->count) {
      wh_status status = next_slice(t, err);
      // Rows that were rejected are this table's, too: the end comes with the next call.
      if (status == WH_ERR_END && (b->rows || t->rows != before)) return WH_OK;
      WH_TRY(status);
      continue;
    }
    run r = {.t = t, .err = err, .n = rows_that_fit(t, b, rows_most, bytes_most)};
    WH_TRY(find_records(&r));
    WH_TRY(cut_bad(&r, rejects));
    if (r.n) WH_TRY(append(&r, b));
  }
  return WH_OK;
}
