// Every step there is, each in a file of its own; registry.c lists them.
#pragma once

#include "step/step.h"

extern const wh_step_type wh_step_trim;
extern const wh_step_type wh_step_normalize;
extern const wh_step_type wh_step_map;
extern const wh_step_type wh_step_cast;
extern const wh_step_type wh_step_null_if;
extern const wh_step_type wh_step_default;
extern const wh_step_type wh_step_dedupe;
extern const wh_step_type wh_step_filter;
extern const wh_step_type wh_step_derive;
extern const wh_step_type wh_step_split;
extern const wh_step_type wh_step_flatten;
extern const wh_step_type wh_step_lookup;
