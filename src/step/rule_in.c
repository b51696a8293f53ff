#include "step/rule.h"
#include "step/value_set.h"

typedef struct in_state {
  wh_value_set set;
  wh_str list; // "Open, Shipped and 3 more", for reasons
} in_state;

static wh_status write_list(in_state *state, wh_arena *arena, const wh_node *options,
                            wh_error *err) {
  WH_CLEAN_BUF wh_buf list;
  wh_buf_init(&list, arena->mem, 0);
  size_t count = wh_node_count(options);
  for (size_t i = 0; i < count && i < WH_LISTED_MAX; i++) {
    wh_str text = wh_node_item(options, i)->text;
    wh_str shown = wh_str_sub(text, 0, wh_utf8_cut(text, WH_SHOWN_MAX));
    if (i) wh_buf_add_c(&list, ", ");
    wh_buf_add_str(&list, shown.len ? shown : WH_STR("''"));
    if (shown.len < text.len) wh_buf_add_c(&list, "...");
  }
  if (count > WH_LISTED_MAX) wh_buf_printf(&list, " and %zu more", count - WH_LISTED_MAX);
  WH_TRY(wh_buf_check(&list, err));
  state->list = wh_arena_str(arena, wh_buf_str(&list));
  return state->list.data ? WH_OK : wh_fail_memory(err);
}

static wh_status bind(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                      const wh_node *options, wh_error *err) {
  (void)context;
  size_t count = wh_node_count(options);
  if (count == 0) return wh_node_fail(options, err, "expect: in needs at least one value");
  in_state *state = WH_NEW(arena, in_state);
  const wh_node **values = WH_NEW_ARRAY(arena, count, const wh_node *);
  if (!state || !values) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++) {
    values[i] = wh_node_item(options, i);
    if (wh_node_is_null(values[i])) {
      return wh_node_fail(values[i], err,
                          "expect: a missing value passes `in` anyway (not_null refuses it); "
                          "leave it out of the list");
    }
  }
  WH_TRY(
      wh_value_set_build(&state->set, arena, rule->field, values, count, options, "expect", err));
  rule->state = state;
  return write_list(state, arena, options, err);
}

static wh_status check(wh_rule *rule, const wh_column *column, uint16_t *broken, uint16_t mark,
                       wh_error *err) {
  (void)err;
  const in_state *state = rule->state;
  for (size_t row = 0; row < column->length; row++) {
    if (broken[row] || wh_column_is_null(column, row)) continue;
    if (wh_value_set_find(&state->set, column, row) < 0) broken[row] = mark;
  }
  return WH_OK;
}

static wh_status reason(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                        wh_error *err) {
  const in_state *state = rule->state;
  wh_step_show_value(out, rule->field, column, row);
  wh_buf_add_c(out, " is not one of ");
  wh_buf_add_str(out, state->list);
  return wh_buf_check(out, err);
}

const wh_rule_type wh_rule_in = {
    .name = "in", .shape = "in: [value, ...]", .bind = bind, .check = check, .reason = reason};
