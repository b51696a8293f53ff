// The server's and the library's error codes, in our words. The server's are those of
// sys.messages and of "Troubleshoot transient connection errors in SQL Database"; the library's
// begin at 20000.
#include "connect/sqlserver/probe.h"
#include "connect/sqlserver/session.h"

#include <ctype.h>

enum { REASON_MAX = 400, USER_ERRORS = 50000, LIBRARY_ERRORS = 20000 };

// --- What the library reports --------------------------------------------------------------------

// For whom the thread calls the library.
static _Thread_local wh_mssql_session *working;

void wh_mssql_enter(wh_mssql_session *s) {
  working = s;
  if (s) s->trouble = (wh_mssql_trouble){0};
}

// The first error is the cause; what follows it says that the statement ended.
static int take_message(DBPROCESS *db, DBINT code, int state, int severity, char *text,
                        char *server, char *procedure, int line) {
  enum { INFORMATION = 10 };
  (void)db, (void)state, (void)server, (void)procedure, (void)line;
  if (!working || severity <= INFORMATION || working->trouble.code) return 0;
  wh_mssql_trouble *t = &working->trouble;
  t->code = (int)code;
  t->severity = severity;
  size_t len = wh_utf8_cut(wh_str_of(text), sizeof t->text - 1);
  if (len) memcpy(t->text, text, len);
  t->text[len] = 0;
  return 0;
}

// Anything but INT_CANCEL would end the process.
static int take_error(DBPROCESS *db, int severity, int code, int os_code, char *text,
                      char *os_text) {
  (void)db, (void)severity, (void)os_code, (void)text, (void)os_text;
  if (!working) return INT_CANCEL;
  if (code == SYBETIME) working->trouble.timed_out = true;
  bool says_more = working->trouble.library == 0 || working->trouble.library == SYBESMSG;
  if (says_more && code != SYBESMSG) working->trouble.library = code;
  return INT_CANCEL;
}

void wh_mssql_start_library(void) {
  if (dbinit() != SUCCEED) return; // the first login fails for want of memory
  dberrhandle(take_error);
  dbmsghandle(take_message);
}

// --- What it means -------------------------------------------------------------------------------

typedef struct meaning {
  int code;
  wh_status status;
  bool retry;
  const char *text; // NULL: what the server says
} meaning;

#define GONE       "the connection to the server was lost"
#define OVERLOADED "the server has too much to do"
#define MOVES      "the database is being moved or restarted"

