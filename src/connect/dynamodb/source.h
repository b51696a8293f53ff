// The source's own structures.
#pragma once

#include "connect/dynamodb/decode.h"
#include "connect/dynamodb/marks.h"
#include "connect/dynamodb/pace.h"

// What is read.
typedef struct wh_dynamodb_relation {
  wh_str name;
  wh_dynamodb_table table;
  wh_schema schema; // known columns, then those of the sample, in the order of their names
  const bool *guessed;
} wh_dynamodb_relation;

// sample.c
wh_status wh_dynamodb_relate(wh_connection *c, wh_aws_client *client, wh_str table, wh_arena *arena,
                             wh_dynamodb_relation *ret, wh_error *err);
// WH_ERR_NOT_FOUND, with the nearest name.
wh_status wh_dynamodb_no_column(const wh_connection *c, const wh_dynamodb_relation *r, wh_str name,
                                wh_error *err);

// page.c: one Scan of a table.
typedef struct wh_dynamodb_asking {
  wh_str table;
  const wh_schema *columns; // wanted; NULL: all
  size_t segment, segments;
  size_t limit; // items of one answer
} wh_dynamodb_asking;
// `after`: where the last answer ended, JSON; empty: from the beginning.
wh_status wh_dynamodb_ask(const wh_dynamodb_asking *a, wh_str after, wh_buf *body, wh_error *err);
// Where the next answer begins, into `after`, which is empty at the end.
wh_status wh_dynamodb_after(const json_t *answer, wh_buf *after, wh_error *err);
// "#0,#1", and {"#0":name,...}.
void wh_dynamodb_add_projection(const wh_schema *columns, wh_buf *body);

// read.c, finder.c
wh_status wh_dynamodb_open_reader(wh_connection *c, const wh_source_query *query,
                                  const wh_schema *schema, wh_reader **ret, wh_error *err);
wh_status wh_dynamodb_open_finder(wh_connection *c, wh_str table, const wh_str *key,
                                  size_t key_count, const wh_str *show, size_t show_count,
                                  wh_finder **ret, wh_error *err);
