// Expectations: rules on the columns that crossed. A row that breaks one goes to quarantine with
// the rule, the column and a reason; `at_most_rejected` stops the run.
//
//   expect:
//     OrderNumber: [not_null, unique]
//     OrderStatus: { in: [Open, Shipped] }
//     Postcode: { matches: "^[A-Z0-9 ]+$" }        # POSIX extended, whole value not implied
//     Quantity: { range: [1, 1000] }               # inclusive; null or ~ for no bound
//     at_most_rejected: 1%                         # or a number of rows
//
// Rules are tried in the order they are written, and the first that a row breaks is its reason.
// `unique` comes after all others, so that only rows which pass them count: a row in quarantine is
// no reason to reject another. It looks at the rows of one run.
// A NULL breaks nothing but not_null. `matches` looks at the canonical text where a column is no
// text; its characters are Unicode's. A column named at_most_rejected is written in quotes.
// A column that must not be NULL is not nullable in the schema that comes out.
#pragma once

#include "step/step.h"

enum { WH_EXPECT_RULES_MAX = 10000 };

typedef struct wh_expect_limit {
  bool given;
  bool percent;
  double value; // rows, or percent of the rows read
} wh_expect_limit;

// `rules` is the `expect` map (NULL: none). `ret_limit` is for the engine, which counts rejects of
// the whole run.
wh_status wh_expect_bind(const wh_step_context *context, const wh_node *rules, const wh_schema *in,
                         wh_step **ret, wh_error *err);
wh_status wh_expect_limit_parse(const wh_node *rules, wh_expect_limit *ret, wh_error *err);
