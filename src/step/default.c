// default: a value in place of NULL.
#include "data/value.h"

#include "step/frame.h"
#include "step/steps.h"

typedef struct default_step {
  wh_frame frame;
  bool dry;          // a type that is not known is no fault
  wh_value **values; // of each column; NULL: it passes
} default_step;

static wh_status fill_column(const wh_value *value, const wh_column *in, wh_column *out,
                             wh_error *err) {
  if (in->null_count == 0) {
    wh_column_borrow(out, in);
    return WH_OK;
  }
  for (size_t row = 0; row < in->length;) {
    size_t from = row;
    while (row < in->length && !wh_column_is_null(in, row))
      row++;
    WH_TRY(wh_column_add_range(out, in, from, row - from, err));
    for (; row < in->length && wh_column_is_null(in, row); row++)
      WH_TRY(wh_value_add(out, value, err));
  }
  return WH_OK;
}

static wh_status default_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                              wh_error *err) {
  (void)rejects;
  default_step *self = (default_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    if (self->values[i])
      WH_TRY(fill_column(self->values[i], &in->columns[i], &out->columns[i], err));
    else
      wh_column_borrow(&out->columns[i], &in->columns[i]);
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status read_value(default_step *self, const wh_node *node, const wh_field *field,
                            wh_value **ret, wh_error *err) {
  wh_arena *arena = &self->frame.arena;
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "default", "a value", err));
  if (field->type.kind == WH_NULL && self->dry) return WH_OK;
  if (field->type.kind == WH_NULL) {
    return wh_node_fail(node, err,
                        "default: column '%.*s' has no values, so its type is not known; give it "
                        "one with a cast before",
                        WH_STR_ARG(field->name));
  }
  wh_value *value = WH_NEW(arena, wh_value);
  if (!value) return wh_fail_memory(err);
  wh_error why = {0};
  wh_status status = wh_value_parse(node->text, &field->type, arena, value, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) {
    return wh_node_fail(node, err, "default: %s, and so no value of column '%.*s'", why.text,
                        WH_STR_ARG(field->name));
  }
  *ret = value;
  return WH_OK;
}

static wh_status read_columns(default_step *self, const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "default", "a map of columns", err));
  self->values = WH_NEW_ARRAY(&frame->arena, frame->schema.count, wh_value *);
  if (!self->values) return wh_fail_memory(err);
  for (size_t i = 0; i < options->count; i++) {
    size_t at = 0;
    WH_TRY(wh_column_by_node(&frame->schema, options->entries[i].key, "default", &at, err));
    WH_TRY(read_value(self, options->entries[i].value, &frame->fields[at], &self->values[at], err));
    frame->fields[at].nullable = false;
  }
  return WH_OK;
}

static wh_status default_bind(const wh_step_context *context, const wh_node *options,
                              const wh_schema *in, wh_step **ret, wh_error *err) {
  default_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = default_push;
  self->dry = context->dry;
  wh_status status = read_columns(self, options, err);
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_default = {
    .name = "default",
    .shape = "{ column: value }",
    .help = "puts a value in place of NULL",
    .example = "default: { quantity: 1, status: \"unknown\" }",
    .bind = default_bind,
};
