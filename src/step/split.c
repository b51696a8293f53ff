// split: the parts of a text as columns. Parts that there are not are NULL; the last column takes
// what remains, so that no text is lost.
#include "step/added.h"
#include "step/steps.h"

static const char *const split_words[] = {"column", "by", "into", NULL};

typedef struct split_step {
  wh_frame frame;
  size_t from;
  wh_str by;
  size_t *into; // places in the schema
  size_t count;
  size_t in_count;
} split_step;

// Where `by` stands in the text, or its end.
static size_t find(wh_str text, wh_str by) {
  const char *found = text.len ? memmem(text.data, text.len, by.data, by.len) : NULL;
  return found ? (size_t)(found - text.data) : text.len;
}

static wh_status split_row(const split_step *self, wh_str text, wh_batch *out, wh_error *err) {
  bool left = true;
  for (size_t i = 0; i < self->count; i++) {
    wh_column *column = &out->columns[self->into[i]];
    if (!left) {
      WH_TRY(wh_column_add_null(column, err));
      continue;
    }
    size_t end = i + 1 < self->count ? find(text, self->by) : text.len;
    WH_TRY(wh_column_add_text(column, wh_str_sub(text, 0, end), err));
    left = end < text.len;
    text = wh_str_sub(text, end + self->by.len, text.len);
  }
  return WH_OK;
}

static wh_status split_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                            wh_error *err) {
  (void)rejects;
  split_step *self = (split_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  const wh_column *from = &in->columns[self->from];
  for (size_t row = 0; row < in->rows; row++) {
    if (!wh_column_is_null(from, row)) {
      WH_TRY(split_row(self, wh_column_text(from, row), out, err));
      continue;
    }
    for (size_t i = 0; i < self->count; i++)
      WH_TRY(wh_column_add_null(&out->columns[self->into[i]], err));
  }
  for (size_t i = 0; i < self->in_count; i++) {
    bool replaced = false;
    for (size_t k = 0; k < self->count; k++)
      replaced |= self->into[k] == i;
    if (!replaced) wh_column_borrow(&out->columns[i], &in->columns[i]);
  }
  return wh_frame_end(&self->frame, out, err);
}

static wh_status read_column(split_step *self, const wh_step_context *context, const wh_node *node,
                             wh_class *ret_privacy, wh_error *err) {
  const wh_schema *schema = &self->frame.schema;
  bool there = node->kind == WH_NODE_SCALAR && wh_schema_find(schema, node->text) >= 0;
  if (context->dry && node->kind == WH_NODE_SCALAR && !there) return WH_OK;
  WH_TRY(wh_column_by_node(schema, node, "split", &self->from, err));
  const wh_field *field = &schema->fields[self->from];
  *ret_privacy = field->privacy;
  if (field->type.kind == WH_STRING || field->type.kind == WH_NULL) return WH_OK;
  wh_str type = wh_type_friendly(&field->type, &self->frame.arena);
  return wh_node_fail(node, err, "split: column '%.*s' is %.*s; only text can be split",
                      WH_STR_ARG(field->name), WH_STR_ARG(type));
}

static wh_status read_into(split_step *self, const wh_node *node, wh_class privacy, wh_error *err) {
  wh_frame *frame = &self->frame;
  size_t count = wh_node_count(node);
  const wh_field field = {.type = wh_type_of(WH_STRING), .nullable = true, .privacy = privacy};
  WH_TRY(wh_added_reserve(frame, count, err));
  self->into = WH_NEW_ARRAY(&frame->arena, count, size_t);
  if (!self->into) return wh_fail_memory(err);
  for (; self->count < count; self->count++) {
    const wh_node *name = wh_node_item(node, self->count);
    WH_TRY(wh_added_put(frame, name, "split", &field, &self->into[self->count], err));
    for (size_t i = 0; i < self->count; i++)
      if (self->into[i] == self->into[self->count])
        return wh_node_fail(name, err, "split: '%.*s' is there twice", WH_STR_ARG(name->text));
  }
  return WH_OK;
}

static wh_status read_by(split_step *self, const wh_node *node, wh_error *err) {
  if (node->kind != WH_NODE_SCALAR || node->text.len == 0 || !wh_utf8_valid(node->text))
    return wh_node_fail(node, err, "split: by is the text between the parts, such as \" \"");
  self->by = wh_arena_str(&self->frame.arena, node->text);
  return self->by.data ? WH_OK : wh_fail_memory(err);
}

static wh_status read_options(split_step *self, const wh_step_context *context,
                              const wh_node *options, wh_error *err) {
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "split", "a map with column, by and into", err));
  for (size_t i = 0; i < options->count; i++) {
    bool known = false;
    for (size_t k = 0; split_words[k]; k++)
      known |= wh_str_is(options->entries[i].key->text, split_words[k]);
    if (!known) return wh_fail_word(options->entries[i].key, "split", split_words, err);
  }
  const wh_node *column = wh_node_get(options, "column"), *by = wh_node_get(options, "by");
  const wh_node *into = wh_node_get(options, "into");
  if (!column || !by || !into || wh_node_count(into) == 0)
    return wh_node_fail(options, err, "split: needs column, by and into: [column, ...]");
  wh_class privacy = WH_INTERNAL;
  WH_TRY(read_column(self, context, column, &privacy, err));
  WH_TRY(read_by(self, by, err));
  return read_into(self, into, privacy, err);
}

static wh_status split_bind(const wh_step_context *context, const wh_node *options,
                            const wh_schema *in, wh_step **ret, wh_error *err) {
  split_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = split_push;
  self->in_count = in->count;
  wh_status status = read_options(self, context, options, err);
  if (status != WH_OK) {
    wh_frame_free(&self->frame);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_split = {
    .name = "split",
    .shape = "{ column: column, by: text, into: [column, ...] }",
    .help =
        "the parts of a text as columns; parts that there are not are NULL, and the last column "
        "takes what remains",
    .example = "split: { column: customer_name, by: \" \", into: [firstname, surname] }",
    .finds_columns = true,
    .bind = split_bind,
};
