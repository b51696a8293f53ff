// Steps, written in YAML, against what must come of them.
#pragma once

#include "reference.h"

#include "step/step.h"

typedef struct step_expected {
  const char *schema; // NULL: not looked at
  const char *rows;
  const char *rejects; // NULL: none
  uint64_t filtered;
} step_expected;

// What goes wrong is in test_err.
wh_status step_bind(const wh_step_context *context, wh_arena *arena, const char *yaml,
                    const wh_schema *schema, wh_step **ret);
// Binds one step and runs it over the rows in batches of several sizes: always the same rows and
// rejects must come out. `reference`: what it looks rows up in; NULL: nothing.
void step_check(const char *yaml, test_reference *reference, const char *fields, const char *rows,
                step_expected want);
// The step must not bind; the error is the whole text.
void step_check_refused(const char *yaml, test_reference *reference, const char *fields,
                        const char *error);
