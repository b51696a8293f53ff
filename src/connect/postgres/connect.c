// Opening a session: reaching the server, TLS, logging in, settings.
#include "connect/postgres/session.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>

enum {
  TICK_MS = 100, // how long a wait goes on without a look at the cancel flag
  OLDEST_VERSION = 120000,
  SYSTEM_ROOTS_VERSION = 160000, // the libpq from which on it finds the system's certificates
  KEYWORDS_MAX = 24,
};

// Where distributions keep the certificates of the authorities they trust.
static const char *const system_roots[] = {
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/etc/ssl/cert.pem",                  // BSD, macOS
};

static wh_status find_roots(wh_connection *c, const char **ret, wh_error *err) {
  const wh_pg_options *o = wh_pg_options_of(c);
  if (o->server.tls_ca.len) {
    *ret = o->server.tls_ca.data;
    bool exists;
    WH_TRY(wh_os_exists(c->os, *ret, &exists, err));
    if (exists) return WH_OK;
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: no file %s, which tls_ca names",
                   WH_STR_ARG(c->name), *ret);
  }
  if (PQlibVersion() >= SYSTEM_ROOTS_VERSION) {
    *ret = "system";
    return WH_OK;
  }
  for (size_t i = 0; i < sizeof system_roots / sizeof *system_roots; i++) {
    bool exists;
    *ret = system_roots[i];
    WH_TRY(wh_os_exists(c->os, *ret, &exists, err));
    if (exists) return WH_OK;
  }
  return wh_fail(err, WH_ERR_DENIED,
                 "%.*s: this system has no certificates of authorities, so nobody's can be "
                 "verified. Install them (ca-certificates), or name some with tls_ca",
                 WH_STR_ARG(c->name));
}

// libpq says of an unknown name only in words what it is about; the resolver says it in codes.
static wh_status look_up_host(wh_connection *c, wh_error *err) {
  const wh_server *s = &wh_pg_options_of(c)->server;
  if (wh_str_starts(s->host, "/")) return WH_OK;
  struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
  int code = getaddrinfo(s->host.data, NULL, &hints, &found);
  if (code == 0) freeaddrinfo(found);
  if (code == 0) return WH_OK;
  if (code == EAI_MEMORY) return wh_fail_memory(err);
  wh_str name = c->name;
  if (code == EAI_AGAIN) {
    (void)wh_fail(err, WH_ERR_UNAVAILABLE,
                  "%.*s: the name '%.*s' cannot be looked up now. Is there a network?",
                  WH_STR_ARG(name), WH_STR_ARG(s->host));
    if (err) err->retry = true;
    return WH_ERR_UNAVAILABLE;
  }
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: no host '%.*s' is known. Check `host`",
                 WH_STR_ARG(name), WH_STR_ARG(s->host));
}

typedef struct words {
  const char *keys[KEYWORDS_MAX], *values[KEYWORDS_MAX];
  size_t count;
} words;

static void add_word(words *w, const char *key, const char *value) {
  if (!value || w->count + 1 >= KEYWORDS_MAX) return;
  w->keys[w->count] = key;
  w->values[w->count++] = value;
}

static const char *or_null(wh_str text) {
  return text.len ? text.data : NULL;
}

// What matters is said, so that no PG... variable of the environment decides it.
static wh_status add_words(wh_connection *c, char port[16], words *w, wh_error *err) {
  static const char *const modes[] = {
      [WH_TLS_VERIFY] = "verify-full", [WH_TLS_REQUIRE] = "require", [WH_TLS_OFF] = "disable"};
  const wh_pg_options *o = wh_pg_options_of(c);
  snprintf(port, 16, "%lld", (long long)o->server.port);
  add_word(w, "host", o->server.host.data);
  add_word(w, "port", port);
  add_word(w, "dbname", or_null(o->server.database));
  add_word(w, "user", or_null(o->server.user));
  add_word(w, "password", or_null(o->server.password));
  add_word(w, "sslmode", modes[o->server.tls]);
  add_word(w, "sslcert", or_null(o->tls_cert));
  add_word(w, "sslkey", or_null(o->tls_key));
  add_word(w, "gssencmode", "disable");
  add_word(w, "client_encoding", "UTF8");
  add_word(w, "application_name", or_null(o->application_name));
  // A server that is gone without a word is noticed within two minutes.
  add_word(w, "keepalives_idle", "60");
  add_word(w, "keepalives_interval", "15");
  add_word(w, "keepalives_count", "4");
  if (o->server.tls == WH_TLS_VERIFY && !wh_str_starts(o->server.host, "/")) {
    const char *roots;
    WH_TRY(find_roots(c, &roots, err));
    add_word(w, "sslrootcert", roots);
  } else if (o->server.tls == WH_TLS_REQUIRE) {
    // With a file of authorities in the user's home, libpq would verify all the same.
    add_word(w, "sslrootcert", "/nonexistent");
  }
  w->keys[w->count] = w->values[w->count] = NULL;
  return WH_OK;
}

static wh_status no_answer(wh_connection *c, wh_error *err) {
  const wh_server *s = &wh_pg_options_of(c)->server;
  (void)wh_fail(err, WH_ERR_UNAVAILABLE,
                "%.*s: no answer from %.*s:%lld within %.3g s. Check host, port and firewall",
                WH_STR_ARG(c->name), WH_STR_ARG(s->host), (long long)s->port,
                (double)s->connect_timeout_us / 1e6);
  if (err) err->retry = true;
  return WH_ERR_UNAVAILABLE;
}

static wh_status asked_to_stop(wh_connection *c, wh_error *err) {
  return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
}

