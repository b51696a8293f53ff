// filter: only rows for which a condition is true go on; for which it is false or NULL, they are
// counted as filtered. Rows that say that a row is gone pass: of it nothing but its key is known.
#include "data/deleted.h"

#include "step/expr.h"
#include "step/frame.h"
#include "step/steps.h"

typedef struct filter_step {
  wh_frame frame;
  wh_expr *condition;
  wh_column result;
  const wh_column **columns; // of the batch in hand
  ptrdiff_t deleted;
} filter_step;

typedef struct filter_job {
  filter_step *self;
  const wh_batch *in;
  wh_rejects *rejects;
} filter_job;

static wh_status filter_failed(void *context, size_t row, const char *reason, wh_error *err) {
  const filter_job *job = context;
  return wh_frame_reject(&job->self->frame, job->in, row, job->rejects, "filter", WH_STR(""),
                         wh_str_of(reason), err);
}

// Rows that were rejected are gone already.
static void drop_others(filter_step *self, const wh_batch *in) {
  const wh_column *result = &self->result;
  for (size_t row = 0; row < in->rows; row++) {
    if (wh_column_bool(result, row) || !wh_frame_keeps(&self->frame, row)) continue; // NULL: false
    if (wh_row_is_deleted(in, self->deleted, row)) continue;
    wh_frame_drop(&self->frame, row);
    self->frame.step.rows_filtered++;
  }
}

static wh_status filter_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                             wh_error *err) {
  filter_step *self = (filter_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    self->columns[i] = &in->columns[i];
    wh_column_borrow(&out->columns[i], &in->columns[i]);
  }
  if (in->rows == 0) return WH_OK;
  filter_job job = {self, in, rejects};
  wh_column_reset(&self->result);
  WH_TRY(wh_expr_eval(self->condition, self->columns, in->rows, &self->result, filter_failed, &job,
                      err));
  drop_others(self, in);
  return wh_frame_end(&self->frame, out, err);
}

static void filter_close(wh_step *step) {
  filter_step *self = (filter_step *)step;
  wh_expr_free(self->condition);
  wh_column_free(&self->result);
  wh_frame_close(step);
}

static wh_status read_condition(filter_step *self, const wh_step_context *context,
                                const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_expr_bind(context, &frame->arena, options, "filter", &frame->schema, &self->condition,
                      err));
  const wh_type *type = &wh_expr_field(self->condition)->type;
  bool unknown = context->dry && type->kind == WH_NULL;
  if (type->kind != WH_BOOL && !unknown) {
    return wh_node_fail(options, err, "filter: expected a condition, and this is %.*s",
                        WH_STR_ARG(wh_type_friendly(type, &frame->arena)));
  }
  wh_column_init(&self->result, context->mem, type);
  self->columns = WH_NEW_ARRAY(&frame->arena, frame->schema.count, const wh_column *);
  return self->columns ? WH_OK : wh_fail_memory(err);
}

static wh_status filter_bind(const wh_step_context *context, const wh_node *options,
                             const wh_schema *in, wh_step **ret, wh_error *err) {
  filter_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = filter_push;
  self->frame.step.close = filter_close;
  self->deleted = wh_deleted_column(&self->frame.schema);
  wh_status status = read_condition(self, context, options, err);
  if (status != WH_OK) {
    filter_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_filter = {
    .name = "filter",
    .shape = "\"condition\"",
    .help = "lets only rows go on for which a condition ([expression](#expressions)) is true; the "
            "others are counted as filtered",
    .example = "filter: \"status != 'test' and quantity is not null\"",
    .finds_columns = true,
    .bind = filter_bind,
};
