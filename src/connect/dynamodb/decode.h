// DynamoDB's attributes as values of columns, and the types that they show.
#pragma once

#include "connect/dynamodb/api.h"

// Appends an attribute (NULL: the item has none) to a column of the field's type. WH_ERR_TYPE: it
// does not fit, and *misfit says why; items of lists may have been appended.
wh_status wh_dynamodb_decode(const json_t *attribute, const wh_field *field, wh_column *column,
                             wh_buf *scratch, wh_misfit *misfit, wh_error *err);

// The narrowest type that holds the attribute exactly; WH_NULL for NULL. Nested ones live in the
// arena.
wh_status wh_dynamodb_type_of(const json_t *attribute, wh_arena *arena, wh_type *ret,
                              wh_error *err);
