#include "connect/odbc/odbc.h"

#include "connect/odbc/relate.h"

static const char *const dates_choices[] = {
    [WH_ODBC_DATES_TEXT] = "text", [WH_ODBC_DATES_BINARY] = "binary", NULL};

static const char *const isolation_choices[] = {[WH_ODBC_ISOLATION_AUTO] = "auto",
                                                [WH_ODBC_READ_COMMITTED] = "read_committed",
                                                [WH_ODBC_REPEATABLE_READ] = "repeatable_read",
                                                [WH_ODBC_SERIALIZABLE] = "serializable",
                                                NULL};

#define AT(member) offsetof(wh_odbc_options, member)
static const wh_option options[] = {
    {.name = "dsn",
     .type = WH_OPTION_TEXT,
     .offset = AT(dsn),
     .help = "a data source of odbc.ini; or `driver`"},
    {.name = "driver",
     .type = WH_OPTION_TEXT,
     .offset = AT(driver),
     .help = "a driver of odbcinst.ini by its name, or its library's path"},
    {.name = "host", .type = WH_OPTION_TEXT, .offset = AT(host), .help = "Server for the driver"},
    {.name = "port",
     .type = WH_OPTION_INT,
     .offset = AT(port),
     .min = 0,
     .max = 65535,
     .def = "0",
     .help = "Port for the driver; 0: its own"},
    {.name = "database",
     .type = WH_OPTION_TEXT,
     .offset = AT(database),
     .help = "Database for the driver"},
    {.name = "user", .type = WH_OPTION_TEXT, .offset = AT(user), .help = "who logs in"},
    {.name = "password",
     .type = WH_OPTION_TEXT,
     .offset = AT(password),
     .secret = true,
     .help = "the user's password"},
    {.name = "options",
     .type = WH_OPTION_LIST,
     .offset = AT(options),
     .help = "what else the driver is told: \"KEYWORD=value\", each"},
    {.name = "dates",
     .type = WH_OPTION_ENUM,
     .offset = AT(dates),
     .def = "text",
     .choices = dates_choices,
     .help = "how dates and times come from the driver: as text that is checked, or in ODBC's "
             "structures where it does not write them as 2026-11-21 08:55:00"},
    {.name = "isolation",
     .type = WH_OPTION_ENUM,
     .offset = AT(isolation),
     .def = "auto",
     .choices = isolation_choices,
     .help = "of the transaction that reads; auto: the first that the driver offers of snapshot, "
             "repeatable read and serializable"},
    {.name = "connect_timeout",
     .type = WH_OPTION_DURATION,
     .offset = AT(connect_timeout_us),
     .def = "10s",
     .min = 1000000,
     .max = -1,
     .help = "how long to wait for an answer when connecting"},
    {.name = "statement_timeout",
     .type = WH_OPTION_DURATION,
     .offset = AT(statement_timeout_us),
     .def = "0",
     .help = "how long the database may take to answer a statement, or for its next rows; 0: as "
             "long as it needs"},
    {.name = "rows_per_second",
     .type = WH_OPTION_INT,
     .offset = AT(rows_per_second),
     .def = "0",
     .min = 0,
     .max = -1,
     .help = "how many rows are read at most in a second, so that others get their turn; 0: no "
             "limit"},
    {0},
};

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  WH_CLEAN_ODBC wh_odbc_session *s = NULL;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_odbc_tables tables;
  WH_TRY(wh_odbc_open(c, false, &s, err));
  WH_TRY(wh_odbc_list(s, (wh_str){0}, &arena, &tables, err));
  wh_buf_printf(ret_note, "%zu %s, %.*s", tables.count,
                tables.count == 1 ? "table or view" : "tables and views", WH_STR_ARG(s->product));
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_connector_odbc = {
    .name = "odbc",
    .help = "any database that has an ODBC driver, as a source: Oracle, Db2, Informix, ...",
    .options = options,
    .options_size = sizeof(wh_odbc_options),
    .source = &wh_odbc_source,
    .check = wh_odbc_check,
    .reach = reach,
    .reserve_bytes = WH_ODBC_LIBRARY_BYTES,
};
