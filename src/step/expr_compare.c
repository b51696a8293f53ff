// Comparisons, and the least and greatest of several. Numbers by value, text by its bytes, NaN is
// above all other floats and equal to itself: the order of wh_value_compare.
#include "step/expr_private.h"

#include <math.h>

enum { LESS = 1, EQUAL = 2, GREATER = 4 };

static inline int order_f64(double a, double b) {
  if (__builtin_expect(isnan(a) || isnan(b), 0)) return isnan(a) - isnan(b);
  return (a > b) - (a < b);
}

static inline int order_text(wh_str a, wh_str b) {
  int order = wh_str_cmp(a, b);
  return (order > 0) - (order < 0);
}

int wh_x_compare(const wh_x_value *a, const wh_x_value *b, size_t row) {
  switch (a->column->type.kind) {
  case WH_FLOAT64:
    return order_f64(wh_x_f64(a, row), wh_x_f64(b, row));
  case WH_STRING:
  case WH_BINARY:
    return order_text(wh_x_text(a, row), wh_x_text(b, row));
  case WH_DECIMAL: {
    __int128 x = wh_x_i128(a, row), y = wh_x_i128(b, row);
    return (x > y) - (x < y);
  }
  case WH_BOOL:
    return wh_column_bool(a->column, row * a->step) - wh_column_bool(b->column, row * b->step);
  default: {
    int64_t x = wh_column_i64(a->column, row * a->step),
            y = wh_column_i64(b->column, row * b->step);
    return (x > y) - (x < y);
  }
  }
}

// Sets the bit of each row whose order is one of `wanted`.
#define COMPARE_ROWS(order)                                                                        \
  for (size_t from = 0; from < rows; from += 8) {                                                  \
    size_t count = rows - from < 8 ? rows - from : 8;                                              \
    unsigned bits = 0;                                                                             \
    for (size_t k = 0; k < count; k++) {                                                           \
      size_t row = from + k;                                                                       \
      bits |= (unsigned)(wanted >> ((order) + 1) & 1) << k;                                        \
    }                                                                                              \
    out[from / 8] = (uint8_t)bits;                                                                 \
  }

static void compare_i64(const wh_x_value *a, const wh_x_value *b, size_t rows, int wanted,
                        uint8_t *out) {
  COMPARE_ROWS((wh_x_i64(a, row) > wh_x_i64(b, row)) - (wh_x_i64(a, row) < wh_x_i64(b, row)))
}

static void compare_f64(const wh_x_value *a, const wh_x_value *b, size_t rows, int wanted,
                        uint8_t *out) {
  COMPARE_ROWS(order_f64(wh_x_f64(a, row), wh_x_f64(b, row)))
}

// Whether texts are equal is said by their lengths most of the time.
static void compare_equal(const wh_x_value *a, const wh_x_value *b, size_t rows, int wanted,
                          uint8_t *out) {
  COMPARE_ROWS(wh_str_eq(wh_x_text(a, row), wh_x_text(b, row)) ? 0 : 1)
}

static void compare_any(const wh_x_value *a, const wh_x_value *b, size_t rows, int wanted,
                        uint8_t *out) {
  COMPARE_ROWS(wh_x_compare(a, b, row))
}

static void compare(const wh_x_value v[2], size_t rows, int wanted, uint8_t *out) {
  wh_kind kind = v[0].column->type.kind;
  bool equality = wanted == EQUAL || wanted == (LESS | GREATER);
  if (kind == WH_INT64 || kind == WH_TIME || kind == WH_TIMESTAMP)
    compare_i64(&v[0], &v[1], rows, wanted, out);
  else if (kind == WH_FLOAT64)
    compare_f64(&v[0], &v[1], rows, wanted, out);
  else if (wh_kind_is_text(kind) && equality)
    compare_equal(&v[0], &v[1], rows, equality && wanted == EQUAL ? EQUAL : GREATER, out);
  else
    compare_any(&v[0], &v[1], rows, wanted, out);
}

static wh_status eval_compare(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  compare(v, run->rows, node->mode, out->values);
  return wh_x_end(run, out, v, 2, err);
}

// NULL is a value like others here.
static wh_status eval_distinct(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v[2];
  WH_TRY(wh_x_get_args(run, node, v, err));
  WH_TRY(wh_x_begin(run, out, err));
  compare(v, run->rows, node->mode, out->values);
  for (size_t b = 0; b < wh_x_bytes(run); b++) {
    uint8_t one = wh_x_valid_bits(&v[0], b), other = wh_x_valid_bits(&v[1], b);
    out->values[b] = (uint8_t)((one ^ other) | (one & other & out->values[b]));
  }
  return wh_x_end(run, out, NULL, 0, err);
}

