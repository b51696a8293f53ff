#include "step/frame.h"

#include "data/value.h"

// --- memory --------------------------------------------------------------------------------------

wh_status wh_frame_new(const wh_step_context *context, size_t size, const wh_schema *in,
                       void *ret_step, wh_error *err) {
  assert(size >= sizeof(wh_frame));
  wh_frame *frame = wh_mem_alloc_zero(context->mem, size);
  if (!frame) return wh_fail_memory(err);
  frame->size = size;
  frame->mem = context->mem;
  wh_arena_init(&frame->arena, context->mem);
  wh_buf_init(&frame->text, context->mem, WH_REASON_MAX);
  wh_status status = wh_schema_copy(in, &frame->arena, &frame->schema, err);
  if (status != WH_OK) {
    wh_frame_free(frame);
    return status;
  }
  frame->fields = (wh_field *)frame->schema.fields; // ours: the copy is in our arena
  frame->step = (wh_step){.schema = &frame->schema, .close = wh_frame_close};
  *(wh_frame **)ret_step = frame;
  return WH_OK;
}

void wh_frame_free(wh_frame *frame) {
  if (!frame) return;
  wh_batch_free(&frame->spare);
  wh_mem_free(frame->mem, frame->keep, frame->keep_cap);
  wh_buf_free(&frame->text);
  wh_arena_free(&frame->arena);
  wh_mem_free(frame->mem, frame, frame->size);
}

void wh_frame_close(wh_step *step) {
  wh_frame_free((wh_frame *)step);
}

// --- the way of a batch --------------------------------------------------------------------------

wh_status wh_frame_begin(wh_frame *frame, const wh_batch *in, wh_batch *out, wh_error *err) {
  size_t bytes = (in->rows + 7) / 8;
  if (bytes > frame->keep_cap) {
    uint8_t *keep = wh_mem_realloc(frame->mem, frame->keep, frame->keep_cap, bytes);
    if (!keep) return wh_fail_memory(err);
    frame->keep = keep;
    frame->keep_cap = bytes;
  }
  if (bytes) memset(frame->keep, 0xFF, bytes);
  frame->left_out = 0;
  wh_batch_reset(out);
  wh_batch_borrow_rows(out, in);
  return WH_OK;
}

void wh_frame_drop(wh_frame *frame, size_t row) {
  wh_bit_clear(frame->keep, row);
  frame->left_out++;
}

wh_status wh_frame_reject(wh_frame *frame, const wh_batch *in, size_t row, wh_rejects *rejects,
                          const char *rule, wh_str column, wh_str reason, wh_error *err) {
  if (!wh_frame_keeps(frame, row)) return WH_OK;
  wh_frame_drop(frame, row);
  if (!rejects) return WH_OK;
  wh_reject reject = {.rule = wh_str_of(rule),
                      .column = column,
                      .reason = reason,
                      .place = wh_batch_place(in, row)};
  return rejects->row(rejects, &reject, in, row, err);
}

wh_status wh_frame_end(wh_frame *frame, wh_batch *out, wh_error *err) {
  if (frame->left_out == 0) return WH_OK;
  if (!frame->spare.mem) WH_TRY(wh_batch_init(&frame->spare, frame->mem, &frame->schema, err));
  // What was built is filtered into the other one. Some rows are left out, so that it copies.
  wh_batch built = *out;
  *out = frame->spare;
  frame->spare = built;
  wh_status status = wh_batch_filter(&frame->spare, frame->keep, out, err);
  wh_batch_reset(&frame->spare);
  return status;
}

// --- values in reasons ---------------------------------------------------------------------------

static void add_escaped(wh_buf *out, wh_str text) {
  static const char hex[] = "0123456789abcdef";
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c >= 0x20 && c != 0x7F) {
      wh_buf_add_char(out, (char)c);
      continue;
    }
    char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
    wh_buf_add(out, escaped, sizeof escaped);
  }
}

