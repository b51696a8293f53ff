// What the files of expr_*.c share: the tree, and how one operation computes a column.
#pragma once

#include "data/value.h"

#include "step/expr.h"

typedef struct wh_x_node wh_x_node;
typedef struct wh_x_bind wh_x_bind;
typedef struct wh_x_run wh_x_run;

// Appends run->rows values to `out`, which is reset and of the node's type.
typedef wh_status (*wh_x_eval)(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err);

// An operation. Its arguments are bound when `bind` is called; it checks and coerces them and sets
// type, nullable and eval.
typedef struct wh_x_function {
  wh_expr_help help;
  size_t least, most; // arguments
  wh_status (*bind)(wh_x_bind *bind, wh_x_node *node, wh_error *err);
} wh_x_function;

struct wh_x_node {
  const wh_x_function *fn; // NULL: a literal or a column
  size_t at, end;          // bytes of the text
  wh_x_node **args;
  size_t count;
  int depth;     // of the tree from here, while parsing
  wh_str name;   // of a column, as written
  bool is_text;  // a text literal: beside a date it is one
  bool is_bound; // nodes that the parser uses twice are bound once
  bool constant; // `result` has its one row
  ptrdiff_t column;
  wh_type type;
  bool nullable;
  wh_class privacy;
  wh_x_eval eval;
  int mode;                         // whatever the operation chose when it was bound
  void *data;                       // the same, in the arena
  void (*release)(wh_x_node *node); // what `data` holds outside the arena; NULL: nothing
  wh_column result;
  wh_x_node *next; // of all
};

struct wh_expr {
  wh_mem *mem;
  wh_arena *arena;  // the step's
  wh_arena scratch; // of one evaluation
  wh_str text;
  wh_x_node *all; // for the end
  wh_x_node *root;
  wh_field field;
};

// --- making --------------------------------------------------------------------------------------

struct wh_x_bind {
  wh_expr *expr;
  const wh_step_context *context;
  const wh_node *node; // where it is written
  const char *owner;
  const wh_schema *schema;
  size_t nodes; // so far
};

// "file:line:column: owner: ..." of the byte `at`.
__attribute__((format(printf, 4, 5))) wh_status wh_x_fail_at(const wh_x_bind *bind, size_t at,
                                                             wh_error *err, const char *fmt, ...);
wh_node wh_x_place(const wh_x_bind *bind, size_t at);
wh_status wh_x_new(wh_x_bind *bind, const wh_x_function *fn, size_t at, size_t end, size_t args,
                   wh_x_node **ret, wh_error *err);
wh_status wh_x_constant(wh_x_bind *bind, size_t at, size_t end, const wh_value *value,
                        wh_x_node **ret, wh_error *err);
wh_status wh_x_parse(wh_x_bind *bind, wh_x_node **ret, wh_error *err);
wh_status wh_x_bind_node(wh_x_bind *bind, wh_x_node *node, wh_error *err);

const wh_x_function *wh_x_function_by_name(wh_str name);
wh_status wh_x_fail_function(const wh_x_bind *bind, wh_str name, size_t at, wh_error *err);

// The types of arguments, for the bind functions. What is not known (WH_NULL) passes them all.
static inline bool wh_x_unknown(const wh_x_node *node) {
  return node->type.kind == WH_NULL;
}
static inline bool wh_x_is_number(const wh_x_node *node) {
  return node->type.kind >= WH_INT8 && node->type.kind <= WH_DECIMAL;
}
// "lower(...): expected text, found int64"
wh_status wh_x_fail_type(wh_x_bind *bind, const wh_x_node *node, const wh_x_node *arg,
                         const char *expected, wh_error *err);
// Makes the argument one of this type, by a node in between; from and to must be of a kind:
// numbers, dates and timestamps, times. NULL becomes NULL of the type.
wh_status wh_x_coerce(wh_x_bind *bind, wh_x_node *node, size_t arg, const wh_type *type,
                      wh_error *err);
wh_status wh_x_want(wh_x_bind *bind, wh_x_node *node, size_t arg, wh_kind kind,
                    const char *expected, wh_error *err);
// Numbers: int64, decimals of one scale, or float64.
wh_status wh_x_want_numbers(wh_x_bind *bind, wh_x_node *node, wh_error *err);
// As a decimal, with as many digits as its type needs.
wh_status wh_x_as_decimal(wh_x_bind *bind, wh_x_node *node, size_t arg, wh_error *err);
// One type for the arguments from, from + by, ...: the narrowest that holds all. `ret` is WH_NULL
// where nothing is known.
wh_status wh_x_unify(wh_x_bind *bind, wh_x_node *node, size_t from, size_t by, wh_type *ret,
                     wh_error *err);
// The value of an argument that must be a constant.
wh_status wh_x_constant_text(wh_x_bind *bind, wh_x_node *node, size_t arg, const char *what,
                             wh_str *ret, wh_error *err);
wh_status wh_x_constant_int(wh_x_bind *bind, wh_x_node *node, size_t arg, const char *what,
                            int64_t least, int64_t most, int64_t *ret, wh_error *err);
bool wh_x_any_nullable(const wh_x_node *node);
// What most have: NULL where any argument is.
static inline wh_status wh_x_strict(wh_x_node *node, wh_type type, wh_x_eval eval) {
  node->type = type;
  node->nullable = wh_x_any_nullable(node);
  node->eval = eval;
  return WH_OK;
}
// A node that stands for NULL.
void wh_x_be_null(wh_x_node *node, wh_type type);

// --- computing -----------------------------------------------------------------------------------

