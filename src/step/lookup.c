// lookup: columns of a small table, of the one row that has the key. Whether a row of a table
// matches is told by the table's types: a value that is none of them, exactly, is in no row.
#include "data/cast.h"
#include "data/deleted.h"
#include "data/keybytes.h"

#include "step/added.h"
#include "step/keyed_table.h"
#include "step/steps.h"

typedef enum lookup_missing { MISSING_REJECT, MISSING_NULL, MISSING_DROP } lookup_missing;

typedef struct lookup_key {
  const wh_field *field; // of the rows; NULL in a dry bind where it is not known
  size_t at;
  bool casts;
  wh_column as;            // in the table's type, if that is another
  const wh_column *column; // of the batch in hand
} lookup_key;

typedef struct lookup_step {
  wh_frame frame;
  const wh_node *from, *on, *take;
  lookup_missing missing;
  const wh_keyed_table *table; // NULL in a dry bind
  lookup_key *keys;
  size_t *into;    // where each taken column goes
  bool *replaced;  // of the columns that come in: one is taken in its place
  size_t in_count; // of them
  ptrdiff_t deleted;
  bool never; // a key column of the table is known to hold only NULLs
  wh_buf key;
} lookup_step;

static const char *const lookup_words[] = {"from", "on", "take", "missing", NULL};
static const char *const missing_words[] = {
    [MISSING_REJECT] = "reject", [MISSING_NULL] = "null", [MISSING_DROP] = "drop", NULL};

// --- rows ----------------------------------------------------------------------------------------

static wh_status leave_null(void *context, size_t row, const char *reason, wh_error *err) {
  (void)context, (void)row, (void)reason, (void)err;
  return WH_OK;
}

static wh_status cast_keys(lookup_step *self, const wh_batch *in, wh_error *err) {
  for (size_t i = 0; i < self->on->count; i++) {
    lookup_key *k = &self->keys[i];
    k->column = &in->columns[k->at];
    if (!k->casts) continue;
    wh_column_reset(&k->as);
    WH_TRY(wh_cast_column(k->column, &k->as, NULL, leave_null, NULL, err));
    k->column = &k->as;
  }
  return WH_OK;
}

static wh_status find_row(lookup_step *self, size_t row, ptrdiff_t *ret, wh_error *err) {
  *ret = -1;
  if (self->never) return WH_OK;
  wh_buf_clear(&self->key);
  for (size_t i = 0; i < self->on->count; i++) {
    if (wh_column_is_null(self->keys[i].column, row)) return WH_OK;
    wh_key_bytes_add(self->keys[i].column, row, &self->key);
  }
  WH_TRY(wh_buf_check(&self->key, err));
  *ret = wh_keyed_table_find(self->table, wh_buf_str(&self->key));
  return WH_OK;
}

// "no row of lake:ref/countries.csv has code 'XX'"
static wh_status reject_row(lookup_step *self, const wh_batch *in, size_t row, wh_rejects *rejects,
                            wh_error *err) {
  wh_frame *frame = &self->frame;
  wh_buf *text = &frame->text;
  wh_buf_clear(text);
  wh_buf_printf(text, "no row of %.*s has", WH_STR_ARG(self->from->text));
  for (size_t i = 0; i < self->on->count && text->len < WH_REASON_MAX / 2; i++) {
    const lookup_key *k = &self->keys[i];
    const wh_column *column = &in->columns[k->at];
    wh_buf_printf(text, "%s %.*s ", i ? "," : "", WH_STR_ARG(self->on->entries[i].value->text));
    if (wh_column_is_null(column, row))
      wh_buf_add_c(text, "NULL");
    else
      wh_step_show_value(text, k->field, column, row);
  }
  if (text->failed && !text->too_long) return wh_fail_memory(err);
  return wh_frame_reject(frame, in, row, rejects, "lookup", self->keys[0].field->name,
                         wh_buf_str(text), err);
}

// Of a row that is gone nothing but its key is known, and it goes on without the rest.
static wh_status miss(lookup_step *self, const wh_batch *in, size_t row, wh_rejects *rejects,
                      wh_error *err) {
  if (self->missing == MISSING_NULL || wh_row_is_deleted(in, self->deleted, row)) return WH_OK;
  if (self->missing == MISSING_REJECT) return reject_row(self, in, row, rejects, err);
  wh_frame_drop(&self->frame, row);
  self->frame.step.rows_filtered++;
  return WH_OK;
}

static wh_status take_values(const lookup_step *self, const ptrdiff_t *found, wh_batch *out,
                             wh_error *err) {
  for (size_t i = 0; i < self->take->count; i++) {
    const wh_column *from = &self->table->columns[i];
    wh_column *to = &out->columns[self->into[i]];
    for (size_t row = 0; row < out->rows; row++) {
      bool null = found[row] < 0 || wh_column_is_null(from, (size_t)found[row]);
      WH_TRY(null ? wh_column_add_null(to, err)
                  : wh_column_add_from(to, from, (size_t)found[row], err));
    }
  }
  return WH_OK;
}

