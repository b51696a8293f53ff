#include "codec/parquet/scan_finish.h"

#include "data/cast.h"

typedef struct finishing {
  pq_scan *scan;
  wh_batch *read;
  wh_rejects *rejects;
  uint8_t *keep; // a bit for each row of `read`
  size_t dropped;
} finishing;

static wh_status make_keep(finishing *f, wh_error *err) {
  if (f->keep) return WH_OK;
  size_t bytes = (f->read->rows + 63) / 64 * 8;
  f->keep = wh_arena_alloc(&f->scan->shared.arena, bytes);
  if (!f->keep) return wh_fail_memory(err);
  pq_fill_bits(f->keep, 0, f->read->rows, true);
  return WH_OK;
}

static wh_status reject(finishing *f, size_t row, wh_str column, wh_str rule, wh_str reason,
                        wh_error *err) {
  WH_TRY(make_keep(f, err));
  if (!wh_bit_get(f->keep, row)) return WH_OK; // rejected, or not asked for
  wh_bit_clear(f->keep, row);
  f->dropped++;
  wh_reject r = {
      .rule = rule, .column = column, .reason = reason, .place = wh_batch_place(f->read, row)};
  if (f->rejects) return f->rejects->row(f->rejects, &r, f->read, row, err);
  return wh_fail_at(err, WH_ERR_DATA, r.place, "row %llu, column %.*s: %.*s",
                    (unsigned long long)r.place.row, WH_STR_ARG(column), WH_STR_ARG(reason));
}

static wh_status reject_misfits(finishing *f, wh_error *err) {
  const pq_plan *plan = f->scan->plan;
  for (size_t i = 0; i < plan->count; i++) {
    const pq_tree_node *node = plan->nodes[i];
    for (uint32_t l = node->first_leaf; l < node->first_leaf + node->leaf_count; l++) {
      const pq_leaf_reader *leaf = f->scan->by_leaf[l];
      for (const pq_misfit *m = leaf->misfits.first; m; m = m->next) {
        WH_TRY(reject(f, pq_leaf_row_of(leaf, m->at), node->field.name, WH_STR("type"), m->reason,
                      err));
      }
    }
  }
  return WH_OK;
}

static wh_status apply_where(finishing *f, wh_error *err) {
  if (f->scan->plan->where.count == 0) return WH_OK;
  WH_TRY(make_keep(f, err));
  pq_where_rows(&f->scan->plan->where, f->read, f->keep);
  f->dropped = f->read->rows - pq_count_bits(f->keep, 0, f->read->rows);
  return WH_OK;
}

typedef struct casting {
  finishing *f;
  wh_str column;
} casting;

static wh_status cast_failed(void *context, size_t row, const char *reason, wh_error *err) {
  casting *c = context;
  return reject(c->f, row, c->column, WH_STR("type"), wh_str_of(reason), err);
}

static wh_status reject_nulls(finishing *f, const wh_column *column, wh_str name, wh_error *err) {
  for (size_t row = 0; column->null_count && row < column->length; row++) {
    if (!wh_column_is_null(column, row)) continue;
    WH_TRY(reject(f, row, name, WH_STR("missing"), WH_STR("NULL, where a value is required"), err));
  }
  return WH_OK;
}

// Fills column `i` of `out` from the one of `read` that it comes from.
static wh_status cast_column(finishing *f, size_t i, wh_batch *out, wh_error *err) {
  const pq_plan *plan = f->scan->plan;
  const wh_field *field = &plan->schema.fields[i];
  wh_column *to = &out->columns[i];
  if (plan->sources && plan->sources[i] == PQ_NO_COLUMN) {
    for (size_t row = 0; row < f->read->rows; row++)
      WH_TRY(wh_column_add_null(to, err));
    return WH_OK;
  }
  const wh_column *from = &f->read->columns[plan->sources ? plan->sources[i] : i];
  if (wh_type_eq(&from->type, &to->type)) {
    wh_column_borrow(to, from);
  } else {
    casting c = {.f = f, .column = field->name};
    WH_TRY(wh_cast_column(from, to, NULL, cast_failed, &c, err));
  }
  return field->nullable ? WH_OK : reject_nulls(f, from, field->name, err);
}

static wh_status all_columns(finishing *f, wh_batch *out, wh_error *err) {
  for (size_t i = 0; i < f->scan->plan->schema.count; i++)
    WH_TRY(cast_column(f, i, out, err));
  wh_batch_borrow_rows(out, f->read);
  return WH_OK;
}

static wh_status need_kept(pq_scan *scan, wh_error *err) {
  if (!scan->has_kept) {
    WH_TRY(wh_batch_init(&scan->kept, scan->plan->mem, &scan->plan->schema, err));
    scan->has_kept = true;
  }
  wh_batch_reset(&scan->kept);
  return WH_OK;
}

// All rows are there, as the reader's schema wants them: `batch` borrows from the scan's own.
static wh_status show(finishing *f, wh_batch *batch, wh_error *err) {
  WH_TRY(all_columns(f, batch, err));
  if (f->dropped == 0) return WH_OK;
  // A cast may have dropped rows of what was borrowed just now.
  WH_TRY(need_kept(f->scan, err));
  WH_TRY(wh_batch_filter(batch, f->keep, &f->scan->kept, err));
  wh_batch_reset(batch);
  for (size_t i = 0; i < f->scan->plan->schema.count; i++)
    wh_column_borrow(&batch->columns[i], &f->scan->kept.columns[i]);
  wh_batch_borrow_rows(batch, &f->scan->kept);
  return WH_OK;
}

wh_status pq_scan_finish(pq_scan *scan, wh_batch *read, wh_batch *batch, wh_rejects *rejects,
                         wh_error *err) {
  finishing f = {.scan = scan, .read = read, .rejects = rejects};
  WH_TRY(apply_where(&f, err));
  WH_TRY(reject_misfits(&f, err));
  if (read != batch) return show(&f, batch, err);
  if (f.dropped == 0) return WH_OK;
  WH_TRY(need_kept(scan, err));
  WH_TRY(wh_batch_filter(batch, f.keep, &scan->kept, err));
  wh_batch_reset(batch);
  for (size_t i = 0; i < scan->plan->schema.count; i++)
    wh_column_borrow(&batch->columns[i], &scan->kept.columns[i]);
  wh_batch_borrow_rows(batch, &scan->kept);
  return WH_OK;
}