// The arguments get the one type that they are compared in.
static wh_status want_comparable(wh_x_bind *bind, wh_x_node *node, wh_type *ret, wh_error *err) {
  WH_TRY(wh_x_unify(bind, node, 0, 1, ret, err));
  if (ret->kind == WH_LIST || ret->kind == WH_STRUCT)
    return wh_x_fail_type(bind, node, node->args[0], "single values", err);
  if (wh_kind_is_int(ret->kind)) {
    bool large = ret->kind == WH_UINT64;
    *ret = large ? (wh_type){.kind = WH_DECIMAL, .precision = 20} : wh_type_of(WH_INT64);
  }
  if (ret->kind == WH_FLOAT32) *ret = wh_type_of(WH_FLOAT64);
  for (size_t i = 0; i < node->count && ret->kind != WH_NULL; i++)
    WH_TRY(wh_x_coerce(bind, node, i, ret, err));
  return WH_OK;
}

static wh_status bind_compare(wh_x_bind *bind, wh_x_node *node, int wanted, wh_error *err) {
  wh_type type;
  WH_TRY(want_comparable(bind, node, &type, err));
  node->mode = wanted;
  if (type.kind == WH_NULL && !bind->context->dry) { // NULL = NULL
    wh_x_be_null(node, wh_type_of(WH_BOOL));
    return WH_OK;
  }
  return wh_x_strict(node, wh_type_of(WH_BOOL), eval_compare);
}

#define COMPARISON(word, sign, wanted)                                                             \
  static wh_status bind_##word(wh_x_bind *bind, wh_x_node *node, wh_error *err) {                  \
    return bind_compare(bind, node, wanted, err);                                                  \
  }                                                                                                \
  const wh_x_function wh_x_##word = {.help.name = sign, .bind = bind_##word};

COMPARISON(eq, "=", EQUAL)
COMPARISON(ne, "!=", LESS | GREATER)
COMPARISON(lt, "<", LESS)
COMPARISON(le, "<=", LESS | EQUAL)
COMPARISON(gt, ">", GREATER)
COMPARISON(ge, ">=", GREATER | EQUAL)

static wh_status eval_alike(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  (void)node;
  WH_TRY(wh_x_begin(run, out, err));
  memset(out->values, 0, wh_x_bytes(run));
  return wh_x_end(run, out, NULL, 0, err);
}

static wh_status bind_distinct(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  wh_type type;
  WH_TRY(want_comparable(bind, node, &type, err));
  node->mode = LESS | GREATER;
  node->type = wh_type_of(WH_BOOL);
  node->eval = type.kind == WH_NULL ? eval_alike : eval_distinct; // NULL and NULL
  return WH_OK;
}

const wh_x_function wh_x_distinct = {.help.name = "is distinct from", .bind = bind_distinct};

// --- least, greatest -----------------------------------------------------------------------------

static wh_status eval_extreme(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_arena *scratch = &run->expr->scratch;
  uint16_t *which = WH_NEW_ARRAY(scratch, run->rows, uint16_t);
  wh_x_value *values = WH_NEW_ARRAY(scratch, node->count, wh_x_value);
  if (!which || !values) return wh_fail_memory(err);
  WH_TRY(wh_x_get_args(run, node, values, err));
  for (size_t row = 0; row < run->rows; row++) {
    which[row] = WH_X_NONE;
    for (size_t i = 0; i < node->count; i++) {
      if (wh_x_is_null(&values[i], row)) continue;
      if (which[row] == WH_X_NONE) {
        which[row] = (uint16_t)i;
        continue;
      }
      // Both stand in the row, if not at the same step.
      if (wh_x_compare(&values[i], &values[which[row]], row) == node->mode)
        which[row] = (uint16_t)i;
    }
  }
  return wh_x_select(run, out, values, which, err);
}

static wh_status bind_extreme(wh_x_bind *bind, wh_x_node *node, int wanted, wh_error *err) {
  WH_TRY(want_comparable(bind, node, &node->type, err));
  node->mode = wanted;
  node->nullable = true;
  for (size_t i = 0; i < node->count; i++)
    node->nullable &= node->args[i]->nullable;
  node->eval = wh_x_unknown(node) ? NULL : eval_extreme;
  return WH_OK;
}

static wh_status bind_least(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  return bind_extreme(bind, node, -1, err);
}

static wh_status bind_greatest(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  return bind_extreme(bind, node, 1, err);
}

const wh_x_function wh_x_least = {
    .help = {"least", "least(a, b, ...)", "the smallest; NULLs do not count", "least(3, 1.5, null)",
             "1.5"},
    .least = 1,
    .most = WH_EXPR_NODES_MAX,
    .bind = bind_least,
};
const wh_x_function wh_x_greatest = {
    .help = {"greatest", "greatest(a, b, ...)", "the largest; NULLs do not count",
             "greatest(3, 1.5, null)", "3.0"},
    .least = 1,
    .most = WH_EXPR_NODES_MAX,
    .bind = bind_greatest,
};