struct wh_x_run {
  wh_expr *expr;
  const wh_column *const *columns;
  size_t rows;           // above 0
  const uint8_t *active; // rows whose value is wanted, a bitmap; NULL: all
  wh_cast_failed failed;
  void *context;
};

// A column, or one value for all rows: row i is at i * step.
typedef struct wh_x_value {
  const wh_column *column;
  size_t step;
} wh_x_value;

wh_status wh_x_get(wh_x_run *run, wh_x_node *node, wh_x_value *ret, wh_error *err);
// The same for all arguments.
enum { WH_X_ARGS_MAX = 3 }; // of functions whose number of arguments is fixed
wh_status wh_x_get_args(wh_x_run *run, wh_x_node *node, wh_x_value *ret, wh_error *err);
// Of those rows only.
wh_status wh_x_get_where(wh_x_run *run, const uint8_t *active, wh_x_node *node, wh_x_value *ret,
                         wh_error *err);
static inline bool wh_x_is_null(const wh_x_value *v, size_t row) {
  return wh_column_is_null(v->column, row * v->step);
}
static inline wh_str wh_x_text(const wh_x_value *v, size_t row) {
  return wh_column_text(v->column, row * v->step);
}
static inline int64_t wh_x_i64(const wh_x_value *v, size_t row) {
  int64_t value;
  memcpy(&value, v->column->values + row * v->step * sizeof value, sizeof value);
  return value;
}
static inline __int128 wh_x_i128(const wh_x_value *v, size_t row) {
  __int128 value;
  memcpy(&value, v->column->values + row * v->step * sizeof value, sizeof value);
  return value;
}
static inline double wh_x_f64(const wh_x_value *v, size_t row) {
  double value;
  memcpy(&value, v->column->values + row * v->step * sizeof value, sizeof value);
  return value;
}
static inline void wh_x_put_i64(wh_column *out, size_t row, int64_t value) {
  memcpy(out->values + row * sizeof value, &value, sizeof value);
}
static inline void wh_x_put_i128(wh_column *out, size_t row, __int128 value) {
  memcpy(out->values + row * sizeof value, &value, sizeof value);
}
static inline void wh_x_put_f64(wh_column *out, size_t row, double value) {
  memcpy(out->values + row * sizeof value, &value, sizeof value);
}
// Eight rows of a boolean: those that are true, and those that are false. Bits behind the last row
// may be anything.
uint8_t wh_x_true_bits(const wh_x_value *v, size_t byte);
uint8_t wh_x_false_bits(const wh_x_value *v, size_t byte);
uint8_t wh_x_valid_bits(const wh_x_value *v, size_t byte);
static inline size_t wh_x_bytes(const wh_x_run *run) {
  return (run->rows + 7) / 8;
}
uint8_t *wh_x_bitmap(wh_x_run *run, wh_error *err); // of the rows; NULL without memory

// Room for values that are stored in place.
wh_status wh_x_begin(wh_x_run *run, wh_column *out, wh_error *err);
// They are there; a row is NULL where one of the values is.
wh_status wh_x_end(wh_x_run *run, wh_column *out, const wh_x_value *values, size_t count,
                   wh_error *err);
// The same for booleans that were computed with their validity.
wh_status wh_x_end_bits(wh_x_run *run, wh_column *out, const uint8_t *valid, wh_error *err);
// A row has no value. Nothing is said of one whose value is not wanted or in which a value is NULL.
wh_status wh_x_bad_row(wh_x_run *run, const wh_x_node *node, const wh_x_value *values, size_t count,
                       size_t row, const char *why, wh_error *err);
// Takes from value which[row]; WH_X_NONE: NULL.
enum { WH_X_NONE = UINT16_MAX };
wh_status wh_x_select(wh_x_run *run, wh_column *out, const wh_x_value *values,
                      const uint16_t *which, wh_error *err);
// -1, 0 or 1; of two values of one type that are not NULL.
int wh_x_compare(const wh_x_value *a, const wh_x_value *b, size_t row);

// --- the operations ------------------------------------------------------------------------------

extern const wh_x_function wh_x_or, wh_x_and, wh_x_not, wh_x_case, wh_x_is_null_fn, wh_x_coalesce;
extern const wh_x_function wh_x_eq, wh_x_ne, wh_x_lt, wh_x_le, wh_x_gt, wh_x_ge, wh_x_distinct;
extern const wh_x_function wh_x_least, wh_x_greatest;
extern const wh_x_function wh_x_add, wh_x_subtract, wh_x_multiply, wh_x_divide, wh_x_modulo,
    wh_x_negate;
extern const wh_x_function wh_x_abs, wh_x_round, wh_x_floor, wh_x_ceil;
extern const wh_x_function wh_x_join, wh_x_concat, wh_x_like, wh_x_matches, wh_x_lower, wh_x_upper,
    wh_x_trim, wh_x_length, wh_x_substring, wh_x_replace, wh_x_split_part, wh_x_starts_with,
    wh_x_ends_with, wh_x_contains;
extern const wh_x_function wh_x_year, wh_x_month, wh_x_day, wh_x_hour, wh_x_minute, wh_x_second,
    wh_x_weekday, wh_x_date, wh_x_date_trunc, wh_x_date_add, wh_x_date_diff, wh_x_now;
extern const wh_x_function wh_x_cast; // its type is node->data, a wh_type

// How decimals are computed, for tests as well: a * 10^places / b, the half away from zero.
bool wh_x_quotient(__int128 a, __int128 b, int places, __int128 *ret);
// Without the last `digits` digits: the half away from zero.
__int128 wh_x_round_digits(__int128 value, int digits);
