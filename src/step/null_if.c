// null_if: values that stand for nothing ("", n/a, -1) become NULL.
#include "step/steps.h"
#include "step/value_set.h"

typedef struct null_if_step {
  wh_frame frame;
  wh_value_set **sets; // of each column; NULL: it passes
} null_if_step;

static bool matches(const wh_value_set *set, const wh_column *in, size_t row) {
  return !wh_column_is_null(in, row) && wh_value_set_find(set, in, row) >= 0;
}

static wh_status null_column(const wh_value_set *set, const wh_column *in, wh_column *out,
                             wh_error *err) {
  size_t row = 0;
  while (row < in->length && !matches(set, in, row))
    row++;
  if (row == in->length) { // nothing to change: no copy
    wh_column_borrow(out, in);
    return WH_OK;
  }
  for (size_t kept = 0; row < in->length;) {
    WH_TRY(wh_column_add_range(out, in, kept, row - kept, err));
    WH_TRY(wh_column_add_null(out, err));
    kept = ++row;
    while (row < in->length && !matches(set, in, row))
      row++;
    if (row == in->length) WH_TRY(wh_column_add_range(out, in, kept, row - kept, err));
  }
  return WH_OK;
}

static wh_status null_if_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                              wh_error *err) {
  (void)rejects;
  null_if_step *self = (null_if_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    if (self->sets[i])
      WH_TRY(null_column(self->sets[i], &in->columns[i], &out->columns[i], err));
    else
      wh_column_borrow(&out->columns[i], &in->columns[i]);
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status read_columns(null_if_step *self, const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "null_if", "a map of columns", err));
  self->sets = WH_NEW_ARRAY(&frame->arena, frame->schema.count, wh_value_set *);
  if (!self->sets) return wh_fail_memory(err);
  for (size_t i = 0; i < options->count; i++) {
    const wh_node *values = options->entries[i].value;
    size_t at = 0, count = wh_node_count(values);
    WH_TRY(wh_column_by_node(&frame->schema, options->entries[i].key, "null_if", &at, err));
    wh_value_set *set = WH_NEW(&frame->arena, wh_value_set);
    const wh_node **items = WH_NEW_ARRAY(&frame->arena, count, const wh_node *);
    if (!set || !items) return wh_fail_memory(err);
    for (size_t k = 0; k < count; k++)
      items[k] = wh_node_item(values, k);
    WH_TRY(wh_value_set_build(set, &frame->arena, &frame->fields[at], items, count, values,
                              "null_if", err));
    frame->fields[at].nullable = true;
    self->sets[at] = set;
  }
  return WH_OK;
}

static wh_status null_if_bind(const wh_step_context *context, const wh_node *options,
                              const wh_schema *in, wh_step **ret, wh_error *err) {
  null_if_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = null_if_push;
  wh_status status = read_columns(self, options, err);
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_null_if = {
    .name = "null_if",
    .shape = "{ column: value } | { column: [value, ...] }",
    .help = "makes values that stand for nothing NULL",
    .example = "null_if: { order_date: [\"\", n/a], quantity: -1 }",
    .bind = null_if_bind,
};
