// Rules of a run as a whole: words of `expect` beside the names of its columns. A run that breaks
// one stops before anything of it is published.
//
//   expect:
//     OrderNumber: [not_null]
//     UpdatedAt: { fresher_than: 24h }
//     at_most_rejected: 1%            # of the rows read
//     at_least_rows: [1000, 50%]      # of those of the last run
//     at_most_rows: 200%
//
// Each takes a number of rows, a percentage, or a list of both, which then both hold. A column of
// such a name is written in quotes. `fresher_than` is a column's, and so in the list of its rules
// (step/rule_fresher_than.c); what it says is of the run, too.
#pragma once

#include "base/node.h"
#include "data/batch.h"

typedef enum wh_run_rule {
  WH_AT_MOST_REJECTED,
  WH_AT_LEAST_ROWS,
  WH_AT_MOST_ROWS,
  WH_RUN_RULES
} wh_run_rule;

typedef struct wh_run_limit {
  bool has_rows, has_percent;
  bool implied; // nobody wrote it: `mode: replace` has it
  uint64_t rows;
  double percent;
} wh_run_limit;

typedef struct wh_run_rules {
  wh_run_limit limits[WH_RUN_RULES];
} wh_run_rules;

// What is known of a run. `kept`: rows that were neither rejected nor filtered.
typedef struct wh_run_tally {
  uint64_t read, rejected, kept;
  bool has_earlier; // the pipeline had a run before
  uint64_t earlier; // what it kept
} wh_run_tally;

typedef struct wh_run_rule_type {
  const char *word;
  const char *of;   // what a percentage is of
  const char *help; // for the reference
} wh_run_rule_type;
extern const wh_run_rule_type wh_run_rule_types[WH_RUN_RULES];

// Whether a key of `expect` is such a word, and no column's name.
bool wh_run_rules_has(const wh_node *key);
// Of an `expect` map; NULL: none.
wh_status wh_run_rules_parse(const wh_node *expect, wh_run_rules *ret, wh_error *err);
static inline bool wh_run_limit_given(const wh_run_limit *limit) {
  return limit->has_rows || limit->has_percent;
}
// WH_ERR_REFUSED, with what was found and what was allowed. A percentage of earlier rows says
// nothing where there was no run before.
wh_status wh_run_rules_check(const wh_run_rules *rules, wh_run_rule rule, const wh_run_tally *tally,
                             wh_error *err);
// "at_least_rows: [1000, 50%]", as it is written; empty where the rule is not given.
typedef struct wh_run_rule_text {
  char s[96];
} wh_run_rule_text;
wh_run_rule_text wh_run_rules_text(const wh_run_rules *rules, wh_run_rule rule);

// --- fresher_than --------------------------------------------------------------------------------

enum { WH_FRESH_MAX = 8 }; // columns of a pipeline
// No value of the column was seen, or none that may count.
#define WH_NEWEST_NONE INT64_MIN

// A column whose newest value must not be older than so long before the run's start.
typedef struct wh_fresh {
  size_t at; // the column
  const wh_field *field;
  wh_str age;     // as it is written: "24h"
  int64_t oldest; // that its newest value may be, in its unit
  int64_t latest; // later ones are mistakes, and prove nothing
} wh_fresh;

// Raises newest[i] to the highest value of fresh[i]'s column.
void wh_fresh_look(const wh_fresh *fresh, size_t count, const wh_batch *batch, int64_t *newest);
// WH_ERR_REFUSED where that is too old, or no row has a value.
wh_status wh_fresh_check(const wh_fresh *fresh, int64_t newest, wh_mem *mem, wh_error *err);
