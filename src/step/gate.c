#include "step/gate.h"

#include "data/cast.h"
#include "data/deleted.h"
#include "data/value.h"

#include "step/frame.h"

// One column as it crosses.
typedef struct crossing {
  size_t from; // of the incoming schema
  wh_str name;
  bool is_cast;
  bool hides; // the value must not stand in a reason: masked or personal
  const wh_mask *mask;
  wh_mask_key key; // made once
  wh_cast_options options;
  wh_column cast; // cast and masked: what lies between the two
} crossing;

typedef struct gate_step {
  wh_frame frame;
  crossing *crossings; // of the outgoing schema's columns
  bool changes;        // some column is cast or masked
  size_t *map;         // crossings[i].from, for wh_batch_borrow
  wh_buf masked;       // a value's mask, and its text
} gate_step;

// --- rows ----------------------------------------------------------------------------------------

typedef struct cast_job {
  gate_step *self;
  const crossing *column;
  const wh_batch *in;
  wh_rejects *rejects;
} cast_job;

static wh_status cast_failed(void *context, size_t row, const char *reason, wh_error *err) {
  cast_job *job = context;
  wh_str text = job->column->hides ? WH_STR("the value does not fit the type") : wh_str_of(reason);
  return wh_frame_reject(&job->self->frame, job->in, row, job->rejects, "type", job->column->name,
                         text, err);
}

static wh_status mask_row(gate_step *self, crossing *c, const wh_column *from, size_t row,
                          wh_column *out, wh_error *err) {
  wh_buf *buf = &self->masked;
  wh_buf_clear(buf);
  bool is_null = wh_column_is_null(from, row);
  size_t text_len = 0;
  if (!is_null && c->mask->kind != WH_MASK_NULL) {
    wh_str text;
    if (from->type.kind == WH_STRING) {
      text = wh_column_text(from, row);
    } else {
      // The canonical text goes in front of its mask; room first, so that it does not move.
      if (!wh_column_write(from, row, buf)) return wh_buf_check(buf, err);
      text_len = buf->len;
      size_t most =
          text_len * 5 + WH_MASK_HMAC_DIGITS + 1; // a fill has up to 4 bytes; a token, less
      if (!wh_buf_reserve(buf, most)) return wh_buf_check(buf, err);
      text = wh_buf_str(buf);
    }
    WH_TRY(wh_mask_apply_keyed(c->mask, &c->key, text, buf, &is_null, err));
  } else {
    is_null = true;
  }
  if (is_null) return wh_column_add_null(out, err);
  return wh_column_add_text(out, wh_str_sub(wh_buf_str(buf), text_len, buf->len), err);
}

static wh_status mask_column(gate_step *self, crossing *c, const wh_column *from, wh_column *out,
                             wh_error *err) {
  WH_TRY(wh_column_reserve(out, from->length, 0, err));
  for (size_t row = 0; row < from->length; row++)
    WH_TRY(mask_row(self, c, from, row, out, err));
  return WH_OK;
}

static wh_status cross(gate_step *self, crossing *c, const wh_batch *in, wh_column *out,
                       wh_rejects *rejects, wh_error *err) {
  const wh_column *from = &in->columns[c->from];
  if (!c->is_cast && !c->mask) {
    wh_column_borrow(out, from);
    return WH_OK;
  }
  if (c->is_cast) {
    cast_job job = {self, c, in, rejects};
    wh_column *to = c->mask ? &c->cast : out;
    if (c->mask) wh_column_reset(to);
    WH_TRY(wh_cast_column(from, to, &c->options, cast_failed, &job, err));
    from = to;
  }
  return c->mask ? mask_column(self, c, from, out, err) : WH_OK;
}

static wh_status gate_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                           wh_error *err) {
  gate_step *self = (gate_step *)step;
  if (!self->changes) { // nothing is copied
    wh_batch_borrow(out, in, self->map);
    return WH_OK;
  }
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++)
    WH_TRY(cross(self, &self->crossings[i], in, &out->columns[i], rejects, err));
  return wh_frame_end(&self->frame, out, err);
}

static void gate_close(wh_step *step) {
  gate_step *self = (gate_step *)step;
  for (size_t i = 0; self->crossings && i < self->frame.schema.count; i++) {
    wh_column_free(&self->crossings[i].cast);
    wh_mask_key_clear(&self->crossings[i].key);
  }
  wh_buf_free(&self->masked);
  wh_frame_free(&self->frame);
}

// --- binding -------------------------------------------------------------------------------------

__attribute__((format(printf, 3, 4))) static wh_status fail(const wh_gate_column *column,
                                                            wh_error *err, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (column && column->node) return wh_node_fail(column->node, err, "%s", text);
  return wh_fail(err, WH_ERR_USAGE, "%s", text);
}

