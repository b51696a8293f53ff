// A PostgreSQL server of the test program's own: started with the first place that is opened, from
// the distribution's packages, in a temporary folder, on a free port, as a user without privileges,
// and stopped when the program ends.
#pragma once

#include "connect/connect.h"

// A fresh database.
void test_postgres_open(wh_connection *c, const char **reason);
void test_postgres_close(wh_connection *c);
void test_postgres_sql(wh_connection *c, const char *text);
const char *test_postgres_ask(wh_connection *c, const char *text);

// For tests about the server itself.
const char *test_postgres_start(void); // NULL, or why there is none
void test_postgres_stop(void);         // at once, as if it crashed; start brings it back
const char *test_postgres_folder(void);
int test_postgres_port(void);
void test_postgres_own(const char *path); // gives the file to the server's user, private
enum { TEST_POSTGRES_LOCK_US = 200000 };
