// The pieces of the source.
#pragma once

#include "connect/mysql/decode.h"
#include "connect/mysql/relate.h"

wh_status wh_mysql_open_reader(wh_connection *c, const wh_source_query *query,
                               const wh_schema *schema, wh_reader **ret, wh_error *err);
wh_status wh_mysql_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                               const wh_str *show, size_t show_count, wh_finder **ret,
                               wh_error *err);
