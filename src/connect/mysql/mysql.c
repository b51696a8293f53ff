#include "connect/mysql/driver.h"
#include "connect/mysql/grants.h"
#include "connect/mysql/session.h"

static const char *const zero_dates_choices[] = {
    [WH_MYSQL_ZERO_REJECT] = "reject", [WH_MYSQL_ZERO_NULL] = "null", NULL};

static const wh_option options[] = {
    WH_SERVER_OPTIONS(wh_mysql_options, "3306"),
    {.name = "zero_dates",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_mysql_options, zero_dates),
     .def = "reject",
     .choices = zero_dates_choices,
     .help = "what a source makes of 0000-00-00: reject the row, or read it as missing (\"null\")"},
    {.name = "booleans",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_mysql_options, booleans),
     .def = "true",
     .help = "read tinyint(1) as bool; without, as int8"},
    {0},
};

static wh_status check(const void *given, wh_error *err) {
  const wh_mysql_options *o = given;
  WH_TRY(wh_server_check(&o->server, err));
  // The client library would take the system's user for it.
  if (o->server.user.len == 0) return wh_fail(err, WH_ERR_USAGE, "user is missing");
  if (o->server.database.len == 0) return wh_fail(err, WH_ERR_USAGE, "database is empty");
  return WH_OK;
}

typedef struct findings {
  int64_t tables, bytes;
} findings;

static wh_status take_findings(void *context, const wh_str *v, size_t count, wh_error *err) {
  findings *f = context;
  (void)err;
  if (count < 2 || !v[0].data || !wh_str_to_i64(v[0], &f->tables)) f->tables = 0;
  if (count < 2 || !v[1].data || !wh_str_to_i64(v[1], &f->bytes)) f->bytes = 0;
  return WH_OK;
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  static const char sql[] =
      "SELECT count(*), CAST(coalesce(sum(DATA_LENGTH + INDEX_LENGTH), 0) AS SIGNED) FROM "
      "information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE "
      "'!_wherry!_%' ESCAPE '!'";
  WH_CLEAN_MYSQL wh_mysql_session *s = NULL;
  findings f = {0};
  WH_TRY(wh_mysql_open(c, WH_SQL_READ, &s, err));
  WH_TRY(wh_mysql_ask(&s->base, wh_str_of(sql), NULL, 0, take_findings, &f, err));
  unsigned long version = mysql_get_server_version(s->handle);
  const char *cipher = mysql_get_ssl_cipher(s->handle);
  wh_buf_printf(ret_note, "%lld %s, about %.1f MB, %s %lu.%lu.%lu, %s", (long long)f.tables,
                f.tables == 1 ? "table" : "tables", (double)f.bytes / 1e6, s->base.driver->product,
                version / 10000, version / 100 % 100, version % 100,
                cipher ? "encrypted" : "not encrypted");
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_connector_mysql = {
    .name = "mysql",
    .help = "a MySQL or MariaDB database, as a source and as a sink",
    .options = options,
    .options_size = sizeof(wh_mysql_options),
    .source = &wh_mysql_source,
    .sink = &wh_mysql_sink,
    .check = check,
    .reach = reach,
    .grants = wh_mysql_grants,
    .reserve_bytes = 2 * WH_MYSQL_LIBRARY_BYTES, // a source and a sink
};
