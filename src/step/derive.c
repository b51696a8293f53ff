// derive: columns that are computed from others, in the order written; later ones see earlier ones.
// A name that is there is replaced where it stands.
#include "step/added.h"
#include "step/expr.h"
#include "step/steps.h"

typedef struct derived {
  wh_expr *expr;
  size_t at; // of the schema
} derived;

typedef struct derive_step {
  wh_frame frame;
  derived *derived;
  size_t count;
  size_t in_count;           // columns of what comes in
  const wh_column **columns; // what each name stands for at this point
} derive_step;

typedef struct derive_job {
  derive_step *self;
  const wh_batch *in;
  wh_rejects *rejects;
  size_t at;
} derive_job;

static wh_status derive_failed(void *context, size_t row, const char *reason, wh_error *err) {
  const derive_job *job = context;
  wh_frame *frame = &job->self->frame;
  return wh_frame_reject(frame, job->in, row, job->rejects, "derive", frame->fields[job->at].name,
                         wh_str_of(reason), err);
}

static wh_status derive_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                             wh_error *err) {
  derive_step *self = (derive_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->in_count; i++)
    self->columns[i] = &in->columns[i];
  for (size_t i = 0; i < self->count; i++) {
    size_t at = self->derived[i].at;
    derive_job job = {self, in, rejects, at};
    WH_TRY(wh_expr_eval(self->derived[i].expr, self->columns, in->rows, &out->columns[at],
                        derive_failed, &job, err));
    self->columns[at] = &out->columns[at];
  }
  for (size_t i = 0; i < self->in_count; i++)
    if (self->columns[i] == &in->columns[i]) wh_column_borrow(&out->columns[i], &in->columns[i]);
  return wh_frame_end(&self->frame, out, err);
}

static void derive_close(wh_step *step) {
  derive_step *self = (derive_step *)step;
  for (size_t i = 0; i < self->count; i++)
    wh_expr_free(self->derived[i].expr);
  wh_frame_close(step);
}

static wh_status read_columns(derive_step *self, const wh_step_context *context,
                              const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "derive", "a map of columns to expressions", err));
  WH_TRY(wh_added_reserve(frame, options->count, err));
  self->derived = WH_NEW_ARRAY(&frame->arena, options->count, derived);
  if (!self->derived) return wh_fail_memory(err);
  for (size_t i = 0; i < options->count; i++) {
    derived *d = &self->derived[i];
    const wh_node *name = options->entries[i].key;
    WH_TRY(wh_expr_bind(context, &frame->arena, options->entries[i].value, "derive", &frame->schema,
                        &d->expr, err));
    self->count++; // from here on derive_close ends it
    WH_TRY(wh_added_put(frame, name, "derive", wh_expr_field(d->expr), &d->at, err));
  }
  self->columns = WH_NEW_ARRAY(&frame->arena, frame->schema.count, const wh_column *);
  return self->columns ? WH_OK : wh_fail_memory(err);
}

static wh_status derive_bind(const wh_step_context *context, const wh_node *options,
                             const wh_schema *in, wh_step **ret, wh_error *err) {
  derive_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = derive_push;
  self->frame.step.close = derive_close;
  self->in_count = in->count;
  wh_status status = read_columns(self, context, options, err);
  if (status != WH_OK) {
    derive_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_derive = {
    .name = "derive",
    .shape = "{ column: \"expression\", ... }",
    .help =
        "adds columns that are computed from others ([expressions](#expressions)), or replaces "
        "them, in the order written; later ones see earlier ones. A row for which one cannot be "
        "computed is rejected",
    .example = "derive: { label: \"order_number || ' ' || coalesce(status, 'unknown')\", "
               "size: \"length(label)\" }",
    .finds_columns = true,
    .bind = derive_bind,
};
