// FreeTDS takes much of what a connection needs (the certificates to trust, timeouts) from a file
// of settings alone. One is kept in memory for the process; a connection has a section of its own
// there, which never changes once it is written, so that it can be read while others are added.
// Nothing in it is secret: user and password go by themselves.
#include "connect/sqlserver/session.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  SECTIONS_MAX = 1024, // of a process
  NAME_MAX_BYTES = WH_MSSQL_LOGIN_TEXT_MAX + 8,
  BODY_MAX = 1024,
};

typedef struct section {
  char name[NAME_MAX_BYTES];
  char body[BODY_MAX];
} section;

static pthread_mutex_t sections_lock = PTHREAD_MUTEX_INITIALIZER;
static section *sections[SECTIONS_MAX]; // for the process
static size_t section_count;
static int settings_file = -1;

static long whole_seconds(int64_t us) {
  int64_t seconds = us / 1000000 + (us % 1000000 > 0);
  return seconds > 0x7FFFFFFF ? 0x7FFFFFFF : (long)seconds;
}

static void write_body(const wh_server *o, char *out, size_t cap) {
  int n = snprintf(out, cap,
                   "host = %.*s\nport = %lld\ntds version = 7.4\nencryption = %s\n"
                   "client charset = UTF-8\nuse utf-16 = yes\nconnect timeout = %ld\n",
                   WH_STR_ARG(o->host), (long long)o->port,
                   o->tls == WH_TLS_OFF ? "off" : "require", whole_seconds(o->connect_timeout_us));
  if (o->statement_timeout_us > 0 && n > 0 && (size_t)n < cap)
    n += snprintf(out + n, cap - (size_t)n, "timeout = %ld\n",
                  whole_seconds(o->statement_timeout_us));
  if (o->tls != WH_TLS_VERIFY || n <= 0 || (size_t)n >= cap) return;
  snprintf(out + n, cap - (size_t)n, "ca file = %.*s\ncheck certificate hostname = yes\n",
           o->tls_ca.len ? (int)o->tls_ca.len : 6, o->tls_ca.len ? o->tls_ca.data : "system");
}

static const section *find(const char *name, const char *body, bool *ret_taken) {
  *ret_taken = false;
  for (size_t i = 0; i < section_count; i++) {
    if (strcasecmp(sections[i]->name, name) != 0) continue;
    if (strcmp(sections[i]->body, body) == 0) return sections[i];
    *ret_taken = true;
  }
  return NULL;
}

static wh_status make_file(const wh_connection *c, wh_error *err) {
  char path[64];
  if (settings_file >= 0) return WH_OK;
  int fd = memfd_create("wherry-freetds", MFD_CLOEXEC);
  if (fd < 0)
    return wh_fail(err, wh_status_from_errno(errno), "%.*s: no file in memory: %s",
                   WH_STR_ARG(c->name), strerror(errno));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  dbsetifile(path);
  settings_file = fd;
  return WH_OK;
}

// A section appears whole: its name comes with the line break that ends it.
static wh_status add(const wh_connection *c, const char *name, const char *body,
                     const section **ret, wh_error *err) {
  char text[NAME_MAX_BYTES + BODY_MAX + 8];
  WH_TRY(make_file(c, err));
  if (section_count == SECTIONS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "%.*s: more than %d different servers", WH_STR_ARG(c->name),
                   SECTIONS_MAX);
  section *s = calloc(1, sizeof *s);
  if (!s) return wh_fail_memory(err);
  snprintf(s->name, sizeof s->name, "%s", name);
  snprintf(s->body, sizeof s->body, "%s", body);
  int len = snprintf(text, sizeof text, "[%s]\n%s\n", name, body);
  if (write(settings_file, text, (size_t)len) != len) {
    free(s);
    return wh_fail(err, WH_ERR_IO, "%.*s: the settings in memory could not be written",
                   WH_STR_ARG(c->name));
  }
  sections[section_count++] = s;
  *ret = s;
  return WH_OK;
}

// The section's name is told to the server, too, and Azure finds the server by it: so it is the
// host's, as long as no other section has that name.
static wh_status find_or_add(const wh_connection *c, const section **ret, wh_error *err) {
  const wh_server *o = &((const wh_mssql_options *)c->options)->server;
  char name[NAME_MAX_BYTES], body[BODY_MAX];
  write_body(o, body, sizeof body);
  for (int i = 1; i <= SECTIONS_MAX; i++) {
    bool is_taken;
    snprintf(name, sizeof name, i == 1 ? "%.*s" : "%.*s %d", WH_STR_ARG(o->host), i);
    *ret = find(name, body, &is_taken);
    if (*ret) return WH_OK;
    if (!is_taken) break;
  }
  return add(c, name, body, ret, err);
}

wh_status wh_mssql_settings(const wh_connection *c, const char **ret_name, wh_error *err) {
  const section *found = NULL;
  pthread_mutex_lock(&sections_lock);
  wh_status status = find_or_add(c, &found, err);
  pthread_mutex_unlock(&sections_lock);
  if (status == WH_OK) *ret_name = found->name;
  return status;
}
