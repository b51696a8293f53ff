// matches: POSIX extended regular expressions (IEEE Std 1003.1, section 9.4) from the C library.
// Its characters depend on the thread's locale; so that they are always Unicode's, patterns are
// compiled and run under C.UTF-8, and nothing else is.
#include "data/value.h"

#include "step/expect.h"
#include "step/rule.h"

#include <locale.h>
#include <regex.h>

typedef struct matches_state {
  wh_str pattern;
  regex_t regex;
  bool compiled;
  locale_t utf8;
  wh_buf text; // of the value in hand
} matches_state;

static void close_state(wh_rule *rule) {
  matches_state *state = rule->state;
  if (!state) return;
  if (state->compiled) regfree(&state->regex);
  if (state->utf8) freelocale(state->utf8);
  wh_buf_free(&state->text);
}

// Back-references are no part of extended expressions, and cost exponential time where they work.
static bool has_back_reference(wh_str pattern) {
  for (size_t i = 0; i + 1 < pattern.len; i++) {
    if (pattern.data[i] != '\\') continue;
    if (pattern.data[i + 1] >= '1' && pattern.data[i + 1] <= '9') return true;
    i++;
  }
  return false;
}

static wh_status check_pattern(const wh_node *node, wh_error *err) {
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "expect: matches", "a pattern", err));
  wh_str pattern = node->text;
  if (pattern.len > WH_EXPECT_PATTERN_MAX) {
    return wh_node_fail(node, err, "expect: the pattern has %zu bytes; at most %d are taken",
                        pattern.len, WH_EXPECT_PATTERN_MAX);
  }
  if (memchr(pattern.data, 0, pattern.len) || !wh_utf8_valid(pattern))
    return wh_node_fail(node, err, "expect: the pattern is not text");
  if (has_back_reference(pattern)) {
    return wh_node_fail(node, err,
                        "expect: the pattern refers back (\\1), which POSIX extended patterns "
                        "cannot");
  }
  return WH_OK;
}

static wh_status compile(matches_state *state, const wh_node *node, wh_error *err) {
  state->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
  if (!state->utf8) {
    return wh_node_fail(node, err,
                        "expect: matches needs the locale C.UTF-8, which this system lacks");
  }
  locale_t before = uselocale(state->utf8);
  int code = regcomp(&state->regex, state->pattern.data, REG_EXTENDED | REG_NOSUB);
  uselocale(before);
  state->compiled = code == 0;
  if (code == 0) return WH_OK;
  if (code == REG_ESPACE) return wh_fail_memory(err);
  char why[128];
  regerror(code, &state->regex, why, sizeof why);
  return wh_node_fail(node, err, "expect: the pattern '%.*s' cannot be read: %s",
                      WH_STR_ARG(state->pattern), why);
}

static wh_status bind(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                      const wh_node *options, wh_error *err) {
  WH_TRY(check_pattern(options, err));
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
  wh_buf_init(&state->text, context->mem, 0);
  state->pattern = wh_arena_str(arena, options->text);
  if (!state->pattern.data) return wh_fail_memory(err);
  rule->state = state; // from here on close_state ends it
  return compile(state, options, err);
}

// REG_STARTEND lets the C library look behind a zero byte in the value. There is a zero behind the
// value too, for libraries (and sanitizers) that go there all the same; hence the copy.
static wh_status check_row(matches_state *state, const wh_column *column, size_t row,
                           bool *ret_matches, wh_error *err) {
  wh_buf *text = &state->text;
  wh_buf_clear(text);
  wh_buf_add_c(text, "");
  wh_column_write(column, row, text);
  WH_TRY(wh_buf_check(text, err));
  regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)text->len};
  int code = regexec(&state->regex, text->data, 1, &whole, REG_STARTEND);
  if (code != 0 && code != REG_NOMATCH) return wh_fail_memory(err);
  *ret_matches = code == 0;
  return WH_OK;
}

static wh_status check(wh_rule *rule, const wh_column *column, uint16_t *broken, uint16_t mark,
                       wh_error *err) {
  matches_state *state = rule->state;
  locale_t before = uselocale(state->utf8);
  wh_status status = WH_OK;
  for (size_t row = 0; row < column->length && status == WH_OK; row++) {
    if (broken[row] || wh_column_is_null(column, row)) continue;
    bool matches = false;
    status = check_row(state, column, row, &matches, err);
    if (status == WH_OK && !matches) broken[row] = mark;
  }
  uselocale(before);
  return status;
}

static wh_status reason(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                        wh_error *err) {
  const matches_state *state = rule->state;
  wh_step_show_value(out, rule->field, column, row);
  wh_buf_add_c(out, " does not match ");
  wh_str shown = wh_str_sub(state->pattern, 0, wh_utf8_cut(state->pattern, WH_REASON_MAX / 2));
  wh_buf_add_str(out, shown);
  if (shown.len < state->pattern.len) wh_buf_add_c(out, "...");
  return wh_buf_check(out, err);
}

const wh_rule_type wh_rule_matches = {.name = "matches",
                                      .shape = "matches: \"pattern\"",
                                      .bind = bind,
                                      .check = check,
                                      .reason = reason,
                                      .close = close_state};
