#include "connect/postgres/grants.h"
#include "connect/postgres/session.h"

static const wh_option options[] = {
    WH_SERVER_OPTIONS(wh_pg_options, "5432"),
    {.name = "schema",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_pg_options, schema),
     .help = "the schema of tables whose name has none; without it the user's search_path decides"},
    {.name = "application_name",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_pg_options, application_name),
     .def = "wherry",
     .help = "how the server's own lists name the connection"},
    {.name = "tls_cert",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_pg_options, tls_cert),
     .help = "a certificate of the user's, where the server asks for one"},
    {.name = "tls_key",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_pg_options, tls_key),
     .help = "the private key of tls_cert"},
    {0},
};

static wh_status check_text(wh_str value, const char *name, wh_error *err) {
  if (value.len == 0 || !memchr(value.data, 0, value.len)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%s has a NUL byte", name);
}

static wh_status check(const void *given, wh_error *err) {
  const wh_pg_options *o = given;
  WH_TRY(wh_server_check(&o->server, err));
  WH_TRY(check_text(o->schema, "schema", err));
  WH_TRY(check_text(o->application_name, "application_name", err));
  WH_TRY(check_text(o->tls_cert, "tls_cert", err));
  WH_TRY(check_text(o->tls_key, "tls_key", err));
  if ((o->tls_cert.len > 0) != (o->tls_key.len > 0))
    return wh_fail(err, WH_ERR_USAGE, "tls_cert and tls_key belong together: one is missing");
  return WH_OK;
}

typedef struct reached {
  char tables[32], bytes[32];
} reached;

static wh_status see_database(void *context, const wh_str *values, size_t count, wh_error *err) {
  (void)err, (void)count;
  reached *r = context;
  snprintf(r->tables, sizeof r->tables, "%.*s", WH_STR_ARG(values[0]));
  snprintf(r->bytes, sizeof r->bytes, "%.*s", WH_STR_ARG(values[1]));
  return WH_OK;
}

// The size is only told to those who may connect to the database, which we did.
static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  static const char sql[] =
      "SELECT count(*), pg_catalog.pg_database_size(pg_catalog.current_database()) "
      "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND "
      "n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' AND "
      "c.relname NOT LIKE '\\_wherry\\_%'";
  WH_CLEAN_PG_SESSION wh_pg_session *s = NULL;
  WH_TRY(wh_pg_open(c, WH_SQL_READ, &s, err));
  reached r = {0};
  WH_TRY(wh_pg_ask(s, wh_str_of(sql), NULL, 0, see_database, &r, err));
  uint64_t bytes = 0;
  (void)wh_str_to_u64(wh_str_of(r.bytes), &bytes);
  const wh_pg_options *o = c->options;
  const char *line = wh_pg_is_encrypted(s)
                         ? (o->server.tls == WH_TLS_VERIFY ? "TLS, certificate verified"
                                                           : "TLS, certificate not verified")
                         : "no TLS";
  wh_buf_printf(ret_note, "%s %s, %.1f MB, PostgreSQL %s, %s", r.tables,
                strcmp(r.tables, "1") == 0 ? "table" : "tables", (double)bytes / 1e6,
                wh_pg_version(s), line);
  return wh_buf_check(ret_note, err);
}

const wh_connector wh_connector_postgres = {
    .name = "postgres",
    .help = "a PostgreSQL database, as a source and as a sink",
    .options = options,
    .options_size = sizeof(wh_pg_options),
    .source = &wh_pg_source,
    .sink = &wh_pg_sink,
    .check = check,
    .reach = reach,
    .grants = wh_pg_grants,
    .reserve_bytes = WH_PG_RESERVE_BYTES,
    .reserve_is_accounted = false, // libpq has no hooks for memory
};