static wh_status lookup_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                             wh_error *err) {
  lookup_step *self = (lookup_step *)step;
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->in_count; i++)
    if (!self->replaced[i]) wh_column_borrow(&out->columns[i], &in->columns[i]);
  if (in->rows == 0) return WH_OK;
  ptrdiff_t *found = WH_NEW_ARRAY(&out->arena, in->rows, ptrdiff_t);
  if (!found) return wh_fail_memory(err);
  WH_TRY(cast_keys(self, in, err));
  for (size_t row = 0; row < in->rows; row++) {
    WH_TRY(find_row(self, row, &found[row], err));
    if (found[row] < 0) WH_TRY(miss(self, in, row, rejects, err));
  }
  WH_TRY(take_values(self, found, out, err));
  return wh_frame_end(&self->frame, out, err);
}

static void lookup_close(wh_step *step) {
  lookup_step *self = (lookup_step *)step;
  for (size_t i = 0; self->keys && i < self->on->count; i++)
    wh_column_free(&self->keys[i].as);
  wh_buf_free(&self->key);
  wh_frame_close(step);
}

// --- options -------------------------------------------------------------------------------------

static wh_status read_names(const wh_node *node, const wh_node *options, const char *word,
                            wh_error *err) {
  if (!node || node->kind != WH_NODE_MAP || node->count == 0)
    return wh_node_fail(node ? node : options, err, "lookup: needs %s: { %s, ... }", word,
                        strcmp(word, "on") == 0 ? "column: column of the table"
                                                : "new column: column of the table");
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(wh_node_expect(node->entries[i].value, WH_NODE_SCALAR, "lookup",
                          "the name of a column of the table", err));
  return WH_OK;
}

static wh_status read_missing(lookup_step *self, const wh_node *node, wh_error *err) {
  if (!node) return WH_OK;
  if (node->kind != WH_NODE_SCALAR || node->text.len == 0)
    return wh_node_fail(node, err, "lookup: missing is one of reject, null, drop");
  for (int i = 0; missing_words[i]; i++) {
    if (!wh_str_is(node->text, missing_words[i])) continue;
    self->missing = (lookup_missing)i;
    return WH_OK;
  }
  return wh_fail_word(node, "lookup: missing", missing_words, err);
}

static wh_status read_words(lookup_step *self, const wh_node *options, wh_error *err) {
  WH_TRY(wh_node_expect(options, WH_NODE_MAP, "lookup", "a map with from, on and take", err));
  for (size_t i = 0; i < options->count; i++) {
    bool known = false;
    for (size_t k = 0; lookup_words[k]; k++)
      known |= wh_str_is(options->entries[i].key->text, lookup_words[k]);
    if (!known) return wh_fail_word(options->entries[i].key, "lookup", lookup_words, err);
  }
  self->from = wh_node_get(options, "from");
  if (!self->from) return wh_node_fail(options, err, "lookup: needs from: connection:table");
  WH_TRY(wh_node_expect(self->from, WH_NODE_SCALAR, "lookup", "from: connection:table", err));
  WH_TRY(read_names(wh_node_get(options, "on"), options, "on", err));
  WH_TRY(read_names(wh_node_get(options, "take"), options, "take", err));
  self->on = wh_node_get(options, "on");
  self->take = wh_node_get(options, "take");
  return read_missing(self, wh_node_get(options, "missing"), err);
}

// --- binding -------------------------------------------------------------------------------------

static wh_status find_keys(lookup_step *self, const wh_step_context *context, wh_error *err) {
  const wh_schema *schema = &self->frame.schema;
  self->keys = WH_NEW_ARRAY(&self->frame.arena, self->on->count, lookup_key);
  if (!self->keys) return wh_fail_memory(err);
  for (size_t i = 0; i < self->on->count; i++) {
    lookup_key *k = &self->keys[i];
    const wh_node *name = self->on->entries[i].key;
    if (context->dry && wh_schema_find(schema, name->text) < 0) continue;
    WH_TRY(wh_column_by_node(schema, name, "lookup", &k->at, err));
    k->field = &schema->fields[k->at];
  }
  return WH_OK;
}

static wh_status get_table(lookup_step *self, const wh_step_context *context, wh_error *err) {
  wh_arena *arena = &self->frame.arena;
  const wh_node **keys = WH_NEW_ARRAY(arena, self->on->count, const wh_node *);
  const wh_node **values = WH_NEW_ARRAY(arena, self->take->count, const wh_node *);
  if (!keys || !values) return wh_fail_memory(err);
  for (size_t i = 0; i < self->on->count; i++)
    keys[i] = self->on->entries[i].value;
  for (size_t i = 0; i < self->take->count; i++)
    values[i] = self->take->entries[i].value;
  wh_keyed_wanted wanted = {.from = self->from,
                            .keys = keys,
                            .key_count = self->on->count,
                            .values = values,
                            .value_count = self->take->count,
                            .owner = "lookup"};
  return wh_keyed_table_get(context->tables, &wanted, &self->table, err);
}

