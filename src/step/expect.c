#include "step/expect.h"

#include "data/deleted.h"

#include "step/rule.h"

const wh_rule_type *const wh_rule_types[] = {
    &wh_rule_not_null, &wh_rule_unique,       &wh_rule_in, &wh_rule_matches,
    &wh_rule_range,    &wh_rule_fresher_than, NULL,
};

typedef struct expect_step {
  wh_frame frame;
  wh_rule *rules; // in the order written, those of unique behind the others
  size_t count;
  size_t unique_from; // the first of them
  uint16_t *broken;   // of each row: number of the rule it breaks, from 1; 0: none
  size_t broken_cap;  // rows
  ptrdiff_t deleted;  // the column that says that a row is gone, or -1
  wh_fresh fresh[WH_FRESH_MAX];
  size_t fresh_count;
} expect_step;

// --- rows ----------------------------------------------------------------------------------------

// A row that passed every other rule: is any of its values there before? Only when none is do they
// count from now on.
static wh_status check_unique(expect_step *self, const wh_batch *in, size_t row, wh_error *err) {
  size_t from = self->unique_from;
  // With one rule, adding tells whether it was there.
  for (size_t i = from; i < self->count && self->count - from > 1; i++) {
    wh_rule *rule = &self->rules[i];
    bool found = false;
    WH_TRY(wh_unique_find(rule, &in->columns[rule->at], row, &found, err));
    if (!found) continue;
    self->broken[row] = (uint16_t)(i + 1);
    return WH_OK;
  }
  for (size_t i = from; i < self->count; i++) {
    wh_rule *rule = &self->rules[i];
    bool is_new = true;
    uint64_t number = wh_batch_place(in, row).row;
    WH_TRY(wh_unique_add(rule, &in->columns[rule->at], row, number, &is_new, err));
    if (!is_new) self->broken[row] = (uint16_t)(i + 1);
  }
  return WH_OK;
}

static wh_status check_rows(expect_step *self, const wh_batch *in, wh_error *err) {
  memset(self->broken, 0, in->rows * sizeof *self->broken);
  for (size_t i = 0; i < self->unique_from; i++) {
    wh_rule *rule = &self->rules[i];
    if (!rule->type->check) continue;
    WH_TRY(rule->type->check(rule, &in->columns[rule->at], self->broken, (uint16_t)(i + 1), err));
  }
  for (size_t row = 0; row < in->rows; row++) {
    if (wh_row_is_deleted(in, self->deleted, row)) {
      self->broken[row] = 0; // rules are for values, and it has none
      continue;
    }
    if (self->unique_from == self->count) continue;
    if (!self->broken[row]) WH_TRY(check_unique(self, in, row, err));
  }
  return WH_OK;
}

// In the order of the rows, each with its reason.
static wh_status reject_rows(expect_step *self, const wh_batch *in, wh_rejects *rejects,
                             wh_error *err) {
  for (size_t row = 0; row < in->rows; row++) {
    if (!self->broken[row]) continue;
    wh_rule *rule = &self->rules[self->broken[row] - 1];
    wh_buf *text = &self->frame.text;
    wh_buf_clear(text);
    WH_TRY(rule->type->reason(rule, &in->columns[rule->at], row, text, err));
    WH_TRY(wh_frame_reject(&self->frame, in, row, rejects, rule->type->name,
                           in->schema->fields[rule->at].name, wh_buf_str(text), err));
  }
  return WH_OK;
}

static wh_status reserve_rows(expect_step *self, size_t rows, wh_error *err) {
  if (rows <= self->broken_cap) return WH_OK;
  size_t size = sizeof *self->broken;
  uint16_t *broken =
      wh_mem_realloc(self->frame.mem, self->broken, self->broken_cap * size, rows * size);
  if (!broken) return wh_fail_memory(err);
  self->broken = broken;
  self->broken_cap = rows;
  return WH_OK;
}

