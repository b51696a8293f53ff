// MySQL's whole statements (connect/sql.h).
#pragma once

#include "connect/sql_target.h"

wh_status wh_mysql_add_batch_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err);
bool wh_mysql_add_clear(wh_buf *sql, wh_str table);
wh_status wh_mysql_add_stage_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err);
wh_status wh_mysql_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                              wh_error *err);
wh_status wh_mysql_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                               wh_error *err);
