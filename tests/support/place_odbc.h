// Databases behind an ODBC driver: the tests' own PostgreSQL server, and a file of SQLite's. What a
// test writes goes in by the database's own client.
#pragma once

#include "connect/connect.h"

void test_odbc_postgres_open(wh_connection *c, const char **reason);
void test_odbc_postgres_close(wh_connection *c);
void test_odbc_postgres_sql(wh_connection *c, const char *text);
const char *test_odbc_postgres_ask(wh_connection *c, const char *text);

// For tests about the driver: its name, or NULL when it is not installed.
const char *test_odbc_driver(const char *name);
