// What a rule of `expect` is. One file a rule; expect.c lists them and drives them.
#pragma once

#include "step/frame.h"
#include "step/run_rules.h"

typedef struct wh_rule wh_rule;

typedef struct wh_rule_type {
  const char *name;  // also the rule of a reject
  const char *shape; // how its options look; NULL: it has none
  // Reads the options. `options` is NULL where the rule stands as a word alone.
  wh_status (*bind)(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                    const wh_node *options, wh_error *err);
  // Sets broken[i] = mark for each row that breaks the rule, of those that are 0. NULL: it is asked
  // elsewhere (see below).
  wh_status (*check)(wh_rule *rule, const wh_column *column, uint16_t *broken, uint16_t mark,
                     wh_error *err);
  // Appends why this row breaks it: "'x' is not one of a, b".
  wh_status (*reason)(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                      wh_error *err);
  void (*close)(wh_rule *rule); // what bind made outside the arena; NULL: nothing
} wh_rule_type;

struct wh_rule {
  const wh_rule_type *type;
  const wh_node *node;   // where it is written; while binding
  size_t at;             // its column
  const wh_field *field; // of the schema that comes in
  void *state;           // of the rule's own making
};

extern const wh_rule_type wh_rule_not_null;
extern const wh_rule_type wh_rule_in;
extern const wh_rule_type wh_rule_matches;
extern const wh_rule_type wh_rule_range;
extern const wh_rule_type *const wh_rule_types[]; // all of them; NULL-terminated

// fresher_than says something of the run: its state is a wh_fresh (step/run_rules.h).
extern const wh_rule_type wh_rule_fresher_than; // check is NULL

// unique keeps what it saw, and must only keep what went on; so it is asked row by row.
extern const wh_rule_type wh_rule_unique; // check is NULL
// Its share of the step's memory; before the first row.
wh_status wh_unique_open(wh_rule *rule, const wh_step_context *context, size_t limit_bytes,
                         wh_error *err);
wh_status wh_unique_find(wh_rule *rule, const wh_column *column, size_t row, bool *ret_found,
                         wh_error *err);
// Adds the value of a row; NULL is never there before. `number` is the row's in its source.
wh_status wh_unique_add(wh_rule *rule, const wh_column *column, size_t row, uint64_t number,
                        bool *ret_new, wh_error *err);
