// Values as DynamoDB's attributes: {"S":"Open"}. See dynamodb.h for the types.
#pragma once

#include "connect/dynamodb/api.h"
#include "connect/source.h"

typedef struct wh_dynamodb_how {
  bool is_set; // a list as SS, NS or BS
  bool is_ttl; // a time as seconds since 1970
} wh_dynamodb_how;

// The letter of the kind that scalars of the type have: 'S', 'N', 'B', or 0: they cannot be keys.
char wh_dynamodb_key_kind(const wh_type *type);
// Whether values of the type can be items of a set.
bool wh_dynamodb_can_be_set(const wh_type *type);

// Appends the attribute. WH_ERR_TYPE: DynamoDB has no such value, and *misfit says why; `out` then
// has a part of it.
wh_status wh_dynamodb_encode(const wh_column *column, size_t row, wh_dynamodb_how how, wh_buf *out,
                             wh_misfit *misfit, wh_error *err);

// How many bytes a value counts ("Item sizes and formats"); names come on top.
size_t wh_dynamodb_size(const json_t *attribute);
// Whether two attributes are one value: numbers by value, sets in any order.
bool wh_dynamodb_equal(const json_t *a, const json_t *b);
