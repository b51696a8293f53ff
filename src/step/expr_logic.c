// Logic of three values (ISO/IEC 9075-2, 6.39): true, false, and NULL for not known. An argument is
// only computed for the rows that need it, so that `b != 0 and a / b > 1` divides by no zero.
#include "step/expr_private.h"

static wh_status want_conditions(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(wh_x_want(bind, node, i, WH_BOOL, "a condition", err));
  return WH_OK;
}

// --- and, or -------------------------------------------------------------------------------------

// Of each row whether it is decided, and whether an argument was NULL.
typedef struct decided {
  uint8_t *open;    // rows whose value is still wanted
  uint8_t *unknown; // an argument was NULL
  bool any;
} decided;

static wh_status begin(wh_x_run *run, decided *ret, wh_error *err) {
  ret->open = wh_x_bitmap(run, err);
  ret->unknown = wh_x_bitmap(run, err);
  if (!ret->open || !ret->unknown) return WH_ERR_MEMORY;
  memset(ret->open, 0xFF, wh_x_bytes(run));
  if (run->active) memcpy(ret->open, run->active, wh_x_bytes(run));
  if (run->rows % 8) ret->open[run->rows / 8] &= (uint8_t)((1u << run->rows % 8) - 1);
  return WH_OK;
}

// An argument that is `ends` decides a row: false for and, true for or.
static wh_status eval_logic(wh_x_run *run, wh_x_node *node, wh_column *out, bool ends,
                            wh_error *err) {
  decided d = {.any = true};
  WH_TRY(begin(run, &d, err));
  WH_TRY(wh_x_begin(run, out, err));
  size_t bytes = wh_x_bytes(run);
  memset(out->values, 0, bytes); // rows that `ends` decided
  for (size_t i = 0; i < node->count && d.any; i++) {
    wh_x_value v;
    WH_TRY(wh_x_get_where(run, d.open, node->args[i], &v, err));
    d.any = false;
    for (size_t b = 0; b < bytes; b++) {
      uint8_t ended = (ends ? wh_x_true_bits(&v, b) : wh_x_false_bits(&v, b)) & d.open[b];
      out->values[b] |= ended;
      d.unknown[b] |= (uint8_t)~wh_x_valid_bits(&v, b) & d.open[b];
      d.open[b] &= (uint8_t)~ended;
      d.any |= d.open[b] != 0;
    }
  }
  for (size_t b = 0; b < bytes; b++) {
    d.unknown[b] = (uint8_t)(~d.unknown[b] | out->values[b]); // valid
    if (!ends) out->values[b] = (uint8_t)~out->values[b];
  }
  return wh_x_end_bits(run, out, d.unknown, err);
}

static wh_status eval_or(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  return eval_logic(run, node, out, true, err);
}

static wh_status eval_and(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  return eval_logic(run, node, out, false, err);
}

static wh_status bind_or(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(want_conditions(bind, node, err));
  return wh_x_strict(node, wh_type_of(WH_BOOL), eval_or);
}

static wh_status bind_and(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(want_conditions(bind, node, err));
  return wh_x_strict(node, wh_type_of(WH_BOOL), eval_and);
}

const wh_x_function wh_x_or = {.help.name = "or", .bind = bind_or};
const wh_x_function wh_x_and = {.help.name = "and", .bind = bind_and};

// --- not, is null --------------------------------------------------------------------------------

static wh_status eval_not(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t b = 0; b < wh_x_bytes(run); b++)
    out->values[b] = wh_x_false_bits(&v, b);
  return wh_x_end(run, out, &v, 1, err);
}

static wh_status bind_not(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(want_conditions(bind, node, err));
  return wh_x_strict(node, wh_type_of(WH_BOOL), eval_not);
}

const wh_x_function wh_x_not = {.help.name = "not", .bind = bind_not};

static wh_status eval_is_null(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t b = 0; b < wh_x_bytes(run); b++)
    out->values[b] = (uint8_t)~wh_x_valid_bits(&v, b);
  return wh_x_end(run, out, NULL, 0, err);
}

static wh_status bind_is_null(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  (void)bind, (void)err;
  node->type = wh_type_of(WH_BOOL);
  node->eval = eval_is_null;
  return WH_OK;
}

const wh_x_function wh_x_is_null_fn = {.help.name = "is null", .bind = bind_is_null};

// --- case ----------------------------------------------------------------------------------------

