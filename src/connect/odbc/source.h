// The pieces of the source.
#pragma once

#include "connect/odbc/decode.h"
#include "connect/odbc/relate.h"

wh_status wh_odbc_open_reader(wh_connection *c, const wh_source_query *query,
                              const wh_schema *schema, wh_reader **ret, wh_error *err);
wh_status wh_odbc_open_finder(wh_connection *c, wh_str table, const wh_str *key, size_t key_count,
                              const wh_str *show, size_t show_count, wh_finder **ret,
                              wh_error *err);
// The database's clock in UTC, where there is a known way to ask for it; else ours.
wh_status wh_odbc_clock(wh_odbc_session *s, int64_t *ret_us, wh_error *err);
