// flatten: the fields of a struct column as columns in its place, named column.field.
#include "step/frame.h"
#include "step/steps.h"

// Where a column of what comes out stands in what comes in.
typedef struct origin {
  size_t at;
  ptrdiff_t child; // of the struct there; -1: the column itself
} origin;

typedef struct flatten_step {
  wh_frame frame;
  origin *origins;
} flatten_step;

// A field is NULL where its struct is.
static wh_status take_child(const wh_column *from, const wh_column *child, wh_column *out,
                            wh_error *err) {
  if (from->null_count == 0) {
    wh_column_borrow(out, child);
    return WH_OK;
  }
  for (size_t row = 0; row < from->length; row++) {
    if (wh_column_is_null(from, row))
      WH_TRY(wh_column_add_null(out, err));
    else
      WH_TRY(wh_column_add_from(out, child, row, err));
  }
  return WH_OK;
}

static wh_status flatten_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                              wh_error *err) {
  (void)rejects;
  flatten_step *self = (flatten_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; in->rows && i < self->frame.schema.count; i++) {
    const origin *o = &self->origins[i];
    const wh_column *from = &in->columns[o->at];
    if (o->child < 0)
      wh_column_borrow(&out->columns[i], from);
    else
      WH_TRY(take_child(from, &from->children[o->child], &out->columns[i], err));
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status check_column(const wh_step_context *context, const wh_schema *in,
                              const wh_node *name, wh_arena *arena, wh_error *err) {
  size_t at;
  WH_TRY(wh_node_expect(name, WH_NODE_SCALAR, "flatten", "the name of a column", err));
  if (context->dry && wh_schema_find(in, name->text) < 0) return WH_OK;
  WH_TRY(wh_column_by_node(in, name, "flatten", &at, err));
  const wh_type *type = &in->fields[at].type;
  if (type->kind == WH_STRUCT || (type->kind == WH_NULL && context->dry)) return WH_OK;
  return wh_node_fail(name, err, "flatten: column '%.*s' is %.*s, and has no fields",
                      WH_STR_ARG(name->text), WH_STR_ARG(wh_type_friendly(type, arena)));
}

static const wh_node *named(const wh_node *options, wh_str column) {
  for (size_t i = 0; i < wh_node_count(options); i++)
    if (wh_str_eq(wh_node_item(options, i)->text, column)) return wh_node_item(options, i);
  return NULL;
}

static wh_status add_field(flatten_step *self, const wh_node *node, const wh_field *field,
                           origin from, wh_error *err) {
  wh_frame *frame = &self->frame;
  // Only what was flattened can be there before, and has a point in its name.
  bool may_be_there = from.child >= 0 || memchr(field->name.data, '.', field->name.len);
  if (may_be_there && wh_schema_find(&frame->schema, field->name) >= 0)
    return wh_node_fail(node, err, "flatten: there is a column '%.*s' already",
                        WH_STR_ARG(field->name));
  if (frame->schema.count == WH_COLUMNS_MAX)
    return wh_node_fail(node, err, "flatten: more than %d columns", WH_COLUMNS_MAX);
  self->origins[frame->schema.count] = from;
  frame->fields[frame->schema.count++] = *field;
  return WH_OK;
}

static wh_status add_struct(flatten_step *self, const wh_node *node, const wh_field *parent,
                            size_t at, wh_error *err) {
  for (size_t k = 0; k < parent->type.field_count; k++) {
    wh_field field = parent->type.fields[k];
    field.name = wh_arena_printf(&self->frame.arena, "%.*s.%.*s", WH_STR_ARG(parent->name),
                                 WH_STR_ARG(field.name));
    if (!field.name.data) return wh_fail_memory(err);
    field.nullable |= parent->nullable;
    if (parent->privacy > field.privacy) field.privacy = parent->privacy;
    WH_TRY(add_field(self, node, &field, (origin){at, (ptrdiff_t)k}, err));
  }
  return WH_OK;
}

static wh_status read_columns(flatten_step *self, const wh_step_context *context,
                              const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  const wh_schema in = frame->schema;
  for (size_t i = 0; i < wh_node_count(options); i++)
    WH_TRY(check_column(context, &in, wh_node_item(options, i), &frame->arena, err));
  size_t count = in.count;
  for (size_t i = 0; i < in.count; i++)
    if (in.fields[i].type.kind == WH_STRUCT) count += in.fields[i].type.field_count;
  frame->fields = WH_NEW_ARRAY(&frame->arena, count, wh_field);
  self->origins = WH_NEW_ARRAY(&frame->arena, count, origin);
  if (!frame->fields || !self->origins) return wh_fail_memory(err);
  frame->schema = (wh_schema){0, frame->fields};
  for (size_t i = 0; i < in.count; i++) {
    const wh_field *field = &in.fields[i];
    const wh_node *node = named(options, field->name);
    if (node && field->type.kind == WH_STRUCT)
      WH_TRY(add_struct(self, node, field, i, err));
    else
      WH_TRY(add_field(self, wh_node_item(options, 0), field, (origin){i, -1}, err));
  }
  return WH_OK;
}

static wh_status flatten_bind(const wh_step_context *context, const wh_node *options,
                              const wh_schema *in, wh_step **ret, wh_error *err) {
  flatten_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = flatten_push;
  wh_status status = read_columns(self, context, options, err);
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_flatten = {
    .name = "flatten",
    .shape = "column | [column, ...]",
    .help = "the fields of a struct column as columns in its place, named column.field",
    .example = "flatten: address",
    .finds_columns = true,
    .bind = flatten_bind,
};