static const meaning meanings[] = {
    // Somebody else has it.
    {1205, WH_ERR_BUSY, true, "the server ended a deadlock with another transaction"},
    {1222, WH_ERR_BUSY, true, "somebody else holds a lock for longer than lock_timeout"},
    {1204, WH_ERR_BUSY, true, "the server is out of locks"},
    {3960, WH_ERR_BUSY, true, "a row changed while it was read"},
    {3961, WH_ERR_BUSY, true, "a table was altered while it was read"},
    {3957, WH_ERR_BUSY, true, "the database is just turning its snapshots on or off"},
    {41302, WH_ERR_BUSY, true, "a row changed while it was read"},
    {41305, WH_ERR_BUSY, true, "a row changed while it was read"},
    {41325, WH_ERR_BUSY, true, "a row changed while it was read"},
    // It is gone, or has too much to do.
    {4060, WH_ERR_UNAVAILABLE, true, "the database does not open"},
    {4221, WH_ERR_UNAVAILABLE, true, "the replica is not ready yet for reading"},
    {10928, WH_ERR_UNAVAILABLE, true, "the database has as many sessions as it may have"},
    {10929, WH_ERR_UNAVAILABLE, true, OVERLOADED},
    {10936, WH_ERR_UNAVAILABLE, true, OVERLOADED},
    {40143, WH_ERR_UNAVAILABLE, true, MOVES},
    {40166, WH_ERR_UNAVAILABLE, true, MOVES},
    {40197, WH_ERR_UNAVAILABLE, true, MOVES},
    {40501, WH_ERR_UNAVAILABLE, true, OVERLOADED},
    {40540, WH_ERR_UNAVAILABLE, true, MOVES},
    {40613, WH_ERR_UNAVAILABLE, true, "the database is not available at the moment"},
    {42108, WH_ERR_UNAVAILABLE, true, "the database is paused"},
    {42109, WH_ERR_UNAVAILABLE, true, "the database is starting"},
    {49918, WH_ERR_UNAVAILABLE, true, OVERLOADED},
    {49919, WH_ERR_UNAVAILABLE, true, OVERLOADED},
    {49920, WH_ERR_UNAVAILABLE, true, OVERLOADED},
    {596, WH_ERR_UNAVAILABLE, true, "somebody ended the session on the server"},
    {701, WH_ERR_UNAVAILABLE, true, "the server is out of memory"},
    {802, WH_ERR_UNAVAILABLE, true, "the server is out of memory"},
    {8645, WH_ERR_UNAVAILABLE, true, "the server is out of memory"},
    {8651, WH_ERR_UNAVAILABLE, true, "the server is out of memory"},
    {6005, WH_ERR_UNAVAILABLE, true, "the server is shutting down"},
    {17142, WH_ERR_UNAVAILABLE, true, "the server is paused"},
    {17809, WH_ERR_UNAVAILABLE, true, "the server has too many connections"},
    {18461, WH_ERR_UNAVAILABLE, true, "the server is in single-user mode"},
    {1101, WH_ERR_NO_SPACE, true, "the database is full"},
    {1105, WH_ERR_NO_SPACE, true, "the database is full"},
    {9002, WH_ERR_NO_SPACE, true, "the database's log is full"},
    {40544, WH_ERR_NO_SPACE, true, "the database has reached its size limit"},
    {40549, WH_ERR_LIMIT, false, "the transaction was open for longer than the server allows"},
    {40550, WH_ERR_LIMIT, false, "the transaction took more locks than the server allows"},
    {40552, WH_ERR_LIMIT, false, "the transaction wrote more log than the server allows"},
    // May not.
    {229, WH_ERR_DENIED, false, NULL},
    {230, WH_ERR_DENIED, false, NULL},
    {262, WH_ERR_DENIED, false, NULL},
    {297, WH_ERR_DENIED, false, NULL},
    {300, WH_ERR_DENIED, false, NULL},
    {916, WH_ERR_DENIED, false, NULL},
    {1088, WH_ERR_DENIED, false, NULL},
    {2760, WH_ERR_DENIED, false, NULL},
    {15247, WH_ERR_DENIED, false, NULL},
    {3906, WH_ERR_DENIED, false, "the database is read-only"},
    {3952, WH_ERR_DENIED, false, NULL},
    // Is not there.
    {207, WH_ERR_NOT_FOUND, false, NULL},
    {208, WH_ERR_NOT_FOUND, false, NULL},
    {911, WH_ERR_NOT_FOUND, false, NULL},
    {2812, WH_ERR_NOT_FOUND, false, NULL},
    {3701, WH_ERR_NOT_FOUND, false, NULL},
    {2714, WH_ERR_EXISTS, false, NULL},
    {102, WH_ERR_USAGE, false, NULL},
    {105, WH_ERR_USAGE, false, NULL},
    {156, WH_ERR_USAGE, false, NULL},
    {3903, WH_ERR_IO, false, "the server, or a trigger of the table, ended the transaction"},
    {6401, WH_ERR_IO, false, "the server, or a trigger of the table, ended the transaction"},
};

// Refused because of a row: constraints, NULL, values too long or out of range, triggers, keys too
// long for an index.
static const int row_codes[] = {220,  232,  234,  235,  237,  241,   242,  244,  245,
                                248,  295,  296,  298,  511,  515,   517,  529,  547,
                                550,  1946, 2601, 2627, 2628, 3609,  4815, 6522, 7339,
                                8114, 8115, 8152, 8169, 9420, 13535, 24142};

static bool is_of_row(int code) {
  for (size_t i = 0; i < sizeof row_codes / sizeof row_codes[0]; i++)
    if (row_codes[i] == code) return true;
  return code == USER_ERRORS || code > USER_ERRORS; // what triggers THROW
}

// "Violation of ..." -> "violation of ...": a phrase. "NULL ..." stays.
static void write_reason(const char *text, char *out, size_t cap) {
  size_t len = wh_utf8_cut(wh_str_of(text), cap - 1);
  memcpy(out, text, len);
  out[len] = 0;
  while (len && (out[len - 1] == '.' || out[len - 1] == ' '))
    out[--len] = 0;
  if (isupper((unsigned char)out[0]) && islower((unsigned char)out[1]))
    out[0] = (char)tolower((unsigned char)out[0]);
  for (char *c = out; *c; c++)
    if ((unsigned char)*c < ' ') *c = ' ';
}

void wh_mssql_hide_values(char *reason) {
  char *at = strstr(reason, ". The duplicate key value is ");
  if (at) *at = 0;
}

static wh_status fail_retry(wh_error *err, wh_status status) {
  if (err) err->retry = true;
  return status;
}

