// trim: white space at both ends of text, Unicode's too, goes. A text of white space only becomes
// empty, not NULL (`null_if: { column: "" }` makes it that).
#include "step/chars.h"
#include "step/frame.h"
#include "step/steps.h"

typedef struct trim_step {
  wh_frame frame;
  bool *chosen; // of each column
} trim_step;

// Most values need nothing: they begin and end with a visible ASCII character.
static wh_str trimmed(wh_str text) {
  if (text.len == 0) return text;
  unsigned char first = (unsigned char)text.data[0];
  unsigned char last = (unsigned char)text.data[text.len - 1];
  if (first > ' ' && first < 0x7F && last > ' ' && last < 0x7F) return text;
  return wh_chars_trim(text);
}

static wh_status trim_column(const wh_column *in, wh_column *out, wh_error *err) {
  size_t clean = 0;
  for (; clean < in->length; clean++) {
    wh_str text = wh_column_text(in, clean);
    if (trimmed(text).len != text.len) break;
  }
  if (clean == in->length) {
    wh_column_borrow(out, in);
    return WH_OK;
  }
  WH_TRY(wh_column_reserve(out, in->length, (size_t)in->offsets[in->length], err));
  WH_TRY(wh_column_add_range(out, in, 0, clean, err));
  for (size_t row = clean; row < in->length; row++) {
    if (wh_column_is_null(in, row))
      WH_TRY(wh_column_add_null(out, err));
    else
      WH_TRY(wh_column_add_text(out, trimmed(wh_column_text(in, row)), err));
  }
  return WH_OK;
}

static wh_status trim_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                           wh_error *err) {
  (void)rejects;
  trim_step *self = (trim_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    if (self->chosen[i])
      WH_TRY(trim_column(&in->columns[i], &out->columns[i], err));
    else
      wh_column_borrow(&out->columns[i], &in->columns[i]);
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status choose(trim_step *self, const wh_node *options, wh_error *err) {
  const wh_schema *schema = &self->frame.schema;
  bool all = options->kind == WH_NODE_SCALAR && options->plain && wh_str_is(options->text, "all");
  if (all) {
    for (size_t i = 0; i < schema->count; i++)
      self->chosen[i] = schema->fields[i].type.kind == WH_STRING;
    return WH_OK;
  }
  for (size_t i = 0; i < wh_node_count(options); i++) {
    const wh_node *name = wh_node_item(options, i);
    size_t at = 0;
    WH_TRY(wh_column_by_node(schema, name, "trim", &at, err));
    wh_kind kind = schema->fields[at].type.kind;
    if (kind != WH_STRING && kind != WH_NULL) {
      return wh_node_fail(
          name, err, "trim: column '%.*s' is %.*s; only text can be trimmed",
          WH_STR_ARG(name->text),
          WH_STR_ARG(wh_type_friendly(&schema->fields[at].type, &self->frame.arena)));
    }
    self->chosen[at] = kind == WH_STRING;
  }
  return WH_OK;
}

static wh_status trim_bind(const wh_step_context *context, const wh_node *options,
                           const wh_schema *in, wh_step **ret, wh_error *err) {
  trim_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = trim_push;
  self->chosen = WH_NEW_ARRAY(&self->frame.arena, in->count, bool);
  wh_status status = self->chosen ? choose(self, options, err) : wh_fail_memory(err);
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_trim = {
    .name = "trim",
    .shape = "[column, ...] | all",
    .help = "takes white space from both ends of text columns",
    .example = "trim: [customer_name, status]",
    .bind = trim_bind,
};
