// The MariaDB server of mariadb_server.h as a place: each `open` gives the database "place", empty.
#pragma once

#include "connect/connect.h"

void test_mysql_open(wh_connection *c, const char **reason);
void test_mysql_close(wh_connection *c);
// In ANSI's SQL, and not strict; instants with an offset, which the server does not read, are put
// into UTC.
void test_mysql_sql(wh_connection *c, const char *text);
const char *test_mysql_ask(wh_connection *c, const char *text);