// The server said nothing.
static wh_status fail_library(wh_mssql_session *s, const char *doing, wh_error *err) {
  const wh_connection *c = s->base.connection;
  const wh_mssql_trouble *t = &s->trouble;
  if (t->timed_out)
    return wh_fail(err, WH_ERR_LIMIT, "%.*s: %s: the statement took longer than statement_timeout",
                   WH_STR_ARG(c->name), doing);
  if (t->library == SYBEMEM) return wh_fail_memory(err);
  bool is_dead = !s->db || DBDEAD(s->db);
  if (is_dead || t->library == SYBEREAD || t->library == SYBEWRIT || t->library == SYBESEOF ||
      t->library == SYBEDDNE || t->library == SYBEBTOK)
    return fail_retry(
        err, wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: %s: " GONE, WH_STR_ARG(c->name), doing));
  return wh_fail(err, WH_ERR_IO, "%.*s: %s: the client library gave up (%d)", WH_STR_ARG(c->name),
                 doing, t->library);
}

wh_status wh_mssql_fail(wh_mssql_session *s, const char *doing, wh_error *err) {
  enum { FATAL = 20 }; // the server ends the connection
  const wh_connection *c = s->base.connection;
  const wh_mssql_trouble *t = &s->trouble;
  char reason[REASON_MAX];
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  if (t->code == 0) return fail_library(s, doing, err);
  write_reason(t->text, reason, sizeof reason);
  if (is_of_row(t->code)) return wh_fail(err, WH_ERR_TYPE, "%s", reason);
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
    const meaning *m = &meanings[i];
    if (m->code != t->code) continue;
    wh_status status = wh_fail(err, m->status, "%.*s: %s: %s", WH_STR_ARG(c->name), doing,
                               m->text ? m->text : reason);
    if (err) err->retry = m->retry;
    return status;
  }
  if (t->severity >= FATAL)
    return fail_retry(
        err, wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: %s: %s", WH_STR_ARG(c->name), doing, reason));
  return wh_fail(err, WH_ERR_IO, "%.*s: %s: %s", WH_STR_ARG(c->name), doing, reason);
}

// --- Logging in ----------------------------------------------------------------------------------

// "Client with IP address '203.0.113.7' is not allowed to access the server."
static wh_str address_of(const char *text) {
  static const char before[] = "IP address '";
  const char *at = strstr(text, before);
  if (!at) return WH_STR("of this machine");
  at += sizeof before - 1;
  return wh_str_n(at, strcspn(at, "'"));
}

// What FreeTDS leaves open. WH_OK: it cannot be told.
static wh_status fail_line(const wh_connection *c, const wh_server *o, wh_error *err) {
  wh_str name = c->name, host = o->host;
  switch (wh_mssql_probe(o)) {
  case WH_MSSQL_LINE_PLAIN:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server at %.*s does not encrypt. Give it a certificate, or say `tls: "
                   "off` where the network is trusted",
                   WH_STR_ARG(name), WH_STR_ARG(host));
  case WH_MSSQL_LINE_OTHER_NAME:
    return wh_fail(
        err, WH_ERR_DENIED,
        "%.*s: the server's certificate is for another name than %.*s. Use the name that "
        "it is for as `host`, or have one made for this name",
        WH_STR_ARG(name), WH_STR_ARG(host));
  case WH_MSSQL_LINE_EXPIRED:
    return wh_fail(err, WH_ERR_DENIED, "%.*s: the certificate of the server at %.*s has expired",
                   WH_STR_ARG(name), WH_STR_ARG(host));
  case WH_MSSQL_LINE_UNSIGNED:
    return wh_fail(
        err, WH_ERR_DENIED,
        "%.*s: the certificate of the server at %.*s is signed by nobody whom %s trusts. "
        "Give `tls_ca` the certificate of the authority that signed it",
        WH_STR_ARG(name), WH_STR_ARG(host), o->tls_ca.len ? "`tls_ca`" : "the system");
  case WH_MSSQL_LINE_NO_TRUSTED:
    return wh_fail(err, WH_ERR_USAGE, "%.*s: %.*s holds no certificates", WH_STR_ARG(name),
                   WH_STR_ARG(o->tls_ca));
  case WH_MSSQL_LINE_UNKNOWN:
    break;
  }
  return WH_OK;
}

