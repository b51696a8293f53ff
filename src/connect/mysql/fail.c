// The server's and the client library's error codes, in our words. Codes: the server's are those of
// its errmsg (1000 and up; MySQL's from 3000 on, MariaDB's own 1900 to 1999 and from 4000 on), the
// library's begin at 2000.
#include "connect/mysql/session.h"

#include <ctype.h>

enum { REASON_MAX = 400 };

typedef struct meaning {
  unsigned code;
  wh_status status;
  bool retry;
  const char *text; // NULL: what the server says
} meaning;

static const meaning meanings[] = {
    // Somebody else has it.
    {1205, WH_ERR_BUSY, true, "somebody else holds a lock for longer than lock_timeout"},
    {1213, WH_ERR_BUSY, true, "the server ended a deadlock with another transaction"},
    {1614, WH_ERR_BUSY, true, "the server ended a deadlock with another transaction"},
    {1020, WH_ERR_BUSY, true, "a row changed while it was read"},
    {1412, WH_ERR_BUSY, true, "the table was altered while it was read"},
    {1099, WH_ERR_BUSY, true, "somebody else has locked the table"},
    {1100, WH_ERR_BUSY, true, "somebody else has locked the table"},
    // It is gone, or has too much to do.
    {1040, WH_ERR_UNAVAILABLE, true, "the server has too many connections"},
    {1203, WH_ERR_UNAVAILABLE, true, "the user has too many connections"},
    {1226, WH_ERR_UNAVAILABLE, true, "the user has used up what the server grants it"},
    {1053, WH_ERR_UNAVAILABLE, true, "the server is shutting down"},
    {1079, WH_ERR_UNAVAILABLE, true, "the server is shutting down"},
    {1080, WH_ERR_UNAVAILABLE, true, "the server closed the connection"},
    {1152, WH_ERR_UNAVAILABLE, true, "the server closed the connection"},
    {1158, WH_ERR_UNAVAILABLE, true, "the line to the server failed"},
    {1159, WH_ERR_UNAVAILABLE, true, "the line to the server failed"},
    {1160, WH_ERR_UNAVAILABLE, true, "the line to the server failed"},
    {1161, WH_ERR_UNAVAILABLE, true, "the line to the server failed"},
    {1184, WH_ERR_UNAVAILABLE, true, "the server closed the connection"},
    {1317, WH_ERR_UNAVAILABLE, true, "somebody ended the statement on the server"},
    {1927, WH_ERR_UNAVAILABLE, true, "somebody ended the connection on the server"},
    {2006, WH_ERR_UNAVAILABLE, true, "the connection to the server was lost"},
    {2013, WH_ERR_UNAVAILABLE, true, "the connection to the server was lost"},
    {2014, WH_ERR_UNAVAILABLE, true, "the connection to the server was lost"},
    {2026, WH_ERR_UNAVAILABLE, true, "the connection to the server was lost"},
    {2027, WH_ERR_UNAVAILABLE, true, "the server sent what is no answer"},
    {2055, WH_ERR_UNAVAILABLE, true, "the connection to the server was lost"},
    {1037, WH_ERR_UNAVAILABLE, true, "the server is out of memory"},
    {1038, WH_ERR_UNAVAILABLE, true, "the server is out of memory for sorting"},
    {1041, WH_ERR_UNAVAILABLE, true, "the server is out of memory"},
    {2008, WH_ERR_MEMORY, false, "out of memory"},
    {1021, WH_ERR_NO_SPACE, true, "the server's disk is full"},
    {1114, WH_ERR_NO_SPACE, true, "the table, or the server's disk, is full"},
    {1969, WH_ERR_LIMIT, false, "the statement took longer than statement_timeout"},
    {3024, WH_ERR_LIMIT, false, "the statement took longer than statement_timeout"},
    {1153, WH_ERR_LIMIT, false,
     "the server takes no statement of that size; raise its max_allowed_packet"},
    {2020, WH_ERR_LIMIT, false, "the server sent a row that is larger than a row may be"},
    // May not.
    {1044, WH_ERR_DENIED, false, NULL},
    {1045, WH_ERR_DENIED, false, NULL},
    {1142, WH_ERR_DENIED, false, NULL},
    {1143, WH_ERR_DENIED, false, NULL},
    {1227, WH_ERR_DENIED, false, NULL},
    {1370, WH_ERR_DENIED, false, NULL},
    {1290, WH_ERR_DENIED, false, "the server is read-only"},
    {1792, WH_ERR_USAGE, false, "a source only reads: use a SELECT"},
    {1836, WH_ERR_DENIED, false, "the server is read-only"},
    // Is not there.
    {1046, WH_ERR_NOT_FOUND, false, NULL},
    {1049, WH_ERR_NOT_FOUND, false, NULL},
    {1051, WH_ERR_NOT_FOUND, false, NULL},
    {1054, WH_ERR_NOT_FOUND, false, NULL},
    {1146, WH_ERR_NOT_FOUND, false, NULL},
    {1050, WH_ERR_EXISTS, false, NULL},
    {1064, WH_ERR_USAGE, false, NULL},
};

