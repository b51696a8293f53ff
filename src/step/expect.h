// Expectations: rules on the columns that crossed. A row that breaks one goes to quarantine with
// the rule, the column and a reason. Rules of the run as a whole stop it: step/run_rules.h.
//
//   expect:
//     OrderNumber: [not_null, unique]
//     OrderStatus: { in: [Open, Shipped] }
//     Postcode: { matches: "^[A-Z0-9 ]+$" }        # POSIX extended, whole value not implied
//     Quantity: { range: [1, 1000] }               # inclusive; null or ~ for no bound
//     UpdatedAt: { fresher_than: 24h }             # the newest of the run; rejects no row
//     at_most_rejected: 1%                         # of the run
//
// Rules are tried in the order they are written, and the first that a row breaks is its reason.
// `unique` comes after all others, so that only rows which pass them count: a row in quarantine is
// no reason to reject another. It looks at the rows of one run.
// A NULL breaks nothing but not_null. `matches` looks at the canonical text where a column is no
// text; its characters are Unicode's.
// A column that must not be NULL is not nullable in the schema that comes out.
#pragma once

#include "step/run_rules.h"
#include "step/step.h"

enum { WH_EXPECT_RULES_MAX = 10000 };

// `rules` is the `expect` map (NULL: none).
wh_status wh_expect_bind(const wh_step_context *context, const wh_node *rules, const wh_schema *in,
                         wh_step **ret, wh_error *err);
// The columns with fresher_than, at most WH_FRESH_MAX; they live as long as the step.
const wh_fresh *wh_expect_fresh(const wh_step *step, size_t *ret_count);