// Arguments: condition, value, condition, value, ..., and the value of else, if there is one.
static wh_status eval_case(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_arena *scratch = &run->expr->scratch;
  uint16_t *which = WH_NEW_ARRAY(scratch, run->rows, uint16_t);
  wh_x_value *values = WH_NEW_ARRAY(scratch, node->count, wh_x_value);
  if (!which || !values) return wh_fail_memory(err);
  memset(which, 0xFF, run->rows * sizeof *which); // WH_X_NONE
  decided d = {0};
  WH_TRY(begin(run, &d, err));
  uint8_t *chosen = d.unknown;
  for (size_t i = 0; i < node->count; i += 2) {
    bool is_else = i + 1 == node->count;
    wh_x_value condition = {0};
    if (!is_else) WH_TRY(wh_x_get_where(run, d.open, node->args[i], &condition, err));
    bool any = false;
    for (size_t b = 0; b < wh_x_bytes(run); b++) {
      chosen[b] = is_else ? d.open[b] : wh_x_true_bits(&condition, b) & d.open[b];
      d.open[b] &= (uint8_t)~chosen[b];
      any |= chosen[b] != 0;
    }
    size_t value = is_else ? i : i + 1;
    if (!any) continue;
    WH_TRY(wh_x_get_where(run, chosen, node->args[value], &values[value], err));
    for (size_t row = 0; row < run->rows; row++)
      if (wh_bit_get(chosen, row)) which[row] = (uint16_t)value;
  }
  return wh_x_select(run, out, values, which, err);
}

// Conditions stand at even places, values at odd ones; the value of else is the last.
static wh_status bind_case(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  size_t pairs = node->count / 2;
  bool has_else = node->count % 2;
  for (size_t i = 0; i < pairs; i++)
    WH_TRY(wh_x_want(bind, node, 2 * i, WH_BOOL, "a condition", err));
  // The values beside one another, so that they get one type.
  wh_x_node values = {.fn = node->fn, .count = pairs + has_else, .at = node->at};
  values.args = WH_NEW_ARRAY(bind->expr->arena, values.count, wh_x_node *);
  if (!values.args) return wh_fail_memory(err);
  for (size_t i = 0; i < values.count; i++)
    values.args[i] = node->args[i < pairs ? 2 * i + 1 : 2 * i];
  WH_TRY(wh_x_unify(bind, &values, 0, 1, &node->type, err));
  node->nullable = !has_else || wh_x_any_nullable(&values);
  for (size_t i = 0; i < values.count; i++)
    node->args[i < pairs ? 2 * i + 1 : 2 * i] = values.args[i];
  node->eval = wh_x_unknown(node) ? NULL : eval_case;
  return WH_OK;
}

const wh_x_function wh_x_case = {.help.name = "case", .bind = bind_case};

// --- coalesce ------------------------------------------------------------------------------------

static wh_status eval_coalesce(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_arena *scratch = &run->expr->scratch;
  uint16_t *which = WH_NEW_ARRAY(scratch, run->rows, uint16_t);
  wh_x_value *values = WH_NEW_ARRAY(scratch, node->count, wh_x_value);
  if (!which || !values) return wh_fail_memory(err);
  memset(which, 0xFF, run->rows * sizeof *which); // WH_X_NONE
  decided d = {.any = true};
  WH_TRY(begin(run, &d, err));
  for (size_t i = 0; i < node->count && d.any; i++) {
    WH_TRY(wh_x_get_where(run, d.open, node->args[i], &values[i], err));
    d.any = false;
    for (size_t row = 0; row < run->rows; row++)
      if (wh_bit_get(d.open, row) && !wh_x_is_null(&values[i], row)) which[row] = (uint16_t)i;
    for (size_t b = 0; b < wh_x_bytes(run); b++) {
      d.open[b] &= (uint8_t)~wh_x_valid_bits(&values[i], b);
      d.any |= d.open[b] != 0;
    }
  }
  return wh_x_select(run, out, values, which, err);
}

static wh_status bind_coalesce(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  WH_TRY(wh_x_unify(bind, node, 0, 1, &node->type, err));
  node->nullable = true;
  for (size_t i = 0; i < node->count; i++)
    node->nullable &= node->args[i]->nullable;
  node->eval = wh_x_unknown(node) ? NULL : eval_coalesce;
  return WH_OK;
}

const wh_x_function wh_x_coalesce = {
    .help = {"coalesce", "coalesce(a, b, ...)", "the first that is not NULL",
             "coalesce(null, 'b', 'c')", "b"},
    .least = 1,
    .most = WH_EXPR_NODES_MAX,
    .bind = bind_coalesce,
};