void wh_step_show_value(wh_buf *out, const wh_field *field, const wh_column *column, size_t row) {
  if (field->privacy >= WH_PERSONAL) {
    wh_buf_add_c(out, "the value");
    return;
  }
  bool quoted = wh_kind_is_text(column->type.kind);
  if (quoted) wh_buf_add_char(out, '\'');
  if (column->type.kind == WH_STRING) {
    wh_str text = wh_column_text(column, row);
    wh_str shown = wh_str_sub(text, 0, wh_utf8_cut(text, WH_SHOWN_MAX));
    add_escaped(out, shown);
    if (shown.len < text.len) wh_buf_add_c(out, "...");
  } else {
    size_t from = out->len;
    wh_column_write(column, row, out);
    if (out->len - from > WH_SHOWN_MAX) {
      out->len = from + WH_SHOWN_MAX;
      wh_buf_add_c(out, "...");
    }
  }
  if (quoted) wh_buf_add_char(out, '\'');
}

// --- options -------------------------------------------------------------------------------------

wh_status wh_fail_no_column(const wh_schema *schema, const wh_node *node, const char *owner,
                            wh_str name, wh_error *err) {
  char text[WH_ERROR_TEXT_MAX / 2];
  size_t at = (size_t)snprintf(text, sizeof text, "%s: no column '%.*s' at this point", owner,
                               WH_STR_ARG(wh_str_sub(name, 0, wh_utf8_cut(name, WH_SHOWN_MAX))));
  wh_str nearest = {0};
  // One by one: the nearest of the nearest.
  for (size_t i = 0; i < schema->count; i++) {
    wh_str pair[2] = {schema->fields[i].name, nearest};
    wh_str better = wh_str_nearest(name, pair, nearest.data ? 2 : 1);
    if (better.data) nearest = better;
  }
  if (nearest.data) {
    snprintf(text + at, sizeof text - at, ". Did you mean '%.*s'?", WH_STR_ARG(nearest));
  } else {
    for (size_t i = 0; i < schema->count && i <= WH_LISTED_MAX && at < sizeof text; i++) {
      const char *before = i == 0 ? "; there are: " : ", ";
      wh_str field = schema->fields[i].name;
      int n = i < WH_LISTED_MAX
                  ? snprintf(text + at, sizeof text - at, "%s%.*s", before, WH_STR_ARG(field))
                  : snprintf(text + at, sizeof text - at, " and %zu more", schema->count - i);
      at += (size_t)n;
    }
  }
  if (node) return wh_node_fail(node, err, "%s", text);
  return wh_fail(err, WH_ERR_USAGE, "%s", text);
}

wh_status wh_node_expect(const wh_node *node, wh_node_kind kind, const char *owner,
                         const char *what, wh_error *err) {
  if (node->kind == kind && !(kind == WH_NODE_SCALAR && wh_node_is_null(node))) return WH_OK;
  return wh_node_fail(node, err, "%s: expected %s, found %s", owner, what, wh_node_kind_name(node));
}

wh_status wh_column_by_node(const wh_schema *schema, const wh_node *name, const char *owner,
                            size_t *ret, wh_error *err) {
  WH_TRY(wh_node_expect(name, WH_NODE_SCALAR, owner, "the name of a column", err));
  ptrdiff_t at = wh_schema_find(schema, name->text);
  if (at < 0) return wh_fail_no_column(schema, name, owner, name->text, err);
  *ret = (size_t)at;
  return WH_OK;
}

wh_status wh_fail_word(const wh_node *word, const char *owner, const char *const *words,
                       wh_error *err) {
  wh_str nearest = {0};
  char all[256] = "";
  size_t at = 0;
  for (size_t i = 0; words[i]; i++) {
    wh_str pair[2] = {wh_str_of(words[i]), nearest};
    wh_str better = wh_str_nearest(word->text, pair, nearest.data ? 2 : 1);
    if (better.data) nearest = better;
    if (at < sizeof all)
      at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", words[i]);
  }
  wh_str shown = wh_str_sub(word->text, 0, wh_utf8_cut(word->text, WH_SHOWN_MAX));
  if (nearest.data) {
    return wh_node_fail(word, err, "%s has no word '%.*s'. Did you mean '%.*s'?", owner,
                        WH_STR_ARG(shown), WH_STR_ARG(nearest));
  }
  return wh_node_fail(word, err, "%s has no word '%.*s'; its words are: %s", owner,
                      WH_STR_ARG(shown), all);
}
