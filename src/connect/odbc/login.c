// The connection string, and what of it is secret.
#include "connect/odbc/session.h"

// --- What options may say ------------------------------------------------------------------------

static wh_status check_text(wh_str value, const char *name, wh_error *err) {
  for (size_t i = 0; i < value.len; i++)
    if ((unsigned char)value.data[i] < ' ')
      return wh_fail(err, WH_ERR_USAGE, "%s has a control character", name);
  if (wh_utf8_valid(value)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%s is not UTF-8", name);
}

static wh_str key_of(wh_str option) {
  return wh_str_trim(wh_str_sub(option, 0, wh_str_find(option, 0, '=')));
}

// Keywords that have a word of their own, in which secrets are known to be secret.
static const char *own_word(wh_str key) {
  static const struct {
    const char *key, *word;
  } words[] = {{"dsn", "`dsn`"},     {"driver", "`driver`"},    {"uid", "`user`"},
               {"user", "`user`"},   {"pwd", "`password`"},     {"password", "`password`"},
               {"filedsn", "`dsn`"}, {"savefile", "nothing"},   {"server", "`host`"},
               {"port", "`port`"},   {"database", "`database`"}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (wh_str_eq_nocase(key, wh_str_of(words[i].key))) return words[i].word;
  return NULL;
}

static wh_status check_option(wh_str option, wh_error *err) {
  wh_str key = key_of(option);
  WH_TRY(check_text(option, "options", err));
  if (key.len == 0 || key.len == option.len)
    return wh_fail(err, WH_ERR_USAGE, "options are written as \"KEYWORD=value\"");
  for (size_t i = 0; i < key.len; i++)
    if (strchr("[]{}(),;?*!@", key.data[i]))
      return wh_fail(err, WH_ERR_USAGE, "options: '%.*s' is no keyword", WH_STR_ARG(key));
  const char *word = own_word(key);
  if (word) return wh_fail(err, WH_ERR_USAGE, "options: %.*s is said by %s", WH_STR_ARG(key), word);
  return WH_OK;
}

wh_status wh_odbc_check(const void *given, wh_error *err) {
  const wh_odbc_options *o = given;
  if ((o->dsn.len == 0) == (o->driver.len == 0))
    return wh_fail(err, WH_ERR_USAGE, "one of dsn and driver has to be given");
  const struct {
    wh_str value;
    const char *name;
  } texts[] = {{o->dsn, "dsn"},           {o->driver, "driver"}, {o->host, "host"},
               {o->database, "database"}, {o->user, "user"},     {o->password, "password"}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    WH_TRY(check_text(texts[i].value, texts[i].name, err));
  for (size_t i = 0; i < o->options.count; i++)
    WH_TRY(check_option(o->options.items[i], err));
  return WH_OK;
}

// --- The string ----------------------------------------------------------------------------------

// Not every driver takes braces away, so they stand where they have to (ODBC, "Connection String
// Format": special characters, and white space at the ends).
static bool needs_braces(wh_str value) {
  for (size_t i = 0; i < value.len; i++)
    if (strchr("[]{}(),;?*=!@", value.data[i])) return true;
  return value.len && (value.data[0] == ' ' || value.data[value.len - 1] == ' ');
}

static void add_value(wh_buf *out, const char *key, size_t key_len, wh_str value, bool braces) {
  wh_buf_add(out, key, key_len);
  wh_buf_add_char(out, '=');
  if (braces) wh_buf_add_char(out, '{');
  for (size_t i = 0; i < value.len; i++) {
    if (braces && value.data[i] == '}') wh_buf_add_char(out, '}');
    wh_buf_add_char(out, value.data[i]);
  }
  wh_buf_add_c(out, braces ? "};" : ";");
}

static void add_word(wh_buf *out, const char *key, wh_str value) {
  if (value.len) add_value(out, key, strlen(key), value, needs_braces(value));
}

bool wh_odbc_add_connection_string(const wh_odbc_options *o, wh_buf *out) {
  if (o->driver.len) add_value(out, "DRIVER", 6, o->driver, true);
  add_word(out, "DSN", o->dsn);
  add_word(out, "Server", o->host);
  if (o->port) wh_buf_printf(out, "Port=%lld;", (long long)o->port);
  add_word(out, "Database", o->database);
  add_word(out, "UID", o->user);
  add_word(out, "PWD", o->password);
  for (size_t i = 0; i < o->options.count; i++) {
    wh_str option = o->options.items[i], key = key_of(option);
    wh_str value = wh_str_sub(option, wh_str_find(option, 0, '=') + 1, option.len);
    add_value(out, key.data, key.len, value, needs_braces(value));
  }
  return !out->failed;
}

// --- Secrets -------------------------------------------------------------------------------------

static void mask_one(char *text, wh_str secret) {
  enum { SECRET_MIN = 3 }; // what is shorter would be found everywhere
  static const char stars[] = "***";
  if (secret.len < SECRET_MIN) return;
  size_t len = strlen(text);
  for (char *at = text; (at = memmem(at, len - (size_t)(at - text), secret.data, secret.len));) {
    memmove(at + 3, at + secret.len, len - (size_t)(at - text) - secret.len + 1);
    memcpy(at, stars, 3);
    len = len - secret.len + 3;
    at += 3;
  }
}

static bool sounds_secret(wh_str key) {
  static const char *const parts[] = {"pwd", "pass", "secret", "token", "key"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    for (size_t at = 0, len = strlen(parts[i]); at + len <= key.len; at++)
      if (wh_str_eq_nocase(wh_str_sub(key, at, at + len), wh_str_of(parts[i]))) return true;
  return false;
}

void wh_odbc_mask(const wh_odbc_options *o, char *text) {
  mask_one(text, o->password);
  for (size_t i = 0; i < o->options.count; i++) {
    wh_str option = o->options.items[i];
    if (sounds_secret(key_of(option)))
      mask_one(text, wh_str_sub(option, wh_str_find(option, 0, '=') + 1, option.len));
  }
}
