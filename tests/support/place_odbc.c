#ifdef WHERRY_ODBC
#include "place_odbc.h"

#include "connect/odbc/odbc.h"
#include "place_postgres.h"
#include "test.h"

#include <stdio.h>

#ifdef WHERRY_POSTGRES
#include "connect/postgres/postgres.h"
#endif

// Whether odbcinst.ini names it.
const char *test_odbc_driver(const char *name) {
  static char line[256];
  char wanted[128];
  bool found = false;
  snprintf(wanted, sizeof wanted, "[%s]\n", name);
  FILE *list = fopen("/etc/odbcinst.ini", "r");
  while (list && !found && fgets(line, sizeof line, list))
    found = strcmp(line, wanted) == 0;
  if (list) fclose(list);
  return found ? name : NULL;
}

#ifdef WHERRY_POSTGRES
static wh_odbc_options options;
static wh_connection direct; // without ODBC

// The driver holds whole results unless it is told to read by cursors, and shows bool as text.
static wh_str driver_options[] = {WH_STR_INIT("UseDeclareFetch=1"), WH_STR_INIT("BoolsAsChar=0"),
                                  WH_STR_INIT("ConnSettings=SET timezone TO 'UTC'")};

void test_odbc_postgres_open(wh_connection *c, const char **reason) {
  if (!test_odbc_driver("PostgreSQL Unicode")) {
    *reason = "PostgreSQL's ODBC driver is not installed";
    return;
  }
  test_postgres_open(&direct, reason);
  if (*reason) return;
  const wh_server *server = &((const wh_pg_options *)direct.options)->server;
  options = (wh_odbc_options){
      .driver = WH_STR("PostgreSQL Unicode"),
      .host = server->host,
      .port = server->port,
      .database = server->database,
      .user = server->user,
      .password = server->password,
      .options = {driver_options, sizeof driver_options / sizeof driver_options[0]},
      .connect_timeout_us = 10 * 1000000,
  };
  *c = direct;
  c->type = &wh_connector_odbc;
  c->options = &options;
}

void test_odbc_postgres_close(wh_connection *c) {
  (void)c;
  test_postgres_close(&direct);
}

void test_odbc_postgres_sql(wh_connection *c, const char *text) {
  (void)c;
  test_postgres_sql(&direct, text);
}

const char *test_odbc_postgres_ask(wh_connection *c, const char *text) {
  (void)c;
  return test_postgres_ask(&direct, text);
}
#endif
#endif