static wh_status expect_push(wh_step *step, const wh_batch *in, wh_batch *out, wh_rejects *rejects,
                             wh_error *err) {
  expect_step *self = (expect_step *)step;
  WH_TRY(reserve_rows(self, in->rows, err));
  WH_TRY(wh_frame_begin(&self->frame, in, out, err));
  for (size_t i = 0; i < self->frame.schema.count; i++)
    wh_column_borrow(&out->columns[i], &in->columns[i]);
  if (in->rows) {
    WH_TRY(check_rows(self, in, err));
    WH_TRY(reject_rows(self, in, rejects, err));
  }
  return wh_frame_end(&self->frame, out, err);
}

static void expect_close(wh_step *step) {
  expect_step *self = (expect_step *)step;
  for (size_t i = 0; i < self->count; i++) {
    if (self->rules[i].type->close) self->rules[i].type->close(&self->rules[i]);
  }
  wh_mem_free(self->frame.mem, self->broken, self->broken_cap * sizeof *self->broken);
  wh_frame_free(&self->frame);
}

// --- binding -------------------------------------------------------------------------------------

// What a binding needs beside the step.
typedef struct binding {
  expect_step *self;
  const wh_step_context *context;
  const wh_schema *in; // a copy that lives as long as the step
  size_t at;           // the column in hand
  bool unique;         // which rules are read: the others first
} binding;

static const wh_rule_type *rule_by_name(wh_str name) {
  for (size_t i = 0; wh_rule_types[i]; i++) {
    if (wh_str_is(name, wh_rule_types[i]->name)) return wh_rule_types[i];
  }
  return NULL;
}

static wh_status fail_rule(const wh_node *word, wh_error *err) {
  const char *words[sizeof wh_rule_types / sizeof *wh_rule_types] = {0};
  for (size_t i = 0; wh_rule_types[i]; i++)
    words[i] = wh_rule_types[i]->name;
  return wh_fail_word(word, "expect", words, err);
}

static wh_status add_rule(binding *b, const wh_rule_type *type, const wh_node *word,
                          const wh_node *options, wh_error *err) {
  expect_step *self = b->self;
  if (self->count == WH_EXPECT_RULES_MAX)
    return wh_node_fail(word, err, "expect: more than %d rules", WH_EXPECT_RULES_MAX);
  wh_rule *rule = &self->rules[self->count++];
  *rule = (wh_rule){.type = type, .node = word, .at = b->at, .field = &b->in->fields[b->at]};
  if (type == &wh_rule_not_null && self->deleted < 0) self->frame.fields[b->at].nullable = false;
  if (type->bind) WH_TRY(type->bind(rule, b->context, &self->frame.arena, options, err));
  if (type != &wh_rule_fresher_than) return WH_OK;
  if (self->fresh_count == WH_FRESH_MAX)
    return wh_node_fail(word, err, "expect: fresher_than for more than %d columns", WH_FRESH_MAX);
  self->fresh[self->fresh_count++] = *(const wh_fresh *)rule->state;
  return WH_OK;
}

// `word` with its options, NULL where it stands alone.
static wh_status read_rule(binding *b, const wh_node *word, const wh_node *options, wh_error *err) {
  WH_TRY(wh_node_expect(word, WH_NODE_SCALAR, "expect", "a rule", err));
  const wh_rule_type *type = rule_by_name(word->text);
  if (!type) return fail_rule(word, err);
  if ((type == &wh_rule_unique) != b->unique) return WH_OK;
  if (type->shape) {
    if (options && !wh_node_is_null(options)) return add_rule(b, type, word, options, err);
    return wh_node_fail(word, err, "expect: %s says nothing; it is written { %s }", type->name,
                        type->shape);
  }
  if (options) { // not_null: true
    bool on = options->kind == WH_NODE_SCALAR && wh_str_is(options->text, "true");
    bool off = options->kind == WH_NODE_SCALAR && wh_str_is(options->text, "false");
    if (!on && !off) return wh_node_fail(options, err, "expect: %s is true or false", type->name);
    if (off) return WH_OK;
  }
  return add_rule(b, type, word, NULL, err);
}

