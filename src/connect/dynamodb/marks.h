// The marks' table: who has a pipeline, which objects are loaded, and what columns tables have. See
// dynamodb.h for its items.
#pragma once

#include "connect/dynamodb/table.h"

// Makes the table when it is missing.
wh_status wh_dynamodb_make_marks(wh_connection *c, wh_aws_client *client, wh_error *err);

// WH_ERR_STALE where a higher epoch is there.
wh_status wh_dynamodb_take_lease(wh_connection *c, wh_aws_client *client, const wh_load *load,
                                 wh_error *err);
// Puts our epoch on the load's mark and reads it; strings in the arena. WH_ERR_STALE.
wh_status wh_dynamodb_begin_mark(wh_connection *c, wh_aws_client *client, const wh_load *load,
                                 wh_arena *arena, wh_mark *ret, wh_error *err);
wh_status wh_dynamodb_write_mark(wh_connection *c, wh_aws_client *client, const wh_load *load,
                                 const wh_mark *mark, wh_error *err);
wh_status wh_dynamodb_marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                            void *context, wh_error *err);

// Under this partition key stand the columns of tables.
#define WH_DYNAMODB_COLUMNS_KEY "_wherry_table"

// The columns that Wherry wrote to a table; none where nothing is known, or may be known.
wh_status wh_dynamodb_known_columns(wh_connection *c, wh_aws_client *client, wh_str table,
                                    wh_arena *arena, wh_schema *ret, wh_error *err);
// Adds columns to those. `is_new`: the table is, what was known of another of its name is not so.
wh_status wh_dynamodb_note_columns(wh_connection *c, wh_aws_client *client, wh_str table,
                                   const wh_schema *schema, bool is_new, wh_error *err);
