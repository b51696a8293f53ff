// matches: a pattern (step/pattern.h) on the text of values.
#include "step/pattern.h"

#include "data/value.h"

#include "step/expect.h"
#include "step/rule.h"

typedef struct matches_state {
  wh_str written;
  wh_pattern pattern;
} matches_state;

static void close_state(wh_rule *rule) {
  matches_state *state = rule->state;
  if (state) wh_pattern_free(&state->pattern);
}

static wh_status bind(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                      const wh_node *options, wh_error *err) {
  WH_TRY(wh_node_expect(options, WH_NODE_SCALAR, "expect: matches", "a pattern", err));
  wh_kind kind = rule->field->type.kind;
  if (kind == WH_LIST || kind == WH_STRUCT || kind == WH_BINARY) {
    return wh_node_fail(options, err, "expect: column '%.*s' is %s and has no text to match",
                        WH_STR_ARG(rule->field->name),
                        kind == WH_LIST     ? "a list"
                        : kind == WH_STRUCT ? "a struct"
                                            : "binary");
  }
  matches_state *state = WH_NEW(arena, matches_state);
  if (!state) return wh_fail_memory(err);
  state->written = wh_arena_str(arena, options->text);
  if (!state->written.data) return wh_fail_memory(err);
  rule->state = state; // from here on close_state ends it
  wh_error why = {0};
  wh_status status = wh_pattern_compile(&state->pattern, context->mem, state->written, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  return status == WH_OK ? WH_OK : wh_node_fail(options, err, "expect: %s", why.text);
}

static wh_status check_row(wh_pattern *pattern, const wh_column *column, size_t row,
                           bool *ret_matches, wh_error *err) {
  wh_buf_clear(&pattern->text);
  wh_buf_add_c(&pattern->text, "");
  wh_column_write(column, row, &pattern->text);
  return wh_pattern_match(pattern, ret_matches, err);
}

static wh_status check(wh_rule *rule, const wh_column *column, uint16_t *broken, uint16_t mark,
                       wh_error *err) {
  matches_state *state = rule->state;
  locale_t before = wh_pattern_begin(&state->pattern);
  wh_status status = WH_OK;
  for (size_t row = 0; row < column->length && status == WH_OK; row++) {
    if (broken[row] || wh_column_is_null(column, row)) continue;
    bool matches = false;
    status = check_row(&state->pattern, column, row, &matches, err);
    if (status == WH_OK && !matches) broken[row] = mark;
  }
  wh_pattern_end(before);
  return status;
}

static wh_status reason(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                        wh_error *err) {
  const matches_state *state = rule->state;
  wh_step_show_value(out, rule->field, column, row);
  wh_buf_add_c(out, " does not match ");
  wh_str shown = wh_str_sub(state->written, 0, wh_utf8_cut(state->written, WH_REASON_MAX / 2));
  wh_buf_add_str(out, shown);
  if (shown.len < state->written.len) wh_buf_add_c(out, "...");
  return wh_buf_check(out, err);
}

const wh_rule_type wh_rule_matches = {.name = "matches",
                                      .shape = "matches: \"pattern\"",
                                      .bind = bind,
                                      .check = check,
                                      .reason = reason,
                                      .close = close_state};
