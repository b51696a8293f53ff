// A SQL Server place: the TDS peer of tests/support/tds, started with the first place that is
// opened, on a free port, and stopped when the program ends. It is no SQL Server: what it shows is
// that the protocol and the statements hold, not what a server makes of them.
//
// WHERRY_TEST_SQLSERVER=host:port:user:password:database uses a server that is there: the user logs
// in to `database` (master, say) and makes a database of its own for each place there,
// "wherry_test_PID_N", which is dropped with the place; nothing else is touched. The line is
// encrypted (certificates are not verified), unless host is 127.0.0.1.
#pragma once

#include "connect/connect.h"

void test_mssql_open(wh_connection *c, const char **reason); // a fresh database
void test_mssql_close(wh_connection *c);
// In the SQL of the other places; types that SQL Server has not are put into its own.
void test_mssql_sql(wh_connection *c, const char *text);
const char *test_mssql_ask(wh_connection *c, const char *text);

// For tests about the server itself.
bool test_mssql_is_peer(void);      // who breaks on demand: "PEER ERROR 1205 'UPDATE t SET'"
const char *test_mssql_start(void); // NULL, or why there is none
int test_mssql_port(void);
// Another one, whose certificate is in these files (PEM); its port. Ends with the program.
int test_mssql_start_tls(const char *certificate, const char *key);
