// What the sinks of connect/sql.h need of these servers. There are two, which differ in how they
// name themselves and the collation that tells all texts apart; a session knows which is its own.
#pragma once

#include "connect/sql.h"

extern const wh_sql_driver wh_mysql_driver;
extern const wh_sql_driver wh_mariadb_driver;
