// What config/ itself needs of templates, besides config.h.
#pragma once

#include "config/config.h"

// wh_template_glob with {pipeline} known.
wh_status wh_template_glob_for(wh_str text, wh_str pipeline, wh_arena *arena, wh_str *ret,
                               wh_error *err);