static wh_status shake_hands(wh_connection *c, PGconn *conn, wh_error *err) {
  wh_os *os = c->os;
  int64_t limit_us = wh_pg_options_of(c)->server.connect_timeout_us;
  int64_t end = os->type->monotonic_ns(os) + limit_us * 1000;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    int64_t left_ms = (end - os->type->monotonic_ns(os)) / 1000000;
    if (wh_pg_is_cancelled(c)) return asked_to_stop(c, err);
    if (limit_us && left_ms <= 0) return no_answer(c, err);
    struct pollfd fd = {.fd = PQsocket(conn),
                        .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    int ready = poll(&fd, 1, limit_us && left_ms < TICK_MS ? (int)left_ms + 1 : TICK_MS);
    if (ready > 0 || (ready < 0 && errno != EINTR)) state = PQconnectPoll(conn);
  }
  return state == PGRES_POLLING_OK ? WH_OK : wh_pg_fail_connect(c, PQerrorMessage(conn), err);
}

static void ignore_notice(void *context, const PGresult *result) {
  (void)context, (void)result;
}

static wh_status reach_server(wh_connection *c, PGconn **ret, wh_error *err) {
  WH_TRY(look_up_host(c, err));
  words w = {.count = 0};
  char port[16];
  WH_TRY(add_words(c, port, &w, err));
  PGconn *conn = PQconnectStartParams(w.keys, w.values, 0);
  if (!conn) return wh_fail_memory(err);
  PQsetNoticeReceiver(conn, ignore_notice, NULL);
  // What the server says when it refuses comes as text only; verbose, it has the code in it.
  PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
  wh_status status = PQstatus(conn) == CONNECTION_BAD
                         ? wh_pg_fail_connect(c, PQerrorMessage(conn), err)
                         : shake_hands(c, conn, err);
  if (status != WH_OK) {
    PQfinish(conn);
    return status;
  }
  PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
  PQsetErrorContextVisibility(conn, PQSHOW_CONTEXT_NEVER);
  *ret = conn;
  return WH_OK;
}

static long long milliseconds(int64_t us) {
  return us > 0 && us < 1000 ? 1 : (long long)(us / 1000);
}

// Everything that changes what values look like, or how long something may take.
static wh_status configure(wh_pg_session *s, wh_error *err) {
  const wh_connection *c = s->base.connection;
  const wh_pg_options *o = wh_pg_options_of(c);
  int64_t lock_us = o->server.lock_timeout_us, statement_us = o->server.statement_timeout_us;
  if (c->wait_limit_us && (!lock_us || c->wait_limit_us < lock_us)) lock_us = c->wait_limit_us;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, c->mem, WH_PG_SQL_MAX);
  wh_buf_printf(&sql,
                "SET statement_timeout = %lld; SET lock_timeout = %lld; "
                "SET idle_in_transaction_session_timeout = 0; "
                // So the server, too, notices within two minutes that we are gone without a word,
                // and frees what we have locked.
                "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 15; "
                "SET tcp_keepalives_count = 4; SET timezone = 'UTC'; "
                "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; "
                "SET extra_float_digits = 3; SET bytea_output = 'hex'; SET xmloption = content; "
                "SET standard_conforming_strings = on; SET client_min_messages = error; "
                "SET default_transaction_read_only = %s",
                milliseconds(statement_us), milliseconds(lock_us),
                s->access == WH_SQL_READ ? "on" : "off");
  if (o->schema.len) {
    wh_buf_add_c(&sql, "; SET search_path = ");
    wh_pg_add_name(&sql, o->schema);
    wh_buf_add_c(&sql, ", public");
  }
  WH_TRY(wh_buf_check(&sql, err));
  return wh_pg_run_c(s, wh_buf_str(&sql).data, err);
}

static wh_status check_version(const wh_pg_session *s, wh_error *err) {
  if (PQserverVersion(s->conn) >= OLDEST_VERSION) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED, "%.*s: the server is PostgreSQL %s; this needs %d or later",
                 WH_STR_ARG(s->base.connection->name), wh_pg_version(s), OLDEST_VERSION / 10000);
}

wh_status wh_pg_open(wh_connection *c, wh_sql_access access, wh_pg_session **ret, wh_error *err) {
  if (wh_pg_is_cancelled(c)) return asked_to_stop(c, err);
  wh_pg_session *s = wh_mem_alloc_zero(c->mem, sizeof *s);
  if (!s) return wh_fail_memory(err);
  s->base.connection = c;
  s->access = access;
  wh_arena_init(&s->scratch, c->mem);
  wh_arena_init(&s->bulk_arena, c->mem);
  wh_arena_init(&s->later_arena, c->mem);
  wh_status status = reach_server(c, &s->conn, err);
  if (status == WH_OK && PQsetnonblocking(s->conn, 1) != 0)
    status = wh_pg_fail_lost(s, "connecting", err);
  if (status == WH_OK) status = check_version(s, err);
  if (status == WH_OK) status = configure(s, err);
  if (status != WH_OK) {
    wh_pg_close(s);
    return status;
  }
  *ret = s;
  return WH_OK;
}

void wh_pg_close(wh_pg_session *s) {
  if (!s) return;
  PQfinish(s->conn);
  wh_mem *mem = s->base.connection->mem;
  wh_arena_free(&s->scratch);
  wh_arena_free(&s->bulk_arena);
  wh_arena_free(&s->later_arena);
  wh_mem_free(mem, s, sizeof *s);
}

bool wh_pg_is_encrypted(const wh_pg_session *s) {
  return PQsslInUse(s->conn);
}

const char *wh_pg_version(const wh_pg_session *s) {
  const char *version = PQparameterStatus(s->conn, "server_version");
  return version ? version : "?";
}