static wh_status fail_reaching(const wh_connection *c, const wh_server *o,
                               const wh_mssql_trouble *t, wh_error *err) {
  switch (t->library) {
  case SYBEUHST:
  case SYBEINTF:
    return fail_retry(err, wh_fail(err, WH_ERR_UNAVAILABLE,
                                   "%.*s: no machine is known as '%.*s'. Is `host` spelled right?",
                                   WH_STR_ARG(c->name), WH_STR_ARG(o->host)));
  case SYBECONN:
  case SYBESOCK:
  case SYBETIME:
    return fail_retry(err, wh_fail(err, WH_ERR_UNAVAILABLE,
                                   "%.*s: no server answers at %.*s, port %lld. Is it running, and "
                                   "does a firewall let this machine through?",
                                   WH_STR_ARG(c->name), WH_STR_ARG(o->host), (long long)o->port));
  case SYBEREAD:
  case SYBEWRIT:
  case SYBESEOF:
    if (o->tls == WH_TLS_OFF) break;
    return fail_retry(err, wh_fail(err, WH_ERR_UNAVAILABLE,
                                   "%.*s: the server at %.*s hung up while connecting",
                                   WH_STR_ARG(c->name), WH_STR_ARG(o->host)));
  case SYBEMEM:
    return wh_fail_memory(err);
  default:
    break;
  }
  if (o->user.len == 0)
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: no login at %.*s by Kerberos. Get a ticket (kinit), or give a `user`",
                   WH_STR_ARG(c->name), WH_STR_ARG(o->host));
  if (o->tls == WH_TLS_OFF)
    return fail_retry(err, wh_fail(err, WH_ERR_UNAVAILABLE,
                                   "%.*s: the server at %.*s hung up while connecting. It may want "
                                   "an encrypted line: leave `tls: off` out",
                                   WH_STR_ARG(c->name), WH_STR_ARG(o->host)));
  if (o->tls == WH_TLS_REQUIRE)
    return fail_retry(err, wh_fail(err, WH_ERR_UNAVAILABLE,
                                   "%.*s: the server at %.*s hung up, or does not encrypt",
                                   WH_STR_ARG(c->name), WH_STR_ARG(o->host)));
  wh_status status = fail_line(c, o, err);
  if (status != WH_OK) return status;
  return fail_retry(err,
                    wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: no encrypted line to %.*s came about",
                            WH_STR_ARG(c->name), WH_STR_ARG(o->host)));
}

static wh_status fail_name(const wh_connection *c, const wh_server *o, const wh_mssql_trouble *t,
                           wh_error *err) {
  wh_str name = c->name, address;
  switch (t->code) {
  case 18456:
  case 18452:
  case 18470:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server refuses the user '%.*s'. Check `user` and `password`%s",
                   WH_STR_ARG(name), WH_STR_ARG(o->user),
                   o->password.len ? "" : " (none was given)");
  case 18487:
  case 18488:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the password of the user '%.*s' has expired. Give it a new one (ALTER "
                   "LOGIN)",
                   WH_STR_ARG(name), WH_STR_ARG(o->user));
  case 911:
  case 916:
  case 4060:
  case 4064:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server has no database '%.*s', or the user '%.*s' may not use it",
                   WH_STR_ARG(name), WH_STR_ARG(o->database), WH_STR_ARG(o->user));
  case 40615:
    address = address_of(t->text);
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the firewall of %.*s does not let the address %.*s through. Allow it "
                   "under Networking of the server in the Azure portal",
                   WH_STR_ARG(name), WH_STR_ARG(o->host), WH_STR_ARG(address));
  case 40532:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: Azure knows no server '%.*s', or it lets no one in from here. Check "
                   "`host`",
                   WH_STR_ARG(name), WH_STR_ARG(o->host));
  case 40914:
  case 47073:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: %.*s takes connections from its own networks alone. Add this one under "
                   "Networking of the server in the Azure portal",
                   WH_STR_ARG(name), WH_STR_ARG(o->host));
  default:
    return WH_OK;
  }
}

wh_status wh_mssql_fail_login(const wh_connection *c, const wh_mssql_trouble *t, wh_error *err) {
  const wh_server *o = &((const wh_mssql_options *)c->options)->server;
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  if (t->code == 0) return fail_reaching(c, o, t, err);
  wh_status status = fail_name(c, o, t, err);
  if (status != WH_OK) return status;
  char reason[REASON_MAX];
  write_reason(t->text, reason, sizeof reason);
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
    const meaning *m = &meanings[i];
    if (m->code != t->code) continue;
    status = wh_fail(err, m->status, "%.*s: connecting: %s", WH_STR_ARG(c->name),
                     m->text ? m->text : reason);
    if (err) err->retry = m->retry;
    return status;
  }
  return wh_fail(err, WH_ERR_IO, "%.*s: connecting: %s", WH_STR_ARG(c->name), reason);
}
