#include "codec/hdf5/fit.h"

#include "data/cast.h"
#include "data/reject.h"

#include <stdint.h>

// --- the schema ----------------------------------------------------------------------------------

static wh_status fail_type(const wh_field *from, const wh_field *to, wh_arena *arena,
                           wh_error *err) {
  wh_str a = wh_type_friendly(&from->type, arena), b = wh_type_friendly(&to->type, arena);
  return wh_fail(err, WH_ERR_DATA, "column %.*s is %.*s in the file, and cannot become %.*s",
                 WH_STR_ARG(to->name), WH_STR_ARG(a), WH_STR_ARG(b));
}

// One column that was given, beside the file's (NULL: it has none).
static wh_status fit_column(wh_field *to, const wh_field *from, bool may_widen, wh_arena *arena,
                            bool *widened, wh_error *err) {
  wh_type wider;
  bool nulls = !from || from->nullable;
  if (nulls && !to->nullable) {
    if (!may_widen)
      return wh_fail(err, WH_ERR_DATA, "the file has no %s of column %.*s, which must have values",
                     from ? "value" : "dataset or field", WH_STR_ARG(to->name));
    to->nullable = *widened = true;
  }
  if (!from || wh_type_eq(&from->type, &to->type)) return WH_OK;
  if (may_widen && wh_type_widen(&to->type, &from->type, arena, &wider)) {
    *widened = *widened || !wh_type_eq(&wider, &to->type);
    to->type = wider;
    return WH_OK;
  }
  return wh_cast_possible(&from->type, &to->type) ? WH_OK : fail_type(from, to, arena, err);
}

static wh_status make_schema(const wh_schema *found, const wh_schema *given, bool may_widen,
                             wh_arena *arena, h5_fit *fit, bool *widened, wh_error *err) {
  wh_schema copy;
  WH_TRY(wh_schema_copy(given, arena, &copy, err));
  wh_field *fields = WH_NEW_ARRAY(arena, given->count + found->count, wh_field);
  fit->sources = WH_NEW_ARRAY(arena, given->count + found->count, size_t);
  if (!fields || !fit->sources) return wh_fail_memory(err);
  size_t count = given->count;
  if (count) memcpy(fields, copy.fields, count * sizeof *fields);
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t at = wh_schema_find(found, fields[i].name);
    fit->sources[i] = at < 0 ? (size_t)H5_NO_SOURCE : (size_t)at;
    WH_TRY(
        fit_column(&fields[i], at < 0 ? NULL : &found->fields[at], may_widen, arena, widened, err));
  }
  for (size_t i = 0; may_widen && i < found->count; i++) {
    if (wh_schema_find(given, found->fields[i].name) >= 0) continue;
    fit->sources[count] = i;
    fields[count] = found->fields[i];
    fields[count++].nullable = *widened = true;
  }
  fit->schema = (wh_schema){count, fields};
  return WH_OK;
}

wh_status h5_fit_make(const h5_table *table, const wh_schema *given, bool may_widen, wh_mem *mem,
                      wh_arena *arena, h5_fit *ret, bool *ret_widened, wh_error *err) {
  h5_fit fit = {.mem = mem};
  bool widened = false;
  WH_TRY(make_schema(&table->schema, given, may_widen, arena, &fit, &widened, err));
  *ret = fit; // its batches point into it
  WH_TRY(wh_batch_init(&ret->found, mem, &table->schema, err));
  WH_TRY(wh_batch_init(&ret->cast, mem, &ret->schema, err));
  *ret_widened = widened;
  return WH_OK;
}

void h5_fit_free(h5_fit *fit) {
  wh_batch_free(&fit->found);
  wh_batch_free(&fit->cast);
}

// --- rows ----------------------------------------------------------------------------------------

typedef struct casting {
  h5_fit *fit;
  wh_rejects *rejects;
  uint8_t *bad; // rows, as bits, in the arena of `cast`
  size_t bad_count;
  wh_str column;
} casting;

static wh_status cast_failed(void *context, size_t row, const char *reason, wh_error *err) {
  casting *c = context;
  if (wh_bit_get(c->bad, row)) return WH_OK;
  wh_bit_set(c->bad, row);
  c->bad_count++;
  wh_reject why = {.rule = WH_STR("cast"),
                   .column = c->column,
                   .reason = wh_str_of(reason),
                   .place = wh_batch_place(&c->fit->found, row)};
  return c->rejects->row(c->rejects, &why, &c->fit->found, row, err);
}

static wh_status cast_columns(casting *c, wh_error *err) {
  h5_fit *fit = c->fit;
  size_t rows = fit->found.rows;
  for (size_t i = 0; i < fit->schema.count; i++) {
    wh_column *to = &fit->cast.columns[i];
    size_t source = fit->sources[i];
    c->column = fit->schema.fields[i].name;
    if (source != (size_t)H5_NO_SOURCE) {
      WH_TRY(wh_cast_column(&fit->found.columns[source], to, NULL, cast_failed, c, err));
      continue;
    }
    for (size_t k = 0; k < rows; k++)
      WH_TRY(wh_column_add_null(to, err));
  }
  wh_batch_borrow_rows(&fit->cast, &fit->found);
  return WH_OK;
}

static wh_status append_good(const casting *c, wh_batch *b, wh_error *err) {
  const wh_batch *from = &c->fit->cast;
  for (size_t row = 0; row < from->rows; row++) {
    if (wh_bit_get(c->bad, row)) continue;
    WH_TRY(wh_batch_set_place(b, wh_batch_place(from, row), err));
    for (size_t i = 0; i < from->schema->count; i++)
      WH_TRY(wh_column_add_from(&b->columns[i], &from->columns[i], row, err));
    b->rows++;
  }
  b->bytes = 0;
  for (size_t i = 0; i < b->schema->count; i++)
    b->bytes += wh_column_size(&b->columns[i]);
  return WH_OK;
}

wh_status h5_fit_fill(h5_fit *fit, h5_table *table, wh_batch *b, size_t rows_most,
                      size_t bytes_most, wh_rejects *rejects, wh_error *err) {
  size_t before = b->rows;
  do {
    wh_batch_reset(&fit->found);
    wh_batch_reset(&fit->cast);
    WH_TRY(h5_table_fill(table, &fit->found, rows_most - b->rows, bytes_most, rejects, err));
    casting c = {.fit = fit, .rejects = rejects};
    c.bad = WH_NEW_ARRAY(&fit->cast.arena, fit->found.rows / 8 + 1, uint8_t);
    if (!c.bad) return wh_fail_memory(err);
    WH_TRY(cast_columns(&c, err));
    WH_TRY(append_good(&c, b, err));
  } while (b->rows == before); // all were rejected
  return WH_OK;
}
