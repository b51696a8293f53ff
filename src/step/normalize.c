// normalize: text that means the same becomes the same (form.h). What has no such form is rejected.
#include "step/form.h"
#include "step/frame.h"
#include "step/steps.h"

typedef struct normal_column {
  wh_form *forms; // one after the other
  size_t count;
} normal_column;

typedef struct normalize_step {
  wh_frame frame;
  normal_column *columns; // of each column; without forms it passes
  wh_buf halves[2];       // from one to the other, form by form
} normalize_step;

static wh_status reject(normalize_step *self, const wh_batch *in, size_t row, size_t at,
                        const char *why, wh_rejects *rejects, wh_error *err) {
  if (!wh_frame_keeps(&self->frame, row)) return WH_OK;
  wh_buf *text = &self->frame.text;
  wh_buf_clear(text);
  wh_step_show_value(text, &in->schema->fields[at], &in->columns[at], row);
  wh_buf_printf(text, " %s", why);
  WH_TRY(wh_buf_check(text, err));
  return wh_frame_reject(&self->frame, in, row, rejects, "normalize", in->schema->fields[at].name,
                         wh_buf_str(text), err);
}

static wh_status add_value(normalize_step *self, const wh_batch *in, size_t row, size_t at,
                           wh_column *out, wh_rejects *rejects, wh_error *err) {
  const normal_column *c = &self->columns[at];
  if (wh_column_is_null(&in->columns[at], row)) return wh_column_add_null(out, err);
  wh_str text = wh_column_text(&in->columns[at], row);
  for (size_t i = 0; i < c->count; i++) {
    const char *why;
    wh_buf *half = &self->halves[i % 2];
    WH_TRY(wh_form_write(&c->forms[i], text, half, &why, err));
    if (why) {
      WH_TRY(reject(self, in, row, at, why, rejects, err));
      text = WH_STR(""); // the row does not go on
      break;
    }
    text = wh_buf_str(half);
  }
  return wh_column_add_text(out, text, err);
}

static wh_status normalize_push(wh_step *step, const wh_batch *in, wh_batch *out,
                                wh_rejects *rejects, wh_error *err) {
  normalize_step *self = (normalize_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++) {
    if (!self->columns[i].count) {
      wh_column_borrow(&out->columns[i], &in->columns[i]);
      continue;
    }
    for (size_t row = 0; row < in->rows; row++)
      WH_TRY(add_value(self, in, row, i, &out->columns[i], rejects, err));
  }
  return wh_frame_end(&self->frame, out, err);
}

static void normalize_close(wh_step *step) {
  normalize_step *self = (normalize_step *)step;
  wh_buf_free(&self->halves[0]);
  wh_buf_free(&self->halves[1]);
  wh_frame_close(step);
}

static wh_status read_forms(normalize_step *self, const wh_node *node, normal_column *ret,
                            wh_error *err) {
  size_t count = wh_node_count(node);
  ret->forms = WH_NEW_ARRAY(&self->frame.arena, count, wh_form);
  if (!ret->forms) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(wh_form_read(wh_node_item(node, i), "normalize", &ret->forms[i], err));
  ret->count = count;
  return WH_OK;
}

static wh_status read_columns(normalize_step *self, const wh_node *options, wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "normalize", "a map of columns", err));
  self->columns = WH_NEW_ARRAY(&frame->arena, frame->schema.count, normal_column);
  if (!self->columns) return wh_fail_memory(err);
  for (size_t i = 0; i < options->count; i++) {
    const wh_node *name = options->entries[i].key;
    normal_column column = {0};
    size_t at = 0;
    WH_TRY(wh_column_by_node(&frame->schema, name, "normalize", &at, err));
    WH_TRY(read_forms(self, options->entries[i].value, &column, err));
    const wh_type *type = &frame->fields[at].type;
    if (type->kind != WH_STRING && type->kind != WH_NULL) {
      return wh_node_fail(name, err, "normalize: column '%.*s' is %.*s; only text has these forms",
                          WH_STR_ARG(name->text),
                          WH_STR_ARG(wh_type_friendly(type, &frame->arena)));
    }
    if (type->kind == WH_STRING) self->columns[at] = column;
  }
  return WH_OK;
}

static wh_status normalize_bind(const wh_step_context *context, const wh_node *options,
                                const wh_schema *in, wh_step **ret, wh_error *err) {
  normalize_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = normalize_push;
  self->frame.step.close = normalize_close;
  wh_buf_init(&self->halves[0], context->mem, 0);
  wh_buf_init(&self->halves[1], context->mem, 0);
  wh_status status = read_columns(self, options, err);
  if (status != WH_OK) {
    normalize_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_normalize = {
    .name = "normalize",
    .shape = "{ column: form | [form, ...] }",
    .help =
        "writes text that means the same in the same way: whitespace, lower, upper, nfc, email, "
        "phone or phone +44; a row whose text is none of it is rejected",
    .example = "normalize: { customer_name: [nfc, whitespace], status: [whitespace, lower] }",
    .bind = normalize_bind,
};
