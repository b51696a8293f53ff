// How an operation gets its arguments, says which rows it cannot compute, and ends its column.
#include "step/expr_private.h"

// --- arguments -----------------------------------------------------------------------------------

wh_status wh_x_get(wh_x_run *run, wh_x_node *node, wh_x_value *ret, wh_error *err) {
  if (!node->constant && node->column < 0) {
    wh_column_reset(&node->result);
    WH_TRY(node->eval(run, node, &node->result, err));
  }
  *ret = node->column >= 0 ? (wh_x_value){run->columns[node->column], 1}
                           : (wh_x_value){&node->result, !node->constant};
  return WH_OK;
}

wh_status wh_x_get_args(wh_x_run *run, wh_x_node *node, wh_x_value *ret, wh_error *err) {
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(wh_x_get(run, node->args[i], &ret[i], err));
  return WH_OK;
}

wh_status wh_x_get_where(wh_x_run *run, const uint8_t *active, wh_x_node *node, wh_x_value *ret,
                         wh_error *err) {
  const uint8_t *before = run->active;
  run->active = active;
  wh_status status = wh_x_get(run, node, ret, err);
  run->active = before;
  return status;
}

static uint8_t bits_of(const wh_x_value *v, const uint8_t *bitmap, size_t byte) {
  return v->step ? bitmap[byte] : bitmap[0] & 1 ? 0xFF : 0;
}

uint8_t wh_x_valid_bits(const wh_x_value *v, size_t byte) {
  if (v->column->type.kind == WH_NULL) return 0;
  return v->column->validity ? bits_of(v, v->column->validity, byte) : 0xFF;
}

uint8_t wh_x_true_bits(const wh_x_value *v, size_t byte) {
  return bits_of(v, v->column->values, byte) & wh_x_valid_bits(v, byte);
}

uint8_t wh_x_false_bits(const wh_x_value *v, size_t byte) {
  return (uint8_t)~bits_of(v, v->column->values, byte) & wh_x_valid_bits(v, byte);
}

uint8_t *wh_x_bitmap(wh_x_run *run, wh_error *err) {
  uint8_t *bits = wh_arena_alloc(&run->expr->scratch, wh_x_bytes(run));
  if (!bits) (void)wh_fail_memory(err);
  return bits;
}

// --- the column that comes of it -----------------------------------------------------------------

wh_status wh_x_begin(wh_x_run *run, wh_column *out, wh_error *err) {
  return wh_column_reserve(out, run->rows, 0, err);
}

// NULL rows hold zero.
static void clear_nulls(wh_column *out) {
  if (out->type.kind == WH_BOOL) {
    for (size_t b = 0; b < (out->length + 7) / 8; b++)
      out->values[b] &= out->validity[b];
    return;
  }
  for (size_t i = 0; i < out->length; i++)
    if (!wh_bit_get(out->validity, i)) memset(out->values + i * out->width, 0, out->width);
}

static size_t count_bits(const uint8_t *bits, size_t rows) {
  size_t count = 0;
  for (size_t b = 0; b < rows / 8; b++)
    count += (size_t)__builtin_popcount(bits[b]);
  if (rows % 8) count += (size_t)__builtin_popcount(bits[rows / 8] & ((1u << rows % 8) - 1));
  return count;
}

wh_status wh_x_end_bits(wh_x_run *run, wh_column *out, const uint8_t *valid, wh_error *err) {
  out->length = run->rows;
  out->null_count = run->rows - count_bits(valid, run->rows);
  if (out->null_count == 0) return WH_OK;
  if (!out->validity) out->validity = wh_mem_alloc(out->mem, out->rows_cap / 8);
  if (!out->validity) {
    out->length = out->null_count = 0;
    return wh_fail_memory(err);
  }
  memcpy(out->validity, valid, wh_x_bytes(run));
  clear_nulls(out);
  return WH_OK;
}

wh_status wh_x_end(wh_x_run *run, wh_column *out, const wh_x_value *values, size_t count,
                   wh_error *err) {
  bool any = false;
  for (size_t i = 0; i < count; i++)
    any |= values[i].column->null_count > 0;
  if (!any) {
    out->length = run->rows;
    return WH_OK;
  }
  uint8_t *valid = wh_x_bitmap(run, err);
  if (!valid) return WH_ERR_MEMORY;
  for (size_t b = 0; b < wh_x_bytes(run); b++) {
    valid[b] = 0xFF;
    for (size_t i = 0; i < count; i++)
      valid[b] &= wh_x_valid_bits(&values[i], b);
  }
  return wh_x_end_bits(run, out, valid, err);
}

