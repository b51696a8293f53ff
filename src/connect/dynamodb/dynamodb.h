// The dynamodb connector: tables of Amazon DynamoDB, or of a server that speaks like it, as a
// source and as a sink.
//
//   staff:
//     type: dynamodb
//     region: eu-west-1
//
// Types, as a sink. A column is an attribute of the same name:
//   - text -> S; bool -> BOOL; binary -> B; NULL -> NULL (or no attribute: `nulls: leave out`);
//   - integers, decimals, floats -> N, digit by digit: 38 digits, 1E-130 to 9.99...E+125. A float
//     outside of that, NaN and the infinities reject their row (rule "type");
//   - date, time, timestamp -> S as ISO 8601 with all digits of the unit, so that text sorts as the
//     times do: 2026-11-21T08:55:00.000000Z; the column `ttl` names -> N, seconds since 1970;
//   - list -> L, or SS, NS, BS for columns that `sets` names; struct -> M.
// Every item that is written also has _wherry_order (N), the order of the object it came from.
//
// As a source. What the sink wrote is known exactly: the columns' types stand in an item of the
// marks' table. Other attributes are what a sample of WH_DYNAMODB_SAMPLE_ITEMS items shows; S is
// text, N the narrowest of int64, decimal and float64 that holds all of them exactly, M a struct, L
// and sets a list. Where items of the sample differ the kind that most have counts. A value that
// does not fit its column rejects the row.
//
// Exactness. There are no transactions: each item is written under the condition that what is there
// is older, so that any part of a load may be repeated. A mark is written after the rows it speaks
// of. After a crash rows that were already there count as unchanged.
//
// The marks' table (option `marks`; key: pipeline S, id S) has these items:
//   pipeline P, id "lease"          epoch: of the worker that has the pipeline
//   pipeline P, id 32 hex digits    a mark: the first 16 bytes of SHA-256 of the object's identity
//   pipeline "_wherry_table", id T  the columns of table T that Wherry wrote, and their types
//
// The actions of the API that are needed stand in permits.c; `check --connect`, which no policy is
// made for, takes ListTables besides.
#pragma once

#include "connect/aws_place.h"
#include "connect/connect.h"

extern const wh_connector wh_connector_dynamodb;
extern const wh_source_type wh_dynamodb_source;
extern const wh_sink_type wh_dynamodb_sink;
wh_status wh_dynamodb_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                              wh_error *err);
// connection->own becomes a wh_aws. The options begin with a wh_dynamodb_options.
wh_status wh_dynamodb_open(wh_connection *c, wh_error *err);
void wh_dynamodb_close(wh_connection *c);

typedef enum wh_dynamodb_nulls {
  WH_DYNAMODB_NULLS_WRITE,
  WH_DYNAMODB_NULLS_OMIT
} wh_dynamodb_nulls;

typedef struct wh_dynamodb_options {
  wh_aws_place place;
  wh_str marks;
  wh_str ttl;
  wh_str_list sets;
  int nulls;                             // wh_dynamodb_nulls
  int64_t read_capacity, write_capacity; // of tables that are created; 0: on demand
  int64_t segments;
} wh_dynamodb_options;

// Limits of the service ("Quotas and limits in Amazon DynamoDB").
enum {
  WH_DYNAMODB_HASH_BYTES_MAX = 2048,
  WH_DYNAMODB_RANGE_BYTES_MAX = 1024,
  WH_DYNAMODB_ITEM_BYTES_MAX = 400 * 1024,
  WH_DYNAMODB_DEPTH_MAX = 32,
  WH_DYNAMODB_EXPONENT_MIN = -130, // of a number's first digit
  WH_DYNAMODB_EXPONENT_MAX = 125,
  WH_DYNAMODB_BATCH_ITEMS = 25,
  WH_DYNAMODB_NAME_MIN = 3, // of a table
  WH_DYNAMODB_NAME_MAX = 255,
  WH_DYNAMODB_ANSWER_BYTES_MAX = 16 << 20, // a page is 1 MB of items, which JSON makes longer
};

// Ours.
enum {
  WH_DYNAMODB_COLUMNS_MAX = 300, // of an expression: it may have 4 KB
  WH_DYNAMODB_SAMPLE_ITEMS = 1000,
  WH_DYNAMODB_PAGE_ITEMS = 500, // read by one request
  WH_DYNAMODB_FLIGHT_MAX = 64,  // requests at once
  WH_DYNAMODB_FLIGHT_BYTES_MAX = 4 << 20,
  WH_DYNAMODB_SEGMENTS_MAX = 16,
  // What libraries take past the accountant: TLS of the connections, and pages as jansson has them.
  WH_DYNAMODB_LIBRARY_BYTES = 12 << 20,
};