static wh_status read_rules(binding *b, const wh_node *rules, wh_error *err) {
  if (wh_node_is_null(rules))
    return wh_node_fail(rules, err, "expect: column '%.*s' has no rule",
                        WH_STR_ARG(b->in->fields[b->at].name));
  for (size_t i = 0; i < wh_node_count(rules); i++) {
    const wh_node *item = wh_node_item(rules, i);
    if (item->kind == WH_NODE_SCALAR) {
      WH_TRY(read_rule(b, item, NULL, err));
    } else if (item->kind == WH_NODE_MAP) {
      for (size_t k = 0; k < item->count; k++)
        WH_TRY(read_rule(b, item->entries[k].key, item->entries[k].value, err));
    } else {
      return wh_node_expect(item, WH_NODE_SCALAR, "expect", "a rule", err);
    }
  }
  return WH_OK;
}

static wh_status read_columns(binding *b, const wh_node *rules, wh_error *err) {
  for (size_t i = 0; i < rules->count; i++) {
    if (wh_run_rules_has(rules->entries[i].key)) continue;
    WH_TRY(wh_column_by_node(b->in, rules->entries[i].key, "expect", &b->at, err));
    WH_TRY(read_rules(b, rules->entries[i].value, err));
  }
  return WH_OK;
}

// How many rules there can be at most.
static size_t count_words(const wh_node *rules) {
  size_t count = 0;
  for (size_t i = 0; i < rules->count; i++) {
    const wh_node *value = rules->entries[i].value;
    for (size_t k = 0; k < wh_node_count(value); k++) {
      const wh_node *item = wh_node_item(value, k);
      count += item->kind == WH_NODE_MAP ? item->count : 1;
    }
  }
  return count < WH_EXPECT_RULES_MAX ? count : WH_EXPECT_RULES_MAX;
}

static wh_status bind_rules(expect_step *self, const wh_step_context *context, const wh_node *rules,
                            wh_error *err) {
  wh_frame *frame = &self->frame;
  WH_TRY(wh_node_expect(rules, WH_NODE_MAP, "expect", "a map of columns", err));
  wh_run_rules of_run;
  WH_TRY(wh_run_rules_parse(rules, &of_run, err));
  wh_schema in;
  WH_TRY(wh_schema_copy(&frame->schema, &frame->arena, &in, err));
  self->rules = WH_NEW_ARRAY(&frame->arena, count_words(rules), wh_rule);
  if (!self->rules) return wh_fail_memory(err);
  binding b = {.self = self, .context = context, .in = &in};
  WH_TRY(read_columns(&b, rules, err));
  self->unique_from = self->count;
  b.unique = true;
  WH_TRY(read_columns(&b, rules, err));
  if (context->dry) return WH_OK;
  size_t uniques = self->count - self->unique_from;
  self->frame.step.remembers = uniques > 0;
  for (size_t i = self->unique_from; i < self->count; i++) {
    size_t share = context->state_limit_bytes / uniques;
    WH_TRY(wh_unique_open(&self->rules[i], context, share, err));
  }
  return WH_OK;
}

wh_status wh_expect_bind(const wh_step_context *context, const wh_node *rules, const wh_schema *in,
                         wh_step **ret, wh_error *err) {
  expect_step *self = NULL;
  WH_TRY(wh_frame_new(context, sizeof *self, in, &self, err));
  self->deleted = wh_deleted_column(&self->frame.schema);
  self->frame.step.push = expect_push;
  self->frame.step.close = expect_close;
  wh_status status = WH_OK;
  if (rules && !wh_node_is_null(rules)) status = bind_rules(self, context, rules, err);
  if (status != WH_OK) {
    expect_close(&self->frame.step);
    return status;
  }
  *ret = &self->frame.step;
  return WH_OK;
}

const wh_fresh *wh_expect_fresh(const wh_step *step, size_t *ret_count) {
  const expect_step *self = (const expect_step *)step;
  *ret_count = self->fresh_count;
  return self->fresh;
}
