// Expressions: what `filter` and `derive` compute from the columns of a row.
//
//   status != 'test' and round(net * 1.2, 2) > 0
//
// The language is a small part of SQL's: its literals, operators and their precedence, its
// three-valued logic (ISO/IEC 9075-2, 8.1 and 6.39), and the functions of a table. Every part has a
// type before the first row comes: integers are computed as int64, decimals exactly, and nothing is
// a float unless an operand is one. What cannot be computed for a row (an overflow, a division by
// zero, a cast that does not fit) is that row's error; the others go on.
//
// A batch is computed column by column. expr_parse.c makes a tree of the text, expr_bind.c gives it
// types and folds what is constant, and each operation (expr_private.h) computes a whole column.
#pragma once

#include "data/cast.h"

#include "step/frame.h"

enum {
  WH_EXPR_BYTES_MAX = 8192, // of an expression's text
  WH_EXPR_DEPTH_MAX = 100,  // of what stands inside one another
  WH_EXPR_NODES_MAX = 2000, // literals, columns and operations
};

typedef struct wh_expr wh_expr;

// Reads the scalar and binds it to the columns of `schema`. `owner` is the step's name, for
// messages, which name the position of the character where the file says the text letter by letter.
// With context->dry, columns that are not there are of a type that is not known, as is what comes
// of them. `schema` is not needed afterwards. The expression lives in `arena`; it is freed first.
wh_status wh_expr_bind(const wh_step_context *context, wh_arena *arena, const wh_node *node,
                       const char *owner, const wh_schema *schema, wh_expr **ret, wh_error *err);
void wh_expr_free(wh_expr *expr); // NULL is fine

// What it gives: type, whether it can be NULL, and the highest class of what it reads (at least
// internal). The name is empty.
const wh_field *wh_expr_field(const wh_expr *expr);

// Makes `out`, of its type and reset, hold its value for each of `rows` rows of the columns, which
// stand in the order of the schema; `out` may borrow one of them. `failed` is called for a row that
// has no value; it may be called again for the same row. Memory for what is computed on the way is
// given back at the end, so that a step of many expressions needs that of one.
wh_status wh_expr_eval(wh_expr *expr, const wh_column *const *columns, size_t rows, wh_column *out,
                       wh_cast_failed failed, void *context, wh_error *err);

// An operator or function, for the reference; a test evaluates each example.
typedef struct wh_expr_help {
  const char *name;
  const char *written; // "round(number [, places])"
  const char *help;
  const char *example; // of constants
  const char *gives;   // its canonical text; "NULL"
} wh_expr_help;

extern const wh_expr_help wh_expr_operators[]; // from the lowest precedence; ends with a NULL name
// The i-th function, in the order of the reference; NULL behind the last.
const wh_expr_help *wh_expr_function_help(size_t i);
