// What the server and libpq say, as our statuses and sentences. The server's codes are those of
// "Appendix A. PostgreSQL Error Codes"; its words come in its own language, so only codes and the
// names that stand in fields of their own are relied on.
#include "connect/postgres/session.h"

enum { CODE_LEN = 5, SAYS_MAX = 400 };

typedef struct meaning {
  const char *code; // or its beginning; the first that fits counts
  wh_status status;
  bool retry;
  const char *advice; // NULL: the server's own words say enough
} meaning;

static const meaning meanings[] = {
    {"08", WH_ERR_UNAVAILABLE, true, NULL},
    {"25006", WH_ERR_USAGE, false, "A source only reads"},
    {"25P03", WH_ERR_UNAVAILABLE, true, NULL}, // idle for too long, and ended
    {"28", WH_ERR_DENIED, false, "Check user and password"},
    {"3D000", WH_ERR_NOT_FOUND, false, "Check `database`"},
    {"40", WH_ERR_BUSY, true, NULL}, // serialization failure, deadlock
    {"42501", WH_ERR_DENIED, false, "GRANT gives the user what is missing"},
    {"428C9", WH_ERR_USAGE, false, "A column GENERATED ALWAYS can only be loaded as the key"},
    {"42P01", WH_ERR_NOT_FOUND, false, NULL},
    {"42703", WH_ERR_NOT_FOUND, false, NULL},
    {"3F000", WH_ERR_NOT_FOUND, false, NULL},
    {"42", WH_ERR_USAGE, false, NULL},
    {"53100", WH_ERR_NO_SPACE, true, "No space left at the server: nothing of it was kept"},
    {"53300", WH_ERR_UNAVAILABLE, true, "The server has as many connections as it takes"},
    {"53", WH_ERR_UNAVAILABLE, true, NULL},
    {"54", WH_ERR_LIMIT, false, NULL},
    {"55P03", WH_ERR_BUSY, true, "Somebody else holds the lock; see `lock_timeout`"},
    {"55006", WH_ERR_BUSY, true, NULL},
    {"57014", WH_ERR_LIMIT, false, "See `statement_timeout`"},
    {"57P", WH_ERR_UNAVAILABLE, true, "The server was stopped, or ended the connection"},
    {"58", WH_ERR_IO, false, NULL},
    {"XX", WH_ERR_IO, false, NULL},
    {"22", WH_ERR_DATA, false, NULL},
    {"23", WH_ERR_DATA, false, NULL},
    {"", WH_ERR_USAGE, false, NULL},
};

static const meaning *meaning_of(const char *code) {
  const meaning *m = meanings;
  while (strncmp(code, m->code, strlen(m->code)) != 0)
    m++;
  return m;
}

// A row is to blame: data exceptions, integrity constraints, WITH CHECK OPTION, RAISE in a trigger.
static bool blames_a_row(const char *code) {
  return strncmp(code, "22", 2) == 0 || strncmp(code, "23", 2) == 0 || strcmp(code, "44000") == 0 ||
         strcmp(code, "P0001") == 0;
}

static const char *field_of(const PGresult *result, int field) {
  const char *text = PQresultErrorField(result, field);
  return text ? text : "";
}

// The first line, without white space at its end.
static int first_line(const char *text) {
  size_t len = strcspn(text, "\n");
  while (len && (text[len - 1] == ' ' || text[len - 1] == '\r'))
    len--;
  return (int)wh_utf8_cut(wh_str_n(text, len), SAYS_MAX);
}

