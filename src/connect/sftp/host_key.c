// Who the server is: one of the fingerprints that the configuration names, or a key of the known
// hosts. Nothing is trusted because it came first, and nothing is written down here.
#include "connect/sftp/sftp.h"

#include <libssh/libssh.h>

#define GLOBAL_KNOWN_HOSTS "/etc/ssh/ssh_known_hosts"
#define NO_KNOWN_HOSTS     "/dev/null"

wh_str wh_sftp_known_hosts(const wh_connection *c, wh_arena *arena) {
  wh_str given = wh_sftp_options_of(c)->known_hosts;
  if (given.len) return given;
  const char *home = wh_environment_get(&c->environment, "HOME");
  return home ? wh_arena_printf(arena, "%s/.ssh/known_hosts", home) : (wh_str){0};
}

wh_status wh_sftp_set_known_hosts(wh_connection *c, ssh_session session, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str file = wh_sftp_known_hosts(c, &arena);
  bool given = wh_sftp_options_of(c)->known_hosts.len > 0;
  const char *own = file.data ? file.data : NO_KNOWN_HOSTS;
  const char *global = given ? NO_KNOWN_HOSTS : GLOBAL_KNOWN_HOSTS;
  if (ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, own) == 0 &&
      ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, global) == 0)
    return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "known_hosts: %s", ssh_get_error(session));
}

static wh_status deny(const wh_connection *c, const char *kind, const char *print,
                      enum ssh_known_hosts_e found, wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(c);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str file = wh_sftp_known_hosts(c, &arena);
  if (!file.data) file = WH_STR(GLOBAL_KNOWN_HOSTS);
  if (found == SSH_KNOWN_HOSTS_CHANGED || found == SSH_KNOWN_HOSTS_OTHER) {
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s shows another host key than %.*s has for it: %s (%s). Somebody may be in "
                   "between: ask whoever runs the server, and if the key is new, put it in place "
                   "of the old one",
                   WH_STR_ARG(o->host), WH_STR_ARG(file), print, kind);
  }
  return wh_fail(err, WH_ERR_DENIED,
                 "%.*s, port %d, shows a host key that nobody here knows: %s (%s). If whoever runs "
                 "the server says that this is its key, write host_key: %s in the connection, or "
                 "add the key to %.*s",
                 WH_STR_ARG(o->host), (int)o->port, print, kind, print, WH_STR_ARG(file));
}

static wh_status check_print(wh_connection *c, ssh_session session, const char *kind,
                             const char *print, wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(c);
  for (size_t i = 0; i < o->host_key.count; i++)
    if (wh_str_is(o->host_key.items[i], print)) return WH_OK;
  if (o->host_key.count) {
    return wh_fail(err, WH_ERR_CHANGED,
                   "%.*s, port %d, shows the host key %s (%s), which is not host_key. Somebody may "
                   "be in between: ask whoever runs the server",
                   WH_STR_ARG(o->host), (int)o->port, print, kind);
  }
  enum ssh_known_hosts_e found = ssh_session_is_known_server(session);
  return found == SSH_KNOWN_HOSTS_OK ? WH_OK : deny(c, kind, print, found, err);
}

wh_status wh_sftp_check_host_key(wh_connection *c, ssh_session session, wh_error *err) {
  ssh_key key = NULL;
  unsigned char *hash = NULL;
  size_t len = 0;
  char *print = NULL;
  if (ssh_get_server_publickey(session, &key) == SSH_OK &&
      ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == 0)
    print = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
  const char *kind = key ? ssh_key_type_to_char(ssh_key_type(key)) : NULL;
  wh_status status = print ? check_print(c, session, kind ? kind : "?", print, err)
                           : wh_fail(err, WH_ERR_DENIED, "the server shows no host key");
  ssh_string_free_char(print);
  ssh_clean_pubkey_hash(&hash);
  ssh_key_free(key);
  return status;
}
