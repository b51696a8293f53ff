// Whole statements of the SQL Server driver; see wh_sql_driver.
#pragma once

#include "connect/sql_target.h"

wh_status wh_mssql_add_batch_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err);
bool wh_mssql_add_clear(wh_buf *sql, wh_str table);
wh_status wh_mssql_add_stage_table(const wh_sql_target *t, wh_sql_statements *ret, wh_error *err);
wh_status wh_mssql_add_upsert(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                              wh_error *err);
wh_status wh_mssql_add_replace(const wh_sql_target *t, int64_t order, wh_sql_statements *ret,
                               wh_error *err);