// Refused because of a row, where the state does not say so: values (22...), constraints (23...)
// and what a trigger refuses (45000) do.
static const unsigned row_codes[] = {1048, 1062, 1169, 1216, 1217, 1263, 1264, 1265, 1292,
                                     1300, 1364, 1366, 1367, 1369, 1406, 1411, 1416, 1451,
                                     1452, 1525, 1526, 1557, 1586, 1644, 1690, 1761, 1762,
                                     1859, 3140, 3141, 3156, 3819, 3903, 4025, 4038, 4161};

static bool has_class(const wh_mysql_trouble *t, const char *class) {
  return memcmp(t->state, class, 2) == 0;
}

// Codes that are in no table of ours, by the class of their state (SQL:2016 part 2, table 38):
// 08, a connection exception (1047, which a Galera node answers that has no others); 40, a
// transaction that was rolled back. NULL: of neither.
static const meaning *meaning_of_class(const wh_mysql_trouble *t) {
  static const meaning lost = {.status = WH_ERR_UNAVAILABLE, .retry = true};
  static const meaning rolled_back = {.status = WH_ERR_BUSY, .retry = true};
  return has_class(t, "08") ? &lost : has_class(t, "40") ? &rolled_back : NULL;
}

static const meaning *meaning_of(const wh_mysql_trouble *t) {
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
    if (meanings[i].code == t->code) return &meanings[i];
  return meaning_of_class(t);
}

static bool is_of_row(const wh_mysql_trouble *t) {
  if (t->code >= 2000 && t->code < 3000) return false;
  if (meaning_of_class(t)) return false; // whatever the code: a trigger chooses both
  for (size_t i = 0; i < sizeof row_codes / sizeof row_codes[0]; i++)
    if (row_codes[i] == t->code) return true;
  return has_class(t, "22") || has_class(t, "23") || has_class(t, "45");
}

wh_mysql_trouble wh_mysql_trouble_of(wh_mysql_session *s, MYSQL_STMT *stmt) {
  // A row that could not be fetched leaves its error with the handle alone.
  if (stmt && mysql_stmt_errno(stmt))
    return (wh_mysql_trouble){mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt),
                              mysql_stmt_error(stmt)};
  return (wh_mysql_trouble){mysql_errno(s->handle), mysql_sqlstate(s->handle),
                            mysql_error(s->handle)};
}

// "Data too long for column 'n' at row 1" -> "data too long for column 'n'": rows are counted
// within whatever part of them was sent.
static void write_reason(const char *text, char *out, size_t cap) {
  size_t len = wh_utf8_cut(wh_str_of(text), cap - 1);
  memcpy(out, text, len);
  out[len] = 0;
  char *at = strstr(out, " at row ");
  if (at && strspn(at + 8, "0123456789") == strlen(at + 8)) *at = 0;
  if (isupper((unsigned char)out[0]) && islower((unsigned char)out[1]))
    out[0] = (char)tolower((unsigned char)out[0]);
  for (char *c = out; *c; c++)
    if ((unsigned char)*c < ' ') *c = ' ';
}

// "duplicate entry 'x' for key 'k'": x may have quotes, too.
void wh_mysql_hide_values(char *reason) {
  static const char before[] = "duplicate entry", after[] = " for key '";
  char *key = NULL;
  if (strncmp(reason, before, sizeof before - 1) != 0) return;
  for (char *at = strstr(reason, after); at; at = strstr(at + 1, after))
    key = at;
  char *end = reason + sizeof before - 1;
  if (key)
    memmove(end, key, strlen(key) + 1);
  else
    *end = 0; // the reason was cut within it
}

wh_status wh_mysql_fail(const wh_mysql_session *s, const wh_mysql_trouble *t, const char *doing,
                        wh_error *err) {
  const wh_connection *c = s->base.connection;
  char reason[REASON_MAX];
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  write_reason(t->text, reason, sizeof reason);
  if (is_of_row(t)) return wh_fail(err, WH_ERR_TYPE, "%s", reason);
  const meaning *m = meaning_of(t);
  wh_status status = wh_fail(err, m ? m->status : WH_ERR_IO, "%.*s: %s: %s", WH_STR_ARG(c->name),
                             doing, m && m->text ? m->text : reason);
  if (err) err->retry = m && m->retry;
  return status;
}

// --- Logging in ----------------------------------------------------------------------------------

