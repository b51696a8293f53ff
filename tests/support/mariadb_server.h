// A MariaDB server of the test program's own: from Debian's package, on a free port of the loopback
// interface, as an unprivileged user, in a temporary folder. It is started once, ends with the
// program, and is as little durable as a server can be.
#pragma once

#include "connect/mysql/mysql.h"

// Starts it where it does not run. NULL, or why there is none.
const char *mariadb_start(void);
void mariadb_kill(void); // as a power cut would; its databases are there again after mariadb_start

// A connection to a new, empty database, over TLS with a certificate for "localhost". `options`
// lives as long as the connection.
void mariadb_open(wh_connection *c, wh_mysql_options *options, wh_os *os, wh_mem *mem);
// Runs statements in the connection's database as its administrator. Fails the test when they fail.
void mariadb_sql(const wh_connection *c, const char *text);
// The first column of the first row, as text; "" for none, "~" for NULL. Lives until the next call.
const char *mariadb_ask(const wh_connection *c, const char *text);
int mariadb_port(void);
const char *
mariadb_file(const char *name); // path in the folder: "ca.pem", "other-ca.pem", "socket"