// What a binding needs beside the step.
typedef struct binding {
  gate_step *self;
  const wh_step_context *context;
  const wh_schema *in;
  wh_field *fields; // of the outgoing schema, filled one by one
  size_t count;
  const wh_gate_column **owners; // who listed each; NULL: `all` let it through
} binding;

static wh_status set_cast(binding *b, crossing *c, const wh_gate_column *column, wh_field *field,
                          wh_error *err) {
  wh_arena *arena = &b->self->frame.arena;
  const wh_field *from = &b->in->fields[c->from];
  if (wh_type_eq(&from->type, &column->type)) return WH_OK;
  if (!wh_cast_possible(&from->type, &column->type)) {
    wh_str have = wh_type_friendly(&from->type, arena);
    wh_str want = wh_type_friendly(&column->type, arena);
    return fail(column, err, "columns: '%.*s' is %.*s, which cannot become %.*s",
                WH_STR_ARG(from->name), WH_STR_ARG(have), WH_STR_ARG(want));
  }
  // A schema of its own for the type's fields, which may live shorter than the step.
  wh_field lone = {.type = column->type};
  wh_schema copied;
  WH_TRY(wh_schema_copy(&(wh_schema){1, &lone}, arena, &copied, err));
  c->is_cast = true;
  c->options = (wh_cast_options){.zone = b->context->zone,
                                 .settle_local = wh_str_eq(from->name, b->context->cursor),
                                 .clock_us = b->context->clock_us};
  field->type = copied.fields[0].type;
  return WH_OK;
}

static wh_status set_mask(crossing *c, const wh_gate_column *column, wh_field *field, wh_mem *mem,
                          wh_error *err) {
  wh_kind kind = field->type.kind;
  if (kind == WH_LIST || kind == WH_STRUCT) {
    return fail(column, err, "columns: '%.*s' is a %s and cannot be masked; leave it out",
                WH_STR_ARG(column->from), kind == WH_LIST ? "list" : "struct");
  }
  wh_error why = {0};
  wh_status status = wh_mask_check(column->mask, &why);
  if (status == WH_OK) status = wh_mask_key_init(&c->key, column->mask, &why);
  if (status != WH_OK) return fail(column, err, "%s", why.text);
  if (c->is_cast) wh_column_init(&c->cast, mem, &field->type);
  c->mask = column->mask;
  field->type = wh_type_of(WH_STRING);
  field->nullable = true; // what has nothing to hide becomes NULL
  return WH_OK;
}

// The class a column has when nobody declares one: internal, or the source's where that is higher.
static wh_class class_of(const wh_gate_column *column, const wh_field *from) {
  if (column && column->has_privacy) return column->privacy;
  return from->privacy > WH_INTERNAL ? from->privacy : WH_INTERNAL;
}

// Lets one source column cross, as `column` says, or as it is (NULL).
static wh_status add_crossing(binding *b, size_t from, const wh_gate_column *column,
                              wh_error *err) {
  gate_step *self = b->self;
  const wh_field *source = &b->in->fields[from];
  crossing *c = &self->crossings[b->count];
  wh_field *field = &b->fields[b->count];
  *field = *source;
  field->privacy = class_of(column, source);
  c->from = from;
  if (column) {
    field->name = wh_arena_str(&self->frame.arena, column->name);
    if (!field->name.data) return wh_fail_memory(err);
    if (column->has_type) WH_TRY(set_cast(b, c, column, field, err));
    if (column->mask) WH_TRY(set_mask(c, column, field, self->frame.mem, err));
  }
  c->name = field->name;
  c->hides = c->mask || field->privacy >= WH_PERSONAL || source->privacy >= WH_PERSONAL;
  // What a mask leaves is not personal any more: it may go on to whoever takes internal data.
  if (c->mask && field->privacy > WH_INTERNAL) field->privacy = WH_INTERNAL;
  self->changes |= c->is_cast || c->mask;
  self->map[b->count] = from;
  b->owners[b->count++] = column;
  return WH_OK;
}

static wh_status find_source(const binding *b, const wh_gate_column *column, size_t *ret,
                             wh_error *err) {
  ptrdiff_t at = wh_schema_find(b->in, column->from);
  if (at < 0) return wh_fail_no_column(b->in, column->node, "columns", column->from, err);
  *ret = (size_t)at;
  return WH_OK;
}

// That a row is gone crosses with it, behind the other columns, whatever is listed.
static wh_status cross_deleted(binding *b, wh_error *err) {
  ptrdiff_t at = wh_deleted_column(b->in);
  return at < 0 ? WH_OK : add_crossing(b, (size_t)at, NULL, err);
}