// --- rows without a value ------------------------------------------------------------------------

wh_status wh_x_bad_row(wh_x_run *run, const wh_x_node *node, const wh_x_value *values, size_t count,
                       size_t row, const char *why, wh_error *err) {
  if (run->active && !wh_bit_get(run->active, row)) return WH_OK;
  for (size_t i = 0; i < count; i++)
    if (wh_x_is_null(&values[i], row)) return WH_OK;
  wh_str said = wh_str_sub(run->expr->text, node->at, node->end);
  wh_str shown = wh_str_sub(said, 0, wh_utf8_cut(said, WH_SHOWN_MAX));
  char reason[WH_REASON_MAX / 2];
  snprintf(reason, sizeof reason, "%.*s%s: %s", WH_STR_ARG(shown),
           shown.len < said.len ? "..." : "", why);
  return run->failed(run->context, row, reason, err);
}

// --- one of several ------------------------------------------------------------------------------

// Values of a fixed width, one by one in place.
static wh_status select_fixed(wh_x_run *run, wh_column *out, const wh_x_value *values,
                              const uint16_t *which, wh_error *err) {
  WH_TRY(wh_x_begin(run, out, err));
  uint8_t *valid = wh_x_bitmap(run, err);
  if (!valid) return WH_ERR_MEMORY;
  size_t width = out->width;
  for (size_t row = 0; row < run->rows; row++) {
    uint8_t *to = out->values + row * width;
    const wh_x_value *v = which[row] == WH_X_NONE ? NULL : &values[which[row]];
    if (!v || wh_x_is_null(v, row)) {
      memset(to, 0, width);
      continue;
    }
    const uint8_t *from = v->column->values + row * v->step * width;
    if (width == 8)
      memcpy(to, from, 8);
    else if (width == 16)
      memcpy(to, from, 16);
    else
      memcpy(to, from, width);
    wh_bit_set(valid, row);
  }
  return wh_x_end_bits(run, out, valid, err);
}

wh_status wh_x_select(wh_x_run *run, wh_column *out, const wh_x_value *values,
                      const uint16_t *which, wh_error *err) {
  if (out->width) return select_fixed(run, out, values, which, err);
  WH_TRY(wh_x_begin(run, out, err));
  for (size_t row = 0; row < run->rows; row++) {
    if (which[row] == WH_X_NONE) {
      WH_TRY(wh_column_add_null(out, err));
      continue;
    }
    const wh_x_value *v = &values[which[row]];
    WH_TRY(wh_column_add_from(out, v->column, row * v->step, err));
  }
  return WH_OK;
}

// --- the whole -----------------------------------------------------------------------------------

static wh_status repeat(const wh_column *one, size_t rows, wh_column *out, wh_error *err) {
  WH_TRY(wh_column_reserve(out, rows, 0, err));
  for (size_t i = 0; i < rows; i++)
    WH_TRY(wh_column_add_from(out, one, 0, err));
  return WH_OK;
}

// What was computed on the way.
static void give_back(wh_expr *expr) {
  for (wh_x_node *node = expr->all; node; node = node->next) {
    if (node->constant || !node->result.mem) continue;
    wh_column_free(&node->result);
    wh_column_init(&node->result, expr->mem, &node->type);
  }
  wh_arena_free(&expr->scratch);
  wh_arena_init(&expr->scratch, expr->mem);
}

wh_status wh_expr_eval(wh_expr *expr, const wh_column *const *columns, size_t rows, wh_column *out,
                       wh_cast_failed failed, void *context, wh_error *err) {
  if (rows == 0) return WH_OK;
  wh_x_node *root = expr->root;
  if (root->constant) return repeat(&root->result, rows, out, err);
  if (root->column >= 0) {
    wh_column_borrow(out, columns[root->column]);
    return WH_OK;
  }
  wh_x_run run = {
      .expr = expr, .columns = columns, .rows = rows, .failed = failed, .context = context};
  wh_status status = root->eval(&run, root, out, err);
  give_back(expr);
  return status;
}
