// What can be said of steps and expectations before there is data: their words, their arguments,
// and their columns as far as those are known. `check` asks here; a run binds for itself.
//
// A schema says what is known so far. A column that nothing is known of is of kind WH_NULL, which
// no step takes offence at; a cast or a declared type makes it known.
#pragma once

#include "step/step.h"

typedef struct wh_dry {
  wh_os *os;
  wh_mem *mem;
  wh_arena *arena;  // of `known`
  wh_schema known;  // columns at this point; zeroed to begin with
  wh_field *fields; // the same
  size_t cap;       // of them
} wh_dry;

// One item of `steps`. Nobody knows the source's columns, so that each column it names is taken to
// be there (or by the step itself: wh_step_type.finds_columns); afterwards `known` has them, with
// the types the step gives them. When it fails, `known` is as it was.
wh_status wh_dry_step(wh_dry *dry, const wh_node *step, wh_error *err);
// Adds a column, which must not be there.
wh_status wh_dry_add(wh_dry *dry, wh_str name, const wh_type *type, wh_error *err);
// The rules of one column of `expect`; it must be in `known`.
wh_status wh_dry_rules(const wh_dry *dry, const wh_node_entry *column, wh_error *err);
