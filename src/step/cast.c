// cast: a column of another type. What cannot be represented is rejected, never guessed.
#include "data/cast.h"

#include "step/frame.h"
#include "step/steps.h"

static const char *const cast_words[] = {"type", "format", "zone", NULL};

typedef struct cast_column {
  size_t at;
  wh_cast_options options;
} cast_column;

typedef struct cast_step {
  wh_frame frame;
  const wh_step_context *context; // while binding
  cast_column **columns;          // of each column of the schema; NULL: it passes
} cast_step;

// One column of one batch, for the callback.
typedef struct cast_job {
  cast_step *self;
  const wh_batch *in;
  wh_rejects *rejects;
  size_t at;
} cast_job;

static wh_status cast_failed(void *context, size_t row, const char *reason, wh_error *err) {
  cast_job *job = context;
  const wh_field *field = &job->in->schema->fields[job->at];
  wh_str text =
      field->privacy >= WH_PERSONAL ? WH_STR("the value does not fit the type") : wh_str_of(reason);
  return wh_frame_reject(&job->self->frame, job->in, row, job->rejects, "type", field->name, text,
                         err);
}

static wh_status cast_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                           wh_error *err) {
  cast_step *self = (cast_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    if (!self->columns[i]) {
      wh_column_borrow(&out->columns[i], &in->columns[i]);
      continue;
    }
    cast_job job = {self, in, rejects, i};
    WH_TRY(wh_cast_column(&in->columns[i], &out->columns[i], &self->columns[i]->options,
                          cast_failed, &job, err));
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status read_type(cast_step *self, const wh_node *node, wh_field *field, wh_error *err) {
  wh_arena *arena = &self->frame.arena;
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "cast", "a type", err));
  wh_type type;
  wh_error why = {0};
  wh_status status = wh_type_parse(node->text, arena, &type, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) return wh_node_fail(node, err, "cast: %s", why.text);
  if (!wh_cast_possible(&field->type, &type)) {
    wh_str from = wh_type_friendly(&field->type, arena), to = wh_type_friendly(&type, arena);
    return wh_node_fail(node, err, "cast: column '%.*s' is %.*s, which cannot become %.*s",
                        WH_STR_ARG(field->name), WH_STR_ARG(from), WH_STR_ARG(to));
  }
  field->type = type;
  return WH_OK;
}

static wh_status read_formats(cast_step *self, const wh_node *node, wh_cast_options *options,
                              wh_error *err) {
  wh_arena *arena = &self->frame.arena;
  size_t count = wh_node_count(node);
  wh_str *formats = WH_NEW_ARRAY(arena, count, wh_str);
  if (!formats) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    const wh_node *item = wh_node_item(node, i);
    WH_TRY(wh_node_expect(item, WH_NODE_SCALAR, "cast", "a format such as \"%d.%m.%Y\"", err));
    if (!memchr(item->text.data, '%', item->text.len)) {
      return wh_node_fail(item, err,
                          "cast: '%.*s' is no format: it has no %%. A format is written like "
                          "\"%%d.%%m.%%Y\"",
                          WH_STR_ARG(item->text));
    }
    formats[i] = wh_arena_str(arena, item->text);
    if (!formats[i].data) return wh_fail_memory(err);
  }
  options->formats = formats;
  options->format_count = count;
  return WH_OK;
}

static wh_status read_zone(cast_step *self, const wh_node *node, wh_cast_options *options,
                           wh_error *err) {
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "cast", "a time zone", err));
  wh_error why = {0};
  wh_status status =
      wh_zone_open(self->context->os, node->text, &self->frame.arena, &options->zone, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) return wh_node_fail(node, err, "cast: %s", why.text);
  return WH_OK;
}

static wh_status read_column(cast_step *self, const wh_node *name, const wh_node *value,
                             wh_error *err) {
  wh_frame *frame = &self->frame;
  cast_column *cast = WH_NEW(&frame->arena, cast_column);
  if (!cast) return wh_fail_memory(err);
  WH_TRY(wh_column_by_node(&frame->schema, name, "cast", &cast->at, err));
  wh_field *field = &frame->fields[cast->at];
  cast->options.zone = self->context->zone;
  cast->options.settle_local = wh_str_eq(field->name, self->context->cursor);
  cast->options.clock_us = self->context->clock_us;
  self->columns[cast->at] = cast;
  if (value->kind != WH_NODE_MAP) return read_type(self, value, field, err);
  for (size_t i = 0; i < value->count; i++) {
    const wh_node *word = value->entries[i].key, *what = value->entries[i].value;
    WH_TRY(wh_node_expect(word, WH_NODE_SCALAR, "cast", "type, format or zone", err));
    if (wh_str_is(word->text, "type"))
      WH_TRY(read_type(self, what, field, err));
    else if (wh_str_is(word->text, "format"))
      WH_TRY(read_formats(self, what, &cast->options, err));
    else if (wh_str_is(word->text, "zone"))
      WH_TRY(read_zone(self, what, &cast->options, err));
    else
      return wh_fail_word(word, "cast", cast_words, err);
  }
  if (wh_node_get(value, "type")) return WH_OK;
  return wh_node_fail(value, err, "cast: column '%.*s' needs a type", WH_STR_ARG(field->name));
}

static wh_status read_columns(cast_step *self, const wh_node *options, wh_error *err) {
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "cast", "a map of columns", err));
  self->columns = WH_NEW_ARRAY(&self->frame.arena, self->frame.schema.count, cast_column *);
  if (!self->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < options->count; i++)
    WH_TRY(read_column(self, options->entries[i].key, options->entries[i].value, err));
  return WH_OK;
}

static wh_status cast_bind(const wh_step_context *context, const wh_node *options,
                           const wh_schema *in, wh_step **ret, wh_error *err) {
  cast_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = cast_push;
  self->context = context;
  wh_status status = read_columns(self, options, err);
  self->context = NULL;
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_cast = {
    .name = "cast",
    .shape = "{ column: type } | { column: { type: TYPE, format: [pattern, ...], zone: ZONE } }",
    .help = "gives columns another type; a row whose value does not fit exactly is rejected",
    .example = "cast: { quantity: int64, order_date: { type: date, format: \"%d.%m.%Y\" } }",
    .bind = cast_bind,
};
