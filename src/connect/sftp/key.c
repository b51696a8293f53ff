// Who we are: a private key, the keys of ssh-agent, a password; whichever the configuration has.
#include "connect/sftp/sftp.h"

#include "base/crypto.h"

#include <libssh/libssh.h>

enum { KEY_BYTES_MAX = 64 << 10, PROMPTS_MAX = 8, ROUNDS_MAX = 8 };

typedef struct login {
  wh_connection *c;
  ssh_session session;
  int64_t until_ns;
} login;

// --- the private key -----------------------------------------------------------------------------

static wh_status import_key(const wh_sftp_options *o, const char *text, ssh_key *ret,
                            wh_error *err) {
  const char *passphrase = o->passphrase.len ? o->passphrase.data : NULL;
  if (ssh_pki_import_privkey_base64(text, passphrase, NULL, NULL, ret) == SSH_OK) return WH_OK;
  const char *word = o->private_key_file.len ? "private_key_file" : "private_key";
  return wh_fail(err, WH_ERR_USAGE, "%s is no private key in a form of OpenSSH's or PEM%s", word,
                 passphrase ? ", or passphrase is not its own" : ", or it needs its passphrase");
}

static wh_status load_key(wh_connection *c, ssh_key *ret, wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(c);
  if (o->private_key.len) return import_key(o, o->private_key.data, ret, err);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str text;
  wh_status status =
      wh_os_read_file(c->os, o->private_key_file.data, KEY_BYTES_MAX, &arena, &text, err);
  if (status != WH_OK) {
    wh_error_prefix(err, "private_key_file: ");
    if (status != WH_ERR_NOT_FOUND) return status;
    if (err) err->status = WH_ERR_USAGE; // not found is said of objects
    return WH_ERR_USAGE;
  }
  status = import_key(o, text.data, ret, err);
  wh_wipe((char *)(uintptr_t)text.data, text.len);
  return status;
}

// --- asking --------------------------------------------------------------------------------------

static wh_status wait_server(login *l, wh_error *err) {
  return wh_sftp_wait_socket(l->c, l->session, l->until_ns, "logging in", err);
}

static wh_status ask_none(login *l, int *ret, wh_error *err) {
  while ((*ret = ssh_userauth_none(l->session, NULL)) == SSH_AUTH_AGAIN)
    WH_TRY(wait_server(l, err));
  return WH_OK;
}

static wh_status ask_key(login *l, ssh_key key, int *ret, wh_error *err) {
  while ((*ret = ssh_userauth_publickey(l->session, NULL, key)) == SSH_AUTH_AGAIN)
    WH_TRY(wait_server(l, err));
  return WH_OK;
}

static wh_status ask_agent(login *l, int *ret, wh_error *err) {
  while ((*ret = ssh_userauth_agent(l->session, NULL)) == SSH_AUTH_AGAIN)
    WH_TRY(wait_server(l, err));
  return WH_OK;
}

// Servers that ask for the password as a question.
static wh_status ask_questions(login *l, const char *password, int *ret, wh_error *err) {
  for (int round = 0; round < ROUNDS_MAX; round++) {
    while ((*ret = ssh_userauth_kbdint(l->session, NULL, NULL)) == SSH_AUTH_AGAIN)
      WH_TRY(wait_server(l, err));
    if (*ret != SSH_AUTH_INFO) return WH_OK;
    int count = ssh_userauth_kbdint_getnprompts(l->session);
    for (int i = 0; i < count && i < PROMPTS_MAX; i++)
      if (ssh_userauth_kbdint_setanswer(l->session, (unsigned)i, password) < 0)
        return wh_fail_memory(err);
  }
  *ret = SSH_AUTH_DENIED;
  return WH_OK;
}

static wh_status ask_password(login *l, int *ret, wh_error *err) {
  const char *password = wh_sftp_options_of(l->c)->password.data;
  int methods = ssh_userauth_list(l->session, NULL);
  if (!(methods & SSH_AUTH_METHOD_PASSWORD) && methods & SSH_AUTH_METHOD_INTERACTIVE)
    return ask_questions(l, password, ret, err);
  while ((*ret = ssh_userauth_password(l->session, NULL, password)) == SSH_AUTH_AGAIN)
    WH_TRY(wait_server(l, err));
  return WH_OK;
}

// --- what came of it -----------------------------------------------------------------------------

static const char *offered(ssh_session session) {
  int methods = ssh_userauth_list(session, NULL);
  bool key = methods & SSH_AUTH_METHOD_PUBLICKEY;
  bool password = methods & (SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_INTERACTIVE);
  return key && password ? "keys and passwords"
         : key           ? "keys alone"
         : password      ? "passwords alone"
                         : "neither keys nor passwords";
}

static wh_status judge(login *l, int code, const char *what, wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(l->c);
  if (code == SSH_AUTH_SUCCESS) return WH_OK;
  if (!ssh_is_connected(l->session)) {
    wh_status status =
        wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s closed the connection while user %.*s logged in",
                WH_STR_ARG(o->host), WH_STR_ARG(o->user));
    if (err) err->retry = true;
    return status;
  }
  if (code == SSH_AUTH_PARTIAL) {
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s takes %s of user %.*s, and wants something else besides",
                   WH_STR_ARG(o->host), what, WH_STR_ARG(o->user));
  }
  return wh_fail(err, WH_ERR_DENIED, "%.*s does not take %s of user %.*s; it takes %s",
                 WH_STR_ARG(o->host), what, WH_STR_ARG(o->user), offered(l->session));
}

static wh_status by_key(login *l, int *ret, wh_error *err) {
  ssh_key key = NULL;
  WH_TRY(load_key(l->c, &key, err));
  wh_status status = ask_key(l, key, ret, err);
  ssh_key_free(key);
  return status;
}

static wh_status by_agent(login *l, wh_error *err) {
  int code = SSH_AUTH_DENIED;
  if (!wh_environment_get(&l->c->environment, "SSH_AUTH_SOCK")) {
    return wh_fail(err, WH_ERR_DENIED,
                   "there is nothing to log in with: name a private_key_file, a private_key or a "
                   "password, or start ssh-agent (SSH_AUTH_SOCK)");
  }
  WH_TRY(ask_agent(l, &code, err));
  return judge(l, code, "any key of ssh-agent", err);
}

wh_status wh_sftp_authenticate(wh_connection *c, ssh_session session, int64_t until_ns,
                               wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(c);
  login l = {.c = c, .session = session, .until_ns = until_ns};
  bool has_key = o->private_key.len || o->private_key_file.len;
  int code = SSH_AUTH_DENIED;
  WH_TRY(ask_none(&l, &code, err)); // says what the server takes
  if (code == SSH_AUTH_SUCCESS) return WH_OK;
  if (!has_key && !o->password.len) return by_agent(&l, err);
  if (has_key) WH_TRY(by_key(&l, &code, err));
  // A server may want both, one after the other.
  bool wants_password = !has_key || code == SSH_AUTH_PARTIAL;
  const char *what = has_key ? "the key" : "the password";
  if (!o->password.len || !wants_password) return judge(&l, code, what, err);
  WH_TRY(ask_password(&l, &code, err));
  return judge(&l, code, "the password", err);
}
