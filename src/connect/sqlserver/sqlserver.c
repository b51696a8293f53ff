#include "connect/sqlserver/sqlserver.h"

#include "connect/sqlserver/grants.h"
#include "connect/sqlserver/session.h"

static const wh_option options[] = {
    WH_SERVER_OPTIONS(wh_mssql_options, "1433"),
    {.name = "server_principal",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_mssql_options, server_principal),
     .help = "the server's Kerberos principal, where it is not MSSQLSvc/HOST:PORT"},
    {.name = "read_only_replica",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_mssql_options, read_only_replica),
     .def = "false",
     .help = "let a source read from a readable replica (ApplicationIntent=ReadOnly)"},
    {0},
};

// The library's settings are lines of "word = value", without quotes.
static wh_status check_setting(wh_str value, const char *name, size_t most, wh_error *err) {
  if (value.len > most)
    return wh_fail(err, WH_ERR_USAGE, "%s has %zu bytes, at most %zu can be used", name, value.len,
                   most);
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    bool is_double = c == ' ' && i && value.data[i - 1] == ' ';
    if (c >= ' ' && c != '#' && c != ';' && c != '[' && c != ']' && !is_double) continue;
    return wh_fail(err, WH_ERR_USAGE,
                   "%s must not have '#', ';', brackets, two spaces in a row or line breaks", name);
  }
  return WH_OK;
}

static wh_status check_login(wh_str value, const char *name, wh_error *err) {
  if (value.len <= WH_MSSQL_LOGIN_TEXT_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%s has %zu bytes, the server takes %d", name, value.len,
                 WH_MSSQL_LOGIN_TEXT_MAX);
}

static wh_status check(const void *given, wh_error *err) {
  const wh_mssql_options *o = given;
  WH_TRY(wh_server_check(&o->server, err));
  WH_TRY(check_setting(o->server.host, "host", WH_MSSQL_LOGIN_TEXT_MAX, err));
  WH_TRY(check_setting(o->server.tls_ca, "tls_ca", WH_MSSQL_PATH_MAX, err));
  WH_TRY(check_login(o->server.user, "user", err));
  WH_TRY(check_login(o->server.password, "password", err));
  WH_TRY(check_login(o->server.database, "database", err));
  if (o->server.database.len == 0) return wh_fail(err, WH_ERR_USAGE, "database is empty");
  if (o->server.user.len == 0 && o->server.password.len)
    return wh_fail(err, WH_ERR_USAGE, "password is given, but no user");
  return WH_OK;
}

typedef struct findings {
  wh_arena arena;
  wh_str version;
  int64_t tables;
} findings;

static wh_status take_findings(void *context, const wh_str *v, size_t count, wh_error *err) {
  findings *f = context;
  if (count < 2) return WH_OK;
  f->version = wh_arena_str(&f->arena, v[0].data ? v[0] : WH_STR(""));
  if (!v[1].data || !wh_str_to_i64(v[1], &f->tables)) f->tables = 0;
  return f->version.data ? WH_OK : wh_fail_memory(err);
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  static const char sql[] =
      "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), count(*) FROM sys.tables AS "
      "t "
      "WHERE t.is_ms_shipped = 0 AND t.name NOT LIKE '!_wherry!_%' ESCAPE '!'";
  const wh_server *server = &((const wh_mssql_options *)c->options)->server;
  WH_CLEAN_MSSQL wh_mssql_session *s = NULL;
  findings f = {0};
  WH_TRY(wh_mssql_open(c, WH_SQL_READ, &s, err));
  wh_arena_init(&f.arena, c->mem);
  wh_status status = wh_mssql_ask(&s->base, wh_str_of(sql), NULL, 0, take_findings, &f, err);
  if (status == WH_OK) {
    wh_buf_printf(ret_note, "%lld %s, SQL Server %.*s, %s", (long long)f.tables,
                  f.tables == 1 ? "table" : "tables", WH_STR_ARG(f.version),
                  server->tls == WH_TLS_OFF ? "not encrypted" : "encrypted");
    status = wh_buf_check(ret_note, err);
  }
  wh_arena_free(&f.arena);
  return status;
}

const wh_connector wh_connector_sqlserver = {
    .name = "sqlserver",
    .help = "a SQL Server or Azure SQL database, as a source and as a sink",
    .options = options,
    .options_size = sizeof(wh_mssql_options),
    .source = &wh_mssql_source,
    .sink = &wh_mssql_sink,
    .check = check,
    .reach = reach,
    .grants = wh_mssql_grants,
    .reserve_bytes = 2 * WH_MSSQL_LIBRARY_BYTES, // a source and a sink
};