static wh_status fail_row(const PGresult *result, const char *code, wh_error *err) {
  const char *name = field_of(result, PG_DIAG_CONSTRAINT_NAME);
  if (strcmp(code, "23502") == 0)
    return wh_fail(err, WH_ERR_TYPE, "column '%s' must have a value",
                   field_of(result, PG_DIAG_COLUMN_NAME));
  const char *kind = strcmp(code, "23514") == 0   ? "check"
                     : strcmp(code, "23505") == 0 ? "unique"
                     : strcmp(code, "23503") == 0 ? "foreign key"
                     : strcmp(code, "23P01") == 0 ? "exclusion"
                                                  : NULL;
  if (kind && *name) return wh_fail(err, WH_ERR_TYPE, "violates %s constraint \"%s\"", kind, name);
  const char *says = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
  return wh_fail(err, WH_ERR_TYPE, "%.*s", first_line(says), says);
}

static wh_status say(wh_pg_session *s, const meaning *m, const char *code, const char *says,
                     const char *doing, wh_error *err) {
  wh_str name = s->base.connection->name;
  (void)wh_fail(err, m->status, "%.*s: %s: %.*s%s%s%s%s%s", WH_STR_ARG(name), doing,
                first_line(says), says, *code ? " (" : "", code, *code ? ")" : "",
                m->advice ? ". " : "", m->advice ? m->advice : "");
  if (err) err->retry = m->retry;
  return m->status;
}

static wh_status fail_cancelled(wh_pg_session *s, wh_error *err) {
  return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop",
                 WH_STR_ARG(s->base.connection->name));
}

wh_status wh_pg_fail_result(wh_pg_session *s, const PGresult *result, const char *doing,
                            wh_error *err) {
  const char *code = field_of(result, PG_DIAG_SQLSTATE);
  if (!*code) return wh_pg_fail_lost(s, doing, err);
  if (strcmp(code, "57014") == 0 && wh_pg_is_cancelled(s->base.connection))
    return fail_cancelled(s, err);
  if (s->access == WH_SQL_WRITE && blames_a_row(code)) return fail_row(result, code, err);
  return say(s, meaning_of(code), code, field_of(result, PG_DIAG_MESSAGE_PRIMARY), doing, err);
}

wh_status wh_pg_fail_lost(wh_pg_session *s, const char *doing, wh_error *err) {
  static const meaning lost = {"", WH_ERR_UNAVAILABLE, true, NULL};
  static const meaning inside = {"", WH_ERR_BUG, false, NULL};
  const char *says = PQerrorMessage(s->conn);
  if (strstr(says, "out of memory")) return wh_fail_memory(err);
  if (PQstatus(s->conn) != CONNECTION_BAD) return say(s, &inside, "", says, doing, err);
  return say(s, &lost, "", "the connection to the server was lost", doing, err);
}

// --- connecting --------------------------------------------------------------------------------

// "FATAL:  28P01: password authentication failed ..." of a verbose text: the last such code, since
// each address of the host that was tried has its say.
static const char *find_code(const char *says, char code[CODE_LEN + 1]) {
  const char *found = NULL;
  for (const char *at = strstr(says, ":  "); at; at = strstr(at + 1, ":  ")) {
    const char *p = at + 3;
    size_t len = strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (len != CODE_LEN || strncmp(p + len, ": ", 2) != 0) continue;
    memcpy(code, p, CODE_LEN);
    code[CODE_LEN] = 0;
    found = p + CODE_LEN + 2;
  }
  return found;
}

// Without the address in front, which we name ourselves.
static const char *behind_address(const char *says) {
  const char *at = strstr(says, " failed: ");
  return at ? at + strlen(" failed: ") : says;
}

__attribute__((format(printf, 5, 6))) static wh_status fail_at_server(wh_connection *c,
                                                                      wh_status status, bool retry,
                                                                      wh_error *err,
                                                                      const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX];
  const wh_server *s = &wh_pg_options_of(c)->server;
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  (void)wh_fail(err, status, "%.*s: %.*s:%lld %s", WH_STR_ARG(c->name), WH_STR_ARG(s->host),
                (long long)s->port, text);
  if (err) err->retry = retry;
  return status;
}

