// Text in the small JSON documents of services.
#pragma once

#include "base/str.h"

#include <jansson.h>

// A member's text; without data where there is none. Lives as long as the object, which may be
// NULL.
static inline wh_str wh_json_text(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_string(value) ? wh_str_n(json_string_value(value), json_string_length(value))
                               : (wh_str){0};
}
