#include "connect/server.h"

const char *const wh_tls_choices[] = {
    [WH_TLS_VERIFY] = "verify", [WH_TLS_REQUIRE] = "require", [WH_TLS_OFF] = "off", NULL};

static wh_status check_text(wh_str value, const char *name, wh_error *err) {
  if (value.len == 0 || !memchr(value.data, 0, value.len)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%s has a NUL byte", name);
}

wh_status wh_server_check(const wh_server *s, wh_error *err) {
  if (s->host.len == 0) return wh_fail(err, WH_ERR_USAGE, "host is empty");
  WH_TRY(check_text(s->host, "host", err));
  WH_TRY(check_text(s->database, "database", err));
  WH_TRY(check_text(s->user, "user", err));
  WH_TRY(check_text(s->password, "password", err));
  WH_TRY(check_text(s->tls_ca, "tls_ca", err));
  if (s->tls_ca.len && s->tls != WH_TLS_VERIFY)
    return wh_fail(err, WH_ERR_USAGE, "tls_ca is only used with tls: verify");
  return WH_OK;
}
