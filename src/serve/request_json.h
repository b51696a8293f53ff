// A question as JSON: one flat object of strings and integers (RFC 8259). Private to request.c;
// it does not recurse, so that no nesting costs stack.
#pragma once

#include "serve/request.h"

wh_status wh_request_parse_json(wh_str body, wh_arena *arena, wh_request_field *fields,
                                size_t count, wh_error *err);

// Takes a field that was read; checks it when it is wanted.
wh_status wh_request_set(wh_request_field *fields, size_t count, wh_str name, wh_str value,
                         wh_error *err);
