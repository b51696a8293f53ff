#include "step/rule.h"
#include "step/value_set.h"

typedef struct bound {
  bool given;
  __int128 number; // of all kinds but floats
  double real;     // of floats
  wh_str text;     // as it is written
} bound;

typedef struct range_state {
  bound low, high;
} range_state;

static bool is_float(wh_kind kind) {
  return kind == WH_FLOAT32 || kind == WH_FLOAT64;
}

// A bound may lie outside of a narrow integer type: [0, 1000] is fine for an int8.
static wh_status parse_bound(const wh_node *node, const wh_field *field, wh_arena *arena,
                             wh_value *ret, wh_error *err) {
  wh_error why = {0};
  wh_type wide = wh_type_of(WH_INT64);
  wh_status status = WH_ERR_TYPE;
  if (wh_kind_is_int(field->type.kind))
    status = wh_value_parse(node->text, &wide, arena, ret, &why);
  if (status == WH_ERR_TYPE) status = wh_value_parse(node->text, &field->type, arena, ret, &why);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status == WH_OK) return WH_OK;
  return wh_node_fail(node, err, "expect: range: %s, and so no bound of column '%.*s'", why.text,
                      WH_STR_ARG(field->name));
}

static wh_status read_bound(const wh_node *node, const wh_field *field, wh_arena *arena, bound *ret,
                            wh_error *err) {
  if (wh_node_is_null(node)) return WH_OK;
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, "expect: range", "a bound", err));
  if (field->type.kind == WH_NULL) return WH_OK; // it holds nothing that could be compared
  wh_value value;
  WH_TRY(parse_bound(node, field, arena, &value, err));
  ret->given = true;
  ret->text = wh_arena_str(arena, node->text);
  if (!ret->text.data) return wh_fail_memory(err);
  if (!is_float(field->type.kind)) {
    ret->number = wh_value_number(&value);
    return WH_OK;
  }
  ret->real = value.as.f;
  if (ret->real != ret->real) return wh_node_fail(node, err, "expect: range: NaN is no bound");
  return WH_OK;
}

static bool has_order(wh_kind kind) {
  return kind == WH_NULL || wh_kind_is_int(kind) || is_float(kind) || kind == WH_DECIMAL ||
         kind == WH_DATE || kind == WH_TIME || kind == WH_TIMESTAMP;
}

static wh_status bind(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                      const wh_node *options, wh_error *err) {
  (void)context;
  const wh_field *field = rule->field;
  if (!has_order(field->type.kind)) {
    wh_str type = wh_type_friendly(&field->type, arena);
    return wh_node_fail(options, err,
                        "expect: column '%.*s' is %.*s; range is for numbers, dates and times",
                        WH_STR_ARG(field->name), WH_STR_ARG(type));
  }
  if (options->kind != WH_NODE_LIST || options->count != 2) {
    return wh_node_fail(options, err,
                        "expect: range needs two bounds, [least, most]; ~ stands for none");
  }
  range_state *state = WH_NEW(arena, range_state);
  if (!state) return wh_fail_memory(err);
  WH_TRY(read_bound(options->items[0], field, arena, &state->low, err));
  WH_TRY(read_bound(options->items[1], field, arena, &state->high, err));
  if (wh_node_is_null(options->items[0]) && wh_node_is_null(options->items[1]))
    return wh_node_fail(options, err, "expect: range needs at least one bound");
  bool both = state->low.given && state->high.given;
  bool crossed = is_float(field->type.kind) ? state->low.real > state->high.real
                                            : state->low.number > state->high.number;
  if (both && crossed) {
    return wh_node_fail(options, err, "expect: range: %.*s is above %.*s",
                        WH_STR_ARG(state->low.text), WH_STR_ARG(state->high.text));
  }
  rule->state = state;
  return WH_OK;
}

static bool holds(const range_state *state, const wh_column *column, size_t row) {
  if (is_float(column->type.kind)) {
    double value = wh_column_f64(column, row); // NaN is in no range
    return (!state->low.given || value >= state->low.real) &&
           (!state->high.given || value <= state->high.real);
  }
  __int128 number = wh_column_number(column, row);
  return (!state->low.given || number >= state->low.number) &&
         (!state->high.given || number <= state->high.number);
}

static wh_status check(wh_rule *rule, const wh_column *column, uint16_t *broken, uint16_t mark,
                       wh_error *err) {
  (void)err;
  for (size_t row = 0; row < column->length; row++) {
    if (broken[row] || wh_column_is_null(column, row)) continue;
    if (!holds(rule->state, column, row)) broken[row] = mark;
  }
  return WH_OK;
}

static wh_status reason(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                        wh_error *err) {
  const range_state *state = rule->state;
  wh_step_show_value(out, rule->field, column, row);
  if (state->low.given && state->high.given) {
    wh_buf_printf(out, " is not between %.*s and %.*s", WH_STR_ARG(state->low.text),
                  WH_STR_ARG(state->high.text));
  } else if (state->low.given) {
    wh_buf_printf(out, " is not %.*s or more", WH_STR_ARG(state->low.text));
  } else {
    wh_buf_printf(out, " is not %.*s or less", WH_STR_ARG(state->high.text));
  }
  return wh_buf_check(out, err);
}

const wh_rule_type wh_rule_range = {.name = "range",
                                    .shape = "range: [least, most]",
                                    .bind = bind,
                                    .check = check,
                                    .reason = reason};