static wh_status cross_listed(binding *b, const wh_gate *gate, wh_error *err) {
  for (size_t i = 0; i < gate->count; i++) {
    size_t from = 0;
    WH_TRY(find_source(b, &gate->columns[i], &from, err));
    WH_TRY(add_crossing(b, from, &gate->columns[i], err));
  }
  return WH_OK;
}

// In the source's order; in place of a column that is listed come the ones that take it.
static wh_status cross_all(binding *b, const wh_gate *gate, wh_error *err) {
  size_t *sources = WH_NEW_ARRAY(&b->self->frame.arena, gate->count, size_t);
  if (!sources) return wh_fail_memory(err);
  for (size_t i = 0; i < gate->count; i++)
    WH_TRY(find_source(b, &gate->columns[i], &sources[i], err));
  ptrdiff_t deleted = wh_deleted_column(b->in);
  for (size_t from = 0; from < b->in->count; from++) {
    bool listed = (ptrdiff_t)from == deleted; // see cross_deleted
    for (size_t i = 0; i < gate->count; i++) {
      if (sources[i] != from) continue;
      listed = true;
      WH_TRY(add_crossing(b, from, &gate->columns[i], err));
    }
    if (!listed) WH_TRY(add_crossing(b, from, NULL, err));
  }
  return WH_OK;
}

static int compare_names(const void *a, const void *b, void *fields) {
  const wh_field *f = fields;
  size_t i = *(const size_t *)a, k = *(const size_t *)b;
  int order = wh_str_cmp(f[i].name, f[k].name);
  return order ? order : i < k ? -1 : i > k; // of equal ones the earlier first
}

static wh_status refuse_duplicates(const binding *b, wh_error *err) {
  size_t *order = WH_NEW_ARRAY(&b->self->frame.arena, b->count, size_t);
  if (!order) return wh_fail_memory(err);
  for (size_t i = 0; i < b->count; i++)
    order[i] = i;
  if (b->count) qsort_r(order, b->count, sizeof *order, compare_names, b->fields);
  for (size_t i = 1; i < b->count; i++) {
    size_t first = order[i - 1], second = order[i];
    if (!wh_str_eq(b->fields[first].name, b->fields[second].name)) continue;
    const wh_gate_column *owner = b->owners[second] ? b->owners[second] : b->owners[first];
    return fail(owner, err, "columns: two columns would cross as '%.*s', from '%.*s' and '%.*s'",
                WH_STR_ARG(b->fields[second].name),
                WH_STR_ARG(b->in->fields[b->self->map[first]].name),
                WH_STR_ARG(b->in->fields[b->self->map[second]].name));
  }
  return WH_OK;
}

static wh_status bind_columns(binding *b, const wh_gate *gate, wh_error *err) {
  wh_frame *frame = &b->self->frame;
  size_t most = gate->count + (gate->all ? b->in->count : 1);
  if (most > WH_COLUMNS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "columns: more than %d columns", WH_COLUMNS_MAX);
  }
  b->fields = WH_NEW_ARRAY(&frame->arena, most, wh_field);
  b->owners = WH_NEW_ARRAY(&frame->arena, most, const wh_gate_column *);
  b->self->crossings = WH_NEW_ARRAY(&frame->arena, most, crossing);
  b->self->map = WH_NEW_ARRAY(&frame->arena, most, size_t);
  // The schema now has the outgoing columns, so that a half-bound gate closes.
  frame->schema = (wh_schema){0, b->fields};
  if (!b->fields || !b->owners || !b->self->crossings || !b->self->map) return wh_fail_memory(err);
  wh_status status = gate->all ? cross_all(b, gate, err) : cross_listed(b, gate, err);
  frame->schema.count = b->count;
  frame->fields = b->fields;
  WH_TRY(status);
  size_t others = b->count;
  status = cross_deleted(b, err);
  frame->schema.count = b->count;
  WH_TRY(status);
  if (others == 0) {
    if (gate->all) return fail(NULL, err, "there are no columns, so nothing can cross");
    return fail(NULL, err, "columns: nothing would cross; list at least one column, or say all");
  }
  return refuse_duplicates(b, err);
}

wh_status wh_gate_bind(const wh_step_context *context, const wh_gate *gate, const wh_schema *in,
                       wh_step **ret, wh_error *err) {
  gate_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = gate_push;
  self->frame.step.close = gate_close;
  wh_buf_init(&self->masked, context->mem, 0);
  wh_schema copy = self->frame.schema; // of the incoming columns, as long as the step
  binding b = {.self = self, .context = context, .in = &copy};
  wh_status status = bind_columns(&b, gate, err);
  if (status != WH_OK) {
    gate_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}