static bool says(const wh_mysql_trouble *t, const char *word) {
  return strcasestr(t->text, word) != NULL;
}

static wh_status fail_tls(const wh_connection *c, const wh_server *o, const wh_mysql_trouble *t,
                          wh_error *err) {
  char reason[REASON_MAX];
  wh_str name = c->name, host = o->host;
  if (says(t, "does not support"))
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server at %.*s does not encrypt. Give it a certificate, or say `tls: "
                   "off` where the network is trusted",
                   WH_STR_ARG(name), WH_STR_ARG(host));
  if (says(t, "name") || says(t, "host") || says(t, "validation of SSL server certificate"))
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server's certificate is for another name than %.*s. Use the name "
                   "that it is for as `host`, or have one made for this name",
                   WH_STR_ARG(name), WH_STR_ARG(host));
  if (says(t, "expired"))
    return wh_fail(err, WH_ERR_DENIED, "%.*s: the certificate of the server at %.*s has expired",
                   WH_STR_ARG(name), WH_STR_ARG(host));
  if (says(t, "certificate") || says(t, "self") || says(t, "issuer"))
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the certificate of the server at %.*s is signed by nobody whom %s "
                   "trust%s. Give `tls_ca` the certificate of the authority that signed it",
                   WH_STR_ARG(name), WH_STR_ARG(host), o->tls_ca.len ? "`tls_ca`" : "the system",
                   o->tls_ca.len ? "s" : "s");
  if (o->tls_ca.len && (says(t, "no such file") || says(t, "no certificate")))
    return wh_fail(err, WH_ERR_USAGE, "%.*s: %.*s holds no certificates", WH_STR_ARG(name),
                   WH_STR_ARG(o->tls_ca));
  write_reason(t->text, reason, sizeof reason);
  wh_status status =
      wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: encrypting the line to %.*s failed: %s",
              WH_STR_ARG(name), WH_STR_ARG(host), reason);
  if (err) err->retry = true;
  return status;
}

static wh_status unavailable(const wh_connection *c, const char *text, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: %s", WH_STR_ARG(c->name), text);
  if (err) err->retry = true;
  return status;
}

static wh_status fail_reaching(const wh_connection *c, const wh_server *o, unsigned code,
                               wh_error *err) {
  char text[REASON_MAX];
  if (code == 2005)
    snprintf(text, sizeof text, "no machine is known as '%.*s'. Is `host` spelled right?",
             WH_STR_ARG(o->host));
  else if (o->host.len && o->host.data[0] == '/')
    snprintf(text, sizeof text, "no server listens at %.*s", WH_STR_ARG(o->host));
  else
    snprintf(text, sizeof text,
             "no server answers at %.*s, port %lld. Is it running, and does a firewall let this "
             "machine through?",
             WH_STR_ARG(o->host), (long long)o->port);
  return unavailable(c, text, err);
}

wh_status wh_mysql_fail_login(const wh_connection *c, const wh_mysql_trouble *t, wh_error *err) {
  const wh_server *o = &((const wh_mysql_options *)c->options)->server;
  wh_str name = c->name;
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(name));
  switch (t->code) {
  case 1045:
  case 1698:
  case 1862: // the password has expired
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server refuses the user '%.*s'. Check `user` and `password`%s",
                   WH_STR_ARG(name), WH_STR_ARG(o->user),
                   o->password.len ? "" : " (none was given)");
  case 1044:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the user '%.*s' may not use the database '%.*s', or there is none of "
                   "that name",
                   WH_STR_ARG(name), WH_STR_ARG(o->user), WH_STR_ARG(o->database));
  case 1049:
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: the server has no database '%.*s'",
                   WH_STR_ARG(name), WH_STR_ARG(o->database));
  case 1129:
  case 1130:
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the server at %.*s takes no connections from this machine. Its "
                   "administrator has to allow the user '%.*s' from here",
                   WH_STR_ARG(name), WH_STR_ARG(o->host), WH_STR_ARG(o->user));
  case 2002:
  case 2003:
  case 2005:
    return fail_reaching(c, o, t->code, err);
  case 2026:
    return fail_tls(c, o, t, err);
  case 1040:
    return unavailable(c, "the server has too many connections", err);
  case 1203:
  case 1226:
    return unavailable(c, "the user has too many connections", err);
  case 2006:
  case 2012:
  case 2013:
  case 2055:
    return unavailable(c, "the server hung up while connecting", err);
  default: {
    char reason[REASON_MAX];
    const meaning *m = meaning_of_class(t);
    write_reason(t->text, reason, sizeof reason);
    wh_status status =
        wh_fail(err, m ? m->status : WH_ERR_IO, "%.*s: connecting: %s", WH_STR_ARG(name), reason);
    if (err) err->retry = m && m->retry;
    return status;
  }
  }
}
