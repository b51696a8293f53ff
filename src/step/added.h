// For steps that give columns new places: the schema of what comes out, made field by field. A name
// that is there is replaced where it stands, another is added at the end.
#pragma once

#include "step/frame.h"

// Room for `more` columns besides those that are there.
wh_status wh_added_reserve(wh_frame *frame, size_t more, wh_error *err);
// The column that `name` says, of the field's type, which must live as long as the frame.
wh_status wh_added_put(wh_frame *frame, const wh_node *name, const char *owner,
                       const wh_field *field, size_t *ret_at, wh_error *err);