static wh_status fail_login(wh_connection *c, const char *code, const char *words, wh_error *err) {
  const wh_server *s = &wh_pg_options_of(c)->server;
  wh_str user = s->user.len ? s->user : WH_STR("this system's user");
  int len = first_line(words);
  if (strcmp(code, "28P01") == 0)
    return fail_at_server(c, WH_ERR_DENIED, false, err,
                          "does not let %.*s in: password refused (28P01). Check user and password",
                          WH_STR_ARG(user));
  if (strcmp(code, "28000") == 0)
    return fail_at_server(c, WH_ERR_DENIED, false, err,
                          "does not let %.*s in: %.*s (28000). Check user, tls and the server's "
                          "pg_hba.conf",
                          WH_STR_ARG(user), len, words);
  if (strcmp(code, "3D000") == 0)
    return fail_at_server(c, WH_ERR_NOT_FOUND, false, err,
                          "has no database '%.*s' (3D000). Check `database`",
                          WH_STR_ARG(s->database));
  if (strcmp(code, "42501") == 0)
    return fail_at_server(c, WH_ERR_DENIED, false, err,
                          "does not let %.*s into database '%.*s' (42501). GRANT CONNECT allows it",
                          WH_STR_ARG(user), WH_STR_ARG(s->database));
  const meaning *m = meaning_of(code);
  return fail_at_server(c, m->status, m->retry, err, "refuses: %.*s (%s)%s%s", len, words, code,
                        m->advice ? ". " : "", m->advice ? m->advice : "");
}

// The name in quotes behind `before`.
static wh_str quoted(const char *says, const char *before) {
  const char *at = strstr(says, before);
  if (!at) return WH_STR("another host");
  at = strchr(at + strlen(before), '"');
  const char *end = at ? strchr(at + 1, '"') : NULL;
  return end ? wh_str_n(at + 1, (size_t)(end - at - 1)) : WH_STR("another host");
}

static wh_status fail_tls(wh_connection *c, const char *says, wh_error *err) {
  const wh_server *s = &wh_pg_options_of(c)->server;
  if (strstr(says, "does not match host name"))
    return fail_at_server(c, WH_ERR_DENIED, false, err,
                          "shows a certificate of '%.*s', not of '%.*s'. Say as host what it was "
                          "made for",
                          WH_STR_ARG(quoted(says, "server certificate for")), WH_STR_ARG(s->host));
  if (strstr(says, "certificate verify failed"))
    return fail_at_server(c, WH_ERR_DENIED, false, err,
                          "shows a certificate that nobody trusted has signed, or that is out of "
                          "date. Name its authority with tls_ca%s",
                          s->tls_ca.len ? ", which has another one now" : "");
  if (strstr(says, "does not support SSL"))
    return fail_at_server(
        c, WH_ERR_DENIED, false, err,
        "has no TLS. Switch it on there, or say tls: off where nobody can listen");
  says = behind_address(says);
  return fail_at_server(c, WH_ERR_DENIED, false, err, "and TLS: %.*s", first_line(says), says);
}

static bool is_about_tls(const char *says) {
  return strstr(says, "SSL") || strstr(says, "certificate");
}

wh_status wh_pg_fail_connect(wh_connection *c, const char *says, wh_error *err) {
  char code[CODE_LEN + 1];
  const char *words = find_code(says, code);
  if (words) return fail_login(c, code, words, err);
  if (strstr(says, "out of memory")) return wh_fail_memory(err);
  if (strstr(says, "no password supplied"))
    return fail_at_server(c, WH_ERR_DENIED, false, err,
                          "wants a password, and none is given. Set `password`");
  if (is_about_tls(says)) return fail_tls(c, says, err);
  if (strstr(says, "Connection refused") || strstr(says, "No such file"))
    return fail_at_server(c, WH_ERR_UNAVAILABLE, true, err,
                          "does not answer: nobody listens there. Check host and port, and whether "
                          "the server runs");
  const char *what = behind_address(says);
  return fail_at_server(c, WH_ERR_UNAVAILABLE, true, err, "cannot be reached: %.*s",
                        first_line(what), what);
}
