// The pieces of the source.
#pragma once

#include "connect/postgres/relate.h"

wh_status wh_pg_discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                         wh_error *err);
wh_status wh_pg_describe_source(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                                wh_source_info *ret, wh_error *err);
wh_status wh_pg_open_reader(wh_connection *c, const wh_source_query *query, const wh_schema *schema,
                            wh_reader **ret, wh_error *err);
wh_status wh_pg_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                            const wh_str *show, size_t show_count, wh_finder **ret, wh_error *err);

// Snapshots that sessions share (snapshot.c).
wh_status wh_pg_share(wh_connection *c, wh_snapshot **ret, wh_error *err);
// As the first thing of a transaction.
wh_status wh_pg_take_snapshot(wh_pg_session *s, wh_str id, wh_error *err);
wh_status wh_pg_extremes(wh_connection *c, wh_str table, wh_str column, wh_arena *arena,
                         wh_str *ret, wh_error *err);

// One consistent look, in which nothing can be written.
#define WH_PG_BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
