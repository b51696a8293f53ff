// Rows into a table in bulk: see wh_sql_bulk.
#pragma once

#include "connect/mysql/encode.h"

wh_status wh_mysql_bulk(wh_sql_session *s, const wh_sql_bulk *bulk, wh_error *err);

// The same in one of the two ways; `bulk` takes the first where the server allows it.
wh_status wh_mysql_load(wh_mysql_session *s, const wh_sql_bulk *bulk, wh_error *err);
wh_status wh_mysql_insert(wh_mysql_session *s, const wh_sql_bulk *bulk, wh_error *err);

// WH_ERR_TYPE with the first warning of the statement before, which there is. Every warning is a
// value that was changed or a row that was left out.
wh_status wh_mysql_fail_warning(wh_mysql_session *s, wh_error *err);

// What LOAD DATA LOCAL asks for comes from session->loading, and there is nothing else to get.
void wh_mysql_set_load_handler(wh_mysql_session *s);
