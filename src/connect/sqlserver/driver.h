// What the sinks of connect/sql.h need of SQL Server.
#pragma once

#include "connect/sql.h"

extern const wh_sql_driver wh_mssql_driver;