static bool is_number(wh_kind kind) {
  return wh_kind_is_int(kind) || kind == WH_FLOAT32 || kind == WH_FLOAT64 || kind == WH_DECIMAL;
}

// Numbers with numbers, and else the same kind: what is equal must be beyond doubt.
static bool are_comparable(const wh_type *a, const wh_type *b) {
  if (a->kind == WH_NULL || b->kind == WH_NULL) return true;
  if (is_number(a->kind) && is_number(b->kind)) return true;
  return a->kind == b->kind && (a->kind != WH_TIMESTAMP || a->zoned == b->zoned);
}

static wh_status compare_types(lookup_step *self, wh_error *err) {
  wh_arena *arena = &self->frame.arena;
  for (size_t i = 0; i < self->on->count; i++) {
    lookup_key *k = &self->keys[i];
    const wh_field *of_table = &self->table->keys.fields[i];
    if (!are_comparable(&k->field->type, &of_table->type)) {
      return wh_node_fail(self->on->entries[i].key, err,
                          "lookup: %.*s is %.*s, and %.*s of %.*s is %.*s. Make them the same "
                          "with a cast in front",
                          WH_STR_ARG(k->field->name),
                          WH_STR_ARG(wh_type_friendly(&k->field->type, arena)),
                          WH_STR_ARG(of_table->name), WH_STR_ARG(self->from->text),
                          WH_STR_ARG(wh_type_friendly(&of_table->type, arena)));
    }
    self->never |= of_table->type.kind == WH_NULL;
    k->casts = !self->never && !wh_type_eq(&k->field->type, &of_table->type);
    if (k->casts) wh_column_init(&k->as, self->frame.mem, &of_table->type);
  }
  return WH_OK;
}

// What is found says something of what it was found by.
static wh_class class_of_keys(const lookup_step *self) {
  wh_class privacy = WH_PUBLIC;
  for (size_t i = 0; i < self->on->count; i++) {
    if (self->keys[i].field->privacy > privacy) privacy = self->keys[i].field->privacy;
    wh_class of_table = self->table->keys.fields[i].privacy;
    if (of_table > privacy) privacy = of_table;
  }
  return privacy;
}

static wh_status add_columns(lookup_step *self, wh_error *err) {
  wh_frame *frame = &self->frame;
  size_t count = self->take->count;
  wh_class privacy = self->table ? class_of_keys(self) : WH_INTERNAL;
  WH_TRY(wh_added_reserve(frame, count, err));
  self->into = WH_NEW_ARRAY(&frame->arena, count, size_t);
  self->replaced = WH_NEW_ARRAY(&frame->arena, self->in_count + 1, bool);
  if (!self->into || !self->replaced) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    wh_field field = {.type = wh_type_of(WH_NULL), .privacy = privacy};
    if (self->table) {
      field = self->table->values.fields[i];
      if (privacy > field.privacy) field.privacy = privacy;
    }
    field.nullable |= !self->table || self->missing == MISSING_NULL || self->deleted >= 0;
    WH_TRY(wh_added_put(frame, self->take->entries[i].key, "lookup", &field, &self->into[i], err));
    if (self->into[i] < self->in_count) self->replaced[self->into[i]] = true;
  }
  return WH_OK;
}

static wh_status bind_table(lookup_step *self, const wh_step_context *context,
                            const wh_node *options, wh_error *err) {
  WH_TRY(read_words(self, options, err));
  WH_TRY(find_keys(self, context, err));
  if (!context->dry) {
    WH_TRY(get_table(self, context, err));
    WH_TRY(compare_types(self, err));
  }
  return add_columns(self, err);
}

static wh_status lookup_bind(const wh_step_context *context, const wh_node *options,
                             const wh_schema *in, wh_step **ret, wh_error *err) {
  lookup_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->frame.step.push = lookup_push;
  self->frame.step.close = lookup_close;
  self->in_count = in->count;
  self->deleted = wh_deleted_column(&self->frame.schema);
  wh_buf_init(&self->key, context->mem, 0);
  wh_status status = bind_table(self, context, options, err);
  if (status != WH_OK) {
    lookup_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_step_type wh_step_lookup = {
    .name = "lookup",
    .shape = "{ from: connection:table, on: { column: column, ... }, take: { column: column, ... "
             "}, missing: reject | null | drop }",
    .help = "adds columns of a small table (`take`), or replaces them: those of the row whose "
            "columns equal the row's (`on`; columns of the table on the right). A row that finds "
            "none is rejected (`missing: reject`, the default), goes on with NULL (`null`), or is "
            "left out and counted as filtered (`drop`). The table, or one object of a store, is "
            "read once a run, and has each key once",
    .example = "lookup: { from: \"lake:ref/statuses.csv\", on: { status_code: code }, "
               "take: { status_name: name } }",
    .finds_columns = true,
    .reads = "from",
    .bind = lookup_bind,
};
