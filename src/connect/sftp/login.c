// From nothing to an SFTP channel: the connection, the keys, who the server is, who we are. libssh
// is asked without blocking, so that a wish to stop is heard at any moment.
#include "connect/sftp/sftp.h"

#include <libssh/libssh.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { SLICE_MS = 100 };

// The kinds of host keys, each asked for by itself when `host_key` names one that the server does
// not show of its own accord.
static const char *const host_key_kinds[] = {
    NULL, // as libssh prefers, and the known hosts say
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256",
};
enum { HOST_KEY_KINDS = sizeof host_key_kinds / sizeof *host_key_kinds };

wh_status wh_sftp_wait_socket(wh_connection *c, ssh_session session, int64_t until_ns,
                              const char *what, wh_error *err) {
  if (c->cancel && atomic_load(c->cancel)) return wh_fail(err, WH_ERR_CANCELLED, "stopped");
  if (c->os->type->monotonic_ns(c->os) >= until_ns) {
    wh_status status =
        wh_fail(err, WH_ERR_UNAVAILABLE, "the server does not answer in time: %s", what);
    if (err) err->retry = true;
    return status;
  }
  short events = POLLIN;
  if (ssh_get_poll_flags(session) & SSH_WRITE_PENDING) events |= POLLOUT;
  struct pollfd fd = {.fd = ssh_get_fd(session), .events = events};
  if (fd.fd >= 0) poll(&fd, 1, SLICE_MS);
  return WH_OK;
}

static wh_status fail_ssh(ssh_session session, const char *what, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_UNAVAILABLE, "%s: %s", what, ssh_get_error(session));
  if (err) err->retry = true;
  return status;
}

static wh_status set_options(wh_connection *c, ssh_session session, int fd, const char *kinds,
                             wh_error *err) {
  const wh_sftp_options *o = wh_sftp_options_of(c);
  unsigned port = (unsigned)o->port;
  bool no = false, yes = true;
  const char *socket_path = wh_environment_get(&c->environment, "SSH_AUTH_SOCK");
  bool ok =
      ssh_options_set(session, SSH_OPTIONS_HOST, o->host.data) == 0 &&
      ssh_options_set(session, SSH_OPTIONS_PORT, &port) == 0 &&
      ssh_options_set(session, SSH_OPTIONS_USER, o->user.data) == 0 &&
      // What people wrote for their own ssh is not for this program.
      ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) == 0 &&
      ssh_options_set(session, SSH_OPTIONS_COMPRESSION, "no") == 0 &&
      ssh_options_set(session, SSH_OPTIONS_NODELAY, &yes) == 0 &&
      (!socket_path || ssh_options_set(session, SSH_OPTIONS_IDENTITY_AGENT, socket_path) == 0) &&
      (!kinds || ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, kinds) == 0);
  if (!ok) return fail_ssh(session, "what is set cannot be", err);
  WH_TRY(wh_sftp_set_known_hosts(c, session, err));
  if (ssh_options_set(session, SSH_OPTIONS_FD, &fd) != 0)
    return fail_ssh(session, "no connection", err);
  return WH_OK;
}

// Until both sides have keys. From `ssh_connect` on the socket is the session's.
static wh_status exchange_keys(wh_connection *c, ssh_session session, int64_t until_ns,
                               wh_error *err) {
  ssh_set_blocking(session, 0);
  int code;
  while ((code = ssh_connect(session)) == SSH_AGAIN)
    WH_TRY(wh_sftp_wait_socket(c, session, until_ns, "exchanging keys", err));
  return code == SSH_OK ? WH_OK : fail_ssh(session, "no SSH connection", err);
}

// A session with a server that is who it should be.
static wh_status meet(wh_connection *c, const char *kinds, int64_t until_ns, ssh_session *ret,
                      wh_error *err) {
  int fd = -1;
  WH_TRY(wh_sftp_dial(c, until_ns, &fd, err));
  ssh_session session = ssh_new();
  if (!session) {
    close(fd);
    return wh_fail_memory(err);
  }
  wh_status status = set_options(c, session, fd, kinds, err);
  if (status != WH_OK) close(fd);
  if (status == WH_OK) status = exchange_keys(c, session, until_ns, err);
  if (status == WH_OK) status = wh_sftp_check_host_key(c, session, err);
  if (status != WH_OK)
    wh_sftp_logout(session, NULL);
  else
    *ret = session;
  return status;
}

// The server shows one of its keys; the one that `host_key` names may be another.
static wh_status meet_any(wh_connection *c, int64_t until_ns, ssh_session *ret, wh_error *err) {
  wh_status status = meet(c, host_key_kinds[0], until_ns, ret, err);
  wh_error other = {0};
  for (int i = 1; status == WH_ERR_CHANGED && i < HOST_KEY_KINDS; i++) {
    wh_status again = meet(c, host_key_kinds[i], until_ns, ret, &other);
    if (again == WH_OK || again == WH_ERR_CANCELLED || again == WH_ERR_MEMORY) {
      if (again != WH_OK && err) *err = other;
      return again;
    }
  }
  if (status != WH_ERR_CHANGED) return status;
  if (err) err->status = WH_ERR_DENIED;
  return WH_ERR_DENIED;
}

static wh_status open_channel(wh_connection *c, ssh_session session, ssh_channel channel,
                              int64_t until_ns, wh_error *err) {
  int code;
  while ((code = ssh_channel_open_session(channel)) == SSH_AGAIN)
    WH_TRY(wh_sftp_wait_socket(c, session, until_ns, "opening a channel", err));
  if (code != SSH_OK) return fail_ssh(session, "the server opens no channel", err);
  while ((code = ssh_channel_request_sftp(channel)) == SSH_AGAIN)
    WH_TRY(wh_sftp_wait_socket(c, session, until_ns, "starting SFTP", err));
  if (code != SSH_OK && !ssh_is_connected(session))
    return fail_ssh(session, "the connection broke", err);
  if (code != SSH_OK) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "the server takes who logs in, but offers no SFTP (is its subsystem sftp on?)");
  }
  return WH_OK;
}

wh_status wh_sftp_login(wh_connection *c, ssh_session *ret_session, ssh_channel *ret_channel,
                        wh_error *err) {
  int64_t now_ns = c->os->type->monotonic_ns(c->os);
  int64_t until_ns = now_ns + wh_sftp_options_of(c)->connect_timeout_us * 1000;
  ssh_session session = NULL;
  ssh_channel channel = NULL;
  WH_TRY(meet_any(c, until_ns, &session, err));
  wh_status status = wh_sftp_authenticate(c, session, until_ns, err);
  if (status == WH_OK && !(channel = ssh_channel_new(session))) status = wh_fail_memory(err);
  if (status == WH_OK) status = open_channel(c, session, channel, until_ns, err);
  if (status != WH_OK) {
    wh_sftp_logout(session, channel);
    return status;
  }
  *ret_session = session;
  *ret_channel = channel;
  return WH_OK;
}

void wh_sftp_logout(ssh_session session, ssh_channel channel) {
  if (channel) ssh_channel_free(channel);
  if (!session) return;
  ssh_disconnect(session);
  ssh_free(session);
}
