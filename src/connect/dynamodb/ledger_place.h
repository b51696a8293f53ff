// Where a ledger in DynamoDB is (src/ledger/dynamodb), as a connection: not a place of data, so it
// stands in no list of connectors.
#pragma once

#include "connect/dynamodb/dynamodb.h"

typedef struct wh_dynamodb_ledger_options {
  union {
    wh_dynamodb_options common; // for what all requests share; but for its place, zeros
    wh_aws_place place;         // what it begins with
  };
  wh_str table;
  wh_str ledger; // its name in the table
} wh_dynamodb_ledger_options;

extern const wh_connector wh_dynamodb_ledger_place;
